/* Reports: asking for one, its progress, its file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "db/report.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct report_in {
	struct ct_uuid cat;
	struct ct_str format, paper, from, to;
};
#define AT(m) offsetof(struct report_in, m)
static const struct ct_field rows[] = {
    {"cat_id", CT_T_UUID, AT(cat), 0, 0, 0, NULL, NULL, NULL,
	"the cat; left out: the default cat"},
    {"format", CT_T_ENUM, AT(format), 0, 0, 0, NULL, ct_report_formats, NULL,
	"left out: csv; excel and xlsx are the same"},
    {"paper", CT_T_ENUM, AT(paper), CT_F_NULLABLE, 0, 0, NULL, ct_report_papers,
	NULL, "of a PDF; left out: what is usual in the cat's zone"},
    {"start_date", CT_T_TEXT, AT(from), CT_F_NULLABLE, 0, 40, NULL, NULL, NULL,
	"first day, included"},
    {"end_date", CT_T_TEXT, AT(to), CT_F_NULLABLE, 0, 40, NULL, NULL, NULL,
	"last day, included"},
};
const struct ct_fields ct_report_in =
    CT_FIELDS("report", struct report_in, rows);

/*
 * A day, or the calendar day of a time as it is written: the original's client
 * sends "2026-11-22T00:00:00.000Z" and means the 22nd.
 */
static enum ct_rc
read_day(const char *name, struct ct_str s, int32_t *day, struct ct_err *err)
{
	int64_t us;

	*day = CT_NULL_DAY;
	if (s.n == 0 || ct_day_parse(s, day))
		return CT_OK;
	if (s.n > 10 && ct_time_parse(s, &us) == CT_TIME_OK &&
	    ct_day_parse((struct ct_str){s.p, 10}, day))
		return CT_OK;
	return ct_fail_field(err, name, "must be a day, such as 2026-11-22");
}

static enum ct_rc
read_report(struct ct_req *r, struct ct_report *out, struct ct_err *err)
{
	struct report_in in = {.format = CT_STR("csv")};
	uint64_t seen;
	int rc;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_req_cat(r, &in.cat, err) != CT_OK)
		return err->rc;
	rc = read_day("start_date", in.from, &out->from_day, err) != CT_OK;
	rc |= read_day("end_date", in.to, &out->to_day, err) != CT_OK;
	if (rc)
		return err->rc;
	if (out->from_day != CT_NULL_DAY && out->to_day != CT_NULL_DAY &&
	    out->to_day < out->from_day)
		return ct_fail_field(
		    err, "end_date", "must not be before start_date");
	out->id = ct_uuid_new();
	out->account_id = r->account;
	out->cat_id = in.cat;
	out->kind = r->word;
	out->format = ct_report_format(in.format);
	out->paper = in.paper;
	return CT_OK;
}

CT_HANDLER(h_report_add)
{
	struct ct_report in = {0};
	struct ct_jw *w;
	size_t i = 0;

	while (ct_report_kinds[i] && !ct_str_is(r->word, ct_report_kinds[i]))
		i++;
	if (!ct_report_kinds[i])
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no report of that type.");
	if (read_report(r, &in, err) != CT_OK ||
	    ct_report_add(r->pg, r->a, &in, r->app->conf->reports_max, err) !=
		CT_OK)
		return err->rc;
	r->push = (struct ct_job_new){.id = in.id,
	    .task = CT_REPORT_TASK,
	    .queue = CT_REPORT_QUEUE,
	    .kwargs = ct_report_kwargs(r->a, &in.id)};
	w = ct_resp_json(r, 202);
	ct_jw_obj(w);
	ct_jw_key(w, "report_id");
	ct_jw_uuid(w, &in.id);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, "processing");
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Report generation started");
	ct_jw_end(w);
	return CT_OK;
}

/* The words that old clients wait for. */
static const char *
status_word(const struct ct_report *p)
{
	if (ct_str_is(p->state, "ready"))
		return "completed";
	return ct_str_is(p->state, "failed") ? "error" : "processing";
}

static void
write_report(const struct ct_report *p, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_jw_key(w, "report_id");
	ct_jw_uuid(w, &p->id);
	ct_jw_key(w, "type");
	ct_jw_str(w, p->kind);
	ct_jw_key(w, "format");
	ct_jw_str(w, p->format);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, status_word(p));
	ct_jw_key(w, "progress");
	ct_jw_i64(w, ct_report_percent(p));
	ct_jw_key(w, "rows_done");
	ct_jw_i64(w, p->rows_done);
	ct_jw_key(w, "ready_for_download");
	ct_jw_bool(w, ct_str_is(p->state, "ready"));
	if (p->error.p) {
		ct_jw_key(w, "error");
		ct_jw_str(w, p->error);
	}
	ct_jw_key(w, "created_at");
	ct_jw_time(w, p->created_at);
	ct_jw_key(w, "expires_at");
	ct_jw_time(w, p->expires_at);
	ct_jw_end(w);
}

/* One about the account, not about a cat, is nothing for an API token. */
static bool
may_see(const struct ct_req *r, const struct ct_report *p)
{
	struct ct_err hidden;

	if (ct_uuid_nil(&p->cat_id))
		return r->scope == CT_S_SESSION;
	return ct_req_may_see(r, &p->cat_id, &hidden) == CT_OK;
}

static enum ct_rc
load(struct ct_req *r, struct ct_report *out, struct ct_err *err)
{
	if (ct_report_get(r->pg, r->a, &r->account, &r->id, out, err) != CT_OK)
		return err->rc;
	return may_see(r, out) ? CT_OK : ct_report_missing(err);
}

CT_HANDLER(h_report_status)
{
	struct ct_report p;

	if (load(r, &p, err) != CT_OK)
		return err->rc;
	write_report(&p, ct_resp_json(r, 200));
	return CT_OK;
}

CT_HANDLER(h_report_active)
{
	struct ct_report *p;
	struct ct_jw *w;
	int n;

	if (ct_report_active(r->pg, r->a, &r->account, &p, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "active_reports");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		if (may_see(r, &p[i]))
			write_report(&p[i], w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

/* feeding_report_20261122_101500.csv: from the time it was finished. */
static char *
file_name(struct ct_arena *a, const struct ct_report *p)
{
	char t[CT_TIME_MAX];

	ct_time_format(p->finished_at, t);
	return ct_arena_printf(a, "%.*s_report_%.4s%.2s%.2s_%.2s%.2s%.2s.%.*s",
	    CT_STR_FMT(p->kind), t, t + 5, t + 8, t + 11, t + 14, t + 17,
	    CT_STR_FMT(p->format));
}

static const struct {
	const char *format, *type;
} types[] = {
    {"csv", "text/csv; charset=utf-8"},
    {"json", "application/json; charset=utf-8"},
    {"xlsx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pdf", "application/pdf"},
    {"zip", "application/zip"},
};

static const char *
content_type(struct ct_str format)
{
	for (size_t i = 0; i < ct_countof(types); i++)
		if (ct_str_is(format, types[i].format))
			return types[i].type;
	return "application/octet-stream";
}

CT_HANDLER(h_report_download)
{
	struct ct_report p;
	char *name;

	if (load(r, &p, err) != CT_OK)
		return err->rc;
	if (!ct_str_is(p.state, "ready"))
		return ct_fail(err, CT_CONFLICT, "not_ready",
		    "Report not ready for download");
	name = file_name(r->a, &p);
	ct_resp_raw(r, 200, content_type(p.format));
	ct_resp_header(r, "X-Accel-Redirect",
	    ct_str_of(ct_arena_printf(
		r->a, "/_files/reports/%.*s", CT_STR_FMT(p.blob))));
	ct_resp_header(r, "Content-Disposition",
	    ct_str_of(ct_arena_printf(r->a,
		"attachment; filename=\"%s\"; filename*=UTF-8''%s", name,
		name)));
	return CT_OK;
}

CT_HANDLER(h_report_cleanup)
{
	struct ct_report p;

	if (load(r, &p, err) != CT_OK ||
	    ct_report_remove(r->pg, r->a, &r->account, &r->id, &p, err) !=
		CT_OK)
		return err->rc;
	if (p.blob.p) {
		char *path = ct_arena_printf(r->a, "%s/reports/%.*s",
		    r->app->conf->files_dir, CT_STR_FMT(p.blob));

		if (unlink(path) != 0 && errno != ENOENT)
			ct_log(
			    CT_WARN, "report", "%s: %s", path, strerror(errno));
	}
	ct_resp_message(r, 200, "Report deleted");
	return CT_OK;
}
