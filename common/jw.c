/*
 * Streaming JSON writer. Each value passes one gate, value(), which puts the
 * comma and aborts where JSON would not allow a value.
 */
#include "common/jw.h"

#include <string.h>

#include "common/clock.h"
#include "common/json_internal.h"

#define DEPTH_MAX 31

void
ct_jw_init(struct ct_jw *w, struct ct_buf *b)
{
	*w = (struct ct_jw){.b = b};
}

static bool
in_obj(const struct ct_jw *w)
{
	return w->is_obj >> w->depth & 1;
}

static void
value(struct ct_jw *w)
{
	if (in_obj(w)) {
		if (!w->have_key)
			ct_bug("JSON value in an object without a key");
		w->have_key = false;
	} else if (w->need_comma) {
		if (w->depth == 0)
			ct_bug("second JSON value at the top");
		ct_buf_addc(w->b, ',');
	}
	w->need_comma = true;
}

static void
literal(struct ct_jw *w, const char *s, size_t n)
{
	value(w);
	ct_buf_add(w->b, s, n);
}

static void
open_level(struct ct_jw *w, char c, bool obj)
{
	value(w);
	if (w->depth == DEPTH_MAX)
		ct_bug("JSON nested deeper than %d", DEPTH_MAX);
	ct_buf_addc(w->b, c);
	w->depth++;
	w->is_obj &= ~(UINT32_C(1) << w->depth);
	w->is_obj |= (uint32_t)obj << w->depth;
	w->need_comma = false;
}

void
ct_jw_obj(struct ct_jw *w)
{
	open_level(w, '{', true);
}

void
ct_jw_arr(struct ct_jw *w)
{
	open_level(w, '[', false);
}

void
ct_jw_end(struct ct_jw *w)
{
	if (w->depth == 0)
		ct_bug("JSON end without a beginning");
	if (w->have_key)
		ct_bug("JSON key without a value");
	ct_buf_addc(w->b, in_obj(w) ? '}' : ']');
	w->depth--;
	w->need_comma = true;
}

/* The replacement of a byte that may not stand for itself. */
static void
escape(struct ct_buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\n\t\r\b\f";
	static const char to[] = "\"\\ntrbf";
	const char *p = c ? strchr(from, c) : NULL;

	if (p) {
		ct_buf_addc(b, '\\');
		ct_buf_addc(b, to[p - from]);
	} else if (c < 0x20) {
		char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		ct_buf_add(b, u, sizeof(u));
	} else {
		ct_buf_add(b, "\xef\xbf\xbd", 3);
	}
}

static void
quoted(struct ct_buf *b, struct ct_str s)
{
	bool clean = ct_utf8_ok(s);
	size_t from = 0;
	size_t i = 0;

	ct_buf_addc(b, '"');
	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];
		size_t step = 1;

		if (c >= 0x80 && !clean)
			step = ct_utf8_seq(s.p + i, s.n - i);
		if (c >= 0x20 && c != '"' && c != '\\' && step > 0) {
			i += step;
			continue;
		}
		ct_buf_add(b, s.p + from, i - from);
		escape(b, c);
		from = ++i;
	}
	if (i > from)
		ct_buf_add(b, s.p + from, i - from);
	ct_buf_addc(b, '"');
}

void
ct_jw_key(struct ct_jw *w, const char *key)
{
	if (!in_obj(w) || w->have_key)
		ct_bug("JSON key %s where none may stand", key);
	if (w->need_comma)
		ct_buf_addc(w->b, ',');
	quoted(w->b, ct_str_of(key));
	ct_buf_addc(w->b, ':');
	w->have_key = true;
}

void
ct_jw_str(struct ct_jw *w, struct ct_str s)
{
	if (!s.p) {
		ct_jw_null(w);
		return;
	}
	value(w);
	quoted(w->b, s);
}

void
ct_jw_cstr(struct ct_jw *w, const char *s)
{
	ct_jw_str(w, ct_str_of(s));
}

void
ct_jw_i64(struct ct_jw *w, int64_t v)
{
	if (v == CT_NULL_I64) {
		ct_jw_null(w);
		return;
	}
	value(w);
	ct_buf_addi(w->b, v);
}

size_t
ct_milli_text(int64_t v, char out[24])
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	unsigned frac = (unsigned)(u % 1000);
	char digits[20];
	size_t nd = 0;
	size_t n = 0;

	u /= 1000;
	do
		digits[nd++] = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (v < 0)
		out[n++] = '-';
	while (nd > 0)
		out[n++] = digits[--nd];
	if (frac > 0)
		out[n++] = '.';
	for (unsigned unit = 100; frac > 0; unit /= 10) {
		out[n++] = (char)('0' + frac / unit);
		frac %= unit;
	}
	out[n] = '\0';
	return n;
}

void
ct_jw_milli(struct ct_jw *w, int64_t v)
{
	char text[24];

	if (v == CT_NULL_I64)
		ct_jw_null(w);
	else
		literal(w, text, ct_milli_text(v, text));
}

void
ct_jw_bool(struct ct_jw *w, bool v)
{
	if (v)
		literal(w, "true", 4);
	else
		literal(w, "false", 5);
}

void
ct_jw_null(struct ct_jw *w)
{
	literal(w, "null", 4);
}

void
ct_jw_uuid(struct ct_jw *w, const struct ct_uuid *u)
{
	char text[CT_UUID_TEXT];

	ct_jw_cstr(w, ct_uuid_nil(u) ? NULL : ct_uuid_format(u, text));
}

void
ct_jw_time(struct ct_jw *w, int64_t us)
{
	char text[CT_TIME_MAX];

	ct_jw_cstr(w, us == CT_NULL_I64 ? NULL : ct_time_format(us, text));
}

void
ct_jw_day(struct ct_jw *w, int32_t day)
{
	char text[CT_DAY_MAX];

	ct_jw_cstr(w, day == CT_NULL_DAY ? NULL : ct_day_format(day, text));
}

void
ct_jw_raw(struct ct_jw *w, struct ct_str json)
{
	if (json.p)
		literal(w, json.p, json.n);
	else
		ct_jw_null(w);
}

bool
ct_jw_done(const struct ct_jw *w)
{
	return w->depth == 0 && w->need_comma;
}
