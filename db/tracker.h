/*
 * The day of a cat: target, what was given, what is left, who fed last. Always
 * derived from the entries, never stored.
 */
#ifndef CT_DB_TRACKER_H
#define CT_DB_TRACKER_H

#include "db/pg.h"

struct ct_tracker {
	struct ct_uuid cat_id;
	int32_t day;		 /* care day */
	struct ct_str day_start; /* "00:00", local */
	int64_t starts_at;	 /* us; first instant of the day */
	int64_t ends_at;	 /* us; first instant of the next one */
	int64_t target_ul;
	int64_t fed_ul;
	int64_t feedings;
	int64_t updated_at; /* last meal of the day, CT_NULL_I64: none */
	int64_t weight_g;   /* the cat's, CT_NULL_I64: unknown */
	int64_t last_at;    /* last meal of any day, CT_NULL_I64: none */
	int64_t last_ul;
	struct ct_uuid last_by;
	struct ct_str last_by_name;
};
extern const struct ct_fields ct_tracker_fields;
extern const struct ct_stmt *const ct_tracker_stmts[];

/* Today. CT_NOTFOUND: no such cat, or the account is no member. */
enum ct_rc ct_tracker_today(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_tracker *out, struct ct_err *err) CT_MUSTCHECK;
/* The last `days` care days, today first, those without entries included. */
enum ct_rc ct_tracker_history(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t days,
    struct ct_tracker **out, int *n, struct ct_err *err) CT_MUSTCHECK;

/* Target from today on; needs caregiver. CT_NOTFOUND, CT_FORBIDDEN. */
enum ct_rc ct_tracker_set_target(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t amount_ul,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Soft-delete today's meals (restorable, audited) and set the target from today
 * on unless target_ul is CT_NULL_I64; *n: how many. Needs caregiver.
 * CT_NOTFOUND, CT_FORBIDDEN.
 */
enum ct_rc ct_tracker_reset(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t target_ul,
    int64_t *n, struct ct_err *err) CT_MUSTCHECK;

/* CT_NOTFOUND: no such cat, or the account is no member. */
enum ct_rc ct_cat_role(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t *role,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Why a write about the cat touched nothing: CT_NOTFOUND where the account is
 * no member of it, CT_FORBIDDEN where its role is too low.
 */
enum ct_rc ct_cat_refused(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_err *err) CT_MUSTCHECK;

/* The JSON object of API.md; now_us decides is_overdue. */
void ct_tracker_write(
    const struct ct_tracker *t, int64_t now_us, struct ct_jw *w);
/* Its last meal {time_given, amount_ml, by}, or null. */
void ct_last_feeding_write(const struct ct_tracker *t, struct ct_jw *w);
/* Its members, inside an open object. */
void ct_tracker_write_members(
    const struct ct_tracker *t, int64_t now_us, struct ct_jw *w);

#endif
