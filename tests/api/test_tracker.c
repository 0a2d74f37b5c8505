/*
 * The day: target, what is left, history, and which day it is for the cat.
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
#include "tests/support/app.h"

static const struct ct_answer *
today(struct ct_who *who)
{
	return ct_want(ct_get(who, "/api/tracker/today"), 200);
}

static const struct ct_answer *
meal(struct ct_who *who, const char *ml)
{
	return ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':%s}", ml), 201);
}

static void
set_zone(struct ct_who *who, const char *zone)
{
	ct_want(
	    ct_call(who, "PUT", "/api/auth/profile", "{'timezone':'%s'}", zone),
	    200);
}

static void
today_is_flat(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = today(who);

	ct_text(r, "id");
	assert_string_equal(ct_text(r, "target_date"), ct_text(r, "care_day"));
	assert_int_equal(ct_milli(r, "daily_target_ml"), 210000);
	assert_int_equal(ct_milli(r, "remaining_ml"), 210000);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 0);
	assert_int_equal(ct_i64(r, "feeding_count"), 0);
	assert_int_equal(ct_milli(r, "progress_percentage"), 0);
	assert_false(ct_flag(r, "is_completed"));
	ct_flag(r, "is_overdue");
	assert_int_equal(ct_milli(r, "over_ml"), 0);
	ct_text(r, "day_start");
	assert_int_equal(ct_milli(r, "day_hours"), 24000);
	assert_true(ct_is_null(r, "last_feeding"));
	ct_at(r, "next_due");
	ct_at(r, "last_updated");
	ct_at(r, "created_at");
	meal(who, "50");
	r = today(who);
	assert_int_equal(ct_milli(r, "last_feeding.amount_ml"), 50000);
	ct_text(r, "last_feeding.time_given");
	ct_at(r, "last_feeding.by");
	assert_true(ct_says(r, "Ada"));
}

static void
target_and_over(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(ct_call(who, "POST", "/api/tracker/today",
			"{'daily_target_ml':100}"),
	    200);
	ct_text(r, "message");
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 100000);
	meal(who, "80");
	assert_int_equal(ct_milli(today(who), "progress_percentage"), 80000);
	assert_false(ct_flag(today(who), "is_completed"));
	meal(who, "70");
	r = today(who);
	/* What is left stops at nothing; how far over it is does not. */
	assert_int_equal(ct_milli(r, "remaining_ml"), 0);
	assert_int_equal(ct_milli(r, "over_ml"), 50000);
	assert_int_equal(ct_milli(r, "progress_percentage"), 150000);
	assert_true(ct_flag(r, "is_completed"));
	/* The profile reads and writes the same target. */
	assert_int_equal(ct_milli(ct_want(ct_get(who, "/api/auth/me"), 200),
			     "user.daily_target_ml"),
	    100000);
	/* An answer that was cached is not shown after a change. */
	ct_want(ct_call(who, "POST", "/api/tracker/today",
		    "{'daily_target_ml':200}"),
	    200);
	assert_int_equal(ct_milli(today(who), "remaining_ml"), 50000);
	assert_int_equal(ct_milli(today(who), "over_ml"), 0);
}

static void
target_refusals(void **state)
{
	struct ct_who *who = *state;
	static const char *const bad[] = {"{'daily_target_ml':0}",
	    "{'daily_target_ml':-10}", "{'daily_target_ml':'200'}",
	    "{'daily_target_ml':true}", "{'daily_target_ml':null}",
	    "{'daily_target_ml':1000000000}", "{}"};

	for (unsigned i = 0; i < ct_countof(bad); i++)
		ct_want_error(
		    ct_call(who, "POST", "/api/tracker/today", "%s", bad[i]),
		    400, "invalid", "daily_target_ml");
	ct_want_error(ct_call(who, "POST", "/api/tracker/reset",
			  "{'daily_target_ml':-10}"),
	    400, "invalid", "daily_target_ml");
	assert_int_equal(ct_milli(today(who), "daily_target_ml"), 210000);
}

static void
reset_is_restorable(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	const char *id = ct_text(meal(who, "30"), "data.id");

	meal(who, "40");
	ct_want(ct_call(who, "POST", "/api/feeding/",
		    "{'amount_ml':20,'time_given':'2025-06-01T12:00:00Z'}"),
	    201);
	r = ct_want(ct_call(who, "POST", "/api/tracker/reset", NULL), 200);
	ct_text(r, "message");
	assert_int_equal(ct_i64(r, "deleted_feedings"), 2);
	assert_int_equal(ct_milli(r, "tracker.total_fed_ml"), 0);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 210000);
	assert_int_equal(ct_meals(who), 1);
	ct_want(ct_call(who, "POST",
		    ct_path(who, "/api/feeding/%s/restore", id), NULL),
	    200);
	assert_int_equal(ct_milli(today(who), "total_fed_ml"), 30000);
	r = ct_want(ct_call(who, "POST", "/api/tracker/reset",
			"{'daily_target_ml':150}"),
	    200);
	assert_int_equal(ct_i64(r, "deleted_feedings"), 1);
	assert_int_equal(ct_milli(r, "tracker.daily_target_ml"), 150000);
}

static void
history_has_empty_days(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	int32_t first, day;

	meal(who, "25");
	ct_want(
	    ct_call(who, "POST", "/api/feeding/",
		"{'amount_ml':11,'time_given':'%s'}", ct_when(who, -2 * 86400)),
	    201);
	r = ct_want(ct_get(who, "/api/tracker/history?days=7"), 200);
	assert_int_equal(ct_count(r, "trackers"), 7);
	assert_int_equal(ct_i64(r, "total_count"), 7);
	assert_true(ct_day_parse(
	    ct_json_str(ct_at(r, "trackers.0.target_date")), &first));
	for (int i = 0; i < 7; i++) {
		assert_true(ct_day_parse(
		    ct_json_str(
			ct_at(r, ct_path(who, "trackers.%d.target_date", i))),
		    &day));
		assert_int_equal(day, first - i);
	}
	assert_int_equal(ct_milli(r, "trackers.0.total_fed_ml"), 25000);
	assert_int_equal(ct_milli(r, "trackers.1.total_fed_ml"), 0);
	assert_int_equal(ct_milli(r, "trackers.2.total_fed_ml"), 11000);
	assert_int_equal(ct_i64(r, "trackers.1.feeding_count"), 0);
	r = ct_want(ct_get(who, "/api/tracker/history"), 200);
	assert_int_equal(ct_count(r, "trackers"), 7);
	r = ct_want(ct_get(who, "/api/tracker/history?days=366"), 200);
	assert_int_equal(ct_count(r, "trackers"), 366);
	ct_want_error(
	    ct_get(who, "/api/tracker/history?days=x"), 400, NULL, "days");
}

static void
stats(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	const struct ct_answer *r;

	meal(other, "99");
	ct_want(ct_call(who, "POST", "/api/tracker/today",
		    "{'daily_target_ml':60}"),
	    200);
	meal(who, "40");
	meal(who, "20");
	r = ct_want(ct_get(who, "/api/tracker/stats"), 200);
	ct_i64(r, "total_days");
	assert_int_equal(ct_i64(r, "completed_days"), 1);
	ct_milli(r, "completion_rate");
	ct_milli(r, "average_daily_intake");
	ct_milli(r, "average_feedings_per_day");
	ct_at(r, "days");
	/* Another tenant's meals move nothing. */
	meal(other, "50");
	assert_memory_equal(r->body.p,
	    ct_want(ct_get(who, "/api/tracker/stats"), 200)->body.p, r->body.n);
}

static void
add_feeding(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(ct_call(who, "POST", "/api/tracker/add-feeding",
			"{'amount_ml':60}"),
	    201);
	assert_int_equal(ct_milli(r, "previous_remaining"), 210000);
	assert_int_equal(ct_milli(r, "tracker.remaining_ml"), 150000);
	ct_text(r, "message");
	assert_int_equal(ct_meals(who), 1);
	assert_int_equal(ct_milli(r, "data.amount_ml"), 60000);
	ct_count(r, "warnings");
}

static void
add_feeding_refusals(void **state)
{
	struct ct_who *who = *state;

	ct_want_error(
	    ct_call(who, "POST", "/api/tracker/add-feeding", "{'amount_ml':0}"),
	    400, "invalid", "amount_ml");
	ct_want_error(ct_call(who, "DELETE", "/api/tracker/cleanup-old", NULL),
	    403, NULL, NULL);
	assert_int_equal(ct_meals(who), 0);
}

/* The day in a zone, by the C library. */
static const char *
day_in(struct ct_who *who, const char *zone)
{
	char text[CT_DAY_MAX];
	time_t now = time(NULL);
	struct tm tm;

	setenv("TZ", zone, 1);
	tzset();
	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	return ct_path(who, "%s", text);
}

static void
day_of_the_cats_zone(void **state)
{
	struct ct_who *who = *state;
	static const char *const zones[] = {"Pacific/Kiritimati",
	    "America/New_York", "Pacific/Pago_Pago", "Asia/Kathmandu"};
	const struct ct_answer *r;
	unsigned fed = 0;

	/* Kiritimati and Pago Pago are 25 hours apart: never one day. */
	assert_string_not_equal(day_in(who, zones[0]), day_in(who, zones[2]));
	for (unsigned i = 0; i < ct_countof(zones); i++) {
		set_zone(who, zones[i]);
		r = today(who);
		assert_string_equal(
		    ct_text(r, "care_day"), day_in(who, zones[i]));
		r = meal(who, "10");
		assert_string_equal(
		    ct_text(r, "data.care_day"), day_in(who, zones[i]));
		fed++;
	}
	assert_int_equal(ct_meals(who), fed);
	/* History keeps the zone that it was logged in. */
	set_zone(who, zones[0]);
	r = ct_want(ct_get(who, "/api/feeding/"), 200);
	assert_string_equal(
	    ct_text(r, "logs.3.care_day"), day_in(who, zones[0]));
	assert_string_equal(
	    ct_text(r, "logs.1.care_day"), day_in(who, zones[2]));
}

static void
want_day(struct ct_who *who, const char *at, const char *day)
{
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", "/api/feeding/",
			"{'amount_ml':1,'time_given':'%s'}", at),
		201);

	assert_string_equal(ct_text(r, "data.care_day"), day);
}

static void
days_of_23_and_25_hours(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	static const struct {
		const char *zone, *at, *day;
	} rows[] = {
	    /* 25 h: 04:00Z to 05:00Z */
	    {"America/New_York", "2025-11-02T03:59:59Z", "2025-11-01"},
	    {"America/New_York", "2025-11-02T04:00:00Z", "2025-11-02"},
	    {"America/New_York", "2025-11-02T05:30:00Z", "2025-11-02"},
	    {"America/New_York", "2025-11-02T06:30:00Z", "2025-11-02"},
	    {"America/New_York", "2025-11-03T04:59:59Z", "2025-11-02"},
	    {"America/New_York", "2025-11-03T05:00:00Z", "2025-11-03"},
	    /* 23 h: 05:00Z to 04:00Z */
	    {"America/New_York", "2025-03-09T04:59:59Z", "2025-03-08"},
	    {"America/New_York", "2025-03-09T05:00:00Z", "2025-03-09"},
	    {"America/New_York", "2025-03-10T03:59:59Z", "2025-03-09"},
	    {"America/New_York", "2025-03-10T04:00:00Z", "2025-03-10"},
	    /* midnight does not exist: the day starts at 01:00 */
	    {"Africa/Cairo", "2025-04-24T21:59:59Z", "2025-04-24"},
	    {"Africa/Cairo", "2025-04-24T22:00:00Z", "2025-04-25"},
	    /* midnight comes twice: the first one counts */
	    {"America/Havana", "2025-11-02T03:59:59Z", "2025-11-01"},
	    {"America/Havana", "2025-11-02T04:00:00Z", "2025-11-02"},
	    {"America/Havana", "2025-11-02T05:30:00Z", "2025-11-02"},
	    /* half-hour change */
	    {"Australia/Lord_Howe", "2025-04-05T12:59:59Z", "2025-04-05"},
	    {"Australia/Lord_Howe", "2025-04-05T13:00:00Z", "2025-04-06"},
	    {"Australia/Lord_Howe", "2025-04-06T13:29:59Z", "2025-04-06"},
	    {"Australia/Lord_Howe", "2025-04-06T13:30:00Z", "2025-04-07"},
	    {"Asia/Kathmandu", "2025-06-01T18:14:59Z", "2025-06-01"},
	    {"Asia/Kathmandu", "2025-06-01T18:15:00Z", "2025-06-02"},
	};

	for (unsigned i = 0; i < ct_countof(rows); i++) {
		if (i == 0 || strcmp(rows[i].zone, rows[i - 1].zone) != 0)
			set_zone(who, rows[i].zone);
		want_day(who, rows[i].at, rows[i].day);
	}
	/* The two 01:30 of that night are two meals, in order. */
	set_zone(who, "America/New_York");
	r = ct_want(ct_get(who, "/api/feeding/?from=2025-11-02T05:00:00Z"
				"&to=2025-11-02T07:00:00Z"),
	    200);
	assert_string_equal(
	    ct_text(r, "logs.0.time_given"), "2025-11-02T06:30:00Z");
	assert_int_equal(ct_i64(r, "pagination.total"), 3);
}

static void
reading_writes_nothing(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *a = today(who), *b = today(who);

	assert_string_equal(ct_head(a, "ETag"), ct_head(b, "ETag"));
	assert_int_equal(a->body.n, b->body.n);
	assert_memory_equal(a->body.p, b->body.p, a->body.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(today_is_flat),
	    ct_api_test(target_and_over),
	    ct_api_test(target_refusals),
	    ct_api_test(reset_is_restorable),
	    ct_api_test(history_has_empty_days),
	    ct_api_test(stats),
	    ct_api_test(add_feeding),
	    ct_api_test(add_feeding_refusals),
	    ct_api_test(day_of_the_cats_zone),
	    ct_api_test(days_of_23_and_25_hours),
	    ct_api_test(reading_writes_nothing),
	};

	return cmocka_run_group_tests_name(
	    "api/tracker", tests, ct_api_group, NULL);
}
