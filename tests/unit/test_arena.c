/*
 * The arena: what it hands out, what it runs at its ends, what ASan may see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sanitizer/asan_interface.h>

#include "common/arena.h"
#include "tests/unit/capture.h"

#define CAP ((size_t)256 * 1024)

static char trace[64];

static void
note(void *data)
{
	strncat(trace, data, sizeof(trace) - strlen(trace) - 1);
}

static int
setup(void **state)
{
	*state = ct_arena_create(CAP);
	trace[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	ct_arena_destroy(*state);
	return 0;
}

static void
test_aligned_zeroed_distinct(void **state)
{
	static const char zero[100];
	char *p, *before = NULL;
	size_t n;
	int round;

	for (round = 0; round < 2; round++) {
		for (n = 0; n < sizeof(zero); n++) {
			p = ct_arena_alloc(*state, n);
			assert_int_equal((uintptr_t)p % 16, 0);
			assert_ptr_not_equal(p, before);
			assert_memory_equal(p, zero, n);
			memset(p, 0xa5, n);
			before = p;
		}
		ct_arena_reset(*state); /* the second round sees used memory */
	}
}

static void
test_reset_keeps_first_block(void **state)
{
	size_t first = ct_arena_footprint(*state);
	char *p = ct_arena_raw(*state, 8), *q;
	int i;

	for (i = 0; i < 100; i++)
		ct_arena_raw(*state, 1000);
	assert_true(ct_arena_footprint(*state) > first);
	assert_true(ct_arena_footprint(*state) <= CAP);
	ct_arena_reset(*state);
	assert_int_equal(ct_arena_footprint(*state), first);
	q = ct_arena_raw(*state, 8);
	assert_ptr_equal(p, q);
}

static void
take_past_cap(void *a)
{
	size_t i;

	for (i = 0; i <= CAP / 1024; i++)
		ct_arena_raw(a, 1024);
}

static void
take_too_much(void *a)
{
	ct_arena_raw(a, CAP);
}

static void
take_absurd(void *a)
{
	ct_arena_raw(a, SIZE_MAX - 8);
}

static void
dup_absurd(void *a)
{
	ct_arena_dup(a, "", SIZE_MAX);
}

static void
test_cap_aborts(void **state)
{
	assert_true(aborts(take_past_cap, *state, "cap"));
	assert_true(aborts(take_too_much, *state, "cap"));
	assert_true(aborts(take_absurd, *state, "cap"));
	assert_true(aborts(dup_absurd, *state, "cap"));
}

static void
test_most_of_the_cap_is_usable(void **state)
{
	size_t i;

	for (i = 0; i < CAP / 1024 * 9 / 10; i++)
		memset(ct_arena_raw(*state, 1000), 1, 1000);
	assert_true(ct_arena_footprint(*state) <= CAP);
}

static void
test_grow(void **state)
{
	char *p, *q, *r;

	p = ct_arena_grow(*state, NULL, 0, 10);
	memcpy(p, "0123456789", 10);
	q = ct_arena_grow(*state, p, 10, 200);
	assert_ptr_equal(p, q);
	memset(q + 10, 'x', 190);
	assert_ptr_equal(ct_arena_grow(*state, q, 200, 50), q);

	/* not the newest any more: moves, and leaves the neighbour alone */
	r = ct_arena_dup(*state, "neighbour", 9);
	q = ct_arena_grow(*state, p, 200, 400);
	assert_ptr_not_equal(p, q);
	memset(q + 200, 'y', 200);
	assert_memory_equal(q, "0123456789xx", 12);
	assert_int_equal(q[199], 'x');
	assert_string_equal(r, "neighbour");

	/* newest, but the block has no room for it */
	r = ct_arena_grow(*state, q, 400, 40000);
	assert_ptr_not_equal(r, q);
	assert_memory_equal(r, "0123456789xx", 12);
	memset(r, 'z', 40000);
}

static void
test_grow_of_nothing_is_not_the_next(void **state)
{
	char *p = ct_arena_raw(*state, 0), *q = ct_arena_raw(*state, 16);
	char *r;

	memset(q, 'q', 16);
	r = ct_arena_grow(*state, p, 0, 16);
	memset(r, 'r', 16);
	assert_int_equal(q[0], 'q');
}

static void
test_grow_after_rewind_moves(void **state)
{
	struct ct_mark m;
	char *p, *q, *r;

	p = ct_arena_raw(*state, 16);
	memset(p, 'p', 16);
	m = ct_arena_mark(*state);
	q = ct_arena_raw(*state, 16);
	ct_arena_rewind(*state, m);
	r = ct_arena_raw(*state, 16);
	assert_ptr_equal(q, r);
	memset(r, 'r', 16);
	p = ct_arena_grow(*state, p, 16, 64);
	memset(p + 16, 'p', 48);
	assert_int_equal(r[0], 'r');
}

static void
test_dup_and_printf(void **state)
{
	char *p, *q, want[2000];

	p = ct_arena_dup(*state, "a\0bc", 3);
	assert_memory_equal(p, "a\0b", 4);
	assert_string_equal(ct_arena_dup(*state, NULL, 0), "");
	assert_string_equal(ct_arena_printf(*state, "%d-%s", 42, "x"), "42-x");
	memset(want, 'w', sizeof(want));
	for (size_t n = 250; n < 262; n++) { /* around the short path's end */
		want[n] = '\0';
		q = ct_arena_printf(*state, "%s", want);
		assert_string_equal(q, want);
		want[n] = 'w';
	}
	want[1999] = '\0';
	assert_string_equal(ct_arena_printf(*state, "%s", want), want);
}

static void
test_defer_newest_first(void **state)
{
	struct ct_defer *d;
	char one[] = "1", two[] = "2", three[] = "3";

	ct_arena_defer(*state, note, one);
	d = ct_arena_defer(*state, note, two);
	ct_arena_defer(*state, note, three);
	ct_arena_disarm(d);
	ct_arena_disarm(NULL);
	assert_string_equal(trace, "");
	ct_arena_reset(*state);
	assert_string_equal(trace, "31");
	ct_arena_reset(*state);
	assert_string_equal(trace, "31");
}

static void
test_defer_at_destroy_sees_its_memory(void **state)
{
	struct ct_arena *a = ct_arena_create(CAP);

	(void)state;
	ct_arena_defer(a, note, ct_arena_dup(a, "old", 3));
	ct_arena_raw(a, 50000);
	ct_arena_defer(a, note, ct_arena_dup(a, "new", 3));
	ct_arena_destroy(a);
	assert_string_equal(trace, "newold");
	ct_arena_destroy(NULL);
}

static void
test_rewind(void **state)
{
	char keep[] = "k", since[] = "s";
	struct ct_mark m;
	size_t before;
	char *p, *q;

	p = ct_arena_dup(*state, "stays", 5);
	ct_arena_defer(*state, note, keep);
	before = ct_arena_footprint(*state);
	m = ct_arena_mark(*state);
	for (int batch = 0; batch < 50; batch++) {
		trace[0] = '\0';
		ct_arena_defer(*state, note, since);
		q = ct_arena_raw(*state, 30000);
		memset(q, 1, 30000);
		ct_arena_rewind(*state, m);
		assert_string_equal(trace, "s");
		assert_int_equal(ct_arena_footprint(*state), before);
	}
	assert_string_equal(p, "stays");
	ct_arena_reset(*state);
	assert_string_equal(trace, "sk");
}

static void
test_poison(void **state)
{
	struct ct_mark m;
	char *p, *q;

	p = ct_arena_raw(*state, 32);
	assert_false(__asan_address_is_poisoned(p));
	assert_false(__asan_address_is_poisoned(p + 31));
	assert_true(__asan_address_is_poisoned(p + 32));
	ct_arena_raw(*state, 32); /* a red zone lies in between */
	assert_true(__asan_address_is_poisoned(p + 32));
	m = ct_arena_mark(*state);
	q = ct_arena_raw(*state, 32);
	ct_arena_rewind(*state, m);
	assert_true(__asan_address_is_poisoned(q));
	assert_false(__asan_address_is_poisoned(p));
	ct_arena_reset(*state);
	assert_true(__asan_address_is_poisoned(p));
	q = ct_arena_raw(*state, 5);
	assert_false(__asan_address_is_poisoned(q + 4));
	assert_true(__asan_address_is_poisoned(q + 5));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_aligned_zeroed_distinct),
	    CASE(test_reset_keeps_first_block),
	    CASE(test_cap_aborts),
	    CASE(test_most_of_the_cap_is_usable),
	    CASE(test_grow),
	    CASE(test_grow_of_nothing_is_not_the_next),
	    CASE(test_grow_after_rewind_moves),
	    CASE(test_dup_and_printf),
	    CASE(test_defer_newest_first),
	    CASE(test_defer_at_destroy_sees_its_memory),
	    CASE(test_rewind),
	    CASE(test_poison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
