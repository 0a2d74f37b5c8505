/* A FastCGI client for the tests; see fcgi_client.h. */
#include "tests/support/fcgi_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define SEND_S	20
#define READ_MS 20000
#define CHUNK	0xfff8u

void
ct_fcgi_header(struct ct_buf *b, unsigned version, unsigned type, unsigned id,
    unsigned claim, unsigned padding)
{
	const uint8_t h[8] = {(uint8_t)version, (uint8_t)type,
	    (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(claim >> 8),
	    (uint8_t)claim, (uint8_t)padding, 0};

	ct_buf_add(b, h, sizeof(h));
}

void
ct_fcgi_record(
    struct ct_buf *b, unsigned type, unsigned id, struct ct_str content)
{
	if (content.n > 0xffff)
		ct_bug("a record holds no %zu bytes", content.n);
	ct_fcgi_header(b, 1, type, id, (unsigned)content.n, 0);
	ct_buf_addstr(b, content);
}

void
ct_fcgi_begin(struct ct_buf *b, unsigned id, bool keep)
{
	const char body[8] = {0, 1, keep ? 1 : 0};

	ct_fcgi_record(b, CT_FCGI_BEGIN, id, (struct ct_str){body, 8});
}

static void
put_length(struct ct_buf *b, size_t n)
{
	if (n > 127) {
		ct_buf_addc(b, (char)(0x80 | (n >> 24 & 0x7f)));
		ct_buf_addc(b, (char)(n >> 16));
		ct_buf_addc(b, (char)(n >> 8));
	}
	ct_buf_addc(b, (char)n);
}

void
ct_fcgi_pair(struct ct_buf *b, struct ct_str name, struct ct_str value)
{
	put_length(b, name.n);
	put_length(b, value.n);
	ct_buf_addstr(b, name);
	ct_buf_addstr(b, value);
}

void
ct_fcgi_stream(
    struct ct_buf *b, unsigned type, unsigned id, struct ct_str content)
{
	while (content.n > 0) {
		size_t n = content.n < CHUNK ? content.n : CHUNK;

		ct_fcgi_record(b, type, id, (struct ct_str){content.p, n});
		content.p += n;
		content.n -= n;
	}
	ct_fcgi_record(b, type, id, CT_STR(""));
}

static void
pair(struct ct_buf *b, const char *name, const char *value)
{
	if (value)
		ct_fcgi_pair(b, ct_str_of(name), ct_str_of(value));
}

struct ct_str
ct_fcgi_request(struct ct_arena *a, const struct ct_fcgi_req *req)
{
	struct ct_buf b, params;
	char length[24];

	snprintf(length, sizeof(length), "%zu", req->body.n);
	ct_buf_init(&params, a, 1024);
	pair(&params, "REQUEST_METHOD", req->method);
	pair(&params, "DOCUMENT_URI", req->path);
	pair(&params, "QUERY_STRING", req->query ? req->query : "");
	pair(&params, "CONTENT_TYPE",
	    req->type	  ? req->type
	    : req->body.p ? "application/json"
			  : "");
	if (req->length || req->body.p)
		pair(&params, "CONTENT_LENGTH",
		    req->length ? req->length : length);
	pair(&params, "REMOTE_ADDR", "127.0.0.1");
	pair(&params, "REQUEST_ID", "0123456789abcdef0123456789abcdef");
	pair(&params, "HTTP_COOKIE", req->cookie);
	for (size_t i = 0; i < ct_countof(req->more) && req->more[i]; i++) {
		struct ct_str rest = ct_str_of(req->more[i]);
		struct ct_str name = ct_str_split(&rest, '=');

		ct_fcgi_pair(&params, name, rest);
	}
	ct_buf_init(&b, a, params.n + req->body.n + 256);
	ct_fcgi_begin(&b, 1, !req->close);
	ct_fcgi_stream(&b, CT_FCGI_PARAMS, 1, ct_buf_str(&params));
	ct_fcgi_stream(&b, CT_FCGI_STDIN, 1, req->body);
	return ct_buf_str(&b);
}

static uint32_t
dice(uint64_t *seed, size_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % n);
}

static void
fault(uint64_t *seed, struct ct_buf *b)
{
	size_t at = dice(seed, b->n), n = 1 + dice(seed, 16);

	if (n > b->n - at)
		n = b->n - at;
	switch (dice(seed, 5)) {
	case 0:
		b->p[at] = (char)dice(seed, 256);
		break;
	case 1:
		b->p[at] ^= (char)(1 << dice(seed, 8));
		break;
	case 2: /* cut out */
		memmove(b->p + at, b->p + at + n, b->n - at - n);
		b->n -= n;
		break;
	case 3: /* say it twice */
		ct_buf_room(b, n);
		memmove(b->p + at + n, b->p + at, b->n - at);
		b->n += n;
		break;
	default: /* cut off, now and then */
		b->n = dice(seed, 4) ? b->n : at;
		break;
	}
}

void
ct_fcgi_mutate(uint64_t *seed, struct ct_str whole, struct ct_buf *b)
{
	b->n = 0;
	ct_buf_addstr(b, whole);
	for (uint32_t k = 1 + dice(seed, 8); k > 0 && b->n > 0; k--)
		fault(seed, b);
}

int
ct_fcgi_dial(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct timeval tv = {SEND_S, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int why;

	if (fd < 0)
		return -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

bool
ct_fcgi_send(int fd, struct ct_str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return true;
}

/* True where something, or the end, can be read before the instant. */
static bool
readable(int fd, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;

	do {
		left = until_ms - ct_mono_ms();
		if (left < 0)
			left = 0;
		if (poll(&p, 1, (int)left) > 0)
			return true;
	} while (left > 0);
	return false;
}

/* Take n bytes; false at the end of file, an error or the time-out. */
static bool
take(int fd, void *out, size_t n, int64_t until_ms, bool *closed)
{
	char *p = out;

	while (n > 0) {
		ssize_t got;

		if (!readable(fd, until_ms))
			return false;
		got = recv(fd, p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			*closed = true;
			return false;
		}
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static void
split_head(struct ct_fcgi_res *res, const struct ct_buf *out)
{
	const char *gap = out->n ? memmem(out->p, out->n, "\r\n\r\n", 4) : NULL;
	struct ct_str digits;

	if (!gap)
		return;
	res->head = (struct ct_str){out->p, (size_t)(gap - out->p) + 2};
	res->body = (struct ct_str){gap + 4, out->n - res->head.n - 2};
	digits = ct_fcgi_head(res, "Status");
	if (digits.n >= 3)
		res->status = atoi(digits.p);
}

struct ct_fcgi_res
ct_fcgi_read(int fd, struct ct_arena *a, int timeout_ms)
{
	struct ct_fcgi_res res = {0};
	int64_t begin = ct_mono_ms(), until = begin + timeout_ms;
	struct ct_buf out;
	uint8_t h[8];

	ct_buf_init(&out, a, 4096);
	while (!res.ended && take(fd, h, sizeof(h), until, &res.closed)) {
		size_t n = (size_t)h[4] << 8 | h[5];
		char content[0xffff + 256];

		if (!take(fd, content, n + h[6], until, &res.closed))
			break;
		if (h[1] == CT_FCGI_STDOUT)
			ct_buf_add(&out, content, n);
		res.ended = h[1] == CT_FCGI_END;
	}
	ct_buf_addc(&out, '\0');
	out.n--;
	split_head(&res, &out);
	res.ms = ct_mono_ms() - begin;
	return res;
}

struct ct_fcgi_res
ct_fcgi_talk(int fd, struct ct_arena *a, const struct ct_fcgi_req *req)
{
	if (!ct_fcgi_send(fd, ct_fcgi_request(a, req)))
		return (struct ct_fcgi_res){.closed = true};
	return ct_fcgi_read(fd, a, READ_MS);
}

struct ct_fcgi_res
ct_fcgi_ask(const char *path, struct ct_arena *a, const struct ct_fcgi_req *req)
{
	int fd = ct_fcgi_dial(path);
	struct ct_fcgi_res res = {0};

	if (fd < 0)
		return res;
	res = ct_fcgi_talk(fd, a, req);
	close(fd);
	return res;
}

bool
ct_fcgi_wait_close(int fd, int timeout_ms)
{
	int64_t until = ct_mono_ms() + timeout_ms;
	bool closed = false;
	char trash[1024];

	while (!closed && readable(fd, until)) {
		ssize_t n = recv(fd, trash, sizeof(trash), 0);

		closed = n == 0 || (n < 0 && errno != EINTR);
	}
	return closed;
}

bool
ct_fcgi_wait_hangup(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, timeout_ms) > 0 && (p.revents & (POLLHUP | POLLERR));
}

struct ct_str
ct_fcgi_head(const struct ct_fcgi_res *res, const char *name)
{
	struct ct_str rest = res->head;

	while (rest.p) {
		struct ct_str line = ct_str_split(&rest, '\n');
		struct ct_str key = ct_str_split(&line, ':');

		if (line.p && ct_str_ieq(key, name)) {
			if (line.n > 0 && line.p[line.n - 1] == '\r')
				line.n--;
			return ct_str_trim(line);
		}
	}
	return (struct ct_str){0};
}
