/*
 * report.generate from the outbox to the file, with a real PostgreSQL: made
 * once, made again the same, and given up where it cannot be made.
 */
#include "tests/job/job_fixture.h"

#include "db/migrate.h"
#include "db/report.h"
#include "tests/support/private_pg.h"

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
	size_t cap = (size_t)4 << 20;
	char *text = ct_arena_raw(arena, cap);
	int fd = open(ct_arena_printf(arena, "%s/reports/%.*s", server.dir,
			  CT_STR_FMT(r.blob)),
	    O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, cap);
	close(fd);
	assert_true(n >= 0);
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
test_again(void **state)
{
	struct ct_uuid id = ask_report("combined", "json");
	pid_t a = node_start("a", NULL);
	struct ct_str one, two;

	(void)state;
	UNTIL(report_is(&id, "ready"));
	UNTIL(job_is(text_of(&id), "succeeded"));
	one = file_of(&id);
	sql("update report set state = 'running', blob = null;"
	    "update job_outbox set state = 'pending'");
	cmd("DEL jq:job:%s", text_of(&id));
	UNTIL(report_is(&id, "ready"));
	two = file_of(&id);
	assert_true(ct_str_eq(one, two));
	assert_non_null(memmem(one.p, one.n, "\"feeding_data\":[{", 17));
	assert_non_null(memmem(one.p, one.n, "\"medication_data\":[]}", 21));
	node_kill(a);
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
	    T(test_redis_forgets), T(test_given_up), T(test_no_such_report)};

	return cmocka_run_group_tests(tests, up, down);
}
