/*
 * Nobody sees what is not theirs: a walk over the responders' own route table.
 * A route that this file has no row for fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/app.h"

enum thing { NONE, FEEDING, MEDICATION, REPORT, SESSION, TOKEN, THINGS };

/* A body that would be right if the id were the caller's own. */
struct sample {
	const char *method, *pattern;
	enum thing thing;
	const char *body;
	bool anyone; /* must be open: the walk refuses any other open route */
};

#define MED "{'medication_name':'M','dosage':'1','amount_ml':1}"
#define REP "{'format':'csv','start_date':'2025-06-01','end_date':'2025-06-02'}"
#define PW  "{'password':'" CT_T_PASSWORD "'}"

static const struct sample samples[] = {
    {"GET", "/", .anyone = true},
    {"GET", "/api", .anyone = true},
    {"GET", "/health", .anyone = true},
    {"GET", "/health/live", .anyone = true},
    {"GET", "/health/ready", .anyone = true},
    {"GET", "/metrics", .anyone = true},
    {"POST", "/api/auth/register", NONE, "{}", true},
    {"POST", "/api/auth/login", NONE, "{}", true},
    {"POST", "/api/auth/logout", NONE, NULL, false},
    {"GET", "/api/auth/me", NONE, NULL, false},
    {"PUT", "/api/auth/profile", NONE, "{'cat_name':'B'}", false},
    {"POST", "/api/auth/change-password", NONE,
	"{'current_password':'x','new_password':'another good one'}", false},
    {"POST", "/api/auth/deactivate", NONE, PW, false},
    {"POST", "/api/auth/delete", NONE, PW, false},
    {"POST", "/api/auth/cleanup-inactive", NONE, NULL, false},
    {"GET", "/api/auth/totp", NONE, NULL, false},
    {"POST", "/api/auth/totp", NONE, PW, false},
    {"POST", "/api/auth/totp/confirm", NONE, "{'code':'000000'}", false},
    {"POST", "/api/auth/totp/disable", NONE, PW, false},
    {"GET", "/api/auth/token", NONE, NULL, false},
    {"POST", "/api/auth/token", NONE, "{'name':'n','scope':'read'}", false},
    {"DELETE", "/api/auth/token/{id}", TOKEN, NULL, false},
    {"GET", "/api/auth/session", NONE, NULL, false},
    {"DELETE", "/api/auth/session", NONE, NULL, false},
    {"DELETE", "/api/auth/session/{id}", SESSION, NULL, false},
    {"POST", "/api/feeding", NONE, "{'amount_ml':1}", false},
    {"GET", "/api/feeding", NONE, NULL, false},
    {"GET", "/api/feeding/{id}", FEEDING, NULL, false},
    {"PATCH", "/api/feeding/{id}", FEEDING, "{'amount_ml':1}", false},
    {"DELETE", "/api/feeding/{id}", FEEDING, NULL, false},
    {"POST", "/api/feeding/{id}/restore", FEEDING, NULL, false},
    {"POST", "/api/medication_log", NONE, MED, false},
    {"GET", "/api/medication_log", NONE, NULL, false},
    {"GET", "/api/medication_log/{id}", MEDICATION, NULL, false},
    {"PATCH", "/api/medication_log/{id}", MEDICATION, "{'dosage':'2'}", false},
    {"DELETE", "/api/medication_log/{id}", MEDICATION, NULL, false},
    {"POST", "/api/medication_log/{id}/restore", MEDICATION, NULL, false},
    {"GET", "/api/tracker/today", NONE, NULL, false},
    {"POST", "/api/tracker/today", NONE, "{'daily_target_ml':200}", false},
    {"POST", "/api/tracker/reset", NONE, NULL, false},
    {"GET", "/api/tracker/history", NONE, NULL, false},
    {"GET", "/api/tracker/stats", NONE, NULL, false},
    {"POST", "/api/tracker/add-feeding", NONE, "{'amount_ml':1}", false},
    {"DELETE", "/api/tracker/cleanup-old", NONE, NULL, false},
    {"POST", "/api/report/{word}", NONE, REP, false},
    {"GET", "/api/report/active", NONE, NULL, false},
    {"GET", "/api/report/status/{id}", REPORT, NULL, false},
    {"GET", "/api/report/download/{id}", REPORT, NULL, false},
    {"DELETE", "/api/report/cleanup/{id}", REPORT, NULL, false},
};

struct route {
	char method[16], pattern[96], auth[16], class[16], flags[64];
};

static struct route routes[256];
static unsigned routes_n;

static int
read_routes(void **state)
{
	const char *bin = ct_t_env("CATETUBE_FCGI", "build/catetube-fcgi");
	char command[512], line[256];
	FILE *p;

	if (ct_api_group(state) != 0)
		return -1;
	snprintf(command, sizeof(command), "'%s' -R", bin);
	p = popen(command, "r");
	while (p && fgets(line, sizeof(line), p)) {
		struct route *r = &routes[routes_n];
		size_t n;

		if (routes_n == ct_countof(routes))
			break;
		if (sscanf(line, "%15s %95s %15s %15s %63s", r->method,
			r->pattern, r->auth, r->class, r->flags) < 3)
			continue;
		n = strlen(r->pattern);
		if (n > 1 && r->pattern[n - 1] == '/')
			r->pattern[n - 1] = '\0';
		routes_n++;
	}
	if (!p || pclose(p) != 0 || routes_n < 20) {
		print_error("'%s -R' lists no routes\n", bin);
		return -1;
	}
	return 0;
}

static const struct sample *
sample_of(const struct route *r)
{
	for (unsigned i = 0; i < ct_countof(samples); i++)
		if (strcmp(samples[i].method, r->method) == 0 &&
		    strcmp(samples[i].pattern, r->pattern) == 0)
			return &samples[i];
	return NULL;
}

/* The pattern with id for its {id}; a {word} becomes one that is right. */
static const char *
fill(struct ct_who *who, const char *pattern, const char *id)
{
	const char *at = strchr(pattern, '{');
	const char *end = at ? strchr(at, '}') : NULL;

	if (!end)
		return pattern;
	if (strncmp(at, "{word}", 6) == 0)
		id = "feeding";
	return ct_path(
	    who, "%.*s%s%s", (int)(at - pattern), pattern, id, end + 1);
}

static const struct ct_answer *
try(struct ct_who *who, const struct sample *s, const char *id)
{
	struct ct_ask ask = {
	    .method = s->method, .path = fill(who, s->pattern, id)};

	if (s->body)
		ask.body = ct_str_of(ct_quoted(who->a, s->body));
	return ct_ask_patiently(who, &ask);
}

static bool
is_open(const struct route *r)
{
	return strcmp(r->auth, "open") == 0 || strcmp(r->auth, "local") == 0;
}

static void
every_route_has_a_sample(void **state)
{
	(void)state;
	for (unsigned i = 0; i < routes_n; i++) {
		const struct route *r = &routes[i];
		const struct sample *s = sample_of(r);

		if (!s)
			fail_msg("no sample for %s %s", r->method, r->pattern);
		if (s->anyone != is_open(r))
			fail_msg("%s %s must%s be open", r->method, r->pattern,
			    s->anyone ? "" : " not");
		if ((strstr(r->pattern, "{id}") != NULL) != (s->thing != NONE))
			fail_msg("%s %s: whose id?", r->method, r->pattern);
	}
}

static void
anonymous_gets_401(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *nobody = ct_who_nobody(who->a, NULL);
	const char *cookie = "catetube=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			     "AAAAAA";
	unsigned walked = 0;

	for (unsigned i = 0; i < routes_n; i++) {
		const struct sample *s = sample_of(&routes[i]);

		if (!s || s->anyone)
			continue;
		nobody->cookie[0] = '\0';
		ct_want_error(try(nobody, s, who->id), 401, CT_T_UNAUTH, NULL);
		snprintf(nobody->cookie, sizeof(nobody->cookie), "%s", cookie);
		ct_want_error(try(nobody, s, who->id), 401, CT_T_UNAUTH, NULL);
		walked++;
	}
	assert_true(walked >= 20);
}

/* One of each thing of the account. */
struct things {
	const char *id[THINGS];
};

static void
make_things(struct ct_who *who, struct things *t)
{
	t->id[FEEDING] =
	    ct_text(ct_want(ct_call(who, "POST", "/api/feeding/",
				"{'amount_ml':50,'notes':'secret of A'}"),
			201),
		"data.id");
	t->id[MEDICATION] = ct_text(
	    ct_want(
		ct_call(who, "POST", "/api/medication_log/", "%s", MED), 201),
	    "data.id");
	t->id[REPORT] = ct_text(
	    ct_want(
		ct_call(who, "POST", "/api/report/feeding", "%s", REP), 202),
	    "report_id");
	t->id[SESSION] = ct_text(
	    ct_want(ct_get(who, "/api/auth/session"), 200), "sessions.0.id");
	t->id[TOKEN] = ct_text(ct_want(ct_call(who, "POST", "/api/auth/token",
					   "{'name':'n','scope':'read'}"),
				   201),
	    "data.id");
}

/* The answer without its request id. */
static const char *
plain(struct ct_who *who, const struct ct_answer *r)
{
	return ct_path(who, "%d %s %s", r->status, ct_text(r, "error"),
	    ct_text(r, "code"));
}

static void
other_accounts_get_404(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	struct ct_uuid never = ct_uuid_new();
	char none[CT_UUID_TEXT];
	struct things t = {0};
	unsigned walked = 0;

	ct_uuid_format(&never, none);
	make_things(a, &t);
	for (unsigned i = 0; i < routes_n; i++) {
		const struct sample *s = sample_of(&routes[i]);
		const struct ct_answer *theirs, *nothing;

		if (!s || s->thing == NONE)
			continue;
		theirs = ct_want_error(
		    try(b, s, t.id[s->thing]), 404, "not_found", NULL);
		/* Exactly like an id that never was. */
		nothing =
		    ct_want_error(try(b, s, none), 404, "not_found", NULL);
		assert_string_equal(plain(b, theirs), plain(b, nothing));
		assert_false(ct_says(theirs, "secret of A"));
		walked++;
	}
	assert_true(walked >= 9);
	/* All that was tried on them changed nothing. */
	assert_int_equal(
	    ct_i64(
		ct_want(ct_get(a, ct_path(a, "/api/feeding/%s", t.id[FEEDING])),
		    200),
		"version"),
	    1);
	ct_want(
	    ct_get(a, ct_path(a, "/api/medication_log/%s", t.id[MEDICATION])),
	    200);
	ct_want(
	    ct_get(a, ct_path(a, "/api/report/status/%s", t.id[REPORT])), 200);
}

/* The restore of a deleted entry is no way in either. */
static void
deleted_things_stay_private(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	struct things t = {0};

	make_things(a, &t);
	ct_want(ct_call(a, "DELETE",
		    ct_path(a, "/api/feeding/%s", t.id[FEEDING]), NULL),
	    200);
	ct_want_error(
	    ct_call(b, "POST",
		ct_path(b, "/api/feeding/%s/restore", t.id[FEEDING]), NULL),
	    404, "not_found", NULL);
	assert_int_equal(ct_meals(a), 0);
}

/* Writing to a cat of somebody else's. */
static void
other_cats_take_nothing(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	const char *cat = ct_text(
	    ct_want(
		ct_call(a, "POST", "/api/feeding/", "{'amount_ml':50}"), 201),
	    "data.cat_id");

	ct_want_error(ct_call(b, "POST", "/api/feeding/",
			  "{'amount_ml':5,'cat_id':'%s'}", cat),
	    404, "not_found", NULL);
	ct_want_error(ct_call(b, "POST", "/api/medication_log/",
			  "{'medication_name':'M','dosage':'1','amount_ml':1,"
			  "'cat_id':'%s'}",
			  cat),
	    404, "not_found", NULL);
	assert_int_equal(ct_meals(a), 1);
	assert_int_equal(ct_meals(b), 0);
}

/* Reading one: exactly as if it had never been. */
static void
other_cats_show_nothing(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	static const char *const paths[] = {"/api/tracker/today",
	    "/api/tracker/history", "/api/tracker/stats", "/api/feeding/",
	    "/api/medication_log/"};
	const char *cat = ct_text(
	    ct_want(
		ct_call(a, "POST", "/api/feeding/", "{'amount_ml':50}"), 201),
	    "data.cat_id");

	for (unsigned i = 0; i < ct_countof(paths); i++) {
		const char *path = ct_path(b, "%s?cat_id=%s", paths[i], cat);

		ct_want(ct_get(a, path), 200);
		ct_want_error(ct_get(b, path), 404, "not_found", NULL);
	}
}

/* An id is its cat's own: that it is taken elsewhere cannot be told. */
static void
ids_do_not_collide(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	const char *id = ct_text(
	    ct_want(
		ct_call(a, "POST", "/api/feeding/", "{'amount_ml':50}"), 201),
	    "data.id");
	const char *path = ct_path(a, "/api/feeding/%s", id);

	ct_want(ct_call(b, "POST", "/api/feeding/", "{'id':'%s','amount_ml':7}",
		    id),
	    201);
	assert_int_equal(
	    ct_milli(ct_want(ct_get(a, path), 200), "amount_ml"), 50000);
	assert_int_equal(
	    ct_milli(ct_want(ct_get(b, path), 200), "amount_ml"), 7000);
	ct_want(ct_call(b, "DELETE", path, NULL), 200);
	ct_want(ct_get(a, path), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_route_has_a_sample),
	    ct_api_test(anonymous_gets_401),
	    ct_api_test(other_accounts_get_404),
	    ct_api_test(deleted_things_stay_private),
	    ct_api_test(other_cats_take_nothing),
	    ct_api_test(other_cats_show_nothing),
	    ct_api_test(ids_do_not_collide),
	};

	return cmocka_run_group_tests_name(
	    "api/tenants", tests, read_routes, NULL);
}
