/*
 * What becomes of an account: its address, consent, closing and opening again,
 * and what happens to one that nobody uses.
 */
#ifndef CT_DB_ACCOUNT_LIFE_H
#define CT_DB_ACCOUNT_LIFE_H

#include "db/pg.h"

extern const struct ct_stmt *const ct_account_life_stmts[];

/* The address was proven. CT_NOTFOUND: it is not the account's (any more). */
enum ct_rc ct_account_verified(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str email,
    struct ct_err *err) CT_MUSTCHECK;
/* Another address, proven. CT_CONFLICT: it is another account's. */
enum ct_rc ct_account_set_email(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str email,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_account_consent(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t version,
    struct ct_err *err) CT_MUSTCHECK;
/* Forget the failed log-ins of the address. */
enum ct_rc ct_login_forgive(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str email, struct ct_err *err) CT_MUSTCHECK;

/* No log-in until it is made active again; sessions are ended apart. */
enum ct_rc ct_account_deactivate(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err) CT_MUSTCHECK;
/* Active again; one that is active stays as it is. */
enum ct_rc ct_account_reactivate(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err) CT_MUSTCHECK;

/*
 * Accounts without a log-in or request, counted from registration where there
 * never was one. Each step waits for the one before, however long nobody ran
 * this: a warning after 53 days, closed after 60 and 7 days after the warning,
 * deleted after 120 and 60 days after it was closed. Admins stay, and so does
 * the last owner of a cat that others care for.
 */
struct ct_inactive {
	int64_t warned, deactivated, deleted;
};
/*
 * One run: at most 1,000 of each step and 100 deletions. Makes its own
 * transactions. On an error *out has what was done before.
 */
enum ct_rc ct_inactive_run(struct ct_pg *pg, struct ct_arena *a,
    struct ct_inactive *out, struct ct_err *err) CT_MUSTCHECK;

#endif
