/*
 * From SQLSTATE to our return codes: one table, the longest match first.
 */
#include <stdio.h>
#include <string.h>

#include "db/pg_internal.h"

struct state {
	const char *prefix;
	enum ct_rc rc;
	bool drop; /* this connection will not do any more */
};

static const struct state states[] = {
    {"23505", CT_CONFLICT, false}, /* unique_violation */
    {"23P01", CT_CONFLICT, false}, /* exclusion_violation */
    {"23", CT_INVALID, false},	   /* integrity constraint violation */
    {"22", CT_INVALID, false},	   /* data exception */
    {"40", CT_RETRY, false},	   /* serialization, deadlock */
    {"55P03", CT_RETRY, false},	   /* lock_not_available: lock_timeout */
    {"57014", CT_RETRY, false},	   /* query_canceled: statement_timeout */
    {"57P", CT_RETRY, true},	   /* server going down or coming up */
    {"53", CT_RETRY, false},	   /* connections, memory, disk */
    {"08", CT_RETRY, true},	   /* connection exception */
    {"25P03", CT_RETRY, true},	   /* idle_in_transaction_session_timeout */
    {"25006", CT_RETRY, true},	   /* read-only: a primary turned standby */
    {"26000", CT_RETRY, true},	   /* our prepared statements are gone */
    {"0A000", CT_RETRY, true},	   /* a migration changed a cached plan */
    {"", CT_INTERNAL, false},
};

static const struct state *
state_of(const struct ct_pg *pg, const char *code)
{
	const struct state *s = states;

	while (strncmp(code, s->prefix, strlen(s->prefix)) != 0)
		s++;
	/* In a transaction that we opened read-only it is our mistake. */
	if (strcmp(s->prefix, "25006") == 0 && pg->tx_read_only)
		s = &states[ct_countof(states) - 1];
	return s;
}

void
pg_count_error(const char *sqlstate)
{
	char labels[CT_METRIC_LABELS];

	snprintf(labels, sizeof(labels), "class=\"%.2s\"", sqlstate);
	ct_metric_add(ct_metric(CT_M_DB_ERRORS, labels), 1);
}

static const char *
field(const PGresult *r, int code)
{
	const char *s = PQresultErrorField(r, code);

	return s ? s : "";
}

enum ct_rc
pg_failed(
    struct ct_pg *pg, const char *name, const PGresult *r, struct ct_err *err)
{
	const char *code = field(r, PG_DIAG_SQLSTATE);
	const char *said = field(r, PG_DIAG_MESSAGE_PRIMARY);

	/* libpq makes results of its own, without SQLSTATE, when the
	 * connection breaks. */
	if (*code == '\0')
		return pg_lost(pg, name, err);
	const struct state *s = state_of(pg, code);
	pg_count_error(code);
	switch (s->rc) {
	case CT_CONFLICT:
		ct_fail(err, CT_CONFLICT, "exists", "exists already");
		ct_err_detail(err, "%s", field(r, PG_DIAG_CONSTRAINT_NAME));
		break;
	case CT_INVALID:
		ct_fail(err, CT_INVALID, NULL, "a value is out of range");
		ct_err_detail(err, "%s: %s %s", name, code, said);
		break;
	case CT_RETRY:
		ct_fail(err, CT_RETRY, "db_away", "the database is busy");
		ct_err_detail(err, "%s: %s %s", name, code, said);
		break;
	default:
		ct_fail(err, s->rc, NULL, "internal error");
		ct_err_detail(err, "%s: %s %s", name, code, said);
	}
	if (s->drop)
		pg_drop(pg);
	return s->rc;
}
