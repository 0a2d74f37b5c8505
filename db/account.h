/*
 * Accounts, with the profile of their default cat, as the original's `user`
 * object has them in one.
 */
#ifndef CT_DB_ACCOUNT_H
#define CT_DB_ACCOUNT_H

#include "common/crypto.h"
#include "db/pg.h"

#define CT_CONSENT_MAX 1000000

struct ct_account {
	struct ct_uuid id;
	struct ct_str email;	/* <= 254 bytes, lower case */
	struct ct_str password; /* as sent; only at registration */
	struct ct_str first_name, last_name;
	struct ct_uuid cat_id; /* default cat, nil: none */
	struct ct_str cat_name, cat_breed;
	int64_t cat_age;	/* years, CT_NULL_I64: unknown */
	int64_t weight_g;	/* CT_NULL_I64: unknown */
	int64_t target_ul;	/* in force today */
	struct ct_str timezone; /* the default cat's */
	struct ct_str role;	/* user, admin */
	bool is_active;
	bool email_verified;
	int64_t consent_version; /* CT_NULL_I64: none given */
	int64_t consent_at;
	int64_t created_at;
	int64_t last_login; /* CT_NULL_I64: never */
};
extern const struct ct_fields ct_account_fields;
extern const struct ct_stmt *const ct_account_stmts[];

/* What a new account starts from before its body is bound. */
void ct_account_defaults(struct ct_account *u);
/* A plausible address: one @, a dot in the domain, no blanks or controls. */
bool ct_email_ok(struct ct_str email);
/* The CT_INVALID for one that is not, with field email. */
enum ct_rc ct_bad_email(struct ct_err *err);

/*
 * Account, its cat, the membership and the target, in one statement; u->id and
 * u->cat_id must be set. CT_CONFLICT, code "email_taken". CT_INVALID with
 * field timezone.
 */
enum ct_rc ct_account_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_account *u, const char *password_hash,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * A zone that is in no list, or that PostgreSQL cannot even read, becomes
 * CT_INVALID with field timezone; other errors stay. Returns err->rc.
 */
enum ct_rc ct_zone_fault(struct ct_err *err);
/* CT_NOTFOUND: gone meanwhile. */
enum ct_rc ct_account_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_account *out,
    struct ct_err *err) CT_MUSTCHECK;
/* In a transaction: keep others from changing the profile until its end. */
enum ct_rc ct_account_lock(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_err *err) CT_MUSTCHECK;
/*
 * Names, cat profile and zone; the target from today on where set_target. The
 * weight only where set_weight: a weight entry may have come meanwhile.
 * CT_INVALID with field timezone.
 */
enum ct_rc ct_account_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_account *u, bool set_target, bool set_weight,
    struct ct_err *err) CT_MUSTCHECK;

/* What a log-in needs to know about an address, known or not. */
struct ct_login {
	struct ct_uuid id;  /* nil: no such account */
	struct ct_str hash; /* absent: no such account */
	bool is_active;
	int64_t wait_s; /* > 0: too many failures, come back then */
};
enum ct_rc ct_login_begin(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, struct ct_login *out, struct ct_err *err) CT_MUSTCHECK;
/* Count one failure; past `free_tries` the wait doubles, at most 15 min. */
enum ct_rc ct_login_failed(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, int64_t free_tries, struct ct_err *err) CT_MUSTCHECK;
/* Forget the failures; last_login_at is now. */
enum ct_rc ct_login_done(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, const struct ct_uuid *account,
    struct ct_err *err) CT_MUSTCHECK;

/* The stored hash, to prove a password again. CT_NOTFOUND. */
enum ct_rc ct_account_hash(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_str *hash,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_account_set_hash(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const char *hash,
    struct ct_err *err) CT_MUSTCHECK;
/* admin or user; CT_NOTFOUND where the address has no account. */
enum ct_rc ct_account_set_role(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, struct ct_str role, struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;
#endif
