/* An account's data as an archive: asking for one, sending one in. */
#include <stdio.h>
#include <string.h>

#include "common/newfile.h"
#include "db/import.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define PIECE ((size_t)64 << 10)

/* ------------------------------------------------------------ export */

CT_HANDLER(h_export)
{
	struct ct_report in = {.id = ct_uuid_new(), .account_id = r->account};
	struct ct_jw *w;

	if (ct_export_add(r->pg, r->a, &in, r->app->conf->reports_max, err) !=
	    CT_OK)
		return err->rc;
	r->push = (struct ct_job_new){.id = in.id,
	    .task = CT_EXPORT_TASK,
	    .queue = CT_REPORT_QUEUE,
	    .kwargs = ct_report_kwargs(r->a, &in.id)};
	w = ct_resp_json(r, 202);
	ct_jw_obj(w);
	ct_jw_key(w, "report_id");
	ct_jw_uuid(w, &in.id);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, "processing");
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "The archive is being made");
	ct_jw_end(w);
	return CT_OK;
}

/* ------------------------------------------------------------ import */

static struct ct_job_new
job_of(struct ct_req *r, const struct ct_uuid *import, struct ct_uuid id)
{
	return (struct ct_job_new){.id = id,
	    .task = CT_IMPORT_TASK,
	    .queue = CT_IMPORT_QUEUE,
	    .kwargs = ct_import_kwargs(r->a, import)};
}

static const char *
status_word(const struct ct_import *i)
{
	if (ct_str_is(i->state, "done"))
		return "completed";
	return ct_str_is(i->state, "failed") ? "error" : "processing";
}

static void
write_import(const struct ct_import *i, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_jw_key(w, "import_id");
	ct_jw_uuid(w, &i->id);
	ct_jw_key(w, "mode");
	ct_jw_cstr(w, i->is_run ? "run" : "preview");
	ct_jw_key(w, "status");
	ct_jw_cstr(w, status_word(i));
	ct_jw_key(w, "progress");
	ct_jw_i64(w, ct_import_percent(i));
	ct_jw_key(w, "byte_count");
	ct_jw_i64(w, i->byte_count);
	ct_jw_key(w, "rows_done");
	ct_jw_i64(w, i->rows_done);
	/* While it is done again, what came of it before is no news. */
	ct_jw_key(w, "summary");
	ct_jw_raw(
	    w, ct_str_is(i->state, "done") ? i->summary : (struct ct_str){0});
	ct_jw_key(w, "error");
	ct_jw_str(w, i->error);
	ct_jw_key(w, "created_at");
	ct_jw_time(w, i->created_at);
	ct_jw_key(w, "finished_at");
	ct_jw_time(w, i->finished_at);
	ct_jw_key(w, "expires_at");
	ct_jw_time(w, i->expires_at);
	ct_jw_end(w);
}

static void
started(struct ct_req *r, const struct ct_uuid *id, const char *mode,
    const char *text)
{
	struct ct_jw *w = ct_resp_json(r, 202);

	ct_jw_obj(w);
	ct_jw_key(w, "import_id");
	ct_jw_uuid(w, id);
	ct_jw_key(w, "mode");
	ct_jw_cstr(w, mode);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, "processing");
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_end(w);
}

/* "PK" and what a first member, or an empty archive, begins with. */
static bool
is_zip(const char *p, size_t n)
{
	return n >= 4 && (memcmp(p, "PK\003\004", 4) == 0 ||
			     memcmp(p, "PK\005\006", 4) == 0);
}

static enum ct_rc
save_body(
    struct ct_req *r, struct ct_newfile *f, int64_t *bytes, struct ct_err *err)
{
	char *piece = ct_arena_raw(r->a, PIECE);
	size_t n;

	for (*bytes = 0;; *bytes += (int64_t)n) {
		if (ct_req_body_next(r, piece, PIECE, &n, err) != CT_OK)
			return err->rc;
		if (*bytes == 0 && !is_zip(piece, n))
			return ct_fail(err, CT_INVALID, NULL,
			    "Send the zip archive of an export as the body.");
		if (n == 0)
			return ct_newfile_keep(f, err);
		if (ct_newfile_write(f, piece, n, err) != CT_OK)
			return err->rc;
	}
}

CT_HANDLER(h_import_add)
{
	struct ct_newfile *f = ct_arena_alloc(r->a, sizeof(*f));
	struct ct_import in = {.id = ct_uuid_new(),
	    .account_id = r->account,
	    .job_id = ct_uuid_new()};
	char id[CT_UUID_TEXT];
	char *name;

	name = ct_arena_printf(r->a, "%s.zip", ct_uuid_format(&in.id, id));
	in.blob = ct_str_of(name);
	if (ct_newfile_open(f, r->a,
		ct_arena_printf(
		    r->a, "%s/" CT_IMPORT_DIR, r->app->conf->files_dir),
		name, err) != CT_OK ||
	    save_body(r, f, &in.byte_count, err) != CT_OK)
		return err->rc;
	if (ct_import_add(r->pg, r->a, &in, err) != CT_OK) {
		/* Where the outcome is unknown the row may be there. */
		if (err->rc != CT_RETRY)
			ct_newfile_remove(f);
		return err->rc;
	}
	r->push = job_of(r, &in.id, in.job_id);
	started(r, &in.id, "preview", "The archive is being looked at");
	return CT_OK;
}

CT_HANDLER(h_import_list)
{
	struct ct_import *list;
	struct ct_jw *w;
	int n;

	if (ct_import_list(r->pg, r->a, &r->account, &list, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "imports");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		write_import(&list[i], w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_import_get)
{
	struct ct_import i;

	if (ct_import_get(r->pg, r->a, &r->account, &r->id, &i, err) != CT_OK)
		return err->rc;
	write_import(&i, ct_resp_json(r, 200));
	return CT_OK;
}

CT_HANDLER(h_import_run)
{
	struct ct_uuid job = ct_uuid_new();
	bool begun;

	if (ct_import_run(
		r->pg, r->a, &r->account, &r->id, &job, &begun, err) != CT_OK)
		return err->rc;
	if (begun)
		r->push = job_of(r, &r->id, job);
	started(r, &r->id, "run", "The archive is being imported");
	return CT_OK;
}

CT_HANDLER(h_import_delete)
{
	if (ct_import_remove(r->pg, r->a, &r->account, &r->id, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Import deleted; what it brought in stays");
	return CT_OK;
}
