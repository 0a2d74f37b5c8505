/*
 * The rules for a new password: length, no composition rule, not one of the
 * common ones, not what is near the account (mailbox, cat, product).
 */
#ifndef CT_COMMON_PASSWORD_H
#define CT_COMMON_PASSWORD_H

#include "common/err.h"
#include "common/str.h"

#define CT_PASSWORD_MIN 8    /* code points */
#define CT_PASSWORD_MAX 1024 /* bytes */

/*
 * near: words that the password must not be, in any case; absent and shorter
 * than 3 are skipped. CT_INVALID with the field that was given.
 */
enum ct_rc ct_password_check(const char *field, struct ct_str password,
    const struct ct_str *near, size_t n, struct ct_err *err) CT_MUSTCHECK;

#endif
