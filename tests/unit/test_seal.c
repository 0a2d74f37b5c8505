/*
 * Sealed files: what goes in comes out, whatever the pieces; and each kind of
 * damage is refused by its own name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/seal.h"

#define CHUNK 65536
#define FRAME 16
#define STEP  (FRAME + CHUNK + 17) /* a full chunk in the file */
#define MADE  INT64_C(1763776200000000)

static struct ct_arena *a;
static struct ct_err err;
static uint8_t key[CT_KEY];

static int
set_up(void **state)
{
	(void)state;
	ct_crypto_init();
	a = ct_arena_create((size_t)64 << 20);
	ct_err_clear(&err);
	for (int i = 0; i < CT_KEY; i++)
		key[i] = (uint8_t)i;
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

/* n bytes that differ from chunk to chunk. */
static struct ct_str
plain_of(size_t n)
{
	char *p = ct_arena_raw(a, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + i / CHUNK);
	return (struct ct_str){p, n};
}

static struct ct_str
seal(struct ct_str plain, size_t piece)
{
	struct ct_buf *out = ct_arena_alloc(a, sizeof(*out));
	struct ct_sealer *s;

	ct_buf_init(out, a, plain.n + 4096);
	s = ct_sealer_new(a, key, MADE, (struct ct_out){collect, out});
	for (size_t i = 0; i < plain.n; i += piece) {
		size_t n = plain.n - i < piece ? plain.n - i : piece;

		assert_int_equal(ct_sealer_put(s, plain.p + i, n, &err), CT_OK);
	}
	assert_int_equal(ct_sealer_end(s, &err), CT_OK);
	return ct_buf_str(out);
}

/* The code of the refusal; "" where it opens. *plain: what came out. */
static const char *
open_with(const uint8_t k[CT_KEY], struct ct_str file, size_t piece,
    struct ct_str *plain)
{
	struct ct_buf *out = ct_arena_alloc(a, sizeof(*out));
	struct ct_unsealer *u;
	enum ct_rc rc = CT_OK;

	ct_err_clear(&err);
	ct_buf_init(out, a, file.n + 16);
	u = ct_unsealer_new(a, k, "the file", (struct ct_out){collect, out});
	for (size_t i = 0; rc == CT_OK && i < file.n; i += piece) {
		size_t n = file.n - i < piece ? file.n - i : piece;

		rc = ct_unsealer_put(u, file.p + i, n, &err);
	}
	if (rc == CT_OK)
		rc = ct_unsealer_end(u, &err);
	if (rc == CT_OK)
		assert_int_equal(ct_unsealer_created_us(u), MADE);
	else
		assert_int_equal(rc, CT_MALFORMED);
	if (plain)
		*plain = ct_buf_str(out);
	return rc == CT_OK ? "" : err.code;
}

static const char *
open_file(struct ct_str file)
{
	return open_with(key, file, 4096, NULL);
}

static struct ct_str
copy(struct ct_str s)
{
	return (struct ct_str){ct_arena_dup(a, s.p, s.n), s.n};
}

static void
flip(struct ct_str s, size_t at, int bit)
{
	((char *)(uintptr_t)s.p)[at] ^= (char)(1 << bit);
}

static void
test_round_trip(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7};
	static const size_t pieces[] = {1, 63, 4096, CHUNK, 1 << 20};

	(void)state;
	for (size_t i = 0; i < ct_countof(sizes); i++) {
		struct ct_str plain = plain_of(sizes[i]), back;

		for (size_t j = 0; j < ct_countof(pieces); j++) {
			struct ct_mark m = ct_arena_mark(a);
			struct ct_str file = seal(plain, pieces[j]);
			size_t chunks =
			    sizes[i] ? (sizes[i] - 1) / CHUNK + 1 : 1;

			assert_int_equal(file.n, 64 + sizes[i] + chunks * 33);
			assert_string_equal(
			    open_with(key, file, pieces[j], &back), "");
			assert_true(ct_str_eq(back, plain));
			ct_arena_rewind(a, m);
		}
	}
}

/* The same text twice is never the same file. */
static void
test_files_differ(void **state)
{
	struct ct_str plain = plain_of(1000);
	struct ct_str x = seal(plain, 1000), y = seal(plain, 1000);

	(void)state;
	assert_int_equal(x.n, y.n);
	assert_memory_equal(x.p, y.p, 32);
	assert_memory_not_equal(x.p + 32, y.p + 32, 24);
	assert_memory_not_equal(x.p + 80, y.p + 80, 1000);
	assert_null(memmem(x.p, x.n, plain.p, 64));
}

static void
test_cut_short(void **state)
{
	struct ct_str file = seal(plain_of(3 * CHUNK), CHUNK);

	(void)state;
	for (size_t n = 0; n < file.n; n += n < 200 ? 1 : 997) {
		struct ct_mark m = ct_arena_mark(a);

		assert_string_equal(
		    open_file((struct ct_str){file.p, n}), "truncated");
		ct_arena_rewind(a, m);
	}
	/* At the end of a chunk, too. */
	assert_string_equal(
	    open_file((struct ct_str){file.p, 64 + STEP}), "truncated");
	assert_string_equal(
	    open_file((struct ct_str){file.p, file.n - 1}), "truncated");
	assert_string_equal(err.msg,
	    "the file is cut short: it ends after 196770 bytes, "
	    "before its end");
}

/* Each bit of the first bytes, and some of all others. */
static void
test_one_bit(void **state)
{
	struct ct_str file = seal(plain_of(2 * CHUNK + 100), CHUNK);

	(void)state;
	for (size_t at = 0; at < file.n; at += at < 200 ? 1 : 613) {
		struct ct_mark m = ct_arena_mark(a);
		struct ct_str bad = copy(file);
		const char *code;

		flip(bad, at, (int)(at % 8));
		code = open_file(bad);
		assert_string_equal(code, at < 8 ? "not_a_backup" : "altered");
		ct_arena_rewind(a, m);
	}
}

/* What comes out of a damaged file is its beginning, never anything else. */
static void
test_only_authentic(void **state)
{
	struct ct_str plain = plain_of(3 * CHUNK), back;
	struct ct_str bad = copy(seal(plain, CHUNK));

	(void)state;
	flip(bad, 64 + 2 * STEP + FRAME + 5, 0);
	assert_string_equal(open_with(key, bad, 4096, &back), "altered");
	assert_int_equal(back.n, 2 * CHUNK);
	assert_memory_equal(back.p, plain.p, back.n);
	assert_string_equal(err.msg,
	    "the file was altered: a chunk at byte 131218 is not what was "
	    "written");
}

static void
test_other_order(void **state)
{
	struct ct_str file = seal(plain_of(4 * CHUNK), CHUNK);
	struct ct_str bad = copy(file);
	char *p = (char *)(uintptr_t)bad.p;

	(void)state;
	memcpy(p + 64 + STEP, file.p + 64 + 2 * STEP, STEP);
	memcpy(p + 64 + 2 * STEP, file.p + 64 + STEP, STEP);
	assert_string_equal(open_file(bad), "out_of_order");
	assert_string_equal(err.msg, "the file has its parts in another order: "
				     "chunk 2 stands where chunk 1 belongs");
	/* One twice, one left out. */
	bad = copy(file);
	p = (char *)(uintptr_t)bad.p;
	memcpy(p + 64 + STEP, file.p + 64, STEP);
	assert_string_equal(open_file(bad), "out_of_order");
	bad = copy(file);
	p = (char *)(uintptr_t)bad.p;
	memmove(p + 64 + STEP, p + 64 + 2 * STEP, 2 * STEP);
	bad.n -= STEP;
	assert_string_equal(open_file(bad), "out_of_order");
}

/* A chunk of another file of the same key does not pass for one of this. */
static void
test_chunk_of_another(void **state)
{
	struct ct_str file = seal(plain_of(3 * CHUNK), CHUNK);
	struct ct_str other = seal(plain_of(3 * CHUNK), CHUNK);
	struct ct_str bad = copy(file);

	(void)state;
	memcpy((char *)(uintptr_t)bad.p + 64 + STEP, other.p + 64 + STEP, STEP);
	assert_string_equal(open_file(bad), "altered");
	/* Nor the head. */
	bad = copy(file);
	memcpy((char *)(uintptr_t)bad.p, other.p, 64);
	assert_string_equal(open_file(bad), "altered");
}

static void
test_wrong_key(void **state)
{
	struct ct_str file = seal(plain_of(100), 100);
	uint8_t other[CT_KEY] = {1};
	char id[CT_SEAL_ID_TEXT], sentence[200];

	(void)state;
	assert_string_equal(open_with(other, file, 4096, NULL), "wrong_key");
	ct_seal_key_id(key, id);
	snprintf(sentence, sizeof(sentence),
	    "the file is sealed with the key %s, ", id);
	assert_memory_equal(err.msg, sentence, strlen(sentence));
	ct_seal_key_id(other, id);
	assert_non_null(strstr(err.msg, id));
}

static void
test_foreign(void **state)
{
	struct ct_str file = seal(plain_of(100), 100);
	struct ct_str bad = copy(file);
	uint8_t digest[CT_DIGEST];

	(void)state;
	assert_string_equal(
	    open_file(CT_STR("PGDMP\x01\x0e\x00 a dump as it is, unsealed, "
			     "and long enough to be a whole head and more")),
	    "not_a_backup");
	assert_string_equal(open_file(CT_STR("PGDMP")), "not_a_backup");
	assert_string_equal(open_file(CT_STR("CTBACKU")), "truncated");
	assert_string_equal(open_file(CT_STR("")), "truncated");
	assert_string_equal(err.msg, "the file is empty");
	/* Something behind the end. */
	bad = (struct ct_str){ct_arena_dup(a, file.p, file.n), file.n + 1};
	assert_string_equal(open_file(bad), "altered");
	/* Another version, its head as it should be. */
	bad = copy(file);
	((char *)(uintptr_t)bad.p)[8] = 2;
	ct_digest(bad.p, 56, digest);
	memcpy((char *)(uintptr_t)bad.p + 56, digest, 8);
	assert_string_equal(open_file(bad), "newer_backup");
}

static void
test_keys(void **state)
{
	char text[CT_SEAL_KEY_TEXT], again[CT_SEAL_KEY_TEXT];
	uint8_t k[CT_KEY];

	(void)state;
	ct_seal_key_new(text);
	ct_seal_key_new(again);
	assert_string_not_equal(text, again);
	assert_true(ct_seal_key_parse(ct_str_of(text), k));
	ct_hex(k, CT_KEY, again);
	assert_string_equal(text, again);
	assert_false(ct_seal_key_parse((struct ct_str){text, 63}, k));
	text[5] = 'g';
	assert_false(ct_seal_key_parse(ct_str_of(text), k));
	assert_false(ct_seal_key_parse(CT_STR(""), k));
}

/* Where the next station fails, so does this one, at once. */
static enum ct_rc
refuse(void *arg, const void *p, size_t n, struct ct_err *e)
{
	(void)p;
	(void)n;
	++*(int *)arg;
	return ct_fail(e, CT_RETRY, "full", "no room");
}

static void
test_station_fails(void **state)
{
	struct ct_str file = seal(plain_of(3 * CHUNK), CHUNK);
	int n = 0;
	struct ct_sealer *s =
	    ct_sealer_new(a, key, MADE, (struct ct_out){refuse, &n});
	struct ct_unsealer *u =
	    ct_unsealer_new(a, key, "f", (struct ct_out){refuse, &n});

	(void)state;
	assert_int_equal(ct_sealer_put(s, file.p, 2 * CHUNK, &err), CT_RETRY);
	assert_int_equal(n, 1);
	assert_int_equal(ct_unsealer_put(u, file.p, file.n, &err), CT_RETRY);
	assert_int_equal(n, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_files_differ, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cut_short, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_bit, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_only_authentic, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_other_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_chunk_of_another, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_wrong_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_foreign, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_station_fails, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
