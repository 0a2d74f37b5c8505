/* Rules about weights, vomiting and the tube (CARE.md 3.7, 3.8, 3.10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "care/tube.h"
#include "care/vomit.h"
#include "care/weight.h"

#define MINUTE_US (INT64_C(60) * 1000000)

static void
test_change(void **state)
{
	static const struct {
		int64_t now, ref, percent_milli;
	} rows[] = {
	    {4000, 4000, 0},
	    {4200, 4000, 5000},
	    {3800, 4000, -5000},
	    {3600, 4000, -10000},
	    {3920, 4000, -2000},
	    {4002, 4000, 100},	/* 0.05 rounds up */
	    {3998, 4000, -100}, /* and away from zero */
	    {4001, 4000, 0},
	    {3999, 4000, 0},
	    {4250, 3400, 25000},
	    {30000, 100, 29900000},
	    {100, 30000, -99700},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++)
		assert_int_equal(
		    ct_weight_change_milli(rows[i].now, rows[i].ref),
		    rows[i].percent_milli);
}

/* Over 15 %, not at it; 0.5 to 15 kg. */
static void
test_typo(void **state)
{
	(void)state;
	assert_false(ct_weight_typo(4600, 4000));
	assert_true(ct_weight_typo(4601, 4000));
	assert_false(ct_weight_typo(3400, 4000));
	assert_true(ct_weight_typo(3399, 4000));
	assert_false(ct_weight_unusual(500));
	assert_true(ct_weight_unusual(499));
	assert_false(ct_weight_unusual(15000));
	assert_true(ct_weight_unusual(15001));
}

/* -2 % in a week; -5 % and -10 % of a longer time. */
static void
test_loss(void **state)
{
	(void)state;
	assert_int_equal(ct_loss_week(3921, 4000), CT_LOSS_NONE);
	assert_int_equal(ct_loss_week(3920, 4000), CT_LOSS_INFO);
	assert_int_equal(ct_loss_week(4100, 4000), CT_LOSS_NONE);
	assert_int_equal(ct_loss_long(3801, 4000), CT_LOSS_NONE);
	assert_int_equal(ct_loss_long(3800, 4000), CT_LOSS_VET);
	assert_int_equal(ct_loss_long(3601, 4000), CT_LOSS_VET);
	assert_int_equal(ct_loss_long(3600, 4000), CT_LOSS_URGENT);
	assert_int_equal(ct_loss_long(8000, 4000), CT_LOSS_NONE);
}

static void
test_vomit(void **state)
{
	(void)state;
	assert_true(ct_vomit_after_meal(0));
	assert_true(ct_vomit_after_meal(60 * MINUTE_US));
	assert_false(ct_vomit_after_meal(60 * MINUTE_US + 1));
	assert_false(ct_vomit_after_meal(-1));
	assert_false(ct_vomit_after_meal(CT_NULL_I64));
	assert_int_equal(ct_vomit_count(0, 0), 1);
	assert_int_equal(ct_vomit_count(2, 0), 3);
	assert_int_equal(ct_vomit_count(1, 1), 2);
	assert_int_equal(ct_vomit_count(0, 4), 5);
	assert_false(ct_vomit_often(1));
	assert_true(ct_vomit_often(2));
}

#define NIL CT_NULL_I64
static const struct ct_tube_look unseen = {
    NIL, NIL, NIL, NIL, NIL, NIL, NIL, NIL, NIL, NIL, NIL};

/* Each answer alone, and that one not given is never red. */
static void
test_tube(void **state)
{
	struct {
		size_t member;
		int64_t red, fine;
		enum ct_tube_item item;
	} rows[] = {
#define ROW(m, red, item) {offsetof(struct ct_tube_look, m), red, !(red), item}
	    ROW(cap_on, 0, CT_TUBE_CAP),
	    ROW(dressing_soiled, 1, CT_TUBE_DRESSING),
	    ROW(skin_sore, 1, CT_TUBE_SKIN),
	    ROW(discharge_coloured, 1, CT_TUBE_DISCHARGE),
	    ROW(smell, 1, CT_TUBE_SMELL),
	    ROW(suture_holding, 0, CT_TUBE_SUTURE),
	    ROW(patent, 0, CT_TUBE_PATENT),
	    ROW(collar_ok, 0, CT_TUBE_COLLAR),
	    ROW(incident, 1, CT_TUBE_INCIDENT),
	};

	(void)state;
	assert_int_equal(ct_tube_red(&unseen), 0);
	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_tube_look look = unseen;
		int64_t *m =
		    (int64_t *)(void *)((char *)&look + rows[i].member);

		*m = rows[i].red;
		assert_int_equal(ct_tube_red(&look), 1U << rows[i].item);
		*m = rows[i].fine;
		assert_int_equal(ct_tube_red(&look), 0);
	}
}

static void
test_mark(void **state)
{
	static const struct {
		int64_t now, last;
		bool red;
	} rows[] = {
	    {12500, NIL, false},
	    {NIL, 12500, false},
	    {12500, 12500, false},
	    {13000, 12500, false},
	    {13001, 12500, true},
	    {12000, 12500, false},
	    {11999, 12500, true},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_tube_look look = unseen;

		look.mark_mcm = rows[i].now;
		look.last_mark_mcm = rows[i].last;
		assert_int_equal(
		    ct_tube_red(&look), rows[i].red ? 1U << CT_TUBE_MARK : 0);
	}
	for (unsigned i = 0; i < CT_TUBE_ITEMS; i++)
		assert_non_null(ct_tube_item_name(i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_change),
	    cmocka_unit_test(test_typo),
	    cmocka_unit_test(test_loss),
	    cmocka_unit_test(test_vomit),
	    cmocka_unit_test(test_tube),
	    cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
