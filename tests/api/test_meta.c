/*
 * What the service says about itself: index, health, the API's nouns, unknown
 * paths.
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

static int
begin_nobody(void **state)
{
	*state = ct_who_nobody(ct_arena_create(16u << 20), NULL);
	return 0;
}

static void
index_for_json(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r =
	    ct_want(ct_ask(who, &(struct ct_ask){.method = "GET",
				    .path = "/",
				    .more = {"Accept: application/json"}}),
		200);

	ct_text(r, "message");
	ct_text(r, "version");
	assert_string_equal(ct_text(r, "status"), "running");
}

static void
health(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(ct_get(who, "/health"), 200);
	int64_t us;

	assert_string_equal(ct_text(r, "status"), "healthy");
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(r, "timestamp")), &us), CT_TIME_OK);
	assert_true(llabs(us - ct_now_us()) < 120 * 1000000LL);
}

static void
health_of_the_parts(void **state)
{
	struct ct_who *who = *state;
	static const char *const names[] = {
	    "database", "cache", "queue", "storage", "external"};
	const struct ct_answer *r = ct_want(ct_get(who, "/health"), 200);

	for (unsigned i = 0; i < ct_countof(names); i++)
		ct_at(r, ct_path(who, "checks.%s", names[i]));
}

static void
health_live_and_ready(void **state)
{
	struct ct_who *who = *state;

	assert_non_null(ct_want(ct_get(who, "/health/live"), 200)->json);
	assert_non_null(ct_want(ct_get(who, "/health/ready"), 200)->json);
}

static void
index_of_nouns(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(ct_get(who, "/api/"), 200);
	static const char *const nouns[] = {
	    "auth", "feeding", "medication_log", "tracker", "report"};

	for (unsigned i = 0; i < ct_countof(nouns); i++)
		assert_true(ct_says(r, nouns[i]));
}

static void
unknown_paths(void **state)
{
	struct ct_who *who = *state;
	static const char *const paths[] = {"/api/nothing", "/api/feedings",
	    "/api/Feeding/", "/api/feeding/x/y/z", "/api/auth",
	    "/health/nothing"};

	for (unsigned i = 0; i < ct_countof(paths); i++)
		ct_want_error(ct_get(who, paths[i]), 404, "not_found", NULL);
}

static void
metrics_are_for_this_machine(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r = ct_want(ct_get(who, "/metrics"), 200);

	assert_true(
	    ct_says(r, "\n# TYPE catetube_") || ct_says(r, "# HELP catetube_"));
	/* A stranger cannot name an address that is allowed. */
	ct_want(ct_ask(who, &(struct ct_ask){.method = "GET",
				.path = "/metrics",
				.more = {"X-Forwarded-For: 203.0.113.9",
				    "X-Real-IP: 203.0.113.9"}}),
	    200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin_nobody, ct_api_end)
	    T(index_for_json),
	    T(health),
	    T(health_of_the_parts),
	    T(health_live_and_ready),
	    T(index_of_nouns),
	    T(unknown_paths),
	    T(metrics_are_for_this_machine),
	};

	return cmocka_run_group_tests_name(
	    "api/meta", tests, ct_api_group, NULL);
}
