/*
 * The real responders on stores of their own: one PostgreSQL, one Redis, one
 * catetube-fcgi per program. $BUILD/catetube-fcgi is what is started, or
 * $CATETUBE_FCGI.
 */
#ifndef CT_TESTS_FCGI_SERVER_FIXTURE_H
#define CT_TESTS_FCGI_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/json.h"
#include "db/migrate.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/private_pg.h"
#include "tests/support/private_redis.h"

#define DEADLINE_MS 20000
#define ORIGIN	    "http://cat.example"

static struct private_pg *cluster;
static struct ct_private_redis redis;
static char dir[64], sock[96], url[192];
static struct ct_pg *pg; /* our own look into the database */
static struct ct_arena *arena;
static struct ct_err err;
static pid_t server; /* 0: none */

static inline void
nap_ms(int ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* Evaluate cond every 2 ms until it holds or the time is up. */
#define UNTIL(cond)                                                            \
	do {                                                                   \
		int64_t until_ = ct_mono_ms() + DEADLINE_MS;                   \
		while (!(cond)) {                                              \
			if (ct_mono_ms() > until_)                             \
				fail_msg("never: %s", #cond);                  \
			nap_ms(2);                                             \
		}                                                              \
	} while (0)

static inline const char *
program(void)
{
	static char path[256];
	const char *given = getenv("CATETUBE_FCGI"), *build = getenv("BUILD");

	if (given)
		return given;
	snprintf(
	    path, sizeof(path), "%s/catetube-fcgi", build ? build : "build");
	return path;
}

/* The environment of the responders: nothing of the caller's but sanitizers. */
struct env {
	char text[32][512];
	char *list[33];
	size_t n;
};

static inline void
env_add(struct env *e, const char *name, const char *value)
{
	size_t i, n = strlen(name);

	for (i = 0; i < e->n; i++)
		if (strncmp(e->text[i], name, n) == 0 && e->text[i][n] == '=')
			break;
	if (i == e->n)
		e->n++;
	assert_true(e->n < ct_countof(e->text));
	assert_true(n + strlen(value) + 2 <= sizeof(e->text[i]));
	snprintf(e->text[i], sizeof(e->text[i]), "%s=%s", name, value);
	e->list[i] = e->text[i];
}

static inline struct env *
env_default(void)
{
	static const char *const kept[] = {
	    "PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
	static struct env e;

	memset(&e, 0, sizeof(e));
	for (size_t i = 0; i < ct_countof(kept); i++)
		if (getenv(kept[i]))
			env_add(&e, kept[i], getenv(kept[i]));
	env_add(&e, "DATABASE_URL", url);
	env_add(&e, "REDIS_URL", redis.url);
	env_add(&e, "SECRET_KEY", "0123456789abcdef0123456789abcdef");
	env_add(&e, "CATETUBE_ORIGIN", ORIGIN);
	env_add(&e, "CATETUBE_SOCKET", sock);
	env_add(&e, "CATETUBE_RUN_DIR", dir);
	env_add(&e, "CATETUBE_FILES_DIR", dir);
	env_add(&e, "CATETUBE_LIMIT_LOG", "0");
	env_add(&e, "CATETUBE_LIMIT_READ", "0");
	env_add(&e, "CATETUBE_LIMIT_AUTH", "0");
	env_add(&e, "CATETUBE_CHILDREN", "1");
	env_add(&e, "CATETUBE_DB_THREADS", "4");
	env_add(&e, "CATETUBE_LOG_LEVEL", "warn");
	return &e;
}

/* Start argv with that environment; its output goes to dir/name. */
static inline pid_t
spawn(const char *name, struct env *e, const char *const *argv)
{
	char path[128];
	pid_t pid;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	execvpe(argv[0], (char *const *)(uintptr_t)argv, e->list);
	_exit(127);
}

/* The end of it. */
static inline const char *
output(const char *name)
{
	static char text[32768];
	char path[128];
	ssize_t n;
	off_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return "";
	size = lseek(fd, 0, SEEK_END);
	n = pread(fd, text, sizeof(text) - 1,
	    size < (off_t)sizeof(text) ? 0 : size - (off_t)sizeof(text) + 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static inline bool
answers(void)
{
	const struct ct_fcgi_req live = {
	    .method = "GET", .path = "/health/ready"};

	return ct_fcgi_ask(sock, arena, &live).status == 200;
}

static inline void
server_start(struct env *e)
{
	const char *const argv[] = {program(), NULL};

	assert_int_equal(server, 0);
	server = spawn("fcgi.log", e, argv);
	for (int64_t until = ct_mono_ms() + DEADLINE_MS; !answers();) {
		if (waitpid(server, NULL, WNOHANG) == server ||
		    ct_mono_ms() > until)
			fail_msg("no start:\n%s", output("fcgi.log"));
		nap_ms(5);
	}
}

/* The exit status after the signal; -1: it had to be killed. */
static inline int
end_of(pid_t pid, int sig)
{
	int status = 0;

	assert_true(pid > 1);
	kill(pid, sig);
	for (int64_t until = ct_mono_ms() + 40000;
	     waitpid(pid, &status, WNOHANG) == 0;) {
		if (ct_mono_ms() > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nap_ms(2);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static inline int
server_stop(void)
{
	pid_t pid = server;

	server = 0;
	return pid ? end_of(pid, SIGTERM) : 0;
}

/* Children of the process; at most n. */
static inline int
children(pid_t pid, pid_t *out, int n)
{
	char path[64], text[1024];
	int found = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	fd = open(path, O_RDONLY);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	for (char *p = text, *after; found < n; p = after) {
		long child = strtol(p, &after, 10);

		if (after == p)
			break;
		out[found++] = (pid_t)child;
	}
	return found;
}

static inline pid_t
only_child(void)
{
	pid_t pid = 0;

	return children(server, &pid, 1) == 1 ? pid : 0;
}

static inline int64_t
rss_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Descriptors that the process has open. */
static inline int
open_fds(pid_t pid)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n += lstat(path, &st) == 0;
	}
	return n;
}

static inline int
stores_up(void **state)
{
	(void)state;
	ct_crypto_init();
	arena = ct_arena_create((size_t)256 << 20);
	snprintf(dir, sizeof(dir), "/tmp/ct-fcgi-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(sock, sizeof(sock), "%s/fcgi.sock", dir);
	cluster = private_pg_new();
	snprintf(
	    url, sizeof(url), "%s", private_pg_database(cluster, "catetube"));
	pg = ct_pg_open(url, "test", 10000);
	if (ct_migrate(pg, NULL, &err) != CT_OK)
		fail_msg("migrate: %s %s", err.msg, err.detail);
	ct_private_redis_begin(&redis);
	return 0;
}

static inline int
stores_down(void **state)
{
	pid_t pid;

	(void)state;
	if (server)
		server_stop();
	ct_pg_close(pg);
	ct_private_redis_end(&redis);
	private_pg_free(cluster);
	ct_arena_destroy(arena);
	if (getenv("KEEP"))
		return 0;
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static const struct ct_stmt count_meals = {"count_meals", CT_GLOBAL, CT_READ,
    "", NULL, "select count(*) as n from feeding"};

/* Rows of feeding, whoever's. */
static inline int64_t
meals(void)
{
	const struct ct_res *r = NULL;
	struct ct_params p;

	ct_params_init(&p, arena);
	ct_err_clear(&err);
	if (ct_pg_run(pg, &count_meals, &p, arena, &r, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
	return ct_res_i64(r, 0, ct_res_col(r, "n"));
}

/* Register somebody; the cookie, on the arena. */
static inline const char *
sign_up(void)
{
	struct ct_uuid u = ct_uuid_new();
	char id[CT_UUID_TEXT];
	struct ct_fcgi_req req = {.method = "POST",
	    .path = "/api/auth/register",
	    .more = {"HTTP_ORIGIN=" ORIGIN}};
	struct ct_fcgi_res res;
	struct ct_str line;

	req.body = ct_str_of(ct_arena_printf(arena,
	    "{\"email\":\"t-%s@example.test\",\"password\":"
	    "\"seven warm syringes\",\"first_name\":\"Ada\"}",
	    ct_uuid_format(&u, id)));
	res = ct_fcgi_ask(sock, arena, &req);
	if (res.status != 201)
		fail_msg("register: %d %s", res.status, res.body.p);
	line = ct_fcgi_head(&res, "Set-Cookie");
	return ct_str_cstr(arena, ct_str_split(&line, ';'));
}

static inline struct ct_fcgi_req
today_of(const char *cookie)
{
	return (struct ct_fcgi_req){
	    .method = "GET", .path = "/api/tracker/today", .cookie = cookie};
}

static inline struct ct_fcgi_req
meal_of(const char *cookie)
{
	return (struct ct_fcgi_req){.method = "POST",
	    .path = "/api/feeding/",
	    .cookie = cookie,
	    .body = CT_STR("{\"amount_ml\":50}"),
	    .more = {"HTTP_ORIGIN=" ORIGIN}};
}

#endif
