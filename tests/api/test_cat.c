/*
 * Cats: profile, versions, who may change what, the day's zone and start, the
 * default cat, bounds, and deletion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hand.h"

#define CATS "/api/cat"

static const char *
cat_path(struct ct_who *who, const char *cat, const char *rest)
{
	return ct_path(who, CATS "/%s%s", cat, rest);
}

static const char *
add_cat(struct ct_who *who, const char *name)
{
	return ct_text(
	    ct_want(ct_call(who, "POST", CATS, "{'name':'%s'}", name), 201),
	    "data.id");
}

static void
a_cat_comes_back_as_it_was_told(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", CATS "/",
			"{'name':'Miez','breed':'EKH','sex':'female_spayed',"
			"'birth_year':2019,'weight_kg':4.2,"
			"'timezone':'Europe/Berlin','day_start':'06:00',"
			"'conditions':'CKD','diet':'renal',"
			"'tube_placed_on':'2026-11-01','tube_size_fr':14,"
			"'tube_mark_cm':7.5,'vet_name':'Dr. V',"
			"'vet_phone':'+49 30 1','vet_email':'v@example.org',"
			"'emergency_name':'Clinic','emergency_phone':'112',"
			"'daily_target_ml':180.5}"),
		201);
	const char *id = ct_text(r, "data.id");

	r = ct_want(ct_get(who, cat_path(who, id, "/")), 200);
	assert_string_equal(ct_text(r, "name"), "Miez");
	assert_string_equal(ct_text(r, "sex"), "female_spayed");
	assert_int_equal(ct_i64(r, "birth_year"), 2019);
	assert_true(ct_is_null(r, "age_years"));
	assert_int_equal(ct_milli(r, "weight_kg"), 4200);
	assert_string_equal(ct_text(r, "day_start"), "06:00");
	assert_string_equal(ct_text(r, "tube_placed_on"), "2026-11-01");
	assert_int_equal(ct_milli(r, "tube_mark_cm"), 7500);
	assert_string_equal(ct_text(r, "role"), "owner");
	assert_false(ct_flag(r, "is_default"));
	assert_int_equal(ct_i64(r, "version"), 1);
	r = ct_want(
	    ct_get(who, ct_path(who, "/api/tracker/today?cat_id=%s", id)), 200);
	assert_int_equal(ct_milli(r, "daily_target_ml"), 180500);
	assert_string_equal(ct_text(r, "day_start"), "06:00");
	r = ct_want(ct_get(who, CATS), 200);
	assert_int_equal(ct_count(r, "cats"), 2);
	assert_true(ct_flag(r, "cats.0.is_default"));
	assert_string_equal(ct_text(r, "cats.1.id"), id);
}

static void
bad_profiles_are_refused_by_field(void **state)
{
	static const struct {
		const char *more, *field;
	} cases[] = {
	    {"'sex':'tom'", "sex"},
	    {"'birth_year':1900", "birth_year"},
	    {"'birth_year':2019,'age_years':3", "age_years"},
	    {"'weight_kg':0", "weight_kg"},
	    {"'timezone':'Mars/Base'", "timezone"},
	    {"'timezone':'CET-1'", "timezone"},
	    {"'day_start':'6:00'", "day_start"},
	    {"'day_start':'24:00'", "day_start"},
	    {"'day_start':'06:60'", "day_start"},
	    {"'day_start':'06-00'", "day_start"},
	    {"'day_start':'0a:00'", "day_start"},
	    {"'tube_size_fr':99", "tube_size_fr"},
	    {"'tube_placed_on':'2026-02-30'", "tube_placed_on"},
	    {"'vet_email':'nobody'", "vet_email"},
	    {"'daily_target_ml':0", "daily_target_ml"},
	    {"'id':'0190a0b0-0000-7000-8000-000000000001'", "id"},
	    {"'version':1", "version"},
	    {"'owner':'me'", "owner"},
	};
	struct ct_who *who = *state;
	const char *mine = ct_who_cat(who);

	for (unsigned i = 0; i < ct_countof(cases); i++)
		ct_want_error(ct_call(who, "POST", CATS, "{'name':'N',%s}",
				  cases[i].more),
		    400, NULL, cases[i].field);
	for (unsigned i = 0; i < 14; i++)
		ct_want_error(ct_call(who, "PATCH", cat_path(who, mine, ""),
				  "{%s}", cases[i].more),
		    400, NULL, cases[i].field);
	ct_want_error(
	    ct_call(who, "POST", CATS, "{'breed':'x'}"), 400, NULL, "name");
	ct_want_error(
	    ct_call(who, "POST", CATS, "{'name':' '}"), 400, NULL, "name");
	assert_int_equal(ct_count(ct_get(who, CATS), "cats"), 1);
	assert_int_equal(
	    ct_i64(ct_get(who, cat_path(who, mine, "")), "version"), 1);
}

/* The way to tell an age that is told last is the one that is kept. */
static void
one_way_to_tell_an_age(void **state)
{
	struct ct_who *who = *state;
	const char *path = cat_path(who, ct_who_cat(who), "");
	const struct ct_answer *r =
	    ct_want(ct_call(who, "PATCH", path, "{'age_years':7}"), 200);

	r = ct_want(ct_call(who, "PATCH", path, "{'birth_year':2018}"), 200);
	assert_true(ct_is_null(r, "data.age_years"));
	r = ct_want(ct_call(who, "PATCH", path, "{'age_years':8}"), 200);
	assert_true(ct_is_null(r, "data.birth_year"));
	assert_int_equal(ct_i64(r, "data.age_years"), 8);
}

static const struct ct_answer *
patch_if(
    struct ct_who *who, const char *path, const char *match, const char *body)
{
	struct ct_ask ask = {.method = "PATCH",
	    .path = path,
	    .body = ct_str_of(ct_quoted(who->a, body)),
	    .more = {ct_path(who, "If-Match: %s", match)}};

	return ct_ask(who, &ask);
}

static void
stale_changes_are_told_so(void **state)
{
	struct ct_who *who = *state;
	const char *path = cat_path(who, ct_who_cat(who), "");
	const struct ct_answer *r;

	r = ct_want(patch_if(who, path, "\"1\"", "{'breed':'A'}"), 200);
	assert_int_equal(ct_i64(r, "data.version"), 2);
	r = ct_want_error(
	    patch_if(who, path, "\"1\"", "{'breed':'B'}"), 409, "stale", NULL);
	assert_string_equal(ct_text(r, "current.breed"), "A");
	ct_want_error(ct_call(who, "PATCH", path, "{'breed':'B','version':1}"),
	    409, "stale", NULL);
	ct_want_error(patch_if(who, path, "\"x\"", "{'breed':'B'}"), 400, NULL,
	    "If-Match");
	/* The profile is the same cat by another way: it counts, too. */
	ct_want(
	    ct_call(who, "PUT", "/api/auth/profile", "{'cat_breed':'C'}"), 200);
	ct_want_error(
	    patch_if(who, path, "\"2\"", "{'breed':'B'}"), 409, "stale", NULL);
	r = ct_want(ct_get(who, path), 200);
	assert_string_equal(ct_text(r, "breed"), "C");
	assert_int_equal(ct_i64(r, "version"), 3);
	/* What changes nothing is no change. */
	r = ct_want(ct_call(who, "PATCH", path, "{'breed':'C'}"), 200);
	assert_int_equal(ct_i64(r, "data.version"), 3);
}

static void
zone_and_start_are_the_owners(void **state)
{
	struct ct_who *who = *state;
	const char *path = cat_path(who, ct_who_cat(who), "");
	struct ct_who *care = ct_who_invited(who->a, who, "caregiver");
	struct ct_who *help = ct_who_invited(who->a, who, "helper");

	ct_want(ct_call(care, "PATCH", path, "{'diet':'soft'}"), 200);
	ct_want_error(ct_call(care, "PATCH", path, "{'day_start':'05:00'}"),
	    403, NULL, NULL);
	ct_want_error(ct_call(care, "PATCH", path,
			  "{'diet':'no','timezone':'Asia/Tokyo'}"),
	    403, NULL, NULL);
	ct_want_error(
	    ct_call(help, "PATCH", path, "{'diet':'no'}"), 403, NULL, NULL);
	assert_string_equal(ct_text(ct_get(who, path), "diet"), "soft");
	assert_string_equal(ct_text(ct_get(who, path), "day_start"), "00:00");
}

/* By the profile of the account it is no other cat and no other rule. */
static void
the_profile_is_no_way_around(void **state)
{
	struct ct_who *who = *state;
	const char *cat = ct_who_cat(who);
	struct ct_who *care = ct_who_invited(who->a, who, "caregiver");
	struct ct_who *help = ct_who_invited(who->a, who, "helper");
	struct ct_who *both[] = {care, help};

	for (unsigned i = 0; i < 2; i++)
		ct_want(ct_call(both[i], "PUT",
			    cat_path(both[i], cat, "/default"), NULL),
		    200);
	ct_want(ct_call(care, "PUT", "/api/auth/profile", "{'cat_breed':'A'}"),
	    200);
	ct_want_error(ct_call(care, "PUT", "/api/auth/profile",
			  "{'timezone':'Asia/Tokyo'}"),
	    403, NULL, NULL);
	ct_want_error(
	    ct_call(help, "PUT", "/api/auth/profile", "{'cat_breed':'B'}"), 403,
	    NULL, NULL);
	ct_want_error(
	    ct_call(help, "PUT", "/api/auth/profile", "{'daily_target_ml':20}"),
	    403, NULL, NULL);
	ct_want(
	    ct_call(help, "PUT", "/api/auth/profile", "{'first_name':'Hal'}"),
	    200);
	assert_string_equal(
	    ct_text(ct_get(who, cat_path(who, cat, "")), "breed"), "A");
	assert_string_equal(
	    ct_text(ct_get(who, cat_path(who, cat, "")), "timezone"), "UTC");
}

struct pair {
	struct ct_who *who[2];
	const char *path, *name;
	int status[2];
};

static void
write_one(struct ct_who *twin, unsigned i, void *arg)
{
	struct pair *p = arg;
	struct ct_who me = *p->who[i];
	const struct ct_answer *r;

	me.a = twin->a;
	me.http = twin->http;
	r = i == 0 ? ct_call(&me, "PUT", "/api/auth/profile",
			 "{'first_name':'Eve'}")
		   : ct_call(&me, "PATCH", p->path, "{'name':'%s'}", p->name);
	p->status[i] = r->status;
}

/* What one carer changes meanwhile is not written back by the other. */
static void
a_profile_writes_nothing_back(void **state)
{
	struct ct_who *who = *state;
	struct pair p = {.path = cat_path(who, ct_who_cat(who), ""),
	    .who = {who, ct_who_invited(who->a, who, "caregiver")}};

	for (unsigned round = 0; round < 25; round++) {
		p.name = ct_path(who, "N%u", round);
		ct_at_once(who, 2, write_one, &p);
		assert_int_equal(p.status[0], 200);
		if (p.status[1] == 200)
			assert_string_equal(
			    ct_text(ct_get(who, p.path), "name"), p.name);
		else
			assert_int_equal(p.status[1], 409);
	}
}

/* Entries keep the day that they were logged with. */
static void
a_new_start_holds_from_now_on(void **state)
{
	struct ct_who *who = *state;
	const char *cat = ct_who_cat(who);
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':40}"), 201);
	const char *entry =
	    ct_path(who, "/api/feeding/%s", ct_text(r, "data.id"));
	const char *day = ct_text(r, "data.care_day");

	/* Two zones a day apart: at any time one of them has another date. */
	ct_want(ct_call(who, "PATCH", cat_path(who, cat, ""),
		    "{'timezone':'Pacific/Kiritimati','day_start':'00:00'}"),
	    200);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	if (strcmp(ct_text(r, "care_day"), day) == 0) {
		ct_want(ct_call(who, "PATCH", cat_path(who, cat, ""),
			    "{'timezone':'Pacific/Pago_Pago'}"),
		    200);
		r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	}
	assert_string_not_equal(ct_text(r, "care_day"), day);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 0);
	r = ct_want(ct_get(who, entry), 200);
	assert_string_equal(ct_text(r, "care_day"), day);
	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':7}"), 201);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 7000);
}

static void
the_default_cat_is_who_is_meant(void **state)
{
	struct ct_who *who = *state;
	const char *first = ct_who_cat(who);
	const char *second = add_cat(who, "Two");

	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':10}"), 201);
	ct_want(
	    ct_call(who, "PUT", cat_path(who, second, "/default"), NULL), 200);
	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':3}"), 201);
	assert_int_equal(
	    ct_milli(ct_get(who, "/api/tracker/today"), "total_fed_ml"), 3000);
	assert_int_equal(
	    ct_milli(ct_get(who,
			 ct_path(who, "/api/tracker/today?cat_id=%s", first)),
		"total_fed_ml"),
	    10000);
	assert_string_equal(ct_text(ct_get(who, CATS), "cats.0.id"), second);
}

static void
there_is_an_end_to_cats(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);

	ct_hand_sql(hand,
	    "with c as (insert into cat (id, name) select gen_random_uuid(),"
	    " 'x' from generate_series(1, 48) returning id)"
	    " insert into cat_member (cat_id, account_id, role)"
	    " select id, '%s', 4 from c",
	    who->id);
	add_cat(who, "The last");
	ct_want_error(ct_call(who, "POST", CATS, "{'name':'One more'}"), 409,
	    "too_many", NULL);
	assert_int_equal(ct_count(ct_get(who, CATS), "cats"), 50);
}

static void
add_one(struct ct_who *twin, unsigned i, void *arg)
{
	int *statuses = arg;

	statuses[i] = ct_call(twin, "POST", CATS, "{'name':'At once'}")->status;
}

static void
the_end_holds_for_many_at_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);
	int statuses[8], made = 0;

	ct_hand_sql(hand,
	    "with c as (insert into cat (id, name) select gen_random_uuid(),"
	    " 'x' from generate_series(1, 47) returning id)"
	    " insert into cat_member (cat_id, account_id, role)"
	    " select id, '%s', 4 from c",
	    who->id);
	ct_at_once(who, 8, add_one, statuses);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(statuses[i] == 201 || statuses[i] == 409);
		made += statuses[i] == 201;
	}
	assert_int_equal(made, 2);
}

static void
a_repeat_adds_one_cat(void **state)
{
	struct ct_who *who = *state;
	struct ct_ask ask = {"POST", CATS,
	    ct_str_of(ct_quoted(who->a, "{'name':'Once'}")),
	    .more = {"Idempotency-Key: one-cat"}};
	const char *id = ct_text(ct_want(ct_ask(who, &ask), 201), "data.id");

	assert_string_equal(
	    ct_text(ct_want(ct_ask(who, &ask), 201), "data.id"), id);
	assert_int_equal(ct_count(ct_get(who, CATS), "cats"), 2);
}

static void
deleting_takes_the_exact_name(void **state)
{
	struct ct_who *who = *state;
	const char *cat = add_cat(who, "Tom Cat");
	const char *path = cat_path(who, cat, "");
	static const char *const wrong[] = {
	    "{'name':'tom cat'}", "{'name':'Tom Cat '}", "{'name':''}"};

	for (unsigned i = 0; i < ct_countof(wrong); i++)
		ct_want_error(ct_call(who, "DELETE", path, "%s", wrong[i]), 400,
		    NULL, "name");
	ct_want_error(ct_call(who, "DELETE", path, NULL), 400, NULL, "name");
	ct_want(ct_get(who, path), 200);
	ct_want(ct_call(who, "DELETE", path, "{'name':'Tom Cat'}"), 200);
	ct_want_error(ct_get(who, path), 404, "not_found", NULL);
}

static void
deleting_leaves_nothing(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);
	const char *cat = ct_who_cat(who), *other = add_cat(who, "Other");
	struct ct_who *care = ct_who_invited(who->a, who, "caregiver");
	const char *left;

	ct_want(
	    ct_call(care, "PUT", cat_path(care, cat, "/default"), NULL), 200);
	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':10}"), 201);
	ct_want(ct_call(who, "POST", "/api/report/feeding", "{}"), 202);
	ct_want(ct_call(who, "PATCH", cat_path(who, cat, ""), "{'name':'Del'}"),
	    200);
	ct_want_error(
	    ct_call(care, "DELETE", cat_path(care, cat, ""), "{'name':'Del'}"),
	    403, NULL, NULL);
	ct_want(
	    ct_call(who, "DELETE", cat_path(who, cat, ""), "{'name':'Del'}"),
	    200);
	left = ct_hand_get(hand, who->a,
	    "select (select count(*) from cat where id = '%s')"
	    " + (select count(*) from cat_member where cat_id = '%s')"
	    " + (select count(*) from feeding where cat_id = '%s')"
	    " + (select count(*) from report where cat_id = '%s')"
	    " + (select count(*) from audit_event where cat_id = '%s') as x",
	    cat, cat, cat, cat, cat);
	assert_string_equal(left, "0");
	/* Both go on with the cat that they have besides, at once. */
	assert_string_equal(ct_who_cat(who), other);
	assert_string_not_equal(ct_who_cat(care), cat);
	ct_want(ct_get(care, "/api/tracker/today"), 200);
	ct_want_error(
	    ct_get(care, cat_path(care, cat, "/state")), 404, NULL, NULL);
}

static void
targets_have_a_history(void **state)
{
	struct ct_who *who = *state;
	const char *cat = ct_who_cat(who);
	const char *path = cat_path(who, cat, "/target");
	struct ct_who *help = ct_who_invited(who->a, who, "helper");
	const struct ct_answer *r;
	const char *today = ct_text(
	    ct_want(ct_get(who, "/api/tracker/today"), 200), "care_day");

	ct_want(ct_call(who, "PUT", path, "{'daily_target_ml':150}"), 200);
	r = ct_want(ct_get(who, path), 200);
	assert_int_equal(ct_count(r, "targets"), 1);
	assert_string_equal(ct_text(r, "targets.0.effective_from"), today);
	assert_int_equal(ct_milli(r, "targets.0.daily_target_ml"), 150000);
	assert_string_equal(ct_text(r, "targets.0.by_name"), "Ada");
	assert_int_equal(
	    ct_milli(ct_get(who, "/api/tracker/today"), "daily_target_ml"),
	    150000);
	ct_want_error(
	    ct_call(who, "PUT", path,
		"{'daily_target_ml':9,'effective_from':'2020-01-01'}"),
	    400, NULL, "effective_from");
	ct_want_error(
	    ct_call(who, "PUT", path,
		"{'daily_target_ml':9,'effective_from':'2199-01-01'}"),
	    400, NULL, "effective_from");
	ct_want_error(ct_call(who, "PUT", path, "{'daily_target_ml':0}"), 400,
	    NULL, "daily_target_ml");
	ct_want_error(ct_call(help, "PUT", path, "{'daily_target_ml':9}"), 403,
	    NULL, NULL);
	ct_want(ct_get(help, path), 200);
	/* One to come does not count today. */
	r = ct_want(ct_call(who, "PUT", path,
			"{'daily_target_ml':99,'effective_from':'%.10s'}",
			ct_when(who, 3 * 86400)),
	    200);
	assert_int_equal(ct_count(ct_get(who, path), "targets"), 2);
	assert_int_equal(
	    ct_milli(ct_get(who, "/api/tracker/today"), "daily_target_ml"),
	    150000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(a_cat_comes_back_as_it_was_told),
	    ct_api_test(bad_profiles_are_refused_by_field),
	    ct_api_test(one_way_to_tell_an_age),
	    ct_api_test(stale_changes_are_told_so),
	    ct_api_test(zone_and_start_are_the_owners),
	    ct_api_test(the_profile_is_no_way_around),
	    ct_api_test(a_profile_writes_nothing_back),
	    ct_api_test(a_new_start_holds_from_now_on),
	    ct_api_test(the_default_cat_is_who_is_meant),
	    ct_api_test(there_is_an_end_to_cats),
	    ct_api_test(the_end_holds_for_many_at_once),
	    ct_api_test(a_repeat_adds_one_cat),
	    ct_api_test(deleting_takes_the_exact_name),
	    ct_api_test(deleting_leaves_nothing),
	    ct_api_test(targets_have_a_history),
	};

	return cmocka_run_group_tests_name(
	    "api/cat", tests, ct_api_group, NULL);
}
