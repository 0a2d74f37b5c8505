/*
 * account.import: an archive is looked at, or becomes rows of the account. Each
 * cat is one transaction: all of it or nothing. To look is to do it all and
 * roll back, so that both count alike. Safe to repeat: what is there already is
 * left alone.
 */
#include "worker/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/newfile.h"

#define BATCH_ARENA ((size_t)16 << 20)
#define SLOW_MS	    60000

static void
close_pg(void *pg)
{
	ct_pg_close(pg);
}

static void
close_arena(void *a)
{
	ct_arena_destroy(a);
}

static void
close_file(void *data)
{
	struct ct_importing *in = data;

	if (in->zip.fd >= 0)
		close(in->zip.fd);
}

bool
ct_import_is_ours(enum ct_rc rc)
{
	return rc == CT_RETRY || rc == CT_LIMITED || rc == CT_INTERNAL;
}

void
ct_import_tell(struct ct_importing *in, bool is_refused, const char *file,
    int64_t line, const struct ct_err *why)
{
	struct ct_import_problem *p;

	if (in->nproblems++ >= CT_IMPORT_PROBLEMS)
		return;
	p = &in->problems[in->nproblems - 1];
	p->is_refused = is_refused;
	p->line = line;
	snprintf(p->file, sizeof(p->file), "%s", file);
	if (why->nfields > 0) {
		snprintf(p->field, sizeof(p->field), "%s", why->fields[0].name);
		snprintf(
		    p->reason, sizeof(p->reason), "%s", why->fields[0].msg);
	} else {
		snprintf(p->reason, sizeof(p->reason), "%s", why->msg);
	}
}

enum ct_rc
ct_import_go_on(struct ct_importing *in, struct ct_err *err)
{
	int64_t all = in->row_count > in->rows ? in->row_count : in->rows;

	if (ct_job_stopping())
		return ct_fail(
		    err, CT_RETRY, "stopped", "stopped by the worker");
	if (!ct_job_progress(in->job, in->rows, all))
		return CT_OK;
	ct_arena_reset(in->batch);
	if (ct_import_progress(in->side, in->batch, &in->row.id, in->rows, all,
		err) == CT_RETRY)
		ct_err_clear(err); /* it is news, not the work */
	return err->rc;
}

/* ------------------------------------------------------------ one part */

static bool
has_news(const struct ct_import_cat *cat)
{
	for (size_t i = 0; i < CT_ARCHIVE_NOUNS_MAX; i++) {
		if (cat->counts[i][CT_I_NEW] > 0)
			return true;
	}
	return false;
}

static enum ct_rc
begin(struct ct_importing *in, struct ct_err *err)
{
	struct ct_job *job = in->job;

	if (ct_pg_begin(job->pg, job->a, false, err) != CT_OK)
		return err->rc;
	return ct_bring_lock(job->pg, job->a, &in->row.account_id, err);
}

/* What was brought in stays, unless something of it was refused. */
static enum ct_rc
end(struct ct_importing *in, bool refused, struct ct_err *err)
{
	if (in->row.is_run && !refused)
		return ct_pg_commit(in->job->pg, err);
	ct_pg_rollback(in->job->pg);
	return CT_OK;
}

static enum ct_rc
one_cat(struct ct_importing *in, int index, struct ct_err *err)
{
	struct ct_import_cat *cat = &in->cats[index];
	struct ct_job *job = in->job;
	bool refused = false;

	if (begin(in, err) != CT_OK ||
	    ct_import_cat(in, index, &refused, err) != CT_OK)
		return err->rc;
	if (!refused && has_news(cat) &&
	    ct_bring_note(job->pg, job->a, &in->row.account_id, &cat->to,
		cat->is_new, err) != CT_OK)
		return err->rc;
	if (end(in, refused, err) != CT_OK)
		return err->rc;
	cat->is_written = in->row.is_run && !refused;
	return CT_OK;
}

static enum ct_rc
preferences(struct ct_importing *in, struct ct_err *err)
{
	bool refused;

	if (begin(in, err) != CT_OK ||
	    ct_import_preferences(in, &refused, err) != CT_OK)
		return err->rc;
	return end(in, refused, err);
}

static enum ct_rc
all_parts(struct ct_importing *in, struct ct_err *err)
{
	if (preferences(in, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < CT_IMPORT_CATS; i++) {
		if (in->cats[i].is_there && one_cat(in, i, err) != CT_OK)
			return err->rc;
	}
	return CT_OK;
}

/* ------------------------------------------------------------ the task */

static enum ct_rc
open_all(struct ct_importing *in, struct ct_err *err)
{
	struct ct_job *job = in->job;
	const char *path = ct_arena_printf(job->a, "%s/" CT_IMPORT_DIR "/%.*s",
	    job->conf->files_dir, CT_STR_FMT(in->row.blob));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	in->zip.fd = fd;
	ct_arena_defer(job->a, close_file, in);
	if (fd < 0 && errno == ENOENT)
		return ct_fail(err, CT_INVALID, "archive",
		    "The file is not there any more; send it again.");
	if (fd < 0)
		return ct_storage_fault(err, path, errno);
	in->batch = ct_arena_create(BATCH_ARENA);
	ct_arena_defer(job->a, close_arena, in->batch);
	in->side = ct_pg_open(job->conf->database_url, "catetube-worker",
	    ct_int((size_t)job->conf->pg_timeout_ms));
	ct_arena_defer(job->a, close_pg, in->side);
	in->nouns = ct_archive_nouns(job->a);
	return ct_unzip_open(&in->zip, fd, err);
}

static enum ct_rc
read_all(struct ct_importing *in, struct ct_err *err)
{
	struct ct_job *job = in->job;

	if (open_all(in, err) != CT_OK || ct_import_layout(in, err) != CT_OK)
		return err->rc;
	ct_pg_timeout(job->pg, SLOW_MS);
	(void)!all_parts(in, err);
	if (err->rc != CT_OK)
		ct_pg_rollback(job->pg);
	ct_pg_timeout(job->pg, ct_int((size_t)job->conf->pg_timeout_ms));
	if (err->rc != CT_OK)
		return err->rc;
	return ct_import_finish(job->pg, job->a, &in->row.id, &job->id,
	    job->attempt, in->rows, ct_import_summary(job->a, in), err);
}

static struct ct_str
result(const struct ct_importing *in)
{
	char id[CT_UUID_TEXT];

	return ct_str_of(ct_arena_printf(in->job->a,
	    "{\"import_id\":\"%s\",\"rows\":%lld,\"problems\":%lld}",
	    ct_uuid_format(&in->row.id, id), (long long)in->rows,
	    (long long)in->nproblems));
}

enum ct_rc
ct_account_import(struct ct_job *job, struct ct_err *err)
{
	struct ct_importing *in = ct_arena_alloc(job->a, sizeof(*in));
	struct ct_err ignored;
	struct ct_uuid id;
	enum ct_rc rc;

	in->job = job;
	in->zip.fd = -1;
	if (!ct_uuid_parse(ct_json_str(ct_job_arg(job, "import_id", 0)), &id))
		return ct_fail(
		    err, CT_INVALID, NULL, "import_id must be a UUID");
	if (ct_import_start(job->pg, job->a, &id, &job->id, &in->row, err) !=
	    CT_OK)
		return err->rc;
	if (ct_str_is(in->row.state, "done")) {
		in->rows = in->row.rows_done;
		job->result = result(in);
		return CT_OK;
	}
	rc = read_all(in, err);
	if (rc == CT_OK) {
		job->result = result(in);
		return CT_OK;
	}
	ct_err_clear(&ignored);
	if (ct_job_is_last(job, rc) &&
	    ct_import_fail(job->pg, job->a, &job->id, ct_str_of(err->msg),
		&ignored) != CT_OK)
		ct_log(
		    CT_WARN, "import", "failure not recorded: %s", ignored.msg);
	return rc;
}
