/* The answer: statuses, the error body, headers, what reaches the client. */
#include "tests/fcgi/conn_fixture.h"

#include "common/json.h"
#include "tests/unit/capture.h"

/* Answer a GET of / with what fill leaves in r; what the client sees. */
static struct ct_fcgi_res
answered(const struct ct_fcgi_req *req, void (*fill)(struct ct_req *r))
{
	struct ct_fcgi_res res;
	struct ct_req r;
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	assert_int_equal(
	    receive(c, peer, ct_fcgi_request(arena, req), &r), CT_OK);
	fill(&r);
	ct_resp_send(&r);
	ct_conn_end(c);
	res = ct_fcgi_read(peer, arena, 5000);
	assert_true(res.ended);
	ct_conn_free(c);
	close(peer);
	return res;
}

static const struct ct_fcgi_req plain = {.method = "GET", .path = "/"};
static struct ct_err said; /* what fill_error answers */

static void
fill_error(struct ct_req *r)
{
	r->reset_s = 17;
	ct_resp_error(r, &said);
}

static const struct ct_json *
json_of(const struct ct_fcgi_res *res)
{
	const struct ct_json *j = NULL;

	assert_int_equal(ct_json_parse(arena, res->body, 16, &j, &err), CT_OK);
	return j;
}

static struct ct_str
text_of(const struct ct_fcgi_res *res, const char *key)
{
	return ct_json_str(ct_json_get(json_of(res), key));
}

static void
every_rc_has_its_status(void **state)
{
	static const int want[CT_RC_COUNT] = {[CT_OK] = 200,
	    [CT_INVALID] = 400,
	    [CT_MALFORMED] = 400,
	    [CT_UNAUTH] = 401,
	    [CT_FORBIDDEN] = 403,
	    [CT_NOTFOUND] = 404,
	    [CT_CONFLICT] = 409,
	    [CT_TOOBIG] = 413,
	    [CT_LIMITED] = 429,
	    [CT_GONE_CLIENT] = 400,
	    [CT_RETRY] = 503,
	    [CT_INTERNAL] = 500};

	(void)state;
	for (int rc = CT_OK + 1; rc < CT_RC_COUNT; rc++) {
		struct ct_fcgi_res res;

		assert_int_not_equal(want[rc], 0);
		ct_fail(&said, (enum ct_rc)rc, NULL, "A sentence.");
		ct_err_detail(&said, "the inside");
		res = answered(&plain, fill_error);
		assert_int_equal(res.status, want[rc]);
		assert_true(ct_str_is(
		    text_of(&res, "code"), ct_rc_name((enum ct_rc)rc)));
		assert_true(text_of(&res, "error").n > 5);
		assert_true(ct_str_is(text_of(&res, "request_id"),
		    "0123456789abcdef0123456789abcdef"));
		assert_null(strstr(res.body.p, "inside"));
		/* Ours to know, not theirs. */
		assert_int_equal(
		    ct_str_is(text_of(&res, "error"), "A sentence."),
		    rc != CT_INTERNAL);
	}
}

static void
some_codes_have_a_status_of_their_own(void **state)
{
	static const struct {
		const char *code;
		enum ct_rc rc;
		int status;
	} table[] = {{"method", CT_INVALID, 405},
	    {"media_type", CT_INVALID, 415}, {"uri_too_long", CT_TOOBIG, 414}};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		ct_fail(&said, table[i].rc, table[i].code, "No.");
		assert_int_equal(
		    answered(&plain, fill_error).status, table[i].status);
	}
}

static void
who_shall_come_back_is_told_when(void **state)
{
	struct ct_fcgi_res res;

	(void)state;
	ct_fail(&said, CT_RETRY, NULL, "Later.");
	res = answered(&plain, fill_error);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Retry-After"), "2"));
	ct_fail(&said, CT_LIMITED, NULL, "Later.");
	res = answered(&plain, fill_error);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Retry-After"), "17"));
	ct_fail(&said, CT_NOTFOUND, NULL, "Never.");
	res = answered(&plain, fill_error);
	assert_null(ct_fcgi_head(&res, "Retry-After").p);
}

static void
bad_fields_are_all_shown(void **state)
{
	struct ct_fcgi_res res;
	const struct ct_json *fields;

	(void)state;
	ct_err_clear(&said);
	ct_fail_field(&said, "amount_ml", "must be greater than 0");
	ct_fail_field(&said, "a\"b\n\xc3\xa9", "is not a known parameter");
	res = answered(&plain, fill_error);
	assert_int_equal(res.status, 400);
	assert_true(ct_str_is(
	    text_of(&res, "error"), "amount_ml must be greater than 0"));
	fields = ct_json_get(json_of(&res), "fields");
	assert_true(ct_str_is(ct_json_str(ct_json_get(fields, "amount_ml")),
	    "must be greater than 0"));
	assert_true(
	    ct_str_is(ct_json_str(ct_json_get(fields, "a\"b\n\xc3\xa9")),
		"is not a known parameter"));
}

static void
fill_message(struct ct_req *r)
{
	ct_resp_message(r, 200, "hello");
	ct_resp_header(r, "X-More", CT_STR("one"));
}

static void
an_answer_is_framed(void **state)
{
	struct ct_fcgi_res res = answered(&plain, fill_message);

	(void)state;
	assert_int_equal(res.status, 200);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Content-Length"), "19"));
	assert_int_equal(res.body.n, 19);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Content-Type"),
	    "application/json; charset=utf-8"));
	assert_true(ct_str_is(ct_fcgi_head(&res, "X-More"), "one"));
	assert_true(ct_str_is(ct_fcgi_head(&res, "Cache-Control"), "no-store"));
	assert_true(
	    ct_str_is(ct_fcgi_head(&res, "X-Content-Type-Options"), "nosniff"));
	assert_null(ct_fcgi_head(&res, "Strict-Transport-Security").p);
}

static void
head_has_the_length_and_no_body(void **state)
{
	const struct ct_fcgi_req head = {.method = "HEAD", .path = "/"};
	struct ct_fcgi_res res = answered(&head, fill_message);

	(void)state;
	assert_int_equal(res.status, 200);
	assert_int_equal(res.body.n, 0);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Content-Length"), "19"));
}

static void
fill_304(struct ct_req *r)
{
	r->etag = CT_STR("0123456789abcdef");
	ct_buf_adds(ct_resp_raw(r, 304, ""), "not to be sent");
}

static void
not_modified_has_no_body(void **state)
{
	struct ct_fcgi_res res = answered(&plain, fill_304);

	(void)state;
	assert_int_equal(res.status, 304);
	assert_int_equal(res.body.n, 0);
	assert_null(ct_fcgi_head(&res, "Content-Length").p);
	assert_true(
	    ct_str_is(ct_fcgi_head(&res, "ETag"), "\"0123456789abcdef\""));
}

static void
cors_is_for_listed_origins_to_the_letter(void **state)
{
	static const struct {
		const char *origin;
		bool ok;
	} table[] = {{"HTTP_ORIGIN=https://app.example", true},
	    {"HTTP_ORIGIN=https://other.example", true},
	    {"HTTP_ORIGIN=https://app.example.evil.example", false},
	    {"HTTP_ORIGIN=https://APP.example", false},
	    {"HTTP_ORIGIN=http://app.example", false},
	    {"HTTP_ORIGIN=https://app.example:443", false},
	    {"HTTP_ORIGIN=null", false},
	    {"HTTP_ORIGIN=https://other.example, https://app.example", false}};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		const struct ct_fcgi_req req = {
		    .method = "GET", .path = "/", .more = {table[i].origin}};
		struct ct_fcgi_res res = answered(&req, fill_message);
		struct ct_str allow =
		    ct_fcgi_head(&res, "Access-Control-Allow-Origin");

		if (table[i].ok)
			assert_true(ct_str_is(allow, table[i].origin + 12));
		else
			assert_null(allow.p);
		assert_true(ct_str_is(ct_fcgi_head(&res, "Vary"), "Origin"));
	}
}

static struct ct_str token;

static void
fill_cookie(struct ct_req *r)
{
	ct_resp_message(r, 200, "hello");
	ct_resp_cookie(r, token, 60);
}

static void
the_cookie_is_kept_from_scripts(void **state)
{
	const struct ct_fcgi_req tls = {
	    .method = "GET", .path = "/", .more = {"HTTPS=on"}};
	struct ct_fcgi_res res;

	(void)state;
	token = CT_STR("abc");
	res = answered(&tls, fill_cookie);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Set-Cookie"),
	    "__Host-catetube=abc; Path=/; HttpOnly; SameSite=Lax; "
	    "Max-Age=60; Secure"));
	assert_non_null(ct_fcgi_head(&res, "Strict-Transport-Security").p);
	res = answered(&plain, fill_cookie);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Set-Cookie"),
	    "catetube=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"));
	token = (struct ct_str){0};
	res = answered(&plain, fill_cookie);
	assert_true(ct_str_is(ct_fcgi_head(&res, "Set-Cookie"),
	    "catetube=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
	assert_non_null(ct_fcgi_head(&res, "Clear-Site-Data").p);
}

/* ------------------------------------------------------------ our own bugs */

static void
put_header(void *value)
{
	struct ct_req r = {.a = arena};

	ct_resp_header(&r, "X-More", *(struct ct_str *)value);
}

static void
a_header_cannot_hold_a_line_end(void **state)
{
	struct ct_str bad[] = {CT_STR("a\rb"), CT_STR("a\nb"),
	    CT_STR("a\r\nSet-Cookie: b"), CT_STR("\n"), CT_STR("a\0b"),
	    CT_STR("a\x1b[0m")};
	struct ct_str good = CT_STR("caf\xc3\xa9 \"x\"; y=z");

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++)
		assert_true(aborts(put_header, &bad[i], "control character"));
	assert_false(aborts(put_header, &good, ""));
}

static void
send_open(void *r)
{
	ct_resp_send(r);
}

static void
what_is_not_finished_is_not_sent(void **state)
{
	struct ct_req r = {.a = arena, .app = &app, .path = CT_STR("/x")};

	(void)state;
	ct_jw_obj(ct_resp_json(&r, 200));
	assert_true(aborts(send_open, &r, "left open"));
	ct_resp_message(&r, 299, "no such status");
	assert_true(aborts(send_open, &r, "no reason phrase"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(every_rc_has_its_status),
	    T(some_codes_have_a_status_of_their_own),
	    T(who_shall_come_back_is_told_when),
	    T(bad_fields_are_all_shown),
	    T(an_answer_is_framed),
	    T(head_has_the_length_and_no_body),
	    T(not_modified_has_no_body),
	    T(cors_is_for_listed_origins_to_the_letter),
	    T(the_cookie_is_kept_from_scripts),
	    T(a_header_cannot_hold_a_line_end),
	    T(what_is_not_finished_is_not_sent),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
