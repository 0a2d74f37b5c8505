/*
 * Backups with a real PostgreSQL: what is restored is what was there, counted
 * and summed; old ones go, what became of each is noted.
 */
#include "tests/db/backup_fixture.h"

static void
test_round_trip(void **state)
{
	const struct ct_manifest *before = manifest_of(source_url);
	struct ct_backup_done d = made(), again;
	const char *url = empty();
	struct ct_store_list l;
	int64_t us;

	(void)state;
	same(before, &d.manifest);
	assert_true(d.manifest.rows > 1100);
	assert_true(ct_backup_name_us(d.name, &us));
	assert_int_equal(us, d.created_us / 1000000 * 1000000);
	assert_int_equal(entries(), 1);
	assert_int_equal(ct_backup_list(b, &l, &err), CT_OK);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.item[0].name, d.name);
	assert_int_equal(l.item[0].bytes, d.bytes);
	assert_int_equal(ct_backup_read(b, NULL, &again, &err), CT_OK);
	assert_string_equal(again.name, d.name);
	assert_int_equal(again.created_us, d.created_us);
	assert_true(ct_str_is(
	    again.manifest.schema, ct_migrations[ct_migrations_n - 1].name));
	same(before, &again.manifest);
	if (restore(d.name, url, false, NULL) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	same(before, manifest_of(url));
	/* It lives: constraints, defaults, functions, sequences. */
	sql(url, "insert into audit_event (action, noun) values ('x', 'y');"
		 "insert into account (id, email, password_hash, first_name)"
		 " values (gen_random_uuid(), 'B@example.org', 'x', 'B')");
	assert_int_equal(ask(url, "select count(*) from account"
				  " where email = 'b@EXAMPLE.org'"),
	    1);
	assert_int_equal(
	    ask(url, "select count(*) from information_schema"
		     ".table_privileges where grantee = 'catetube_app'"
		     " and table_name = 'feeding' and privilege_type = "
		     "'UPDATE'"),
	    1);
}

/* Nothing of the text is to be read in the file. */
static void
test_is_sealed(void **state)
{
	struct ct_backup_done d = made();
	char path[160];
	struct ct_buf text;
	int fd;
	ssize_t n;

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", dir, d.name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ct_buf_init(&text, a, ct_size(d.bytes) + 65536);
	while ((n = read(fd, ct_buf_room(&text, 65536), 65536)) > 0)
		text.n += (size_t)n;
	close(fd);
	assert_int_equal(text.n, d.bytes);
	assert_null(memmem(text.p, text.n, "PGDMP", 5));
	assert_null(memmem(text.p, text.n, "example.org", 11));
	assert_null(memmem(text.p, text.n, "public.", 7));
}

static void
test_verify(void **state)
{
	struct ct_backup_done d = made(), v;

	(void)state;
	sql(cluster->url, "create database catetube_verify_0123456789abcdef");
	sql(cluster->url, "create database catetube_verify_mine");
	ct_err_clear(&err);
	if (ct_backup_verify(b, NULL, cluster->url, &v, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	assert_string_equal(v.name, d.name);
	same(&d.manifest, &v.manifest);
	/* Its own database is gone, and what a killed one left; no other. */
	assert_int_equal(ask(cluster->url, "select count(*) from pg_database"
					   " where datname like"
					   " 'catetube_verify_%'"),
	    1);
	assert_int_equal(ct_backup_verify(b, NULL, "", &v, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_BACKUP_VERIFY_URL"));
}

/* Somebody writes all the time: counted and dumped is the same moment. */
static void
test_one_snapshot(void **state)
{
	struct ct_backup_done d, v;
	pid_t pid = fork();
	int64_t before;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ct_pg *pg = ct_pg_open(source_url, "writer", 20000);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ct_err_clear(&err);
		while (ct_pg_script(pg,
			   "insert into audit_event (action, noun)"
			   " values ('w', 'w');"
			   "update feeding set notes = 'w' where id = (select"
			   " id from feeding order by random() limit 1)",
			   &err) == CT_OK)
			;
		_exit(1);
	}
	before = ask(source_url, "select count(*) from audit_event");
	for (int i = 0; i < 3; i++) {
		d = made();
		ct_err_clear(&err);
		if (ct_backup_verify(b, d.name, cluster->url, &v, &err) !=
		    CT_OK)
			fail_msg("%s: %s", err.msg, err.detail);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* It did write meanwhile. */
	assert_true(
	    ask(source_url, "select count(*) from audit_event") > before);
}

static void
test_only_into_empty(void **state)
{
	struct ct_backup_done d = made();
	const char *url = empty();
	struct ct_pg *other;

	(void)state;
	other = connected(url);
	assert_int_equal(restore(d.name, url, false, NULL), CT_CONFLICT);
	assert_string_equal(err.code, "not_idle");
	ct_pg_close(other);
	sql(url, "create table mine (n int); insert into mine values (7)");
	assert_int_equal(restore(d.name, url, false, NULL), CT_CONFLICT);
	assert_string_equal(err.code, "not_empty");
	assert_int_equal(ask(url, "select n from mine"), 7);
	assert_int_equal(ask(url, "select count(*) from pg_tables"
				  " where schemaname = 'public'"),
	    1);
}

static void
test_force(void **state)
{
	struct ct_backup_done d = made();
	const char *url = empty();
	int64_t revived = 0;

	(void)state;
	assert_int_equal(restore(d.name, url, false, NULL), CT_OK);
	/* Life goes on: a table of a later version, an account that goes. */
	sql(url, "create table later (a uuid references account (id));"
		 "delete from account where email like 'a1%';"
		 "update cat set name = 'other'");
	if (restore(d.name, url, true, &revived) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	same(&d.manifest, manifest_of(url));
	assert_int_equal(revived, 11);
	assert_int_equal(
	    ask(url, "select count(*) from pg_namespace where nspname ="
		     " 'before_restore'"),
	    0);
	assert_int_equal(
	    ask(url, "select count(*) from pg_class where relname = 'later'"),
	    0);
	/* And once more, over what a forced restore has made. */
	if (restore(d.name, url, true, &revived) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	same(&d.manifest, manifest_of(url));
	assert_int_equal(revived, 0);
	sql(url, "insert into account (id, email, password_hash, first_name)"
		 " values (gen_random_uuid(), 'c@example.org', 'x', 'C')");
}

/* The old ones go when a new one is there; strangers stay. */
static void
test_retention(void **state)
{
	static const char *const old[] = {
	    "catetube-20240101T000000Z-00000001.ctb",
	    "catetube-20240101T120000Z-00000002.ctb",
	    "catetube-20240102T120000Z-00000003.ctb", "mine.ctb"};
	struct ct_backup_done d;
	struct ct_store_list l;

	(void)state;
	for (size_t i = 0; i < ct_countof(old); i++)
		fclose(fopen(ct_arena_printf(a, "%s/%s", dir, old[i]), "we"));
	conf.backup_daily = 2;
	conf.backup_weekly = 0;
	d = made();
	assert_int_equal(d.removed, 2);
	assert_int_equal(d.kept, 2);
	assert_int_equal(ct_backup_list(b, &l, &err), CT_OK);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.item[0].name, d.name);
	assert_string_equal(l.item[1].name, old[2]);
	assert_int_equal(entries(), 3);
}

static void
test_log(void **state)
{
	struct ct_pg *pg = connected(source_url);
	struct ct_backup_done d = made(), back;
	struct ct_backup_log l = {.id = ct_uuid_new(),
	    .action = "verify",
	    .started_us = d.created_us,
	    .place = dir,
	    .done = &d,
	    .error = "not yet"};
	int64_t at;
	bool found;

	(void)state;
	assert_int_equal(ct_backup_log_add(pg, a, &l, &err), CT_OK);
	assert_int_equal(
	    ct_backup_log_find(pg, a, &l.id, &found, &back, &err), CT_OK);
	assert_false(found);
	assert_int_equal(
	    ct_backup_log_verified(pg, a, d.name, &at, &err), CT_OK);
	assert_true(at == CT_NULL_I64);
	/* The next try of the same job. */
	l.error = NULL;
	assert_int_equal(ct_backup_log_add(pg, a, &l, &err), CT_OK);
	assert_int_equal(
	    ct_backup_log_find(pg, a, &l.id, &found, &back, &err), CT_OK);
	assert_true(found);
	assert_string_equal(back.name, d.name);
	assert_int_equal(back.bytes, d.bytes);
	assert_int_equal(back.manifest.rows, d.manifest.rows);
	assert_int_equal(
	    ct_backup_log_verified(pg, a, d.name, &at, &err), CT_OK);
	assert_true(at != CT_NULL_I64);
	/* What is over 400 days old goes with the next. */
	sql(source_url, "update backup_log set finished_at = now() - interval"
			" '401 days'");
	l.id = ct_uuid_new();
	assert_int_equal(ct_backup_log_add(pg, a, &l, &err), CT_OK);
	assert_int_equal(ask(source_url, "select count(*) from backup_log"), 1);
	ct_pg_close(pg);
}

static void
test_options(void **state)
{
	struct ct_backup other = {.a = a, .conf = &conf};

	(void)state;
	assert_int_equal(ct_backup_check_conf(&conf, &err), CT_OK);
	conf.backup_key = "short";
	assert_int_equal(ct_backup_check_conf(&conf, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_BACKUP_KEY"));
	conf.backup_key = "";
	ct_err_clear(&err);
	assert_int_equal(ct_backup_check_conf(&conf, &err), CT_OK);
	assert_int_equal(ct_backup_open(&other, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "keygen"));
	conf.backup_to = "ftp://x";
	assert_int_equal(ct_backup_check_conf(&conf, &err), CT_INVALID);
	conf.backup_to = "";
	other.where = NULL;
	ct_err_clear(&err);
	assert_int_equal(ct_backup_check_conf(&conf, &err), CT_OK);
	assert_int_equal(ct_backup_open(&other, &err), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_BACKUP_TO"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_round_trip),
	    CASE(test_is_sealed),
	    CASE(test_verify),
	    CASE(test_one_snapshot),
	    CASE(test_only_into_empty),
	    CASE(test_force),
	    CASE(test_retention),
	    CASE(test_log),
	    CASE(test_options),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
