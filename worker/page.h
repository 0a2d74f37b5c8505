/*
 * Pages of a PDF: text in any script, lines and areas in shades of grey. In
 * points of 1/72 inch from the top left. The door to cairo and pango.
 *
 * Text that is too long for its place ends in an ellipsis. Signs that no
 * installed font has show as a box with their number.
 */
#ifndef CT_WORKER_PAGE_H
#define CT_WORKER_PAGE_H

#include "common/err.h"
#include "common/str.h"

struct ct_page;

struct ct_page_info {
	const char *title, *author;
	int64_t made_us; /* two runs give the same bytes */
	bool letter;	 /* else A4 */
};

enum ct_face {
	CT_P_TITLE,
	CT_P_HEAD,
	CT_P_FIGURE,
	CT_P_BODY,
	CT_P_CELL,
	CT_P_CELL_BOLD,
	CT_P_SMALL,
	CT_P_TYPES
};
enum ct_align { CT_P_LEFT, CT_P_RIGHT, CT_P_CENTER };

struct ct_point {
	double x, y;
};

/* Takes the next bytes of the file. */
typedef void ct_page_out(void *ctx, const void *p, size_t n);

/*
 * Begins the first page; everything is let go of with the arena.
 * CT_INTERNAL, code "no_fonts": the system has none.
 */
enum ct_rc ct_page_open(struct ct_arena *a, const struct ct_page_info *info,
    ct_page_out *out, void *ctx, struct ct_page **page,
    struct ct_err *err) CT_MUSTCHECK;
double ct_page_width(const struct ct_page *p);
double ct_page_height(const struct ct_page *p);
void ct_page_next(struct ct_page *p);
/* The last bytes. CT_INTERNAL. */
enum ct_rc ct_page_close(struct ct_page *p, struct ct_err *err) CT_MUSTCHECK;

/*
 * Text is set in one of CT_P_SLOTS slots, then put on the page, so that a row
 * of a table can be as high as its highest cell. Returns the lines that it
 * takes, 1 … most. Line ends count as blanks.
 */
#define CT_P_SLOTS 20
int ct_page_set(struct ct_page *p, int slot, enum ct_face type, double width,
    int most, struct ct_str text);
/* x, y: the top left of its place. */
void ct_page_put(
    struct ct_page *p, int slot, double x, double y, enum ct_align align);
/* Width of what is set, at most that of its place. */
double ct_page_set_width(struct ct_page *p, int slot);
/* Both at once; returns the height taken. */
double ct_page_text(struct ct_page *p, enum ct_face type, double x, double y,
    double width, enum ct_align align, int most, const char *text);
/* From one line to the next. */
double ct_page_leading(enum ct_face type);

/* grey: 0 black … 1 white. */
void ct_page_line(
    struct ct_page *p, struct ct_point a, struct ct_point b, double grey);
void ct_page_fill(struct ct_page *p, struct ct_point at, double width,
    double height, double grey);
void ct_page_frame(
    struct ct_page *p, struct ct_point at, double width, double height);
void ct_page_dot(struct ct_page *p, struct ct_point at, double r);
/* Standing on its tip, which is at. */
void ct_page_wedge(struct ct_page *p, struct ct_point at, double size);
/* Black, over a white edge that keeps it apart from what is below. */
void ct_page_path(
    struct ct_page *p, const struct ct_point *at, int n, double width);

#endif
