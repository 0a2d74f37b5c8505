/* A document of pages with heads and feet; see page_parts.h. */
#include <stdio.h>

#include "worker/page_parts.h"
#include "worker/sink_text.h"

#define SIDE   40
#define TOP    36
#define BOTTOM 50
#define FOOT   38 /* of the foot's first line, from the page's end */

/* "2 Jun 2025, 10:15" */
static const char *
clock_words(struct ct_arena *a, int64_t local_us)
{
	char day[CT_DAY_WORDS], time[CT_TIME_MAX];

	ct_time_format(local_us, time);
	ct_day_words((int32_t)(local_us / INT64_C(86400000000)), day);
	return ct_arena_printf(a, "%s, %.5s", day, time + 11);
}

void
ct_doc_init(struct ct_doc *d, struct ct_page *p, struct ct_arena *a,
    const struct ct_report *r, const struct ct_report_head *head,
    const char *title)
{
	*d = (struct ct_doc){.p = p,
	    .a = a,
	    .r = r,
	    .head = head,
	    .title = title,
	    .cat = ct_sink_cat(a, head),
	    .left = SIDE,
	    .right = ct_page_width(p) - SIDE,
	    .top = TOP,
	    .bottom = ct_page_height(p) - BOTTOM,
	    .y = TOP,
	    .number = 1};
}

static void
draw_foot(struct ct_doc *d)
{
	struct ct_mark m = ct_arena_mark(d->a);
	double y = ct_page_height(d->p) - FOOT, w = d->right - d->left;

	ct_page_line(d->p, (struct ct_point){d->left, y - 4},
	    (struct ct_point){d->right, y - 4}, 0.6);
	ct_page_text(d->p, CT_P_SMALL, d->left, y, w - 60, CT_P_LEFT, 1,
	    ct_arena_printf(d->a,
		"CatETube Tracker, asked for by \u2068%.*s\u2069 on %s. What "
		"carers logged; not a diagnosis.",
		CT_STR_FMT(d->head->asked_by),
		clock_words(d->a, d->head->asked_local)));
	ct_page_text(d->p, CT_P_SMALL, d->left, y + ct_page_leading(CT_P_SMALL),
	    w, CT_P_LEFT, 1,
	    ct_arena_printf(d->a,
		"Times are local to %.*s; a day begins at %.*s.",
		CT_STR_FMT(d->head->timezone), CT_STR_FMT(d->head->day_start)));
	ct_page_text(d->p, CT_P_SMALL, d->left, y, w, CT_P_RIGHT, 1,
	    ct_arena_printf(d->a, "Page %d", d->number));
	ct_arena_rewind(d->a, m);
}

void
ct_doc_break(struct ct_doc *d)
{
	double w = d->right - d->left;

	draw_foot(d);
	ct_page_next(d->p);
	d->number++;
	d->y = d->top;
	ct_page_text(
	    d->p, CT_P_CELL_BOLD, d->left, d->y, w * 0.6, CT_P_LEFT, 1, d->cat);
	ct_page_text(
	    d->p, CT_P_SMALL, d->left, d->y, w, CT_P_RIGHT, 1, d->title);
	d->y += ct_page_leading(CT_P_CELL) + 2;
	ct_page_line(d->p, (struct ct_point){d->left, d->y},
	    (struct ct_point){d->right, d->y}, 0.6);
	d->y += 8;
	d->full = d->number >= CT_DOC_PAGES;
}

bool
ct_doc_need(struct ct_doc *d, double height)
{
	if (d->y + height <= d->bottom)
		return false;
	ct_doc_break(d);
	return true;
}

void
ct_doc_end(struct ct_doc *d)
{
	draw_foot(d);
}
