/*
 * The calendar against the C library's, and the grammar of times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "common/clock.h"

#define US	INT64_C(1000000)
#define DAY_END INT64_C(84006) /* 2200-01-01 */

static void
test_every_day(void **state)
{
	char text[CT_DAY_MAX], want[32];
	struct tm tm;
	int32_t day, back;
	time_t t;

	(void)state;
	for (day = 0; day < DAY_END; day++) {
		t = (time_t)day * 86400;
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%d", &tm);
		assert_string_equal(ct_day_format(day, text), want);
		assert_true(ct_day_parse(ct_str_of(text), &back));
		assert_int_equal(back, day);
	}
}

static void
test_bad_days(void **state)
{
	static const char *const bad[] = {"", "2026-11-2", "2026-11-222",
	    "2026-1-02", "2026/11/22", "2026-11-22 ", " 2026-11-22",
	    "2026-00-10", "2026-13-10", "2026-01-00", "2026-01-32",
	    "2026-04-31", "2026-02-29", "2100-02-29", "1969-12-31",
	    "2200-01-01", "+026-01-01", "2026-0a-01", "2026-01-0:"};
	int32_t day = 7;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++)
		if (ct_day_parse(ct_str_of(bad[i]), &day))
			fail_msg("%s", bad[i]);
	assert_int_equal(day, 7);
	assert_false(ct_day_parse((struct ct_str){"2026-11-22\0", 11}, &day));
	assert_false(ct_day_parse((struct ct_str){NULL, 0}, &day));
	assert_true(ct_day_parse(CT_STR("2000-02-29"), &day));
	assert_true(ct_day_parse(CT_STR("2024-02-29"), &day));
}

static const struct {
	const char *text;
	enum ct_time_fault fault;
	int64_t us;
} times[] = {
    {"1970-01-01T00:00:00Z", CT_TIME_OK, 0},
    {"2026-11-22T02:10:00+01:00", CT_TIME_OK, 1795309800 * US},
    {"2026-11-22T01:10:00Z", CT_TIME_OK, 1795309800 * US},
    {"2026-11-21T19:40:00-05:30", CT_TIME_OK, 1795309800 * US},
    {"2026-11-22t01:10:00z", CT_TIME_OK, 1795309800 * US},
    {"2026-11-22 01:10:00-00:00", CT_TIME_OK, 1795309800 * US},
    {"2026-11-22T01:10:00.5Z", CT_TIME_OK, 1795309800 * US + 500000},
    {"2026-11-22T01:10:00.000001Z", CT_TIME_OK, 1795309800 * US + 1},
    {"2026-11-22T01:10:00.1234569999Z", CT_TIME_OK, 1795309800 * US + 123456},
    {"2199-12-31T23:59:59.999999Z", CT_TIME_OK, DAY_END * 86400 * US - 1},
    {"2200-01-01T00:00:00Z", CT_TIME_RANGE, 0},
    {"2199-12-31T23:59:59-00:01", CT_TIME_RANGE, 0},
    {"1969-12-31T23:59:59.999999Z", CT_TIME_RANGE, 0},
    {"1970-01-01T00:00:00+00:01", CT_TIME_RANGE, 0},
    {"0000-01-01T00:00:00Z", CT_TIME_RANGE, 0},
    {"9999-12-31T23:59:59Z", CT_TIME_RANGE, 0},
    {"2026-11-22T01:10:00", CT_TIME_NAIVE, 0},
    {"2026-11-22 01:10:00.25", CT_TIME_NAIVE, 0},
    {"", CT_TIME_BAD, 0},
    {"2026-11-22", CT_TIME_BAD, 0},
    {"2026-11-22T", CT_TIME_BAD, 0},
    {"2026-11-22T01:10", CT_TIME_BAD, 0},
    {"2026-11-22T01:10Z", CT_TIME_BAD, 0},
    {"2026-11-22_01:10:00Z", CT_TIME_BAD, 0},
    {"2026-11-22T24:00:00Z", CT_TIME_BAD, 0},
    {"2026-11-22T01:60:00Z", CT_TIME_BAD, 0},
    {"2026-11-22T23:59:60Z", CT_TIME_BAD, 0},
    {"2026-02-29T00:00:00Z", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00.Z", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00.", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00,5Z", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00ZZ", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00Z ", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00+0100", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00+01", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00+24:00", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00+01:60", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00+01:00x", CT_TIME_BAD, 0},
    {"2026-11-22T01:10:00 +01:00", CT_TIME_BAD, 0},
    {"2026-11-22T-1:10:00Z", CT_TIME_BAD, 0},
};

static void
test_times(void **state)
{
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ct_countof(times); i++) {
		us = 0;
		if (ct_time_parse(ct_str_of(times[i].text), &us) !=
			times[i].fault ||
		    us != times[i].us)
			fail_msg("%s: %lld", times[i].text, (long long)us);
	}
	assert_int_equal(
	    ct_time_parse((struct ct_str){NULL, 0}, &us), CT_TIME_BAD);
	/* a NUL is no T, no offset and no end */
	assert_int_equal(
	    ct_time_parse((struct ct_str){"2026-11-22\00001:10:00Z", 20}, &us),
	    CT_TIME_BAD);
	assert_int_equal(
	    ct_time_parse((struct ct_str){"2026-11-22T01:10:00\0", 20}, &us),
	    CT_TIME_BAD);
}

static void
test_time_format(void **state)
{
	char text[CT_TIME_MAX];
	int64_t us, back;

	(void)state;
	assert_string_equal(ct_time_format(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(
	    ct_time_format(1795309800 * US, text), "2026-11-22T01:10:00Z");
	assert_string_equal(ct_time_format(1795309800 * US + 42, text),
	    "2026-11-22T01:10:00.000042Z");
	assert_string_equal(
	    ct_time_format(-1, text), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(
	    ct_time_format(INT64_MAX, text), "294247-01-10T04:00:54.775807Z");
	assert_string_equal(
	    ct_time_format(INT64_MIN, text), "-290308-12-21T19:59:05.224192Z");
	for (us = 0; us < DAY_END * 86400 * US; us += INT64_C(1234567890123)) {
		ct_time_format(us, text);
		assert_int_equal(
		    ct_time_parse(ct_str_of(text), &back), CT_TIME_OK);
		assert_true(back == us);
	}
}

static void
test_day_format_ends(void **state)
{
	char text[CT_DAY_MAX];

	(void)state;
	assert_string_equal(ct_day_format(-1, text), "1969-12-31");
	assert_string_equal(ct_day_format(INT32_MAX, text), "5881580-07-11");
	assert_string_equal(ct_day_format(INT32_MIN, text), "-5877641-06-23");
}

static int64_t
frozen(void)
{
	return 42;
}

static void
test_clocks(void **state)
{
	int64_t (*before)(void) = ct_clock_us, mono = ct_mono_us();
	int64_t off = ct_now_us() - (int64_t)time(NULL) * US;
	struct timespec boot;

	(void)state;
	assert_in_range(off + 2 * US, 0, 4 * US);
	assert_true(ct_mono_us() >= mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	assert_in_range(
	    boot.tv_sec * US + boot.tv_nsec / 1000 - mono, 0, 5 * US);
	assert_in_range(ct_mono_ms() - mono / 1000, 0, 5000);
	ct_clock_us = frozen;
	assert_int_equal(ct_now_us(), 42);
	ct_clock_us = before;
}

static void
test_hours(void **state)
{
	static const char *const good[] = {"00:00", "06:30", "19:59", "23:59"};
	static const char *const bad[] = {"", "6:30", "24:00", "29:00", "30:00",
	    "06:60", "06:3", "06:300", "06-30", "0a:30", "06:3a", " 6:30",
	    "06:30 ", "-1:00"};

	(void)state;
	for (size_t i = 0; i < ct_countof(good); i++)
		assert_true(ct_hour_ok(ct_str_of(good[i])));
	for (size_t i = 0; i < ct_countof(bad); i++)
		if (ct_hour_ok(ct_str_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
	assert_false(ct_hour_ok((struct ct_str){0}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_day),
	    cmocka_unit_test(test_bad_days),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_time_format),
	    cmocka_unit_test(test_day_format_ends),
	    cmocka_unit_test(test_hours),
	    cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
