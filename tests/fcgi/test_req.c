/* Reading what a client sent: percent-encoding, cookies, the query string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi/req.h"
#include "fcgi/route.h"

static struct ct_arena *arena;
static struct ct_err err;

static int
begin(void **state)
{
	(void)state;
	arena = ct_arena_create(1 << 20);
	ct_err_clear(&err);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

/* ------------------------------------------------------------ decoding */

static void
percent_and_plus_are_decoded(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} table[] = {
	    {"", ""},
	    {"plain", "plain"},
	    {"a+b", "a b"},
	    {"%2B", "+"},
	    {"%25%32%35", "%25"},
	    {"%c3%A9", "\xc3\xa9"},
	    {"%0d%0a", "\r\n"},
	    {"%7f%ff", "\x7f\xff"},
	    {"%", NULL},
	    {"%4", NULL},
	    {"a%4", NULL},
	    {"%zz", NULL},
	    {"%4g", NULL},
	    {"%g4", NULL},
	    {"%%41", NULL},
	    {"% 41", NULL},
	    {"%-1", NULL},
	    {"%+1", NULL},
	    {"%00", NULL},
	    {"a%00b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_str s = ct_url_decode(arena, ct_str_of(table[i].in));

		if (!table[i].out) {
			assert_null(s.p);
			continue;
		}
		assert_true(s.p != NULL && ct_str_is(s, table[i].out));
		assert_int_equal(s.p[s.n], '\0');
	}
	/* A raw NUL, and a sequence that ends where the view does. */
	assert_null(ct_url_decode(arena, CT_STR("a\0b")).p);
	assert_null(ct_url_decode(arena, (struct ct_str){"%41", 2}).p);
}

/* ------------------------------------------------------------ cookies */

static void
a_cookie_is_found_by_its_whole_name(void **state)
{
	static const struct {
		const char *header, *value; /* NULL: absent */
	} table[] = {
	    {"catetube=x", "x"},
	    {"a=b; catetube=x", "x"},
	    {"a=b;catetube=x;c=d", "x"},
	    {"  catetube=x  ;", "x"},
	    {"catetube=x; catetube=y", "x"},
	    {"catetube=a=b", "a=b"},
	    {"catetube=\"x\"", "\"x\""},
	    {"xcatetube=x", NULL},
	    {"catetubex=x", NULL},
	    {"__Host-catetube=x", NULL},
	    {"CATETUBE=x", NULL},
	    {"catetube", NULL},
	    {"catetube;", NULL},
	    {"a=catetube=x", NULL},
	    {"a=\"; catetube\"", NULL},
	    {"catetube =x", NULL},
	    {"", NULL},
	    {";;;", NULL},
	    {"=", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_str s =
		    ct_cookie_get(ct_str_of(table[i].header), "catetube");

		if (table[i].value)
			assert_true(ct_str_is(s, table[i].value));
		else
			assert_null(s.p);
	}
	assert_null(ct_cookie_get((struct ct_str){0}, "catetube").p);
	/* An empty value is there, and empty. */
	assert_true(ct_cookie_get(CT_STR("catetube="), "catetube").n == 0);
	/* The view ends before the value does. */
	assert_true(ct_str_is(
	    ct_cookie_get((struct ct_str){"catetube=xyz", 10}, "catetube"),
	    "x"));
}

/* ------------------------------------------------------------ query */

struct in {
	struct ct_str name;
	int64_t page;
	struct ct_uuid cat;
};
static const struct ct_field rows[] = {
    {"name", CT_T_TEXT, offsetof(struct in, name), 0, 1, 10, NULL, NULL, NULL,
	"a name"},
    {"page", CT_T_INT, offsetof(struct in, page), 0, 1, 9, NULL, NULL, NULL,
	"a page"},
    {"cat_id", CT_T_UUID, offsetof(struct in, cat), 0, 0, 0, NULL, NULL, NULL,
	"a cat"},
};
static const struct ct_fields fields = CT_FIELDS("in", struct in, rows);

static enum ct_rc
query_n(struct ct_str text, struct in *in)
{
	static const struct ct_route route = {.query = &fields};
	struct ct_req r = {.a = arena, .query = text, .route = &route};

	memset(in, 0, sizeof(*in));
	ct_err_clear(&err);
	return ct_req_query(&r, in, &err);
}

static enum ct_rc
query(const char *text, struct in *in)
{
	return query_n(ct_str_of(text), in);
}

static void
parameters_are_bound(void **state)
{
	struct in in;

	(void)state;
	assert_int_equal(query("name=a%20b+c&page=7", &in), CT_OK);
	assert_true(ct_str_is(in.name, "a b c"));
	assert_int_equal(in.page, 7);
	assert_int_equal(query("&&page=7&", &in), CT_OK);
	assert_int_equal(in.page, 7);
	assert_int_equal(query("n%61me=x", &in), CT_OK);
	assert_true(ct_str_is(in.name, "x"));
	assert_int_equal(query("name=a=b", &in), CT_OK);
	assert_true(ct_str_is(in.name, "a=b"));
	assert_int_equal(query("", &in), CT_OK);
	assert_int_equal(query_n((struct ct_str){0}, &in), CT_OK);
}

static void
bad_parameters_are_named_all_at_once(void **state)
{
	struct in in;

	(void)state;
	assert_int_equal(query("nope=1", &in), CT_INVALID);
	assert_int_equal(err.nfields, 1);
	assert_string_equal(err.fields[0].name, "nope");
	assert_int_equal(query("page=1&page=1", &in), CT_INVALID);
	assert_string_equal(err.fields[0].name, "page");
	assert_int_equal(query("p%61ge=1&page=1", &in), CT_INVALID);
	assert_int_equal(
	    query("page=0&name=12345678901&no=1&cat_id=x", &in), CT_INVALID);
	assert_int_equal(err.nfields, 4);
	assert_int_equal(query("page", &in), CT_INVALID);
	assert_int_equal(query("page=", &in), CT_INVALID);
	assert_int_equal(query("=1", &in), CT_INVALID);
	assert_int_equal(query("Page=1", &in), CT_INVALID);
	assert_int_equal(query("page[]=1", &in), CT_INVALID);
	assert_int_equal(query("page=1;name=x", &in), CT_INVALID);
	assert_int_equal(query("page=99999999999999999999", &in), CT_INVALID);
	/* A good one after a bad one does not make it good. */
	assert_int_equal(query("nope=1&page=1", &in), CT_INVALID);
}

static void
a_broken_query_is_malformed(void **state)
{
	static const char *const bad[] = {"page=%", "page=%1", "%zz=1",
	    "name=%00", "name=a%00", "%00name=x", "name=%ff", "name=%c3",
	    "name=%ed%a0%80", "nope=1&name=%", "name=x&%", "%80=1"};
	struct in in;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		assert_int_equal(query(bad[i], &in), CT_MALFORMED);
		assert_int_equal(err.rc, CT_MALFORMED);
	}
	assert_int_equal(query_n(CT_STR("name=a\0b"), &in), CT_MALFORMED);
}

/* More bad ones than an error can name, and names longer than it can hold. */
static void
many_and_long_names_fit(void **state)
{
	struct ct_buf b;
	struct in in;

	(void)state;
	ct_buf_init(&b, arena, 4096);
	for (int i = 0; i < 100; i++)
		ct_buf_addf(&b, "x%d=1&", i);
	assert_int_equal(query_n(ct_buf_str(&b), &in), CT_INVALID);
	assert_int_equal(err.nfields, CT_ERR_FIELDS);
	b.n = 0;
	for (int i = 0; i < 300; i++)
		ct_buf_adds(&b, "%c3%a9");
	ct_buf_adds(&b, "=1");
	assert_int_equal(query_n(ct_buf_str(&b), &in), CT_INVALID);
	assert_true(ct_utf8_ok(ct_str_of(err.fields[0].name)));
}

static void
a_route_without_parameters_takes_none(void **state)
{
	static const struct ct_route route = {.method = CT_GET};
	struct ct_req r = {
	    .a = arena, .query = CT_STR("page=1"), .route = &route};

	(void)state;
	assert_int_equal(ct_req_shape(&r, &err), CT_INVALID);
	assert_string_equal(err.fields[0].name, "page");
	r.query = (struct ct_str){0};
	assert_int_equal(ct_req_shape(&r, &err), CT_OK);
	r.query = CT_STR("&&");
	assert_int_equal(ct_req_shape(&r, &err), CT_OK);
}

static void
a_route_without_a_body_takes_none(void **state)
{
	static const struct ct_route route = {.method = CT_POST};
	static const struct {
		const char *body;
		enum ct_rc rc;
	} table[] = {{"", CT_OK}, {"{}", CT_OK}, {"{\"a\":1}", CT_INVALID},
	    {"[]", CT_MALFORMED}, {"{", CT_MALFORMED}};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_req r = {.a = arena,
		    .body = ct_str_of(table[i].body),
		    .route = &route};

		ct_err_clear(&err);
		assert_int_equal(ct_req_shape(&r, &err), table[i].rc);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(percent_and_plus_are_decoded),
	    T(a_cookie_is_found_by_its_whole_name),
	    T(parameters_are_bound),
	    T(bad_parameters_are_named_all_at_once),
	    T(a_broken_query_is_malformed),
	    T(many_and_long_names_fit),
	    T(a_route_without_parameters_takes_none),
	    T(a_route_without_a_body_takes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
