/*
 * A cat at a glance: state, timeline, hand-over. What they say follows from the
 * entries at once, and to members only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/app.h"

static const char *
cat_of(struct ct_who *who)
{
	return ct_text(ct_want(ct_get(who, "/api/tracker/today"), 200), "id");
}

static const struct ct_answer *
state(struct ct_who *who, const char *cat)
{
	return ct_want(
	    ct_get(who, ct_path(who, "/api/cat/%s/state", cat)), 200);
}

static void
the_state_follows_the_entries(void **arg)
{
	struct ct_who *who = *arg;
	const char *cat = cat_of(who), *id;
	const struct ct_answer *r = state(who, cat);

	assert_true(ct_is_null(r, "last_meal"));
	assert_true(ct_is_null(r, "last_medication"));
	assert_true(ct_is_null(r, "last_weight"));
	assert_int_equal(ct_i64(r, "members"), 1);
	assert_int_equal(ct_milli(r, "today.total_fed_ml"), 0);
	id = ct_text(
	    ct_want(
		ct_call(who, "POST", "/api/feeding", "{'amount_ml':50}"), 201),
	    "data.id");
	ct_want(ct_call(who, "POST", "/api/medication_log",
		    "{'medication_name':'Mirtazapine','dosage':'2 mg',"
		    "'amount_ml':1}"),
	    201);
	ct_want(ct_call(who, "POST", "/api/weight", "{'weight_g':4200}"), 201);
	r = state(who, cat);
	assert_int_equal(ct_milli(r, "today.total_fed_ml"), 50000);
	assert_int_equal(ct_milli(r, "last_meal.amount_ml"), 50000);
	assert_string_equal(
	    ct_text(r, "last_medication.medication_name"), "Mirtazapine");
	assert_int_equal(ct_milli(r, "last_weight.weight_kg"), 4200);
	ct_want(
	    ct_call(who, "DELETE", ct_path(who, "/api/feeding/%s", id), NULL),
	    200);
	r = state(who, cat);
	assert_true(ct_is_null(r, "last_meal"));
	/* A dose that was skipped is no dose given. */
	ct_want(ct_call(who, "POST", "/api/medication_log",
		    "{'medication_name':'Other','dosage':'1','amount_ml':1,"
		    "'status':'skipped','reason':'vomited'}"),
	    201);
	r = state(who, cat);
	assert_string_equal(
	    ct_text(r, "last_medication.medication_name"), "Mirtazapine");
}

static void
an_unchanged_state_is_304(void **arg)
{
	struct ct_who *who = *arg;
	const char *cat = cat_of(who);
	const char *path = ct_path(who, "/api/cat/%s/state", cat);
	const struct ct_answer *r = state(who, cat);
	struct ct_ask again = {.method = "GET", .path = path};

	again.more[0] = ct_path(who, "If-None-Match: %s", ct_head(r, "ETag"));
	/* From PostgreSQL, then from the cache. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(ct_ask(who, &again)->status, 304);
	ct_want(ct_call(who, "POST", "/api/feeding", "{'amount_ml':5}"), 201);
	assert_int_equal(ct_ask(who, &again)->status, 200);
}

static const struct {
	const char *kind, *path, *body;
} kinds[] = {
    {"feeding", "/api/feeding", "'amount_ml':5"},
    {"medication", "/api/medication_log",
	"'medication_name':'M','dosage':'1','amount_ml':1"},
    {"weight", "/api/weight", "'weight_g':4000"},
    {"observation", "/api/observation", "'kind':'cough'"},
    {"water", "/api/water", "'amount_ml':10"},
    {"tube_check", "/api/tube_check", "'cap_on':true"},
};
#define ROUNDS 4
#define MADE   (ROUNDS * ct_countof(kinds))

/* ROUNDS entries of each kind, the newest first made last. */
static void
make_entries(struct ct_who *who)
{
	for (unsigned i = 0; i < MADE; i++) {
		unsigned k = i % ct_countof(kinds);

		ct_want(
		    ct_call(who, "POST", kinds[k].path,
			"{%s,'time_given':'%s','notes':'n%u'}", kinds[k].body,
			ct_when(who, (int64_t)i * 60 - 7200), i),
		    201);
	}
}

static void
the_timeline_has_all_once_newest_first(void **arg)
{
	struct ct_who *who = *arg;
	const char *cat = cat_of(who);
	const char *path = ct_path(who, "/api/cat/%s/timeline?per_page=5", cat);
	const struct ct_answer *r;
	unsigned seen = 0;

	make_entries(who);
	for (unsigned pages = 0; pages < MADE; pages++) {
		r = ct_want(ct_get(who, path), 200);
		for (size_t i = 0; i < ct_count(r, "timeline"); i++, seen++) {
			unsigned n = (unsigned)MADE - 1 - seen;

			assert_true(seen < MADE);
			assert_string_equal(
			    ct_text(r, ct_path(who, "timeline.%zu.kind", i)),
			    kinds[n % ct_countof(kinds)].kind);
			assert_string_equal(
			    ct_text(
				r, ct_path(who, "timeline.%zu.entry.notes", i)),
			    ct_path(who, "n%u", n));
		}
		if (ct_is_null(r, "pagination.next_cursor"))
			break;
		path = ct_path(who, "/api/cat/%s/timeline?per_page=5&cursor=%s",
		    cat, ct_text(r, "pagination.next_cursor"));
	}
	assert_int_equal(seen, MADE);
	r = ct_want(
	    ct_get(who, ct_path(who, "/api/cat/%s/timeline?kind=water", cat)),
	    200);
	assert_int_equal(ct_count(r, "timeline"), ROUNDS);
}

static void
the_first_page_is_never_stale(void **arg)
{
	struct ct_who *who = *arg;
	const char *path = ct_path(who, "/api/cat/%s/timeline", cat_of(who));

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		ct_want(
		    ct_call(who, "POST", kinds[i].path, "{%s}", kinds[i].body),
		    201);
		for (int again = 0; again < 2; again++)
			assert_int_equal(
			    ct_count(
				ct_want(ct_get(who, path), 200), "timeline"),
			    i + 1);
	}
}

static void
the_handover_counts_since(void **arg)
{
	struct ct_who *who = *arg;
	const char *cat = cat_of(who);
	const struct ct_answer *r;

	ct_want(ct_call(who, "POST", "/api/feeding",
		    "{'amount_ml':30,'time_given':'%s'}", ct_when(who, -7200)),
	    201);
	ct_want(ct_call(who, "POST", "/api/feeding",
		    "{'amount_ml':20.5,'time_given':'%s'}", ct_when(who, -600)),
	    201);
	ct_want(
	    ct_call(who, "POST", "/api/observation", "{'kind':'vomit'}"), 201);
	r = ct_want(
	    ct_get(who, ct_path(who, "/api/cat/%s/handover", cat)), 200);
	assert_int_equal(ct_milli(r, "fed_ml"), 50500);
	assert_int_equal(ct_i64(r, "counts.feeding"), 2);
	assert_int_equal(ct_i64(r, "counts.observation"), 1);
	assert_int_equal(ct_i64(r, "counts.weight"), 0);
	assert_int_equal(ct_count(r, "timeline"), 3);
	r = ct_want(ct_get(who, ct_path(who, "/api/cat/%s/handover?since=%s",
				    cat, ct_when(who, -3600))),
	    200);
	assert_int_equal(ct_milli(r, "fed_ml"), 20500);
	assert_int_equal(ct_i64(r, "counts.feeding"), 1);
}

static void
bad_input_is_named(void **arg)
{
	struct ct_who *who = *arg;
	static const struct {
		const char *tail, *field;
	} table[] = {
	    {"timeline?kind=x", "kind"},
	    {"timeline?cursor=x", "cursor"},
	    {"timeline?cursor=1_x", "cursor"},
	    {"timeline?per_page=x", "per_page"},
	    {"timeline?page=1", "page"},
	    {"handover?since=yesterday", "since"},
	    {"handover?since=2099-01-01T00:00:00Z", "since"},
	    {"handover?since=2026-01-01T00:00:00", "since"},
	    {"state?cat_id=x", "cat_id"},
	};
	const char *cat = cat_of(who);

	for (unsigned i = 0; i < ct_countof(table); i++)
		ct_want_error(ct_get(who, ct_path(who, "/api/cat/%s/%s", cat,
					      table[i].tail)),
		    400, NULL, table[i].field);
}

static void
another_account_sees_no_cat(void **arg)
{
	struct ct_who *a = *arg, *b = ct_who_register(a->a, NULL, NULL);
	static const char *const tails[] = {"state", "timeline", "handover"};
	const char *cat = cat_of(a);

	for (unsigned i = 0; i < ct_countof(tails); i++) {
		const char *path = ct_path(a, "/api/cat/%s/%s", cat, tails[i]);

		/* Also what is in the cache by now. */
		ct_want(ct_get(a, path), 200);
		ct_want(ct_get(a, path), 200);
		ct_want_error(ct_get(b, path), 404, "not_found", NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(the_state_follows_the_entries),
	    ct_api_test(an_unchanged_state_is_304),
	    ct_api_test(the_timeline_has_all_once_newest_first),
	    ct_api_test(the_first_page_is_never_stale),
	    ct_api_test(the_handover_counts_since),
	    ct_api_test(bad_input_is_named),
	    ct_api_test(another_account_sees_no_cat),
	};

	return cmocka_run_group_tests_name(
	    "api/state", tests, ct_api_group, NULL);
}
