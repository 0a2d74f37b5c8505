/*
 * Cats: the profile, the default cat of an account, and deletion. A cat is the
 * unit of sharing; who may do what is in member.h.
 *
 * Changing the zone or the start of day holds from then on: entries keep the
 * care day that they were logged with.
 */
#ifndef CT_DB_CAT_H
#define CT_DB_CAT_H

#include "db/entry.h"

#define CT_CATS_MAX 50 /* of one account, own and shared */

struct ct_cat {
	struct ct_uuid id;
	struct ct_str name;  /* 1 … 100 code points; old ones may be empty */
	struct ct_str breed; /* <= 100 */
	struct ct_str sex;   /* absent: not said */
	int64_t birth_year;  /* at most one of the two is known */
	int64_t age_years;   /* CT_NULL_I64: unknown */
	int64_t weight_g;    /* reference weight; CT_NULL_I64: unknown */
	struct ct_str timezone;
	struct ct_str day_start;	/* local "HH:MM" */
	struct ct_str conditions, diet; /* free text, <= 2,000 */
	int32_t tube_placed_on;		/* CT_NULL_DAY: unknown */
	int64_t tube_size_fr;		/* French gauge */
	int64_t tube_mark_mcm;		/* thousandths of a centimetre */
	struct ct_str vet_name, vet_phone, vet_email;
	struct ct_str emergency_name, emergency_phone;
	int64_t target_ul; /* input of a create: the first daily target */
	int64_t version;   /* rises with every change */
	int64_t created_at, updated_at;
	struct ct_str role; /* the asker's: viewer, helper, caregiver, owner */
	int64_t my_role;
	bool is_default; /* of the asker */
};
extern const struct ct_fields ct_cat_fields;
extern const struct ct_stmt *const ct_cat_stmts[];

/* What a new cat starts from before its body is bound. */
void ct_cat_defaults(struct ct_cat *c);
/* What the table of fields cannot say; all at once. CT_INVALID. */
enum ct_rc ct_cat_check(
    const struct ct_cat *c, struct ct_err *err) CT_MUSTCHECK;
/* The fields that a client may write, in table order, version apart. */
void ct_cat_own_params(struct ct_params *p, const struct ct_cat *c);

/*
 * The cat, its owner's membership and its first target; the account's default
 * cat where it had none. c->id must be set. CT_CONFLICT, code "too_many":
 * CT_CATS_MAX. CT_INVALID with field timezone.
 */
enum ct_rc ct_cat_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_cat *c,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND: no such cat, or the account is no member. */
enum ct_rc ct_cat_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_cat *out,
    struct ct_err *err) CT_MUSTCHECK;
/* All cats of the account, the default one first, then as they came. */
enum ct_rc ct_cat_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_cat **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Write c back where c->version is still the stored one; c becomes the new
 * row, the previous one goes to the audit trail. Meals of the cat wait
 * meanwhile, so that each has the day of one setting. need: the role that the
 * change takes. CT_CONFLICT, code "stale": changed meanwhile, or the role was
 * taken away. CT_INVALID with field timezone.
 */
enum ct_rc ct_cat_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, enum ct_role need, struct ct_cat *c,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND. */
enum ct_rc ct_cat_set_default(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * In a transaction: nobody else changes who takes part, and the account cannot
 * be the last to leave behind our back, until its end. CT_NOTFOUND: no such
 * cat, or the account is no member.
 */
enum ct_rc ct_cat_lock(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Really delete: entries, targets, reports, mails, memberships, invitations
 * and trail; what is left in files and Redis goes on the list of erasure.h.
 * Members whose default cat it was get their next one; members: the accounts
 * that lost it. name: must be the cat's to the byte. Needs the owner.
 * CT_NOTFOUND, CT_FORBIDDEN, CT_INVALID with field name.
 */
enum ct_rc ct_cat_delete(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_str name,
    struct ct_uuid **members, int *n, struct ct_err *err) CT_MUSTCHECK;

#endif
