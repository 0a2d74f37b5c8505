/* The door to cairo and pango; see page.h. */
#include "worker/page.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <string.h>

#include "common/clock.h"

#define PI	 3.14159265358979
#define TEXT_MAX 20000 /* bytes of one text */
#define HAIR	 0.4

/* The first that the system has; signs it lacks come from any other. */
#define FAMILIES "Noto Sans, DejaVu Sans, sans-serif"

static const struct {
	double size, grey;
	bool bold;
} types[CT_P_TYPES] = {
    [CT_P_TITLE] = {20, 0, true},
    [CT_P_HEAD] = {10, 0, true},
    [CT_P_FIGURE] = {17, 0, true},
    [CT_P_BODY] = {8.5, 0, false},
    [CT_P_CELL] = {7.5, 0, false},
    [CT_P_CELL_BOLD] = {7.5, 0, true},
    [CT_P_SMALL] = {7, 0.35, false},
};

struct slot {
	PangoLayout *layout;
	enum ct_face type;
	double width;
};

struct ct_page {
	cairo_surface_t *surface;
	cairo_t *cr;
	PangoContext *context;
	PangoFontDescription *font[CT_P_TYPES];
	struct slot slot[CT_P_SLOTS];
	double width, height;
	ct_page_out *out; /* NULL: nobody wants the rest */
	void *ctx;
	char text[TEXT_MAX];
};

/* ------------------------------------------------ text for cairo */

/* The code point of well-formed UTF-8 at p, which has len bytes. */
static uint32_t
code_point(const unsigned char *p, size_t len)
{
	uint32_t c = len == 1 ? *p : *p & (0x7fU >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Cairo refuses a whole text for one of these. */
static bool
is_no_sign(uint32_t c)
{
	return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

/*
 * A copy that cairo takes, cut between signs: line ends are blanks, what is no
 * sign of Unicode is U+FFFD.
 */
static size_t
clean(struct ct_str text, char *out, size_t room)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t n = 0, len;

	for (size_t i = 0; i < text.n; i += len) {
		len = p[i] < 0x80 ? 1 : p[i] < 0xe0 ? 2 : p[i] < 0xf0 ? 3 : 4;
		if (i + len > text.n || n + 4 > room)
			break;
		if (len == 1) {
			out[n++] = p[i] < ' ' ? ' ' : text.p[i];
		} else if (is_no_sign(code_point(p + i, len))) {
			memcpy(out + n, "\xef\xbf\xbd", 3);
			n += 3;
		} else {
			memcpy(out + n, p + i, len);
			n += len;
		}
	}
	return n;
}

static cairo_status_t
take(void *closure, const unsigned char *data, unsigned length)
{
	struct ct_page *p = closure;

	if (p->out != NULL)
		p->out(p->ctx, data, length);
	return CAIRO_STATUS_SUCCESS;
}

static void
let_go(void *data)
{
	struct ct_page *p = data;

	p->out = NULL;
	for (int i = 0; i < CT_P_SLOTS; i++)
		g_clear_object(&p->slot[i].layout);
	for (int i = 0; i < CT_P_TYPES; i++)
		pango_font_description_free(p->font[i]);
	g_clear_object(&p->context);
	cairo_destroy(p->cr);
	cairo_surface_destroy(p->surface);
}

static bool
has_fonts(PangoFontMap *map)
{
	PangoFontFamily **families = NULL;
	int n = 0;

	pango_font_map_list_families(map, &families, &n);
	g_free(families);
	return n > 0;
}

/* Sizes are points, and where signs stand is not rounded: this is paper. */
static void
open_text(struct ct_page *p, PangoFontMap *map)
{
	cairo_font_options_t *options = cairo_font_options_create();
	PangoAttrList *same_width = pango_attr_list_new();

	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	p->context = pango_font_map_create_context(map);
	pango_cairo_context_set_font_options(p->context, options);
	pango_cairo_context_set_resolution(p->context, 72);
	pango_context_set_round_glyph_positions(p->context, FALSE);
	pango_context_set_language(
	    p->context, pango_language_from_string("en"));
	pango_cairo_update_context(p->cr, p->context);
	cairo_font_options_destroy(options);
	for (int i = 0; i < CT_P_TYPES; i++) {
		p->font[i] = pango_font_description_from_string(FAMILIES);
		pango_font_description_set_absolute_size(
		    p->font[i], types[i].size * PANGO_SCALE);
		if (types[i].bold)
			pango_font_description_set_weight(
			    p->font[i], PANGO_WEIGHT_BOLD);
	}
	/* Digits one below the other. */
	pango_attr_list_insert(
	    same_width, pango_attr_font_features_new("tnum=1"));
	for (int i = 0; i < CT_P_SLOTS; i++) {
		p->slot[i].layout = pango_layout_new(p->context);
		pango_layout_set_attributes(p->slot[i].layout, same_width);
		pango_layout_set_wrap(p->slot[i].layout, PANGO_WRAP_WORD_CHAR);
		pango_layout_set_ellipsize(
		    p->slot[i].layout, PANGO_ELLIPSIZE_END);
	}
	pango_attr_list_unref(same_width);
}

static void
say(struct ct_page *p, cairo_pdf_metadata_t what, const char *text)
{
	size_t n = clean(ct_str_of(text), p->text, sizeof(p->text) - 1);

	p->text[n] = '\0';
	cairo_pdf_surface_set_metadata(p->surface, what, p->text);
}

static void
describe(struct ct_page *p, const struct ct_page_info *info)
{
	char time[CT_TIME_MAX];

	ct_time_format(info->made_us - info->made_us % 1000000, time);
	say(p, CAIRO_PDF_METADATA_TITLE, info->title);
	say(p, CAIRO_PDF_METADATA_AUTHOR, info->author);
	cairo_pdf_surface_set_metadata(
	    p->surface, CAIRO_PDF_METADATA_CREATOR, "CatETube Tracker");
	cairo_pdf_surface_set_metadata(
	    p->surface, CAIRO_PDF_METADATA_CREATE_DATE, time);
}

enum ct_rc
ct_page_open(struct ct_arena *a, const struct ct_page_info *info,
    ct_page_out *out, void *ctx, struct ct_page **page, struct ct_err *err)
{
	struct ct_page *p;
	PangoFontMap *map = pango_cairo_font_map_get_default();

	if (!has_fonts(map)) {
		ct_fail(err, CT_INTERNAL, "no_fonts",
		    "This server has no fonts for a PDF. Choose another "
		    "format.");
		return ct_err_detail(err, "install fonts-noto-core");
	}
	p = ct_arena_alloc(a, sizeof(*p));
	p->width = info->letter ? 612 : 595.276;
	p->height = info->letter ? 792 : 841.89;
	p->out = out;
	p->ctx = ctx;
	p->surface =
	    cairo_pdf_surface_create_for_stream(take, p, p->width, p->height);
	p->cr = cairo_create(p->surface);
	describe(p, info);
	open_text(p, map);
	ct_arena_defer(a, let_go, p);
	*page = p;
	return CT_OK;
}

double
ct_page_width(const struct ct_page *p)
{
	return p->width;
}

double
ct_page_height(const struct ct_page *p)
{
	return p->height;
}

void
ct_page_next(struct ct_page *p)
{
	cairo_show_page(p->cr);
}

enum ct_rc
ct_page_close(struct ct_page *p, struct ct_err *err)
{
	cairo_status_t status = cairo_status(p->cr);

	cairo_show_page(p->cr);
	cairo_surface_finish(p->surface);
	p->out = NULL;
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(p->surface);
	if (status == CAIRO_STATUS_SUCCESS)
		return CT_OK;
	ct_fail(err, CT_INTERNAL, NULL, "The PDF could not be made.");
	return ct_err_detail(err, "cairo: %s", cairo_status_to_string(status));
}

/* ------------------------------------------------ text */

int
ct_page_set(struct ct_page *p, int slot, enum ct_face type, double width,
    int most, struct ct_str text)
{
	struct slot *s = &p->slot[slot];
	size_t n = clean(text, p->text, sizeof(p->text));

	s->type = type;
	s->width = width;
	pango_layout_set_font_description(s->layout, p->font[type]);
	pango_layout_set_width(s->layout, (int)(width * PANGO_SCALE));
	pango_layout_set_height(s->layout, -most);
	pango_layout_set_text(s->layout, p->text, ct_int(n));
	return pango_layout_get_line_count(s->layout);
}

static double
line_width(PangoLayoutLine *line)
{
	PangoRectangle logical;

	pango_layout_line_get_extents(line, NULL, &logical);
	return (double)logical.width / PANGO_SCALE;
}

double
ct_page_set_width(struct ct_page *p, int slot)
{
	return line_width(
	    pango_layout_get_line_readonly(p->slot[slot].layout, 0));
}

double
ct_page_leading(enum ct_face type)
{
	return types[type].size * 1.32;
}

/* Lines are put one by one: signs of other fonts do not move them. */
void
ct_page_put(
    struct ct_page *p, int slot, double x, double y, enum ct_align align)
{
	struct slot *s = &p->slot[slot];
	double base = y + types[s->type].size * 1.02, grey, rest;
	int n = pango_layout_get_line_count(s->layout);
	PangoLayoutLine *line;

	grey = types[s->type].grey;
	cairo_set_source_rgb(p->cr, grey, grey, grey);
	for (int i = 0; i < n; i++) {
		line = pango_layout_get_line_readonly(s->layout, i);
		rest = s->width - line_width(line);
		/* Paragraphs that run from the right begin there. */
		if (align == CT_P_LEFT &&
		    (n == 1 || line->resolved_dir != PANGO_DIRECTION_RTL))
			rest = 0;
		else if (align == CT_P_CENTER)
			rest /= 2;
		cairo_move_to(
		    p->cr, x + rest, base + i * ct_page_leading(s->type));
		pango_cairo_show_layout_line(p->cr, line);
	}
}

double
ct_page_text(struct ct_page *p, enum ct_face type, double x, double y,
    double width, enum ct_align align, int most, const char *text)
{
	int lines = ct_page_set(p, 0, type, width, most, ct_str_of(text));

	ct_page_put(p, 0, x, y, align);
	return lines * ct_page_leading(type);
}

/* ------------------------------------------------ lines and areas */

static void
stroke(struct ct_page *p, double width, double grey)
{
	cairo_set_line_width(p->cr, width);
	cairo_set_source_rgb(p->cr, grey, grey, grey);
	cairo_stroke(p->cr);
}

void
ct_page_line(
    struct ct_page *p, struct ct_point a, struct ct_point b, double grey)
{
	cairo_move_to(p->cr, a.x, a.y);
	cairo_line_to(p->cr, b.x, b.y);
	stroke(p, HAIR, grey);
}

void
ct_page_fill(struct ct_page *p, struct ct_point at, double width, double height,
    double grey)
{
	cairo_set_source_rgb(p->cr, grey, grey, grey);
	cairo_rectangle(p->cr, at.x, at.y, width, height);
	cairo_fill(p->cr);
}

void
ct_page_frame(
    struct ct_page *p, struct ct_point at, double width, double height)
{
	cairo_rectangle(p->cr, at.x, at.y, width, height);
	stroke(p, HAIR, 0.25);
}

void
ct_page_dot(struct ct_page *p, struct ct_point at, double r)
{
	cairo_set_source_rgb(p->cr, 0, 0, 0);
	cairo_arc(p->cr, at.x, at.y, r, 0, 2 * PI);
	cairo_fill(p->cr);
}

void
ct_page_wedge(struct ct_page *p, struct ct_point at, double size)
{
	cairo_set_source_rgb(p->cr, 0, 0, 0);
	cairo_move_to(p->cr, at.x, at.y);
	cairo_line_to(p->cr, at.x - size / 2, at.y - size);
	cairo_line_to(p->cr, at.x + size / 2, at.y - size);
	cairo_close_path(p->cr);
	cairo_fill(p->cr);
}

void
ct_page_path(struct ct_page *p, const struct ct_point *at, int n, double width)
{
	static const double grey[] = {1, 0};

	for (int edge = 0; edge < 2; edge++) {
		/* Text leaves a point behind where it ended. */
		cairo_new_path(p->cr);
		for (int i = 0; i < n; i++)
			cairo_line_to(p->cr, at[i].x, at[i].y);
		stroke(p, edge == 0 ? width + 1.2 : width, grey[edge]);
	}
}
