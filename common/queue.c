/*
 * Pushing and revoking jobs: the two scripts that producers use.
 */
#include <stdio.h>

#include "common/celery.h"
#include "common/metrics.h"
#include "common/queue.h"

enum ct_rc
ct_queue_push(struct ct_redis *r, struct ct_arena *a, const char *prefix,
    struct ct_job_new *job, bool *fresh, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_msg_new n = {.task = job->task,
	    .queue = job->queue,
	    .kwargs = job->kwargs,
	    .priority = job->priority,
	    .eta_us = job->due_us,
	    .expires_us = job->expires_us};
	char id[CT_UUID_TEXT];
	struct ct_str argv[7];
	struct ct_str state;
	bool pushed;
	enum ct_rc rc;

	if (ct_uuid_nil(&job->id))
		job->id = ct_uuid_new();
	n.id = ct_uuid_format(&job->id, id);
	argv[0] = ct_str_of(prefix);
	argv[1] = ct_str_of(id);
	argv[2] =
	    ct_msg_list(a, ct_str_of(job->queue), ct_msg_step(job->priority));
	argv[3] = ct_msg_encode(a, &n);
	argv[4] =
	    ct_str_of_i64(a, (job->due_us + 999) / 1000); /* never early */
	argv[5] = ct_str_of(job->task);
	argv[6] = ct_str_of(job->queue);
	rc = ct_redis_eval(
	    r, a, ct_script("jq_enqueue"), 0, 7, argv, &reply, err);
	if (rc != CT_OK)
		return rc;
	state = ct_reply_str(ct_reply_at(reply, 1));
	snprintf(job->state, sizeof(job->state), "%.*s", CT_STR_FMT(state));
	pushed = ct_reply_i64(ct_reply_at(reply, 0)) == 1;
	if (pushed)
		ct_metric_add(ct_metric(CT_M_JOBS_ENQUEUED,
				  ct_arena_printf(a, "queue=\"%s\",task=\"%s\"",
				      job->queue, job->task)),
		    1);
	if (fresh != NULL)
		*fresh = pushed;
	return CT_OK;
}

enum ct_rc
ct_queue_cancel(struct ct_redis *r, struct ct_arena *a, const char *prefix,
    struct ct_str id, struct ct_err *err)
{
	return ct_queue_revoke(r, a, prefix, id, true, err);
}

enum ct_rc
ct_queue_revoke(struct ct_redis *r, struct ct_arena *a, const char *prefix,
    struct ct_str id, bool stop, struct ct_err *err)
{
	const struct ct_msg m = {.id = id};
	const struct redisReply *reply;
	struct ct_str argv[5];

	argv[0] = ct_str_of(prefix);
	argv[1] = id;
	argv[2] = ct_result_json(a, &m, CT_R_REVOKED,
	    ct_exception_json(a, "celery.exceptions", "TaskRevokedError",
		(struct ct_str){0}, "revoked"),
	    (struct ct_str){0}, ct_now_us());
	argv[3] = ct_str_of_i64(a, CT_RESULT_TTL_S);
	argv[4] = stop ? CT_STR("1") : CT_STR("0");
	return ct_redis_eval(
	    r, a, ct_script("jq_cancel"), 0, 5, argv, &reply, err);
}

enum ct_rc
ct_queue_forget(struct ct_redis *r, struct ct_arena *a, const char *prefix,
    struct ct_str id, bool *ended, struct ct_err *err)
{
	struct ct_str argv[2] = {ct_str_of(prefix), id};
	const struct redisReply *reply;
	struct ct_str state;

	if (ct_redis_eval(
		r, a, ct_script("jq_forget"), 0, 2, argv, &reply, err) != CT_OK)
		return err->rc;
	state = ct_reply_str(reply);
	*ended = !ct_str_is(state, "queued") && !ct_str_is(state, "running") &&
		 !ct_str_is(state, "scheduled");
	return CT_OK;
}
