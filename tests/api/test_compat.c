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
#include "tests/support/hand.h"

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

/* Whatever went wrong, the client shows `error`, which it takes for text. */
static void
web_client_errors(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *nobody = ct_who_nobody(who->a, NULL);
	const struct ct_answer *answers[] = {
	    ct_want(ct_get(nobody, "/api/auth/me"), 401),
	    ct_want(ct_get(nobody, "/api/tracker/today"), 401),
	    ct_want(ct_call(nobody, "POST", "/api/auth/register",
			"{'email':'%s','password':'Passw0rd-of-Ada',"
			"'first_name':'Ada'}",
			who->email),
		409),
	    ct_want(ct_call(nobody, "POST", "/api/auth/register",
			"{'email':'ada','password':'short','first_name':''}"),
		400),
	    ct_want(ct_call(nobody, "POST", "/api/auth/login",
			"{'email':'%s','password':'wrong'}", who->email),
		401),
	    ct_want(
		ct_call(who, "POST", "/api/feeding/", "{'amount_ml':0}"), 400),
	    ct_want(ct_call(who, "POST", "/api/feeding/", "{}"), 400),
	    ct_want(ct_call(who, "POST", "/api/tracker/today",
			"{'daily_target_ml':-5}"),
		400),
	    ct_want(ct_call(who, "POST", "/api/report/feeding",
			"{'format':'docx'}"),
		400),
	    ct_want(ct_call(who, "POST", "/api/auth/change-password",
			"{'current_password':'wrong','new_password':"
			"'Passw0rd-of-Eve'}"),
		401),
	    ct_want(ct_call(who, "POST", "/api/auth/deactivate",
			"{'password':'wrong'}"),
		401),
	};

	for (unsigned i = 0; i < ct_countof(answers); i++)
		assert_true(strlen(ct_text(answers[i], "error")) > 5);
}

/* Its way out: afterwards nobody is signed in, and no log-in is told why. */
static void
web_client_leaves(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(ct_call(who, "POST", "/api/auth/deactivate",
			"{'password':'" CT_T_PASSWORD "'}"),
	    200);
	ct_text(r, "message");
	ct_want(ct_get(who, "/api/auth/me"), 401);
	who->cookie[0] = '\0';
	ct_text(ct_want(ct_call(who, "POST", "/api/auth/login",
			    "{'email':'%s','password':'" CT_T_PASSWORD
			    "','remember_me':true}",
			    who->email),
		    401),
	    "error");
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

/* What it has functions for, used or not. */
static void
web_client_reads(void **state)
{
	struct ct_who *who = *state;
	static const char *const log[] = {
	    "id", "amount_ml", "flushed_before", "flushed_after", "time_given"};
	static const char *const page[] = {
	    "page", "pages", "per_page", "total", "has_next", "has_prev"};
	static const char *const day[] = {"target_date", "daily_target_ml",
	    "remaining_ml", "total_fed_ml", "feeding_count",
	    "progress_percentage", "is_completed", "is_overdue"};
	static const char *const stats[] = {"total_days", "completed_days",
	    "completion_rate", "average_daily_intake",
	    "average_feedings_per_day"};
	const struct ct_answer *r;

	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':70}"), 201);
	r = ct_want(ct_get(who, "/api/feeding/?page=1&per_page=50"), 200);
	assert_int_equal(ct_count(r, "logs"), 1);
	for (unsigned i = 0; i < ct_countof(log); i++)
		ct_at(r, ct_path(who, "logs.0.%s", log[i]));
	for (unsigned i = 0; i < ct_countof(page); i++)
		ct_at(r, ct_path(who, "pagination.%s", page[i]));
	r = ct_want(ct_get(who, "/api/tracker/history?days=7"), 200);
	assert_int_equal(ct_i64(r, "total_count"), ct_count(r, "trackers"));
	for (unsigned i = 0; i < ct_countof(day); i++)
		ct_at(r, ct_path(who, "trackers.0.%s", day[i]));
	r = ct_want(ct_get(who, "/api/tracker/stats"), 200);
	for (unsigned i = 0; i < ct_countof(stats); i++)
		ct_milli(r, stats[i]);
}

static void
web_client_medication(void **state)
{
	struct ct_who *who = *state;
	static const char *const log[] = {"id", "medication_name", "dosage",
	    "amount_ml", "route", "notes", "flushed_before", "flushed_after",
	    "time_given"};
	const struct ct_answer *r;

	r = ct_want(
	    ct_call(who, "POST", "/api/medication_log/",
		"{'medication_name':'Cerenia','dosage':'4mg','amount_ml':1,"
		"'route':'E-tube','notes':'','flushed_before':true,"
		"'flushed_after':true}"),
	    201);
	ct_text(r, "message");
	for (unsigned i = 0; i < ct_countof(log); i++)
		ct_at(r, ct_path(who, "data.%s", log[i]));
	r = ct_want(ct_get(who, "/api/medication_log/"), 200);
	assert_int_equal(ct_json_type(r->json), CT_JSON_ARRAY);
	for (unsigned i = 0; i < ct_countof(log); i++)
		ct_at(r, ct_path(who, "0.%s", log[i]));
}

/* What /filename="(.+)"/ takes out of the header: up to the last quote. */
static const char *
file_name(struct ct_who *who, const struct ct_answer *r)
{
	const char *head = ct_head(r, "Content-Disposition");
	const char *from = head ? strstr(head, "filename=\"") : NULL;
	const char *to = head ? strrchr(head, '"') : NULL;

	assert_non_null(from);
	assert_true(to > from + 10);
	return ct_path(who, "%.*s", (int)(to - from - 10), from + 10);
}

static void
wait_for(struct ct_who *who, const char *id)
{
	int64_t end = ct_mono_ms() + 10000; /* as long as test_features.py */
	const struct ct_answer *r;

	for (;;) {
		r = ct_want(
		    ct_get(who, ct_path(who, "/api/report/status/%s", id)),
		    200);
		assert_in_range(ct_i64(r, "progress"), 0, 100);
		if (strcmp(ct_text(r, "status"), "completed") == 0)
			break;
		assert_string_equal(ct_text(r, "status"), "processing");
		assert_true(ct_mono_ms() < end);
		nanosleep(&(struct timespec){0, 100000000}, NULL);
	}
	assert_true(ct_flag(r, "ready_for_download"));
}

/* Its dates are instants; it asks again while the report is being made. */
static void
web_client_report(void **state)
{
	struct ct_who *who = *state;
	static const char *const types[] = {
	    "feeding", "medication", "combined"};
	const struct ct_answer *r;
	const char *id, *name;

	for (unsigned i = 0; i < ct_countof(types); i++) {
		r = ct_want(ct_call(who, "POST",
				ct_path(who, "/api/report/%s", types[i]),
				"{'format':'csv','start_date':"
				"'2025-06-01T00:00:00.000Z',"
				"'end_date':'2025-06-30T00:00:00.000Z'}"),
		    202);
		id = ct_text(r, "report_id");
		assert_string_equal(ct_text(r, "status"), "processing");
		ct_text(r, "message");
		wait_for(who, id);
		r = ct_want(
		    ct_get(who, ct_path(who, "/api/report/download/%s", id)),
		    200);
		name = file_name(who, r);
		assert_int_equal(strncmp(name, types[i], strlen(types[i])), 0);
		assert_string_equal(name + strlen(name) - 4, ".csv");
		assert_null(strchr(name, '"'));
		ct_text(ct_want(ct_call(who, "DELETE",
				    ct_path(who, "/api/report/cleanup/%s", id),
				    NULL),
			    200),
		    "message");
		ct_want(ct_get(who, ct_path(who, "/api/report/status/%s", id)),
		    404);
	}
}

/* The list shows report_id, status and progress of each. */
static void
web_client_active(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *h = ct_hand_open(who->a);
	const struct ct_answer *r;

	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/report/active"), 200),
		"active_reports"),
	    0);
	/* A row without a job stays as it is. */
	ct_hand_sql(h,
	    "insert into report (id, account_id, cat_id, kind, format)"
	    " select gen_random_uuid(), id, default_cat, 'feeding', 'csv'"
	    " from account where id = '%s'",
	    who->id);
	r = ct_want(ct_get(who, "/api/report/active"), 200);
	assert_int_equal(ct_count(r, "active_reports"), 1);
	ct_text(r, "active_reports.0.report_id");
	assert_string_equal(
	    ct_text(r, "active_reports.0.status"), "processing");
	assert_int_equal(ct_i64(r, "active_reports.0.progress"), 0);
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

	r = ct_want(ct_get(who, "/"), 200);
	ct_text(r, "message");
	ct_text(r, "status");
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
	/* As the scripts sent it: a dose of nothing in particular. */
	ct_want_error(ct_call(who, "POST", "/api/medication_log",
			  "{'amount_ml':5.0,'flushed_before':true,"
			  "'flushed_after':true}"),
	    400, NULL, "medication_name");
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
	wait_for(who, ct_text(r, "report_id"));
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
	    ct_api_test(web_client_errors),
	    ct_api_test(web_client_leaves),
	    ct_api_test(web_client_feeding),
	    ct_api_test(web_client_reads),
	    ct_api_test(web_client_medication),
	    ct_api_test(web_client_report),
	    ct_api_test(web_client_active),
	    ct_api_test(old_scripts),
	    ct_api_test(slashes),
	    ct_api_test(slash_of_the_index),
	};

	return cmocka_run_group_tests_name(
	    "api/compat", tests, ct_api_group, NULL);
}
