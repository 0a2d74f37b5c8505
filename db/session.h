/*
 * Sessions: PostgreSQL holds the truth (digest of the token, never the token),
 * Redis a copy that lives for minutes (common/cache.h).
 */
#ifndef CT_DB_SESSION_H
#define CT_DB_SESSION_H

#include "common/crypto.h"
#include "db/pg.h"

/* What a proof of identity allows: a session all, an API token its scope. */
enum ct_token_scope { CT_S_SESSION, CT_S_READ, CT_S_LOG, CT_S_FULL };

struct ct_session {
	struct ct_uuid account;
	struct ct_uuid cat;	 /* the account's default cat, nil: none */
	struct ct_uuid only_cat; /* the one cat that a token may see, or nil */
	enum ct_token_scope scope;
	bool is_admin;
	struct ct_str cats; /* ids with a blank between, at most 64 */
	int64_t seen_at;    /* us */
	int64_t ends_at;    /* us, CT_NULL_I64: never */
};
/* What its owner is shown of one. */
struct ct_session_row {
	struct ct_uuid id; /* not the token, nor made of it */
	int64_t created_at, seen_at, expires_at;
	struct ct_str ip; /* "192.0.2.0/24"; absent: unknown */
	struct ct_str agent;
	bool current;
};
extern const struct ct_fields ct_session_fields;
extern const struct ct_stmt *const ct_session_stmts[];

/*
 * Make one; the account's oldest beyond `keep` give way, and their digests
 * come back for the cache (at most 64). proven: the stored hash that the
 * password was proven against, absent where there was none to prove.
 * CT_NOTFOUND: no active account, or its password was changed meanwhile.
 */
enum ct_rc ct_session_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    int64_t max_days, int64_t keep, struct ct_str ip, struct ct_str agent,
    struct ct_str proven, struct ct_str **ended, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_UNAUTH: none, ended, idle too long, or the account is not active. */
enum ct_rc ct_session_find(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], int64_t idle_days, struct ct_session *out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Digests of all sessions and API tokens of the account, for the cache (at most
 * 1,200).
 */
enum ct_rc ct_session_digests(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* It was used now. */
enum ct_rc ct_session_touch(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_session_end(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], struct ct_err *err) CT_MUSTCHECK;
/*
 * All of the account but `except` (may be NULL); their digests, of CT_DIGEST
 * bytes each, for the cache.
 */
enum ct_rc ct_session_end_all(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t *except, struct ct_str **ended,
    int *n, struct ct_err *err) CT_MUSTCHECK;
/* Those that count, last used first; current: the digest of the asking one. */
enum ct_rc ct_session_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t current[CT_DIGEST],
    int64_t idle_days, struct ct_session_row **rows, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* One of the account's; its digest for the cache. CT_NOTFOUND. */
enum ct_rc ct_session_end_id(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_str *ended, struct ct_err *err) CT_MUSTCHECK;

#endif
