/*
 * Under load through nginx: reloads, drains, restarts and kills of the
 * responders, and what their clients see of it.
 */
#include "tests/fcgi/server_fixture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/http.h"
#include "tests/support/port.h"

#define CLIENTS	 4
#define CHILDREN 2
#define RELOADS	 20

static char base[64];
static const char *cookie;
static pid_t nginx;

/* ------------------------------------------------------------ nginx */

/*
 * The service's own nginx files, with our paths and port in them, and its
 * connections kept for a tenth of the time: how long bounds every drain.
 */
static const char files[] =
    "set -e; mkdir -p \"$D/nginx\" \"$D/run\" \"$D/nginx-tmp\"\n"
    "grep -q ' keepalive_time [0-9]*s;' nginx/catetube-upstream.conf ||\n"
    "  { echo 'a busy connection is kept for ever'; exit 1; }\n"
    "for f in nginx/catetube-*.conf nginx/nginx-dev.conf.in; do\n"
    "  case $f in */catetube-site.conf) continue ;;\n"
    "  *.in) to=nginx.conf ;; *) to=${f##*/} ;; esac\n"
    "  sed -e \"s|@HOME@|$D|g; s|@PORT@|$P|g\" \\\n"
    "    -e \"s|/run/catetube/fcgi.sock|$D/fcgi.sock|g\" \\\n"
    "    -e \"s|/var/lib/catetube/files|$D|g\" \\\n"
    "    -e 's/ \\(keepalive_time[out]* [0-9]*\\)s;/ \\100ms;/' \\\n"
    "    $f >\"$D/nginx/$to\"\n"
    "done\n";

static bool
is_open(int port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ok = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
	close(fd);
	return ok;
}

static void
nginx_start(void)
{
	char port[8], conf[128];
	const char *const sh[] = {"sh", "-c", files, NULL};
	const char *const argv[] = {"/usr/sbin/nginx", "-p", dir, "-e",
	    "stderr", "-c", conf, "-g",
	    getuid() == 0 ? "daemon off; user root;" : "daemon off;", NULL};
	struct env *e = env_default();
	int status, n = ct_free_port();

	snprintf(port, sizeof(port), "%d", n);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", n);
	snprintf(conf, sizeof(conf), "%s/nginx/nginx.conf", dir);
	env_add(e, "D", dir);
	env_add(e, "P", port);
	waitpid(spawn("sh.log", e, sh), &status, 0);
	if (status != 0)
		fail_msg("nginx files: %s", output("sh.log"));
	nginx = spawn("nginx.log", e, argv);
	UNTIL(is_open(n));
}

/* ------------------------------------------------------------ load */

struct load {
	pthread_t threads[CLIENTS];
	atomic_bool stop;
	atomic_int gets, posts;	 /* answered as they should be */
	atomic_int failed;	 /* answered otherwise, or not at all */
	atomic_int failed_posts; /* of them; each was sent again, same key */
	atomic_int lost;	 /* never acknowledged */
	atomic_int last;	 /* status of the last failure */
	_Atomic int64_t worst_ms;
};

static int
send_one(struct ct_http *h, struct ct_arena *a, bool post, const char *key)
{
	const char *lines[] = {ct_arena_printf(a, "Cookie: %s", cookie),
	    "Content-Type: application/json", "Origin: " ORIGIN,
	    ct_arena_printf(a, "Idempotency-Key: %s", key), NULL};
	struct ct_http_req req = {"GET", "/api/tracker/today", lines, {0}};
	struct ct_http_res res;

	if (post)
		req = (struct ct_http_req){"POST", "/api/feeding/", lines,
		    CT_STR("{\"amount_ml\":50}")};
	ct_http_send(h, a, &req, &res);
	return res.status;
}

static void
note_worst(struct load *l, int64_t ms)
{
	int64_t seen = atomic_load(&l->worst_ms);

	while (
	    ms > seen && !atomic_compare_exchange_weak(&l->worst_ms, &seen, ms))
		;
}

/* One request; a meal is sent until it is acknowledged. */
static void
turn(struct load *l, struct ct_http *h, struct ct_arena *a, bool post)
{
	struct ct_uuid u = ct_uuid_new();
	char key[CT_UUID_TEXT];
	int64_t begin;
	int status = 0;

	ct_uuid_format(&u, key);
	for (int try = 0; try < 50; try++) {
		begin = ct_mono_ms();
		status = send_one(h, a, post, key);
		note_worst(l, ct_mono_ms() - begin);
		if (status == (post ? 201 : 200)) {
			atomic_fetch_add(post ? &l->posts : &l->gets, 1);
			return;
		}
		atomic_fetch_add(&l->failed, 1);
		if (post)
			atomic_fetch_add(&l->failed_posts, 1);
		atomic_store(&l->last, status);
		if (!post)
			return;
		nap_ms(20);
	}
	atomic_fetch_add(&l->lost, 1);
}

static void *
client(void *p)
{
	struct load *l = p;
	struct ct_arena *keep = ct_arena_create(1 << 20);
	struct ct_arena *a = ct_arena_create(16 << 20);
	struct ct_http *h = ct_http_open(keep, base);

	for (unsigned i = 0; !atomic_load(&l->stop); i++) {
		turn(l, h, a, i % 2);
		ct_arena_reset(a);
	}
	ct_arena_destroy(keep);
	ct_arena_destroy(a);
	return NULL;
}

static void
load_start(struct load *l)
{
	memset(l, 0, sizeof(*l));
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(
		    pthread_create(&l->threads[i], NULL, client, l), 0);
	UNTIL(atomic_load(&l->posts) > 20);
}

static void
load_stop(struct load *l)
{
	atomic_store(&l->stop, true);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(l->threads[i], NULL);
}

static void
tell(const char *what, struct load *l)
{
	print_message("%s: %d GET and %d POST answered, %d failed (%d POST, "
		      "last %d), slowest %lld ms\n",
	    what, atomic_load(&l->gets), atomic_load(&l->posts),
	    atomic_load(&l->failed), atomic_load(&l->failed_posts),
	    atomic_load(&l->last), (long long)atomic_load(&l->worst_ms));
}

/* ------------------------------------------------------------ server */

static struct env *
two_children(void)
{
	struct env *e = env_default();

	env_add(e, "CATETUBE_CHILDREN", "2");
	env_add(e, "CATETUBE_DRAIN_S", "15");
	env_add(e, "CATETUBE_LOG_LEVEL", "info");
	return e;
}

static int
group_up(void **state)
{
	stores_up(state);
	server_start(two_children());
	cookie = sign_up();
	nginx_start();
	return 0;
}

static int
group_down(void **state)
{
	if (nginx)
		end_of(nginx, SIGTERM);
	return stores_down(state);
}

static bool
has_children(pid_t *out)
{
	return children(server, out, CHILDREN) == CHILDREN;
}

static bool
is_gone(pid_t pid)
{
	return kill(pid, 0) != 0;
}

/* ------------------------------------------------------------ tests */

static void
reloads_fail_nobody(void **state)
{
	int64_t before = meals();
	struct load l;

	(void)state;
	load_start(&l);
	for (int i = 0; i < RELOADS; i++) {
		pid_t old[CHILDREN];

		UNTIL(has_children(old));
		kill(server, SIGHUP);
		for (int k = 0; k < CHILDREN; k++)
			UNTIL(is_gone(old[k]));
	}
	load_stop(&l);
	tell("20 reloads", &l);
	assert_int_equal(atomic_load(&l.failed), 0);
	assert_int_equal(atomic_load(&l.lost), 0);
	assert_int_equal(meals() - before, atomic_load(&l.posts));
}

static void
a_child_that_drains_fails_nobody(void **state)
{
	pid_t old[CHILDREN];
	int64_t before = meals();
	struct load l;

	(void)state;
	UNTIL(has_children(old));
	load_start(&l);
	for (int i = 0; i < CHILDREN; i++) {
		kill(old[i], SIGTERM);
		UNTIL(is_gone(old[i]));
	}
	load_stop(&l);
	tell("each child stopped once", &l);
	assert_int_equal(atomic_load(&l.failed), 0);
	assert_int_equal(meals() - before, atomic_load(&l.posts));
	UNTIL(has_children(old));
}

static bool
is_replaced(pid_t dead)
{
	pid_t now[CHILDREN];

	return has_children(now) && now[0] != dead && now[1] != dead;
}

/* At most what it had in its hands fails; no acknowledged meal is lost. */
static void
a_killed_child_costs_what_it_held(void **state)
{
	int64_t before = meals(), worst = 0;
	int kills = 10;
	struct load l;

	(void)state;
	load_start(&l);
	for (int i = 0; i < kills; i++) {
		pid_t old[CHILDREN];
		int64_t begin, ms;

		UNTIL(has_children(old));
		begin = ct_mono_ms();
		kill(old[i % CHILDREN], SIGKILL);
		UNTIL(is_replaced(old[i % CHILDREN]));
		ms = ct_mono_ms() - begin;
		worst = ms > worst ? ms : worst;
		/* Older than a child that dies young. */
		nap_ms(1100);
	}
	load_stop(&l);
	tell("10 kills", &l);
	print_message(
	    "a killed child was replaced within %lld ms\n", (long long)worst);
	assert_true(worst < 200);
	assert_true(atomic_load(&l.failed) <= kills * CLIENTS);
	assert_int_equal(atomic_load(&l.lost), 0);
	assert_int_equal(meals() - before, atomic_load(&l.posts));
}

/* ------------------------------------------------------------ passed socket */

static int
listen_here(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int fd = fcntl(s, F_DUPFD_CLOEXEC, 20); /* well above 3 */

	close(s);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4096), 0);
	return fd;
}

/* As systemd starts it: the socket is descriptor 3. */
static pid_t
start_with(int fd)
{
	struct env *e = two_children();
	const char *const argv[] = {"sh", "-c",
	    "LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; "
	    "exec \"$PROGRAM\"",
	    NULL};
	int saved;
	pid_t pid;

	env_add(e, "PROGRAM", program());
	/* Something else may be 3 here. */
	saved = fcntl(3, F_DUPFD_CLOEXEC, 10);
	assert_int_equal(dup2(fd, 3), 3);
	pid = spawn("fcgi.log", e, argv);
	if (saved >= 0) {
		dup2(saved, 3);
		close(saved);
	} else {
		close(3);
	}
	return pid;
}

/* The socket is held outside: while nobody serves, clients wait. */
static void
a_restart_behind_a_passed_socket_fails_nobody(void **state)
{
	int64_t before = meals();
	struct load l;
	int fd;

	(void)state;
	assert_int_equal(server_stop(), 0);
	fd = listen_here(sock);
	server = start_with(fd);
	UNTIL(answers());
	load_start(&l);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(end_of(server, SIGTERM), 0);
		server = start_with(fd);
		UNTIL(answers());
	}
	load_stop(&l);
	tell("3 restarts behind a passed socket", &l);
	close(fd);
	assert_int_equal(atomic_load(&l.failed), 0);
	assert_int_equal(atomic_load(&l.lost), 0);
	assert_int_equal(meals() - before, atomic_load(&l.posts));
	assert_int_equal(server_stop(), 0);
	server_start(two_children());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reloads_fail_nobody),
	    cmocka_unit_test(a_child_that_drains_fails_nobody),
	    cmocka_unit_test(a_killed_child_costs_what_it_held),
	    cmocka_unit_test(a_restart_behind_a_passed_socket_fails_nobody),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
