/*
 * Invitations: one-time offers of a role on a cat. Whoever shows the token
 * becomes a member; where an address was named, only the account with that
 * address. Only the digest of the token is kept. An offer ends when it is
 * used, expires, is withdrawn, or its maker is no owner of the cat any more.
 */
#ifndef CT_DB_INVITE_H
#define CT_DB_INVITE_H

#include "common/crypto.h"
#include "db/entry.h"

#define CT_INVITES_MAX	    20	/* open ones of one cat */
#define CT_INVITE_HOURS	    168 /* unless the owner says otherwise */
#define CT_INVITE_HOURS_MAX 720

struct ct_invite {
	struct ct_uuid id, cat_id;
	struct ct_str cat_name;
	struct ct_str role;
	struct ct_str email; /* absent: whoever has the token */
	struct ct_str by_name;
	int64_t created_at, expires_at;
	bool for_me;	 /* the asker's address fits */
	bool used;	 /* by the asker */
	int64_t my_role; /* the asker's on the cat, 0: none */
};
extern const struct ct_fields ct_invite_fields;
extern const struct ct_stmt *const ct_invite_stmts[];

/*
 * in: id, cat_id, role and email; hours 1 … CT_INVITE_HOURS_MAX. An open offer
 * to the same address gives way. In a transaction of the caller, which bounds
 * their number. CT_NOTFOUND: no such cat, or the account is no member.
 * CT_FORBIDDEN: no owner. CT_CONFLICT, code "too_many".
 */
enum ct_rc ct_invite_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_invite *in, int64_t hours,
    const uint8_t hash[CT_DIGEST], struct ct_err *err) CT_MUSTCHECK;
/* The open ones, for an owner. CT_NOTFOUND, CT_FORBIDDEN as above. */
enum ct_rc ct_invite_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_invite **out, int *n, struct ct_err *err) CT_MUSTCHECK;
/* Withdraw. As above; CT_NOTFOUND also where there is no open one. */
enum ct_rc ct_invite_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *id, struct ct_err *err) CT_MUSTCHECK;

/*
 * What the token offers. CT_NOTFOUND, code "invite": there is no open one, or
 * somebody else used it. CT_FORBIDDEN, code "invite_email": for another
 * address.
 */
enum ct_rc ct_invite_find(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_invite *out, struct ct_err *err) CT_MUSTCHECK;
/*
 * Become a member, or, being one, rise to the role that is offered. Whoever
 * used it may say so again and gets CT_OK. Errors as above, and CT_CONFLICT:
 * "already_member" where the role is no higher than the one that the account
 * has (the offer stays open), "too_many" where cat or account are full.
 */
enum ct_rc ct_invite_accept(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_invite *out, struct ct_err *err) CT_MUSTCHECK;

#endif
