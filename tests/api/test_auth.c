/*
 * Accounts and sessions: from register to delete, the cookie, and what must
 * not be told to a stranger.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/app.h"

#define PW CT_T_PASSWORD

static const struct ct_answer *
login(struct ct_who *who, const char *email, const char *password)
{
	return ct_call(who, "POST", "/api/auth/login",
	    "{'email':'%s','password':'%s'}", email, password);
}

static void
want_user(const struct ct_answer *r, const char *email)
{
	struct ct_uuid u;

	assert_true(ct_uuid_parse(ct_json_str(ct_at(r, "user.id")), &u));
	assert_string_equal(ct_text(r, "user.email"), email);
	ct_text(r, "user.first_name");
	ct_text(r, "user.last_name");
	ct_text(r, "user.cat_name");
	ct_text(r, "user.cat_breed");
	ct_at(r, "user.cat_age");
	ct_at(r, "user.cat_weight");
	ct_milli(r, "user.daily_target_ml");
	ct_text(r, "user.timezone");
	ct_text(r, "user.created_at");
	ct_at(r, "user.last_login");
	assert_true(ct_flag(r, "user.is_active"));
	assert_false(ct_says(r, "password"));
	assert_false(ct_says(r, "argon2"));
}

static void
register_defaults(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(ct_get(who, "/api/auth/me"), 200);

	want_user(r, who->email);
	assert_string_equal(ct_text(r, "user.first_name"), "Ada");
	assert_string_equal(ct_text(r, "user.last_name"), "");
	assert_int_equal(ct_milli(r, "user.daily_target_ml"), 210000);
	assert_string_equal(ct_text(r, "user.timezone"), "UTC");
	assert_true(ct_is_null(r, "user.cat_age"));
	assert_true(ct_is_null(r, "user.cat_weight"));
}

static void
register_everything(void **state)
{
	struct ct_who *one = *state;
	struct ct_who *who = ct_who_register(one->a, NULL,
	    ",'last_name':'Byron','cat_name':'Miezi','cat_breed':'EHK',"
	    "'cat_age':7,'cat_weight':4.25,'daily_target_ml':180.5,"
	    "'timezone':'Europe/Berlin'");
	const struct ct_answer *r = ct_want(ct_get(who, "/api/auth/me"), 200);

	want_user(r, who->email);
	assert_string_equal(ct_text(r, "user.cat_name"), "Miezi");
	assert_int_equal(ct_i64(r, "user.cat_age"), 7);
	assert_int_equal(ct_milli(r, "user.cat_weight"), 4250);
	assert_int_equal(ct_milli(r, "user.daily_target_ml"), 180500);
	assert_string_equal(ct_text(r, "user.timezone"), "Europe/Berlin");
	/* One rule: the day's target is the account's own. */
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "daily_target_ml"), 180500);
}

static void
register_answer_and_cookie(void **state)
{
	struct ct_who *one = *state;
	struct ct_who *who = ct_who_nobody(one->a, NULL);
	struct ct_uuid u = ct_uuid_new();
	char id[CT_UUID_TEXT];
	const struct ct_answer *r;
	const char *set;

	/* Blanks and capitals of an address do not make another account. */
	ct_uuid_format(&u, id);
	r = ct_want(ct_call(who, "POST", "/api/auth/register",
			"{'email':'  T-%s@Example.TEST ','password':'" PW
			"','first_name':'Ada'}",
			id),
	    201);
	assert_string_equal(ct_text(r, "message"), "Registration successful");
	want_user(r, ct_path(who, "t-%s@example.test", id));
	assert_int_equal(ct_http_header_count(&r->res, "Set-Cookie"), 1);
	set = ct_head(r, "Set-Cookie");
	assert_non_null(strstr(set, "catetube="));
	assert_non_null(strstr(set, "HttpOnly"));
	assert_non_null(strstr(set, "SameSite=Lax"));
	assert_non_null(strstr(set, "Path=/"));
	assert_null(strstr(set, "Domain="));
	/* 32 random bytes as base64url. */
	assert_true(ct_take_cookie(who, r));
	assert_true(strlen(strchr(who->cookie, '=') + 1) >= 43);
	ct_want(ct_get(who, "/api/auth/me"), 200);
}

static const struct {
	const char *body, *field;
} not_registered[] = {
    {"{'password':'" PW "','first_name':'A'}", "email"},
    {"{'email':'nobody','password':'" PW "','first_name':'A'}", "email"},
    {"{'email':'a@b','password':'" PW "','first_name':'A'}", "email"},
    {"{'email':'a@b.test\\r\\nBcc: x@y.zz','password':'" PW
     "','first_name':'A'}",
	"email"},
    {"{'email':'q@example.test','first_name':'A'}", "password"},
    {"{'email':'q@example.test','password':'short 7','first_name':"
     "'A'}",
	"password"},
    {"{'email':'q@example.test','password':'CatETube',"
     "'first_name':'A'}",
	"password"},
    {"{'email':'quintus.f@example.test','password':'quintus.f',"
     "'first_name':'A'}",
	"password"},
    {"{'email':'q@example.test','password':'Miezekatze',"
     "'first_name':'A','cat_name':'Miezekatze'}",
	"password"},
    {"{'email':'q@example.test','password':'password123',"
     "'first_name':'A'}",
	"password"},
    {"{'email':'q@example.test','password':'" PW "'}", "first_name"},
    {"{'email':'q@example.test','password':'" PW "','first_name':''}",
	"first_name"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','daily_target_ml':-5}",
	"daily_target_ml"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','cat_age':'old'}",
	"cat_age"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','cat_weight':0.001}",
	"cat_weight"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','role':'admin'}",
	"role"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','timezone':'Nope/Nowhere'}",
	"timezone"},
    {"{'email':'q@example.test','password':'" PW
     "','first_name':'A','timezone':'EST5EDT4,M1,M2'}",
	"timezone"},
};

static void
register_refusals(void **state)
{
	struct ct_who *one = *state;
	struct ct_who *who = ct_who_nobody(one->a, NULL);

	for (unsigned i = 0; i < ct_countof(not_registered); i++) {
		const struct ct_answer *r =
		    ct_want_error(ct_call(who, "POST", "/api/auth/register",
				      "%s", not_registered[i].body),
			400, "invalid", not_registered[i].field);

		assert_null(ct_head(r, "Set-Cookie"));
	}
}

static void
register_twice(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	const struct ct_answer *r;

	r = ct_want_error(
	    ct_call(two, "POST", "/api/auth/register",
		"{'email':'%s','password':'" PW "','first_name':'A'}",
		who->email),
	    409, NULL, NULL);
	assert_string_equal(ct_text(r, "error"), "Email already registered");
	assert_null(ct_head(r, "Set-Cookie"));
}

/* Length is counted to the byte: nothing is cut off a long password. */
static void
password_lengths(void **state)
{
	struct ct_who *one = *state;
	struct ct_who *who = ct_who_nobody(one->a, NULL);
	static char pw[1100];
	struct ct_uuid u = ct_uuid_new();
	char id[CT_UUID_TEXT];

	ct_uuid_format(&u, id);
	for (size_t i = 0; i < 1024; i++)
		pw[i] = (char)('a' + i % 23);
	pw[1024] = 'a';
	ct_want_error(ct_call(who, "POST", "/api/auth/register",
			  "{'email':'t-%s@example.test','password':'%s','first_"
			  "name':'A'}",
			  id, pw),
	    400, "invalid", "password");
	pw[1024] = '\0';
	ct_want(ct_call(who, "POST", "/api/auth/register",
		    "{'email':'t-%s@example.test','password':'%s','first_name':"
		    "'A'}",
		    id, pw),
	    201);
	who->cookie[0] = '\0';
	pw[1023] = '!';
	ct_want(login(who, ct_path(who, "t-%s@example.test", id), pw), 401);
	pw[1023] = (char)('a' + 1023 % 23);
	pw[200] = '!';
	ct_want(login(who, ct_path(who, "t-%s@example.test", id), pw), 401);
	pw[200] = (char)('a' + 200 % 23);
	ct_want(login(who, ct_path(who, "t-%s@example.test", id), pw), 200);
}

static void
login_and_logout(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	const struct ct_answer *r;
	int64_t us;

	r = ct_want(ct_call(two, "POST", "/api/auth/login",
			"{'email':'%s','password':'" PW "','remember_me':true}",
			who->email),
	    200);
	want_user(r, who->email);
	ct_text(r, "message");
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(r, "user.last_login")), &us),
	    CT_TIME_OK);
	assert_true(ct_take_cookie(two, r));
	assert_string_not_equal(two->cookie, who->cookie);
	ct_want(ct_get(two, "/api/auth/me"), 200);
	r = ct_want(ct_call(two, "POST", "/api/auth/logout", NULL), 200);
	ct_text(r, "message");
	assert_non_null(ct_head(r, "Set-Cookie"));
	assert_non_null(strstr(ct_head(r, "Set-Cookie"), "Max-Age=0"));
	/* The cookie is dead on the server too; the other session lives. */
	ct_want_error(ct_get(two, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(
	    ct_ask_patiently(two, &(struct ct_ask){.method = "POST",
				      .path = "/api/feeding/",
				      .body = CT_STR("{\"amount_ml\":50}")}),
	    401, CT_T_UNAUTH, NULL);
	ct_want(ct_get(who, "/api/auth/me"), 200);
}

/* A session id that the client made up is never taken over. */
static void
login_makes_its_own_session(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	const char *planted = "catetube=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			      "AAAAAA";

	snprintf(two->cookie, sizeof(two->cookie), "%s", planted);
	ct_want_error(ct_get(two, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	assert_true(
	    ct_take_cookie(two, ct_want(login(two, who->email, PW), 200)));
	assert_string_not_equal(two->cookie, planted);
	snprintf(two->cookie, sizeof(two->cookie), "%s", planted);
	ct_want_error(ct_get(two, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
}

/* The parts of the answer that could tell accounts apart. */
static const char *
told(struct ct_who *who, const struct ct_answer *r)
{
	return ct_path(who, "%d %s %s %d", r->status, ct_text(r, "error"),
	    ct_text(r, "code"), ct_head(r, "Set-Cookie") != NULL);
}

static void
login_error_is_uniform(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *gone = ct_who_register(who->a, NULL, NULL);
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct ct_uuid u = ct_uuid_new();
	char id[CT_UUID_TEXT];
	const char *wrong, *unknown, *off;

	ct_want(ct_call(gone, "POST", "/api/auth/deactivate",
		    "{'password':'" PW "'}"),
	    200);
	wrong = told(two, ct_want_error(login(two, who->email, "wrong one"),
			      401, NULL, NULL));
	unknown = told(two, ct_want_error(login(two,
					      ct_path(two, "t-%s@example.test",
						  ct_uuid_format(&u, id)),
					      PW),
				401, NULL, NULL));
	off = told(
	    two, ct_want_error(login(two, gone->email, PW), 401, NULL, NULL));
	assert_string_equal(wrong, unknown);
	assert_string_equal(wrong, off);
	ct_want(ct_call(two, "POST", "/api/auth/login", "{'email':'%s'}",
		    who->email),
	    400);
	ct_want(ct_call(two, "POST", "/api/auth/login", "{}"), 400);
}

static void
profile_changes(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(ct_call(who, "PUT", "/api/auth/profile",
			"{'first_name':'Grace','cat_name':'Tom','cat_age':3,"
			"'cat_weight':5.1,'daily_target_ml':240,"
			"'timezone':'Asia/Tokyo'}"),
	    200);
	ct_text(r, "message");
	want_user(r, who->email);
	r = ct_want(ct_get(who, "/api/auth/me"), 200);
	assert_string_equal(ct_text(r, "user.first_name"), "Grace");
	assert_string_equal(ct_text(r, "user.cat_name"), "Tom");
	assert_int_equal(ct_milli(r, "user.cat_weight"), 5100);
	assert_int_equal(ct_milli(r, "user.daily_target_ml"), 240000);
	assert_string_equal(ct_text(r, "user.timezone"), "Asia/Tokyo");
	r = ct_want(ct_get(who, "/api/tracker/today"), 200);
	assert_int_equal(ct_milli(r, "daily_target_ml"), 240000);
	/* A part only: the rest stays. */
	r = ct_want(
	    ct_call(who, "PUT", "/api/auth/profile", "{'cat_age':null}"), 200);
	assert_true(ct_is_null(r, "user.cat_age"));
	assert_string_equal(ct_text(r, "user.cat_name"), "Tom");
}

static void
profile_refusals(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *body, *field;
	} bad[] = {
	    {"{'daily_target_ml':-5}", "daily_target_ml"},
	    {"{'daily_target_ml':0}", "daily_target_ml"},
	    {"{'timezone':'Nope'}", "timezone"},
	    {"{'timezone':''}", "timezone"},
	    {"{'first_name':''}", "first_name"},
	    {"{'cat_age':-1}", "cat_age"},
	    {"{'cat_weight':1000}", "cat_weight"},
	    {"{'email':'new@example.test'}", "email"},
	    {"{'is_active':false}", "is_active"},
	    {"{'role':'admin'}", "role"},
	};

	for (unsigned i = 0; i < ct_countof(bad); i++)
		ct_want_error(
		    ct_call(who, "PUT", "/api/auth/profile", "%s", bad[i].body),
		    400, "invalid", bad[i].field);
	/* One bad field spoils all: nothing is half written. */
	ct_want(ct_call(who, "PUT", "/api/auth/profile",
		    "{'cat_name':'Half','timezone':'Nope'}"),
	    400);
	assert_string_equal(
	    ct_text(ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_name"),
	    "");
}

static void
change_password_revokes_the_others(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_login(who->a, who, NULL);
	const struct ct_answer *r;

	ct_want(ct_get(other, "/api/tracker/today"), 200);
	ct_want_error(
	    ct_call(who, "POST", "/api/auth/change-password",
		"{'current_password':'not this','new_password':'another good "
		"one'}"),
	    401, NULL, NULL);
	ct_want_error(
	    ct_call(who, "POST", "/api/auth/change-password",
		"{'current_password':'" PW "','new_password':'short'}"),
	    400, "invalid", "new_password");
	ct_want(ct_get(other, "/api/auth/me"), 200);
	r = ct_want(ct_call(who, "POST", "/api/auth/change-password",
			"{'current_password':'" PW
			"','new_password':'another good one'}"),
	    200);
	ct_text(r, "message");
	ct_take_cookie(who, r);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(
	    ct_get(other, "/api/tracker/today"), 401, CT_T_UNAUTH, NULL);
	ct_want(ct_get(who, "/api/auth/me"), 200);
	other->cookie[0] = '\0';
	ct_want(login(other, who->email, PW), 401);
	ct_want(login(other, who->email, "another good one"), 200);
}

static void
deactivate_and_come_back(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_login(who->a, who, NULL);

	ct_want_error(ct_call(who, "POST", "/api/auth/deactivate",
			  "{'password':'not this'}"),
	    401, NULL, NULL);
	ct_want(ct_call(who, "POST", "/api/auth/deactivate", "{}"), 400);
	ct_want(ct_get(who, "/api/auth/me"), 200);
	ct_want(ct_call(who, "POST", "/api/auth/deactivate",
		    "{'password':'" PW "'}"),
	    200);
	ct_want_error(ct_get(who, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(ct_get(other, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
}

static void
delete_really_deletes(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_login(who->a, who, NULL);

	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':50}"), 201);
	ct_want_error(
	    ct_call(who, "POST", "/api/auth/delete", "{'password':'not this'}"),
	    401, NULL, NULL);
	ct_want(
	    ct_call(who, "POST", "/api/auth/delete", "{'password':'" PW "'}"),
	    200);
	ct_want_error(
	    ct_get(other, "/api/tracker/today"), 401, CT_T_UNAUTH, NULL);
	other->cookie[0] = '\0';
	ct_want(login(other, who->email, PW), 401);
	/* The address is free again, and nothing of the old life is left. */
	ct_want(ct_call(other, "POST", "/api/auth/register",
		    "{'email':'%s','password':'" PW "','first_name':'Ada'}",
		    who->email),
	    201);
	ct_want(login(other, who->email, PW), 200);
	assert_true(ct_take_cookie(other, login(other, who->email, PW)));
	assert_int_equal(ct_meals(other), 0);
}

static void
cleanup_is_for_admins(void **state)
{
	struct ct_who *who = *state;

	ct_want_error(ct_call(who, "POST", "/api/auth/cleanup-inactive", NULL),
	    403, NULL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(register_defaults),
	    ct_api_test(register_everything),
	    ct_api_test(register_answer_and_cookie),
	    ct_api_test(register_refusals),
	    ct_api_test(register_twice),
	    ct_api_test(password_lengths),
	    ct_api_test(login_and_logout),
	    ct_api_test(login_makes_its_own_session),
	    ct_api_test(login_error_is_uniform),
	    ct_api_test(profile_changes),
	    ct_api_test(profile_refusals),
	    ct_api_test(change_password_revokes_the_others),
	    ct_api_test(deactivate_and_come_back),
	    ct_api_test(delete_really_deletes),
	    ct_api_test(cleanup_is_for_admins),
	};

	return cmocka_run_group_tests_name(
	    "api/auth", tests, ct_api_group, NULL);
}
