/*
 * Archives that were sent in: the row of one, the outbox row that makes its job
 * happen, and how their contents become rows of the account.
 *
 * An import is looked at first (a preview: everything is done in transactions
 * that are rolled back) and run when its owner says so, as often as wanted:
 * what is there already is left alone.
 */
#ifndef CT_DB_IMPORT_H
#define CT_DB_IMPORT_H

#include "db/export.h"

#define CT_IMPORT_TASK	"account.import"
#define CT_IMPORT_QUEUE "reports"
#define CT_IMPORT_DIR	"uploads" /* below files_dir */
#define CT_IMPORTS_MAX	10	  /* of one account at a time */
#define CT_IMPORTS_MIB	128	  /* and what they have together */
#define CT_IMPORT_TTL_S 86400

struct ct_import {
	struct ct_uuid id;
	struct ct_uuid account_id;
	struct ct_uuid job_id;
	bool is_run;	     /* else it is only looked at */
	struct ct_str state; /* queued, running, done, failed */
	int64_t byte_count;
	struct ct_str blob; /* file name below <files_dir>/uploads */
	int64_t rows_done;
	int64_t row_count;     /* CT_NULL_I64: not known yet */
	struct ct_str summary; /* JSON object; absent: none yet */
	struct ct_str error;   /* safe to show */
	int64_t created_at;
	int64_t finished_at;
	int64_t expires_at;
};
extern const struct ct_fields ct_import_fields;
extern const struct ct_stmt *const ct_import_stmts[];

/* ------------------------------------------------ for the responders */

/*
 * The row, to be looked at, and its outbox row; in: id, account_id, job_id,
 * byte_count, blob. CT_CONFLICT, code "too_many": CT_IMPORTS_MAX are kept, or
 * CT_IMPORTS_MIB would be.
 */
enum ct_rc ct_import_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_import *in, struct ct_err *err) CT_MUSTCHECK;
/* The {"import_id": "…"} that both the outbox and a direct push carry. */
struct ct_str ct_import_kwargs(struct ct_arena *a, const struct ct_uuid *id);
/* CT_NOTFOUND: none, another account's, or past its end. */
enum ct_rc ct_import_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_import *out, struct ct_err *err) CT_MUSTCHECK;
/* Newest first. */
enum ct_rc ct_import_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_import **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Have it run, by the job of that id; *begun: false where it is being run
 * already. CT_NOTFOUND as above. CT_CONFLICT, code "busy": it is being looked
 * at.
 */
enum ct_rc ct_import_run(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    const struct ct_uuid *job, bool *begun, struct ct_err *err) CT_MUSTCHECK;
/* Forget it; its file goes on the list of erasure.h. CT_NOTFOUND as above. */
enum ct_rc ct_import_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;

/* 0 … 100 for people: never 100 before it is done. */
int64_t ct_import_percent(const struct ct_import *i);

/* ------------------------------------------------ for the worker */

/*
 * Load the row and mark it running unless it is done (see out->state).
 * CT_NOTFOUND: it was removed, or another job is to do it.
 */
enum ct_rc ct_import_start(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_uuid *job, struct ct_import *out,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_import_progress(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, int64_t rows_done, int64_t row_count,
    struct ct_err *err) CT_MUSTCHECK;
/* Done, job_run and outbox in one statement; repeating it changes nothing. */
enum ct_rc ct_import_finish(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_uuid *job, int64_t attempt,
    int64_t rows, struct ct_str summary, struct ct_err *err) CT_MUSTCHECK;
/* Failed for good, with a sentence that is safe to show. By its job. */
enum ct_rc ct_import_fail(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *job, struct ct_str message,
    struct ct_err *err) CT_MUSTCHECK;

/* ------------------------------------------------ what is brought in */

/* What became of one thing from an archive. */
enum ct_brought {
	CT_BROUGHT_NEW,
	CT_BROUGHT_SAME,
	CT_BROUGHT_OTHER /* there, with other contents; it was left alone */
};

/*
 * In a transaction: no other import of the account goes on until its end.
 * CT_RETRY: one goes on.
 */
enum ct_rc ct_bring_lock(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err) CT_MUSTCHECK;

/*
 * The cat that stands for c: the one with its id where the account is an owner
 * of that, else one whose id follows from the account's and c's, so that an
 * archive of somebody else makes the same cat each time. c->id becomes its
 * key. CT_CONFLICT, code "too_many": CT_CATS_MAX; code "handed_over": that cat
 * belongs to somebody else by now. CT_INVALID with field timezone.
 */
enum ct_rc ct_bring_cat(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_cat *c, enum ct_brought *what,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * The key in the cat `to` of an entry that was in the cat `from`: the same in
 * the same cat, else one that follows from both and keeps the order of keys.
 */
struct ct_uuid ct_bring_id(const struct ct_uuid *to, const struct ct_uuid *from,
    const struct ct_uuid *id);

/* One entry; its cat_id is the account's. CT_FORBIDDEN: no owner any more. */
enum ct_rc ct_bring_entry(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_archive_row *row, enum ct_brought *what,
    struct ct_err *err) CT_MUSTCHECK;
struct ct_target;
enum ct_rc ct_bring_target(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_target *t, bool by_me, enum ct_brought *what,
    struct ct_err *err) CT_MUSTCHECK;
struct ct_preference;
enum ct_rc ct_bring_preference(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_preference *v,
    enum ct_brought *what, struct ct_err *err) CT_MUSTCHECK;
/*
 * Note in the trail that something was brought into the cat, and have the
 * relay forget what is cached about it, for a new one also who the account is.
 */
enum ct_rc ct_bring_note(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, bool is_new,
    struct ct_err *err) CT_MUSTCHECK;

extern const struct ct_stmt *const ct_bring_stmts[];

#endif
