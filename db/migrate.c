/*
 * Migrations: what is recorded in ct_migration against what is embedded here.
 */
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "db/migrate.h"
#include "db/pg_internal.h"

#define LOCK_KEY	INT64_C(0x63745f6d69677261) /* "ct_migra" */
#define MIGRATE_TIMEOUT (3600 * 1000)
#define ARENA_CAP	(1 << 20)

static const struct ct_stmt stmt_lock = {"migrate_lock", CT_GLOBAL, CT_WRITE,
    "i", NULL, "select pg_advisory_lock($1)"};
static const struct ct_stmt stmt_unlock = {"migrate_unlock", CT_GLOBAL,
    CT_WRITE, "i", NULL, "select pg_advisory_unlock($1)"};
static const struct ct_stmt stmt_exists = {"migrate_exists", CT_GLOBAL, CT_READ,
    "", NULL, "select to_regclass('ct_migration') is not null as found"};
static const struct ct_stmt stmt_list = {"migrate_list", CT_GLOBAL, CT_READ, "",
    NULL, "select number, name, digest from ct_migration order by number"};
static const struct ct_stmt stmt_record = {"migrate_record", CT_GLOBAL,
    CT_WRITE, "ity", NULL,
    "insert into ct_migration (number, name, digest)"
    " values ($1::bigint, $2, $3)"};

static const char create_sql[] =
    "create table if not exists ct_migration ("
    " number bigint primary key,"
    " name text not null,"
    " digest bytea not null check (length(digest) = 32),"
    " applied_at timestamptz not null default now())";

/* What is applied, compared with what is embedded. */
struct state {
	struct ct_pg *pg;
	struct ct_arena *a;
	bool *applied; /* one per embedded migration */
	size_t missing;
};

static enum ct_rc
run(struct ct_pg *pg, const struct ct_stmt *st, struct ct_arena *a,
    const struct ct_res **res, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	if (strcmp(st->sig, "i") == 0)
		ct_p_i64(&p, LOCK_KEY);
	return ct_pg_run(pg, st, &p, a, res, err);
}

static bool
same_digest(const struct ct_migration *m, struct ct_str digest)
{
	uint8_t want[CT_DIGEST];

	ct_digest(m->sql, strlen(m->sql), want);
	return digest.n == sizeof(want) &&
	       memcmp(digest.p, want, sizeof(want)) == 0;
}

static enum ct_rc
compare(struct state *s, struct ct_err *err)
{
	const struct ct_res *r = NULL;
	enum ct_rc rc = run(s->pg, &stmt_list, s->a, &r, err);

	if (rc != CT_OK)
		return rc;
	for (int row = 0; row < ct_res_rows(r); row++) {
		int64_t number = ct_res_i64(r, row, 0);
		size_t i = 0;

		while (i < ct_migrations_n && ct_migrations[i].number != number)
			i++;
		if (i == ct_migrations_n)
			return ct_fail(err, CT_CONFLICT, CT_NEWER_SCHEMA,
			    "the database has %.*s, which this program does "
			    "not know: install the newer version",
			    CT_STR_FMT(ct_res_str(r, row, 1)));
		if (!same_digest(&ct_migrations[i], ct_res_str(r, row, 2)))
			return ct_fail(err, CT_CONFLICT, "changed_migration",
			    "%s was changed after it had been applied",
			    ct_migrations[i].name);
		s->applied[i] = true;
		s->missing--;
	}
	return CT_OK;
}

static enum ct_rc
apply(struct ct_pg *pg, const struct ct_migration *m, struct ct_arena *a,
    struct ct_err *err)
{
	uint8_t digest[CT_DIGEST];
	struct ct_params p;
	char detail[sizeof(err->detail)];
	enum ct_rc rc = ct_pg_begin(pg, a, false, err);

	if (rc != CT_OK)
		return rc;
	ct_digest(m->sql, strlen(m->sql), digest);
	ct_params_init(&p, a);
	ct_p_i64(&p, m->number);
	ct_p_text(&p, ct_str_of(m->name));
	ct_p_bytes(&p, digest, sizeof(digest));
	rc = ct_pg_script(pg, m->sql, err);
	if (rc == CT_OK)
		rc = ct_pg_run(pg, &stmt_record, &p, a, NULL, err);
	if (rc == CT_OK)
		return ct_pg_commit(pg, err);
	ct_pg_rollback(pg);
	snprintf(detail, sizeof(detail), "%s", err->detail);
	ct_fail(err, rc, "migration_failed", "%s failed and was rolled back",
	    m->name);
	return ct_err_detail(err, "%s", detail);
}

static enum ct_rc
migrate_locked(
    struct state *s, void (*done)(const char *name), struct ct_err *err)
{
	enum ct_rc rc = ct_pg_script(s->pg, create_sql, err);

	if (rc == CT_OK)
		rc = compare(s, err);
	for (size_t i = 0; rc == CT_OK && i < ct_migrations_n; i++) {
		if (s->applied[i])
			continue;
		rc = apply(s->pg, &ct_migrations[i], s->a, err);
		if (rc == CT_OK && done)
			done(ct_migrations[i].name);
	}
	return rc;
}

static struct state
state_new(struct ct_pg *pg)
{
	struct ct_arena *a = ct_arena_create(ARENA_CAP);

	return (struct state){
	    pg, a, ct_arena_alloc(a, ct_migrations_n + 1), ct_migrations_n};
}

enum ct_rc
ct_migrate(struct ct_pg *pg, void (*done)(const char *name), struct ct_err *err)
{
	struct state s = state_new(pg);
	struct ct_err ignored;
	int before_ms = pg->timeout_ms;
	enum ct_rc rc = ct_pg_ready(pg, err);

	/* Waiting for another one that migrates, and building indexes. */
	ct_pg_timeout(pg, MIGRATE_TIMEOUT);
	if (rc == CT_OK)
		rc = run(pg, &stmt_lock, s.a, NULL, err);
	if (rc == CT_OK) {
		rc = migrate_locked(&s, done, err);
		/* Without a connection the lock is gone as well. */
		if (ct_pg_up(pg) &&
		    run(pg, &stmt_unlock, s.a, NULL, &ignored) != CT_OK)
			ct_err_clear(&ignored);
	}
	ct_pg_timeout(pg, before_ms);
	ct_arena_destroy(s.a);
	return rc;
}

enum ct_rc
ct_migrate_check(struct ct_pg *pg, struct ct_err *err)
{
	struct state s = state_new(pg);
	const struct ct_res *r = NULL;
	enum ct_rc rc = run(pg, &stmt_exists, s.a, &r, err);

	if (rc == CT_OK && ct_res_bool(r, 0, 0))
		rc = compare(&s, err);
	if (rc == CT_OK && s.missing)
		rc = ct_fail(err, CT_CONFLICT, "old_schema",
		    "%zu migrations are missing: run catetubectl migrate",
		    s.missing);
	ct_arena_destroy(s.a);
	return rc;
}
