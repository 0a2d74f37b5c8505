/*
 * The door to a mail server: one message to one address.
 */
#ifndef CT_WORKER_SMTP_H
#define CT_WORKER_SMTP_H

#include "common/conf.h"
#include "common/err.h"
#include "common/str.h"

/*
 * Hand message (CRLF lines, headers first) to the server of conf->smtp_url.
 * Blocks for 30 s at the most. CT_INVALID: the server refused it for good
 * (5xx). CT_RETRY: it is away, busy (4xx), without TLS, or refuses our log-in;
 * where the answer to the message itself was lost it may have been sent.
 * err->msg has the server's words.
 */
enum ct_rc ct_smtp_send(const struct ct_conf *conf, struct ct_arena *a,
    struct ct_str from, struct ct_str to, struct ct_str message,
    struct ct_err *err) CT_MUSTCHECK;

#endif
