/*
 * Restoring: on trial into a database made for that, or for good into one that
 * is empty, or whose contents are set aside first.
 *
 * Setting aside is to rename the schema: it takes a moment, and everything is
 * still there. The restore fills a new schema of the old name; when the rows
 * were counted, the old one is dropped. Where it ends before that, `undo` is
 * the same backwards.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "db/backup_internal.h"
#include "db/pg_url.h"
#include "db/restore_sql.h"

#define LOCK_KEY   INT64_C(0x63745f7665726966) /* "ct_verif" */
#define SCRATCH	   "catetube_verify_"
#define SIDE_MS	   60000 /* renaming and dropping schemas */
#define CALM_TRIES 30	 /* each of 100 ms */

static const struct ct_stmt target = {"restore_target", CT_GLOBAL, CT_READ, "",
    NULL,
    "select current_database()::text as name,"
    " (select count(*) from pg_class c"
    "  join pg_namespace n on n.oid = c.relnamespace"
    "  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    "  and not exists (select from pg_depend d where d.classid ="
    "   'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')"
    " ) as things,"
    " (select count(*) from pg_stat_activity a where a.usename is not null"
    "  and a.datname = current_database() and a.pid <> pg_backend_pid()"
    " ) as others,"
    " to_regnamespace('" CT_BEFORE_RESTORE "') is not null as aside"};
static const struct ct_stmt lock = {"restore_lock", CT_GLOBAL, CT_READ, "i",
    NULL, "select pg_try_advisory_lock($1)"};
static const struct ct_stmt leftovers = {"restore_leftovers", CT_GLOBAL,
    CT_READ, "", NULL,
    "select d.datname::text from pg_database d"
    " where d.datname ~ '^" SCRATCH "[0-9a-f]{16}$' limit 100"};
/* Through XML, since neither table need be there. */
static const struct ct_stmt revived = {"restore_revived", CT_GLOBAL, CT_READ,
    "", NULL,
    "select case when to_regclass('" CT_BEFORE_RESTORE ".account') is null"
    " or to_regclass('public.account') is null then 0 else"
    " (xpath('/table/row/n/text()', query_to_xml('select count(*) as n"
    " from public.account a where not exists (select from " CT_BEFORE_RESTORE
    ".account o where o.id = a.id)', true, false, '')))[1]::text::bigint"
    " end as n"};

const struct ct_stmt *const ct_backup_restore_stmts[] = {
    &target, &lock, &leftovers, &revived, NULL};

/* ---- counting what came back */

static enum ct_rc
compare(struct ct_backup *b, struct ct_pg *pg, const struct ct_manifest *saved,
    struct ct_err *err)
{
	struct ct_manifest found;
	enum ct_rc rc;

	ct_pg_timeout(pg, BACKUP_STMT_MS);
	rc = ct_pg_begin(pg, b->a, true, err);
	if (rc == CT_OK)
		rc = ct_manifest_take(pg, b->a, backup_go_on, b, &found, err);
	ct_pg_rollback(pg);
	ct_pg_timeout(pg, ct_int(ct_size(b->conf->pg_timeout_ms)));
	return rc == CT_OK ? ct_manifest_compare(saved, &found, err) : rc;
}

/* ---- on trial */

struct trial {
	struct backup_db *db; /* the database that is always there */
	char database[sizeof(SCRATCH) + 16];
	bool made;
};

static enum ct_rc
drop(struct trial *t, const char *database, struct ct_err *err)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "drop database if exists %s with (force)",
	    database);
	return ct_pg_script(t->db->pg, sql, err);
}

/* Also when the job ends in between. */
static void
drop_made(void *arg)
{
	struct trial *t = arg;
	struct ct_err ignored;

	ct_err_clear(&ignored);
	if (t->made && drop(t, t->database, &ignored) == CT_OK)
		t->made = false;
}

/* What killed trials left. Whoever holds the lock is alone on the server. */
static enum ct_rc
clean(struct ct_backup *b, struct trial *t, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, b->a);
	ct_p_i64(&p, LOCK_KEY);
	if (ct_pg_run(t->db->pg, &lock, &p, b->a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, 0))
		return ct_fail(err, CT_RETRY, "verify_runs",
		    "another backup is being verified on this server");
	if (ct_pg_run(t->db->pg, &leftovers, NULL, b->a, &r, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < ct_res_rows(r); i++)
		if (drop(t, ct_str_cstr(b->a, ct_res_str(r, i, 0)), err) !=
		    CT_OK)
			return err->rc;
	return CT_OK;
}

static enum ct_rc
make_scratch(
    struct ct_backup *b, struct trial *t, const char *url, struct ct_err *err)
{
	uint8_t random[8];
	char sql[128], hex[17];

	t->db = backup_connect(b, url);
	ct_pg_timeout(t->db->pg, SIDE_MS);
	if (clean(b, t, err) != CT_OK)
		return err->rc;
	ct_random(random, sizeof(random));
	ct_hex(random, sizeof(random), hex);
	snprintf(t->database, sizeof(t->database), SCRATCH "%s", hex);
	snprintf(sql, sizeof(sql),
	    "create database %s template template0 encoding 'UTF8'",
	    t->database);
	t->made = true;
	return ct_pg_script(t->db->pg, sql, err);
}

static enum ct_rc
try_out(struct ct_backup *b, const char *name, const char *url,
    const char *database, struct ct_backup_done *out, struct ct_err *err)
{
	struct backup_sink to = {.database = database, .no_roles = true};
	struct backup_db *db;
	enum ct_rc rc;

	if (ct_pg_other_database(b->a, url, database, &to.url, err) != CT_OK ||
	    backup_pass(b, name, &to, out, err) != CT_OK)
		return err->rc;
	backup_say(b, "counting the rows of %zu tables", out->manifest.n);
	db = backup_connect(b, to.url);
	rc = compare(b, db->pg, &out->manifest, err);
	backup_disconnect(db);
	return rc;
}

enum ct_rc
ct_backup_verify(struct ct_backup *b, const char *name, const char *url,
    struct ct_backup_done *out, struct ct_err *err)
{
	struct trial *t = ct_arena_alloc(b->a, sizeof(*t));
	char picked[CT_STORE_NAME];
	struct ct_err late;
	enum ct_rc rc;

	memset(out, 0, sizeof(*out));
	if (!url[0])
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_VERIFY_URL is not set: it names a role "
		    "that may make databases");
	if (backup_pick(b, name, picked, err) != CT_OK)
		return err->rc;
	memcpy(out->name, picked, sizeof(out->name));
	rc = make_scratch(b, t, url, err);
	/* After its connection was deferred: runs before that is closed. */
	ct_arena_defer(b->a, drop_made, t);
	if (rc != CT_OK)
		return rc;
	backup_say(b, "restoring %s into the database %s", picked, t->database);
	rc = try_out(b, picked, url, t->database, out, err);
	ct_err_clear(&late);
	if (drop(t, t->database, &late) == CT_OK)
		t->made = false;
	else if (rc == CT_OK)
		*err = late;
	if (!t->made)
		backup_disconnect(t->db);
	return err->rc;
}

/* ---- for good */

struct found {
	struct ct_str database;
	int64_t things, others;
	bool aside;
};

static enum ct_rc
look(struct ct_backup *b, struct ct_pg *pg, struct found *f, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, &target, NULL, b->a, &r, err) != CT_OK)
		return err->rc;
	f->database = ct_res_str(r, 0, 0);
	f->things = ct_res_i64(r, 0, 1);
	f->others = ct_res_i64(r, 0, 2);
	f->aside = ct_res_bool(r, 0, 3);
	return CT_OK;
}

/* The last connections of a service that was just stopped take a moment. */
static enum ct_rc
look_calmly(
    struct ct_backup *b, struct ct_pg *pg, struct found *f, struct ct_err *err)
{
	const struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};

	for (int i = 0; i < CALM_TRIES; i++) {
		if (look(b, pg, f, err) != CT_OK || f->others == 0)
			return err->rc;
		nanosleep(&nap, NULL);
	}
	return CT_OK;
}

static enum ct_rc
judge(const struct found *f, bool force, struct ct_err *err)
{
	if (f->aside)
		return ct_fail(err, CT_CONFLICT, "cut_off",
		    "database %.*s holds what an earlier restore set aside: "
		    "catetubectl backup restore --undo puts it back",
		    CT_STR_FMT(f->database));
	if (f->things > 0 && !force)
		return ct_fail(err, CT_CONFLICT, "not_empty",
		    "database %.*s is not empty (%lld tables, indexes and the "
		    "like): restore into an empty one, or --force",
		    CT_STR_FMT(f->database), (long long)f->things);
	if (f->others > 0)
		return ct_fail(err, CT_CONFLICT, "not_idle",
		    "%lld others are connected to database %.*s: stop the "
		    "service first",
		    (long long)f->others, CT_STR_FMT(f->database));
	return CT_OK;
}

static enum ct_rc
script(
    struct ct_backup *b, struct ct_pg *pg, const char *sql, struct ct_err *err)
{
	struct ct_err ignored;
	enum ct_rc rc;

	ct_pg_timeout(pg, SIDE_MS);
	rc = ct_pg_script(pg, sql, err);
	ct_err_clear(&ignored);
	if (rc != CT_OK && ct_pg_up(pg) &&
	    ct_pg_script(pg, "rollback", &ignored) != CT_OK)
		ct_err_clear(&ignored);
	ct_pg_timeout(pg, ct_int(ct_size(b->conf->pg_timeout_ms)));
	return rc;
}

/* The restored rows are right: the others may go. */
static enum ct_rc
let_go(struct ct_backup *b, struct ct_pg *pg, struct ct_restore *r,
    struct ct_err *err)
{
	const struct ct_res *res;

	if (ct_pg_run(pg, &revived, NULL, b->a, &res, err) != CT_OK)
		return err->rc;
	r->revived = ct_res_i64(res, 0, 0);
	backup_say(b, "dropping what was there before");
	return script(b, pg, drop_aside_sql, err);
}

static enum ct_rc
fill(struct ct_backup *b, const char *name, const struct backup_sink *to,
    struct ct_backup_done *out, struct ct_pg *pg, struct ct_err *err)
{
	int64_t created_us = out->created_us;

	backup_say(b, "restoring %s", name);
	if (backup_pass(b, name, to, out, err) != CT_OK)
		return err->rc;
	if (out->created_us != created_us)
		return ct_fail(err, CT_CONFLICT, "changed",
		    "%s was replaced while it was read", name);
	backup_say(b, "counting the rows of %zu tables", out->manifest.n);
	return compare(b, pg, &out->manifest, err);
}

static enum ct_rc
replace(struct ct_backup *b, const char *name, const struct backup_sink *to,
    struct ct_restore *r, struct ct_backup_done *out, struct ct_pg *pg,
    struct ct_err *err)
{
	struct ct_err late;

	backup_say(
	    b, "setting aside what is there (schema %s)", CT_BEFORE_RESTORE);
	if (script(b, pg, set_aside_sql, err) != CT_OK)
		return err->rc;
	if (fill(b, name, to, out, pg, err) == CT_OK)
		return let_go(b, pg, r, err);
	backup_say(b, "that failed: putting back what was there");
	ct_err_clear(&late);
	if (script(b, pg, put_back_sql, &late) != CT_OK)
		backup_say(b,
		    "it could not be put back (%s %s): try catetubectl backup "
		    "restore --undo",
		    late.msg, late.detail);
	return err->rc;
}

static enum ct_rc
restore(struct ct_backup *b, const char *name, struct ct_restore *r,
    struct ct_backup_done *out, struct ct_pg *pg, struct ct_err *err)
{
	struct backup_sink to = {.url = r->url, .no_roles = r->no_roles};
	char picked[CT_STORE_NAME];
	struct found f;

	if (look_calmly(b, pg, &f, err) != CT_OK ||
	    judge(&f, r->force, err) != CT_OK ||
	    ct_backup_read(b, name, out, err) != CT_OK)
		return err->rc;
	memcpy(picked, out->name, sizeof(picked));
	to.database = ct_str_cstr(b->a, f.database);
	backup_say(b, "%s is whole: %zu tables with %lld rows", picked,
	    out->manifest.n, (long long)out->manifest.rows);
	if (f.things == 0)
		return fill(b, picked, &to, out, pg, err);
	return replace(b, picked, &to, r, out, pg, err);
}

enum ct_rc
ct_backup_restore(struct ct_backup *b, const char *name, struct ct_restore *r,
    struct ct_backup_done *out, struct ct_err *err)
{
	struct backup_db *db = backup_connect(b, r->url);
	enum ct_rc rc = restore(b, name, r, out, db->pg, err);

	backup_disconnect(db);
	return rc;
}

static enum ct_rc
undo(struct ct_backup *b, struct ct_pg *pg, struct ct_err *err)
{
	struct found f;

	if (look_calmly(b, pg, &f, err) != CT_OK)
		return err->rc;
	if (!f.aside)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "database %.*s holds nothing that was set aside",
		    CT_STR_FMT(f.database));
	f.aside = false;
	if (judge(&f, true, err) != CT_OK)
		return err->rc;
	backup_say(b, "putting back what was there before the restore");
	return script(b, pg, put_back_sql, err);
}

enum ct_rc
ct_backup_undo(struct ct_backup *b, const char *url, struct ct_err *err)
{
	struct backup_db *db = backup_connect(b, url);
	enum ct_rc rc = undo(b, db->pg, err);

	backup_disconnect(db);
	return rc;
}
