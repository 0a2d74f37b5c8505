/*
 * The Redis client against a server of its own: commands, pipelines, scripts,
 * deadlines, and what happens when the server goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/redis.h"
#include "tests/support/private_redis.h"

#define ARGV(...)                                                              \
	(int)ct_countof(((struct ct_str[]){__VA_ARGS__})), (struct ct_str[])   \
	{                                                                      \
		__VA_ARGS__                                                    \
	}

enum { TIMEOUT_MS = 300 };

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
	assert_int_equal(
	    ct_redis_open(server.url, TIMEOUT_MS, &r, &err), CT_OK);
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
nap_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Until the back-off has passed and the server is there again. */
static void
reconnect(void)
{
	int64_t end_ms = ct_mono_ms() + 5000;

	while (ct_redis_ready(r, &err) != CT_OK) {
		assert_true(ct_mono_ms() < end_ms);
		nap_ms(5);
	}
}

static void
set(const char *key, const char *v)
{
	assert_int_equal(
	    ct_redis_do(r, NULL,
		ARGV(CT_STR("SET"), ct_str_of(key), ct_str_of(v)), NULL, &err),
	    CT_OK);
}

static struct ct_str
get(const char *key)
{
	const struct redisReply *p;

	assert_int_equal(ct_redis_do(r, arena,
			     ARGV(CT_STR("GET"), ct_str_of(key)), &p, &err),
	    CT_OK);
	return ct_reply_str(p);
}

static void
test_any_byte_survives(void **state)
{
	static const char raw[] = "a\0b\r\n%s\xff";
	struct ct_str v = {raw, sizeof(raw) - 1};
	const struct redisReply *p;

	(void)state;
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("SET"), v, v), &p, &err), CT_OK);
	assert_true(ct_str_is(ct_reply_str(p), "OK"));
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("GET"), v), &p, &err), CT_OK);
	assert_true(ct_str_eq(ct_reply_str(p), v));
}

static void
test_pipeline_keeps_order_past_an_error(void **state)
{
	const struct redisReply *p[4];

	(void)state;
	assert_int_equal(
	    ct_redis_append(
		r, ARGV(CT_STR("SET"), CT_STR("s"), CT_STR("7")), &err),
	    CT_OK);
	assert_int_equal(
	    ct_redis_append(
		r, ARGV(CT_STR("LPUSH"), CT_STR("s"), CT_STR("x")), &err),
	    CT_OK);
	assert_int_equal(
	    ct_redis_append(r, ARGV(CT_STR("GET"), CT_STR("s")), &err), CT_OK);
	assert_int_equal(
	    ct_redis_append(
		r, ARGV(CT_STR("MGET"), CT_STR("s"), CT_STR("none")), &err),
	    CT_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ct_redis_take(r, arena, &p[i], &err), CT_OK);
	assert_false(ct_reply_error(p[0]));
	assert_true(ct_reply_error(p[1]));
	assert_true(ct_str_starts(ct_reply_str(p[1]), CT_STR("WRONGTYPE")));
	assert_int_equal(ct_reply_i64(p[2]), 7);
	assert_int_equal(ct_reply_n(p[3]), 2);
	assert_int_equal(ct_reply_i64(ct_reply_at(p[3], 0)), 7);
	assert_true(ct_reply_nil(ct_reply_at(p[3], 1)));
	assert_true(ct_redis_up(r));
}

static void
test_error_is_internal_and_keeps_connection(void **state)
{
	const struct redisReply *p;
	unsigned before;

	(void)state;
	set("s", "x");
	before = ct_redis_generation(r);
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("INCR"), CT_STR("s")), &p, &err),
	    CT_INTERNAL);
	assert_true(ct_reply_error(p));
	assert_non_null(strstr(err.detail, "not an integer"));
	assert_null(strstr(err.msg, "integer"));
	assert_true(ct_str_is(get("s"), "x"));
	assert_int_equal(ct_redis_generation(r), before);
}

/* A server that cannot write now is away, not our fault. */
static void
test_full_memory_is_retry(void **state)
{
	const struct redisReply *p;

	(void)state;
	assert_int_equal(ct_redis_do(r, arena,
			     ARGV(CT_STR("CONFIG"), CT_STR("SET"),
				 CT_STR("maxmemory"), CT_STR("1")),
			     &p, &err),
	    CT_OK);
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("SET"), CT_STR("s"), CT_STR("x")),
		&p, &err),
	    CT_RETRY);
	assert_true(ct_redis_up(r));
}

static void
test_readonly_server_is_left(void **state)
{
	const struct redisReply *p;
	unsigned before;

	(void)state;
	set("s", "x");
	before = ct_redis_generation(r);
	assert_int_equal(
	    ct_redis_do(r, arena,
		ARGV(CT_STR("REPLICAOF"), CT_STR("127.0.0.1"), CT_STR("1")), &p,
		&err),
	    CT_OK);
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("SET"), CT_STR("s"), CT_STR("y")),
		&p, &err),
	    CT_RETRY);
	reconnect();
	assert_int_equal(ct_redis_generation(r), before + 1);
}

static void
check_epoch_script(void)
{
	struct ct_str key = CT_STR("e");
	const struct redisReply *p;

	assert_int_equal(ct_redis_eval(r, arena, ct_script("cache_epoch"), 1, 1,
			     &key, &p, &err),
	    CT_OK);
	assert_true(ct_reply_i64(p) > 1600000000000000);
}

static void
test_eval_reloads_after_flush(void **state)
{
	(void)state;
	check_epoch_script();
	assert_int_equal(strlen(ct_script("cache_epoch")->sha), 40);
	assert_int_equal(
	    ct_redis_do(
		r, NULL, ARGV(CT_STR("SCRIPT"), CT_STR("FLUSH")), NULL, &err),
	    CT_OK);
	check_epoch_script();
}

/* A pipeline only sees NOSCRIPT; the next one has the scripts again. */
static void
test_pipeline_reloads_after_flush(void **state)
{
	const struct ct_script *s = ct_script("cache_epoch");
	struct ct_str key = CT_STR("e");
	const struct redisReply *p;
	unsigned before;

	(void)state;
	check_epoch_script();
	before = ct_redis_generation(r);
	assert_int_equal(
	    ct_redis_do(
		r, NULL, ARGV(CT_STR("SCRIPT"), CT_STR("FLUSH")), NULL, &err),
	    CT_OK);
	assert_int_equal(ct_redis_append_eval(r, s, 1, 1, &key, &err), CT_OK);
	assert_int_equal(ct_redis_take(r, arena, &p, &err), CT_OK);
	assert_true(ct_reply_error(p));
	assert_int_equal(ct_redis_append_eval(r, s, 1, 1, &key, &err), CT_OK);
	assert_int_equal(ct_redis_take(r, arena, &p, &err), CT_OK);
	assert_false(ct_reply_error(p));
	assert_int_equal(ct_redis_generation(r), before);
}

/* The late reply of a frozen server must never answer a later question. */
static void
test_timeout_closes_the_connection(void **state)
{
	const struct redisReply *p;
	int64_t start_ms;

	(void)state;
	set("a", "first");
	set("b", "second");
	kill(server.pid, SIGSTOP);
	start_ms = ct_mono_ms();
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("GET"), CT_STR("a")), &p, &err),
	    CT_RETRY);
	assert_null(p);
	assert_in_range(
	    ct_mono_ms() - start_ms, TIMEOUT_MS - 50, TIMEOUT_MS + 700);
	assert_false(ct_redis_up(r));
	assert_int_equal(ct_redis_fd(r), -1);
	kill(server.pid, SIGCONT);
	reconnect();
	assert_true(ct_str_is(get("b"), "second"));
}

/* While the server is away callers go on at once, whatever the timeout. */
static void
test_down_fails_at_once(void **state)
{
	int64_t start_ms;
	unsigned refused = 0;

	(void)state;
	set("a", "1");
	kill(server.pid, SIGSTOP);
	assert_int_equal(
	    ct_redis_do(r, NULL, ARGV(CT_STR("PING")), NULL, &err), CT_RETRY);
	/* the connect goes through to the backlog, the hand-shake does not */
	assert_int_equal(ct_redis_ready(r, &err), CT_RETRY);
	for (int i = 0; i < 6; i++) {
		nap_ms(100);
		assert_int_equal(ct_redis_ready(r, &err), CT_RETRY);
	}
	start_ms = ct_mono_ms();
	while (ct_mono_ms() - start_ms < 20 && refused < 100000) {
		if (ct_redis_do(r, NULL, ARGV(CT_STR("PING")), NULL, &err) !=
		    CT_RETRY)
			break;
		refused++;
	}
	assert_true(refused > 100);
	kill(server.pid, SIGCONT);
	reconnect();
}

static void
test_crash_and_restart_with_aof(void **state)
{
	const struct redisReply *p;
	unsigned before;

	(void)state;
	set("a", "kept");
	check_epoch_script();
	before = ct_redis_generation(r);
	ct_private_redis_crash(&server);
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("GET"), CT_STR("a")), &p, &err),
	    CT_RETRY);
	ct_private_redis_start(&server);
	reconnect();
	assert_int_equal(ct_redis_generation(r), before + 1);
	assert_true(ct_str_is(get("a"), "kept"));
	check_epoch_script();
}

/* Many replies were due when the connection went: all of them fail. */
static void
test_crash_within_a_pipeline(void **state)
{
	const struct redisReply *p;

	(void)state;
	set("a", "1");
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    ct_redis_append(r, ARGV(CT_STR("GET"), CT_STR("a")), &err),
		    CT_OK);
	ct_private_redis_crash(&server);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ct_redis_take(r, arena, &p, &err), CT_RETRY);
		assert_null(p);
	}
	ct_private_redis_start(&server);
	reconnect();
}

static void
test_abandoned_pipeline_is_not_answered(void **state)
{
	(void)state;
	set("a", "stale");
	set("b", "fresh");
	assert_int_equal(
	    ct_redis_append(r, ARGV(CT_STR("GET"), CT_STR("a")), &err), CT_OK);
	assert_true(ct_str_is(get("b"), "fresh"));
}

static const struct redisReply *
wait_message(void)
{
	int64_t end_ms = ct_mono_ms() + 2000;
	const struct redisReply *p = NULL;

	while (!p) {
		assert_true(ct_mono_ms() < end_ms);
		assert_int_equal(ct_redis_poll(r, arena, &p, &err), CT_OK);
		if (!p)
			nap_ms(1);
	}
	return p;
}

static void
test_poll_takes_messages_without_blocking(void **state)
{
	const struct redisReply *p;
	char out[64];

	(void)state;
	assert_int_equal(
	    ct_redis_append(r, ARGV(CT_STR("SUBSCRIBE"), CT_STR("news")), &err),
	    CT_OK);
	assert_true(ct_str_is(
	    ct_reply_str(ct_reply_at(wait_message(), 0)), "subscribe"));
	assert_int_equal(ct_redis_poll(r, arena, &p, &err), CT_OK);
	assert_null(p);
	ct_private_redis_ask(&server, "PUBLISH news one", out, sizeof(out));
	ct_private_redis_ask(&server, "PUBLISH news two", out, sizeof(out));
	assert_true(
	    ct_str_is(ct_reply_str(ct_reply_at(wait_message(), 2)), "one"));
	assert_true(
	    ct_str_is(ct_reply_str(ct_reply_at(wait_message(), 2)), "two"));
	ct_private_redis_crash(&server);
	assert_int_equal(ct_redis_poll(r, arena, &p, &err), CT_RETRY);
	assert_int_equal(ct_redis_fd(r), -1);
}

static void
test_large_reply_through_poll(void **state)
{
	const struct redisReply *p;
	char *big = ct_arena_alloc(arena, 300001);

	(void)state;
	memset(big, 'x', 300000);
	set("big", big);
	assert_int_equal(
	    ct_redis_append(r, ARGV(CT_STR("GET"), CT_STR("big")), &err),
	    CT_OK);
	p = wait_message();
	assert_int_equal(ct_reply_str(p).n, 300000);
}

static void
test_password_and_db(void **state)
{
	struct ct_private_redis s = {.extra = {"--requirepass", "p@ss/w%rd"}};
	char url[128];
	const struct redisReply *p;
	struct ct_redis *c;

	(void)state;
	ct_private_redis_begin(&s);
	snprintf(
	    url, sizeof(url), "unix://:p%%40ss%%2Fw%%25rd@%s?db=3", s.path);
	assert_int_equal(ct_redis_open(url, TIMEOUT_MS, &c, &err), CT_OK);
	assert_int_equal(ct_redis_do(c, arena,
			     ARGV(CT_STR("CLIENT"), CT_STR("INFO")), &p, &err),
	    CT_OK);
	assert_non_null(strstr(ct_str_cstr(arena, ct_reply_str(p)), " db=3 "));
	ct_redis_close(c);
	snprintf(url, sizeof(url), "unix://:wrong@%s", s.path);
	assert_int_equal(ct_redis_open(url, TIMEOUT_MS, &c, &err), CT_OK);
	assert_int_equal(ct_redis_ready(c, &err), CT_RETRY);
	assert_null(strstr(err.detail, "wrong@"));
	ct_redis_close(c);
	ct_private_redis_end(&s);
}

static void
test_urls(void **state)
{
	static const struct {
		const char *url;
		enum ct_rc rc;
	} cases[] = {
	    {"redis://127.0.0.1:6379/0", CT_OK},
	    {"redis://localhost", CT_OK},
	    {"redis://:secret@db.example:7000/15", CT_OK},
	    {"redis://[::1]:6379/0", CT_OK},
	    {"redis://[::1]", CT_OK},
	    {"unix:///run/redis.sock", CT_OK},
	    {"unix:///run/redis.sock?db=2", CT_OK},
	    {"rediss://127.0.0.1", CT_INVALID},
	    {"redis://", CT_INVALID},
	    {"redis://:6379", CT_INVALID},
	    {"redis://h:0", CT_INVALID},
	    {"redis://h:65536", CT_INVALID},
	    {"redis://h:12x", CT_INVALID},
	    {"redis://h/x", CT_INVALID},
	    {"redis://h/-1", CT_INVALID},
	    {"redis://[::1", CT_INVALID},
	    {"redis://[::1]x", CT_INVALID},
	    {"unix://relative", CT_INVALID},
	    {"unix:///s?timeout=2", CT_INVALID},
	    {"unix:///s?db=x", CT_INVALID},
	    {"http://h", CT_INVALID},
	    {"", CT_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++) {
		struct ct_redis *c;

		if (ct_redis_open(cases[i].url, 100, &c, &err) != cases[i].rc)
			fail_msg("%s", cases[i].url);
		assert_true((c != NULL) == (cases[i].rc == CT_OK));
		ct_redis_close(c);
	}
}

static struct ct_str
got(const char *key)
{
	const struct redisReply *p;

	assert_int_equal(ct_redis_do(r, arena,
			     ARGV(CT_STR("GET"), ct_str_of(key)), &p, &err),
	    CT_OK);
	return ct_reply_str(p);
}

/* Its reply answers no later question, whatever comes next. */
static void
test_what_is_posted_is_done_and_never_answers(void **state)
{
	const struct redisReply *p;
	struct ct_str key = CT_STR("k"), one = CT_STR("1"), two = CT_STR("2");

	(void)state;
	ct_redis_post(r, ARGV(CT_STR("SET"), key, one));
	assert_true(ct_str_is(got("k"), "1"));
	ct_redis_post(r, ARGV(CT_STR("NOSUCH")));
	ct_redis_post(r, ARGV(CT_STR("SET"), key, two));
	assert_int_equal(
	    ct_redis_append(r, ARGV(CT_STR("GET"), key), &err), CT_OK);
	assert_int_equal(ct_redis_append(r, ARGV(CT_STR("TIME")), &err), CT_OK);
	assert_int_equal(ct_redis_take(r, arena, &p, &err), CT_OK);
	assert_true(ct_str_is(ct_reply_str(p), "2"));
	assert_int_equal(ct_redis_take(r, arena, &p, &err), CT_OK);
	assert_int_equal(ct_reply_n(p), 2);
	/* Far more than are kept unread. */
	for (int i = 0; i < 1000; i++)
		ct_redis_post(r, ARGV(CT_STR("INCR"), CT_STR("n")));
	assert_true(ct_str_is(got("n"), "1000"));
	ct_private_redis_crash(&server);
	ct_redis_post(r, ARGV(CT_STR("SET"), key, one));
	ct_redis_post(r, ARGV(CT_STR("SET"), key, one));
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("TIME")), &p, &err), CT_RETRY);
	ct_private_redis_start(&server);
	reconnect();
	assert_true(ct_str_is(got("k"), "2"));
}

static void
test_readers_take_anything(void **state)
{
	const struct redisReply *p;

	(void)state;
	assert_true(ct_reply_nil(NULL));
	assert_false(ct_reply_error(NULL));
	assert_null(ct_reply_str(NULL).p);
	assert_int_equal(ct_reply_i64(NULL), 0);
	assert_int_equal(ct_reply_n(NULL), 0);
	assert_null(ct_reply_at(NULL, 0));
	assert_int_equal(
	    ct_redis_do(r, arena, ARGV(CT_STR("TIME")), &p, &err), CT_OK);
	assert_null(ct_reply_str(p).p);
	assert_int_equal(ct_reply_i64(p), 0);
	assert_null(ct_reply_at(p, 2));
	assert_true(ct_reply_i64(ct_reply_at(p, 0)) > 1600000000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_any_byte_survives),
	    CASE(test_pipeline_keeps_order_past_an_error),
	    CASE(test_error_is_internal_and_keeps_connection),
	    CASE(test_full_memory_is_retry),
	    CASE(test_readonly_server_is_left),
	    CASE(test_eval_reloads_after_flush),
	    CASE(test_pipeline_reloads_after_flush),
	    CASE(test_timeout_closes_the_connection),
	    CASE(test_down_fails_at_once),
	    CASE(test_crash_and_restart_with_aof),
	    CASE(test_crash_within_a_pipeline),
	    CASE(test_abandoned_pipeline_is_not_answered),
	    CASE(test_poll_takes_messages_without_blocking),
	    CASE(test_large_reply_through_poll),
	    CASE(test_password_and_db),
	    CASE(test_urls),
	    CASE(test_what_is_posted_is_done_and_never_answers),
	    CASE(test_readers_take_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
