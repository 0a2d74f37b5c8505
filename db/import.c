/* The rows of archives that were sent in; see import.h. */
#include "db/import.h"

#define AT(m) offsetof(struct ct_import, m)
#define NIL   CT_F_NULLABLE

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), 0, 0, 0, NULL, NULL, NULL, "key"},
    {"account_id", CT_T_UUID, AT(account_id), 0, 0, 0, NULL, NULL, NULL,
	"who sent it"},
    {"job_id", CT_T_UUID, AT(job_id), 0, 0, 0, NULL, NULL, NULL, "its job"},
    {"is_run", CT_T_BOOL, AT(is_run), 0, 0, 0, NULL, NULL, NULL,
	"it is written, not only looked at"},
    {"state", CT_T_TEXT, AT(state), 0, 0, 0, NULL, NULL, NULL, "state"},
    {"byte_count", CT_T_INT, AT(byte_count), 0, 0, 0, NULL, NULL, NULL,
	"size of the archive"},
    {"blob", CT_T_TEXT, AT(blob), 0, 0, 0, NULL, NULL, NULL, "file"},
    {"rows_done", CT_T_INT, AT(rows_done), 0, 0, 0, NULL, NULL, NULL,
	"rows read so far"},
    {"row_count", CT_T_INT, AT(row_count), NIL, 0, 0, NULL, NULL, NULL,
	"rows in all"},
    {"summary", CT_T_JSON, AT(summary), NIL, 0, 0, NULL, NULL, NULL,
	"what came of it"},
    {"error", CT_T_TEXT, AT(error), NIL, 0, 0, NULL, NULL, NULL,
	"why it failed"},
    {"created_at", CT_T_TIME, AT(created_at), 0, 0, 0, NULL, NULL, NULL,
	"when it was sent"},
    {"finished_at", CT_T_TIME, AT(finished_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was done"},
    {"expires_at", CT_T_TIME, AT(expires_at), 0, 0, 0, NULL, NULL, NULL,
	"kept until"},
};
const struct ct_fields ct_import_fields =
    CT_FIELDS("import", struct ct_import, fields);

#define COLS                                                                   \
	"i.id, i.account_id, i.job_id, i.is_run, i.state, i.byte_count,"       \
	" i.blob, i.rows_done, i.row_count, i.summary, i.error,"               \
	" i.created_at, i.finished_at, i.expires_at"
#define MINE " i.account_id = $1 and i.expires_at > now() "

/*
 * account, id, job, bytes, blob, most, most bytes, seconds kept, task, queue,
 * kwargs
 */
static const struct ct_stmt add = {"import_add", CT_OWNED, CT_WRITE,
    "uuuitiiittj", NULL,
    "with o as (select count(*) as n, coalesce(sum(i.byte_count), 0) as bytes"
    " from import i where" MINE "),"
    " i as (insert into import (id, account_id, job_id, byte_count, blob,"
    " expires_at) select $2, a.id, $3, $4, $5, now() + make_interval("
    "secs => $8) from account a, o where a.id = $1 and o.n < $6"
    " and o.bytes + $4 <= $7 returning id),"
    " j as (insert into job_outbox (id, task, queue, kwargs)"
    " select $3, $9, $10, $11 from i)"
    " select id from i"};
static const struct ct_stmt get = {"import_get", CT_OWNED, CT_READ, "uu",
    &ct_import_fields,
    "select " COLS " from import i where" MINE "and i.id = $2"};
static const struct ct_stmt list = {"import_list", CT_OWNED, CT_READ, "u",
    &ct_import_fields,
    "select " COLS " from import i where" MINE
    "order by i.created_at desc, i.id desc limit 100"};
/*
 * account, id, job, task, queue, kwargs: is it there, was it changed, was it
 * run before. What Redis knows of the job before is forgotten.
 */
static const struct ct_stmt again = {"import_run", CT_OWNED, CT_WRITE, "uuuttj",
    NULL,
    "with old as (select i.id, i.job_id, i.state, i.is_run"
    " from import i where" MINE "and i.id = $2 for no key update of i),"
    " i as (update import x set job_id = $3, is_run = true, state = 'queued',"
    " rows_done = 0, error = null, finished_at = null from old"
    " where x.id = old.id and old.state in ('done', 'failed')"
    " returning x.id, old.job_id),"
    " d as (delete from job_outbox o using i where o.id = i.job_id),"
    " g as (delete from job_run g using i where g.job_id = i.job_id),"
    " e as (insert into erasure (batch, kind, name)"
    " select $3, 'job', i.job_id::text from i),"
    " j as (insert into job_outbox (id, task, queue, kwargs)"
    " select $3, $4, $5, $6 from i)"
    " select exists (select from old), exists (select from i),"
    " coalesce((select old.is_run from old), false)"};
/* account, id, batch */
static const struct ct_stmt remove_one = {"import_remove", CT_OWNED, CT_WRITE,
    "uuu", NULL,
    "with i as (delete from import i where" MINE "and i.id = $2"
    " returning i.id, i.job_id, i.blob),"
    " o as (delete from job_outbox o using i where o.id = i.job_id),"
    " g as (delete from job_run g using i where g.job_id = i.job_id),"
    " e as (insert into erasure (batch, kind, name)"
    " select $3, 'upload', i.blob from i"
    " union all select $3, 'job', i.job_id::text from i)"
    " select id from i"};

static const struct ct_stmt start = {"import_start", CT_GLOBAL, CT_WRITE, "uu",
    &ct_import_fields,
    "update import i set state = case i.state when 'done' then 'done'"
    " else 'running' end, started_at = now(), error = null"
    " where i.id = $1 and i.job_id = $2 returning " COLS};
static const struct ct_stmt progress = {"import_progress", CT_GLOBAL, CT_WRITE,
    "uii", NULL,
    "update import set rows_done = $2, row_count = $3"
    " where id = $1 and state = 'running'"};
static const struct ct_stmt finish = {"import_finish", CT_GLOBAL, CT_WRITE,
    "uuiijt", NULL,
    "with i as (update import set state = 'done', rows_done = $4,"
    " row_count = $4, summary = $5, error = null, finished_at = now()"
    " where id = $1 and job_id = $2 and state <> 'done'),"
    " o as (update job_outbox set state = 'done', done_at = now()"
    " where id = $2 and state <> 'done')"
    " insert into job_run (job_id, task, attempt, result)"
    " select $2, $6, $3, jsonb_build_object('import_id', i.id)"
    " from import i where i.id = $1 and i.job_id = $2"
    " on conflict (job_id) do nothing"};
static const struct ct_stmt fail = {"import_fail", CT_GLOBAL, CT_WRITE, "ut",
    NULL,
    "with o as (update job_outbox set state = 'failed', done_at = now()"
    " where id = $1 and state <> 'done')"
    " update import set state = 'failed', error = $2, finished_at = now()"
    " where job_id = $1 and state <> 'done'"};

const struct ct_stmt *const ct_import_stmts[] = {&add, &get, &list, &again,
    &remove_one, &start, &progress, &finish, &fail, NULL};

static enum ct_rc
missing(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such import.");
}

static void
two(struct ct_params *p, struct ct_arena *a, const struct ct_uuid *one,
    const struct ct_uuid *other)
{
	ct_params_init(p, a);
	ct_p_uuid(p, one);
	ct_p_uuid(p, other);
}

struct ct_str
ct_import_kwargs(struct ct_arena *a, const struct ct_uuid *id)
{
	char text[CT_UUID_TEXT];

	return ct_str_of(ct_arena_printf(
	    a, "{\"import_id\": \"%s\"}", ct_uuid_format(id, text)));
}

enum ct_rc
ct_import_add(struct ct_pg *pg, struct ct_arena *a, const struct ct_import *in,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	two(&p, a, &in->account_id, &in->id);
	ct_p_uuid(&p, &in->job_id);
	ct_p_i64(&p, in->byte_count);
	ct_p_text(&p, in->blob);
	ct_p_i64(&p, CT_IMPORTS_MAX);
	ct_p_i64(&p, (int64_t)CT_IMPORTS_MIB << 20);
	ct_p_i64(&p, CT_IMPORT_TTL_S);
	ct_p_text(&p, CT_STR(CT_IMPORT_TASK));
	ct_p_text(&p, CT_STR(CT_IMPORT_QUEUE));
	ct_p_json(&p, ct_import_kwargs(a, &in->id));
	if (ct_pg_run_locked(pg, ct_uuid_key64(&in->account_id), &add, &p, a,
		&r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0)
		return CT_OK;
	return ct_fail(err, CT_CONFLICT, "too_many",
	    "At most %d archives of at most %d MiB together are kept; delete "
	    "one first.",
	    CT_IMPORTS_MAX, CT_IMPORTS_MIB);
}

/* One row by either statement of two ids. */
static enum ct_rc
one(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_uuid *first, const struct ct_uuid *second,
    struct ct_import *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	two(&p, a, first, second);
	if (ct_pg_run(pg, st, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return missing(err);
	ct_res_get(r, 0, &ct_import_fields, out);
	return CT_OK;
}

enum ct_rc
ct_import_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_import *out, struct ct_err *err)
{
	return one(pg, a, &get, account, id, out, err);
}

enum ct_rc
ct_import_start(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const struct ct_uuid *job, struct ct_import *out, struct ct_err *err)
{
	return one(pg, a, &start, id, job, out, err);
}

enum ct_rc
ct_import_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_import **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_import_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_import_run(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    const struct ct_uuid *job, bool *begun, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	two(&p, a, account, id);
	ct_p_uuid(&p, job);
	ct_p_text(&p, CT_STR(CT_IMPORT_TASK));
	ct_p_text(&p, CT_STR(CT_IMPORT_QUEUE));
	ct_p_json(&p, ct_import_kwargs(a, id));
	if (ct_pg_run(pg, &again, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, 0))
		return missing(err);
	*begun = ct_res_bool(r, 0, 1);
	if (!*begun && !ct_res_bool(r, 0, 2))
		return ct_fail(err, CT_CONFLICT, "busy",
		    "This archive is being looked at; wait for that.");
	return CT_OK;
}

enum ct_rc
ct_import_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_uuid batch = ct_uuid_new();
	struct ct_params p;
	const struct ct_res *r;

	two(&p, a, account, id);
	ct_p_uuid(&p, &batch);
	if (ct_pg_run(pg, &remove_one, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) > 0 ? CT_OK : missing(err);
}

enum ct_rc
ct_import_progress(struct ct_pg *pg, struct ct_arena *a,
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
ct_import_finish(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const struct ct_uuid *job, int64_t attempt, int64_t rows,
    struct ct_str summary, struct ct_err *err)
{
	struct ct_params p;

	two(&p, a, id, job);
	ct_p_i64(&p, attempt);
	ct_p_i64(&p, rows);
	ct_p_json(&p, summary);
	ct_p_text(&p, CT_STR(CT_IMPORT_TASK));
	return ct_pg_run(pg, &finish, &p, a, NULL, err);
}

enum ct_rc
ct_import_fail(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *job,
    struct ct_str message, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, job);
	ct_p_text(&p, message);
	return ct_pg_run(pg, &fail, &p, a, NULL, err);
}

int64_t
ct_import_percent(const struct ct_import *i)
{
	if (ct_str_is(i->state, "done"))
		return 100;
	if (i->row_count == CT_NULL_I64 || i->row_count <= 0)
		return 0;
	return i->rows_done >= i->row_count ? 99
					    : i->rows_done * 99 / i->row_count;
}
