/*
 * backup.run and backup.verify: db/backup.h as jobs. A run that was recorded
 * is not made again where its message comes a second time.
 */
#include "db/backup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/job.h"

/* Only a turn: a job that is to stop says so as well. */
static bool
go_on(void *arg, int64_t done, int64_t total)
{
	struct ct_job *job = arg;

	ct_job_progress(job, done, total > done ? total : done);
	return !ct_job_stopping();
}

static struct ct_str
result(struct ct_job *job, const struct ct_backup_done *d)
{
	struct ct_buf out;
	struct ct_jw w;

	ct_buf_init(&out, job->a, 256);
	ct_jw_init(&w, &out);
	ct_jw_obj(&w);
	ct_jw_key(&w, "name");
	ct_jw_cstr(&w, d->name);
	ct_jw_key(&w, "bytes");
	ct_jw_i64(&w, d->bytes);
	ct_jw_key(&w, "rows");
	ct_jw_i64(&w, d->manifest.rows);
	ct_jw_key(&w, "kept");
	ct_jw_i64(&w, d->kept);
	ct_jw_key(&w, "removed");
	ct_jw_i64(&w, d->removed);
	ct_jw_end(&w);
	return ct_buf_str(&out);
}

/* For people; the backup itself is what counts. */
static void
record(struct ct_job *job, const struct ct_backup_log *l)
{
	struct ct_err late;

	ct_err_clear(&late);
	if (ct_backup_log_add(job->pg, job->a, l, &late) != CT_OK)
		ct_log(CT_WARN, "backup", "outcome not recorded: %s %s",
		    late.msg, late.detail);
}

static void
measure(const struct ct_backup_log *l)
{
	bool run = ct_str_is(ct_str_of(l->action), "run");

	ct_metric_set(
	    ct_metric(run ? CT_M_BACKUP_MADE : CT_M_BACKUP_VERIFIED, ""),
	    (uint64_t)(ct_now_us() / 1000000));
	if (run)
		ct_metric_set(
		    ct_metric(CT_M_BACKUP_BYTES, ""), (uint64_t)l->done->bytes);
}

static enum ct_rc
act(struct ct_job *job, struct ct_backup *b, bool run, const char *name,
    struct ct_backup_done *done, struct ct_err *err)
{
	if (ct_backup_open(b, err) != CT_OK)
		return err->rc;
	if (run)
		return ct_backup_run(b, &job->id, done, err);
	return ct_backup_verify(
	    b, name, job->conf->backup_verify_url, done, err);
}

static enum ct_rc
perform(struct ct_job *job, const char *action, const char *name,
    struct ct_err *err)
{
	struct ct_backup *b = ct_arena_alloc(job->a, sizeof(*b));
	struct ct_backup_done *done = ct_arena_alloc(job->a, sizeof(*done));
	struct ct_backup_log l = {.action = action,
	    .started_us = ct_now_us(),
	    .place = job->conf->backup_to,
	    .done = done};
	bool found = false;
	enum ct_rc rc;

	if (ct_uuid_nil(&job->id))
		job->id = ct_uuid_new();
	l.id = job->id;
	if (ct_backup_log_find(job->pg, job->a, &job->id, &found, done, err) !=
	    CT_OK)
		return err->rc;
	if (!found) {
		*b = (struct ct_backup){
		    .a = job->a, .conf = job->conf, .go_on = go_on, .arg = job};
		rc = act(job, b, ct_str_is(ct_str_of(action), "run"), name,
		    done, err);
		l.error = rc == CT_OK ? NULL : err->msg;
		record(job, &l);
		if (rc != CT_OK)
			return rc;
		measure(&l);
	}
	job->result = result(job, done);
	return CT_OK;
}

enum ct_rc
ct_backup_run_task(struct ct_job *job, struct ct_err *err)
{
	return perform(job, "run", NULL, err);
}

/* name: of one backup; without it the newest. */
enum ct_rc
ct_backup_verify_task(struct ct_job *job, struct ct_err *err)
{
	const struct ct_json *v = ct_job_arg(job, "name", 0);
	struct ct_str name = ct_json_str(v);

	if (v && !name.p && ct_json_type(v) != CT_JSON_NULL)
		return ct_fail(
		    err, CT_INVALID, NULL, "name must be the name of a backup");
	return perform(
	    job, "verify", name.p ? ct_str_cstr(job->a, name) : NULL, err);
}
