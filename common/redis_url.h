/*
 * Where a Redis is: redis://[user][:password]@host[:port][/db] or
 * unix:///path[?db=N]. A pure parser; redis.c connects.
 */
#ifndef CT_COMMON_REDIS_URL_H
#define CT_COMMON_REDIS_URL_H

#include "common/str.h"

struct ct_redis_url {
	const char *host; /* NULL for a unix socket */
	const char *path; /* NULL for TCP */
	int port;
	struct ct_str user, password; /* absent: none */
	int64_t db;
};

/* Strings live on the arena. False where url is not understood. */
bool ct_redis_url_parse(struct ct_arena *a, struct ct_str url,
    struct ct_redis_url *out) CT_MUSTCHECK;

#endif
