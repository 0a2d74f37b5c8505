/* Packing as a station: the same bytes come out, and damage is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/crypto.h"
#include "common/str.h"
#include "common/zstd.h"

static struct ct_arena *a;
static struct ct_err err;

static int
set_up(void **state)
{
	(void)state;
	ct_crypto_init();
	a = ct_arena_create((size_t)64 << 20);
	ct_err_clear(&err);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(a);
	return 0;
}

static enum ct_rc
collect(void *arg, const void *p, size_t n, struct ct_err *e)
{
	(void)e;
	ct_buf_add(arg, p, n);
	return CT_OK;
}

static enum ct_rc
pass(struct ct_zstd *z, struct ct_str in, size_t piece)
{
	for (size_t i = 0; i < in.n; i += piece) {
		size_t n = in.n - i < piece ? in.n - i : piece;

		if (ct_zstd_put(z, in.p + i, n, &err) != CT_OK)
			return err.rc;
	}
	return ct_zstd_end(z, &err);
}

static void
round_trip(struct ct_str plain, size_t piece)
{
	struct ct_mark m = ct_arena_mark(a);
	struct ct_buf packed, back;

	ct_buf_init(&packed, a, 4096);
	ct_buf_init(&back, a, plain.n + 16);
	assert_int_equal(
	    pass(ct_zstd_new(a, 3, (struct ct_out){collect, &packed}), plain,
		piece),
	    CT_OK);
	assert_int_equal(pass(ct_unzstd_new(a, (struct ct_out){collect, &back}),
			     ct_buf_str(&packed), piece),
	    CT_OK);
	assert_true(ct_str_eq(ct_buf_str(&back), plain));
	/* Cut anywhere it has no end. */
	for (size_t n = 0; n < packed.n; n += packed.n / 7 + 1)
		assert_int_equal(
		    pass(ct_unzstd_new(a, (struct ct_out){collect, &back}),
			(struct ct_str){packed.p, n}, piece),
		    CT_MALFORMED);
	ct_arena_rewind(a, m);
}

static void
test_round_trip(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 200000, 3000000};
	char *noise = ct_arena_raw(a, 3000000);
	char *calm = ct_arena_alloc(a, 3000000);

	(void)state;
	ct_random(noise, 3000000);
	for (size_t i = 0; i < ct_countof(sizes); i++) {
		round_trip((struct ct_str){noise, sizes[i]}, 65536);
		round_trip((struct ct_str){calm, sizes[i]}, 65536);
		round_trip((struct ct_str){calm, sizes[i]}, 3000000);
	}
	round_trip((struct ct_str){noise, 1000}, 1);
}

static void
test_garbage(void **state)
{
	struct ct_buf back;
	char noise[1000];

	(void)state;
	ct_buf_init(&back, a, 4096);
	ct_random(noise, sizeof(noise));
	noise[0] = 'x';
	assert_int_equal(pass(ct_unzstd_new(a, (struct ct_out){collect, &back}),
			     (struct ct_str){noise, sizeof(noise)}, 100),
	    CT_MALFORMED);
	assert_int_equal(back.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
