/*
 * What a task sees: its arguments, a place for the result, progress. Tasks run
 * in a child of the worker, one at a time, and know nothing of Redis.
 */
#ifndef CT_WORKER_JOB_H
#define CT_WORKER_JOB_H

#include "common/celery.h"
#include "common/conf.h"
#include "db/pg.h"

struct ct_task;
struct ct_wire;

struct ct_job {
	struct ct_arena *a; /* reset after the job */
	const struct ct_conf *conf;
	struct ct_pg *pg;
	const struct ct_task *task;
	struct ct_str id_text;
	struct ct_uuid id;	    /* nil where the producer's id is no UUID */
	int64_t attempt;	    /* 1: the first try */
	const struct ct_json *args; /* array or NULL */
	const struct ct_json *kwargs; /* object or NULL */
	/* What the task may set: */
	struct ct_str result;	/* JSON; absent is null */
	const char *exc_type;	/* Python's name; NULL: by the rc */
	struct ct_str exc_args; /* JSON array; absent: the error's sentence */
	int64_t retry_in_ms;	/* -1: the task row's back-off */
	/* Ours: */
	const struct ct_wire *wire;
	int64_t progress_at_ms;
};

/*
 * The fields of the result of a task. CT_OK: SUCCESS. CT_RETRY, CT_LIMITED and
 * CT_INTERNAL are tried again while the row allows; all others are FAILURE.
 */
typedef enum ct_rc ct_task_fn(struct ct_job *job, struct ct_err *err);

enum ct_task_flags {
	CT_TASK_TEST = 1 << 0 /* only with CATETUBE_TEST_TASKS=1 */
};

struct ct_task {
	const char *name;
	const char *queue;
	ct_task_fn *run;
	int max_retries;
	int backoff_s; /* full jitter up to this, doubled each time */
	int soft_s;    /* then SIGTERM; a message may ask for less */
	int hard_s;    /* then SIGKILL */
	unsigned flags;
};

extern const struct ct_task ct_tasks[];
extern const size_t ct_tasks_n;
/* NULL where there is none, or a test task where those are off. */
const struct ct_task *ct_task_find(struct ct_str name, bool test_tasks);
/* Names unique, limits sane. CT_INVALID names the row. */
enum ct_rc ct_tasks_check(struct ct_err *err) CT_MUSTCHECK;

/* {"current", "total"}, at most every 250 ms; true where it was sent. */
bool ct_job_progress(struct ct_job *job, int64_t current, int64_t total);
/* True once the worker wants the job to end: a limit, a stop, a revocation. */
bool ct_job_stopping(void);
/* Whether nothing will try again after this rc of the task. */
bool ct_job_is_last(const struct ct_job *job, enum ct_rc rc);
/* The argument of that name; NULL where it was not given. */
const struct ct_json *ct_job_arg(
    const struct ct_job *job, const char *name, unsigned position);

ct_task_fn ct_account_export, ct_account_import, ct_mail_send,
    ct_maintenance_inactive, ct_purge, ct_report_generate, ct_report_sweep,
    ct_webhook_send;
ct_task_fn ct_backup_run_task, ct_backup_verify_task;
ct_task_fn ct_mail_send, ct_maintenance_inactive, ct_purge, ct_report_generate;
ct_task_fn ct_test_echo, ct_test_sleep, ct_test_progress, ct_test_fail,
    ct_test_noop, ct_test_now, ct_test_crash, ct_test_effect;

#endif
