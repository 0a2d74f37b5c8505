/* Meals: the entry kind, and adding one with the day that it makes. */
#ifndef CT_DB_FEEDING_H
#define CT_DB_FEEDING_H

#include "db/entry.h"
#include "db/tracker.h"

struct ct_feeding {
	struct ct_entry e;
	int64_t amount_ul;	 /* 1 … 200,000 */
	int64_t planned_ul;	 /* CT_NULL_I64: no plan */
	int64_t flush_before_ul; /* CT_NULL_I64: volume unknown */
	int64_t flush_after_ul;
	bool flushed_before;
	bool flushed_after;
	struct ct_str route;   /* tube, oral */
	struct ct_str outcome; /* absent: not said */
	bool confirm; /* input: false asks to stop where a meal is near */
};
extern const struct ct_fields ct_feeding_fields, ct_feeding_query;
extern const struct ct_stmt *const ct_feeding_stmts[];

/* What adding a meal tells: the entry, the day with it, the meal before. */
struct ct_feeding_added {
	struct ct_feeding feeding;
	struct ct_tracker day; /* today, this meal included */
	int64_t near_at;       /* closest meal within the gap, CT_NULL_I64 */
	int64_t near_ul;
	struct ct_str near_by;
	bool stopped; /* nothing was written: in->confirm is false
			 and a meal is near */
};

/*
 * Add one meal: serialised per cat, so that of two at once the second sees the
 * first. in->e.id must be set; in->e.given_at CT_NULL_I64 is now.
 * CT_NOTFOUND: no such cat, or the account is no member.
 * CT_FORBIDDEN: the role is too low. CT_CONFLICT, code "exists": the id is
 * taken.
 */
enum ct_rc ct_feeding_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_feeding *in,
    struct ct_feeding_added *out, struct ct_err *err) CT_MUSTCHECK;

#endif
