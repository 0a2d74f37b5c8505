/*
 * Bump arena: one per request, per job, per batch. Everything that a piece of
 * work allocates lives until the arena is reset; resources of libraries
 * (PGresult, replies, files) are deferred onto it, so that callers have no
 * cleanup ladder. Not shared between threads.
 *
 * Memory is never returned piecemeal. A request past the hard cap is a bug of
 * ours (inputs are bounded before they get here) and aborts, as does a failed
 * malloc. Under ASan, memory that was not handed out is poisoned.
 */
#ifndef CT_COMMON_ARENA_H
#define CT_COMMON_ARENA_H

#include "common/base.h"

struct ct_arena;
struct ct_defer;

/* cap: hard limit in bytes over all blocks. */
struct ct_arena *ct_arena_create(size_t cap);
/* Runs what was deferred, frees everything. Accepts NULL. */
void ct_arena_destroy(struct ct_arena *a);
/* Runs what was deferred, newest first; keeps the first block for reuse. */
void ct_arena_reset(struct ct_arena *a);

/* Zeroed memory aligned to 16 bytes; lives until reset or rewind. */
void *ct_arena_alloc(struct ct_arena *a, size_t n);
/* The same without zeroing. */
void *ct_arena_raw(struct ct_arena *a, size_t n);
/* Grow the newest allocation in place if it is p, else move it. */
void *ct_arena_grow(struct ct_arena *a, void *p, size_t old_n, size_t new_n);
/* A copy of n bytes followed by one NUL that is not counted. */
char *ct_arena_dup(struct ct_arena *a, const void *p, size_t n);
char *ct_arena_printf(struct ct_arena *a, const char *fmt, ...) CT_PRINTF(2, 3);

/* Call fn(data) at reset, rewind past this point, or destroy. */
struct ct_defer *ct_arena_defer(
    struct ct_arena *a, void (*fn)(void *data), void *data);
/* Forget it: fn will not be called. Accepts NULL. */
void ct_arena_disarm(struct ct_defer *d);

/* A point to come back to; valid until a reset or an earlier rewind. */
struct ct_mark {
	void *block;
	size_t used;
	struct ct_defer *defers;
};
struct ct_mark ct_arena_mark(const struct ct_arena *a);
/* Runs what was deferred since, gives back what was allocated since. */
void ct_arena_rewind(struct ct_arena *a, struct ct_mark m);

/* Bytes held by blocks now, for memory tests and metrics. */
size_t ct_arena_footprint(const struct ct_arena *a);

#endif
