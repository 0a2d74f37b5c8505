/*
 * COPY … FROM STDIN for bulk loads. The deadline is that of each call.
 */
#include <poll.h>

#include "db/pg_internal.h"

static void
restart_clock(struct ct_pg *pg)
{
	pg->deadline_us = ct_mono_us() + (int64_t)pg->timeout_ms * 1000;
}

enum ct_rc
ct_pg_copy_begin(struct ct_pg *pg, const char *copy_sql, struct ct_err *err)
{
	PGresult *r = NULL;
	enum ct_rc rc = pg_enter(pg, err);

	if (rc != CT_OK)
		return rc;
	if (!PQsendQuery(pg->conn, copy_sql))
		return pg_lost(pg, "send", err);
	rc = pg_next(pg, &r, err);
	if (rc != CT_OK)
		return rc;
	if (PQresultStatus(r) == PGRES_COPY_IN) {
		pg->copying = true;
		PQclear(r);
		return CT_OK;
	}
	if (PQresultStatus(r) != PGRES_FATAL_ERROR)
		ct_bug("no COPY FROM STDIN: %s", copy_sql);
	rc = pg_failed(pg, "copy", r, err);
	PQclear(r);
	/* Take the end of the answer, so that the connection can go on. */
	struct ct_err broken;
	while (pg->conn && pg_next(pg, &r, &broken) == CT_OK && r)
		PQclear(r);
	return rc;
}

enum ct_rc
ct_pg_copy_put(struct ct_pg *pg, struct ct_str rows, struct ct_err *err)
{
	if (pg->conn == NULL || !pg->copying)
		return ct_fail(err, CT_RETRY, "db_away",
		    "the database went away within a transaction");
	restart_clock(pg);
	for (;;) {
		int n = PQputCopyData(pg->conn, rows.p, ct_int(rows.n));

		if (n > 0)
			return CT_OK;
		if (n < 0)
			return pg_lost(pg, "copy", err);
		/* Reading as well: a server that has failed stops reading. */
		if (!pg_wait(pg, POLLIN | POLLOUT))
			return pg_lost(pg, "deadline passed", err);
		if (!PQconsumeInput(pg->conn) || PQflush(pg->conn) < 0)
			return pg_lost(pg, "copy", err);
	}
}

enum ct_rc
ct_pg_copy_end(struct ct_pg *pg, struct ct_err *err)
{
	PGresult *r = NULL;
	int n;

	if (pg->conn == NULL || !pg->copying)
		return ct_fail(err, CT_RETRY, "db_away",
		    "the database went away within a transaction");
	restart_clock(pg);
	while ((n = PQputCopyEnd(pg->conn, NULL)) == 0)
		if (!pg_wait(pg, POLLOUT) || PQflush(pg->conn) < 0)
			return pg_lost(pg, "deadline passed", err);
	if (n < 0)
		return pg_lost(pg, "copy", err);
	while ((n = PQflush(pg->conn)) > 0)
		if (!pg_wait(pg, POLLIN | POLLOUT) || !PQconsumeInput(pg->conn))
			return pg_lost(pg, "deadline passed", err);
	pg->copying = false;
	enum ct_rc rc = pg_take(pg, "copy", &r, err);
	PQclear(r);
	pg->used_us = ct_mono_us();
	return rc;
}
