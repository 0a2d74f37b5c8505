/* The day's arithmetic: exact sums, percent, caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "care/intake.h"

static void
test_progress(void **state)
{
	static const struct {
		int64_t target, fed, remaining, over, progress;
		bool completed;
	} rows[] = {
	    {210000, 0, 210000, 0, 0, false},
	    {210000, 50000, 160000, 0, 23800, false},
	    {210000, 300, 209700, 0, 100, false},
	    {210000, 104895, 105105, 0, 50000, false}, /* 49.95 rounds up */
	    {210000, 209999, 1, 0, 100000, false},
	    {210000, 210000, 0, 0, 100000, true},
	    {210000, 210001, 0, 1, 100000, true},
	    {210000, 315000, 0, 105000, 150000, true},
	    {1, 1, 0, 0, 100000, true},
	    {3000, 1000, 2000, 0, 33300, false},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_intake in = ct_intake_of(rows[i].target, rows[i].fed);

		assert_int_equal(in.remaining_ul, rows[i].remaining);
		assert_int_equal(in.over_ul, rows[i].over);
		assert_int_equal(in.progress_milli, rows[i].progress);
		assert_int_equal(in.completed, rows[i].completed);
	}
}

/* CARE.md 3.3: 4 kg may have 40 mL softly, 60 mL at the most. */
static void
test_caps(void **state)
{
	(void)state;
	assert_int_equal(ct_meal_cap(40000, 4000), CT_CAP_FINE);
	assert_int_equal(ct_meal_cap(40001, 4000), CT_CAP_SOFT);
	assert_int_equal(ct_meal_cap(60000, 4000), CT_CAP_SOFT);
	assert_int_equal(ct_meal_cap(60001, 4000), CT_CAP_STRONG);
	/* The original's 70 mL is over 15 mL/kg below 4.67 kg. */
	assert_int_equal(ct_meal_cap(70000, 4666), CT_CAP_STRONG);
	assert_int_equal(ct_meal_cap(70000, 4667), CT_CAP_SOFT);
	assert_int_equal(ct_meal_cap(200000, CT_NULL_I64), CT_CAP_FINE);
}

static void
test_over_day(void **state)
{
	(void)state;
	assert_false(ct_over_day(210000, 231000));
	assert_true(ct_over_day(210000, 231001));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_progress),
	    cmocka_unit_test(test_caps),
	    cmocka_unit_test(test_over_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
