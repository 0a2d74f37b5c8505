/*
 * Doses: the life of an entry, the bare array of the old clients, and that
 * medicine is no food.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/app.h"

static const struct ct_answer *
dose(struct ct_who *who, const char *name)
{
	return ct_call(who, "POST", "/api/medication_log/",
	    "{'medication_name':'%s','dosage':'4mg','amount_ml':1.5}", name);
}

static void
create_answers_all(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(ct_call(who, "POST", "/api/medication_log/",
			"{'medication_name':'Maropitant','dosage':'1 tablet',"
			"'amount_ml':2,'route':'Oral','notes':'crushed',"
			"'flushed_before':false,'flushed_after':true}"),
	    201);
	ct_text(r, "message");
	ct_text(r, "data.id");
	assert_string_equal(ct_text(r, "data.medication_name"), "Maropitant");
	assert_string_equal(ct_text(r, "data.dosage"), "1 tablet");
	assert_int_equal(ct_milli(r, "data.amount_ml"), 2000);
	assert_string_equal(ct_text(r, "data.route"), "Oral");
	assert_string_equal(ct_text(r, "data.notes"), "crushed");
	assert_false(ct_flag(r, "data.flushed_before"));
	assert_true(ct_flag(r, "data.flushed_after"));
	ct_text(r, "data.time_given");
	assert_string_equal(ct_text(r, "data.status"), "given");
	assert_string_equal(ct_text(r, "data.reason"), "");
	assert_string_equal(ct_text(r, "data.by.id"), who->id);
	assert_int_equal(ct_i64(r, "data.version"), 1);
	r = ct_want(dose(who, "Mirtazapine"), 201);
	assert_string_equal(ct_text(r, "data.route"), "E-tube");
	assert_string_equal(ct_text(r, "data.notes"), "");
	/* Medicine is no food. */
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "total_fed_ml"), 0);
	assert_int_equal(ct_i64(r, "feeding_count"), 0);
}

static void
refusals(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *body, *field;
	} bad[] = {
	    {"{'dosage':'4mg','amount_ml':1}", "medication_name"},
	    {"{'medication_name':'','dosage':'4mg','amount_ml':1}",
		"medication_name"},
	    {"{'medication_name':'   ','dosage':'4mg','amount_ml':1}",
		"medication_name"},
	    {"{'medication_name':'M','amount_ml':1}", "dosage"},
	    {"{'medication_name':'M','dosage':4,'amount_ml':1}", "dosage"},
	    {"{'medication_name':'M','dosage':'4mg'}", "amount_ml"},
	    {"{'medication_name':'M','dosage':'4mg','amount_ml':0}",
		"amount_ml"},
	    {"{'medication_name':'M','dosage':'4mg','amount_ml':1,"
	     "'route':'Nose'}",
		"route"},
	    {"{'medication_name':'M','dosage':'4mg','amount_ml':1,"
	     "'status':'lost'}",
		"status"},
	    {"{'medication_name':'M','dosage':'4mg','amount_ml':1,"
	     "'flushed_before':'yes'}",
		"flushed_before"},
	};
	char name[102];

	for (unsigned i = 0; i < ct_countof(bad); i++)
		ct_want_error(ct_call(who, "POST", "/api/medication_log/", "%s",
				  bad[i].body),
		    400, "invalid", bad[i].field);
	memset(name, 'x', 101);
	name[101] = '\0';
	ct_want_error(dose(who, name), 400, "invalid", "medication_name");
	name[100] = '\0';
	ct_want(dose(who, name), 201);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/medication_log/"), 200), ""), 1);
}

/* All bad fields are told at once. */
static void
all_faults_at_once(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r =
	    ct_want_error(ct_call(who, "POST", "/api/medication_log/",
			      "{'amount_ml':-1,'route':'Nose','x':1}"),
		400, "invalid", "amount_ml");
	static const char *const names[] = {
	    "medication_name", "dosage", "route", "x"};

	for (unsigned i = 0; i < ct_countof(names); i++)
		ct_text(r, ct_path(who, "fields.%s", names[i]));
	assert_int_equal(ct_count(r, "fields"), 5);
}

static void
life(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(dose(who, "Ursodiol"), 201);
	const char *path =
	    ct_path(who, "/api/medication_log/%s", ct_text(r, "data.id"));

	r = ct_want(ct_get(who, path), 200);
	assert_non_null(ct_head(r, "ETag"));
	r = ct_want(ct_call(who, "PATCH", path,
			"{'status':'skipped','reason':'vomited','version':1}"),
	    200);
	assert_string_equal(ct_text(r, "data.status"), "skipped");
	assert_string_equal(ct_text(r, "data.reason"), "vomited");
	assert_string_equal(ct_text(r, "data.medication_name"), "Ursodiol");
	r = ct_want_error(
	    ct_call(who, "PATCH", path, "{'status':'given','version':1}"), 409,
	    "stale", NULL);
	assert_string_equal(ct_text(r, "current.status"), "skipped");
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	ct_want_error(ct_get(who, path), 404, "not_found", NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/medication_log/"), 200), ""), 0);
	ct_want(
	    ct_call(who, "POST", ct_path(who, "%s/restore", path), NULL), 200);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/medication_log/"), 200), ""), 1);
}

static void
lists(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	const struct ct_answer *r;

	for (unsigned i = 0; i < 3; i++)
		ct_want(
		    ct_call(who, "POST", "/api/medication_log",
			"{'medication_name':'M%u','dosage':'1','amount_ml':1,"
			"'time_given':'%s'}",
			i, ct_when(who, -60 * (int64_t)(5 - i))),
		    201);
	ct_want(dose(other, "Secret"), 201);
	/* Without a page: the bare array, the caller's own only. */
	r = ct_want(ct_get(who, "/api/medication_log/"), 200);
	assert_int_equal(ct_json_type(r->json), CT_JSON_ARRAY);
	assert_int_equal(ct_count(r, ""), 3);
	assert_string_equal(ct_text(r, "0.medication_name"), "M2");
	assert_string_equal(ct_text(r, "2.medication_name"), "M0");
	assert_false(ct_says(r, "Secret"));
	r = ct_want(ct_get(who, "/api/medication_log/?page=2&per_page=2"), 200);
	assert_int_equal(ct_count(r, "logs"), 1);
	assert_int_equal(ct_i64(r, "pagination.total"), 3);
}

static void
repeats(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *a, *b;
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/medication_log/",
	    .body = CT_STR("{\"medication_name\":\"M\",\"dosage\":\"1\","
			   "\"amount_ml\":1}"),
	    .more = {"Idempotency-Key: dose-1"}};

	a = ct_want(ct_ask(who, &ask), 201);
	b = ct_want(ct_ask(who, &ask), 201);
	assert_string_equal(ct_text(a, "data.id"), ct_text(b, "data.id"));
	/* The key belongs to this request: another path is another body. */
	ask.path = "/api/feeding/";
	ask.body = CT_STR("{\"amount_ml\":1}");
	ct_want_error(ct_ask(who, &ask), 409, NULL, NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/medication_log/"), 200), ""), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(create_answers_all),
	    ct_api_test(refusals),
	    ct_api_test(all_faults_at_once),
	    ct_api_test(life),
	    ct_api_test(lists),
	    ct_api_test(repeats),
	};

	return cmocka_run_group_tests_name(
	    "api/medication", tests, ct_api_group, NULL);
}
