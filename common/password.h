/*
 * The rules for a new password: length, no rule of composition, not one of the
 * common ones (common/passwords.txt), not a word, a sequence of keys or a name
 * near the account (mailbox, cat, product) with little else.
 */
#ifndef CT_COMMON_PASSWORD_H
#define CT_COMMON_PASSWORD_H

#include "common/err.h"
#include "common/str.h"

#define CT_PASSWORD_MIN 8    /* code points */
#define CT_PASSWORD_MAX 1024 /* bytes */

/* Common passwords of that length or more, in lower case, sorted by byte. */
extern const char *const ct_common_passwords[];
extern const size_t ct_common_passwords_n;

/*
 * near: words that the password must not be made of, in any case; absent ones
 * and those shorter than 3 bytes are skipped. Well-formed UTF-8 without NUL.
 * CT_INVALID with the field that was given. Takes up to 10 ms of CPU.
 */
enum ct_rc ct_password_check(const char *field, struct ct_str password,
    const struct ct_str *near, size_t n, struct ct_err *err) CT_MUSTCHECK;

#endif
