/*
 * PDF: a first page for whoever reads only one, then the entries. What of them
 * is printed is bounded: the newest `most`, on CT_DOC_PAGES pages.
 */
#include <string.h>

#include "worker/page_parts.h"
#include "worker/sink_text.h"

#define ENTRIES_MOST 5000 /* a year of six meals and four doses a day */

static const struct kind {
	const char *kind, *title;
	unsigned blocks;
	bool own_page; /* entries begin on the second one */
} kinds[] = {
    {"feeding", "Meals", CT_B_INTAKE | CT_B_VOMIT, false},
    {"medication", "Medication", CT_B_DOSES, false},
    {"weight", "Weight", CT_B_WEIGHT, false},
    {"combined", "Meals and medication", CT_B_INTAKE | CT_B_VOMIT | CT_B_DOSES,
	false},
    {"summary", "Feeding tube summary",
	CT_B_INTAKE | CT_B_WEIGHT | CT_B_VOMIT | CT_B_DOSES | CT_B_EVENTS,
	true},
};

struct pages {
	const struct kind *kind;
	struct ct_page *page;
	struct ct_doc doc;
	struct ct_front front;
	const struct ct_report_section *section;
	struct ct_table table;
	bool front_drawn;
	int64_t entries;
	int64_t left_out;
};

static void
take(void *ctx, const void *p, size_t n)
{
	struct ct_sink *s = ctx;

	ct_buf_add(&s->out, p, n);
	ct_sink_flush(s, false);
}

static const struct kind *
find_kind(struct ct_str kind)
{
	for (size_t i = 0; i < ct_countof(kinds); i++)
		if (ct_str_is(kind, kinds[i].kind))
			return &kinds[i];
	ct_bug("no pages for %.*s", CT_STR_FMT(kind));
}

static void
pdf_open(struct ct_sink *s, const struct ct_report *r,
    const struct ct_report_head *head)
{
	struct pages *g = ct_arena_alloc(s->a, sizeof(*g));
	struct ct_page_info info = {.author = ct_str_cstr(s->a, head->asked_by),
	    .made_us = r->created_at,
	    .letter = ct_sink_letter(r, head)};

	s->own = g;
	g->kind = find_kind(r->kind);
	info.title = ct_arena_printf(
	    s->a, "%s: %s", g->kind->title, ct_sink_cat(s->a, head));
	if (ct_page_open(s->a, &info, take, s, &g->page, &s->err) == CT_OK)
		ct_doc_init(&g->doc, g->page, s->a, r, head, g->kind->title);
}

static void
draw_front(struct ct_sink *s)
{
	struct pages *g = s->own;
	struct ct_doc *d = &g->doc;
	char day[CT_DAY_WORDS];

	if (g->front_drawn)
		return;
	g->front_drawn = true;
	ct_front_draw(d, &g->front, g->kind->blocks);
	if (g->kind->own_page)
		ct_doc_break(d);
	if (s->cut_rows == 0)
		return;
	d->y +=
	    ct_page_text(d->p, CT_P_BODY, d->left, d->y, d->right - d->left,
		CT_P_LEFT, 2,
		ct_arena_printf(s->a,
		    "Entries from %s on. The %lld before are not printed "
		    "here; the CSV and XLSX files of this report have "
		    "them all.",
		    ct_day_words(s->cut_day, day), (long long)s->cut_rows)) +
	    4;
}

static void
pdf_begin(struct ct_sink *s, const struct ct_report_section *sec,
    CT_UNUSED int index, CT_UNUSED int sections)
{
	struct pages *g = s->own;

	g->section = sec;
	if (sec->part != CT_PART_ENTRIES)
		return;
	/* A list of the days of a period without entries has no page. */
	if (g->front.o.days > 0 || !g->kind->own_page)
		draw_front(s);
	ct_table_begin(&g->doc, &g->table, sec);
}

static void
pdf_row(struct ct_sink *s, const void *obj)
{
	struct pages *g = s->own;

	switch (g->section->part) {
	case CT_PART_OVERVIEW:
		ct_front_overview(&g->front, s->a, obj);
		break;
	case CT_PART_DAYS:
		ct_bars_add(&g->front.bars, obj);
		break;
	case CT_PART_MEDICINES:
		ct_front_medicine(&g->front, s->a, obj);
		break;
	case CT_PART_EVENTS:
		ct_front_event(&g->front, obj);
		break;
	case CT_PART_ENTRIES:
		ct_table_row(&g->doc, &g->table, obj);
		break;
	}
}

static void
pdf_end(struct ct_sink *s)
{
	struct pages *g = s->own;

	if (g->section->part != CT_PART_ENTRIES)
		return;
	/* The days are no entries of their own. */
	if (g->section->count != NULL)
		g->entries += g->table.rows;
	g->left_out += g->table.left_out;
}

static void
say_what_is_missing(struct pages *g)
{
	struct ct_doc *d = &g->doc;
	const char *text = "No entries in this period.";

	if (g->entries > 0 && g->left_out == 0)
		return;
	if (g->left_out > 0)
		text = ct_arena_printf(d->a,
		    "A PDF ends after %d pages: %lld further rows are not "
		    "printed. The CSV and XLSX files of this report have them "
		    "all.",
		    CT_DOC_PAGES, (long long)g->left_out);
	ct_page_text(d->p, CT_P_BODY, d->left, d->y + 4, d->right - d->left,
	    CT_P_LEFT, 2, text);
}

static void
pdf_close(struct ct_sink *s)
{
	struct pages *g = s->own;

	if (!g->front_drawn)
		ct_front_draw(&g->doc, &g->front, g->kind->blocks);
	say_what_is_missing(g);
	ct_doc_end(&g->doc);
	if (ct_page_close(g->page, &s->err) != CT_OK)
		return;
	ct_sink_flush(s, true);
}

const struct ct_sink_format ct_sink_pdf = {"pdf", true, ENTRIES_MOST, pdf_open,
    pdf_begin, pdf_row, pdf_end, pdf_close};
