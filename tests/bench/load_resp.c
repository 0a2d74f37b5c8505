/*
 * Reading an HTTP/1.1 answer: status, length or chunks, ETag, close. Bodies
 * are counted and dropped.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/bench/load.h"

enum { C_SIZE, C_EXT, C_DATA, C_DATA_END, C_TRAILER, C_TRAILER_LINE };

void
resp_reset(struct resp *r)
{
	char *head = r->head;

	memset(r, 0, sizeof(*r));
	r->head = head;
}

static int
hex(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* One byte of the framing around chunks. 1: that was the last. */
static int
chunk_byte(struct resp *r, char ch)
{
	switch (r->chunk_state) {
	case C_SIZE:
		if (hex(ch) >= 0) {
			r->left = r->left * 16 + (uint64_t)hex(ch);
			return r->left > 1ull << 40 ? -1 : 0;
		}
		r->chunk_state = C_EXT;
		/* fallthrough */
	case C_EXT:
		if (ch == '\n')
			r->chunk_state = r->left > 0 ? C_DATA : C_TRAILER;
		return 0;
	case C_DATA_END:
		if (ch == '\n')
			r->chunk_state = C_SIZE;
		return ch == '\r' || ch == '\n' ? 0 : -1;
	case C_TRAILER:
		if (ch == '\n')
			return 1;
		if (ch != '\r')
			r->chunk_state = C_TRAILER_LINE;
		return 0;
	default:
		if (ch == '\n')
			r->chunk_state = C_TRAILER;
		return 0;
	}
}

static int
body(struct resp *r, const char *p, size_t n)
{
	if (!r->chunked) {
		if (n > r->left)
			return -1;
		r->left -= n;
		return r->left == 0;
	}
	for (size_t i = 0; i < n;) {
		size_t take = n - i;
		int rc;

		if (r->chunk_state == C_DATA) {
			if (take > r->left)
				take = (size_t)r->left;
			r->left -= take;
			if (r->left == 0)
				r->chunk_state = C_DATA_END;
			i += take;
			continue;
		}
		rc = chunk_byte(r, p[i++]);
		if (rc != 0)
			return rc == 1 && i == n ? 1 : -1;
	}
	return 0;
}

static bool
named(const char *line, size_t n, const char *name)
{
	size_t k = strlen(name);

	return n > k && strncasecmp(line, name, k) == 0;
}

static void
header(struct resp *r, const char *line, size_t n)
{
	if (named(line, n, "content-length: ")) {
		r->left = strtoull(line + 16, NULL, 10);
	} else if (named(line, n, "etag: ") && n - 6 < ETAG_MAX) {
		memcpy(r->etag, line + 6, n - 6);
		r->etag[n - 6] = '\0';
	} else if (named(line, n, "transfer-encoding: chunked")) {
		r->chunked = true;
	} else if (named(line, n, "connection: close")) {
		r->close = true;
	}
}

/* p holds the whole header, without its last empty line. */
static int
parse_head(struct resp *r, const char *p, size_t n)
{
	const char *end = p + n;

	if (n < 12 || memcmp(p, "HTTP/1.1 ", 9) != 0)
		return -1;
	r->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0';
	if (r->status < 100 || r->status >= STATUS_MAX)
		return -1;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl == NULL ? end : nl) - p);

		/* A name with a colon and a value; cheap tests first. */
		if (len > 6 && strchr("CcEeTt", p[0]) != NULL)
			header(r, p, p[len - 1] == '\r' ? len - 1 : len);
		p += len + 1;
	}
	if (r->status == 304 || r->status == 204) {
		r->left = 0;
		r->chunked = false;
	}
	r->in_body = true;
	return 0;
}

/*
 * A header in pieces: gather it. Gives how much of p belongs to the header, 0
 * while it is not whole, -1 where it is too long.
 */
static int64_t
gather(struct resp *r, const char *p, size_t n)
{
	size_t before = r->head_n;
	const char *gap;

	if (r->head == NULL) {
		r->head = malloc(HEAD_MAX);
		if (r->head == NULL)
			abort();
	}
	if (n > HEAD_MAX - before)
		n = HEAD_MAX - before;
	memcpy(r->head + before, p, n);
	r->head_n += n;
	gap = memmem(r->head, r->head_n, "\r\n\r\n", 4);
	if (gap == NULL)
		return r->head_n == HEAD_MAX ? -1 : 0;
	if (parse_head(r, r->head, (size_t)(gap - r->head)) != 0)
		return -1;
	return gap + 4 - r->head - (int64_t)before;
}

int
resp_feed(struct resp *r, const char *p, size_t n)
{
	const char *gap;
	int64_t head;

	if (r->in_body)
		return body(r, p, n);
	gap = r->head_n == 0 ? memmem(p, n, "\r\n\r\n", 4) : NULL;
	if (gap == NULL) {
		head = gather(r, p, n);
		if (head <= 0)
			return (int)head;
	} else {
		head = gap + 4 - p;
		if (parse_head(r, p, (size_t)(gap - p)) != 0)
			return -1;
	}
	p += head;
	n -= (size_t)head;
	if (n == 0 && !r->chunked)
		return r->left == 0;
	return body(r, p, n);
}
