/*
 * Every registered statement: names, parameters, ownership by its text, and
 * columns against a freshly migrated schema. And the checks themselves: each
 * must catch what it is there for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "db/migrate.h"
#include "db/verify.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_err err;

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	pg = ct_pg_open(cluster->url, "test", 10000);
	if (ct_migrate(pg, NULL, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	ct_pg_close(pg);
	private_pg_free(cluster);
	return 0;
}

struct names {
	const struct ct_stmt *seen[1024];
	size_t n;
	int faults;
};

static int
check_text(const struct ct_stmt *st, void *arg)
{
	struct names *all = arg;
	const char *why = "";

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->seen[i]->name, st->name) == 0) {
			print_error("%s: a name used twice\n", st->name);
			all->faults++;
		}
	assert_true(all->n < ct_countof(all->seen));
	all->seen[all->n++] = st;
	/* PostgreSQL cuts longer ones, and two could become one. */
	if (strlen(st->name) > 62) {
		print_error("%s: a name too long\n", st->name);
		all->faults++;
	}
	if (!ct_stmt_params_ok(st)) {
		print_error("%s: $1 to $%d for \"%s\"\n", st->name,
		    ct_stmt_params(st), st->sig);
		all->faults++;
	}
	if (!ct_stmt_owned_ok(st, &why)) {
		print_error("%s: %s\n", st->name, why);
		all->faults++;
	}
	return 0;
}

static void
test_registry_text(void **state)
{
	static struct names all;

	(void)state;
	assert_int_equal(ct_stmt_each(check_text, &all), 0);
	assert_true(all.n > 10);
	assert_int_equal(all.faults, 0);
}

static void
report(const struct ct_stmt *st, const char *why, void *arg)
{
	(void)arg;
	print_error("%s: %s\n", st->name, why);
}

static void
test_registry_against_the_schema(void **state)
{
	(void)state;
	assert_int_equal(ct_stmt_verify(pg, report, NULL), 0);
	/* Again: everything is prepared by now. */
	assert_int_equal(ct_stmt_verify(pg, report, NULL), 0);
}

struct told {
	int n;
	char why[200];
};

static void
tell(const struct ct_stmt *st, const char *why, void *arg)
{
	struct told *told = arg;

	(void)st;
	told->n++;
	snprintf(told->why, sizeof(told->why), "%s", why);
}

static const struct ct_field pair_rows[] = {
    {"n", CT_T_INT, 0, 0, 0, 0, NULL, NULL, NULL, ""},
    {"gone", CT_T_INT, 0, CT_F_NOROW, 0, 0, NULL, NULL, NULL, ""},
    {"m", CT_T_TEXT, 0, 0, 0, 0, "other", NULL, NULL, ""},
};
static const struct ct_fields pair =
    CT_FIELDS("pair", struct ct_str[4], pair_rows);

/* What the check at start-up is there to notice, one fault each. */
static void
test_faults_are_found(void **state)
{
	static const struct {
		struct ct_stmt st;
		const char *why; /* NULL: nothing to find */
	} cases[] = {
	    {{"v1", CT_GLOBAL, CT_READ, "", &pair,
		 "select 1::bigint as n, 'x'::text as other"},
		NULL},
	    {{"v2", CT_GLOBAL, CT_READ, "", &pair, "select 1::bigint as n"},
		"no column other for field m"},
	    {{"v3", CT_GLOBAL, CT_READ, "", &pair,
		 "select 1::numeric as n, 'x'::text as other"},
		"column n has type 1700"},
	    {{"v4", CT_GLOBAL, CT_READ, "", NULL, "select nix from cat"},
		"42703"},
	    {{"v5", CT_GLOBAL, CT_READ, "ii", NULL, "select $1"}, "parameters"},
	    {{"v6", CT_OWNED, CT_READ, "u", NULL,
		 "select 1 from cat where id = $1"},
		"does not compare the account"},
	    {{"v7", CT_GLOBAL, CT_READ, "t", NULL,
		 "select 1 from cat where id = $1"},
		"42883"},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++) {
		struct told told = {0};

		ct_stmt_verify_one(pg, &cases[i].st, tell, &told);
		assert_int_equal(told.n, cases[i].why != NULL);
		if (cases[i].why && strstr(told.why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].st.name, told.why);
	}
}

/* The registry is walked against the schema that is there. */
static void
test_wrong_schema_is_caught(void **state)
{
	struct told told = {0};
	struct ct_pg *own =
	    ct_pg_open(private_pg_database(cluster, "wrong"), "test", 10000);

	(void)state;
	assert_int_equal(ct_migrate(own, NULL, &err), CT_OK);
	assert_int_equal(ct_stmt_verify(own, tell, &told), 0);
	ct_pg_close(own);
	char url[200];
	snprintf(url, sizeof(url), "host=%s user=postgres dbname=wrong",
	    cluster->dir);
	own = ct_pg_open(url, "test", 10000);
	assert_int_equal(
	    ct_pg_script(own, "drop table idempotency", &err), CT_OK);
	assert_true(ct_stmt_verify(own, tell, &told) > 0);
	assert_non_null(strstr(told.why, "42P01"));
	ct_pg_close(own);
}

#define OWNED(sig, sql)                                                        \
	{                                                                      \
		"x", CT_OWNED, CT_READ, sig, NULL, sql                         \
	}

static void
test_ownership_rule(void **state)
{
	static const struct ct_stmt good[] = {
	    OWNED("u", "select 1 from cat_member m where m.account_id = $1"),
	    OWNED("u", "select 1 from report where ACCOUNT_ID=$1"),
	    OWNED("u", "select 1 from account where account.id =\n $1"),
	    OWNED("u", "select 1 from account a where a.id = $1 and true"),
	    {"x", CT_GLOBAL, CT_READ, "", NULL, "select * from account"},
	};
	static const struct ct_stmt bad[] = {
	    OWNED("u", "select * from feeding where cat_id = $1"),
	    OWNED("uu", "select * from report where account_id = $2"),
	    OWNED("u", "select 1 from report where account_id = $10"),
	    OWNED("u", "select 1 from report where by_account_id = $1"),
	    OWNED("u", "select 1 from data where data.id = $1"),
	    OWNED("u", "select 1 from report -- account_id = $1"),
	    OWNED("u", "select 1 /* account_id = $1 */ from report"),
	    OWNED("u", "select 'account_id = $1' from report"),
	    OWNED("u", "select 1 as \"account_id = $1\" from report"),
	    OWNED("u", "select 1 from report where account_id <> $1"),
	    OWNED("u", "select 1 from report where account_id = $1x"),
	    OWNED("t", "select 1 from report where account_id = $1"),
	    OWNED("", "select 1 from report"),
	};
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ct_countof(good); i++)
		if (!ct_stmt_owned_ok(&good[i], &why))
			fail_msg("refused: %s: %s", good[i].sql, why);
	for (size_t i = 0; i < ct_countof(bad); i++) {
		why = NULL;
		if (ct_stmt_owned_ok(&bad[i], &why))
			fail_msg("accepted: %s", bad[i].sql);
		assert_non_null(why);
	}
}

static void
test_parameter_rule(void **state)
{
	static const struct ct_stmt cases[] = {
	    OWNED("ui", "select $1, $2, $1"),
	    OWNED("", "select '$1' -- $2"),
	    OWNED("iiiiiiiiii", "select $1,$2,$3,$4,$5,$6,$7,$8,$9,$10"),
	    OWNED("ui", "select $1"),
	    OWNED("u", "select $1, $2"),
	    OWNED("uii", "select $1, $3"),
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++)
		assert_int_equal(ct_stmt_params_ok(&cases[i]), i < 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_registry_text),
	    cmocka_unit_test(test_registry_against_the_schema),
	    cmocka_unit_test(test_faults_are_found),
	    cmocka_unit_test(test_wrong_schema_is_caught),
	    cmocka_unit_test(test_ownership_rule),
	    cmocka_unit_test(test_parameter_rule),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
