/*
 * What somebody who comes to the cat wants to know first: today, the last meal,
 * dose and weight, how many carers; and what happened since somebody left.
 */
#ifndef CT_DB_STATE_H
#define CT_DB_STATE_H

#include "db/tracker.h"

struct ct_state {
	struct ct_tracker today;
	struct ct_str cat_name;
	int64_t members; /* carers of the cat */
	int64_t med_at;	 /* last dose given, us; CT_NULL_I64: none */
	struct ct_str med_name, med_dosage, med_by;
	int64_t weighed_at; /* last weight, us; CT_NULL_I64: none */
	int64_t weighed_g;
};
extern const struct ct_stmt *const ct_state_stmts[];

/* CT_NOTFOUND: no such cat, or the account is no member. Blocks. */
enum ct_rc ct_state_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_state *out, struct ct_err *err) CT_MUSTCHECK;
/*
 * *last_us: when the account last logged anything about the cat, CT_NULL_I64:
 * never. CT_NOTFOUND as above. Blocks.
 */
enum ct_rc ct_state_last_logged(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t *last_us,
    struct ct_err *err) CT_MUSTCHECK;
/* *fed_ul: given in meals from that instant on. Blocks. */
enum ct_rc ct_state_fed_since(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t since_us,
    int64_t *fed_ul, struct ct_err *err) CT_MUSTCHECK;

#endif
