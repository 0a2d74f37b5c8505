/*
 * Too often is 429, for the account that did it and nobody else.
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

static void
want_limited(const struct ct_answer *r)
{
	const char *after, *limit;

	ct_want_error(r, 429, CT_T_LIMITED, NULL);
	after = ct_head(r, "Retry-After");
	assert_non_null(after);
	assert_in_range(strtol(after, NULL, 10), 1, 60);
	limit = ct_head(r, "RateLimit-Limit");
	assert_non_null(limit);
	assert_non_null(ct_head(r, "RateLimit-Remaining"));
	assert_string_equal(ct_head(r, "RateLimit-Remaining"), "0");
	assert_non_null(ct_head(r, "RateLimit-Reset"));
}

/*
 * Ask until the answer is 429 and return how many were let through. What a
 * minute gives back meanwhile comes on top of the limit, so the time counts.
 */
static int64_t
ask_until_limited(
    struct ct_who *who, const struct ct_ask *ask, int status, int64_t limit)
{
	int64_t start = ct_mono_ms(), n = 0, may;

	for (;;) {
		const struct ct_answer *r = ct_ask(who, ask);

		may = limit + limit * (ct_mono_ms() - start) / 60000 + 1;
		if (r->status == 429) {
			want_limited(r);
			return n;
		}
		ct_want(r, status);
		if (++n > may)
			fail_msg("%s: %lld let through, the limit is %lld",
			    r->what, (long long)n, (long long)limit);
	}
}

static void
writes(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_who *again = ct_who_login(who->a, who, NULL);
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/feeding/",
	    .body = CT_STR("{\"amount_ml\":1}")};
	const char *limit = ct_t_env("CATETUBE_LIMIT_LOG", "60");
	int64_t limit_n = strtol(limit, NULL, 10);
	const struct ct_answer *r = ct_want(ct_ask(who, &ask), 201);
	int64_t n;

	assert_string_equal(ct_head(r, "RateLimit-Limit"), limit);
	n = 1 + ask_until_limited(who, &ask, 201, limit_n);
	assert_true(n >= limit_n);
	/* What was refused was not written. */
	assert_int_equal(ct_meals(who), n);
	/* The account is limited, not its cookie, nor its address. */
	assert_true(ask_until_limited(again, &ask, 201, limit_n) <= 3);
	ct_want(ct_ask(other, &ask), 201);
	/* Reading goes on. */
	ct_want(ct_get(who, "/api/tracker/today"), 200);
}

static void
reads(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_ask ask = {.method = "GET", .path = "/api/tracker/today"};
	int64_t limit =
	    strtol(ct_t_env("CATETUBE_LIMIT_READ", "200"), NULL, 10);

	if (limit == 0 || limit > 2000)
		skip();
	assert_true(ask_until_limited(who, &ask, 200, limit) >= limit);
	ct_want(ct_ask(other, &ask), 200);
	/* A meal can be logged all the same. */
	ct_want(ct_call(who, "POST", "/api/feeding/", "{'amount_ml':1}"), 201);
}

static void
reports(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/report/feeding",
	    .body = CT_STR("{\"format\":\"csv\",\"start_date\":"
			   "\"2025-06-01\",\"end_date\":\"2025-06-01\"}")};
	int64_t limit =
	    strtol(ct_t_env("CATETUBE_LIMIT_REPORT", "10"), NULL, 10);

	if (limit == 0 || limit > 19)
		skip();
	assert_true(ask_until_limited(who, &ask, 202, limit) >= limit);
	ct_want(ct_ask(other, &ask), 202);
}

/*
 * Strangers with made-up cookies are held back by their address; whoever is
 * signed in behind the same address logs meals all the same.
 */
static void
strangers(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *stranger = ct_who_nobody(who->a, NULL);
	struct ct_ask ask = {.method = "POST",
	    .path = "/api/feeding/",
	    .body = CT_STR("{\"amount_ml\":1}")};
	int64_t limit = strtol(ct_t_env("CATETUBE_LIMIT_LOG", "60"), NULL, 10);
	const struct ct_answer *r;

	if (limit == 0 || limit > 2000)
		skip();
	memcpy(stranger->cookie, who->cookie, sizeof(who->cookie));
	memset(strchr(stranger->cookie, '=') + 1, 'A', 43);
	do
		r = ct_ask(stranger, &ask);
	while (r->status == 401 && limit-- > -60);
	want_limited(r);
	ct_want(ct_ask(who, &ask), 201);
}

/* Wrong guesses slow down one account; the right password still waits. */
static void
guesses(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_who *thief = ct_who_nobody(who->a, NULL);
	const struct ct_answer *r = NULL;
	unsigned n;

	for (n = 0; n < 20; n++) {
		r = ct_call(thief, "POST", "/api/auth/login",
		    "{'email':'%s','password':'guess %u'}", who->email, n);
		if (r->status == 429)
			break;
		ct_want_error(r, 401, NULL, NULL);
	}
	assert_non_null(r);
	ct_want_error(r, 429, NULL, NULL);
	assert_non_null(ct_head(r, "Retry-After"));
	assert_in_range(n, 5, 10);
	/* Another account of the same address signs in; sessions live on. */
	ct_who_login(other->a, other, NULL);
	ct_want(ct_get(who, "/api/auth/me"), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(writes),
	    ct_api_test(reads),
	    ct_api_test(reports),
	    ct_api_test(strangers),
	    ct_api_test(guesses),
	};

	return cmocka_run_group_tests_name(
	    "api/limits", tests, ct_api_group, NULL);
}
