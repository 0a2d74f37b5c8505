/*
 * The door to libfcgi; see serve.h. This file alone touches two fields below
 * the "don't use" line of FCGX_Request: ipcFd, to hand over a connection that
 * we accepted and to learn whether it is still open, and keepConnection,
 * because FCGX_Accept_r begins with a Finish that would close it otherwise.
 * ct_serve_check proves at every start that they still mean that.
 */
#include "fcgi/serve.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define USER_BYTES 512
#define ARENA_CAP  ((size_t)32 << 20)

struct ct_conn {
	FCGX_Request req;
	struct ct_arena *arena;
	_Alignas(16) char user[USER_BYTES];
};

static atomic_int open_count;

int
ct_conn_count(void)
{
	return atomic_load(&open_count);
}

static struct ct_conn *
conn_of(int fd)
{
	struct ct_conn *c = calloc(1, sizeof(*c));

	if (!c)
		ct_bug("out of memory");
	if (FCGX_InitRequest(&c->req, -1, 0) != 0)
		ct_bug("FCGX_InitRequest failed");
	c->req.ipcFd = fd;
	c->req.keepConnection = 1;
	/* Its close would wait up to 2 s for the peer's. */
	FCGX_Detach(&c->req);
	c->arena = ct_arena_create(ARENA_CAP);
	atomic_fetch_add(&open_count, 1);
	return c;
}

struct ct_conn *
ct_conn_accept(int listen_fd)
{
	struct timeval tv = {CT_CONN_TIMEOUT_S, 0};
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0) {
		close(fd);
		return NULL;
	}
	return conn_of(fd);
}

void
ct_conn_free(struct ct_conn *c)
{
	if (!c)
		return;
	FCGX_Free(&c->req, 0);
	if (c->req.ipcFd >= 0)
		close(c->req.ipcFd);
	ct_arena_destroy(c->arena);
	free(c);
	atomic_fetch_sub(&open_count, 1);
}

int
ct_conn_fd(const struct ct_conn *c)
{
	return c->req.ipcFd;
}

struct ct_arena *
ct_conn_arena(struct ct_conn *c)
{
	return c->arena;
}

void *
ct_conn_user(struct ct_conn *c)
{
	return c->user;
}

/* ------------------------------------------------------------ peeking */

#define PEEK_MAX (256 * 1024)

/* What is left to look at, and the content of one record of it. */
struct peek {
	uint8_t *p;
	size_t n;
	unsigned id;
	unsigned type;
	uint8_t *content;
	size_t len;
};

enum { BEGIN = 1, PARAMS = 4, STDIN = 5, RESPONDER = 1 };

/* The next record: of version 1, and of one request. */
static enum ct_rc
next_record(struct peek *k)
{
	size_t whole;

	if (k->n < 8)
		return k->n > 0 && k->p[0] != 1 ? CT_GONE_CLIENT : CT_RETRY;
	k->type = k->p[1];
	k->len = (size_t)k->p[4] << 8 | k->p[5];
	k->content = k->p + 8;
	if (k->p[0] != 1 || ((unsigned)k->p[2] << 8 | k->p[3]) != k->id)
		return CT_GONE_CLIENT;
	/* libfcgi forgets padding where it turns to the next stream. */
	if (k->p[6] > 0 && (k->type == BEGIN || k->len == 0))
		return CT_GONE_CLIENT;
	whole = 8 + k->len + k->p[6];
	if (k->n < whole)
		return CT_RETRY;
	k->p += whole;
	k->n -= whole;
	return CT_OK;
}

/* Records of the type up to its empty one; *n: their content, moved to out. */
static enum ct_rc
next_stream(struct peek *k, unsigned type, uint8_t *out, size_t *n)
{
	enum ct_rc rc;

	*n = 0;
	while ((rc = next_record(k)) == CT_OK) {
		if (k->type != type)
			return CT_GONE_CLIENT;
		if (k->len == 0)
			return CT_OK;
		memmove(out + *n, k->content, k->len);
		*n += k->len;
	}
	return rc;
}

static size_t
take_length(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *q = *p;
	size_t n = SIZE_MAX / 4;

	if (q < end && q[0] < 0x80) {
		n = q[0];
		*p += 1;
	} else if (end - q >= 4) {
		n = (size_t)(q[0] & 0x7f) << 24 | (size_t)q[1] << 16 |
		    (size_t)q[2] << 8 | q[3];
		*p += 4;
	}
	return n;
}

/* Names and values fill the stream exactly. */
static bool
pairs_ok(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		size_t name = take_length(&p, end);
		size_t value = take_length(&p, end);

		if (name + value > (size_t)(end - p))
			return false;
		p += name + value;
	}
	return true;
}

/* CONTENT_LENGTH of parameters that pairs_ok took; 0: none, or no number. */
static int64_t
said_length(const uint8_t *p, const uint8_t *end)
{
	static const struct ct_str want = {"CONTENT_LENGTH", 14};
	int64_t n = 0;

	while (p < end) {
		size_t name = take_length(&p, end);
		size_t value = take_length(&p, end);
		struct ct_str key = {(const char *)p, name};

		if (ct_str_eq(key, want) &&
		    !ct_str_i64((struct ct_str){(const char *)p + name, value},
			0, INT64_MAX, &n))
			return 0;
		p += name + value;
	}
	return n;
}

enum ct_rc
ct_conn_peek(const struct ct_conn *c)
{
	static uint8_t peeked[PEEK_MAX];
	ssize_t got =
	    recv(c->req.ipcFd, peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT);
	struct peek k = {.p = peeked, .n = got > 0 ? (size_t)got : 0};
	uint8_t *params = peeked + 16;
	enum ct_rc rc;
	size_t n;

	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR)
			   ? CT_RETRY
			   : CT_GONE_CLIENT;
	k.id = k.n >= 4 ? (unsigned)k.p[2] << 8 | k.p[3] : 0;
	rc = next_record(&k);
	if (rc != CT_OK)
		return rc;
	if (k.id == 0 || k.type != BEGIN || k.len != 8 || k.content[0] != 0 ||
	    k.content[1] != RESPONDER)
		return CT_GONE_CLIENT;
	rc = next_stream(&k, PARAMS, params, &n);
	if (rc == CT_OK && !pairs_ok(params, params + n))
		return CT_GONE_CLIENT;
	if (rc == CT_OK && said_length(params, params + n) > CT_BODY_MAX)
		return CT_TOOBIG;
	if (rc == CT_OK)
		rc = next_stream(&k, STDIN, params, &n);
	/* nginx sends one at a time; libfcgi would lose a second one. */
	return rc == CT_OK && k.n > 0 ? CT_GONE_CLIENT : rc;
}

enum ct_rc
ct_conn_begin(struct ct_conn *c)
{
	/* On end of file libfcgi closes and tries to accept on fd -1. */
	return FCGX_Accept_r(&c->req) < 0 ? CT_GONE_CLIENT : CT_OK;
}

char *const *
ct_conn_params(const struct ct_conn *c)
{
	return c->req.envp;
}

enum ct_rc
ct_conn_some(struct ct_conn *c, char *p, size_t n)
{
	return FCGX_GetStr(p, ct_int(n), c->req.in) == ct_int(n)
		   ? CT_OK
		   : CT_GONE_CLIENT;
}

enum ct_rc
ct_conn_body(struct ct_conn *c, char *p, size_t n)
{
	if (n > 0 && FCGX_GetStr(p, ct_int(n), c->req.in) != ct_int(n))
		return CT_GONE_CLIENT;
	if (FCGX_GetChar(c->req.in) != -1)
		return CT_GONE_CLIENT;
	return FCGX_GetError(c->req.in) ? CT_GONE_CLIENT : CT_OK;
}

void
ct_conn_close_after(struct ct_conn *c)
{
	c->req.keepConnection = 0;
}

void
ct_conn_write(struct ct_conn *c, struct ct_str s)
{
	/* A failed write shows in the stream and closes at the end. */
	FCGX_PutStr(s.p, ct_int(s.n), c->req.out);
}

bool
ct_conn_end(struct ct_conn *c)
{
	FCGX_Finish_r(&c->req);
	ct_arena_reset(c->arena);
	return c->req.ipcFd >= 0;
}

/* ------------------------------------------------------------ self-check */

/* BEGIN_REQUEST (responder, keep), one parameter, end of parameters, end of
 * input: a whole request, byte for byte. */
static const unsigned char whole[] = {
    1,
    1,
    0,
    1,
    0,
    8,
    0,
    0,
    0,
    1,
    1,
    0,
    0,
    0,
    0,
    0,
    1,
    4,
    0,
    1,
    0,
    5,
    0,
    0,
    1,
    2,
    'K',
    'o',
    'k',
    1,
    4,
    0,
    1,
    0,
    0,
    0,
    0,
    1,
    5,
    0,
    1,
    0,
    0,
    0,
    0,
};

static const char *
round_trip(struct ct_conn *c, int peer)
{
	int fd = ct_conn_fd(c);
	const char *v;

	if (write(peer, whole, sizeof(whole)) != (ssize_t)sizeof(whole))
		return "the socket pair took no bytes";
	if (ct_conn_begin(c) != CT_OK)
		return "FCGX_Accept_r took no request from ipcFd";
	v = FCGX_GetParam("K", c->req.envp);
	if (!v || strcmp(v, "ok") != 0)
		return "the parameter was not read";
	if (ct_conn_body(c, NULL, 0) != CT_OK)
		return "the end of input was not seen";
	if (!ct_conn_end(c) || ct_conn_fd(c) != fd)
		return "the kept connection was not left in ipcFd";
	return NULL;
}

enum ct_rc
ct_serve_check(struct ct_err *err)
{
	const char *why = NULL;
	struct ct_conn *c;
	int sv[2];

	if (FCGX_Init() != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return ct_fail(err, CT_INTERNAL, NULL,
		    "libfcgi did not start: %s", strerror(errno));
	c = conn_of(sv[0]);
	for (int i = 0; i < 2 && !why; i++)
		why = round_trip(c, sv[1]);
	close(sv[1]);
	if (!why && ct_conn_begin(c) == CT_OK)
		why = "a closed connection gave a request";
	ct_conn_free(c);
	if (why)
		return ct_fail(err, CT_INTERNAL, NULL,
		    "libfcgi does not behave as expected: %s", why);
	return CT_OK;
}
