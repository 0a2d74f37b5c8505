/*
 * The second factor of an account: its sealed secret, the last step used, and
 * digests of the recovery codes that are left.
 */
#ifndef CT_DB_TOTP_H
#define CT_DB_TOTP_H

#include "common/crypto.h"
#include "db/pg.h"

struct ct_totp {
	struct ct_str secret; /* sealed; absent: none was begun */
	bool is_on;	      /* confirmed: log-in asks for it */
	int64_t last_step;    /* codes up to it are used */
	int64_t codes_left;   /* recovery codes */
};
extern const struct ct_stmt *const ct_totp_stmts[];

/* Put a new secret in place of one not yet confirmed. CT_CONFLICT, code
 * "totp_on": one is confirmed. */
enum ct_rc ct_totp_begin(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str sealed,
    struct ct_err *err) CT_MUSTCHECK;
/* One that was begun over an hour ago and not confirmed is none. */
enum ct_rc ct_totp_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_totp *out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Switch it on; step is that of the code which proved it; digests: n recovery
 * codes, CT_DIGEST bytes each, one after another. CT_CONFLICT: another request
 * did, or began anew meanwhile (secret is no longer the one).
 */
enum ct_rc ct_totp_confirm(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str sealed, int64_t step,
    const uint8_t *digests, size_t n, struct ct_err *err) CT_MUSTCHECK;
/* Take a step or a recovery code. *taken false: it was used before. */
enum ct_rc ct_totp_use(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t step, bool *taken,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_recovery_use(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t digest[CT_DIGEST], bool *taken,
    struct ct_err *err) CT_MUSTCHECK;
/* Switch it off and forget the secret and all codes. */
enum ct_rc ct_totp_off(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err) CT_MUSTCHECK;
/* The operator's way; CT_NOTFOUND: no account of that address has it on. */
enum ct_rc ct_totp_off_by_email(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, struct ct_uuid *account,
    struct ct_err *err) CT_MUSTCHECK;

#endif
