/*
 * Webhooks as their owner handles them, and which events become deliveries.
 * What is sent is in tests/job/test_webhook.py: here the host is one that the
 * worker refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/hand.h"

#define HOOKS	  "/api/webhook"
#define HOOKS_MAX 10
#define OPEN_MAX  1000
#define WAIT_MS	  20000

static const struct ct_answer *
add(struct ct_who *who, const char *more)
{
	return ct_call(
	    who, "POST", HOOKS, "{'url':'https://localhost/x?y=1'%s}", more);
}

static const char *
made(struct ct_who *who, const char *more)
{
	return ct_text(ct_want(add(who, more), 201), "data.id");
}

static const char *
hook(struct ct_who *who, const char *id, const char *more)
{
	return ct_path(who, HOOKS "/%s%s", id, more);
}

/* Deliveries of a webhook, as "noun event" of each, oldest first. */
static const char *
told(struct ct_hand *h, struct ct_who *who, const char *id)
{
	return ct_hand_get(h, who->a,
	    "select coalesce(string_agg(d.noun || ' ' || d.event, ','"
	    " order by d.created_at, d.event), '') as x"
	    " from webhook_delivery d where d.webhook_id = '%s'",
	    id);
}

static const char *
feed(struct ct_who *who, const char *cat)
{
	return ct_text(ct_want(ct_call(who, "POST", "/api/feeding",
				   "{'amount_ml':5,'cat_id':'%s'}", cat),
			   201),
	    "data.id");
}

static void
secret_is_shown_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const struct ct_answer *r = ct_want(add(who, ""), 201);
	const char *secret = ct_text(r, "secret");
	const char *id = ct_text(r, "data.id"), *second;

	assert_int_equal(strncmp(secret, "whsec_", 6), 0);
	assert_int_equal(strlen(secret), 6 + 44);
	assert_string_equal(ct_text(r, "data.url"), "https://localhost/x?y=1");
	assert_string_equal(ct_text(r, "data.cat_id"), ct_who_cat(who));
	assert_true(ct_flag(r, "data.enabled"));
	assert_int_equal(ct_count(r, "data.events"), 5);
	assert_true(ct_is_null(r, "data.last_at"));
	assert_null(ct_find(r, "data.key_id"));
	r = ct_want(ct_get(who, HOOKS), 200);
	assert_int_equal(ct_count(r, "webhooks"), 1);
	assert_false(ct_says(r, secret + 6));
	assert_false(
	    ct_says(ct_want(ct_get(who, hook(who, id, "")), 200), secret + 6));
	assert_string_equal(
	    ct_hand_get(h, who->a,
		"select count(*) as x from webhook w where position('%s' in"
		" w::text) > 0 or position(encode(decode('%s', 'base64'),"
		" 'hex') in w::text) > 0",
		secret + 6, secret + 6),
	    "0");
	r = ct_want(ct_call(who, "POST", hook(who, id, "/secret"), NULL), 200);
	second = ct_text(r, "secret");
	assert_string_not_equal(second, secret);
	assert_string_equal(ct_text(r, "data.id"), id);
}

static void
what_is_refused(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	static const struct {
		const char *body, *field;
	} table[] = {
	    {"{}", "url"},
	    {"{'url':''}", "url"},
	    {"{'url':1}", "url"},
	    {"{'url':'example.org'}", "url"},
	    {"{'url':'ftp://example.org/'}", "url"},
	    /* No private network is allowed here, so no plain http either. */
	    {"{'url':'http://example.org/'}", "url"},
	    {"{'url':'https://user:pw@example.org/'}", "url"},
	    {"{'url':'https://example.org/#x'}", "url"},
	    {"{'url':'https://127.0.0.1/'}", "url"},
	    {"{'url':'https://0x7f.1/'}", "url"},
	    {"{'url':'https://2130706433/'}", "url"},
	    {"{'url':'https://10.0.0.1/'}", "url"},
	    {"{'url':'https://169.254.169.254/latest/meta-data/'}", "url"},
	    {"{'url':'https://[::1]/'}", "url"},
	    {"{'url':'https://[::ffff:10.0.0.1]/'}", "url"},
	    {"{'url':'https://[fd00::1]/'}", "url"},
	    {"{'url':'https://8.8.8.8:25/'}", "url"},
	    {"{'url':'https://localhost/','events':[]}", "events"},
	    {"{'url':'https://localhost/','events':['entry.eaten']}", "events"},
	    {"{'url':'https://localhost/','events':'entry.added'}", "events"},
	    {"{'url':'https://localhost/','enabled':1}", "enabled"},
	    {"{'url':'https://localhost/','failures':0}", "failures"},
	    {"{'url':'https://localhost/','key_id':"
	     "'01930000-0000-7000-8000-000000000001'}",
		"key_id"},
	    {"{'url':'https://localhost/','secret':'x'}", "secret"},
	};
	const char *id;

	for (size_t i = 0; i < ct_countof(table); i++)
		ct_want_error(ct_call(who, "POST", HOOKS, "%s", table[i].body),
		    400, NULL, table[i].field);
	ct_want_error(
	    add(who, ct_path(who, ",'cat_id':'%s'", ct_who_cat(other))), 404,
	    NULL, NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, HOOKS), 200), "webhooks"), 0);
	id = made(who, "");
	ct_want_error(ct_call(who, "PATCH", hook(who, id, ""),
			  "{'url':'https://192.168.1.1/'}"),
	    400, NULL, "url");
	ct_want_error(ct_call(who, "PATCH", hook(who, id, ""),
			  "{'cat_id':'%s'}", ct_who_cat(who)),
	    400, NULL, "cat_id");
}

static void
add_one(struct ct_who *twin, unsigned i, void *arg)
{
	int *status = arg;
	struct ct_ask ask = {.method = "POST",
	    .path = HOOKS,
	    .body = CT_STR("{\"url\":\"https://localhost/\"}")};

	status[i] = ct_ask(twin, &ask)->status;
}

static void
their_number_is_bounded(void **state)
{
	struct ct_who *who = *state;
	int status[HOOKS_MAX + 4] = {0}, ok = 0;

	ct_at_once(who, ct_countof(status), add_one, status);
	for (size_t i = 0; i < ct_countof(status); i++) {
		ok += status[i] == 201;
		assert_true(status[i] == 201 || status[i] == 409);
	}
	assert_int_equal(ok, HOOKS_MAX);
	ct_want_error(add(who, ""), 409, "too_many", NULL);
}

static void
others_do_not_see_it(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	const char *id = made(who, "");
	static const struct {
		const char *method, *more, *body;
	} table[] = {{"GET", "", NULL}, {"PATCH", "", "{'enabled':false}"},
	    {"DELETE", "", NULL}, {"POST", "/secret", NULL},
	    {"POST", "/test", NULL}, {"GET", "/delivery", NULL}};

	for (size_t i = 0; i < ct_countof(table); i++)
		ct_want_error(ct_call(other, table[i].method,
				  hook(other, id, table[i].more),
				  table[i].body ? "%s" : NULL, table[i].body),
		    404, NULL, NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(other, HOOKS), 200), "webhooks"), 0);
	assert_true(
	    ct_flag(ct_want(ct_get(who, hook(who, id, "")), 200), "enabled"));
}

/* What failed is forgotten where there is a reason to hope. */
static void
changes_begin_anew(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *id = made(who, "");
	const struct ct_answer *r;

#define SPOIL                                                                  \
	ct_hand_sql(h,                                                         \
	    "update webhook set failures = 7, failing_since = now(),"          \
	    " hold_until = now() + interval '1 h', enabled = false,"           \
	    " disabled_why = 'No.' where id = '%s'",                           \
	    id)
	SPOIL;
	r = ct_want(ct_call(who, "PATCH", hook(who, id, ""),
			"{'events':['report.ready']}"),
	    200);
	assert_int_equal(ct_i64(r, "data.failures"), 7);
	assert_string_equal(ct_text(r, "data.disabled_why"), "No.");
	assert_int_equal(ct_count(r, "data.events"), 1);
	r = ct_want(
	    ct_call(who, "PATCH", hook(who, id, ""), "{'enabled':true}"), 200);
	assert_int_equal(ct_i64(r, "data.failures"), 0);
	assert_true(ct_is_null(r, "data.disabled_why"));
	assert_string_equal(
	    ct_hand_get(h, who->a,
		"select hold_until is null and failing_since is null as x"
		" from webhook where id = '%s'",
		id),
	    "true");
	SPOIL;
	r = ct_want(ct_call(who, "PATCH", hook(who, id, ""),
			"{'url':'https://localhost/new'}"),
	    200);
	assert_int_equal(ct_i64(r, "data.failures"), 0);
	assert_false(ct_flag(r, "data.enabled"));
#undef SPOIL
}

/* Who has a webhook on the cat, and what each of them is told. */
static void
who_is_told(void **state)
{
	struct ct_who *owner = *state;
	struct ct_hand *h = ct_hand_open(owner->a);
	struct ct_who *viewer = ct_who_invited(owner->a, owner, "viewer");
	struct ct_who *gone = ct_who_invited(owner->a, owner, "helper");
	struct ct_who *stranger = ct_who_register(owner->a, NULL, NULL);
	const char *cat = ct_who_cat(owner);
	const char *more = ct_path(owner, ",'cat_id':'%s'", cat);
	const char *all = made(owner, more);
	const char *off =
	    made(owner, ct_path(owner, "%s,'enabled':false", more));
	const char *few = made(
	    owner, ct_path(owner,
		       "%s,'events':['entry.deleted','report.ready']", more));
	const char *seen = made(viewer, more), *left = made(gone, more);
	const char *elsewhere = made(stranger, "");
	const char *meal;

	ct_hand_sql(h,
	    "delete from cat_member where cat_id = '%s' and account_id = '%s'",
	    cat, gone->id);
	meal = feed(owner, cat);
	ct_want(ct_call(owner, "PATCH", ct_path(owner, "/api/feeding/%s", meal),
		    "{'amount_ml':6}"),
	    200);
	ct_want(ct_call(owner, "DELETE",
		    ct_path(owner, "/api/feeding/%s", meal), NULL),
	    200);
	ct_want(ct_call(owner, "POST",
		    ct_path(owner, "/api/feeding/%s/restore", meal), NULL),
	    200);
	ct_want(ct_call(owner, "POST", "/api/tracker/reset", "{'cat_id':'%s'}",
		    cat),
	    200);
	ct_want(ct_call(owner, "POST", "/api/weight",
		    "{'weight_g':4000,'cat_id':'%s'}", cat),
	    201);
	assert_string_equal(told(h, owner, all),
	    "feeding 1,feeding 2,feeding 4,feeding 8,feeding 4,weight 1");
	assert_string_equal(told(h, owner, seen), told(h, owner, all));
	assert_string_equal(told(h, owner, few), "feeding 4,feeding 4");
	assert_string_equal(told(h, owner, off), "");
	assert_string_equal(told(h, owner, left), "");
	assert_string_equal(told(h, owner, elsewhere), "");
}

static const char *
report(struct ct_who *who, const char *cat)
{
	const char *id =
	    ct_text(ct_want(ct_call(who, "POST", "/api/report/feeding",
				"{'cat_id':'%s'}", cat),
			202),
		"report_id");
	const char *path = ct_path(who, "/api/report/status/%s", id);
	int64_t end = ct_mono_ms() + WAIT_MS;

	while (
	    !ct_flag(ct_want(ct_get(who, path), 200), "ready_for_download")) {
		assert_true(ct_mono_ms() < end);
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
	return id;
}

static void
reports_are_their_askers(void **state)
{
	struct ct_who *owner = *state;
	struct ct_hand *h = ct_hand_open(owner->a);
	struct ct_who *viewer = ct_who_invited(owner->a, owner, "viewer");
	const char *cat = ct_who_cat(owner);
	const char *more =
	    ct_path(owner, ",'events':['report.ready'],'cat_id':'%s'", cat);
	const char *mine = made(owner, more), *theirs = made(viewer, more);

	report(owner, cat);
	assert_string_equal(told(h, owner, mine), "report 16");
	assert_string_equal(told(h, owner, theirs), "");
}

/* An entry that is not written, or not changed, is no event. */
static void
nothing_happened(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *id = made(who, ""), *meal = feed(who, ct_who_cat(who));
	const char *path = ct_path(who, "/api/feeding/%s", meal);

	ct_want(ct_call(who, "POST", "/api/feeding",
		    "{'amount_ml':5,'confirm':false}"),
	    409);
	ct_want(
	    ct_call(who, "POST", "/api/feeding", "{'amount_ml':5000}"), 400);
	ct_want(
	    ct_call(who, "PATCH", path, "{'version':99,'amount_ml':7}"), 409);
	ct_want(ct_call(who, "PATCH", path, "{}"), 200);
	ct_want(
	    ct_call(who, "POST", ct_path(who, "%s/restore", path), NULL), 200);
	assert_string_equal(told(h, who, id), "feeding 1");
}

/* Each delivery is promised in the statement of what happened. */
static void
each_is_promised(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *id = made(who, ""), *test;
	const struct ct_answer *r;

	feed(who, ct_who_cat(who));
	test = ct_text(
	    ct_want(ct_call(who, "POST", hook(who, id, "/test"), NULL), 202),
	    "delivery_id");
	assert_string_equal(
	    ct_hand_get(h, who->a,
		"select count(*) as x from webhook_delivery d join job_outbox "
		"o on o.id = d.id"
		" and o.task = 'webhook.send' and o.kwargs ->> 'delivery_id' ="
		" d.id::text where d.webhook_id = '%s'",
		id),
	    "2");
	r = ct_want(ct_get(who, hook(who, id, "/delivery")), 200);
	assert_int_equal(ct_count(r, "deliveries"), 2);
	assert_string_equal(ct_text(r, "deliveries.0.id"), test);
	assert_string_equal(ct_text(r, "deliveries.0.type"), "test");
	assert_string_equal(ct_text(r, "deliveries.1.type"), "entry.added");
	ct_want(ct_call(who, "DELETE", hook(who, id, ""), NULL), 200);
	assert_string_equal(
	    ct_hand_get(h, who->a,
		"select (select count(*) from webhook_delivery where id = '%s')"
		" + (select count(*) from job_outbox where id = '%s') as x",
		test, test),
	    "0");
	ct_want_error(ct_get(who, hook(who, id, "/delivery")), 404, NULL, NULL);
}

static void
what_waits_is_bounded(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const char *id = made(who, ""), *cat = ct_who_cat(who);

	/* The worker leaves it alone meanwhile. */
	ct_hand_sql(h,
	    "update webhook set hold_until = now() + interval '1 day'"
	    " where id = '%s';"
	    "insert into webhook_delivery (id, webhook_id, event, noun,"
	    " noun_id) select gen_random_uuid(), '%s', 1, 'feeding',"
	    " gen_random_uuid() from generate_series(1, %d)",
	    id, id, OPEN_MAX - 1);
	feed(who, cat);
	feed(who, cat);
	assert_int_equal(atoi(ct_hand_get(h, who->a,
			     "select count(*) as x from webhook_delivery"
			     " where webhook_id = '%s'",
			     id)),
	    OPEN_MAX);
	ct_want_error(ct_call(who, "POST", hook(who, id, "/test"), NULL), 429,
	    "deliveries_open", NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, hook(who, id, "/delivery")), 200),
		"deliveries"),
	    100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(secret_is_shown_once),
	    ct_api_test(what_is_refused),
	    ct_api_test(their_number_is_bounded),
	    ct_api_test(others_do_not_see_it),
	    ct_api_test(changes_begin_anew),
	    ct_api_test(who_is_told),
	    ct_api_test(reports_are_their_askers),
	    ct_api_test(nothing_happened),
	    ct_api_test(each_is_promised),
	    ct_api_test(what_waits_is_bounded),
	};

	return cmocka_run_group_tests_name(
	    "api/webhook", tests, ct_api_group, NULL);
}
