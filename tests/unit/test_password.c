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
	assert_null(judge(CT_STR("warm towel 0300")));
	assert_null(judge(CT_STR("kdhfqweo"))); /* one kind of character */
	assert_null(judge(CT_STR("       8"
				 "x y")));
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
}

#define COMMON "is among the most common ones"
#define NAMES  "must not be made of a name that is known about you"
#define ROW    "is too easy to guess: a row of keys or letters"
#define WORD   "is too easy to guess: a word with little else"
#define REPEAT "must not repeat itself"

static void
test_weak(void **state)
{
	static const struct {
		const char *password, *why;
	} weak[] = {{"PassWord123", COMMON}, {"password123", COMMON},
	    {"password123!", COMMON}, {"(PASSWORD123)!!", COMMON},
	    {"trustno1", COMMON}, {"abcdefgh", COMMON}, {"98765432", COMMON},
	    {"SCHNURRBERT", NAMES}, {"schnurrbert1", NAMES},
	    {"CatETube2024", NAMES}, {"catetube", NAMES}, {"rtzuiop+", ROW},
	    {"drag2468", WORD}, {"sunset77", WORD}, {"zzzzzzzzzzzzzz", REPEAT},
	    {"xyxyxyxyxy", REPEAT}};

	(void)state;
	for (size_t i = 0; i < ct_countof(weak); i++) {
		const char *why = judge(ct_str_of(weak[i].password));

		if (!why || strcmp(why, weak[i].why) != 0)
			print_error(
			    "%s: %s\n", weak[i].password, why ? why : "taken");
		assert_true(why && strcmp(why, weak[i].why) == 0);
	}
}

/* Every one of the list, in capitals; the list is what its search needs. */
static void
test_list(void **state)
{
	(void)state;
	assert_true(ct_common_passwords_n > 3000);
	for (size_t i = 0; i < ct_common_passwords_n; i++) {
		const char *word = ct_common_passwords[i];
		char upper[64];
		size_t n = strlen(word);

		assert_true(n < sizeof(upper));
		assert_true(
		    i == 0 || strcmp(ct_common_passwords[i - 1], word) < 0);
		for (size_t k = 0; k <= n; k++)
			upper[k] = (char)(word[k] >= 'a' && word[k] <= 'z'
					      ? word[k] - 'a' + 'A'
					      : word[k]);
		if (!judge((struct ct_str){upper, n}))
			fail_msg("taken: %s", upper);
	}
}

/* Near words of any number and length are bounded, not overrun. */
static void
test_many_near(void **state)
{
	static char name[400];
	struct ct_str near[20];
	struct ct_err err = {0};

	(void)state;
	memset(name, 'n', sizeof(name));
	for (size_t i = 0; i < ct_countof(near); i++)
		near[i] = (struct ct_str){name, sizeof(name)};
	assert_int_equal(ct_password_check("p", CT_STR("correct horse"), near,
			     ct_countof(near), &err),
	    CT_OK);
	assert_int_equal(
	    ct_password_check("p", CT_STR("correct horse"), NULL, 0, &err),
	    CT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_weak),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_many_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
