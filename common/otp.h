/*
 * The door to liboath: one-time codes by the clock (RFC 6238: SHA-1, 30 s,
 * 6 digits), as every authenticator app makes them. Base32.
 */
#ifndef CT_COMMON_OTP_H
#define CT_COMMON_OTP_H

#include "common/err.h"
#include "common/str.h"

#define CT_OTP_SECRET 20 /* bytes: what RFC 4226 asks for */
#define CT_OTP_DIGITS 6
#define CT_OTP_STEP_S 30
#define CT_OTP_WINDOW 1 /* steps before and after now that count too */

/*
 * The step whose code that is: within the window around now_s (Unix seconds)
 * and later than `after`, so that a caller who keeps what it got takes no code
 * twice. False: none; no difference is made between wrong and used.
 */
bool ct_otp_find(const uint8_t secret[CT_OTP_SECRET], struct ct_str code,
    int64_t now_s, int64_t after, int64_t *step);
/* Upper case without padding, NUL after it. */
struct ct_str ct_base32(struct ct_arena *a, const void *p, size_t n);

#endif
