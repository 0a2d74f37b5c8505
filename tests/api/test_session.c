/*
 * Sessions seen and ended by their owner: what is told of them, that an ended
 * one is dead at once, and that nobody ends another's.
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

#define PATH  "/api/auth/session"
#define CLEAR "\"cache\", \"cookies\", \"storage\""

static const struct ct_answer *
sessions(struct ct_who *who, size_t n)
{
	const struct ct_answer *r = ct_want(ct_get(who, PATH), 200);

	assert_int_equal(ct_count(r, "sessions"), n);
	return r;
}

/* The place of the asking session in its own list. */
static unsigned
own_place(struct ct_who *who, const struct ct_answer *r)
{
	unsigned n = (unsigned)ct_count(r, "sessions"), own = n;

	for (unsigned i = 0; i < n; i++) {
		if (!ct_flag(r, ct_path(who, "sessions.%u.current", i)))
			continue;
		assert_int_equal(own, n); /* only one is */
		own = i;
	}
	assert_true(own < n);
	return own;
}

static const char *
own_id(struct ct_who *who)
{
	const struct ct_answer *r = ct_want(ct_get(who, PATH), 200);

	return ct_text(r, ct_path(who, "sessions.%u.id", own_place(who, r)));
}

static const struct ct_answer *
end_session(struct ct_who *who, const char *id)
{
	return ct_call(who, "DELETE", ct_path(who, PATH "/%s", id), NULL);
}

/* Used twice, so that Redis holds its copy. */
static void
warm(struct ct_who *who)
{
	for (int i = 0; i < 2; i++)
		ct_want(ct_get(who, "/api/tracker/today"), 200);
}

static void
want_dead(struct ct_who *who)
{
	ct_want_error(
	    ct_get(who, "/api/tracker/today"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(ct_get(who, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(ct_get(who, PATH), 401, CT_T_UNAUTH, NULL);
}

static void
list_tells(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/auth/login",
	    .more = {"User-Agent: Cat \xc3\xb1 1.0"}};
	const struct ct_answer *r;
	int64_t made, seen, ends;
	struct ct_uuid u;
	unsigned i;

	ask.body = ct_str_of(ct_quoted(who->a,
	    ct_path(who, "{'email':'%s','password':'" CT_T_PASSWORD "'}",
		who->email)));
	assert_true(ct_take_cookie(two, ct_want(ct_ask(two, &ask), 200)));
	r = sessions(two, 2);
	i = own_place(two, r);
	assert_string_equal(
	    ct_text(r, ct_path(two, "sessions.%u.user_agent", i)),
	    "Cat \xc3\xb1 1.0");
	assert_string_equal(
	    ct_text(r, ct_path(two, "sessions.%u.ip", i)), "127.0.0.0/24");
	assert_true(ct_uuid_parse(
	    ct_json_str(ct_at(r, ct_path(two, "sessions.%u.id", i))), &u));
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(
			      r, ct_path(two, "sessions.%u.created_at", i))),
		&made),
	    CT_TIME_OK);
	assert_int_equal(
	    ct_time_parse(
		ct_json_str(ct_at(r, ct_path(two, "sessions.%u.seen_at", i))),
		&seen),
	    CT_TIME_OK);
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(
			      r, ct_path(two, "sessions.%u.expires_at", i))),
		&ends),
	    CT_TIME_OK);
	assert_true(made <= seen && seen < ends);
	assert_false(ct_says(r, strchr(two->cookie, '=') + 1));
	assert_false(ct_says(r, "token"));
	assert_string_not_equal(own_id(who), own_id(two));
}

static void
one_is_ended_at_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_login(who->a, who, NULL);
	const char *id = own_id(two);
	const struct ct_answer *r;

	warm(two);
	r = ct_want(end_session(who, id), 200);
	assert_null(ct_head(r, "Set-Cookie"));
	want_dead(two);
	ct_want_error(end_session(who, id), 404, "not_found", NULL);
	sessions(who, 1);
	warm(who);
}

static void
all_others_are_ended_at_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_login(who->a, who, NULL);
	struct ct_who *three = ct_who_login(who->a, who, NULL);
	struct ct_who *stranger = ct_who_register(who->a, NULL, NULL);
	const struct ct_answer *r;

	warm(two);
	warm(three);
	r = ct_want(ct_call(who, "DELETE", PATH, NULL), 200);
	assert_int_equal(ct_i64(r, "ended"), 2);
	want_dead(two);
	want_dead(three);
	sessions(who, 1);
	r = ct_want(ct_call(who, "DELETE", PATH, NULL), 200);
	assert_int_equal(ct_i64(r, "ended"), 0);
	sessions(stranger, 1);
}

/* Like an id that never was, and it lives on. */
static void
nobody_ends_anothers(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	const char *id = own_id(who);

	ct_want_error(end_session(other, id), 404, "not_found", NULL);
	ct_want(ct_get(who, "/api/auth/me"), 200);
	assert_string_equal(own_id(who), id);
	sessions(other, 1);
}

static void
ending_oneself_is_a_logout(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	warm(who);
	r = ct_want(end_session(who, own_id(who)), 200);
	assert_non_null(strstr(ct_head(r, "Set-Cookie"), "Max-Age=0"));
	assert_string_equal(ct_head(r, "Clear-Site-Data"), CLEAR);
	want_dead(who);
}

static void
logout_clears_the_browser(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", "/api/auth/logout", NULL), 200);

	assert_string_equal(ct_head(r, "Clear-Site-Data"), CLEAR);
	want_dead(who);
}

/* A session that the client brings along is neither adopted nor ended. */
static void
login_leaves_other_sessions_alone(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *victim = ct_who_register(who->a, NULL, NULL);
	struct ct_who *two = ct_who_nobody(who->a, NULL);

	memcpy(two->cookie, who->cookie, sizeof(two->cookie));
	assert_true(ct_take_cookie(
	    two, ct_want(ct_call(two, "POST", "/api/auth/login",
			     "{'email':'%s','password':'" CT_T_PASSWORD "'}",
			     victim->email),
		     200)));
	assert_string_not_equal(two->cookie, who->cookie);
	assert_string_equal(
	    ct_text(ct_want(ct_get(who, "/api/auth/me"), 200), "user.email"),
	    who->email);
	assert_string_equal(
	    ct_text(ct_want(ct_get(two, "/api/auth/me"), 200), "user.email"),
	    victim->email);
	sessions(who, 1);
}

static void
bad_input(void **state)
{
	struct ct_who *who = *state;

	ct_want(ct_call(who, "DELETE", PATH "/1", NULL), 404);
	ct_want(ct_call(who, "GET", PATH "?all=1", NULL), 400);
	ct_want(ct_call(who, "DELETE", PATH, "{'all':true}"), 400);
	ct_want(ct_call(who, "PUT", PATH, NULL), 405);
	sessions(who, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(list_tells),
	    ct_api_test(one_is_ended_at_once),
	    ct_api_test(all_others_are_ended_at_once),
	    ct_api_test(nobody_ends_anothers),
	    ct_api_test(ending_oneself_is_a_logout),
	    ct_api_test(logout_clears_the_browser),
	    ct_api_test(login_leaves_other_sessions_alone),
	    ct_api_test(bad_input),
	};

	return cmocka_run_group_tests(tests, ct_api_group, NULL);
}
