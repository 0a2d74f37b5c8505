/* The API document: made of the tables, twice the same, and YAML that says what
 * the JSON said. Whether it is true, tests/api/test_openapi.py asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi/openapi.h"

static const char *
yaml(struct ct_arena *a, const char *json)
{
	return ct_str_cstr(a, ct_oa_yaml(a, ct_str_of(json)));
}

static void
yaml_keeps_values(void **state)
{
	struct ct_arena *a = *state;
	const char *y = yaml(a, "{\"abc\":{\"200\":1,\"no\":[true,{\"x\":{},"
				"\"why\":\"a: \\\"b\\\"\"},"
				"[]]},\"Null\":0.001}");

	assert_string_equal(strchr(y, '\n') + 1, "abc:\n"
						 "  \"200\": 1\n"
						 "  \"no\":\n"
						 "    - true\n"
						 "    - \"x\": {}\n"
						 "      why: \"a: \\\"b\\\"\"\n"
						 "    - []\n"
						 "\"Null\": 0.001\n");
}

static void
document_has_every_route(void **state)
{
	struct ct_arena *a = *state;
	struct ct_str one = ct_openapi(a), two = ct_openapi(a);
	const char *text = ct_str_cstr(a, one);
	size_t n = 0;

	assert_true(ct_str_eq(one, two));
	for (size_t i = 0; i < ct_routes_n; i++)
		assert_non_null(strstr(text,
		    ct_arena_printf(a, "  \"%s\":\n", ct_routes[i].pattern)));
	for (const char *p = text; (p = strstr(p, "operationId: ")); p++)
		n++;
	assert_int_equal(n, ct_routes_n);
}

static void
types_become_schemas(void **state)
{
	static const struct {
		const char *type, *schema;
	} rows[] = {
	    {"decimal?",
		"{\"type\":[\"number\",\"null\"],\"multipleOf\":0.001}"},
	    {"[uuid]", "{\"type\":\"array\",\"items\":"
		       "{\"type\":\"string\",\"format\":\"uuid\"}}"},
	    {"By?", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/By\"},"
		    "{\"type\":\"null\"}]}"},
	    {"[By]|bool", "{\"oneOf\":[{\"type\":\"array\",\"items\":"
			  "{\"$ref\":\"#/components/schemas/By\"}},"
			  "{\"type\":\"boolean\"}]}"},
	};
	struct ct_arena *a = *state;

	for (size_t i = 0; i < ct_countof(rows); i++) {
		struct ct_buf b;
		struct ct_jw w;

		ct_buf_init(&b, a, 256);
		ct_jw_init(&w, &b);
		ct_oa_type(&w, ct_str_of(rows[i].type));
		assert_string_equal(
		    ct_str_cstr(a, ct_buf_str(&b)), rows[i].schema);
	}
}

static int
begin(void **state)
{
	*state = ct_arena_create(64 << 20);
	return 0;
}

static int
end(void **state)
{
	ct_arena_destroy(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(yaml_keeps_values),
	    TEST(document_has_every_route),
	    TEST(types_become_schemas),
	};

	return cmocka_run_group_tests_name("fcgi/openapi", tests, NULL, NULL);
}
