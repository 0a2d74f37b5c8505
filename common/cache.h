/*
 * Cached answers about a cat, and the versions that invalidate them.
 *
 * ct:v:<cat>        random version of the cat, made by the first reader who
 *                   finds none; a write deletes it ("bump")
 * ct:a:<cat>:<tag>  "<epoch> <version> <etag>\n<body>" (etag: 16 hex digits),
 * stored under the epoch and version that were read before the query ran, so a
 *                   write in between is never hidden
 * ct:epoch          integer; raising it drops every cached answer and session
 * ct:s:<digest>     "<epoch> <account> <cat> <role>" of a session, ttl_s;
 *                   "-" for a minute after it was ended, which keeps a reader
 *                   that loaded it just before from putting it back
 *
 * A bump that could not be delivered is owed: the process remembers it and
 * raises the epoch before it trusts Redis again (ct_cache_settle).
 */
#ifndef CT_COMMON_CACHE_H
#define CT_COMMON_CACHE_H

#include "common/crypto.h"
#include "common/id.h"
#include "common/redis.h"

#define CT_CACHE_KEY 96 /* bytes that hold any key of this file */

struct ct_str ct_cache_key_version(
    const struct ct_uuid *cat, char out[CT_CACHE_KEY]);
struct ct_str ct_cache_key_answer(
    const struct ct_uuid *cat, const char *tag, char out[CT_CACHE_KEY]);
struct ct_str ct_cache_key_session(
    const uint8_t hash[CT_DIGEST], char out[CT_CACHE_KEY]);

/*
 * Forget everything cached about the cat. Called after a commit and before
 * the answer. One trip, tried again once over a new connection; never fails
 * the caller: what is not delivered is owed.
 */
void ct_cache_bump(struct ct_redis *r, const struct ct_uuid *cat);
/*
 * Leave nothing of the cat: version and every answer. Walks over all keys, so
 * it is for the worker, after the cat was deleted. CT_RETRY.
 */
enum ct_rc ct_cache_forget_cat(struct ct_redis *r, struct ct_arena *a,
    const struct ct_uuid *cat, struct ct_err *err) CT_MUSTCHECK;
/* Forget one session everywhere (log-out, revocation). Owed as above. */
void ct_cache_drop_session(struct ct_redis *r, const uint8_t hash[CT_DIGEST]);
/* True while this process owes a bump: cached answers must not be used. */
bool ct_cache_owes(void);
/* Owe one: call when Redis was seen to restart. Thread-safe. */
void ct_cache_owe(void);
/* Raise the epoch if owed. CT_RETRY: still owed. One trip, only when owed. */
enum ct_rc ct_cache_settle(struct ct_redis *r, struct ct_err *err) CT_MUSTCHECK;

/* Store; failures are ignored, a cache may forget. ttl_s > 0. */
void ct_cache_put_session(struct ct_redis *r, const uint8_t hash[CT_DIGEST],
    struct ct_str epoch, struct ct_str value, int64_t ttl_s);
void ct_cache_put_answer(struct ct_redis *r, const struct ct_uuid *cat,
    const char *tag, struct ct_str epoch, struct ct_str version,
    struct ct_str etag, struct ct_str body, int64_t ttl_s);

#endif
