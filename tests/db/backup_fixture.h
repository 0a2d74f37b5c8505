/*
 * What the tests of backups share: a database with something in it, a directory
 * for backups, and ways to compare.
 */
#ifndef CT_TESTS_BACKUP_FIXTURE_H
#define CT_TESTS_BACKUP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/backup.h"
#include "db/migrate.h"
#include "db/pg_url.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_arena *a;
static struct ct_err err;
static struct ct_conf conf;
static struct ct_backup *b;
static const char *source_url;
static char dir[64];
static int databases;
static int set_aside;

static inline struct ct_pg *
connected(const char *url)
{
	struct ct_pg *pg = ct_pg_open(url, "test", 20000);

	ct_err_clear(&err);
	if (ct_pg_ready(pg, &err) != CT_OK)
		fail_msg("%s: %s %s", url, err.msg, err.detail);
	return pg;
}

static inline void
sql(const char *url, const char *text)
{
	struct ct_pg *pg = connected(url);

	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
	ct_pg_close(pg);
}

static inline int64_t
ask(const char *url, const char *text)
{
	struct ct_stmt *st = ct_arena_alloc(a, sizeof(*st));
	struct ct_pg *pg = connected(url);
	const struct ct_res *r;
	int64_t n;

	*st = (struct ct_stmt){"t_ask", CT_GLOBAL, CT_READ, "", NULL, text};
	if (ct_pg_run(pg, st, NULL, a, &r, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
	n = ct_res_i64(r, 0, 0);
	ct_pg_close(pg);
	return n;
}

/* A new, empty database. */
static inline const char *
empty(void)
{
	char name[32];
	const char *url;

	snprintf(name, sizeof(name), "copy%d", ++databases);
	url = private_pg_database(cluster, name);
	return ct_arena_dup(a, url, strlen(url));
}

static inline void
fill(const char *url)
{
	struct ct_pg *pg = connected(url);

	if (ct_migrate(pg, NULL, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
	ct_pg_close(pg);
	sql(url,
	    "insert into account (id, email, password_hash, first_name)"
	    " select gen_random_uuid(), 'a' || n || '@example.org', 'x',"
	    " E'Zo\\u00eb \\u732b \\U0001F431 ' || n"
	    " from generate_series(1, 20) n;"
	    "insert into cat (id, name) select gen_random_uuid(), 'Mi\"so,;"
	    "' || n from generate_series(1, 20) n;"
	    "insert into feeding (cat_id, id, given_at, care_day,"
	    " amount_ul, notes) select c.id, gen_random_uuid(), now()"
	    " - n * interval '1 hour', current_date, n * 1000,"
	    " case when n % 3 > 0 then E'line\\n\\ttab \\\\' || n else '' end"
	    " from cat c, generate_series(1, 50) n;"
	    "insert into audit_event (action, noun) select 'change', 'x'"
	    " from generate_series(1, 100)");
}

static inline int
group_up(void **state)
{
	const char *url;

	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	a = ct_arena_create((size_t)64 << 20);
	sql(cluster->url,
	    "create role catetube_owner createdb;"
	    "create role catetube_app; create role catetube_backup");
	url = private_pg_database(cluster, "source");
	source_url = strdup(url);
	fill(source_url);
	ct_arena_destroy(a);
	return 0;
}

static inline int
group_down(void **state)
{
	(void)state;
	free((char *)(uintptr_t)source_url);
	private_pg_free(cluster);
	return 0;
}

/* What it does is shown where a test fails; setting aside is counted. */
static inline void
say(void *arg, const char *sentence)
{
	(void)arg;
	set_aside += strncmp(sentence, "setting aside", 13) == 0;
	print_message("    %s\n", sentence);
}

static inline int
set_up(void **state)
{
	(void)state;
	a = ct_arena_create((size_t)256 << 20);
	ct_err_clear(&err);
	snprintf(dir, sizeof(dir), "/tmp/ct-backup-XXXXXX");
	assert_non_null(mkdtemp(dir));
	memset(&conf, 0, sizeof(conf));
	conf.database_url = source_url;
	conf.backup_url = "";
	conf.backup_to = dir;
	conf.backup_key = "000102030405060708090a0b0c0d0e0f"
			  "101112131415161718191a1b1c1d1e1f";
	conf.pg_bin = "/usr/lib/postgresql/15/bin";
	conf.pg_timeout_ms = 20000;
	conf.backup_daily = 7;
	conf.backup_weekly = 4;
	b = ct_arena_alloc(a, sizeof(*b));
	*b = (struct ct_backup){.a = a, .conf = &conf, .say = say};
	if (ct_backup_open(b, &err) != CT_OK)
		fail_msg("%s", err.msg);
	return 0;
}

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(a);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Entries of the directory of backups, hidden ones too. */
static inline int
entries(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static inline struct ct_backup_done
made(void)
{
	struct ct_uuid id = ct_uuid_new();
	struct ct_backup_done d;

	ct_err_clear(&err);
	if (ct_backup_run(b, &id, &d, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	return d;
}

static inline const struct ct_manifest *
manifest_of(const char *url)
{
	struct ct_manifest *m = ct_arena_alloc(a, sizeof(*m));
	struct ct_pg *pg = connected(url);

	if (ct_pg_begin(pg, a, true, &err) != CT_OK ||
	    ct_manifest_take(pg, a, NULL, NULL, m, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
	for (size_t i = 0; i < m->n; i++) {
		m->table[i].name = ct_str_dup(a, m->table[i].name);
		m->table[i].sum = ct_str_dup(a, m->table[i].sum);
	}
	ct_pg_rollback(pg);
	ct_pg_close(pg);
	return m;
}

static inline void
same(const struct ct_manifest *x, const struct ct_manifest *y)
{
	ct_err_clear(&err);
	if (ct_manifest_compare(x, y, &err) != CT_OK)
		fail_msg("%s", err.msg);
}

static inline enum ct_rc
restore(const char *name, const char *url, bool force, int64_t *revived)
{
	struct ct_restore r = {.url = url, .force = force};
	struct ct_backup_done d;
	enum ct_rc rc;

	ct_err_clear(&err);
	rc = ct_backup_restore(b, name, &r, &d, &err);
	if (revived)
		*revived = r.revived;
	return rc;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
