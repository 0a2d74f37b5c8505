/*
 * Guards that a client alone can try: each test fails when the rule that it
 * names is taken out of the service.
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
#include "tests/support/app.h"

#include <stdatomic.h>

#define NEW_PASSWORD "eight cold syringes"
#define ROUNDS	     10
#define LOGINS	     3
#define TRIES	     6 /* log-ins of one thread: fewer than SESSIONS_MAX in all */
#define DEADLINE_MS  20000

/* ------------------------------------------------------------ double feeds */

static const struct ct_answer *
feed(struct ct_who *who, int ml, int64_t at_s, const char *more)
{
	return ct_call(who, "POST", "/api/feeding/",
	    "{'amount_ml':%d,'time_given':'%s'%s}", ml, ct_when(who, at_s),
	    more);
}

/* The first warning is of a meal of that size, so many minutes away. */
static void
want_near(const struct ct_answer *r, int ml, int64_t minutes)
{
	assert_string_equal(ct_text(r, "warnings.0.code"), "double_feed");
	assert_string_equal(ct_text(r, "warnings.0.by"), "Ada");
	assert_int_equal(ct_milli(r, "warnings.0.amount_ml"), ml * 1000);
	assert_in_range(
	    ct_i64(r, "warnings.0.minutes_ago"), minutes, minutes + 1);
}

static void
double_feed_stops_when_asked_to(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	static const char body[] = "{'amount_ml':10,'confirm':false}";

	/* Nothing is near: nothing to confirm. */
	ct_want(feed(who, 12, -130 * 60, ""), 201);
	r = ct_want(feed(who, 11, -9 * 60, ",'confirm':false"), 201);
	assert_int_equal(ct_count(r, "warnings"), 0);
	r = ct_want_error(ct_call(who, "POST", "/api/feeding/", body), 409,
	    "double_feed", NULL);
	want_near(r, 11, 9);
	r = ct_want_error(
	    ct_call(who, "POST", "/api/tracker/add-feeding", body), 409,
	    "double_feed", NULL);
	want_near(r, 11, 9);
	assert_int_equal(ct_meals(who), 2);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_true(ct_milli(r, "total_fed_ml") <= 23000);
	r = ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'amount_ml':10,'confirm':true}"),
	    201);
	want_near(r, 11, 9);
	r = ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':10}"), 201);
	want_near(r, 10, 0);
	assert_int_equal(ct_meals(who), 4);
}

/* A refusal is no answer to keep: the same key goes on to log the meal. */
static void
double_feed_keeps_no_key(void **state)
{
	struct ct_who *who = *state;
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/feeding/",
	    .body = CT_STR("{\"amount_ml\":10,\"confirm\":false}"),
	    .more = {"Idempotency-Key: meal-7"}};

	ct_want(feed(who, 11, -60, ""), 201);
	ct_want_error(ct_ask(who, &ask), 409, "double_feed", NULL);
	ask.body = CT_STR("{\"amount_ml\":10,\"confirm\":true}");
	ct_want(ct_ask(who, &ask), 201);
	assert_int_equal(ct_meals(who), 2);
}

static void
double_feed_names_the_nearest(void **state)
{
	struct ct_who *who = *state;
	const int64_t day = -86400;
	const struct ct_answer *r;

	/* Before the new one the near meal, after it the far one. Half a minute
	 * more: each call has a now of its own. */
	ct_want(feed(who, 31, 3 * day - 10 * 60 - 30, ""), 201);
	ct_want(feed(who, 32, 3 * day + 90 * 60, ""), 201);
	r = ct_want_error(feed(who, 33, 3 * day, ",'confirm':false"), 409,
	    "double_feed", NULL);
	want_near(r, 31, 10);
	/* The other way round. */
	ct_want(feed(who, 41, 5 * day - 90 * 60, ""), 201);
	ct_want(feed(who, 42, 5 * day + 10 * 60 + 30, ""), 201);
	want_near(ct_want(feed(who, 43, 5 * day, ""), 201), 42, 10);
	/* Two hours and more are not near. */
	ct_want(feed(who, 51, 7 * day - 121 * 60, ""), 201);
	ct_want(feed(who, 52, 7 * day + 121 * 60, ""), 201);
	r = ct_want(feed(who, 53, 7 * day, ",'confirm':false"), 201);
	assert_int_equal(ct_count(r, "warnings"), 0);
}

/* ------------------------------------------------------------ versions */

static const struct {
	const char *noun, *path, *body;
} kinds[] = {
    {"feeding", "/api/feeding", "{'amount_ml':5}"},
    {"medication", "/api/medication_log",
	"{'medication_name':'M','dosage':'1','amount_ml':1}"},
};

/* The path of a fresh entry of the kind. */
static const char *
entry(struct ct_who *who, unsigned kind)
{
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", kinds[kind].path, "%s", kinds[kind].body),
	    201);

	assert_int_equal(ct_i64(r, "data.version"), 1);
	return ct_path(who, "%s/%s", kinds[kind].path, ct_text(r, "data.id"));
}

static const struct ct_answer *
restore(struct ct_who *who, const char *path, const char *match)
{
	return ct_ask(who, &(struct ct_ask){.method = "POST",
			       .path = ct_path(who, "%s/restore", path),
			       .more = {match}});
}

static void
restore_heeds_if_match(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const char *path = entry(who, i);

		/* Alive: nothing is done, and the version is the real one. */
		r = ct_want(restore(who, path, "If-Match: \"999\""), 200);
		assert_int_equal(ct_i64(r, "data.version"), 1);
		ct_want(ct_call(who, "DELETE", path, NULL), 200);
		r = ct_want_error(restore(who, path, "If-Match: \"999\""), 409,
		    "stale", NULL);
		assert_int_equal(ct_i64(r, "current.version"), 2);
		assert_false(ct_is_null(r, "current.deleted_at"));
		ct_want_error(ct_get(who, path), 404, "not_found", NULL);
		/* The version of before the delete is stale as well. */
		ct_want_error(
		    restore(who, path, "If-Match: \"1\""), 409, "stale", NULL);
		ct_want_error(ct_get(who, path), 404, "not_found", NULL);
		r = ct_want(restore(who, path, "If-Match: \"2\""), 200);
		assert_int_equal(ct_i64(r, "data.version"), 3);
		ct_want(ct_get(who, path), 200);
		ct_want(ct_call(who, "DELETE", path, NULL), 200);
		ct_want(restore(who, path, NULL), 200);
		ct_want(ct_get(who, path), 200);
	}
}

static void
patch_heeds_version(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const char *path = entry(who, i);

		r = ct_want(ct_call(who, "PATCH", path, "{}"), 200);
		assert_int_equal(ct_i64(r, "data.version"), 1);
		r = ct_want(ct_get(who, path), 200);
		assert_int_equal(ct_i64(r, "version"), 1);
		r = ct_want_error(
		    ct_call(who, "PATCH", path, "{'notes':'late','version':2}"),
		    409, "stale", NULL);
		assert_int_equal(ct_i64(r, "current.version"), 1);
		assert_string_equal(ct_text(r, "current.notes"), "");
		r = ct_want(ct_call(who, "PATCH", path,
				"{'notes':'first','version':1}"),
		    200);
		assert_int_equal(ct_i64(r, "data.version"), 2);
		ct_want_error(
		    ct_call(who, "PATCH", path, "{'notes':'late','version':1}"),
		    409, "stale", NULL);
		r = ct_want(ct_get(who, path), 200);
		assert_string_equal(ct_text(r, "notes"), "first");
		assert_int_equal(ct_i64(r, "version"), 2);
		/* Not a way to choose the version of a new entry. */
		ct_want_error(
		    ct_call(who, "POST", kinds[i].path, "{'version':7}"), 400,
		    "invalid", "version");
	}
}

/* ------------------------------------------------------------ keys */

static const struct ct_answer *
keyed(struct ct_who *who, const char *path, const char *key, const char *body)
{
	return ct_ask(
	    who, &(struct ct_ask){.method = "POST",
		     .path = path,
		     .body = ct_str_of(ct_quoted(who->a, body)),
		     .more = {ct_path(who, "Idempotency-Key: %s", key)}});
}

#define FEEDING_REPORT	  "/api/report/feeding"
#define MEDICATION_REPORT "/api/report/medication"

static void
key_is_of_one_report_kind(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	static const char body[] = "{'format':'csv','start_date':'2025-06-01',"
				   "'end_date':'2025-06-02'}";
	const struct ct_answer *r =
	    ct_want(keyed(who, FEEDING_REPORT, "k-1", body), 202);
	const char *id = ct_text(r, "report_id");

	assert_null(ct_head(r, "Idempotent-Replayed"));
	ct_want_error(keyed(who, MEDICATION_REPORT, "k-1", body), 409,
	    "key_reused", NULL);
	r = ct_want(keyed(who, FEEDING_REPORT, "k-1", body), 202);
	assert_string_equal(ct_text(r, "report_id"), id);
	assert_non_null(ct_head(r, "Idempotent-Replayed"));
	assert_string_equal(ct_head(r, "Idempotent-Replayed"), "true");
	ct_want_error(keyed(who, FEEDING_REPORT, "k-1", "{'format':'json'}"),
	    409, "key_reused", NULL);
	/* Keys of two accounts know nothing of each other. */
	r = ct_want(keyed(other, FEEDING_REPORT, "k-1", body), 202);
	assert_string_not_equal(ct_text(r, "report_id"), id);
	assert_null(ct_head(r, "Idempotent-Replayed"));
	ct_want_error(ct_get(other, ct_path(who, "/api/report/status/%s", id)),
	    404, "not_found", NULL);
}

static void
key_is_of_one_route(void **state)
{
	struct ct_who *who = *state;
	static const char body[] = "{'amount_ml':5}";

	ct_want(keyed(who, "/api/feeding/", "k-2", body), 201);
	ct_want_error(keyed(who, "/api/tracker/add-feeding", "k-2", body), 409,
	    "key_reused", NULL);
	assert_int_equal(ct_meals(who), 1);
	/* A slash more is no other route. */
	ct_want(keyed(who, "/api/feeding", "k-2", body), 201);
	assert_int_equal(ct_meals(who), 1);
}

/* ------------------------------------------------------------ at once */

/* Log-ins that prove the old password while it is being changed. */
struct race {
	atomic_bool over;
	atomic_int status; /* of the change */
	unsigned n[LOGINS];
	char cookies[LOGINS][TRIES][256];
};

static void
change_password(struct ct_who *who, struct race *race)
{
	int64_t end = ct_mono_ms() + DEADLINE_MS;
	const struct ct_answer *r;

	/* 503: the queue of those that want a hash is full. */
	do
		r = ct_call(who, "POST", "/api/auth/change-password",
		    "{'current_password':'" CT_T_PASSWORD
		    "','new_password':'" NEW_PASSWORD "'}");
	while (r->status == 503 && ct_mono_ms() < end);
	atomic_store(&race->status, r->status);
	atomic_store(&race->over, true);
}

static void
race_thread(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *race = arg;

	if (i == LOGINS) {
		change_password(twin, race);
		return;
	}
	twin->cookie[0] = '\0';
	for (unsigned n = 0; n < TRIES && !atomic_load(&race->over); n++) {
		const struct ct_answer *r =
		    ct_call(twin, "POST", "/api/auth/login",
			"{'email':'%s','password':'" CT_T_PASSWORD "'}",
			twin->email);

		if (r->status == 200 && ct_take_cookie(twin, r))
			memcpy(race->cookies[i][race->n[i]++], twin->cookie,
			    sizeof(twin->cookie));
		twin->cookie[0] = '\0';
	}
}

static void
old_password_leaves_no_session(void **state)
{
	struct ct_who *one = *state;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct ct_who *who = ct_who_register(one->a, NULL, NULL);
		struct ct_who *thief = ct_who_nobody(one->a, NULL);
		struct race *race = ct_arena_alloc(one->a, sizeof(*race));

		ct_at_once(who, LOGINS + 1, race_thread, race);
		assert_int_equal(atomic_load(&race->status), 200);
		ct_want(ct_get(who, "/api/auth/me"), 200);
		for (unsigned i = 0; i < LOGINS; i++) {
			for (unsigned n = 0; n < race->n[i]; n++) {
				memcpy(thief->cookie, race->cookies[i][n],
				    sizeof(thief->cookie));
				ct_want_error(ct_get(thief, "/api/auth/me"),
				    401, CT_T_UNAUTH, NULL);
			}
		}
	}
}

static void
profile_thread(struct ct_who *twin, unsigned i, void *arg)
{
	static const char *const fields[] = {"cat_name", "cat_breed"};
	unsigned *round = arg;

	ct_call(twin, "PUT", "/api/auth/profile", "{'%s':'%s %u'}", fields[i],
	    fields[i], *round);
}

static void
profile_changes_lose_none(void **state)
{
	struct ct_who *who = *state;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct ct_answer *r;

		ct_at_once(who, 2, profile_thread, &round);
		r = ct_want(ct_get(who, "/api/auth/me"), 200);
		assert_string_equal(ct_text(r, "user.cat_name"),
		    ct_path(who, "cat_name %u", round));
		assert_string_equal(ct_text(r, "user.cat_breed"),
		    ct_path(who, "cat_breed %u", round));
	}
}

/* ------------------------------------------------------------ tenants */

static void
foreign_cat_is_no_cat(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	static const char *const paths[] = {"/api/feeding/?cat_id=%s",
	    "/api/feeding/?page=2&cat_id=%s", "/api/medication_log/?cat_id=%s",
	    "/api/medication_log/?page=1&cat_id=%s",
	    "/api/tracker/today?cat_id=%s", "/api/tracker/history?cat_id=%s",
	    "/api/tracker/stats?cat_id=%s"};
	const char *cats[2];
	struct ct_uuid never = ct_uuid_new();
	char text[CT_UUID_TEXT];

	cats[0] =
	    ct_text(ct_want(ct_get(other, "/api/auth/me"), 200), "user.cat_id");
	cats[1] = ct_uuid_format(&never, text);
	for (unsigned i = 0; i < ct_countof(kinds); i++)
		entry(other, i);
	for (unsigned c = 0; c < ct_countof(cats); c++) {
		for (unsigned i = 0; i < ct_countof(paths); i++) {
			const char *path = ct_arena_printf(who->a, "%.*s%s",
			    ct_int(strlen(paths[i]) - 2), paths[i], cats[c]);

			ct_want_error(
			    ct_get(who, path), 404, "not_found", NULL);
			if (c == 0)
				ct_want(ct_get(other, path), 200);
		}
		ct_want_error(ct_call(who, "POST", FEEDING_REPORT,
				  "{'format':'csv','cat_id':'%s'}", cats[c]),
		    404, "not_found", NULL);
	}
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/report/active"), 200),
		"active_reports"),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(double_feed_stops_when_asked_to),
	    ct_api_test(double_feed_keeps_no_key),
	    ct_api_test(double_feed_names_the_nearest),
	    ct_api_test(restore_heeds_if_match),
	    ct_api_test(patch_heeds_version),
	    ct_api_test(key_is_of_one_report_kind),
	    ct_api_test(key_is_of_one_route),
	    ct_api_test(old_password_leaves_no_session),
	    ct_api_test(profile_changes_lose_none),
	    ct_api_test(foreign_cat_is_no_cat),
	};

	return cmocka_run_group_tests_name(
	    "api/guards", tests, ct_api_group, NULL);
}
