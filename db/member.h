/*
 * Who takes care of a cat, in which role. Roles rise: a viewer reads, a helper
 * logs and changes what the helper logged, a caregiver changes all care, an
 * owner also decides who takes part, the zone, the start of the day, and
 * whether the cat is kept.
 *
 * A cat keeps at least one owner whose account is active: every change of
 * membership takes the cat's lock, so that of two owners who leave at once the
 * second one sees that the first has gone.
 */
#ifndef CT_DB_MEMBER_H
#define CT_DB_MEMBER_H

#include "db/entry.h"

#define CT_MEMBERS_MAX 50 /* of one cat */

/* Word of a role in SQL, to be joined by the compiler. */
#define CT_ROLE_SQL(x)                                                         \
	"(array['viewer', 'helper', 'caregiver', 'owner'])[" x "]"
/* The next cat of an account that is about to lose one. */
#define CT_NEXT_CAT_SQL(account, cat)                                          \
	"(select n.cat_id from cat_member n where n.account_id = " account     \
	" and n.cat_id <> " cat " order by n.created_at, n.cat_id limit 1)"

/* viewer, helper, caregiver, owner, NULL: names[role - 1] */
extern const char *const ct_role_names[];
/* The role with that name, 0: none. */
int64_t ct_role_of(struct ct_str name);

struct ct_member {
	struct ct_uuid account_id;
	struct ct_str name;	 /* first name */
	struct ct_str last_name; /* last_name and email: for owners and the */
	struct ct_str email;	 /* member itself, else absent */
	struct ct_str role;
	int64_t since;
	bool is_me;
	int64_t my_role; /* the asker's */
};
extern const struct ct_fields ct_member_fields;
extern const struct ct_stmt *const ct_member_stmts[];

/* Owners first. CT_NOTFOUND: no such cat, or the account is no member. */
enum ct_rc ct_member_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_member **out, int *n, struct ct_err *err) CT_MUSTCHECK;

/*
 * Changes; who is the member. Each is audited and is all or nothing.
 *   CT_NOTFOUND   no such cat, or the account is no member; no such member
 *   CT_FORBIDDEN  the account is no owner
 *   CT_CONFLICT   code "last_owner": the cat would have no active owner left;
 *                 code "inactive": a closed account cannot become owner
 */
enum ct_rc ct_member_set_role(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, enum ct_role role,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Also by the member itself, whatever its role: leave. Its default cat becomes
 * the next one that it has.
 */
enum ct_rc ct_member_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, struct ct_err *err) CT_MUSTCHECK;
/* who, another member, becomes owner; the account becomes caregiver. */
enum ct_rc ct_member_transfer(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, struct ct_err *err) CT_MUSTCHECK;

#endif
