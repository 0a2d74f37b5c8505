/*
 * XLSX, the door to libxlsxwriter: a sheet for each section, with real numbers
 * and dates, and chart sheets. In its constant-memory mode the library keeps
 * rows in a temporary file per sheet, which has no name, and packs them at the
 * end. It does not look whether those files could be written: we do, before
 * and after packing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xlsxwriter.h>

#include "worker/sink_text.h"
#include "worker/zip_check.h"

#define SHEETS_MAX 64
#define COLS_MAX   40
#define TEXT_ROOM  (64U << 10) /* a note, each sign escaped */
#define BIG_ROWS   3000000     /* such archives may pass 4 GiB */
#define EXCEL_DAY0 25569       /* 1970-01-01 in days of a spreadsheet */
#define DAY_US	   86400e6

enum style { HEAD, HEAD_NUMBER, TEXT, DAY, TIME, ML, KG, INT, PLAIN, STYLES };

struct col {
	const struct ct_field *f;
	enum style style;
	bool seen; /* some row has a value */
};

struct book {
	lxw_workbook *wb;
	lxw_worksheet *ws;
	lxw_format *style[STYLES];
	const struct ct_report *r;
	const struct ct_report_head *head;
	const struct ct_report_section *section;
	struct col col[COLS_MAX];
	int ncols;
	lxw_row_t row; /* the next one */
	int part;      /* of the section: 1, 2, … sheets */
	char name[32]; /* of the sheet */
	lxw_worksheet *sheet[SHEETS_MAX];
	int64_t size[SHEETS_MAX]; /* bytes of its rows */
	int sheets;
	char text[TEXT_ROOM];
};

/* ------------------------------------------------ the book */

static struct book *
own(const struct ct_sink *s)
{
	return s->own;
}

/* Not closed, because something went wrong before. */
static void
abandon(void *data)
{
	struct book *b = data;

	if (b->wb == NULL)
		return;
	for (int i = 0; i < b->sheets; i++)
		fclose(b->sheet[i]->optimize_tmpfile);
	lxw_workbook_free(b->wb);
	b->wb = NULL;
}

static void
trouble(struct ct_sink *s, const char *what, int errnum)
{
	if (!ct_sink_failed(s))
		ct_sink_disk(&s->err, what, errnum != 0 ? errnum : EIO);
}

static void
check(struct ct_sink *s, lxw_error rc)
{
	if (rc == LXW_NO_ERROR || ct_sink_failed(s))
		return;
	ct_fail(&s->err, CT_INTERNAL, NULL,
	    "The spreadsheet could not be made. Choose another format.");
	ct_err_detail(&s->err, "xlsx: %s", lxw_strerror(rc));
}

static void
make_styles(struct book *b)
{
	static const struct {
		const char *number;
		uint8_t align;
	} look[STYLES] = {
	    /* A cell that is text stays text when somebody edits it. */
	    [HEAD] = {NULL, LXW_ALIGN_LEFT},
	    [HEAD_NUMBER] = {NULL, LXW_ALIGN_RIGHT},
	    [TEXT] = {"@", LXW_ALIGN_LEFT},
	    [DAY] = {"yyyy-mm-dd", LXW_ALIGN_LEFT},
	    [TIME] = {"yyyy-mm-dd hh:mm", LXW_ALIGN_LEFT},
	    [ML] = {"0.###", LXW_ALIGN_RIGHT},
	    [KG] = {"0.00#", LXW_ALIGN_RIGHT},
	    [INT] = {"0", LXW_ALIGN_RIGHT},
	    [PLAIN] = {NULL, LXW_ALIGN_LEFT},
	};

	for (int i = 0; i < STYLES; i++) {
		b->style[i] = workbook_add_format(b->wb);
		format_set_align(b->style[i], look[i].align);
		format_set_align(b->style[i], LXW_ALIGN_VERTICAL_TOP);
		if (look[i].number != NULL)
			format_set_num_format(b->style[i], look[i].number);
	}
	for (int i = HEAD; i <= HEAD_NUMBER; i++) {
		format_set_bold(b->style[i]);
		format_set_bottom(b->style[i], LXW_BORDER_THIN);
		format_set_text_wrap(b->style[i]);
	}
}

static char *
safe(const struct ct_sink *s, struct ct_str text)
{
	return ct_sink_xml_safe(ct_str_cstr(s->a, text));
}

static void
xlsx_open(struct ct_sink *s, const struct ct_report *r,
    const struct ct_report_head *head)
{
	struct book *b = ct_arena_alloc(s->a, sizeof(*b));
	lxw_workbook_options options = {.constant_memory = LXW_TRUE,
	    .tmpdir = ct_arena_printf(s->a, "%s", s->dir),
	    .use_zip64 = s->row_count > BIG_ROWS};
	lxw_doc_properties about = {
	    .title = ct_arena_printf(s->a, "%.*s: %s", CT_STR_FMT(r->kind),
		safe(s, ct_str_of(ct_sink_cat(s->a, head)))),
	    .author = safe(s, head->asked_by),
	    /* A second run gives the same file. */
	    .created = (time_t)(r->created_at / 1000000),
	};

	s->own = b;
	b->r = r;
	b->head = head;
	b->wb = workbook_new_opt(
	    ct_arena_printf(s->a, "/proc/self/fd/%d", s->fd), &options);
	if (b->wb == NULL) {
		trouble(s, "xlsx", ENOMEM);
		return;
	}
	ct_arena_defer(s->a, abandon, b);
	check(s, workbook_set_properties(b->wb, &about));
	make_styles(b);
}

/* ------------------------------------------------ sheets and cells */

static const char *
text_of(struct book *b, struct ct_str v)
{
	ct_sink_xml_text(v, b->text, sizeof(b->text));
	return b->text;
}

static enum style
style_of(const struct ct_field *f)
{
	static const enum style by_type[] = {
	    [CT_T_UUID] = TEXT,
	    [CT_T_TEXT] = TEXT,
	    [CT_T_BOOL] = PLAIN,
	    [CT_T_INT] = INT,
	    [CT_T_VOLUME] = ML,
	    [CT_T_MILLI] = ML,
	    [CT_T_TIME] = TIME,
	    [CT_T_DAY] = DAY,
	    [CT_T_ENUM] = TEXT,
	    [CT_T_JSON] = TEXT,
	};

	return f->unit != NULL && strcmp(f->unit, "kg") == 0 ? KG
							     : by_type[f->type];
}

static bool
is_number(enum style style)
{
	return style == ML || style == KG || style == INT;
}

static double
width_of(const struct ct_field *f)
{
	static const double by_style[STYLES] = {[TEXT] = 16,
	    [DAY] = 11,
	    [TIME] = 17,
	    [ML] = 10,
	    [KG] = 10,
	    [INT] = 10,
	    [PLAIN] = 9};

	if (strcmp(f->name, "notes") == 0 || strcmp(f->name, "reasons") == 0)
		return 60;
	if (strcmp(f->name, "medication_name") == 0)
		return 28;
	return by_style[style_of(f)];
}

static void
put(struct ct_sink *s, lxw_row_t row, lxw_col_t at, struct col *c,
    const void *obj)
{
	struct book *b = own(s);
	const void *v = ct_sink_member(obj, c->f);
	lxw_format *style = b->style[c->style];
	lxw_error rc;

	if (ct_sink_null(c->f, obj))
		return;
	c->seen = true;
	switch (c->f->type) {
	case CT_T_BOOL:
		rc = worksheet_write_boolean(
		    b->ws, row, at, ct_sink_true(c->f, obj), style);
		break;
	case CT_T_INT:
		rc = worksheet_write_number(
		    b->ws, row, at, (double)*(const int64_t *)v, style);
		break;
	case CT_T_VOLUME:
	case CT_T_MILLI:
		rc = worksheet_write_number(b->ws, row, at,
		    (double)*(const int64_t *)v / 1000.0, style);
		break;
	case CT_T_TIME:
		rc = worksheet_write_number(b->ws, row, at,
		    (double)*(const int64_t *)v / DAY_US + EXCEL_DAY0, style);
		break;
	case CT_T_DAY:
		rc = worksheet_write_number(
		    b->ws, row, at, *(const int32_t *)v + EXCEL_DAY0, style);
		break;
	default:
		rc = worksheet_write_string(b->ws, row, at,
		    text_of(b, *(const struct ct_str *)v), style);
		break;
	}
	check(s, rc);
}

/* "Given (mL)", "Time (Europe/Berlin)" */
static const char *
heading(struct book *b, struct ct_arena *a, const struct ct_report_column *c,
    const struct ct_field *f)
{
	if (f->unit == NULL)
		return c->head;
	if (strcmp(f->unit, "local") == 0)
		return ct_arena_printf(
		    a, "%s (%.*s)", c->head, CT_STR_FMT(b->head->timezone));
	return ct_arena_printf(a, "%s (%s)", c->head, f->unit);
}

static void
set_up_print(struct ct_sink *s)
{
	struct book *b = own(s);
	struct ct_buf foot;
	const char *cat = safe(s, ct_str_of(ct_sink_cat(s->a, b->head)));

	/* 255 signs at the most, & doubled. */
	ct_buf_init(&foot, s->a, 256);
	ct_buf_adds(&foot, "&L");
	for (size_t i = 0; cat[i] != '\0' && foot.n < 200; i++) {
		if (cat[i] == '&')
			ct_buf_addc(&foot, '&');
		ct_buf_addc(&foot, cat[i]);
	}
	while (foot.n > 2 && !ct_utf8_ok(ct_buf_str(&foot)))
		foot.n--;
	ct_buf_adds(&foot, "&RPage &P of &N");
	worksheet_set_footer(b->ws, ct_str_cstr(s->a, ct_buf_str(&foot)));
	worksheet_set_paper(b->ws, ct_sink_letter(b->r, b->head) ? 1 : 9);
	worksheet_set_landscape(b->ws);
	worksheet_fit_to_pages(b->ws, 1, 0);
}

/* The next sheet of the section, its name unique by its part. */
static bool
add_sheet(struct ct_sink *s)
{
	struct book *b = own(s);

	b->part++;
	if (b->part == 1)
		snprintf(b->name, sizeof(b->name), "%s", b->section->name);
	else
		snprintf(b->name, sizeof(b->name), "%.18s %d", b->section->name,
		    b->part);
	errno = 0;
	b->ws = b->sheets < SHEETS_MAX ? workbook_add_worksheet(b->wb, b->name)
				       : NULL;
	if (b->ws == NULL) {
		trouble(s, "xlsx: sheet", errno);
		return false;
	}
	b->sheet[b->sheets++] = b->ws;
	b->row = 0;
	set_up_print(s);
	return true;
}

static void
head_row(struct ct_sink *s)
{
	struct book *b = own(s);
	const struct ct_report_column *c = b->section->people;
	lxw_col_t i;

	if (!add_sheet(s))
		return;
	check(s, worksheet_set_row(b->ws, 0, 32, NULL));
	worksheet_freeze_panes(b->ws, 1, 0);
	check(s, worksheet_repeat_rows(b->ws, 0, 0));
	for (i = 0; i < b->ncols; i++) {
		check(s, worksheet_set_column(
			     b->ws, i, i, width_of(b->col[i].f), NULL));
		check(s, worksheet_write_string(b->ws, 0, i,
			     heading(b, s->a, &c[i], b->col[i].f),
			     b->style[is_number(b->col[i].style) ? HEAD_NUMBER
								 : HEAD]));
	}
	b->row = 1;
}

static void
xlsx_begin(struct ct_sink *s, const struct ct_report_section *sec,
    CT_UNUSED int index, CT_UNUSED int sections)
{
	struct book *b = own(s);
	const struct ct_report_column *c;

	b->section = sec;
	b->part = 0;
	b->ncols = 0;
	for (c = sec->people; c->field != NULL; c++) {
		struct col *to = &b->col[b->ncols];

		if (b->ncols++ == COLS_MAX)
			ct_bug("%s has too many columns", sec->name);
		to->f = ct_fields_find(sec->columns, c->field);
		if (to->f == NULL)
			ct_bug("%s has no field %s", sec->name, c->field);
		to->style = style_of(to->f);
		to->seen = false;
	}
	if (sec->part != CT_PART_OVERVIEW)
		head_row(s);
}

/* Down the sheet: what, its value. */
static void
overview_rows(struct ct_sink *s, const void *obj)
{
	struct book *b = own(s);
	const struct ct_report_column *c = b->section->people;

	if (!add_sheet(s))
		return;
	check(s, worksheet_set_column(b->ws, 0, 0, 40, NULL));
	check(s, worksheet_set_column(b->ws, 1, 1, 14, NULL));
	worksheet_set_portrait(b->ws);
	worksheet_fit_to_pages(b->ws, 1, 1);
	for (int i = 0; i < b->ncols; i++, b->row++) {
		check(s,
		    worksheet_write_string(b->ws, b->row, 0,
			heading(b, s->a, &c[i], b->col[i].f), b->style[TEXT]));
		put(s, b->row, 1, &b->col[i], obj);
	}
}

static void
xlsx_row(struct ct_sink *s, const void *obj)
{
	struct book *b = own(s);

	if (ct_sink_failed(s))
		return;
	if (b->section->part == CT_PART_OVERVIEW) {
		overview_rows(s, obj);
		return;
	}
	if (b->row == LXW_ROW_MAX)
		head_row(s);
	if (ct_sink_failed(s))
		return;
	for (lxw_col_t i = 0; i < b->ncols; i++)
		put(s, b->row, i, &b->col[i], obj);
	b->row++;
	if (ferror(b->ws->optimize_tmpfile))
		trouble(s, "xlsx: rows", errno);
}

/* ------------------------------------------------ charts */

static const struct chart {
	const char *section; /* json_key */
	const char *title, *unit;
	const char *x;
	const char *y[2]; /* the second one dashed */
} charts[] = {
    {"daily_data", "Intake chart", "mL a day", "care_day",
	{"given_ml", "target_ml"}},
    {"daily_data", "Weight chart", "kg", "care_day", {"weight_kg", NULL}},
    {"weight_data", "Weight chart", "kg", "local_time", {"weight_kg", NULL}},
};

static int
col_of(const struct book *b, const char *field)
{
	for (int i = 0; i < b->ncols; i++)
		if (strcmp(b->col[i].f->name, field) == 0)
			return i;
	ct_bug("%s has no column %s", b->section->name, field);
}

static void
add_series(struct book *b, lxw_chart *chart, const struct chart *c, int i)
{
	lxw_chart_series *line = chart_add_series(chart, NULL, NULL);
	lxw_chart_line look = {.color = i == 0 ? 0x1F4E79 : 0x7F7F7F,
	    .width = 1.75F,
	    .dash_type =
		i == 0 ? LXW_CHART_LINE_DASH_SOLID : LXW_CHART_LINE_DASH_DASH};
	lxw_col_t x = (lxw_col_t)col_of(b, c->x);
	lxw_col_t y = (lxw_col_t)col_of(b, c->y[i]);

	chart_series_set_categories(line, b->name, 1, x, b->row - 1, x);
	chart_series_set_values(line, b->name, 1, y, b->row - 1, y);
	chart_series_set_name(line, b->section->people[y].head);
	chart_series_set_line(line, &look);
	chart_series_set_marker_type(
	    line, i == 0 ? LXW_CHART_MARKER_CIRCLE : LXW_CHART_MARKER_NONE);
	if (i == 0)
		chart_series_set_marker_size(line, 4);
}

static void
add_chart(struct ct_sink *s, const struct chart *c)
{
	struct book *b = own(s);
	lxw_chartsheet *sheet = workbook_add_chartsheet(b->wb, c->title);
	lxw_chart *chart =
	    workbook_add_chart(b->wb, LXW_CHART_SCATTER_STRAIGHT_WITH_MARKERS);

	if (sheet == NULL || chart == NULL) {
		trouble(s, "xlsx: chart", ENOMEM);
		return;
	}
	for (int i = 0; i < 2 && c->y[i] != NULL; i++)
		add_series(b, chart, c, i);
	chart_title_set_name(chart, c->title);
	chart_axis_set_num_format(chart->x_axis, "yyyy-mm-dd");
	chart_axis_set_name(chart->y_axis, c->unit);
	chart_axis_set_num_format(chart->y_axis, "General");
	if (c->y[1] != NULL)
		chart_axis_set_min(chart->y_axis, 0);
	if (c->y[1] == NULL)
		chart_legend_set_position(chart, LXW_CHART_LEGEND_NONE);
	else
		chart_legend_set_position(chart, LXW_CHART_LEGEND_BOTTOM);
	chart_show_blanks_as(chart, LXW_CHART_BLANKS_AS_CONNECTED);
	chartsheet_set_paper(sheet, ct_sink_letter(b->r, b->head) ? 1 : 9);
	check(s, chartsheet_set_chart(sheet, chart));
}

static void
xlsx_end(struct ct_sink *s)
{
	struct book *b = own(s);
	const struct chart *c;

	if (ct_sink_failed(s) || b->section->part == CT_PART_OVERVIEW)
		return;
	if (b->row > 1)
		check(s, worksheet_autofilter(b->ws, 0, 0, b->row - 1,
			     (lxw_col_t)(b->ncols - 1)));
	for (size_t i = 0; i < ct_countof(charts); i++) {
		c = &charts[i];
		if (strcmp(c->section, b->section->json_key) == 0 &&
		    b->row > 1 && b->col[col_of(b, c->y[0])].seen &&
		    workbook_get_chartsheet_by_name(b->wb, c->title) == NULL)
			add_chart(s, c);
	}
}

/* ------------------------------------------------ the file */

/* All rows are in their temporary files. */
static bool
rows_are_there(struct ct_sink *s)
{
	struct book *b = own(s);
	FILE *f;

	for (int i = 0; i < b->sheets; i++) {
		f = b->sheet[i]->optimize_tmpfile;
		if (fflush(f) != 0 || ferror(f)) {
			trouble(s, "xlsx: rows", errno);
			return false;
		}
		b->size[i] = (int64_t)ftello(f);
	}
	return true;
}

/*
 * Packing copies a sheet once more and does not say when the disk is full: it
 * is known before that there is room.
 */
static bool
room_is_there(struct ct_sink *s)
{
	const struct book *b = own(s);
	int64_t sum = 0, most = 0;
	int fd, rc;

	for (int i = 0; i < b->sheets; i++) {
		sum += b->size[i];
		most = b->size[i] > most ? b->size[i] : most;
	}
	fd = open(s->dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd < 0) /* a file system that cannot: the check after it remains */
		return true;
	rc = fallocate(fd, 0, 0, most + sum / 4 + (1 << 20));
	if (rc != 0 && errno != EOPNOTSUPP)
		trouble(s, "xlsx: room", errno);
	close(fd);
	return !ct_sink_failed(s);
}

/* What was packed is what was written. */
static bool
sheets_are_whole(struct ct_sink *s)
{
	const struct book *b = own(s);
	char path[40], member[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	for (int i = 0; i < b->sheets; i++) {
		snprintf(
		    member, sizeof(member), "xl/worksheets/sheet%d.xml", i + 1);
		if (ct_zip_size(path, member) < b->size[i]) {
			trouble(s, "xlsx: a sheet was cut short", EIO);
			return false;
		}
	}
	return true;
}

static void
xlsx_close(struct ct_sink *s)
{
	struct book *b = own(s);
	struct stat st;
	lxw_error rc;

	if (!rows_are_there(s) || !room_is_there(s))
		return;
	errno = 0;
	rc = workbook_close(b->wb);
	b->wb = NULL;
	if (rc == LXW_ERROR_CREATING_XLSX_FILE ||
	    rc == LXW_ERROR_CREATING_TMPFILE ||
	    rc == LXW_ERROR_ZIP_FILE_OPERATION || rc == LXW_ERROR_ZIP_CLOSE ||
	    rc == LXW_ERROR_ZIP_FILE_ADD)
		trouble(s, "xlsx: packing", errno);
	check(s, rc);
	if (ct_sink_failed(s) || !sheets_are_whole(s))
		return;
	if (fstat(s->fd, &st) != 0)
		trouble(s, "xlsx: size", errno);
	s->bytes = st.st_size;
}

const struct ct_sink_format ct_sink_xlsx = {
    "xlsx", true, 0, xlsx_open, xlsx_begin, xlsx_row, xlsx_end, xlsx_close};
