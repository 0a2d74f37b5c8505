/*
 * Real worker nodes against a real Redis: what happens to jobs when children,
 * nodes and Redis die.
 */
#include "tests/job/job_fixture.h"

static int64_t
starts(const char *id)
{
	return atoll(job_field(id, "starts"));
}

static void
test_done(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("test.echo", "{'x':1}", 0);

	(void)state;
	UNTIL(job_is(id, "succeeded"));
	assert_true(result_has(id, "\"status\":\"SUCCESS\""));
	assert_true(result_has(id, "\"kwargs\":{\"x\":1}"));
	assert_int_equal(ct_reply_n(cmd("KEYS jq:proc*")), 0);
	node_kill(a);
}

static void
test_child_killed(void **state)
{
	pid_t a = node_start("a", "CATETUBE_WORKER_CHILDREN=1"), child[8];
	const char *id = push("test.sleep", "{'seconds':0.6}", 0);
	int64_t at;
	int n;

	(void)state;
	UNTIL(job_is(id, "running"));
	/* Begun before the child has its name. */
	UNTIL((n = job_children(a, child, 8)) == 1);
	at = ct_mono_ms();
	kill(child[0], SIGKILL);
	UNTIL(starts(id) == 2);
	print_message("child: begun again after %lld ms\n",
	    (long long)(ct_mono_ms() - at));
	assert_true(ct_mono_ms() - at < 1000);
	UNTIL(job_is(id, "succeeded"));
	assert_string_equal(job_field(id, "redeliveries"), "1");
	node_kill(a);
}

static void
test_node_killed(void **state)
{
	pid_t a = node_start("a", NULL), b;
	const char *id = push("test.sleep", "{'seconds':2}", 0);
	int64_t at;

	(void)state;
	UNTIL(job_is(id, "running"));
	b = node_start("b", NULL);
	UNTIL(cmd_i64("ZCARD", "jq:w") == 2);
	at = ct_mono_ms();
	node_kill(a);
	UNTIL(starts(id) == 2);
	print_message("node: begun again after %lld ms, lease %d\n",
	    (long long)(ct_mono_ms() - at), LEASE_MS);
	assert_true(ct_mono_ms() - at < LEASE_MS + 2000);
	UNTIL(job_is(id, "succeeded"));
	assert_int_equal(cmd_i64("ZCARD", "jq:w"), 1);
	node_kill(b);
}

/* A node that slept past its lease changes nothing when it wakes. */
static void
test_node_frozen(void **state)
{
	pid_t a = node_start("a", NULL), b;
	const char *id = push("test.sleep", "{'seconds':0.5}", 0);
	const char *result, *settled;
	char log[96], text[65536];
	ssize_t n;
	int fd;

	(void)state;
	UNTIL(job_is(id, "running"));
	kill(a, SIGSTOP);
	b = node_start("b", NULL);
	UNTIL(starts(id) == 2);
	UNTIL(job_is(id, "succeeded"));
	result = result_of(id);
	settled = job_field(id, "settled");
	kill(a, SIGCONT);
	UNTIL(cmd_i64("ZCARD", "jq:w") == 2);
	assert_string_equal(result_of(id), result);
	assert_string_equal(job_field(id, "settled"), settled);
	snprintf(log, sizeof(log), "%s/a.log", server.dir);
	fd = open(log, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	assert_non_null(strstr(text, "is lost"));
	node_kill(b);
	/* And it serves again, under another name. */
	id = push("test.echo", "{}", 0);
	UNTIL(job_is(id, "succeeded"));
	node_kill(a);
}

static void
test_redis_killed(void **state)
{
	enum { N = 300 };
	const char *id[N];
	pid_t a = node_start("a", NULL);
	int i, settled = 0;

	(void)state;
	for (i = 0; i < N; i++)
		id[i] = push("test.sleep", "{'seconds':0.005}", 0);
	UNTIL(job_is(id[N / 10], "succeeded"));
	ct_private_redis_crash(&server);
	nap_ms(100);
	ct_private_redis_start(&server);
	assert_int_equal(dial_redis(), 0);
	for (i = 0; i < N; i++)
		UNTIL(result_has(id[i], "SUCCESS"));
	for (i = 0; i < N; i++)
		settled += job_is(id[i], "succeeded");
	assert_int_equal(settled, N);
	UNTIL(ct_reply_n(cmd("KEYS jq:proc*")) == 0);
	node_kill(a);
}

static void
test_retry_then_dead(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("test.fail", "{'times':99,'wait':0.01}", 0);

	(void)state;
	UNTIL(job_is(id, "dead"));
	assert_int_equal(starts(id), 4);
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	assert_true(result_has(id, "\"status\":\"FAILURE\""));
	assert_true(result_has(id, "ConnectionError"));
	id = push("test.fail", "{'message':'no'}", 0);
	UNTIL(job_is(id, "failed"));
	assert_int_equal(starts(id), 1);
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	node_kill(a);
}

static void
test_eta(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *warm = push("test.noop", "{}", 0);
	int64_t due_us, late_ms;
	const char *id;

	(void)state;
	UNTIL(job_is(warm, "succeeded"));
	due_us = ct_now_us() + 800000;
	id = push("test.noop", "{}", due_us);
	UNTIL(job_is(id, "succeeded"));
	late_ms = atoll(job_field(id, "settled_ms")) - due_us / 1000;
	print_message("eta: %lld ms late\n", (long long)late_ms);
	assert_in_range(late_ms, 0, 600);
	node_kill(a);
}

static void
test_unknown_task(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("no.such", "{}", 0);

	(void)state;
	UNTIL(result_has(id, "NotRegistered"));
	assert_true(job_is(id, "failed"));
	node_kill(a);
	/* A test task is unknown where those are off. */
	a = node_start("a", "CATETUBE_TEST_TASKS=0");
	id = push("test.noop", "{}", 0);
	UNTIL(result_has(id, "NotRegistered"));
	node_kill(a);
}

static void
test_poison(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id;

	(void)state;
	cmd("LPUSH default {]");
	UNTIL(cmd_i64("ZCARD", "jq:dead") == 1);
	cmd("LPUSH default "
	    "{\"body\":\"%%%%\",\"properties\":{\"body_encoding\":"
	    "\"base64\"},\"headers\":{\"task\":\"test.noop\",\"id\":\"p\"}}");
	UNTIL(cmd_i64("ZCARD", "jq:dead") == 2);
	assert_string_equal(job_field("p", "error"), "body is no base64");
	id = push("test.crash", "{}", 0);
	UNTIL(job_is(id, "dead"));
	assert_int_equal(starts(id), 4);
	assert_true(result_has(id, "WorkerLostError"));
	/* Others go on. */
	id = push("test.noop", "{}", 0);
	UNTIL(job_is(id, "succeeded"));
	node_kill(a);
}

/* The same job pushed twice by a producer that lost a reply. */
static void
test_twice(void **state)
{
	const char *const msg =
	    "{\"body\":\"[[],{\\\"seconds\\\":0.2},{}]\",\"headers\":{\"task\":"
	    "\"test.sleep\",\"id\":\"d\"},\"properties\":{\"delivery_tag\":"
	    "\"%s\"}}";
	char text[256];
	pid_t a;

	(void)state;
	snprintf(text, sizeof(text), msg, "1");
	cmd("LPUSH default %s", text);
	snprintf(text, sizeof(text), msg, "2");
	cmd("LPUSH default %s", text);
	a = node_start("a", NULL);
	UNTIL(job_is("d", "succeeded"));
	UNTIL(ct_reply_n(cmd("KEYS jq:proc*")) == 0);
	assert_int_equal(cmd_i64("LLEN", "default"), 0);
	assert_int_equal(starts("d"), 1);
	node_kill(a);
}

static void
test_drain(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("test.sleep", "{'seconds':0.5}", 0);
	int status;

	(void)state;
	UNTIL(job_is(id, "running"));
	kill(a, SIGTERM);
	status = node_wait(a);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(job_is(id, "succeeded"));
	assert_int_equal(cmd_i64("EXISTS", "jq:w"), 0);
	a = node_start("a", "CATETUBE_DRAIN_S=0");
	id = push("test.sleep", "{'seconds':30}", 0);
	UNTIL(job_is(id, "running"));
	kill(a, SIGTERM);
	status = node_wait(a);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(job_is(id, "queued"));
	assert_int_equal(cmd_i64("LLEN", "default"), 1);
	assert_string_equal(job_field(id, "redeliveries"), "");
}

static void
test_recycle(void **state)
{
	pid_t a = node_start("a", "CATETUBE_CHILD_JOBS=2");
	const char *id = NULL;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		id = push("test.noop", "{}", 0);
	UNTIL(job_is(id, "succeeded"));
	UNTIL(cmd_i64("LLEN", "default") == 0 &&
	      ct_reply_n(cmd("KEYS jq:proc*")) == 0);
	node_kill(a);
}

/* Its log has the text. */
static bool
log_has(const char *name, const char *what)
{
	char path[96];
	struct ct_mark m = ct_arena_mark(arena);
	char *text = ct_arena_alloc(arena, 1 << 20);
	bool found;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.log", server.dir, name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, (1 << 20) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	found = strstr(text, what) != NULL;
	ct_arena_rewind(arena, m);
	return found;
}

/* A node whose children are all busy claims nothing: its beat tells it. */
static void
test_place_lost_while_busy(void **state)
{
	pid_t a = node_start("busy", "CATETUBE_WORKER_CHILDREN=1"), before, now;
	const char *id = push("test.sleep", "{'seconds':60}", 0);

	(void)state;
	UNTIL(job_is(id, "running"));
	assert_int_equal(job_children(a, &before, 1), 1);
	cmd("DEL jq:w");
	UNTIL(log_has("busy", "is lost"));
	UNTIL(job_children(a, &now, 1) == 1 && now != before);
	/* It serves again, under another name. */
	id = push("test.echo", "{}", 0);
	UNTIL(job_is(id, "succeeded"));
	node_kill(a);
}

/* A node that may not hang its doorbell asks by the clock. */
static void
test_bell_refused(void **state)
{
	const char *id;
	pid_t a;
	int i;

	(void)state;
	cmd("ACL SETUSER default -subscribe");
	a = node_start("deaf", NULL);
	for (i = 0; i < 3; i++) {
		id = push("test.noop", "{}", 0);
		UNTIL(job_is(id, "succeeded"));
	}
	assert_true(log_has("deaf", "no doorbell"));
	assert_false(log_has("deaf", "works again"));
	cmd("ACL SETUSER default +subscribe");
	UNTIL(log_has("deaf", "works again"));
	node_kill(a);
}

/* The bell's connection goes, again and again; the jobs go on. */
static void
test_bell_cut(void **state)
{
	pid_t a = node_start("cut", NULL);
	const char *id = push("test.noop", "{}", 0);
	int i;

	(void)state;
	UNTIL(job_is(id, "succeeded"));
	for (i = 0; i < 5; i++) {
		UNTIL(cmd_i64("CLIENT", "KILL TYPE pubsub") == 1);
		id = push("test.noop", "{}", 0);
		UNTIL(job_is(id, "succeeded"));
	}
	assert_false(log_has("cut", "Redis is away"));
	node_kill(a);
}

/* Median time from the push of a job to its end on an idle node. */
static int64_t
wake_ms(void)
{
	int64_t at, took[11], t;
	const char *id;
	int i, j;

	for (i = 0; i < 11; i++) {
		nap_ms(20);
		at = ct_mono_ms();
		id = push("test.noop", "{}", 0);
		while (!job_is(id, "succeeded") && ct_mono_ms() < at + WAIT_MS)
			nap_ms(1);
		took[i] = ct_mono_ms() - at;
		for (j = i; j > 0 && took[j] < took[j - 1]; j--) {
			t = took[j];
			took[j] = took[j - 1];
			took[j - 1] = t;
		}
	}
	return took[5];
}

/* An idle node is woken by the bell, long before the clock. */
static void
test_bell_wakes(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("test.noop", "{}", 0);

	(void)state;
	UNTIL(job_is(id, "succeeded"));
	/* By the clock it would be 125 ms. */
	assert_true(wake_ms() < 60);
	/* A job that the node itself put on a list must not silence it. */
	id = push("test.noop", "{}", ct_now_us() + 400000);
	UNTIL(job_is(id, "succeeded"));
	assert_true(wake_ms() < 60);
	node_kill(a);
}

/* A Redis that pauses, as when its disk is slow, is not one that is gone. */
static void
test_redis_pauses(void **state)
{
	pid_t a = node_start("slow", "CATETUBE_LEASE_MS=20000");
	const char *id = push("test.sleep", "{'seconds':0.2}", 0);

	(void)state;
	UNTIL(job_is(id, "running"));
	kill(server.pid, SIGSTOP);
	nap_ms(700);
	kill(server.pid, SIGCONT);
	UNTIL(job_is(id, "succeeded"));
	assert_int_equal(starts(id), 1);
	assert_false(log_has("slow", "Redis is away"));
	node_kill(a);
}

/* An idle node hears of a job that somebody else schedules. */
static void
test_bell_schedules(void **state)
{
	pid_t a = node_start("a", NULL);
	const char *id = push("test.noop", "{}", 0);
	int64_t due_us;
	int i, in_time = 0;

	(void)state;
	UNTIL(job_is(id, "succeeded"));
	for (i = 0; i < 7; i++) {
		due_us = ct_now_us() + 100000;
		id = push("test.noop", "{}", due_us);
		UNTIL(job_is(id, "succeeded"));
		assert_true(
		    atoll(job_field(id, "settled_ms")) >= due_us / 1000);
		/* By the clock it would be up to two seconds late. */
		in_time +=
		    atoll(job_field(id, "settled_ms")) < due_us / 1000 + 300;
	}
	assert_in_range(in_time, 5, 7);
	node_kill(a);
}

/* Redis is back without the claim: what runs is not this node's any more. */
static void
test_claim_forgotten(void **state)
{
	pid_t a = node_start("a", "CATETUBE_WORKER_CHILDREN=1");
	const char *id = push("test.sleep", "{'seconds':60}", 0);
	const char *wid;

	(void)state;
	UNTIL(job_is(id, "running"));
	wid = job_field(id, "owner");
	assert_int_equal(
	    cmd_i64("DEL", ct_arena_printf(arena, "jq:proc:%s", wid)), 1);
	cmd("CLIENT KILL TYPE normal");
	/* The only child is free for others at once. */
	id = push("test.noop", "{}", 0);
	UNTIL(job_is(id, "succeeded"));
	assert_true(log_has("a", "is not held any more"));
	node_kill(a);
}

static bool
has_pid(const pid_t *pids, int n, pid_t pid)
{
	int i;

	for (i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* All its children are others now, and as many. */
static bool
all_new(pid_t node, const pid_t *before, int n)
{
	pid_t now[8];
	int i, got = job_children(node, now, 8);

	for (i = 0; i < got; i++)
		if (has_pid(before, n, now[i]))
			return false;
	return got == n;
}

/* SIGHUP: children are replaced between jobs, the node lives, no job is lost.
 */
static void
test_reload(void **state)
{
	pid_t a = node_start("a", "CATETUBE_WORKER_CHILDREN=3"), before[8];
	const char *id[2], *more[20];
	int i, n;

	(void)state;
	for (i = 0; i < 2; i++)
		id[i] = push("test.sleep", "{'seconds':0.7}", 0);
	for (i = 0; i < 2; i++)
		UNTIL(job_is(id[i], "running"));
	UNTIL((n = job_children(a, before, 8)) == 3);
	kill(a, SIGHUP);
	for (i = 0; i < 20; i++)
		more[i] = push("test.noop", "{}", 0);
	/* The idle one goes first and is back while the others still run. */
	for (i = 0; i < 20; i++)
		UNTIL(job_is(more[i], "succeeded"));
	UNTIL(all_new(a, before, n));
	for (i = 0; i < 2; i++) {
		UNTIL(job_is(id[i], "succeeded"));
		assert_int_equal(starts(id[i]), 1);
		assert_string_equal(job_field(id[i], "redeliveries"), "");
	}
	id[0] = push("test.noop", "{}", 0);
	UNTIL(job_is(id[0], "succeeded"));
	assert_int_equal(waitpid(a, NULL, WNOHANG), 0);
	node_kill(a);
}

static int
run_check(const char *queues)
{
	const char *path = worker_path();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		unsetenv("CATETUBE_TEST_WORKER");
		setenv("CATETUBE_QUEUES", queues, 1);
		setenv("SECRET_KEY", "0123456789abcdef0123456789abcdef", 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execl(path, "catetube-worker", "-n", (char *)NULL);
		_exit(127);
	}
	status = node_wait(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_check(void **state)
{
	(void)state;
	assert_int_equal(run_check("default:4,mail"), 0);
	assert_int_equal(run_check("default:0"), 2);
	assert_int_equal(run_check("default:x"), 2);
	assert_int_equal(run_check(":1"), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, test_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_done), T(test_child_killed),
	    T(test_node_killed), T(test_node_frozen), T(test_redis_killed),
	    T(test_retry_then_dead), T(test_eta), T(test_unknown_task),
	    T(test_poison), T(test_twice), T(test_drain), T(test_recycle),
	    T(test_claim_forgotten), T(test_place_lost_while_busy),
	    T(test_bell_refused), T(test_bell_cut), T(test_bell_wakes),
	    T(test_bell_schedules), T(test_redis_pauses), T(test_reload),
	    T(test_check)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
