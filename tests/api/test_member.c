/*
 * Who takes care of a cat: what each role may do, changes of role, leaving,
 * handing over, and that a cat is never without an owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hand.h"

/* A cat with one member of each role, and one who was one. */
struct house {
	struct ct_who *owner, *care, *help, *view, *ex;
	const char *cat;
};

static struct house
house_of(struct ct_who *owner)
{
	struct house h = {.owner = owner, .cat = ct_who_cat(owner)};

	h.care = ct_who_invited(owner->a, owner, "caregiver");
	h.help = ct_who_invited(owner->a, owner, "helper");
	h.view = ct_who_invited(owner->a, owner, "viewer");
	h.ex = ct_who_invited(owner->a, owner, "caregiver");
	ct_want(
	    ct_get(h.ex, ct_path(owner, "/api/tracker/today?cat_id=%s", h.cat)),
	    200);
	ct_want(
	    ct_call(owner, "DELETE",
		ct_path(owner, "/api/cat/%s/member/%s", h.cat, h.ex->id), NULL),
	    200);
	return h;
}

static const char *
member_path(const struct house *h, const struct ct_who *who)
{
	return ct_path(h->owner, "/api/cat/%s/member/%s", h->cat, who->id);
}

static const char *
log_meal(struct ct_who *who, const char *cat)
{
	return ct_text(ct_want(ct_call(who, "POST", "/api/feeding/",
				   "{'amount_ml':5,'cat_id':'%s'}", cat),
			   201),
	    "data.id");
}

/*
 * Everything that takes a cat, by role. $c is the cat, $o a meal of the
 * owner, $m one of the caller where there is one.
 */
static const struct {
	const char *method, *path, *body;
	int owner, care, help, view; /* whoever is none gets 404 */
} rules[] = {
    {"GET", "/api/tracker/today?cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/tracker/history?cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/tracker/stats?cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/feeding?cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/medication_log?cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/medication_log?page=1&cat_id=$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/feeding/$o", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c/state", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c/timeline", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c/handover", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c/target", NULL, 200, 200, 200, 200},
    {"GET", "/api/cat/$c/member", NULL, 200, 200, 200, 200},
    {"POST", "/api/report/feeding", "{'cat_id':'$c'}", 202, 202, 202, 202},
    {"POST", "/api/feeding", "{'amount_ml':1,'cat_id':'$c'}", 201, 201, 201,
	403},
    {"POST", "/api/tracker/add-feeding", "{'amount_ml':1,'cat_id':'$c'}", 201,
	201, 201, 403},
    {"POST", "/api/medication_log",
	"{'medication_name':'M','dosage':'1','amount_ml':1,'cat_id':'$c'}", 201,
	201, 201, 403},
    {"PATCH", "/api/feeding/$m", "{'amount_ml':2}", 200, 200, 200, 403},
    {"PATCH", "/api/feeding/$o", "{'amount_ml':2}", 200, 200, 403, 403},
    {"DELETE", "/api/feeding/$o", NULL, 200, 200, 403, 403},
    {"POST", "/api/feeding/$o/restore", NULL, 200, 200, 403, 403},
    {"POST", "/api/tracker/today", "{'daily_target_ml':90,'cat_id':'$c'}", 200,
	200, 403, 403},
    {"PUT", "/api/cat/$c/target", "{'daily_target_ml':91}", 200, 200, 403, 403},
    {"PATCH", "/api/cat/$c", "{'diet':'soft'}", 200, 200, 403, 403},
    {"PATCH", "/api/cat/$c", "{'day_start':'06:00'}", 200, 403, 403, 403},
    {"PATCH", "/api/cat/$c", "{'timezone':'UTC'}", 200, 403, 403, 403},
    {"POST", "/api/tracker/reset", "{'cat_id':'$c'}", 200, 200, 403, 403},
    {"POST", "/api/cat/$c/invite", "{'role':'viewer'}", 201, 403, 403, 403},
    {"GET", "/api/cat/$c/invite", NULL, 200, 403, 403, 403},
    {"DELETE", "/api/cat/$c", "{'name':'not it'}", 400, 403, 403, 403},
    {"PUT", "/api/cat/$c/default", NULL, 200, 200, 200, 200},
};

/* text with what $c, $o and $m stand for. */
static const char *
put_in(const struct house *h, const char *text, const char *o, const char *m)
{
	struct ct_buf b;

	ct_buf_init(&b, h->owner->a, 256);
	for (const char *p = text; *p; p++) {
		if (*p != '$') {
			ct_buf_addc(&b, *p);
			continue;
		}
		p++;
		ct_buf_adds(&b, *p == 'c' ? h->cat : *p == 'o' ? o : m);
	}
	ct_buf_addc(&b, '\0');
	return b.p;
}

static void
each_role_may_what_it_may(void **state)
{
	struct house h = house_of(*state);
	struct ct_who *who[] = {h.ex, h.view, h.help, h.care, h.owner};
	struct ct_hand *hand = ct_hand_open(h.owner->a);
	unsigned wrong = 0;

	for (unsigned w = 0; w < ct_countof(who); w++) {
		const char *o = log_meal(h.owner, h.cat);
		const char *m = w < 2 ? o : log_meal(who[w], h.cat);

		ct_hand_lift(hand);
		for (unsigned i = 0; i < ct_countof(rules); i++) {
			int want[] = {404, rules[i].view, rules[i].help,
			    rules[i].care, rules[i].owner};
			const char *body = rules[i].body
					       ? put_in(&h, rules[i].body, o, m)
					       : NULL;
			const struct ct_answer *r = ct_call(who[w],
			    rules[i].method, put_in(&h, rules[i].path, o, m),
			    body ? "%s" : NULL, body);

			if (r->status == want[w])
				continue;
			print_error("%s %s by %u: %d, wanted %d\n",
			    rules[i].method, rules[i].path, w, r->status,
			    want[w]);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void
members_see_who_else_there_is(void **state)
{
	struct house h = house_of(*state);
	const char *path = ct_path(h.owner, "/api/cat/%s/member", h.cat);
	const struct ct_answer *r = ct_want(ct_get(h.owner, path), 200);

	assert_int_equal(ct_count(r, "members"), 4);
	assert_string_equal(ct_text(r, "members.0.role"), "owner");
	assert_true(ct_flag(r, "members.0.is_me"));
	assert_string_equal(ct_text(r, "members.1.account_id"), h.care->id);
	assert_string_equal(ct_text(r, "members.1.email"), h.care->email);
	r = ct_want(ct_get(h.help, path), 200);
	assert_true(ct_is_null(r, "members.0.email"));
	assert_true(ct_is_null(r, "members.0.last_name"));
	assert_true(ct_is_null(r, "members.1.email"));
	assert_string_equal(ct_text(r, "members.2.email"), h.help->email);
	assert_false(ct_says(r, h.owner->email));
}

static void
a_new_role_counts_at_once(void **state)
{
	struct house h = house_of(*state);
	const char *path = member_path(&h, h.view);

	ct_want_error(ct_call(h.view, "POST", "/api/feeding/",
			  "{'amount_ml':1,'cat_id':'%s'}", h.cat),
	    403, NULL, NULL);
	ct_want(ct_call(h.owner, "PATCH", path, "{'role':'helper'}"), 200);
	log_meal(h.view, h.cat);
	ct_want(ct_call(h.owner, "PATCH", path, "{'role':'viewer'}"), 200);
	ct_want_error(ct_call(h.view, "POST", "/api/feeding/",
			  "{'amount_ml':1,'cat_id':'%s'}", h.cat),
	    403, NULL, NULL);
	ct_want_error(ct_call(h.owner, "PATCH", path, "{'role':'boss'}"), 400,
	    NULL, "role");
	ct_want_error(ct_call(h.owner, "PATCH", path, "{}"), 400, NULL, "role");
	/* Nobody promotes themself, and nobody but owners anybody. */
	ct_want_error(ct_call(h.care, "PATCH", member_path(&h, h.care),
			  "{'role':'owner'}"),
	    403, NULL, NULL);
	ct_want_error(ct_call(h.care, "PATCH", path, "{'role':'helper'}"), 403,
	    NULL, NULL);
	ct_want_error(ct_call(h.owner, "PATCH", member_path(&h, h.ex),
			  "{'role':'viewer'}"),
	    404, "not_found", NULL);
	ct_want_error(ct_call(h.ex, "PATCH", path, "{'role':'helper'}"), 404,
	    "not_found", NULL);
}

/* Cached answers and reports included. */
static void
who_is_removed_is_out_at_once(void **state)
{
	struct house h = house_of(*state);
	const char *today =
	    ct_path(h.owner, "/api/tracker/today?cat_id=%s", h.cat);
	const char *glance = ct_path(h.owner, "/api/cat/%s/state", h.cat);
	const char *report;

	ct_want(ct_get(h.help, today), 200);
	ct_want(ct_get(h.help, glance), 200);
	ct_want(ct_get(h.help, glance), 200);
	report = ct_path(h.owner, "/api/report/status/%s",
	    ct_text(ct_want(ct_call(h.help, "POST", "/api/report/feeding",
				"{'cat_id':'%s'}", h.cat),
			202),
		"report_id"));
	ct_want(ct_get(h.help, report), 200);
	ct_want_error(ct_call(h.care, "DELETE", member_path(&h, h.help), NULL),
	    403, NULL, NULL);
	ct_want(ct_call(h.owner, "DELETE", member_path(&h, h.help), NULL), 200);
	ct_want_error(ct_get(h.help, today), 404, NULL, NULL);
	ct_want_error(ct_get(h.help, glance), 404, NULL, NULL);
	ct_want_error(ct_get(h.help, report), 404, NULL, NULL);
	ct_want_error(ct_call(h.owner, "DELETE", member_path(&h, h.help), NULL),
	    404, "not_found", NULL);
}

static const struct ct_answer *
get_if(struct ct_who *who, const char *path, const char *etag)
{
	struct ct_ask ask = {.method = "GET",
	    .path = path,
	    .more = {ct_path(who, "If-None-Match: %s", etag)}};

	return ct_ask(who, &ask);
}

static const char *
etag_of(struct ct_who *who, const char *path)
{
	return ct_path(
	    who, "%s", ct_head(ct_want(ct_get(who, path), 200), "ETag"));
}

/* What is cached of a cat serves its members until one of them writes. */
static void
a_glance_is_shared_and_never_old(void **state)
{
	struct house h = house_of(*state);
	const char *cat = ct_path(h.owner, "/api/cat/%s", h.cat);
	const char *path = ct_path(h.owner, "%s/state", cat);
	const char *etag = etag_of(h.owner, path);

	ct_want(get_if(h.help, path, etag), 304);
	log_meal(h.help, h.cat);
	ct_want(get_if(h.owner, path, etag), 200);
	etag = etag_of(h.owner, path);
	ct_want(ct_call(h.owner, "DELETE", member_path(&h, h.help), NULL), 200);
	ct_want_error(get_if(h.help, path, etag), 404, NULL, NULL);
	assert_int_equal(
	    ct_i64(ct_want(get_if(h.owner, path, etag), 200), "members"), 3);
	etag = etag_of(h.care, path);
	ct_want(ct_call(h.owner, "PATCH", cat, "{'name':'New'}"), 200);
	assert_string_equal(
	    ct_text(ct_want(get_if(h.care, path, etag), 200), "name"), "New");
	etag = etag_of(h.owner, path);
	ct_want(ct_call(h.care, "PUT", ct_path(h.owner, "%s/target", cat),
		    "{'daily_target_ml':77}"),
	    200);
	assert_int_equal(ct_milli(ct_want(get_if(h.owner, path, etag), 200),
			     "today.daily_target_ml"),
	    77000);
	etag = etag_of(h.owner, path);
	ct_who_invited(h.owner->a, h.owner, "viewer");
	assert_int_equal(
	    ct_i64(ct_want(get_if(h.owner, path, etag), 200), "members"), 4);
}

static void
anybody_may_leave(void **state)
{
	struct house h = house_of(*state);
	const char *own = ct_who_cat(h.view);

	ct_want(ct_call(h.view, "PUT",
		    ct_path(h.view, "/api/cat/%s/default", h.cat), NULL),
	    200);
	assert_string_equal(ct_who_cat(h.view), h.cat);
	ct_want(ct_call(h.view, "DELETE", member_path(&h, h.view), NULL), 200);
	/* The cat that it had besides is the default one again. */
	assert_string_equal(ct_who_cat(h.view), own);
	ct_want_error(ct_call(h.view, "DELETE", member_path(&h, h.view), NULL),
	    404, "not_found", NULL);
	assert_int_equal(
	    ct_count(
		ct_get(h.owner, ct_path(h.owner, "/api/cat/%s/member", h.cat)),
		"members"),
	    3);
}

static void
the_last_owner_stays(void **state)
{
	struct house h = house_of(*state);
	const char *me = member_path(&h, h.owner);

	ct_want_error(
	    ct_call(h.owner, "DELETE", me, NULL), 409, "last_owner", NULL);
	ct_want_error(ct_call(h.owner, "PATCH", me, "{'role':'caregiver'}"),
	    409, "last_owner", NULL);
	ct_want(ct_call(h.owner, "PATCH", me, "{'role':'owner'}"), 200);
	ct_want(ct_call(h.owner, "PATCH", member_path(&h, h.care),
		    "{'role':'owner'}"),
	    200);
	ct_want(ct_call(h.owner, "DELETE", me, NULL), 200);
	ct_want_error(ct_call(h.care, "DELETE", member_path(&h, h.care), NULL),
	    409, "last_owner", NULL);
}

/* An owner whose account is closed looks after nothing. */
static void
a_closed_account_is_no_owner(void **state)
{
	struct house h = house_of(*state);
	const char *me = member_path(&h, h.owner);
	const char *transfer = ct_path(h.owner, "/api/cat/%s/transfer", h.cat);

	ct_want(ct_call(h.owner, "PATCH", member_path(&h, h.care),
		    "{'role':'owner'}"),
	    200);
	ct_want(ct_call(h.care, "POST", "/api/auth/deactivate",
		    "{'password':'" CT_T_PASSWORD "'}"),
	    200);
	ct_want_error(
	    ct_call(h.owner, "DELETE", me, NULL), 409, "last_owner", NULL);
	ct_want(ct_call(h.help, "POST", "/api/auth/deactivate",
		    "{'password':'" CT_T_PASSWORD "'}"),
	    200);
	ct_want_error(ct_call(h.owner, "PATCH", member_path(&h, h.help),
			  "{'role':'owner'}"),
	    409, "inactive", NULL);
	ct_want_error(ct_call(h.owner, "POST", transfer, "{'account_id':'%s'}",
			  h.help->id),
	    409, "inactive", NULL);
}

static void
a_cat_can_be_handed_over(void **state)
{
	struct house h = house_of(*state);
	const char *path = ct_path(h.owner, "/api/cat/%s/transfer", h.cat);
	const char *cat = ct_path(h.owner, "/api/cat/%s", h.cat);

	ct_want_error(
	    ct_call(h.care, "POST", path, "{'account_id':'%s'}", h.help->id),
	    403, NULL, NULL);
	ct_want_error(
	    ct_call(h.owner, "POST", path, "{'account_id':'%s'}", h.owner->id),
	    400, NULL, "account_id");
	ct_want_error(
	    ct_call(h.owner, "POST", path, "{'account_id':'%s'}", h.ex->id),
	    404, "not_found", NULL);
	ct_want(
	    ct_call(h.owner, "POST", path, "{'account_id':'%s'}", h.view->id),
	    200);
	assert_string_equal(ct_text(ct_get(h.view, cat), "role"), "owner");
	assert_string_equal(ct_text(ct_get(h.owner, cat), "role"), "caregiver");
	ct_want_error(ct_call(h.owner, "PATCH", member_path(&h, h.view),
			  "{'role':'viewer'}"),
	    403, NULL, NULL);
	ct_want(
	    ct_call(h.owner, "DELETE", member_path(&h, h.owner), NULL), 200);
}

/* ------------------------------------------------------------ at once */

struct race {
	struct ct_who *who[2];
	const char *method, *cat, *body;
	int status[2];
};

static void
act_on_self(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *r = arg;
	struct ct_who me = *r->who[i];

	me.a = twin->a;
	me.http = twin->http;
	r->status[i] = ct_call(&me, r->method,
	    ct_path(&me, "/api/cat/%s/member/%s", r->cat, me.id),
	    r->body ? "%s" : NULL, r->body)
			   ->status;
}

/* Two owners leave, or step down, in the same moment: one of them stays. */
static void
owners_who_go_at_once_leave_one(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);

	for (unsigned round = 0; round < 12; round++) {
		struct ct_who *a = ct_who_register(who->a, NULL, NULL);
		struct race r = {.cat = ct_who_cat(a),
		    .who = {a, ct_who_invited(who->a, a, "owner")},
		    .method = round % 2 ? "DELETE" : "PATCH",
		    .body = round % 2 ? NULL : "{'role':'helper'}"};
		const char *left;

		ct_at_once(a, 2, act_on_self, &r);
		left = ct_hand_get(hand, who->a,
		    "select count(*) as x from cat_member where cat_id = '%s'"
		    " and role = 4",
		    r.cat);
		assert_string_equal(left, "1");
		assert_int_equal(r.status[0] + r.status[1], 200 + 409);
		ct_hand_lift(hand);
	}
}

static void
delete_or_leave(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *r = arg;
	struct ct_who me = *r->who[i];

	me.a = twin->a;
	me.http = twin->http;
	if (i == 0)
		r->status[0] = ct_call(&me, "POST", "/api/auth/delete",
		    "{'password':'" CT_T_PASSWORD "'}")
				   ->status;
	else
		act_on_self(twin, i, arg);
}

/* One deletes the account while the other leaves the cat. */
static void
an_account_that_ends_leaves_an_owner(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);

	for (unsigned round = 0; round < 8; round++) {
		struct ct_who *a = ct_who_register(who->a, NULL, NULL);
		struct race r = {.cat = ct_who_cat(a),
		    .who = {a, ct_who_invited(who->a, a, "owner")},
		    .method = "DELETE"};
		const char *bad;

		/* Somebody who would be left alone with it. */
		ct_who_invited(who->a, a, "viewer");
		ct_at_once(a, 2, delete_or_leave, &r);
		bad = ct_hand_get(hand, who->a,
		    "select count(*) as x from cat c where c.id = '%s' and not"
		    " exists (select from cat_member m where m.cat_id = c.id"
		    " and m.role = 4)",
		    r.cat);
		assert_string_equal(bad, "0");
		ct_hand_lift(hand);
	}
}

/* ------------------------------------------------------------ two carers */

struct meals {
	struct ct_who *who[2];
	const char *cat;
	const struct ct_answer *got[2];
	struct ct_arena *a;
};

static void
feed(struct ct_who *twin, unsigned i, void *arg)
{
	struct meals *m = arg;
	struct ct_who me = *m->who[i];

	(void)twin;
	m->got[i] = ct_call(&me, "POST", "/api/feeding/",
	    "{'amount_ml':30,'cat_id':'%s'}", m->cat);
}

/* In the same second: two entries, one total, and the second one is warned. */
static void
two_carers_at_once_see_each_other(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *care = ct_who_invited(who->a, who, "helper");
	struct ct_arena *own = ct_arena_create(1 << 24);
	struct meals m = {.who = {who, care}, .cat = ct_who_cat(who)};
	struct ct_who mate = *care;
	const struct ct_answer *r;
	size_t warned[2];

	/* Each thread has its client and arena to itself. */
	mate.a = own;
	m.who[1] = &mate;
	ct_at_once(who, 2, feed, &m);
	for (unsigned i = 0; i < 2; i++) {
		ct_want(m.got[i], 201);
		warned[i] = ct_count(m.got[i], "warnings");
	}
	assert_int_equal(warned[0] + warned[1], 1);
	r = m.got[warned[1]];
	assert_string_equal(ct_text(r, "warnings.0.code"), "double_feed");
	assert_string_equal(ct_text(r, "warnings.0.by"), "Ada");
	assert_int_equal(ct_i64(r, "warnings.0.minutes_ago"), 0);
	assert_int_equal(ct_milli(r, "tracker.total_fed_ml"), 60000);
	r = ct_want(
	    ct_get(care, ct_path(care, "/api/tracker/today?cat_id=%s", m.cat)),
	    200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 60000);
	assert_int_equal(ct_i64(r, "feeding_count"), 2);
	ct_arena_destroy(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(each_role_may_what_it_may),
	    ct_api_test(members_see_who_else_there_is),
	    ct_api_test(a_new_role_counts_at_once),
	    ct_api_test(who_is_removed_is_out_at_once),
	    ct_api_test(a_glance_is_shared_and_never_old),
	    ct_api_test(anybody_may_leave),
	    ct_api_test(the_last_owner_stays),
	    ct_api_test(a_closed_account_is_no_owner),
	    ct_api_test(a_cat_can_be_handed_over),
	    ct_api_test(owners_who_go_at_once_leave_one),
	    ct_api_test(an_account_that_ends_leaves_an_owner),
	    ct_api_test(two_carers_at_once_see_each_other),
	};

	return cmocka_run_group_tests_name(
	    "api/member", tests, ct_api_group, NULL);
}
