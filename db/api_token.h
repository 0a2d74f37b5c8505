/*
 * Tokens for devices and programs. Only the digest is stored; the text is shown
 * once, when the token is made.
 */
#ifndef CT_DB_API_TOKEN_H
#define CT_DB_API_TOKEN_H

#include "db/session.h"

/* The prefix lets people and scanners of leaked secrets see what it is. */
#define CT_API_TOKEN_PREFIX "ctp_"
#define CT_API_TOKEN_TEXT   (CT_TOKEN_TEXT + 4) /* with NUL */
#define CT_API_TOKENS_MAX   50 /* not revoked, of one account */

struct ct_api_token {
	struct ct_uuid id;
	struct ct_str name;  /* 1 … 100 code points */
	struct ct_str scope; /* read, log, full */
	struct ct_uuid cat;  /* the only one that it may see, nil: all */
	int64_t created_at;  /* us */
	int64_t expires_at;  /* CT_NULL_I64: never */
	int64_t used_at;     /* CT_NULL_I64: never; to some minutes */
	int64_t revoked_at;  /* CT_NULL_I64: not */
};
extern const struct ct_fields ct_api_token_fields;
extern const struct ct_stmt *const ct_api_token_stmts[];

/*
 * t->id must be set. CT_NOTFOUND: the account is no member of t->cat.
 * CT_CONFLICT, code "too_many": CT_API_TOKENS_MAX are there. Blocks.
 */
enum ct_rc ct_api_token_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_api_token *t, struct ct_err *err) CT_MUSTCHECK;
/* Newest first, revoked and expired ones too; at most 200. Blocks. */
enum ct_rc ct_api_token_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_api_token **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * *digest: of the token, for the cache. Doing it again is no error.
 * CT_NOTFOUND: no such token of the account. Blocks.
 */
enum ct_rc ct_api_token_revoke(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_str *digest, struct ct_err *err) CT_MUSTCHECK;
/*
 * Who shows it; notes the use where the last one is touch_s or more ago.
 * CT_UNAUTH: unknown, revoked, expired, the account is not active, or is no
 * member of the token's cat any more. Blocks.
 */
enum ct_rc ct_api_token_find(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], int64_t touch_s, struct ct_session *out,
    struct ct_err *err) CT_MUSTCHECK;

#endif
