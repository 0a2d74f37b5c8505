/*
 * What stands before every handler, read from the route's row. Three steps,
 * each of which may answer the request:
 *   open     needs no store: path, method, origin, type
 *   cached   after the Redis trip: limit, session, cached answer
 *   enter    on a database thread: session from PostgreSQL, scope and role,
 *            what the route takes, idempotency, the handler, its commit, what
 *            it invalidates
 */
#ifndef CT_FCGI_GATE_H
#define CT_FCGI_GATE_H

#include "fcgi/req.h"

/* True: answered (r->status is set). */
bool ct_gate_open(struct ct_req *r);
/* What one request adds to the gate script's arguments. */
#define CT_GATE_ARGS 6
/* Set the key and CT_GATE_ARGS arguments; they live on the request's arena. */
void ct_gate_ask(struct ct_req *r, struct ct_str *key, struct ct_str *args);
/*
 * Read its answer into r; what r keeps of it is copied, so that the reply may
 * go before the request does. True: answered.
 */
bool ct_gate_cached(
    struct ct_req *r, struct ct_str epoch, const struct redisReply *answer);
/* Everything else; always leaves an answer. Blocks on PostgreSQL. */
void ct_gate_enter(struct ct_req *r, const struct ct_lane *lane);

#endif
