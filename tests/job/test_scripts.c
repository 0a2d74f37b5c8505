/* The job scripts, one by one: every transition and every refusal. */
#include "tests/job/job_fixture.h"

/* Arguments are given as text, the prefix is added. */
static const struct redisReply *
run(const char *script, int nkeys, ...)
{
	const struct redisReply *reply = NULL;
	struct ct_str argv[24];
	const char *s;
	va_list ap;
	int argc = 0;

	va_start(ap, nkeys);
	while ((s = va_arg(ap, const char *)) != NULL) {
		if (argc == nkeys)
			argv[argc++] = CT_STR("jq:");
		argv[argc++] = ct_str_of(s);
	}
	va_end(ap);
	ct_err_clear(&err);
	if (ct_redis_eval(redis, arena, ct_script(script), nkeys, argc, argv,
		&reply, &err) != CT_OK)
		fail_msg("%s: %s %s", script, err.msg, err.detail);
	return reply;
}

static void
enter(const char *wid)
{
	run("jq_register", 0, wid, "host", "1", "q:1", "2", "60000", "name",
	    NULL);
}

static int64_t
first(const struct redisReply *r)
{
	return ct_reply_i64(ct_reply_at(r, 0));
}

/* Take up to count messages from list q; number of the first one. */
static const struct redisReply *
claim(const char *wid, const char *count, const char *number)
{
	return run("jq_claim", 1, "q", wid, "600", count, number, NULL);
}

/* The word for a message that is held under a number already. */
static struct ct_str
start(const char *wid, const char *number, const char *id, const char *try)
{
	return ct_reply_str(
	    ct_reply_at(run("jq_claim", 1, "none", wid, "600", "0", "0", number,
			    id, try, "t", NULL),
		1));
}

static int64_t
settle(const char *wid, const char *number, const char *id, const char *try,
    const char *op, const char *next, const char *max)
{
	return ct_reply_i64(run("jq_settle", 0, wid, number, id, try, op, next,
	    "99", "ended", "{\"r\":1}", "600", "600", max, "", "10", NULL));
}

static const struct redisReply *
reap(const char *stall_ms, const char *max, const char *lease_ms)
{
	return run("jq_reap", 0, "any", stall_ms, max, "{\"id\":", "}", "600",
	    "10", lease_ms, NULL);
}

/* A message of node w1 on list q, held as 1, begun as job j, try 0. */
static void
running(void)
{
	enter("w1");
	cmd("LPUSH q m1");
	assert_int_equal(ct_reply_n(claim("w1", "1", "1")), 4);
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "GO"));
}

static void
test_claim(void **state)
{
	const struct redisReply *r;

	(void)state;
	assert_int_equal(first(claim("w1", "1", "1")), -1);
	enter("w1");
	cmd("LPUSH q a b");
	cmd("LPUSH q2 c d");
	r = run("jq_claim", 2, "q2", "q", "w1", "600", "3", "7", NULL);
	assert_int_equal(ct_reply_n(r), 10);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 2)), "c"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 3)), "LOOK"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 5)), "d"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 7)), "q"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 8)), "a"));
	assert_int_equal(cmd_i64("LLEN", "q"), 1);
	assert_int_equal(cmd_i64("HLEN", "jq:proc:w1"), 3);
	assert_true(ct_str_is(ct_reply_str(cmd("HGET jq:proc:w1 9")), "q\na"));
	r = run("jq_audit", 0, "w1", NULL);
	assert_int_equal(ct_reply_n(r), 3);
	/* One that was begun is one message still. */
	assert_true(ct_str_is(start("w1", "9", "j", "0"), "GO"));
	assert_int_equal(ct_reply_n(run("jq_audit", 0, "w1", NULL)), 3);
}

/* What the claim says of one message. */
static const char *
said(const char *wid, const char *number, const char *raw)
{
	const struct redisReply *r;

	cmd("LPUSH q %s", raw);
	r = claim(wid, "1", number);
	assert_int_equal(ct_reply_n(r), 4);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 2)), raw));
	return ct_str_cstr(arena, ct_reply_str(ct_reply_at(r, 3)));
}

#define HEAD "{\"headers\":{\"task\":\"t\",\"id\":\"j\""

/* A plain message is begun where it is claimed; nothing else is. */
static void
test_claim_begins(void **state)
{
	static const char *const look[] = {"{]", "[]", "7", "{}",
	    "{\"headers\":{}}", "{\"headers\":null}",
	    "{\"headers\":{\"task\":\"t\"}}",
	    "{\"headers\":{\"task\":\"t\",\"id\":7}}",
	    "{\"headers\":{\"task\":\"t\",\"id\":\"\"}}",
	    "{\"headers\":{\"task\":null,\"id\":\"j\"}}",
	    HEAD ",\"eta\":\"2026-01-01T00:00:00Z\"}}",
	    HEAD ",\"expires\":\"2026-01-01T00:00:00Z\"}}",
	    HEAD ",\"retries\":\"1\"}}", HEAD ",\"retries\":null}}"};
	size_t i;

	(void)state;
	enter("w1");
	enter("w2");
	for (i = 0; i < ct_countof(look); i++)
		assert_string_equal(said("w1", "1", look[i]), "LOOK");
	assert_int_equal(cmd_i64("EXISTS", "jq:job:j"), 0);
	assert_string_equal(
	    said("w1", "1", HEAD ",\"eta\":null,\"retries\":2}}"), "GO");
	assert_true(job_is("j", "running"));
	assert_string_equal(job_field("j", "owner_try"), "2");
	assert_string_equal(job_field("j", "starts"), "1");
	assert_string_equal(job_field("j", "queue"), "q");
	assert_in_range(cmd_i64("TTL", "jq:job:j"), 590, 600);
	assert_true(ct_str_is(ct_reply_str(cmd("HGET jq:proc:w1 1i")), "j"));
	/* The same try and an earlier one, elsewhere and here. */
	assert_string_equal(said("w2", "1", HEAD ",\"retries\":2}}"), "DUP");
	assert_string_equal(said("w1", "2", HEAD ",\"retries\":1}}"), "DUP");
	assert_int_equal(cmd_i64("HEXISTS", "jq:proc:w2 1i"), 0);
	cmd("SET jq:cancel:j 1");
	assert_string_equal(
	    said("w1", "3", HEAD ",\"retries\":3}}"), "CANCELLED");
}

static void
test_start(void **state)
{
	(void)state;
	running();
	/* Not held; held by another; a second copy of the same try. */
	assert_true(ct_str_is(start("w1", "2", "j2", "0"), "FENCED"));
	enter("w2");
	assert_true(ct_str_is(start("w2", "1", "j", "0"), "FENCED"));
	cmd("LPUSH q m3");
	claim("w2", "1", "3");
	assert_true(ct_str_is(start("w2", "3", "j", "0"), "DUP"));
	/* The next try is another job of work; so is a dead owner's. */
	assert_true(ct_str_is(start("w2", "3", "j", "1"), "GO"));
	cmd("HSET jq:job:j owner gone");
	assert_true(ct_str_is(start("w2", "3", "j", "1"), "GO"));
	/* A place that is lost. */
	cmd("ZREM jq:w w2");
	assert_int_equal(first(run("jq_claim", 1, "none", "w2", "600", "0", "0",
			     "3", "j", "1", "t", NULL)),
	    -1);
}

static void
test_cancel(void **state)
{
	(void)state;
	enter("w1");
	cmd("LPUSH q m1");
	claim("w1", "1", "1");
	run("jq_cancel", 0, "j", "{}", "60", NULL);
	assert_true(cmd_i64("TTL", "jq:cancel:j") > 604000);
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "CANCELLED"));
	assert_string_equal(result_of("j"), "");
	/* One that waits is revoked at once. */
	cmd("HSET jq:job:k state scheduled due 99999999999999");
	run("jq_cancel", 0, "k", "{}", "60", NULL);
	assert_string_equal(result_of("k"), "{}");
	assert_true(cmd_i64("TTL", "jq:cancel:k") > 90000000);
}

/* One that runs goes on after a mark of 0, and is not begun again. */
static void
test_revoke_without_stop(void **state)
{
#define BEAT(id) ct_reply_n(run("jq_beat", 0, "w1", "60000", id, NULL))
#define SAY                                                                    \
	ct_reply_i64(run("jq_progress", 0, "w1", "j", "0", "{}", "60", NULL))
	(void)state;
	running();
	run("jq_cancel", 0, "j", "{}", "60", "0", NULL);
	assert_int_equal(BEAT("j"), 1);
	assert_int_equal(SAY, 1);
	assert_string_equal(result_of("j"), "{}");
	assert_true(ct_str_is(start("w1", "1", "j", "1"), "CANCELLED"));
	run("jq_cancel", 0, "j", "{}", "60", "1", NULL);
	assert_int_equal(BEAT("j"), 2);
	assert_int_equal(SAY, 2);
	/* A stop is not taken back. */
	run("jq_cancel", 0, "j", "{}", "60", "0", NULL);
	assert_int_equal(BEAT("j"), 2);
	assert_true(cmd_i64("TTL", "jq:cancel:j") > 604000);
#undef BEAT
#undef SAY
}

/* The last 1,000 that were revoked are known, for as long as their marks. */
static void
test_cancels(void **state)
{
	char id[16];
	int i;

	(void)state;
	for (i = 0; i < 1005; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		run("jq_cancel", 0, id, "{}", "60", NULL);
	}
	assert_int_equal(cmd_i64("ZCARD", "jq:cancels"), 1000);
	assert_in_range(cmd_i64("TTL", "jq:cancels"), 604000, 604800);
	assert_int_equal(cmd_i64("EXISTS", "jq:cancel:c0"), 1);
	run("jq_forget", 0, "c1004", NULL);
	assert_int_equal(cmd_i64("ZCARD", "jq:cancels"), 999);
}

static void
test_scheduled(void **state)
{
	const struct redisReply *r;

	(void)state;
	cmd("EVAL redis.call('ZADD',KEYS[1],30,'q\\nlate',10,'q\\nsoon',20,"
	    "'r\\n'..string.rep('x',11)) 1 jq:sched");
	r = run("jq_scheduled", 0, "2", "10", NULL);
	assert_int_equal(ct_reply_n(r), 6);
	assert_int_equal(ct_reply_i64(ct_reply_at(r, 0)), 10);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 1)), "q"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 2)), "soon"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 4)), "r"));
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 5)), ""));
	assert_int_equal(cmd_i64("ZCARD", "jq:sched"), 3);
}

/* Only where it is waited for, with an end, and not without bound. */
static void
test_answer(void **state)
{
	const struct redisReply *r = NULL;
	struct ct_str argv[] = {CT_STR("binds"), CT_STR("to"), CT_STR("me"),
	    CT_STR("text"), CT_STR("60"), CT_STR("3")};
	int i;

	(void)state;
#define ANSWER                                                                 \
	(ct_redis_eval(redis, arena, ct_script("jq_answer"), 2, 6, argv, &r,   \
	     &err) == CT_OK                                                    \
		? ct_reply_i64(r)                                              \
		: -1)
	assert_int_equal(ANSWER, 0);
	cmd("SADD binds me");
	for (i = 0; i < 3; i++)
		assert_int_equal(ANSWER, 1);
	assert_int_equal(ANSWER, 0);
	assert_int_equal(cmd_i64("LLEN", "to"), 3);
	assert_in_range(cmd_i64("TTL", "to"), 50, 60);
#undef ANSWER
}

/* What has ended leaves nothing; what has not is left alone. */
static void
test_forget(void **state)
{
	static const char *const waits[] = {"queued", "scheduled", "running"};
	static const char *const ended[] = {
	    "succeeded", "failed", "revoked", "dead"};

	(void)state;
	cmd("ZADD jq:dead 1 about-jj 2 about-kk");
	/* Told in the second after it ended, among many others. */
	for (int i = 0; i < 1500; i++)
		cmd("XADD jq:done %d-1 id kk state x", 1000000 + i);
	cmd("XADD jq:done 1001600-1 id jj state x");
	cmd("XADD jq:done 1001700-1 id jj state y");
	cmd("XADD jq:done 1001700-2 id kk state y");
	for (size_t i = 0; i < ct_countof(waits); i++) {
		cmd("HSET jq:job:jj state %s", waits[i]);
		cmd("SET jq:cancel:jj 1");
		run("jq_forget", 0, "jj", NULL);
		assert_true(job_is("jj", waits[i]));
		assert_int_equal(cmd_i64("EXISTS", "jq:cancel:jj"), 1);
	}
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 2);
	for (size_t i = 0; i < ct_countof(ended); i++) {
		cmd("HSET jq:job:jj state %s first_seen 1000000 settled_ms "
		    "1001000",
		    ended[i]);
		cmd("SET jq:cancel:jj 1");
		cmd("SET celery-task-meta-jj 1");
		cmd("SET celery-task-meta-kk 1");
		run("jq_forget", 0, "jj", NULL);
		assert_int_equal(cmd_i64("EXISTS", "jq:job:jj"), 0);
		assert_int_equal(cmd_i64("EXISTS", "jq:cancel:jj"), 0);
		assert_string_equal(result_of("jj"), "");
		assert_string_equal(result_of("kk"), "1");
	}
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	assert_int_equal(cmd_i64("ZSCORE", "jq:dead about-kk"), 2);
	assert_int_equal(cmd_i64("XLEN", "jq:done"), 1501);
}

static void
test_progress(void **state)
{
	(void)state;
	running();
#define SAY(wid, try)                                                          \
	ct_reply_i64(run("jq_progress", 0, wid, "j", try, "{}", "60", NULL))
	assert_int_equal(SAY("w2", "0"), 0);
	assert_int_equal(SAY("w1", "1"), 0);
	assert_string_equal(result_of("j"), "");
	assert_int_equal(SAY("w1", "0"), 1);
	assert_string_equal(result_of("j"), "{}");
	cmd("SET jq:cancel:j 1");
	assert_int_equal(SAY("w1", "0"), 2);
	assert_int_equal(settle("w1", "1", "j", "0", "ack", "", "-1"), 1);
	assert_int_equal(SAY("w1", "0"), 0);
	cmd("HSET jq:job:j owner w1 owner_try 0");
	cmd("ZREM jq:w w1");
	assert_int_equal(SAY("w1", "0"), 0);
#undef SAY
}

static void
test_settle_ack(void **state)
{
	(void)state;
	running();
	assert_int_equal(settle("w2", "1", "j", "0", "ack", "", "-1"), 0);
	assert_string_equal(result_of("j"), "");
	cmd("EXPIRE jq:job:j 9999");
	assert_int_equal(settle("w1", "1", "j", "0", "ack", "", "-1"), 1);
	assert_in_range(cmd_i64("TTL", "jq:job:j"), 1, 600);
	assert_in_range(cmd_i64("TTL", "celery-task-meta-j"), 1, 600);
	assert_string_equal(result_of("j"), "{\"r\":1}");
	assert_true(job_is("j", "ended"));
	assert_int_equal(cmd_i64("EXISTS", "jq:proc:w1"), 0);
	/* The reply was lost: asked again, said again, not done again. */
	cmd("DEL celery-task-meta-j");
	assert_int_equal(settle("w1", "1", "j", "0", "ack", "", "-1"), 2);
	assert_string_equal(result_of("j"), "");
	assert_int_equal(settle("w1", "1", "j", "1", "ack", "", "-1"), 0);
	/* The same try, pushed once more by the producer. */
	cmd("LPUSH q m1");
	claim("w1", "1", "1");
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "DUP"));
	assert_int_equal(settle("w1", "1", "j", "0", "drop", "", "-1"), 1);
	assert_true(job_is("j", "ended"));
	assert_int_equal(cmd_i64("EXISTS", "jq:proc:w1"), 0);
}

static void
test_settle_retry(void **state)
{
	const struct redisReply *r;

	(void)state;
	running();
	assert_int_equal(settle("w1", "1", "j", "0", "sched", "m1b", "-1"), 1);
	assert_int_equal(cmd_i64("ZCARD", "jq:sched"), 1);
	assert_int_equal(settle("w1", "1", "j", "0", "sched", "m1b", "-1"), 2);
	assert_int_equal(cmd_i64("ZCARD", "jq:sched"), 1);
	r = run("jq_promote", 0, "any", "100", NULL);
	assert_int_equal(first(r), 1);
	assert_int_equal(ct_reply_i64(ct_reply_at(r, 1)), -1);
	r = claim("w1", "1", "1");
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 2)), "m1b"));
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "DUP"));
	assert_true(ct_str_is(start("w1", "1", "j", "1"), "GO"));
}

static void
test_settle_requeue(void **state)
{
	const char *const max = "1";

	(void)state;
	running();
	cmd("LPUSH q other");
	assert_int_equal(settle("w1", "1", "j", "0", "requeue", "", "-1"), 1);
	assert_string_equal(job_field("j", "redeliveries"), "");
	assert_string_equal(result_of("j"), "");
	/* It is served next, and the same try is begun again. */
	claim("w1", "1", "1");
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "GO"));
	assert_int_equal(settle("w1", "1", "j", "0", "requeue", "", max), 1);
	claim("w1", "1", "1");
	assert_true(ct_str_is(start("w1", "1", "j", "0"), "GO"));
	assert_int_equal(settle("w1", "1", "j", "0", "requeue", "", max), 3);
	assert_true(job_is("j", "dead"));
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	assert_string_equal(result_of("j"), "{\"r\":1}");
	assert_int_equal(cmd_i64("LLEN", "q"), 1);
}

static void
test_dead_cap(void **state)
{
	char raw[16];
	int i;

	(void)state;
	enter("w1");
	for (i = 0; i < 12; i++) {
		snprintf(raw, sizeof(raw), "m%d", i);
		cmd("LPUSH q %s", raw);
		claim("w1", "1", "1");
		assert_int_equal(
		    settle("w1", "1", "", "0", "dead", "", "-1"), 1);
	}
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 10);
}

static void
test_beat(void **state)
{
	const struct redisReply *r;

	(void)state;
	assert_int_equal(first(run("jq_beat", 0, "w1", "9999", NULL)), 0);
	assert_int_equal(cmd_i64("EXISTS", "jq:w"), 0);
	enter("w1");
	cmd("ZADD jq:w 5 w1");
	cmd("SET jq:cancel:b 1");
	r = run("jq_beat", 0, "w1", "9999", "a", "b", "c", NULL);
	assert_int_equal(ct_reply_n(r), 2);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 1)), "b"));
	assert_true(cmd_i64("ZSCORE", "jq:w w1") > 1000000);
}

static void
test_reap(void **state)
{
	const struct redisReply *r;

	(void)state;
	running();
	cmd("LPUSH q m2");
	claim("w1", "1", "2");
	assert_int_equal(first(reap("60000", "3", "1000")), 0);
	cmd("ZADD jq:w 5 w1");
	r = reap("60000", "3", "1000");
	assert_int_equal(first(r), 1);
	assert_int_equal(ct_reply_i64(ct_reply_at(r, 1)), 2);
	/* The older one is served first; only it had begun. */
	assert_true(ct_str_is(ct_reply_str(cmd("LINDEX q -1")), "m1"));
	assert_string_equal(job_field("j", "redeliveries"), "1");
	assert_int_equal(cmd_i64("EXISTS", "jq:w jq:proc:w1 jq:winfo:w1"), 0);
	/* The late one is refused everywhere. */
	assert_int_equal(settle("w1", "1", "j", "0", "ack", "", "-1"), 0);
	assert_int_equal(first(claim("w1", "1", "1")), -1);
	assert_int_equal(first(run("jq_beat", 0, "w1", "9999", NULL)), 0);
}

static void
test_reap_poison(void **state)
{
	const struct redisReply *r;

	(void)state;
	running();
	cmd("HSET jq:job:j redeliveries 3");
	reap("60000", "3", "1000");
	cmd("ZADD jq:w 5 w1");
	r = reap("60000", "3", "1000");
	assert_int_equal(ct_reply_i64(ct_reply_at(r, 2)), 1);
	assert_int_equal(cmd_i64("LLEN", "q"), 0);
	assert_string_equal(result_of("j"), "{\"id\":\"j\"}");
}

/* Nobody called for long: everybody was stopped, nobody is late. */
static void
test_reap_stall(void **state)
{
	(void)state;
	running();
	cmd("ZADD jq:w 5 w1");
	cmd("SET jq:reap:last 5");
	assert_int_equal(first(reap("1000", "3", "1000")), 0);
	assert_true(cmd_i64("ZSCORE", "jq:w w1") > 1000000);
	cmd("ZADD jq:w 5 w1");
	cmd("SET jq:reap:last 99999999999999");
	assert_int_equal(first(reap("1000", "3", "1000")), 0);
	assert_true(cmd_i64("ZSCORE", "jq:w w1") > 1000000);
	cmd("ZADD jq:w 5 w1");
	assert_int_equal(first(reap("1000", "3", "1000")), 1);
}

static void
test_leave(void **state)
{
	(void)state;
	running();
	assert_int_equal(ct_reply_i64(run("jq_leave", 0, "w1", NULL)), 1);
	assert_int_equal(cmd_i64("LLEN", "q"), 1);
	assert_true(job_is("j", "queued"));
	assert_string_equal(job_field("j", "redeliveries"), "");
	assert_int_equal(cmd_i64("EXISTS", "jq:w jq:proc:w1"), 0);
}

static void
test_enqueue(void **state)
{
	struct ct_job_new job = {.task = "t", .queue = "default"};
	bool fresh = false;

	(void)state;
	assert_int_equal(
	    ct_queue_push(redis, arena, "jq:", &job, &fresh, &err), CT_OK);
	assert_true(fresh);
	assert_string_equal(job.state, "queued");
	assert_int_equal(
	    ct_queue_push(redis, arena, "jq:", &job, &fresh, &err), CT_OK);
	assert_false(fresh);
	assert_int_equal(cmd_i64("LLEN", "default"), 1);
	job = (struct ct_job_new){
	    .task = "t", .queue = "default", .due_us = ct_now_us() + 60000000};
	assert_int_equal(
	    ct_queue_push(redis, arena, "jq:", &job, &fresh, &err), CT_OK);
	assert_string_equal(job.state, "scheduled");
	assert_int_equal(cmd_i64("LLEN", "default"), 1);
	assert_int_equal(cmd_i64("ZCARD", "jq:sched"), 1);
}

/* Served as they are due, behind what waits, also where one turn is not enough:
 * the later ones never overtake. */
static void
test_promote_order(void **state)
{
	static const char *const order[] = {"waits", "early", "later", "late"};
	const struct redisReply *r;
	size_t i;

	(void)state;
	cmd("LPUSH q waits");
	cmd("ZADD jq:sched 7 q\nlate");
	cmd("ZADD jq:sched 6 q\nlater");
	cmd("ZADD jq:sched 5 q\nearly");
	cmd("ZADD jq:sched 99999999999999 q\nno");
	r = run("jq_promote", 0, "any", "2", NULL);
	assert_int_equal(first(r), 2);
	assert_int_equal(ct_reply_i64(ct_reply_at(r, 1)), 0);
	r = run("jq_promote", 0, "any", "2", NULL);
	assert_int_equal(first(r), 1);
	assert_true(ct_reply_i64(ct_reply_at(r, 1)) > 1000000);
	for (i = 0; i < ct_countof(order); i++)
		assert_true(ct_str_is(ct_reply_str(cmd("RPOP q")), order[i]));
}

#define T(f) cmocka_unit_test_setup_teardown(f, test_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_claim), T(test_claim_begins),
	    T(test_start), T(test_cancel), T(test_revoke_without_stop),
	    T(test_cancels), T(test_scheduled), T(test_answer), T(test_forget),
	    T(test_progress), T(test_settle_ack), T(test_settle_retry),
	    T(test_settle_requeue), T(test_dead_cap), T(test_beat),
	    T(test_reap), T(test_reap_poison), T(test_reap_stall),
	    T(test_leave), T(test_enqueue), T(test_promote_order)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
