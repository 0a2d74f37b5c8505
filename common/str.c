/*
 * Borrowed views, UTF-8 checks, and growable buffers on an arena.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"

#define DIGITS_MAX 20 /* of an int64_t and its sign */

struct ct_str
ct_str_of(const char *cstr)
{
	return (struct ct_str){cstr, cstr ? strlen(cstr) : 0};
}

/* Absent equals absent only: NULL in SQL is not the empty text. */
bool
ct_str_eq(struct ct_str a, struct ct_str b)
{
	if (!a.p || !b.p)
		return a.p == b.p;
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool
ct_str_is(struct ct_str a, const char *cstr)
{
	return ct_str_eq(a, ct_str_of(cstr));
}

static unsigned char
lower(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool
ct_str_ieq(struct ct_str a, const char *cstr)
{
	struct ct_str b = ct_str_of(cstr);
	size_t i;

	if (!a.p || !b.p)
		return a.p == b.p;
	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
ct_str_starts(struct ct_str a, struct ct_str prefix)
{
	if (!a.p || !prefix.p)
		return false;
	return a.n >= prefix.n && memcmp(a.p, prefix.p, prefix.n) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct ct_str
ct_str_trim(struct ct_str s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct ct_str
ct_str_split(struct ct_str *rest, char c)
{
	struct ct_str part = *rest;
	const char *at;

	at = part.n > 0 ? memchr(part.p, c, part.n) : NULL;
	if (!at) {
		*rest = (struct ct_str){NULL, 0};
		return part;
	}
	part.n = (size_t)(at - part.p);
	rest->p = at + 1;
	rest->n -= part.n + 1;
	return part;
}

char *
ct_str_cstr(struct ct_arena *a, struct ct_str s)
{
	return ct_arena_dup(a, s.p, s.n);
}

struct ct_str
ct_str_dup(struct ct_arena *a, struct ct_str s)
{
	if (!s.p)
		return s;
	return (struct ct_str){ct_arena_dup(a, s.p, s.n), s.n};
}

/* Written from the end of text. */
static struct ct_str
digits(char text[DIGITS_MAX], int64_t v)
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char *end = text + DIGITS_MAX, *p = end;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	if (v < 0)
		*--p = '-';
	return (struct ct_str){p, (size_t)(end - p)};
}

struct ct_str
ct_str_of_i64(struct ct_arena *a, int64_t v)
{
	char text[DIGITS_MAX];

	return ct_str_dup(a, digits(text, v));
}

bool
ct_str_i64(struct ct_str s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t v = 0;
	int digit;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		digit = s.p[i] - '0';
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, negative ? digit : -digit, &v))
			return false;
	}
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

/* Bytes of the sequence at p, n > 0 bytes being there; 0: ill-formed. */
static size_t
utf8_step(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte */
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	switch (p[0]) {
	case 0xe0: /* overlong below */
		lo = 0xa0;
		break;
	case 0xed: /* surrogates above */
		hi = 0x9f;
		break;
	case 0xf0: /* overlong below */
		lo = 0x90;
		break;
	case 0xf4: /* past U+10FFFF above */
		hi = 0x8f;
		break;
	default:
		break;
	}
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Most text is ASCII: eight bytes a time while no top bit is set. */
bool
ct_utf8_ok(struct ct_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, step;
	uint64_t word;

	while (i < s.n) {
		if (s.n - i >= sizeof(word)) {
			memcpy(&word, p + i, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				i += sizeof(word);
				continue;
			}
		}
		do {
			step = utf8_step(p + i, s.n - i);
			if (step == 0)
				return false;
			i += step;
		} while (i < s.n && p[i] >= 0x80);
	}
	return true;
}

size_t
ct_utf8_len(struct ct_str s)
{
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void
ct_buf_init(struct ct_buf *b, struct ct_arena *a, size_t cap)
{
	*b = (struct ct_buf){ct_arena_raw(a, cap), 0, cap, a};
}

char *
ct_buf_room(struct ct_buf *b, size_t n)
{
	size_t cap;

	if (n > b->cap - b->n) {
		if (__builtin_add_overflow(b->n, n, &cap))
			ct_bug("buffer of %zu bytes cannot take %zu more", b->n,
			    n);
		if (cap < b->cap * 2)
			cap = b->cap * 2;
		b->p = ct_arena_grow(b->a, b->p, b->cap, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

void
ct_buf_add(struct ct_buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(ct_buf_room(b, n), p, n);
	b->n += n;
}

void
ct_buf_adds(struct ct_buf *b, const char *cstr)
{
	ct_buf_add(b, cstr, strlen(cstr));
}

void
ct_buf_addstr(struct ct_buf *b, struct ct_str s)
{
	ct_buf_add(b, s.p, s.n);
}

void
ct_buf_addc(struct ct_buf *b, char c)
{
	*ct_buf_room(b, 1) = c;
	b->n++;
}

void
ct_buf_addi(struct ct_buf *b, int64_t v)
{
	char text[DIGITS_MAX];
	struct ct_str s = digits(text, v);

	ct_buf_add(b, s.p, s.n);
}

void
ct_buf_addf(struct ct_buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->n, n;
	va_list ap;

	va_start(ap, fmt);
	n = ct_size(vsnprintf(b->p + b->n, room, fmt, ap));
	va_end(ap);
	if (n >= room) {
		ct_buf_room(b, n + 1);
		va_start(ap, fmt);
		vsnprintf(b->p + b->n, n + 1, fmt, ap);
		va_end(ap);
	}
	b->n += n;
}
