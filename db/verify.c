/*
 * Checks of statements: the rule of ownership and the parameters by their
 * text, everything else by asking PostgreSQL to prepare and describe them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg_internal.h"
#include "db/verify.h"

#define SQL_MAX 16384

/* The end of a comment, literal or quoted name that starts at s, or s. */
static const char *
skip_dead(const char *s)
{
	const char *end = NULL;

	if (s[0] == '-' && s[1] == '-')
		return s + strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*') {
		end = strstr(s + 2, "*/");
		return end ? end + 2 : s + strlen(s);
	}
	if (s[0] == '\'' || s[0] == '"') {
		end = strchr(s + 1, s[0]);
		return end ? end + 1 : s + strlen(s);
	}
	return s;
}

/* The text that counts, lower case, without any blanks but between words. */
static void
squeeze(const char *sql, char out[SQL_MAX])
{
	size_t n = 0;
	bool gap = false;

	while (*sql) {
		const char *end = skip_dead(sql);

		if (end > sql || isspace((unsigned char)*sql)) {
			gap = true;
			sql = end > sql ? end : sql + 1;
			continue;
		}
		if (n + 3 > SQL_MAX)
			ct_bug("statement longer than %d bytes", SQL_MAX);
		if (gap && n && (isalnum((unsigned char)out[n - 1])) &&
		    (isalnum((unsigned char)*sql) || *sql == '_'))
			out[n++] = ' ';
		gap = false;
		out[n++] = (char)tolower((unsigned char)*sql++);
	}
	out[n] = '\0';
}

/* `what` as whole words: no letter, digit, '_' or '$' on either side. */
static bool
mentions(const char *text, const char *what)
{
	size_t n = strlen(what);

	for (const char *s = text; (s = strstr(s, what)) != NULL; s++) {
		char before = s > text ? s[-1] : ' ';
		char after = s[n];

		if (!isalnum((unsigned char)before) && before != '_' &&
		    !isalnum((unsigned char)after) && after != '_')
			return true;
	}
	return false;
}

bool
ct_stmt_owned_ok(const struct ct_stmt *st, const char **why)
{
	char text[SQL_MAX];

	if (st->scope != CT_OWNED)
		return true;
	if (st->sig[0] != 'u') {
		*why = "its first parameter is not the account's id";
		return false;
	}
	squeeze(st->sql, text);
	if (mentions(text, "account_id=$1") ||
	    mentions(text, "account.id=$1") || mentions(text, "a.id=$1"))
		return true;
	*why = "it does not compare the account with $1";
	return false;
}

static int
used_params(const struct ct_stmt *st, bool used[CT_PARAMS + 1])
{
	char text[SQL_MAX];
	int max = 0;

	squeeze(st->sql, text);
	for (const char *s = text; (s = strchr(s, '$')) != NULL; s++) {
		long n = strtol(s + 1, NULL, 10);

		if (n < 1 || n > CT_PARAMS)
			continue;
		used[n] = true;
		max = n > max ? (int)n : max;
	}
	return max;
}

int
ct_stmt_params(const struct ct_stmt *st)
{
	bool used[CT_PARAMS + 1] = {false};

	return used_params(st, used);
}

bool
ct_stmt_params_ok(const struct ct_stmt *st)
{
	bool used[CT_PARAMS + 1] = {false};
	int n = used_params(st, used);

	for (int i = 1; i <= n; i++)
		if (!used[i])
			return false;
	return (size_t)n == strlen(st->sig);
}

struct verify {
	struct ct_pg *pg;
	void (*fault)(const struct ct_stmt *st, const char *why, void *arg);
	void *arg;
	int faults;
};

static void
found(struct verify *v, const struct ct_stmt *st, const char *why)
{
	v->faults++;
	v->fault(st, why, v->arg);
}

static void
compare(struct verify *v, const struct ct_stmt *st, const PGresult *r)
{
	char why[160];

	for (size_t i = 0; st->out && i < st->out->n; i++) {
		const struct ct_field *f = &st->out->f[i];
		const char *name = f->column ? f->column : f->name;

		if (f->flags & CT_F_NOROW)
			continue;
		int col = pg_find_col(r, name, 0);
		if (col >= 0 && pg_type_fits(f->type, PQftype(r, col)))
			continue;
		if (col < 0)
			snprintf(why, sizeof(why), "no column %s for field %s",
			    name, f->name);
		else
			snprintf(why, sizeof(why),
			    "column %s has type %u, which does not fit %s",
			    name, (unsigned)PQftype(r, col), f->name);
		found(v, st, why);
	}
}

/* Both commands go in one trip; the description is *out. */
static enum ct_rc
describe(struct ct_pg *pg, const struct ct_stmt *st, PGresult **out,
    struct ct_err *err)
{
	Oid oids[CT_PARAMS];
	int n = pg_param_oids(st, oids);
	PGresult *r = NULL;
	struct pg_slot *slot = pg_slot(pg, st);
	enum ct_rc rc = pg_enter(pg, err);

	if (rc == CT_OK && !slot->prepared) {
		if (!PQsendPrepare(pg->conn, st->name, st->sql, n, oids))
			return pg_lost(pg, "send", err);
		rc = pg_take(pg, st->name, &r, err);
		PQclear(r);
		slot->prepared = rc == CT_OK;
	}
	if (rc == CT_OK && !PQsendDescribePrepared(pg->conn, st->name))
		return pg_lost(pg, "send", err);
	return rc == CT_OK ? pg_take(pg, st->name, out, err) : rc;
}

static int
verify_one(const struct ct_stmt *st, void *arg)
{
	struct verify *v = arg;
	const char *why = "";
	struct ct_err err;
	PGresult *r = NULL;

	if (!ct_stmt_owned_ok(st, &why))
		found(v, st, why);
	if (!ct_stmt_params_ok(st))
		found(v, st, "its parameters are not those of its signature");
	ct_err_clear(&err);
	if (describe(v->pg, st, &r, &err) != CT_OK) {
		found(v, st, err.detail[0] ? err.detail : err.msg);
		/* Without a server every other one would say the same. */
		return err.rc == CT_RETRY && !ct_pg_up(v->pg);
	}
	compare(v, st, r);
	PQclear(r);
	return 0;
}

int
ct_stmt_verify_one(struct ct_pg *pg, const struct ct_stmt *st,
    void (*fault)(const struct ct_stmt *st, const char *why, void *arg),
    void *arg)
{
	struct verify v = {pg, fault, arg, 0};

	verify_one(st, &v);
	return v.faults;
}

int
ct_stmt_verify(struct ct_pg *pg,
    void (*fault)(const struct ct_stmt *st, const char *why, void *arg),
    void *arg)
{
	struct verify v = {pg, fault, arg, 0};

	ct_stmt_each(verify_one, &v);
	return v.faults;
}

static const struct ct_stmt stmt_facts = {"pg_facts", CT_GLOBAL, CT_READ, "",
    NULL,
    "select current_setting('server_version_num')::bigint as version,"
    " clock_timestamp() as now, current_setting('fsync')::bool"
    " and current_setting('full_page_writes')::bool as durable"};

enum ct_rc
ct_pg_facts(struct ct_pg *pg, struct ct_arena *a, struct ct_pg_facts *out,
    struct ct_err *err)
{
	const struct ct_res *r = NULL;

	if (ct_pg_run(pg, &stmt_facts, NULL, a, &r, err) != CT_OK)
		return err->rc;
	out->version = ct_res_i64(r, 0, ct_res_col(r, "version"));
	out->now_us = ct_res_time(r, 0, ct_res_col(r, "now"));
	out->durable = ct_res_bool(r, 0, ct_res_col(r, "durable"));
	return CT_OK;
}
