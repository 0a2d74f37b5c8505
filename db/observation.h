/* What somebody saw (vomit, cough, pain, …): an entry kind. */
#ifndef CT_DB_OBSERVATION_H
#define CT_DB_OBSERVATION_H

#include "db/entry.h"

struct ct_observation {
	struct ct_entry e;
	struct ct_str kind; /* vomit, diarrhoea, … */
	int64_t severity;   /* 1 mild, 2, 3 severe; CT_NULL_I64: not said */
};
extern const struct ct_fields ct_observation_fields, ct_observation_query;
extern const struct ct_stmt *const ct_observation_stmts[];

#endif
