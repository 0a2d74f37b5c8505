/*
 * What deleted accounts have left in files and Redis (db/erasure.h), removed
 * by the relay, which sees the stores anyway.
 */
#ifndef CT_WORKER_ERASE_H
#define CT_WORKER_ERASE_H

#include "common/conf.h"
#include "common/redis.h"
#include "db/pg.h"

/*
 * Once over the list. cache: the Redis of cached answers. A job that runs is
 * revoked and stays on the list until it has ended, a day at the most.
 * CT_RETRY: a store is away; what was not removed stays on the list.
 */
enum ct_rc ct_erase_left(struct ct_pg *pg, struct ct_redis *redis,
    struct ct_redis *cache, struct ct_arena *a, const struct ct_conf *conf,
    struct ct_err *err) CT_MUSTCHECK;

#endif
