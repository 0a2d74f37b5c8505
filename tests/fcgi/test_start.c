/* Starting: what is refused with which status and words, and which socket. */
#include "tests/fcgi/server_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "fcgi/route.h"

/* Run the program to its end; its exit status, -1 where it does not end. */
static int
run(struct env *e, const char *option)
{
	const char *const argv[] = {program(), option, NULL};
	char path[128];
	int status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/run.log", dir);
	unlink(path);
	pid = spawn("run.log", e, argv);
	for (int64_t until = ct_mono_ms() + DEADLINE_MS;
	     waitpid(pid, &status, WNOHANG) == 0; nap_ms(2)) {
		if (ct_mono_ms() > until) {
			end_of(pid, SIGKILL);
			return -1;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It ends with that status and says one line, which holds the text. */
static void
refuses(struct env *e, int status, const char *text)
{
	static const char *const options[] = {"-n", NULL};
	const char *said;
	int got;

	for (size_t i = 0; i < ct_countof(options); i++) {
		got = run(e, options[i]);
		said = output("run.log");
		if (got != status || !strstr(said, text))
			fail_msg("wanted %d and \"%s\", got %d:\n%s", status,
			    text, got, said);
		if (strchr(said, '\n') != said + strlen(said) - 1)
			fail_msg("more than one line:\n%s", said);
	}
}

static void
good_options_pass_the_check(void **state)
{
	(void)state;
	assert_int_equal(run(env_default(), "-n"), 0);
	assert_string_equal(output("run.log"), "");
}

static void
bad_options_are_named(void **state)
{
	static const struct {
		const char *name, *value, *text;
	} table[] = {
	    {"CATETUBE_BATCH", "0", "CATETUBE_BATCH"},
	    {"CATETUBE_BATCH", "many", "CATETUBE_BATCH"},
	    {"CATETUBE_DB_THREADS", "65", "CATETUBE_DB_THREADS"},
	    {"CATETUBE_BACTH", "1", "CATETUBE_BACTH"},
	    {"SECRET_KEY", "short", "SECRET_KEY"},
	    {"SECRET_KEY", "", "SECRET_KEY must be set"},
	    {"REDIS_URL", "http://localhost", "redis"},
	    {"CATETUBE_LOG_LEVEL", "loud", "CATETUBE_LOG_LEVEL"},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct env *e = env_default();

		env_add(e, table[i].name, table[i].value);
		refuses(e, 78, table[i].text);
	}
}

/* The check wants it; a start goes on, and serves when it is there. */
static void
a_database_that_is_away(void **state)
{
	struct env *e = env_default();

	(void)state;
	env_add(e, "DATABASE_URL", "postgresql:///x?host=/nonexistent");
	assert_int_equal(run(e, "-n"), 1);
	assert_non_null(strstr(output("run.log"), "database"));
	private_pg_stop(cluster);
	e = env_default();
	assert_int_equal(run(e, "-n"), 1);
	server = spawn("fcgi.log", e, (const char *const[]){program(), NULL});
	UNTIL(access(sock, F_OK) == 0);
	{
		const struct ct_fcgi_req live = {
		    .method = "GET", .path = "/health/live"};
		const struct ct_fcgi_req ready = {
		    .method = "GET", .path = "/health/ready"};

		UNTIL(ct_fcgi_ask(sock, arena, &live).status == 200);
		assert_int_equal(ct_fcgi_ask(sock, arena, &ready).status, 503);
		private_pg_start(cluster);
		UNTIL(ct_fcgi_ask(sock, arena, &ready).status == 200);
	}
	assert_int_equal(server_stop(), 0);
}

static void
a_schema_of_another_version(void **state)
{
	struct env *e = env_default();
	char other[192];

	(void)state;
	snprintf(
	    other, sizeof(other), "%s", private_pg_database(cluster, "empty"));
	env_add(e, "DATABASE_URL", other);
	refuses(e, 1, "migrate");
}

static void
routes_are_printed(void **state)
{
	struct env *e = env_default();
	size_t lines = 0;

	(void)state;
	assert_int_equal(run(e, "-R"), 0);
	for (const char *p = output("run.log"); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, ct_routes_n);
	assert_non_null(strstr(
	    output("run.log"), "GET /api/tracker/today read read today"));
	assert_int_equal(run(e, "-x"), 2);
	assert_int_equal(run(e, "word"), 2);
	assert_int_equal(run(e, "--help"), 0);
	assert_non_null(strstr(output("run.log"), "CATETUBE_DB_THREADS"));
}

/* ------------------------------------------------------------ sockets */

static void
a_stale_socket_is_replaced(void **state)
{
	struct stat st;

	(void)state;
	server_start(env_default());
	assert_int_equal(stat(sock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* Its children die with it; nobody removes the file. */
	end_of(server, SIGKILL);
	server = 0;
	assert_int_equal(access(sock, F_OK), 0);
	UNTIL(!answers());
	server_start(env_default());
	assert_int_equal(server_stop(), 0);
}

static void
two_cannot_share_a_socket(void **state)
{
	pid_t first;

	(void)state;
	server_start(env_default());
	first = server;
	assert_int_equal(run(env_default(), NULL), 1);
	assert_non_null(strstr(output("run.log"), "is in use"));
	assert_int_equal(server, first);
	assert_true(answers());
	assert_int_equal(server_stop(), 0);
}

static void
what_is_no_socket_is_left_alone(void **state)
{
	int fd;

	(void)state;
	unlink(sock);
	fd = open(sock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run(env_default(), NULL), 1);
	assert_non_null(strstr(output("run.log"), "is in use"));
	assert_int_equal(access(sock, F_OK), 0);
	unlink(sock);
}

static void
systemd_passes_the_socket(void **state)
{
	struct env *e = env_default();
	const char *const argv[] = {"systemd-socket-activate", "-l", sock, "-E",
	    "DATABASE_URL", "-E", "REDIS_URL", "-E", "SECRET_KEY", "-E",
	    "CATETUBE_RUN_DIR", "-E", "CATETUBE_FILES_DIR", "-E",
	    "CATETUBE_CHILDREN", program(), NULL};

	(void)state;
	unlink(sock);
	/* It must be the passed one: at this path nothing can be made. */
	env_add(e, "CATETUBE_SOCKET", "/nonexistent/fcgi.sock");
	server = spawn("fcgi.log", e, argv);
	UNTIL(access(sock, F_OK) == 0);
	UNTIL(answers());
	assert_int_equal(server_stop(), 0);
	unlink(sock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_options_pass_the_check),
	    cmocka_unit_test(bad_options_are_named),
	    cmocka_unit_test(a_database_that_is_away),
	    cmocka_unit_test(a_schema_of_another_version),
	    cmocka_unit_test(routes_are_printed),
	    cmocka_unit_test(a_stale_socket_is_replaced),
	    cmocka_unit_test(two_cannot_share_a_socket),
	    cmocka_unit_test(what_is_no_socket_is_left_alone),
	    cmocka_unit_test(systemd_passes_the_socket),
	};

	return cmocka_run_group_tests(tests, stores_up, stores_down);
}
