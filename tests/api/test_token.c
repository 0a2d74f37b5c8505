/*
 * API tokens: shown once, taken as Bearer only, bound by scope, cat and end,
 * gone at once when revoked. test_tenants.c walks the routes with them; here is
 * what a walk does not see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/hand.h"

#define TOKENS	   "/api/auth/token"
#define TOKENS_MAX 50

/* A program that shows the token and has no cookie. */
struct program {
	struct ct_who *who;
	const char *text, *id;
};

static const struct ct_answer *
add(struct ct_who *who, const char *scope, const char *more)
{
	return ct_call(who, "POST", TOKENS, "{'name':'feeder','scope':'%s'%s}",
	    scope, more);
}

static struct program
program(struct ct_who *owner, const char *scope, const char *more)
{
	const struct ct_answer *r = ct_want(add(owner, scope, more), 201);

	return (struct program){ct_who_nobody(owner->a, NULL),
	    ct_text(r, "token"), ct_text(r, "data.id")};
}

/* As a program asks: no cookie, no Origin. */
static const struct ct_answer *
ask(const struct program *p, const char *method, const char *path,
    const char *body)
{
	struct ct_ask ask = {.method = method,
	    .path = path,
	    .origin = "",
	    .more = {ct_path(p->who, "Authorization: Bearer %s", p->text)}};

	if (body)
		ask.body = ct_str_of(ct_quoted(p->who->a, body));
	return ct_ask(p->who, &ask);
}

static void
want_dead(const struct program *p)
{
	ct_want_error(ask(p, "GET", "/api/auth/me", NULL), 401, "token", NULL);
	ct_want_error(
	    ask(p, "GET", "/api/tracker/today", NULL), 401, "token", NULL);
}

static const char *
cat_of(struct ct_who *who)
{
	return ct_text(
	    ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_id");
}

/* A second cat of the account's. */
static const char *
add_cat(struct ct_hand *h, struct ct_who *who)
{
	struct ct_uuid id = ct_uuid_new();
	char *text = ct_arena_alloc(who->a, CT_UUID_TEXT);

	ct_uuid_format(&id, text);
	ct_hand_sql(
	    h, "insert into cat (id, name) values ('%s', 'second')", text);
	ct_hand_member(h, text, who->id, 4);
	ct_hand_forget(h);
	return text;
}

static void
shown_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const struct ct_answer *r = ct_want(add(who, "read", ""), 201);
	const char *text = ct_text(r, "token");

	assert_int_equal(strncmp(text, "ctp_", 4), 0);
	assert_int_equal(strlen(text), 4 + 43);
	assert_string_equal(ct_text(r, "data.name"), "feeder");
	assert_string_equal(ct_text(r, "data.scope"), "read");
	assert_true(ct_is_null(r, "data.cat_id"));
	assert_true(ct_is_null(r, "data.expires_at"));
	assert_true(ct_is_null(r, "data.used_at"));
	r = ct_want(ct_get(who, TOKENS), 200);
	assert_int_equal(ct_count(r, "tokens"), 1);
	assert_string_equal(ct_text(r, "tokens.0.name"), "feeder");
	assert_false(ct_says(r, text + 4));
	assert_null(ct_find(r, "tokens.0.token"));
	/* Nor is it in the database. */
	assert_string_equal(
	    ct_hand_get(h, who->a,
		"select count(*) as x from api_token t where t::text like"
		" '%%%s%%' or t.token_hash = convert_to('%s', 'UTF8')",
		text + 4, text),
	    "0");
}

static void
bearer_only(void **state)
{
	struct ct_who *who = *state;
	struct program p = program(who, "full", "");
	struct ct_who *thief = ct_who_nobody(who->a, NULL);

	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	/* Twice: the second time from Redis. */
	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	snprintf(thief->cookie, sizeof(thief->cookie), "catetube=%s", p.text);
	ct_want_error(ct_get(thief, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	p.text = ct_path(who, "%sx", p.text);
	ct_want_error(
	    ask(&p, "GET", "/api/auth/me", NULL), 401, CT_T_UNAUTH, NULL);
	p.text = "ctp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	want_dead(&p);
}

static void
scopes(void **state)
{
	struct ct_who *who = *state;
	static const char *const names[] = {"read", "log", "full"};
	static const struct {
		const char *method, *path, *body;
		int status[3]; /* of read, log, full */
	} table[] = {
	    {"GET", "/api/tracker/today", NULL, {200, 200, 200}},
	    {"GET", "/api/feeding", NULL, {200, 200, 200}},
	    {"POST", "/api/feeding", "{'amount_ml':1}", {403, 201, 201}},
	    {"POST", "/api/tracker/today", "{'daily_target_ml':200}",
		{403, 403, 200}},
	    {"POST", "/api/tracker/reset", "{}", {403, 403, 200}},
	    {"PUT", "/api/auth/profile", "{'first_name':'B'}", {403, 403, 403}},
	    {"POST", "/api/auth/change-password",
		"{'current_password':'" CT_T_PASSWORD
		"','new_password':'eight cold syringes'}",
		{403, 403, 403}},
	    {"POST", TOKENS, "{'name':'n','scope':'full'}", {403, 403, 403}},
	    {"GET", TOKENS, NULL, {403, 403, 403}},
	    {"POST", "/api/auth/logout", NULL, {403, 403, 403}},
	    {"POST", "/api/auth/deactivate", "{'password':'" CT_T_PASSWORD "'}",
		{403, 403, 403}},
	    {"POST", "/api/auth/delete", "{'password':'" CT_T_PASSWORD "'}",
		{403, 403, 403}},
	};

	for (unsigned s = 0; s < ct_countof(names); s++) {
		struct program p = program(who, names[s], "");

		for (unsigned i = 0; i < ct_countof(table); i++) {
			const struct ct_answer *r = ask(
			    &p, table[i].method, table[i].path, table[i].body);

			ct_want(r, table[i].status[s]);
			if (r->status == 403)
				ct_want_error(r, 403, "scope", NULL);
		}
	}
	/* The session that made them is what it was. */
	ct_want(ct_get(who, "/api/auth/me"), 200);
}

/* A feeder's mistakes are its own account's; another's entries it leaves. */
static void
log_changes_own_entries(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	struct ct_who *carer = ct_who_register(who->a, NULL, NULL);
	const char *cat = cat_of(who);
	const char *body = ct_path(who, "{'amount_ml':5,'cat_id':'%s'}", cat);
	struct program log, full;
	const char *own, *others;

	ct_hand_member(h, cat, carer->id, 3);
	ct_hand_forget(h);
	log = program(carer, "log", "");
	full = program(carer, "full", "");
	own = ct_path(who, "/api/feeding/%s",
	    ct_text(ct_want(ask(&log, "POST", "/api/feeding", body), 201),
		"data.id"));
	others = ct_path(who, "/api/feeding/%s",
	    ct_text(
		ct_want(ct_call(who, "POST", "/api/feeding", "{'amount_ml':5}"),
		    201),
		"data.id"));
	ct_want(ask(&log, "PATCH", own, "{'amount_ml':6}"), 200);
	ct_want(ask(&log, "DELETE", own, NULL), 200);
	ct_want(ask(&log, "POST", ct_path(who, "%s/restore", own), NULL), 200);
	ct_want(ask(&log, "GET", others, NULL), 200);
	ct_want_error(ask(&log, "PATCH", others, "{'amount_ml':6}"), 403,
	    "forbidden", NULL);
	ct_want_error(
	    ask(&log, "DELETE", others, NULL), 403, "forbidden", NULL);
	assert_int_equal(
	    ct_i64(ct_want(ct_get(who, others), 200), "version"), 1);
	/* What the account's role allows, a full one may. */
	ct_want(ask(&full, "PATCH", others, "{'amount_ml':6}"), 200);
}

static void
bound_to_a_cat(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *first = cat_of(who), *second = add_cat(h, who);
	struct program p =
	    program(who, "log", ct_path(who, ",'cat_id':'%s'", second));
	static const char *const lists[] = {"/api/tracker/today",
	    "/api/tracker/history", "/api/tracker/stats", "/api/feeding",
	    "/api/medication_log"};
	const char *meal = ct_text(
	    ct_want(
		ct_call(who, "POST", "/api/feeding", "{'amount_ml':5}"), 201),
	    "data.id");
	const char *report = ct_text(
	    ct_want(ct_call(who, "POST", "/api/report/feeding", "{}"), 202),
	    "report_id");
	const struct ct_answer *r;

	for (unsigned i = 0; i < ct_countof(lists); i++) {
		/* By the owner too, so that there is a cached one to leak. */
		const char *path =
		    ct_path(who, "%s?cat_id=%s", lists[i], first);

		ct_want(ct_get(who, path), 200);
		ct_want(ct_get(who, path), 200);
		ct_want_error(
		    ask(&p, "GET", path, NULL), 404, "not_found", NULL);
		path = ct_path(who, "%s?cat_id=%s", lists[i], second);
		ct_want(ask(&p, "GET", path, NULL), 200);
		r = ct_want(ask(&p, "GET", lists[i], NULL), 200);
		assert_false(ct_says(r, first));
	}
	ct_want_error(
	    ask(&p, "GET", ct_path(who, "/api/feeding/%s", meal), NULL), 404,
	    "not_found", NULL);
	ct_want_error(
	    ask(&p, "GET", ct_path(who, "/api/report/status/%s", report), NULL),
	    404, "not_found", NULL);
	ct_want_error(ask(&p, "POST", "/api/feeding",
			  ct_path(who, "{'amount_ml':1,'cat_id':'%s'}", first)),
	    404, "not_found", NULL);
	/* Without one it writes to its own cat, not to the default one. */
	r = ct_want(ask(&p, "POST", "/api/feeding", "{'amount_ml':7}"), 201);
	assert_string_equal(ct_text(r, "data.cat_id"), second);
	assert_int_equal(ct_meals(who), 1);
	r = ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	assert_true(ct_is_null(r, "user.cat_id"));
	r = ct_want(ask(&p, "GET", "/api/report/active", NULL), 200);
	assert_int_equal(ct_count(r, "active_reports"), 0);
}

/* Who leaves a cat takes no token with them. */
static void
ends_with_the_membership(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *second = add_cat(h, who);
	const char *bound = ct_path(who, ",'cat_id':'%s'", second);
	struct program p = program(who, "read", bound);

	ct_want(ask(&p, "GET", "/api/tracker/today", NULL), 200);
	ct_hand_sql(h,
	    "delete from cat_member where cat_id = '%s'"
	    " and account_id = '%s'",
	    second, who->id);
	ct_hand_forget(h);
	want_dead(&p);
	ct_want_error(add(who, "read", bound), 404, "not_found", NULL);
}

/* Its copy in Redis does not outlive it. */
static void
ends_when_it_says(void **state)
{
	struct ct_who *who = *state;
	struct program p = program(
	    who, "read", ct_path(who, ",'expires_at':'%s'", ct_when(who, 3)));
	int64_t end = ct_mono_ms() + 5000;
	int status;

	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	do {
		nanosleep(&(struct timespec){0, 100000000}, NULL);
		status = ask(&p, "GET", "/api/auth/me", NULL)->status;
	} while (status == 200 && ct_mono_ms() < end);
	want_dead(&p);
	/* It stays in the list, so that one sees what ended. */
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, TOKENS), 200), "tokens"), 1);
}

static void
revoked_at_once(void **state)
{
	struct ct_who *who = *state;
	struct program p = program(who, "full", "");
	struct program other = program(who, "full", "");
	const char *path = ct_path(who, TOKENS "/%s", p.id);

	for (unsigned i = 0; i < 3; i++)
		ct_want(ask(&p, "GET", "/api/tracker/today", NULL), 200);
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	want_dead(&p);
	/* Doing it again says the same. */
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	ct_want(ask(&other, "GET", "/api/auth/me", NULL), 200);
	assert_false(ct_is_null(
	    ct_want(ct_get(who, TOKENS), 200), "tokens.1.revoked_at"));
}

#define IS_USED_NOW                                                            \
	"select used_at > now() - interval '1 minute' as x from api_token"     \
	" where id = '%s'"

static void
use_is_noted(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	struct program p = program(who, "read", "");

	assert_true(
	    ct_is_null(ct_want(ct_get(who, TOKENS), 200), "tokens.0.used_at"));
	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	ct_text(ct_want(ct_get(who, TOKENS), 200), "tokens.0.used_at");
	assert_string_equal(ct_hand_get(h, who->a, IS_USED_NOW, p.id), "true");
	/* Again after a while; not at every request. */
	ct_hand_sql(h,
	    "update api_token set used_at = now() - interval '1 hour'"
	    " where id = '%s'",
	    p.id);
	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	assert_string_equal(ct_hand_get(h, who->a, IS_USED_NOW, p.id), "false");
	ct_hand_forget(h);
	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	assert_string_equal(ct_hand_get(h, who->a, IS_USED_NOW, p.id), "true");
}

struct made {
	int n[8]; /* of each thread */
};

static void
add_many(struct ct_who *twin, unsigned i, void *arg)
{
	struct made *made = arg;

	for (unsigned k = 0; k < 2; k++)
		made->n[i] += add(twin, "read", "")->status == 201;
}

static void
fifty_at_most(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	struct made made = {0};
	const char *id = NULL;
	int n = 0;

	for (unsigned i = 0; i < TOKENS_MAX - 3; i++)
		id = ct_text(ct_want(add(who, "read", ""), 201), "data.id");
	ct_hand_lift(h);
	/* Sixteen at once for three places. */
	ct_at_once(who, ct_countof(made.n), add_many, &made);
	for (unsigned i = 0; i < ct_countof(made.n); i++)
		n += made.n[i];
	assert_int_equal(n, 3);
	ct_hand_lift(h);
	ct_want_error(add(who, "read", ""), 409, "too_many", NULL);
	ct_want(
	    ct_call(who, "DELETE", ct_path(who, TOKENS "/%s", id), NULL), 200);
	ct_want(add(who, "read", ""), 201);
}

static void
of_other_accounts(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct program p = program(who, "read", "");
	const char *path = ct_path(who, TOKENS "/%s", p.id);

	ct_want_error(
	    ct_call(other, "DELETE", path, NULL), 404, "not_found", NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(other, TOKENS), 200), "tokens"), 0);
	ct_want(ask(&p, "GET", "/api/auth/me", NULL), 200);
	ct_want_error(
	    add(other, "read", ct_path(who, ",'cat_id':'%s'", cat_of(who))),
	    404, "not_found", NULL);
}

#define OK_BUT(more) "{'name':'n','scope':'read'," more "}"

static void
bad_input(void **state)
{
	struct ct_who *who = *state;
	const struct {
		const char *body, *field;
	} table[] = {
	    {"{}", "name"},
	    {"{'scope':'read'}", "name"},
	    {"{'name':'n'}", "scope"},
	    {"{'name':'','scope':'read'}", "name"},
	    {"{'name':'   ','scope':'read'}", "name"},
	    {"{'name':7,'scope':'read'}", "name"},
	    {"{'name':null,'scope':'read'}", "name"},
	    {ct_path(who, "{'name':'%0101d','scope':'read'}", 0), "name"},
	    {"{'name':'n','scope':''}", "scope"},
	    {"{'name':'n','scope':'admin'}", "scope"},
	    {"{'name':'n','scope':'READ'}", "scope"},
	    {"{'name':'n','scope':['read']}", "scope"},
	    {ct_path(
		 who, "{'name':'n','scope':'full','cat_id':'%s'}", cat_of(who)),
		"cat_id"},
	    {OK_BUT("'cat_id':'x'"), "cat_id"},
	    {OK_BUT("'cat_id':7"), "cat_id"},
	    {OK_BUT("'expires_at':'tomorrow'"), "expires_at"},
	    {OK_BUT("'expires_at':'2099-01-01'"), "expires_at"},
	    {OK_BUT("'expires_at':'2099-01-01T00:00:00'"), "expires_at"},
	    {OK_BUT("'expires_at':'2020-01-01T00:00:00Z'"), "expires_at"},
	    {ct_path(who, OK_BUT("'expires_at':'%s'"), ct_when(who, -1)),
		"expires_at"},
	    {OK_BUT("'id':'x'"), "id"},
	    {OK_BUT("'token':'ctp_x'"), "token"},
	    {OK_BUT("'account_id':'x'"), "account_id"},
	    {OK_BUT("'used_at':null"), "used_at"},
	};

	for (unsigned i = 0; i < ct_countof(table); i++)
		ct_want_error(ct_call(who, "POST", TOKENS, "%s", table[i].body),
		    400, NULL, table[i].field);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, TOKENS), 200), "tokens"), 0);
	/* All faults are told at once. */
	ct_want_error(ct_call(who, "POST", TOKENS,
			  "{'name':'','scope':'x','cat_id':'y'}"),
	    400, NULL, "cat_id");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(shown_once),
	    ct_api_test(bearer_only),
	    ct_api_test(scopes),
	    ct_api_test(log_changes_own_entries),
	    ct_api_test(bound_to_a_cat),
	    ct_api_test(ends_with_the_membership),
	    ct_api_test(ends_when_it_says),
	    ct_api_test(revoked_at_once),
	    ct_api_test(use_is_noted),
	    ct_api_test(fifty_at_most),
	    ct_api_test(of_other_accounts),
	    ct_api_test(bad_input),
	};

	return cmocka_run_group_tests_name(
	    "api/token", tests, ct_api_group, NULL);
}
