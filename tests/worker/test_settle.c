/* What becomes of a message: each answer of a child, each word of the claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "worker/node.h"

#define NOW_MS INT64_C(1800000000000)

/* Places in the settle request, as jq_settle.lua lists them. */
enum {
	NUMBER = 2,
	ID = 3,
	TRY = 4,
	OP = 5,
	NEXT = 6,
	DUE = 7,
	STATE = 8,
	RESULT = 9,
	RESULT_TTL = 10,
	TTL = 11,
	MAX = 12,
	REASON = 13
};

static struct ct_conf conf = {.queue_prefix = "jq:",
    .test_tasks = 1,
    .max_redeliver = 3,
    .job_ttl_s = 600,
    .result_ttl_s = 60};
static struct ct_node node = {.conf = &conf};
static struct ct_slot slot;
static struct ct_frame frame;

static int
set_up(void **state)
{
	(void)state;
	slot = (struct ct_slot){.fd = -1,
	    .state = CT_SLOT_BUSY,
	    .number = 42,
	    .a = ct_arena_create((size_t)1 << 20)};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(slot.a);
	return 0;
}

static bool
is(int at, const char *text)
{
	return ct_str_is(slot.settle.argv[at], text);
}

static bool
holds(int at, const char *text)
{
	return strstr(ct_str_cstr(slot.a, slot.settle.argv[at]), text) != NULL;
}

/* A message for task with more headers; what the claim said. */
static void
claimed(const char *task, const char *more, const char *word)
{
	const char *raw = ct_arena_printf(slot.a,
	    "{\"body\":\"[[],{},{}]\",\"headers\":{\"task\":\"%s\",\"id\":"
	    "\"j\"%s},\"properties\":{}}",
	    task, more);

	slot.state = CT_SLOT_BUSY;
	ct_settle_claimed(
	    &node, &slot, ct_str_of(raw), ct_str_of(word), NOW_MS);
}

static void
answer(enum ct_rc rc)
{
	frame.kind = CT_FRAME_END;
	frame.rc = (uint32_t)rc;
	frame.retry_in_ms = -1;
	frame.value_n = 4;
	memcpy(frame.text, "null", 4);
	ct_settle_frame(&node, &slot, &frame);
}

static void
test_claimed(void **state)
{
	(void)state;
	claimed("test.noop", "", "GO");
	assert_int_equal(slot.state, CT_SLOT_BUSY);
	claimed("test.noop", "", "LOOK");
	assert_int_equal(slot.state, CT_SLOT_STARTING);
	claimed("test.noop", "", "DUP");
	assert_int_equal(slot.state, CT_SLOT_ENDED);
	assert_true(is(OP, "drop"));
	claimed("test.noop", "", "FENCED");
	assert_true(is(OP, "drop"));
	claimed("test.noop", "", "CANCELLED");
	assert_true(is(OP, "ack") && is(STATE, "revoked"));
	assert_true(is(NUMBER, "42") && is(ID, "j"));
}

static void
test_no_such_task(void **state)
{
	(void)state;
	claimed("no.such", "", "GO");
	assert_int_equal(slot.state, CT_SLOT_ENDED);
	assert_true(is(OP, "ack") && holds(RESULT, "NotRegistered"));
	claimed("no.such", "", "LOOK");
	assert_true(is(OP, "ack") && holds(RESULT, "NotRegistered"));
	/* A copy of it is a copy. */
	claimed("no.such", "", "DUP");
	assert_true(is(OP, "drop"));
	conf.test_tasks = 0;
	claimed("test.noop", "", "GO");
	conf.test_tasks = 1;
	assert_true(holds(RESULT, "NotRegistered"));
}

static void
test_times(void **state)
{
	(void)state;
	claimed("test.noop", ",\"expires\":\"2027-01-15T07:59:59Z\"", "LOOK");
	assert_true(is(OP, "ack") && holds(RESULT, "expired"));
	claimed("test.noop", ",\"expires\":\"2027-01-15T08:00:01Z\"", "LOOK");
	assert_int_equal(slot.state, CT_SLOT_STARTING);
	claimed("test.noop", ",\"eta\":\"2027-01-15T08:00:01Z\"", "LOOK");
	assert_true(is(OP, "sched") && is(DUE, "1800000001000"));
	/* The message itself waits. */
	assert_true(is(NEXT, ""));
	claimed("test.noop", ",\"eta\":\"2027-01-15T07:59:59Z\"", "LOOK");
	assert_int_equal(slot.state, CT_SLOT_STARTING);
}

static void
test_poison(void **state)
{
	(void)state;
	slot.state = CT_SLOT_BUSY;
	ct_settle_claimed(&node, &slot, CT_STR("{]"), CT_STR("LOOK"), NOW_MS);
	assert_int_equal(slot.state, CT_SLOT_ENDED);
	assert_true(is(OP, "dead") && is(ID, ""));
	claimed("test.noop", "", "GO");
	frame.kind = CT_FRAME_POISON;
	frame.value_n = 3;
	memcpy(frame.text, "bad", 3);
	ct_settle_frame(&node, &slot, &frame);
	assert_true(is(OP, "dead") && is(REASON, "bad"));
}

/* Which rc is tried again, and what is left when the tries are used up. */
static void
test_answers(void **state)
{
	static const struct {
		enum ct_rc rc;
		const char *first, *last;
	} rows[] = {{CT_OK, "ack", "ack"}, {CT_RETRY, "sched", "dead"},
	    {CT_LIMITED, "sched", "dead"}, {CT_INTERNAL, "sched", "dead"},
	    {CT_INVALID, "ack", "ack"}, {CT_NOTFOUND, "ack", "ack"},
	    {CT_CONFLICT, "ack", "ack"}, {CT_TOOBIG, "ack", "ack"}};
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(rows); i++) {
		claimed("test.noop", "", "GO");
		answer(rows[i].rc);
		assert_true(is(OP, rows[i].first));
		assert_int_equal(is(STATE, "succeeded"), rows[i].rc == CT_OK);
		/* Only what went well may be forgotten sooner. */
		assert_true(
		    is(TTL, rows[i].rc == CT_OK ? "600" : CT_JOB_TTL_S));
		assert_true(is(RESULT_TTL, "60"));
		/* A retry is another message: one more in its headers. */
		assert_int_equal(holds(NEXT, "\"retries\":1"), is(OP, "sched"));
		claimed("test.noop", ",\"retries\":3", "GO");
		answer(rows[i].rc);
		assert_true(is(OP, rows[i].last));
		assert_true(is(TRY, "3"));
	}
}

/* The record keeps what went wrong; the log never what a task said. */
static void
test_reason(void **state)
{
	static const char said[] =
	    "{\"exc_type\":\"SMTPError\",\"exc_message\":[\"550 a@b.test\"]}";
	static const struct {
		enum ct_rc rc;
		const char *more, *why, *note;
	} rows[] = {
	    {CT_OK, "", "", NULL},
	    {CT_INVALID, "", "SMTPError: 550 a@b.test", NULL},
	    {CT_RETRY, "", "SMTPError: 550 a@b.test", NULL},
	    {CT_RETRY, ",\"retries\":3",
		"retries exhausted: SMTPError: 550 a@b.test",
		"retries exhausted"},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		claimed("test.noop", rows[i].more, "GO");
		frame.kind = CT_FRAME_END;
		frame.rc = (uint32_t)rows[i].rc;
		frame.retry_in_ms = -1;
		frame.value_n = sizeof(said) - 1;
		memcpy(frame.text, said, sizeof(said) - 1);
		ct_settle_frame(&node, &slot, &frame);
		assert_true(is(REASON, rows[i].why));
		if (rows[i].note == NULL)
			assert_null(slot.settle.note);
		else
			assert_string_equal(slot.settle.note, rows[i].note);
	}
}

static void
test_lost(void **state)
{
	struct ct_str argv[CT_SETTLE_ARGC];

	(void)state;
	/* The child died in the job: counted against its redeliveries. */
	claimed("test.noop", "", "GO");
	ct_settle_death(&node, &slot);
	assert_true(is(OP, "requeue") && is(MAX, "3"));
	assert_true(holds(RESULT, "WorkerLostError"));
	/* The answer of Redis was lost: not the job's fault. */
	claimed("test.noop", "", "LOOK");
	ct_settle_unstarted(&node, &slot);
	assert_true(is(OP, "requeue") && is(MAX, "-1") && is(RESULT, ""));
	ct_settle_unknown(CT_STR("9"), argv);
	assert_true(ct_str_is(argv[OP], "requeue"));
	assert_true(ct_str_is(argv[MAX], "-1"));
	assert_true(ct_str_is(argv[NUMBER], "9"));
	assert_true(ct_str_is(argv[ID], ""));
}

/* Why it was stopped decides; an answer that came all the same counts. */
static void
test_stopped(void **state)
{
	static const struct {
		enum ct_stop stop;
		const char *op, *word;
	} rows[] = {{CT_STOP_SOFT, "ack", "SoftTimeLimitExceeded"},
	    {CT_STOP_HARD, "ack", "TimeLimitExceeded"},
	    {CT_STOP_CANCEL, "ack", "terminated"},
	    {CT_STOP_DRAIN, "requeue", NULL}};
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(rows); i++) {
		claimed("test.noop", "", "GO");
		slot.stop = rows[i].stop;
		ct_settle_death(&node, &slot);
		assert_true(is(OP, rows[i].op));
		assert_true(rows[i].word != NULL ? holds(RESULT, rows[i].word)
						 : is(MAX, "-1"));
		claimed("test.noop", "", "GO");
		slot.stop = rows[i].stop;
		answer(CT_RETRY);
		assert_true(is(OP, rows[i].op));
		claimed("test.noop", "", "GO");
		slot.stop = rows[i].stop;
		answer(CT_OK);
		assert_true(is(STATE, "succeeded"));
	}
}

/* Full jitter: anywhere up to a bound that doubles, at most ten minutes. */
static void
test_backoff(void **state)
{
	static const struct {
		int base_s;
		int64_t retries, cap_ms;
	} rows[] = {{0, 5, 0}, {1, 0, 1000}, {1, 1, 2000}, {5, 3, 40000},
	    {60, 9, 600000}, {1, 1000000, 600000}, {900, 0, 600000}};
	int64_t ms, most, least;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ct_countof(rows); i++) {
		most = 0;
		least = INT64_MAX;
		for (k = 0; k < 400; k++) {
			ms = ct_backoff_ms(rows[i].base_s, rows[i].retries);
			assert_true(ms >= 0 && ms <= rows[i].cap_ms);
			most = ms > most ? ms : most;
			least = ms < least ? ms : least;
		}
		/* 400 draws miss a tenth of the range once in 10^18. */
		assert_true(most >= rows[i].cap_ms * 9 / 10);
		assert_true(least <= rows[i].cap_ms / 10);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_claimed),
	    T(test_no_such_task), T(test_times), T(test_poison),
	    T(test_answers), T(test_reason), T(test_lost), T(test_stopped),
	    T(test_backoff)};

	ct_crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
