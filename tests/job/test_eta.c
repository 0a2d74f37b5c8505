/*
 * A thousand jobs, each with a time of its own: none begins early, and how late
 * they are is printed.
 */
#include "tests/job/job_fixture.h"

#define JOBS	 1000
#define FIRST_MS 4000
#define SPAN_MS	 8000

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool
all_done(const char *const *id)
{
	static int done; /* those before are */

	while (done < JOBS && job_is(id[done], "succeeded"))
		done++;
	return done == JOBS;
}

/* When it began, as the task itself says. */
static int64_t
began_us(const char *id)
{
	const char *at = strstr(result_of(id), "\"result\":");

	assert_non_null(at);
	return strtoll(at + strlen("\"result\":"), NULL, 10);
}

static void
never_early(void **state)
{
	int64_t due[JOBS], pushed[JOBS], late[JOBS], base;
	const char *id[JOBS], *warm = push("test.noop", "{}", 0);

	(void)state;
	/* Children enough to keep up where other tests run beside. */
	node_start("eta", "CATETUBE_WORKER_CHILDREN=8");
	UNTIL(job_is(warm, "succeeded"));
	base = ct_now_us() + FIRST_MS * 1000;
	for (int i = 0; i < JOBS; i++) {
		due[i] = base + (int64_t)ct_random_below(SPAN_MS * 1000);
		id[i] = push("test.now", "{}", due[i]);
		pushed[i] = ct_now_us();
		assert_true(atoll(job_field(id[i], "due")) * 1000 >= due[i]);
	}
	UNTIL(all_done(id));
	for (int i = 0; i < JOBS; i++) {
		late[i] = began_us(id[i]) - due[i];
		if (late[i] < 0)
			fail_msg("job %d began %lld us early", i,
			    (long long)-late[i]);
		/* A busy machine may not even have pushed it in time. */
		if (pushed[i] > due[i])
			late[i] -= pushed[i] - due[i];
		assert_string_equal(job_field(id[i], "starts"), "1");
	}
	qsort(late, JOBS, sizeof(*late), by_value);
	print_message("late by ms: p50 %.1f, p99 %.1f, most %.1f\n",
	    (double)late[JOBS / 2] / 1000, (double)late[JOBS * 99 / 100] / 1000,
	    (double)late[JOBS - 1] / 1000);
	/* Under a second on a quiet machine; this one may be busy. */
	assert_true(late[JOBS * 99 / 100] < 15000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(never_early, test_up, test_down)};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
