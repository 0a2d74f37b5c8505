/*
 * Backups that fail: what is damaged, or in the way, is refused before anything
 * is touched; whatever is cut off leaves things as they were.
 */
#include "db/restore_sql.h"
#include "tests/db/backup_fixture.h"

static void
damage(const char *name, const char *as, size_t cut, size_t at, size_t from)
{
	const char *path = ct_arena_printf(a, "%s/%s", dir, name);
	char *text = ct_arena_alloc(a, 8 << 20), part[65569];
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, 8 << 20, f);
	fclose(f);
	if (cut)
		n -= cut;
	else if (from) {
		memcpy(part, text + at, sizeof(part));
		memcpy(text + at, text + from, sizeof(part));
		memcpy(text + from, part, sizeof(part));
	} else {
		text[at] ^= 4;
	}
	f = fopen(ct_arena_printf(a, "%s/%s", dir, as), "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void
refused(const char *name, const char *url, const char *code)
{
	assert_int_equal(restore(name, url, true, NULL), CT_MALFORMED);
	assert_string_equal(err.code, code);
	assert_non_null(strstr(err.msg, name));
}

/* Refused before the database was touched. */
static void
test_damage(void **state)
{
	const struct ct_manifest *before;
	struct ct_backup_done d, other;
	const char *url = empty(), *path;
	FILE *f;

	(void)state;
	/* Enough for some chunks, of what cannot be packed. */
	sql(source_url, "create table noise as select sha512(n::text::bytea) as"
			" b from generate_series(1, 6000) n");
	d = made();
	sql(source_url, "drop table noise");
	assert_true(d.bytes > 4 * 65569 && d.bytes < 8 << 20);
	fill(url);
	before = manifest_of(url);
	set_aside = 0;
	damage(d.name, "cut.ctb", 1, 0, 0);
	damage(d.name, "chunk.ctb", (ct_size(d.bytes) - 64) % 65569, 0, 0);
	damage(d.name, "flip.ctb", 0, 200000, 0);
	damage(d.name, "last.ctb", 0, ct_size(d.bytes) - 1, 0);
	damage(d.name, "swap.ctb", 0, 64 + 65569, 64 + 2 * 65569);
	refused("cut.ctb", url, "truncated");
	refused("chunk.ctb", url, "truncated");
	refused("flip.ctb", url, "altered");
	refused("last.ctb", url, "altered");
	refused("swap.ctb", url, "out_of_order");
	path = ct_arena_printf(a, "%s/foreign.ctb", dir);
	f = fopen(path, "we");
	fputs("PGDMP is how a dump begins; this one is of somebody else, and it"
	      " goes on for a while",
	    f);
	fclose(f);
	refused("foreign.ctb", url, "not_a_backup");
	b->key[0] ^= 1;
	refused(d.name, url, "wrong_key");
	b->key[0] ^= 1;
	same(before, manifest_of(url));
	assert_int_equal(set_aside, 0);
	/* None of them is a name of ours, so none is the newest. */
	assert_int_equal(ct_backup_read(b, NULL, &other, &err), CT_OK);
	assert_string_equal(other.name, d.name);
}

static void
program(const char *name, const char *text)
{
	const char *path = ct_arena_printf(a, "%s/bin/%s", dir, name);
	FILE *f;

	mkdir(ct_arena_printf(a, "%s/bin", dir), 0700);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
	conf.pg_bin = ct_arena_printf(a, "%s/bin", dir);
}

/* Whatever becomes of pg_dump, no file is left, and why is told. */
static void
test_no_dump(void **state)
{
	struct ct_uuid id = ct_uuid_new();
	struct ct_backup_done d;

	(void)state;
	program("pg_dump",
	    "#!/bin/sh\nhead -c 3000000 /dev/urandom\n"
	    "echo 'pg_dump: error: the disk broke' >&2\nexit 1\n");
	assert_int_equal(ct_backup_run(b, &id, &d, &err), CT_RETRY);
	assert_string_equal(err.msg, "pg_dump failed with status 1");
	assert_string_equal(err.detail, "pg_dump: error: the disk broke");
	assert_int_equal(entries(), 1);
	conf.pg_bin = "/nonexistent";
	ct_err_clear(&err);
	assert_int_equal(ct_backup_run(b, &id, &d, &err), CT_INVALID);
	assert_int_equal(entries(), 1);
}

/* Something is lost on the way: it is noticed, and what was there stays. */
static void
test_not_everything(void **state)
{
	static const char *const losses[] = {
	    "delete from public.feeding where id = (select min(id::text)::uuid"
	    " from public.feeding)",
	    "update public.cat set name = 'other' where id = (select"
	    " min(id::text)::uuid from public.cat)",
	    "drop table public.water", "create table public.more (n int)"};
	static const char *const says[] = {"public.feeding has 999 rows, 1000",
	    "public.cat holds other values", "public.water was saved and",
	    "public.more was not saved and"};
	const struct ct_manifest *before;
	struct ct_backup_done d = made(), v;
	const char *url = empty();

	(void)state;
	fill(url);
	before = manifest_of(url);
	for (size_t i = 0; i < ct_countof(losses); i++) {
		program("pg_restore",
		    ct_arena_printf(a,
			"#!/bin/sh\n/usr/lib/postgresql/15/bin/pg_restore "
			"\"$@\" || exit 1\nexec psql -qX -c \"%s\"\n",
			losses[i]));
		ct_err_clear(&err);
		assert_int_equal(
		    ct_backup_verify(b, d.name, cluster->url, &v, &err),
		    CT_CONFLICT);
		assert_string_equal(err.code, "differs");
		if (!strstr(err.msg, says[i]))
			fail_msg("%s", err.msg);
	}
	assert_int_equal(restore(d.name, url, true, NULL), CT_CONFLICT);
	assert_string_equal(err.code, "differs");
	conf.pg_bin = "/usr/lib/postgresql/15/bin";
	same(before, manifest_of(url));
}

/* The address is in the environment of pg_dump, not among its arguments. */
static void
test_no_secret_in_arguments(void **state)
{
	struct ct_uuid id = ct_uuid_new();
	struct ct_backup_done d;
	const char *log = ct_arena_printf(a, "%s/bin/log", dir);
	static char text[65536];
	FILE *f;

	(void)state;
	program("pg_dump",
	    ct_arena_printf(a,
		"#!/bin/sh\necho \"$0 $@\" >%s\nenv >>%s\nexit 1\n", log, log));
	setenv("SECRET_KEY", "do-not-pass-it-on", 1);
	conf.backup_url = ct_arena_printf(a, "%s password=hush-ed", source_url);
	assert_int_equal(ct_backup_run(b, &id, &d, &err), CT_RETRY);
	unsetenv("SECRET_KEY");
	f = fopen(log, "re");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_non_null(strstr(text, "\nPGPASSWORD=hush-ed\n"));
	assert_null(memmem(text, strcspn(text, "\n"), "hush", 4));
	assert_null(strstr(text, "do-not-pass-it-on"));
}

static void
test_one_at_a_time(void **state)
{
	struct ct_uuid id = ct_uuid_new();
	struct ct_pg *other = connected(source_url);
	struct ct_backup_done d;

	(void)state;
	assert_int_equal(
	    ct_pg_script(
		other, "select pg_advisory_lock(7166457783198641013)", &err),
	    CT_OK);
	assert_int_equal(ct_backup_run(b, &id, &d, &err), CT_RETRY);
	assert_string_equal(err.code, "backup_runs");
	ct_pg_close(other);
	made();
}

static bool
no_more(void *arg, int64_t done, int64_t total)
{
	(void)total;
	return done == 0 || --*(int *)arg > 0;
}

static void
test_stopped(void **state)
{
	struct ct_uuid id = ct_uuid_new();
	struct ct_backup_done d;
	int turns = 2;

	(void)state;
	b->go_on = no_more;
	b->arg = &turns;
	assert_int_equal(ct_backup_run(b, &id, &d, &err), CT_RETRY);
	assert_string_equal(err.code, "stopped");
	assert_int_equal(entries(), 0);
}

/* pg_restore fails half-way: what was there is there again. */
static void
test_force_fails(void **state)
{
	const struct ct_manifest *before;
	struct ct_backup_done d;
	const char *url = empty();

	(void)state;
	sql(source_url, "create role passing; grant select on cat to passing");
	d = made();
	sql(source_url, "revoke select on cat from passing; drop role passing");
	fill(url);
	sql(url, "create table mine as select 1 as n");
	before = manifest_of(url);
	assert_int_equal(restore(d.name, url, true, NULL), CT_RETRY);
	assert_string_equal(err.msg, "pg_restore failed with status 1");
	assert_non_null(strstr(err.detail, "passing"));
	same(before, manifest_of(url));
	sql(url, "insert into account (id, email, password_hash, first_name)"
		 " values (gen_random_uuid(), 'D@example.org', 'x', 'D')");
	/* Into an empty one: it is empty again. */
	url = empty();
	assert_int_equal(restore(d.name, url, false, NULL), CT_RETRY);
	assert_int_equal(
	    ask(url, "select count(*) from pg_tables where schemaname ="
		     " 'public'"),
	    0);
	/* Without roles it can be restored. */
	{
		struct ct_restore r = {.url = url, .no_roles = true};

		ct_err_clear(&err);
		if (ct_backup_restore(b, d.name, &r, &d, &err) != CT_OK)
			fail_msg("%s: %s", err.msg, err.detail);
	}
}

struct turns {
	int passes; /* of the file */
	int64_t last;
};

static bool
not_twice(void *arg, int64_t done, int64_t total)
{
	struct turns *t = arg;

	(void)total;
	t->passes += done > 0 && t->last == 0;
	t->last = done;
	return t->passes < 2;
}

/* Stopped while pg_restore is at work: that ends first, then all goes back. */
static void
test_stopped_restore(void **state)
{
	const struct ct_manifest *before;
	struct ct_backup_done d = made();
	const char *url = empty();
	struct turns turns = {0, 0};

	(void)state;
	program("pg_restore", "#!/bin/sh\nsleep 1\nexec /usr/lib/postgresql/15/"
			      "bin/pg_restore \"$@\"\n");
	fill(url);
	before = manifest_of(url);
	b->go_on = not_twice;
	b->arg = &turns;
	assert_int_equal(restore(d.name, url, true, NULL), CT_RETRY);
	assert_string_equal(err.code, "stopped");
	assert_int_equal(turns.passes, 2);
	same(before, manifest_of(url));
	assert_int_equal(
	    ask(url, "select count(*) from pg_stat_activity where datname ="
		     " current_database() and pid <> pg_backend_pid()"
		     " and usename is not null"),
	    0);
}

/* Killed after it had set aside: nothing goes on by itself, undo does. */
static void
test_cut_off(void **state)
{
	const struct ct_manifest *before;
	struct ct_backup_done d = made();
	const char *url = empty();

	(void)state;
	assert_int_equal(ct_backup_undo(b, url, &err), CT_NOTFOUND);
	fill(url);
	before = manifest_of(url);
	sql(url, set_aside_sql);
	sql(url, "create table half (n int); create function f() returns int"
		 " language sql as 'select 1'; create type mood as enum ('a');"
		 "create sequence s; create view v as select * from half");
	assert_int_equal(restore(d.name, url, true, NULL), CT_CONFLICT);
	assert_string_equal(err.code, "cut_off");
	ct_err_clear(&err);
	if (ct_backup_undo(b, url, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	same(before, manifest_of(url));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_damage),
	    CASE(test_no_dump),
	    CASE(test_not_everything),
	    CASE(test_no_secret_in_arguments),
	    CASE(test_one_at_a_time),
	    CASE(test_stopped),
	    CASE(test_force_fails),
	    CASE(test_stopped_restore),
	    CASE(test_cut_off),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
