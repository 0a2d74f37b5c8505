/*
 * With a store gone or responders dying: what still works, what is said, and
 * that nothing acknowledged is lost. Runs on a stack of its own.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/app.h"
#include "tests/support/port.h"

#define DEADLINE_MS 60000
#define MEALS	    120

static char var_dir[128], log_file[160];
static int port;

static int
stack(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line),
	    "CATETUBE_VAR='%s' CATETUBE_PORT=%d CATETUBE_LIMIT_LOG=0 "
	    "CATETUBE_LIMIT_READ=0 CATETUBE_LIMIT_AUTH=0 scripts/stack %s "
	    ">>'%s' 2>&1 </dev/null",
	    var_dir, port, command, log_file);
	return system(line);
}

/* Options of the stack that the other rings use must not reach this one. */
static void
forget_options(void)
{
	extern char **environ;
	char name[128];

	for (char **p = environ; *p;) {
		size_t n = strcspn(*p, "=");

		if (strncmp(*p, "CATETUBE_", 9) != 0 || n >= sizeof(name)) {
			p++;
			continue;
		}
		memcpy(name, *p, n);
		name[n] = '\0';
		unsetenv(name); /* moves the rest down */
	}
	unsetenv("REDIS_CACHE_URL");
	unsetenv("CORS_ORIGINS");
}

static int
end_stack(void **state)
{
	char line[400];

	(void)state;
	if (stack("down") != 0)
		return -1;
	snprintf(line, sizeof(line), "rm -rf '%s' '%s'", var_dir, log_file);
	return system(line);
}

static int
begin_stack(void **state)
{
	char base[64];

	forget_options();
	port = ct_free_port();
	snprintf(var_dir, sizeof(var_dir), "/tmp/catetube-degraded-%d",
	    (int)getpid());
	snprintf(log_file, sizeof(log_file), "%s.log", var_dir);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", port);
	if (stack("up") != 0) {
		print_error("no stack: see %s\n", log_file);
		stack("down");
		return -1;
	}
	setenv("CATETUBE_TEST_URL", base, 1);
	return ct_api_group(state);
}

static pid_t
pid_of(const char *service)
{
	char path[192];
	long pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/run/%s.pid", var_dir, service);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%ld", &pid) != 1 || pid <= 1)
		fail_msg("no pid in %s", path);
	fclose(f);
	return (pid_t)pid;
}

/* Gone, or a zombie that nobody waits for. */
static bool
is_dead(pid_t pid)
{
	char path[64], line[512] = "";
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return true;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return !p || p[2] == 'Z';
}

static void
end_service(const char *service, int sig)
{
	pid_t pid = pid_of(service);
	int64_t end = ct_mono_ms() + DEADLINE_MS;

	assert_int_equal(kill(pid, sig), 0);
	while (!is_dead(pid)) {
		assert_true(ct_mono_ms() < end);
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
}

static const struct ct_answer *
meal(struct ct_who *who, const char *key, unsigned ml)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = "POST",
		     .path = "/api/feeding/",
		     .body = ct_str_of(ct_path(who, "{\"amount_ml\":%u}", ml)),
		     .more = {ct_path(who, "Idempotency-Key: %s", key)}});
}

/* Ask again until the status is that, for at most the deadline. */
static const struct ct_answer *
until(struct ct_who *who, const char *path, int status)
{
	int64_t end = ct_mono_ms() + DEADLINE_MS;
	const struct ct_answer *r;

	while ((r = ct_get(who, path))->status != status) {
		if (ct_mono_ms() > end)
			return ct_want(r, status);
		nanosleep(&(struct timespec){0, 100000000}, NULL);
	}
	return r;
}

/* The threads that hash have connections, and back-offs, of their own: each
 * process's has to be back. */
static void
until_hashing(struct ct_who *who)
{
	int64_t end = ct_mono_ms() + DEADLINE_MS;

	for (int in_a_row = 0; in_a_row < 8;) {
		const struct ct_answer *r =
		    ct_call(who, "POST", "/api/auth/login",
			"{'email':'nobody@example.test','password':'x'}");

		in_a_row = r->status == 503 ? 0 : in_a_row + 1;
		if (ct_mono_ms() > end)
			fail_msg("log-in is not back: %d", r->status);
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
}

static int64_t
fed(struct ct_who *who)
{
	return ct_milli(
	    ct_want(ct_get(who, "/api/tracker/today"), 200), "total_fed_ml");
}

static void
without_redis(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other;
	pid_t fcgi = pid_of("fcgi");
	const struct ct_answer *a, *b;

	/* An answer of before, cached and on Redis' disk. */
	ct_want(meal(who, "before", 10), 201);
	assert_int_equal(fed(who), 10000);
	assert_int_equal(fed(who), 10000);
	end_service("redis", SIGTERM);
	a = ct_want(meal(who, "during", 20), 201);
	b = ct_want(meal(who, "during", 20), 201);
	assert_string_equal(ct_text(a, "data.id"), ct_text(b, "data.id"));
	assert_int_equal(fed(who), 30000);
	assert_int_equal(ct_meals(who), 2);
	/* Signing in and out works; a dead session stays dead. */
	other = ct_who_login(who->a, who, NULL);
	assert_int_equal(fed(other), 30000);
	ct_want(ct_call(other, "POST", "/api/auth/logout", NULL), 200);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want(ct_get(who, "/health/live"), 200);
	ct_want(ct_get(who, "/health/ready"), 200);
	/* Redis comes back with the old answer, which nobody must see. */
	assert_int_equal(stack("up"), 0);
	assert_int_equal(pid_of("fcgi"), fcgi);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(fed(who), 30000);
	ct_want(meal(who, "after", 5), 201);
	assert_int_equal(fed(who), 35000);
	until(who, "/health", 200);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
}

static void
without_postgres(void **state)
{
	struct ct_who *who = *state;
	pid_t fcgi = pid_of("fcgi");
	const struct ct_answer *r;

	ct_want(meal(who, "before", 10), 201);
	end_service("postgres", SIGINT);
	r = ct_want_error(meal(who, "during", 20), 503, NULL, NULL);
	assert_non_null(ct_head(r, "Retry-After"));
	assert_true(strtol(ct_head(r, "Retry-After"), NULL, 10) > 0);
	/* No text of the database's reaches a client. */
	assert_false(ct_says(r, "server closed"));
	assert_false(ct_says(r, "socket"));
	r = ct_want_error(ct_get(who, "/api/feeding/?page=3"), 503, NULL, NULL);
	assert_non_null(ct_head(r, "Retry-After"));
	ct_want(ct_get(who, "/health/live"), 200);
	ct_want(ct_get(who, "/health/ready"), 503);
	r = ct_want(ct_get(who, "/health"), 503);
	assert_string_not_equal(ct_text(r, "status"), "healthy");
	assert_int_equal(stack("up"), 0);
	assert_int_equal(pid_of("fcgi"), fcgi);
	until(who, "/health", 200);
	until(who, "/api/feeding/", 200);
	until_hashing(who);
	/* What was answered 503 was not written, and its key is still good. */
	assert_int_equal(ct_meals(who), 1);
	ct_want(meal(who, "during", 20), 201);
	assert_int_equal(fed(who), 30000);
}

/* A child of pid by /proc; 0 where there is none. */
static pid_t
child_of(pid_t parent, unsigned skip_n)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (d && !found && (e = readdir(d))) {
		char path[300], line[512];
		const char *p;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    !(f = fopen(path, "r")))
			continue;
		if (fgets(line, sizeof(line), f) &&
		    (p = strrchr(line, ')')) != NULL &&
		    strtol(p + 4, NULL, 10) == parent && skip_n-- == 0)
			found = (pid_t)strtol(e->d_name, NULL, 10);
		fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}

struct killer {
	pid_t parent;
	_Atomic bool stop;
	_Atomic unsigned kills;
};

static void *
kill_children(void *data)
{
	struct killer *k = data;

	while (!k->stop) {
		pid_t pid = child_of(k->parent, k->kills % 2);

		if (pid > 1 && kill(pid, SIGKILL) == 0)
			k->kills++;
		nanosleep(&(struct timespec){0, 120000000}, NULL);
	}
	return NULL;
}

/* The id of the meal once it is acknowledged: same key, again and again. */
static const char *
meal_at_last(struct ct_who *who, unsigned i, unsigned *retries)
{
	int64_t end = ct_mono_ms() + DEADLINE_MS;
	const char *key = ct_path(who, "meal-%u", i);

	for (;;) {
		const struct ct_answer *r = meal(who, key, 1);

		if (r->status == 201)
			return ct_text(r, "data.id");
		/* Only what a client may try again; never a wrong answer. */
		if (r->status != 0 && r->status != 503)
			ct_want(r, 201);
		assert_true(ct_mono_ms() < end);
		++*retries;
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
}

static void
children_die(void **state)
{
	struct ct_who *who = *state;
	struct killer k = {.parent = pid_of("fcgi")};
	const char *ids[MEALS];
	unsigned retries = 0;
	pthread_t id;

	assert_int_equal(pthread_create(&id, NULL, kill_children, &k), 0);
	for (unsigned i = 0; i < MEALS || k.kills < 10; i++) {
		if (i < MEALS)
			ids[i] = meal_at_last(who, i, &retries);
		else
			meal_at_last(who, i % MEALS, &retries);
	}
	k.stop = true;
	pthread_join(id, NULL);
	assert_true(k.kills >= 10);
	until(who, "/health", 200);
	/* Each acknowledged meal is there, once. */
	assert_int_equal(ct_meals(who), MEALS);
	assert_int_equal(fed(who), MEALS * 1000);
	for (unsigned i = 0; i < MEALS; i++)
		ct_want(
		    ct_get(who, ct_path(who, "/api/feeding/%s", ids[i])), 200);
	assert_int_equal(pid_of("fcgi"), k.parent);
	print_message("%u kills, %u repeats\n", k.kills, retries);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(without_redis),
	    ct_api_test(without_postgres),
	    ct_api_test(children_die),
	};

	return cmocka_run_group_tests_name(
	    "api/degraded", tests, begin_stack, end_stack);
}
