/*
 * Cached answers and sessions: their keys, their invalidation, and the debt of
 * an invalidation that could not be delivered.
 */
#include "common/cache.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define EPOCH_KEY "ct:epoch"
#define ENDED_S	  "60" /* longer than any request that could put it back */
#define ROOM	  ((size_t)64 * 1024) /* of an arena, beside the value */

/* Undelivered invalidations of this process, over all its threads. */
static atomic_uint owed;

static struct ct_str
key_of(char out[CT_CACHE_KEY], int n)
{
	if (n < 0 || n >= CT_CACHE_KEY)
		ct_bug("a cache key of %d bytes", n);
	return (struct ct_str){out, (size_t)n};
}

struct ct_str
ct_cache_key_version(const struct ct_uuid *cat, char out[CT_CACHE_KEY])
{
	char id[CT_UUID_TEXT];

	return key_of(out,
	    snprintf(out, CT_CACHE_KEY, "ct:v:%s", ct_uuid_format(cat, id)));
}

struct ct_str
ct_cache_key_answer(
    const struct ct_uuid *cat, const char *tag, char out[CT_CACHE_KEY])
{
	char id[CT_UUID_TEXT];

	return key_of(out, snprintf(out, CT_CACHE_KEY, "ct:a:%s:%s",
			       ct_uuid_format(cat, id), tag));
}

struct ct_str
ct_cache_key_session(const uint8_t hash[CT_DIGEST], char out[CT_CACHE_KEY])
{
	char hex[CT_DIGEST * 2 + 1];

	ct_hex(hash, CT_DIGEST, hex);
	return key_of(out, snprintf(out, CT_CACHE_KEY, "ct:s:%s", hex));
}

/* Once over the connection there is, once over a new one, else it is owed. */
static void
deliver(struct ct_redis *r, int argc, const struct ct_str *argv)
{
	for (int try = 0; try < 2; try++) {
		struct ct_err err;

		if (ct_redis_do(r, NULL, argc, argv, NULL, &err) == CT_OK)
			return;
	}
	ct_cache_owe();
}

void
ct_cache_bump(struct ct_redis *r, const struct ct_uuid *cat)
{
	char key[CT_CACHE_KEY];
	struct ct_str argv[] = {CT_STR("DEL"), ct_cache_key_version(cat, key)};

	deliver(r, 2, argv);
}

void
ct_cache_drop_session(struct ct_redis *r, const uint8_t hash[CT_DIGEST])
{
	char key[CT_CACHE_KEY];
	struct ct_str argv[] = {CT_STR("SET"), ct_cache_key_session(hash, key),
	    CT_STR("-"), CT_STR("EX"), CT_STR(ENDED_S)};

	deliver(r, 5, argv);
}

bool
ct_cache_owes(void)
{
	return atomic_load(&owed) != 0;
}

void
ct_cache_owe(void)
{
	atomic_fetch_add(&owed, 1);
}

/* Whatever the reason was, the answer is the same: come back later. */
static enum ct_rc
still_owed(struct ct_err *err)
{
	char detail[sizeof(err->detail)];

	memcpy(detail, err->detail, sizeof(detail));
	ct_fail(err, CT_RETRY, NULL, "A store is away. Try again shortly.");
	return ct_err_detail(err, "%s", detail);
}

enum ct_rc
ct_cache_settle(struct ct_redis *r, struct ct_err *err)
{
	struct ct_str key = CT_STR(EPOCH_KEY);
	unsigned seen = atomic_load(&owed);

	/* What came to be owed during the trip needs another one. */
	while (seen != 0) {
		enum ct_rc rc = ct_redis_eval(
		    r, NULL, ct_script("cache_epoch"), 1, 1, &key, NULL, err);

		if (rc != CT_OK)
			return still_owed(err);
		if (atomic_compare_exchange_strong(&owed, &seen, 0))
			break;
	}
	return CT_OK;
}

/* One SET without a wait; a failure is nobody's business: it is a cache. */
static void
put(struct ct_redis *r, struct ct_str key, struct ct_str value, int64_t ttl_s)
{
	char ttl[24];
	int n = snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
	struct ct_str argv[] = {
	    CT_STR("SET"), key, value, CT_STR("EX"), {ttl, (size_t)n}};

	ct_redis_post(r, 5, argv);
}

/* The parts one after another, each followed by its separator. */
static struct ct_str
join(struct ct_arena *a, const struct ct_str *parts, const char *seps, size_t n)
{
	struct ct_buf b;
	size_t room = 0;

	for (size_t i = 0; i < n; i++)
		room += parts[i].n + 1;
	ct_buf_init(&b, a, room);
	for (size_t i = 0; i < n; i++) {
		ct_buf_addstr(&b, parts[i]);
		if (seps[i])
			ct_buf_addc(&b, seps[i]);
	}
	return ct_buf_str(&b);
}

void
ct_cache_put_session(struct ct_redis *r, const uint8_t hash[CT_DIGEST],
    struct ct_str epoch, struct ct_str value, int64_t ttl_s)
{
	struct ct_str parts[] = {epoch, value};
	struct ct_arena *a = ct_arena_create(value.n * 4 + ROOM);
	char key[CT_CACHE_KEY], ttl[24];
	int n = snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
	struct ct_str argv[] = {ct_cache_key_session(hash, key),
	    join(a, parts, " ", 2), {ttl, (size_t)n}};
	struct ct_err err;

	/* A cache may forget, so a failure is nobody's business. */
	(void)!ct_redis_eval(
	    r, NULL, ct_script("cache_session"), 1, 3, argv, NULL, &err);
	ct_arena_destroy(a);
}

void
ct_cache_put_answer(struct ct_redis *r, const struct ct_uuid *cat,
    const char *tag, struct ct_str epoch, struct ct_str version,
    struct ct_str etag, struct ct_str body, int64_t ttl_s)
{
	struct ct_str parts[] = {epoch, version, etag, body};
	struct ct_arena *a = ct_arena_create(body.n * 4 + ROOM);
	char key[CT_CACHE_KEY];

	put(r, ct_cache_key_answer(cat, tag, key), join(a, parts, "  \n", 4),
	    ttl_s);
	ct_arena_destroy(a);
}

enum ct_rc
ct_cache_forget_cat(struct ct_redis *r, struct ct_arena *a,
    const struct ct_uuid *cat, struct ct_err *err)
{
	char version[CT_CACHE_KEY], answers[CT_CACHE_KEY];
	struct ct_str del[2] = {
	    CT_STR("DEL"), ct_cache_key_version(cat, version)};
	struct ct_str scan[] = {CT_STR("SCAN"), CT_STR("0"), CT_STR("MATCH"),
	    ct_cache_key_answer(cat, "*", answers), CT_STR("COUNT"),
	    CT_STR("1000")};
	const struct redisReply *reply, *keys, *key, *none;

	if (ct_redis_do(r, a, 2, del, &none, err) != CT_OK)
		return err->rc;
	do {
		if (ct_redis_do(r, a, ct_countof(scan), scan, &reply, err) !=
		    CT_OK)
			return err->rc;
		scan[1] = ct_str_dup(a, ct_reply_str(ct_reply_at(reply, 0)));
		keys = ct_reply_at(reply, 1);
		for (size_t i = 0; (key = ct_reply_at(keys, i)) != NULL; i++) {
			del[1] = ct_reply_str(key);
			if (ct_redis_do(r, a, 2, del, &none, err) != CT_OK)
				return err->rc;
		}
	} while (!ct_str_is(scan[1], "0"));
	return CT_OK;
}
