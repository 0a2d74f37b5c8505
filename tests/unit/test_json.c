/*
 * The JSON reader: each thing it must refuse, with the byte it names; what it
 * must take; exact numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define DEPTH 16
#define TEXT(lit)                                                              \
	{                                                                      \
		(lit), sizeof(lit) - 1                                         \
	}

static struct ct_arena *arena;
static struct ct_err err;

static int
setup(void **state CT_UNUSED)
{
	arena = ct_arena_create(8 * 1024 * 1024);
	ct_err_clear(&err);
	return 0;
}

static int
teardown(void **state CT_UNUSED)
{
	ct_arena_destroy(arena);
	return 0;
}

/* A copy of exact size, so that ASan sees one byte too many. */
static enum ct_rc
parse(struct ct_str text, unsigned depth, const struct ct_json **out)
{
	char *copy = malloc(text.n ? text.n : 1);
	enum ct_rc rc;

	assert_non_null(copy);
	memcpy(copy, text.p, text.n);
	rc = ct_json_parse(
	    arena, (struct ct_str){copy, text.n}, depth, out, &err);
	free(copy);
	return rc;
}

static const struct ct_json *
good(const char *text)
{
	const struct ct_json *v = NULL;

	if (parse(ct_str_of(text), DEPTH, &v) != CT_OK)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void
refused(struct ct_str text, unsigned depth, const char *what, size_t at)
{
	const struct ct_json *v;
	char want[200];

	if (parse(text, depth, &v) != CT_MALFORMED)
		fail_msg("taken: %.*s", CT_STR_FMT(text));
	snprintf(
	    want, sizeof(want), "not valid JSON: %s at byte %zu", what, at);
	assert_string_equal(err.msg, want);
	assert_int_equal(err.rc, CT_MALFORMED);
}

static const char end[] = "text ends too early";
static const char value[] = "a value was expected";
static const char lone[] = "lone surrogate";
static const char twice[] = "the same key twice in one object";
static const char range[] = "number out of range";
static const struct {
	struct ct_str text;
	const char *what;
	size_t at;
} refusals[] = {
    {TEXT(""), "no value", 0},
    {TEXT("  "), "no value", 2},
    {TEXT("\xef\xbb\xbf{}"), "byte order mark", 0},
    {TEXT("[\"a\xff\"]"), "bad UTF-8", 3},
    {TEXT("[\"\xc0\xaf\"]"), "bad UTF-8", 2},
    {TEXT("[\"\xed\xa0\x80\"]"), "bad UTF-8", 2},
    {TEXT("{\"a\":01}"), "leading zero in a number", 6},
    {TEXT("-01"), "leading zero in a number", 2},
    {TEXT("1."), end, 2},
    {TEXT("[1.]"), "a digit was expected after the point", 3},
    {TEXT("[.5]"), value, 1},
    {TEXT("[+1]"), value, 1},
    {TEXT("[-]"), "a digit was expected", 2},
    {TEXT("[1e]"), "a digit was expected in the exponent", 3},
    {TEXT("[1e+]"), "a digit was expected in the exponent", 4},
    {TEXT("[0x10]"), "a comma or ] was expected", 2},
    {TEXT("[1e400]"), range, 1},
    {TEXT("[-1e400]"), range, 1},
    {TEXT("[1e-400]"), range, 1},
    {TEXT("NaN"), value, 0},
    {TEXT("[Infinity]"), value, 1},
    {TEXT("[\"a\tb\"]"), "raw control character in a string", 3},
    {TEXT("[\"a\0b\"]"), "raw control character in a string", 3},
    {TEXT("[\"\\u0000\"]"), "\\u0000 is not allowed", 2},
    {TEXT("{\"a\\u0000\":1}"), "\\u0000 is not allowed", 3},
    {TEXT("[\"\\ud800\"]"), lone, 2},
    {TEXT("[\"\\udc00\\ud800\"]"), lone, 2},
    {TEXT("[\"\\ud800\\u0041\"]"), lone, 2},
    {TEXT("[\"\\ud800\\n00000\"]"), lone, 2},
    {TEXT("[\"\\ud800\\ndc00\"]"), lone, 2},
    {TEXT("\"\\ud800"), lone, 1},
    {TEXT("[\"\\u12g4\"]"), "\\u without four hex digits", 2},
    {TEXT("[\"\\x\"]"), "unknown escape", 2},
    {TEXT("\"\\"), "unknown escape", 1},
    {TEXT("\"\\u12"), "\\u without four hex digits", 1},
    {TEXT("\"abc"), end, 4},
    {TEXT("['a']"), value, 1},
    {TEXT("{a:1}"), "a key in double quotes was expected", 1},
    {TEXT("{\"a\":1,}"), "a key in double quotes was expected", 7},
    {TEXT("{\"a\" 1}"), "a colon was expected", 5},
    {TEXT("{\"a\":1 \"b\":2}"), "a comma or } was expected", 7},
    {TEXT("[1 2]"), "a comma or ] was expected", 3},
    {TEXT("[1,]"), value, 3},
    {TEXT("[,1]"), value, 1},
    {TEXT("[1}"), "a comma or ] was expected", 2},
    {TEXT("{\"a\":1]"), "a comma or } was expected", 6},
    {TEXT("[1"), end, 2},
    {TEXT("{\"a\":"), end, 5},
    {TEXT("]"), value, 0},
    {TEXT("{} {}"), "text after the value", 3},
    {TEXT("1 // one"), "text after the value", 2},
    {TEXT("{}\0"), "text after the value", 2},
    {TEXT("/**/1"), value, 0},
    {TEXT("True"), value, 0},
    {TEXT("[nul]"), value, 1},
    {TEXT("\v1"), value, 0},
    {TEXT("{\"a\":1,\"b\":2,\"a\":3}"), twice, 13},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), twice, 7},
    {TEXT("{\"\\n\":1,\"\\u000a\":2}"), twice, 8},
    {TEXT("{\"\xf0\x9f\x90\xb1\":1,\"\\ud83d\\udc31\":2}"), twice, 10},
    {TEXT("{\"\\u20aC\":1,\"\xe2\x82\xac\":2}"), twice, 12},
    {TEXT("{\"\":1,\"\":2}"), twice, 6},
    {TEXT("{\"b\":1,\"aa\":1,\"b\":2,\"aa\":2}"), twice, 14},
    {TEXT("[{\"a\":{\"b\":1,\"b\":1}}]"), twice, 13},
};

static void
test_refused(void **state CT_UNUSED)
{
	for (size_t i = 0; i < ct_countof(refusals); i++)
		refused(
		    refusals[i].text, DEPTH, refusals[i].what, refusals[i].at);
}

static void
test_long_number(void **state CT_UNUSED)
{
	char text[65];
	const struct ct_json *v;

	memset(text, '1', sizeof(text));
	assert_int_equal(parse((struct ct_str){text, 63}, 1, &v), CT_OK);
	refused(
	    (struct ct_str){text, 64}, 1, "number of too many characters", 0);
}

static void
test_depth(void **state CT_UNUSED)
{
	static char deep[20000];
	const struct ct_json *v;

	memset(deep, '[', 10000);
	memset(deep + 10000, ']', 10000);
	refused((struct ct_str){deep, 20000}, 16, "nested too deeply", 16);
	refused(
	    (struct ct_str){deep, 20000}, UINT_MAX, "nested too deeply", 64);
	refused(CT_STR("[]"), 0, "nested too deeply", 0);
	assert_int_equal(
	    parse((struct ct_str){deep + 9984, 32}, 16, &v), CT_OK);
	assert_int_equal(
	    parse((struct ct_str){deep + 9983, 34}, 16, &v), CT_MALFORMED);
	good("[[[],[]],[[]],{\"a\":[{}]}]");
}

static void
test_many_keys(void **state CT_UNUSED)
{
	struct ct_buf b;

	ct_buf_init(&b, arena, 1 << 16);
	ct_buf_addc(&b, '{');
	for (int i = 0; i < 5000; i++)
		ct_buf_addf(&b, "\"\\u006b%d\":{\"k\":%d},", i, i);
	b.n--;
	ct_buf_addc(&b, '}');
	ct_buf_addc(&b, '\0');
	good(b.p);
	b.n -= 2;
	ct_buf_adds(&b, ",\"k17\":0}");
	refused(
	    ct_buf_str(&b), DEPTH, "the same key twice in one object", b.n - 8);
}

static void
test_tree(void **state CT_UNUSED)
{
	const struct ct_json *v = good(" {\"role\":\"a\\u00e9\\ud83d\\udc31/\","
				       "\"n\":[1,true,null],\"e\":{}} \r\n\t");
	const struct ct_json *n = ct_json_get(v, "n");
	const struct ct_json *x = ct_json_first(n);

	assert_int_equal(ct_json_type(v), CT_JSON_OBJECT);
	assert_null(ct_json_get(v, "Role"));
	assert_null(ct_json_get(n, "role"));
	assert_null(ct_json_get(NULL, "role"));
	assert_true(ct_str_is(
	    ct_json_str(ct_json_get(v, "role")), "a\xc3\xa9\xf0\x9f\x90\xb1/"));
	assert_null(ct_json_str(n).p);
	assert_string_equal(ct_json_key(n), "n");
	assert_int_equal(ct_json_type(n), CT_JSON_ARRAY);
	assert_int_equal(ct_json_type(x), CT_JSON_NUMBER);
	assert_null(ct_json_key(x));
	assert_false(ct_json_bool(x));
	x = ct_json_next(x);
	assert_int_equal(ct_json_type(x), CT_JSON_BOOL);
	assert_true(ct_json_bool(x));
	x = ct_json_next(x);
	assert_int_equal(ct_json_type(x), CT_JSON_NULL);
	assert_null(ct_json_next(x));
	assert_null(ct_json_first(ct_json_get(v, "e")));
	assert_int_equal(ct_json_type(good("\"\"")), CT_JSON_STRING);
	assert_true(ct_str_is(ct_json_str(good("\"\"")), ""));
}

static void
test_i64(void **state CT_UNUSED)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t v;
	} t[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"12", true, 12},
	    {"1.0", true, 1},
	    {"1e2", true, 100},
	    {"1.5", false, 0},
	    {"\"1\"", false, 0},
	    {"true", false, 0},
	    {"null", false, 0},
	    {"9007199254740991", true, 9007199254740991},
	    {"-9007199254740991", true, -9007199254740991},
	    {"9007199254740992", false, 0},
	    {"9007199254740993", false, 0},
	    {"1e300", false, 0},
	};
	int64_t v;

	for (size_t i = 0; i < ct_countof(t); i++) {
		v = -77;
		assert_int_equal(
		    ct_json_i64(good(t[i].text), INT64_MIN, INT64_MAX, &v),
		    t[i].ok);
		assert_int_equal(v, t[i].ok ? t[i].v : -77);
	}
	assert_true(ct_json_i64(good("5"), 5, 5, &v));
	assert_false(ct_json_i64(good("4"), 5, 9, &v));
	assert_false(ct_json_i64(good("10"), 5, 9, &v));
	assert_false(ct_json_i64(NULL, 0, 9, &v));
}

static void
test_milli(void **state CT_UNUSED)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t v;
	} t[] = {
	    {"209.7", true, 209700},
	    {"0.3", true, 300},
	    {"0.001", true, 1},
	    {"-4.125", true, -4125},
	    {"1e3", true, 1000000},
	    {"12.5000", true, 12500},
	    {"1.1e1", true, 11000},
	    {"0.0001", false, 0},
	    {"0.30000000000000004", false, 0},
	    {"1.2345", false, 0},
	    {"\"1\"", false, 0},
	    {"9e12", true, 9000000000000000},
	    {"9000000000001", false, 0},
	    {"-9e12", true, -9000000000000000},
	    {"1e308", false, 0},
	};
	int64_t v;

	for (size_t i = 0; i < ct_countof(t); i++) {
		v = -77;
		assert_int_equal(ct_json_milli(good(t[i].text), &v), t[i].ok);
		assert_int_equal(v, t[i].ok ? t[i].v : -77);
	}
}

/* Every thousandth of the first 100 units comes back as it was written. */
static void
test_milli_all(void **state CT_UNUSED)
{
	char text[32];
	int64_t v;

	for (int i = 0; i < 100000; i += 7) {
		snprintf(text, sizeof(text), "%d.%03d", i / 1000, i % 1000);
		assert_true(ct_json_milli(good(text), &v));
		assert_int_equal(v, i);
		ct_arena_reset(arena);
	}
}

static void
test_print(void **state CT_UNUSED)
{
	static const char *const t[][2] = {
	    {" { \"a\" : [ 1 , -2.50 , 1E2 ] , \"b\" : { } } ",
		"{\"a\":[1,-2.5,100],\"b\":{}}"},
	    {"[true,false,null,\"\\u00e9\\n\\u007f\\/\"]",
		"[true,false,null,\"\xc3\xa9\\n\x7f/\"]"},
	    {"[0.1,9007199254740991,9007199254740993,1.7976931348623157e308]",
		"[0.1,9007199254740991,9007199254740992,"
		"1.7976931348623157e+308]"},
	    {"{\"k\\\"\":\"\"}", "{\"k\\\"\":\"\"}"},
	    {"[]", "[]"},
	};
	struct ct_str s;

	for (size_t i = 0; i < ct_countof(t); i++) {
		s = ct_json_print(arena, good(t[i][0]));
		assert_string_equal(ct_str_cstr(arena, s), t[i][1]);
	}
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(test_refused),
	    T(test_long_number),
	    T(test_depth),
	    T(test_many_keys),
	    T(test_tree),
	    T(test_i64),
	    T(test_milli),
	    T(test_milli_all),
	    T(test_print),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
