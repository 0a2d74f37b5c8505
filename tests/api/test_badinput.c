/*
 * What must be refused, with a status and a name for the fault, and without a
 * trace in the entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/app.h"

#define S(lit)                                                                 \
	{                                                                      \
		(lit), sizeof(lit) - 1                                         \
	}

/* Bytes to the feeding route; then nothing may be there. */
static const struct ct_answer *
post(struct ct_who *who, struct ct_str body, const char *type)
{
	return ct_ask(who, &(struct ct_ask){.method = "POST",
			       .path = "/api/feeding/",
			       .body = body,
			       .type = type});
}

static void
want_untouched(struct ct_who *who)
{
	const struct ct_answer *r =
	    ct_want(ct_get(who, "/api/tracker/today"), 200);

	assert_int_equal(ct_meals(who), 0);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 0);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/medication_log/"), 200), ""), 0);
}

static void
malformed_json(void **state)
{
	struct ct_who *who = *state;
	static const struct ct_str bad[] = {
	    S("{"),
	    S("}"),
	    S("{\"amount_ml\":"),
	    S("{\"amount_ml\":50"),
	    S("{\"amount_ml\":50}}"),
	    S("{\"amount_ml\":50} x"),
	    S("{'amount_ml':50}"),
	    S("{amount_ml:50}"),
	    S("{\"amount_ml\":50,}"),
	    S("{\"amount_ml\":05}"),
	    S("{\"amount_ml\":+50}"),
	    S("{\"amount_ml\":.5}"),
	    S("{\"amount_ml\":5.}"),
	    S("{\"amount_ml\":0x32}"),
	    S("{\"amount_ml\":NaN}"),
	    S("{\"amount_ml\":Infinity}"),
	    S("{\"amount_ml\":-Infinity}"),
	    S("{\"amount_ml\":1e400}"),
	    S("{\"amount_ml\":50,\"notes\":\"a\nb\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\\x41\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\\u0000\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"a\0b\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\\ud800\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\\udc00\\ud800\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\xff\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\xc0\xaf\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\xed\xa0\x80\"}"),
	    S("{\"amount_ml\":50,\"notes\":\"\xe2\x82\"}"),
	    S("\xef\xbb\xbf{\"amount_ml\":50}"),
	    S("{\"amount_ml\":50,\"amount_ml\":60}"),
	    S("{\"amount_ml\":50,\"amount\\u005fml\":60}"),
	    S("amount_ml=50"),
	    S("true"),
	    S("50"),
	    S("\"50\""),
	    S("null"),
	    S("[{\"amount_ml\":50}]"),
	    S("\0"),
	    S(" "),
	    S("//x\n{}"),
	};

	for (size_t i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r = post(who, bad[i], NULL);

		if (r->status != 400)
			print_error("body %zu: %.*s\n", i, CT_STR_FMT(bad[i]));
		ct_want_error(r, 400, "malformed", NULL);
	}
	want_untouched(who);
}

/* Every prefix of a good body. */
static void
truncated_json(void **state)
{
	struct ct_who *who = *state;
	struct ct_str good = CT_STR("{\"amount_ml\":50,\"notes\":\"x\"}");

	for (size_t n = 1; n < good.n; n++)
		ct_want_error(post(who, (struct ct_str){good.p, n}, NULL), 400,
		    "malformed", NULL);
	want_untouched(who);
	ct_want(post(who, good, NULL), 201);
}

static void
no_body(void **state)
{
	struct ct_who *who = *state;

	ct_want(ct_call(who, "POST", "/api/feeding/", NULL), 400);
	ct_want(post(who, (struct ct_str)S(""), NULL), 400);
	ct_want_error(post(who, (struct ct_str)S("{}"), NULL), 400, "invalid",
	    "amount_ml");
	want_untouched(who);
}

static void
size_and_depth(void **state)
{
	struct ct_who *who = *state;
	const size_t kib = 1024, deep = 10000;
	char *big = ct_arena_raw(who->a, 70 * kib);
	char *nest = ct_arena_raw(who->a, 2 * deep + 64);
	int n;

	n = snprintf(big, 64, "{\"amount_ml\":50,\"notes\":\"");
	memset(big + n, 'x', 70 * kib - (size_t)n);
	memcpy(big + 65 * kib - 2, "\"}", 2);
	ct_want_error(
	    post(who, (struct ct_str){big, 65 * kib}, NULL), 413, NULL, NULL);
	/* Within the size, the field's own bound is told. */
	memcpy(big + 60 * kib - 2, "\"}", 2);
	ct_want_error(post(who, (struct ct_str){big, 60 * kib}, NULL), 400,
	    "invalid", "notes");
	memcpy(nest, "{\"notes\":", 9);
	memset(nest + 9, '[', deep);
	memset(nest + 9 + deep, ']', deep);
	nest[9 + 2 * deep] = '}';
	ct_want_error(post(who, (struct ct_str){nest, 10 + 2 * deep}, NULL),
	    400, "malformed", NULL);
	want_untouched(who);
}

static void
amounts(void **state)
{
	struct ct_who *who = *state;
	static const char *const bad[] = {"true", "false", "null", "\"70\"",
	    "\"\"", "[]", "[50]", "{}", "-1", "0", "0.0", "-0", "1e9",
	    "1000000000", "200.001", "0.0001", "50.0001", "1e-4",
	    "9223372036854775807", "1e308", "-1e308"};

	for (size_t i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r = post(who,
		    ct_str_of(ct_path(who, "{\"amount_ml\":%s}", bad[i])),
		    NULL);

		if (r->status != 400)
			print_error("amount %s\n", bad[i]);
		ct_want_error(r, 400, "invalid", "amount_ml");
	}
	want_untouched(who);
	ct_want(
	    post(who, (struct ct_str)S("{\"amount_ml\":0.001}"), NULL), 201);
	ct_want(post(who, (struct ct_str)S("{\"amount_ml\":200}"), NULL), 201);
	ct_want(post(who, (struct ct_str)S("{\"amount_ml\":5e1}"), NULL), 201);
}

static void
times(void **state)
{
	struct ct_who *who = *state;
	static const char *const bad[] = {"\"2025-06-01T12:00:00\"",
	    "\"2025-06-01 12:00\"", "\"2025-06-01\"", "\"now\"", "\"\"",
	    "\"2099-01-01T00:00:00Z\"", "\"2025-02-30T00:00:00Z\"",
	    "\"2025-06-01T25:00:00Z\"", "\"2025-06-01T12:00:60Z\"",
	    "\"0001-01-01T00:00:00Z\"", "\"99999-01-01T00:00:00Z\"",
	    "\"2025-06-01T12:00:00+25:00\"", "1748779200", "null", "true"};
	const struct ct_answer *r;

	for (size_t i = 0; i < ct_countof(bad); i++) {
		r = post(who,
		    ct_str_of(ct_path(
			who, "{\"amount_ml\":50,\"time_given\":%s}", bad[i])),
		    NULL);
		if (r->status != 400)
			print_error("time %s\n", bad[i]);
		ct_want_error(r, 400, "invalid", "time_given");
	}
	ct_want_error(post(who,
			  ct_str_of(ct_path(who,
			      "{\"amount_ml\":50,\"time_given\":\"%s\"}",
			      ct_when(who, 180))),
			  NULL),
	    400, "invalid", "time_given");
	want_untouched(who);
}

static void
fields(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *members, *field;
	} bad[] = {
	    {"\"amount\":50", "amount"},
	    {"\"Amount_ml\":50", "Amount_ml"},
	    {"\"AMOUNT_ML\":50", "AMOUNT_ML"},
	    {"\"account_id\":\"x\"", "account_id"},
	    {"\"by\":\"x\"", "by"},
	    {"\"version\":1", "version"},
	    {"\"care_day\":\"2025-01-01\"", "care_day"},
	    {"\"flushed_before\":1", "flushed_before"},
	    {"\"flushed_before\":\"true\"", "flushed_before"},
	    {"\"flushed_after\":null", "flushed_after"},
	    {"\"flush_before_ml\":-1", "flush_before_ml"},
	    {"\"flush_after_ml\":51", "flush_after_ml"},
	    {"\"planned_ml\":0", "planned_ml"},
	    {"\"route\":\"iv\"", "route"},
	    {"\"outcome\":\"great\"", "outcome"},
	    {"\"notes\":5", "notes"},
	    {"\"notes\":\"\\u0007\"", "notes"},
	    {"\"cat_id\":\"x\"", "cat_id"},
	    {"\"id\":\"00000000-0000-0000-0000-000000000000\"", "id"},
	    {"\"__proto__\":{}", "__proto__"},
	};

	for (size_t i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r = post(who,
		    ct_str_of(
			ct_path(who, "{\"amount_ml\":50,%s}", bad[i].members)),
		    NULL);

		ct_want_error(r, 400, "invalid", bad[i].field);
	}
	want_untouched(who);
}

static void
parameters(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *query;
		int64_t page, per_page;
	} clamped[] = {
	    {"page=-1", 1, 50},
	    {"page=0", 1, 50},
	    {"per_page=-1", 1, 1},
	    {"per_page=0", 1, 1},
	    {"per_page=1000", 1, 100},
	    {"page=2&per_page=100", 2, 100},
	};
	static const struct {
		const char *query, *field;
	} bad[] = {
	    {"nonsense=1", "nonsense"},
	    {"Page=1", "Page"},
	    {"page=x", "page"},
	    {"per_page=1.5", "per_page"},
	    {"cat_id=x", "cat_id"},
	    {"from=2025-13-01", "from"},
	    {"to=1", "to"},
	    {"page=99999999999999999999", "page"},
	};
	const struct ct_answer *r;

	for (size_t i = 0; i < ct_countof(clamped); i++) {
		r = ct_want(ct_get(who, ct_path(who, "/api/feeding/?%s",
					    clamped[i].query)),
		    200);
		assert_int_equal(ct_i64(r, "pagination.page"), clamped[i].page);
		assert_int_equal(
		    ct_i64(r, "pagination.per_page"), clamped[i].per_page);
	}
	for (size_t i = 0; i < ct_countof(bad); i++)
		ct_want_error(
		    ct_get(who, ct_path(who, "/api/feeding/?%s", bad[i].query)),
		    400, NULL, bad[i].field);
	ct_want_error(ct_get(who, "/api/tracker/today?x=1"), 400, NULL, "x");
	ct_want(ct_get(who, "/api/feeding/?page=1&page=2"), 400);
	ct_want(ct_get(who, "/api/feeding/?page=%00"), 400);
	ct_want(ct_get(who, "/api/feeding/?page=%zz"), 400);
}

static void
content_types(void **state)
{
	struct ct_who *who = *state;
	static const char *const bad[] = {"", "text/plain",
	    "application/x-www-form-urlencoded", "multipart/form-data",
	    "application/jsonp", "application/json; charset=latin1",
	    "application/json, text/plain", "text/json"};
	static const char *const good[] = {"application/json",
	    "application/json; charset=utf-8", "application/json;charset=UTF-8",
	    "Application/JSON"};
	struct ct_str body = CT_STR("{\"amount_ml\":50}");

	for (size_t i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r = post(who, body, bad[i]);

		if (r->status != 415)
			print_error("type %s\n", bad[i]);
		ct_want_error(r, 415, NULL, NULL);
	}
	want_untouched(who);
	for (size_t i = 0; i < ct_countof(good); i++)
		ct_want(post(who, body, good[i]), 201);
}

static void
methods(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *method, *path, *allow;
	} bad[] = {
	    {"PUT", "/api/feeding/", "POST"},
	    {"DELETE", "/api/feeding/", "GET"},
	    {"POST", "/api/feeding/01890a5d-ac96-774b-bcce-000000000001",
		"PATCH"},
	    {"GET", "/api/auth/login", "POST"},
	    {"GET", "/api/tracker/reset", "POST"},
	    {"PATCH", "/api/tracker/today", "GET"},
	    {"FOO", "/api/feeding/", "GET"},
	    {"TRACE", "/api/feeding/", NULL},
	    {"get", "/api/feeding/", NULL},
	};

	for (size_t i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r =
		    ct_call(who, bad[i].method, bad[i].path, NULL);

		if (!bad[i].allow) {
			assert_true(r->status == 405 || r->status == 400);
			continue;
		}
		ct_want_error(r, 405, NULL, NULL);
		assert_non_null(ct_head(r, "Allow"));
		assert_non_null(strstr(ct_head(r, "Allow"), bad[i].allow));
	}
	want_untouched(who);
}

static void
ids_and_paths(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {"/api/feeding/1",
	    "/api/feeding/not-an-id", "/api/feeding/'%20or%201=1",
	    "/api/feeding/00000000-0000-0000-0000-000000000000",
	    "/api/feeding/01890a5d-ac96-774b-bcce-00000000000g",
	    "/api/feeding/01890a5dac96774bbcce000000000001",
	    "/api/feeding/../auth/me/x", "/api/feeding/%2e%2e/%2e%2e/x",
	    "/api/x/../../etc/passwd",
	    "/api/report/download/../../../etc/passwd",
	    "/api/report/download/..%2f..%2f..%2fetc%2fpasswd",
	    "/api/;/feeding", "/api/feeding;x=1", "/files/", "/files/x",
	    "/internal/files/x", "/.git/config", "/.env"};

	for (size_t i = 0; i < ct_countof(paths); i++) {
		const struct ct_answer *r = ct_get(who, paths[i]);

		/* nginx refuses some of them before they get anywhere. */
		if (r->status != 400)
			ct_want(r, 404);
		assert_false(ct_says(r, "root:"));
	}
	ct_want(ct_get(who, "/api/feeding/%00"), 400);
	ct_want(ct_get(who, "//api//feeding//"), 200);
	ct_want(ct_get(who, "/api/./feeding/"), 200);
	/* However a path is spelled, the same gate stands before it. */
	who->cookie[0] = '\0';
	ct_want(ct_get(who, "/api/feeding/%2e%2e%2fauth%2fme"), 401);
	ct_want(ct_get(who, "//api//feeding//"), 401);
	ct_want(ct_get(who, "/api/%66eeding/"), 401);
	ct_want(ct_get(who, "/health/../api/feeding/"), 401);
}

static void
headers(void **state)
{
	struct ct_who *who = *state;
	const size_t n = 100 * 1024;
	char *line = ct_arena_raw(who->a, n + 1);
	const struct ct_answer *r;
	struct ct_ask ask = {.method = "GET", .path = "/api/tracker/today"};

	memset(line, 'x', n);
	line[n] = '\0';
	memcpy(line, "Cookie: catetube=", 17);
	ask.more[0] = line;
	r = ct_ask(who, &ask);
	assert_true(r->status == 400 || r->status == 431);
	assert_non_null(r->json);
	ct_text(r, "error");
	/* Of two lines of one header the good one does not cover the bad. */
	ask = (struct ct_ask){.method = "POST",
	    .path = "/api/feeding/",
	    .body = CT_STR("{\"amount_ml\":50}"),
	    .origin = "http://evil.example",
	    .more = {ct_path(who, "Origin: %s", ct_t_origin())}};
	r = ct_ask(who, &ask);
	assert_true(r->status == 400 || r->status == 403);
	ask.origin = NULL;
	memset(line, 'k', 300);
	line[300] = '\0';
	memcpy(line, "Idempotency-Key: ", 17);
	ask.more[0] = line;
	ct_want(ct_ask(who, &ask), 400);
	want_untouched(who);
}

static void
origins(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *nobody = ct_who_nobody(who->a, NULL);
	static const char *const bad[] = {
	    "null", "http://evil.example", "https://evil.example"};
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/feeding/",
	    .body = CT_STR("{\"amount_ml\":50}")};
	struct ct_ask login = {.method = "POST",
	    .path = "/api/auth/login",
	    .body = ct_str_of(ct_path(who,
		"{\"email\":\"%s\",\"password\":\"" CT_T_PASSWORD "\"}",
		who->email))};

	for (size_t i = 0; i < ct_countof(bad); i++) {
		ask.origin = login.origin = bad[i];
		ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
		/* Signing somebody in from elsewhere is refused as well. */
		ct_want_error(ct_ask(nobody, &login), 403, "origin", NULL);
	}
	ask.origin = ct_path(who, "%s.evil.example", ct_t_origin());
	ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
	ask.origin = ct_path(who, "%s1", ct_t_origin());
	ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
	ask.origin = "";
	ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
	ask.more[0] = "Sec-Fetch-Site: cross-site";
	ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
	ask.more[0] = "Sec-Fetch-Site: same-site";
	ct_want_error(ct_ask(who, &ask), 403, "origin", NULL);
	want_untouched(who);
	ask.more[0] = "Sec-Fetch-Site: same-origin";
	ct_want(ct_ask(who, &ask), 201);
	/* Programs without a cookie send no Origin at all. */
	login.origin = "";
	ct_want(ct_ask(nobody, &login), 200);
}

/* Text that is somebody's trick elsewhere is just text here. */
static void
text_survives(void **state)
{
	struct ct_who *who = *state;
	static const char *const texts[] = {"'; drop table feeding; --",
	    "<script>alert(1)</script>", "%s%n%x", "${jndi:x}",
	    "\xf0\x9f\x90\x88 Mieze \xc3\xa4\xc3\xb6",
	    "\xe2\x80\xae"
	    "evil",
	    "a\\\\b\\\"c"};
	const struct ct_answer *r;

	for (size_t i = 0; i < ct_countof(texts); i++) {
		const char *quoted = ct_path(who, "\"notes\":\"%s\"", texts[i]);

		r = ct_want(
		    post(who,
			ct_str_of(ct_path(who, "{\"amount_ml\":1,%s}", quoted)),
			NULL),
		    201);
		assert_true(ct_says(r, quoted));
		r = ct_want(ct_get(who, ct_path(who, "/api/feeding/%s",
					    ct_text(r, "data.id"))),
		    200);
		assert_true(ct_says(r, quoted));
		assert_non_null(
		    strstr(ct_head(r, "Content-Type"), "application/json"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(malformed_json),
	    ct_api_test(truncated_json),
	    ct_api_test(no_body),
	    ct_api_test(size_and_depth),
	    ct_api_test(amounts),
	    ct_api_test(times),
	    ct_api_test(fields),
	    ct_api_test(parameters),
	    ct_api_test(content_types),
	    ct_api_test(methods),
	    ct_api_test(ids_and_paths),
	    ct_api_test(headers),
	    ct_api_test(origins),
	    ct_api_test(text_survives),
	};

	return cmocka_run_group_tests_name(
	    "api/badinput", tests, ct_api_group, NULL);
}
