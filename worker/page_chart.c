/* Charts of the first page, in black, white and grey; see page_parts.h. */
#include <math.h>
#include <stdio.h>

#include "worker/page_parts.h"
#include "worker/sink_text.h"

#define LABEL_W	  34 /* of the numbers at the left */
#define STEPS	  5
#define TUBE_GREY 0.45
#define ORAL_GREY 0.88
#define RULE_GREY 0.82
#define DATE_W	  62

struct plot {
	double x, y, w, h;
	struct ct_axis axis;
	int n;
};

struct ct_axis
ct_axis_of(double lo, double hi, double least, int most)
{
	static const double steps[] = {1, 2, 2.5, 5, 10};
	struct ct_axis x;
	double power, span = hi - lo;
	size_t i = 0;

	if (span < least) {
		lo = fmax(lo - (least - span) / 2, fmin(lo, 0));
		hi = lo + least;
		span = least;
	}
	power = pow(10, floor(log10(span / most)));
	/* A hair less, or 5 steps of 0.1 would not fit into 0.5. */
	while (i + 1 < ct_countof(steps) &&
	       span / (steps[i] * power) > most + 1e-9)
		i++;
	x.step = steps[i] * power;
	x.lo = floor(lo / x.step + 1e-9) * x.step;
	x.hi = ceil(hi / x.step - 1e-9) * x.step;
	x.decimals = 0;
	for (power = x.step;
	     x.decimals < 3 && fabs(power - round(power)) > 1e-6; power *= 10)
		x.decimals++;
	return x;
}

void
ct_bars_init(struct ct_bars *b, int32_t first_day, int64_t days)
{
	int64_t each = 1, n;

	while ((days + each - 1) / each > CT_BARS_MAX)
		each *= each == 1 ? 7 : 4;
	n = (days + each - 1) / each;
	*b = (struct ct_bars){
	    .first_day = first_day, .days_each = (int)each, .n = (int)n};
	for (int i = 0; i < b->n; i++)
		b->bar[i].first_day = first_day + i * b->days_each;
}

void
ct_bars_add(struct ct_bars *b, const struct ct_report_day *d)
{
	int64_t at = ((int64_t)d->day - b->first_day) / b->days_each;
	struct ct_bar *bar;

	if (d->day < b->first_day || at >= b->n)
		return;
	bar = &b->bar[at];
	bar->days++;
	bar->target_ul += d->target_ul;
	bar->tube_ul += d->tube_ul;
	bar->oral_ul += d->oral_ul;
	bar->vomits += d->vomits;
	if (d->weight_g != CT_NULL_I64) {
		bar->weight_g += d->weight_g;
		bar->weighed++;
	}
	bar->open |= !d->complete;
}

/* ------------------------------------------------ what both have */

static double
slot_x(const struct plot *c, double i)
{
	return c->x + c->w * i / c->n;
}

static double
value_y(const struct plot *c, double v)
{
	return c->y + c->h * (c->axis.hi - v) / (c->axis.hi - c->axis.lo);
}

static void
draw_rules(const struct ct_doc *d, const struct plot *c)
{
	char text[32];
	int n = (int)round((c->axis.hi - c->axis.lo) / c->axis.step);
	double v, y;

	for (int i = 0; i <= n; i++) {
		v = c->axis.lo + i * c->axis.step;
		y = value_y(c, v);
		ct_page_line(d->p, (struct ct_point){c->x, y},
		    (struct ct_point){c->x + c->w, y},
		    i == 0 ? 0.3 : RULE_GREY);
		snprintf(text, sizeof(text), "%.*f", c->axis.decimals, v);
		ct_page_text(d->p, CT_P_SMALL, d->left,
		    y - ct_page_leading(CT_P_SMALL) / 2, LABEL_W - 5,
		    CT_P_RIGHT, 1, text);
	}
}

/* The year stands with the first date and where it changes. */
static void
draw_dates(
    const struct ct_doc *d, const struct plot *c, const struct ct_bars *b)
{
	int every = (int)ceil(b->n / floor(c->w / DATE_W));
	char day[CT_DAY_WORDS], iso[CT_DAY_MAX];
	int year = 0, this_year;
	double x, w, at;

	for (int i = 0; i < b->n; i += every) {
		ct_day_format(b->bar[i].first_day, iso);
		this_year = (iso[0] - '0') * 1000 + (iso[1] - '0') * 100 +
			    (iso[2] - '0') * 10 + iso[3] - '0';
		if (this_year != year)
			ct_day_words(b->bar[i].first_day, day);
		else
			ct_day_short(b->bar[i].first_day, day);
		year = this_year;
		x = slot_x(c, i + 0.5);
		ct_page_line(d->p,
		    (struct ct_point){slot_x(c, i + 0.5), c->y + c->h},
		    (struct ct_point){slot_x(c, i + 0.5), c->y + c->h + 2.5},
		    0.3);
		ct_page_set(d->p, 0, CT_P_SMALL, DATE_W, 1, ct_str_of(day));
		w = ct_page_set_width(d->p, 0);
		at = x + w / 2 > d->right ? d->right - w : x - w / 2;
		ct_page_put(d->p, 0, at, c->y + c->h + 3, CT_P_LEFT);
	}
}

static double
chart_head(struct ct_doc *d, const char *title, const char *more)
{
	ct_page_text(d->p, CT_P_HEAD, d->left, d->y, 260, CT_P_LEFT, 1, title);
	if (more[0] != '\0')
		ct_page_text(d->p, CT_P_SMALL, d->left, d->y + 2.5,
		    d->right - d->left, CT_P_RIGHT, 1, more);
	return d->y + ct_page_leading(CT_P_HEAD) + 4;
}

static const char *
each_bar(const struct ct_doc *d, const struct ct_bars *b, const char *what)
{
	return b->days_each == 1
		   ? ""
		   : ct_arena_printf(
			 d->a, "%s the mean of %d days", what, b->days_each);
}

/* ------------------------------------------------ intake */

/* A sample and its word; returns where the next one goes, to the left. */
static double
key(const struct ct_doc *d, double right, const char *word, double grey)
{
	double y = d->y + 2.5, w, h = ct_page_leading(CT_P_SMALL);
	struct ct_point at;

	ct_page_set(d->p, 0, CT_P_SMALL, 140, 1, ct_str_of(word));
	w = ct_page_set_width(d->p, 0);
	ct_page_put(d->p, 0, right - w, y, CT_P_LEFT);
	at = (struct ct_point){right - w - 12, y + h / 2 - 2.5};
	if (grey < 0) {
		ct_page_path(d->p,
		    (struct ct_point[]){
			{at.x - 3, at.y + 3}, {at.x + 9, at.y + 3}},
		    2, 1.2);
	} else if (grey > 1) {
		ct_page_wedge(d->p, (struct ct_point){at.x + 5, at.y + 5.5}, 5);
	} else {
		ct_page_fill(d->p, at, 8, 6, grey);
		ct_page_frame(d->p, at, 8, 6);
	}
	return right - w - 24;
}

static void
intake_keys(const struct ct_doc *d, bool oral, bool vomits, const char *note)
{
	double x = d->right;

	if (vomits)
		x = key(d, x, "vomiting", 2);
	x = key(d, x, "target", -1);
	if (oral)
		x = key(d, x, "by mouth", ORAL_GREY);
	x = key(d, x, "by tube", TUBE_GREY);
	if (note[0] != '\0')
		ct_page_text(d->p, CT_P_SMALL, x - 180, d->y + 2.5, 176,
		    CT_P_RIGHT, 1, note);
}

static double
ml_a_day(int64_t ul, const struct ct_bar *b)
{
	return b->days == 0 ? 0 : (double)ul / 1000.0 / b->days;
}

static void
draw_bar(
    const struct ct_doc *d, const struct plot *c, const struct ct_bar *b, int i)
{
	double gap = c->w / c->n > 6 ? 0.16 : 0.1;
	double x = slot_x(c, i + gap), w = slot_x(c, i + 1 - gap) - x;
	double zero = value_y(c, 0);
	double tube = value_y(c, ml_a_day(b->tube_ul, b));
	double all = value_y(c, ml_a_day(b->tube_ul + b->oral_ul, b));

	ct_page_fill(d->p, (struct ct_point){x, tube}, w, zero - tube,
	    b->open ? 0.68 : TUBE_GREY);
	if (tube - all < 0.1)
		return;
	ct_page_fill(d->p, (struct ct_point){x, all}, w, tube - all, ORAL_GREY);
	ct_page_frame(d->p, (struct ct_point){x, all}, w, tube - all);
}

/* In the row under the dates; more than one in a bar has its number. */
static void
draw_vomits(const struct ct_doc *d, const struct plot *c,
    const struct ct_bars *b, double y)
{
	char text[16];
	double x;

	for (int i = 0; i < b->n; i++) {
		if (b->bar[i].vomits == 0)
			continue;
		x = slot_x(c, i + 0.5);
		ct_page_wedge(d->p, (struct ct_point){x, y + 6}, 5);
		if (b->bar[i].vomits == 1)
			continue;
		snprintf(
		    text, sizeof(text), "%lld", (long long)b->bar[i].vomits);
		ct_page_text(d->p, CT_P_SMALL, x - 10, y + 5.5, 20, CT_P_CENTER,
		    1, text);
	}
}

static void
draw_target(
    const struct ct_doc *d, const struct plot *c, const struct ct_bars *b)
{
	struct ct_point *at =
	    ct_arena_alloc(d->a, (size_t)b->n * 2 * sizeof(*at));

	for (int i = 0; i < b->n; i++) {
		double y =
		    value_y(c, ml_a_day(b->bar[i].target_ul, &b->bar[i]));

		at[2 * i] = (struct ct_point){slot_x(c, i), y};
		at[2 * i + 1] = (struct ct_point){slot_x(c, i + 1), y};
	}
	ct_page_path(d->p, at, 2 * b->n, 1.2);
}

void
ct_chart_intake(struct ct_doc *d, const struct ct_bars *b, double height)
{
	struct plot c = {.x = d->left + LABEL_W,
	    .w = d->right - d->left - LABEL_W,
	    .h = height,
	    .n = b->n};
	bool oral = false, vomits = false;
	const char *note = each_bar(d, b, "a bar:");
	double most = 0;

	if (b->n == 0)
		return;
	for (int i = 0; i < b->n; i++) {
		const struct ct_bar *x = &b->bar[i];

		most = fmax(most, ml_a_day(x->target_ul, x));
		most = fmax(most, ml_a_day(x->tube_ul + x->oral_ul, x));
		oral |= x->oral_ul > 0;
		vomits |= x->vomits > 0;
	}
	if (note[0] == '\0' && b->bar[b->n - 1].open)
		note = "last bar: today so far";
	c.axis = ct_axis_of(0, most * 1.02, 10, STEPS);
	c.y = chart_head(d, "Intake, mL a day", "");
	intake_keys(d, oral, vomits, note);
	draw_rules(d, &c);
	for (int i = 0; i < b->n; i++)
		draw_bar(d, &c, &b->bar[i], i);
	draw_target(d, &c, b);
	draw_dates(d, &c, b);
	d->y = c.y + c.h + 13;
	if (vomits) {
		draw_vomits(d, &c, b, d->y);
		d->y += 15;
	}
	d->y += 6;
}

/* ------------------------------------------------ weight */

static double
weight_of(const struct ct_bar *b)
{
	return (double)b->weight_g / 1000.0 / b->weighed;
}

void
ct_chart_weight(struct ct_doc *d, const struct ct_bars *b, double height)
{
	struct plot c = {.x = d->left + LABEL_W,
	    .w = d->right - d->left - LABEL_W,
	    .h = height,
	    .n = b->n};
	struct ct_point *at =
	    ct_arena_alloc(d->a, (size_t)(b->n + 1) * sizeof(*at));
	double lo = INFINITY, hi = 0;
	int n = 0;

	for (int i = 0; i < b->n; i++) {
		if (b->bar[i].weighed == 0)
			continue;
		lo = fmin(lo, weight_of(&b->bar[i]));
		hi = fmax(hi, weight_of(&b->bar[i]));
		n++;
	}
	c.y = chart_head(
	    d, "Weight, kg", n > 1 ? each_bar(d, b, "a point:") : "");
	if (n == 0) {
		d->y = c.y +
		       ct_page_text(d->p, CT_P_BODY, d->left, c.y - 2, 300,
			   CT_P_LEFT, 1, "Not weighed in this period.") +
		       8;
		return;
	}
	/* A cat's weight moves by tens of grams: less must not look like much.
	 */
	c.axis = ct_axis_of(lo, hi, 0.2, STEPS - 1);
	draw_rules(d, &c);
	n = 0;
	for (int i = 0; i < b->n; i++)
		if (b->bar[i].weighed > 0)
			at[n++] = (struct ct_point){slot_x(&c, i + 0.5),
			    value_y(&c, weight_of(&b->bar[i]))};
	if (n > 1)
		ct_page_path(d->p, at, n, 1);
	for (int i = 0; i < n; i++)
		ct_page_dot(d->p, at[i], b->n > 62 ? 1.3 : 1.9);
	draw_dates(d, &c, b);
	d->y = c.y + c.h + 20;
}
