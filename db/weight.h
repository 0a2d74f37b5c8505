/*
 * Weights: an entry kind. The newest one is the cat's reference weight
 * (cat.weight_g, kept by a trigger of the migration), which caps of meals
 * follow.
 */
#ifndef CT_DB_WEIGHT_H
#define CT_DB_WEIGHT_H

#include "db/entry.h"

struct ct_weight {
	struct ct_entry e;
	int64_t weight_g; /* 100 … 30,000 */
};
extern const struct ct_fields ct_weight_fields, ct_weight_query;
extern const struct ct_stmt *const ct_weight_stmts[];

#endif
