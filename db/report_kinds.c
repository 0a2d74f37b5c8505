/* The kinds of reports: which sections each has, in which formats. */
#include "db/report_rows.h"

#include <string.h>

const char *const ct_report_kinds[] = {
    "feeding", "medication", "weight", "combined", "summary", NULL};
/* excel: as the original's clients ask for it. */
const char *const ct_report_formats[] = {
    "csv", "json", "excel", "xlsx", "pdf", NULL};
const char *const ct_report_papers[] = {"A4", "Letter", NULL};

enum {
	PLAIN = 1 << 0, /* csv, json */
	SHEET = 1 << 1,
	PAGES = 1 << 2,
	ALL = PLAIN | SHEET | PAGES
};

struct part {
	const struct ct_report_section *section; /* NULL: the end */
	unsigned in;
};

static const struct part feeding[] = {{&ct_report_overview, PAGES},
    {&ct_report_days, SHEET | PAGES}, {&ct_report_meals, ALL}, {NULL, 0}};
static const struct part medication[] = {{&ct_report_overview, PAGES},
    {&ct_report_medicines, SHEET | PAGES}, {&ct_report_doses, ALL}, {NULL, 0}};
static const struct part weight[] = {{&ct_report_overview, PAGES},
    {&ct_report_days, PAGES}, {&ct_report_weights, ALL}, {NULL, 0}};
static const struct part combined[] = {{&ct_report_overview, PAGES},
    {&ct_report_days, SHEET | PAGES}, {&ct_report_medicines, SHEET | PAGES},
    {&ct_report_meals, ALL}, {&ct_report_doses, ALL}, {NULL, 0}};
static const struct part summary[] = {{&ct_report_overview, ALL},
    {&ct_report_days, ALL}, {&ct_report_medicines, ALL},
    {&ct_report_events, PAGES}, {&ct_report_day_by_day, PAGES},
    {&ct_report_meals, ALL}, {&ct_report_doses, ALL}, {&ct_report_weights, ALL},
    {&ct_report_observations, ALL}, {&ct_report_water, ALL},
    {&ct_report_tube_checks, ALL}, {NULL, 0}};
_Static_assert(ct_countof(summary) - 1 <= CT_REPORT_SECTIONS, "sections");

static const struct {
	const char *kind;
	const struct part *parts;
} kinds[] = {
    {"feeding", feeding},
    {"medication", medication},
    {"weight", weight},
    {"combined", combined},
    {"summary", summary},
};

struct ct_str
ct_report_format(struct ct_str asked)
{
	return ct_str_is(asked, "excel") ? CT_STR("xlsx") : asked;
}

int
ct_report_sections(struct ct_str kind, struct ct_str format,
    const struct ct_report_section *out[CT_REPORT_SECTIONS])
{
	unsigned in = ct_str_is(format, "xlsx")	 ? SHEET
		      : ct_str_is(format, "pdf") ? PAGES
						 : PLAIN;
	const struct part *p;
	int n = 0;

	for (size_t i = 0; i < ct_countof(kinds); i++) {
		if (!ct_str_is(kind, kinds[i].kind))
			continue;
		for (p = kinds[i].parts; p->section; p++)
			if (p->in & in)
				out[n++] = p->section;
	}
	return n;
}

void
ct_report_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_stmt *st, const struct ct_report *r, bool local)
{
	ct_params_init(p, a);
	ct_p_uuid(p, &r->cat_id);
	ct_p_day(p, r->from_day);
	ct_p_day(p, r->to_day);
	if (strcmp(st->sig, "uddb") == 0)
		ct_p_bool(p, local);
}
