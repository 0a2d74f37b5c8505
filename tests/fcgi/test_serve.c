/*
 * The door to libfcgi, within one process: a request that was cut anywhere is
 * none, and bytes that are no FastCGI end the connection and nothing else.
 */
#include <stdlib.h>

#include "fcgi/gate.h"
#include "tests/fcgi/conn_fixture.h"

static const struct ct_fcgi_req meal = {.method = "POST",
    .path = "/api/feeding/",
    .cookie = "catetube=x",
    .body = {"{\"amount_ml\":50}", 16}};

/* What reading the bytes, and then the end, gives. */
static enum ct_rc
outcome(struct ct_str bytes, struct ct_req *r)
{
	int peer;
	struct ct_conn *c = connect_pair(&peer);
	enum ct_rc rc;

	assert_true(ct_fcgi_send(peer, bytes));
	shutdown(peer, SHUT_WR);
	rc = ct_conn_begin(c);
	if (rc == CT_OK)
		rc = ct_req_read(r, c, &app, &err);
	ct_conn_free(c);
	close(peer);
	return rc;
}

static void
a_cut_request_is_none(void **state)
{
	struct ct_str whole = ct_fcgi_request(arena, &meal);
	struct ct_req r;

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		struct ct_str cut = {whole.p, n};

		if (outcome(cut, &r) != CT_GONE_CLIENT)
			fail_msg("cut after %zu of %zu bytes", n, whole.n);
	}
	assert_int_equal(outcome(whole, &r), CT_OK);
}

static void
a_body_has_the_length_it_says(void **state)
{
	static const struct {
		const char *length;
		enum ct_rc rc;
	} table[] = {{"16", CT_OK}, {"15", CT_GONE_CLIENT},
	    {"17", CT_GONE_CLIENT}, {"0", CT_GONE_CLIENT}, {"", CT_GONE_CLIENT},
	    {"-1", CT_GONE_CLIENT}, {"-16", CT_GONE_CLIENT},
	    {"+16", CT_GONE_CLIENT}, {"16 ", CT_GONE_CLIENT},
	    {" 16", CT_GONE_CLIENT}, {"0x10", CT_GONE_CLIENT},
	    {"1e1", CT_GONE_CLIENT}, {"16,16", CT_GONE_CLIENT},
	    {"65537", CT_OK}, {"4294967312", CT_OK}, /* left to the gate */
	    {"9223372036854775807", CT_OK},
	    {"9223372036854775808", CT_GONE_CLIENT},
	    {"18446744073709551632", CT_GONE_CLIENT}};
	struct ct_req r;

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_fcgi_req req = meal;

		req.length = table[i].length;
		if (outcome(ct_fcgi_request(arena, &req), &r) != table[i].rc)
			fail_msg("CONTENT_LENGTH=\"%s\"", table[i].length);
		if (table[i].rc == CT_OK)
			assert_int_equal(r.body.n + ct_size(r.body_left),
			    strtoull(table[i].length, NULL, 10));
	}
}

static void
the_needed_parameters_are_needed(void **state)
{
	static const char *const names[] = {
	    "REQUEST_METHOD", "DOCUMENT_URI", "REMOTE_ADDR"};
	struct ct_req r;

	(void)state;
	for (size_t skip = 0; skip <= ct_countof(names); skip++) {
		for (int empty = 0; empty < 2; empty++) {
			struct ct_buf b, params;

			ct_buf_init(&params, arena, 256);
			for (size_t i = 0; i < ct_countof(names); i++) {
				if (i != skip || empty)
					ct_fcgi_pair(&params,
					    ct_str_of(names[i]),
					    ct_str_of(i == skip ? "" : "x"));
			}
			ct_buf_init(&b, arena, 256);
			ct_fcgi_begin(&b, 1, true);
			ct_fcgi_stream(
			    &b, CT_FCGI_PARAMS, 1, ct_buf_str(&params));
			ct_fcgi_stream(&b, CT_FCGI_STDIN, 1, CT_STR(""));
			assert_int_equal(outcome(ct_buf_str(&b), &r),
			    skip < ct_countof(names) ? CT_GONE_CLIENT : CT_OK);
		}
	}
}

static void
a_query_has_a_bound(void **state)
{
	char *long_one = ct_arena_alloc(arena, 4098);
	struct ct_fcgi_req req = {
	    .method = "GET", .path = "/", .query = long_one};
	struct ct_req r;

	(void)state;
	memset(long_one, 'a', 4096);
	assert_int_equal(outcome(ct_fcgi_request(arena, &req), &r), CT_OK);
	long_one[4096] = 'a';
	assert_int_equal(outcome(ct_fcgi_request(arena, &req), &r), CT_TOOBIG);
	assert_string_equal(err.code, "uri_too_long");
}

/* The first of two counts for nobody: nginx names each parameter once. */
static void
a_large_parameter_is_read_whole(void **state)
{
	size_t n = 100 * 1024;
	char *more = ct_arena_alloc(arena, n + 32);
	struct ct_fcgi_req req = {.method = "GET", .path = "/", .more = {more}};
	struct ct_req r;
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	(void)state;
	memcpy(more, "HTTP_USER_AGENT=", 16);
	memset(more + 16, 'u', n);
	assert_int_equal(
	    receive(c, peer, ct_fcgi_request(arena, &req), &r), CT_OK);
	assert_int_equal(r.agent.n, n);
	ct_conn_free(c);
	close(peer);
}

static void
a_kept_connection_carries_many(void **state)
{
	struct ct_fcgi_res res;
	struct ct_req r;
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(
		    receive(c, peer, ct_fcgi_request(arena, &meal), &r), CT_OK);
		assert_true(ct_str_is(r.body, "{\"amount_ml\":50}"));
		ct_resp_message(&r, 200, "hello");
		ct_resp_send(&r);
		assert_true(ct_conn_end(c));
		res = ct_fcgi_read(peer, arena, 5000);
		assert_true(res.ended && res.status == 200);
	}
	assert_int_equal(ct_conn_count(), 1);
	ct_conn_free(c);
	assert_int_equal(ct_conn_count(), 0);
	close(peer);
}

/* A body that is not read would be taken for the next request. */
static void
too_large_a_body_ends_the_connection(void **state)
{
	struct ct_fcgi_req req = meal;
	struct ct_req r;
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	(void)state;
	req.length = "65537";
	assert_int_equal(
	    receive(c, peer, ct_fcgi_request(arena, &req), &r), CT_OK);
	assert_true(ct_gate_open(&r));
	assert_int_equal(r.status, 413);
	ct_req_body_skip(&r);
	ct_resp_send(&r);
	shutdown(peer, SHUT_WR); /* else libfcgi lingers for 2 s */
	assert_false(ct_conn_end(c));
	assert_int_equal(ct_fcgi_read(peer, arena, 5000).status, 413);
	ct_conn_free(c);
	close(peer);
}

/* ------------------------------------------------------------ uploads */

#define LONG 70000 /* more than the loop takes, less than a socket holds */

/* An upload of LONG bytes, its body in pieces from 0 to 250. */
static struct ct_fcgi_req
upload_of(void)
{
	char *body = ct_arena_raw(arena, LONG);

	for (size_t i = 0; i < LONG; i++)
		body[i] = (char)(i % 251);
	return (struct ct_fcgi_req){.method = "POST",
	    .path = "/api/import",
	    .type = "application/zip",
	    .body = {body, LONG}};
}

static void
a_long_body_is_read_in_pieces(void **state)
{
	struct ct_fcgi_req req = upload_of();
	size_t got = 0, n;
	struct ct_req r;
	char piece[999];
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(ct_fcgi_send(peer, ct_fcgi_request(arena, &req)));
		assert_int_equal(ct_conn_peek(c), CT_TOOBIG);
		assert_int_equal(ct_conn_begin(c), CT_OK);
		assert_int_equal(ct_req_read(&r, c, &app, &err), CT_OK);
		assert_int_equal(r.body_left, LONG);
		assert_false(ct_gate_open(&r));
		for (got = 0;; got += n) {
			assert_int_equal(ct_req_body_next(&r, piece,
					     sizeof(piece), &n, &err),
			    CT_OK);
			if (n == 0)
				break;
			assert_memory_equal(piece, req.body.p + got, n);
		}
		assert_int_equal(got, LONG);
		ct_resp_message(&r, 202, "taken");
		ct_resp_send(&r);
		/* What was read whole leaves the connection open. */
		assert_true(ct_conn_end(c));
		assert_int_equal(ct_fcgi_read(peer, arena, 5000).status, 202);
	}
	ct_conn_free(c);
	close(peer);
}

/* Its body is cut anywhere: what came is given, and then that it was cut. */
static void
a_cut_long_body_is_none(void **state)
{
	struct ct_fcgi_req req = upload_of();
	struct ct_str whole = ct_fcgi_request(arena, &req);

	(void)state;
	for (size_t left = 1; left < LONG; left += left < 40 ? 1 : 7001) {
		struct ct_str cut = {whole.p, whole.n - left};
		enum ct_rc rc = CT_OK;
		char piece[4096];
		size_t n = 1;
		struct ct_req r;
		int peer;
		struct ct_conn *c = connect_pair(&peer);

		assert_true(ct_fcgi_send(peer, cut));
		shutdown(peer, SHUT_WR);
		assert_int_equal(ct_conn_peek(c), CT_TOOBIG);
		assert_int_equal(ct_conn_begin(c), CT_OK);
		assert_int_equal(ct_req_read(&r, c, &app, &err), CT_OK);
		while (rc == CT_OK && n > 0)
			rc = ct_req_body_next(
			    &r, piece, sizeof(piece), &n, &err);
		if (rc != CT_GONE_CLIENT)
			fail_msg("%zu bytes before the end", left);
		ct_resp_message(&r, 400, "cut");
		ct_resp_send(&r);
		assert_false(ct_conn_end(c));
		ct_conn_free(c);
		close(peer);
	}
}

/* Refused before its body was wanted: the rest is read over. */
static void
a_refused_long_body_is_read_over(void **state)
{
	struct ct_fcgi_req req = upload_of();
	struct ct_req r;
	int peer;
	struct ct_conn *c = connect_pair(&peer);

	(void)state;
	req.type = "text/plain";
	assert_int_equal(
	    receive(c, peer, ct_fcgi_request(arena, &req), &r), CT_OK);
	assert_true(ct_gate_open(&r));
	assert_int_equal(r.status, 415);
	ct_req_body_skip(&r);
	assert_int_equal(r.body_left, 0);
	ct_resp_send(&r);
	assert_true(ct_conn_end(c));
	assert_int_equal(ct_fcgi_read(peer, arena, 5000).status, 415);
	ct_conn_free(c);
	close(peer);
}

/* ------------------------------------------------------------ no FastCGI */

/* The bytes, and then the end, give no request. */
static void
refused(struct ct_buf *b)
{
	struct ct_req r;

	assert_int_equal(outcome(ct_buf_str(b), &r), CT_GONE_CLIENT);
	b->n = 0;
}

static void
records_out_of_place_are_refused(void **state)
{
	struct ct_str whole = ct_fcgi_request(arena, &meal);
	struct ct_buf b;

	(void)state;
	ct_buf_init(&b, arena, 4096);
	ct_fcgi_header(&b, 2, CT_FCGI_BEGIN, 1, 8, 0); /* version */
	ct_buf_add(&b, whole.p + 8, whole.n - 8);
	refused(&b);
	ct_fcgi_header(&b, 1, CT_FCGI_BEGIN, 0, 8, 0); /* request 0 */
	ct_buf_add(&b, whole.p + 8, whole.n - 8);
	refused(&b);
	ct_fcgi_header(&b, 1, CT_FCGI_BEGIN, 2, 8, 0); /* another request's */
	ct_buf_add(&b, whole.p + 8, whole.n - 8);
	refused(&b);
	ct_fcgi_header(&b, 1, CT_FCGI_BEGIN, 1, 7, 0); /* short */
	ct_buf_add(&b, whole.p + 8, whole.n - 8);
	refused(&b);
	ct_buf_add(&b, whole.p + 16, whole.n - 16); /* none at all */
	refused(&b);
	ct_fcgi_begin(&b, 1, true); /* body before the parameters */
	ct_fcgi_stream(&b, CT_FCGI_STDIN, 1, meal.body);
	refused(&b);
	ct_fcgi_begin(&b, 1, true); /* given up */
	ct_fcgi_record(&b, CT_FCGI_ABORT, 1, CT_STR(""));
	refused(&b);
	ct_buf_add(&b, whole.p, whole.n - 8); /* given up in the body */
	ct_fcgi_record(&b, CT_FCGI_ABORT, 1, CT_STR(""));
	refused(&b);
	ct_buf_adds(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	refused(&b);
}

static void
records_of_others_are_skipped(void **state)
{
	struct ct_str whole = ct_fcgi_request(arena, &meal);
	struct ct_req r;
	struct ct_buf b;

	(void)state;
	ct_buf_init(&b, arena, 4096);
	ct_buf_add(&b, whole.p, 16);
	ct_fcgi_record(&b, CT_FCGI_PARAMS, 7, CT_STR("not this request's"));
	ct_fcgi_record(&b, 77, 7, CT_STR("nor known"));
	ct_buf_add(&b, whole.p + 16, whole.n - 16);
	assert_int_equal(outcome(ct_buf_str(&b), &r), CT_OK);
}

/* Lengths that no memory holds: refused before any is asked for. */
static void
claimed_lengths_cost_nothing(void **state)
{
	static const uint8_t claims[][8] = {
	    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	    {0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0},
	    {0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xff},
	    {0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 1}};
	char filler[4096];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	for (size_t i = 0; i < ct_countof(claims); i++) {
		struct ct_buf b, params;

		ct_buf_init(&params, arena, 8192);
		ct_buf_add(&params, claims[i], 8);
		ct_buf_add(&params, filler, sizeof(filler));
		ct_buf_init(&b, arena, 8192);
		ct_fcgi_begin(&b, 1, true);
		ct_fcgi_stream(&b, CT_FCGI_PARAMS, 1, ct_buf_str(&params));
		ct_fcgi_stream(&b, CT_FCGI_STDIN, 1, CT_STR(""));
		refused(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_cut_request_is_none),
	    T(a_body_has_the_length_it_says),
	    T(the_needed_parameters_are_needed),
	    T(a_query_has_a_bound),
	    T(a_large_parameter_is_read_whole),
	    T(a_kept_connection_carries_many),
	    T(too_large_a_body_ends_the_connection),
	    T(a_long_body_is_read_in_pieces),
	    T(a_cut_long_body_is_none),
	    T(a_refused_long_body_is_read_over),
	    T(records_out_of_place_are_refused),
	    T(records_of_others_are_skipped),
	    T(claimed_lengths_cost_nothing),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
