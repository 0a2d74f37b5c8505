/*
 * The door to libpq, and the statements. First floor: includes common and
 * care only.
 *
 * Every SQL statement is a named row (struct ct_stmt), prepared once per
 * connection at its first use, with binary parameters and results. Every wait
 * has a client-side deadline (statement_timeout does nothing for a frozen
 * server): past it the connection is closed, and the
 * caller gets CT_RETRY. A broken connection is made anew at the next call,
 * with jittered back-off. One thread per connection.
 */
#ifndef CT_DB_PG_H
#define CT_DB_PG_H

#include "common/field.h"
#include "common/id.h"

enum ct_scope {
	CT_OWNED, /* text binds the asking account as $1 and joins cat_member,
		     or compares account_id / account.id with $1 */
	CT_GLOBAL /* may see any tenant: log-in, workers, maintenance */
};
enum ct_access { CT_READ, CT_WRITE };

/*
 * sig: one letter per parameter: u uuid, i bigint, t text, b boolean,
 * z timestamptz, d date, y bytea, j jsonb. Statically allocated; its address
 * is its identity.
 */
struct ct_stmt {
	const char *name; /* unique: "feeding_add" */
	enum ct_scope scope;
	enum ct_access access;
	const char *sig;
	const struct ct_fields *out; /* what rows decode into; NULL: by hand */
	const char *sql;
};

/* All statements of all nouns (db/registry.c), for -n and for the tests. */
extern const struct ct_stmt *const *const ct_stmt_tables[];
/* Calls fn for every statement until it returns non-zero; returns that. */
int ct_stmt_each(int (*fn)(const struct ct_stmt *st, void *arg), void *arg);

/*
 * Parameters, filled in order. NULL values of each type become SQL NULL. Texts
 * and bytes are borrowed until the statement has run, the rest is copied.
 */
#define CT_PARAMS 40
struct ct_params {
	struct ct_arena *a;
	int n;
	const char *value[CT_PARAMS];
	int length[CT_PARAMS];
};
void ct_params_init(struct ct_params *p, struct ct_arena *a);
void ct_p_uuid(struct ct_params *p, const struct ct_uuid *v);
void ct_p_i64(struct ct_params *p, int64_t v);
void ct_p_bool(struct ct_params *p, bool v);
void ct_p_text(struct ct_params *p, struct ct_str v);
void ct_p_time(struct ct_params *p, int64_t us);
void ct_p_day(struct ct_params *p, int32_t day);
void ct_p_bytes(struct ct_params *p, const void *v, size_t n);
void ct_p_json(struct ct_params *p, struct ct_str json);
/* The member that f describes, by its type. */
void ct_p_field(struct ct_params *p, const struct ct_field *f, const void *obj);

struct ct_pg;
struct ct_res; /* rows; lives on the arena of the call */

/* Does not connect yet. url as libpq takes it. app: application_name. */
struct ct_pg *ct_pg_open(const char *url, const char *app, int timeout_ms);
void ct_pg_close(struct ct_pg *pg); /* accepts NULL */
/* Connect now if not connected. CT_RETRY. */
enum ct_rc ct_pg_ready(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;
bool ct_pg_up(const struct ct_pg *pg);
/* Deadline of the statements that follow. */
void ct_pg_timeout(struct ct_pg *pg, int timeout_ms);

/*
 * Run one statement. res may be NULL. Returns
 *   CT_CONFLICT  unique or exclusion violation; code "exists", detail holds
 *                the constraint's name
 *   CT_INVALID   check, foreign key or not-null violation, value out of range
 *   CT_RETRY     no connection, deadline, serialization, lock timeout, server
 *                going down, too many connections, disk full; for a WRITE the
 *                outcome may be unknown
 *   CT_INTERNAL  anything else; detail holds SQLSTATE and the server's text
 */
enum ct_rc ct_pg_run(struct ct_pg *pg, const struct ct_stmt *st,
    const struct ct_params *p, struct ct_arena *a, const struct ct_res **res,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * The same after taking a transaction-long advisory lock on key, in one round
 * trip (a pipeline is one implicit transaction): the statement's snapshot is
 * taken with the lock held, so it sees all that the previous holder wrote.
 */
enum ct_rc ct_pg_run_locked(struct ct_pg *pg, int64_t key,
    const struct ct_stmt *st, const struct ct_params *p, struct ct_arena *a,
    const struct ct_res **res, struct ct_err *err) CT_MUSTCHECK;

/*
 * A transaction: a deferred ROLLBACK sits on the arena until commit disarms
 * it. Calls between the two go through the same functions (run_locked simply
 * takes the lock). One at a time per connection.
 */
enum ct_rc ct_pg_begin(struct ct_pg *pg, struct ct_arena *a, bool read_only,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_RETRY: outcome unknown. */
enum ct_rc ct_pg_commit(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;
void ct_pg_rollback(struct ct_pg *pg);

/*
 * A cursor over a READ statement inside a transaction, with constant memory:
 * batches of `batch` rows; the next one is asked for before the current is
 * handed out, so that the server works while the caller does. Each batch lives
 * on a until the caller rewinds it.
 */
struct ct_cursor;
enum ct_rc ct_cursor_open(struct ct_pg *pg, const struct ct_stmt *st,
    const struct ct_params *p, int batch, struct ct_arena *a,
    struct ct_cursor **out, struct ct_err *err) CT_MUSTCHECK;
/* *res with 0 rows: the end. */
enum ct_rc ct_cursor_next(struct ct_cursor *c, struct ct_arena *a,
    const struct ct_res **res, struct ct_err *err) CT_MUSTCHECK;
/* The server forgets it, too; else it keeps it to the transaction's end. */
enum ct_rc ct_cursor_close(
    struct ct_cursor *c, struct ct_err *err) CT_MUSTCHECK;

/* Rows. Getters abort on a column that is not there or of another type. */
int ct_res_rows(const struct ct_res *r);
int ct_res_affected(const struct ct_res *r); /* rows changed */
int ct_res_col(const struct ct_res *r, const char *name);
bool ct_res_null(const struct ct_res *r, int row, int col);
struct ct_str ct_res_str(const struct ct_res *r, int row, int col);
int64_t ct_res_i64(const struct ct_res *r, int row, int col); /* int2/4/8 */
bool ct_res_bool(const struct ct_res *r, int row, int col);
struct ct_uuid ct_res_uuid(const struct ct_res *r, int row, int col);
int64_t ct_res_time(const struct ct_res *r, int row, int col);
int32_t ct_res_day(const struct ct_res *r, int row, int col);
/*
 * Row into struct by the field table: every field without CT_F_NOROW must be a
 * column (its `column`, else its name) of the fitting SQL type; other columns
 * are ignored. Text points into the result. The column map is made once per
 * result.
 */
void ct_res_get(
    const struct ct_res *r, int row, const struct ct_fields *t, void *obj);
/* All rows, as an array of that struct on a; *n: how many. Never NULL. */
void *ct_res_all(const struct ct_res *r, const struct ct_fields *t,
    struct ct_arena *a, int *n);

/*
 * Prepare every registered statement on pg and compare the columns of those
 * with a field table. Calls fault for each problem; returns how many.
 */
int ct_stmt_verify(struct ct_pg *pg,
    void (*fault)(const struct ct_stmt *st, const char *why, void *arg),
    void *arg);

/* Run literal SQL text, no parameters: migrations, set-up, tests only. */
enum ct_rc ct_pg_script(
    struct ct_pg *pg, const char *sql, struct ct_err *err) CT_MUSTCHECK;
/* COPY … FROM STDIN in text format for bulk loads (demo, bench, import). */
enum ct_rc ct_pg_copy_begin(
    struct ct_pg *pg, const char *copy_sql, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_pg_copy_put(
    struct ct_pg *pg, struct ct_str rows, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_pg_copy_end(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;

#endif
