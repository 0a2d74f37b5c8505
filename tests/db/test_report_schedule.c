/*
 * Scheduled reports against a migrated schema: a slot becomes one report, a
 * report one mail, whichever way it ends and however often that is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "common/crypto.h"
#include "db/migrate.h"
#include "db/report.h"
#include "db/report_schedule.h"
#include "tests/support/private_pg.h"

#define WHO   "018f0000-0000-7000-8000-000000000001"
#define CAT   "018f0000-0000-7000-8000-000000000002"
#define WEEK  "018f0000-0000-7000-8000-000000000003"
#define OTHER "018f0000-0000-7000-8000-000000000004"
#define MANY  1050
#define TEAMS 6

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_arena *arena;
static struct ct_err err;

static void
sql(const char *text)
{
	ct_err_clear(&err);
	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
}

static const struct ct_res *
ask(const char *text)
{
	struct ct_stmt *st = ct_arena_alloc(arena, sizeof(*st));
	static int serial;
	const struct ct_res *r;
	struct ct_params p;

	st->name = ct_arena_printf(arena, "t_ask_%d", serial++);
	st->sig = "";
	st->sql = text;
	ct_params_init(&p, arena);
	ct_err_clear(&err);
	if (ct_pg_run(pg, st, &p, arena, &r, &err) != CT_OK)
		fail_msg("%s: %s", text, err.detail);
	return r;
}

static int64_t
number(const char *text)
{
	return ct_res_i64(ask(text), 0, 0);
}

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	pg = ct_pg_open(cluster->url, "test", 20000);
	arena = ct_arena_create((size_t)64 << 20);
	if (ct_migrate(pg, NULL, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	ct_pg_close(pg);
	private_pg_free(cluster);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	sql("truncate account, cat, job_outbox, job_run cascade;"
	    "insert into account (id, email, password_hash, first_name,"
	    " email_verified_at) values ('" WHO
	    "', 'a@example.org', 'x', 'Ada',"
	    " now());"
	    "insert into account (id, email, password_hash, first_name,"
	    " email_verified_at) values ('" OTHER "', 'b@example.org', 'x',"
	    " 'Bob', now());"
	    "insert into cat (id, name, timezone) values ('" CAT "', '',"
	    " 'Europe/Berlin');"
	    "insert into cat_member (cat_id, account_id, role)"
	    " values ('" CAT "', '" WHO "', 1);"
	    "insert into report_schedule (id, account_id, cat_id, kind, format,"
	    " weekday, hour, next_at) values ('" WEEK "', '" WHO "', '" CAT "',"
	    " 'feeding', 'csv', 'friday', 6, now() - interval '1 second')");
	return 0;
}

static int64_t
run_once(int64_t *due)
{
	int64_t made = -1;

	ct_err_clear(&err);
	if (ct_report_schedule_run(pg, arena, 1000, due, &made, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
	return made;
}

static void
one_report_for_a_slot(void **state)
{
	int64_t due;

	(void)state;
	assert_int_equal(run_once(&due), 1);
	assert_int_equal(due, 1);
	assert_int_equal(run_once(&due), 0);
	assert_int_equal(due, 0);
	assert_int_equal(
	    number("select count(*) from job_outbox o join report r"
		   " on r.id = o.id and o.task = 'report.generate'"
		   " and o.kwargs ->> 'report_id' = r.id::text"),
	    1);
	assert_int_equal(
	    number("select count(*) from report_schedule where next_at ="
		   " ct_next_weekly(now(), 'Europe/Berlin', 5, 6)"),
	    1);
	/* Even where the same slot comes again. */
	sql("update report_schedule set next_at = last_at");
	assert_int_equal(run_once(&due), 0);
	assert_int_equal(due, 1);
	assert_int_equal(number("select count(*) from report"), 1);
}

/* Workers that look at the same moment, some of them again and again. */
static void *
team(void *arg)
{
	struct ct_pg *own = ct_pg_open(cluster->url, "team", 20000);
	struct ct_arena *a = ct_arena_create((size_t)16 << 20);
	int64_t due = 100, made, *sum = arg;
	struct ct_err e;

	while (due > 0) {
		ct_err_clear(&e);
		if (ct_report_schedule_run(own, a, 100, &due, &made, &e) !=
		    CT_OK)
			due = 100;
		else
			*sum += made;
		ct_arena_reset(a);
	}
	ct_arena_destroy(a);
	ct_pg_close(own);
	return NULL;
}

static void
many_at_once(void **state)
{
	pthread_t threads[TEAMS];
	int64_t made[TEAMS] = {0}, sum = 0;

	(void)state;
	sql(ct_arena_printf(arena,
	    "insert into report_schedule (id, account_id, cat_id, kind, format,"
	    " weekday, hour, next_at) select gen_random_uuid(), '" WHO
	    "', '" CAT "', 'feeding', 'csv', 'friday', 6,"
	    " now() - interval '1 second' from generate_series(2, %d)",
	    MANY));
	for (int i = 0; i < TEAMS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, team, &made[i]), 0);
	for (int i = 0; i < TEAMS; i++) {
		pthread_join(threads[i], NULL);
		sum += made[i];
	}
	assert_int_equal(sum, MANY);
	assert_int_equal(
	    number("select count(distinct schedule_id) from report"), MANY);
	assert_int_equal(number("select count(*) from report"), MANY);
	assert_int_equal(number("select count(*) from job_outbox"), MANY);
}

static struct ct_uuid
made_report(void)
{
	int64_t due;

	assert_int_equal(run_once(&due), 1);
	return ct_res_uuid(ask("select id from report"), 0, 0);
}

static void
finish(const struct ct_uuid *id)
{
	ct_err_clear(&err);
	if (ct_report_finish(pg, arena, id, id, 1, CT_STR("x.csv"), 3, 99, 3600,
		&err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
}

#define MAILS(kind)                                                            \
	number("select count(*) from mail m join job_outbox o on o.id = m.id"  \
	       " and o.task = 'mail.send' where m.kind = '" kind "'"           \
	       " and m.to_address = 'a@example.org' and m.account_id = '" WHO  \
	       "' and m.report_id is not null and m.args ->> 'cat' ="          \
	       " 'your cat' and m.args ->> 'to' <> ''")

static void
ready_is_told_once(void **state)
{
	struct ct_uuid id = made_report();
	struct ct_report_file f;

	(void)state;
	ct_err_clear(&err);
	assert_int_equal(ct_report_file(pg, arena, &id, &f, &err), CT_NOTFOUND);
	finish(&id);
	finish(&id);
	assert_int_equal(MAILS("report"), 1);
	assert_int_equal(number("select count(*) from mail"), 1);
	ct_err_clear(&err);
	assert_int_equal(ct_report_file(pg, arena, &id, &f, &err), CT_OK);
	assert_true(ct_str_is(f.blob, "x.csv") && f.bytes == 99);
	sql("update report set expires_at = now()");
	assert_int_equal(ct_report_file(pg, arena, &id, &f, &err), CT_NOTFOUND);
}

static void
failure_is_told_once(void **state)
{
	struct ct_uuid id = made_report();

	(void)state;
	for (int i = 0; i < 2; i++) {
		ct_err_clear(&err);
		assert_int_equal(
		    ct_report_fail(pg, arena, &id, CT_STR("no"), &err), CT_OK);
	}
	assert_int_equal(MAILS("report_failed"), 1);
	assert_int_equal(number("select count(*) from mail"), 1);
}

/* Reports that nobody scheduled, and those of somebody who may not see them. */
static void
nobody_else_is_told(void **state)
{
	static const char *const never[] = {
	    "update report set schedule_id = null",
	    "update account set status = 'deactivated'",
	    "update account set email_verified_at = null",
	    "delete from cat_member",
	    "update cat_member set account_id = '" OTHER "'"};

	for (size_t i = 0; i < ct_countof(never); i++) {
		struct ct_uuid id;

		setup(state);
		id = made_report();
		sql(never[i]);
		finish(&id);
		assert_int_equal(number("select count(*) from mail"), 0);
	}
}

#define T(fn) cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(one_report_for_a_slot),
	    T(many_at_once), T(ready_is_told_once), T(failure_is_told_once),
	    T(nobody_else_is_told)};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
