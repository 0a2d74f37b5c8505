/*
 * Daily targets with their history. A target holds from its day on until the
 * next one; days that are over keep the target that they had.
 */
#ifndef CT_DB_TARGET_H
#define CT_DB_TARGET_H

#include "db/pg.h"

#define CT_TARGET_MAX_UL     2000000
#define CT_TARGET_AHEAD_DAYS 366
#define CT_TARGETS_SHOWN     366

struct ct_target {
	int32_t from_day;
	int64_t amount_ul;
	struct ct_uuid by_account; /* nil: the account is gone */
	struct ct_str by_name;
	int64_t created_at;
};
extern const struct ct_fields ct_target_fields;
extern const struct ct_stmt *const ct_target_stmts[];

/*
 * The newest CT_TARGETS_SHOWN, newest first, those to come included.
 * CT_NOTFOUND: no such cat, or the account is no member.
 */
enum ct_rc ct_target_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_target **out, int *n, struct ct_err *err) CT_MUSTCHECK;
/*
 * Set it from a care day on (CT_NULL_DAY: today), in place of one that begins
 * on the same day; *out becomes the row. Needs caregiver. CT_NOTFOUND,
 * CT_FORBIDDEN; CT_INVALID with field effective_from: before today, or more
 * than CT_TARGET_AHEAD_DAYS ahead.
 */
enum ct_rc ct_target_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t amount_ul,
    int32_t from_day, struct ct_target *out, struct ct_err *err) CT_MUSTCHECK;

#endif
