/*
 * maintenance.purge: takes out what nobody may want back, a bounded batch at a
 * time. Stopped anywhere and run again, it goes on where it was.
 */
#include "db/purge.h"
#include "worker/job.h"

#define BATCH_ROWS  1000
#define BATCH_ARENA ((size_t)16 << 20)
#define SLOW_MS	    60000 /* a full batch with its indexes */

struct purge {
	struct ct_job *job;
	struct ct_arena *batch;
	struct ct_jw out; /* {"step": rows, …} */
	struct ct_buf text;
	int64_t done;
};

static void
close_arena(void *a)
{
	ct_arena_destroy(a);
}

static enum ct_rc
go_on(const struct purge *p, struct ct_err *err)
{
	if (ct_job_stopping())
		return ct_fail(
		    err, CT_RETRY, "stopped", "stopped by the worker");
	ct_job_progress(p->job, p->done, (int64_t)ct_purge_steps());
	return CT_OK;
}

static enum ct_rc
run_step(struct purge *p, size_t step, struct ct_err *err)
{
	struct ct_job *job = p->job;
	int64_t n = BATCH_ROWS, sum = 0;

	while (n == BATCH_ROWS) {
		ct_arena_reset(p->batch);
		if (go_on(p, err) != CT_OK ||
		    ct_purge_some(job->pg, p->batch, step, BATCH_ROWS,
			job->conf->session_idle_days, &n, err) != CT_OK)
			return err->rc;
		sum += n;
	}
	ct_jw_key(&p->out, ct_purge_name(step));
	ct_jw_i64(&p->out, sum);
	p->done++;
	return CT_OK;
}

enum ct_rc
ct_purge(struct ct_job *job, struct ct_err *err)
{
	struct purge p = {.job = job, .batch = ct_arena_create(BATCH_ARENA)};

	ct_arena_defer(job->a, close_arena, p.batch);
	ct_buf_init(&p.text, job->a, 256);
	ct_jw_init(&p.out, &p.text);
	ct_jw_obj(&p.out);
	ct_pg_timeout(job->pg, SLOW_MS);
	for (size_t i = 0; i < ct_purge_steps(); i++) {
		if (run_step(&p, i, err) != CT_OK)
			break;
	}
	ct_pg_timeout(job->pg, ct_int((size_t)job->conf->pg_timeout_ms));
	if (err->rc != CT_OK)
		return err->rc;
	ct_jw_end(&p.out);
	job->result = ct_buf_str(&p.text);
	return CT_OK;
}
