/*
 * The cache against a server of its own: layouts of keys and values, bumps,
 * and the debt of a bump that could not be delivered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "common/cache.h"
#include "common/clock.h"
#include "tests/support/private_redis.h"

static const struct ct_uuid cat = {
    {0x01, 0x93, 0x50, 0x00, 0, 0, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0, 0x0a}};
#define CAT "01935000-0000-7001-8000-00000000000a"

static const uint8_t digest[CT_DIGEST] = {0xab, 0xcd};

static struct ct_private_redis server;
static struct ct_redis *r;
static struct ct_arena *arena;
static struct ct_err err;

static int
begin(void **state)
{
	(void)state;
	server = (struct ct_private_redis){.aof = true};
	ct_private_redis_begin(&server);
	arena = ct_arena_create((size_t)4 << 20);
	assert_int_equal(ct_redis_open(server.url, 300, &r, &err), CT_OK);
	/* no debt of an earlier test */
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ct_redis_close(r);
	ct_arena_destroy(arena);
	ct_private_redis_end(&server);
	return 0;
}

static void
reconnect(void)
{
	int64_t end_ms = ct_mono_ms() + 5000;

	while (ct_redis_ready(r, &err) != CT_OK) {
		assert_true(ct_mono_ms() < end_ms);
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
}

static const struct redisReply *
ask(const char *verb, const char *key)
{
	struct ct_str argv[] = {ct_str_of(verb), ct_str_of(key)};
	const struct redisReply *p;

	assert_int_equal(ct_redis_do(r, arena, 2, argv, &p, &err), CT_OK);
	return p;
}

static void
set(const char *key, const char *v)
{
	struct ct_str argv[] = {CT_STR("SET"), ct_str_of(key), ct_str_of(v)};

	assert_int_equal(ct_redis_do(r, NULL, 3, argv, NULL, &err), CT_OK);
}

static void
test_keys(void **state)
{
	char out[CT_CACHE_KEY];

	(void)state;
	assert_true(ct_str_is(ct_cache_key_version(&cat, out), "ct:v:" CAT));
	assert_true(ct_str_is(
	    ct_cache_key_answer(&cat, "today", out), "ct:a:" CAT ":today"));
	assert_true(ct_str_is(ct_cache_key_session(digest, out),
	    "ct:s:abcd000000000000000000000000000000000000000000000000000000000"
	    "000"));
}

static void
test_bump_deletes_the_version(void **state)
{
	(void)state;
	set("ct:v:" CAT, "123");
	set("ct:v:other", "123");
	ct_cache_bump(r, &cat);
	assert_true(ct_reply_nil(ask("GET", "ct:v:" CAT)));
	assert_false(ct_reply_nil(ask("GET", "ct:v:other")));
	assert_false(ct_cache_owes());
}

/* The connection died unnoticed: the second try goes over a new one. */
static void
test_bump_survives_a_restart(void **state)
{
	(void)state;
	set("ct:v:" CAT, "123");
	ct_private_redis_crash(&server);
	ct_private_redis_start(&server);
	ct_cache_bump(r, &cat);
	assert_false(ct_cache_owes());
	assert_true(ct_reply_nil(ask("GET", "ct:v:" CAT)));
}

static void
test_lost_bump_is_owed_and_settled(void **state)
{
	int64_t first, second;

	(void)state;
	set("ct:v:" CAT, "123");
	ct_private_redis_crash(&server);
	ct_cache_bump(r, &cat);
	assert_true(ct_cache_owes());
	assert_int_equal(ct_cache_settle(r, &err), CT_RETRY);
	assert_true(ct_cache_owes());
	ct_private_redis_start(&server);
	reconnect();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	assert_false(ct_cache_owes());
	first = ct_reply_i64(ask("GET", "ct:epoch"));
	assert_true(first > 0);
	/* nothing owed: nothing raised */
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	assert_int_equal(ct_reply_i64(ask("GET", "ct:epoch")), first);
	ct_cache_owe();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	second = ct_reply_i64(ask("GET", "ct:epoch"));
	assert_true(second > first);
}

static void
test_epoch_rises_past_a_clock_that_went_back(void **state)
{
	(void)state;
	set("ct:epoch", "8000000000000000");
	ct_cache_owe();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	assert_true(ct_str_is(
	    ct_reply_str(ask("GET", "ct:epoch")), "8000000000000001"));
}

/* What is evicted or flushed does not bring an old epoch back. */
static void
test_lost_epoch_does_not_come_back(void **state)
{
	int64_t first;

	(void)state;
	ct_cache_owe();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	first = ct_reply_i64(ask("GET", "ct:epoch"));
	assert_int_equal(ct_reply_i64(ask("DEL", "ct:epoch")), 1);
	ct_cache_owe();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
	assert_true(ct_reply_i64(ask("GET", "ct:epoch")) > first);
}

/* An epoch of another type: the debt stays, the caller comes back later. */
static void
test_settle_maps_any_failure_to_retry(void **state)
{
	struct ct_str argv[] = {
	    CT_STR("LPUSH"), CT_STR("ct:epoch"), CT_STR("x")};

	(void)state;
	assert_int_equal(ct_redis_do(r, NULL, 3, argv, NULL, &err), CT_OK);
	ct_cache_owe();
	assert_int_equal(ct_cache_settle(r, &err), CT_RETRY);
	assert_non_null(strstr(err.detail, "WRONGTYPE"));
	assert_true(ct_cache_owes());
	assert_int_equal(ct_reply_i64(ask("DEL", "ct:epoch")), 1);
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
}

static void
check_ttl(const char *key, int64_t max_s)
{
	int64_t ttl = ct_reply_i64(ask("TTL", key));

	assert_true(ttl > max_s - 5 && ttl <= max_s);
}

static void
test_answer_layout(void **state)
{
	const char *key = "ct:a:" CAT ":today";

	(void)state;
	ct_cache_put_answer(r, &cat, "today", CT_STR("7"), CT_STR("99.1"),
	    CT_STR("abc"), CT_STR("{\"n\":1}\n"), 60);
	assert_true(ct_str_is(
	    ct_reply_str(ask("GET", key)), "7 99.1 abc\n{\"n\":1}\n"));
	check_ttl(key, 60);
}

static void
test_large_answer(void **state)
{
	size_t n = 300000;
	char *body = ct_arena_alloc(arena, n);
	struct ct_str got;

	(void)state;
	memset(body, 'x', n);
	ct_cache_put_answer(r, &cat, "list", CT_STR("7"), CT_STR("9"),
	    CT_STR("e"), (struct ct_str){body, n}, 60);
	got = ct_reply_str(ask("GET", "ct:a:" CAT ":list"));
	assert_int_equal(got.n, n + strlen("7 9 e\n"));
}

static void
test_session_layout_and_drop(void **state)
{
	char key[CT_CACHE_KEY];

	(void)state;
	ct_cache_key_session(digest, key);
	ct_cache_put_session(
	    r, digest, CT_STR("7"), CT_STR("acc cat owner"), 300);
	assert_true(
	    ct_str_is(ct_reply_str(ask("GET", key)), "7 acc cat owner"));
	check_ttl(key, 300);
	ct_cache_drop_session(r, digest);
	assert_true(ct_str_is(ct_reply_str(ask("GET", key)), "-"));
	check_ttl(key, 60);
	/* A reader that loaded it just before cannot bring it back. */
	ct_cache_put_session(
	    r, digest, CT_STR("7"), CT_STR("acc cat owner"), 300);
	assert_true(ct_str_is(ct_reply_str(ask("GET", key)), "-"));
}

static void
test_lost_drop_is_owed_and_lost_put_is_not(void **state)
{
	(void)state;
	assert_int_equal(ct_redis_ready(r, &err), CT_OK);
	ct_private_redis_crash(&server);
	ct_cache_put_session(r, digest, CT_STR("7"), CT_STR("v"), 300);
	ct_cache_put_answer(r, &cat, "t", CT_STR("7"), CT_STR("9"), CT_STR("e"),
	    CT_STR("b"), 60);
	assert_false(ct_cache_owes());
	ct_cache_drop_session(r, digest);
	assert_true(ct_cache_owes());
	ct_private_redis_start(&server);
	reconnect();
	assert_int_equal(ct_cache_settle(r, &err), CT_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_keys),
	    CASE(test_bump_deletes_the_version),
	    CASE(test_bump_survives_a_restart),
	    CASE(test_lost_bump_is_owed_and_settled),
	    CASE(test_epoch_rises_past_a_clock_that_went_back),
	    CASE(test_lost_epoch_does_not_come_back),
	    CASE(test_settle_maps_any_failure_to_retry),
	    CASE(test_answer_layout),
	    CASE(test_large_answer),
	    CASE(test_session_layout_and_drop),
	    CASE(test_lost_drop_is_owed_and_lost_put_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
