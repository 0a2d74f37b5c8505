/*
 * Cron lines: what is taken and refused, the next slot against a plain reading
 * that looks at every minute, days on which clocks change, what is due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/cron.h"

static struct ct_err err;

static struct ct_cron
cron(const char *line, const char *zone)
{
	struct ct_cron c;

	ct_err_clear(&err);
	if (ct_cron_parse(&c, ct_str_of(line), ct_str_of(zone), &err) != CT_OK)
		fail_msg("%s: %s", line, err.msg);
	return c;
}

/* Seconds of a time with its offset. */
static int64_t
at(const char *text)
{
	int64_t us;

	if (ct_time_parse(ct_str_of(text), &us) != CT_TIME_OK)
		fail_msg("no time: %s", text);
	return us / 1000000;
}

static void
refused(void **state)
{
	static const char *const lines[] = {"", "* * * *", "* * * * * *",
	    "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *",
	    "* * * 13 *", "* * * * 8", "-1 * * * *", "+1 * * * *", "1- * * * *",
	    "-5 * * * *", "5-1 * * * *", "1-2-3 * * * *", ", * * * *",
	    "1, * * * *", "1,,2 * * * *", "*/0 * * * *", "*/ * * * *",
	    "*/60 * * * *", "/5 * * * *", "*5 * * * *", "1.5 * * * *",
	    "0x1 * * * *", "001 * * * *", "* * * foo *", "* * * * january",
	    "mon * * * *", "* * * * jan", "0 0 30 2 *", "0 0 31 2,4,6,9,11 *",
	    "0 0 30 feb */2", "? * * * *", "0 0 L * *", "0 0 * * 5#2",
	    "@reboot", "@daily 5", "@every", "@every 0s", "@every 5",
	    "@every 5y", "@every -5s", "@every 1h30m", "@every 367d",
	    "@every 99999999999999999999s", "@", "0\t0\t1\t1\t1\t", "0 0 0 0 0",
	    "* * * * *\n"};
	struct ct_cron c;

	(void)state;
	for (size_t i = 0; i < ct_countof(lines); i++) {
		ct_err_clear(&err);
		if (ct_cron_parse(&c, ct_str_of(lines[i]), CT_STR("UTC"),
			&err) != CT_INVALID)
			fail_msg("taken: \"%s\"", lines[i]);
		assert_true(err.msg[0] != '\0');
	}
}

static void
zones(void **state)
{
	static const char *const bad[] = {"", "Europe/Nowhere", "../UTC",
	    "Europe", "/UTC", "right/UTC", "posix/UTC", "Europe/Berlin ",
	    "Europe/../UTC", "zone.tab", ":UTC", "UTC0", "tzdata.zi"};
	struct ct_cron c;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		ct_err_clear(&err);
		if (ct_cron_parse(&c, CT_STR("@daily"), ct_str_of(bad[i]),
			&err) != CT_INVALID)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_true(ct_zone_ok(CT_STR("America/Argentina/Buenos_Aires")));
	assert_true(ct_zone_ok(CT_STR("Etc/GMT+3")));
	assert_false(ct_zone_ok((struct ct_str){"UTC\0", 4}));
}

/* line, zone, after, the next slots */
static const struct {
	const char *line, *zone, *after, *next[4];
} vectors[] = {
    {"*/15 * * * *", "UTC", "2026-11-22T10:00:00Z",
	{"2026-11-22T10:15:00Z", "2026-11-22T10:30:00Z"}},
    {"*/15 * * * *", "UTC", "2026-11-22T10:14:59Z", {"2026-11-22T10:15:00Z"}},
    {"30 3 * * *", "Europe/Berlin", "2026-11-22T10:00:00Z",
	{"2026-11-23T03:30:00+01:00", "2026-11-24T03:30:00+01:00"}},
    {"0 9-17/4 * * mon-fri", "UTC", "2026-11-20T12:00:00Z",
	{"2026-11-20T13:00:00Z", "2026-11-20T17:00:00Z",
	    "2026-11-23T09:00:00Z"}},
    {"5/20 0 1 JAN,jul *", "UTC", "2026-11-22T00:00:00Z",
	{"2027-01-01T00:05:00Z", "2027-01-01T00:25:00Z", "2027-01-01T00:45:00Z",
	    "2027-07-01T00:05:00Z"}},
    /* Sunday by any name. */
    {"0 0 * * 7", "UTC", "2026-11-21T00:00:00Z",
	{"2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"}},
    {"0 0 * * sat-sun", "UTC", "2026-11-20T00:00:00Z",
	{"2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z",
	    "2026-11-28T00:00:00Z"}},
    {"@weekly", "UTC", "2026-11-21T00:00:00Z", {"2026-11-22T00:00:00Z"}},
    /* The 13th or a Friday; the first days if they are Mondays. */
    {"0 0 13 * fri", "UTC", "2026-11-12T00:00:00Z",
	{"2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z",
	    "2026-12-04T00:00:00Z"}},
    {"0 0 */40 * mon", "UTC", "2026-11-12T00:00:00Z", {NULL}},
    {"0 0 */30 * mon", "UTC", "2026-11-12T00:00:00Z",
	{"2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z",
	    "2027-05-31T00:00:00Z"}},
    /* Leap days: 2100 has none. */
    {"0 12 29 2 *", "UTC", "2026-03-01T00:00:00Z",
	{"2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"}},
    {"0 12 29 2 *", "UTC", "2096-02-29T12:00:00Z", {"2104-02-29T12:00:00Z"}},
    {"0 0 29 2 */7", "UTC", "2026-01-01T00:00:00Z", {"2032-02-29T00:00:00Z"}},
    {"0 0 31 * *", "UTC", "2026-01-31T00:00:00Z",
	{"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
    /* Berlin: no 02:00 to 03:00 on 29 March, two on 25 October. */
    {"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
	{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00",
	    "2026-03-30T02:30:00+02:00"}},
    {"10,40 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
	{"2026-03-29T03:00:00+02:00", "2026-03-30T02:10:00+02:00"}},
    {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
	{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
    {"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
	{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
    {"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
	{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00",
	    "2026-10-25T03:30:00+01:00"}},
    {"*/30 * * * *", "Europe/Berlin", "2026-10-25T00:20:00Z",
	{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00",
	    "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
    /* New York: 8 March and 1 November. */
    {"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00",
	{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
    {"30 1 * * *", "America/New_York", "2026-11-01T00:00:00-04:00",
	{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
    /* Lord Howe turns its clock by half an hour: 5 April, 4 October. */
    {"45 1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00:00+11:00",
	{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
    {"15 2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00:00+10:30",
	{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
    {"45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00:00+11:00",
	{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30",
	    "2026-04-05T02:45:00+10:30"}},
    /* Samoa had no 30 December 2011 at all. */
    {"0 12 * * *", "Pacific/Apia", "2011-12-29T13:00:00-10:00",
	{"2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"}},
    /* Counted from 1970, whatever the wall says. */
    {"@every 8h", "Europe/Berlin", "2026-03-29T00:00:00Z",
	{"2026-03-29T08:00:00Z", "2026-03-29T16:00:00Z",
	    "2026-03-30T00:00:00Z"}},
    {"@every 90s", "UTC", "2026-11-22T00:00:00Z",
	{"2026-11-22T00:01:30Z", "2026-11-22T00:03:00Z"}},
};

static void
next_slots(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_countof(vectors); i++) {
		struct ct_cron c = {0};
		int64_t t = at(vectors[i].after);

		if (vectors[i].next[0] == NULL) {
			ct_err_clear(&err);
			assert_int_equal(
			    ct_cron_parse(&c, ct_str_of(vectors[i].line),
				ct_str_of(vectors[i].zone), &err),
			    CT_INVALID);
			continue;
		}
		c = cron(vectors[i].line, vectors[i].zone);
		for (int k = 0; k < 4 && vectors[i].next[k] != NULL; k++) {
			char got[CT_CRON_TEXT];

			t = ct_cron_next(&c, t);
			if (t != at(vectors[i].next[k]))
				fail_msg("%s in %s: %s, expected %s",
				    vectors[i].line, vectors[i].zone,
				    ct_cron_text(&c, t, got),
				    vectors[i].next[k]);
		}
	}
}

/* ------------------------------------------ a plain reading, by the minute */

#define SPAN_MIN (4 * 1440)

struct minute {
	int64_t shown; /* the wall as if it were UTC */
	struct tm tm;
};
static struct minute minutes[SPAN_MIN];

static void
walk(const char *zone, int64_t begin)
{
	setenv("TZ", zone, 1);
	tzset();
	for (int i = 0; i < SPAN_MIN; i++) {
		time_t t = (time_t)(begin + i * 60);

		localtime_r(&t, &minutes[i].tm);
		minutes[i].shown = begin + i * 60 + minutes[i].tm.tm_gmtoff;
	}
}

static bool
fits(const struct ct_cron *c, int64_t shown)
{
	time_t t = (time_t)shown;
	struct tm tm;
	bool m, w;

	gmtime_r(&t, &tm);
	m = c->mdays >> tm.tm_mday & 1;
	w = c->wdays >> tm.tm_wday & 1;
	return (c->minutes >> tm.tm_min & 1) && (c->hours >> tm.tm_hour & 1) &&
	       (c->months >> (tm.tm_mon + 1) & 1) &&
	       (c->either ? m || w : m && w);
}

/* Is minute i a slot? The rule, as cron.h words it. */
static bool
is_slot(const struct ct_cron *c, int i)
{
	bool every_hour = c->hours == (1 << 24) - 1;
	int64_t before = minutes[i - 1].shown;

	if (every_hour)
		return fits(c, minutes[i].shown);
	/* The wall went on: is there anything in the gap? */
	for (int64_t w = before + 60; w < minutes[i].shown; w += 60)
		if (fits(c, w))
			return true;
	if (!fits(c, minutes[i].shown))
		return false;
	for (int k = i - 1; k >= 0 && k > i - 1440; k--)
		if (minutes[k].shown == minutes[i].shown)
			return false;
	return true;
}

static const struct {
	const char *zone;
	const char *begin; /* two days before the clock is changed */
} changes[] = {
    {"Europe/Berlin", "2026-03-27T00:00:00Z"},
    {"Europe/Berlin", "2026-10-23T00:00:00Z"},
    {"America/New_York", "2026-03-06T00:00:00Z"},
    {"America/New_York", "2026-10-30T00:00:00Z"},
    {"Australia/Lord_Howe", "2026-04-03T00:00:00Z"},
    {"Australia/Lord_Howe", "2026-10-02T00:00:00Z"},
    {"America/Santiago", "2026-04-03T00:00:00Z"}, /* at midnight */
    {"America/Santiago", "2026-09-04T00:00:00Z"},
    {"Pacific/Apia", "2011-12-28T00:00:00Z"},
    {"Asia/Kathmandu", "2026-04-03T00:00:00Z"},
};

/* Every line of these agrees with the plain reading, minute for minute. */
static const char *const lines[] = {"*/4 * * * *", "*/7 * * * *", "30 2 * * *",
    "0,30 0-3 * * *", "*/20 1,2,3 * * *", "0 0 * * *", "59 23 * * *",
    "15 */2 * * *", "45 1 * * sun", "0 12 30 * *", "5 2 * * 0-6",
    "0 3 29 3 sat"};

static void
agrees_with_every_minute(void **state)
{
	int slots = 0;

	(void)state;
	for (size_t z = 0; z < ct_countof(changes); z++)
		for (size_t l = 0; l < ct_countof(lines); l++) {
			struct ct_cron c = cron(lines[l], changes[z].zone);
			int64_t begin = at(changes[z].begin);
			int64_t got = ct_cron_next(&c, begin + 1440 * 60 - 1);

			/* The first day is what the second looks back to. */
			walk(changes[z].zone, begin);
			for (int i = 1440; i < SPAN_MIN; i++) {
				if (!is_slot(&c, i))
					continue;
				if (got != begin + i * 60)
					fail_msg("%s in %s: %lld, expected "
						 "minute %d (%lld)",
					    lines[l], changes[z].zone,
					    (long long)got, i,
					    (long long)begin + i * 60);
				got = ct_cron_next(&c, got);
				slots++;
			}
			assert_true(got >= begin + SPAN_MIN * 60);
		}
	assert_in_range(slots, 10000, 100000);
}

/* ------------------------------------------------------------------- due */

static void
due(void **state)
{
	struct ct_cron c = cron("*/10 * * * *", "UTC");
	int64_t now = at("2026-11-22T10:30:20Z"), missed;
	int64_t s[CT_CRON_DUE];

	(void)state;
	/* One on time runs by any policy. */
	for (int m = CT_MISFIRE_SKIP; m <= CT_MISFIRE_ALL; m++) {
		assert_int_equal(ct_cron_due(&c, (enum ct_misfire)m, 5,
				     now - 30, now, s, &missed),
		    1);
		assert_int_equal(s[0], at("2026-11-22T10:30:00Z"));
		assert_int_equal(missed, 0);
		assert_int_equal(ct_cron_due(&c, (enum ct_misfire)m, 5,
				     now - 20, now, s, &missed),
		    0);
	}
	/* An hour was missed, and one is on time. */
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_SKIP, 5, now - 3600, now, s, &missed),
	    1);
	assert_int_equal(missed, 5);
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_LATEST, 5, now - 3600, now, s, &missed),
	    1);
	assert_int_equal(s[0], at("2026-11-22T10:30:00Z"));
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_ALL, 3, now - 3600, now, s, &missed), 4);
	assert_int_equal(s[0], at("2026-11-22T10:00:00Z"));
	assert_int_equal(s[3], at("2026-11-22T10:30:00Z"));
	assert_int_equal(missed, 2);
	/* ... and none is: two minutes later. */
	now += 120;
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_SKIP, 5, now - 3600, now, s, &missed),
	    0);
	assert_int_equal(missed, 6);
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_LATEST, 5, now - 3600, now, s, &missed),
	    1);
	assert_int_equal(s[0], at("2026-11-22T10:30:00Z"));
	assert_int_equal(missed, 5);
	/* Time that went back owes nothing. */
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_ALL, 100, now + 3600, now, s, &missed),
	    0);
}

/* A line that nobody ran for years is not counted out, and stays bounded. */
static void
due_after_years(void **state)
{
	static const char *const often[] = {
	    "@every 1s", "* * * * *", "0 0 1 1 *", "* * 1 * *"};
	int64_t now = at("2026-11-22T10:30:20Z"), missed, begin;
	int64_t s[CT_CRON_DUE];

	(void)state;
	for (size_t i = 0; i < ct_countof(often); i++) {
		struct ct_cron c = cron(often[i], "Europe/Berlin");
		size_t n;

		begin = ct_mono_ms();
		n = ct_cron_due(
		    &c, CT_MISFIRE_ALL, CT_CRON_ALL, 0, now, s, &missed);
		assert_in_range(n, 50, CT_CRON_DUE);
		assert_true(s[n - 1] <= now);
		assert_true(ct_cron_next(&c, s[n - 1]) > now);
		for (size_t k = 1; k < n; k++)
			assert_int_equal(ct_cron_next(&c, s[k - 1]), s[k]);
		assert_true(ct_mono_ms() - begin < 10000);
	}
}

/* Late by a second or by ten: nothing on time is lost, as at a new leader. */
static void
on_time_is_never_lost(void **state)
{
	struct ct_cron c = cron("@every 1s", "UTC");
	int64_t s[CT_CRON_DUE], missed;

	(void)state;
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_SKIP, 1, 1000000, 1000060, s, &missed),
	    60);
	assert_int_equal(missed, 0);
	assert_int_equal(s[0], 1000001);
	assert_int_equal(
	    ct_cron_due(&c, CT_MISFIRE_SKIP, 1, 1000000, 1000062, s, &missed),
	    61);
	assert_int_equal(missed, 1);
	assert_int_equal(s[0], 1000002);
}

static void
as_text(void **state)
{
	struct ct_cron c = cron("@daily", "Europe/Berlin");
	char out[CT_CRON_TEXT];

	(void)state;
	assert_string_equal(ct_cron_text(&c, at("2026-11-23T02:30:00Z"), out),
	    "2026-11-23 03:30 CET");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused),
	    cmocka_unit_test(zones),
	    cmocka_unit_test(next_slots),
	    cmocka_unit_test(agrees_with_every_minute),
	    cmocka_unit_test(due),
	    cmocka_unit_test(due_after_years),
	    cmocka_unit_test(on_time_is_never_lost),
	    cmocka_unit_test(as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
