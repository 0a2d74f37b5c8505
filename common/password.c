/* The rules for a new password; see password.h. */
#include "common/password.h"

#include <string.h>
#include <strings.h>

/* The head of every published list, as far as it is 8 characters or more. */
static const char *const common_ones[] = {"password", "password1", "password12",
    "password123", "passw0rd", "p@ssw0rd", "12345678", "123456789",
    "1234567890", "87654321", "11111111", "00000000", "88888888", "12341234",
    "123123123", "qwertyui", "qwertyuiop", "qwerty123", "qwerty12", "1q2w3e4r",
    "1q2w3e4r5t", "1qaz2wsx", "q1w2e3r4", "asdfghjk", "asdfghjkl", "zxcvbnm1",
    "abcd1234", "abc12345", "iloveyou", "iloveyou1", "sunshine", "princess",
    "football", "baseball", "superman", "starwars", "whatever", "trustno1",
    "letmein1", "welcome1", "welcome123", "admin123", "administrator",
    "changeme", "computer", "internet", "michelle", "jennifer", "jordan23",
    "liverpool", "samantha", "danielle", "chocolate", "butterfly", "cat12345",
    "kitty123", "hellokitty", "catetube", "catetube1", "feeding1", "testtest",
    "test1234", "default1", "secret123", "mypassword"};

static bool
same(struct ct_str a, const char *p, size_t n)
{
	return a.n == n && strncasecmp(a.p, p, n) == 0;
}

/* A character, or a pair of them, over and over. */
static bool
is_monotone(struct ct_str s)
{
	for (size_t i = 2; i < s.n; i++) {
		if (s.p[i] != s.p[i % 2])
			return false;
	}
	return true;
}

enum ct_rc
ct_password_check(const char *field, struct ct_str password,
    const struct ct_str *near, size_t n, struct ct_err *err)
{
	if (password.n > CT_PASSWORD_MAX)
		return ct_fail_field(
		    err, field, "must be at most %d bytes", CT_PASSWORD_MAX);
	if (ct_utf8_len(password) < CT_PASSWORD_MIN)
		return ct_fail_field(err, field,
		    "must be at least %d characters", CT_PASSWORD_MIN);
	for (size_t i = 0; i < ct_countof(common_ones); i++) {
		if (same(password, common_ones[i], strlen(common_ones[i])))
			return ct_fail_field(
			    err, field, "is among the most common ones");
	}
	for (size_t i = 0; i < n; i++) {
		if (near[i].n >= 3 && same(password, near[i].p, near[i].n))
			return ct_fail_field(err, field,
			    "must not be a name that is known about you");
	}
	if (is_monotone(password))
		return ct_fail_field(err, field, "must not repeat itself");
	return CT_OK;
}
