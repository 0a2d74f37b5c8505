/*
 * The door to libfcgi: one connection from nginx, which carries one request at
 * a time and is kept open between them. The caller accepts, parks the
 * connection in its own epoll set while it is idle, and calls begin when it is
 * readable; libfcgi parses and frames.
 *
 * A connection is owned by one thread at a time. Reads and writes time out
 * after CT_CONN_TIMEOUT_S, which closes it.
 */
#ifndef CT_FCGI_SERVE_H
#define CT_FCGI_SERVE_H

#include "common/err.h"
#include "common/str.h"

#define CT_CONN_TIMEOUT_S 3
#define CT_BODY_MAX	  (64 * 1024) /* of a body that the loop takes */

struct ct_conn;

/*
 * Prove that libfcgi still behaves as this file relies on; once, before the
 * first accept. CT_INTERNAL says which step failed.
 */
enum ct_rc ct_serve_check(struct ct_err *err) CT_MUSTCHECK;

/* NULL with errno: nothing to accept (EAGAIN), or accept failed. */
struct ct_conn *ct_conn_accept(int listen_fd);
/* Closes it if it is open. Accepts NULL. */
void ct_conn_free(struct ct_conn *c);
int ct_conn_fd(const struct ct_conn *c);
/* Connections of this process that are open now, over all threads. */
int ct_conn_count(void);
/* Memory of the request in progress; reset by ct_conn_end. */
struct ct_arena *ct_conn_arena(struct ct_conn *c);
/* Room of the caller's for the connection's life, zeroed. */
void *ct_conn_user(struct ct_conn *c);

/*
 * What has arrived: CT_OK: one whole request, so that reading it blocks
 * nowhere; CT_TOOBIG: the parameters of one whose body is longer than
 * CT_BODY_MAX, so that reading those blocks nowhere, and the body is to be read
 * on a thread; CT_RETRY: a part of one; CT_GONE_CLIENT: the end, or what is no
 * FastCGI request of a responder: free the connection. Never blocks, takes
 * nothing. The front loop's alone.
 */
enum ct_rc ct_conn_peek(const struct ct_conn *c) CT_MUSTCHECK;
/*
 * Read the parameters of the next request. CT_GONE_CLIENT: nginx closed the
 * connection, or sent no FastCGI: free it.
 */
enum ct_rc ct_conn_begin(struct ct_conn *c) CT_MUSTCHECK;
/* "NAME=value" strings, NULL-terminated; valid until end. */
char *const *ct_conn_params(const struct ct_conn *c);
/*
 * Read the whole body, which must be exactly n bytes (n = 0 too: the end of
 * input is read, which is where a cut request shows). CT_GONE_CLIENT: it was
 * shorter, longer, or the stream broke: answer nothing, do nothing, free it.
 */
enum ct_rc ct_conn_body(struct ct_conn *c, char *p, size_t n) CT_MUSTCHECK;
/* The next n bytes of a longer body. CT_GONE_CLIENT: there are less. */
enum ct_rc ct_conn_some(struct ct_conn *c, char *p, size_t n) CT_MUSTCHECK;
/* After this answer close the connection instead of keeping it. */
void ct_conn_close_after(struct ct_conn *c);

void ct_conn_write(struct ct_conn *c, struct ct_str s);
/* Flush and end the request. True: still open, park it; false: free it. */
bool ct_conn_end(struct ct_conn *c);

#endif
