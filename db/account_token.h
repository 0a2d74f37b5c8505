/*
 * Single-use tokens that travel in mails. The text is derived from SECRET_KEY
 * and the row's id (ct_mail_token), so it is nowhere at rest: the row has its
 * digest only.
 */
#ifndef CT_DB_ACCOUNT_TOKEN_H
#define CT_DB_ACCOUNT_TOKEN_H

#include "common/conf.h"
#include "common/crypto.h"
#include "db/pg.h"

enum ct_token_purpose {
	CT_TP_VERIFY,	    /* the address is the account's: 24 h */
	CT_TP_RESET,	    /* sets a new password: 30 min */
	CT_TP_CHANGE_EMAIL, /* the new address is the account's: 24 h */
	CT_TP_UNDO_EMAIL,   /* the old address takes the change back: 7 days */
	CT_TP_INVITE,	    /* somebody is to join a cat: 7 days */
	CT_TP_COUNT
};
/* "verify", "reset", "change_email", "undo_email", "invite" */
const char *ct_token_purpose_name(enum ct_token_purpose purpose);

struct ct_account_token {
	struct ct_uuid id;	/* nil: made by ct_account_token_add */
	struct ct_uuid account; /* whose it is, nil: nobody's yet */
	enum ct_token_purpose purpose;
	struct ct_str email; /* absent: none */
	int64_t created_at;  /* us; read only */
};
extern const struct ct_stmt *const ct_account_token_stmts[];

/* CT_INVALID where SECRET_KEY is empty: check at start. */
enum ct_rc ct_mail_key_check(
    const struct ct_conf *conf, struct ct_err *err) CT_MUSTCHECK;
/* The text of the token of that row; conf->secret_key must be set. */
void ct_mail_token(const struct ct_conf *conf, const struct ct_uuid *token,
    char out_text[CT_TOKEN_TEXT]);

/*
 * Write the row. Those of verify, reset and change_email end what the account
 * had open of the same purpose. CT_INVALID: the account is gone.
 */
enum ct_rc ct_account_token_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_conf *conf, struct ct_account_token *t,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Use it up, in the caller's transaction, and tell whose it was: of many at
 * once one gets CT_OK. CT_INVALID with field token: unknown, used, late, or
 * made for another purpose.
 */
enum ct_rc ct_account_token_use(struct ct_pg *pg, struct ct_arena *a,
    enum ct_token_purpose purpose, struct ct_str text,
    struct ct_account_token *out, struct ct_err *err) CT_MUSTCHECK;
/*
 * *open: it can still be used. CT_INTERNAL: it was made with another
 * SECRET_KEY than conf's.
 */
enum ct_rc ct_account_token_open(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_conf *conf, const struct ct_uuid *id, bool *open,
    struct ct_err *err) CT_MUSTCHECK;
/* The CT_INVALID of ct_account_token_use, for what is found out later. */
enum ct_rc ct_account_token_stale(struct ct_err *err);
/*
 * End the account's open tokens: verify, reset, change_email, and undo_email
 * where it was made after undo_after (us; CT_NULL_I64: none of these).
 */
enum ct_rc ct_account_token_end(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t undo_after,
    struct ct_err *err) CT_MUSTCHECK;

#endif
