/* The outbox; see outbox.h. */
#include "db/outbox.h"

#define AT(m) offsetof(struct ct_outbox, m)
#define NIL   CT_F_NULLABLE

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), 0, 0, 0, NULL, NULL, NULL, "job id"},
    {"task", CT_T_TEXT, AT(task), 0, 0, 0, NULL, NULL, NULL, "wire name"},
    {"queue", CT_T_TEXT, AT(queue), 0, 0, 0, NULL, NULL, NULL, "queue"},
    {"kwargs", CT_T_JSON, AT(kwargs), 0, 0, 0, NULL, NULL, NULL, "arguments"},
    {"priority", CT_T_INT, AT(priority), 0, 0, 0, NULL, NULL, NULL, "0 first"},
    {"run_at", CT_T_TIME, AT(run_at), NIL, 0, 0, NULL, NULL, NULL,
	"not before"},
    {"expires_at", CT_T_TIME, AT(expires_at), NIL, 0, 0, NULL, NULL, NULL,
	"not after"},
    {"sent_at", CT_T_TIME, AT(sent_at), NIL, 0, 0, NULL, NULL, NULL,
	"last push"},
};
const struct ct_fields ct_outbox_fields =
    CT_FIELDS("outbox", struct ct_outbox, fields);

#define COLS                                                                   \
	"select id, task, queue, kwargs, priority, run_at, expires_at,"        \
	" sent_at from job_outbox "

static const struct ct_stmt take_pending = {"outbox_take_pending", CT_GLOBAL,
    CT_WRITE, "i", &ct_outbox_fields,
    COLS "where state = 'pending' order by created_at limit $1"
	 " for update skip locked"};
static const struct ct_stmt waits = {"outbox_waits", CT_GLOBAL, CT_READ, "",
    NULL,
    "select 1 where exists (select from job_outbox where state = 'pending')"
    " or exists (select from erasure)"};
static const struct ct_stmt take_sent = {"outbox_take_sent", CT_GLOBAL,
    CT_WRITE, "ii", &ct_outbox_fields,
    COLS "where state = 'sent' and sent_at < now() - make_interval("
	 "secs => $1) order by created_at limit $2"
	 " for update skip locked"};
static const struct ct_stmt sent = {"outbox_sent", CT_GLOBAL, CT_WRITE, "u",
    NULL,
    "update job_outbox set state = 'sent', sent_at = now()"
    " where id = $1 and state in ('pending', 'sent')"};
static const struct ct_stmt failed = {"outbox_failed", CT_GLOBAL, CT_WRITE, "u",
    NULL,
    "update job_outbox set state = 'failed', done_at = now()"
    " where id = $1 and state in ('pending', 'sent')"};
static const struct ct_stmt purge = {"outbox_purge", CT_GLOBAL, CT_WRITE, "i",
    NULL,
    "delete from job_outbox where state in ('done', 'failed')"
    " and done_at < now() - make_interval(secs => $1)"};

static const struct ct_stmt count = {"outbox_count", CT_GLOBAL, CT_READ, "",
    NULL,
    "select count(*), coalesce(greatest(0, extract(epoch from now()"
    " - min(created_at)))::bigint, 0) from job_outbox where state = 'pending'"};
static const struct ct_stmt reopen = {"outbox_reopen", CT_GLOBAL, CT_WRITE, "u",
    NULL,
    "with m as (update mail set state = 'queued', error = null"
    " where id = $1 and state = 'failed' returning id),"
    " r as (delete from job_run where job_id in (select id from m))"
    " update job_outbox set state = 'sent', sent_at = now(), done_at = null"
    " where id = $1 and (state = 'failed' or exists (select from m))"};

const struct ct_stmt *const ct_outbox_stmts[] = {&waits, &take_pending,
    &take_sent, &sent, &failed, &purge, &count, &reopen, NULL};

static enum ct_rc
take(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_params *p, struct ct_outbox **out, int *n,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_outbox_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_outbox_waits(
    struct ct_pg *pg, struct ct_arena *a, bool *any, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	if (ct_pg_run(pg, &waits, &p, a, &r, err) != CT_OK)
		return err->rc;
	*any = ct_res_rows(r) > 0;
	return CT_OK;
}

enum ct_rc
ct_outbox_take_pending(struct ct_pg *pg, struct ct_arena *a, int64_t limit,
    struct ct_outbox **out, int *n, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_i64(&p, limit);
	return take(pg, a, &take_pending, &p, out, n, err);
}

enum ct_rc
ct_outbox_take_sent(struct ct_pg *pg, struct ct_arena *a, int64_t age_s,
    int64_t limit, struct ct_outbox **out, int *n, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_i64(&p, age_s);
	ct_p_i64(&p, limit);
	return take(pg, a, &take_sent, &p, out, n, err);
}

static enum ct_rc
mark(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	return ct_pg_run(pg, st, &p, a, NULL, err);
}

enum ct_rc
ct_outbox_sent(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_err *err)
{
	return mark(pg, a, &sent, id, err);
}

enum ct_rc
ct_outbox_failed(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_err *err)
{
	return mark(pg, a, &failed, id, err);
}

enum ct_rc
ct_outbox_reopen(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_err *err)
{
	return mark(pg, a, &reopen, id, err);
}

enum ct_rc
ct_outbox_count(struct ct_pg *pg, struct ct_arena *a, int64_t *n,
    int64_t *oldest_s, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	if (ct_pg_run(pg, &count, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_i64(r, 0, 0);
	*oldest_s = ct_res_i64(r, 0, 1);
	return CT_OK;
}

enum ct_rc
ct_outbox_purge(struct ct_pg *pg, struct ct_arena *a, int64_t age_s, int64_t *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_i64(&p, age_s);
	if (ct_pg_run(pg, &purge, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_affected(r);
	return CT_OK;
}
