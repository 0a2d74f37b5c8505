/*
 * Archives: what was written is read back, in any pieces; what is cut, bent,
 * swollen or named badly is refused, and never crashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crypto.h"
#include "db/weight.h"
#include "worker/archive.h"
#include "worker/archive_rows.h"
#include "worker/import.h"

static struct ct_arena *arena;
static struct ct_err err;

static int
setup(void **state)
{
	(void)state;
	ct_crypto_init();
	arena = ct_arena_create((size_t)64 << 20);
	ct_err_clear(&err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

static int
memory(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ------------------------------------------------------------ zip */

/* Three members; the second is larger than any buffer. */
static int
archive_of_three(void)
{
	int fd = memory();
	struct ct_zip *z;
	int64_t bytes;

	assert_int_equal(ct_zip_begin(arena, fd, 0, &z, &err), CT_OK);
	assert_int_equal(ct_zip_member(z, "a.txt", &err), CT_OK);
	assert_int_equal(ct_zip_put(z, CT_STR("hello"), &err), CT_OK);
	assert_int_equal(ct_zip_member(z, "b/large.json", &err), CT_OK);
	for (int i = 0; i < 50000; i++)
		assert_int_equal(ct_zip_put(z,
				     ct_str_of(ct_arena_printf(arena, "%d %d\n",
					 i, i * 7919 % 10007)),
				     &err),
		    CT_OK);
	assert_int_equal(ct_zip_member(z, "empty", &err), CT_OK);
	assert_int_equal(ct_zip_end(z, &bytes, &err), CT_OK);
	assert_int_equal(lseek(fd, 0, SEEK_END), bytes);
	return fd;
}

static enum ct_rc
take_name(void *arg, const char *name, struct ct_err *e)
{
	(void)e;
	ct_buf_adds(arg, name);
	ct_buf_adds(arg, " ");
	return CT_OK;
}

static enum ct_rc
take_bytes(void *arg, struct ct_str bytes, struct ct_err *e)
{
	(void)e;
	ct_buf_addstr(arg, bytes);
	return CT_OK;
}

/* All of it into out: names, then each member's bytes. */
static enum ct_rc
read_all(int fd, struct ct_buf *out)
{
	static const char *const members[] = {"a.txt", "b/large.json", "empty"};
	struct ct_unzip z;

	ct_err_clear(&err);
	ct_buf_init(out, arena, 1 << 16);
	if (ct_unzip_open(&z, fd, &err) != CT_OK ||
	    ct_unzip_list(&z, arena, take_name, out, &err) != CT_OK)
		return err.rc;
	for (size_t i = 0; i < ct_countof(members); i++)
		if (ct_unzip_read(&z, members[i], take_bytes, out, &err) !=
		    CT_OK)
			return err.rc;
	return CT_OK;
}

static void
what_was_written_is_read(void **state)
{
	int fd = archive_of_three();
	struct ct_unzip z;
	struct ct_buf b;

	(void)state;
	assert_int_equal(read_all(fd, &b), CT_OK);
	assert_true(ct_str_starts(
	    ct_buf_str(&b), CT_STR("a.txt b/large.json empty hello0 0\n")));
	assert_int_equal(ct_unzip_open(&z, fd, &err), CT_OK);
	assert_int_equal(
	    ct_unzip_read(&z, "none", take_bytes, &b, &err), CT_NOTFOUND);
	close(fd);
}

static void
the_same_gives_the_same_bytes(void **state)
{
	int one = archive_of_three(), two = archive_of_three();
	off_t n = lseek(one, 0, SEEK_END);
	char *a = ct_arena_raw(arena, (size_t)n);
	char *b = ct_arena_raw(arena, (size_t)n);

	(void)state;
	assert_int_equal(lseek(two, 0, SEEK_END), n);
	assert_int_equal(pread(one, a, (size_t)n, 0), n);
	assert_int_equal(pread(two, b, (size_t)n, 0), n);
	assert_memory_equal(a, b, (size_t)n);
	close(one);
	close(two);
}

/* A copy of fd with n bytes, of which the one at `at` differs by mask. */
static int
bent(int fd, off_t n, off_t at, unsigned char mask)
{
	unsigned char *p = malloc((size_t)n + 1);
	int copy = memory();

	assert_non_null(p);
	assert_int_equal(pread(fd, p, (size_t)n, 0), n);
	if (at < n)
		p[at] ^= mask;
	assert_int_equal(write(copy, p, (size_t)n), n);
	free(p);
	return copy;
}

static void
what_was_cut_is_refused(void **state)
{
	int fd = archive_of_three();
	off_t n = lseek(fd, 0, SEEK_END);
	struct ct_buf b;

	(void)state;
	for (off_t cut = 0; cut<n; cut += cut> n - 400 ? 1 : 4999) {
		struct ct_mark m = ct_arena_mark(arena);
		int copy = bent(fd, cut, n, 0);

		if (read_all(copy, &b) == CT_OK)
			fail_msg("whole with %jd of %jd bytes", (intmax_t)cut,
			    (intmax_t)n);
		assert_true(err.msg[0] != '\0');
		close(copy);
		ct_arena_rewind(arena, m);
	}
	close(fd);
}

/* What is still read must be what was written. */
static void
what_was_bent_is_refused_or_the_same(void **state)
{
	int fd = archive_of_three();
	off_t n = lseek(fd, 0, SEEK_END);
	struct ct_buf good, b;
	unsigned refused = 0, all = 0;

	(void)state;
	assert_int_equal(read_all(fd, &good), CT_OK);
	for (off_t at = 0; at < n; at += at < 80 || at > n - 300 ? 1 : 2503) {
		struct ct_mark m = ct_arena_mark(arena);
		int copy = bent(fd, n, at, (unsigned char)(1U << at % 8));

		all++;
		if (read_all(copy, &b) != CT_OK)
			refused++;
		else if (!ct_str_eq(ct_buf_str(&b), ct_buf_str(&good)))
			fail_msg("byte %jd bent and taken", (intmax_t)at);
		close(copy);
		ct_arena_rewind(arena, m);
	}
	assert_true(refused > all / 4);
	close(fd);
}

static void
what_swells_is_refused(void **state)
{
	char *zeros = ct_arena_alloc(arena, 1 << 20);
	int fd = memory();
	struct ct_unzip z;
	struct ct_zip *w;
	struct ct_buf b;
	int64_t bytes;

	(void)state;
	assert_int_equal(ct_zip_begin(arena, fd, 0, &w, &err), CT_OK);
	assert_int_equal(ct_zip_member(w, "bomb.json", &err), CT_OK);
	for (int i = 0; i < 40; i++)
		assert_int_equal(
		    ct_zip_put(w, (struct ct_str){zeros, 1 << 20}, &err),
		    CT_OK);
	assert_int_equal(ct_zip_end(w, &bytes, &err), CT_OK);
	assert_true(bytes < 100000);
	assert_int_equal(ct_unzip_open(&z, fd, &err), CT_OK);
	ct_buf_init(&b, arena, 1 << 16);
	assert_int_equal(
	    ct_unzip_read(&z, "bomb.json", take_bytes, &b, &err), CT_TOOBIG);
	assert_non_null(strstr(err.msg, "bomb.json"));
	assert_true(z.read_bytes < 20 << 20);
	close(fd);
}

static int
archive_of(const char *const *names, size_t n)
{
	int fd = memory();
	struct ct_zip *z;
	int64_t bytes;

	assert_int_equal(ct_zip_begin(arena, fd, 0, &z, &err), CT_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ct_zip_member(z, names[i], &err), CT_OK);
	assert_int_equal(ct_zip_end(z, &bytes, &err), CT_OK);
	return fd;
}

static enum ct_rc
list(int fd)
{
	struct ct_unzip z;
	struct ct_buf b;

	ct_err_clear(&err);
	ct_buf_init(&b, arena, 1 << 16);
	if (ct_unzip_open(&z, fd, &err) == CT_OK)
		(void)!ct_unzip_list(&z, arena, take_name, &b, &err);
	close(fd);
	return err.rc;
}

static void
names_that_lead_astray_are_refused(void **state)
{
	static const char *const bad[] = {"../x.json", "/etc/passwd",
	    "cat-01/../../x", "cat-01\\..\\x", "c:/x", "..", "a/..", "a\nb"};
	static const char *const twice[] = {"a", "b", "a"};
	static const char *const fine[] = {"a", "b/c", "b/..c", "d..", "e"};

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		if (list(archive_of(&bad[i], 1)) == CT_OK)
			fail_msg("taken: %s", bad[i]);
		assert_true(ct_unzip_name_fault(ct_str_of(bad[i])) != NULL);
	}
	assert_int_equal(list(archive_of(twice, 3)), CT_MALFORMED);
	assert_non_null(strstr(err.msg, "twice"));
	assert_int_equal(list(archive_of(fine, ct_countof(fine))), CT_OK);
	assert_non_null(ct_unzip_name_fault(CT_STR("")));
	assert_non_null(ct_unzip_name_fault(CT_STR("\xff")));
	assert_non_null(ct_unzip_name_fault((struct ct_str){"a\0b", 3}));
}

static void
too_many_members_are_refused(void **state)
{
	size_t n = CT_UNZIP_MEMBERS + 1;
	const char **names = ct_arena_alloc(arena, n * sizeof(*names));

	(void)state;
	for (size_t i = 0; i < n; i++)
		names[i] = ct_arena_printf(arena, "m%zu", i);
	assert_int_equal(list(archive_of(names, n - 1)), CT_OK);
	assert_int_equal(list(archive_of(names, n)), CT_TOOBIG);
}

/* ------------------------------------------------------------ rows */

static enum ct_rc
note_row(void *arg, struct ct_str text, int64_t line, struct ct_err *e)
{
	struct ct_buf *b = arg;

	(void)e;
	ct_buf_addf(b, "%lld:", (long long)line);
	ct_buf_addstr(b, text);
	ct_buf_addc(b, '|');
	return CT_OK;
}

/* What comes of the text in pieces of that size; NULL: it was refused. */
static const char *
rows_of(struct ct_str text, size_t size)
{
	struct ct_rows r;
	struct ct_buf b;

	ct_err_clear(&err);
	ct_buf_init(&b, arena, 256);
	ct_rows_init(&r, arena, note_row, &b);
	while (text.n > 0) {
		struct ct_str piece = {text.p, text.n < size ? text.n : size};

		if (ct_rows_feed(&r, piece, &err) != CT_OK)
			return NULL;
		text.p += piece.n;
		text.n -= piece.n;
	}
	if (ct_rows_end(&r, &err) != CT_OK)
		return NULL;
	ct_buf_addc(&b, '\0');
	return b.p;
}

static void
rows_in_any_pieces(void **state)
{
	static const struct {
		const char *text, *rows;
	} good[] = {
	    {"[]", ""},
	    {" [ ] \n", ""},
	    {"[{}]", "1:{}|"},
	    {"[\n{\"a\":1},\n{\"a\":2}\n]\n", "2:{\"a\":1}|3:{\"a\":2}\n|"},
	    {"[{\"a\":\"],[\"},{\"b\":[1,{\"c\":\"\\\"}\"}]}]",
		"1:{\"a\":\"],[\"}|1:{\"b\":[1,{\"c\":\"\\\"}\"}]}|"},
	    {"[1,\"x\",null]", "1:1|1:\"x\"|1:null|"},
	    {"[{\n\"a\":\n1}\n, {}]", "1:{\n\"a\":\n1}\n|4:{}|"},
	    {"[\"\\\\\",\"a\"]", "1:\"\\\\\"|1:\"a\"|"},
	};
	static const char *const bad[] = {"", " ", "{}", "[", "[{}", "[{},",
	    "[{}]x", "[] []", "x", "[{\"a\":\"]", "[\"\\\"]", "null",
	    "\xef\xbb\xbf[]"};

	(void)state;
	for (size_t i = 0; i < ct_countof(good); i++)
		for (size_t size = 1; size < 20; size++) {
			const char *got =
			    rows_of(ct_str_of(good[i].text), size);

			if (!got || strcmp(got, good[i].rows) != 0)
				fail_msg("%s by %zu: %s", good[i].text, size,
				    got ? got : err.msg);
		}
	for (size_t i = 0; i < ct_countof(bad); i++)
		for (size_t size = 1; size < 4; size++) {
			if (rows_of(ct_str_of(bad[i]), size))
				fail_msg("taken: %s", bad[i]);
			assert_non_null(strstr(err.msg, "line 1"));
		}
}

static void
a_row_has_a_bound(void **state)
{
	char *text = ct_arena_raw(arena, CT_ROW_BYTES + 16);

	(void)state;
	memset(text, 'x', CT_ROW_BYTES + 16);
	text[0] = '[';
	text[CT_ROW_BYTES + 1] = ']';
	assert_non_null(rows_of((struct ct_str){text, CT_ROW_BYTES + 2}, 4096));
	text[CT_ROW_BYTES + 1] = 'x';
	text[CT_ROW_BYTES + 2] = ']';
	assert_null(rows_of((struct ct_str){text, CT_ROW_BYTES + 3}, 4096));
	assert_int_equal(err.rc, CT_TOOBIG);
}

/* ------------------------------------------------------------ binding */

static const struct ct_archive_noun *
noun_of(const char *name)
{
	const struct ct_archive_nouns *all = ct_archive_nouns(arena);
	int i = ct_import_noun(all->of_cat, all->n_cat, ct_str_of(name));

	assert_true(i >= 0);
	return &all->of_cat[i];
}

static enum ct_rc
bind(const char *noun, const char *text, struct ct_archive_row *row)
{
	static const struct ct_uuid cat = {{1, 2, 3}};
	char *json = ct_arena_dup(arena, text, strlen(text)), *p;

	while ((p = strchr(json, '\'')))
		*p = '"';
	ct_err_clear(&err);
	return ct_import_bind(
	    noun_of(noun), &cat, ct_str_of(json), arena, row, &err);
}

#define ID   "'id':'01890a5d-ac96-774b-bcce-000000000001'"
#define WHEN "'time_given':'2025-06-01T08:00:00Z'"

static const struct {
	const char *noun, *text, *field;
} bad_rows[] = {
    {"feeding", "{" ID "," WHEN "}", "amount_ml"},
    {"feeding", "{" ID ",'amount_ml':5}", "time_given"},
    {"feeding", "{" WHEN ",'amount_ml':5}", "id"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':1e9}", "amount_ml"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':-1}", "amount_ml"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':0.0001}", "amount_ml"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'nix':1}", "nix"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'confirm':true}", "confirm"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'my_role':4}", "my_role"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'by_account':null}",
	"by_account"},
    {"feeding", "{" ID ",'time_given':'2199-01-01T00:00:00Z','amount_ml':5}",
	"time_given"},
    {"feeding", "{" ID ",'time_given':'1999-01-01T00:00:00Z','amount_ml':5}",
	"time_given"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'care_day':'2025-06-09'}",
	"care_day"},
    {"feeding",
	"{" ID "," WHEN ",'amount_ml':5,'created_at':'2199-01-01T00:00:00Z'}",
	"created_at"},
    {"feeding", "{" ID "," WHEN ",'amount_ml':5,'version':0}", "version"},
    {"feeding",
	"{" ID "," WHEN ",'amount_ml':5,"
	"'cat_id':'01890a5d-ac96-774b-bcce-000000000009'}",
	"cat_id"},
    {"weight", "{" ID "," WHEN ",'weight_g':99}", "weight_g"},
    {"weight", "{" ID "," WHEN ",'weight_g':4000,'weight_kg':9}", "weight_kg"},
    {"tube_check", "{" ID "," WHEN "}", "cap_on"},
    {"observation", "{" ID "," WHEN ",'kind':'flies'}", "kind"},
    {"targets", "{'effective_from':'2199-01-01','daily_target_ml':200}",
	"effective_from"},
    {"targets", "{'effective_from':'2025-01-01'}", "daily_target_ml"},
    {"profile", "{" ID ",'age_years':3,'birth_year':2020}", "age_years"},
    {"profile", "{" ID ",'day_start':'25:00'}", "day_start"},
    {"profile", "{" ID ",'role':'owner'}", "role"},
    {"profile", "{'name':'M'}", "id"},
};

static void
rows_go_through_the_tables(void **state)
{
	static const char *const broken[] = {"", "[]", "1", "null", "'x'", "{",
	    "{'a':1,'a':2}", "{" ID ",'notes':[[[[[]]]]]}"};
	struct ct_archive_row row;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad_rows); i++) {
		if (bind(bad_rows[i].noun, bad_rows[i].text, &row) == CT_OK)
			fail_msg(
			    "taken: %s %s", bad_rows[i].noun, bad_rows[i].text);
		assert_int_equal(err.rc, CT_INVALID);
		assert_string_equal(err.fields[0].name, bad_rows[i].field);
	}
	for (size_t i = 0; i < ct_countof(broken); i++)
		if (bind("feeding", broken[i], &row) == CT_OK)
			fail_msg("taken: %s", broken[i]);
}

static void
good_rows_are_bound(void **state)
{
	const struct ct_weight *w;
	struct ct_archive_row row;

	(void)state;
	assert_int_equal(
	    bind("weight",
		"{" ID "," WHEN ",'weight_g':4200,'notes':' x ','by_me':true,"
		"'by_name':'Ann','version':7,"
		"'deleted_at':'2025-06-02T00:00:00Z'}",
		&row),
	    CT_OK);
	w = (const void *)row.obj;
	assert_int_equal(w->weight_g, 4200);
	assert_int_equal(w->e.version, 7);
	assert_true(w->e.deleted_at != CT_NULL_I64);
	assert_int_equal(w->e.created_at, CT_NULL_I64);
	assert_int_equal(w->e.care_day, CT_NULL_DAY);
	assert_true(ct_str_is(w->e.notes, "x"));
	assert_true(row.by_me);
	assert_int_equal(bind("profile", "{" ID "}", &row), CT_OK);
	assert_int_equal(bind("profile", "{" ID ",'name':''}", &row), CT_OK);
}

/* The same in, the same out; another cat, another key; in the order of time. */
static void
keys_are_derived(void **state)
{
	struct ct_uuid a, b, cat, other, x, y;

	(void)state;
	cat = ct_uuid_new();
	other = ct_uuid_new();
	a = ct_uuid_new();
	b = ct_uuid_new();
	x = ct_bring_id(&cat, &cat, &a);
	assert_true(ct_uuid_eq(&x, &a));
	x = ct_bring_id(&other, &cat, &a);
	y = ct_bring_id(&other, &cat, &a);
	assert_true(ct_uuid_eq(&x, &y));
	assert_false(ct_uuid_eq(&x, &a));
	assert_int_equal(x.b[6] >> 4, 8);
	assert_int_equal(x.b[8] >> 6, 2);
	assert_memory_equal(x.b, a.b, 6);
	y = ct_bring_id(&other, &cat, &b);
	assert_false(ct_uuid_eq(&x, &y));
	y = ct_bring_id(&cat, &other, &a);
	assert_false(ct_uuid_eq(&x, &y));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(what_was_written_is_read),
	    T(the_same_gives_the_same_bytes), T(what_was_cut_is_refused),
	    T(what_was_bent_is_refused_or_the_same), T(what_swells_is_refused),
	    T(names_that_lead_astray_are_refused),
	    T(too_many_members_are_refused), T(rows_in_any_pieces),
	    T(a_row_has_a_bound), T(rows_go_through_the_tables),
	    T(good_rows_are_bound), T(keys_are_derived)};

	return cmocka_run_group_tests_name("worker/archive", tests, NULL, NULL);
}
