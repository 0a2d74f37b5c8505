/*
 * The prefork parent: a real one with children that write down what happens
 * to them on a shared board.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/proc.h"

enum { SLOTS = 2, EVENTS = 512, WAIT_MS = 5000 };
enum how { SERVE, STUBBORN, CRASH, SLOW_READY };
enum what { STARTED = 1, READY, ASKED, ENDED };

struct event {
	atomic_int what; /* 0: not written yet */
	pid_t pid;
	unsigned slot;
	int64_t at_ms;
};

/* Shared by the test, the parent and its children. */
struct board {
	atomic_int how;
	atomic_int refuse_reload;
	atomic_int work_ms; /* from SIGTERM to the end of a child */
	atomic_uint n;
	struct event e[EVENTS];
};

static struct board *board;
static pid_t parent;
static struct ct_err err;

static void
nap_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void
note(enum what what, unsigned slot)
{
	struct event *e = &board->e[atomic_fetch_add(&board->n, 1) % EVENTS];

	e->pid = getpid();
	e->slot = slot;
	e->at_ms = ct_mono_ms();
	atomic_store(&e->what, (int)what);
}

static int
child(void *arg, unsigned slot, int ready_fd)
{
	enum how how = (enum how)atomic_load(&board->how);
	int fd = ct_signal_fd();
	sigset_t open;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)arg;
	/* what the parent set for these shows only where they are open */
	sigemptyset(&open);
	sigaddset(&open, SIGINT);
	sigaddset(&open, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &open, NULL);
	note(STARTED, slot);
	if (how == CRASH)
		return 1;
	if (how == SLOW_READY)
		nap_ms(150);
	note(READY, slot);
	if (write(ready_fd, "1", 1) != 1)
		return 2;
	for (;;) {
		poll(&p, 1, -1);
		if (ct_signal_next(fd) != SIGTERM)
			continue;
		note(ASKED, slot);
		if (how == STUBBORN)
			continue;
		nap_ms(atomic_load(&board->work_ms));
		note(ENDED, slot);
		return 0;
	}
}

static enum ct_rc
reload(void *arg, struct ct_err *e)
{
	(void)arg;
	if (atomic_load(&board->refuse_reload))
		return ct_fail(e, CT_INVALID, NULL, "A bad option.");
	return CT_OK;
}

static void
start_parent(enum how how, int64_t drain_ms)
{
	struct ct_children_opt opt = {
	    .name = "test", .n = SLOTS, .drain_ms = drain_ms, .main = child};

	atomic_store(&board->how, (int)how);
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(ct_prefork(&opt, reload));
	}
}

static int
begin(void **state)
{
	(void)state;
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(board != MAP_FAILED);
	parent = 0;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	if (parent > 0) {
		kill(parent, SIGKILL);
		waitpid(parent, NULL, 0);
	}
	munmap(board, sizeof(*board));
	return 0;
}

/* --- reading the board ------------------------------------------------- */

static unsigned
count(enum what what, pid_t pid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < EVENTS; i++) {
		const struct event *e = &board->e[i];

		if (atomic_load(&e->what) == (int)what &&
		    (!pid || e->pid == pid))
			n++;
	}
	return n;
}

/* The nth event (from 0) of a kind, NULL where there are fewer. */
static const struct event *
nth(enum what what, unsigned n)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		if (atomic_load(&board->e[i].what) == (int)what && n-- == 0)
			return &board->e[i];
	}
	return NULL;
}

static void
await(enum what what, unsigned n)
{
	int64_t end_ms = ct_mono_ms() + WAIT_MS;

	while (count(what, 0) < n) {
		if (ct_mono_ms() > end_ms)
			fail_msg(
			    "event %d: %u of %u", (int)what, count(what, 0), n);
		nap_ms(2);
	}
}

static int
await_parent(void)
{
	int64_t end_ms = ct_mono_ms() + WAIT_MS;
	int status = 0;

	while (waitpid(parent, &status, WNOHANG) == 0) {
		assert_true(ct_mono_ms() < end_ms);
		nap_ms(2);
	}
	parent = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool
is_gone(pid_t pid)
{
	int64_t end_ms = ct_mono_ms() + WAIT_MS;

	while (kill(pid, 0) == 0) {
		if (ct_mono_ms() > end_ms)
			return false;
		nap_ms(2);
	}
	return true;
}

/* --- the parent -------------------------------------------------------- */

static void
test_killed_child_is_replaced(void **state)
{
	int64_t start_ms;
	unsigned slot;

	(void)state;
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	slot = nth(READY, 0)->slot;
	start_ms = ct_mono_ms();
	kill(nth(READY, 0)->pid, SIGKILL);
	await(READY, SLOTS + 1);
	assert_int_equal(nth(READY, SLOTS)->slot, slot);
	assert_true(ct_mono_ms() - start_ms < 200);
}

static void
test_term_drains(void **state)
{
	(void)state;
	atomic_store(&board->work_ms, 200);
	start_parent(SERVE, 3000);
	await(READY, SLOTS);
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 0);
	assert_int_equal(count(ASKED, 0), SLOTS);
	assert_int_equal(count(ENDED, 0), SLOTS);
	assert_int_equal(count(STARTED, 0), SLOTS);
}

static void
test_second_term_ends_at_once(void **state)
{
	int64_t start_ms;

	(void)state;
	start_parent(STUBBORN, 60000);
	await(READY, SLOTS);
	kill(parent, SIGTERM);
	await(ASKED, SLOTS);
	start_ms = ct_mono_ms();
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 1);
	assert_true(ct_mono_ms() - start_ms < 1000);
	assert_true(is_gone(nth(READY, 0)->pid));
}

static void
test_drain_has_an_end(void **state)
{
	int64_t start_ms;

	(void)state;
	start_parent(STUBBORN, 300);
	await(READY, SLOTS);
	start_ms = ct_mono_ms();
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 1);
	assert_in_range(ct_mono_ms() - start_ms, 295, 1500);
}

/* Each new child is ready before an old one is asked to go. */
static void
test_hup_rolls(void **state)
{
	(void)state;
	start_parent(SERVE, 3000);
	await(READY, SLOTS);
	atomic_store(&board->how, SLOW_READY);
	kill(parent, SIGHUP);
	await(ENDED, SLOTS);
	assert_int_equal(count(STARTED, 0), 2 * SLOTS);
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct event *fresh = nth(READY, SLOTS + i);
		const struct event *old = nth(ASKED, i);

		assert_int_equal(old->pid,
		    nth(READY, old->slot == nth(READY, 0)->slot ? 0 : 1)->pid);
		assert_int_equal(old->slot, fresh->slot);
		assert_true(fresh->at_ms <= old->at_ms);
	}
	/* one after another */
	assert_true(nth(STARTED, SLOTS + 1)->at_ms >= nth(READY, SLOTS)->at_ms);
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 0);
}

static void
test_refused_reload_changes_nothing(void **state)
{
	(void)state;
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	atomic_store(&board->refuse_reload, 1);
	kill(parent, SIGHUP);
	nap_ms(200);
	assert_int_equal(count(STARTED, 0), SLOTS);
	assert_int_equal(count(ASKED, 0), 0);
	atomic_store(&board->refuse_reload, 0);
	kill(parent, SIGHUP);
	await(ASKED, SLOTS);
}

/* New children that cannot start: the old ones go on serving. */
static void
test_broken_reload_keeps_the_old(void **state)
{
	(void)state;
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	atomic_store(&board->how, CRASH);
	kill(parent, SIGHUP);
	await(STARTED, SLOTS + 1);
	nap_ms(300);
	assert_int_equal(count(STARTED, 0), SLOTS + 1);
	assert_int_equal(count(ASKED, 0), 0);
	assert_int_equal(kill(nth(READY, 0)->pid, 0), 0);
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 0);
	assert_int_equal(count(ENDED, 0), SLOTS);
}

/* At once, then after 100, 200, 400 ms: 4 starts in the first 500 ms. */
static void
test_crash_loop_is_slowed(void **state)
{
	unsigned n;

	(void)state;
	start_parent(CRASH, 1000);
	await(STARTED, 2 * SLOTS);
	nap_ms(500);
	n = count(STARTED, 0);
	assert_in_range(n, 3 * SLOTS, 5 * SLOTS);
	atomic_store(&board->how, SERVE);
	await(READY, SLOTS);
	kill(parent, SIGTERM);
	assert_int_equal(await_parent(), 0);
}

static void
test_children_drain_when_the_parent_dies(void **state)
{
	(void)state;
	atomic_store(&board->work_ms, 50);
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	parent = 0;
	await(ENDED, SLOTS);
}

/* Ctrl-C and a closed terminal reach the whole group: the parent decides. */
static void
test_children_ignore_int_and_hup(void **state)
{
	(void)state;
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	kill(nth(READY, 0)->pid, SIGINT);
	kill(nth(READY, 0)->pid, SIGHUP);
	nap_ms(100);
	assert_int_equal(count(STARTED, 0), SLOTS);
	kill(parent, SIGINT);
	assert_int_equal(await_parent(), 0);
	assert_int_equal(count(ENDED, 0), SLOTS);
}

static void
test_restarts_are_counted(void **state)
{
	char dir[] = "/tmp/ct-proc-XXXXXX";
	char path[48];
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_buf b;
	bool counted = false;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ct_metrics_open(dir, &err), CT_OK);
	start_parent(SERVE, 1000);
	await(READY, SLOTS);
	kill(nth(READY, 0)->pid, SIGKILL);
	await(READY, SLOTS + 1);
	/* The child may be ready before its parent has counted it. */
	for (int i = 0; i < WAIT_MS && !counted; i++) {
		usleep(1000);
		ct_arena_reset(a);
		ct_buf_init(&b, a, 256);
		ct_metrics_render(&b);
		ct_buf_addc(&b, '\0');
		counted =
		    strstr(b.p, "catetube_child_restarts_total{proc=\"test\"} "
				"1\n") != NULL;
	}
	assert_true(counted);
	ct_arena_destroy(a);
	snprintf(path, sizeof(path), "%s/metrics", dir);
	unlink(path);
	rmdir(dir);
}

/* --- systemd ----------------------------------------------------------- */

/* A socket as systemd's: the next message that arrives within the wait. */
static void
next_notice(int s, char *out, size_t cap)
{
	struct pollfd p = {.fd = s, .events = POLLIN};
	ssize_t n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	n = recv(s, out, cap - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
}

static void
test_systemd_is_told(void **state)
{
	char dir[] = "/tmp/ct-proc-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char got[128];
	int s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", dir);
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	start_parent(SLOW_READY, 1000);
	unsetenv("NOTIFY_SOCKET");
	next_notice(s, got, sizeof(got));
	assert_string_equal(got, "READY=1");
	assert_int_equal(count(READY, 0), SLOTS);
	kill(parent, SIGHUP);
	next_notice(s, got, sizeof(got));
	assert_int_equal(strncmp(got, "RELOADING=1", 11), 0);
	next_notice(s, got, sizeof(got));
	assert_string_equal(got, "READY=1");
	kill(parent, SIGTERM);
	next_notice(s, got, sizeof(got));
	assert_string_equal(got, "STOPPING=1");
	assert_int_equal(await_parent(), 0);
	close(s);
	unlink(at.sun_path);
	rmdir(dir);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_killed_child_is_replaced),
	    CASE(test_term_drains),
	    CASE(test_second_term_ends_at_once),
	    CASE(test_drain_has_an_end),
	    CASE(test_hup_rolls),
	    CASE(test_refused_reload_changes_nothing),
	    CASE(test_broken_reload_keeps_the_old),
	    CASE(test_crash_loop_is_slowed),
	    CASE(test_children_drain_when_the_parent_dies),
	    CASE(test_children_ignore_int_and_hup),
	    CASE(test_restarts_are_counted),
	    CASE(test_systemd_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
