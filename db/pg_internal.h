/*
 * What the files of the libpq door share. Nobody else includes this.
 *
 * A call is: pg_enter (connect, settle what is in flight, start the clock),
 * PQsend…, pg_next for every result. Any failure of the connection itself
 * ends in pg_lost, which closes it.
 */
#ifndef CT_DB_PG_INTERNAL_H
#define CT_DB_PG_INTERNAL_H

#include <libpq-fe.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "db/pg.h"

/* Statements that one connection can hold; a power of two. */
#define PG_SLOTS 1024

/* pg_type.dat: fixed since PostgreSQL 9.4 and part of its wire protocol. */
enum pg_oid {
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_NAME = 19,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_JSON = 114,
	PG_BPCHAR = 1042,
	PG_VARCHAR = 1043,
	PG_DATE = 1082,
	PG_TIMESTAMPTZ = 1184,
	PG_UUID = 2950,
	PG_JSONB = 3802,
	PG_FIRST_USER = 16384 /* citext and enums get theirs at creation */
};

/* The epoch of PostgreSQL, 2000-01-01, counted from ours. */
#define PG_EPOCH_DAYS 10957
#define PG_EPOCH_US   (INT64_C(946684800) * 1000000)

struct pg_slot {
	const struct ct_stmt *st; /* NULL: free */
	struct ct_cell *seconds;
	bool prepared; /* on the connection of now */
};

struct ct_cursor {
	struct ct_pg *pg;
	const struct ct_stmt *st;
	struct pg_slot *slot;
	char name[24];	 /* on the server */
	char fetch[64];	 /* its FETCH statement */
	PGresult *ahead; /* the batch after the one handed out */
	enum ct_rc rc;	 /* why ahead is missing */
	struct ct_err err;
	bool asked; /* a FETCH is on its way */
	bool done;
};

struct ct_pg {
	PGconn *conn; /* NULL: down */
	char *url;
	char *app;
	char *options;	       /* of the URL; "" where there are none */
	int timeout_ms;	       /* of the calls to come */
	int server_timeout_ms; /* what the session was told; 0: unknown */
	int64_t start_us;      /* of the call that runs, monotonic */
	int64_t deadline_us;
	int64_t used_us;  /* end of the last call */
	int64_t retry_us; /* no new connection before that */
	int backoff_ms;
	bool in_tx;
	bool tx_read_only;
	bool copying;
	struct ct_defer *rollback;
	struct ct_cursor *fetching; /* whose FETCH is on its way */
	unsigned cursors;	    /* made so far: their names */
	unsigned nslots;
	struct pg_slot slots[PG_SLOTS];
};

/* pg_conn.c */
enum ct_rc pg_enter(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;
void pg_drop(struct ct_pg *pg);
/* The next result or NULL in *out, within the deadline. */
enum ct_rc pg_next(
    struct ct_pg *pg, PGresult **out, struct ct_err *err) CT_MUSTCHECK;
/* Close the connection and return CT_RETRY with what libpq said. */
enum ct_rc pg_lost(struct ct_pg *pg, const char *what, struct ct_err *err);
/* Wait for the socket; false at the deadline. */
bool pg_wait(struct ct_pg *pg, short events);
struct pg_slot *pg_slot(struct ct_pg *pg, const struct ct_stmt *st);

/* pg_error.c */
enum ct_rc pg_failed(
    struct ct_pg *pg, const char *name, const PGresult *r, struct ct_err *err);
void pg_count_error(const char *sqlstate);

/* pg.c */
/* All results up to the end of a query sent alone; *out gets the last. */
enum ct_rc pg_take(struct ct_pg *pg, const char *name, PGresult **out,
    struct ct_err *err) CT_MUSTCHECK;
int pg_param_oids(const struct ct_stmt *st, Oid oids[CT_PARAMS]);
void pg_check_params(const struct ct_stmt *st, const struct ct_params *p);
extern const int pg_binary[CT_PARAMS]; /* all ones: parameter formats */

/* pg_res.c: r goes to the arena. */
const struct ct_res *pg_res_new(
    struct ct_arena *a, PGresult *r, const char *name);
bool pg_type_fits(enum ct_type t, Oid oid);
int pg_find_col(const PGresult *r, const char *name, int from);

/* pg_cursor.c: take the answer to a FETCH that is on its way. */
enum ct_rc pg_cursor_settle(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;

#endif
