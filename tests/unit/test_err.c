/*
 * struct ct_err, the names of the return codes, and ct_bug.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/err.h"
#include "common/str.h"
#include "tests/unit/capture.h"

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(ct_rc_name(CT_OK), "ok");
	assert_string_equal(ct_rc_name(CT_INVALID), "invalid");
	assert_string_equal(ct_rc_name(CT_NOTFOUND), "not_found");
	for (int i = 0; i < CT_RC_COUNT; i++) {
		assert_true(strlen(ct_rc_name((enum ct_rc)i)) > 1);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(ct_rc_name((enum ct_rc)i),
			    ct_rc_name((enum ct_rc)k));
	}
}

static void
test_fail(void **state)
{
	struct ct_err err = {0};

	(void)state;
	assert_int_equal(ct_fail_field(&err, "stale", "x"), CT_INVALID);
	assert_int_equal(ct_err_detail(&err, "stale"), CT_INVALID);
	assert_int_equal(
	    ct_fail(&err, CT_CONFLICT, "exists", "%s is taken", "Name"),
	    CT_CONFLICT);
	assert_int_equal(err.rc, CT_CONFLICT);
	assert_string_equal(err.code, "exists");
	assert_string_equal(err.msg, "Name is taken");
	assert_string_equal(err.detail, "");
	assert_int_equal(err.nfields, 0);
	assert_int_equal(ct_err_detail(&err, "%d", 23505), CT_CONFLICT);
	assert_string_equal(err.detail, "23505");
	assert_int_equal(ct_fail(&err, CT_RETRY, NULL, "Later."), CT_RETRY);
	assert_string_equal(err.code, ct_rc_name(CT_RETRY));
}

static void
test_clear(void **state)
{
	struct ct_err err;

	(void)state;
	memset(&err, 0xff, sizeof(err));
	ct_err_clear(&err);
	assert_int_equal(err.rc, CT_OK);
	assert_int_equal(err.nfields, 0);
	assert_string_equal(err.code, "");
	assert_string_equal(err.msg, "");
	assert_string_equal(err.detail, "");
}

static void
test_fields(void **state)
{
	struct ct_err err;
	char name[16];

	(void)state;
	memset(&err, 0xff, sizeof(err));
	ct_err_clear(&err);
	for (int i = 0; i < CT_ERR_FIELDS + 3; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(
		    ct_fail_field(&err, name, "must be over %d", i),
		    CT_INVALID);
	}
	assert_int_equal(err.rc, CT_INVALID);
	assert_string_equal(err.code, "invalid");
	assert_true(strlen(err.msg) > 0);
	assert_int_equal(err.nfields, CT_ERR_FIELDS);
	assert_string_equal(err.fields[0].name, "f0");
	assert_string_equal(err.fields[15].name, "f15");
	assert_string_equal(err.fields[15].msg, "must be over 15");
}

/* Too long a text is cut between characters. */
static void
test_cut(void **state)
{
	static const char *const units[] = {
	    "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x88"};
	char text[1024];
	struct ct_err err;
	size_t u, n, len;

	(void)state;
	for (u = 0; u < ct_countof(units); u++) {
		len = strlen(units[u]);
		for (size_t lead = 0; lead < len; lead++) {
			memset(text, '.', lead);
			for (n = lead; n + len < 600; n += len)
				memcpy(text + n, units[u], len);
			text[n] = '\0';
			ct_err_clear(&err);
			(void)ct_fail_field(&err, text, "%s", text);
			assert_true(ct_utf8_ok(ct_str_of(err.fields[0].name)));
			assert_true(ct_utf8_ok(ct_str_of(err.fields[0].msg)));
			(void)ct_fail(&err, CT_INVALID, text, "%s", text);
			assert_true(ct_utf8_ok(ct_str_of(err.msg)));
			assert_in_range(strlen(err.msg), sizeof(err.msg) - len,
			    sizeof(err.msg) - 1);
			(void)ct_err_detail(&err, "%s", text);
			assert_true(ct_utf8_ok(ct_str_of(err.detail)));
			assert_in_range(strlen(err.detail),
			    sizeof(err.detail) - len, sizeof(err.detail) - 1);
		}
	}
}

static void
bug(void *arg)
{
	ct_bug("cell %d of %s", 3, (const char *)arg);
}

static void
bad_name(void *arg)
{
	(void)arg;
	ct_rc_name(CT_RC_COUNT);
}

static void
bad_int(void *arg)
{
	(void)arg;
	(void)ct_int((size_t)INT_MAX + 1);
}

static void
bad_size(void *arg)
{
	(void)arg;
	(void)ct_size(-1);
}

static void
test_bug_aborts(void **state)
{
	char arg[] = "row\nlevel=info";

	(void)state;
	assert_true(aborts(bug, arg, "test_err.c:"));
	assert_true(aborts(bug, arg, "cell 3 of row\\nlevel=info\""));
	assert_true(aborts(bad_name, NULL, "return code"));
	assert_true(aborts(bad_int, NULL, "does not fit"));
	assert_true(aborts(bad_size, NULL, "negative"));
	assert_int_equal(ct_int(INT_MAX), INT_MAX);
	assert_int_equal(ct_size(0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_fail),
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_bug_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
