/*
 * Jobs, the producing side: a message in Celery's format (celery.h) pushed on
 * a Redis list by the enqueue script, which makes the push idempotent by id.
 * The consuming side is worker/.
 */
#ifndef CT_COMMON_QUEUE_H
#define CT_COMMON_QUEUE_H

#include "common/id.h"
#include "common/redis.h"

struct ct_job_new {
	struct ct_uuid id;    /* nil: made here and written back */
	const char *task;     /* "report.generate" */
	const char *queue;    /* "reports" */
	struct ct_str kwargs; /* JSON object text */
	int priority;	      /* 0 (first) … 9 */
	int64_t due_us;	      /* 0: now */
	int64_t expires_us;   /* 0: never */
	/* Written: what Redis knows of the job: queued, scheduled, running,
	 * succeeded, failed, revoked, dead. */
	char state[16];
};

/*
 * *fresh (may be NULL): false where a job of that id was pushed before and is
 * still known (7 days).
 * CT_RETRY: Redis away; the outcome is unknown and repeating is safe.
 */
enum ct_rc ct_queue_push(struct ct_redis *r, struct ct_arena *a,
    const char *prefix, struct ct_job_new *job, bool *fresh,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Revoke a job by id, known or not: one that has not begun ends as REVOKED,
 * one that runs is stopped by its worker. Kept for 7 days past its due time.
 * CT_RETRY as above.
 */
enum ct_rc ct_queue_cancel(struct ct_redis *r, struct ct_arena *a,
    const char *prefix, struct ct_str id, struct ct_err *err) CT_MUSTCHECK;

/* The same, but one that runs goes on unless stop; its retries do not. */
enum ct_rc ct_queue_revoke(struct ct_redis *r, struct ct_arena *a,
    const char *prefix, struct ct_str id, bool stop,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Forget all about a job that has ended or was never known; *ended: it has.
 * One that waits or runs is left alone. CT_RETRY as above.
 */
enum ct_rc ct_queue_forget(struct ct_redis *r, struct ct_arena *a,
    const char *prefix, struct ct_str id, bool *ended,
    struct ct_err *err) CT_MUSTCHECK;

#endif
