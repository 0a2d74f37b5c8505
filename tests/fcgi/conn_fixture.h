/*
 * A connection within one process: the client's end is `peer`, the server's a
 * struct ct_conn that the door to libfcgi accepted.
 */
#ifndef CT_TESTS_FCGI_CONN_FIXTURE_H
#define CT_TESTS_FCGI_CONN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi/resp.h"
#include "fcgi/route.h"
#include "fcgi/serve.h"
#include "tests/support/fcgi_client.h"

static struct ct_arena *arena;
static struct ct_conf conf;
static struct ct_app app;
static struct ct_err err;
static int listen_fd = -1;

static inline void
cells(size_t at)
{
	for (size_t i = 1; i < ct_countof(app.cells[at].by_class); i++)
		app.cells[at].by_class[i] = ct_metric(CT_M_HTTP_REQUESTS, "");
	app.cells[at].seconds = ct_metric(CT_M_HTTP_SECONDS, "");
}

/* Once per program: an address of the kernel's choice, and the options. */
static inline int
group_up(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct timeval tv = {10, 0};

	(void)state;
	ct_crypto_init();
	assert_int_equal(ct_serve_check(&err), CT_OK);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listen_fd >= 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(
	    bind(listen_fd, (struct sockaddr *)&at, sizeof(at.sun_family)), 0);
	assert_int_equal(listen(listen_fd, 64), 0);
	conf = (struct ct_conf){.secret_key = "a secret of the tests, long",
	    .cors_origins = "https://other.example, https://app.example",
	    .origin = "http://cat.example",
	    .metrics_allow = "127.0.0.1,::1"};
	app.conf = &conf;
	app.listen_fd = listen_fd;
	for (size_t i = 0; i <= CT_ROUTES_MAX; i++)
		cells(i);
	app.hits = app.not_modified = app.misses = app.trip =
	    ct_metric(CT_M_CACHE_HITS, "");
	for (size_t i = 0; i < CT_C_COUNT; i++)
		app.limited[i] = ct_metric(CT_M_LIMITED, "");
	return 0;
}

static inline int
group_down(void **state)
{
	(void)state;
	close(listen_fd);
	return 0;
}

static inline int
test_up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)64 << 20);
	ct_err_clear(&err);
	return 0;
}

static inline int
test_down(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

/* *peer: the client's end. */
static inline struct ct_conn *
connect_pair(int *peer)
{
	struct sockaddr_un at;
	socklen_t n = sizeof(at);
	struct ct_conn *c;

	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&at, &n), 0);
	*peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*peer, (struct sockaddr *)&at, n), 0);
	c = ct_conn_accept(listen_fd);
	assert_non_null(c);
	return c;
}

/* Send the request and read it on the server's side. */
static inline enum ct_rc
receive(struct ct_conn *c, int peer, struct ct_str bytes, struct ct_req *r)
{
	assert_true(ct_fcgi_send(peer, bytes));
	if (ct_conn_begin(c) != CT_OK)
		return CT_GONE_CLIENT;
	return ct_req_read(r, c, &app, &err);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, test_up, test_down)

#endif
