/*
 * A store in a directory: files are there whole or not at all; what goes wrong
 * is told with the path and is tried again only where that can help.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/store.h"

static struct ct_arena *a;
static struct ct_conf conf;
static struct ct_err err;
static char dir[64];

static int
set_up(void **state)
{
	(void)state;
	ct_crypto_init();
	a = ct_arena_create((size_t)64 << 20);
	ct_err_clear(&err);
	memset(&conf, 0, sizeof(conf));
	conf.s3_endpoint = "https://s3.example.org";
	conf.s3_region = "eu-1";
	conf.s3_key_id = "k";
	conf.s3_secret = "s";
	conf.s3_part_mib = 5;
	snprintf(dir, sizeof(dir), "/tmp/ct-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(a);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct ct_store *
opened(const char *where)
{
	struct ct_store *s;

	if (ct_store_open(a, &conf, where, &s, &err) != CT_OK)
		fail_msg("%s: %s", where, err.msg);
	return s;
}

/* Entries of the directory, hidden ones too. */
static int
entries(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void
put(struct ct_store *s, const char *name, const char *text)
{
	assert_int_equal(ct_store_put_begin(s, name, &err), CT_OK);
	assert_int_equal(ct_store_put(s, text, strlen(text), &err), CT_OK);
	assert_int_equal(ct_store_put_end(s, &err), CT_OK);
}

static void
test_life(void **state)
{
	struct ct_store *s = opened(ct_arena_printf(a, "%s/new", dir));
	struct ct_store_list l;
	struct ct_str part;
	struct stat st;
	int64_t bytes;

	(void)state;
	put(s, "a.ctb", "hello");
	put(s, "b.ctb", "");
	assert_int_equal(stat(ct_arena_printf(a, "%s/new/a.ctb", dir), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(ct_arena_printf(a, "%s/new", dir), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(ct_store_list(s, a, &l, &err), CT_OK);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.item[0].bytes + l.item[1].bytes, 5);
	assert_int_equal(ct_store_get_begin(s, "a.ctb", &bytes, &err), CT_OK);
	assert_int_equal(bytes, 5);
	assert_int_equal(ct_store_get(s, &part, &err), CT_OK);
	assert_true(ct_str_is(part, "hello"));
	assert_int_equal(ct_store_get(s, &part, &err), CT_OK);
	assert_int_equal(part.n, 0);
	ct_store_get_end(s);
	assert_int_equal(ct_store_remove(s, "a.ctb", &err), CT_OK);
	assert_int_equal(ct_store_remove(s, "a.ctb", &err), CT_OK);
	assert_int_equal(
	    ct_store_get_begin(s, "a.ctb", &bytes, &err), CT_NOTFOUND);
	assert_int_equal(ct_store_list(s, a, &l, &err), CT_OK);
	assert_int_equal(l.n, 1);
}

static void
test_whole_or_not(void **state)
{
	struct ct_store *s = opened(dir);

	(void)state;
	assert_int_equal(ct_store_put_begin(s, "x.ctb", &err), CT_OK);
	assert_int_equal(ct_store_put(s, "half", 4, &err), CT_OK);
	assert_int_equal(entries(), 0);
	ct_store_put_abort(s);
	ct_store_put_abort(s);
	assert_int_equal(entries(), 0);
	put(s, "x.ctb", "first");
	/* A name that is taken stays with what has it. */
	assert_int_equal(ct_store_put_begin(s, "x.ctb", &err), CT_OK);
	assert_int_equal(ct_store_put(s, "second", 6, &err), CT_OK);
	assert_int_equal(ct_store_put_end(s, &err), CT_CONFLICT);
	ct_store_put_abort(s);
	assert_int_equal(entries(), 1);
	/* The end of the arena is an abort. */
	assert_int_equal(ct_store_put_begin(s, "y.ctb", &err), CT_OK);
	assert_int_equal(ct_store_put(s, "half", 4, &err), CT_OK);
	ct_arena_reset(a);
	assert_int_equal(entries(), 1);
}

static void
touch(const char *name, time_t age_s)
{
	const char *path = ct_arena_printf(a, "%s/%s", dir, name);
	struct timespec t[2] = {
	    {.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, t), 0);
	close(fd);
}

static void
test_strangers(void **state)
{
	struct ct_store *s = opened(dir);
	struct ct_store_list l;

	(void)state;
	touch("notes.txt", 0);
	touch(".hidden.ctb", 0);
	touch("a b.ctb", 0);
	touch("ours.ctb", 0);
	/* What a killed run left, on a file system without nameless files. */
	touch(".catetube-old.ctb", 25 * 3600);
	touch(".catetube-new.ctb", 3600);
	assert_int_equal(mkdir(ct_arena_printf(a, "%s/dir.ctb", dir), 0700), 0);
	assert_int_equal(
	    symlink("/etc/passwd", ct_arena_printf(a, "%s/link.ctb", dir)), 0);
	assert_int_equal(ct_store_list(s, a, &l, &err), CT_OK);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.item[0].name, "ours.ctb");
	assert_int_equal(entries(), 8);
	put(s, "z.ctb", "z");
	assert_int_equal(entries(), 8);
}

static void
test_names(void **state)
{
	static const char *const bad[] = {"", ".ctb", "a", "../x.ctb",
	    "a/b.ctb", ".x.ctb", "a b.ctb", "a\n.ctb", "x.ctb.tmp",
	    "\xc3\xa4.ctb"};
	struct ct_store *s = opened(dir);
	char longest[CT_STORE_NAME + 1];
	int64_t n;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		assert_int_equal(
		    ct_store_put_begin(s, bad[i], &err), CT_INVALID);
		assert_int_equal(
		    ct_store_get_begin(s, bad[i], &n, &err), CT_INVALID);
		assert_int_equal(ct_store_remove(s, bad[i], &err), CT_INVALID);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest + CT_STORE_NAME - 4, ".ctb", 5);
	assert_false(ct_store_name_ok(ct_str_of(longest)));
	assert_true(ct_store_name_ok(ct_str_of(longest + 1)));
}

static void
test_places(void **state)
{
	static const char *const good[] = {"s3://bucket", "s3://bucket/",
	    "s3://my.bucket-1/some/path_x", "/a/b"};
	static const char *const bad[] = {"", "relative", "s3://", "s3://ab",
	    "s3://Bucket", "s3://bucket//x", "s3://bucket/x/", "s3://bucket/..",
	    "s3://bucket/a b", "http://x/y", "s3://bucket/a?b"};
	struct ct_store *s;

	(void)state;
	for (size_t i = 0; i < ct_countof(good); i++)
		opened(good[i]);
	for (size_t i = 0; i < ct_countof(bad); i++) {
		ct_err_clear(&err);
		if (ct_store_open(a, &conf, bad[i], &s, &err) != CT_INVALID)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.msg, "CATETUBE_BACKUP_TO"));
	}
	conf.s3_endpoint = "https://host/path";
	assert_int_equal(
	    ct_store_open(a, &conf, "s3://bucket", &s, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_S3_ENDPOINT"));
	conf.s3_endpoint = "http://127.0.0.1:9000";
	conf.s3_secret = "";
	assert_int_equal(
	    ct_store_open(a, &conf, "s3://bucket", &s, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_S3_SECRET"));
}

/* A full disk may have room again; what is no directory will be none. */
static void
test_faults(void **state)
{
	struct rlimit lim, none = {1000, RLIM_INFINITY};
	struct ct_store *s = opened(dir);
	struct ct_store_list l;
	static char data[4096];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	none.rlim_max = lim.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(ct_store_put_begin(s, "x.ctb", &err), CT_OK);
	assert_int_equal(ct_store_put(s, data, sizeof(data), &err), CT_RETRY);
	ct_store_put_abort(s);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	assert_int_equal(entries(), 0);
	assert_non_null(strstr(err.msg, dir));

	s = opened("/dev/null");
	assert_int_equal(ct_store_list(s, a, &l, &err), CT_INVALID);
	assert_string_equal(err.msg, "cannot enter /dev/null: Not a directory");
	s = opened("/nonexistent/deeper");
	assert_int_equal(ct_store_put_begin(s, "x.ctb", &err), CT_INVALID);
	assert_string_equal(err.msg,
	    "cannot enter /nonexistent/deeper: No such "
	    "file or directory");
	if (geteuid() == 0)
		return; /* may write everywhere */
	assert_int_equal(chmod(dir, 0500), 0);
	s = opened(dir);
	assert_int_equal(ct_store_put_begin(s, "x.ctb", &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "Permission denied"));
	assert_int_equal(chmod(dir, 0700), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_whole_or_not, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_strangers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
