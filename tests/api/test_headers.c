/*
 * What stands above every body: security headers, caching, CORS, request ids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/app.h"

static void
want_guarded(const struct ct_answer *r)
{
	static const struct {
		const char *name, *part;
	} rows[] = {
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Referrer-Policy", "no-referrer"},
	    {"Content-Security-Policy", "default-src 'none'"},
	    {"Content-Security-Policy", "frame-ancestors 'none'"},
	    {"Cross-Origin-Resource-Policy", "same-origin"},
	    {"Cache-Control", "no-"},
	    {"X-Request-Id", ""},
	    {"Date", ""},
	};

	for (unsigned i = 0; i < ct_countof(rows); i++) {
		unsigned n = ct_http_header_count(&r->res, rows[i].name);

		if (n != 1)
			fail_msg("%s -> %d: %u times %s\n%.*s", r->what,
			    r->status, n, rows[i].name,
			    CT_STR_FMT(r->res.head));
		if (!strstr(ct_head(r, rows[i].name), rows[i].part))
			fail_msg("%s -> %d: %s is %s", r->what, r->status,
			    rows[i].name, ct_head(r, rows[i].name));
	}
	assert_null(ct_head(r, "X-Powered-By"));
	if (ct_head(r, "Server"))
		assert_string_equal(ct_head(r, "Server"), "nginx");
	/* A promise of https that plain http cannot make. */
	if (strncmp(ct_t_base(), "http:", 5) == 0)
		assert_null(ct_head(r, "Strict-Transport-Security"));
}

static void
guards_are_everywhere(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *nobody = ct_who_nobody(who->a, NULL);
	size_t n = 66 * 1024;
	char *big = ct_arena_raw(who->a, n);

	memset(big, ' ', n);
	want_guarded(ct_want(ct_get(who, "/api/tracker/today"), 200));
	want_guarded(ct_want(ct_get(who, "/api/feeding/"), 200));
	want_guarded(ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':1}"), 201));
	want_guarded(ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':0}"), 400));
	want_guarded(ct_want(ct_get(nobody, "/api/tracker/today"), 401));
	want_guarded(ct_want(ct_get(who, "/api/none"), 404));
	want_guarded(ct_want(ct_call(who, "PUT", "/api/feeding/", NULL), 405));
	want_guarded(ct_want(ct_get(nobody, "/health"), 200));
	want_guarded(ct_want(ct_get(nobody, "/api/"), 200));
	/* nginx's own: too large, a path that it cannot decode. */
	want_guarded(ct_want(ct_ask(who, &(struct ct_ask){.method = "POST",
					     .path = "/api/feeding/",
					     .body = {big, n}}),
	    413));
	want_guarded(ct_want(ct_get(who, "/api/%zz"), 400));
}

static void
want_isolated(const struct ct_answer *r)
{
	assert_int_equal(
	    ct_http_header_count(&r->res, "Cross-Origin-Opener-Policy"), 1);
	assert_string_equal(
	    ct_head(r, "Cross-Origin-Opener-Policy"), "same-origin");
	assert_int_equal(
	    ct_http_header_count(&r->res, "Permissions-Policy"), 1);
	assert_non_null(strstr(ct_head(r, "Permissions-Policy"), "camera=()"));
}

/* Whoever answers, nginx or a responder, says the same. */
static void
pages_are_isolated(void **state)
{
	struct ct_who *who = *state;

	want_isolated(ct_want(ct_get(who, "/api/%zz"), 400));
	want_isolated(ct_want(ct_get(who, "/api/tracker/today"), 200));
	want_isolated(ct_want(ct_get(who, "/api/none"), 404));
}

static void
answers_are_json(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {"/api/tracker/today",
	    "/api/feeding/", "/api/medication_log/", "/api/none", "/health"};

	for (unsigned i = 0; i < ct_countof(paths); i++) {
		const struct ct_answer *r = ct_get(who, paths[i]);

		assert_non_null(r->json);
		assert_non_null(ct_head(r, "Content-Type"));
		assert_int_equal(
		    strncmp(ct_head(r, "Content-Type"), "application/json", 16),
		    0);
	}
}

static const struct ct_answer *
get_if(struct ct_who *who, const char *path, const char *etag)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = "GET",
		     .path = path,
		     .more = {ct_path(who, "If-None-Match: %s", etag)}});
}

static void
unchanged_is_304(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {"/api/tracker/today",
	    "/api/feeding/", "/api/medication_log/", "/api/tracker/history",
	    "/api/tracker/stats"};

	for (unsigned i = 0; i < ct_countof(paths); i++) {
		const struct ct_answer *r = ct_want(ct_get(who, paths[i]), 200);
		const char *etag;

		assert_non_null(ct_head(r, "ETag"));
		etag = ct_path(who, "%s", ct_head(r, "ETag"));
		assert_string_equal(
		    ct_head(r, "Cache-Control"), "private, no-cache");
		/* From the cache and from the store alike. */
		for (unsigned n = 0; n < 3; n++) {
			r = ct_want(get_if(who, paths[i], etag), 304);
			assert_int_equal(r->body.n, 0);
			assert_string_equal(ct_head(r, "ETag"), etag);
			assert_string_equal(
			    ct_head(r, "Cache-Control"), "private, no-cache");
		}
		ct_want(get_if(who, paths[i], "\"other\""), 200);
		ct_want(get_if(who, paths[i], "nonsense"), 200);
	}
}

/* RFC 9110: tags are a list, compared weakly; "*" is whatever is there. */
static void
any_tag_of_the_list_counts(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {
	    "/api/tracker/today", "/api/feeding/"};

	for (unsigned i = 0; i < 2 * ct_countof(paths); i++) {
		const char *path = paths[i / 2];
		const char *etag = ct_path(who, "%s",
		    ct_head(ct_want(ct_get(who, path), 200), "ETag"));

		ct_want(get_if(who, path, ct_path(who, "W/%s", etag)), 304);
		ct_want(get_if(who, path, ct_path(who, "\"other\", %s", etag)),
		    304);
		ct_want(get_if(who, path, "*"), 304);
	}
}

static void
changed_is_200(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r =
	    ct_want(ct_get(who, "/api/tracker/today"), 200);
	const char *etag = ct_path(who, "%s", ct_head(r, "ETag"));
	const char *path;

	r = ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':50}"), 201);
	path = ct_path(who, "/api/feeding/%s", ct_text(r, "data.id"));
	r = ct_want(get_if(who, "/api/tracker/today", etag), 200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 50000);
	assert_string_not_equal(ct_head(r, "ETag"), etag);
	etag = ct_path(who, "%s", ct_head(r, "ETag"));
	ct_want(ct_call(who, "PATCH", path, "{'amount_ml':40}"), 200);
	r = ct_want(get_if(who, "/api/tracker/today", etag), 200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 40000);
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 0);
	/* A tag of one account is worth nothing to another. */
	etag = ct_path(who, "%s", ct_head(r, "ETag"));
	who->cookie[0] = '\0';
	ct_want(get_if(who, "/api/tracker/today", etag), 401);
}

static void
request_ids(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *a = ct_want(ct_get(who, "/api/none"), 404);
	const struct ct_answer *b =
	    ct_want(ct_ask(who, &(struct ct_ask){.method = "GET",
				    .path = "/api/none",
				    .more = {"X-Request-Id: forged\"}"}}),
		404);

	assert_string_equal(
	    ct_head(a, "X-Request-Id"), ct_text(a, "request_id"));
	assert_string_equal(
	    ct_head(b, "X-Request-Id"), ct_text(b, "request_id"));
	assert_string_not_equal(
	    ct_text(a, "request_id"), ct_text(b, "request_id"));
	assert_null(strstr(ct_text(b, "request_id"), "forged"));
}

static void
head_is_get_without_body(void **state)
{
	struct ct_who *who = *state;
	struct ct_ask ask = {.method = "HEAD", .path = "/api/tracker/today"};
	const struct ct_answer *g = ct_want(ct_get(who, ask.path), 200);
	const struct ct_answer *h = ct_want(ct_ask(who, &ask), 200);

	assert_int_equal(h->body.n, 0);
	assert_string_equal(ct_head(g, "ETag"), ct_head(h, "ETag"));
	assert_string_equal(
	    ct_head(g, "Content-Type"), ct_head(h, "Content-Type"));
	who->cookie[0] = '\0';
	ct_want(ct_ask(who, &ask), 401);
}

static const struct ct_answer *
preflight(struct ct_who *who, const char *origin)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = "OPTIONS",
		     .path = "/api/feeding/",
		     .origin = origin,
		     .more = {"Access-Control-Request-Method: POST",
			 "Access-Control-Request-Headers: content-type"}});
}

static void
cors_for_named_origins(void **state)
{
	struct ct_who *who = *state;
	struct ct_str list = ct_str_of(ct_t_env("CORS_ORIGINS", ""));
	struct ct_str first = ct_str_trim(ct_str_split(&list, ','));
	const struct ct_answer *r;
	const char *origin;

	if (first.n == 0)
		skip();
	origin = ct_str_cstr(who->a, first);
	who->cookie[0] = '\0'; /* a preflight has none */
	r = preflight(who, origin);
	assert_true(r->status == 204 || r->status == 200);
	assert_string_equal(ct_head(r, "Access-Control-Allow-Origin"), origin);
	assert_string_equal(
	    ct_head(r, "Access-Control-Allow-Credentials"), "true");
	assert_non_null(
	    strstr(ct_head(r, "Access-Control-Allow-Methods"), "POST"));
	assert_non_null(strcasestr(
	    ct_head(r, "Access-Control-Allow-Headers"), "content-type"));
	assert_non_null(strstr(ct_head(r, "Vary"), "Origin"));
	r = ct_want(ct_ask(who, &(struct ct_ask){.method = "GET",
				    .path = "/api/tracker/today",
				    .origin = origin}),
	    401);
	assert_string_equal(ct_head(r, "Access-Control-Allow-Origin"), origin);
	r = ct_want(ct_ask(who, &(struct ct_ask){.method = "POST",
				    .path = "/api/auth/login",
				    .origin = origin,
				    .body = CT_STR("{}")}),
	    400);
	assert_string_equal(ct_head(r, "Access-Control-Allow-Origin"), origin);
}

static void
cors_for_nobody_else(void **state)
{
	struct ct_who *who = *state;
	const char *const bad[] = {"http://evil.example", "null",
	    ct_path(who, "%s.evil.example", ct_t_origin()),
	    ct_path(who, "%s0", ct_t_origin()),
	    "http://localhost:5173.evil.example"};

	for (unsigned i = 0; i < ct_countof(bad); i++) {
		const struct ct_answer *r = preflight(who, bad[i]);

		assert_null(ct_head(r, "Access-Control-Allow-Origin"));
		assert_null(ct_head(r, "Access-Control-Allow-Credentials"));
		r = ct_ask(who, &(struct ct_ask){.method = "GET",
				    .path = "/api/tracker/today",
				    .origin = bad[i]});
		assert_null(ct_head(r, "Access-Control-Allow-Origin"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(guards_are_everywhere),
	    ct_api_test(pages_are_isolated),
	    ct_api_test(answers_are_json),
	    ct_api_test(unchanged_is_304),
	    ct_api_test(any_tag_of_the_list_counts),
	    ct_api_test(changed_is_200),
	    ct_api_test(request_ids),
	    ct_api_test(head_is_get_without_body),
	    ct_api_test(cors_for_named_origins),
	    ct_api_test(cors_for_nobody_else),
	};

	return cmocka_run_group_tests_name(
	    "api/headers", tests, ct_api_group, NULL);
}
