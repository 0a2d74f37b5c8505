/*
 * What day it is for a cat: ct_day_start and ct_care_day of the schema over
 * days of 23, 23.5, 24.5 and 25 hours, hours that are skipped or repeated, and
 * days that do not exist.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "db/migrate.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_arena *arena;
static struct ct_err err;

static const struct ct_stmt day_start = {"t_day_start", CT_GLOBAL, CT_READ,
    "dtt", NULL, "select ct_day_start($1, $2, $3::time) as at"};
static const struct ct_stmt care_day = {"t_care_day", CT_GLOBAL, CT_READ, "ztt",
    NULL, "select ct_care_day($1, $2, $3::time) as day"};

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	pg = ct_pg_open(cluster->url, "test", 20000);
	arena = ct_arena_create(1 << 20);
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

static const struct ct_res *
run(const struct ct_stmt *st, struct ct_params *p, const char *zone,
    const char *starts)
{
	const struct ct_res *r = NULL;

	ct_p_text(p, ct_str_of(zone));
	ct_p_text(p, ct_str_of(starts));
	if (ct_pg_run(pg, st, p, arena, &r, &err) != CT_OK)
		fail_msg("%s", err.detail);
	return r;
}

static int64_t
start_of(const char *day, const char *zone, const char *starts, int plus)
{
	struct ct_params p;
	int32_t d = 0;

	ct_arena_reset(arena);
	assert_true(ct_day_parse(ct_str_of(day), &d));
	ct_params_init(&p, arena);
	ct_p_day(&p, d + plus);
	return ct_res_time(run(&day_start, &p, zone, starts), 0, 0);
}

static int32_t
day_of(int64_t us, const char *zone, const char *starts)
{
	struct ct_params p;

	ct_arena_reset(arena);
	ct_params_init(&p, arena);
	ct_p_time(&p, us);
	return ct_res_day(run(&care_day, &p, zone, starts), 0, 0);
}

static int64_t
instant(const char *text)
{
	int64_t us = 0;

	assert_int_equal(ct_time_parse(ct_str_of(text), &us), CT_TIME_OK);
	return us;
}

struct vector {
	const char *zone, *day, *starts;
	const char *from; /* start of the day */
	int minutes;	  /* its length */
};

static const struct vector vectors[] = {
    /* Ordinary days and odd offsets. */
    {"UTC", "2026-06-01", "00:00", "2026-06-01T00:00:00Z", 1440},
    {"Asia/Kathmandu", "2026-06-01", "00:00", "2026-05-31T18:15:00Z", 1440},
    {"Asia/Kathmandu", "2026-06-01", "06:00", "2026-06-01T00:15:00Z", 1440},
    {"Pacific/Kiritimati", "2026-01-01", "00:00", "2025-12-31T10:00:00Z", 1440},
    {"America/St_Johns", "2026-07-01", "00:00", "2026-07-01T02:30:00Z", 1440},
    /* 23 and 25 hours. */
    {"America/New_York", "2026-03-08", "00:00", "2026-03-08T05:00:00Z", 1380},
    {"America/New_York", "2026-11-01", "00:00", "2026-11-01T04:00:00Z", 1500},
    {"Europe/London", "2026-03-29", "00:00", "2026-03-29T00:00:00Z", 1380},
    {"Europe/London", "2026-10-25", "00:00", "2026-10-24T23:00:00Z", 1500},
    /* Half an hour. */
    {"Australia/Lord_Howe", "2026-04-05", "00:00", "2026-04-04T13:00:00Z",
	1470},
    {"Australia/Lord_Howe", "2026-10-04", "00:00", "2026-10-03T13:30:00Z",
	1410},
    /* Midnight does not exist: the day begins at 01:00 local. */
    {"America/Havana", "2026-03-08", "00:00", "2026-03-08T05:00:00Z", 1380},
    {"Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00:00Z", 1380},
    {"Asia/Beirut", "2026-03-29", "00:00", "2026-03-28T22:00:00Z", 1380},
    /* Midnight comes twice: the first one. */
    {"America/Havana", "2026-11-01", "00:00", "2026-11-01T04:00:00Z", 1500},
    /* The change belongs to the day before when days begin later. */
    {"America/New_York", "2026-03-07", "06:00", "2026-03-07T11:00:00Z", 1380},
    {"America/New_York", "2026-03-08", "06:00", "2026-03-08T10:00:00Z", 1440},
    {"America/New_York", "2026-10-31", "06:00", "2026-10-31T10:00:00Z", 1500},
    {"Europe/London", "2026-10-24", "06:00", "2026-10-24T05:00:00Z", 1500},
    /* 02:30 lies in the gap: 03:00 local; Lord Howe skips 02:00-02:30. */
    {"America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00:00Z", 1410},
    {"America/New_York", "2026-03-07", "02:30", "2026-03-07T07:30:00Z", 1410},
    {"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00Z", 1410},
    {"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00Z",
	1425},
    /* 02:30 comes twice in Berlin, 01:45 in Lord Howe: the first one. */
    {"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00Z", 1500},
    {"Europe/Berlin", "2026-10-24", "02:30", "2026-10-24T00:30:00Z", 1440},
    {"Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45:00Z",
	1470},
    /* Samoa left out 30 December 2011: that day has no instant. */
    {"Pacific/Apia", "2011-12-29", "00:00", "2011-12-29T10:00:00Z", 1440},
    {"Pacific/Apia", "2011-12-30", "00:00", "2011-12-30T10:00:00Z", 0},
    {"Pacific/Apia", "2011-12-31", "00:00", "2011-12-30T10:00:00Z", 1440},
};

static void
test_vectors(void **state)
{
	char got[CT_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < ct_countof(vectors); i++) {
		const struct vector *v = &vectors[i];
		int64_t from = start_of(v->day, v->zone, v->starts, 0);
		int64_t to = start_of(v->day, v->zone, v->starts, 1);
		int32_t day = 0;

		if (from != instant(v->from) ||
		    to - from != v->minutes * INT64_C(60000000))
			fail_msg("%s %s %s: starts %s, %lld min", v->zone,
			    v->day, v->starts, ct_time_format(from, got),
			    (long long)(to - from) / 60000000);
		if (v->minutes == 0)
			continue;
		assert_true(ct_day_parse(ct_str_of(v->day), &day));
		assert_int_equal(day_of(from, v->zone, v->starts), day);
		assert_int_equal(day_of(to - 1, v->zone, v->starts), day);
		assert_true(day_of(from - 1, v->zone, v->starts) < day);
		assert_true(day_of(to, v->zone, v->starts) > day);
	}
}

static void
test_repeated_hour(void **state)
{
	static const char *const both[] = {
	    "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"};
	int32_t day = 0;

	(void)state;
	assert_true(ct_day_parse(CT_STR("2026-11-01"), &day));
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    day_of(instant(both[i]), "America/New_York", "00:00"), day);
	/* Days that begin at 01:30 begin at the first one. */
	assert_int_equal(
	    day_of(instant(both[0]), "America/New_York", "01:30"), day);
	assert_int_equal(
	    day_of(instant(both[0]) - 1, "America/New_York", "01:30"), day - 1);
	assert_int_equal(
	    day_of(instant(both[1]), "America/New_York", "01:30"), day);
}

/* The skipped day is nobody's: the instant before it ends the 29th. */
static void
test_day_that_does_not_exist(void **state)
{
	int64_t change = instant("2011-12-30T10:00:00Z");
	int32_t day = 0;

	(void)state;
	assert_true(ct_day_parse(CT_STR("2011-12-31"), &day));
	assert_int_equal(day_of(change, "Pacific/Apia", "00:00"), day);
	assert_int_equal(day_of(change - 1, "Pacific/Apia", "00:00"), day - 2);
}

/*
 * The care day of t is the last d with start(d) <= t. Half of the instants are
 * anywhere in 2000 to 2037, half within two days of a change of offset, where
 * the rules are made to fail.
 */
static const char property_sql[] =
    "do $$ declare bad text; begin"
    " perform setseed(0.25);"
    " create temp table z as select unnest(array['UTC','America/New_York',"
    "  'Europe/London','Europe/Berlin','Australia/Lord_Howe',"
    "  'America/Havana','Africa/Cairo','Asia/Beirut','Asia/Kathmandu',"
    "  'Pacific/Kiritimati','Pacific/Apia','America/St_Johns']) as name;"
    " create temp table change as"
    "  select name, at from z, lateral (select h as at from generate_series("
    "   '2009-01-01'::timestamptz, '2028-01-01', '6 hours') h"
    "   where (h at time zone name) - ((h - interval '6 hours')"
    "    at time zone name) <> interval '6 hours') c;"
    " create temp table probe as"
    "  select name, '2000-01-01'::timestamptz"
    "    + random() * interval '13500 days' as t"
    "   from z, generate_series(1, 1000)"
    "  union all select name, at + (random() - 0.5) * interval '4 days'"
    "   from (select name, at, row_number() over (partition by name"
    "     order by random()) from change, generate_series(1, 100)) c"
    "   where row_number <= 1000;"
    " if (select count(*) from probe) < 20000 then"
    "  raise exception 'too few probes'; end if;"
    " select format('%s %s %s: %s, not %s', name, t, s, got, want) into bad"
    "  from probe, unnest(array['00:00','06:00','02:30']::time[]) s,"
    "  lateral (select ct_care_day(t, name, s) as got) g,"
    "  lateral (select max(d)::date as want from generate_series("
    "   (t - interval '3 days')::date, (t + interval '3 days')::date,"
    "   interval '1 day') d where ct_day_start(d::date, name, s) <= t) w"
    "  where got is distinct from want limit 1;"
    " if bad is not null then raise exception '%', bad; end if;"
    " end $$";

static void
test_property(void **state)
{
	(void)state;
	ct_pg_timeout(pg, 120000);
	if (ct_pg_script(pg, property_sql, &err) != CT_OK)
		fail_msg("%s", err.detail);
	ct_pg_timeout(pg, 20000);
}

/* Starts never go back from one day to the next. */
static void
test_starts_ascend(void **state)
{
	(void)state;
	if (ct_pg_script(pg,
		"do $$ declare bad text; begin"
		" select format('%s %s %s', name, d, s) into bad from z,"
		"  generate_series('2009-01-01'::date, '2028-01-01',"
		"   interval '1 day') d, unnest(array['00:00','02:30']::time[])"
		"   s where ct_day_start(d::date + 1, name, s)"
		"   < ct_day_start(d::date, name, s) limit 1;"
		" if bad is not null then raise exception '%', bad; end if;"
		" end $$",
		&err) != CT_OK)
		fail_msg("%s", err.detail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_repeated_hour),
	    cmocka_unit_test(test_day_that_does_not_exist),
	    cmocka_unit_test(test_property),
	    cmocka_unit_test(test_starts_ascend),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
