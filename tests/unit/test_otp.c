/* One-time codes against RFC 6238, base32 against RFC 4648, QR codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/otp.h"
#include "common/qr.h"

static const uint8_t secret[CT_OTP_SECRET + 1] = "12345678901234567890";

/* RFC 6238, appendix B, SHA-1: the last six of its eight digits. */
static const struct {
	int64_t at_s;
	const char *code;
} rfc[] = {{59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"},
    {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};

static void
test_rfc6238(void **state)
{
	int64_t step;

	(void)state;
	for (size_t i = 0; i < ct_countof(rfc); i++) {
		struct ct_str code = ct_str_of(rfc[i].code);

		step = -1;
		assert_true(ct_otp_find(secret, code, rfc[i].at_s, -1, &step));
		assert_int_equal(step, rfc[i].at_s / 30);
	}
}

/* One step before and after, no more. */
static void
test_window(void **state)
{
	struct ct_str code = CT_STR("005924"); /* of step 41152263 */
	int64_t at_s = 1234567890, step;

	(void)state;
	assert_int_equal(at_s % 30, 0);
	assert_true(ct_otp_find(secret, code, at_s + 59, -1, &step));
	assert_int_equal(step, at_s / 30);
	assert_false(ct_otp_find(secret, code, at_s + 60, -1, &step));
	assert_true(ct_otp_find(secret, code, at_s - 30, -1, &step));
	assert_int_equal(step, at_s / 30);
	assert_false(ct_otp_find(secret, code, at_s - 31, -1, &step));
}

/* A step that was taken is not taken again, nor is an earlier one. */
static void
test_used(void **state)
{
	struct ct_str code = CT_STR("005924");
	int64_t at_s = 1234567890, step = -7;

	(void)state;
	assert_true(ct_otp_find(secret, code, at_s, at_s / 30 - 1, &step));
	assert_false(ct_otp_find(secret, code, at_s, at_s / 30, &step));
	assert_false(ct_otp_find(secret, code, at_s, at_s / 30 + 1, &step));
	assert_false(ct_otp_find(secret, code, at_s, INT64_MAX / 60, &step));
	assert_int_equal(step, at_s / 30);
}

static void
test_no_code(void **state)
{
	static const char *const codes[] = {"", "0", "00592", "0059240",
	    "05924", "005925", " 05924", "94287082", "abcdef", "00592\xff"};
	uint8_t other[CT_OTP_SECRET + 1] = "12345678901234567891";
	int64_t step;

	(void)state;
	for (size_t i = 0; i < ct_countof(codes); i++)
		assert_false(ct_otp_find(
		    secret, ct_str_of(codes[i]), 1234567890, -1, &step));
	assert_false(
	    ct_otp_find(secret, (struct ct_str){0}, 1234567890, -1, &step));
	assert_false(
	    ct_otp_find(other, CT_STR("005924"), 1234567890, -1, &step));
	/* Near the beginning of time there is no step before it. */
	assert_false(ct_otp_find(secret, CT_STR("000000"), 0, -1, &step));
	assert_true(ct_otp_find(secret, CT_STR("755224"), 0, -1, &step));
	assert_int_equal(step, 0);
}

static void
test_base32(void **state)
{
	static const struct {
		const char *plain, *text;
	} known[] = {{"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"},
	    {"foob", "MZXW6YQ"}, {"fooba", "MZXW6YTB"},
	    {"foobar", "MZXW6YTBOI"}};
	struct ct_arena *a = ct_arena_create(1 << 20);

	(void)state;
	for (size_t i = 0; i < ct_countof(known); i++) {
		struct ct_str s =
		    ct_base32(a, known[i].plain, strlen(known[i].plain));

		assert_string_equal(s.p, known[i].text);
		assert_int_equal(s.n, strlen(known[i].text));
	}
	ct_arena_destroy(a);
}

/* The corner of every QR code, drawn as runs: the finder pattern. */
static void
test_qr(void **state)
{
	static char most[CT_QR_MAX + 1];
	struct ct_arena *a = ct_arena_create(4 << 20);
	struct ct_err err = {0};
	struct ct_str svg;

	(void)state;
	assert_int_equal(
	    ct_qr_svg(a, CT_STR("otpauth://totp/x"), &svg, &err), CT_OK);
	svg = ct_str_of(ct_str_cstr(a, svg));
	assert_non_null(strstr(svg.p, "viewBox=\"0 0 33 33\""));
	assert_non_null(strstr(svg.p, "M4 4h7v1h-7z"));
	assert_non_null(strstr(svg.p, "M22 4h7v1h-7z"));
	assert_non_null(strstr(svg.p, "M4 5h1v1h-1zM10 5h1v1h-1z"));
	assert_null(strstr(svg.p, "style"));
	assert_string_equal(svg.p + svg.n - 10, "z\"/></svg>");
	memset(most, 'x', sizeof(most));
	assert_int_equal(
	    ct_qr_svg(a, (struct ct_str){most, CT_QR_MAX}, &svg, &err), CT_OK);
	assert_true(svg.n < 128 * 1024);
	assert_int_equal(
	    ct_qr_svg(a, (struct ct_str){most, sizeof(most)}, &svg, &err),
	    CT_TOOBIG);
	assert_int_equal(ct_qr_svg(a, CT_STR(""), &svg, &err), CT_TOOBIG);
	ct_arena_destroy(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc6238),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_used),
	    cmocka_unit_test(test_no_code),
	    cmocka_unit_test(test_base32),
	    cmocka_unit_test(test_qr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
