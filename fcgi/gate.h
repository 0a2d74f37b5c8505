/*
 * What stands before every handler, read from the route's row. Three steps,
 * each of which may answer the request:
 *   open     needs no store: path, method, origin, type
 *   cached   after the Redis trip: limit, session, cached answer
 *   enter    on a database thread: session from PostgreSQL, admin,
 *            idempotency, the handler, its commit, what it invalidates
 */
#ifndef CT_FCGI_GATE_H
#define CT_FCGI_GATE_H

#include "fcgi/req.h"

/* True: answered (r->status is set). */
bool ct_gate_open(struct ct_req *r);
/* Append the request's question to the batch. CT_RETRY: Redis is away. */
enum ct_rc ct_gate_ask(
    struct ct_req *r, struct ct_redis *redis, struct ct_err *err) CT_MUSTCHECK;
/* Read the reply into r. True: answered. */
bool ct_gate_cached(struct ct_req *r, const struct redisReply *reply);
/* Everything else; always leaves an answer. Blocks on PostgreSQL. */
void ct_gate_enter(struct ct_req *r, const struct ct_lane *lane);

#endif
