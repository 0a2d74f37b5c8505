/*
 * report.generate from the outbox to the file, with a real PostgreSQL: made
 * once, made again the same, after kills and on a full disk, within its
 * memory, and given up where it cannot be made.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "tests/job/job_fixture.h"
#undef WAIT_MS
#define WAIT_MS 60000 /* long reports, beside other tests */

#include "db/migrate.h"
#include "db/report.h"
#include "tests/support/private_pg.h"

static const char *const formats[] = {"csv", "json", "xlsx", "pdf", NULL};

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_uuid account, cat;

static void
sql(const char *text)
{
	ct_err_clear(&err);
	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
}

static int
up(void **state)
{
	const char *url;

	if (group_up(state) != 0)
		return -1;
	cluster = private_pg_new();
	url = private_pg_database(cluster, "jobs");
	setenv("DATABASE_URL", url, 1);
	pg = ct_pg_open(url, "test", 10000);
	if (ct_migrate(pg, NULL, &err) != CT_OK) {
		print_error("%s %s\n", err.msg, err.detail);
		return -1;
	}
	account = ct_uuid_new();
	cat = ct_uuid_new();
	return 0;
}

static int
down(void **state)
{
	ct_pg_close(pg);
	private_pg_free(cluster);
	return group_down(state);
}

static int
each_up(void **state)
{
	char a[CT_UUID_TEXT], c[CT_UUID_TEXT];

	if (test_up(state) != 0)
		return -1;
	ct_uuid_format(&account, a);
	ct_uuid_format(&cat, c);
	sql("truncate account, cat, job_outbox, job_run cascade");
	sql(ct_arena_printf(arena,
	    "insert into account (id, email, password_hash, first_name)"
	    " values ('%s', 'a@example.org', 'x', 'Ada');"
	    "insert into cat (id) values ('%s');"
	    "insert into cat_member (cat_id, account_id, role)"
	    " values ('%s', '%s', 4);"
	    "insert into feeding (cat_id, id, given_at, care_day, amount_ul,"
	    " notes, by_account) select '%s', gen_random_uuid(),"
	    " '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute',"
	    " '2026-01-01'::date + n / 1440, 50000 + n,"
	    " case n %% 3 when 0 then '=1+1' when 1 then 'a,\"b\"' else '' end,"
	    " '%s' from generate_series(0, 4999) n",
	    a, c, c, a, c, a));
	return 0;
}

static struct ct_uuid
ask_report(const char *kind, const char *format)
{
	struct ct_report in = {.id = ct_uuid_new(),
	    .account_id = account,
	    .cat_id = cat,
	    .kind = ct_str_of(kind),
	    .format = ct_str_of(format),
	    .from_day = CT_NULL_DAY,
	    .to_day = CT_NULL_DAY};

	ct_err_clear(&err);
	if (ct_report_add(pg, arena, &in, 100, &err) != CT_OK)
		fail_msg("add: %s %s", err.msg, err.detail);
	return in.id;
}

static struct ct_report
look(const struct ct_uuid *id)
{
	struct ct_report r = {0};

	ct_err_clear(&err);
	if (ct_report_get(pg, arena, &account, id, &r, &err) != CT_OK)
		fail_msg("get: %s %s", err.msg, err.detail);
	return r;
}

static bool
report_is(const struct ct_uuid *id, const char *state)
{
	return ct_str_is(look(id).state, state);
}

static struct ct_str
file_of(const struct ct_uuid *id)
{
	struct ct_report r = look(id);
	char *text = ct_arena_raw(arena, (size_t)r.byte_count + 1);
	int fd = open(ct_arena_printf(arena, "%s/reports/%.*s", server.dir,
			  CT_STR_FMT(r.blob)),
	    O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, (size_t)r.byte_count + 1);
	close(fd);
	assert_int_equal(n, r.byte_count);
	return (struct ct_str){text, (size_t)n};
}

static const char *
text_of(const struct ct_uuid *id)
{
	return ct_uuid_format(id, ct_arena_alloc(arena, CT_UUID_TEXT));
}

static int
count_lines(struct ct_str s)
{
	size_t i;
	int n = 0;

	for (i = 0; i + 1 < s.n; i++)
		n += s.p[i] == '\r' && s.p[i + 1] == '\n';
	return n;
}

static void
test_made(void **state)
{
	struct ct_uuid id = ask_report("feeding", "csv");
	pid_t a = node_start("a", NULL);
	struct ct_str csv;

	(void)state;
	UNTIL(report_is(&id, "ready"));
	csv = file_of(&id);
	assert_int_equal(count_lines(csv), 5001);
	assert_non_null(memmem(csv.p, csv.n, ",'=1+1,", 7));
	assert_non_null(memmem(csv.p, csv.n, ",\"a,\"\"b\"\"\",", 11));
	assert_null(memmem(csv.p, csv.n, ",=1+1", 5));
	assert_non_null(memmem(csv.p, csv.n, ",2026-01-01T00:01:00Z,", 22));
	assert_int_equal(look(&id).rows_done, 5000);
	UNTIL(job_is(text_of(&id), "succeeded"));
	assert_true(result_has(text_of(&id), "\"rows\":5000"));
	node_kill(a);
}

/* The row says running, as after a crash, and the job comes again. */
static void
again(const char *kind, const char *format)
{
	struct ct_uuid id = ask_report(kind, format);
	struct ct_str one, two;

	UNTIL(report_is(&id, "ready"));
	UNTIL(job_is(text_of(&id), "succeeded"));
	one = file_of(&id);
	sql("update report set state = 'running', blob = null;"
	    "update job_outbox set state = 'pending'");
	cmd("DEL jq:job:%s", text_of(&id));
	UNTIL(report_is(&id, "ready"));
	two = file_of(&id);
	if (!ct_str_eq(one, two))
		fail_msg("%s as %s: %zu and %zu bytes, not the same", kind,
		    format, one.n, two.n);
	if (strcmp(format, "json") == 0 && strcmp(kind, "combined") == 0) {
		assert_non_null(
		    memmem(one.p, one.n, "\"feeding_data\":[{", 17));
		assert_non_null(
		    memmem(one.p, one.n, "\"medication_data\":[]}", 21));
	}
	sql("delete from job_outbox; delete from job_run; delete from report");
}

static void
test_again(void **state)
{
	pid_t a = node_start("a", NULL);

	(void)state;
	for (size_t f = 0; formats[f] != NULL; f++)
		again("combined", formats[f]);
	for (size_t f = 0; formats[f] != NULL; f++)
		again("summary", formats[f]);
	node_kill(a);
}

/* ------------------------------------------------ kills, disks, memory */

/* More meals: long enough to be hit. */
static void
many_meals(int n)
{
	char c[CT_UUID_TEXT];

	ct_uuid_format(&cat, c);
	ct_pg_timeout(pg, 60000);
	sql(ct_arena_printf(arena,
	    "insert into feeding (cat_id, id, given_at, care_day, amount_ul,"
	    " notes) select '%s', gen_random_uuid(),"
	    " '2020-01-01T00:00:00Z'::timestamptz + n * interval '7 minutes',"
	    " '2020-01-01'::date + n / 206, 50000, 'note ' || n"
	    " from generate_series(1, %d) n",
	    c, n));
}

static int
files_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static bool
begun(const struct ct_uuid *id)
{
	struct ct_report r = look(id);

	return ct_str_is(r.state, "running") && r.rows_done > 0;
}

/* Killed in the middle again and again: nothing of it is to be seen. */
static void
killed(pid_t node, const char *kind, const char *format)
{
	const char *dir = ct_arena_printf(arena, "%s/reports", server.dir);
	int before = files_in(dir);
	struct ct_uuid id = ask_report(kind, format);
	pid_t child[8];

	for (int i = 0; i < 3; i++) {
		UNTIL(begun(&id) || report_is(&id, "ready"));
		if (report_is(&id, "ready"))
			break;
		assert_int_equal(files_in(dir), before);
		for (int n = job_children(node, child, 8); n > 0; n--)
			kill(child[n - 1], SIGKILL);
	}
	UNTIL(report_is(&id, "ready"));
	assert_int_equal(files_in(dir), before + 1);
	file_of(&id);
}

static void
test_killed(void **state)
{
	pid_t a = node_start("a", NULL);

	(void)state;
	many_meals(20000);
	for (size_t f = 0; formats[f] != NULL; f++)
		killed(a, "summary", formats[f]);
	node_kill(a);
}

/* Retries that wait are due now. */
static void
hurry(void)
{
	cmd("ZUNIONSTORE jq:sched 1 jq:sched WEIGHTS 0");
}

static void
room(const char *dir, const char *size)
{
	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, size) != 0)
		fail_msg("%s: %s", dir, strerror(errno));
}

static int64_t
blocks_used(const char *dir)
{
	struct statvfs v;

	assert_int_equal(statvfs(dir, &v), 0);
	return (int64_t)(v.f_blocks - v.f_bfree);
}

/*
 * Nothing is half-written or held, and it is made once there is room. small:
 * what rows may fit into, but not the file that is made of them.
 */
static void
too_full(const char *dir, const char *format, const char *small)
{
	const char *reports = ct_arena_printf(arena, "%s/reports", dir);
	struct ct_uuid id;

	room(dir, small);
	id = ask_report("feeding", format);
	UNTIL(job_is(text_of(&id), "scheduled"));
	assert_int_equal(files_in(reports), 0);
	UNTIL(blocks_used(dir) == 0);
	room(dir, "size=256m");
	hurry();
	UNTIL(report_is(&id, "ready"));
	assert_int_equal(files_in(reports), 1);
	unlink(
	    ct_arena_printf(arena, "%s/%s.%s", reports, text_of(&id), format));
	UNTIL(blocks_used(dir) == 0);
	room(dir, small);
	/* Still none: the person is told why. */
	id = ask_report("feeding", format);
	UNTIL((hurry(), report_is(&id, "failed")));
	assert_non_null(
	    strstr(ct_str_cstr(arena, look(&id).error), "There is no room"));
	assert_int_equal(files_in(reports), 0);
}

static char small_disk[128];

static int
full_down(void **state)
{
	int rc = test_down(state);

	if (small_disk[0] != '\0')
		umount2(small_disk, MNT_DETACH);
	return rc;
}

static void
test_full_disk(void **state)
{
	char *dir = small_disk, files[192];
	pid_t a;

	(void)state;
	snprintf(dir, sizeof(small_disk), "%s/small", server.dir);
	snprintf(files, sizeof(files), "CATETUBE_FILES_DIR=%s", dir);
	if (mkdir(dir, 0700) != 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=64k") != 0) {
		print_message(
		    "no disk of our own to fill: %s\n", strerror(errno));
		skip();
	}
	a = node_start("a", files);
	for (size_t f = 0; formats[f] != NULL; f++)
		too_full(dir, formats[f], "size=64k");
	too_full(dir, "xlsx", "size=3m");
	node_kill(a);
}

/* Most that the node's children ever had in memory. */
static int64_t
peak_kib(pid_t node)
{
	char path[64], line[256];
	int64_t most = 0;
	pid_t child[8];
	FILE *f;
	int n;

	for (n = job_children(node, child, 8); n > 0; n--) {
		snprintf(
		    path, sizeof(path), "/proc/%d/status", (int)child[n - 1]);
		f = fopen(path, "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			if (strncmp(line, "VmHWM:", 6) == 0 &&
			    atoll(line + 6) > most)
				most = atoll(line + 6);
		if (f != NULL)
			fclose(f);
	}
	return most;
}

static void
test_memory(void **state)
{
	static const struct {
		const char *format;
		int64_t mib;
	} bounds[] = {{"csv", 32}, {"json", 32}, {"xlsx", 64}, {"pdf", 128}};
	struct ct_uuid id;
	int64_t kib, began;
	pid_t a;

	(void)state;
	if (strstr(worker_path(), "asan") != NULL)
		skip();
	many_meals(100000);
	for (size_t i = 0; i < ct_countof(bounds); i++) {
		a = node_start("a", NULL);
		began = ct_mono_ms();
		id = ask_report("feeding", bounds[i].format);
		UNTIL(report_is(&id, "ready"));
		kib = peak_kib(a);
		print_message("%s: %lld rows in %lld ms, peak %lld KiB\n",
		    bounds[i].format, (long long)look(&id).rows_done,
		    (long long)(ct_mono_ms() - began), (long long)kib);
		assert_in_range(kib, 1, bounds[i].mib << 10);
		node_kill(a);
	}
}

/* Redis loses everything: what the outbox holds is done all the same. */
static void
test_redis_forgets(void **state)
{
	struct ct_uuid id = ask_report("feeding", "csv");
	pid_t a;

	(void)state;
	sql("update job_outbox set state = 'sent',"
	    " sent_at = now() - interval '2 minutes'");
	a = node_start("a", NULL);
	UNTIL(report_is(&id, "ready"));
	node_kill(a);
}

/* Its job was revoked: the report does not wait for ever. */
static void
test_given_up(void **state)
{
	struct ct_uuid id = ask_report("feeding", "csv");
	pid_t a;

	(void)state;
	cmd("HSET jq:job:%s state dead", text_of(&id));
	a = node_start("a", NULL);
	UNTIL(report_is(&id, "failed"));
	assert_int_equal(cmd_i64("LLEN", "reports"), 0);
	node_kill(a);
}

static void
test_no_such_report(void **state)
{
	struct ct_uuid id = ct_uuid_new();
	pid_t a = node_start("a", NULL);
	const char *job = push("report.generate",
	    ct_arena_printf(arena, "{'report_id':'%s'}", text_of(&id)), 0);

	(void)state;
	UNTIL(job_is(job, "failed"));
	assert_true(result_has(job, "LookupError"));
	job = push("report.generate", "{'report_id':'../x'}", 0);
	UNTIL(job_is(job, "failed"));
	assert_true(result_has(job, "ValueError"));
	node_kill(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, each_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_made), T(test_again),
	    T(test_killed),
	    cmocka_unit_test_setup_teardown(test_full_disk, each_up, full_down),
	    T(test_memory), T(test_redis_forgets), T(test_given_up),
	    T(test_no_such_report)};

	return cmocka_run_group_tests(tests, up, down);
}
