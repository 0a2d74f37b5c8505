/*
 * Meals: the life of an entry, exact sums, safe repeats, two carers at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/app.h"

static const struct ct_answer *
meal(struct ct_who *who, const char *ml)
{
	return ct_call(who, "POST", "/api/feeding/", "{'amount_ml':%s}", ml);
}

static const struct ct_answer *
today(struct ct_who *who)
{
	return ct_want(ct_get(who, "/api/tracker/today"), 200);
}

static void
create_answers_all(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	struct ct_uuid u;
	int64_t us;

	/* The first meal of a day is a meal like any other. */
	r = ct_want(
	    ct_call(who, "POST", "/api/feeding/",
		"{'amount_ml':50,'flushed_before':true,'flushed_after':false,"
		"'planned_ml':60,'flush_before_ml':5,'flush_after_ml':7.5,"
		"'route':'oral','outcome':'fine','notes':'warm'}"),
	    201);
	ct_text(r, "message");
	assert_true(ct_uuid_parse(ct_json_str(ct_at(r, "data.id")), &u));
	assert_int_equal(u.b[6] >> 4, 7);
	assert_int_equal(ct_milli(r, "data.amount_ml"), 50000);
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(r, "data.time_given")), &us),
	    CT_TIME_OK);
	assert_true(llabs(us - ct_now_us()) < 120 * 1000000LL);
	assert_int_equal(
	    ct_text(r,
		"data.time_given")[strlen(ct_text(r, "data.time_given")) - 1],
	    'Z');
	assert_true(ct_flag(r, "data.flushed_before"));
	assert_false(ct_flag(r, "data.flushed_after"));
	assert_int_equal(ct_milli(r, "data.planned_ml"), 60000);
	assert_int_equal(ct_milli(r, "data.flush_before_ml"), 5000);
	assert_int_equal(ct_milli(r, "data.flush_after_ml"), 7500);
	assert_string_equal(ct_text(r, "data.route"), "oral");
	assert_string_equal(ct_text(r, "data.outcome"), "fine");
	assert_string_equal(ct_text(r, "data.notes"), "warm");
	ct_text(r, "data.cat_id");
	assert_string_equal(ct_text(r, "data.by.id"), who->id);
	assert_string_equal(ct_text(r, "data.by.name"), "Ada");
	ct_text(r, "data.care_day");
	assert_int_equal(ct_i64(r, "data.version"), 1);
	assert_int_equal(ct_milli(r, "tracker.total_fed_ml"), 50000);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 160000);
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 210000);
	assert_int_equal(ct_i64(r, "tracker.feeding_count"), 1);
	assert_false(ct_flag(r, "tracker.is_completed"));
	ct_milli(r, "tracker.progress_percentage");
	assert_int_equal(ct_count(r, "warnings"), 0);
}

static void
defaults(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(meal(who, "12"), 201);

	assert_true(ct_flag(r, "data.flushed_before"));
	assert_true(ct_flag(r, "data.flushed_after"));
	assert_string_equal(ct_text(r, "data.route"), "tube");
	assert_string_equal(ct_text(r, "data.notes"), "");
	assert_true(ct_is_null(r, "data.planned_ml"));
	assert_true(ct_is_null(r, "data.flush_before_ml"));
	assert_true(ct_is_null(r, "data.outcome"));
}

static void
get_and_list(void **state)
{
	struct ct_who *who = *state;
	const char *ids[3];
	const struct ct_answer *r;

	for (unsigned i = 0; i < 3; i++)
		ids[i] = ct_text(
		    ct_want(ct_call(who, "POST", "/api/feeding",
				"{'amount_ml':%u,'time_given':'%s'}", 10 + i,
				ct_when(who, -3600 * (int64_t)(3 - i))),
			201),
		    "data.id");
	r = ct_want(ct_get(who, ct_path(who, "/api/feeding/%s", ids[1])), 200);
	assert_non_null(ct_head(r, "ETag"));
	assert_true(ct_says(r, "\"amount_ml\":11"));
	r = ct_want(ct_get(who, "/api/feeding/?page=1&per_page=2"), 200);
	assert_int_equal(ct_count(r, "logs"), 2);
	assert_string_equal(ct_text(r, "logs.0.id"), ids[2]);
	assert_string_equal(ct_text(r, "logs.1.id"), ids[1]);
	assert_int_equal(ct_i64(r, "pagination.page"), 1);
	assert_int_equal(ct_i64(r, "pagination.pages"), 2);
	assert_int_equal(ct_i64(r, "pagination.per_page"), 2);
	assert_int_equal(ct_i64(r, "pagination.total"), 3);
	assert_true(ct_flag(r, "pagination.has_next"));
	assert_false(ct_flag(r, "pagination.has_prev"));
	r = ct_want(ct_get(who, "/api/feeding?page=2&per_page=2"), 200);
	assert_int_equal(ct_count(r, "logs"), 1);
	assert_string_equal(ct_text(r, "logs.0.id"), ids[0]);
	assert_false(ct_flag(r, "pagination.has_next"));
	assert_true(ct_flag(r, "pagination.has_prev"));
	r = ct_want(ct_get(who, "/api/feeding/?page=99"), 200);
	assert_int_equal(ct_count(r, "logs"), 0);
}

static const char *
meal_path(struct ct_who *who, const char *ml)
{
	return ct_path(who, "/api/feeding/%s",
	    ct_text(ct_want(meal(who, ml), 201), "data.id"));
}

static void
patch_changes_a_part(void **state)
{
	struct ct_who *who = *state;
	const char *path = meal_path(who, "50");
	const struct ct_answer *r;

	r = ct_want(
	    ct_call(who, "PATCH", path,
		"{'amount_ml':45.5,'notes':'spilled','flushed_after':false}"),
	    200);
	assert_int_equal(ct_milli(r, "data.amount_ml"), 45500);
	assert_int_equal(ct_i64(r, "data.version"), 2);
	assert_true(ct_flag(r, "data.flushed_before"));
	assert_false(ct_flag(r, "data.flushed_after"));
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 45500);
	/* Without a version the last writer wins. */
	r = ct_want(ct_call(who, "PATCH", path, "{'outcome':'vomit'}"), 200);
	assert_string_equal(ct_text(r, "data.outcome"), "vomit");
	assert_int_equal(ct_milli(r, "data.amount_ml"), 45500);
	r = ct_want(ct_call(who, "PATCH", path, "{'outcome':null}"), 200);
	assert_true(ct_is_null(r, "data.outcome"));
	ct_want_error(ct_call(who, "PATCH", path, "{'id':'%s'}", who->id), 400,
	    "invalid", "id");
	ct_want_error(ct_call(who, "PATCH", path, "{'care_day':'2025-01-01'}"),
	    400, "invalid", "care_day");
	ct_want_error(ct_call(who, "PATCH", path,
			  "{'time_given':'2099-01-01T00:00:00Z'}"),
	    400, "invalid", "time_given");
	assert_int_equal(ct_i64(ct_get(who, path), "version"), 4);
}

/* The second carer still holds version 1. */
static void
stale_patch_is_refused(void **state)
{
	struct ct_who *who = *state;
	const char *path = meal_path(who, "50");
	const struct ct_answer *r;

	ct_want(
	    ct_call(who, "PATCH", path, "{'amount_ml':45,'version':1}"), 200);
	r = ct_want_error(
	    ct_call(who, "PATCH", path, "{'amount_ml':10,'version':1}"), 409,
	    "stale", NULL);
	assert_int_equal(ct_milli(r, "current.amount_ml"), 45000);
	assert_int_equal(ct_i64(r, "current.version"), 2);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 45000);
	ct_want_error(
	    ct_call(who, "PATCH", path, "{'amount_ml':10,'version':'2'}"), 400,
	    "invalid", "version");
	r = ct_want(
	    ct_call(who, "PATCH", path, "{'amount_ml':10,'version':2}"), 200);
	assert_int_equal(ct_i64(r, "data.version"), 3);
}

static const struct ct_answer *
if_match(struct ct_who *who, const char *method, const char *path,
    const char *tag, const char *body)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = method,
		     .path = path,
		     .body = body ? ct_str_of(body) : (struct ct_str){NULL, 0},
		     .more = {ct_path(who, "If-Match: %s", tag)}});
}

static void
stale_if_match_is_refused(void **state)
{
	struct ct_who *who = *state;
	const char *path = meal_path(who, "50");
	const struct ct_answer *r;

	ct_want(
	    if_match(who, "PATCH", path, "\"1\"", "{\"amount_ml\":45}"), 200);
	r = ct_want_error(
	    if_match(who, "PATCH", path, "\"1\"", "{\"amount_ml\":10}"), 409,
	    "stale", NULL);
	assert_int_equal(ct_milli(r, "current.amount_ml"), 45000);
	r = ct_want_error(
	    if_match(who, "DELETE", path, "\"1\"", NULL), 409, "stale", NULL);
	assert_int_equal(ct_i64(r, "current.version"), 2);
	ct_want(if_match(who, "PATCH", path, "sometime", "{\"amount_ml\":10}"),
	    400);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 45000);
	ct_want(if_match(who, "DELETE", path, "\"2\"", NULL), 200);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 0);
}

struct race {
	const char *path;
	int status[8];
};

static void
patch_version_one(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *race = arg;

	race->status[i] = if_match(twin, "PATCH", race->path, "\"1\"",
	    ct_path(twin, "{\"amount_ml\":%u}", 10 + i))
			      ->status;
}

/* Of eight who all saw version 1, one changes it. */
static void
one_of_eight_patches_wins(void **state)
{
	struct ct_who *who = *state;
	struct race race = {.path = meal_path(who, "50")};
	unsigned won = 0;

	ct_at_once(who, 8, patch_version_one, &race);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(race.status[i] == 200 || race.status[i] == 409);
		won += race.status[i] == 200;
	}
	assert_int_equal(won, 1);
	assert_int_equal(ct_i64(ct_get(who, race.path), "version"), 2);
}

static void
delete_and_restore(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(meal(who, "50"), 201);
	const char *path =
	    ct_path(who, "/api/feeding/%s", ct_text(r, "data.id"));

	r = ct_want(ct_call(who, "DELETE", path, NULL), 200);
	ct_text(r, "message");
	assert_int_equal(ct_milli(r, "data.amount_ml"), 50000);
	ct_want_error(ct_get(who, path), 404, "not_found", NULL);
	ct_want_error(
	    ct_call(who, "DELETE", path, NULL), 404, "not_found", NULL);
	ct_want_error(ct_call(who, "PATCH", path, "{'notes':'x'}"), 404,
	    "not_found", NULL);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 0);
	assert_int_equal(ct_i64(today(who), "feeding_count"), 0);
	assert_int_equal(ct_meals(who), 0);
	ct_want(
	    ct_call(who, "POST", ct_path(who, "%s/restore", path), NULL), 200);
	ct_want(ct_get(who, path), 200);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 50000);
	assert_int_equal(ct_meals(who), 1);
}

static void
backdate(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(
	    ct_call(who, "POST", "/api/feeding/",
		"{'amount_ml':30,'time_given':'2025-06-01T23:30:00+02:00'}"),
	    201);
	assert_string_equal(
	    ct_text(r, "data.time_given"), "2025-06-01T21:30:00Z");
	assert_string_equal(ct_text(r, "data.care_day"), "2025-06-01");
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 0);
	/* Editing the time moves the entry to its day. */
	r = ct_want(ct_call(who, "PATCH",
			ct_path(who, "/api/feeding/%s", ct_text(r, "data.id")),
			"{'time_given':'2025-06-02T00:30:00Z'}"),
	    200);
	assert_string_equal(ct_text(r, "data.care_day"), "2025-06-02");
	ct_want(ct_call(who, "POST", "/api/feeding/",
		    "{'amount_ml':30,'time_given':'%s'}", ct_when(who, 60)),
	    201);
}

static void
exact_sums(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_register(who->a, NULL, NULL);
	const struct ct_answer *r;

	for (unsigned i = 0; i < 10; i++)
		ct_want(meal(who, "0.1"), 201);
	r = today(who);
	assert_true(ct_says(r, "\"total_fed_ml\":1,") ||
		    ct_says(r, "\"total_fed_ml\":1.0,"));
	ct_want(meal(two, "0.1"), 201);
	r = ct_want(meal(two, "0.2"), 201);
	assert_true(ct_says(r, "\"total_fed_ml\":0.3"));
	assert_true(ct_says(r, "\"remaining_ml\":209.7"));
	assert_false(ct_says(r, "00000"));
	assert_false(ct_says(r, "99999"));
	r = today(two);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 300);
	assert_int_equal(ct_milli(r, "remaining_ml"), 209700);
	assert_false(ct_says(r, "99999"));
}

static const struct ct_answer *
keyed(struct ct_who *who, const char *key, const char *body)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = "POST",
		     .path = "/api/feeding/",
		     .body = ct_str_of(ct_quoted(who->a, body)),
		     .more = {ct_path(who, "Idempotency-Key: %s", key)}});
}

static void
repeat_with_key(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_register(who->a, NULL, NULL);
	const struct ct_answer *a, *b;

	a = ct_want(keyed(who, "k-1", "{'amount_ml':50}"), 201);
	ct_want(meal(who, "20"), 201);
	b = ct_want(keyed(who, "k-1", "{'amount_ml':50}"), 201);
	/* The first answer again, to the byte. */
	assert_int_equal(a->body.n, b->body.n);
	assert_memory_equal(a->body.p, b->body.p, a->body.n);
	assert_int_equal(ct_meals(who), 2);
	ct_want_error(keyed(who, "k-1", "{'amount_ml':51}"), 409, NULL, NULL);
	assert_int_equal(ct_meals(who), 2);
	/* A key is its account's own. */
	ct_want(keyed(two, "k-1", "{'amount_ml':7}"), 201);
	assert_int_equal(ct_milli(today(two), "total_fed_ml"), 7000);
	/* A refused body does not use the key up. */
	ct_want(keyed(two, "k-2", "{'amount_ml':0}"), 400);
	ct_want(keyed(two, "k-2", "{'amount_ml':9}"), 201);
}

static void
repeat_with_id(void **state)
{
	struct ct_who *who = *state;
	struct ct_uuid u = ct_uuid_new();
	char id[CT_UUID_TEXT];
	const struct ct_answer *a, *b;

	ct_uuid_format(&u, id);
	a = ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'id':'%s','amount_ml':50}", id),
	    201);
	assert_string_equal(ct_text(a, "data.id"), id);
	b = ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'id':'%s','amount_ml':50}", id),
	    201);
	assert_string_equal(ct_text(b, "data.id"), id);
	assert_int_equal(a->body.n, b->body.n);
	assert_memory_equal(a->body.p, b->body.p, a->body.n);
	ct_want_error(ct_call(who, "POST", "/api/feeding/",
			  "{'id':'%s','amount_ml':51}", id),
	    409, NULL, NULL);
	ct_want_error(ct_call(who, "POST", "/api/feeding/",
			  "{'id':'not-an-id','amount_ml':51}"),
	    400, "invalid", "id");
	assert_int_equal(ct_meals(who), 1);
}

struct crowd {
	int status[16];
	char id[16][CT_UUID_TEXT];
	int64_t warnings[16];
};

static void
note(struct crowd *c, unsigned i, const struct ct_answer *r)
{
	const struct ct_json *id = ct_find(r, "data.id");
	struct ct_str s = id ? ct_json_str(id) : (struct ct_str){NULL, 0};
	const struct ct_json *w = ct_find(r, "warnings");

	c->status[i] = r->status;
	if (s.p && s.n < CT_UUID_TEXT)
		memcpy(c->id[i], s.p, s.n + 1);
	for (w = w ? ct_json_first(w) : NULL; w; w = ct_json_next(w))
		c->warnings[i]++;
}

static void
post_same_key(struct ct_who *twin, unsigned i, void *arg)
{
	note(arg, i, keyed(twin, "all-at-once", "{'amount_ml':50}"));
}

static void
eight_at_once_are_one(void **state)
{
	struct ct_who *who = *state;
	struct crowd c = {0};

	ct_at_once(who, 8, post_same_key, &c);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(c.status[i], 201);
		assert_string_equal(c.id[i], c.id[0]);
	}
	assert_int_equal(ct_meals(who), 1);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 50000);
}

static void
post_fifty(struct ct_who *twin, unsigned i, void *arg)
{
	note(arg, i, meal(twin, "50"));
}

static void
two_carers_at_once(void **state)
{
	struct ct_who *who = *state;
	struct crowd c = {0};
	const struct ct_answer *r;

	ct_at_once(who, 2, post_fifty, &c);
	assert_int_equal(c.status[0], 201);
	assert_int_equal(c.status[1], 201);
	assert_string_not_equal(c.id[0], c.id[1]);
	/* Whoever came second is told, and only that one. */
	assert_int_equal(!!c.warnings[0] + !!c.warnings[1], 1);
	r = today(who);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 100000);
	assert_int_equal(ct_i64(r, "feeding_count"), 2);
}

static void
many_carers_lose_nothing(void **state)
{
	struct ct_who *who = *state;
	struct crowd c = {0};

	ct_at_once(who, 12, post_fifty, &c);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(c.status[i], 201);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 600000);
	assert_int_equal(ct_i64(today(who), "feeding_count"), 12);
}

static void
double_feed(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	ct_want(meal(who, "50"), 201);
	r = ct_want(meal(who, "40"), 201);
	assert_true(ct_count(r, "warnings") >= 1);
	assert_true(ct_says(r, "Ada"));
	/* Asked to, the service refuses instead, and writes nothing. */
	r = ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'amount_ml':30,'confirm':false}"),
	    409);
	assert_int_equal(ct_meals(who), 2);
	r = ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'amount_ml':30,'confirm':true}"),
	    201);
	assert_int_equal(ct_meals(who), 3);
}

static void
over_the_day(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	ct_want(meal(who, "150"), 201);
	r = ct_want(meal(who, "100"), 201);
	assert_true(ct_count(r, "warnings") >= 1);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 0);
	assert_true(ct_flag(r, "tracker.is_completed"));
	assert_int_equal(
	    ct_milli(r, "tracker.progress_percentage") / 1000, 119);
}

static void
filters(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	static const char *const days[] = {
	    "2025-06-01", "2025-06-02", "2025-06-03"};

	for (unsigned i = 0; i < 3; i++)
		ct_want(ct_call(who, "POST", "/api/feeding/",
			    "{'amount_ml':%u,'time_given':'%sT23:59:59Z'}",
			    i + 1, days[i]),
		    201);
	/* Days are inclusive at both ends. */
	r = ct_want(
	    ct_get(who, "/api/feeding/?from=2025-06-01&to=2025-06-02"), 200);
	assert_int_equal(ct_i64(r, "pagination.total"), 2);
	r = ct_want(ct_get(who, "/api/feeding/?from=2025-06-02"), 200);
	assert_int_equal(ct_i64(r, "pagination.total"), 2);
	r = ct_want(ct_get(who, "/api/feeding/?to=2025-06-01"), 200);
	assert_int_equal(ct_i64(r, "pagination.total"), 1);
	ct_want_error(
	    ct_get(who, "/api/feeding/?from=yesterday"), 400, NULL, "from");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(create_answers_all),
	    ct_api_test(defaults),
	    ct_api_test(get_and_list),
	    ct_api_test(patch_changes_a_part),
	    ct_api_test(stale_patch_is_refused),
	    ct_api_test(stale_if_match_is_refused),
	    ct_api_test(one_of_eight_patches_wins),
	    ct_api_test(delete_and_restore),
	    ct_api_test(backdate),
	    ct_api_test(exact_sums),
	    ct_api_test(repeat_with_key),
	    ct_api_test(repeat_with_id),
	    ct_api_test(eight_at_once_are_one),
	    ct_api_test(two_carers_at_once),
	    ct_api_test(many_carers_lose_nothing),
	    ct_api_test(double_feed),
	    ct_api_test(over_the_day),
	    ct_api_test(filters),
	};

	return cmocka_run_group_tests_name(
	    "api/feeding", tests, ct_api_group, NULL);
}
