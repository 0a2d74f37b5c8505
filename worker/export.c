/*
 * account.export: a zip archive of all that an account has, from one snapshot,
 * in constant memory. Safe to repeat: the file is complete or absent, and is
 * announced in the statement that records the run.
 */
#include "worker/export.h"

#include <stdio.h>

#include "common/log.h"
#include "common/newfile.h"
#include "worker/archive.h"
#include "worker/job.h"
#include "worker/sink.h"

#define BATCH_ROWS  1000
#define BATCH_ARENA ((size_t)64 << 20)
#define PIECE	    ((size_t)64 << 10)
#define SLOW_MS	    120000

struct exporting {
	struct ct_job *job;
	struct ct_report r;
	struct ct_pg *side; /* progress, beside the transaction of the rows */
	struct ct_arena *batch;
	struct ct_arena *scratch; /* of one member */
	const struct ct_archive_nouns *nouns;
	struct ct_cat *cats;
	int ncats;
	struct ct_newfile file;
	struct ct_zip *zip;
	struct ct_sink csv; /* only its rows as text; see drain */
	struct ct_buf json;
	struct ct_buf manifest;
	struct ct_jw files; /* in the manifest */
	int64_t rows, members, bytes;
};

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

/* What the buffer holds goes into the member, if it is much or in any case. */
static enum ct_rc
drain(struct exporting *x, struct ct_buf *b, bool all, struct ct_err *err)
{
	struct ct_str bytes = ct_buf_str(b);

	if (!all && b->n < PIECE)
		return CT_OK;
	b->n = 0;
	return ct_zip_put(x->zip, bytes, err);
}

static enum ct_rc
go_on(struct exporting *x, struct ct_err *err)
{
	int64_t all = 2 * (int64_t)(x->nouns->n_account +
				    (size_t)x->ncats * x->nouns->n_cat);

	if (ct_job_stopping())
		return ct_fail(
		    err, CT_RETRY, "stopped", "stopped by the worker");
	if (!ct_job_progress(x->job, x->members, all))
		return CT_OK;
	if (ct_report_progress(
		x->side, x->batch, &x->r.id, x->members, all, err) == CT_RETRY)
		ct_err_clear(err); /* it is news, not the work */
	return err->rc;
}

/* ------------------------------------------------------------ rows */

enum form { AS_JSON, AS_CSV };

static void
begin_rows(struct exporting *x, const struct ct_archive_noun *n, enum form form)
{
	const struct ct_report_section one = {.columns = n->fields};

	if (form == AS_JSON)
		ct_buf_adds(&x->json, "[");
	else
		x->csv.format->begin(&x->csv, &one, 0, 1);
}

static enum ct_rc
put_row(struct exporting *x, const struct ct_archive_noun *n, enum form form,
    bool first, struct ct_archive_row *row, struct ct_err *err)
{
	struct ct_mark m = ct_arena_mark(x->batch);
	struct ct_jw w;

	if (n->fix)
		n->fix(x->batch, &x->r.account_id, row);
	if (form == AS_CSV) {
		x->csv.format->row(&x->csv, row);
	} else {
		ct_buf_adds(&x->json, first ? "\n" : ",\n");
		ct_jw_init(&w, &x->json);
		ct_jw_obj(&w);
		ct_fields_write(n->fields, row, &w);
		ct_jw_end(&w);
	}
	ct_arena_rewind(x->batch, m);
	return drain(x, form == AS_CSV ? &x->csv.out : &x->json, false, err);
}

static enum ct_rc
end_rows(struct exporting *x, enum form form, struct ct_err *err)
{
	if (form == AS_CSV)
		return drain(x, &x->csv.out, true, err);
	ct_buf_adds(&x->json, "\n]\n");
	return drain(x, &x->json, true, err);
}

/* All rows of the noun; cat NULL: it is one of the account. */
static enum ct_rc
copy_rows(struct exporting *x, const struct ct_archive_noun *n,
    const struct ct_cat *cat, enum form form, int64_t *rows, struct ct_err *err)
{
	struct ct_archive_row row;
	const struct ct_res *res;
	struct ct_cursor *cursor;
	struct ct_params p;
	int got;

	ct_arena_reset(x->scratch);
	ct_params_init(&p, x->scratch);
	ct_p_uuid(&p, &x->r.account_id);
	if (cat)
		ct_p_uuid(&p, &cat->id);
	if (ct_cursor_open(x->job->pg, n->rows, &p, BATCH_ROWS, x->scratch,
		&cursor, err) != CT_OK)
		return err->rc;
	for (*rows = 0;; *rows += got) {
		ct_arena_reset(x->batch);
		if (go_on(x, err) != CT_OK ||
		    ct_cursor_next(cursor, x->batch, &res, err) != CT_OK)
			return err->rc;
		got = ct_res_rows(res);
		if (got == 0)
			return ct_cursor_close(cursor, err);
		for (int i = 0; i < got; i++) {
			ct_res_get(res, i, n->rows->out, row.obj);
			if (put_row(x, n, form, *rows + i == 0, &row, err) !=
			    CT_OK)
				return err->rc;
		}
	}
}

/* ------------------------------------------------------------ members */

static enum ct_rc
put_text(struct exporting *x, const char *name, struct ct_str text,
    struct ct_err *err)
{
	if (ct_zip_member(x->zip, name, err) != CT_OK)
		return err->rc;
	return ct_zip_put(x->zip, text, err);
}

static void
note_file(struct exporting *x, const char *name, int64_t rows)
{
	ct_jw_obj(&x->files);
	ct_jw_key(&x->files, "name");
	ct_jw_cstr(&x->files, name);
	ct_jw_key(&x->files, "rows");
	ct_jw_i64(&x->files, rows);
	ct_jw_end(&x->files);
}

/* The noun's two files. */
static enum ct_rc
put_noun(struct exporting *x, const char *dir, const struct ct_cat *cat,
    const struct ct_archive_noun *n, struct ct_err *err)
{
	static const char *const ends[] = {
	    [AS_JSON] = "json", [AS_CSV] = "csv"};
	char name[64];
	int64_t rows;

	for (enum form form = AS_JSON; form <= AS_CSV; form++) {
		snprintf(
		    name, sizeof(name), "%s/%s.%s", dir, n->name, ends[form]);
		if (ct_zip_member(x->zip, name, err) != CT_OK)
			return err->rc;
		begin_rows(x, n, form);
		if (copy_rows(x, n, cat, form, &rows, err) != CT_OK ||
		    end_rows(x, form, err) != CT_OK)
			return err->rc;
		note_file(x, name, rows);
		x->members++;
		if (form == AS_JSON)
			x->rows += rows;
	}
	return CT_OK;
}

static enum ct_rc
put_nouns(struct exporting *x, const char *dir, const struct ct_cat *cat,
    const struct ct_archive_noun *list, size_t n, struct ct_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (put_noun(x, dir, cat, &list[i], err) != CT_OK)
			return err->rc;
	}
	return CT_OK;
}

static void
begin_manifest(struct exporting *x)
{
	struct ct_jw *w = &x->files;

	ct_buf_init(&x->manifest, x->job->a, (size_t)64 << 10);
	ct_jw_init(w, &x->manifest);
	ct_jw_obj(w);
	ct_jw_key(w, "format");
	ct_jw_cstr(w, CT_ARCHIVE_FORMAT);
	ct_jw_key(w, "version");
	ct_jw_i64(w, CT_ARCHIVE_VERSION);
	/* The time it was asked for: a second run says the same. */
	ct_jw_key(w, "made_at");
	ct_jw_time(w, x->r.created_at);
	ct_jw_key(w, "account_id");
	ct_jw_uuid(w, &x->r.account_id);
	ct_jw_key(w, "files");
	ct_jw_arr(w);
}

static enum ct_rc
put_all(struct exporting *x, struct ct_err *err)
{
	char dir[16];

	begin_manifest(x);
	if (ct_export_cats(x->job->pg, x->job->a, &x->r.account_id, &x->cats,
		&x->ncats, err) != CT_OK ||
	    put_text(x, "README.txt",
		ct_export_readme(
		    x->job->a, x->nouns, x->cats, x->ncats, x->r.created_at),
		err) != CT_OK ||
	    put_nouns(x, "account", NULL, x->nouns->of_account,
		x->nouns->n_account, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < x->ncats; i++) {
		snprintf(dir, sizeof(dir), CT_CAT_DIR, i + 1);
		if (put_nouns(x, dir, &x->cats[i], x->nouns->of_cat,
			x->nouns->n_cat, err) != CT_OK)
			return err->rc;
	}
	ct_jw_end(&x->files);
	ct_jw_end(&x->files);
	if (put_text(x, "manifest.json", ct_buf_str(&x->manifest), err) !=
	    CT_OK)
		return err->rc;
	return ct_zip_end(x->zip, &x->bytes, err);
}

/* ------------------------------------------------------------ the task */

static enum ct_rc
open_all(struct exporting *x, struct ct_err *err)
{
	struct ct_job *job = x->job;
	char id[CT_UUID_TEXT], name[64];

	x->nouns = ct_archive_nouns(job->a);
	x->batch = ct_arena_create(BATCH_ARENA);
	x->scratch = ct_arena_create(BATCH_ARENA);
	ct_arena_defer(job->a, close_arena, x->batch);
	ct_arena_defer(job->a, close_arena, x->scratch);
	x->side = ct_pg_open(job->conf->database_url, "catetube-worker",
	    ct_int((size_t)job->conf->pg_timeout_ms));
	ct_arena_defer(job->a, close_pg, x->side);
	ct_sink_init(&x->csv, &ct_sink_csv, -1, "", job->a);
	ct_buf_init(&x->json, job->a, 2 * PIECE);
	snprintf(name, sizeof(name), "%s." CT_EXPORT_FORMAT,
	    ct_uuid_format(&x->r.id, id));
	if (ct_newfile_open(&x->file, job->a,
		ct_arena_printf(job->a, "%s/reports", job->conf->files_dir),
		name, err) != CT_OK)
		return err->rc;
	return ct_zip_begin(job->a, x->file.fd, x->r.created_at, &x->zip, err);
}

static enum ct_rc
finish(struct exporting *x, struct ct_err *err)
{
	struct ct_job *job = x->job;

	if (ct_export_finish(job->pg, job->a, &x->r.id, &job->id, job->attempt,
		ct_str_of(x->file.name), x->rows, x->bytes,
		job->conf->report_ttl_h * 3600, err) == CT_NOTFOUND)
		ct_newfile_remove(&x->file);
	return err->rc;
}

static enum ct_rc
make(struct exporting *x, struct ct_err *err)
{
	struct ct_job *job = x->job;

	if (open_all(x, err) != CT_OK)
		return err->rc;
	ct_pg_timeout(job->pg, SLOW_MS);
	if (ct_pg_begin(job->pg, job->a, true, err) == CT_OK &&
	    put_all(x, err) == CT_OK)
		(void)!ct_pg_commit(job->pg, err);
	ct_pg_timeout(job->pg, ct_int((size_t)job->conf->pg_timeout_ms));
	if (err->rc != CT_OK || ct_newfile_keep(&x->file, err) != CT_OK)
		return err->rc;
	return finish(x, err);
}

static struct ct_str
result(const struct exporting *x)
{
	char id[CT_UUID_TEXT];

	return ct_str_of(ct_arena_printf(x->job->a,
	    "{\"report_id\":\"%s\",\"rows\":%lld,\"bytes\":%lld}",
	    ct_uuid_format(&x->r.id, id), (long long)x->rows,
	    (long long)x->bytes));
}

enum ct_rc
ct_account_export(struct ct_job *job, struct ct_err *err)
{
	struct exporting *x = ct_arena_alloc(job->a, sizeof(*x));
	struct ct_err ignored;
	struct ct_uuid id;
	enum ct_rc rc;

	x->job = job;
	if (!ct_uuid_parse(ct_json_str(ct_job_arg(job, "report_id", 0)), &id))
		return ct_fail(
		    err, CT_INVALID, NULL, "report_id must be a UUID");
	if (ct_report_start(job->pg, job->a, &id, &x->r, err) != CT_OK)
		return err->rc;
	if (!ct_str_is(x->r.kind, CT_EXPORT_KIND))
		return ct_fail(
		    err, CT_INVALID, NULL, "this report is no export");
	if (ct_uuid_nil(&job->id))
		job->id = id;
	if (ct_str_is(x->r.state, "ready")) {
		x->rows = x->r.rows_done;
		x->bytes = x->r.byte_count;
		job->result = result(x);
		return CT_OK;
	}
	rc = make(x, err);
	if (rc == CT_OK) {
		job->result = result(x);
		return CT_OK;
	}
	ct_pg_rollback(job->pg);
	ct_err_clear(&ignored);
	if (rc != CT_NOTFOUND && ct_job_is_last(job, rc) &&
	    ct_report_fail(
		job->pg, job->a, &id, ct_str_of(err->msg), &ignored) != CT_OK)
		ct_log(
		    CT_WARN, "export", "failure not recorded: %s", ignored.msg);
	return rc;
}
