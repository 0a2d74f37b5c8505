/*
 * The door to hiredis: one connection with a deadline on every wait, argv
 * commands only (keys may hold any byte), scripts by digest with reload,
 * reconnect with jittered back-off. After any error the connection is closed,
 * never reused: a late reply would answer the wrong question. One thread each.
 *
 * While a connection is down and its back-off runs, every call fails at once
 * with CT_RETRY, so that callers can go on without Redis.
 */
#ifndef CT_COMMON_REDIS_H
#define CT_COMMON_REDIS_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

struct ct_redis;
struct redisReply;

/* A Lua script of common/lua, embedded at build time (see the Makefile). */
struct ct_script {
	const char *name;
	const char *text;
	size_t n;
	char sha[41]; /* filled by ct_script_init */
};
/* Every embedded script; sha is filled by the first connect. */
extern struct ct_script ct_scripts[];
extern const size_t ct_scripts_n;
/* By file name without ".lua"; aborts where there is none. */
const struct ct_script *ct_script(const char *name);

/*
 * url: redis://[:password@]host[:port][/db] or unix:///path[?db=N]
 * (rediss:// is refused: hiredis 0.14 has no TLS). Does not connect yet.
 * CT_INVALID: the URL is not understood.
 */
enum ct_rc ct_redis_open(const char *url, int timeout_ms, struct ct_redis **out,
    struct ct_err *err) CT_MUSTCHECK;
void ct_redis_close(struct ct_redis *r); /* accepts NULL */

/* Connect now if not connected. CT_RETRY. Blocks up to the timeout. */
enum ct_rc ct_redis_ready(struct ct_redis *r, struct ct_err *err) CT_MUSTCHECK;
bool ct_redis_up(const struct ct_redis *r);
/* Counts successful connects: a change tells that Redis may have restarted. */
unsigned ct_redis_generation(const struct ct_redis *r);
/* The socket, for epoll; -1 while down. */
int ct_redis_fd(const struct ct_redis *r);
/* Change the reply timeout (blocking commands, subscriptions). */
void ct_redis_timeout(struct ct_redis *r, int timeout_ms);

/*
 * One command, one trip. The reply lives on the arena (deferred free); with
 * out NULL it is dropped at once and a may be NULL.
 * CT_RETRY: connection or timeout; outcome unknown. CT_INTERNAL: Redis
 * answered with an error (detail holds it; the connection stays good).
 */
enum ct_rc ct_redis_do(struct ct_redis *r, struct ct_arena *a, int argc,
    const struct ct_str *argv, const struct redisReply **out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Send one command whose reply nobody wants: no trip. Its errors are nobody's
 * either. Its reply is read before the next one that is.
 */
void ct_redis_post(struct ct_redis *r, int argc, const struct ct_str *argv);
/* EVALSHA; on NOSCRIPT loads and repeats once. argv: keys, then arguments. */
enum ct_rc ct_redis_eval(struct ct_redis *r, struct ct_arena *a,
    const struct ct_script *s, int nkeys, int argc, const struct ct_str *argv,
    const struct redisReply **out, struct ct_err *err) CT_MUSTCHECK;

/*
 * Pipelining: append any number, then take the replies in order. Scripts in a
 * pipeline rely on the load done at connect. Error replies are returned as
 * replies (ct_reply_error), so that one bad command does not hide the others.
 */
enum ct_rc ct_redis_append(struct ct_redis *r, int argc,
    const struct ct_str *argv, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_redis_append_eval(struct ct_redis *r, const struct ct_script *s,
    int nkeys, int argc, const struct ct_str *argv,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_redis_take(struct ct_redis *r, struct ct_arena *a,
    const struct redisReply **out, struct ct_err *err) CT_MUSTCHECK;
/*
 * For a connection in an epoll set (subscriptions, doorbells): takes one reply
 * if a whole one has arrived, without blocking; *out = NULL otherwise.
 */
enum ct_rc ct_redis_poll(struct ct_redis *r, struct ct_arena *a,
    const struct redisReply **out, struct ct_err *err) CT_MUSTCHECK;

/* Readers; each accepts NULL and any type and gives the empty answer. */
bool ct_reply_nil(const struct redisReply *p);
bool ct_reply_error(const struct redisReply *p);
struct ct_str ct_reply_str(const struct redisReply *p); /* also of an error */
int64_t ct_reply_i64(const struct redisReply *p); /* integers, or digits */
size_t ct_reply_n(const struct redisReply *p);	  /* elements of an array */
const struct redisReply *ct_reply_at(const struct redisReply *p, size_t i);

#endif
