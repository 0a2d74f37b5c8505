/* The first page: what a vet wants to see at once; see page_parts.h. */
#include <stdio.h>
#include <string.h>

#include "care/weight.h"
#include "worker/page_parts.h"
#include "worker/sink_text.h"

#define FIGURE_H 50
#define GUTTER	 18

/* ------------------------------------------------ what is kept for it */

static struct ct_str
keep(struct ct_arena *a, struct ct_str s)
{
	return s.p == NULL ? s : ct_str_dup(a, s);
}

void
ct_front_overview(
    struct ct_front *f, struct ct_arena *a, const struct ct_report_overview *o)
{
	f->o = *o;
	f->o.breed = keep(a, o->breed);
	f->o.sex = keep(a, o->sex);
	f->o.conditions = keep(a, o->conditions);
	f->o.diet = keep(a, o->diet);
	if (o->days > 0)
		ct_bars_init(&f->bars, o->first_day, o->days);
}

void
ct_front_medicine(
    struct ct_front *f, struct ct_arena *a, const struct ct_report_medicine *m)
{
	struct ct_report_medicine *to;

	if (f->medicines++ >= CT_FRONT_MEDICINES)
		return;
	to = &f->medicine[f->medicines - 1];
	*to = *m;
	to->name = keep(a, m->name);
	to->dosage = keep(a, m->dosage);
	to->route = keep(a, m->route);
	to->reasons = keep(a, m->reasons);
}

/* ------------------------------------------------ its head */

static void
add_fact(struct ct_buf *b, const char *text)
{
	if (text[0] == '\0')
		return;
	ct_buf_adds(b, b->n > 0 ? " \u00b7 " : "");
	ct_buf_adds(b, text);
}

static const char *
tube_facts(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct ct_buf b;
	char text[24], day[CT_DAY_WORDS];

	ct_buf_init(&b, a, 96);
	if (o->tube_size_fr != CT_NULL_I64)
		ct_buf_addf(&b, " %lld Fr", (long long)o->tube_size_fr);
	if (o->tube_placed_on != CT_NULL_DAY)
		ct_buf_addf(&b, "%s placed %s", b.n > 0 ? "," : "",
		    ct_day_words(o->tube_placed_on, day));
	if (o->tube_mark_mcm != CT_NULL_I64) {
		text[ct_milli_text(o->tube_mark_mcm, text)] = '\0';
		ct_buf_addf(&b, "%s mark at %s cm", b.n > 0 ? "," : "", text);
	}
	return b.n == 0 ? ""
			: ct_arena_printf(
			      a, "tube:%s", ct_str_cstr(a, ct_buf_str(&b)));
}

static const char *
facts(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 256);
	if (o->breed.n > 0)
		add_fact(&b, ct_arena_printf(
				 a, "\u2068%.*s\u2069", CT_STR_FMT(o->breed)));
	if (o->sex.n > 0)
		add_fact(&b, ct_sink_word(a, o->sex));
	if (o->birth_year != CT_NULL_I64)
		add_fact(&b,
		    ct_arena_printf(a, "born %lld", (long long)o->birth_year));
	else if (o->age_years != CT_NULL_I64)
		add_fact(&b, ct_arena_printf(
				 a, "%lld years old", (long long)o->age_years));
	add_fact(&b, tube_facts(a, o));
	return ct_str_cstr(a, ct_buf_str(&b));
}

static const char *
period(struct ct_arena *a, int32_t from, int32_t to)
{
	char first[CT_DAY_WORDS], last[CT_DAY_WORDS];

	if (from == to)
		return ct_arena_printf(a, "%s", ct_day_words(from, first));
	return ct_arena_printf(
	    a, "%s to %s", ct_day_words(from, first), ct_day_words(to, last));
}

/* "31 days, 30 of them complete", and what was asked for if that differs. */
static const char *
days_words(const struct ct_doc *d, const struct ct_report_overview *o)
{
	int32_t from = d->r->from_day, to = d->r->to_day;
	const char *days = ct_arena_printf(d->a, "%lld %s%s",
	    (long long)o->days, o->days == 1 ? "day" : "days",
	    o->complete_days < o->days ? ", the last one not over yet" : "");

	if (from == CT_NULL_DAY || to == CT_NULL_DAY ||
	    (from == o->first_day && to == o->last_day))
		return days;
	return ct_arena_printf(
	    d->a, "%s; asked for: %s", days, period(d->a, from, to));
}

static double
paragraph(struct ct_doc *d, const char *name, struct ct_str text, int most)
{
	if (text.n == 0)
		return 0;
	return ct_page_text(d->p, CT_P_BODY, d->left, d->y, d->right - d->left,
	    CT_P_LEFT, most,
	    ct_arena_printf(
		d->a, "%s: \u2068%.*s\u2069", name, CT_STR_FMT(text)));
}

static void
draw_head(struct ct_doc *d, const struct ct_report_overview *o)
{
	double w = d->right - d->left, y = d->y;

	ct_page_text(
	    d->p, CT_P_TITLE, d->left, y - 5, w * 0.55, CT_P_LEFT, 1, d->cat);
	ct_page_text(d->p, CT_P_HEAD, d->left + w * 0.55, y - 1, w * 0.45,
	    CT_P_RIGHT, 1, d->title);
	if (o->days > 0) {
		ct_page_text(d->p, CT_P_BODY, d->left + w * 0.55, y + 13,
		    w * 0.45, CT_P_RIGHT, 1,
		    period(d->a, o->first_day, o->last_day));
		ct_page_text(d->p, CT_P_SMALL, d->left + w * 0.4, y + 25,
		    w * 0.6, CT_P_RIGHT, 1, days_words(d, o));
	}
	d->y = y + 25;
	d->y += ct_page_text(d->p, CT_P_BODY, d->left, d->y, w * 0.55,
	    CT_P_LEFT, 2, facts(d->a, o));
	d->y += 3;
	d->y += paragraph(d, "Conditions", o->conditions, 2);
	d->y += paragraph(d, "Diet", o->diet, 2);
	d->y += 5;
}

/* ------------------------------------------------ figures */

struct figure {
	const char *name, *value, *more;
};

/* Whole millilitres, tenths below ten. */
static const char *
ml_words(struct ct_arena *a, int64_t ul)
{
	return ul < 10000
		   ? ct_arena_printf(a, "%.1f", (double)ul / 1000)
		   : ct_arena_printf(a, "%lld", (long long)((ul + 500) / 1000));
}

static const char *
kg_words(struct ct_arena *a, int64_t g)
{
	return ct_arena_printf(a, "%lld.%02lld", (long long)((g + 5) / 1000),
	    (long long)((g + 5) / 10 % 100));
}

static struct figure
intake(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct figure f = {
	    "Intake, mean of complete days", "no complete day", ""};
	char percent[24];

	if (o->complete_days == 0)
		return f;
	percent[ct_milli_text(o->mean_percent, percent)] = '\0';
	f.value = ct_arena_printf(a, "%s mL", ml_words(a, o->mean_ul));
	f.more = ct_arena_printf(a, "%s %% of the target, %s mL", percent,
	    ml_words(a, o->mean_target_ul));
	if (o->low_days > 0)
		f.more = ct_arena_printf(a, "%s\u2028%lld %s below 75 %%",
		    f.more, (long long)o->low_days,
		    o->low_days == 1 ? "day" : "days");
	if (o->empty_days > 0)
		f.more = ct_arena_printf(a, "%s, %lld without a meal", f.more,
		    (long long)o->empty_days);
	return f;
}

static struct figure
weight(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct figure f = {"Weight", "not weighed", ""};
	char percent[24], day[CT_DAY_WORDS];
	int64_t change, g;

	if (o->last_weight_g == CT_NULL_I64)
		return f;
	f.value = ct_arena_printf(a, "%s kg", kg_words(a, o->last_weight_g));
	ct_day_words(o->last_weight_day, day);
	f.more = ct_arena_printf(a, "on %s", day);
	if (o->first_weight_day == o->last_weight_day)
		return f;
	change = ct_weight_change_milli(o->last_weight_g, o->first_weight_g);
	g = o->last_weight_g - o->first_weight_g;
	percent[ct_milli_text(change < 0 ? -change : change, percent)] = '\0';
	f.more = ct_arena_printf(a, "%s%lld g (%s%s %%) since %s\u2028on %s",
	    g < 0 ? "\u2212" : "+", (long long)(g < 0 ? -g : g),
	    change < 0 ? "\u2212" : "+", percent,
	    ct_day_words(o->first_weight_day, (char[CT_DAY_WORDS]){0}), day);
	return f;
}

static struct figure
vomiting(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct figure f = {"Vomiting", "none logged", ""};
	char day[CT_DAY_WORDS];

	if (o->vomits == 0)
		return f;
	f.value = ct_arena_printf(a, "%lld \u00d7", (long long)o->vomits);
	f.more = ct_arena_printf(a, "on %lld of %lld days\u2028last on %s",
	    (long long)o->vomit_days, (long long)o->days,
	    ct_day_words(o->last_vomit_day, day));
	return f;
}

static struct figure
doses(struct ct_arena *a, const struct ct_report_overview *o)
{
	struct figure f = {"Medication", "none logged", ""};
	int64_t all = o->doses_given + o->doses_skipped;

	if (all == 0)
		return f;
	f.value = ct_arena_printf(a, "%lld given", (long long)o->doses_given);
	f.more = o->doses_skipped == 0
		     ? "none skipped"
		     : ct_arena_printf(a, "%lld skipped, of %lld logged",
			   (long long)o->doses_skipped, (long long)all);
	return f;
}

/* The two lines of `more` are parted by U+2028. */
static void
draw_more(struct ct_doc *d, double x, double y, double w, const char *more)
{
	const char *cut = strstr(more, "\u2028");
	int n = cut == NULL ? (int)strlen(more) : (int)(cut - more);

	ct_page_text(d->p, CT_P_SMALL, x, y, w, CT_P_LEFT, cut ? 1 : 2,
	    ct_arena_printf(d->a, "%.*s", n, more));
	if (cut != NULL)
		ct_page_text(d->p, CT_P_SMALL, x,
		    y + ct_page_leading(CT_P_SMALL), w, CT_P_LEFT, 1,
		    cut + strlen("\u2028"));
}

static void
draw_figures(
    struct ct_doc *d, const struct ct_report_overview *o, unsigned blocks)
{
	static const struct {
		unsigned block;
		struct figure (*make)(
		    struct ct_arena *a, const struct ct_report_overview *o);
	} all[] = {
	    {CT_B_INTAKE, intake},
	    {CT_B_WEIGHT, weight},
	    {CT_B_VOMIT, vomiting},
	    {CT_B_DOSES, doses},
	};
	double w = (d->right - d->left) / (double)ct_countof(all);
	double x = d->left;

	ct_page_line(d->p, (struct ct_point){d->left, d->y},
	    (struct ct_point){d->right, d->y}, 0);
	for (size_t i = 0; i < ct_countof(all); i++) {
		struct figure f;

		if (!(blocks & all[i].block))
			continue;
		f = all[i].make(d->a, o);
		ct_page_text(
		    d->p, CT_P_SMALL, x, d->y + 4, w - 8, CT_P_LEFT, 1, f.name);
		ct_page_text(d->p, CT_P_FIGURE, x, d->y + 12, w - 8, CT_P_LEFT,
		    1, f.value);
		draw_more(d, x, d->y + 34, w - 6, f.more);
		x += w;
	}
	d->y += FIGURE_H + 4;
	ct_page_line(d->p, (struct ct_point){d->left, d->y},
	    (struct ct_point){d->right, d->y}, 0);
	d->y += 10;
}

/* ------------------------------------------------ medicines and events */

#define NUMBER_W 38

struct column {
	double x, width;
};

static void
medicine_numbers(struct ct_doc *d, const struct column *c, double y,
    enum ct_face type, const char *const text[3])
{
	static const double width[] = {NUMBER_W, NUMBER_W, 52};
	double right = c->x + c->width;

	for (int i = 2; i >= 0; i--) {
		ct_page_text(d->p, type, right - width[i], y, width[i],
		    CT_P_RIGHT, 1, text[i]);
		right -= width[i];
	}
}

static double
draw_medicine(struct ct_doc *d, const struct column *c, double y,
    const struct ct_report_medicine *m)
{
	double w = c->width - 2 * NUMBER_W - 56;
	char day[CT_DAY_WORDS];
	const char *numbers[] = {
	    ct_arena_printf(d->a, "%lld", (long long)m->given),
	    ct_arena_printf(d->a, "%lld", (long long)m->skipped),
	    ct_day_words(m->last_day, day)};

	medicine_numbers(d, c, y, CT_P_CELL, numbers);
	y += ct_page_text(d->p, CT_P_CELL_BOLD, c->x, y, w, CT_P_LEFT, 1,
	    ct_str_cstr(d->a, m->name));
	y +=
	    ct_page_text(d->p, CT_P_SMALL, c->x, y, c->width - 56, CT_P_LEFT, 1,
		ct_arena_printf(d->a, "\u2068%.*s\u2069 \u00b7 %.*s",
		    CT_STR_FMT(m->dosage), CT_STR_FMT(m->route)));
	if (m->reasons.n > 0)
		y += ct_page_text(d->p, CT_P_SMALL, c->x, y, c->width,
		    CT_P_LEFT, 1,
		    ct_arena_printf(d->a, "skipped: \u2068%.*s\u2069",
			CT_STR_FMT(m->reasons)));
	return y + 3;
}

static double
draw_medicines(
    struct ct_doc *d, const struct ct_front *f, const struct column *c)
{
	static const char *const heads[] = {"given", "skipped", "last on"};
	double y = d->y, high = 3 * ct_page_leading(CT_P_CELL) + 12;
	int i = 0;

	y += ct_page_text(d->p, CT_P_HEAD, c->x, y, c->width, CT_P_LEFT, 1,
		 "Medicines") +
	     1;
	if (f->medicines == 0)
		return y + ct_page_text(d->p, CT_P_BODY, c->x, y, c->width,
			       CT_P_LEFT, 1, "None logged.");
	medicine_numbers(d, c, d->y + 3, CT_P_SMALL, heads);
	ct_page_line(d->p, (struct ct_point){c->x, y},
	    (struct ct_point){c->x + c->width, y}, 0);
	y += 3;
	while (
	    i < f->medicines && i < CT_FRONT_MEDICINES && y + high <= d->bottom)
		y = draw_medicine(d, c, y, &f->medicine[i++]);
	if (i < f->medicines)
		y += ct_page_text(d->p, CT_P_SMALL, c->x, y, c->width,
		    CT_P_LEFT, 1,
		    ct_arena_printf(d->a,
			"and %d more, among the entries below",
			f->medicines - i));
	return y;
}

static const char *
seen_words(struct ct_arena *a, const struct ct_front *f)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 128);
	for (int i = 0; i < f->words; i++)
		ct_buf_addf(&b, "%s%s %d\u00a0\u00d7", i > 0 ? ", " : "",
		    f->seen[i].word, f->seen[i].n);
	return ct_str_cstr(a, ct_buf_str(&b));
}

static double
draw_event(struct ct_doc *d, const struct column *c, double y,
    const struct ct_front_event *e)
{
	char day[CT_DAY_WORDS], time[CT_TIME_MAX];
	const char *text = e->what;

	if (e->notes[0] != '\0')
		text = ct_arena_printf(
		    d->a, "%s: \u2068%s\u2069", e->what, e->notes);
	ct_time_format(e->local_us, time);
	ct_day_short((int32_t)(e->local_us / INT64_C(86400000000)), day);
	ct_page_text(d->p, CT_P_CELL, c->x, y, 56, CT_P_LEFT, 1,
	    ct_arena_printf(d->a, "%s, %.5s", day, time + 11));
	return y +
	       ct_page_text(d->p, CT_P_CELL, c->x + 58, y, c->width - 58,
		   CT_P_LEFT, 2, text) +
	       1.5;
}

static double
draw_events(struct ct_doc *d, const struct ct_front *f, const struct column *c)
{
	double y = d->y, high = 3 * ct_page_leading(CT_P_CELL);
	int i = 0;

	y += ct_page_text(d->p, CT_P_HEAD, c->x, y, c->width, CT_P_LEFT, 1,
		 "What was seen, newest first") +
	     1;
	ct_page_line(d->p, (struct ct_point){c->x, y},
	    (struct ct_point){c->x + c->width, y}, 0);
	y += 3;
	if (f->events == 0)
		return y + ct_page_text(d->p, CT_P_BODY, c->x, y, c->width,
			       CT_P_LEFT, 1, "Nothing logged.");
	if (f->words > 0)
		y += ct_page_text(d->p, CT_P_CELL_BOLD, c->x, y, c->width,
			 CT_P_LEFT, 3, seen_words(d->a, f)) +
		     3;
	while (i < f->events && i < CT_FRONT_EVENTS && y + high <= d->bottom) {
		i++;
		y = draw_event(
		    d, c, y, &f->event[(f->events - i) % CT_FRONT_EVENTS]);
	}
	if (i < f->events)
		y += ct_page_text(d->p, CT_P_SMALL, c->x, y, c->width,
		    CT_P_LEFT, 1,
		    ct_arena_printf(
			d->a, "and %d more, among the entries", f->events - i));
	return y;
}

void
ct_front_draw(struct ct_doc *d, const struct ct_front *f, unsigned blocks)
{
	struct column left = {d->left, d->right - d->left}, right;
	double a = d->y, b = d->y;

	draw_head(d, &f->o);
	if (f->o.days == 0)
		return;
	draw_figures(d, &f->o, blocks);
	if (blocks & CT_B_INTAKE)
		ct_chart_intake(d, &f->bars, 118);
	if (blocks & CT_B_WEIGHT)
		ct_chart_weight(d, &f->bars, 72);
	if (blocks & CT_B_EVENTS)
		left.width = (left.width - GUTTER) * 0.5;
	right = (struct column){left.x + left.width + GUTTER, left.width};
	if (blocks & CT_B_DOSES)
		a = draw_medicines(d, f, &left);
	if (blocks & CT_B_EVENTS)
		b = draw_events(d, f, &right);
	if (a > d->y || b > d->y)
		d->y = (a > b ? a : b) + 8;
}
