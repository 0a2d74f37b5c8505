/*
 * Cursors: DECLARE and the first FETCH in one trip, then always one FETCH
 * ahead of the caller. Another statement on the connection takes the answer to
 * a FETCH that is on its way first and keeps it for the cursor.
 */
#include <stdio.h>

#include "db/pg_internal.h"

static void
release(void *data)
{
	struct ct_cursor *c = data;

	/* The answer to its FETCH belongs to nobody now. The server's side of
	 * the cursor ends with the transaction. */
	if (c->asked && c->pg->fetching == c) {
		struct ct_err err;
		PGresult *r = NULL;

		c->pg->deadline_us =
		    ct_mono_us() + (int64_t)c->pg->timeout_ms * 1000;
		c->pg->fetching = NULL;
		c->asked = false;
		if (pg_take(c->pg, c->st->name, &r, &err) == CT_OK)
			PQclear(r);
	}
	PQclear(c->ahead);
	c->ahead = NULL;
}

static enum ct_rc
ask(struct ct_cursor *c, struct ct_err *err)
{
	if (!PQsendQueryParams(
		c->pg->conn, c->fetch, 0, NULL, NULL, NULL, NULL, 1))
		return pg_lost(c->pg, "send", err);
	c->asked = true;
	c->pg->fetching = c;
	return CT_OK;
}

static void
take_ahead(struct ct_cursor *c)
{
	c->pg->fetching = NULL;
	c->asked = false;
	c->rc = pg_take(c->pg, c->st->name, &c->ahead, &c->err);
}

enum ct_rc
pg_cursor_settle(struct ct_pg *pg, struct ct_err *err)
{
	struct ct_cursor *c = pg->fetching;

	take_ahead(c);
	if (c->rc != CT_OK)
		*err = c->err;
	return c->rc;
}

/* DECLARE alone; the text goes once, so that it need not be prepared. */
static enum ct_rc
declare(struct ct_cursor *c, const struct ct_params *p, struct ct_arena *a,
    struct ct_err *err)
{
	Oid oids[CT_PARAMS];
	int n = pg_param_oids(c->st, oids);
	PGresult *r = NULL;
	const char *sql = ct_arena_printf(
	    a, "declare %s no scroll cursor for %s", c->name, c->st->sql);

	if (!PQsendQueryParams(c->pg->conn, sql, n, oids, n ? p->value : NULL,
		n ? p->length : NULL, n ? pg_binary : NULL, 1))
		return pg_lost(c->pg, "send", err);
	enum ct_rc rc = pg_take(c->pg, c->st->name, &r, err);
	PQclear(r);
	return rc;
}

enum ct_rc
ct_cursor_open(struct ct_pg *pg, const struct ct_stmt *st,
    const struct ct_params *p, int batch, struct ct_arena *a,
    struct ct_cursor **out, struct ct_err *err)
{
	if (!pg->in_tx)
		ct_bug("%s: a cursor outside a transaction", st->name);
	pg_check_params(st, p);
	enum ct_rc rc = pg_enter(pg, err);
	if (rc != CT_OK)
		return rc;
	struct ct_cursor *c = ct_arena_alloc(a, sizeof(*c));
	c->pg = pg;
	c->st = st;
	c->slot = pg_slot(pg, st);
	snprintf(c->name, sizeof(c->name), "ct_cursor_%u", ++pg->cursors);
	snprintf(
	    c->fetch, sizeof(c->fetch), "fetch %d from %s", batch, c->name);
	ct_arena_defer(a, release, c);
	rc = declare(c, p, a, err);
	if (rc == CT_OK)
		rc = ask(c, err);
	pg->used_us = ct_mono_us();
	*out = c;
	return rc;
}

enum ct_rc
ct_cursor_next(struct ct_cursor *c, struct ct_arena *a,
    const struct ct_res **res, struct ct_err *err)
{
	struct ct_pg *pg = c->pg;

	pg->start_us = ct_mono_us();
	pg->deadline_us = pg->start_us + (int64_t)pg->timeout_ms * 1000;
	if (c->asked)
		take_ahead(c);
	pg->used_us = ct_mono_us();
	ct_metric_observe_us(c->slot->seconds, pg->used_us - pg->start_us);
	if (c->rc != CT_OK) {
		*err = c->err;
		return c->rc;
	}
	if (c->ahead == NULL)
		return ct_fail(err, CT_RETRY, "db_away",
		    "the database went away within a transaction");
	PGresult *r = c->ahead;
	if (PQntuples(r) == 0)
		c->done = true;
	if (c->done) {
		/* Stays for whoever asks again past the end. */
		*res = pg_res_new(
		    a, PQcopyResult(r, PG_COPYRES_ATTRS), c->st->name);
		return CT_OK;
	}
	c->ahead = NULL;
	*res = pg_res_new(a, r, c->st->name);
	enum ct_rc rc = CT_OK;
	if (pg->fetching)
		rc = pg_cursor_settle(pg, err);
	return rc == CT_OK ? ask(c, err) : rc;
}

enum ct_rc
ct_cursor_close(struct ct_cursor *c, struct ct_err *err)
{
	struct ct_pg *pg = c->pg;
	PGresult *r = NULL;
	char sql[40];
	enum ct_rc rc = pg_enter(pg, err);

	if (rc != CT_OK)
		return rc;
	snprintf(sql, sizeof(sql), "close %s", c->name);
	if (!PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 1))
		return pg_lost(pg, "send", err);
	rc = pg_take(pg, c->st->name, &r, err);
	PQclear(r);
	pg->used_us = ct_mono_us();
	return rc;
}
