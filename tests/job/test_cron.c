/*
 * The schedule: its scripts, every word of them; then three nodes whose leader
 * is killed, frozen and robbed of its lock every few hundred milliseconds, and
 * a row that is due each second: one job for each slot, none lost.
 */
#include "tests/job/job_fixture.h"

#include "common/cron_table.h"

#define ROUND_MS 350
#define ROUNDS	 36

/* Arguments are given as text, the prefix is added. */
static const struct redisReply *
run(const char *script, ...)
{
	const struct redisReply *reply = NULL;
	struct ct_str argv[16] = {CT_STR("jq:")};
	const char *s;
	va_list ap;
	int argc = 1;

	va_start(ap, script);
	while ((s = va_arg(ap, const char *)) != NULL)
		argv[argc++] = ct_str_of(s);
	va_end(ap);
	ct_err_clear(&err);
	if (ct_redis_eval(redis, arena, ct_script(script), 0, argc, argv,
		&reply, &err) != CT_OK)
		fail_msg("%s: %s %s", script, err.msg, err.detail);
	return reply;
}

/* "" where another one leads. */
static const char *
lead(const char *token, const char *ttl_ms)
{
	const struct redisReply *r = run("jq_leader", token, ttl_ms, NULL);

	if (ct_reply_i64(ct_reply_at(r, 0)) != 1)
		return "";
	return ct_str_cstr(arena, ct_reply_str(ct_reply_at(r, 2)));
}

static const char *
fire(const char *as, const char *slot, const char *overlap, const char *id)
{
	return ct_str_cstr(
	    arena, ct_reply_str(run("jq_cron_fire", as, "row", "fire", slot,
		       overlap, id, "q", "raw", "t", "q", "600", NULL)));
}

static const char *
op(const char *as, const char *what, const char *slot)
{
	return ct_str_cstr(arena, ct_reply_str(run("jq_cron_fire", as, "row",
				      what, slot, "text", NULL)));
}

static void
one_leads(void **state)
{
	const char *first, *second, *third;

	(void)state;
	first = lead("a", "60000");
	assert_true(strlen(first) > 10);
	assert_string_equal(lead("b", "60000"), "");
	/* Renewed, it is the same epoch, and lives longer. */
	cmd("PEXPIRE jq:leader 50");
	assert_string_equal(lead("a", "60000"), first);
	assert_true(cmd_i64("PTTL", "jq:leader") > 50000);
	/* Given up by its owner alone. */
	lead("b", "0");
	assert_string_equal(lead("b", "60000"), "");
	lead("a", "0");
	second = lead("b", "60000");
	assert_true(strtoll(second, NULL, 10) > strtoll(first, NULL, 10));
	/* An epoch that was lost does not come back, nor one from the future.
	 */
	cmd("DEL jq:leader jq:leader:epoch");
	nap_ms(2);
	third = lead("a", "60000");
	assert_true(strtoll(third, NULL, 10) > strtoll(second, NULL, 10));
	cmd("DEL jq:leader");
	cmd("SET jq:leader:epoch 99999999999999");
	assert_string_equal(lead("b", "60000"), "100000000000000 b");
	assert_true(cmd_i64("PTTL", "jq:leader:epoch") > 0);
}

static void
one_job_for_each_slot(void **state)
{
	const char *old, *as = lead("a", "60000");

	(void)state;
	assert_string_equal(fire(as, "1000", "allow", "j1"), "FIRED");
	assert_string_equal(fire(as, "1000", "allow", "j2"), "DUP");
	assert_string_equal(fire(as, "1001", "allow", "j3"), "FIRED");
	/* An older one that was not dealt with. */
	assert_string_equal(fire(as, "999", "allow", "j4"), "FIRED");
	assert_string_equal(fire(as, "99999999999", "allow", "j5"), "EARLY");
	assert_int_equal(cmd_i64("LLEN", "q"), 3);
	assert_true(job_is("j1", "queued"));
	assert_string_equal(job_field("j1", "cron"), "row");
	assert_string_equal(job_field("j1", "slot"), "1000");
	assert_int_equal(cmd_i64("EXISTS", "jq:job:j2 jq:job:j5"), 0);
	assert_true(cmd_i64("TTL", "jq:job:j1") > 0);
	assert_true(cmd_i64("TTL", "jq:cron:row") > 0);
	assert_true(cmd_i64("TTL", "jq:cron:row:slots") > 0);
	/* Another epoch, another token, no leader at all. */
	old = as;
	lead("a", "0");
	assert_string_equal(fire(old, "1002", "allow", "j6"), "FENCED");
	as = lead("a", "60000");
	assert_string_not_equal(as, old);
	assert_string_equal(fire(old, "1002", "allow", "j6"), "FENCED");
	assert_string_equal(op(old, "pass", "1002"), "FENCED");
	assert_string_equal(op(old, "seed", "1002"), "FENCED");
	assert_string_equal(fire(as, "1002", "allow", "j6"), "FIRED");
	assert_int_equal(cmd_i64("LLEN", "q"), 4);
}

static void
overlap_and_passes(void **state)
{
	static const char *const open[] = {"queued", "running", "scheduled"};
	const char *as = lead("a", "60000");

	(void)state;
	assert_string_equal(fire(as, "1000", "skip", "j0"), "FIRED");
	for (size_t i = 0; i < ct_countof(open); i++) {
		cmd("HSET jq:job:j0 state %s", open[i]);
		assert_string_equal(
		    fire(as, ct_arena_printf(arena, "%d", 1001 + (int)i),
			"skip", "j1"),
		    "RUNNING");
	}
	assert_int_equal(cmd_i64("LLEN", "q"), 1);
	/* Passed over is passed over. */
	cmd("HSET jq:job:j0 state succeeded");
	assert_string_equal(fire(as, "1001", "skip", "j1"), "DUP");
	assert_string_equal(fire(as, "1004", "skip", "j1"), "FIRED");
	assert_string_equal(op(as, "pass", "1005"), "DONE");
	assert_string_equal(fire(as, "1005", "allow", "j2"), "DUP");
	assert_true(
	    ct_str_is(ct_reply_str(cmd("HGET jq:cron:row fired")), "1004"));
	assert_true(
	    ct_str_is(ct_reply_str(cmd("HGET jq:cron:row slot")), "1005"));
	/* What was lost a day ago holds up nothing. */
	cmd("HSET jq:job:j1 state queued");
	assert_string_equal(fire(as, "87403", "skip", "j4"), "RUNNING");
	assert_string_equal(fire(as, "87404", "skip", "j4"), "FIRED");
	/* A seed is no slot. */
	assert_string_equal(op(as, "seed", "1006"), "DONE");
	assert_string_equal(fire(as, "1006", "allow", "j3"), "FIRED");
}

static void
slots_are_bounded(void **state)
{
	const char *as = lead("a", "60000");

	(void)state;
	for (int i = 0; i < 2950; i++)
		op(as, "pass", ct_arena_printf(arena, "%d", 1000 + i));
	assert_int_equal(cmd_i64("ZCARD", "jq:cron:row:slots"), 2880);
}

/* ------------------------------------------------------- whole schedulers */

/* Of the rows of the schedule only the purge is on; nobody serves its queue. */
static void
schedule(const char *purge)
{
	setenv("CATETUBE_CRON", "1", 1);
	setenv("CATETUBE_QUEUES", "default", 1);
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		setenv(ct_cron_rows[i].option, "off", 1);
	setenv("CATETUBE_CRON_PURGE", purge, 1);
}

static int64_t
enqueued(void)
{
	return cmd_i64("LLEN", "maintenance");
}

/* The process that leads; 0: none does. */
static pid_t
leader(int64_t *epoch)
{
	struct ct_str v = ct_reply_str(cmd("GET jq:leader")), host;

	if (v.p == NULL)
		return 0;
	*epoch = strtoll(ct_str_cstr(arena, v), NULL, 10);
	ct_str_split(&v, ' ');
	host = ct_str_split(&v, ':');
	(void)host;
	return (pid_t)strtol(ct_str_cstr(arena, v), NULL, 10);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The slots of all jobs on the queue, in order; *n how many. */
static int64_t *
fired(size_t *n)
{
	const struct redisReply *all = cmd("LRANGE maintenance 0 -1");
	int64_t *slot;

	*n = ct_reply_n(all);
	slot = ct_arena_alloc(arena, *n * sizeof(*slot) + 1);
	for (size_t i = 0; i < *n; i++) {
		struct ct_msg m;

		ct_err_clear(&err);
		if (ct_msg_parse(arena, ct_reply_str(ct_reply_at(all, i)), &m,
			&err) != CT_OK)
			fail_msg("%s", err.msg);
		assert_true(ct_str_is(m.task, "maintenance.purge"));
		slot[i] = strtoll(
		    job_field(ct_str_cstr(arena, m.id), "slot"), NULL, 10);
	}
	qsort(slot, *n, sizeof(*slot), by_value);
	return slot;
}

/* A whole number of minutes whose last slot is neither new nor about to come.
 */
static int
quiet_minutes(int64_t now_s)
{
	int m = 10;

	while (now_s % (m * 60) < 75 || now_s % (m * 60) > m * 60 - 15)
		m++;
	return m;
}

/* The state that a leader left at at_s. */
static void
left_at(int64_t at_s, const char *text)
{
	const char *at = ct_arena_printf(arena, "%lld", (long long)at_s);
	struct ct_str argv[6] = {CT_STR("HSET"), CT_STR("jq:cron:purge"),
	    CT_STR("slot"), ct_str_of(at), CT_STR("text"), ct_str_of(text)};

	ct_err_clear(&err);
	assert_int_equal(ct_redis_do(redis, NULL, 6, argv, NULL, &err), CT_OK);
}

/* Nobody led for some slots. The row's last job waits: its successors overlap.
 */
static void
as_the_row_says(void **state)
{
	int64_t slots[CT_CRON_DUE], missed, now_s = ct_now_us() / 1000000;
	int every_s = 60 * quiet_minutes(now_s);
	const char *line = ct_arena_printf(arena, "@every %ds", every_s);
	const char *text = ct_arena_printf(arena, "%s misfire=all:3", line);
	struct ct_cron c;
	size_t n;

	(void)state;
	ct_err_clear(&err);
	assert_int_equal(
	    ct_cron_parse(&c, ct_str_of(line), CT_STR("UTC"), &err), CT_OK);
	left_at(now_s - 9 * every_s, ct_arena_printf(arena, "%s (UTC)", text));
	assert_int_equal(ct_cron_due(&c, CT_MISFIRE_ALL, 3, now_s - 9 * every_s,
			     now_s, slots, &missed),
	    3);
	schedule(text);
	node_start("n1", NULL);
	UNTIL(cmd_i64("ZCARD", "jq:cron:purge:slots") == 3);
	assert_int_equal(enqueued(), 1);
	assert_int_equal(fired(&n)[0], slots[0]);
}

/* Another line, or none before: what was missed by the old one is over. */
static void
new_rows_begin_now(void **state)
{
	int64_t now_s = ct_now_us() / 1000000;

	(void)state;
	schedule("@yearly misfire=latest");
	left_at(now_s - INT64_C(800) * 86400, "@yearly (UTC)");
	node_start("n1", NULL);
	UNTIL(cmd_i64("HEXISTS", "jq:cron:inactive text") == 1);
	assert_int_equal(enqueued(), 0);
	assert_true(ct_str_is(
	    ct_reply_str(cmd("HGET jq:cron:inactive text")), "off (UTC)"));
}

static void
overlap_is_skipped(void **state)
{
	pid_t pid;
	int64_t epoch;

	(void)state;
	schedule("@every 1s");
	pid = node_start("n1", NULL);
	UNTIL(cmd_i64("ZCARD", "jq:cron:purge:slots") >= 3);
	assert_int_equal(enqueued(), 1);
	assert_true(leader(&epoch) > 0);
	/* A node that ends gives up the lead at once. */
	kill(pid, SIGTERM);
	assert_int_equal(node_wait(pid), 0);
	assert_int_equal(cmd_i64("EXISTS", "jq:leader"), 0);
}

/* What -n says of a value. */
static void
refused_with_its_name(void **state)
{
	char said[512] = "";
	int fd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], 2);
		unsetenv("CATETUBE_TEST_WORKER");
		setenv("SECRET_KEY", "0123456789abcdef0123456789abcdef", 1);
		setenv("CATETUBE_CRON_INACTIVE", "61 * * * *", 1);
		execl(worker_path(), "catetube-worker", "-n", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	status = node_wait(pid);
	assert_true(read(fd[0], said, sizeof(said) - 1) > 0);
	close(fd[0]);
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_non_null(strstr(said, "CATETUBE_CRON_INACTIVE: \"61\""));
}

/* What is done to the leader, one after the other. */
static void
disturb(int round, pid_t pid, pid_t *frozen)
{
	if (*frozen > 0 && round % 6 == 5) {
		kill(*frozen, SIGCONT);
		*frozen = 0;
	}
	switch (round % 6) {
	case 0:
		kill(pid, SIGKILL);
		break;
	case 1: /* for longer than it trusts itself */
		if (*frozen == 0) {
			kill(pid, SIGSTOP);
			*frozen = pid;
		}
		break;
	case 3: /* it still believes in its lock */
		cmd("DEL jq:leader");
		break;
	default:
		break;
	}
}

static void
one_job_for_each_second(void **state)
{
	int64_t epoch = 0, last_epoch = 0, begin, *slot;
	pid_t pid, frozen = 0;
	int changes = 0;
	size_t n;

	(void)state;
	schedule("@every 1s misfire=all:100 overlap=allow");
	node_start("n1", NULL);
	node_start("n2", NULL);
	node_start("n3", NULL);
	UNTIL(leader(&epoch) > 0);
	begin = ct_mono_ms();
	for (int round = 0; round < ROUNDS; round++) {
		pid = leader(&epoch);
		changes += epoch != last_epoch;
		last_epoch = epoch;
		if (pid > 0)
			disturb(round, pid, &frozen);
		if (round == ROUNDS / 2) {
			ct_private_redis_crash(&server);
			ct_private_redis_start(&server);
			assert_int_equal(dial_redis(), 0);
		}
		nap_ms(ROUND_MS);
	}
	if (frozen > 0)
		kill(frozen, SIGCONT);
	/* Quiet again: what is missing is made up for. */
	slot = fired(&n);
	begin = ct_mono_ms() - begin;
	UNTIL((slot = fired(&n), (int64_t)n * 1000 >= begin));
	for (size_t i = 1; i < n; i++)
		if (slot[i] != slot[i - 1] + 1)
			fail_msg("slots %lld and %lld follow each other",
			    (long long)slot[i - 1], (long long)slot[i]);
	print_message("%zu slots, one job each; %d leaders\n", n, changes);
	assert_true(n >= 10 && changes >= 4);
	assert_int_equal(cmd_i64("ZCARD", "jq:cron:purge:slots"), n);
}

static int
each_down(void **state)
{
	unsetenv("CATETUBE_CRON");
	return test_down(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_up, each_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {TEST(one_leads),
	    TEST(one_job_for_each_slot), TEST(overlap_and_passes),
	    TEST(slots_are_bounded), TEST(as_the_row_says),
	    TEST(new_rows_begin_now), TEST(refused_with_its_name),
	    TEST(overlap_is_skipped), TEST(one_job_for_each_second)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
