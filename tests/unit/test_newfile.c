/*
 * Files that appear whole: what is kept is there to the byte, what is not kept
 * leaves nothing, and what cannot be stored says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/newfile.h"

static struct ct_arena *arena;
static struct ct_err err;
static char top[64], dir[80];

static int
setup(void **state)
{
	(void)state;
	arena = ct_arena_create(1 << 20);
	ct_err_clear(&err);
	snprintf(top, sizeof(top), "/tmp/catetube-newfile-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/files", top);
	return 0;
}

/* Names in dir, "a b"; those with a dot first are left out. */
static const char *
names(void)
{
	static char text[512];
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	text[0] = '\0';
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%s", n ? " " : "", e->d_name);
	if (d)
		closedir(d);
	return text;
}

static int
teardown(void **state)
{
	char path[160];

	(void)state;
	ct_arena_destroy(arena);
	snprintf(path, sizeof(path), "%s/one.zip", dir);
	unlink(path);
	rmdir(dir);
	return rmdir(top);
}

static struct ct_newfile *
begun(void)
{
	struct ct_newfile *f = ct_arena_alloc(arena, sizeof(*f));

	assert_int_equal(
	    ct_newfile_open(f, arena, dir, "one.zip", &err), CT_OK);
	return f;
}

static void
keep(const char *text)
{
	struct ct_newfile *f = begun();

	assert_int_equal(ct_newfile_write(f, text, strlen(text), &err), CT_OK);
	assert_int_equal(ct_newfile_keep(f, &err), CT_OK);
	ct_arena_reset(arena);
}

static const char *
content(void)
{
	static char text[64];
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/one.zip", dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void
what_is_kept_is_there(void **state)
{
	struct stat st;
	char path[160];

	(void)state;
	keep("first");
	assert_string_equal(content(), "first");
	assert_string_equal(names(), "one.zip");
	keep("second, in its place");
	assert_string_equal(content(), "second, in its place");
	assert_string_equal(names(), "one.zip");
	snprintf(path, sizeof(path), "%s/one.zip", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* nobody else reads it */
}

static void
what_is_not_kept_is_not(void **state)
{
	struct ct_newfile *f = begun();

	(void)state;
	assert_int_equal(ct_newfile_write(f, "half", 4, &err), CT_OK);
	assert_true(strstr(names(), "one.zip") == NULL ||
		    strstr(names(), ".tmp-") != NULL);
	ct_arena_reset(arena);
	assert_string_equal(names(), "");
}

static void
what_was_kept_can_be_removed(void **state)
{
	struct ct_newfile *f = begun();

	(void)state;
	assert_int_equal(ct_newfile_keep(f, &err), CT_OK);
	assert_string_equal(names(), "one.zip");
	ct_newfile_remove(f);
	assert_string_equal(names(), "");
}

static void
what_cannot_be_stored_says_so(void **state)
{
	struct ct_newfile f;
	int fd = open(top, O_RDONLY | O_DIRECTORY);

	(void)state;
	/* Where the directory should be there is a file. */
	assert_int_equal(mkdir(dir, 0700), 0);
	keep("x");
	snprintf(dir, sizeof(dir), "%s/files/one.zip", top);
	assert_int_equal(
	    ct_newfile_open(&f, arena, dir, "two.zip", &err), CT_RETRY);
	assert_string_equal(err.code, "storage");
	ct_arena_reset(arena);
	snprintf(dir, sizeof(dir), "%s/files", top);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(what_is_kept_is_there),
	    T(what_is_not_kept_is_not), T(what_was_kept_can_be_removed),
	    T(what_cannot_be_stored_says_so)};

	return cmocka_run_group_tests_name("newfile", tests, NULL, NULL);
}
