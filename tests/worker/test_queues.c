/* Which lists a node asks, in which order; weights, priorities, starvation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/node.h"

static struct ct_arena *arena;
static struct ct_queues queues;
static struct ct_str lists[CT_LISTS_MAX];

static enum ct_rc
parse(const char *text)
{
	struct ct_err err;

	ct_err_clear(&err);
	return ct_queues_parse(&queues, arena, text, &err);
}

static int
set_up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

static void
test_parse(void **state)
{
	static const char *const bad[] = {
	    "", ",", ":1", "a:0", "a:1001", "a:x", "a:", "a:-1", "a\nb:1"};
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(bad); i++)
		assert_int_equal(parse(bad[i]), CT_INVALID);
	assert_int_equal(parse(" a:3 ,b,, c:1000"), CT_OK);
	assert_int_equal(queues.n, 3);
	assert_int_equal(queues.row[0].weight, 3);
	assert_int_equal(queues.row[1].weight, 1);
	assert_true(ct_str_is(queues.row[1].list[0], "b"));
	assert_true(ct_str_is(queues.row[1].list[3], "b\x06\x16"
						     "9"));
}

static void
test_parse_most(void **state)
{
	struct ct_buf b;
	int i;

	(void)state;
	ct_buf_init(&b, arena, 1024);
	for (i = 0; i < CT_QUEUES_MAX; i++)
		ct_buf_addf(&b, "q%d,", i);
	ct_buf_addc(&b, '\0');
	assert_int_equal(parse(b.p), CT_OK);
	b.p[b.n - 1] = 'x';
	ct_buf_addc(&b, '\0');
	assert_int_equal(parse(b.p), CT_INVALID);
}

/* In any stretch of the weights' sum each queue is first by its weight. */
static void
test_weights(void **state)
{
	int seen[3], turn, i, last = -1, in_a_row = 0, most = 0;

	(void)state;
	assert_int_equal(parse("a:4,b:2,c:1"), CT_OK);
	for (turn = 0; turn < 7; turn++) {
		if (turn == 0)
			seen[0] = seen[1] = seen[2] = 0;
		assert_int_equal(ct_queues_order(&queues, lists), 12);
		i = lists[0].p[0] - 'a';
		seen[i]++;
		in_a_row = i == last ? in_a_row + 1 : 1;
		most = in_a_row > most ? in_a_row : most;
		last = i;
	}
	assert_int_equal(seen[0], 4);
	assert_int_equal(seen[1], 2);
	assert_int_equal(seen[2], 1);
	/* Smooth: not a a a a b b c. */
	assert_true(most <= 2);
}

/* Every list once; all queues of a priority before the next priority. */
static void
test_priority_first(void **state)
{
	int turn, i, step;
	size_t k;

	(void)state;
	assert_int_equal(parse("a:4,b:2,c:1"), CT_OK);
	for (turn = 1; turn <= 48; turn++) {
		assert_int_equal(ct_queues_order(&queues, lists), 12);
		for (i = 0; i < 12; i++) {
			step = i / 3;
			if (turn % 16 == 0) /* the least urgent come first */
				step = CT_STEPS - 1 - step;
			for (k = 0; k < 3; k++)
				if (ct_str_eq(
					lists[i], queues.row[k].list[step]))
					break;
			assert_true(k < 3);
			assert_true(
			    i % 3 == 0 || !ct_str_eq(lists[i], lists[i - 1]));
		}
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_parse), T(test_parse_most),
	    T(test_weights), T(test_priority_first)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
