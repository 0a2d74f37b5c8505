/* The rows of reports; see report.h. What fills them: report_kinds.c. */
#include "db/report.h"

#include "db/report_rows.h"
#include "db/report_schedule_sql.h"
#include "db/webhook_sql.h"

#define AT(m) offsetof(struct ct_report, m)
#define NIL   CT_F_NULLABLE

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), 0, 0, 0, NULL, NULL, NULL, "key"},
    {"account_id", CT_T_UUID, AT(account_id), 0, 0, 0, NULL, NULL, NULL,
	"who asked"},
    {"cat_id", CT_T_UUID, AT(cat_id), NIL, 0, 0, NULL, NULL, NULL,
	"cat; none: about the account"},
    {"kind", CT_T_TEXT, AT(kind), 0, 0, 0, NULL, NULL, NULL, "what it lists"},
    {"format", CT_T_TEXT, AT(format), 0, 0, 0, NULL, NULL, NULL,
	"csv, json, xlsx or pdf"},
    {"date_from", CT_T_DAY, AT(from_day), NIL, 0, 0, NULL, NULL, NULL,
	"first care day"},
    {"date_to", CT_T_DAY, AT(to_day), NIL, 0, 0, NULL, NULL, NULL,
	"last care day"},
    {"state", CT_T_TEXT, AT(state), 0, 0, 0, NULL, NULL, NULL, "state"},
    {"rows_done", CT_T_INT, AT(rows_done), 0, 0, 0, NULL, NULL, NULL,
	"rows written so far"},
    {"row_count", CT_T_INT, AT(row_count), NIL, 0, 0, NULL, NULL, NULL,
	"rows in all"},
    {"byte_count", CT_T_INT, AT(byte_count), NIL, 0, 0, NULL, NULL, NULL,
	"bytes in all"},
    {"blob", CT_T_TEXT, AT(blob), NIL, 0, 0, NULL, NULL, NULL, "file"},
    {"error", CT_T_TEXT, AT(error), NIL, 0, 0, NULL, NULL, NULL,
	"why it failed"},
    {"created_at", CT_T_TIME, AT(created_at), 0, 0, 0, NULL, NULL, NULL,
	"when it was asked for"},
    {"finished_at", CT_T_TIME, AT(finished_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was ready"},
    {"expires_at", CT_T_TIME, AT(expires_at), NIL, 0, 0, NULL, NULL, NULL,
	"kept until"},
    {"paper", CT_T_TEXT, AT(paper), NIL, 0, 0, NULL, NULL, NULL,
	"A4 or Letter"},
};
const struct ct_fields ct_report_fields =
    CT_FIELDS("report", struct ct_report, fields);

#define COLS                                                                   \
	"r.id, r.account_id, r.cat_id, r.kind, r.format, r.date_from,"         \
	" r.date_to, r.state, r.rows_done, r.row_count, r.byte_count,"         \
	" r.blob, r.error, r.created_at, r.finished_at, r.expires_at, r.paper"

/*
 * account, cat, id, kind, format, from, to, most open, task, queue, kwargs,
 * paper.
 * One row comes back: is the account a member, and was it written.
 */
static const struct ct_stmt add = {"report_add", CT_OWNED, CT_WRITE,
    "uuuttddittjt", NULL,
    "with m as (select m.cat_id from cat_member m where m.account_id = $1"
    " and m.cat_id = $2),"
    " r as (insert into report (id, account_id, cat_id, kind, format,"
    " date_from, date_to, paper)"
    " select $3, $1, m.cat_id, $4, $5, $6, $7, $12 from m"
    " where (select count(*) from report o where o.account_id = $1"
    " and o.state in ('queued', 'running')) < $8 returning id),"
    " o as (insert into job_outbox (id, task, queue, kwargs)"
    " select id, $9, $10, $11 from r)"
    " select exists (select from m) as member,"
    " exists (select from r) as written"};

/* Who has left the cat's household has left its reports. */
#define MINE                                                                   \
	" r.account_id = $1 and (r.cat_id is null or exists (select from"      \
	" cat_member m where m.account_id = $1 and m.cat_id = r.cat_id)) "

static const struct ct_stmt get = {"report_get", CT_OWNED, CT_READ, "uu",
    &ct_report_fields,
    "select " COLS " from report r where" MINE "and r.id = $2"
    " and (r.expires_at is null or r.expires_at > now())"};
static const struct ct_stmt active = {"report_active", CT_OWNED, CT_READ, "u",
    &ct_report_fields,
    "select " COLS " from report r where" MINE
    "and r.state in ('queued', 'running')"
    " order by r.created_at desc limit 100"};
static const struct ct_stmt remove_one = {"report_remove", CT_OWNED, CT_WRITE,
    "uu", &ct_report_fields,
    "delete from report r where" MINE "and r.id = $2"
    " returning " COLS};

static const struct ct_stmt start = {"report_start", CT_GLOBAL, CT_WRITE, "u",
    &ct_report_fields,
    "update report r set state = case r.state when 'ready' then 'ready'"
    " else 'running' end, started_at = coalesce(r.started_at, now()),"
    " rows_done = case r.state when 'ready' then r.rows_done else 0 end,"
    " error = null where r.id = $1 returning " COLS};
static const struct ct_stmt progress = {"report_progress", CT_GLOBAL, CT_WRITE,
    "uii", NULL,
    "update report set rows_done = $2, row_count = coalesce($3,"
    " row_count) where id = $1 and state = 'running'"};
static const struct ct_stmt finish = {"report_finish", CT_GLOBAL, CT_WRITE,
    "uuitiii", NULL,
    "with r as (update report set state = 'ready', blob = $4,"
    " rows_done = $5, row_count = $5, byte_count = $6, error = null,"
    " finished_at = now(), expires_at = now() + make_interval("
    "secs => $7) where id = $1 and state <> 'ready'"
    " returning id, cat_id, account_id)," CT_REPORT_MAIL(
	"'report'") ","
		    " o as (update job_outbox set state = 'done', done_at = "
		    "now()"
		    " where id in ($1, $2) and state <> 'done'),"
		    " j as (insert into job_run (job_id, task, attempt, result)"
		    " values ($2, 'report.generate', $3, jsonb_build_object("
		    "'report_id', $1, 'rows', $5, 'bytes', $6))"
		    " on conflict (job_id) do nothing)"
		    " select p.id, (select " WEBHOOK_FIRE("r.cat_id", "",
			WEBHOOK_REPORT, "report", "r.id", "null",
			"r.account_id") " from r)"
					" from report p where p.id = $1"};
static const struct ct_stmt fail = {"report_fail", CT_GLOBAL, CT_WRITE, "ut",
    NULL,
    "with r as (update report set state = 'failed', error = $2,"
    " finished_at = now() where id = $1 and state not in ('ready', 'failed')"
    " returning id)," CT_REPORT_MAIL(
	"'report_failed'") ","
			   " o as (update job_outbox set state = 'failed', "
			   "done_at = now()"
			   " where id = $1 and state <> 'done') select id from "
			   "r"};

const struct ct_stmt *const ct_report_stmts[] = {
    &add, &get, &active, &remove_one, &start, &progress, &finish, &fail, NULL};

enum ct_rc
ct_report_missing(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "Report not found.");
}

struct ct_str
ct_report_kwargs(struct ct_arena *a, const struct ct_uuid *id)
{
	char text[CT_UUID_TEXT];

	return ct_str_of(ct_arena_printf(
	    a, "{\"report_id\": \"%s\"}", ct_uuid_format(id, text)));
}

enum ct_rc
ct_report_add(struct ct_pg *pg, struct ct_arena *a, const struct ct_report *in,
    int64_t max_open, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &in->account_id);
	ct_p_uuid(&p, &in->cat_id);
	ct_p_uuid(&p, &in->id);
	ct_p_text(&p, in->kind);
	ct_p_text(&p, in->format);
	ct_p_day(&p, in->from_day);
	ct_p_day(&p, in->to_day);
	ct_p_i64(&p, max_open);
	ct_p_text(&p, CT_STR(CT_REPORT_TASK));
	ct_p_text(&p, CT_STR(CT_REPORT_QUEUE));
	ct_p_json(&p, ct_report_kwargs(a, &in->id));
	ct_p_text(&p, in->paper);
	/* Locked, or requests at the same time would all see one place left. */
	if (ct_pg_run_locked(pg, ct_uuid_key64(&in->account_id), &add, &p, a,
		&r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, ct_res_col(r, "member")))
		return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
	if (!ct_res_bool(r, 0, ct_res_col(r, "written")))
		return ct_fail(err, CT_LIMITED, "reports_open",
		    "You have %lld unfinished reports; wait for one.",
		    (long long)max_open);
	return CT_OK;
}

/* One row of the account by id, by either statement. */
static enum ct_rc
one(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	if (account)
		ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, st, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_report_missing(err);
	ct_res_get(r, 0, &ct_report_fields, out);
	return CT_OK;
}

enum ct_rc
ct_report_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err)
{
	return one(pg, a, &get, account, id, out, err);
}

enum ct_rc
ct_report_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err)
{
	return one(pg, a, &remove_one, account, id, out, err);
}

enum ct_rc
ct_report_start(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err)
{
	return one(pg, a, &start, NULL, id, out, err);
}

enum ct_rc
ct_report_active(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &active, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_report_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_report_progress(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, int64_t rows_done, int64_t row_count,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_i64(&p, rows_done);
	ct_p_i64(&p, row_count);
	return ct_pg_run(pg, &progress, &p, a, NULL, err);
}

enum ct_rc
ct_report_finish(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const struct ct_uuid *job, int64_t attempt, struct ct_str blob,
    int64_t rows, int64_t bytes, int64_t ttl_s, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_uuid(&p, job);
	ct_p_i64(&p, attempt);
	ct_p_text(&p, blob);
	ct_p_i64(&p, rows);
	ct_p_i64(&p, bytes);
	ct_p_i64(&p, ttl_s);
	if (ct_pg_run(pg, &finish, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 0 ? ct_report_missing(err) : CT_OK;
}

enum ct_rc
ct_report_fail(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_str message, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, message);
	return ct_pg_run(pg, &fail, &p, a, NULL, err);
}

int64_t
ct_report_percent(const struct ct_report *r)
{
	if (ct_str_is(r->state, "ready"))
		return 100;
	if (r->row_count == CT_NULL_I64 || r->row_count == 0)
		return 0;
	if (r->rows_done >= r->row_count)
		return 99;
	return r->rows_done * 99 / r->row_count;
}
