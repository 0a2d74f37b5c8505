/* Water beside meals and flushes: an entry kind. */
#ifndef CT_DB_WATER_H
#define CT_DB_WATER_H

#include "db/entry.h"

struct ct_water {
	struct ct_entry e;
	int64_t amount_ul; /* 1 … 200,000 */
	struct ct_str way; /* tube, drunk, subcutaneous */
};
extern const struct ct_fields ct_water_fields, ct_water_query;
extern const struct ct_stmt *const ct_water_stmts[];

#endif
