/*
 * Views, numbers, UTF-8 and buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#define ABSENT ((struct ct_str){NULL, 0})

static void
test_equality(void **state)
{
	(void)state;
	assert_true(ct_str_eq(CT_STR("abc"), CT_STR("abc")));
	assert_false(ct_str_eq(CT_STR("abc"), CT_STR("abd")));
	assert_false(ct_str_eq(CT_STR("abc"), CT_STR("ab")));
	assert_true(ct_str_eq(CT_STR("a\0b"), CT_STR("a\0b")));
	assert_false(ct_str_eq(CT_STR("a\0b"), CT_STR("a\0c")));
	assert_true(ct_str_eq(ABSENT, ABSENT));
	assert_false(ct_str_eq(ABSENT, CT_STR("")));
	assert_true(ct_str_is(ct_str_of("x"), "x"));
	assert_false(ct_str_is(ct_str_of("x"), "xy"));
	assert_null(ct_str_of(NULL).p);
	assert_true(ct_str_is(ABSENT, NULL));
}

static void
test_case_blind(void **state)
{
	(void)state;
	assert_true(ct_str_ieq(CT_STR("Content-TYPE"), "content-type"));
	assert_true(ct_str_ieq(CT_STR("AZaz"), "azAZ"));
	/* neighbours of the letters differ in the same bit */
	assert_false(ct_str_ieq(CT_STR("@"), "`"));
	assert_false(ct_str_ieq(CT_STR("["), "{"));
	assert_false(ct_str_ieq(CT_STR("\xc3\x84"), "\xc3\xa4"));
	assert_false(ct_str_ieq(CT_STR("abc"), "ab"));
	assert_false(ct_str_ieq(ABSENT, ""));
}

static void
test_starts(void **state)
{
	(void)state;
	assert_true(ct_str_starts(CT_STR("/api/x"), CT_STR("/api/")));
	assert_true(ct_str_starts(CT_STR("x"), CT_STR("")));
	assert_false(ct_str_starts(CT_STR("/ap"), CT_STR("/api/")));
	assert_false(ct_str_starts(CT_STR("/bpi/"), CT_STR("/api/")));
	assert_false(ct_str_starts(ABSENT, CT_STR("")));
}

static void
test_trim(void **state)
{
	(void)state;
	assert_true(ct_str_is(ct_str_trim(CT_STR(" \t a b\t ")), "a b"));
	assert_true(ct_str_is(ct_str_trim(CT_STR(" \t ")), ""));
	assert_true(ct_str_is(ct_str_trim(CT_STR("\na\r")), "\na\r"));
	assert_null(ct_str_trim(ABSENT).p);
}

static void
test_split(void **state)
{
	struct ct_str rest = CT_STR("a,,bc,");

	(void)state;
	assert_true(ct_str_is(ct_str_split(&rest, ','), "a"));
	assert_true(ct_str_is(ct_str_split(&rest, ','), ""));
	assert_true(ct_str_is(ct_str_split(&rest, ','), "bc"));
	assert_non_null(rest.p);
	assert_true(ct_str_is(ct_str_split(&rest, ','), ""));
	assert_null(rest.p);
	assert_null(ct_str_split(&rest, ',').p);
}

static void
test_i64(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} rows[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"007", true, 7},
	    {"-12", true, -12},
	    {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"99999999999999999999", false, 0},
	    {"", false, 0},
	    {"-", false, 0},
	    {"+1", false, 0},
	    {" 1", false, 0},
	    {"1 ", false, 0},
	    {"1.0", false, 0},
	    {"--1", false, 0},
	    {"0x1", false, 0},
	    {"1/", false, 0},
	    {"1:", false, 0},
	};
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_str s = ct_str_of(rows[i].text);

		v = 77;
		if (ct_str_i64(s, INT64_MIN, INT64_MAX, &v) != rows[i].ok)
			fail_msg("%s", rows[i].text);
		assert_int_equal(v, rows[i].ok ? rows[i].value : 77);
	}
	assert_false(ct_str_i64(ABSENT, 0, 9, &v));
	assert_false(ct_str_i64(CT_STR("10"), 0, 9, &v));
	assert_false(ct_str_i64(CT_STR("-1"), 0, 9, &v));
	assert_true(ct_str_i64(CT_STR("9"), 0, 9, &v));
	assert_true(ct_str_i64(CT_STR("0"), 0, 9, &v));
}

/* cp in len bytes, also where that is too long or no character. */
static void
test_i64_text(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
	    {"0", 0},
	    {"-7", -7},
	    {"1000", 1000},
	    {"9223372036854775807", INT64_MAX},
	    {"-9223372036854775808", INT64_MIN},
	};
	struct ct_arena *a = ct_arena_create(4096);

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_str s = ct_str_of_i64(a, rows[i].value);

		assert_string_equal(s.p, rows[i].text);
		assert_int_equal(s.n, strlen(rows[i].text));
	}
	ct_arena_destroy(a);
}

static void
encode(unsigned cp, size_t len, unsigned char *out)
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t i;

	for (i = len - 1; i > 0; i--) {
		out[i] = (unsigned char)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	out[0] = (unsigned char)(lead[len] | cp);
}

/* Every code point in every length, alone and behind an ASCII run. */
static void
test_utf8_every_code_point(void **state)
{
	static const unsigned end[] = {0, 0x80, 0x800, 0x10000, 0x200000};
	char text[16] = "abcdefgh";
	unsigned cp;
	size_t len;
	bool want;

	(void)state;
	for (len = 1; len <= 4; len++)
		for (cp = 0; cp < end[len]; cp++) {
			encode(cp, len, (unsigned char *)text + 8);
			want = (len == 1 || cp >= end[len - 1]) &&
			       !(cp >= 0xd800 && cp <= 0xdfff) &&
			       cp <= 0x10ffff;
			if (ct_utf8_ok((struct ct_str){text, 8 + len}) !=
				want ||
			    ct_utf8_ok((struct ct_str){text + 8, len}) != want)
				fail_msg("U+%04X in %zu bytes", cp, len);
		}
}

/* A bad byte is seen wherever it lies with respect to the words. */
static void
test_utf8_every_place(void **state)
{
	char *text;
	size_t n, i;

	(void)state;
	for (n = 1; n <= 40; n++)
		for (i = 0; i < n; i++) {
			text = malloc(n); /* exact, so that ASan sees more */
			assert_non_null(text);
			memset(text, 'a', n);
			assert_true(ct_utf8_ok((struct ct_str){text, n}));
			text[i] = (char)0x80;
			assert_false(ct_utf8_ok((struct ct_str){text, n}));
			text[i] = (char)0xc3;
			assert_false(ct_utf8_ok((struct ct_str){text, n}));
			if (i + 1 < n) {
				text[i + 1] = (char)0xa4;
				assert_true(
				    ct_utf8_ok((struct ct_str){text, n}));
			}
			free(text);
		}
	assert_true(ct_utf8_ok(ABSENT));
	assert_true(ct_utf8_ok(CT_STR("\0")));
	assert_false(ct_utf8_ok(CT_STR("\xff")));
	assert_false(ct_utf8_ok(CT_STR("\xe2\x28\xa1")));
	assert_false(ct_utf8_ok(CT_STR("\xf0\x9f\x90")));
	assert_true(ct_utf8_ok(CT_STR("\xf0\x9f\x90\x88 Katze f\xc3\xbcr")));
}

static void
test_utf8_len(void **state)
{
	(void)state;
	assert_int_equal(ct_utf8_len(ABSENT), 0);
	assert_int_equal(ct_utf8_len(CT_STR("abc")), 3);
	assert_int_equal(ct_utf8_len(CT_STR("\xc3\xa4\xe2\x82\xac"
					    "\xf0\x9f\x90\x88")),
	    3);
}

static void
test_copies(void **state)
{
	struct ct_arena *a = ct_arena_create(65536);
	struct ct_str s = CT_STR("cat\0s"), copy;

	(void)state;
	assert_string_equal(ct_str_cstr(a, (struct ct_str){s.p, 2}), "ca");
	copy = ct_str_dup(a, s);
	assert_ptr_not_equal(copy.p, s.p);
	assert_true(ct_str_eq(copy, s));
	assert_null(ct_str_dup(a, ABSENT).p);
	assert_non_null(ct_str_dup(a, CT_STR("")).p);
	assert_string_equal(ct_str_cstr(a, ABSENT), "");
	ct_arena_destroy(a);
}

static void
test_buffer_grows(void **state)
{
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_buf b, other;
	int i;

	(void)state;
	ct_buf_init(&b, a, 0);
	assert_int_equal(ct_buf_str(&b).n, 0);
	assert_non_null(ct_buf_str(&b).p);
	ct_buf_init(&other, a, 4);
	for (i = 0; i < 20000; i++) { /* in turns: neither stays the newest */
		ct_buf_addc(&b, (char)('a' + i % 26));
		ct_buf_addc(&other, 'o');
	}
	assert_int_equal(b.n, 20000);
	assert_true(b.cap >= b.n);
	for (i = 0; i < 20000; i++) {
		assert_int_equal(b.p[i], 'a' + i % 26);
		assert_int_equal(other.p[i], 'o');
	}
	ct_arena_destroy(a);
}

static void
test_buffer_forms(void **state)
{
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_buf b;

	(void)state;
	ct_buf_init(&b, a, 1);
	ct_buf_adds(&b, "x=");
	ct_buf_addi(&b, 0);
	ct_buf_addc(&b, ' ');
	ct_buf_addi(&b, INT64_MIN);
	ct_buf_addc(&b, ' ');
	ct_buf_addi(&b, INT64_MAX);
	ct_buf_addstr(&b, CT_STR(" s"));
	ct_buf_addstr(&b, ABSENT);
	ct_buf_add(&b, NULL, 0);
	ct_buf_addf(&b, " %05d %s", 42, "f");
	memcpy(ct_buf_room(&b, 3), "end", 3);
	b.n += 3;
	assert_true(ct_str_is(ct_buf_str(&b),
	    "x=0 -9223372036854775808 9223372036854775807 s 00042 fend"));
	ct_arena_destroy(a);
}

/* Whatever room is left, a formatted text arrives whole. */
static void
test_buffer_format_at_the_edge(void **state)
{
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_buf b;
	size_t cap;

	(void)state;
	for (cap = 0; cap < 20; cap++) {
		ct_buf_init(&b, a, cap);
		ct_buf_addf(&b, "%s", "0123456789");
		ct_buf_addf(&b, "%d", 77);
		assert_true(ct_str_is(ct_buf_str(&b), "012345678977"));
	}
	ct_arena_destroy(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equality),
	    cmocka_unit_test(test_case_blind),
	    cmocka_unit_test(test_starts),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_i64),
	    cmocka_unit_test(test_i64_text),
	    cmocka_unit_test(test_utf8_every_code_point),
	    cmocka_unit_test(test_utf8_every_place),
	    cmocka_unit_test(test_utf8_len),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_buffer_grows),
	    cmocka_unit_test(test_buffer_forms),
	    cmocka_unit_test(test_buffer_format_at_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
