/*
 * A Redis of the test's own: unix socket only, in a directory under /tmp that
 * ct_private_redis_end removes. It dies with the test. Functions fail the
 * test (cmocka) where the server does not come up within 5 s.
 */
#ifndef CT_TESTS_PRIVATE_REDIS_H
#define CT_TESTS_PRIVATE_REDIS_H

#include <stdbool.h>
#include <sys/types.h>

struct ct_private_redis {
	pid_t pid;	      /* 0: not running */
	bool aof;	      /* appendonly yes, fsync always */
	const char *extra[2]; /* one more option and its value, or NULL */
	char dir[32];
	char path[48]; /* of the socket */
	char url[64];
};

/* Make the directory and start a server; set aof and extra before. */
void ct_private_redis_begin(struct ct_private_redis *s);
/* SIGTERM and wait. */
void ct_private_redis_stop(struct ct_private_redis *s);
/* SIGKILL and wait. */
void ct_private_redis_crash(struct ct_private_redis *s);
/* Start again in the same directory; with aof the data come back. */
void ct_private_redis_start(struct ct_private_redis *s);
/* Stop and remove the directory. */
void ct_private_redis_end(struct ct_private_redis *s);
/* One inline command over its own connection, the raw answer cut to out. */
void ct_private_redis_ask(const struct ct_private_redis *s, const char *command,
    char *out, size_t cap);

#endif
