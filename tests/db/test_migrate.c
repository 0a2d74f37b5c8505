/*
 * Migrations: from nothing, again, by many at once, with a changed or unknown
 * file, and one that fails half-way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto.h"
#include "db/migrate.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_err err;
static size_t applied;

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	private_pg_free(cluster);
	return 0;
}

/* Each test has a database of its own. */
static int
setup(void **state)
{
	static int n;
	char name[16];

	(void)state;
	snprintf(name, sizeof(name), "m%d", ++n);
	pg = ct_pg_open(private_pg_database(cluster, name), "test", 5000);
	ct_err_clear(&err);
	applied = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ct_pg_close(pg);
	return 0;
}

static void
done(const char *name)
{
	assert_string_equal(name, ct_migrations[applied].name);
	applied++;
}

static void
script(const char *sql)
{
	if (ct_pg_script(pg, sql, &err) != CT_OK)
		fail_msg("%s: %s", sql, err.detail);
}

static void
migrate(void)
{
	if (ct_migrate(pg, done, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
}

static void
test_from_nothing_and_again(void **state)
{
	(void)state;
	assert_int_equal(ct_migrate_check(pg, &err), CT_CONFLICT);
	assert_non_null(strstr(err.msg, "catetubectl migrate"));
	migrate();
	assert_int_equal(applied, ct_migrations_n);
	assert_int_equal(ct_migrate_check(pg, &err), CT_OK);
	migrate();
	assert_int_equal(applied, ct_migrations_n);
}

static void
test_changed_file_is_refused(void **state)
{
	(void)state;
	migrate();
	script("update ct_migration set digest = sha256('x')"
	       " where number = 1");
	assert_int_equal(ct_migrate(pg, done, &err), CT_CONFLICT);
	assert_non_null(strstr(err.msg, ct_migrations[0].name));
	assert_int_equal(ct_migrate_check(pg, &err), CT_CONFLICT);
}

static void
test_newer_database_is_refused(void **state)
{
	(void)state;
	migrate();
	script("insert into ct_migration (number, name, digest)"
	       " values (9999, '9999_later.sql', sha256('x'))");
	assert_int_equal(ct_migrate(pg, done, &err), CT_CONFLICT);
	assert_non_null(strstr(err.msg, "9999_later.sql"));
	assert_int_equal(ct_migrate_check(pg, &err), CT_CONFLICT);
}

static void
test_failure_leaves_nothing(void **state)
{
	(void)state;
	/* The file fails where it wants to create this one. */
	script("create table job_run (job_id uuid)");
	assert_int_not_equal(ct_migrate(pg, done, &err), CT_OK);
	assert_non_null(strstr(err.msg, "0001_base.sql"));
	assert_non_null(strstr(err.detail, "42P07"));
	assert_int_equal(applied, 0);
	assert_int_equal(
	    ct_pg_script(pg, "select from cat", &err), CT_INTERNAL);
	script("drop table job_run");
	migrate();
	assert_int_equal(applied, ct_migrations_n);
}

static void
test_missing_one_is_applied(void **state)
{
	(void)state;
	migrate();
	script("delete from ct_migration where number = 2");
	assert_int_equal(ct_migrate_check(pg, &err), CT_CONFLICT);
	applied = 1;
	migrate();
	assert_int_equal(applied, 2);
	assert_int_equal(ct_migrate_check(pg, &err), CT_OK);
}

static void
count_only(const char *name)
{
	(void)name;
	applied++;
}

static void
test_many_at_once(void **state)
{
	enum { N = 6 };
	char url[200];
	pid_t child[N];
	size_t total = 0;

	(void)state;
	snprintf(
	    url, sizeof(url), "%s", private_pg_database(cluster, "together"));
	for (int i = 0; i < N; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct ct_pg *own = ct_pg_open(url, "test", 5000);
			enum ct_rc rc = ct_migrate(own, count_only, &err);
			ct_pg_close(own);
			_exit(rc == CT_OK ? (int)applied : 99);
		}
	}
	for (int i = 0; i < N; i++) {
		int status = 0;
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 99);
		total += (size_t)WEXITSTATUS(status);
	}
	assert_int_equal(total, ct_migrations_n);
}

/* The roles of 0002, where the set-up has made them. */
static void
test_roles(void **state)
{
	char url[256];

	(void)state;
	script("create role catetube_app login; create role catetube_backup"
	       " login");
	migrate();
	script("insert into cat (id) values (gen_random_uuid())");
	snprintf(url, sizeof(url), "%s",
	    private_pg_database(cluster, "roles_other"));
	snprintf(url, sizeof(url), "host=%s user=catetube_app dbname=m%d",
	    cluster->dir, 6);
	struct ct_pg *app = ct_pg_open(url, "test", 5000);
	assert_int_equal(ct_migrate_check(app, &err), CT_OK);
	assert_int_equal(
	    ct_pg_script(app, "update cat set name = 'Miez'", &err), CT_OK);
	/* What it may not do itself, its functions do within their bounds. */
	script("insert into audit_event (at, action, noun) values"
	       " (now() - interval '401 days', 'x', 'x'), (now(), 'x', 'x')");
	assert_int_equal(ct_pg_script(app,
			     "do $$ begin if ct_audit_purge(10) <> 1 then"
			     " raise 'not the old one'; end if; end $$",
			     &err),
	    CT_OK);
	static const char *const denied[] = {"create table x (n int)",
	    "drop table cat", "delete from audit_event",
	    "update audit_event set noun = ''",
	    "insert into zone values ('Mars/Base')",
	    "delete from ct_migration"};
	for (size_t i = 0; i < ct_countof(denied); i++) {
		if (ct_pg_script(app, denied[i], &err) == CT_OK)
			fail_msg("the app role may: %s", denied[i]);
		assert_non_null(strstr(err.detail, "42501"));
	}
	ct_pg_close(app);
	snprintf(url, sizeof(url), "host=%s user=catetube_backup dbname=m%d",
	    cluster->dir, 6);
	struct ct_pg *backup = ct_pg_open(url, "test", 5000);
	assert_int_equal(
	    ct_pg_script(backup, "select count(*) from feeding", &err), CT_OK);
	assert_int_not_equal(
	    ct_pg_script(backup, "update cat set name = ''", &err), CT_OK);
	assert_non_null(strstr(err.detail, "42501"));
	ct_pg_close(backup);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_from_nothing_and_again),
	    T(test_changed_file_is_refused),
	    T(test_newer_database_is_refused),
	    T(test_failure_leaves_nothing),
	    T(test_missing_one_is_applied),
	    T(test_roles),
	    T(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
