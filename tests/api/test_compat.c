/*
 * The calls of the clients and scripts that exist already, in their order and
 * with their own bodies: after a log-in they must work as they are.
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

/* The web client's log-in page: register, out, in, profile, password. */
static void
web_client_account(void **state)
{
	struct ct_who *one = *state;
	struct ct_who *who = ct_who_nobody(one->a, NULL);
	struct ct_uuid u = ct_uuid_new();
	const struct ct_answer *r;
	char id[CT_UUID_TEXT];

	ct_uuid_format(&u, id);
	r = ct_want(
	    ct_call(who, "POST", "/api/auth/register",
		"{'email':'t-%s@example.test','password':'Passw0rd-of-Ada',"
		"'first_name':'Ada','last_name':'','cat_name':'','cat_breed':''"
		","
		"'cat_age':null,'cat_weight':null,'daily_target_ml':210,"
		"'timezone':'UTC'}",
		id),
	    201);
	assert_true(ct_take_cookie(who, r));
	ct_text(r, "user.email");
	ct_want(ct_call(who, "POST", "/api/auth/logout", NULL), 200);
	who->cookie[0] = '\0';
	r = ct_want(
	    ct_call(who, "POST", "/api/auth/login",
		"{'email':'t-%s@example.test','password':'wrong','remember_me':"
		"true}",
		id),
	    401);
	ct_text(r, "error");
	r = ct_want(
	    ct_call(who, "POST", "/api/auth/login",
		"{'email':'t-%s@example.test','password':'Passw0rd-of-Ada',"
		"'remember_me':false}",
		id),
	    200);
	assert_true(ct_take_cookie(who, r));
	ct_text(ct_want(ct_get(who, "/api/auth/me"), 200), "user.email");
	ct_text(
	    ct_want(ct_call(who, "PUT", "/api/auth/profile",
			"{'first_name':'Ada','last_name':'Byron','cat_name':'"
			"Miezi',"
			"'cat_breed':'EHK','cat_age':4,'cat_weight':4.2,"
			"'daily_target_ml':200,'timezone':'Europe/Berlin'}"),
		200),
	    "user.cat_name");
	ct_want(ct_call(who, "POST", "/api/auth/change-password",
		    "{'current_password':'Passw0rd-of-Ada','new_password':"
		    "'Passw0rd-of-Eve'}"),
	    200);
}

static void
web_client_feeding(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", "/api/feeding/",
		"{'amount_ml':70,'flushed_before':true,'flushed_after':true}"),
	    201);

	ct_text(r, "message");
	ct_text(r, "data.id");
	ct_text(r, "data.time_given");
	assert_int_equal(ct_milli(r, "data.amount_ml"), 70000);
	assert_int_equal(ct_milli(r, "tracker.total_fed_ml"), 70000);
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 210000);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 140000);
	assert_int_equal(ct_i64(r, "tracker.feeding_count"), 1);
	assert_in_range(
	    ct_milli(r, "tracker.progress_percentage"), 33300, 33334);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "remaining_ml"), 140000);
	r = ct_want(ct_call(who, "POST", "/api/tracker/today",
			"{'daily_target_ml':180}"),
	    200);
	ct_text(r, "message");
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 180000);
	r = ct_want(ct_call(who, "POST", "/api/tracker/reset",
			"{'daily_target_ml':210}"),
	    200);
	ct_text(r, "message");
	assert_int_equal(ct_i64(r, "deleted_feedings"), 1);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 210000);
	ct_count(ct_want(ct_get(who, "/api/tracker/history?days=7"), 200),
	    "trackers");
}

static void
web_client_medication(void **state)
{
	struct ct_who *who = *state;

	ct_want(ct_call(who, "POST", "/api/medication_log/",
		    "{'medication_name':'Cerenia','dosage':'4mg','amount_ml':1,"
		    "'route':'E-tube','notes':'','flushed_before':true,"
		    "'flushed_after':true}"),
	    201);
	assert_int_equal(
	    ct_json_type(
		ct_want(ct_get(who, "/api/medication_log/"), 200)->json),
	    CT_JSON_ARRAY);
}

/* Its dates are instants, its file name comes from filename="(.+)". */
static void
web_client_report(void **state)
{
	struct ct_who *who = *state;
	int64_t end = ct_mono_ms() + 30000;
	const struct ct_answer *r;
	const char *id, *name;

	r = ct_want(
	    ct_call(who, "POST", "/api/report/combined",
		"{'format':'csv','start_date':'2025-06-01T00:00:00.000Z',"
		"'end_date':'2025-06-30T00:00:00.000Z'}"),
	    202);
	id = ct_text(r, "report_id");
	do {
		nanosleep(&(struct timespec){0, 250000000}, NULL);
		r = ct_want(
		    ct_get(who, ct_path(who, "/api/report/status/%s", id)),
		    200);
		ct_i64(r, "progress");
		assert_true(ct_mono_ms() < end);
	} while (strcmp(ct_text(r, "status"), "completed") != 0);
	r = ct_want(
	    ct_get(who, ct_path(who, "/api/report/download/%s", id)), 200);
	name = ct_head(r, "Content-Disposition");
	assert_non_null(name);
	name = strstr(name, "filename=\"");
	assert_non_null(name);
	assert_non_null(strchr(name + 10, '"'));
	ct_count(
	    ct_want(ct_get(who, "/api/report/active"), 200), "active_reports");
	ct_want(ct_call(who, "DELETE",
		    ct_path(who, "/api/report/cleanup/%s", id), NULL),
	    200);
}

/* test_api.sh and test_features.py, with the medication's name added. */
static void
old_scripts(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	static const char *const keys[] = {"completion_rate",
	    "average_daily_intake", "average_feedings_per_day"};
	static const char *const today[] = {"daily_target_ml", "remaining_ml",
	    "total_fed_ml", "feeding_count", "progress_percentage",
	    "is_completed", "is_overdue", "target_date"};

	ct_want(ct_get(who, "/"), 200);
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	for (unsigned i = 0; i < ct_countof(today); i++)
		ct_at(r, today[i]);
	ct_want(ct_call(who, "POST", "/api/tracker/today",
		    "{'daily_target_ml':250.0}"),
	    200);
	r = ct_want(ct_call(who, "POST", "/api/feeding",
			"{'amount_ml':50.5,'flushed_before':true,'flushed_"
			"after':false}"),
	    201);
	ct_at(r, "tracker");
	ct_want(ct_get(who, "/api/feeding"), 200);
	ct_want(
	    ct_call(who, "POST", "/api/medication_log",
		"{'medication_name':'Vitamin','dosage':'1 tablet',"
		"'amount_ml':5.0,'flushed_before':true,'flushed_after':true}"),
	    201);
	r = ct_want(ct_get(who, "/api/tracker/stats"), 200);
	for (unsigned i = 0; i < ct_countof(keys); i++)
		ct_milli(r, keys[i]);
	ct_want(ct_get(who, "/api/tracker/history?days=7"), 200);
	r = ct_want(ct_call(who, "POST", "/api/report/feeding",
			"{'format':'json','start_date':'2025-01-01',"
			"'end_date':'2025-12-31'}"),
	    202);
	ct_text(ct_want(ct_get(who, ct_path(who, "/api/report/status/%s",
					ct_text(r, "report_id"))),
		    200),
	    "status");
	r = ct_want(ct_call(who, "POST", "/api/tracker/reset", "{}"), 200);
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 250000);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 250000);
}

/* Slashes at the end come and go without a redirect. */
static void
slashes(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {"/api/feeding", "/api/feeding/",
	    "/api/medication_log", "/api/medication_log/", "/api/tracker/today",
	    "/api/tracker/today/", "/api/auth/me", "/api/auth/me/",
	    "/api/report/active", "/api/report/active/"};

	for (unsigned i = 0; i < ct_countof(paths); i++)
		ct_want(ct_get(who, paths[i]), 200);
}

static void
slash_of_the_index(void **state)
{
	struct ct_who *who = *state;

	ct_want(ct_get(who, "/api/"), 200);
	ct_want(ct_get(who, "/api"), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(web_client_account),
	    ct_api_test(web_client_feeding),
	    ct_api_test(web_client_medication),
	    ct_api_test(web_client_report),
	    ct_api_test(old_scripts),
	    ct_api_test(slashes),
	    ct_api_test(slash_of_the_index),
	};

	return cmocka_run_group_tests_name(
	    "api/compat", tests, ct_api_group, NULL);
}
