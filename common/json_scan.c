/*
 * The strict scan: RFC 8259 without recursion, one pass, before cJSON sees a
 * byte. It refuses all that cJSON would let through or read differently.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_internal.h"

/* A key as it reads after unescaping, and where it stood. */
struct key {
	const char *p;
	size_t n;
	size_t at;
};

struct level {
	bool obj;
	size_t first_key; /* keys of this object: from here to the top */
};

struct scan {
	const char *p;
	size_t n;
	size_t i;
	struct ct_arena *a;
	unsigned depth;
	unsigned max_depth;
	struct level level[CT_JSON_DEPTH_CAP + 1];
	struct key *keys;
	size_t nkeys;
	size_t cap_keys;
	const char *what; /* the fault */
	size_t at;
};

static bool
fault_at(struct scan *s, size_t at, const char *what)
{
	s->what = what;
	s->at = at;
	return false;
}

static bool
fault(struct scan *s, const char *what)
{
	return fault_at(s, s->i, s->i < s->n ? what : "text ends too early");
}

static int
peek(const struct scan *s)
{
	return s->i < s->n ? (unsigned char)s->p[s->i] : -1;
}

static void
blanks(struct scan *s)
{
	while (s->i < s->n && memchr(" \t\n\r", s->p[s->i], 4))
		s->i++;
}

static int
hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p as a number, -1 where they are none. */
static long
hex4(const char *p)
{
	long v = 0;

	for (int k = 0; k < 4; k++) {
		int d = hex_digit((unsigned char)p[k]);

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

static bool
is_high(long u)
{
	return u >= 0xD800 && u <= 0xDBFF;
}

static bool
is_low(long u)
{
	return u >= 0xDC00 && u <= 0xDFFF;
}

/* One \uXXXX at s->i; the code unit, or -1 with the fault set. */
static long
unicode_unit(struct scan *s)
{
	long u = -1;

	if (s->n - s->i >= 6)
		u = hex4(s->p + s->i + 2);
	if (u < 0)
		fault(s, "\\u without four hex digits");
	return u;
}

static bool
unicode(struct scan *s)
{
	long u = unicode_unit(s);

	if (u < 0)
		return false;
	if (u == 0)
		return fault(s, "\\u0000 is not allowed");
	if (is_low(u))
		return fault(s, "lone surrogate");
	if (is_high(u)) {
		const char *next = s->p + s->i + 6;

		if (s->n - s->i < 12 || next[0] != '\\' || next[1] != 'u' ||
		    !is_low(hex4(next + 2)))
			return fault(s, "lone surrogate");
		s->i += 6;
	}
	s->i += 6;
	return true;
}

static bool
escape(struct scan *s)
{
	int c = s->i + 1 < s->n ? s->p[s->i + 1] : '\0';

	if (c == 'u')
		return unicode(s);
	if (c == '\0' || !strchr("\"\\/bfnrt", c))
		return fault(s, "unknown escape");
	s->i += 2;
	return true;
}

/* A string at s->i; *escaped where it holds a backslash. */
static bool
string(struct scan *s, bool *escaped)
{
	*escaped = false;
	for (s->i++; s->i < s->n;) {
		unsigned char c = (unsigned char)s->p[s->i];

		if (c == '"') {
			s->i++;
			return true;
		}
		if (c < 0x20)
			return fault(s, "raw control character in a string");
		if (c != '\\') {
			s->i++;
			continue;
		}
		*escaped = true;
		if (!escape(s))
			return false;
	}
	return fault(s, "");
}

static size_t
put_utf8(char *out, long u)
{
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;

	for (size_t k = n - 1; k > 0; k--) {
		out[k] = (char)(0x80 | (u & 0x3F));
		u >>= 6;
	}
	out[0] = (char)(n == 1 ? u : lead[n] | u);
	return n;
}

/* The key between from and to, which was scanned, without its escapes. */
static void
unescape(struct scan *s, size_t from, size_t to, struct key *k)
{
	static const char name[] = "bfnrt";
	static const char code[] = "\b\f\n\r\t";
	char *out = ct_arena_raw(s->a, to - from);
	size_t n = 0;

	for (size_t i = from; i < to;) {
		const char *p = s->p + i;
		const char *e;

		if (*p != '\\') {
			out[n++] = *p;
			i++;
		} else if (p[1] == 'u') {
			long u = hex4(p + 2);

			if (is_high(u)) {
				u = 0x10000 + ((u - 0xD800) << 10) +
				    (hex4(p + 8) - 0xDC00);
				i += 6;
			}
			n += put_utf8(out + n, u);
			i += 6;
		} else {
			e = strchr(name, p[1]);
			out[n++] = e ? code[e - name] : p[1];
			i += 2;
		}
	}
	k->p = out;
	k->n = n;
}

static struct key *
new_key(struct scan *s)
{
	if (s->nkeys == s->cap_keys) {
		size_t cap = s->cap_keys ? s->cap_keys * 2 : 16;

		s->keys = ct_arena_grow(s->a, s->keys,
		    s->cap_keys * sizeof(*s->keys), cap * sizeof(*s->keys));
		s->cap_keys = cap;
	}
	return &s->keys[s->nkeys++];
}

/* "key" and its colon. */
static bool
key(struct scan *s)
{
	size_t from = s->i + 1;
	bool escaped;
	struct key *k;

	if (peek(s) != '"')
		return fault(s, "a key in double quotes was expected");
	if (!string(s, &escaped))
		return false;
	k = new_key(s);
	*k = (struct key){s->p + from, s->i - 1 - from, from - 1};
	if (escaped)
		unescape(s, from, s->i - 1, k);
	blanks(s);
	if (peek(s) != ':')
		return fault(s, "a colon was expected");
	s->i++;
	blanks(s);
	return true;
}

static int
key_cmp(const void *x, const void *y)
{
	const struct key *a = x;
	const struct key *b = y;
	int c;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	c = a->n > 0 ? memcmp(a->p, b->p, a->n) : 0;
	if (c != 0)
		return c;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* Leave an object: its keys must differ. Names the earliest repetition. */
static bool
close_keys(struct scan *s, size_t first)
{
	struct key *k = s->keys + first;
	size_t n = s->nkeys - first;
	size_t at = SIZE_MAX;

	s->nkeys = first;
	if (n < 2)
		return true;
	qsort(k, n, sizeof(*k), key_cmp);
	for (size_t i = 1; i < n; i++) {
		if (k[i].n == k[i - 1].n &&
		    memcmp(k[i].p, k[i - 1].p, k[i].n) == 0 && k[i].at < at)
			at = k[i].at;
	}
	if (at != SIZE_MAX)
		return fault_at(s, at, "the same key twice in one object");
	return true;
}

static bool
digits(struct scan *s, const char *what)
{
	size_t from = s->i;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->i++;
	return s->i > from || fault(s, what);
}

/* A double must hold it: neither infinite, nor zero without being zero. */
static bool
fits_double(const char *p, size_t n)
{
	char text[CT_JSON_NUMBER_CAP + 1];
	double d;

	memcpy(text, p, n);
	text[n] = '\0';
	d = strtod(text, NULL);
	if (d == 0)
		return strcspn(text, "123456789") >= strcspn(text, "eE");
	return isfinite(d);
}

static bool
number(struct scan *s)
{
	size_t from = s->i;

	if (peek(s) == '-')
		s->i++;
	if (peek(s) == '0') {
		s->i++;
		if (peek(s) >= '0' && peek(s) <= '9')
			return fault(s, "leading zero in a number");
	} else if (!digits(s, "a digit was expected")) {
		return false;
	}
	if (peek(s) == '.') {
		s->i++;
		if (!digits(s, "a digit was expected after the point"))
			return false;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->i++;
		if (peek(s) == '+' || peek(s) == '-')
			s->i++;
		if (!digits(s, "a digit was expected in the exponent"))
			return false;
	}
	if (s->i - from > CT_JSON_NUMBER_CAP)
		return fault_at(s, from, "number of too many characters");
	if (!fits_double(s->p + from, s->i - from))
		return fault_at(s, from, "number out of range");
	return true;
}

static bool
word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if (s->n - s->i < n || memcmp(s->p + s->i, w, n) != 0)
		return fault(s, "a value was expected");
	s->i += n;
	return true;
}

/* *more: a value must follow, the first one inside. */
static bool
open_level(struct scan *s, bool obj, bool *more)
{
	if (s->depth == s->max_depth)
		return fault(s, "nested too deeply");
	s->level[++s->depth] = (struct level){obj, s->nkeys};
	s->i++;
	blanks(s);
	*more = peek(s) != (obj ? '}' : ']');
	if (!*more) {
		s->i++;
		s->depth--;
		return true;
	}
	return !obj || key(s);
}

static bool
value(struct scan *s, bool *more)
{
	int c = peek(s);
	bool escaped;

	*more = false;
	switch (c) {
	case '{':
	case '[':
		return open_level(s, c == '{', more);
	case '"':
		return string(s, &escaped);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return number(s);
		return fault(s, "a value was expected");
	}
}

/* After a value inside an object or array: a comma, or the end of it. */
static bool
follow(struct scan *s, bool *more)
{
	const struct level *l = &s->level[s->depth];
	int c;

	blanks(s);
	c = peek(s);
	if (c == ',') {
		s->i++;
		blanks(s);
		*more = true;
		return !l->obj || key(s);
	}
	if (c != (l->obj ? '}' : ']'))
		return fault(s, l->obj ? "a comma or } was expected"
				       : "a comma or ] was expected");
	s->i++;
	s->depth--;
	return !l->obj || close_keys(s, l->first_key);
}

static bool
document(struct scan *s, struct ct_str *out)
{
	bool more = true;
	size_t from;

	blanks(s);
	if (s->i == s->n)
		return fault_at(s, s->i, "no value");
	from = s->i;
	while (more || s->depth > 0) {
		if (!(more ? value(s, &more) : follow(s, &more)))
			return false;
	}
	*out = (struct ct_str){s->p + from, s->i - from};
	blanks(s);
	return s->i == s->n || fault(s, "text after the value");
}

/* Bad UTF-8 and a byte order mark, before anything else is looked at. */
static bool
encoding(struct scan *s)
{
	struct ct_str text = {s->p, s->n};
	size_t i = 0;
	size_t k;

	if (ct_str_starts(text, CT_STR("\xef\xbb\xbf")))
		return fault_at(s, 0, "byte order mark");
	if (ct_utf8_ok(text))
		return true;
	while (i < s->n && (k = ct_utf8_seq(s->p + i, s->n - i)) > 0)
		i += k;
	return fault_at(s, i, "bad UTF-8");
}

enum ct_rc
ct_json_scan(struct ct_arena *a, struct ct_str text, unsigned max_depth,
    struct ct_str *out, struct ct_err *err)
{
	struct ct_mark m = ct_arena_mark(a);
	struct scan s = {.p = text.p ? text.p : "", .n = text.n, .a = a};
	bool ok;

	s.max_depth =
	    max_depth < CT_JSON_DEPTH_CAP ? max_depth : CT_JSON_DEPTH_CAP;
	ok = encoding(&s) && document(&s, out);
	ct_arena_rewind(a, m);
	if (ok)
		return CT_OK;
	return ct_fail(err, CT_MALFORMED, NULL,
	    "not valid JSON: %s at byte %zu", s.what, s.at);
}
