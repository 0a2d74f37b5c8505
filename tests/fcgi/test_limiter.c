/* The limiter of one process: exact counts, refill, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>

#include "fcgi/limiter.h"

#define MINUTE_US INT64_C(60000000)
#define START_US  INT64_C(1000000000)

/* A fresh identity for each test: the table lives as long as the program. */
static struct ct_str
identity(void)
{
	static char text[32];
	static unsigned n;

	snprintf(text, sizeof(text), "somebody %u", n++);
	return ct_str_of(text);
}

static void
as_many_as_the_limit_and_no_more(void **state)
{
	static const int64_t limits[] = {1, 2, 7, 10, 60, 200, 1000, 7000};

	(void)state;
	for (size_t i = 0; i < ct_countof(limits); i++) {
		int64_t n = limits[i], left, reset;
		struct ct_str who = identity();

		for (int64_t k = 0; k < n; k++) {
			assert_true(ct_limiter_take(
			    "log", who, n, START_US, &left, &reset));
			assert_int_equal(left, n - 1 - k);
			assert_true(reset >= 1 && reset <= 60);
		}
		assert_false(
		    ct_limiter_take("log", who, n, START_US, &left, &reset));
		assert_int_equal(left, 0);
		assert_int_equal(reset, (MINUTE_US / n + 999999) / 1000000);
	}
}

static void
one_comes_back_after_its_share_of_the_minute(void **state)
{
	struct ct_str who = identity();
	int64_t left, reset, step = MINUTE_US / 10;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(
		    ct_limiter_take("log", who, 10, START_US, &left, &reset));
	assert_false(ct_limiter_take(
	    "log", who, 10, START_US + step - 1, &left, &reset));
	assert_int_equal(reset, 1);
	assert_true(
	    ct_limiter_take("log", who, 10, START_US + step, &left, &reset));
	assert_int_equal(left, 0);
	assert_int_equal(reset, 60);
	assert_false(
	    ct_limiter_take("log", who, 10, START_US + step, &left, &reset));
}

static void
a_minute_later_it_is_full(void **state)
{
	struct ct_str who = identity();
	int64_t left, reset;

	(void)state;
	for (int i = 0; i < 12; i++)
		ct_limiter_take("log", who, 10, START_US, &left, &reset);
	for (int i = 0; i < 10; i++) {
		assert_true(ct_limiter_take(
		    "log", who, 10, START_US + MINUTE_US, &left, &reset));
		assert_int_equal(left, 9 - i);
	}
	assert_false(ct_limiter_take(
	    "log", who, 10, START_US + MINUTE_US, &left, &reset));
}

/* What was refused takes nothing. */
static void
knocking_does_not_lengthen_the_wait(void **state)
{
	struct ct_str who = identity();
	int64_t left, reset;

	(void)state;
	assert_true(ct_limiter_take("log", who, 1, START_US, &left, &reset));
	for (int i = 0; i < 1000; i++)
		assert_false(ct_limiter_take(
		    "log", who, 1, START_US + i, &left, &reset));
	assert_true(ct_limiter_take(
	    "log", who, 1, START_US + MINUTE_US, &left, &reset));
}

static void
classes_and_identities_are_apart(void **state)
{
	int64_t left, reset;
	struct ct_str who = CT_STR("ab");

	(void)state;
	assert_true(ct_limiter_take("x", who, 1, START_US, &left, &reset));
	assert_false(ct_limiter_take("x", who, 1, START_US, &left, &reset));
	assert_true(ct_limiter_take("y", who, 1, START_US, &left, &reset));
	assert_true(
	    ct_limiter_take("x", CT_STR("ac"), 1, START_US, &left, &reset));
}

struct crowd {
	struct ct_str who;
	atomic_int taken;
};

static void *
take_many(void *p)
{
	struct crowd *c = p;
	int64_t left, reset;

	for (int i = 0; i < 20000; i++) {
		if (ct_limiter_take(
			"log", c->who, 5000, START_US, &left, &reset))
			atomic_fetch_add(&c->taken, 1);
	}
	return NULL;
}

static void
threads_share_the_count(void **state)
{
	struct crowd c = {.who = identity()};
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < ct_countof(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_many, &c), 0);
	for (size_t i = 0; i < ct_countof(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&c.taken), 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_many_as_the_limit_and_no_more),
	    cmocka_unit_test(one_comes_back_after_its_share_of_the_minute),
	    cmocka_unit_test(a_minute_later_it_is_full),
	    cmocka_unit_test(knocking_does_not_lengthen_the_wait),
	    cmocka_unit_test(classes_and_identities_are_apart),
	    cmocka_unit_test(threads_share_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
