/*
 * What the job tests share: a private Redis, a connection to it, worker nodes
 * as processes, and waiting with a deadline.
 * CATETUBE_TEST_WORKER names the program (default: build/catetube-worker).
 */
#ifndef CT_TESTS_JOB_FIXTURE_H
#define CT_TESTS_JOB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/celery.h"
#include "common/crypto.h"
#include "common/queue.h"
#include "tests/support/private_redis.h"

#define LEASE_MS 1500
#define WAIT_MS	 20000

static struct ct_private_redis server;
static struct ct_redis *redis;
static struct ct_arena *arena;
static struct ct_err err;
static pid_t nodes[8]; /* running; a failed test leaves some */

static inline void
nap_ms(int ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* Evaluate cond every 5 ms until it holds or the time is up. */
#define UNTIL(cond)                                                            \
	do {                                                                   \
		int64_t until_ = ct_mono_ms() + WAIT_MS;                       \
		while (!(cond)) {                                              \
			if (ct_mono_ms() > until_)                             \
				fail_msg("never: %s", #cond);                  \
			nap_ms(5);                                             \
		}                                                              \
	} while (0)

/* One command, words separated by single blanks. */
static inline const struct redisReply *
cmd(const char *fmt, ...)
{
	const struct redisReply *reply = NULL;
	struct ct_str rest, argv[16];
	char text[2048];
	va_list ap;
	int argc = 0;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rest = ct_str_of(ct_arena_printf(arena, "%s", text));
	while (rest.p != NULL && argc < 16)
		argv[argc++] = ct_str_split(&rest, ' ');
	ct_err_clear(&err);
	if (ct_redis_do(redis, arena, argc, argv, &reply, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
	return reply;
}

static inline int64_t
cmd_i64(const char *fmt, const char *arg)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s", fmt, arg);
	return ct_reply_i64(cmd("%s", text));
}

static inline const char *
job_field(const char *id, const char *field)
{
	struct ct_str v = ct_reply_str(cmd("HGET jq:job:%s %s", id, field));

	return v.p == NULL ? "" : ct_str_cstr(arena, v);
}

static inline bool
job_is(const char *id, const char *state)
{
	return strcmp(job_field(id, "state"), state) == 0;
}

/* The result's text, "" where there is none. */
static inline const char *
result_of(const char *id)
{
	struct ct_str v = ct_reply_str(cmd("GET celery-task-meta-%s", id));

	return v.p == NULL ? "" : ct_str_cstr(arena, v);
}

static inline bool
result_has(const char *id, const char *text)
{
	return strstr(result_of(id), text) != NULL;
}

/* Push a job to queue default; its id. kwargs with ' for ". */
static inline const char *
push(const char *task, const char *kwargs, int64_t due_us)
{
	char *text = ct_arena_dup(arena, kwargs, strlen(kwargs)), *p;
	struct ct_job_new job = {
	    .task = task, .queue = "default", .due_us = due_us};
	char *id = ct_arena_alloc(arena, CT_UUID_TEXT);

	while ((p = strchr(text, '\'')) != NULL)
		*p = '"';
	job.kwargs = ct_str_of(text);
	ct_err_clear(&err);
	if (ct_queue_push(redis, arena, "jq:", &job, NULL, &err) != CT_OK)
		fail_msg("push: %s %s", err.msg, err.detail);
	return ct_uuid_format(&job.id, id);
}

static inline const char *
worker_path(void)
{
	const char *path = getenv("CATETUBE_TEST_WORKER");

	return path != NULL ? path : "build/catetube-worker";
}

/* Start a node. more: NAME=value, or NULL. Its log goes to dir/name.log. */
static inline pid_t
node_start(const char *name, const char *more)
{
	const char *path = worker_path();
	char log[96], lease[16];
	pid_t pid = fork();
	size_t i;
	int fd;

	assert_true(pid >= 0);
	for (i = 0; pid > 0 && i < ct_countof(nodes); i++)
		if (nodes[i] == 0) {
			nodes[i] = pid;
			break;
		}
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/%s.log", server.dir, name);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 2);
	setenv("REDIS_URL", server.url, 1);
	setenv("DATABASE_URL", "postgresql:///none?host=/nonexistent", 0);
	setenv("CATETUBE_RUN_DIR", server.dir, 1);
	setenv("CATETUBE_FILES_DIR", server.dir, 1);
	setenv("CATETUBE_TEST_TASKS", "1", 1);
	/* Nobody enqueues but the test. */
	setenv("CATETUBE_CRON", "0", 0);
	setenv("CATETUBE_NODE", name, 1);
	setenv("CATETUBE_BEAT_MS", "200", 1);
	setenv("SECRET_KEY", "0123456789abcdef0123456789abcdef", 1);
	snprintf(lease, sizeof(lease), "%d", LEASE_MS);
	setenv("CATETUBE_LEASE_MS", lease, 1);
	/* It is no option of the worker's. */
	unsetenv("CATETUBE_TEST_WORKER");
	if (more != NULL)
		putenv(strdup(more));
	execl(path, "catetube-worker", (char *)NULL);
	_exit(127);
}

static inline int
node_wait(pid_t pid)
{
	int status = 0;
	size_t i;

	for (i = 0; i < ct_countof(nodes); i++)
		if (nodes[i] == pid)
			nodes[i] = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void
node_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	node_wait(pid);
}

/* Children of pid that run jobs; at most n. */
static inline int
job_children(pid_t pid, pid_t *out, int n)
{
	char path[64], text[1024], comm[32], *p, *end;
	int fd, found = 0;
	ssize_t got;
	long child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	fd = open(path, O_RDONLY);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	for (p = text; found < n; p = end) {
		child = strtol(p, &end, 10);
		if (end == p)
			break;
		snprintf(path, sizeof(path), "/proc/%ld/comm", child);
		fd = open(path, O_RDONLY);
		got = fd < 0 ? 0 : read(fd, comm, sizeof(comm) - 1);
		close(fd);
		comm[got > 0 ? got : 0] = '\0';
		if (strncmp(comm, "catetube-job", 12) == 0)
			out[found++] = (pid_t)child;
	}
	return found;
}

/* A connection that has not noticed yet that its server died is replaced. */
static inline int
dial_redis(void)
{
	ct_redis_close(redis);
	return ct_redis_open(server.url, 2000, &redis, &err) == CT_OK ? 0 : -1;
}

static inline int
group_up(void **state)
{
	(void)state;
	ct_crypto_init();
	server.aof = true;
	server.extra[0] = "--maxmemory-policy";
	server.extra[1] = "noeviction";
	ct_private_redis_begin(&server);
	return dial_redis();
}

static inline int
group_down(void **state)
{
	(void)state;
	ct_redis_close(redis);
	ct_private_redis_end(&server);
	return 0;
}

static inline int
test_up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)256 << 20);
	cmd("FLUSHALL");
	cmd("ACL SETUSER default +@all");
	return 0;
}

static inline int
test_down(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(nodes); i++)
		if (nodes[i] > 0)
			node_kill(nodes[i]);
	ct_arena_destroy(arena);
	return 0;
}

#endif
