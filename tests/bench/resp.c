/*
 * Redis' protocol for the bare front loop: see resp.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/resp.h"

static void
stop(const char *why)
{
	fprintf(stderr, "bench-bare: redis: %s\n", why);
	exit(1);
}

void
pipe_open(struct pipe *p, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memset(p, 0, sizeof(*p));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 ||
	    connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		stop("cannot connect");
	p->in_cap = 1 << 20;
	p->out_cap = 1 << 20;
	p->in = malloc(p->in_cap);
	p->out = malloc(p->out_cap);
	if (p->in == NULL || p->out == NULL)
		abort();
}

static void
put_size(struct pipe *p, char kind, size_t n)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = '\n';
	digits[--at] = '\r';
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	digits[--at] = kind;
	memcpy(p->out + p->out_n, digits + at, sizeof(digits) - at);
	p->out_n += sizeof(digits) - at;
}

void
pipe_add(struct pipe *p, int argc, const char *const *argv, const size_t *len)
{
	size_t want = 32;

	for (int i = 0; i < argc; i++)
		want += len[i] + 32;
	if (p->out_n + want > p->out_cap)
		stop("too much at once");
	put_size(p, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		put_size(p, '$', len[i]);
		memcpy(p->out + p->out_n, argv[i], len[i]);
		p->out_n += len[i];
		memcpy(p->out + p->out_n, "\r\n", 2);
		p->out_n += 2;
	}
}

void
pipe_send(struct pipe *p)
{
	for (size_t at = 0; at < p->out_n;) {
		ssize_t n =
		    send(p->fd, p->out + at, p->out_n - at, MSG_NOSIGNAL);

		if (n <= 0)
			stop("write failed");
		at += (size_t)n;
	}
	p->out_n = 0;
}

static void
more(struct pipe *p)
{
	ssize_t n;

	if (p->in_n == p->in_cap)
		stop("reply too large");
	n = recv(p->fd, p->in + p->in_n, p->in_cap - p->in_n, 0);
	if (n <= 0)
		stop("closed");
	p->in_n += (size_t)n;
}

/* The line that begins at `at`; *end is behind its CRLF. */
static const char *
line(struct pipe *p, size_t at, size_t *end)
{
	for (size_t from = at;;) {
		char *nl = from < p->in_n
			       ? memchr(p->in + from, '\n', p->in_n - from)
			       : NULL;

		if (nl != NULL) {
			*end = (size_t)(nl + 1 - p->in);
			return p->in + at;
		}
		from = p->in_n;
		more(p);
	}
}

/* One value at `at`; gives where it ends. */
static size_t
value(struct pipe *p, size_t at, size_t *text_at, size_t *text_n)
{
	size_t end;
	const char *s = line(p, at, &end);
	long n = strtol(s + 1, NULL, 10);

	switch (s[0]) {
	case '*':
		for (long i = 0; i < n; i++)
			end = value(p, end, text_at, text_n);
		return end;
	case '$':
		if (n < 0)
			return end;
		while (p->in_n < end + (size_t)n + 2)
			more(p);
		*text_at = end;
		*text_n = (size_t)n;
		return end + (size_t)n + 2;
	default:
		*text_at = at + 1;
		*text_n = end - at - 3;
		return end;
	}
}

/* Bytes are moved down only when all were used, or when little room is left. */
static void
make_room(struct pipe *p)
{
	if (p->in_at == p->in_n) {
		p->in_at = p->in_n = 0;
	} else if (p->in_at > p->in_cap / 2) {
		memmove(p->in, p->in + p->in_at, p->in_n - p->in_at);
		p->in_n -= p->in_at;
		p->in_at = 0;
	}
}

size_t
pipe_array(struct pipe *p)
{
	size_t end;
	const char *s;

	make_room(p);
	s = line(p, p->in_at, &end);
	if (s[0] != '*')
		stop("no array");
	p->in_at = end;
	return (size_t)strtoul(s + 1, NULL, 10);
}

char
pipe_reply(struct pipe *p, const char **text, size_t *n)
{
	size_t text_at = 0, begin;

	make_room(p);
	*n = 0;
	begin = p->in_at;
	p->in_at = value(p, begin, &text_at, n);
	*text = p->in + text_at;
	return p->in[begin];
}
