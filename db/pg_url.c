/* Connection strings for programs of PostgreSQL; see pg_url.h. */
#include "db/pg_url.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/pg_internal.h"

#define ENV_MAX 128

static void
free_options(void *all)
{
	PQconninfoFree(all);
}

static enum ct_rc
parse(struct ct_arena *a, const char *url, PQconninfoOption **out,
    struct ct_err *err)
{
	char *why = NULL;

	*out = PQconninfoParse(url, &why);
	if (*out) {
		ct_arena_defer(a, free_options, *out);
		return CT_OK;
	}
	/* libpq's sentence would repeat the text, with its password. */
	PQfreemem(why);
	return ct_fail(err, CT_INVALID, "config",
	    "an address of PostgreSQL is none: "
	    "postgresql://user@host/database");
}

static bool
is_passed_on(const char *pair)
{
	static const char *const names[] = {"PG", "HOME=", "TZ="};

	for (size_t i = 0; i < ct_countof(names); i++)
		if (strncmp(pair, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool
is_given(const char *const *env, int n, const char *pair)
{
	size_t len = strcspn(pair, "=") + 1;

	for (int i = 0; i < n; i++)
		if (strncmp(env[i], pair, len) == 0)
			return true;
	return false;
}

enum ct_rc
ct_pg_env(struct ct_arena *a, const char *url, const char *const **out,
    struct ct_err *err)
{
	const char **env = ct_arena_alloc(a, ENV_MAX * sizeof(*env));
	PQconninfoOption *all;
	int n = 0;

	if (parse(a, url, &all, err) != CT_OK)
		return err->rc;
	env[n++] = "LC_ALL=C.UTF-8";
	/* As our own connection: the server that takes writes. */
	env[n++] = "PGTARGETSESSIONATTRS=read-write";
	env[n++] = "PGCONNECT_TIMEOUT=15";
	for (PQconninfoOption *o = all; o->keyword && n < ENV_MAX - 1; o++)
		if (o->envvar && o->val && o->val[0] &&
		    !is_given(env, n, ct_arena_printf(a, "%s=", o->envvar)))
			env[n++] =
			    ct_arena_printf(a, "%s=%s", o->envvar, o->val);
	for (char **e = environ; e && *e && n < ENV_MAX - 1; e++)
		if (is_passed_on(*e) && !is_given(env, n, *e))
			env[n++] = *e;
	*out = env;
	return CT_OK;
}

/* 'it''s' as libpq wants it: a backslash before quotes and backslashes. */
static void
add_quoted(struct ct_buf *b, const char *key, const char *value)
{
	ct_buf_addf(b, "%s%s='", b->n ? " " : "", key);
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '\\')
			ct_buf_addc(b, '\\');
		ct_buf_addc(b, *p);
	}
	ct_buf_addc(b, '\'');
}

const char *
ct_pg_dbname_option(struct ct_arena *a, const char *name)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 64);
	add_quoted(&b, "dbname", name);
	return ct_arena_printf(a, "--dbname=%.*s", CT_STR_FMT(ct_buf_str(&b)));
}

enum ct_rc
ct_pg_other_database(struct ct_arena *a, const char *url, const char *name,
    const char **out, struct ct_err *err)
{
	PQconninfoOption *all;
	struct ct_buf b;

	if (parse(a, url, &all, err) != CT_OK)
		return err->rc;
	ct_buf_init(&b, a, 256);
	for (PQconninfoOption *o = all; o->keyword; o++)
		if (o->val && o->val[0] && strcmp(o->keyword, "dbname") != 0)
			add_quoted(&b, o->keyword, o->val);
	add_quoted(&b, "dbname", name);
	ct_buf_addc(&b, '\0');
	*out = b.p;
	return CT_OK;
}
