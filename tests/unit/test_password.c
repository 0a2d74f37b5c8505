/* The rules for a new password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/password.h"

static const char *
judge(struct ct_str password)
{
	static struct ct_err err;
	const struct ct_str near[] = {
	    CT_STR("catetube"), CT_STR("Schnurrbert"), {NULL, 0}, CT_STR("Al")};

	ct_err_clear(&err);
	if (ct_password_check(
		"password", password, near, ct_countof(near), &err) == CT_OK)
		return NULL;
	assert_int_equal(err.rc, CT_INVALID);
	assert_string_equal(err.fields[0].name, "password");
	return err.fields[0].msg;
}

static void
test_good(void **state)
{
	static char longest[CT_PASSWORD_MAX];

	(void)state;
	assert_null(judge(CT_STR("correct horse")));
	assert_null(judge(CT_STR("abcdefgh")));
	assert_null(judge(CT_STR("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"
				 "\xe2\x82\xac"
				 "123")));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = (char)('a' + i % 23);
	assert_null(judge((struct ct_str){longest, sizeof(longest)}));
}

static void
test_bad(void **state)
{
	static char too_long[CT_PASSWORD_MAX + 1];

	(void)state;
	memset(too_long, 'x', sizeof(too_long));
	assert_string_equal(
	    judge(CT_STR("seven77")), "must be at least 8 characters");
	/* Eight bytes, but four characters. */
	assert_non_null(judge(CT_STR("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f")));
	assert_string_equal(judge((struct ct_str){too_long, sizeof(too_long)}),
	    "must be at most 1024 bytes");
	assert_string_equal(
	    judge(CT_STR("PassWord123")), "is among the most common ones");
	assert_string_equal(judge(CT_STR("SCHNURRBERT")),
	    "must not be a name that is known about you");
	assert_non_null(judge(CT_STR("zzzzzzzzzz")));
	assert_non_null(judge(CT_STR("xyxyxyxyxy")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
