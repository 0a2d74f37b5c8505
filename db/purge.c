/* What is thrown away in the end; see purge.h. */
#include "db/purge.h"

#include <string.h>

#include "db/entry.h"
#include "db/webhook.h"

/* Keys count for 48 hours (db/idempotency.c). */
static const struct ct_stmt keys = {"purge_keys", CT_GLOBAL, CT_WRITE, "i",
    NULL,
    "with gone as (delete from idempotency i using (select o.account_id, o.key"
    " from idempotency o where o.created_at < now() - interval '48 hours'"
    " limit $1 for update skip locked) o where i.account_id = o.account_id"
    " and i.key = o.key returning 1) select count(*) from gone"};
static const struct ct_stmt sessions = {"purge_sessions", CT_GLOBAL, CT_WRITE,
    "ii", NULL,
    "with gone as (delete from account_session s using (select o.token_hash"
    " from account_session o where o.expires_at < now() or o.seen_at < now()"
    " - make_interval(days => $2::int) limit $1 for update skip locked) o"
    " where s.token_hash = o.token_hash returning 1)"
    " select count(*) from gone"};
/* Their delay is over after 15 minutes; the count is forgiven later. */
static const struct ct_stmt failures = {"purge_login_failures", CT_GLOBAL,
    CT_WRITE, "i", NULL,
    "with gone as (delete from login_failure f using (select o.email_hash"
    " from login_failure o where o.updated_at < now() - interval '30 days'"
    " limit $1 for update skip locked) o where f.email_hash = o.email_hash"
    " returning 1) select count(*) from gone"};
static const struct ct_stmt audit = {
    "purge_audit", CT_GLOBAL, CT_WRITE, "i", NULL, "select ct_audit_purge($1)"};
/* Their files are crossed off by the relay (db/erasure.h). */
static const struct ct_stmt reports = {"purge_reports", CT_GLOBAL, CT_WRITE,
    "i", NULL,
    "with gone as (delete from report r using (select o.id from report o"
    " where o.expires_at < now() or (o.state = 'failed'"
    " and o.finished_at < now() - interval '30 days')"
    " limit $1 for update skip locked) o where r.id = o.id returning r.blob),"
    " b as (select gen_random_uuid() as id offset 0),"
    " f as (insert into erasure (batch, kind, name) select b.id, 'file',"
    " g.blob from gone g, b where g.blob is not null)"
    " select count(*) from gone"};
/* Redis knows a job for 7 days, and the outbox pushes it no longer. */
static const struct ct_stmt runs = {"purge_job_runs", CT_GLOBAL, CT_WRITE, "i",
    NULL,
    "with gone as (delete from job_run j using (select o.job_id from job_run o"
    " where o.finished_at < now() - interval '30 days' limit $1"
    " for update skip locked) o where j.job_id = o.job_id returning 1)"
    " select count(*) from gone"};
static const struct ct_stmt imports = {"purge_imports", CT_GLOBAL, CT_WRITE,
    "i", NULL,
    "with gone as (delete from import i using (select o.id from import o"
    " where o.expires_at < now() limit $1 for update skip locked) o"
    " where i.id = o.id returning i.blob),"
    " b as (select gen_random_uuid() as id offset 0),"
    " f as (insert into erasure (batch, kind, name) select b.id, 'upload',"
    " g.blob from gone g, b)"
    " select count(*) from gone"};
const struct ct_stmt *const ct_purge_stmts[] = {
    &keys, &sessions, &failures, &audit, &reports, &runs, &imports, NULL};

/* Beside the entry kinds, which go before them. */
static const struct {
	const char *name;
	const struct ct_stmt *stmt;
} others[] = {
    {"idempotency", &keys},
    {"session", &sessions},
    {"login_failure", &failures},
    {"audit_event", &audit},
    {"report", &reports},
    {"job_run", &runs},
    {"webhook_delivery", &ct_delivery_purge},
    {"import", &imports},
};

static size_t
kinds(void)
{
	size_t n = 0;

	while (ct_entry_kinds[n])
		n++;
	return n;
}

size_t
ct_purge_steps(void)
{
	return kinds() + ct_countof(others);
}

const char *
ct_purge_name(size_t step)
{
	return step < kinds() ? ct_entry_kinds[step]->name
			      : others[step - kinds()].name;
}

enum ct_rc
ct_purge_some(struct ct_pg *pg, struct ct_arena *a, size_t step, int64_t most,
    int64_t idle_days, int64_t *n, struct ct_err *err)
{
	const struct ct_stmt *st = step < kinds()
				       ? ct_entry_kinds[step]->stmts[CT_E_PURGE]
				       : others[step - kinds()].stmt;
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_i64(&p, most);
	if (strlen(st->sig) > 1)
		ct_p_i64(&p, idle_days);
	if (ct_pg_run(pg, st, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_i64(r, 0, 0);
	return CT_OK;
}
