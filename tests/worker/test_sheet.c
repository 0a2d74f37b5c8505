/*
 * XLSX without a database: the file goes where it is told, without a name; a
 * sheet that was cut short is noticed; nothing stays behind when it is given
 * up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/sink.h"
#include "worker/zip_check.h"

#define PLACE "/tmp"

static struct ct_arena *arena;
static int fd;

static int
up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)16 << 20);
	fd = open(PLACE, O_WRONLY | O_TMPFILE, 0600);
	return fd < 0 ? -1 : 0;
}

static int
down(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return close(fd);
}

static const struct ct_field cols[] = {
    {"care_day", CT_T_DAY, offsetof(struct ct_report_day, day), 0, 0, 0, NULL,
	NULL, NULL, ""},
    {"meals", CT_T_INT, offsetof(struct ct_report_day, meals), 0, 0, 0, NULL,
	NULL, NULL, ""},
};
static const struct ct_fields fields =
    CT_FIELDS("note", struct ct_report_day, cols);
static const struct ct_report_column people[] = {{"care_day", "Day", 60, NULL},
    {"meals", "Meals", 40, NULL}, {NULL, NULL, 0, NULL}};
static const struct ct_report_section section = {
    "Notes", "notes", "Notes", CT_PART_ENTRIES, NULL, NULL, &fields, people};

static void
rows(struct ct_sink *s, int n)
{
	static const struct ct_report r = {.kind = CT_STR("feeding")};
	static const struct ct_report_head head = {.cat_name = CT_STR("Miso"),
	    .timezone = CT_STR("UTC"),
	    .asked_by = CT_STR("Ada")};
	struct ct_report_day day = {.day = 20000};

	ct_sink_init(s, &ct_sink_xlsx, fd, PLACE, arena);
	s->format->open(s, &r, &head);
	s->format->begin(s, &section, 0, 1);
	for (day.meals = 0; day.meals < n; day.meals++)
		s->format->row(s, &day);
	s->format->end(s);
}

static const char *
path(void)
{
	return ct_arena_printf(arena, "/proc/self/fd/%d", fd);
}

static void
test_whole(void **state)
{
	struct ct_sink s;

	(void)state;
	rows(&s, 1000);
	s.format->close(&s);
	assert_int_equal(s.err.rc, CT_OK);
	assert_true(s.bytes > 1000);
	assert_true(ct_zip_size(path(), "xl/worksheets/sheet1.xml") > 50000);
	assert_int_equal(ct_zip_size(path(), "xl/worksheets/sheet2.xml"), -1);
	/* Cut short it is no archive. */
	assert_int_equal(ftruncate(fd, s.bytes / 2), 0);
	assert_int_equal(ct_zip_size(path(), "xl/worksheets/sheet1.xml"), -1);
	assert_int_equal(ct_zip_size("/dev/null", "x"), -1);
	assert_int_equal(ct_zip_size("/nonexistent", "x"), -1);
}

static int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
test_given_up(void **state)
{
	int before = open_files();
	struct ct_sink s;

	(void)state;
	rows(&s, 10);
	assert_true(open_files() > before);
	ct_arena_reset(arena);
	assert_int_equal(open_files(), before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_whole), T(test_given_up)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
