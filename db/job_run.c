/* Effects that happen once; see job_run.h. */
#include "db/job_run.h"

/* Nothing but the row in job_run keeps the entry from being written twice. */
static const struct ct_stmt effect = {"job_effect", CT_GLOBAL, CT_WRITE, "ui",
    NULL,
    "with r as (insert into job_run (job_id, task, attempt)"
    " values ($1, 'test.effect', $2)"
    " on conflict (job_id) do nothing returning job_id),"
    " o as (update job_outbox set state = 'done', done_at = now()"
    " where id = $1 and state <> 'done')"
    " insert into audit_event (action, noun, noun_id)"
    " select 'run', 'job', job_id from r"};

const struct ct_stmt *const ct_job_run_stmts[] = {&effect, NULL};

enum ct_rc
ct_job_effect(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *job,
    int64_t attempt, bool *first, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, job);
	ct_p_i64(&p, attempt);
	if (ct_pg_run(pg, &effect, &p, a, &r, err) != CT_OK)
		return err->rc;
	*first = ct_res_affected(r) == 1;
	return CT_OK;
}
