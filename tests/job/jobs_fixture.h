/*
 * What the tests of jobs.h share: jobs in every state, made by hand with the
 * scripts of the nodes.
 */
#ifndef CT_TESTS_JOB_JOBS_FIXTURE_H
#define CT_TESTS_JOB_JOBS_FIXTURE_H

#include "common/jobs.h"
#include "tests/job/job_fixture.h"

static struct ct_jobs jobs;

static inline int
jobs_up(void **state)
{
	test_up(state);
	cmd("CONFIG SET maxmemory-policy noeviction");
	jobs = (struct ct_jobs){.redis = redis,
	    .a = arena,
	    .prefix = "jq:",
	    .queues = "default:4,reports:2"};
	return 0;
}

#define OK(call)                                                               \
	do {                                                                   \
		ct_err_clear(&err);                                            \
		if ((call) != CT_OK)                                           \
			fail_msg("%s: %s %s", #call, err.msg, err.detail);     \
	} while (0)
#define REFUSED(call, want)                                                    \
	do {                                                                   \
		ct_err_clear(&err);                                            \
		assert_int_equal((call), (want));                              \
	} while (0)

static inline const struct redisReply *
run(const char *script, int nkeys, ...)
{
	const struct redisReply *reply = NULL;
	struct ct_str argv[24];
	const char *s;
	va_list ap;
	int argc = 0;

	va_start(ap, nkeys);
	while ((s = va_arg(ap, const char *)) != NULL) {
		if (argc == nkeys)
			argv[argc++] = CT_STR("jq:");
		argv[argc++] = ct_str_of(s);
	}
	va_end(ap);
	OK(ct_redis_eval(
	    redis, arena, ct_script(script), nkeys, argc, argv, &reply, &err));
	return reply;
}

static inline void
enter(const char *wid)
{
	run("jq_register", 0, wid, "host", "1", "default:1", "2", "60000",
	    "name", NULL);
}

/* Push to a queue; its id. */
static inline const char *
put(const char *task, const char *queue, const char *kwargs, int priority,
    int64_t due_us)
{
	struct ct_job_new job = {.task = task,
	    .queue = queue,
	    .kwargs = ct_str_of(kwargs),
	    .priority = priority,
	    .due_us = due_us};
	char *id = ct_arena_alloc(arena, CT_UUID_TEXT);

	OK(ct_queue_push(redis, arena, "jq:", &job, NULL, &err));
	return ct_uuid_format(&job.id, id);
}

/* Claim and begin one of a list under a number. */
static inline void
take(const char *wid, const char *list, const char *number)
{
	const struct redisReply *r =
	    run("jq_claim", 1, list, wid, "600", "1", number, NULL);

	assert_int_equal(ct_reply_n(r), 4);
	assert_true(ct_str_is(ct_reply_str(ct_reply_at(r, 3)), "GO"));
}

static inline void
settle(const char *wid, const char *number, const char *id, const char *op,
    const char *state, const char *why)
{
	assert_int_equal(ct_reply_i64(run("jq_settle", 0, wid, number, id, "0",
			     op, "", "0", state, "{\"status\":\"FAILURE\"}",
			     "600", "600", "-1", why, "10", NULL)),
	    1);
}

/* Push, begin and bury one. */
static inline const char *
bury(const char *task, const char *kwargs, const char *number)
{
	const char *id = put(task, "default", kwargs, 0, 0);

	take("w1", "default", number);
	settle("w1", number, id, "dead", "dead", "retries exhausted");
	return id;
}

#endif
