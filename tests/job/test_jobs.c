/*
 * What operators see of jobs, the dead and queues, and do to them, on a real
 * Redis.
 */
#include "tests/job/jobs_fixture.h"

#define CANARY	"nobody-may-see-this"
#define REPORT	"018f0000-0000-7000-8000-00000000000a"
#define HOUR_US (INT64_C(3600) * 1000000)

static struct ct_jobs_page page;

static size_t
count(const char *state, const char *queue, const char *task)
{
	struct ct_jobs_filter f = {.state = ct_str_of(state),
	    .queue = ct_str_of(queue),
	    .task = ct_str_of(task),
	    .limit = CT_JOBS_LIMIT};

	OK(ct_jobs_list(&jobs, &f, &page, &err));
	assert_null(page.next.p);
	return page.n;
}

static const struct ct_job_info *
row_of(const char *id)
{
	for (size_t i = 0; i < page.n; i++)
		if (ct_str_is(page.row[i].id, id))
			return &page.row[i];
	fail_msg("%s is not listed", id);
	return NULL;
}

static const char *
json_of(const struct ct_job_info *row)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, arena, 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_fields_write(&ct_job_info_fields, row, &w);
	ct_jw_end(&w);
	return ct_str_cstr(arena, ct_buf_str(&b));
}

static const char *
state_of(const char *id)
{
	struct ct_job_info row;

	OK(ct_jobs_get(&jobs, ct_str_of(id), &row, &err));
	return ct_str_cstr(arena, row.state);
}

/* Eight jobs, one in each state and two more that wait. */
static const char *id[8];

static void
eight(void)
{
	enter("w1");
	id[0] = put("t.run", "default", "{}", 0, 0);
	take("w1", "default", "1");
	id[1] = bury("t.dead", "{}", "2");
	id[2] = put("t.good", "default", "{}", 0, 0);
	take("w1", "default", "3");
	settle("w1", "3", id[2], "ack", "succeeded", "");
	id[3] = put("t.bad", "default", "{}", 0, 0);
	take("w1", "default", "4");
	settle("w1", "4", id[3], "ack", "failed", "ValueError: no");
	id[4] = put("t.late", "reports", "{}", 3, ct_now_us() + HOUR_US);
	id[5] = put("t.wait", "reports", "{}", 9, 0);
	id[6] = put("t.wait", "reports", "{}", 0, 0);
	id[7] = put("t.wait", "default", "{}", 0, 0);
}

static void
test_list(void **state)
{
	static const char *const want[] = {"running", "dead", "succeeded",
	    "failed", "scheduled", "queued", "queued", "queued"};
	const struct ct_job_info *row;

	(void)state;
	assert_int_equal(count(NULL, NULL, NULL), 0);
	eight();
	assert_int_equal(count(NULL, NULL, NULL), 8);
	for (size_t i = 0; i < ct_countof(want); i++)
		assert_true(ct_str_is(row_of(id[i])->state, want[i]));
	/* Those that run come first; of a queue those served next. */
	assert_true(ct_str_is(page.row[0].id, id[0]));
	row = row_of(id[5]);
	assert_int_equal(row->priority, 9);
	assert_true(ct_str_is(row->queue, "reports"));
	assert_true(row > row_of(id[6]));
	row = row_of(id[0]);
	assert_true(ct_str_is(row->node, "w1"));
	assert_true(row->began_at != CT_NULL_I64 && row->tries == 1);
	assert_true(row_of(id[4])->due_at > ct_now_us());
	row = row_of(id[3]);
	assert_true(ct_str_is(row->error, "ValueError: no"));
	assert_true(ct_str_is(row->task, "t.bad"));
	assert_true(row->ended_at != CT_NULL_I64 && row->bytes == CT_NULL_I64);
	assert_int_equal(count("queued", NULL, NULL), 3);
	assert_int_equal(count("queued", "reports", NULL), 2);
	assert_int_equal(count(NULL, "reports", NULL), 3);
	assert_int_equal(count(NULL, NULL, "t.wait"), 3);
	assert_int_equal(count("failed", NULL, NULL), 1);
	assert_int_equal(count("failed", NULL, "t.good"), 0);
	assert_int_equal(count("running", NULL, NULL), 1);
	assert_int_equal(count("scheduled", NULL, NULL), 1);
	assert_int_equal(count("dead", NULL, NULL), 1);
	assert_int_equal(count("revoked", NULL, NULL), 0);
	REFUSED(
	    ct_jobs_list(&jobs,
		&(struct ct_jobs_filter){.state = CT_STR("asleep"), .limit = 1},
		&page, &err),
	    CT_INVALID);
}

/* Small pages put together are the whole list. */
static void
test_pages(void **state)
{
	struct ct_jobs_filter f = {.limit = 1};
	static const char *const bad[] = {"x", "9.0.0", "1.0", "1.0.x",
	    "1.0.-1", "0.0.1-2", "4.0.1", "4.0.1-", "1.999.0",
	    "1.0.99999999999", "", "1.0.0 "};
	unsigned seen = 0, pages = 0;

	(void)state;
	eight();
	do {
		OK(ct_jobs_list(&jobs, &f, &page, &err));
		assert_true(page.n <= 1);
		for (size_t i = 0; i < 8 && page.n == 1; i++)
			if (ct_str_is(page.row[0].id, id[i])) {
				assert_false(seen & 1U << i);
				seen |= 1U << i;
			}
		f.cursor = page.next;
		assert_true(++pages < 40);
	} while (page.next.p);
	assert_int_equal(seen, 0xff);
	for (size_t i = 0; i < ct_countof(bad); i++) {
		f.cursor = ct_str_of(bad[i]);
		REFUSED(ct_jobs_list(&jobs, &f, &page, &err), CT_INVALID);
		assert_string_equal(err.fields[0].name, "cursor");
	}
}

/* Many messages: a call looks at some of them, and says where to go on. */
static void
test_bounded(void **state)
{
	struct ct_jobs_filter f = {.task = CT_STR("t.rare"), .limit = 100};
	const char *rare = put("t.rare", "default", "{}", 9, 0);
	size_t calls = 0, found = 0;

	(void)state;
	cmd("EVAL for\ti=1,5000\tdo\tredis.call('LPUSH','default',"
	    "'{\"body\":\"\",\"headers\":{\"task\":\"t\",\"id\":\"i'..i..'"
	    "\"}}')end 0");
	assert_int_equal(cmd_i64("LLEN", "default"), 5000);
	do {
		OK(ct_jobs_list(&jobs, &f, &page, &err));
		found += page.n;
		f.cursor = page.next;
		calls++;
	} while (page.next.p && calls < 20);
	assert_int_equal(found, 1);
	assert_in_range(calls, 3, 6);
	/* In another list than the one that is long it is found, too. */
	assert_string_equal(state_of(rare), "queued");
}

/* A message of another producer is there without a record. */
static void
test_foreign(void **state)
{
	struct ct_job_info row;

	(void)state;
	cmd("LPUSH default {\"body\":\"W10=\",\"headers\":{\"task\":\"py.x\","
	    "\"id\":\"not-a-uuid\"},\"properties\":{\"body_encoding\":"
	    "\"base64\"}}");
	cmd("LPUSH default {\"body\":\"{\\\"task\\\":\\\"go.x\\\",\\\"id\\\":"
	    "\\\"g1\\\"}\",\"headers\":{},\"properties\":{}}");
	cmd("LPUSH default \x1b[31mgarbage");
	assert_int_equal(count("queued", NULL, NULL), 3);
	assert_true(ct_str_is(row_of("g1")->task, "go.x"));
	assert_true(row_of("g1")->queued_at == CT_NULL_I64);
	OK(ct_jobs_get(&jobs, CT_STR("not-a-uuid"), &row, &err));
	assert_true(ct_str_is(row.task, "py.x"));
	assert_true(ct_str_is(row.state, "queued"));
	/* What cannot be read comes last, with the reason. */
	assert_null(page.row[2].id.p);
	assert_true(page.row[2].error.n > 0);
	REFUSED(ct_jobs_get(&jobs, CT_STR("no"), &row, &err), CT_NOTFOUND);
}

/* Of arguments only names and ids are told. */
static void
test_secrets(void **state)
{
	const char *job = put("t", "default",
	    "{\"report_id\":\"" REPORT "\",\"mail_id\":7,\"note_id\":\"" CANARY
	    "\",\"email\":\"" CANARY "\",\"rows\":[\"" CANARY "\"],\"id\":{"
	    "\"x\":\"" CANARY "\"},\"amount\":12345}",
	    0, 0);
	struct ct_job_info row;
	const char *text;

	(void)state;
	OK(ct_jobs_get(&jobs, ct_str_of(job), &row, &err));
	text = json_of(&row);
	assert_null(strstr(text, CANARY));
	assert_null(strstr(text, "12345"));
	assert_non_null(strstr(text,
	    "\"kwargs\":{\"report_id\":\"" REPORT "\",\"mail_id\":7,"
	    "\"note_id\":null,\"email\":null,\"rows\":null,\"id\":null,"
	    "\"amount\":null}"));
}

/* One over 64 KiB is told without its text. */
static void
test_long(void **state)
{
	char *kwargs = ct_arena_alloc(arena, 70016);

	(void)state;
	memcpy(kwargs, "{\"x\":\"", 6);
	memset(kwargs + 6, 'a', 70000);
	memcpy(kwargs + 70006, "\"}", 3);
	put("t", "default", kwargs, 0, 0);
	assert_int_equal(count(NULL, NULL, NULL), 1);
	assert_null(page.row[0].id.p);
	assert_true(page.row[0].bytes > 70000);
	assert_non_null(page.row[0].error.p);
}

/* One that waits for its time ends at once, and no other one of that time. */
static void
test_cancel(void **state)
{
	int64_t due = ct_now_us() / 1000000 * 1000000 + HOUR_US;
	const char *a = put("t", "default", "{}", 0, due);
	const char *b = put("t", "default", "{}", 0, due);
	const char *c = put("t", "default", "{}", 0, 0);
	struct ct_job_info row;

	(void)state;
	/* One that only names it is another one, though it comes first. */
	cmd("ZADD jq:sched %lld a\n{\"body\":\"W10=\",\"headers\":{\"task\":"
	    "\"t\",\"id\":\"child\",\"parent_id\":\"%s\"}}",
	    (long long)due / 1000, a);
	OK(ct_jobs_cancel(&jobs, ct_str_of(a), &row, &err));
	assert_true(ct_str_is(row.state, "revoked"));
	assert_true(result_has(a, "\"status\":\"REVOKED\""));
	assert_int_equal(cmd_i64("ZCARD", "jq:sched"), 2);
	assert_string_equal(state_of("child"), "scheduled");
	assert_string_equal(state_of(b), "scheduled");
	REFUSED(ct_jobs_cancel(&jobs, ct_str_of(a), &row, &err), CT_CONFLICT);
	REFUSED(ct_jobs_cancel(&jobs, CT_STR("no"), &row, &err), CT_NOTFOUND);
	/* One in a list is revoked when its turn comes. */
	OK(ct_jobs_cancel(&jobs, ct_str_of(c), &row, &err));
	assert_true(result_has(c, "REVOKED"));
	enter("w1");
	assert_true(ct_str_is(
	    ct_reply_str(ct_reply_at(
		run("jq_claim", 1, "default", "w1", "600", "1", "1", NULL), 3)),
	    "CANCELLED"));
	assert_int_equal(count("revoked", NULL, NULL), 1);
	row_of(a);
}

static void
test_dead(void **state)
{
	const char *a, *b;
	const struct redisReply *r;
	struct ct_job_info row;
	int64_t done;

	(void)state;
	enter("w1");
	a = bury("t.a", "{\"report_id\":\"" REPORT "\"}", "1");
	b = bury("t.b", "{}", "2");
	cmd("HSET jq:job:%s redeliveries 4", a);
	cmd("SET jq:cancel:%s 1", a);
	OK(ct_jobs_get(&jobs, ct_str_of(a), &row, &err));
	OK(ct_jobs_dead_check(&row, &err));
	assert_true(ct_str_is(row.error, "retries exhausted"));
	assert_non_null(strstr(json_of(&row), REPORT));
	OK(ct_jobs_dead_retry(&jobs, &row, &done, &err));
	assert_int_equal(done, 1);
	OK(ct_jobs_dead_retry(&jobs, &row, &done, &err));
	assert_int_equal(done, 0);
	assert_string_equal(state_of(a), "queued");
	assert_string_equal(job_field(a, "redeliveries"), "");
	assert_string_equal(job_field(a, "error"), "");
	assert_string_equal(result_of(a), "");
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	/* It is begun again, not taken for a copy of the one that died. */
	take("w1", "default", "3");
	assert_true(job_is(a, "running"));
	/* A copy of a job that lives is not sent again. */
	cmd("HSET jq:job:%s state running", b);
	OK(ct_jobs_list(&jobs,
	    &(struct ct_jobs_filter){.state = CT_STR("dead"), .limit = 9},
	    &page, &err));
	assert_int_equal(page.n, 1);
	OK(ct_jobs_dead_retry(&jobs, &page.row[0], &done, &err));
	assert_int_equal(done, 2);
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 1);
	OK(ct_jobs_dead_purge(&jobs, &page.row[0], &done, &err));
	assert_int_equal(done, 1);
	assert_int_equal(cmd_i64("ZCARD", "jq:dead"), 0);
	/* Dead, but its message was purged. */
	cmd("HSET jq:job:%s state dead", b);
	OK(ct_jobs_get(&jobs, ct_str_of(b), &row, &err));
	REFUSED(ct_jobs_dead_check(&row, &err), CT_CONFLICT);
	r = cmd("ZADD jq:dead 5 q\nx 9999999999999 q\ny");
	assert_int_equal(ct_reply_i64(r), 2);
	OK(ct_jobs_dead_clear(&jobs, ct_now_us(), &done, &err));
	assert_int_equal(done, 1);
}

/* All tries again: the message that is sent says that none was. */
static void
test_dead_tries(void **state)
{
	int64_t done;
	struct ct_msg m;

	(void)state;
	cmd("ZADD jq:dead 5 default\n{\"body\":\"W10=\",\"headers\":{\"task\":"
	    "\"t\",\"id\":\"j\",\"retries\":5,\"stamps\":{\"x\":1}},"
	    "\"properties\":{\"body_encoding\":\"base64\"}}");
	cmd("ZADD jq:dead 6 default\ngarbage");
	assert_int_equal(count("dead", NULL, NULL), 2);
	for (size_t i = 0; i < 2; i++)
		OK(ct_jobs_dead_retry(&jobs, &page.row[i], &done, &err));
	OK(ct_msg_parse(arena, ct_reply_str(cmd("RPOP default")), &m, &err));
	assert_int_equal(m.retries, 0);
	assert_non_null(ct_json_get(ct_json_get(m.root, "headers"), "stamps"));
	assert_true(ct_str_is(ct_reply_str(cmd("RPOP default")), "garbage"));
	assert_true(job_is("j", "queued"));
}

static const struct ct_queue_info *
queue(const char *name)
{
	struct ct_queues_info q;

	OK(ct_jobs_queues(&jobs, &q, &err));
	for (size_t i = 0; i < q.n; i++)
		if (ct_str_is(q.row[i].name, name))
			return &q.row[i];
	fail_msg("no queue %s", name);
	return NULL;
}

static void
test_queues(void **state)
{
	struct ct_queues_info q;
	bool changed;

	(void)state;
	eight();
	OK(ct_jobs_queues(&jobs, &q, &err));
	assert_int_equal(q.n, 2);
	assert_int_equal(q.scheduled, 1);
	assert_int_equal(q.dead, 1);
	assert_int_equal(queue("reports")->ready, 2);
	assert_int_equal(queue("reports")->depth[0], 1);
	assert_int_equal(queue("reports")->depth[3], 1);
	assert_int_equal(queue("reports")->nodes, 0);
	assert_int_equal(queue("default")->nodes, 1);
	nap_ms(30);
	assert_in_range(queue("default")->oldest_ms, 25, WAIT_MS);
	/* Another producer's: since it was first seen. */
	cmd("DEL default");
	assert_true(queue("default")->oldest_ms == CT_NULL_I64);
	cmd("LPUSH default garbage");
	assert_in_range(queue("default")->oldest_ms, 0, 20);
	nap_ms(30);
	assert_in_range(queue("default")->oldest_ms, 25, WAIT_MS);
	assert_true(cmd_i64("TTL", "jq:seen:default") > 0);
	OK(ct_jobs_pause(&jobs, CT_STR("default"), true, &changed, &err));
	assert_true(changed);
	OK(ct_jobs_pause(&jobs, CT_STR("default"), true, &changed, &err));
	assert_false(changed);
	assert_true(queue("default")->paused_at != CT_NULL_I64);
	OK(ct_jobs_pause(&jobs, CT_STR("default"), false, &changed, &err));
	assert_true(changed);
	OK(ct_jobs_pause(&jobs, CT_STR("default"), false, &changed, &err));
	assert_false(changed);
	REFUSED(ct_jobs_pause(&jobs, CT_STR("typo"), true, &changed, &err),
	    CT_NOTFOUND);
	assert_non_null(strstr(err.msg, "default, reports"));
	assert_int_equal(cmd_i64("EXISTS", "jq:pause"), 0);
	/* One that was paused stays to be seen where nobody serves it. */
	cmd("HSET jq:pause old 5");
	assert_int_equal(queue("old")->paused_at, 5000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, jobs_up, test_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_list), T(test_pages),
	    T(test_bounded), T(test_foreign), T(test_secrets), T(test_long),
	    T(test_cancel), T(test_dead), T(test_dead_tries), T(test_queues)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
