/*
 * The test.* tasks: something to run for tests, drills and benchmarks.
 */
#include <signal.h>
#include <time.h>

#include "db/job_run.h"
#include "worker/job.h"

/* Seconds as thousandths: a number in JSON. */
static int64_t
milli_arg(const struct ct_job *job, const char *name, unsigned pos, int64_t def)
{
	const struct ct_json *v = ct_job_arg(job, name, pos);
	int64_t ms;

	return v != NULL && ct_json_milli(v, &ms) ? ms : def;
}

/* Ends early where the worker wants the job to stop. */
static enum ct_rc
nap(int64_t ms, struct ct_err *err)
{
	const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};
	int64_t until = ct_mono_ms() + ms;

	while (ct_mono_ms() < until) {
		if (ct_job_stopping())
			return ct_fail(
			    err, CT_RETRY, "stopped", "stopped by the worker");
		nanosleep(&step, NULL);
	}
	return CT_OK;
}

/* What it was given: the only argument, or all of them. */
enum ct_rc
ct_test_echo(struct ct_job *job, CT_UNUSED struct ct_err *err)
{
	const struct ct_json *first = ct_json_first(job->args);
	struct ct_buf b;
	struct ct_jw w;

	if (first != NULL && ct_json_next(first) == NULL) {
		job->result = ct_json_print(job->a, first);
		return CT_OK;
	}
	ct_buf_init(&b, job->a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "args");
	ct_jw_raw(&w, job->args == NULL ? CT_STR("[]")
					: ct_json_print(job->a, job->args));
	ct_jw_key(&w, "kwargs");
	ct_jw_raw(&w, job->kwargs == NULL ? CT_STR("{}")
					  : ct_json_print(job->a, job->kwargs));
	ct_jw_end(&w);
	job->result = ct_buf_str(&b);
	return CT_OK;
}

enum ct_rc
ct_test_noop(CT_UNUSED struct ct_job *job, CT_UNUSED struct ct_err *err)
{
	return CT_OK;
}

/* When it began, in microseconds since 1970. */
enum ct_rc
ct_test_now(struct ct_job *job, CT_UNUSED struct ct_err *err)
{
	job->result = ct_str_of_i64(job->a, ct_now_us());
	return CT_OK;
}

enum ct_rc
ct_test_crash(CT_UNUSED struct ct_job *job, CT_UNUSED struct ct_err *err)
{
	raise(SIGKILL);
	return CT_OK;
}

/* seconds; returns how often the job was begun. */
enum ct_rc
ct_test_sleep(struct ct_job *job, struct ct_err *err)
{
	enum ct_rc rc = nap(milli_arg(job, "seconds", 0, 1000), err);

	if (rc == CT_OK)
		job->result = CT_STR("\"slept\"");
	return rc;
}

/*
 * before, after: seconds around a row that is written once, however often the
 * job is run. Returns whether this run wrote it.
 */
enum ct_rc
ct_test_effect(struct ct_job *job, struct ct_err *err)
{
	bool first;

	if (ct_uuid_nil(&job->id))
		return ct_fail(err, CT_INVALID, "id", "the id is no UUID");
	if (nap(milli_arg(job, "before", 0, 0), err) != CT_OK ||
	    ct_job_effect(
		job->pg, job->a, &job->id, job->attempt, &first, err) != CT_OK)
		return err->rc;
	job->result = first ? CT_STR("true") : CT_STR("false");
	return nap(milli_arg(job, "after", 1, 0), err);
}

/* steps, and seconds between them. */
enum ct_rc
ct_test_progress(struct ct_job *job, struct ct_err *err)
{
	int64_t steps = milli_arg(job, "steps", 0, 4000) / 1000;
	int64_t gap_ms = milli_arg(job, "gap", 1, 300);
	enum ct_rc rc;
	int64_t i;

	for (i = 1; i <= steps; i++) {
		ct_job_progress(job, i, steps);
		rc = nap(gap_ms, err);
		if (rc != CT_OK)
			return rc;
	}
	job->result = ct_str_of(
	    ct_arena_printf(job->a, "{\"steps\":%lld}", (long long)steps));
	return CT_OK;
}

/*
 * times: fail that often in a way that is tried again, then succeed with the
 * number of tries; without it fail for good. wait: seconds until the retry.
 */
enum ct_rc
ct_test_fail(struct ct_job *job, struct ct_err *err)
{
	const struct ct_json *message = ct_job_arg(job, "message", 0);
	int64_t times = milli_arg(job, "times", 1, 0) / 1000;
	struct ct_str text = ct_json_str(message);

	if (text.p == NULL)
		text = CT_STR("asked to fail");
	if (times == 0)
		return ct_fail(err, CT_INVALID, NULL, "%.*s", CT_STR_FMT(text));
	if (job->attempt <= times) {
		job->retry_in_ms = milli_arg(job, "wait", 2, -1);
		return ct_fail(err, CT_RETRY, NULL, "%.*s", CT_STR_FMT(text));
	}
	job->result = ct_str_of_i64(job->a, job->attempt);
	return CT_OK;
}
