/*
 * Process control without children: systemd's variables, listening sockets,
 * signals as a descriptor.
 */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"

static struct ct_err err;

static void
test_watchdog_period(void **state)
{
	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(ct_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "10000000", 1);
	assert_int_equal(ct_watchdog_ms(), 5000);
	unsetenv("WATCHDOG_USEC");
}

/* --- sockets and signals ----------------------------------------------- */

static void
test_listen_unix(void **state)
{
	char dir[] = "/tmp/ct-proc-XXXXXX";
	char path[48];
	struct stat st;
	int fd, again;
	mode_t mask = umask(0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(ct_listen_unix(path, &fd, &err), CT_OK);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* somebody listens: left alone */
	assert_int_equal(ct_listen_unix(path, &again, &err), CT_CONFLICT);
	assert_int_equal(again, -1);
	assert_int_equal(stat(path, &st), 0);
	/* nobody does: replaced */
	close(fd);
	assert_int_equal(ct_listen_unix(path, &fd, &err), CT_OK);
	close(fd);
	unlink(path);
	/* no socket at all: left alone */
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(ct_listen_unix(path, &fd, &err), CT_CONFLICT);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);
	rmdir(dir);
}

static void
test_listen_unix_refuses_paths(void **state)
{
	char path[200];
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ct_listen_unix(path, &fd, &err), CT_INVALID);
	assert_int_equal(ct_listen_unix("", &fd, &err), CT_INVALID);
	assert_int_equal(
	    ct_listen_unix("/nonexistent/s", &fd, &err), CT_INTERNAL);
}

/* As systemd passes them: descriptors from 3, their number, our pid. */
static int
passed(int type, bool listening, const char *n)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int s = socket(AF_UNIX, type, 0);
		char me[16];
		int fd = -2;
		enum ct_rc rc;

		bind(s, &(struct sockaddr){.sa_family = AF_UNIX},
		    sizeof(sa_family_t));
		if (listening)
			listen(s, 1);
		dup2(s, 3);
		snprintf(me, sizeof(me), "%d", (int)getpid());
		setenv("LISTEN_PID", me, 1);
		setenv("LISTEN_FDS", n, 1);
		rc = ct_listen_passed(&fd, &err);
		_exit((int)rc * 16 + fd + 1);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void
test_listen_passed(void **state)
{
	int fd;

	(void)state;
	unsetenv("LISTEN_FDS");
	assert_int_equal(ct_listen_passed(&fd, &err), CT_OK);
	assert_int_equal(fd, -1);
	assert_int_equal(passed(SOCK_STREAM, true, "1"), CT_OK * 16 + 4);
	assert_int_equal(passed(SOCK_STREAM, false, "1"), CT_INVALID * 16);
	assert_int_equal(passed(SOCK_DGRAM, false, "1"), CT_INVALID * 16);
	assert_int_equal(passed(SOCK_STREAM, true, "2"), CT_INVALID * 16);
}

static void
test_signals_as_a_descriptor(void **state)
{
	int fd = ct_signal_fd();

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ct_signal_next(fd), 0);
	raise(SIGHUP);
	raise(SIGUSR1);
	assert_int_equal(
	    ct_signal_next(fd) + ct_signal_next(fd), SIGHUP + SIGUSR1);
	assert_int_equal(ct_signal_next(fd), 0);
	close(fd);
	ct_signal_reset();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_watchdog_period),
	    cmocka_unit_test(test_listen_unix),
	    cmocka_unit_test(test_listen_unix_refuses_paths),
	    cmocka_unit_test(test_listen_passed),
	    cmocka_unit_test(test_signals_as_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
