/*
 * Connections to PostgreSQL: making them within a deadline, waiting for
 * results within a deadline, giving them up.
 *
 * A deadline that passes closes the connection at once and asks for no cancel:
 * PQcancel connects anew, with blocking calls, to a server that has just shown
 * that it does not answer. The server gives up by itself: statement_timeout
 * ends a statement a little before our deadline (so that in the ordinary case
 * the connection survives), client_connection_check_interval ends one whose
 * client has gone, and keepalives with tcp_user_timeout end a peer that
 * vanished without a word.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg_internal.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
/* After that long without a call, look whether the peer is still there. */
#define IDLE_US	      1000000
#define IDLE_IN_TX_MS 60000

static char *
copy(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		ct_bug("out of memory");
	return p;
}

/* Our session settings travel as "options"; those of the URL go first. */
static char *
url_options(const char *url)
{
	char *options = NULL;
	PQconninfoOption *all = PQconninfoParse(url, NULL);

	for (PQconninfoOption *o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val) {
			options = copy(o->val);
			break;
		}
	PQconninfoFree(all);
	return options ? options : copy("");
}

struct ct_pg *
ct_pg_open(const char *url, const char *app, int timeout_ms)
{
	struct ct_pg *pg = calloc(1, sizeof(*pg));

	if (pg == NULL)
		ct_bug("out of memory");
	pg->url = copy(url);
	pg->app = copy(app);
	pg->options = url_options(url);
	pg->timeout_ms = timeout_ms;
	return pg;
}

void
ct_pg_close(struct ct_pg *pg)
{
	if (pg == NULL)
		return;
	ct_arena_disarm(pg->rollback);
	pg_drop(pg);
	free(pg->url);
	free(pg->app);
	free(pg->options);
	free(pg);
}

void
pg_drop(struct ct_pg *pg)
{
	if (pg->fetching) {
		pg->fetching->asked = false;
		pg->fetching = NULL;
	}
	pg->copying = false;
	pg->server_timeout_ms = 0;
	PQfinish(pg->conn);
	pg->conn = NULL;
	if (pg->nslots)
		for (size_t i = 0; i < PG_SLOTS; i++)
			pg->slots[i].prepared = false;
}

enum ct_rc
pg_lost(struct ct_pg *pg, const char *what, struct ct_err *err)
{
	const char *said = pg->conn ? PQerrorMessage(pg->conn) : "";

	ct_fail(err, CT_RETRY, "db_away", "the database does not answer");
	ct_err_detail(err, "%s: %.*s", what, (int)strcspn(said, "\n"), said);
	pg_count_error("08006");
	pg_drop(pg);
	return CT_RETRY;
}

bool
pg_wait(struct ct_pg *pg, short events)
{
	struct pollfd p = {.fd = PQsocket(pg->conn), .events = events};

	for (;;) {
		int64_t left = pg->deadline_us - ct_mono_us();

		if (left <= 0)
			return false;
		left = (left + 999) / 1000;
		int n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

enum ct_rc
pg_next(struct ct_pg *pg, PGresult **out, struct ct_err *err)
{
	while (PQisBusy(pg->conn)) {
		int unsent = PQflush(pg->conn);

		if (unsent < 0)
			return pg_lost(pg, "send", err);
		if (!pg_wait(pg, (short)(POLLIN | (unsent ? POLLOUT : 0))))
			return pg_lost(pg, "deadline passed", err);
		if (!PQconsumeInput(pg->conn))
			return pg_lost(pg, "receive", err);
	}
	*out = PQgetResult(pg->conn);
	return CT_OK;
}

static void
ignore_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

/*
 * Statements are prepared and written for one plan whatever their parameters:
 * to plan the list of meals anew each time took longer than to run it.
 *
 * What stands before dbname may be overridden by the URL, what stands after it
 * may not. A host that drops our packets is given half the time, so that the
 * next one in a list of hosts is tried within the deadline.
 */
static PGconn *
start(struct ct_pg *pg)
{
	char user_timeout[16];
	char options[1024];
	int t = pg->timeout_ms;
	int n = snprintf(options, sizeof(options),
	    "%s -c statement_timeout=%d -c lock_timeout=%d"
	    " -c idle_in_transaction_session_timeout=%d"
	    " -c client_connection_check_interval=1000"
	    " -c timezone=UTC -c jit=off"
	    " -c plan_cache_mode=force_generic_plan",
	    pg->options, t - t / 10, t - t / 5,
	    t > IDLE_IN_TX_MS ? t : IDLE_IN_TX_MS);
	if (n < 0 || (size_t)n >= sizeof(options))
		return NULL;
	snprintf(user_timeout, sizeof(user_timeout), "%d", t / 2);

	const char *const key[] = {"tcp_user_timeout", "keepalives_idle",
	    "keepalives_interval", "keepalives_count", "target_session_attrs",
	    "gssencmode", "dbname", "application_name", "client_encoding",
	    "options", NULL};
	const char *const val[] = {user_timeout, "10", "5", "3", "read-write",
	    "disable", pg->url, pg->app, "UTF8", options, NULL};
	return PQconnectStartParams(key, val, 1);
}

static bool
finish_connect(struct ct_pg *pg)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD)
		return false;
	while (s != PGRES_POLLING_OK) {
		if (!pg_wait(pg, s == PGRES_POLLING_READING ? POLLIN : POLLOUT))
			return false;
		s = PQconnectPoll(pg->conn);
		if (s == PGRES_POLLING_FAILED)
			return false;
	}
	return true;
}

static enum ct_rc
connect_now(struct ct_pg *pg, struct ct_err *err)
{
	int64_t now = ct_mono_us();

	if (now < pg->retry_us)
		return ct_fail(
		    err, CT_RETRY, "db_away", "the database does not answer");
	pg->deadline_us = now + (int64_t)pg->timeout_ms * 1000;
	pg->conn = start(pg);
	if (finish_connect(pg)) {
		PQsetnonblocking(pg->conn, 1);
		PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
		pg->server_timeout_ms = pg->timeout_ms;
		pg->backoff_ms = 0;
		pg->retry_us = 0;
		return CT_OK;
	}
	int b = pg->backoff_ms * 2;
	b = b < BACKOFF_MIN_MS ? BACKOFF_MIN_MS : b;
	pg->backoff_ms = b > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : b;
	/* Half fixed, half by chance, so that a thousand connections that
	 * broke together do not come back together. */
	now = ct_mono_us();
	int64_t half_us = (int64_t)pg->backoff_ms * 500;
	pg->retry_us =
	    now + half_us + (now ^ (int64_t)((uintptr_t)pg >> 4)) % half_us;
	return pg_lost(pg, "connect", err);
}

/* The peer may have gone while nobody looked; a restart costs no request. */
static void
look_at_idle(struct ct_pg *pg)
{
	struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};

	while (poll(&p, 1, 0) > 0)
		if (!PQconsumeInput(pg->conn)) {
			pg_drop(pg);
			return;
		}
}

static enum ct_rc
tell_timeout(struct ct_pg *pg, struct ct_err *err)
{
	char sql[128];
	int t = pg->timeout_ms;
	PGresult *r = NULL;

	snprintf(sql, sizeof(sql),
	    "set statement_timeout = %d; set lock_timeout = %d;"
	    "set idle_in_transaction_session_timeout = %d",
	    t - t / 10, t - t / 5, t > IDLE_IN_TX_MS ? t : IDLE_IN_TX_MS);
	if (!PQsendQuery(pg->conn, sql))
		return pg_lost(pg, "send", err);
	enum ct_rc rc = pg_take(pg, "set", &r, err);
	PQclear(r);
	if (rc == CT_OK)
		pg->server_timeout_ms = t;
	return rc;
}

/*
 * Requests bring deadlines that differ by the milliseconds that they waited:
 * telling the server each would cost a trip per statement. Ours counts anyway.
 */
static bool
is_told(const struct ct_pg *pg)
{
	return pg->timeout_ms <= pg->server_timeout_ms &&
	       pg->timeout_ms >= pg->server_timeout_ms / 2;
}

enum ct_rc
pg_enter(struct ct_pg *pg, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	if (pg->copying)
		ct_bug("a statement during COPY");
	pg->start_us = ct_mono_us();
	if (pg->conn && !pg->in_tx && pg->start_us - pg->used_us > IDLE_US)
		look_at_idle(pg);
	if (pg->conn == NULL) {
		/* A new connection would go on outside the transaction. */
		if (pg->in_tx)
			return ct_fail(err, CT_RETRY, "db_away",
			    "the database went away within a transaction");
		rc = connect_now(pg, err);
		if (rc != CT_OK)
			return rc;
	}
	pg->deadline_us = pg->start_us + (int64_t)pg->timeout_ms * 1000;
	if (pg->fetching)
		rc = pg_cursor_settle(pg, err);
	if (rc == CT_OK && !is_told(pg))
		rc = tell_timeout(pg, err);
	return rc;
}

enum ct_rc
ct_pg_ready(struct ct_pg *pg, struct ct_err *err)
{
	enum ct_rc rc = pg_enter(pg, err);

	pg->used_us = ct_mono_us();
	return rc;
}

bool
ct_pg_up(const struct ct_pg *pg)
{
	return pg->conn != NULL;
}

void
ct_pg_timeout(struct ct_pg *pg, int timeout_ms)
{
	pg->timeout_ms = timeout_ms;
}

struct pg_slot *
pg_slot(struct ct_pg *pg, const struct ct_stmt *st)
{
	char labels[CT_METRIC_LABELS];
	size_t i = (size_t)((uintptr_t)st >> 4) * 0x9e3779b1u;

	for (i = (i >> 8) % PG_SLOTS; pg->slots[i].st; i = (i + 1) % PG_SLOTS)
		if (pg->slots[i].st == st)
			return &pg->slots[i];
	if (++pg->nslots >= PG_SLOTS * 3 / 4)
		ct_bug("more statements than PG_SLOTS allows");
	snprintf(labels, sizeof(labels), "statement=\"%s\"", st->name);
	pg->slots[i].st = st;
	pg->slots[i].seconds = ct_metric(CT_M_DB_SECONDS, labels);
	return &pg->slots[i];
}
