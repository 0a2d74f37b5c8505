/* What the account handlers share. */
#ifndef CT_FCGI_H_AUTH_H
#define CT_FCGI_H_AUTH_H

#include "db/account.h"
#include "fcgi/req.h"

/* ct_password_hash at the configured cost. */
enum ct_rc ct_hash_password(const struct ct_req *r, struct ct_str password,
    char out[CT_PASSWORD_HASH], struct ct_err *err) CT_MUSTCHECK;
/* The rules for a new password of that account. CT_INVALID. */
enum ct_rc ct_check_new_password(const char *field, struct ct_str password,
    const struct ct_account *u, struct ct_err *err) CT_MUSTCHECK;
/* 429 for l->wait_s. */
enum ct_rc ct_login_wait(
    struct ct_req *r, const struct ct_login *l, struct ct_err *err);
/* Forget ended sessions (digests) in Redis. */
void ct_drop_sessions(struct ct_req *r, const struct ct_str *ended, int n);

/*
 * Prove the password of the account that asks, for what needs it again; *u is
 * the account. A wrong one counts like a failed log-in: a stolen session must
 * not be a place to guess. CT_UNAUTH with the sentence `wrong`; CT_LIMITED.
 * Call it outside a transaction: a rollback would forget the failure.
 */
enum ct_rc ct_prove_password(struct ct_req *r, struct ct_str password,
    struct ct_account *u, const char *wrong, struct ct_err *err) CT_MUSTCHECK;

/* The second factor as a body gives it; both absent: none was given. */
struct ct_second {
	struct ct_str code, recovery;
};
#define CT_SECOND_MAX                                                          \
	80 /* characters, with what people type between groups                 \
	    */
/* Its rows for the table of such a body; m: the struct ct_second in it. */
#define CT_SECOND_ROWS(type, m)                                                \
	{"code", CT_T_TEXT, offsetof(type, m.code), 0, 1, CT_SECOND_MAX, NULL, \
	    NULL, NULL, "one-time code, where the account has them"},          \
	{                                                                      \
		"recovery_code", CT_T_TEXT, offsetof(type, m.recovery), 0, 1,  \
		    CT_SECOND_MAX, NULL, NULL, NULL, "or a recovery code"      \
	}
/*
 * For every way in (log-in, reset, reactivation), after the first factor was
 * right and ct_login_begin told no wait. CT_OK: the account has no one-time
 * codes, or this one was right and is used up now. CT_UNAUTH: code
 * "totp_required" (none given) or "totp_wrong" (wrong, or used before); both
 * count as a failed log-in of the address. CT_INVALID: both were given. Call it
 * outside a transaction: a rollback would forget the failure, or give the code
 * back.
 */
enum ct_rc ct_totp_check(struct ct_req *r, const struct ct_uuid *account,
    struct ct_str email, const struct ct_second *s,
    struct ct_err *err) CT_MUSTCHECK;

#endif
