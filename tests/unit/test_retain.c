/*
 * Which backups are kept: cases by hand, and three years of nightly backups
 * with the rule applied after each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/retain.h"

#define DAY_US INT64_C(86400000000)

static int64_t
at(const char *text)
{
	int64_t us;

	assert_int_equal(ct_time_parse(ct_str_of(text), &us), CT_TIME_OK);
	return us;
}

/* Times with blanks between; "+" in front of those that are to stay. */
static void
expect(const char *text, int64_t daily, int64_t weekly, int64_t monthly)
{
	struct ct_retain b[32];
	bool want[32];
	char word[40];
	size_t n = 0;
	int used;

	while (sscanf(text, "%39s%n", word, &used) == 1) {
		text += used;
		want[n] = word[0] == '+';
		b[n] =
		    (struct ct_retain){.created_us = at(word + 1), .index = n};
		n++;
	}
	ct_retain(b, n, daily, weekly, monthly);
	for (size_t i = 0; i < n; i++) {
		char t[CT_TIME_MAX];

		if (i > 0)
			assert_true(b[i].created_us <= b[i - 1].created_us);
		if (b[i].keep != want[b[i].index])
			fail_msg("%s: %s", ct_time_format(b[i].created_us, t),
			    b[i].keep ? "kept" : "gone");
	}
}

static void
test_days(void **state)
{
	(void)state;
	/* The newest of a day; in any order. */
	expect("-2026-11-22T01:00:00Z +2026-11-22T23:59:59Z"
	       " -2026-11-21T00:00:00Z +2026-11-21T12:00:00Z"
	       " -2026-11-20T00:00:00Z",
	    2, 0, 0);
	/* Days without one do not count. */
	expect("+2026-11-22T01:00:00Z +2026-06-01T01:00:00Z"
	       " +2025-01-01T01:00:00Z -2024-01-01T01:00:00Z",
	    3, 0, 0);
}

static void
test_weeks(void **state)
{
	(void)state;
	/* 2026-11-23 is a Monday. */
	expect("+2026-11-24T01:00:00Z -2026-11-23T00:00:00Z"
	       " +2026-11-22T23:59:59Z -2026-11-16T00:00:00Z"
	       " +2026-11-15T23:00:00Z -2026-11-09T00:00:00Z",
	    0, 3, 0);
	/* The turn of a year is no turn of a week. */
	expect("+2027-01-01T01:00:00Z -2026-12-31T01:00:00Z"
	       " +2026-12-27T01:00:00Z",
	    0, 2, 0);
}

static void
test_months(void **state)
{
	(void)state;
	expect("+2027-01-01T00:00:00Z +2026-12-31T23:59:59Z"
	       " -2026-12-01T00:00:00Z +2026-11-30T01:00:00Z"
	       " -2026-10-30T01:00:00Z",
	    0, 0, 3);
	/* The same month of another year. */
	expect("+2027-01-01T00:00:00Z +2026-01-31T23:59:59Z", 0, 0, 2);
}

static void
test_edges(void **state)
{
	(void)state;
	ct_retain(NULL, 0, 7, 4, 12);
	/* The newest stays, whatever the rule. */
	expect("-2026-11-21T01:00:00Z +2026-11-22T01:00:00Z", 0, 0, 0);
	/* Before 1970 and after now: a clock that was wrong breaks nothing. */
	expect("+2026-11-21T01:00:00Z +2190-11-22T01:00:00Z", 2, 0, 0);
	/* Kept for one reason does not use up another. */
	expect("+2026-11-22T01:00:00Z +2026-11-21T01:00:00Z"
	       " +2026-11-15T01:00:00Z +2026-10-31T01:00:00Z",
	    2, 2, 2);
}

/* What lies there after three years of a backup each night. */
static void
test_three_years(void **state)
{
	static struct ct_retain b[200];
	int64_t day = at("2024-01-01T02:10:00Z");
	int64_t oldest_days = 0;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 3 * 365; i++, day += DAY_US) {
		size_t kept = 0;

		b[n] = (struct ct_retain){.created_us = day, .index = n};
		n++;
		ct_retain(b, n, 7, 4, 12);
		for (size_t k = 0; k < n; k++)
			if (b[k].keep)
				b[kept++] = b[k];
		n = kept;
		assert_int_equal(b[0].created_us, day);
		assert_true(n <= 7 + 4 + 12);
		oldest_days = (day - b[n - 1].created_us) / DAY_US;
	}
	/* Twelve ends of months, four of weeks, seven days; some coincide. */
	assert_in_range(n, 7 + 11, 7 + 4 + 12);
	assert_in_range(oldest_days, 330, 366);
}

/* Deleted accounts are out of all backups after that long, by the defaults. */
static void
test_default_age(void **state)
{
	static struct ct_retain b[200];
	int64_t day = at("2026-01-01T02:10:00Z");
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 200; i++, day += DAY_US) {
		size_t kept = 0;

		b[n] = (struct ct_retain){.created_us = day, .index = n};
		n++;
		ct_retain(b, n, 7, 4, 0);
		for (size_t k = 0; k < n; k++)
			if (b[k].keep)
				b[kept++] = b[k];
		n = kept;
		assert_true(day - b[n - 1].created_us <= 28 * DAY_US);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_weeks),
	    cmocka_unit_test(test_months),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_three_years),
	    cmocka_unit_test(test_default_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
