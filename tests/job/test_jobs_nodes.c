/*
 * Pausing queues, draining nodes from afar, watching, and the doctor: on a real
 * Redis, with real nodes where they are what it is about.
 */
#include "tests/job/jobs_fixture.h"

/* The claim leaves every list of a paused queue alone, and no other one. */
static void
test_pause_claim(void **state)
{
	const struct redisReply *r;

	(void)state;
	enter("w1");
	cmd("LPUSH a m1");
	cmd("LPUSH a\x06\x16"
	    "3 m2");
	cmd("LPUSH ab m3");
	cmd("HSET jq:pause a 5");
	r = run("jq_claim", 3, "a",
	    "a\x06\x16"
	    "3",
	    "ab", "w1", "600", "9", "1", NULL);
	assert_int_equal(ct_reply_n(r), 4);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 2)), "m3"));
	r = run("jq_claim", 1, "a", "w1", "600", "9", "2", NULL);
	assert_int_equal(ct_reply_n(r), 1);
	cmd("HDEL jq:pause a");
	r = run("jq_claim", 2, "a",
	    "a\x06\x16"
	    "3",
	    "w1", "600", "9", "3", NULL);
	assert_int_equal(ct_reply_n(r), 7);
}

static void
test_pause_node(void **state)
{
	pid_t a = node_start("a", "CATETUBE_QUEUES=default:1,reports:1");
	const char *held, *other;
	bool changed;

	(void)state;
	UNTIL(cmd_i64("ZCARD", "jq:w") == 1);
	OK(ct_jobs_pause(&jobs, CT_STR("default"), true, &changed, &err));
	held = push("test.echo", "{}", 0);
	other = put("test.echo", "reports", "{}", 0, 0);
	UNTIL(job_is(other, "succeeded"));
	/* More than two turns of the clock by which nodes ask. */
	nap_ms(700);
	assert_true(job_is(held, "queued"));
	OK(ct_jobs_pause(&jobs, CT_STR("default"), false, &changed, &err));
	UNTIL(job_is(held, "succeeded"));
	node_kill(a);
}

/* Asked from afar, a node ends with what it runs; what waits is another's. */
static void
test_drain(void **state)
{
	enum { N = 12 };
	const char *all[N];
	struct ct_node_info *node;
	struct ct_str wid;
	int i, done = 0, waits = 0, status;
	pid_t a = node_start("a", "CATETUBE_WORKER_CHILDREN=2"), b;
	size_t n;

	(void)state;
	for (i = 0; i < N; i++)
		all[i] = push("test.sleep", "{'seconds':0.4}", 0);
	UNTIL(job_is(all[0], "running"));
	OK(ct_jobs_nodes(&jobs, &node, &n, &err));
	assert_int_equal(n, 1);
	assert_true(ct_str_is(node[0].name, "a"));
	assert_int_equal(node[0].slots, 2);
	assert_int_equal(node[0].pid, a);
	assert_in_range(node[0].njobs, 1, 2);
	assert_true(ct_str_is(node[0].job[0].task, "test.sleep"));
	assert_false(node[0].is_draining);
	REFUSED(ct_jobs_drain(&jobs, CT_STR("b"), &wid, &err), CT_NOTFOUND);
	OK(ct_jobs_drain(&jobs, CT_STR("a"), &wid, &err));
	assert_true(ct_str_eq(wid, node[0].wid));
	OK(ct_jobs_nodes(&jobs, &node, &n, &err));
	assert_true(n == 0 || node[0].is_draining);
	UNTIL(cmd_i64("ZCARD", "jq:w") == 0);
	status = node_wait(a);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (i = 0; i < N; i++) {
		done += job_is(all[i], "succeeded");
		waits += job_is(all[i], "queued");
		assert_string_equal(job_field(all[i], "redeliveries"), "");
	}
	assert_int_equal(done + waits, N);
	assert_true(done >= 1 && waits >= 1);
	assert_int_equal(cmd_i64("LLEN", "default"), waits);
	b = node_start("b", NULL);
	for (i = 0; i < N; i++)
		UNTIL(job_is(all[i], "succeeded"));
	for (i = 0; i < N; i++)
		assert_string_equal(job_field(all[i], "starts"), "1");
	node_kill(b);
}

static void
test_drain_name(void **state)
{
	struct ct_str wid;

	(void)state;
	enter("w1");
	enter("w2");
	REFUSED(ct_jobs_drain(&jobs, CT_STR("name"), &wid, &err), CT_CONFLICT);
	assert_non_null(strstr(err.msg, "w1, w2"));
	OK(ct_jobs_drain(&jobs, CT_STR("w2"), &wid, &err));
	assert_int_equal(
	    ct_reply_i64(ct_reply_at(run("jq_beat", 0, "w2", "9999", NULL), 0)),
	    2);
	assert_int_equal(
	    ct_reply_i64(ct_reply_at(run("jq_beat", 0, "w1", "9999", NULL), 0)),
	    1);
}

static void
test_follow(void **state)
{
	struct ct_str at = {0};
	struct ct_job_event *e;
	const char *a;
	size_t n;

	(void)state;
	OK(ct_jobs_follow(&jobs, &at, 1, &e, &n, &err));
	assert_true(ct_str_is(at, "0-0"));
	enter("w1");
	a = bury("t", "{}", "1");
	OK(ct_jobs_follow(&jobs, &at, 1, &e, &n, &err));
	assert_int_equal(n, 1);
	assert_true(ct_str_is(e[0].id, a) && ct_str_is(e[0].state, "dead"));
	OK(ct_jobs_follow(&jobs, &at, 1, &e, &n, &err));
	assert_int_equal(n, 0);
	/* Beginning now tells nothing of before. */
	at = (struct ct_str){0};
	OK(ct_jobs_follow(&jobs, &at, 1, &e, &n, &err));
	OK(ct_jobs_follow(&jobs, &at, 1, &e, &n, &err));
	assert_int_equal(n, 0);
	/* It is bounded: whole nodes of a hundred entries go at a time. */
	for (int i = 0; i < 300; i++)
		cmd("XADD jq:done MAXLEN ~ 100 * id x state y");
	assert_true(cmd_i64("XLEN", "jq:done") < 300);
}

static const struct ct_finding *
finding(const char *check, unsigned flags)
{
	struct ct_finding *f;
	size_t n;

	OK(ct_jobs_doctor(&jobs, flags, &f, &n, &err));
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].check, check) == 0)
			return &f[i];
	return NULL;
}

#define LEVEL(check, want)                                                     \
	assert_int_equal(                                                      \
	    finding((check), CT_DOCTOR_SCAN)->level, CT_FINDING_##want)

static void
test_doctor(void **state)
{
	static const char *const checks[] = {"redis", "clock", "nodes",
	    "queues", "dead", "lists", "messages", "records"};

	(void)state;
	LEVEL("nodes", FAIL);
	enter("w1");
	for (size_t i = 0; i < ct_countof(checks); i++)
		LEVEL(checks[i], OK);
	assert_null(finding("records", 0));
	cmd("CONFIG SET maxmemory-policy allkeys-lru");
	LEVEL("redis", FAIL);
	cmd("CONFIG SET maxmemory-policy noeviction");
	cmd("CONFIG SET appendonly no");
	LEVEL("redis", WARN);
	cmd("CONFIG SET appendonly yes");
	LEVEL("redis", OK);
	cmd("HSET jq:pause default 5");
	LEVEL("queues", WARN);
	cmd("DEL jq:pause");
	cmd("LPUSH reports m");
	LEVEL("queues", FAIL);
	cmd("DEL reports");
	cmd("LPUSH elsewhere\x06\x16"
	    "3 m");
	cmd("LPUSH x.reply.celery.pidbox m");
	LEVEL("lists", WARN);
	assert_non_null(
	    strstr(ct_str_cstr(arena, finding("lists", CT_DOCTOR_SCAN)->text),
		"elsewhere"));
	cmd("DEL elsewhere\x06\x16"
	    "3");
	LEVEL("lists", OK);
	bury("t", "{}", "1");
	LEVEL("dead", WARN);
}

/* What nobody owns is found, and given back or forgotten where that is asked
 * for; what somebody owns is left alone. */
static void
test_orphans(void **state)
{
	const char *lives = put("test.echo", "default", "{}", 0, 0);
	const char *lost, *gone;
	pid_t a;

	(void)state;
	enter("w1");
	take("w1", "default", "1");
	lost = put("test.echo", "default", "{}", 0, 0);
	enter("w2");
	take("w2", "default", "1");
	gone = put("test.echo", "default", "{}", 0, 0);
	enter("w3");
	take("w3", "default", "1");
	LEVEL("messages", OK);
	LEVEL("records", OK);
	/* The place went without a reap; of the third, the message too. */
	cmd("ZREM jq:w w2 w3");
	cmd("DEL jq:proc:w3");
	LEVEL("messages", FAIL);
	LEVEL("records", FAIL);
	assert_true(job_is(gone, "running"));
	finding("messages", CT_DOCTOR_SCAN | CT_DOCTOR_REPAIR);
	assert_int_equal(cmd_i64("EXISTS jq:job:", gone), 0);
	assert_true(job_is(lives, "running"));
	assert_true(job_is(lost, "running"));
	LEVEL("messages", OK);
	LEVEL("records", OK);
	a = node_start("a", NULL);
	UNTIL(job_is(lost, "succeeded"));
	assert_string_equal(job_field(lost, "redeliveries"), "1");
	node_kill(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, jobs_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_pause_claim),
	    T(test_pause_node), T(test_drain), T(test_drain_name),
	    T(test_follow), T(test_doctor), T(test_orphans)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
