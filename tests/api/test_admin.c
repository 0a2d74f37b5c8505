/*
 * What administrators can do, and what they cannot: see anything of a cat, lock
 * themselves out, or go on when they are administrators no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/account.h"
#include "tests/support/app.h"

#define CANARY "canary of a cat"

static struct ct_err err;

static struct ct_pg *
open_pg(struct ct_who *who)
{
	struct ct_pg *pg =
	    ct_pg_open(ct_t_env("DATABASE_URL", ""), "test", 10000);

	ct_arena_defer(who->a, (void (*)(void *))(void *)ct_pg_close, pg);
	return pg;
}

static void
script(struct ct_pg *pg, const char *sql)
{
	if (ct_pg_script(pg, sql, &err) != CT_OK)
		fail_msg("%s: %s %s", sql, err.msg, err.detail);
}

static struct ct_who *
admin(struct ct_who *who, struct ct_pg *pg)
{
	struct ct_who *me = ct_who_register(who->a, NULL, NULL);

	script(pg,
	    ct_path(who, "update account set role = 'admin' where id = '%s'",
		me->id));
	return me;
}

static const struct ct_answer *
act(struct ct_who *boss, const char *method, const char *id, const char *what)
{
	return ct_call(boss, method,
	    ct_path(boss, "/api/admin/account/%s%s", id, what), NULL);
}

static const char *
status_of(struct ct_who *boss, const char *id)
{
	return ct_text(ct_want(act(boss, "GET", id, ""), 200), "status");
}

static const struct ct_answer *
login(struct ct_who *who, const char *email)
{
	return ct_ask_patiently(
	    who, &(struct ct_ask){.method = "POST",
		     .path = "/api/auth/login",
		     .body = ct_str_of(
			 ct_path(who, "{\"email\":\"%s\",\"password\":\"%s\"}",
			     email, CT_T_PASSWORD))});
}

static void
list_is_metadata(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	const struct ct_answer *r;

	ct_want(ct_call(who, "PUT", "/api/auth/profile",
		    "{'cat_name':'" CANARY "','first_name':'" CANARY "'}"),
	    200);
	ct_want(ct_call(who, "POST", "/api/feeding/",
		    "{'amount_ml':5,'notes':'" CANARY "'}"),
	    201);
	r = ct_want(
	    ct_get(boss, ct_path(boss, "/api/admin/account?q=%s&status=active",
			     who->email)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
	assert_string_equal(ct_text(r, "accounts.0.email"), who->email);
	assert_string_equal(ct_text(r, "accounts.0.id"), who->id);
	assert_int_equal(ct_i64(r, "accounts.0.sessions"), 1);
	assert_false(ct_says(r, CANARY));
	assert_false(ct_says(r, "argon2"));
	assert_false(ct_says(r, "cat"));
	r = ct_want(act(boss, "GET", who->id, ""), 200);
	assert_false(ct_says(r, CANARY));
	/* Nothing fits, and a page past the end still tells how many. */
	r = ct_want(ct_get(boss,
			ct_path(boss, "/api/admin/account?q=%s&status=disabled",
			    who->email)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 0);
	r = ct_want(
	    ct_get(
		boss, ct_path(boss, "/api/admin/account?q=%s&page=9&per_page=0",
			  who->email)),
	    200);
	assert_int_equal(ct_count(r, "accounts"), 0);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
	assert_int_equal(ct_i64(r, "pagination.per_page"), 1);
}

static void
bad_input_is_told(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	static const struct {
		const char *query, *field;
	} rows[] = {
	    {"account?status=gone", "status"},
	    {"account?q=", "q"},
	    {"account?page=x", "page"},
	    {"account?role=admin", "role"},
	    {"account?q=a&q=b", "q"},
	    {"audit?account_id=7", "account_id"},
	    {"audit?noun=feeding", "noun"},
	};

	for (unsigned i = 0; i < ct_countof(rows); i++)
		ct_want_error(
		    ct_get(boss, ct_path(boss, "/api/admin/%s", rows[i].query)),
		    400, NULL, rows[i].field);
	ct_want_error(
	    ct_call(boss, "POST",
		ct_path(boss, "/api/admin/account/%s/disable", who->id),
		"{'why':'x'}"),
	    400, NULL, "why");
	assert_string_equal(status_of(boss, who->id), "active");
}

static void
no_such_account(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	const char *never = "01930000-0000-7000-8000-00000000dead";

	ct_want_error(act(boss, "GET", never, ""), 404, "not_found", NULL);
	ct_want_error(
	    act(boss, "GET", "00000000-0000-0000-0000-000000000000", ""), 404,
	    "not_found", NULL);
	ct_want_error(
	    act(boss, "POST", never, "/disable"), 404, "not_found", NULL);
	ct_want_error(
	    act(boss, "POST", never, "/enable"), 404, "not_found", NULL);
	ct_want_error(
	    act(boss, "DELETE", never, "/session"), 404, "not_found", NULL);
}

static void
disable_closes_at_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	struct ct_who *other = ct_who_login(who->a, who, NULL);
	struct ct_who *device = ct_who_nobody(who->a, NULL);
	struct ct_ask by_token = {.method = "GET", .path = "/api/auth/me"};

	by_token.more[0] = ct_path(who, "Authorization: Bearer %s",
	    ct_text(ct_want(ct_call(who, "POST", "/api/auth/token",
				"{'name':'n','scope':'read'}"),
			201),
		"token"));
	/* All three are known to the cache. */
	ct_want(ct_get(who, "/api/auth/me"), 200);
	ct_want(ct_get(other, "/api/auth/me"), 200);
	ct_want(ct_ask(device, &by_token), 200);
	ct_want(act(boss, "POST", who->id, "/disable"), 200);
	ct_want_error(ct_get(who, "/api/auth/me"), 401, NULL, NULL);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, NULL, NULL);
	ct_want_error(ct_ask(device, &by_token), 401, NULL, NULL);
	ct_want_error(login(who, who->email), 401, NULL, NULL);
	assert_string_equal(status_of(boss, who->id), "disabled");
	ct_want_error(
	    act(boss, "POST", who->id, "/disable"), 409, "status", NULL);
	ct_want(act(boss, "POST", who->id, "/enable"), 200);
	assert_true(ct_take_cookie(who, ct_want(login(who, who->email), 200)));
	ct_want(ct_get(who, "/api/auth/me"), 200);
	ct_want(ct_ask(device, &by_token), 200);
	ct_want_error(
	    act(boss, "POST", who->id, "/enable"), 409, "status", NULL);
}

/* Who closed the account on their own opens it on their own. */
static void
enable_is_for_disabled_ones(void **state)
{
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);
	struct ct_who *boss = admin(who, pg);

	script(
	    pg, ct_path(who,
		    "update account set status = 'deactivated' where id = '%s'",
		    who->id));
	ct_want_error(
	    act(boss, "POST", who->id, "/enable"), 409, "status", NULL);
	assert_string_equal(status_of(boss, who->id), "deactivated");
	ct_want(act(boss, "POST", who->id, "/disable"), 200);
	assert_string_equal(status_of(boss, who->id), "disabled");
}

static void
nobody_disables_themself(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));

	ct_want_error(
	    act(boss, "POST", boss->id, "/disable"), 409, "self", NULL);
	assert_string_equal(status_of(boss, boss->id), "active");
}

/*
 * The copy of the session still says admin: the statements do not believe it.
 * That also keeps the last active admin: the one who asks is one.
 */
static void
former_admins_can_nothing(void **state)
{
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);
	struct ct_who *boss = admin(who, pg);
	struct ct_who *past = admin(who, pg);
	static const char *const changes[] = {
	    "role = 'user'", "role = 'admin', status = 'disabled'"};

	ct_want(ct_get(past, "/api/admin/account"), 200);
	for (unsigned i = 0; i < ct_countof(changes); i++) {
		script(pg, ct_path(who, "update account set %s where id = '%s'",
			       changes[i], past->id));
		ct_want_error(
		    ct_get(past, "/api/admin/account"), 403, "admin", NULL);
		ct_want_error(
		    ct_get(past, "/api/admin/audit"), 403, "admin", NULL);
		ct_want_error(
		    act(past, "GET", who->id, ""), 403, "admin", NULL);
		ct_want_error(act(past, "POST", boss->id, "/disable"), 403,
		    "admin", NULL);
		ct_want_error(
		    act(past, "POST", boss->id, "/enable"), 403, "admin", NULL);
		ct_want_error(act(past, "DELETE", boss->id, "/session"), 403,
		    "admin", NULL);
		ct_want_error(
		    ct_call(past, "POST", "/api/admin/cleanup-inactive", NULL),
		    403, "admin", NULL);
	}
	assert_string_equal(status_of(boss, boss->id), "active");
}

/* A program does not administer, whatever its owner may do. */
static void
tokens_do_not_administer(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	struct ct_who *device = ct_who_nobody(who->a, NULL);
	struct ct_ask ask = {.method = "GET", .path = "/api/admin/account"};

	ask.more[0] = ct_path(who, "Authorization: Bearer %s",
	    ct_text(ct_want(ct_call(boss, "POST", "/api/auth/token",
				"{'name':'n','scope':'full'}"),
			201),
		"token"));
	ct_want_error(ct_ask(device, &ask), 403, "scope", NULL);
}

static void
sessions_end_and_account_stays(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	struct ct_who *other = ct_who_login(who->a, who, NULL);
	const struct ct_answer *r;

	ct_want(ct_get(who, "/api/auth/me"), 200);
	ct_want(ct_get(other, "/api/auth/me"), 200);
	r = ct_want(act(boss, "DELETE", who->id, "/session"), 200);
	assert_int_equal(ct_i64(r, "data.sessions"), 0);
	ct_want_error(ct_get(who, "/api/auth/me"), 401, NULL, NULL);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, NULL, NULL);
	ct_want(login(who, who->email), 200);
	ct_want(ct_get(boss, "/api/auth/me"), 200);
}

/* Each act is there, by whom and on whom; what is about a cat is not. */
static void
acts_are_audited(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	static const char *const actions[] = {
	    "enable", "end_sessions", "disable"};
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':5}"), 201);
	const char *meal = ct_text(r, "data.id");

	ct_want(ct_call(who, "PATCH", ct_path(who, "/api/feeding/%s", meal),
		    "{'notes':'" CANARY "'}"),
	    200);
	ct_want(
	    ct_call(who, "DELETE", ct_path(who, "/api/feeding/%s", meal), NULL),
	    200);
	ct_want(act(boss, "POST", who->id, "/disable"), 200);
	ct_want(act(boss, "DELETE", who->id, "/session"), 200);
	ct_want(act(boss, "POST", who->id, "/enable"), 200);
	r = ct_want(ct_get(boss, ct_path(boss, "/api/admin/audit?account_id=%s",
				     who->id)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 3);
	for (unsigned i = 0; i < ct_countof(actions); i++) {
		assert_string_equal(
		    ct_text(r, ct_path(who, "events.%u.action", i)),
		    actions[i]);
		assert_string_equal(
		    ct_text(r, ct_path(who, "events.%u.account_id", i)),
		    boss->id);
		assert_string_equal(
		    ct_text(r, ct_path(who, "events.%u.noun_id", i)), who->id);
	}
	assert_false(ct_says(r, CANARY));
	assert_false(ct_says(r, meal));
	r = ct_want(
	    ct_get(boss,
		ct_path(boss, "/api/admin/audit?account_id=%s&action=enable",
		    boss->id)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
}

/* An administrator who leaves does not take along what was done. */
static void
acts_outlive_who_did_them(void **state)
{
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);
	struct ct_who *boss = admin(who, pg), *other = admin(who, pg);
	const struct ct_answer *r;

	ct_want(act(boss, "POST", who->id, "/disable"), 200);
	ct_want(ct_call(boss, "POST", "/api/auth/delete",
		    "{'password':'" CT_T_PASSWORD "'}"),
	    200);
	r = ct_want(
	    ct_get(other,
		ct_path(other, "/api/admin/audit?account_id=%s", who->id)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
	assert_true(ct_is_null(r, "events.0.account_id"));
	assert_false(ct_says(r, boss->id));
}

static void
cleanup_is_noted(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *boss = admin(who, open_pg(who));
	const struct ct_answer *r;

	ct_want(
	    ct_call(boss, "POST", "/api/admin/cleanup-inactive", NULL), 200);
	r = ct_want(ct_get(boss, ct_path(boss,
				     "/api/admin/audit?account_id=%s"
				     "&action=cleanup_inactive",
				     boss->id)),
	    200);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
	assert_true(ct_is_null(r, "events.0.noun_id"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(list_is_metadata),
	    ct_api_test(bad_input_is_told),
	    ct_api_test(no_such_account),
	    ct_api_test(disable_closes_at_once),
	    ct_api_test(enable_is_for_disabled_ones),
	    ct_api_test(nobody_disables_themself),
	    ct_api_test(former_admins_can_nothing),
	    ct_api_test(tokens_do_not_administer),
	    ct_api_test(sessions_end_and_account_stays),
	    ct_api_test(acts_are_audited),
	    ct_api_test(acts_outlive_who_did_them),
	    ct_api_test(cleanup_is_noted),
	};

	return cmocka_run_group_tests_name(
	    "api/admin", tests, ct_api_group, NULL);
}
