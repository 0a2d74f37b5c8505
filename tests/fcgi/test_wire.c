/*
 * Bytes at the responders' socket: what is cut, bent, claimed or stalled costs
 * its own connection, writes nothing, and the next request is answered.
 */
#include "tests/fcgi/server_fixture.h"

#include <sys/socket.h>

#include "fcgi/serve.h"

/* What one request may take beside a peer that stalls. */
#define DELAY_MAX_MS 1000

static const char *cookie;

static int
group_up(void **state)
{
	stores_up(state);
	server_start(env_default());
	cookie = sign_up();
	return 0;
}

/* A request of today over a new connection; its time in ms. */
static int64_t
healthy_ms(void)
{
	struct ct_fcgi_req req = today_of(cookie);
	/* Asked without end by some: what it took is given back. */
	struct ct_mark before = ct_arena_mark(arena);
	int64_t begin = ct_mono_ms();
	int status = ct_fcgi_ask(sock, arena, &req).status;

	ct_arena_rewind(arena, before);
	if (status != 200)
		fail_msg("today: %d\n%s", status, output("fcgi.log"));
	return ct_mono_ms() - begin;
}

/* ------------------------------------------------------------ cut */

static void
cut_everywhere(const struct ct_fcgi_req *req)
{
	struct ct_str whole = ct_fcgi_request(arena, req);
	pid_t child = only_child();
	int64_t before = meals();

	assert_true(child > 0);
	for (size_t n = 0; n < whole.n; n++) {
		int fd = ct_fcgi_dial(sock);

		assert_true(fd >= 0);
		assert_true(ct_fcgi_send(fd, (struct ct_str){whole.p, n}));
		close(fd);
		if (n % 16 == 0)
			healthy_ms();
	}
	healthy_ms();
	assert_int_equal(only_child(), child);
	assert_int_equal(meals(), before);
}

static void
a_cut_get_costs_nothing(void **state)
{
	struct ct_fcgi_req req = today_of(cookie);

	(void)state;
	cut_everywhere(&req);
}

static void
a_cut_meal_is_not_written(void **state)
{
	struct ct_fcgi_req req = meal_of(cookie);
	int64_t before = meals();

	(void)state;
	cut_everywhere(&req);
	/* The same bytes, whole, are a meal. */
	assert_int_equal(ct_fcgi_ask(sock, arena, &req).status, 201);
	assert_int_equal(meals(), before + 1);
}

/* ------------------------------------------------------------ lengths */

static void
the_body_is_as_long_as_it_says(void **state)
{
	static const struct {
		const char *length;
		int status; /* 0: closed without an answer */
	} table[] = {{"15", 0}, {"17", 0}, {"0", 0}, {"", 0}, {"-1", 0},
	    {"x", 0}, {"16x", 0}, {"65537", 413}, {"9223372036854775807", 413},
	    {"99999999999999999999", 0}};
	int64_t before = meals();

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_fcgi_req req = meal_of(cookie);
		int fd = ct_fcgi_dial(sock);
		struct ct_fcgi_res res;

		req.length = table[i].length;
		assert_true(ct_fcgi_send(fd, ct_fcgi_request(arena, &req)));
		/* One that is too short is waited for: say that it ended. */
		shutdown(fd, SHUT_WR);
		res = ct_fcgi_read(fd, arena, DEADLINE_MS);
		if (res.status != table[i].status)
			fail_msg("CONTENT_LENGTH=\"%s\": %d", table[i].length,
			    res.status);
		assert_true(ct_fcgi_wait_close(fd, DEADLINE_MS));
		close(fd);
	}
	assert_int_equal(meals(), before);
	healthy_ms();
}

static void
parameters_of_any_size(void **state)
{
	char *more = ct_arena_alloc(arena, 100 * 1024 + 32);
	struct ct_fcgi_req req = today_of(cookie);
	struct ct_fcgi_res res;
	struct ct_buf b;
	int fd;

	(void)state;
	memcpy(more, "HTTP_USER_AGENT=", 16);
	memset(more + 16, 'u', 100 * 1024);
	req.more[0] = more;
	assert_int_equal(ct_fcgi_ask(sock, arena, &req).status, 200);
	/* None at all. */
	ct_buf_init(&b, arena, 64);
	ct_fcgi_begin(&b, 1, true);
	ct_fcgi_stream(&b, CT_FCGI_PARAMS, 1, CT_STR(""));
	ct_fcgi_stream(&b, CT_FCGI_STDIN, 1, CT_STR(""));
	fd = ct_fcgi_dial(sock);
	assert_true(ct_fcgi_send(fd, ct_buf_str(&b)));
	res = ct_fcgi_read(fd, arena, DEADLINE_MS);
	assert_true(res.closed && res.status == 0);
	close(fd);
	healthy_ms();
}

/* ------------------------------------------------------------ two in a row */

static void
requests_follow_on_a_kept_connection(void **state)
{
	struct ct_fcgi_req get = today_of(cookie), post = meal_of(cookie);
	int64_t before = meals();
	int fd = ct_fcgi_dial(sock);

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(ct_fcgi_talk(fd, arena, &post).status, 201);
		assert_int_equal(ct_fcgi_talk(fd, arena, &get).status, 200);
	}
	close(fd);
	assert_int_equal(meals(), before + 20);
}

/*
 * The second is sent before the first is answered, which nginx never does: it
 * may stay unanswered, but it must not be half of anything.
 */
static void
a_pipelined_request_is_whole_or_none(void **state)
{
	struct ct_fcgi_req req = meal_of(cookie);
	struct ct_str one = ct_fcgi_request(arena, &req);
	int64_t before = meals(), after;
	struct ct_fcgi_res res;
	struct ct_buf b;
	int fd = ct_fcgi_dial(sock), answered = 0;

	(void)state;
	ct_buf_init(&b, arena, 2 * one.n);
	ct_buf_addstr(&b, one);
	ct_buf_addstr(&b, one);
	assert_true(ct_fcgi_send(fd, ct_buf_str(&b)));
	shutdown(fd, SHUT_WR);
	while ((res = ct_fcgi_read(fd, arena, DEADLINE_MS)).ended) {
		assert_int_equal(res.status, 201);
		answered++;
	}
	assert_true(res.closed);
	close(fd);
	after = meals();
	assert_int_equal(after - before, answered);
	healthy_ms();
}

/* ------------------------------------------------------------ no reader */

/*
 * Ask again and again, and never read, until the server closes. What the
 * others wait meanwhile, at worst.
 */
static int64_t
never_read(const struct ct_fcgi_req *req)
{
	struct ct_str one = ct_fcgi_request(arena, req);
	int64_t end = ct_mono_ms() + DEADLINE_MS, worst = 0;
	int fd = ct_fcgi_dial(sock);

	while (!ct_fcgi_wait_hangup(fd, 0)) {
		int64_t ms = healthy_ms();

		worst = ms > worst ? ms : worst;
		if (ct_mono_ms() > end)
			fail_msg("a peer that never reads is not closed");
		/* Whole or not at all, as a datagram is: it is small. */
		send(fd, one.p, one.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	close(fd);
	return worst;
}

static void
who_never_reads_is_closed(void **state)
{
	struct ct_fcgi_req loop = {.method = "GET", .path = "/metrics"};
	struct ct_fcgi_req thread = {.method = "GET",
	    .path = "/api/feeding/",
	    .query = "per_page=100",
	    .cookie = cookie};
	int64_t worst;

	(void)state;
	worst = never_read(&loop);
	print_message("never reads, answered by the loop: others waited "
		      "%lld ms\n",
	    (long long)worst);
	/* The write that fills the socket may wait, and the one after it. */
	assert_true(worst < (2 * CT_CONN_TIMEOUT_S + 1) * 1000);
	/* A thread that waits for its own peer keeps nobody else waiting. */
	worst = never_read(&thread);
	print_message("never reads, answered by a thread: others waited "
		      "%lld ms\n",
	    (long long)worst);
	assert_true(worst < DELAY_MAX_MS);
	healthy_ms();
}

/* ------------------------------------------------------------ stalls */

/* How long one request of another client takes at worst, for a while. */
static int64_t
worst_for(int64_t ms)
{
	int64_t end = ct_mono_ms() + ms, worst = 0;

	while (ct_mono_ms() < end) {
		int64_t one = healthy_ms();

		worst = one > worst ? one : worst;
	}
	return worst;
}

static int64_t
stalled(struct ct_str bytes, int64_t watch_ms)
{
	int fd = ct_fcgi_dial(sock);
	int64_t worst;

	assert_true(ct_fcgi_send(fd, bytes));
	worst = worst_for(watch_ms);
	close(fd);
	return worst;
}

/* More uploads that say nothing further than there are threads for them. */
static void
stalled_uploads_delay_nobody(void **state)
{
	struct ct_fcgi_req req = {.method = "POST",
	    .path = "/api/import",
	    .cookie = cookie,
	    .type = "application/zip",
	    .length = "1000000",
	    .body = CT_STR("PK\003\004")};
	struct ct_str whole = ct_fcgi_request(arena, &req);
	int fd[8];

	(void)state;
	for (size_t i = 0; i < ct_countof(fd); i++) {
		fd[i] = ct_fcgi_dial(sock);
		/* Without the end of the body. */
		assert_true(
		    ct_fcgi_send(fd[i], (struct ct_str){whole.p, whole.n - 8}));
	}
	for (int i = 0; i < 10; i++)
		assert_true(healthy_ms() < DELAY_MAX_MS);
	for (size_t i = 0; i < ct_countof(fd); i++) {
		assert_true(ct_fcgi_wait_close(fd[i], DEADLINE_MS));
		close(fd[i]);
	}
	healthy_ms();
}

static void
a_stalled_peer_delays_nobody(void **state)
{
	struct ct_fcgi_req req = meal_of(cookie);
	struct ct_str whole = ct_fcgi_request(arena, &req);
	const struct {
		const char *what;
		struct ct_str bytes;
	} table[] = {
	    {"nothing sent", {whole.p, 0}},
	    {"one byte", {whole.p, 1}},
	    {"a header", {whole.p, 8}},
	    {"no parameters", {whole.p, 16}},
	    {"half the parameters", {whole.p, 60}},
	    {"no body", {whole.p, whole.n - 16 - 16}},
	    {"no end of the body", {whole.p, whole.n - 8}},
	    {"no FastCGI", CT_STR("GET / HTTP/1.1\r\n\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		int64_t worst = stalled(table[i].bytes, 500);

		print_message("stalled after %s: others waited %lld ms\n",
		    table[i].what, (long long)worst);
		if (worst >= DELAY_MAX_MS)
			fail_msg("others waited %lld ms for a peer that "
				 "stalled after %s",
			    (long long)worst, table[i].what);
	}
}

/* One byte every 300 ms never runs into a time-out of the socket. */
static void
a_dripping_peer_is_closed_and_delays_nobody(void **state)
{
	struct ct_fcgi_req req = meal_of(cookie);
	struct ct_str whole = ct_fcgi_request(arena, &req);
	int64_t begin = ct_mono_ms(), worst = 0;
	int fd = ct_fcgi_dial(sock);

	(void)state;
	for (size_t i = 0; i < whole.n; i++) {
		int64_t ms;

		if (!ct_fcgi_send(fd, (struct ct_str){whole.p + i, 1}))
			break;
		ms = worst_for(300);
		worst = ms > worst ? ms : worst;
		if (ct_mono_ms() - begin > 2000LL * CT_CONN_TIMEOUT_S)
			fail_msg("still open after %lld ms; others waited "
				 "%lld ms",
			    (long long)(ct_mono_ms() - begin),
			    (long long)worst);
	}
	close(fd);
	assert_true(worst < DELAY_MAX_MS);
}

/* ------------------------------------------------------------ no FastCGI */

static void
records_of_management_are_harmless(void **state)
{
	static const unsigned types[] = {
	    0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 77, 255};
	struct ct_str values;
	struct ct_buf b, pairs;
	pid_t child = only_child();

	(void)state;
	ct_buf_init(&pairs, arena, 8192);
	for (int i = 0; i < 200; i++)
		ct_fcgi_pair(&pairs, CT_STR("FCGI_MPXS_CONNS"), CT_STR(""));
	values = ct_buf_str(&pairs);
	ct_buf_init(&b, arena, 8192);
	for (size_t i = 0; i < ct_countof(types); i++) {
		for (unsigned id = 0; id < 3; id++) {
			int fd = ct_fcgi_dial(sock);

			b.n = 0;
			ct_fcgi_record(&b, types[i], id, values);
			ct_fcgi_record(&b, types[i], id, CT_STR(""));
			assert_true(ct_fcgi_send(fd, ct_buf_str(&b)));
			close(fd);
		}
	}
	healthy_ms();
	assert_int_equal(only_child(), child);
}

static void
broken(uint64_t *seed, struct ct_str whole, int n)
{
	struct ct_buf b;

	ct_buf_init(&b, arena, 4096);
	for (int i = 0; i < n; i++) {
		int fd = ct_fcgi_dial(sock);

		assert_true(fd >= 0);
		ct_fcgi_mutate(seed, whole, &b);
		ct_fcgi_send(fd, ct_buf_str(&b));
		shutdown(fd, SHUT_WR);
		/* Lock step: else they only pile up in the backlog. */
		if (i % 64 == 0)
			healthy_ms();
		close(fd);
	}
	healthy_ms();
}

static void
ten_thousand_broken_streams_leave_nothing(void **state)
{
	struct ct_fcgi_req req = today_of(cookie);
	struct ct_str whole = ct_fcgi_request(arena, &req);
	uint64_t seed = 20261122;
	pid_t child = only_child();
	int64_t before;
	int fds;

	(void)state;
	broken(&seed, whole, 2000); /* warm */
	UNTIL(open_fds(child) < 60);
	before = rss_kib(child);
	fds = open_fds(child);
	broken(&seed, whole, 10000);
	assert_int_equal(only_child(), child);
	UNTIL(open_fds(child) <= fds);
	print_message("memory after 10,000 broken streams: %+lld KiB\n",
	    (long long)(rss_kib(child) - before));
	assert_true(rss_kib(child) - before < 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cut_get_costs_nothing),
	    cmocka_unit_test(a_cut_meal_is_not_written),
	    cmocka_unit_test(the_body_is_as_long_as_it_says),
	    cmocka_unit_test(parameters_of_any_size),
	    cmocka_unit_test(requests_follow_on_a_kept_connection),
	    cmocka_unit_test(a_pipelined_request_is_whole_or_none),
	    cmocka_unit_test(records_of_management_are_harmless),
	    cmocka_unit_test(ten_thousand_broken_streams_leave_nothing),
	    cmocka_unit_test(who_never_reads_is_closed),
	    cmocka_unit_test(a_dripping_peer_is_closed_and_delays_nobody),
	    cmocka_unit_test(a_stalled_peer_delays_nobody),
	    cmocka_unit_test(stalled_uploads_delay_nobody),
	};

	return cmocka_run_group_tests(tests, group_up, stores_down);
}
