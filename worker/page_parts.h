/*
 * The parts of a report's pages: the document with its heads and feet, charts,
 * the first page, lists of entries.
 */
#ifndef CT_WORKER_PAGE_PARTS_H
#define CT_WORKER_PAGE_PARTS_H

#include "db/report.h"
#include "worker/page.h"

/* ------------------------------------------------ the document */

#define CT_DOC_PAGES 200 /* the last one only says what is missing */

struct ct_doc {
	struct ct_page *p;
	struct ct_arena *a;
	const struct ct_report *r;
	const struct ct_report_head *head;
	const char *title; /* "Meals" */
	const char *cat;
	double left, right, top, bottom; /* of what may be drawn on */
	double y;			 /* down to where it is drawn on */
	int number;			 /* of this page, from 1 */
	bool full;			 /* no page is left */
};
void ct_doc_init(struct ct_doc *d, struct ct_page *p, struct ct_arena *a,
    const struct ct_report *r, const struct ct_report_head *head,
    const char *title);
/* End this page and begin the next, with its head. */
void ct_doc_break(struct ct_doc *d);
/* Begin a new page where so much does not fit on this one; true if it did. */
bool ct_doc_need(struct ct_doc *d, double height);
/* The foot of the last page. */
void ct_doc_end(struct ct_doc *d);

/* ------------------------------------------------ charts */

/* Axis from lo to hi in steps of 1, 2, 2.5 or 5 times a power of ten. */
struct ct_axis {
	double lo, hi, step;
	int decimals; /* that its labels need */
};
/* lo <= hi; at most so many steps; an empty range is widened by `least`. */
struct ct_axis ct_axis_of(double lo, double hi, double least, int most);

/* Days that share a bar, so that a long period has bars that can be seen. */
#define CT_BARS_MAX 124
struct ct_bar {
	int32_t first_day;
	int days;
	int64_t target_ul, tube_ul, oral_ul; /* sums of the days */
	int64_t vomits;
	int64_t weight_g; /* sum of the days that were weighed */
	int weighed;
	bool open; /* today is in it */
};
struct ct_bars {
	int32_t first_day;
	int days_each; /* 1, 7, 28, … */
	int n;
	struct ct_bar bar[CT_BARS_MAX];
};
void ct_bars_init(struct ct_bars *b, int32_t first_day, int64_t days);
/* Days outside are ignored. */
void ct_bars_add(struct ct_bars *b, const struct ct_report_day *d);

/* At d->y, over the whole width; d->y is below them then. */
void ct_chart_intake(struct ct_doc *d, const struct ct_bars *b, double height);
void ct_chart_weight(struct ct_doc *d, const struct ct_bars *b, double height);

/* ------------------------------------------------ the first page */

enum ct_block {
	CT_B_INTAKE = 1 << 0,
	CT_B_WEIGHT = 1 << 1,
	CT_B_VOMIT = 1 << 2,
	CT_B_DOSES = 1 << 3,
	CT_B_EVENTS = 1 << 4
};

#define CT_FRONT_MEDICINES 10
#define CT_FRONT_EVENTS	   30
#define CT_FRONT_WORDS	   24

#define CT_WORD_ROOM  40
#define CT_EVENT_ROOM 256

struct ct_front_event {
	int64_t local_us;
	char what[CT_EVENT_ROOM];
	char notes[CT_EVENT_ROOM];
};
struct ct_front {
	struct ct_report_overview o;
	struct ct_bars bars;
	struct ct_report_medicine medicine[CT_FRONT_MEDICINES];
	int medicines; /* in all */
	/* The newest ones, a ring. */
	struct ct_front_event event[CT_FRONT_EVENTS];
	int events; /* in all */
	struct {
		char word[CT_WORD_ROOM];
		int n;
	} seen[CT_FRONT_WORDS]; /* how often what was seen */
	int words;
};
/* Text of these two is kept on a. */
void ct_front_overview(
    struct ct_front *f, struct ct_arena *a, const struct ct_report_overview *o);
void ct_front_medicine(
    struct ct_front *f, struct ct_arena *a, const struct ct_report_medicine *m);
void ct_front_event(struct ct_front *f, const struct ct_report_event *e);
void ct_front_draw(struct ct_doc *d, const struct ct_front *f, unsigned blocks);

/* ------------------------------------------------ lists of entries */

struct ct_table_column {
	const struct ct_field *f, *instead;
	const char *head;
	double x, width;
	enum ct_align align;
	int lines; /* at most */
};
struct ct_table {
	const struct ct_report_section *section;
	struct ct_table_column col[CT_P_SLOTS];
	int n;
	int64_t rows;
	int64_t left_out; /* where no page was left */
	int32_t day;	  /* of the row above, CT_NULL_DAY: none on this page */
	/* The clock in the row above, CT_NULL_I64: none, and its offset. */
	int64_t above_us, offset_us;
};
void ct_table_begin(struct ct_doc *d, struct ct_table *t,
    const struct ct_report_section *section);
void ct_table_row(struct ct_doc *d, struct ct_table *t, const void *obj);

#endif
