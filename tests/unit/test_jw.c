/*
 * The JSON writer: exact output, exact decimals, and an abort at each misuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/jw.h"
#include "tests/unit/capture.h"

static struct ct_buf buf;
static struct ct_jw w;

static int
setup(void **state)
{
	*state = ct_arena_create(1024 * 1024);
	ct_buf_init(&buf, *state, 16);
	ct_jw_init(&w, &buf);
	return 0;
}

static int
teardown(void **state)
{
	ct_arena_destroy(*state);
	return 0;
}

static void
assert_out(const char *want)
{
	ct_buf_addc(&buf, '\0');
	assert_string_equal(buf.p, want);
	buf.n = 0;
	ct_jw_init(&w, &buf);
}

static void
test_nesting(void **state CT_UNUSED)
{
	ct_jw_obj(&w);
	ct_jw_key(&w, "a");
	ct_jw_arr(&w);
	ct_jw_i64(&w, 1);
	ct_jw_obj(&w);
	ct_jw_end(&w);
	ct_jw_arr(&w);
	ct_jw_end(&w);
	ct_jw_i64(&w, INT64_MAX);
	ct_jw_end(&w);
	ct_jw_key(&w, "b");
	ct_jw_bool(&w, true);
	ct_jw_key(&w, "c");
	ct_jw_bool(&w, false);
	ct_jw_key(&w, "d\"");
	ct_jw_raw(&w, CT_STR("{\"x\":[]}"));
	assert_false(ct_jw_done(&w));
	ct_jw_end(&w);
	assert_true(ct_jw_done(&w));
	assert_out("{\"a\":[1,{},[],9223372036854775807],\"b\":true,"
		   "\"c\":false,\"d\\\"\":{\"x\":[]}}");
	assert_false(ct_jw_done(&w));
}

static void
test_nulls(void **state CT_UNUSED)
{
	struct ct_uuid nil = {{0}};

	ct_jw_arr(&w);
	ct_jw_null(&w);
	ct_jw_i64(&w, CT_NULL_I64);
	ct_jw_milli(&w, CT_NULL_I64);
	ct_jw_time(&w, CT_NULL_I64);
	ct_jw_day(&w, CT_NULL_DAY);
	ct_jw_uuid(&w, &nil);
	ct_jw_cstr(&w, NULL);
	ct_jw_raw(&w, (struct ct_str){NULL, 0});
	ct_jw_end(&w);
	assert_out("[null,null,null,null,null,null,null,null]");
}

static void
test_scalars(void **state CT_UNUSED)
{
	struct ct_uuid u;
	int64_t us;
	int32_t day;

	assert_true(
	    ct_uuid_parse(CT_STR("018f0000-0000-7000-8000-0000000000AB"), &u));
	assert_int_equal(
	    ct_time_parse(CT_STR("2026-11-22T02:10:00+01:00"), &us), 0);
	assert_true(ct_day_parse(CT_STR("2026-11-22"), &day));
	ct_jw_arr(&w);
	ct_jw_uuid(&w, &u);
	ct_jw_time(&w, us);
	ct_jw_day(&w, day);
	ct_jw_end(&w);
	assert_out("[\"018f0000-0000-7000-8000-0000000000ab\","
		   "\"2026-11-22T01:10:00Z\",\"2026-11-22\"]");
}

static void
test_milli(void **state CT_UNUSED)
{
	static const struct {
		int64_t v;
		const char *text;
	} t[] = {
	    {0, "0"},
	    {1, "0.001"},
	    {10, "0.01"},
	    {100, "0.1"},
	    {101, "0.101"},
	    {-1, "-0.001"},
	    {-1500, "-1.5"},
	    {209700, "209.7"},
	    {1000, "1"},
	    {1000000, "1000"},
	    {INT64_MAX, "9223372036854775.807"},
	    {INT64_MIN, "-9223372036854775.808"},
	};
	char out[24];

	for (size_t i = 0; i < ct_countof(t); i++) {
		assert_int_equal(ct_milli_text(t[i].v, out), strlen(t[i].text));
		assert_string_equal(out, t[i].text);
	}
	ct_jw_milli(&w, 209700);
	assert_out("209.7");
}

static void
test_strings(void **state CT_UNUSED)
{
	static const struct {
		struct ct_str in;
		const char *out;
	} t[] = {
	    {{"", 0}, "\"\""},
	    {{"a\"b\\c/d", 7}, "\"a\\\"b\\\\c/d\""},
	    {{"\n\t\r\b\f\x01\x1f\0", 8},
		"\"\\n\\t\\r\\b\\f\\u0001\\u001f\\u0000\""},
	    {{"Z\xc3\xbcrich \xf0\x9f\x90\xb1", 12},
		"\"Z\xc3\xbcrich \xf0\x9f\x90\xb1\""},
	    {{"\xff", 1}, "\"\xef\xbf\xbd\""},
	    {{"a\xc3", 2}, "\"a\xef\xbf\xbd\""},
	    {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {{"\xff\xc3\xbc", 3}, "\"\xef\xbf\xbd\xc3\xbc\""},
	};

	for (size_t i = 0; i < ct_countof(t); i++) {
		ct_jw_str(&w, t[i].in);
		assert_out(t[i].out);
	}
}

static void
levels(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ct_jw_arr(&w);
}

static void
test_depth(void **state CT_UNUSED)
{
	levels(31);
	for (int i = 0; i < 31; i++)
		ct_jw_end(&w);
	assert_true(ct_jw_done(&w));
	for (int i = 0; i < 31; i++)
		assert_int_equal(buf.p[i], '[');
	assert_int_equal(buf.n, 62);
}

static void
misuse_deep(void *arg CT_UNUSED)
{
	levels(32);
}

static void
misuse_end(void *arg CT_UNUSED)
{
	ct_jw_end(&w);
}

static void
misuse_no_key(void *arg CT_UNUSED)
{
	ct_jw_obj(&w);
	ct_jw_null(&w);
}

static void
misuse_key_in_array(void *arg CT_UNUSED)
{
	ct_jw_arr(&w);
	ct_jw_key(&w, "a");
}

static void
misuse_key_twice(void *arg CT_UNUSED)
{
	ct_jw_obj(&w);
	ct_jw_key(&w, "a");
	ct_jw_key(&w, "b");
}

static void
misuse_key_alone(void *arg CT_UNUSED)
{
	ct_jw_obj(&w);
	ct_jw_key(&w, "a");
	ct_jw_end(&w);
}

static void
misuse_two_values(void *arg CT_UNUSED)
{
	ct_jw_null(&w);
	ct_jw_null(&w);
}

static void
test_misuse(void **state CT_UNUSED)
{
	static const struct {
		void (*fn)(void *arg);
		const char *text;
	} t[] = {
	    {misuse_deep, "nested deeper"},
	    {misuse_end, "end without"},
	    {misuse_no_key, "without a key"},
	    {misuse_key_in_array, "key a where"},
	    {misuse_key_twice, "key b where"},
	    {misuse_key_alone, "key without a value"},
	    {misuse_two_values, "second JSON value"},
	};

	for (size_t i = 0; i < ct_countof(t); i++)
		assert_true(aborts(t[i].fn, NULL, t[i].text));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nesting, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nulls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_scalars, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_milli, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
	};

	return cmocka_run_group_tests_name("jw", tests, NULL, NULL);
}
