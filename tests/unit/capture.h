/*
 * What a test sees of the process itself: the text written to standard error,
 * and whether a call aborts.
 */
#ifndef CT_TESTS_UNIT_CAPTURE_H
#define CT_TESTS_UNIT_CAPTURE_H

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct capture {
	int saved, fd;
};

static inline struct capture
capture_begin(void)
{
	struct capture c = {dup(STDERR_FILENO), memfd_create("stderr", 0)};

	assert_true(c.saved >= 0 && c.fd >= 0);
	assert_int_equal(dup2(c.fd, STDERR_FILENO), STDERR_FILENO);
	return c;
}

/* Restores standard error; returns how much was written, text in out. */
static inline size_t
capture_end(struct capture *c, char *out, size_t cap)
{
	ssize_t n;

	assert_int_equal(dup2(c->saved, STDERR_FILENO), STDERR_FILENO);
	n = pread(c->fd, out, cap - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	close(c->saved);
	close(c->fd);
	return (size_t)n;
}

/* True where fn(arg) aborts after a line that holds text. */
static inline bool
aborts(void (*fn)(void *arg), void *arg, const char *text)
{
	const struct rlimit none = {0, 0};
	struct capture c = capture_begin();
	char out[16384];
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		fn(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	capture_end(&c, out, sizeof(out));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
	       strstr(out, text) != NULL;
}

#endif
