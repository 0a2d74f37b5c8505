/*
 * Running statements and transactions.
 *
 * A prepared statement costs one send and one receive. One that this
 * connection has not seen yet is prepared and run in the same pipeline, so
 * that the first use costs no further trip.
 */
#include <string.h>

#include "db/pg_internal.h"

const int pg_binary[CT_PARAMS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* The letters of a signature; length 0 is any. */
static const struct {
	char letter;
	int length;
	Oid oid;
} sig_types[] = {
    {'u', 16, PG_UUID},
    {'i', 8, PG_INT8},
    {'t', 0, PG_TEXT},
    {'b', 1, PG_BOOL},
    {'z', 8, PG_TIMESTAMPTZ},
    {'d', 4, PG_DATE},
    {'y', 0, PG_BYTEA},
    {'j', 0, PG_JSONB},
};

static size_t
sig_type(const struct ct_stmt *st, char letter)
{
	size_t i = 0;

	while (i < ct_countof(sig_types) && sig_types[i].letter != letter)
		i++;
	if (i == ct_countof(sig_types))
		ct_bug("%s: no parameter type '%c'", st->name, letter);
	return i;
}

int
pg_param_oids(const struct ct_stmt *st, Oid oids[CT_PARAMS])
{
	int n = 0;

	for (const char *s = st->sig; *s; s++) {
		if (n == CT_PARAMS)
			ct_bug("%s: too many parameters", st->name);
		oids[n++] = sig_types[sig_type(st, *s)].oid;
	}
	return n;
}

void
pg_check_params(const struct ct_stmt *st, const struct ct_params *p)
{
	int n = p ? p->n : 0;

	if ((size_t)n != strlen(st->sig))
		ct_bug("%s: %d parameters for \"%s\"", st->name, n, st->sig);
	for (int i = 0; i < n; i++) {
		int want = sig_types[sig_type(st, st->sig[i])].length;

		if (want && p->value[i] && p->length[i] != want)
			ct_bug("%s: parameter %d is no '%c'", st->name, i + 1,
			    st->sig[i]);
	}
}

static bool
is_error(const PGresult *r)
{
	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		return false;
	default:
		return true;
	}
}

enum ct_rc
pg_take(struct ct_pg *pg, const char *name, PGresult **out, struct ct_err *err)
{
	PGresult *last = NULL;
	PGresult *r = NULL;
	enum ct_rc rc = CT_OK;

	for (;;) {
		enum ct_rc got = pg_next(pg, &r, err);
		if (got != CT_OK) {
			PQclear(last);
			return rc != CT_OK ? rc : got;
		}
		if (r == NULL)
			break;
		if (rc == CT_OK && is_error(r)) {
			/* COPY belongs to ct_pg_copy_begin. */
			if (PQresultStatus(r) != PGRES_FATAL_ERROR)
				ct_bug("%s: unexpected answer %s", name,
				    PQresStatus(PQresultStatus(r)));
			rc = pg_failed(pg, name, r, err);
		}
		PQclear(last);
		last = r;
		if (pg->conn == NULL)
			break;
	}
	if (rc != CT_OK || last == NULL) {
		PQclear(last);
		return rc != CT_OK ? rc : pg_lost(pg, name, err);
	}
	*out = last;
	return CT_OK;
}

/* One statement of a pipeline. */
struct step {
	const struct ct_stmt *st;
	const struct ct_params *p;
	struct pg_slot *slot;
	PGresult *res;
};

static bool
send_step(struct ct_pg *pg, const struct step *s)
{
	Oid oids[CT_PARAMS];
	int n = s->p ? s->p->n : 0;

	if (!s->slot->prepared &&
	    !PQsendPrepare(pg->conn, s->st->name, s->st->sql,
		pg_param_oids(s->st, oids), oids))
		return false;
	return PQsendQueryPrepared(pg->conn, s->st->name, n,
	    n ? s->p->value : NULL, n ? s->p->length : NULL,
	    n ? pg_binary : NULL, 1);
}

/*
 * One answer of a pipeline and the NULL that ends it. After the first error
 * the server skips the rest; each of those answers says so.
 */
static enum ct_rc
take_one(struct ct_pg *pg, const char *name, PGresult **out, enum ct_rc *rc,
    struct ct_err *err)
{
	PGresult *r = NULL;
	PGresult *end = NULL;
	struct ct_err broken;
	enum ct_rc got = pg_next(pg, &r, *rc == CT_OK ? err : &broken);

	if (got != CT_OK)
		return got;
	if (r == NULL)
		return pg_lost(pg, name, *rc == CT_OK ? err : &broken);
	if (is_error(r)) {
		if (PQresultStatus(r) == PGRES_FATAL_ERROR && *rc == CT_OK)
			*rc = pg_failed(pg, name, r, err);
		PQclear(r);
		r = NULL;
	}
	*out = r;
	if (pg->conn == NULL)
		return CT_RETRY;
	got = pg_next(pg, &end, *rc == CT_OK ? err : &broken);
	if (end)
		ct_bug("%s: two answers", name);
	return got;
}

/* The answer to the Sync; an error at commit time comes before it. */
static enum ct_rc
take_sync(
    struct ct_pg *pg, const char *name, enum ct_rc *rc, struct ct_err *err)
{
	struct ct_err broken;
	PGresult *r = NULL;

	for (;;) {
		enum ct_rc got = pg_next(pg, &r, *rc == CT_OK ? err : &broken);

		if (got != CT_OK)
			return got;
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			return CT_OK;
		}
		if (r == NULL)
			return pg_lost(pg, name, *rc == CT_OK ? err : &broken);
		if (*rc == CT_OK)
			*rc = pg_failed(pg, name, r, err);
		PQclear(r);
		if (pg->conn == NULL)
			return CT_RETRY;
	}
}

static enum ct_rc
take_steps(struct ct_pg *pg, struct step *s, int n, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;
	enum ct_rc got = CT_OK;
	PGresult *r = NULL;

	for (int i = 0; i < n && got == CT_OK; i++) {
		if (!s[i].slot->prepared) {
			r = NULL;
			got = take_one(pg, s[i].st->name, &r, &rc, err);
			s[i].slot->prepared = r != NULL;
			PQclear(r);
			if (got != CT_OK)
				break;
		}
		got = take_one(pg, s[i].st->name, &s[i].res, &rc, err);
	}
	if (got == CT_OK)
		got = take_sync(pg, s[n - 1].st->name, &rc, err);
	return rc != CT_OK ? rc : got;
}

static enum ct_rc
pipeline(struct ct_pg *pg, struct step *s, int n, struct ct_err *err)
{
	bool sent = PQenterPipelineMode(pg->conn) == 1;

	for (int i = 0; i < n && sent; i++)
		sent = send_step(pg, &s[i]);
	if (!sent || !PQpipelineSync(pg->conn))
		return pg_lost(pg, "send", err);
	enum ct_rc rc = take_steps(pg, s, n, err);
	if (pg->conn && !PQexitPipelineMode(pg->conn)) {
		enum ct_rc got = pg_lost(pg, "pipeline", err);
		rc = rc == CT_OK ? got : rc;
	}
	if (rc != CT_OK)
		for (int i = 0; i < n; i++) {
			PQclear(s[i].res);
			s[i].res = NULL;
		}
	return rc;
}

static enum ct_rc
run_steps(struct ct_pg *pg, struct step *s, int n, struct ct_arena *a,
    const struct ct_res **res, struct ct_err *err)
{
	struct step *last = &s[n - 1];
	enum ct_rc rc = pg_enter(pg, err);

	if (rc != CT_OK)
		return rc;
	for (int i = 0; i < n; i++) {
		pg_check_params(s[i].st, s[i].p);
		s[i].slot = pg_slot(pg, s[i].st);
	}
	if (n == 1 && last->slot->prepared) {
		if (send_step(pg, last))
			rc = pg_take(pg, last->st->name, &last->res, err);
		else
			rc = pg_lost(pg, "send", err);
	} else {
		rc = pipeline(pg, s, n, err);
	}
	pg->used_us = ct_mono_us();
	ct_metric_observe_us(last->slot->seconds, pg->used_us - pg->start_us);
	for (int i = 0; i < n - 1; i++)
		PQclear(s[i].res);
	if (rc != CT_OK)
		return rc;
	if (res)
		*res = pg_res_new(a, last->res, last->st->name);
	else
		PQclear(last->res);
	return CT_OK;
}

enum ct_rc
ct_pg_run(struct ct_pg *pg, const struct ct_stmt *st, const struct ct_params *p,
    struct ct_arena *a, const struct ct_res **res, struct ct_err *err)
{
	struct step s[1] = {{.st = st, .p = p}};

	return run_steps(pg, s, 1, a, res, err);
}

static const struct ct_stmt stmt_lock = {"ct_lock", CT_GLOBAL, CT_WRITE, "i",
    NULL, "select pg_advisory_xact_lock($1)"};

enum ct_rc
ct_pg_run_locked(struct ct_pg *pg, int64_t key, const struct ct_stmt *st,
    const struct ct_params *p, struct ct_arena *a, const struct ct_res **res,
    struct ct_err *err)
{
	struct ct_params k;

	ct_params_init(&k, a);
	/* INT64_MIN stands for NULL, and a lock on NULL locks nothing. */
	ct_p_i64(&k, key == CT_NULL_I64 ? 0 : key);
	struct step s[2] = {{.st = &stmt_lock, .p = &k}, {.st = st, .p = p}};
	return run_steps(pg, s, 2, a, res, err);
}

/* One literal command; true in *same where its tag is `tag`. */
static enum ct_rc
command(struct ct_pg *pg, const char *sql, const char *tag, bool *same,
    struct ct_err *err)
{
	PGresult *r = NULL;

	if (!PQsendQuery(pg->conn, sql))
		return pg_lost(pg, "send", err);
	enum ct_rc rc = pg_take(pg, sql, &r, err);
	if (rc == CT_OK && same)
		*same = strcmp(PQcmdStatus(r), tag) == 0;
	PQclear(r);
	pg->used_us = ct_mono_us();
	return rc;
}

static void
roll_back(void *data)
{
	struct ct_pg *pg = data;

	pg->rollback = NULL;
	ct_pg_rollback(pg);
}

enum ct_rc
ct_pg_begin(
    struct ct_pg *pg, struct ct_arena *a, bool read_only, struct ct_err *err)
{
	if (pg->in_tx)
		ct_bug("a transaction within a transaction");
	enum ct_rc rc = pg_enter(pg, err);
	if (rc != CT_OK)
		return rc;
	/* Readers see one state of the data over all their statements. */
	rc = command(pg,
	    read_only ? "begin isolation level repeatable read read only"
		      : "begin",
	    NULL, NULL, err);
	if (rc != CT_OK)
		return rc;
	pg->in_tx = true;
	pg->tx_read_only = read_only;
	pg->rollback = ct_arena_defer(a, roll_back, pg);
	return CT_OK;
}

static void
end_tx(struct ct_pg *pg)
{
	ct_arena_disarm(pg->rollback);
	pg->rollback = NULL;
	pg->in_tx = false;
	pg->tx_read_only = false;
}

enum ct_rc
ct_pg_commit(struct ct_pg *pg, struct ct_err *err)
{
	bool committed = false;

	if (!pg->in_tx)
		ct_bug("commit without a transaction");
	enum ct_rc rc = pg_enter(pg, err);
	if (rc != CT_OK) {
		ct_pg_rollback(pg);
		return rc;
	}
	rc = command(pg, "commit", "COMMIT", &committed, err);
	if (rc == CT_OK && !committed) {
		/* A failed transaction answers COMMIT with ROLLBACK. */
		pg->server_timeout_ms = 0;
		rc = ct_fail(err, CT_INTERNAL, NULL, "internal error");
		ct_err_detail(err, "commit of a failed transaction");
	}
	end_tx(pg);
	return rc;
}

void
ct_pg_rollback(struct ct_pg *pg)
{
	struct ct_err err;

	if (!pg->in_tx)
		return;
	pg->start_us = ct_mono_us();
	pg->deadline_us = pg->start_us + (int64_t)pg->timeout_ms * 1000;
	if (pg->copying)
		pg_drop(pg);
	/* A FETCH that failed, or any statement, is no reason not to. */
	if (pg->fetching && pg_cursor_settle(pg, &err) != CT_OK)
		ct_err_clear(&err);
	if (pg->conn && command(pg, "rollback", NULL, NULL, &err) != CT_OK)
		pg_drop(pg);
	/* A SET within the transaction is undone as well. */
	pg->server_timeout_ms = 0;
	end_tx(pg);
}

enum ct_rc
ct_pg_script(struct ct_pg *pg, const char *sql, struct ct_err *err)
{
	PGresult *r = NULL;
	enum ct_rc rc = pg_enter(pg, err);

	if (rc != CT_OK)
		return rc;
	if (!PQsendQuery(pg->conn, sql))
		return pg_lost(pg, "send", err);
	rc = pg_take(pg, "script", &r, err);
	PQclear(r);
	pg->used_us = ct_mono_us();
	return rc;
}
