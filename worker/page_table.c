/* Lists of entries, over as many pages as they take; see page_parts.h. */
#include <stdio.h>
#include <string.h>

#include "worker/page_parts.h"
#include "worker/sink_text.h"

#define PAD	   8 /* between columns */
#define NOTE_LINES 8
#define TEXT_LINES 3
#define CELL_ROOM  48
#define NEAR_US	   INT64_C(10800000000)
#define DAY_US	   INT64_C(86400000000)

static const struct ct_field *
find(const struct ct_report_section *sec, const char *name)
{
	const struct ct_field *f = ct_fields_find(sec->columns, name);

	if (f == NULL)
		ct_bug("%s has no field %s", sec->name, name);
	return f;
}

static bool
is_text(const struct ct_field *f)
{
	return f->type == CT_T_TEXT || f->type == CT_T_ENUM;
}

static bool
is_local(const struct ct_field *f)
{
	return f->type == CT_T_TIME;
}

static void
head_row(struct ct_doc *d, struct ct_table *t)
{
	int most = 1, lines;
	const struct ct_table_column *c;
	const char *text;

	for (int i = 0; i < t->n; i++) {
		c = &t->col[i];
		text =
		    c->f->unit != NULL && !is_local(c->f)
			? ct_arena_printf(d->a, "%s, %s", c->head, c->f->unit)
			: c->head;
		lines = ct_page_set(
		    d->p, i, CT_P_SMALL, c->width, 3, ct_str_of(text));
		most = lines > most ? lines : most;
	}
	for (int i = 0; i < t->n; i++)
		ct_page_put(d->p, i, t->col[i].x, d->y, t->col[i].align);
	d->y += most * ct_page_leading(CT_P_SMALL) + 2;
	ct_page_line(d->p, (struct ct_point){d->left, d->y},
	    (struct ct_point){d->right, d->y}, 0);
	d->y += 2;
	t->day = CT_NULL_DAY;
}

static void
title(struct ct_doc *d, struct ct_table *t)
{
	ct_doc_need(d, 90);
	if (d->full)
		return;
	if (d->y > d->top + 40)
		d->y += 8;
	ct_page_text(d->p, CT_P_HEAD, d->left, d->y, 300, CT_P_LEFT, 1,
	    t->section->name);
	d->y += ct_page_leading(CT_P_HEAD) + 5;
	head_row(d, t);
}

void
ct_table_begin(
    struct ct_doc *d, struct ct_table *t, const struct ct_report_section *sec)
{
	const struct ct_report_column *c;
	struct ct_table_column *to;
	double shares = 0, x = d->left;

	*t = (struct ct_table){
	    .section = sec, .day = CT_NULL_DAY, .above_us = CT_NULL_I64};
	for (c = sec->people; c->field != NULL; c++)
		shares += c->share;
	for (c = sec->people; c->field != NULL; c++) {
		if (c->share == 0)
			continue;
		if (t->n == CT_P_SLOTS)
			ct_bug("%s has too many columns", sec->name);
		to = &t->col[t->n++];
		to->f = find(sec, c->field);
		to->instead = c->instead ? find(sec, c->instead) : NULL;
		to->head = c->head;
		to->x = x;
		to->width = (d->right - d->left) * c->share / shares - PAD;
		x += to->width + PAD;
		to->align = to->f->type == CT_T_VOLUME ||
				    to->f->type == CT_T_MILLI ||
				    to->f->type == CT_T_INT
				? CT_P_RIGHT
				: CT_P_LEFT;
		to->lines = strcmp(c->field, "notes") == 0 ? NOTE_LINES
			    : is_text(to->f)		   ? TEXT_LINES
			    : to->f->type == CT_T_TIME	   ? 2
							   : 1;
	}
	if (t->n > 0)
		t->col[t->n - 1].width += PAD;
}

/* ------------------------------------------------ one row */

static int64_t
i64_of(const struct ct_table *t, const char *name, const void *obj)
{
	return *(const int64_t *)ct_sink_member(obj, find(t->section, name));
}

/* The clock was changed between the row above and this one, which is near
 * enough to be mistaken for one at the same time. */
static bool
is_doubtful(const struct ct_table *t, int64_t local_us, int64_t offset_us)
{
	int64_t gap = local_us - t->above_us;

	return t->above_us != CT_NULL_I64 && offset_us != t->offset_us &&
	       gap < NEAR_US && gap > -NEAR_US;
}

/*
 * "07:30"; "02:10 +1" where the calendar is a day ahead of the care day;
 * "02:10 (+01:00)" where an hour comes twice.
 */
static void
put_time(
    struct ct_table *t, int64_t local_us, const void *obj, char out[CELL_ROOM])
{
	int64_t offset = local_us - i64_of(t, "time_given", obj), min;
	int32_t day =
	    *(const int32_t *)ct_sink_member(obj, find(t->section, "care_day"));
	int32_t calendar = (int32_t)(local_us / DAY_US);
	char time[CT_TIME_MAX];
	int n;

	ct_time_format(local_us, time);
	n = snprintf(out, CELL_ROOM, "%.5s", time + 11);
	if (calendar != day)
		n += snprintf(out + n, CELL_ROOM - (size_t)n, " %+d",
		    (int)(calendar - day));
	min = offset / 60000000;
	if (is_doubtful(t, local_us, offset))
		snprintf(out + n, CELL_ROOM - (size_t)n, " (%c%02d:%02d)",
		    min < 0 ? '-' : '+', (int)((min < 0 ? -min : min) / 60),
		    (int)((min < 0 ? -min : min) % 60));
	t->above_us = local_us;
	t->offset_us = offset;
}

/* Grams below ten only where there are some: "4.20", "4.205". */
static void
put_kg(int64_t g, char out[CELL_ROOM])
{
	snprintf(out, CELL_ROOM, g % 10 == 0 ? "%lld.%02lld" : "%lld.%03lld",
	    (long long)(g / 1000),
	    (long long)(g % 10 == 0 ? g / 10 % 100 : g % 1000));
}

/* The text of a cell; short ones are written into out. */
static struct ct_str
cell(struct ct_table *t, const struct ct_table_column *c, const void *obj,
    char out[CELL_ROOM])
{
	const struct ct_field *f = c->f;
	const void *v;
	int64_t n;

	out[0] = '\0';
	if (ct_sink_null(f, obj) && c->instead != NULL)
		f = c->instead;
	if (ct_sink_null(f, obj))
		return (struct ct_str){out, 0};
	v = ct_sink_member(obj, f);
	switch (f->type) {
	case CT_T_TEXT:
	case CT_T_ENUM:
		return *(const struct ct_str *)v;
	case CT_T_BOOL:
		return ct_str_of(ct_sink_true(f, obj) ? "yes" : "no");
	case CT_T_DAY:
		if (*(const int32_t *)v != t->day)
			ct_day_words(*(const int32_t *)v, out);
		break;
	case CT_T_TIME:
		put_time(t, *(const int64_t *)v, obj, out);
		break;
	case CT_T_INT:
		snprintf(
		    out, CELL_ROOM, "%lld", (long long)*(const int64_t *)v);
		break;
	default:
		n = *(const int64_t *)v;
		if (f->unit != NULL && strcmp(f->unit, "kg") == 0)
			put_kg(n, out);
		else
			out[ct_milli_text(n, out)] = '\0';
		break;
	}
	return ct_str_of(out);
}

static int
set_row(struct ct_doc *d, struct ct_table *t, const void *obj)
{
	const struct ct_table_column *c;
	char out[CELL_ROOM];
	int most = 1, lines;

	for (int i = 0; i < t->n; i++) {
		c = &t->col[i];
		lines = ct_page_set(d->p, i, CT_P_CELL, c->width, c->lines,
		    cell(t, c, obj, out));
		most = lines > most ? lines : most;
	}
	return most;
}

void
ct_table_row(struct ct_doc *d, struct ct_table *t, const void *obj)
{
	int64_t offset_us = t->offset_us, above_us = t->above_us;
	const struct ct_field *day = find(t->section, "care_day");
	int32_t this_day = *(const int32_t *)ct_sink_member(obj, day);
	double height;

	if (t->rows == 0 && !d->full)
		title(d, t);
	t->rows++;
	if (d->full) {
		t->left_out++;
		return;
	}
	height = set_row(d, t, obj) * ct_page_leading(CT_P_CELL) + 1.5;
	if (ct_doc_need(d, height)) {
		if (d->full) {
			t->left_out++;
			return;
		}
		head_row(d, t);
		/* The day again, and the same clock. */
		t->offset_us = offset_us;
		t->above_us = above_us;
		set_row(d, t, obj);
	}
	if (t->day != CT_NULL_DAY && t->day != this_day)
		ct_page_line(d->p, (struct ct_point){d->left, d->y},
		    (struct ct_point){d->right, d->y}, 0.8);
	for (int i = 0; i < t->n; i++)
		ct_page_put(d->p, i, t->col[i].x, d->y + 0.5, t->col[i].align);
	d->y += height;
	t->day = this_day;
}
