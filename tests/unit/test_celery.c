/* The message codec, with messages as python3-celery 5.2.6 sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/celery.h"
#include "common/crypto.h"

static const char captured[] =
    "{\"body\": \"W1tdLCB7InJlcG9ydF9pZCI6IDQyLCAiZm9ybWF0IjogInBkZiJ9LCB7Im"
    "NhbGxiYWNrcyI6IG51bGwsICJlcnJiYWNrcyI6IG51bGwsICJjaGFpbiI6IG51bGwsICJja"
    "G9yZCI6IG51bGx9XQ==\", \"content-encoding\": \"utf-8\", \"content-type\":"
    " \"application/json\", \"headers\": {\"lang\": \"py\", \"task\": "
    "\"reports.generate\", \"id\": \"67ef2b8d-9404-47a1-ba95-596d2bd36d1a\", "
    "\"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, "
    "\"group_index\": null, \"retries\": 0, \"timelimit\": [null, null], "
    "\"root_id\": \"67ef2b8d-9404-47a1-ba95-596d2bd36d1a\", \"parent_id\": "
    "null, \"argsrepr\": \"()\", \"kwargsrepr\": \"{'report_id': 42, "
    "'format': 'pdf'}\", \"origin\": \"gen11325@vm\", \"ignore_result\": "
    "false}, \"properties\": {\"correlation_id\": "
    "\"67ef2b8d-9404-47a1-ba95-596d2bd36d1a\", \"reply_to\": "
    "\"e5cee4d6-06c7-350c-b51c-c8fa8c277e3a\", \"delivery_mode\": 2, "
    "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"reports\"}, "
    "\"priority\": 0, \"body_encoding\": \"base64\", \"delivery_tag\": "
    "\"a0626fe3-c361-4ce9-b3a2-649b23eed54a\"}}";

static struct ct_arena *a;
static struct ct_err err;

static int
set_up(void **state)
{
	(void)state;
	ct_crypto_init();
	a = ct_arena_create((size_t)32 << 20);
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
parse(const char *text, struct ct_msg *m)
{
	ct_err_clear(&err);
	return ct_msg_parse(a, ct_str_of(text), m, &err);
}

static void
test_captured(void **state)
{
	struct ct_msg_body b;
	struct ct_msg m;
	int64_t v;

	(void)state;
	assert_int_equal(parse(captured, &m), CT_OK);
	assert_int_equal(m.protocol, 2);
	assert_true(ct_str_is(m.task, "reports.generate"));
	assert_true(ct_str_is(m.id, "67ef2b8d-9404-47a1-ba95-596d2bd36d1a"));
	assert_true(m.eta_ms == CT_NULL_I64);
	assert_true(m.expires_ms == CT_NULL_I64);
	assert_int_equal(m.retries, 0);
	assert_int_equal(m.soft_ms, 0);
	assert_null(m.parent.p);
	assert_null(m.group.p);
	assert_false(m.ignore_result);
	assert_int_equal(ct_msg_body(a, m.body, m.base64, &b, &err), CT_OK);
	assert_false(b.canvas);
	assert_true(ct_json_i64(ct_json_get(b.kwargs, "report_id"), 0, 99, &v));
	assert_int_equal(v, 42);
	assert_non_null(b.args);
	assert_null(ct_json_first(b.args));
}

static void
test_three_headers(void **state)
{
	struct ct_msg m;

	(void)state;
	assert_int_equal(
	    parse("{\"body\":\"W10=\",\"headers\":{\"lang\":\"js\","
		  "\"task\":\"t\",\"id\":\"i\"},\"properties\":"
		  "{\"body_encoding\":\"base64\"}}",
		&m),
	    CT_OK);
	assert_int_equal(m.retries, 0);
	assert_int_equal(m.protocol, 2);
}

static void
test_protocol_1(void **state)
{
	struct ct_msg_body b;
	struct ct_msg m, again;
	struct ct_str body = ct_base64(a,
	    "{\"task\":\"t\",\"id\":\"i\",\"args\":[7],\"kwargs\":{},"
	    "\"retries\":1,\"eta\":\"2026-01-02T03:04:05+01:00\",\"taskset\":"
	    "\"g\"}",
	    strlen("{\"task\":\"t\",\"id\":\"i\",\"args\":[7],"
		   "\"kwargs\":{},\"retries\":1,\"eta\":\"2026-01-02T03:04:05+"
		   "01:00\""
		   ",\"taskset\":\"g\"}"));
	const char *text = ct_arena_printf(a,
	    "{\"body\":\"%.*s\",\"headers\":"
	    "{},\"properties\":{\"body_encoding\":\"base64\"}}",
	    CT_STR_FMT(body));

	(void)state;
	assert_int_equal(parse(text, &m), CT_OK);
	assert_int_equal(m.protocol, 1);
	assert_int_equal(m.retries, 1);
	assert_true(m.eta_ms == 1767319445000);
	assert_true(ct_str_is(m.group, "g"));
	assert_int_equal(ct_msg_body(a, m.body, m.base64, &b, &err), CT_OK);
	assert_int_equal(ct_json_type(ct_json_first(b.args)), CT_JSON_NUMBER);
	assert_int_equal(
	    ct_msg_parse(a, ct_msg_again(a, &m), &again, &err), CT_OK);
	assert_int_equal(again.protocol, 1);
	assert_int_equal(again.retries, 2);
	assert_true(ct_str_eq(again.body, m.body));
}

/* A body that our parser would change, and a header that we do not know. */
static void
test_again_keeps(void **state)
{
	static const char text[] =
	    "{\"body\":\"WzEyMzQ1Njc4OTAxMjM0NTY3ODksICJcdTAwMDAiXQ==\","
	    "\"content-type\":\"application/json\",\"headers\":{\"task\":\"t\","
	    "\"id\":\"i\",\"retries\":3,\"stamps\":{\"x\":[1,\"\\u00e9\"]},"
	    "\"eta\":\"2026-01-02T03:04:05.000678+00:00\"},\"properties\":{"
	    "\"body_encoding\":\"base64\",\"delivery_tag\":\"old\","
	    "\"priority\":6},\"more\":[true]}";
	struct ct_msg m, n;
	const struct ct_json *v;

	(void)state;
	assert_int_equal(parse(text, &m), CT_OK);
	assert_int_equal(ct_msg_parse(a, ct_msg_again(a, &m), &n, &err), CT_OK);
	assert_int_equal(n.retries, 4);
	assert_true(ct_str_eq(n.body, m.body));
	assert_true(ct_str_eq(n.id, m.id));
	assert_true(n.eta_ms == m.eta_ms);
	/* 678 us past the second: not before. */
	assert_true(m.eta_ms == 1767323045001);
	v = ct_json_get(ct_json_get(n.root, "headers"), "stamps");
	assert_true(ct_str_is(ct_json_print(a, v), "{\"x\":[1,\"\xc3\xa9\"]}"));
	v = ct_json_get(n.root, "properties");
	assert_false(
	    ct_str_is(ct_json_str(ct_json_get(v, "delivery_tag")), "old"));
	assert_true(
	    ct_str_is(ct_json_print(a, ct_json_get(v, "priority")), "6"));
	assert_non_null(ct_json_get(n.root, "more"));
	assert_int_equal(ct_msg_parse(a, ct_msg_anew(a, &m), &n, &err), CT_OK);
	assert_int_equal(n.retries, 0);
	assert_true(ct_str_eq(n.body, m.body) && ct_str_eq(n.id, m.id));
}

/* What a person is told of an exception is short, and whole characters. */
static void
test_exception_text(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
	    {"{\"exc_type\":\"E\",\"exc_message\":[\"bad\",7]}", "E: bad"},
	    {"{\"exc_type\":\"E\",\"exc_message\":[]}", "E"},
	    {"{\"exc_type\":\"E\"}", "E"},
	    {"{\"exc_type\":7,\"exc_message\":[\"bad\"]}", ""},
	    {"{\"current\":1}", ""},
	    {"\"slept\"", ""},
	    {"null", ""},
	    {"{", ""},
	    {"", ""},
	};
	struct ct_str got;
	struct ct_buf b;

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		got = ct_exception_text(a, ct_str_of(rows[i].json));
		assert_true(ct_str_is(got, rows[i].text));
	}
	ct_buf_init(&b, a, 1200);
	ct_buf_adds(&b, "{\"exc_type\":\"E\",\"exc_message\":[\"");
	for (size_t i = 0; i < 300; i++)
		ct_buf_adds(&b, "\xe2\x82\xac");
	ct_buf_adds(&b, "\"]}");
	got = ct_exception_text(a, ct_buf_str(&b));
	assert_in_range(got.n, CT_ERROR_MAX - 3, CT_ERROR_MAX);
	assert_true(ct_utf8_ok(got));
}

static void
test_pushed(void **state)
{
	struct ct_msg_new n = {.id = "i", .task = "t", .queue = "q"};
	struct ct_msg m;

	(void)state;
	assert_int_equal(
	    ct_msg_parse(a, ct_msg_encode(a, &n), &m, &err), CT_OK);
	assert_in_range(ct_now_us() / 1000 - m.pushed_ms, 0, 60000);
	assert_int_equal(parse(captured, &m), CT_OK);
	assert_true(m.pushed_ms == CT_NULL_I64);
}

static void
test_times_and_limits(void **state)
{
	struct ct_msg m;

	(void)state;
	assert_int_equal(
	    parse("{\"body\":\"\",\"headers\":{\"task\":\"t\",\"id\""
		  ":\"i\",\"eta\":\"1970-01-01T00:00:01.5\","
		  "\"expires\":\"1970-01-01T01:00:02+01:00\","
		  "\"timelimit\":[2.5,1],\"parent_id\":\"p\","
		  "\"group\":\"g\",\"ignore_result\":true}}",
		&m),
	    CT_OK);
	assert_int_equal(m.eta_ms, 1500);
	assert_int_equal(m.expires_ms, 2000);
	assert_int_equal(m.hard_ms, 2500);
	assert_int_equal(m.soft_ms, 1000);
	assert_true(ct_str_is(m.parent, "p"));
	assert_true(ct_str_is(m.group, "g"));
	assert_true(m.ignore_result);
	assert_false(m.base64);
}

/* Each is refused for its own reason; without it, it would be taken. */
static void
test_refused(void **state)
{
#define H "\"headers\":{\"task\":\"t\",\"id\":\"i\""
	static const char *const rows[][2] = {
	    {"", ""},
	    {"[]", "no object"},
	    {"{\"body\":\"\"," H "}", ""},
	    {"{\"body\":7," H "}}", "body is no string"},
	    {"{" H "}}", "body is no string"},
	    {"{\"body\":\"\",\"headers\":{\"task\":\"t\"}}", "id"},
	    {"{\"body\":\"\",\"headers\":{\"task\":7,\"id\":\"i\"}}", "task"},
	    {"{\"body\":\"\"," H ",\"compression\":\"application/x-gzip\"}}",
		"compressed"},
	    {"{\"body\":\"\",\"content-type\":\"application/x-python-"
	     "serialize\"," H "}}",
		"content-type"},
	    {"{\"body\":\"\",\"content-encoding\":\"binary\"," H "}}",
		"content-encoding"},
	    {"{\"body\":\"\",\"properties\":{\"body_encoding\":\"rot13\"}," H
	     "}}",
		"body_encoding"},
	    {"{\"body\":\"\"," H ",\"eta\":\"soon\"}}", "eta"},
	    {"{\"body\":\"\"," H ",\"eta\":12}}", "eta"},
	    {"{\"body\":\"\"," H ",\"expires\":\"x\"}}", "expires"},
	    {"{\"body\":\"\"," H ",\"retries\":-1}}", "retries"},
	    {"{\"body\":\"\"," H ",\"retries\":\"1\"}}", "retries"},
	    {"{\"body\":\"\"," H ",\"timelimit\":[\"1\",null]}}", "timelimit"},
	    {"{\"body\":\"\"," H ",\"timelimit\":5}}", "timelimit"},
	    {"{\"body\":\"W10=\",\"properties\":{\"body_encoding\":\"base64\"}"
	     "}",
		"neither"},
	    {"{\"body\":\"%%\",\"properties\":{\"body_encoding\":\"base64\"}}",
		"base64"},
	};
#undef H
	struct ct_msg m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse(rows[i][0], &m) != CT_MALFORMED)
			fail_msg("taken: %s", rows[i][0]);
		if (strstr(err.msg, rows[i][1]) == NULL)
			fail_msg("%s: %s", rows[i][0], err.msg);
		/* Whose it is, is known where the text can be read at all. */
		if (m.root != NULL && strstr(rows[i][0], "\"id\":\"i\"") &&
		    !ct_str_is(m.id, "i"))
			fail_msg("no id: %s", rows[i][0]);
	}
}

static void
test_size(void **state)
{
	size_t n = CT_MSG_MAX + 1;
	char *text = ct_arena_alloc(a, n + 1);
	struct ct_msg m;

	(void)state;
	memset(text, ' ', n);
	memcpy(text, captured, sizeof(captured) - 1);
	assert_int_equal(
	    ct_msg_parse(a, (struct ct_str){text, n - 1}, &m, &err), CT_OK);
	assert_int_equal(
	    ct_msg_parse(a, (struct ct_str){text, n}, &m, &err), CT_TOOBIG);
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *text;
		enum ct_rc rc;
		bool canvas;
	} rows[] = {
	    {"[[],{},{}]", CT_OK, false},
	    {"[[],{}]", CT_OK, false},
	    {"[null,null,null]", CT_OK, false},
	    {"[[],{},{\"chain\":[]}]", CT_OK, false},
	    {"[[],{},{\"chain\":[{\"task\":\"x\"}]}]", CT_OK, true},
	    {"[[],{},{\"chord\":{\"task\":\"x\"}}]", CT_OK, true},
	    {"[[],{},{\"callbacks\":[{\"task\":\"x\"}]}]", CT_OK, true},
	    {"[[],{},{\"errbacks\":[{\"task\":\"x\"}]}]", CT_OK, true},
	    {"{\"args\":[1],\"callbacks\":[1]}", CT_OK, true},
	    {"[{},{},{}]", CT_MALFORMED, false},
	    {"[[],[],{}]", CT_MALFORMED, false},
	    {"[[]]", CT_MALFORMED, false},
	    {"7", CT_MALFORMED, false},
	    {"[[NaN],{},{}]", CT_MALFORMED, false},
	    {"[[\"\\ud800\"],{},{}]", CT_MALFORMED, false},
	    {"(dp0", CT_MALFORMED, false},
	};
	struct ct_msg_body b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ct_err_clear(&err);
		if (ct_msg_body(a, ct_str_of(rows[i].text), false, &b, &err) !=
			rows[i].rc ||
		    b.canvas != rows[i].canvas)
			fail_msg("%s", rows[i].text);
	}
	assert_int_equal(
	    ct_msg_body(a, CT_STR("!"), true, &b, &err), CT_MALFORMED);
}

static void
test_encode(void **state)
{
	const struct ct_msg_new n = {.id = "0198",
	    .task = "report.generate",
	    .queue = "reports",
	    .kwargs = CT_STR("{\"report_id\":\"x\"}"),
	    .priority = 4,
	    .eta_us = 1500000,
	    .expires_us = 2000000};
	struct ct_msg_body b;
	struct ct_msg m;
	struct ct_str raw = ct_msg_encode(a, &n);

	(void)state;
	assert_int_equal(ct_msg_parse(a, raw, &m, &err), CT_OK);
	assert_true(ct_str_is(m.task, "report.generate"));
	assert_int_equal(m.eta_ms, 1500);
	assert_int_equal(m.expires_ms, 2000);
	assert_true(m.base64);
	assert_int_equal(ct_msg_body(a, m.body, true, &b, &err), CT_OK);
	assert_true(
	    ct_str_is(ct_json_str(ct_json_get(b.kwargs, "report_id")), "x"));
	assert_false(b.canvas);
}

static void
test_lists(void **state)
{
	static const int steps[] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3};
	int i;

	(void)state;
	for (i = 0; i <= 9; i++)
		assert_int_equal(ct_msg_step(i), steps[i]);
	assert_int_equal(ct_msg_step(-1), 0);
	assert_int_equal(ct_msg_step(10), 3);
	assert_true(ct_str_is(ct_msg_list(a, CT_STR("q"), 0), "q"));
	assert_true(ct_str_is(ct_msg_list(a, CT_STR("q"), 2), "q\x06\x16"
							      "6"));
}

static void
test_results(void **state)
{
	const int64_t now = 1795340891329046; /* 2026-11-22T09:48:11.329046 */
	struct ct_msg m = {.id = CT_STR("b506d1e4")};
	struct ct_str e;

	(void)state;
	assert_string_equal(ct_str_cstr(a, ct_result_json(a, &m, CT_R_SUCCESS,
					       CT_STR("{\"url\":\"/r\"}"),
					       (struct ct_str){0}, now)),
	    "{\"status\":\"SUCCESS\",\"result\":{\"url\":\"/r\"},"
	    "\"traceback\":null,\"children\":[],\"date_done\":"
	    "\"2026-11-22T09:48:11.329046\",\"task_id\":\"b506d1e4\"}");
	assert_string_equal(
	    ct_str_cstr(a, ct_result_json(a, &m, CT_R_PROGRESS, CT_STR("{}"),
			       (struct ct_str){0}, now)),
	    "{\"status\":\"PROGRESS\",\"result\":{},\"traceback\":null,"
	    "\"children\":[],\"date_done\":null,\"task_id\":\"b506d1e4\"}");
	m.group = CT_STR("g");
	m.parent = CT_STR("p\"");
	e = ct_exception_json(
	    a, "builtins", "ValueError", (struct ct_str){0}, "bad \"input\"");
	assert_string_equal(ct_str_cstr(a, ct_result_json(a, &m, CT_R_FAILURE,
					       e, CT_STR("Trace\n"), now)),
	    "{\"status\":\"FAILURE\",\"result\":{\"exc_type\":\"ValueError\","
	    "\"exc_message\":[\"bad \\\"input\\\"\"],\"exc_module\":"
	    "\"builtins\"},\"traceback\":\"Trace\\n\",\"children\":[],"
	    "\"date_done\":\"2026-11-22T09:48:11.329046\",\"group_id\":\"g\","
	    "\"parent_id\":\"p\\\"\",\"task_id\":\"b506d1e4\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_captured),
	    cmocka_unit_test(test_three_headers),
	    cmocka_unit_test(test_protocol_1),
	    cmocka_unit_test(test_again_keeps),
	    cmocka_unit_test(test_exception_text),
	    cmocka_unit_test(test_pushed),
	    cmocka_unit_test(test_times_and_limits),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_encode),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
