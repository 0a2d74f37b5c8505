/*
 * Idempotency: a request with a key (the header, or the id that the client
 * chose) runs once; what repeats it gets the first answer again.
 */
#ifndef CT_FCGI_ONCE_H
#define CT_FCGI_ONCE_H

#include "fcgi/req.h"

/*
 * The route's handler, in one transaction with its answer where there is a key.
 * What the handler returns, or CT_CONFLICT, code "key_reused". Blocks on
 * PostgreSQL, also for the first of two that are under way.
 */
enum ct_rc ct_run_once(struct ct_req *r, struct ct_err *err) CT_MUSTCHECK;

#endif
