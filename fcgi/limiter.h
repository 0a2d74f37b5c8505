/*
 * The limiter of one process, for when Redis is away: the same rule (GCRA) in
 * a fixed table of atomics. Two identities that share a slot share a limit,
 * which errs on the strict side. Thread-safe, never blocks.
 */
#ifndef CT_FCGI_LIMITER_H
#define CT_FCGI_LIMITER_H

#include "common/str.h"

/*
 * Take one request of `limit` per minute. *remaining: what is left; *reset_s:
 * until it is full again, or the wait where false is returned.
 */
bool ct_limiter_take(const char *class, struct ct_str identity, int64_t limit,
    int64_t now_us, int64_t *remaining, int64_t *reset_s);

#endif
