/*
 * Really deleting an account: its rows in one transaction, and a list of what
 * it leaves in files and Redis, which the worker removes and crosses off
 * (worker/erase.c), also where Redis was away at the time. Others put on that
 * list what is to be forgotten after their commit.
 */
#ifndef CT_DB_ERASURE_H
#define CT_DB_ERASURE_H

#include "db/pg.h"

/* Most cats, sessions and members that are told of at once. */
#define CT_ERASED_MAX 200

struct ct_erased {
	struct ct_uuid *cats; /* that are gone */
	int ncats;
	struct ct_uuid *others; /* accounts that lost one of these cats */
	int nothers;
	struct ct_str *digests; /* of sessions and API tokens, for the cache */
	int ndigests;
	/* With CT_CONFLICT: the cats that would be left without an owner. */
	const struct ct_res *kept; /* id, name */
};
extern const struct ct_stmt *const ct_erasure_stmts[];

/*
 * Delete the account and every cat that nobody else is a member of, with all
 * their entries, reports, mails, tokens and trail. What others keep stays
 * without its name. CT_CONFLICT, code "last_owner": it is the last owner of
 * cats that have other members (out->kept), unless with_cats: then these go
 * too. CT_NOTFOUND: gone already.
 */
enum ct_rc ct_account_erase(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, bool with_cats, struct ct_erased *out,
    struct ct_err *err) CT_MUSTCHECK;

/* ------------------------------------------------ for the worker */

struct ct_erasure {
	struct ct_uuid batch;
	struct ct_str kind; /* file, upload, job, cat, stale, account */
	struct ct_str name; /* below <files_dir>/reports or uploads, or an id */
	bool old;	    /* for over a day: not to be waited for longer */
};
/* What is left to remove, oldest first, at most 200. */
enum ct_rc ct_erasure_list(struct ct_pg *pg, struct ct_arena *a,
    struct ct_erasure **out, int *n, struct ct_err *err) CT_MUSTCHECK;
/* It is removed. */
enum ct_rc ct_erasure_done(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_erasure *e, struct ct_err *err) CT_MUSTCHECK;

#endif
