/*
 * What entry kinds have of their own: warnings about weights, vomiting, the
 * tube and doses, and the reference weight that follows the scales.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/app.h"

static const char *
path_of(struct ct_who *who, const char *path, const struct ct_answer *made)
{
	return ct_path(who, "%s/%s", path, ct_text(made, "data.id"));
}

/* ------------------------------------------------------------ warnings */

/* The code of the only warning, "" for none. */
static const char *
warned(const struct ct_answer *r)
{
	size_t n = ct_count(r, "warnings");

	if (n == 0)
		return "";
	assert_int_equal(n, 1);
	ct_text(r, "warnings.0.message");
	return ct_text(r, "warnings.0.code");
}

static const struct ct_answer *
weigh(struct ct_who *who, int64_t days_ago, int g)
{
	return ct_want(ct_call(who, "POST", "/api/weight",
			   "{'weight_g':%d,'time_given':'%s'}", g,
			   ct_when(who, -86400 * days_ago - 60)),
	    201);
}

static void
weights_warn(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	assert_string_equal(warned(weigh(who, 20, 4000)), "");
	assert_string_equal(warned(weigh(who, 7, 3990)), "");
	/* -2 % in a week; the highest of 30 days is not yet 5 % above. */
	r = weigh(who, 0, 3910);
	assert_string_equal(warned(r), "weight_loss");
	assert_string_equal(ct_text(r, "warnings.0.level"), "info");
	assert_int_equal(ct_milli(r, "warnings.0.change_percent"), -2000);
	assert_int_equal(ct_i64(r, "warnings.0.reference_weight_g"), 3990);
	/* The median of the day counts: 3600 with 3910 and 3600. */
	weigh(who, 0, 3600);
	r = weigh(who, 0, 3600);
	assert_int_equal(ct_count(r, "warnings"), 2);
	assert_string_equal(ct_text(r, "warnings.1.level"), "urgent");
	assert_int_equal(ct_milli(r, "warnings.1.change_percent"), -10000);
	/* A slip of the finger names the last weight. */
	r = ct_want(
	    ct_call(who, "POST", "/api/weight", "{'weight_g':5000}"), 201);
	assert_true(ct_says(r, "\"code\":\"weight_change\""));
	assert_int_equal(ct_i64(r, "warnings.0.reference_weight_g"), 3600);
	assert_int_equal(ct_milli(r, "warnings.0.change_percent"), 38900);
	assert_true(ct_says(r, "3.6 kg on 20"));
	r = ct_want(
	    ct_call(who, "POST", "/api/weight", "{'weight_g':400}"), 201);
	assert_true(ct_says(r, "\"code\":\"weight_unusual\""));
}

static int64_t
reference_g(struct ct_who *who)
{
	const struct ct_answer *r = ct_want(ct_get(who, "/api/auth/me"), 200);

	return ct_find(r, "user.cat_weight") &&
		       ct_json_type(ct_find(r, "user.cat_weight")) !=
			   CT_JSON_NULL
		   ? ct_milli(r, "user.cat_weight")
		   : 0;
}

static const char *
cap_of(struct ct_who *who, const char *ml)
{
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", "/api/feeding", "{'amount_ml':%s}", ml), 201);

	return ct_says(r, "over_cap") ? "over" : "fine";
}

/* The newest weight is the reference, whichever way it came to be that. */
static void
reference_follows(void **state)
{
	struct ct_who *who = ct_who_register(
	    ((struct ct_who *)*state)->a, NULL, ",'cat_weight':5.2");
	const char *old, *new;

	assert_int_equal(reference_g(who), 5200);
	assert_string_equal(cap_of(who, "45"), "fine");
	old = path_of(who, "/api/weight", weigh(who, 3, 4500));
	assert_int_equal(reference_g(who), 4500);
	new = path_of(who, "/api/weight", weigh(who, 1, 4000));
	assert_int_equal(reference_g(who), 4000);
	assert_string_equal(cap_of(who, "45"), "over");
	/* One that is older changes nothing. */
	ct_want(ct_call(who, "DELETE",
		    path_of(who, "/api/weight", weigh(who, 9, 9000)), NULL),
	    200);
	assert_int_equal(reference_g(who), 4000);
	ct_want(ct_call(who, "PATCH", new, "{'weight_g':4100}"), 200);
	assert_int_equal(reference_g(who), 4100);
	/* Moved behind the other one, it is no longer the newest. */
	ct_want(ct_call(who, "PATCH", new, "{'time_given':'%s'}",
		    ct_when(who, -86400 * 5)),
	    200);
	assert_int_equal(reference_g(who), 4500);
	ct_want(ct_call(who, "DELETE", old, NULL), 200);
	assert_int_equal(reference_g(who), 4100);
	ct_want(
	    ct_call(who, "POST", ct_path(who, "%s/restore", old), NULL), 200);
	assert_int_equal(reference_g(who), 4500);
	/* What the profile says later holds until the next weight. */
	ct_want(ct_call(who, "PUT", "/api/auth/profile", "{'cat_weight':4.7}"),
	    200);
	assert_int_equal(reference_g(who), 4700);
	ct_want(
	    ct_call(who, "PUT", "/api/auth/profile", "{'cat_name':'M'}"), 200);
	assert_int_equal(reference_g(who), 4700);
	ct_want(ct_call(who, "DELETE", old, NULL), 200);
	ct_want(ct_call(who, "DELETE", new, NULL), 200);
	assert_int_equal(reference_g(who), 4700);
}

/* The only entry goes: what the profile said counts again. */
static void
reference_falls_back(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *told =
	    ct_who_register(who->a, NULL, ",'cat_weight':5.2");
	const char *path = path_of(told, "/api/weight", weigh(told, 0, 4200));

	assert_int_equal(reference_g(told), 4200);
	ct_want(ct_call(told, "DELETE", path, NULL), 200);
	assert_int_equal(reference_g(told), 5200);
	assert_int_equal(reference_g(who), 0);
	path = path_of(who, "/api/weight", weigh(who, 0, 4200));
	assert_int_equal(reference_g(who), 4200);
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	assert_int_equal(reference_g(who), 0);
}

static const struct ct_answer *
saw(struct ct_who *who, const char *kind, int64_t minutes)
{
	return ct_want(ct_call(who, "POST", "/api/observation",
			   "{'kind':'%s','time_given':'%s'}", kind,
			   ct_when(who, minutes * 60)),
	    201);
}

static void
vomiting_warns(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	ct_want(
	    ct_call(who, "POST", "/api/feeding",
		"{'amount_ml':50,'time_given':'%s'}", ct_when(who, -100 * 60)),
	    201);
	assert_string_equal(warned(saw(who, "cough", -90)), "");
	r = saw(who, "vomit", -75);
	assert_string_equal(warned(r), "vomit_after_meal");
	assert_int_equal(ct_i64(r, "warnings.0.minutes_after"), 25);
	assert_int_equal(ct_milli(r, "warnings.0.amount_ml"), 50000);
	/* Over an hour after the meal, but the second of the day. */
	r = saw(who, "vomit", -30);
	assert_string_equal(warned(r), "vomit_repeated");
	assert_int_equal(ct_i64(r, "warnings.0.count"), 2);
	/* Logged late, before both; and two days ago, alone. */
	r = saw(who, "vomit", -600);
	assert_string_equal(warned(r), "vomit_repeated");
	assert_int_equal(ct_i64(r, "warnings.0.count"), 3);
	assert_string_equal(warned(saw(who, "vomit", -60 * 60)), "");
}

static void
tubes_warn(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	const char *path = "/api/tube_check";

	r = ct_want(ct_call(who, "POST", path,
			"{'cap_on':true,'dressing':'clean','skin':'clean',"
			"'discharge':'clear','smell':false,'patent':true,"
			"'suture_holding':true,'collar_ok':true,"
			"'mark_cm':12.5}"),
	    201);
	assert_string_equal(warned(r), "");
	assert_true(ct_is_null(r, "data.incident"));
	assert_true(ct_flag(r, "data.cap_on"));
	assert_false(ct_flag(r, "data.smell"));
	r = ct_want(ct_call(who, "POST", path,
			"{'skin':'redness','suture_holding':false,"
			"'mark_cm':13.1}"),
	    201);
	assert_string_equal(warned(r), "tube_red");
	assert_int_equal(ct_count(r, "warnings.0.items"), 3);
	assert_string_equal(ct_text(r, "warnings.0.items.0"), "skin");
	assert_string_equal(ct_text(r, "warnings.0.items.1"), "suture_holding");
	assert_string_equal(ct_text(r, "warnings.0.items.2"), "mark_cm");
	assert_true(ct_is_null(r, "data.cap_on"));
	r = ct_want(ct_call(who, "POST", path, "{'incident':'out'}"), 201);
	assert_string_equal(ct_text(r, "warnings.0.items.0"), "incident");
	assert_true(ct_says(r, "within minutes"));
	/* A change may not take the last answer away. */
	ct_want_error(ct_call(who, "PATCH",
			  ct_path(who, "%s/%s", path, ct_text(r, "data.id")),
			  "{'incident':null}"),
	    400, "invalid", "cap_on");
}

/* ------------------------------------------------------------ doses */

static size_t
doses(struct ct_who *who, const char *query)
{
	return ct_count(
	    ct_want(ct_get(who,
			ct_path(who, "/api/medication_log?page=1&%s", query)),
		200),
	    "logs");
}

static const struct ct_answer *
dose(struct ct_who *who, const char *name, int64_t minutes, const char *more)
{
	return ct_call(who, "POST", "/api/medication_log",
	    "{'medication_name':'%s','dosage':'4 mg','amount_ml':1,"
	    "'time_given':'%s'%s}",
	    name, ct_when(who, minutes * 60), more);
}

static void
double_doses(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	assert_string_equal(
	    warned(ct_want(dose(who, "Maropitant", -200, ""), 201)), "");
	assert_string_equal(
	    warned(ct_want(dose(who, "Ursodiol", -10, ""), 201)), "");
	assert_string_equal(
	    warned(ct_want(
		dose(who, "Maropitant", -5, ",'status':'skipped'"), 201)),
	    "");
	/* A warning never blocks; asked to, it stops and writes nothing. */
	r = ct_want_error(dose(who, "MAROPITANT", 0, ",'confirm':false"), 409,
	    "double_dose", NULL);
	assert_string_equal(ct_text(r, "warnings.0.code"), "double_dose");
	assert_int_equal(ct_i64(r, "warnings.0.minutes_ago"), 200);
	assert_int_equal(doses(who, "deleted=with"), 3);
	r = ct_want(dose(who, "MAROPITANT", 0, ""), 201);
	assert_string_equal(warned(r), "double_dose");
	assert_string_equal(ct_text(r, "warnings.0.by"), "Ada");
	assert_string_equal(ct_text(r, "warnings.0.dosage"), "4 mg");
	assert_int_equal(ct_i64(r, "warnings.0.minutes_ago"), 200);
	/* Neither what was skipped nor what is far counts. */
	ct_want(dose(who, "Ursodiol", -300, ",'confirm':false"), 201);
}

static void
give(struct ct_who *twin, unsigned i, void *arg)
{
	int *status = arg;

	status[i] = dose(twin, "Maropitant", 0, ",'confirm':false")->status;
}

/* Of many at once one is given. */
static void
doses_at_once(void **state)
{
	struct ct_who *who = *state;
	int status[8];
	unsigned made = 0;

	ct_at_once(who, ct_countof(status), give, status);
	for (unsigned i = 0; i < ct_countof(status); i++) {
		assert_true(status[i] == 201 || status[i] == 409);
		made += status[i] == 201;
	}
	assert_int_equal(made, 1);
	assert_int_equal(doses(who, ""), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(weights_warn),
	    ct_api_test(reference_follows),
	    ct_api_test(reference_falls_back),
	    ct_api_test(vomiting_warns),
	    ct_api_test(tubes_warn),
	    ct_api_test(double_doses),
	    ct_api_test(doses_at_once),
	};

	return cmocka_run_group_tests_name(
	    "api/entry_kinds", tests, ct_api_group, NULL);
}
