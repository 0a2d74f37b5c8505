/* What became of backups; see backup.h. */
#include <string.h>

#include "db/backup.h"

/* id, action, name, place, began, bytes, tables, rows, error */
static const struct ct_stmt add = {"backup_log_add", CT_GLOBAL, CT_WRITE,
    "utttziiit", NULL,
    "with old as (delete from backup_log where finished_at < now()"
    " - interval '400 days')"
    " insert into backup_log (id, action, name, place, started_at, byte_count,"
    " table_count, row_count, error) values ($1, $2, $3, left($4, 300), $5,"
    " $6, $7, $8, left($9, 500)) on conflict (id) do update set"
    " name = excluded.name, place = excluded.place,"
    " started_at = excluded.started_at, finished_at = now(),"
    " byte_count = excluded.byte_count, table_count = excluded.table_count,"
    " row_count = excluded.row_count, error = excluded.error"};
static const struct ct_stmt find = {"backup_log_find", CT_GLOBAL, CT_READ, "u",
    NULL,
    "select name, byte_count, row_count from backup_log"
    " where id = $1 and error is null"};
static const struct ct_stmt verified = {"backup_log_verified", CT_GLOBAL,
    CT_READ, "t", NULL,
    "select max(finished_at) as at from backup_log where name = $1"
    " and action = 'verify' and error is null"};
static const struct ct_stmt last = {"backup_log_last", CT_GLOBAL, CT_READ, "",
    NULL,
    "select max(finished_at) as at from backup_log where action = 'run'"
    " and error is null"};

const struct ct_stmt *const ct_backup_log_stmts[] = {
    &add, &find, &verified, &last, NULL};

enum ct_rc
ct_backup_log_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_backup_log *l, struct ct_err *err)
{
	bool ok = !l->error;
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &l->id);
	ct_p_text(&p, ct_str_of(l->action));
	ct_p_text(&p, ct_str_of(l->done->name));
	ct_p_text(&p, ct_str_of(l->place));
	ct_p_time(&p, l->started_us);
	ct_p_i64(&p, ok ? l->done->bytes : CT_NULL_I64);
	ct_p_i64(&p, ok ? (int64_t)l->done->manifest.n : CT_NULL_I64);
	ct_p_i64(&p, ok ? l->done->manifest.rows : CT_NULL_I64);
	ct_p_text(&p, ct_str_of(l->error));
	return ct_pg_run(pg, &add, &p, a, NULL, err);
}

enum ct_rc
ct_backup_log_find(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, bool *found, struct ct_backup_done *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	struct ct_str name;

	memset(out, 0, sizeof(*out));
	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &find, &p, a, &r, err) != CT_OK)
		return err->rc;
	*found = ct_res_rows(r) > 0;
	if (!*found)
		return CT_OK;
	name = ct_res_str(r, 0, 0);
	memcpy(out->name, name.p,
	    name.n < CT_STORE_NAME ? name.n : CT_STORE_NAME - 1);
	out->bytes = ct_res_i64(r, 0, 1);
	out->manifest.rows = ct_res_i64(r, 0, 2);
	return CT_OK;
}

enum ct_rc
ct_backup_log_verified(struct ct_pg *pg, struct ct_arena *a, const char *name,
    int64_t *at_us, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, ct_str_of(name));
	if (ct_pg_run(pg, &verified, &p, a, &r, err) != CT_OK)
		return err->rc;
	*at_us = ct_res_time(r, 0, 0);
	return CT_OK;
}

enum ct_rc
ct_backup_log_last(
    struct ct_pg *pg, struct ct_arena *a, int64_t *at_us, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, &last, NULL, a, &r, err) != CT_OK)
		return err->rc;
	*at_us = ct_res_time(r, 0, 0);
	return CT_OK;
}
