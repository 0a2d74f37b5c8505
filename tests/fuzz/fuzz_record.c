/*
 * Any bytes from nginx's side of a connection: they are a request whose body
 * has the length that it says, or the connection ends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi/req.h"
#include "fcgi/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int listen_fd = -1;
static struct sockaddr_un at;
static socklen_t at_n = sizeof(at);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* An address of the kernel's choice. */
static void
begin(void)
{
	struct ct_err err;

	ct_crypto_init();
	require(ct_serve_check(&err) == CT_OK);
	at.sun_family = AF_UNIX;
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(bind(listen_fd, (struct sockaddr *)&at,
		    sizeof(at.sun_family)) == 0);
	require(getsockname(listen_fd, (struct sockaddr *)&at, &at_n) == 0);
	require(listen(listen_fd, 8) == 0);
}

static void
check(const struct ct_req *r)
{
	int64_t n = 0;

	require(r->method_text.n > 0 && r->path.n > 0 && r->addr.n > 0);
	if (r->length_text.n > 0)
		require(ct_str_i64(r->length_text, 0, 1 << 16, &n));
	require(r->body.n == (size_t)n);
	require(r->query.n <= 4096);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ct_app app;
	struct ct_conn *c;
	struct ct_req r;
	struct ct_err err;
	int peer;

	if (listen_fd < 0)
		begin();
	/* What a unix socket takes at once. */
	if (n > 128 * 1024)
		return -1;
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(connect(peer, (struct sockaddr *)&at, at_n) == 0);
	c = ct_conn_accept(listen_fd);
	require(c != NULL);
	require(send(peer, data, n, MSG_NOSIGNAL) == (ssize_t)n);
	shutdown(peer, SHUT_WR);
	if (ct_conn_peek(c) == CT_OK && ct_conn_begin(c) == CT_OK &&
	    ct_req_read(&r, c, &app, &err) == CT_OK)
		check(&r);
	ct_conn_free(c);
	close(peer);
	require(ct_conn_count() == 0);
	return 0;
}
