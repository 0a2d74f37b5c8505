/*
 * bench-bare: the limit that a responder can reach on libfcgi. One epoll set
 * holds the listening socket and the parked connections of nginx; whatever is
 * ready is parsed, and answered with a constant. With --gate Redis first runs
 * the gate script on the whole batch, in one round trip.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/resp.h"

#define BATCH 64

struct options {
	const char *socket, *redis, *db, *script, *answer;
	unsigned procs;
	bool gate;
};

struct loop {
	const struct options *o;
	int listener, ep;
	struct pipe redis;
	char sha[41];
	char *text; /* header and body of the constant answer */
	size_t text_n;
};

static void
stop(const char *what)
{
	fprintf(stderr, "bench-bare: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (f == NULL || text == NULL)
		stop(path);
	*n = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    chmod(path, 0666) != 0 || listen(fd, 4096) != 0)
		stop(path);
	return fd;
}

/* Take a new connection into the set. */
static void
welcome(struct loop *l)
{
	struct timeval tv = {5, 0};
	struct epoll_event ev = {.events = EPOLLIN};
	FCGX_Request *r;
	int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	r = calloc(1, sizeof(*r));
	if (r == NULL || FCGX_InitRequest(r, -1, 0) != 0)
		abort();
	r->ipcFd = fd;
	r->keepConnection = 1;
	ev.data.ptr = r;
	if (epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) != 0)
		stop("epoll_ctl");
}

/* The session's token in the Cookie header, or "-". */
static void
token(const FCGX_Request *r, const char **p, size_t *n)
{
	const char *c = FCGX_GetParam("HTTP_COOKIE", r->envp);
	const char *v = c != NULL ? strstr(c, "catetube=") : NULL;

	*p = v != NULL ? v + 9 : "-";
	*n = strcspn(*p, ";");
}

/* What the front loop asks Redis about a batch (common/lua/gate.lua). */
static void
ask(struct loop *l, FCGX_Request *const *ready, unsigned n)
{
	static char session[BATCH][80];
	const char *argv[3 + 7 * BATCH] = {"EVALSHA", l->sha};
	size_t len[3 + 7 * BATCH] = {7, 40};
	char count[12];
	int at = 3 + (int)n;

	argv[2] = count;
	len[2] = (size_t)snprintf(count, sizeof(count), "%u", n);
	for (unsigned i = 0; i < n; i++) {
		const char *etag =
		    FCGX_GetParam("HTTP_IF_NONE_MATCH", ready[i]->envp);
		const char *more[] = {"read", "1000000", "0123456789abcdef",
		    "today", etag ? etag : "", ""};
		const char *who;
		size_t who_n;

		token(ready[i], &who, &who_n);
		if (who_n > 64)
			who_n = 64;
		memcpy(session[i], "ct:s:", 5);
		memcpy(session[i] + 5, who, who_n);
		argv[3 + i] = session[i];
		len[3 + i] = who_n + 5;
		for (int k = 0; k < 6; k++, at++) {
			argv[at] = more[k];
			len[at] = strlen(more[k]);
		}
	}
	pipe_add(&l->redis, at, argv, len);
	pipe_send(&l->redis);
	if (pipe_array(&l->redis) != n + 1)
		abort();
	pipe_reply(&l->redis, argv, len); /* the epoch */
}

static void
answer(const struct loop *l, FCGX_Request *r, const char *body, size_t n)
{
	FCGX_PutStr(l->text, (int)l->text_n, r->out);
	FCGX_PutStr(body, (int)n, r->out);
	FCGX_Finish_r(r);
	if (r->ipcFd < 0)
		free(r);
}

static void
turn(struct loop *l)
{
	struct epoll_event ev[BATCH];
	FCGX_Request *ready[BATCH];
	unsigned n = 0;
	int got = epoll_wait(l->ep, ev, BATCH, -1);

	for (int i = 0; i < got; i++) {
		FCGX_Request *r = ev[i].data.ptr;

		if (r == NULL) {
			welcome(l);
		} else if (FCGX_Accept_r(r) < 0) {
			free(r);
		} else {
			ready[n++] = r;
		}
	}
	if (l->o->gate && n > 0)
		ask(l, ready, n);
	for (unsigned i = 0; i < n; i++) {
		const char *body = l->o->answer;
		size_t size = strlen(body);

		if (l->o->gate && pipe_reply(&l->redis, &body, &size) != '*')
			body = "refused", size = 7;
		answer(l, ready[i], body, size);
	}
}

static void
load_script(struct loop *l)
{
	size_t n;
	char *text = slurp(l->o->script, &n);
	const char *db[] = {"SELECT", l->o->db};
	const size_t db_len[] = {6, strlen(l->o->db)};
	const char *argv[] = {"SCRIPT", "LOAD", text};
	const size_t len[] = {6, 4, n};
	const char *sha;

	pipe_open(&l->redis, l->o->redis);
	pipe_add(&l->redis, 2, db, db_len);
	pipe_add(&l->redis, 3, argv, len);
	pipe_send(&l->redis);
	if (pipe_reply(&l->redis, &sha, &n) != '+') {
		fprintf(stderr, "bench-bare: %.*s\n", (int)n, sha);
		exit(1);
	}
	if (pipe_reply(&l->redis, &sha, &n) != '$' || n != 40) {
		fprintf(stderr, "bench-bare: %.*s\n", (int)n, sha);
		exit(1);
	}
	memcpy(l->sha, sha, 40);
	free(text);
}

/* The same header lines as a cached answer of ours. */
static void
prepare(struct loop *l)
{
	static const char head[] =
	    "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8"
	    "\r\nContent-Length: %zu\r\nCache-Control: private, no-cache\r\n"
	    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
	    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: "
	    "default-src 'none'; frame-ancestors 'none'\r\n"
	    "Cross-Origin-Opener-Policy: same-origin\r\n"
	    "Cross-Origin-Resource-Policy: same-origin\r\n"
	    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
	    "ETag: \"0123456789abcdef\"\r\n"
	    "X-Request-Id: 0198c0de5eed7abc8def0123456789ab\r\n"
	    "RateLimit-Limit: 200\r\nRateLimit-Remaining: 199\r\n"
	    "RateLimit-Reset: 1\r\n\r\n";
	int n;

	l->text = malloc(1024);
	if (l->text == NULL)
		abort();
	n = snprintf(l->text, 1024, head, strlen(l->o->answer));
	l->text_n = (size_t)n;
}

static void
serve(const struct options *o, int listener)
{
	struct loop l = {.o = o, .listener = listener};
	struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};

	FCGX_Init();
	signal(SIGTERM, SIG_DFL); /* libfcgi catches it and only takes a note */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prepare(&l);
	if (o->gate)
		load_script(&l);
	l.ep = epoll_create1(EPOLL_CLOEXEC);
	if (l.ep < 0 || epoll_ctl(l.ep, EPOLL_CTL_ADD, listener, &ev) != 0)
		stop("epoll");
	for (;;)
		turn(&l);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"socket", 1, NULL, 's'},
	    {"redis", 1, NULL, 'r'}, {"gate", 1, NULL, 'g'},
	    {"db", 1, NULL, 'd'}, {"procs", 1, NULL, 'p'},
	    {"answer", 1, NULL, 'a'}, {NULL, 0, NULL, 0}};
	struct options o = {.procs = 1, .db = "0"};
	size_t n;
	int listener;

	for (int ch; (ch = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (ch == 's')
			o.socket = optarg;
		else if (ch == 'r')
			o.redis = optarg;
		else if (ch == 'd')
			o.db = optarg;
		else if (ch == 'g')
			o.script = optarg;
		else if (ch == 'p')
			o.procs = (unsigned)atoi(optarg);
		else if (ch == 'a')
			o.answer = slurp(optarg, &n);
		else
			return 2;
	}
	o.gate = o.script != NULL;
	if (o.socket == NULL || o.answer == NULL ||
	    (o.gate && o.redis == NULL)) {
		fputs("usage: bench-bare --socket PATH --answer FILE "
		      "[--procs N] [--gate SCRIPT --redis SOCKET [--db N]]\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	listener = listen_at(o.socket);
	for (unsigned i = 0; i < o.procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			stop("fork");
		if (pid == 0)
			serve(&o, listener);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
