/*
 * maintenance.purge with a real PostgreSQL: what is past its time goes, in as
 * many batches as it takes, and nothing else; again, it finds nothing.
 */
#include "tests/job/job_fixture.h"

#include <sys/stat.h>

#include "db/migrate.h"
#include "db/purge.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_pg *pg;

#define WHO "018f0000-0000-7000-8000-000000000001"
#define CAT "018f0000-0000-7000-8000-000000000002"

static void
sql(const char *text)
{
	ct_err_clear(&err);
	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
}

static int64_t
count(const char *table)
{
	const char *text =
	    ct_arena_printf(arena, "select count(*) from %s", table);
	struct ct_stmt *st = ct_arena_alloc(arena, sizeof(*st));
	const struct ct_res *r;

	*st = (struct ct_stmt){ct_arena_printf(arena, "t_%p", (void *)st),
	    CT_GLOBAL, CT_READ, "", NULL, text};
	ct_err_clear(&err);
	if (ct_pg_run(pg, st, NULL, arena, &r, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
	return ct_res_i64(r, 0, 0);
}

static int
up(void **state)
{
	const char *url;

	if (group_up(state) != 0)
		return -1;
	cluster = private_pg_new();
	url = private_pg_database(cluster, "jobs");
	setenv("DATABASE_URL", url, 1);
	pg = ct_pg_open(url, "test", 10000);
	if (ct_migrate(pg, NULL, &err) != CT_OK) {
		print_error("%s %s\n", err.msg, err.detail);
		return -1;
	}
	return 0;
}

static int
down(void **state)
{
	ct_pg_close(pg);
	private_pg_free(cluster);
	return group_down(state);
}

/* Own columns and values of each entry kind. */
static const struct {
	const char *table, *cols, *vals;
	int many; /* deleted long ago: more than two batches of one kind */
} entries[] = {
    {"feeding", "amount_ul", "5000", 2100},
    {"medication", "medication_name, dosage, amount_ul", "'M', '1', 1", 3},
    {"weight", "weight_g", "4000", 3},
    {"observation", "kind", "'pain'", 3},
    {"water", "amount_ul", "5000", 3},
    {"tube_check", "cap_on", "true", 3},
};

static void
seed_entries(void)
{
	for (size_t i = 0; i < ct_countof(entries); i++)
		sql(ct_arena_printf(arena,
		    "insert into %s (cat_id, id, given_at, care_day, "
		    "deleted_at,"
		    " %s) select '" CAT "', gen_random_uuid(), now(),"
		    " current_date, case when n <= %d"
		    " then now() - interval '30 days 1 minute'"
		    " when n = %d + 1 then now() - interval '29 days 23 hours'"
		    " end, %s from generate_series(1, %d + 2) n",
		    entries[i].table, entries[i].cols, entries[i].many,
		    entries[i].many, entries[i].vals, entries[i].many));
}

static int
each_up(void **state)
{
	if (test_up(state) != 0)
		return -1;
	sql("truncate account, cat, audit_event, login_failure, erasure"
	    " cascade");
	sql("insert into account (id, email, password_hash, first_name)"
	    " values ('" WHO "', 'a@example.org', 'x', 'Ada');"
	    "insert into cat (id) values ('" CAT "');"
	    "insert into cat_member (cat_id, account_id, role)"
	    " values ('" CAT "', '" WHO "', 4);");
	seed_entries();
	sql("truncate job_run;"
	    "insert into job_run (job_id, task, attempt, finished_at) values"
	    " (gen_random_uuid(), 't', 1, now() - interval '30 days 1 minute'),"
	    " (gen_random_uuid(), 't', 1, now() - interval '29 days 23 "
	    "hours')");
	sql("insert into idempotency (account_id, key, request_hash, "
	    "created_at)"
	    " values ('" WHO "', 'old', 'x', now() - interval '49 hours'),"
	    " ('" WHO "', 'new', 'x', now() - interval '47 hours');"
	    "insert into account_session (token_hash, account_id, seen_at,"
	    " expires_at) values"
	    " (sha256('over'), '" WHO "', now(), now() - interval '1 s'),"
	    " (sha256('idle'), '" WHO "', now() - interval '15 days',"
	    " now() + interval '9 days'),"
	    " (sha256('live'), '" WHO "', now() - interval '13 days',"
	    " now() + interval '9 days');"
	    "insert into audit_event (at, action, noun)"
	    " select now() - interval '401 days', 'change', 'x'"
	    " from generate_series(1, 1500);"
	    "insert into audit_event (at, action, noun)"
	    " values (now() - interval '399 days', 'change', 'x');"
	    "insert into login_failure (email_hash, failures, until_at,"
	    " updated_at) values (sha256('a'), 9, now(), now() - interval"
	    " '31 days'), (sha256('b'), 9, now(), now());"
	    "insert into report (id, account_id, cat_id, kind, format, state,"
	    " blob, expires_at, finished_at) values"
	    " (gen_random_uuid(), '" WHO "', '" CAT "', 'feeding', 'csv',"
	    " 'ready', 'old.csv', now() - interval '1 s', now()),"
	    " (gen_random_uuid(), '" WHO "', '" CAT "', 'feeding', 'csv',"
	    " 'ready', 'new.csv', now() + interval '1 h', now()),"
	    " (gen_random_uuid(), '" WHO "', '" CAT "', 'feeding', 'csv',"
	    " 'failed', null, null, now() - interval '31 days'),"
	    " (gen_random_uuid(), '" WHO "', '" CAT "', 'feeding', 'csv',"
	    " 'failed', null, null, now() - interval '29 days');");
	return 0;
}

static const char *
file(const char *name)
{
	return ct_arena_printf(arena, "%s/reports/%s", server.dir, name);
}

static void
touch(const char *name)
{
	int fd = open(file(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static const char *
purge(void)
{
	const char *id = push("maintenance.purge", "{}", 0);

	UNTIL(job_is(id, "succeeded"));
	return id;
}

static void
test_purge(void **state)
{
	pid_t a;
	const char *id;

	(void)state;
	mkdir(ct_arena_printf(arena, "%s/reports", server.dir), 0700);
	touch("old.csv");
	touch("new.csv");
	a = node_start("a", NULL);
	id = purge();
	/* What was deleted less long ago, and what lives, stays. */
	for (size_t i = 0; i < ct_countof(entries); i++) {
		assert_int_equal(count(entries[i].table), 2);
		assert_true(
		    result_has(id, ct_arena_printf(arena, "\"%s\":%d",
				       entries[i].table, entries[i].many)));
	}
	assert_int_equal(count("idempotency where key = 'new'"), 1);
	assert_int_equal(count("idempotency"), 1);
	assert_int_equal(
	    count("account_session where token_hash = sha256('live')"), 1);
	assert_int_equal(count("account_session"), 1);
	assert_int_equal(count("audit_event"), 1);
	assert_int_equal(count("login_failure"), 1);
	assert_int_equal(count("report where blob = 'new.csv'"), 1);
	assert_int_equal(count("report"), 2);
	assert_int_equal(count("job_run"), 1);
	assert_true(result_has(id, "\"job_run\":1"));
	assert_true(result_has(id, "\"audit_event\":1500"));
	assert_true(result_has(id, "\"report\":2"));
	/* The relay removes the file, and only that. */
	UNTIL(access(file("old.csv"), F_OK) != 0);
	assert_int_equal(access(file("new.csv"), F_OK), 0);
	id = purge();
	for (size_t i = 0; i < ct_purge_steps(); i++)
		assert_true(result_has(
		    id, ct_arena_printf(arena, "\"%s\":0", ct_purge_name(i))));
	node_kill(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, each_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_purge)};

	return cmocka_run_group_tests(tests, up, down);
}
