/*
 * The answer: the one home of HTTP status codes, of the error body and of the
 * headers that every answer carries.
 */
#ifndef CT_FCGI_RESP_H
#define CT_FCGI_RESP_H

#include "fcgi/req.h"

/* Begin a JSON answer; write one value with what comes back. */
struct ct_jw *ct_resp_json(struct ct_req *r, int status);
/* An answer whose JSON text is kept from before. */
void ct_resp_kept(struct ct_req *r, int status, struct ct_str json);
/* {"message": text} */
void ct_resp_message(struct ct_req *r, int status, const char *text);
/* An answer that is no JSON. type is static. */
struct ct_buf *ct_resp_raw(struct ct_req *r, int status, const char *type);
/* One more header line; value must not hold CR or LF (aborts). */
void ct_resp_header(struct ct_req *r, const char *name, struct ct_str value);
/* The error body of err, with the status that its rc has. */
void ct_resp_error(struct ct_req *r, const struct ct_err *err);
/*
 * Set the session cookie (max_age_s 0: until the browser closes), or clear it
 * with an absent token.
 */
void ct_resp_cookie(struct ct_req *r, struct ct_str token, int64_t max_age_s);

/* Write status, headers and body to nginx; count and log the request. */
void ct_resp_send(struct ct_req *r);

#endif
