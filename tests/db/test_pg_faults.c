/*
 * The door to PostgreSQL when things go wrong: slow statements, a server that
 * freezes, restarts or is killed, transactions cut short, locks that wait.
 */
#include "tests/db/pg_fixture.h"

STMT(nap, "i", NULL, "select 1::bigint as n from pg_sleep($1 / 1000.0)");
STMT(pid, "", NULL, "select pg_backend_pid()::bigint as n");
STMT(end, "i", NULL, "select pg_terminate_backend($1::int) as b");
STMT(next_n, "", NULL,
    "insert into t (n) select coalesce(max(n), 0) + 1 from t");

/* --- deadlines and lost servers --- */

static void
test_slow_statement(void **state)
{
	(void)state;
	ct_pg_timeout(pg, 300);
	int64_t from = ct_mono_ms();
	assert_int_equal(run_on(pg, &nap, 5000, NULL), CT_RETRY);
	assert_true(ct_mono_ms() - from < 300);
	/* The server gave up first: the connection is still good. */
	assert_true(ct_pg_up(pg));
	ct_pg_timeout(pg, TIMEOUT_MS);
	assert_int_equal(run_on(pg, &nap, 400, NULL), CT_OK);
}

static void
test_frozen_server(void **state)
{
	(void)state;
	assert_int_equal(number(pg, &one), 1);
	ct_pg_timeout(pg, 300);
	assert_int_equal(number(pg, &one), 1);
	private_pg_freeze(cluster);
	int64_t from = ct_mono_ms();
	enum ct_rc run = run_on(pg, &one, 0, NULL);
	int64_t run_ms = ct_mono_ms() - from;
	bool up = ct_pg_up(pg);
	from = ct_mono_ms();
	enum ct_rc connect = run_on(pg, &one, 0, NULL);
	int64_t connect_ms = ct_mono_ms() - from;
	from = ct_mono_ms();
	enum ct_rc backing_off = run_on(pg, &one, 0, NULL);
	int64_t backing_off_ms = ct_mono_ms() - from;
	private_pg_thaw(cluster);

	assert_int_equal(run, CT_RETRY);
	assert_in_range(run_ms, 299, 600);
	assert_false(up);
	assert_int_equal(connect, CT_RETRY);
	assert_in_range(connect_ms, 299, 600);
	assert_int_equal(backing_off, CT_RETRY);
	assert_in_range(backing_off_ms, 0, 20);
	ct_pg_timeout(pg, TIMEOUT_MS);
	from = ct_mono_ms();
	while (run_on(pg, &one, 0, NULL) != CT_OK)
		assert_true(ct_mono_ms() - from < 10000);
}

static void
test_restart_and_kill(void **state)
{
	int64_t from;

	(void)state;
	assert_int_equal(number(pg, &one), 1);
	private_pg_kill(cluster);
	private_pg_start(cluster);
	from = ct_mono_ms();
	while (run_on(pg, &one, 0, NULL) != CT_OK) {
		assert_int_equal(err.rc, CT_RETRY);
		assert_true(ct_mono_ms() - from < 10000);
	}
	private_pg_stop(cluster);
	assert_int_equal(run_on(pg, &one, 0, NULL), CT_RETRY);
	assert_false(ct_pg_up(pg));
	assert_int_equal(run_on(pg, &one, 0, NULL), CT_RETRY);
	private_pg_start(cluster);
	from = ct_mono_ms();
	while (run_on(pg, &one, 0, NULL) != CT_OK)
		assert_true(ct_mono_ms() - from < 10000);
}

static void
test_back_off_grows(void **state)
{
	int64_t from = ct_mono_ms();
	int tries = 0;
	struct ct_pg *none =
	    ct_pg_open("host=/nonexistent", "none", TIMEOUT_MS);

	(void)state;
	while (ct_mono_ms() - from < 1000) {
		assert_int_equal(ct_pg_ready(none, &err), CT_RETRY);
		if (strstr(err.detail, "nonexistent"))
			tries++;
		usleep(1000);
	}
	/* 50, 100, 200, 400, 800 ms, each halved at the most. */
	assert_in_range(tries, 3, 7);
	ct_pg_close(none);
}

static void
terminate(int64_t backend)
{
	struct ct_pg *other = ct_pg_open(cluster->url, "other", TIMEOUT_MS);

	assert_int_equal(run_on(other, &end, backend, NULL), CT_OK);
	ct_pg_close(other);
}

static void
test_idle_loss_costs_nothing(void **state)
{
	(void)state;
	terminate(number(pg, &pid));
	usleep(1100 * 1000); /* what counts as idle */
	assert_int_equal(number(pg, &one), 1);
}

/* --- transactions --- */

static void
test_rollback_and_commit(void **state)
{
	struct ct_arena *work = ct_arena_create(1 << 20);

	(void)state;
	assert_int_equal(ct_pg_begin(pg, work, false, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_OK);
	ct_arena_reset(work);
	assert_int_equal(number(pg, &count), 0);

	assert_int_equal(ct_pg_begin(pg, work, false, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_OK);
	assert_int_equal(ct_pg_commit(pg, &err), CT_OK);
	ct_arena_reset(work);
	assert_int_equal(number(pg, &count), 1);

	/* COMMIT of a failed one must not look like success. */
	assert_int_equal(ct_pg_begin(pg, work, false, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 2, NULL), CT_OK);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_CONFLICT);
	assert_int_equal(ct_pg_commit(pg, &err), CT_INTERNAL);
	assert_int_equal(number(pg, &count), 1);

	assert_int_equal(ct_pg_begin(pg, work, true, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 3, NULL), CT_INTERNAL);
	ct_arena_destroy(work);
	assert_int_equal(number(pg, &count), 1);
}

static void
test_lost_within_a_transaction(void **state)
{
	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, false, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_OK);
	terminate(number(pg, &pid));
	assert_int_equal(run_on(pg, &add, 2, NULL), CT_RETRY);
	/* A new connection would commit this one alone. */
	assert_int_equal(run_on(pg, &add, 3, NULL), CT_RETRY);
	assert_int_equal(ct_pg_commit(pg, &err), CT_RETRY);
	assert_int_equal(number(pg, &count), 0);
}

static void
test_rollback_with_a_new_timeout(void **state)
{
	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, false, &err), CT_OK);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_OK);
	assert_int_equal(run_on(pg, &broken, 0, NULL), CT_INTERNAL);
	ct_pg_timeout(pg, 1000);
	ct_pg_rollback(pg);
	assert_int_equal(run_on(pg, &add, 1, NULL), CT_OK);
	assert_int_equal(number(pg, &count), 1);
}

/* --- locks --- */

static void *
add_locked(void *arg)
{
	struct ct_pg *own = ct_pg_open(cluster->url, "locked", TIMEOUT_MS);
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_err e;
	enum ct_rc *rc = arg;

	*rc = ct_pg_run_locked(own, 42, &next_n, NULL, a, NULL, &e);
	ct_arena_destroy(a);
	ct_pg_close(own);
	return NULL;
}

STMT(waiting, "", NULL,
    "select count(*) as n from pg_locks"
    " where locktype = 'advisory' and not granted");
STMT(held, "", NULL,
    "select count(*) as n from pg_locks"
    " where locktype = 'advisory' and granted");

static void
test_locked_statement_sees_the_holder(void **state)
{
	struct ct_pg *watch = ct_pg_open(cluster->url, "watch", TIMEOUT_MS);
	enum ct_rc rc = CT_INTERNAL;
	pthread_t thread;

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, false, &err), CT_OK);
	assert_int_equal(
	    ct_pg_run_locked(pg, 42, &next_n, NULL, arena, NULL, &err), CT_OK);
	assert_int_equal(number(watch, &held), 1);
	assert_int_equal(pthread_create(&thread, NULL, add_locked, &rc), 0);
	int64_t from = ct_mono_ms();
	while (number(watch, &waiting) == 0)
		assert_true(ct_mono_ms() - from < 1500);
	assert_int_equal(ct_pg_commit(pg, &err), CT_OK);
	pthread_join(thread, NULL);
	/* With a snapshot from before the lock this would be a conflict. */
	assert_int_equal(rc, CT_OK);
	assert_int_equal(number(pg, &count), 2);
	assert_int_equal(number(watch, &held), 0);
	ct_pg_close(watch);
}

static void
test_lock_timeout(void **state)
{
	struct ct_pg *other = ct_pg_open(cluster->url, "other", 3000);

	(void)state;
	assert_int_equal(ct_pg_begin(pg, arena, false, &err), CT_OK);
	assert_int_equal(
	    ct_pg_run_locked(pg, 7, &next_n, NULL, arena, NULL, &err), CT_OK);
	assert_int_equal(
	    ct_pg_run_locked(other, 7, &next_n, NULL, arena, NULL, &err),
	    CT_RETRY);
	assert_non_null(strstr(err.detail, "55P03"));
	assert_true(ct_pg_up(other));
	assert_int_equal(ct_pg_commit(pg, &err), CT_OK);
	assert_int_equal(
	    ct_pg_run_locked(other, 7, &next_n, NULL, arena, NULL, &err),
	    CT_OK);
	assert_int_equal(number(other, &held), 0);
	ct_pg_close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_slow_statement),
	    T(test_frozen_server),
	    T(test_restart_and_kill),
	    T(test_back_off_grows),
	    T(test_idle_loss_costs_nothing),
	    T(test_rollback_and_commit),
	    T(test_lost_within_a_transaction),
	    T(test_rollback_with_a_new_timeout),
	    T(test_locked_statement_sees_the_holder),
	    T(test_lock_timeout),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
