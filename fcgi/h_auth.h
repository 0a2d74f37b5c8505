/* What the account handlers share. */
#ifndef CT_FCGI_H_AUTH_H
#define CT_FCGI_H_AUTH_H

#include "db/account.h"
#include "fcgi/req.h"

/* ct_password_hash at the configured cost. */
enum ct_rc ct_hash_password(const struct ct_req *r, struct ct_str password,
    char out[CT_PASSWORD_HASH], struct ct_err *err) CT_MUSTCHECK;
/* The rules for a new password of that account. CT_INVALID. */
enum ct_rc ct_check_new_password(const char *field, struct ct_str password,
    const struct ct_account *u, struct ct_err *err) CT_MUSTCHECK;
/* 429 for l->wait_s. */
enum ct_rc ct_login_wait(
    struct ct_req *r, const struct ct_login *l, struct ct_err *err);
/* Forget ended sessions (digests) in Redis. */
void ct_drop_sessions(struct ct_req *r, const struct ct_str *ended, int n);

#endif
