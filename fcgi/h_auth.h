/* What the account handlers share. */
#ifndef CT_FCGI_H_AUTH_H
#define CT_FCGI_H_AUTH_H

#include "db/account.h"
#include "fcgi/req.h"

/* The second factor as a body gives it; both absent: none was given. */
struct ct_second {
	struct ct_str code, recovery;
};
/* Characters, with what people type between groups. */
#define CT_SECOND_MAX 80
/* Its rows for the table of such a body; m: the struct ct_second in it. */
#define CT_SECOND_ROWS(type, m)                                                \
	{"code", CT_T_TEXT, offsetof(type, m.code), 0, 1, CT_SECOND_MAX, NULL, \
	    NULL, NULL, "one-time code, where the account has them"},          \
	{                                                                      \
		"recovery_code", CT_T_TEXT, offsetof(type, m.recovery), 0, 1,  \
		    CT_SECOND_MAX, NULL, NULL, NULL, "or a recovery code"      \
	}
/* The body of a log-in. */
struct ct_login_in {
	struct ct_str email, password;
	struct ct_second second;
	bool remember;
};
/* The body of what a mailed token does, and of what asks for one. */
struct ct_mailed_in {
	struct ct_str token, password, email;
};
/* ct_password_hash at the configured cost. */
enum ct_rc ct_hash_password(const struct ct_req *r, struct ct_str password,
    char out[CT_PASSWORD_HASH], struct ct_err *err) CT_MUSTCHECK;
/* The rules for a new password of that account. CT_INVALID. */
enum ct_rc ct_check_new_password(const char *field, struct ct_str password,
    const struct ct_account *u, struct ct_err *err) CT_MUSTCHECK;
/* 429 for l->wait_s. */
enum ct_rc ct_login_wait(
    struct ct_req *r, const struct ct_login *l, struct ct_err *err);
/*
 * The body of what needs the password again; a route's table has the members
 * that it takes.
 */
struct ct_proof_in {
	struct ct_str current; /* the password now */
	struct ct_str fresh;   /* change-password */
	struct ct_str email;   /* change-email */
	struct ct_str cats;    /* delete */
};
#define CT_PROOF_PASSWORD                                                      \
	{                                                                      \
		"password", CT_T_TEXT, offsetof(struct ct_proof_in, current),  \
		    CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024, NULL, NULL, NULL,    \
		    "the password now"                                         \
	}
/*
 * Bind the body and prove its password; *u is the account. CT_UNAUTH with the
 * sentence `wrong`, counted like a failed log-in; CT_LIMITED.
 */
enum ct_rc ct_prove(struct ct_req *r, struct ct_proof_in *in,
    struct ct_account *u, const char *wrong, struct ct_err *err) CT_MUSTCHECK;
/* End all sessions of the account but `except` (may be NULL). */
enum ct_rc ct_end_sessions(struct ct_req *r, const struct ct_uuid *account,
    const uint8_t *except, struct ct_err *err) CT_MUSTCHECK;
/* Addresses are compared in lower case. */
struct ct_str ct_email_lower(struct ct_arena *a, struct ct_str s);
/* A mail with a link that proves the address of the account. CT_LIMITED. */
enum ct_rc ct_ask_to_verify(struct ct_req *r, const struct ct_account *u,
    struct ct_err *err) CT_MUSTCHECK;
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

/*
 * For the way in, which is the log-in alone (a reset and a reactivation end in
 * one), after the first factor was right and ct_login_begin told no wait.
 * CT_OK: the account has no one-time codes, or this one was right and is used
 * up now. CT_UNAUTH: code "totp_required" (none given) or "totp_wrong" (wrong,
 * or used before); both count as a failed log-in of the address. CT_INVALID:
 * both were given. Call it outside a transaction: a rollback would forget the
 * failure, or give the code back.
 */
enum ct_rc ct_totp_check(struct ct_req *r, const struct ct_uuid *account,
    struct ct_str email, const struct ct_second *s,
    struct ct_err *err) CT_MUSTCHECK;

#endif
