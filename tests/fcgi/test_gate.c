/* The gates that need no database: path, origin, type, and Redis's verdict. */
#include "tests/fcgi/conn_fixture.h"

#include <hiredis/hiredis.h>

#include "fcgi/gate.h"

#define ACCOUNT "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f1011"
#define CAT	"0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f1012"

/* ------------------------------------------------------------ open */

/* The status that the first gate gave, 0: it let the request through. */
static int
open_gate(struct ct_req *r)
{
	r->a = arena;
	r->app = &app;
	r->route_index = CT_ROUTES_MAX;
	r->addr = CT_STR("192.0.2.1");
	return ct_gate_open(r) ? r->status : 0;
}

static struct ct_req
post(const char *path)
{
	return (struct ct_req){.method = CT_POST,
	    .method_text = CT_STR("POST"),
	    .path = ct_str_of(path)};
}

static void
the_path_comes_first(void **state)
{
	struct ct_req r = post("/nope");

	(void)state;
	assert_int_equal(open_gate(&r), 404);
	r = post("/api/auth/me");
	assert_int_equal(open_gate(&r), 405);
	assert_true(
	    ct_str_is(ct_buf_str(&r.headers), "Allow: GET, HEAD, OPTIONS\r\n"));
	r = (struct ct_req){.method = CT_GET, .path = CT_STR("/api/auth/me")};
	assert_int_equal(open_gate(&r), 0);
}

static void
a_cookie_needs_an_origin_of_ours(void **state)
{
	static const struct {
		const char *origin, *site;
		bool cookie, ok;
	} table[] = {
	    {"http://cat.example", NULL, true, true},
	    {"https://app.example", NULL, true, true},
	    {"http://cat.example.evil.example", NULL, true, false},
	    {"http://cat.example:80", NULL, true, false},
	    {"null", NULL, true, false},
	    {"null", "same-origin", true, false},
	    {NULL, "same-origin", true, true},
	    {NULL, "same-site", true, false},
	    {NULL, "cross-site", true, false},
	    {NULL, "none", true, false},
	    {NULL, NULL, true, false},
	    /* A program with a bearer token, or a log-in by a script. */
	    {NULL, NULL, false, true},
	    {"https://evil.example", NULL, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_req r = post("/api/feeding/");

		r.origin = ct_str_of(table[i].origin);
		r.fetch_site = ct_str_of(table[i].site);
		r.has_token = r.by_cookie = table[i].cookie;
		assert_int_equal(open_gate(&r), table[i].ok ? 0 : 403);
		r.method = CT_GET;
		assert_int_equal(open_gate(&r), 0);
	}
}

static void
a_body_is_json(void **state)
{
	static const struct {
		const char *type;
		int status;
	} table[] = {{"application/json", 0},
	    {"application/json; charset=utf-8", 0},
	    {"Application/JSON;charset=UTF-8", 0}, {NULL, 415},
	    {"text/plain", 415}, {"application/json2", 415},
	    {"text/plain; application/json", 415},
	    {"application/json, text/plain", 415},
	    {"application/json; charset=latin1", 415},
	    {"application/x-www-form-urlencoded", 415}};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_req r = post("/api/feeding");

		r.body = CT_STR("{}");
		r.content_type = ct_str_of(table[i].type);
		assert_int_equal(open_gate(&r), table[i].status);
		/* Without a body its type says nothing. */
		r.body = (struct ct_str){0};
		assert_int_equal(open_gate(&r), 0);
	}
}

static void
metrics_are_for_named_addresses(void **state)
{
	struct ct_req r = {
	    .method = CT_GET, .path = CT_STR("/metrics"), .a = arena};

	(void)state;
	assert_int_equal(open_gate(&r), 404);
	r.addr = CT_STR("127.0.0.1");
	assert_false(ct_gate_open(&r));
	r.addr = CT_STR("127.0.0.10");
	assert_true(ct_gate_open(&r));
	r.addr = CT_STR("127.0.0.1,");
	assert_true(ct_gate_open(&r));
}

static void
options_names_the_methods(void **state)
{
	struct ct_req r = {.method = CT_OPTIONS,
	    .method_text = CT_STR("OPTIONS"),
	    .path = CT_STR("/api/feeding/")};
	struct ct_str h;

	(void)state;
	assert_int_equal(open_gate(&r), 204);
	h = ct_buf_str(&r.headers);
	assert_true(ct_str_is(h, "Allow: GET, HEAD, POST, OPTIONS\r\n"));
	r = (struct ct_req){.method = CT_OPTIONS,
	    .path = CT_STR("/api/feeding/"),
	    .cors_method = CT_STR("POST"),
	    .origin = CT_STR("https://app.example")};
	assert_int_equal(open_gate(&r), 204);
	h = ct_buf_str(&r.headers);
	assert_non_null(memmem(
	    h.p, h.n, "Access-Control-Allow-Methods: GET, HEAD, POST", 45));
	r.headers = (struct ct_buf){0};
	r.origin = CT_STR("https://evil.example");
	assert_int_equal(open_gate(&r), 204);
	h = ct_buf_str(&r.headers);
	assert_null(memmem(h.p, h.n, "Access-Control", 14));
	r.path = CT_STR("/nope");
	r.allow = 0;
	assert_int_equal(open_gate(&r), 404);
}

/* ------------------------------------------------------------ cached */

/* What the script answers about one request; NULL ends what follows. */
static const struct redisReply *
verdict(const char *letter, int64_t remaining, int64_t reset,
    const char *const *more)
{
	static redisReply parts[8], *list[8], whole;

	memset(parts, 0, sizeof(parts));
	for (size_t i = 0; i < ct_countof(parts); i++)
		list[i] = &parts[i];
	parts[0] = (redisReply){.type = REDIS_REPLY_STRING,
	    .len = strlen(letter),
	    .str = ct_arena_dup(arena, letter, strlen(letter))};
	parts[1] =
	    (redisReply){.type = REDIS_REPLY_INTEGER, .integer = remaining};
	parts[2] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = reset};
	whole = (redisReply){
	    .type = REDIS_REPLY_ARRAY, .elements = 3, .element = list};
	for (; whole.elements < 8 && more && *more; more++)
		parts[whole.elements++] =
		    (redisReply){.type = REDIS_REPLY_STRING,
			.len = strlen(*more),
			.str = ct_arena_dup(arena, *more, strlen(*more))};
	return &whole;
}

static bool
cached(struct ct_req *r, const struct redisReply *answer)
{
	return ct_gate_cached(r, CT_STR("7"), answer);
}

static struct ct_req
today(void)
{
	struct ct_req r = {.a = arena,
	    .app = &app,
	    .method = CT_GET,
	    .method_text = CT_STR("GET"),
	    .has_token = true,
	    .limit = 200,
	    .remaining = -1,
	    .path = CT_STR("/api/tracker/today")};

	assert_int_equal(ct_route_find(&r, &err), CT_OK);
	return r;
}

#define SESSION ACCOUNT " " CAT " us- " CAT

static void
a_hit_is_the_answer(void **state)
{
	static const char *const more[] = {
	    SESSION, "v1", "0123456789abcdef", "{\"a\":1}", NULL};
	struct ct_req r = today();

	(void)state;
	assert_true(cached(&r, verdict("H", 42, 9, more)));
	assert_int_equal(r.status, 200);
	assert_true(ct_str_is(ct_buf_str(&r.out), "{\"a\":1}"));
	assert_true(ct_str_is(r.etag, "0123456789abcdef"));
	assert_int_equal(r.remaining, 42);
	assert_int_equal(r.reset_s, 9);
	assert_true(r.signed_in && !r.is_admin);
	assert_false(ct_uuid_nil(&r.account) || ct_uuid_nil(&r.cat));
}

static void
the_same_is_304(void **state)
{
	static const char *const more[] = {
	    SESSION, "v1", "0123456789abcdef", NULL};
	struct ct_req r = today();

	(void)state;
	assert_true(cached(&r, verdict("S", 42, 9, more)));
	assert_int_equal(r.status, 304);
	assert_int_equal(r.out.n, 0);
}

static void
a_miss_goes_on_signed_in(void **state)
{
	static const char *const user[] = {SESSION, "v1", NULL};
	static const char *const admin[] = {
	    ACCOUNT " " CAT " as- " CAT, "v1", NULL};
	static const char *const no_cat[] = {
	    ACCOUNT " 00000000-0000-0000-0000-000000000000 us- ", "v1", NULL};
	struct ct_req r = today();

	(void)state;
	assert_false(cached(&r, verdict("M", 42, 9, user)));
	assert_true(r.signed_in && !r.is_admin);
	assert_true(ct_str_is(r.epoch, "7") && ct_str_is(r.version, "v1"));
	r = today();
	assert_false(cached(&r, verdict("M", 42, 9, admin)));
	assert_true(r.signed_in && r.is_admin);
	r = today();
	assert_false(cached(&r, verdict("M", 42, 9, no_cat)));
	assert_true(r.signed_in && ct_uuid_nil(&r.cat));
}

/* What a token may is in the copy of its session. */
static void
a_token_keeps_its_scope_and_cat(void **state)
{
	static const struct {
		const char *copy;
		enum ct_token_scope scope;
		bool bound;
	} table[] = {
	    {SESSION, CT_S_SESSION, false},
	    {ACCOUNT " " CAT " ur- " CAT, CT_S_READ, false},
	    {ACCOUNT " " CAT " ulb " CAT, CT_S_LOG, true},
	    {ACCOUNT " " CAT " uf- " CAT, CT_S_FULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		const char *more[] = {table[i].copy, "v1", NULL};
		struct ct_req r = today();

		assert_false(cached(&r, verdict("M", 42, 9, more)));
		assert_int_equal(r.scope, table[i].scope);
		assert_int_equal(
		    ct_uuid_eq(&r.only_cat, &r.cat), table[i].bound);
	}
}

static void
over_the_limit_is_429(void **state)
{
	struct ct_req r = today();

	(void)state;
	assert_true(cached(&r, verdict("L", 0, 33, NULL)));
	assert_int_equal(r.status, 429);
	assert_true(ct_str_is(ct_buf_str(&r.headers), "Retry-After: 33\r\n"));
	assert_false(r.signed_in);
}

static void
no_session_is_401_or_asked_again(void **state)
{
	static const char *const none[] = {"", NULL};
	struct ct_req r = today();

	(void)state;
	/* Redis may have forgotten it: PostgreSQL knows. */
	assert_false(cached(&r, verdict("N", 42, 9, none)));
	assert_false(r.signed_in);
	r = today();
	r.has_token = false;
	assert_true(cached(&r, verdict("N", 42, 9, none)));
	assert_int_equal(r.status, 401);
}

/* Whatever stands in Redis, nobody is signed in by half a session. */
static void
a_broken_session_signs_nobody_in(void **state)
{
	static const char *const bad[] = {"", "x", ACCOUNT, ACCOUNT " " CAT,
	    ACCOUNT " " CAT " ", ACCOUNT " " CAT " us-",
	    ACCOUNT " " CAT " ux- " CAT,
	    "00000000-0000-0000-0000-000000000000 " CAT " as- ",
	    "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f10zz " CAT " as- "};

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		const char *more[] = {
		    bad[i], "v1", "0123456789abcdef", "{\"secret\":1}", NULL};
		struct ct_req r = today();

		assert_false(cached(&r, verdict("H", 42, 9, more)));
		assert_false(r.signed_in || r.is_admin);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.verdict, CT_V_NO_SESSION);
	}
}

static void
what_is_no_verdict_goes_on_to_the_database(void **state)
{
	redisReply error = {.type = REDIS_REPLY_ERROR,
	    .len = 4,
	    .str = ct_arena_dup(arena, "OOM!", 4)};
	redisReply nil = {.type = REDIS_REPLY_NIL};
	static const char *const more[] = {SESSION, "v1", NULL};
	const struct redisReply *bad[] = {&error, &nil, NULL};
	static const char *const letters[] = {"", "X", "HH", "h"};
	struct ct_req r;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		r = today();
		assert_false(cached(&r, bad[i]));
		assert_false(r.signed_in);
		assert_int_equal(r.verdict, CT_V_NONE);
	}
	for (size_t i = 0; i < ct_countof(letters); i++) {
		r = today();
		assert_false(cached(&r, verdict(letters[i], 1, 1, more)));
		assert_false(r.signed_in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_path_comes_first),
	    T(a_cookie_needs_an_origin_of_ours),
	    T(a_body_is_json),
	    T(metrics_are_for_named_addresses),
	    T(options_names_the_methods),
	    T(a_hit_is_the_answer),
	    T(the_same_is_304),
	    T(a_miss_goes_on_signed_in),
	    T(a_token_keeps_its_scope_and_cat),
	    T(over_the_limit_is_429),
	    T(no_session_is_401_or_asked_again),
	    T(a_broken_session_signs_nobody_in),
	    T(what_is_no_verdict_goes_on_to_the_database),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
