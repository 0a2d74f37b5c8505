/* One-time codes; see otp.h. */
#include "common/otp.h"

#include <liboath/oath.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

static void
init(void)
{
	if (oath_init() != OATH_OK)
		ct_bug("liboath cannot be initialised");
}

static void
init_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

static bool
is_code_of(
    const uint8_t secret[CT_OTP_SECRET], struct ct_str code, int64_t step)
{
	char right[CT_OTP_DIGITS + 1];

	if (oath_totp_generate2((const char *)secret, CT_OTP_SECRET,
		step * CT_OTP_STEP_S, CT_OTP_STEP_S, 0, CT_OTP_DIGITS, 0,
		right) != OATH_OK)
		ct_bug("liboath makes no code for step %lld", (long long)step);
	return ct_equal(right, code.p, CT_OTP_DIGITS);
}

bool
ct_otp_find(const uint8_t secret[CT_OTP_SECRET], struct ct_str code,
    int64_t now_s, int64_t after, int64_t *step)
{
	int64_t now = now_s / CT_OTP_STEP_S;
	int64_t first = now - CT_OTP_WINDOW;

	init_once();
	if (code.n != CT_OTP_DIGITS)
		return false;
	if (first <= after)
		first = after + 1;
	for (int64_t s = first < 0 ? 0 : first; s <= now + CT_OTP_WINDOW; s++) {
		if (is_code_of(secret, code, s)) {
			*step = s;
			return true;
		}
	}
	return false;
}

struct ct_str
ct_base32(struct ct_arena *a, const void *p, size_t n)
{
	struct ct_str out;
	char *text;
	size_t text_n;

	init_once();
	if (oath_base32_encode(p, n, &text, &text_n) != OATH_OK)
		ct_bug("base32 of %zu bytes", n);
	while (text_n > 0 && text[text_n - 1] == '=')
		text_n--;
	out = (struct ct_str){ct_arena_dup(a, text, text_n), text_n};
	free(text);
	return out;
}
