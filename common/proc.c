/*
 * Signals as a file descriptor, listening sockets, and the door to libsystemd.
 * The prefork parent is in prefork.c.
 */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* --- signals ----------------------------------------------------------- */

static sigset_t
our_signals(void)
{
	static const int list[] = {
	    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ct_countof(list); i++)
		sigaddset(&set, list[i]);
	return set;
}

int
ct_signal_fd(void)
{
	sigset_t set = our_signals();

	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int
ct_signal_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do {
		n = read(fd, &info, sizeof(info));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void
ct_signal_reset(void)
{
	sigset_t set = our_signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* --- sockets ----------------------------------------------------------- */

enum ct_rc
ct_listen_passed(int *fd, struct ct_err *err)
{
	int n = sd_listen_fds(1);

	*fd = -1;
	if (n == 0)
		return CT_OK;
	if (n != 1) {
		ct_fail(err, CT_INVALID, NULL,
		    "Exactly one listening socket can be passed.");
		return ct_err_detail(err, "sd_listen_fds: %d", n);
	}
	if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return ct_fail(err, CT_INVALID, NULL,
		    "The socket that was passed is no listening stream "
		    "socket.");
	/* systemd passes a blocking one unless it is told otherwise. */
	if (fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK) != 0) {
		ct_fail(err, CT_INTERNAL, NULL,
		    "The socket that was passed cannot be used.");
		return ct_err_detail(err, "fcntl: %s", strerror(errno));
	}
	*fd = SD_LISTEN_FDS_START;
	return CT_OK;
}

static enum ct_rc
listen_failed(int s, const char *path, const char *what, struct ct_err *err)
{
	int why = errno;

	if (s >= 0)
		close(s);
	ct_fail(err, CT_INTERNAL, NULL, "Cannot listen on %s.", path);
	return ct_err_detail(err, "%s: %s", what, strerror(why));
}

/* True where something at the path must not be removed. */
static bool
is_taken(const struct sockaddr_un *at)
{
	struct stat st;
	bool refused;
	int s;

	if (lstat(at->sun_path, &st) < 0)
		return errno != ENOENT;
	if (!S_ISSOCK(st.st_mode))
		return true;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return true;
	refused = connect(s, (const struct sockaddr *)at, sizeof(*at)) < 0 &&
		  errno == ECONNREFUSED;
	close(s);
	return !refused;
}

enum ct_rc
ct_listen_unix(const char *path, int *fd, struct ct_err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct sockaddr *addr = (const struct sockaddr *)&at;
	size_t n = strlen(path);
	int s;

	*fd = -1;
	if (n == 0 || n >= sizeof(at.sun_path))
		return ct_fail(err, CT_INVALID, NULL,
		    "The path of a socket has 1 to %zu bytes.",
		    sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, n);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return listen_failed(s, path, "socket", err);
	if (bind(s, addr, sizeof(at)) < 0) {
		if (errno != EADDRINUSE)
			return listen_failed(s, path, "bind", err);
		if (is_taken(&at)) {
			close(s);
			return ct_fail(
			    err, CT_CONFLICT, NULL, "%s is in use.", path);
		}
		unlink(path);
		if (bind(s, addr, sizeof(at)) < 0)
			return listen_failed(s, path, "bind", err);
	}
	/* Nobody can connect before listen(2): no moment of a wider mode. */
	if (chmod(path, 0660) < 0)
		return listen_failed(s, path, "chmod", err);
	if (listen(s, BACKLOG) < 0)
		return listen_failed(s, path, "listen", err);
	*fd = s;
	return CT_OK;
}

/* --- systemd ----------------------------------------------------------- */

void
ct_notify(const char *state)
{
	sd_notify(0, state);
}

int64_t
ct_watchdog_ms(void)
{
	uint64_t us = 0;

	if (sd_watchdog_enabled(0, &us) <= 0)
		return 0;
	return (int64_t)(us / 2000);
}
