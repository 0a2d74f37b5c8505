/* The route table: its look-up, and what every row must keep to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi/handlers.h"
#include "fcgi/route.h"

#define ID "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f1011"

static struct ct_arena *arena;
static struct ct_err err;

static int
begin(void **state)
{
	(void)state;
	arena = ct_arena_create(1 << 20);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

/* The request after a look-up; *rc is what it gave. */
static struct ct_req
find(unsigned method, const char *path, enum ct_rc *rc)
{
	struct ct_req r = {.a = arena,
	    .method = method,
	    .method_text = ct_str_of(method ? ct_method_name(method) : "FOO"),
	    .path = ct_str_of(path),
	    .route_index = CT_ROUTES_MAX};

	ct_err_clear(&err);
	*rc = ct_route_find(&r, &err);
	return r;
}

/* A path that the pattern means: {id} and {word} filled in. */
static const char *
sample(const char *pattern, const char *id, const char *word)
{
	struct ct_str rest = ct_str_of(pattern);
	struct ct_buf b;

	ct_buf_init(&b, arena, 128);
	while (rest.p) {
		struct ct_str part = ct_str_split(&rest, '/');

		if (ct_str_is(part, "{id}") || ct_str_is(part, "{sub}"))
			ct_buf_adds(&b, id);
		else if (ct_str_is(part, "{word}"))
			ct_buf_adds(&b, word);
		else
			ct_buf_addstr(&b, part);
		if (rest.p)
			ct_buf_addc(&b, '/');
	}
	ct_buf_addc(&b, '\0');
	return b.p;
}

static void
every_row_finds_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_route *t = &ct_routes[i];
		const char *path = sample(t->pattern, ID, "feeding");
		const char *twin = ct_arena_printf(arena, "%s/", path);
		enum ct_rc rc;
		struct ct_req r = find(t->method, path, &rc);

		assert_int_equal(rc, CT_OK);
		assert_ptr_equal(r.route, t);
		assert_int_equal(r.route_index, i);
		assert_true(r.allow & t->method);
		if (strstr(t->pattern, "{id}"))
			assert_false(ct_uuid_nil(&r.id));
		if (strstr(t->pattern, "{word}"))
			assert_true(ct_str_is(r.word, "feeding"));
		if (strcmp(path, "/") == 0)
			continue;
		r = find(t->method, twin, &rc);
		assert_int_equal(rc, CT_OK);
		assert_ptr_equal(r.route, t);
	}
}

static void
no_two_rows_are_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(
			    ct_routes[i].method == ct_routes[k].method &&
			    strcmp(ct_routes[i].pattern,
				ct_routes[k].pattern) == 0);
	}
}

static void
other_methods_are_405_with_what_there_is(void **state)
{
	static const struct {
		const char *path, *allow;
	} table[] = {
	    {"/api/feeding", "GET, HEAD, POST, OPTIONS"},
	    {"/api/feeding/" ID, "GET, HEAD, PATCH, DELETE, OPTIONS"},
	    {"/api/feeding/" ID "/restore", "POST, OPTIONS"},
	    {"/api/tracker/today/", "GET, HEAD, POST, OPTIONS"},
	    {"/api/auth/login", "POST, OPTIONS"},
	    {"/api/auth/profile", "PUT, OPTIONS"},
	    {"/api/report/active", "GET, HEAD, POST, OPTIONS"},
	    {"/health", "GET, HEAD, OPTIONS"},
	};
	enum ct_rc rc;

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		static const unsigned other[] = {0, CT_OPTIONS};

		for (size_t k = 0; k < ct_countof(other); k++) {
			struct ct_req r = find(other[k], table[i].path, &rc);

			assert_int_equal(rc, CT_INVALID);
			assert_string_equal(err.code, "method");
			assert_null(r.route);
			assert_int_equal(r.route_index, CT_ROUTES_MAX);
			assert_true(ct_str_is(
			    ct_route_allow(arena, r.allow), table[i].allow));
		}
	}
	/* Every row refuses every method that its path lacks. */
	for (size_t i = 0; i < ct_routes_n; i++) {
		const char *path = sample(ct_routes[i].pattern, ID, "feeding");
		unsigned allow = find(0, path, &rc).allow;

		for (unsigned m = CT_GET; m <= CT_OPTIONS; m <<= 1) {
			find(m, path, &rc);
			assert_int_equal(rc, allow & m ? CT_OK : CT_INVALID);
		}
	}
}

static void
other_paths_are_404(void **state)
{
	static const char *const paths[] = {"", "/nope", "/api/feedin",
	    "/api/feedings", "/api/feeding/x/y/z", "/api/feeding//", "api",
	    "/API/feeding", "/api/feeding/" ID "/", "/api/tracker",
	    "/api/feeding/" ID "/restore/x", "/api/feeding/today",
	    "/api/feeding/%7Bid%7D", "/api/feeding/{id}", "/health/live/x",
	    "/metrics/all", "/api/report/{word}", "///"};

	(void)state;
	for (size_t i = 0; i < ct_countof(paths); i++) {
		enum ct_rc rc;
		struct ct_req r = find(CT_POST, paths[i], &rc);

		if (strcmp(paths[i], "/api/feeding/" ID "/") == 0) {
			assert_int_equal(rc, CT_INVALID);
			continue;
		}
		if (rc != CT_NOTFOUND)
			fail_msg("\"%s\" gave %s", paths[i], ct_rc_name(rc));
		assert_int_equal(r.allow, 0);
		assert_null(r.route);
	}
}

static void
an_id_is_a_uuid(void **state)
{
	static const char *const bad[] = {"1", "0",
	    "00000000-0000-0000-0000-000000000000",
	    "0190a0b0c0d07e0f8a0b0c0d0e0f1011",
	    "{0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f1011}",
	    "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f101", ID "0",
	    "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f101g", " " ID, ID " ", ID "'"};
	enum ct_rc rc;

	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		if (!strstr(ct_routes[i].pattern, "{id}"))
			continue;
		for (size_t k = 0; k < ct_countof(bad); k++) {
			find(ct_routes[i].method,
			    sample(ct_routes[i].pattern, bad[k], "feeding"),
			    &rc);
			assert_int_equal(rc, CT_NOTFOUND);
		}
		find(ct_routes[i].method,
		    sample(ct_routes[i].pattern,
			"0190A0B0-C0D0-7E0F-8A0B-0C0D0E0F1011", "feeding"),
		    &rc);
		assert_int_equal(rc, CT_OK);
	}
}

static void
a_word_is_lower_case_letters(void **state)
{
	static const char *const bad[] = {"Feeding", "feed1ng", "", "a-b",
	    "a.b", "..", "%66", "abcdefghijklmnopqrstuvwxyzabcdefg"};
	enum ct_rc rc;

	(void)state;
	for (size_t k = 0; k < ct_countof(bad); k++) {
		find(CT_POST, ct_arena_printf(arena, "/api/report/%s", bad[k]),
		    &rc);
		assert_int_equal(rc, CT_NOTFOUND);
	}
	find(CT_POST, "/api/report/a_b", &rc);
	assert_int_equal(rc, CT_OK);
	find(CT_POST, "/api/report/abcdefghijklmnopqrstuvwxyzabcdef", &rc);
	assert_int_equal(rc, CT_OK);
}

static void
every_row_is_complete(void **state)
{
	(void)state;
	assert_true(ct_routes_n > 0 && ct_routes_n <= CT_ROUTES_MAX);
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_route *t = &ct_routes[i];
		size_t n = strlen(t->pattern);

		assert_non_null(t->handler);
		assert_non_null(t->summary);
		assert_true(strlen(t->summary) > 2);
		assert_int_equal(t->pattern[0], '/');
		assert_true(n == 1 || t->pattern[n - 1] != '/');
		assert_string_not_equal(ct_method_name(t->method), "OTHER");
		/* Only a GET may be answered from the cache, by its cat. */
		if (t->tag) {
			assert_int_equal(t->method, CT_GET);
			assert_int_equal(t->who, CT_W_READ);
			assert_true(
			    !strchr(t->pattern, '{') || t->flags & CT_R_CAT);
		}
		if (t->flags & CT_R_IDEM) {
			assert_int_equal(t->method, CT_POST);
			assert_true(t->who > CT_W_OPEN && t->who < CT_W_LOCAL);
			assert_non_null(t->body);
		}
		if (t->flags & CT_R_UPLOAD) {
			assert_int_equal(t->method, CT_POST);
			assert_true(t->who > CT_W_OPEN && t->who < CT_W_LOCAL);
			assert_true(!t->body && !(t->flags & CT_R_SLOW));
		}
		/* What is about a cat by its path has it there. */
		if (t->flags & CT_R_CAT)
			assert_ptr_equal(
			    strstr(t->pattern, "/api/cat/{id}"), t->pattern);
		/* A GET has no body to read. */
		assert_true(t->method != CT_GET || !t->body);
		if (t->query)
			assert_true(t->query->n > 0 && t->query->n <= 64);
		if (t->body)
			assert_true(t->body->n > 0 && t->body->n <= 64);
		/* The loop has no database: nobody can be known there. */
		if (t->flags & CT_R_LOOP) {
			assert_int_equal(t->class, CT_C_NONE);
			assert_true(
			    t->who == CT_W_OPEN || t->who == CT_W_LOCAL);
		}
	}
}

/* A cached answer is found by the cat and its tag alone. */
static void
no_two_rows_share_a_tag(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		for (size_t k = 0; k < i && ct_routes[i].tag; k++)
			assert_true(
			    !ct_routes[k].tag ||
			    strcmp(ct_routes[i].tag, ct_routes[k].tag) != 0);
	}
}

static void
slow_rows_are_those_that_hash(void **state)
{
	static const struct {
		enum ct_rc (*handler)(struct ct_req *r, struct ct_err *err);
	} hashing[] = {{h_register}, {h_login}, {h_change_password},
	    {h_deactivate}, {h_delete_account}, {h_reactivate},
	    {h_reset_password}, {h_change_email}, {h_totp_begin},
	    {h_totp_disable}};
	size_t slow = 0;

	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_route *t = &ct_routes[i];
		bool hashes = false;

		for (size_t k = 0; k < ct_countof(hashing); k++)
			hashes |= t->handler == hashing[k].handler;
		assert_int_equal(hashes, (t->flags & CT_R_SLOW) != 0);
		/* Who makes us hash is counted by address first. */
		if (hashes)
			assert_int_equal(t->class, CT_C_AUTH);
		slow += hashes;
	}
	assert_int_equal(slow, ct_countof(hashing));
}

static void
what_changes_something_is_limited(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_route *t = &ct_routes[i];

		/* Logging out must work when the writes are used up. */
		if (t->method == CT_GET || t->handler == h_logout)
			continue;
		assert_true(t->class == CT_C_LOG || t->class == CT_C_REPORT ||
			    t->class == CT_C_AUTH);
	}
}

/* Deny by default: what needs nobody signed in is named here. */
static void
open_rows_are_few(void **state)
{
	static const char *const open[] = {"/", "/api", "/health",
	    "/health/ready", "/health/live", "/api/auth/login",
	    "/api/auth/register", "/api/auth/reactivate",
	    "/api/auth/verify-email", "/api/auth/forgot-password",
	    "/api/auth/reset-password", "/api/auth/confirm-email",
	    "/api/auth/undo-email"};

	(void)state;
	for (size_t i = 0; i < ct_routes_n; i++) {
		bool listed = false;

		for (size_t k = 0; k < ct_countof(open); k++)
			listed |= strcmp(open[k], ct_routes[i].pattern) == 0;
		assert_int_equal(listed, ct_routes[i].who == CT_W_OPEN);
		if (strcmp(ct_routes[i].pattern, "/metrics") == 0)
			assert_int_equal(ct_routes[i].who, CT_W_LOCAL);
		if (strstr(ct_routes[i].pattern, "/cleanup-"))
			assert_int_equal(ct_routes[i].who, CT_W_ADMIN);
	}
}

static void
classes_have_their_limits(void **state)
{
	const struct ct_conf conf = {.limit_read = 1,
	    .limit_log = 2,
	    .limit_report = 3,
	    .limit_auth = 4};

	(void)state;
	assert_int_equal(ct_class_limit(&conf, CT_C_NONE), 0);
	assert_int_equal(ct_class_limit(&conf, CT_C_READ), 1);
	assert_int_equal(ct_class_limit(&conf, CT_C_LOG), 2);
	assert_int_equal(ct_class_limit(&conf, CT_C_REPORT), 3);
	assert_int_equal(ct_class_limit(&conf, CT_C_AUTH), 4);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(every_row_finds_itself),
	    T(no_two_rows_are_the_same),
	    T(other_methods_are_405_with_what_there_is),
	    T(other_paths_are_404),
	    T(an_id_is_a_uuid),
	    T(a_word_is_lower_case_letters),
	    T(every_row_is_complete),
	    T(no_two_rows_share_a_tag),
	    T(slow_rows_are_those_that_hash),
	    T(what_changes_something_is_limited),
	    T(open_rows_are_few),
	    T(classes_have_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
