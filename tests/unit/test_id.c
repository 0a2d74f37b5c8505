/*
 * UUIDs: version and order of those made here, and the text form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

static int64_t clock_now;

static int64_t
test_us(void)
{
	return clock_now;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ct_uuid));
}

static void
test_form(void **state)
{
	struct ct_uuid u = ct_uuid_new();
	int64_t ms = 0, now = ct_now_us() / 1000;

	(void)state;
	assert_int_equal(u.b[6] >> 4, 7);
	assert_int_equal(u.b[8] >> 6, 2);
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u.b[i];
	assert_in_range(now - ms, 0, 5000);
	assert_false(ct_uuid_nil(&u));
}

/* Every bit but version and variant takes both values. */
static void
test_bits_vary(void **state)
{
	uint8_t ones[16] = {0}, zeros[16] = {0};
	struct ct_uuid u;

	(void)state;
	for (int i = 0; i < 300; i++) {
		u = ct_uuid_new();
		for (int k = 8; k < 16; k++) {
			ones[k] |= u.b[k];
			zeros[k] |= (uint8_t)~u.b[k];
		}
	}
	assert_int_equal(ones[8] & zeros[8], 0x3f);
	for (int k = 9; k < 16; k++)
		assert_int_equal(ones[k] & zeros[k], 0xff);
}

/* The clock stands, then goes back by an hour: the order holds. */
static void
test_order_without_the_clock(void **state)
{
	int64_t (*before)(void) = ct_clock_us;
	struct ct_uuid last = ct_uuid_new(), u;

	(void)state;
	clock_now = ct_now_us();
	ct_clock_us = test_us;
	for (int i = 0; i < 10000; i++) {
		if (i == 5000)
			clock_now -= INT64_C(3600000000);
		u = ct_uuid_new();
		assert_true(compare(&last, &u) < 0);
		assert_int_equal(u.b[6] >> 4, 7);
		last = u;
	}
	clock_now = -5; /* must not spoil what comes after */
	u = ct_uuid_new();
	assert_true(compare(&last, &u) < 0);
	ct_clock_us = before;
	u = ct_uuid_new();
	assert_memory_equal(u.b, last.b, 4);
}

#define THREADS 4
#define EACH	20000
static struct ct_uuid made[THREADS][EACH];

static void *
make_many(void *arg)
{
	struct ct_uuid *u = arg;

	for (int i = 0; i < EACH; i++)
		u[i] = ct_uuid_new();
	return NULL;
}

static void
test_threads(void **state)
{
	struct ct_uuid *all = made[0];
	pthread_t t[THREADS];
	int i, k;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, make_many, made[i]), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < THREADS; i++)
		for (k = 1; k < EACH; k++)
			assert_true(compare(&made[i][k - 1], &made[i][k]) < 0);
	qsort(all, THREADS * EACH, sizeof(*all), compare);
	/* not even the stamps before the random bits are given out twice */
	for (i = 1; i < THREADS * EACH; i++)
		assert_memory_not_equal(all[i - 1].b, all[i].b, 8);
}

/* Parent and child must not draw the same random bits. */
static void
test_fork(void **state)
{
	struct ct_uuid mine, childs;
	int fd[2], status;
	pid_t pid;

	(void)state;
	mine = ct_uuid_new(); /* random words lie ready now */
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		childs = ct_uuid_new();
		_exit(write(fd[1], &childs, sizeof(childs)) != sizeof(childs));
	}
	assert_true(pid > 0);
	mine = ct_uuid_new();
	assert_int_equal(read(fd[0], &childs, sizeof(childs)), sizeof(childs));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_memory_not_equal(mine.b + 8, childs.b + 8, 8);
	close(fd[0]);
	close(fd[1]);
}

static void
test_text(void **state)
{
	static const char text[] = "0192f8a0-1b2c-7d3e-8f40-a1b2c3d4e5f6";
	static const uint8_t bytes[16] = {0x01, 0x92, 0xf8, 0xa0, 0x1b, 0x2c,
	    0x7d, 0x3e, 0x8f, 0x40, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6};
	char out[CT_UUID_TEXT], upper[CT_UUID_TEXT];
	struct ct_uuid u, v;

	(void)state;
	assert_true(ct_uuid_parse(ct_str_of(text), &u));
	assert_memory_equal(u.b, bytes, 16);
	assert_ptr_equal(ct_uuid_format(&u, out), out);
	assert_string_equal(out, text);
	for (size_t i = 0; i < sizeof(text); i++)
		upper[i] = (char)toupper(text[i]);
	assert_true(ct_uuid_parse(ct_str_of(upper), &v));
	assert_true(ct_uuid_eq(&u, &v));
	v.b[15] ^= 1;
	assert_false(ct_uuid_eq(&u, &v));
}

/* Every place, every byte: only what belongs there is taken. */
static void
test_text_refused(void **state)
{
	static const char good[] = "0192f8a0-1b2c-7d3e-8f40-a1b2c3d4e5f6";
	struct ct_uuid u = {{9}}, before = u;
	char text[sizeof(good) + 1];
	bool dash, want;

	(void)state;
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(text, good, sizeof(good));
			text[i] = (char)c;
			dash = good[i] == '-';
			want = dash ? c == '-' : isxdigit(c) != 0;
			if (ct_uuid_parse((struct ct_str){text, 36}, &u) !=
			    want)
				fail_msg("place %zu, byte %d", i, c);
		}
	u = before;
	memset(text, '0', sizeof(text));
	assert_false(ct_uuid_parse((struct ct_str){good, 35}, &u));
	assert_false(ct_uuid_parse((struct ct_str){good, 37}, &u));
	assert_false(ct_uuid_parse(CT_STR(""), &u));
	assert_false(ct_uuid_parse((struct ct_str){NULL, 0}, &u));
	assert_false(
	    ct_uuid_parse(CT_STR("00000000-0000-0000-0000-000000000000"), &u));
	assert_false(ct_uuid_parse(
	    CT_STR("{0192f8a0-1b2c-7d3e-8f40-a1b2c3d4e5f6}"), &u));
	assert_true(ct_uuid_eq(&u, &before));
}

static void
test_nil_and_key(void **state)
{
	struct ct_uuid nil = {{0}}, u = {{0}}, v;
	int64_t key;

	(void)state;
	assert_true(ct_uuid_nil(&nil));
	for (int i = 0; i < 16; i++) {
		u = nil;
		u.b[i] = 1;
		assert_false(ct_uuid_nil(&u));
	}
	u = ct_uuid_new();
	key = ct_uuid_key64(&u);
	for (int i = 0; i < 16; i++) { /* every byte counts */
		v = u;
		v.b[i] ^= 0x80;
		assert_true(ct_uuid_key64(&v) != key);
	}
	v = u;
	assert_true(ct_uuid_key64(&v) == key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_form),
	    cmocka_unit_test(test_bits_vary),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_order_without_the_clock),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_text_refused),
	    cmocka_unit_test(test_nil_and_key),
	};

	ct_crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
