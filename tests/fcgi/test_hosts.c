/*
 * Two hosts in front of the same stores: limits count over both, a session
 * that ends on one ends on the other, and no answer is older than a write that
 * the other has acknowledged.
 */
#include "tests/fcgi/server_fixture.h"

#define ROUNDS	 300
#define LIMIT	 20
#define HOST_MAX 2

static char socks[HOST_MAX][sizeof(sock)];
static pid_t hosts[HOST_MAX];

/* Start both, with that many reads a minute. */
static void
start(const char *reads)
{
	const char *const argv[] = {program(), NULL};

	for (int i = 0; i < HOST_MAX; i++) {
		const struct ct_fcgi_req ready = {
		    .method = "GET", .path = "/health/ready"};
		struct env *e = env_default();
		char run[112], log[32];

		snprintf(
		    socks[i], sizeof(socks[i]), "%.60s/host%d.sock", dir, i);
		snprintf(run, sizeof(run), "%s/run%d", dir, i);
		snprintf(log, sizeof(log), "host%d.log", i);
		if (mkdir(run, 0700) != 0)
			assert_int_equal(errno, EEXIST);
		env_add(e, "CATETUBE_SOCKET", socks[i]);
		env_add(e, "CATETUBE_RUN_DIR", run);
		env_add(e, "CATETUBE_LIMIT_READ", reads);
		hosts[i] = spawn(log, e, argv);
		UNTIL(ct_fcgi_ask(socks[i], arena, &ready).status == 200);
	}
	memcpy(sock, socks[0], sizeof(sock)); /* for sign_up */
}

static int
stop(void **state)
{
	int bad = 0;

	(void)state;
	for (int i = 0; i < HOST_MAX; i++) {
		bad |= hosts[i] ? end_of(hosts[i], SIGTERM) : 0;
		hosts[i] = 0;
	}
	return bad;
}

static int
ask(int host, const struct ct_fcgi_req *req)
{
	return ct_fcgi_ask(socks[host], arena, req).status;
}

static void
limits_count_over_all_hosts(void **state)
{
	struct ct_fcgi_req today;
	int served = 0, refused = 0;

	(void)state;
	start("20");
	today = today_of(sign_up());
	for (int i = 0; i < 2 * LIMIT; i++) {
		int status = ask(i % HOST_MAX, &today);

		served += status == 200;
		refused += status == 429;
	}
	/* One more may have come back while the loop ran. */
	assert_in_range(served, LIMIT, LIMIT + 2);
	assert_int_equal(served + refused, 2 * LIMIT);
}

static void
a_session_ends_on_all_hosts(void **state)
{
	struct ct_fcgi_req today, out;
	const char *cookie;

	(void)state;
	start("0");
	cookie = sign_up();
	today = today_of(cookie);
	out = (struct ct_fcgi_req){.method = "POST",
	    .path = "/api/auth/logout",
	    .cookie = cookie,
	    .more = {"HTTP_ORIGIN=" ORIGIN}};
	for (int i = 0; i < HOST_MAX; i++)
		assert_int_equal(ask(i, &today), 200);
	assert_int_equal(ask(0, &out), 200);
	for (int i = 0; i < HOST_MAX; i++)
		assert_int_equal(ask(i, &today), 401);
}

static void
no_host_answers_what_is_older(void **state)
{
	struct ct_fcgi_req today, meal;
	const char *cookie;

	(void)state;
	start("0");
	cookie = sign_up();
	today = today_of(cookie);
	meal = meal_of(cookie);
	for (int i = 1; i <= ROUNDS; i++) {
		const char *want =
		    ct_arena_printf(arena, "\"feeding_count\":%d,", i);

		assert_int_equal(ask(i % HOST_MAX, &meal), 201);
		/* The first makes the answer, the others may take it. */
		for (int k = 0; k < 2 * HOST_MAX; k++) {
			struct ct_fcgi_res res =
			    ct_fcgi_ask(socks[k % HOST_MAX], arena, &today);

			assert_int_equal(res.status, 200);
			if (!strstr(ct_str_cstr(arena, res.body), want))
				fail_msg("after meal %d: %.*s", i,
				    CT_STR_FMT(res.body));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(limits_count_over_all_hosts, stop),
	    cmocka_unit_test_teardown(a_session_ends_on_all_hosts, stop),
	    cmocka_unit_test_teardown(no_host_answers_what_is_older, stop),
	};

	return cmocka_run_group_tests_name(
	    "fcgi/hosts", tests, stores_up, stores_down);
}
