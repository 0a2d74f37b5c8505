/*
 * CSV by RFC 4180: CRLF, a header line always, quotes where needed. Text that
 * a spreadsheet would take for a formula gets a leading apostrophe; numbers
 * and times that are printed here cannot be one.
 */
#include <string.h>

#include "worker/sink.h"

#define DAY_US (86400LL * 1000000)

static void
put_text(struct ct_buf *b, struct ct_str v)
{
	bool formula = v.n > 0 && memchr("=+-@\t\r", v.p[0], 6) != NULL;
	bool quote = false;
	size_t i;
	char *o;

	for (i = 0; i < v.n && !quote; i++)
		quote = v.p[i] == ',' || v.p[i] == '"' || v.p[i] == '\r' ||
			v.p[i] == '\n';
	if (!quote && !formula) {
		ct_buf_addstr(b, v);
		return;
	}
	o = ct_buf_room(b, 2 * v.n + 3);
	if (quote)
		*o++ = '"';
	if (formula)
		*o++ = '\'';
	for (i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			*o++ = '"';
		*o++ = v.p[i];
	}
	if (quote)
		*o++ = '"';
	b->n = (size_t)(o - b->p);
}

static char *
two(char *o, int64_t v)
{
	*o++ = (char)('0' + v / 10);
	*o++ = (char)('0' + v % 10);
	return o;
}

static void
put_day(struct ct_sink *s, int32_t day)
{
	if (day == CT_NULL_DAY)
		return;
	/* Rows come by time: the day seldom changes. */
	if (day != s->day)
		ct_day_format(day, s->day_text);
	s->day = day;
	ct_buf_add(&s->out, s->day_text, strlen(s->day_text));
}

/* As ct_time_format, with the day remembered. */
static void
put_time(struct ct_sink *s, int64_t us)
{
	int64_t day, rest, sec, frac, div;
	char *o;

	if (us == CT_NULL_I64)
		return;
	day = us / DAY_US;
	rest = us % DAY_US;
	if (rest < 0) {
		rest += DAY_US;
		day--;
	}
	put_day(s, (int32_t)day);
	sec = rest / 1000000;
	frac = rest % 1000000;
	o = ct_buf_room(&s->out, 20);
	*o++ = 'T';
	o = two(o, sec / 3600);
	*o++ = ':';
	o = two(o, sec / 60 % 60);
	*o++ = ':';
	o = two(o, sec % 60);
	if (frac != 0) {
		*o++ = '.';
		for (div = 100000; div > 0; div /= 10)
			*o++ = (char)('0' + frac / div % 10);
	}
	*o++ = 'Z';
	s->out.n = (size_t)(o - s->out.p);
}

static void
put_uuid(struct ct_buf *b, const struct ct_uuid *u)
{
	static const char hex[] = "0123456789abcdef";
	char *o;
	size_t i;

	if (ct_uuid_nil(u))
		return;
	o = ct_buf_room(b, CT_UUID_TEXT);
	for (i = 0; i < sizeof(u->b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*o++ = '-';
		*o++ = hex[u->b[i] >> 4];
		*o++ = hex[u->b[i] & 15];
	}
	b->n = (size_t)(o - b->p);
}

static void
put_milli(struct ct_buf *b, int64_t v)
{
	if (v != CT_NULL_I64)
		b->n += ct_milli_text(v, ct_buf_room(b, 24));
}

static void
put_bool(struct ct_buf *b, const struct ct_field *f, const void *v)
{
	bool null = f->flags & CT_F_NULLABLE;

	if (null && *(const int64_t *)v == CT_NULL_I64)
		return;
	ct_buf_adds(b, (null ? *(const int64_t *)v != 0 : *(const bool *)v)
			   ? "True"
			   : "False");
}

static void
put(struct ct_sink *s, const struct ct_field *f, const void *obj)
{
	const void *v = ct_sink_member(obj, f);
	struct ct_buf *b = &s->out;

	switch (f->type) {
	case CT_T_UUID:
		put_uuid(b, v);
		break;
	case CT_T_TEXT:
	case CT_T_ENUM:
	case CT_T_JSON:
		put_text(b, *(const struct ct_str *)v);
		break;
	case CT_T_BOOL:
		put_bool(b, f, v);
		break;
	case CT_T_INT:
	case CT_T_SET:
		if (*(const int64_t *)v != CT_NULL_I64)
			ct_buf_addi(b, *(const int64_t *)v);
		break;
	case CT_T_VOLUME:
	case CT_T_MILLI:
		put_milli(b, *(const int64_t *)v);
		break;
	case CT_T_TIME:
		put_time(s, *(const int64_t *)v);
		break;
	case CT_T_DAY:
		put_day(s, *(const int32_t *)v);
		break;
	}
}

static void
csv_open(CT_UNUSED struct ct_sink *s, CT_UNUSED const struct ct_report *r,
    CT_UNUSED const struct ct_report_head *head)
{
}

static void
csv_begin(struct ct_sink *s, const struct ct_report_section *sec, int index,
    int sections)
{
	bool first = true;
	size_t i;

	s->columns = sec->columns;
	if (index > 0)
		ct_buf_adds(&s->out, "\r\n");
	if (sections > 1) {
		ct_buf_adds(&s->out, "# ");
		ct_buf_adds(&s->out, sec->title);
		ct_buf_adds(&s->out, "\r\n");
	}
	for (i = 0; i < sec->columns->n; i++) {
		if (sec->columns->f[i].flags & CT_F_HIDDEN)
			continue;
		if (!first)
			ct_buf_addc(&s->out, ',');
		first = false;
		ct_buf_adds(&s->out, sec->columns->f[i].name);
	}
	ct_buf_adds(&s->out, "\r\n");
}

static void
csv_row(struct ct_sink *s, const void *obj)
{
	const struct ct_fields *t = s->columns;
	bool first = true;
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (t->f[i].flags & CT_F_HIDDEN)
			continue;
		if (!first)
			ct_buf_addc(&s->out, ',');
		first = false;
		put(s, &t->f[i], obj);
	}
	ct_buf_add(&s->out, "\r\n", 2);
	ct_sink_flush(s, false);
}

static void
csv_end(CT_UNUSED struct ct_sink *s)
{
}

const struct ct_sink_format ct_sink_csv = {
    "csv", false, 0, csv_open, csv_begin, csv_row, csv_end, csv_end};
