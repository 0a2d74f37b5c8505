/* One child process at the other end of a pipe; see spawn.h. */
#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/str.h"

#define SLICE_MS 250
#define REAP_MS	 20

/* The ends of the child; -1 where it has /dev/null. */
struct ends {
	int in, out, err, fault;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_pair(int pair[2])
{
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

/* In the child. Only what may be called between fork and exec. */
static void CT_NORETURN
become(const struct ends *e, pid_t parent, const char *const *argv,
    const char *const *env)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int errnum;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(e->in >= 0 ? e->in : null, 0) == 0 &&
	    dup2(e->out >= 0 ? e->out : null, 1) == 1 && dup2(e->err, 2) == 2) {
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		execve(argv[0], (char *const *)argv, (char *const *)env);
	}
	errnum = errno;
	if (write(e->fault, &errnum, sizeof(errnum)) < 0)
		_exit(126);
	_exit(127);
}

static enum ct_rc
no_room(const struct ct_spawn *c, struct ct_err *err)
{
	int errnum = errno;

	ct_fail(err, CT_RETRY, "spawn", "%s cannot be started", c->name);
	return ct_err_detail(err, "%s", strerror(errnum));
}

/* Both ends of what connects us; ours is mine[0], the child's mine[1]. */
static bool
connect_ends(enum ct_spawn_way way, int data[2], int said[2], int fault[2])
{
	int types = SOCK_STREAM | SOCK_CLOEXEC;

	/* A socket towards the child: writing to one that has ended is an error
	 * then, and no signal. */
	return (way == CT_SPAWN_READS ? socketpair(AF_UNIX, types, 0, data)
				      : pipe2(data, O_CLOEXEC)) == 0 &&
	       pipe2(said, O_CLOEXEC) == 0 && pipe2(fault, O_CLOEXEC) == 0;
}

/* Why it could not be executed; 0: it was. */
static int
exec_fault(int fd)
{
	int errnum = 0;
	ssize_t n;

	do
		n = read(fd, &errnum, sizeof(errnum));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(errnum) ? errnum : 0;
}

static void
not_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void
name_it(struct ct_spawn *c, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(c->name, sizeof(c->name), "%s", slash ? slash + 1 : path);
	c->fd = c->err_fd = -1;
	c->said_n = 0;
}

enum ct_rc
ct_spawn_start(struct ct_spawn *c, enum ct_spawn_way way,
    const char *const *argv, const char *const *env, struct ct_err *err)
{
	int data[2] = {-1, -1}, said[2] = {-1, -1}, fault[2] = {-1, -1};
	bool reads = way == CT_SPAWN_READS;
	pid_t parent = getpid();
	int errnum;

	name_it(c, argv[0]);
	c->way = way;
	if (!connect_ends(way, data, said, fault) || (c->pid = fork()) < 0) {
		no_room(c, err);
		close_pair(data);
		close_pair(said);
		close_pair(fault);
		return err->rc;
	}
	if (c->pid == 0) {
		struct ends e = {reads ? data[1] : -1, reads ? -1 : data[1],
		    said[1], fault[1]};

		become(&e, parent, argv, env);
	}
	close_fd(&data[1]);
	close_fd(&said[1]);
	close_fd(&fault[1]);
	errnum = exec_fault(fault[0]);
	close_fd(&fault[0]);
	c->running = true;
	c->fd = data[0];
	c->err_fd = said[0];
	if (errnum != 0) {
		ct_spawn_kill(c);
		return ct_fail(err, CT_INVALID, "spawn", "cannot run %s: %s",
		    argv[0], strerror(errnum));
	}
	not_blocking(c->fd);
	not_blocking(c->err_fd);
	return CT_OK;
}

void
ct_spawn_kill(struct ct_spawn *c)
{
	if (!c->running)
		return;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->running = false;
	close_fd(&c->fd);
	close_fd(&c->err_fd);
}

/* What is on standard error now; at its end the descriptor goes. */
static void
take_said(struct ct_spawn *c)
{
	char rest[1024];

	while (c->err_fd >= 0) {
		size_t room = sizeof(c->said) - c->said_n;
		ssize_t n = read(c->err_fd, room ? c->said + c->said_n : rest,
		    room ? room : sizeof(rest));

		if (n > 0 && room)
			c->said_n += (size_t)n;
		else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			close_fd(&c->err_fd);
		else if (n < 0 && errno == EAGAIN)
			return;
	}
}

/* The first line that tells of an error, else the last one. */
static struct ct_str
reason(const struct ct_spawn *c)
{
	struct ct_str rest = {c->said, c->said_n}, last = CT_STR("");

	while (rest.p) {
		struct ct_str line = ct_str_trim(ct_str_split(&rest, '\n'));

		if (line.n > 0)
			last = line;
		if (memmem(line.p, line.n, "error", 5) ||
		    memmem(line.p, line.n, "ERROR", 5) ||
		    memmem(line.p, line.n, "FATAL", 5))
			return line;
	}
	return last;
}

static enum ct_rc
fail(struct ct_spawn *c, const char *how, struct ct_err *err)
{
	struct ct_str why;

	take_said(c);
	ct_spawn_kill(c);
	why = reason(c);
	ct_fail(err, CT_RETRY, "spawn", "%s %s", c->name, how);
	return ct_err_detail(
	    err, "%.*s", why.n > 240 ? 240 : ct_int(why.n), why.p);
}

/* Wait for a descriptor (-1: none, only a while) or standard error. */
static enum ct_rc
turn(struct ct_spawn *c, int fd, short events, int ms, int64_t since_ms,
    bool *ready, struct ct_err *err)
{
	struct pollfd p[2] = {
	    {.fd = fd, .events = events}, {.fd = c->err_fd, .events = POLLIN}};
	int n = poll(p, 2, ms);

	*ready = n > 0 && p[0].revents != 0;
	if (n > 0 && p[1].revents != 0)
		take_said(c);
	if (c->go_on && !c->go_on(c->arg)) {
		ct_spawn_kill(c);
		return ct_fail(
		    err, CT_RETRY, "stopped", "stopped while %s ran", c->name);
	}
	if (!*ready && ct_mono_ms() - since_ms > c->idle_ms)
		return fail(c, "does not go on", err);
	return CT_OK;
}

static enum ct_rc
await(struct ct_spawn *c, short events, struct ct_err *err)
{
	int64_t since_ms = ct_mono_ms();
	bool ready = false;

	while (!ready)
		if (turn(c, c->fd, events, SLICE_MS, since_ms, &ready, err) !=
		    CT_OK)
			return err->rc;
	return CT_OK;
}

enum ct_rc
ct_spawn_read(
    struct ct_spawn *c, void *buf, size_t size, size_t *n, struct ct_err *err)
{
	ssize_t got;

	for (;;) {
		if (await(c, POLLIN, err) != CT_OK)
			return err->rc;
		got = read(c->fd, buf, size);
		if (got >= 0)
			break;
		if (errno != EINTR && errno != EAGAIN)
			return fail(c, "cannot be read from", err);
	}
	*n = (size_t)got;
	return CT_OK;
}

enum ct_rc
ct_spawn_write(
    struct ct_spawn *c, const void *data, size_t n, struct ct_err *err)
{
	const char *p = data;

	while (n > 0) {
		ssize_t put;

		if (await(c, POLLOUT, err) != CT_OK)
			return err->rc;
		put = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			/* It has ended: with an error, or it would read on. */
			if (ct_spawn_end(c, err) != CT_OK)
				return err->rc;
			return ct_fail(err, CT_RETRY, "spawn",
			    "%s ended before it had read everything", c->name);
		} else if (errno != EINTR && errno != EAGAIN) {
			return fail(c, "cannot be written to", err);
		}
	}
	return CT_OK;
}

enum ct_rc
ct_spawn_end(struct ct_spawn *c, struct ct_err *err)
{
	int64_t since_ms = ct_mono_ms();
	int status = 0;
	bool ready;
	char how[48];

	close_fd(&c->fd);
	while (waitpid(c->pid, &status, WNOHANG) == 0)
		if (turn(c, -1, 0, c->err_fd >= 0 ? REAP_MS * 2 : REAP_MS,
			since_ms, &ready, err) != CT_OK)
			return err->rc;
	c->running = false;
	take_said(c);
	close_fd(&c->err_fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CT_OK;
	snprintf(how, sizeof(how),
	    WIFSIGNALED(status) ? "was ended by signal %d"
				: "failed with status %d",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return fail(c, how, err);
}
