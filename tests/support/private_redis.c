/*
 * Start, stop, crash and restart a redis-server on a unix socket.
 */
#include "tests/support/private_redis.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { START_MAX_MS = 5000, STEP_MS = 5 };

static void
nap(void)
{
	nanosleep(&(struct timespec){0, STEP_MS * 1000000L}, NULL);
}

static int
dial(const struct ct_private_redis *s)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct timeval tv = {2, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One command, one read: enough for the short answers that tests ask for. */
static bool
ask(const struct ct_private_redis *s, const char *command, char *out,
    size_t cap)
{
	int fd = dial(s);
	ssize_t n = -1;

	out[0] = '\0';
	if (fd < 0)
		return false;
	if (send(fd, command, strlen(command), MSG_NOSIGNAL) > 0 &&
	    send(fd, "\r\n", 2, MSG_NOSIGNAL) == 2)
		n = recv(fd, out, cap - 1, 0);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

void
ct_private_redis_ask(const struct ct_private_redis *s, const char *command,
    char *out, size_t cap)
{
	assert_true(ask(s, command, out, cap));
}

static void
exec_server(const struct ct_private_redis *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
	    s->path, "--dir", s->dir, "--save", "", "--appendfsync", "always",
	    "--appendonly", s->aof ? "yes" : "no", s->extra[0], s->extra[1],
	    (char *)NULL);
	_exit(127);
}

/* Up also where it wants a password or loads its data no longer. */
static bool
is_up(const struct ct_private_redis *s)
{
	char out[128];

	return ask(s, "PING", out, sizeof(out)) &&
	       strncmp(out, "-LOADING", 8) != 0;
}

void
ct_private_redis_start(struct ct_private_redis *s)
{
	assert_int_equal(s->pid, 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		exec_server(s);
	for (int ms = 0; ms < START_MAX_MS; ms += STEP_MS) {
		assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
		if (is_up(s))
			return;
		nap();
	}
	fail_msg("redis-server did not start in %s", s->dir);
}

void
ct_private_redis_begin(struct ct_private_redis *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/ct-redis-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->dir);
	snprintf(s->url, sizeof(s->url), "unix://%s", s->path);
	s->pid = 0;
	ct_private_redis_start(s);
}

static void
end_by(struct ct_private_redis *s, int sig)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGCONT);
	kill(s->pid, sig);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
ct_private_redis_stop(struct ct_private_redis *s)
{
	end_by(s, SIGTERM);
}

void
ct_private_redis_crash(struct ct_private_redis *s)
{
	end_by(s, SIGKILL);
}

void
ct_private_redis_end(struct ct_private_redis *s)
{
	pid_t pid;

	end_by(s, SIGKILL);
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", s->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}
