/*
 * Pages without a database: axes, bars, words, and that any text and any
 * number of rows gives a whole PDF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/page_parts.h"
#include "worker/sink_text.h"

const char *__lsan_default_suppressions(void);

static struct ct_arena *arena;

static int
up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)64 << 20);
	return 0;
}

static int
down(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

static void
test_axis(void **state)
{
	static const struct {
		double lo, hi, least;
		int most;
		double from, to, step;
		int decimals;
	} cases[] = {
	    {0, 210, 10, 5, 0, 250, 50, 0},
	    {0, 0, 10, 5, 0, 10, 2, 0},
	    {0, 250, 10, 5, 0, 250, 50, 0},
	    {0, 251, 10, 5, 0, 300, 100, 0},
	    {0, 1, 10, 5, 0, 10, 2, 0},
	    {4.2, 4.2, 0.2, 4, 4.1, 4.3, 0.05, 2},
	    {4.02, 4.31, 0.2, 4, 4, 4.4, 0.1, 1},
	    {3.0, 12.0, 0.2, 4, 2.5, 12.5, 2.5, 1},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++) {
		struct ct_axis x = ct_axis_of(
		    cases[i].lo, cases[i].hi, cases[i].least, cases[i].most);

		if (fabs(x.lo - cases[i].from) > 1e-9 ||
		    fabs(x.hi - cases[i].to) > 1e-9 ||
		    fabs(x.step - cases[i].step) > 1e-9 ||
		    x.decimals != cases[i].decimals)
			fail_msg("%g to %g: %g to %g by %g, %d", cases[i].lo,
			    cases[i].hi, x.lo, x.hi, x.step, x.decimals);
	}
}

/* Whatever the range: it is inside, and the steps are as few as wanted. */
static void
test_axis_holds(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		double lo = (double)(random() % 100000) / 1000;
		double hi = lo + (double)(random() % 1000000) / 1000;
		struct ct_axis x = ct_axis_of(lo, hi, 0.2, 5);

		assert_true(x.lo <= lo + 1e-6 && x.hi >= hi - 1e-6);
		assert_true((x.hi - x.lo) / x.step < 7.5);
		assert_in_range(x.decimals, 0, 3);
	}
}

static void
test_bars(void **state)
{
	static const struct {
		int64_t days;
		int each, n;
	} cases[] = {{1, 1, 1}, {124, 1, 124}, {125, 7, 18}, {365, 7, 53},
	    {868, 7, 124}, {869, 28, 32}, {84000, 1792, 47}};
	static struct ct_bars b;
	struct ct_report_day d = {.target_ul = 200000,
	    .tube_ul = 150000,
	    .oral_ul = 10000,
	    .vomits = 1,
	    .weight_g = CT_NULL_I64,
	    .complete = true};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++) {
		ct_bars_init(&b, 20000, cases[i].days);
		assert_int_equal(b.days_each, cases[i].each);
		assert_int_equal(b.n, cases[i].n);
	}
	ct_bars_init(&b, 20000, 125);
	for (d.day = 19999; d.day < 20140; d.day++) {
		d.weight_g = d.day == 20003 ? 4200 : CT_NULL_I64;
		d.complete = d.day != 20124;
		ct_bars_add(&b, &d);
	}
	assert_int_equal(b.bar[0].days, 7);
	assert_int_equal(b.bar[0].tube_ul, 7 * 150000);
	assert_int_equal(b.bar[0].vomits, 7);
	assert_int_equal(b.bar[0].weighed, 1);
	assert_int_equal(b.bar[0].weight_g, 4200);
	assert_int_equal(b.bar[1].weighed, 0);
	assert_false(b.bar[16].open);
	assert_true(b.bar[17].open);
}

static void
test_words(void **state)
{
	static const struct {
		const char *in, *out;
	} texts[] = {
	    {"=1+1", "=1+1"},
	    {"_x0041_", "_x005F_x0041_"},
	    {"a_x00zz_", "a_x00zz_"},
	    {"_x0041", "_x0041"},
	    {"\xef\xbf\xbf!", "\xef\xbf\xbd!"},
	    {"\xef\xbf\xbe", "\xef\xbf\xbd"},
	    {"\xef\xbf\xbd", "\xef\xbf\xbd"},
	    {"\xf0\x9f\x90\xb1", "\xf0\x9f\x90\xb1"},
	};
	char out[64], day[CT_DAY_WORDS];

	(void)state;
	for (size_t i = 0; i < ct_countof(texts); i++) {
		ct_sink_xml_text(ct_str_of(texts[i].in), out, sizeof(out));
		assert_string_equal(out, texts[i].out);
	}
	/* Cut between signs, never within one. */
	for (size_t room = 13; room < 24; room++) {
		ct_sink_xml_text(
		    CT_STR("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"),
		    out, room);
		assert_true(strlen(out) < room);
		assert_true(ct_utf8_ok(ct_str_of(out)));
	}
	assert_string_equal(ct_day_words(0, day), "1 Jan 1970");
	assert_string_equal(ct_day_words(20241, day), "2 Jun 2025");
	assert_string_equal(ct_day_words(20818, day), "31 Dec 2026");
	assert_string_equal(ct_day_short(20818, day), "31 Dec");
	assert_string_equal(
	    ct_sink_word(arena, CT_STR("male_neutered")), "male neutered");
}

static void
test_paper(void **state)
{
	static const struct {
		const char *paper, *zone;
		bool letter;
	} cases[] = {
	    {NULL, "Europe/Berlin", false},
	    {NULL, "America/New_York", true},
	    {NULL, "US/Hawaii", true},
	    {NULL, "Pacific/Auckland", false},
	    {"A4", "America/New_York", false},
	    {"Letter", "Europe/Berlin", true},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(cases); i++) {
		struct ct_report r = {.paper = ct_str_of(cases[i].paper)};
		struct ct_report_head h = {
		    .timezone = ct_str_of(cases[i].zone)};

		assert_int_equal(ct_sink_letter(&r, &h), cases[i].letter);
	}
}

/* ------------------------------------------------ pages */

static void
take(void *ctx, const void *p, size_t n)
{
	ct_buf_add(ctx, p, n);
}

static const struct ct_field note_cols[] = {
    {"care_day", CT_T_DAY, offsetof(struct ct_report_day, day), 0, 0, 0, NULL,
	NULL, NULL, ""},
    {"meals", CT_T_INT, offsetof(struct ct_report_day, meals), 0, 0, 0, NULL,
	NULL, NULL, ""},
};
static const struct ct_fields note_fields =
    CT_FIELDS("note", struct ct_report_day, note_cols);
static const struct ct_report_column note_people[] = {
    {"care_day", "Day", 60, NULL}, {"meals", "Meals", 40, NULL},
    {NULL, NULL, 0, NULL}};
static const struct ct_report_section notes = {"Notes", "notes", "Notes",
    CT_PART_ENTRIES, NULL, NULL, &note_fields, note_people};

/* As many rows as asked for; what became of them. */
static struct ct_table
document(const char *cat, int64_t rows, struct ct_buf *out, int *pages)
{
	const struct ct_report r = {
	    .from_day = CT_NULL_DAY, .to_day = CT_NULL_DAY};
	const struct ct_report_head head = {.cat_name = ct_str_of(cat),
	    .timezone = CT_STR("Europe/Berlin"),
	    .day_start = CT_STR("00:00"),
	    .asked_by = ct_str_of(cat)};
	const struct ct_page_info info = {.title = cat, .author = cat};
	struct ct_report_day day = {.day = 20000};
	struct ct_page *p;
	struct ct_doc d;
	struct ct_table t;
	struct ct_err err;

	ct_err_clear(&err);
	ct_buf_init(out, arena, 1 << 16);
	assert_int_equal(
	    ct_page_open(arena, &info, take, out, &p, &err), CT_OK);
	ct_doc_init(&d, p, arena, &r, &head, "Test");
	ct_table_begin(&d, &t, &notes);
	for (day.meals = 0; day.meals < rows; day.meals++)
		ct_table_row(&d, &t, &day);
	ct_doc_end(&d);
	*pages = d.number;
	if (ct_page_close(p, &err) != CT_OK)
		fail_msg("%s: %s", cat, err.detail);
	assert_memory_equal(out->p, "%PDF-1.", 7);
	assert_memory_equal(out->p + out->n - 6, "%%EOF\n", 6);
	return t;
}

static void
test_any_text(void **state)
{
	static const char *const names[] = {"", "Miso",
	    "\u041c\u0438\u0441\u043e", "\u5473\u564c",
	    "\u0645\u064a\u0633\u0648", "\U0001f431", "a\u0301\u0323\u20dd",
	    "\u2066\u202e\u200d\ufe0f", "\uffff", "\U0010fffe\ufdd0x", "\t\n",
	    "<b>&amp;</b> %s %n"};
	struct ct_buf out;
	int pages;

	(void)state;
	for (size_t i = 0; i < ct_countof(names); i++)
		document(names[i], 3, &out, &pages);
}

static void
test_same_bytes(void **state)
{
	struct ct_buf a, b;
	int pages;

	(void)state;
	document("Miso", 200, &a, &pages);
	document("Miso", 200, &b, &pages);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
}

static void
test_pages_are_bounded(void **state)
{
	struct ct_table t;
	struct ct_buf out;
	int pages;

	(void)state;
	t = document("Miso", 100, &out, &pages);
	assert_int_equal(t.left_out, 0);
	assert_int_equal(pages, 2);
	t = document("Miso", 20000, &out, &pages);
	assert_int_equal(pages, CT_DOC_PAGES);
	assert_int_equal(t.rows, 20000);
	assert_in_range(t.left_out, 1000, 19000);
}

/* fontconfig keeps what it read for as long as the process lives. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpango\n";
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_axis), T(test_axis_holds),
	    T(test_bars), T(test_words), T(test_paper), T(test_any_text),
	    T(test_same_bytes), T(test_pages_are_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
