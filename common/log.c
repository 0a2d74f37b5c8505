/*
 * Log lines: built in a fixed buffer, escaped on the way in, and written to
 * standard error in one piece.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define LINE_MAX_BYTES 8192
#define HOLD_BYTES     65536
/* Kept free in every line: the end of a cut value, the mark, the newline. */
#define RESERVE 32

static enum ct_level log_min = CT_INFO;
static enum ct_log_format log_format = CT_LOGFMT;
static char log_proc[16] = "catetube";

/* Lines of this thread that wait for ct_log_flush(). */
static _Thread_local struct {
	bool on;
	size_t n;
	char p[HOLD_BYTES];
} held;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* A line under construction in memory of the caller. */
struct out {
	char *p;
	size_t n;
	size_t cap; /* RESERVE included */
	bool cut;
};

void
ct_log_init(const char *proc, enum ct_level min, enum ct_log_format f)
{
	snprintf(log_proc, sizeof(log_proc), "%s", proc);
	log_min = min;
	log_format = f;
}

/* What cannot be written is lost: a log must not stop the service. */
static void
write_all(const char *p, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = write(STDERR_FILENO, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		p += done;
		n -= (size_t)done;
	}
}

static void
flush_held(void)
{
	write_all(held.p, held.n);
	held.n = 0;
}

void
ct_log_hold(void)
{
	held.on = true;
}

void
ct_log_flush(void)
{
	int saved = errno;

	flush_held();
	held.on = false;
	errno = saved;
}

static void
emit(enum ct_level level, const char *p, size_t n)
{
	if (!held.on) {
		write_all(p, n);
		return;
	}
	if (n > sizeof(held.p) - held.n)
		flush_held();
	memcpy(held.p + held.n, p, n);
	held.n += n;
	if (level >= CT_WARN)
		flush_held();
}

/* Bytes that may still be added before the end of the line is begun. */
static size_t
room(const struct out *o)
{
	size_t end = o->cap - RESERVE;

	return o->cut || o->n >= end ? 0 : end - o->n;
}

/* All of it or, where the room has ended, nothing. */
static bool
add(struct out *o, const char *p, size_t n)
{
	if (n > room(o)) {
		o->cut = true;
		return false;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
	return true;
}

/* For the ends of a line, which RESERVE keeps room for. */
static void
add_end(struct out *o, const char *cstr)
{
	size_t n = strlen(cstr);

	memcpy(o->p + o->n, cstr, n);
	o->n += n;
}

static bool
add_key(struct out *o, const char *key)
{
	bool json = log_format == CT_LOGJSON, first = o->n == 0;
	size_t n = strlen(key);

	/* a key without a value would be no JSON: ask for room for both */
	if (n + 16 > room(o)) {
		o->cut = true;
		return false;
	}
	if (json)
		(void)add(o, first ? "{\"" : ",\"", 2);
	else if (!first)
		(void)add(o, " ", 1);
	(void)add(o, key, n);
	return json ? add(o, "\":", 2) : add(o, "=", 1);
}

/* Bytes of the UTF-8 sequence at p, and its code point; 0: ill-formed. */
static size_t
utf8_next(const char *p, size_t n, unsigned *cp)
{
	static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned char c = (unsigned char)p[0];
	size_t len, i;

	len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (len > n || !ct_utf8_ok((struct ct_str){p, len}))
		return 0;
	*cp = c & first_mask[len];
	for (i = 1; i < len; i++)
		*cp = *cp << 6 | ((unsigned char)p[i] & 0x3f);
	return len;
}

/* Could move the cursor, end the line or turn its direction somewhere. */
static bool
is_unsafe(unsigned cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

/* Printable ASCII that stands for itself, in quotes too. */
static bool
is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain, escaped where it must be. */
static size_t
add_special(struct out *o, const char *p, size_t n)
{
	unsigned cp = 0;
	char esc[16];
	size_t len;

	len = utf8_next(p, n, &cp);
	if (len == 0) {
		if (log_format == CT_LOGJSON)
			(void)add(o, "\\ufffd", 6);
		else {
			snprintf(esc, sizeof(esc), "\\x%02x",
			    (unsigned)(unsigned char)p[0]);
			(void)add(o, esc, 4);
		}
		return 1;
	}
	if (cp == '"' || cp == '\\') {
		esc[0] = '\\';
		esc[1] = (char)cp;
		(void)add(o, esc, 2);
	} else if (cp == '\n') {
		(void)add(o, "\\n", 2);
	} else if (is_unsafe(cp)) {
		snprintf(esc, sizeof(esc), "\\u%04x", cp);
		(void)add(o, esc, 6);
	} else {
		(void)add(o, p, len);
	}
	return len;
}

static bool
needs_quotes(struct ct_str v)
{
	size_t i;

	if (log_format == CT_LOGJSON || v.n == 0)
		return true;
	for (i = 0; i < v.n; i++)
		if (!is_plain(v.p[i]) || v.p[i] == ' ' || v.p[i] == '=')
			return true;
	return false;
}

/* An absent value leaves no pair. */
static void
add_str(struct out *o, const char *key, struct ct_str v)
{
	bool quoted;
	size_t i, run;

	if (!v.p || !add_key(o, key))
		return;
	quoted = needs_quotes(v);
	if (quoted)
		add_end(o, "\"");
	for (i = 0; i < v.n && !o->cut;) {
		for (run = i; run < v.n && is_plain(v.p[run]); run++)
			;
		/* of a run that does not fit, what fits */
		if (run - i > room(o)) {
			(void)add(o, v.p + i, room(o));
			o->cut = true;
			break;
		}
		(void)add(o, v.p + i, run - i);
		i = run;
		if (i < v.n)
			i += add_special(o, v.p + i, v.n - i);
	}
	if (quoted)
		add_end(o, "\"");
}

static void
add_number(struct out *o, const char *key, const char *digits)
{
	size_t n = strlen(digits);

	if (strlen(key) + 16 + n > room(o))
		o->cut = true; /* half a number would be a wrong number */
	else if (add_key(o, key))
		(void)add(o, digits, n);
}

/* ts, level and proc: the head of every line. RFC 3339 with milliseconds. */
static void
add_head(struct out *o, enum ct_level level)
{
	int64_t us = ct_now_us(), ms = us / 1000 % 1000;
	char ts[CT_TIME_MAX + 4], *z;

	/* the seconds alone have no fraction: it goes where their Z stands */
	ct_time_format(us - us % 1000000, ts);
	z = strchr(ts, 'Z');
	*z++ = '.';
	for (int64_t unit = 100; unit > 0; unit /= 10)
		*z++ = (char)('0' + (ms < 0 ? 0 : ms / unit % 10));
	*z++ = 'Z';
	*z = '\0';
	add_str(o, "ts", ct_str_of(ts));
	add_str(o, "level", ct_str_of(level_names[level]));
	add_str(o, "proc", ct_str_of(log_proc));
}

static void
finish(struct out *o, enum ct_level level)
{
	bool json = log_format == CT_LOGJSON;

	if (o->cut)
		add_end(o, json ? ",\"cut\":true" : " cut=true");
	add_end(o, json ? "}\n" : "\n");
	emit(level, o->p, o->n);
}

void
ct_log(enum ct_level level, const char *src, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES], msg[LINE_MAX_BYTES];
	struct out o = {line, 0, sizeof(line), false};
	int saved = errno, n;
	va_list ap;

	if (level < log_min)
		return;
	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(msg))
		n = (int)sizeof(msg) - 1;
	add_head(&o, level);
	add_str(&o, "src", ct_str_of(src));
	add_str(&o, "msg", (struct ct_str){msg, (size_t)n});
	finish(&o, level);
	errno = saved;
}

/* The last byte of a line's memory remembers that it was cut. */
static struct out
out_of(struct ct_line *l)
{
	size_t cap = sizeof(l->p) - 1;

	return (struct out){l->p, l->n, cap, l->p[cap] != 0};
}

static void
keep(struct ct_line *l, const struct out *o)
{
	l->n = o->n;
	l->p[sizeof(l->p) - 1] = o->cut;
}

void
ct_line_begin(struct ct_line *l, enum ct_level level, const char *event)
{
	struct out o;
	int saved = errno;

	l->level = level;
	l->off = level < log_min;
	l->n = 0;
	l->p[sizeof(l->p) - 1] = 0;
	if (l->off)
		return;
	o = out_of(l);
	add_head(&o, level);
	add_str(&o, "event", ct_str_of(event));
	keep(l, &o);
	errno = saved;
}

void
ct_line_str(struct ct_line *l, const char *key, struct ct_str v)
{
	struct out o;

	if (l->off)
		return;
	o = out_of(l);
	add_str(&o, key, v);
	keep(l, &o);
}

static void
line_number(struct ct_line *l, const char *key, const char *digits)
{
	struct out o;

	if (l->off)
		return;
	o = out_of(l);
	add_number(&o, key, digits);
	keep(l, &o);
}

void
ct_line_i64(struct ct_line *l, const char *key, int64_t v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)v);
	line_number(l, key, digits);
}

void
ct_line_milli(struct ct_line *l, const char *key, int64_t v)
{
	unsigned long long u =
	    v < 0 ? -(unsigned long long)v : (unsigned long long)v;
	char digits[32];

	snprintf(digits, sizeof(digits), "%s%llu.%03llu", v < 0 ? "-" : "",
	    u / 1000, u % 1000);
	line_number(l, key, digits);
}

void
ct_line_err(struct ct_line *l, const struct ct_err *err)
{
	char names[CT_ERR_FIELDS * (sizeof(err->fields[0].name) + 1)];
	size_t n = 0, len;
	unsigned i;

	ct_line_str(l, "rc", ct_str_of(ct_rc_name(err->rc)));
	if (err->code[0])
		ct_line_str(l, "code", ct_str_of(err->code));
	if (err->msg[0])
		ct_line_str(l, "msg", ct_str_of(err->msg));
	for (i = 0; i < err->nfields; i++) {
		len = strlen(err->fields[i].name);
		if (i > 0)
			names[n++] = ',';
		memcpy(names + n, err->fields[i].name, len);
		n += len;
	}
	if (n > 0)
		ct_line_str(l, "fields", (struct ct_str){names, n});
	if (err->detail[0])
		ct_line_str(l, "detail", ct_str_of(err->detail));
}

void
ct_line_end(struct ct_line *l)
{
	struct out o;
	int saved = errno;

	if (l->off)
		return;
	o = out_of(l);
	finish(&o, l->level);
	errno = saved;
}
