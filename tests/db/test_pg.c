/*
 * The door to PostgreSQL against a real server: types, errors, the session,
 * cursors, COPY.
 */
#include "tests/db/pg_fixture.h"

STMT(setting, "t", NULL, "select current_setting($1) as v");
STMT(divide, "i", NULL, "select 1 / $1 as n");
STMT(series, "i", NULL,
    "select n, repeat('x', 100) as pad from generate_series(1, $1) n");

/* A broken invariant aborts: run fn in a child and look at its end. */
static void
assert_aborts(void (*fn)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		fn();
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* --- types --- */

struct all {
	struct ct_uuid id;
	struct ct_str text, word, kind, json;
	bool yes;
	int64_t big, small, volume, when;
	int32_t day;
	int64_t nowhere;
};

#define AT(m) offsetof(struct all, m)
static const char *const kinds[] = {"a", "b", NULL};
static const struct ct_field all_rows[] = {
    {"id", CT_T_UUID, AT(id), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"text", CT_T_TEXT, AT(text), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"word", CT_T_TEXT, AT(word), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"kind", CT_T_ENUM, AT(kind), CT_F_NULLABLE, 0, 0, NULL, kinds, NULL, ""},
    {"json", CT_T_JSON, AT(json), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"yes", CT_T_BOOL, AT(yes), 0, 0, 0, NULL, NULL, NULL, ""},
    {"big", CT_T_INT, AT(big), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"small", CT_T_MILLI, AT(small), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"volume_ml", CT_T_VOLUME, AT(volume), CT_F_NULLABLE, 0, 0, "volume_ul",
	NULL, NULL, ""},
    {"when", CT_T_TIME, AT(when), CT_F_NULLABLE, 0, 0, "at", NULL, NULL, ""},
    {"day", CT_T_DAY, AT(day), CT_F_NULLABLE, 0, 0, NULL, NULL, NULL, ""},
    {"nowhere", CT_T_INT, AT(nowhere), CT_F_NOROW, 0, 0, NULL, NULL, NULL, ""},
};
static const struct ct_fields all_fields =
    CT_FIELDS("all", struct all, all_rows);

STMT(echo, "uttjbiizd", &all_fields,
    "select $9::date as day, $1 as id, $2 as text,"
    " $3::varchar as word, $3::word_kind as kind, $4 as json, $5 as yes,"
    " $6 as big, $7::smallint as small, $7::int as volume_ul, $8 as at");

static void
echo_all(const struct all *in, struct all *out)
{
	const struct ct_res *r = NULL;
	struct all lent = *in;
	struct ct_params p;

	ct_params_init(&p, arena);
	static const size_t order[] = {0, 1, 3, 4, 5, 6, 8, 9, 10};
	for (size_t i = 0; i < ct_countof(order); i++)
		ct_p_field(&p, &all_rows[order[i]], &lent);
	/* But for texts, nothing of it is needed any more. */
	memset(&lent, 0xff, sizeof(lent));
	if (ct_pg_run(pg, &echo, &p, arena, &r, &err) != CT_OK)
		fail_msg("%s", err.detail);
	assert_int_equal(ct_res_rows(r), 1);
	ct_res_get(r, 0, &all_fields, out);
}

static void
test_types_round_trip(void **state)
{
	struct all out;
	struct all in = {
	    .id = ct_uuid_new(),
	    .text = CT_STR("Grüße, \"Miez\""),
	    .kind = CT_STR("b"),
	    .json = CT_STR("{\"k\": [1, 2]}"),
	    .yes = true,
	    .big = INT64_MAX,
	    .volume = -32768,
	    .when = INT64_C(1772971200123456),
	    .day = 20520,
	};

	(void)state;
	memset(&out, 0xff, sizeof(out));
	out.nowhere = 77;
	echo_all(&in, &out);
	assert_true(ct_uuid_eq(&in.id, &out.id));
	assert_true(ct_str_eq(in.text, out.text));
	assert_true(ct_str_is(out.word, "b"));
	assert_true(ct_str_is(out.kind, "b"));
	assert_true(ct_str_eq(in.json, out.json));
	assert_true(out.yes);
	assert_int_equal(out.big, INT64_MAX);
	assert_int_equal(out.small, -32768);
	assert_int_equal(out.volume, -32768);
	assert_int_equal(out.when, in.when);
	assert_int_equal(out.day, in.day);
	assert_int_equal(out.nowhere, 77);
}

static void
test_nulls_and_early_times(void **state)
{
	struct all out;
	struct all in = {.big = CT_NULL_I64,
	    .volume = CT_NULL_I64,
	    .when = CT_NULL_I64,
	    .day = CT_NULL_DAY};

	(void)state;
	memset(&out, 0xff, sizeof(out));
	echo_all(&in, &out);
	assert_true(ct_uuid_nil(&out.id));
	assert_null(out.text.p);
	assert_null(out.kind.p);
	assert_null(out.json.p);
	assert_false(out.yes);
	assert_int_equal(out.big, CT_NULL_I64);
	assert_int_equal(out.small, CT_NULL_I64);
	assert_int_equal(out.when, CT_NULL_I64);
	assert_int_equal(out.day, CT_NULL_DAY);

	in.text = CT_STR("");
	in.when = -1;
	in.day = -1;
	echo_all(&in, &out);
	assert_non_null(out.text.p);
	assert_int_equal(out.text.n, 0);
	assert_int_equal(out.when, -1);
	assert_int_equal(out.day, -1);
}

static const struct ct_field need_rows[] = {
    {"n", CT_T_INT, 0, 0, 0, 0, NULL, NULL, NULL, ""},
};
static const struct ct_fields need_fields =
    CT_FIELDS("need", int64_t, need_rows);
STMT(null_n, "", &need_fields, "select null::bigint as n");
STMT(text_n, "", &need_fields, "select 'x'::text as n");
STMT(other_n, "", &need_fields, "select 1::bigint as m");
STMT(fine_n, "", &need_fields, "select 5::bigint as n");

static const struct ct_stmt *victim;

static void
read_victim(void)
{
	const struct ct_res *r = NULL;
	int64_t n = 0;
	struct ct_pg *own = ct_pg_open(cluster->url, "child", TIMEOUT_MS);

	if (ct_pg_run(own, victim, NULL, arena, &r, &err) == CT_OK)
		ct_res_get(r, 0, &need_fields, &n);
	_exit(n == 5 ? 0 : 3);
}

static void
too_few_params(void)
{
	if (ct_pg_run(pg, &add, NULL, arena, NULL, &err) != CT_OK)
		_exit(3);
}

static void
wrong_param(void)
{
	struct ct_params p;

	ct_params_init(&p, arena);
	ct_p_text(&p, CT_STR("abc"));
	if (ct_pg_run(pg, &add, &p, arena, NULL, &err) != CT_OK)
		_exit(3);
}

static void
test_misuse_aborts(void **state)
{
	const struct ct_stmt *bad[] = {&null_n, &text_n, &other_n};
	const struct ct_res *r = NULL;
	int64_t n = 0;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		victim = bad[i];
		assert_aborts(read_victim);
	}
	assert_aborts(too_few_params);
	assert_aborts(wrong_param);
	assert_int_equal(run_on(pg, &fine_n, 0, &r), CT_OK);
	ct_res_get(r, 0, &need_fields, &n);
	assert_int_equal(n, 5);
}

static void
test_large_value(void **state)
{
	STMT(length, "t", NULL, "select length($1)::bigint as n, $1 as v");
	const size_t n = 8 << 20;
	const struct ct_res *r = NULL;
	struct ct_params p;
	char *text = ct_arena_raw(arena, n);

	(void)state;
	memset(text, 'm', n);
	for (int i = 0; i < 2; i++) { /* pipelined, then plain */
		ct_params_init(&p, arena);
		ct_p_text(&p, (struct ct_str){text, n});
		assert_int_equal(
		    ct_pg_run(pg, &length, &p, arena, &r, &err), CT_OK);
		assert_int_equal(ct_res_i64(r, 0, 0), n);
		assert_int_equal(ct_res_str(r, 0, 1).n, n);
	}
}

/* --- errors --- */

static void
test_errors_are_mapped(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) { /* first use, then prepared */
		assert_int_equal(
		    run_on(pg, &add, 1, NULL), i ? CT_CONFLICT : CT_OK);
		assert_int_equal(run_on(pg, &add, 1, NULL), CT_CONFLICT);
		assert_string_equal(err.code, "exists");
		assert_string_equal(err.detail, "t_pkey");
		assert_int_equal(run_on(pg, &add, -1, NULL), CT_INVALID);
		assert_non_null(strstr(err.detail, "23514"));
		assert_int_equal(
		    run_on(pg, &add, CT_NULL_I64, NULL), CT_INVALID);
		assert_int_equal(run_on(pg, &divide, 0, NULL), CT_INVALID);
		assert_int_equal(run_on(pg, &broken, 0, NULL), CT_INTERNAL);
		assert_non_null(strstr(err.detail, "42703"));
		assert_null(strstr(err.msg, "column"));
		assert_int_equal(number(pg, &count), 1);
	}
}

static void
test_error_at_the_end_of_a_pipeline(void **state)
{
	STMT(late, "", NULL, "insert into d values (1), (1)");

	(void)state;
	assert_int_equal(ct_pg_script(pg,
			     "drop table if exists d; create table d (n int,"
			     " unique (n) deferrable initially deferred)",
			     &err),
	    CT_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_on(pg, &late, 0, NULL), CT_CONFLICT);
	assert_int_equal(number(pg, &one), 1);
}

static void
test_errors_are_counted(void **state)
{
	struct ct_buf b;

	(void)state;
	assert_int_equal(run_on(pg, &divide, 0, NULL), CT_INVALID);
	ct_buf_init(&b, arena, 4096);
	ct_metrics_render(&b);
	ct_buf_addc(&b, '\0');
	assert_non_null(strstr(b.p, "catetube_db_errors_total{class=\"22\"}"));
	assert_non_null(strstr(b.p, "statement=\"divide\""));
}

static void
test_changed_table_heals(void **state)
{
	STMT(all_of_t, "", NULL, "select * from t");

	(void)state;
	assert_int_equal(run_on(pg, &all_of_t, 0, NULL), CT_OK);
	assert_int_equal(
	    ct_pg_script(pg, "alter table t add m int", &err), CT_OK);
	assert_int_equal(run_on(pg, &all_of_t, 0, NULL), CT_RETRY);
	assert_int_equal(run_on(pg, &all_of_t, 0, NULL), CT_OK);
}

/* --- session --- */

static void
test_session(void **state)
{
	static const char *const want[][2] = {{"TimeZone", "UTC"},
	    {"client_encoding", "UTF8"}, {"application_name", "test_pg"},
	    {"statement_timeout", "1800ms"}, {"lock_timeout", "1600ms"},
	    {"work_mem", "5MB"}, {"jit", "off"},
	    {"plan_cache_mode", "force_generic_plan"}};
	char url[256];
	const struct ct_res *r = NULL;
	struct ct_params p;

	(void)state;
	snprintf(
	    url, sizeof(url), "%s options='-c work_mem=5MB'", cluster->url);
	struct ct_pg *own = ct_pg_open(url, "test_pg", TIMEOUT_MS);
	for (size_t i = 0; i < ct_countof(want); i++) {
		ct_params_init(&p, arena);
		ct_p_text(&p, ct_str_of(want[i][0]));
		assert_int_equal(
		    ct_pg_run(own, &setting, &p, arena, &r, &err), CT_OK);
		assert_true(ct_str_is(ct_res_str(r, 0, 0), want[i][1]));
	}
	ct_pg_close(own);
}

/* A trip to tell the server a deadline is made where it would be too far off.
 */
static void
test_deadlines_are_told_seldom(void **state)
{
	static const struct {
		int ms;
		const char *want;
	} table[] = {{2000, "1800ms"}, {1999, "1800ms"}, {1000, "1800ms"},
	    {999, "900ms"}, {1000, "900ms"}, {2000, "1800ms"}, {300, "270ms"}};
	struct ct_pg *own = ct_pg_open(cluster->url, "test_pg", 2000);

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		const struct ct_res *r = NULL;
		struct ct_params p;

		ct_params_init(&p, arena);
		ct_p_text(&p, CT_STR("statement_timeout"));
		ct_pg_timeout(own, table[i].ms);
		assert_int_equal(
		    ct_pg_run(own, &setting, &p, arena, &r, &err), CT_OK);
		assert_string_equal(
		    ct_str_cstr(arena, ct_res_str(r, 0, 0)), table[i].want);
	}
	ct_pg_close(own);
}

/* --- cursors and COPY --- */

static struct ct_cursor *
cursor(const struct ct_stmt *st, int64_t n, int batch)
{
	struct ct_cursor *c = NULL;
	struct ct_params p;

	ct_params_init(&p, arena);
	ct_p_i64(&p, n);
	if (ct_cursor_open(pg, st, &p, batch, arena, &c, &err) != CT_OK)
		fail_msg("%s", err.detail);
	return c;
}

static void
test_cursor(void **state)
{
	const struct ct_res *r = NULL;
	struct ct_arena *batch = ct_arena_create(1 << 16);
	int64_t seen = 0;

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, true, &err), CT_OK);
	struct ct_cursor *c = cursor(&series, 1050, 100);
	for (;;) {
		ct_arena_reset(batch);
		assert_int_equal(ct_cursor_next(c, batch, &r, &err), CT_OK);
		if (ct_res_rows(r) == 0)
			break;
		for (int i = 0; i < ct_res_rows(r); i++)
			assert_int_equal(ct_res_i64(r, i, 0), ++seen);
		/* Others may use the connection meanwhile. */
		if (seen == 300)
			assert_int_equal(number(pg, &one), 1);
	}
	assert_int_equal(seen, 1050);
	assert_int_equal(ct_cursor_next(c, batch, &r, &err), CT_OK);
	assert_int_equal(ct_res_rows(r), 0);
	assert_int_equal(ct_pg_commit(pg, &err), CT_OK);
	ct_arena_destroy(batch);
}

static void
test_two_cursors(void **state)
{
	const struct ct_res *r = NULL;
	int64_t sum = 0;

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, true, &err), CT_OK);
	struct ct_cursor *c[] = {cursor(&series, 10, 3), cursor(&series, 5, 2)};
	for (int i = 0; i < 10; i++) {
		assert_int_equal(
		    ct_cursor_next(c[i % 2], arena, &r, &err), CT_OK);
		for (int k = 0; k < ct_res_rows(r); k++)
			sum += ct_res_i64(r, k, 0);
	}
	assert_int_equal(sum, 55 + 15);
}

static void
test_cursor_error_and_abandon(void **state)
{
	const struct ct_res *r = NULL;
	struct ct_mark mark = ct_arena_mark(arena);
	int batches = 0;

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, true, &err), CT_OK);
	struct ct_cursor *c = cursor(&trap, 1000, 100);
	while (ct_cursor_next(c, arena, &r, &err) == CT_OK)
		batches++;
	assert_int_equal(err.rc, CT_INVALID);
	assert_int_equal(batches, 5);
	assert_int_equal(ct_cursor_next(c, arena, &r, &err), CT_INVALID);
	ct_arena_rewind(arena, mark);

	/* Left with a FETCH on its way. */
	assert_int_equal(ct_pg_begin(pg, arena, true, &err), CT_OK);
	c = cursor(&series, 1000, 100);
	assert_int_equal(ct_cursor_next(c, arena, &r, &err), CT_OK);
	ct_arena_rewind(arena, mark);
	assert_int_equal(number(pg, &one), 1);
}

/* Closed, the server keeps nothing of it, with a batch on its way or not. */
static void
test_cursor_closed(void **state)
{
	static const struct ct_stmt open = {"open_cursors", CT_GLOBAL, CT_READ,
	    "", NULL,
	    "select count(*) as n from pg_cursors where name like "
	    "'ct_cursor%'"};
	const struct ct_res *r = NULL;

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, true, &err), CT_OK);
	struct ct_cursor *c = cursor(&series, 10, 100);
	struct ct_cursor *d = cursor(&series, 1000, 10);
	assert_int_equal(number(pg, &open), 2);
	assert_int_equal(ct_cursor_next(c, arena, &r, &err), CT_OK);
	assert_int_equal(ct_cursor_next(c, arena, &r, &err), CT_OK);
	assert_int_equal(ct_res_rows(r), 0);
	assert_int_equal(ct_cursor_close(c, &err), CT_OK);
	assert_int_equal(number(pg, &open), 1);
	assert_int_equal(ct_cursor_next(d, arena, &r, &err), CT_OK);
	assert_int_equal(ct_cursor_close(d, &err), CT_OK);
	assert_int_equal(number(pg, &open), 0);
	assert_int_equal(ct_pg_commit(pg, &err), CT_OK);
}

static void
test_copy(void **state)
{
	struct ct_buf b;

	(void)state;
	ct_buf_init(&b, arena, 1 << 20);
	for (int i = 1; i <= 100000; i++)
		ct_buf_addf(&b, "%d\n", i);
	assert_int_equal(
	    ct_pg_copy_begin(pg, "copy t (n) from stdin", &err), CT_OK);
	for (int i = 0; i < 2; i++) {
		size_t half = b.n / 2;
		struct ct_str part = {
		    b.p + (i ? half : 0), i ? b.n - half : half};
		assert_int_equal(ct_pg_copy_put(pg, part, &err), CT_OK);
	}
	assert_int_equal(ct_pg_copy_end(pg, &err), CT_OK);
	assert_int_equal(number(pg, &count), 100000);

	assert_int_equal(
	    ct_pg_copy_begin(pg, "copy t (n) from stdin", &err), CT_OK);
	assert_int_equal(ct_pg_copy_put(pg, CT_STR("1\n"), &err), CT_OK);
	assert_int_equal(ct_pg_copy_end(pg, &err), CT_CONFLICT);
	assert_int_equal(
	    ct_pg_copy_begin(pg, "copy nix (n) from stdin", &err), CT_INTERNAL);
	assert_int_equal(number(pg, &count), 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_types_round_trip),
	    T(test_nulls_and_early_times),
	    T(test_misuse_aborts),
	    T(test_large_value),
	    T(test_errors_are_mapped),
	    T(test_error_at_the_end_of_a_pipeline),
	    T(test_errors_are_counted),
	    T(test_changed_table_heals),
	    T(test_session),
	    T(test_deadlines_are_told_seldom),
	    T(test_cursor),
	    T(test_two_cursors),
	    T(test_cursor_error_and_abandon),
	    T(test_cursor_closed),
	    T(test_copy),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
