/*
 * What the programs that test the door to PostgreSQL share: one cluster per
 * program; one connection, one arena and one table t(n) per test.
 */
#ifndef CT_TESTS_PG_FIXTURE_H
#define CT_TESTS_PG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/metrics.h"
#include "db/pg.h"
#include "tests/support/private_pg.h"

#define TIMEOUT_MS 2000

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_arena *arena;
static struct ct_err err;

#define STMT(id, sig, out, sql)                                                \
	static const struct ct_stmt id = {                                     \
	    #id, CT_GLOBAL, CT_WRITE, sig, out, sql}

STMT(one, "", NULL, "select 1::bigint as n");
STMT(add, "i", NULL, "insert into t (n) values ($1)");
STMT(count, "", NULL, "select count(*) as n from t");
STMT(broken, "", NULL, "select no_such_column");
STMT(
    trap, "i", NULL, "select 1 / (550 - n) as q from generate_series(1, $1) n");

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	private_pg_free(cluster);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	arena = ct_arena_create(64 << 20);
	pg = ct_pg_open(cluster->url, "test_pg", TIMEOUT_MS);
	ct_err_clear(&err);
	if (ct_pg_script(pg,
		"do $$ begin create type word_kind as enum ('a', 'b');"
		" exception when duplicate_object then null; end $$;"
		"drop table if exists t;"
		"create table t (n bigint primary key check (n >= 0))",
		&err) != CT_OK)
		fail_msg("%s", err.detail);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	ct_pg_close(pg);
	return 0;
}

static enum ct_rc
run_on(struct ct_pg *on, const struct ct_stmt *st, int64_t arg,
    const struct ct_res **res)
{
	struct ct_params p;

	ct_params_init(&p, arena);
	if (st->sig[0])
		ct_p_i64(&p, arg);
	return ct_pg_run(on, st, &p, arena, res, &err);
}

static int64_t
number(struct ct_pg *on, const struct ct_stmt *st)
{
	const struct ct_res *r = NULL;

	if (run_on(on, st, 0, &r) != CT_OK)
		fail_msg("%s: %s", st->name, err.detail);
	return ct_res_i64(r, 0, ct_res_col(r, "n"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
