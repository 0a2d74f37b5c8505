/*
 * The door to libzstd: compression as a station of a pipeline, with constant
 * memory (some MiB, outside of the arena until it is reset).
 */
#ifndef CT_COMMON_ZSTD_H
#define CT_COMMON_ZSTD_H

#include "common/arena.h"
#include "common/out.h"

struct ct_zstd; /* on the arena */

/* level: 1 (fast) to 9; 3 is a good one. */
struct ct_zstd *ct_zstd_new(struct ct_arena *a, int level, struct ct_out out);
struct ct_zstd *ct_unzstd_new(struct ct_arena *a, struct ct_out out);
/* Fails as out does; unpacking also with CT_MALFORMED. */
enum ct_rc ct_zstd_put(struct ct_zstd *z, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/* Everything is out. Unpacking: CT_MALFORMED where the end is missing. */
enum ct_rc ct_zstd_end(struct ct_zstd *z, struct ct_err *err) CT_MUSTCHECK;

#endif
