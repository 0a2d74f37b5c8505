/*
 * bench-load: HTTP/1.1 load over N kept-alive connections, closed loop or at
 * a fixed offered rate. At a rate, latency counts from the moment at which
 * the request was due, so a server that falls behind cannot hide it. Prints
 * one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/hist.h"
#include "tests/bench/load.h"

#define BATCH	 256
#define READ_MAX 65536
#define SWEEP_NS 100000000

struct options {
	const char *host, *requests, *sessions;
	char headers[512];
	unsigned conns, threads, rate;
	double seconds, warm, timeout;
	bool advance, revalidate;
};

struct conn {
	int fd; /* -1: not connected */
	bool busy;
	unsigned tmpl, session;
	int64_t start_ns, sent_ns; /* due, really sent */
	char *rest;		   /* what the socket did not take yet */
	size_t rest_n;
	struct resp resp;
};

struct errors {
	uint64_t connect, read, timeout, unsent;
};

struct thread {
	pthread_t id;
	const struct options *o;
	const struct plan *plan;
	struct sockaddr_in addr;
	pthread_barrier_t *ready;
	unsigned index, conns, busy;
	int ep;
	struct conn *conn;
	unsigned *idle; /* ring of connections that wait for work */
	unsigned idle_at, idle_n;
	int64_t t0, begin, end; /* start, start and end of the measurement */
	uint64_t due;		/* number of the next request at a rate */
	unsigned next_session;
	uint64_t rng[2];
	char (*etag)[ETAG_MAX]; /* of each session and template */
	char *buf;
	uint64_t done, bytes, status[STATUS_MAX];
	struct errors errors;
	struct hist hist[TMPL_MAX];
};

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void *
need(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		abort();
	return p;
}

/* Connect (blocking: it is the loopback), then go non-blocking. */
static bool
dial(struct thread *t, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	struct timeval tv = {2, 0};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&t->addr, sizeof(t->addr)) != 0 ||
	    epoll_ctl(t->ep, EPOLL_CTL_ADD, fd, &ev) != 0) {
		close(fd);
		t->errors.connect++;
		return false;
	}
	c->fd = fd;
	return true;
}

static void
set_idle(struct thread *t, struct conn *c)
{
	unsigned at = (t->idle_at + t->idle_n++) % t->conns;

	t->idle[at] = (unsigned)(c - t->conn);
}

static void
hang_up(struct thread *t, struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	if (c->busy)
		t->busy--;
	c->busy = false;
	c->rest_n = 0;
}

static unsigned
pick(struct thread *t)
{
	unsigned i = 0;
	unsigned x;

	if (t->plan->n == 1)
		return 0;
	x = (unsigned)(rng_next(t->rng) % t->plan->weights);
	while (x >= t->plan->tmpl[i].weight)
		x -= t->plan->tmpl[i++].weight;
	return i;
}

/* Sessions are dealt out so that no two threads share one. */
static unsigned
session_next(struct thread *t)
{
	unsigned s = t->next_session;

	t->next_session += t->o->threads;
	if (t->next_session >= t->plan->sessions)
		t->next_session = t->index % t->plan->sessions;
	return s;
}

static char *
etag_of(struct thread *t, const struct conn *c)
{
	return t->etag[(size_t)c->session * t->plan->n + c->tmpl];
}

static void
push(struct thread *t, struct conn *c, const char *p, size_t n)
{
	ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};

	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		t->errors.read++;
		hang_up(t, c);
		return;
	}
	if (sent < 0)
		sent = 0;
	if (c->rest == NULL && (size_t)sent < n)
		c->rest = need(1, REQ_MAX);
	c->rest_n = n - (size_t)sent;
	if (c->rest_n == 0)
		return;
	memmove(c->rest, p + sent, c->rest_n);
	epoll_ctl(t->ep, EPOLL_CTL_MOD, c->fd, &ev);
}

static void
fire(struct thread *t, struct conn *c, int64_t due_ns, int64_t now)
{
	const char *etag = NULL;
	size_t n;

	c->tmpl = pick(t);
	if (t->o->advance)
		c->session = session_next(t);
	if (t->o->revalidate && t->plan->tmpl[c->tmpl].get)
		etag = etag_of(t, c);
	n = plan_render(t->plan, c->tmpl, c->session, etag, t->rng, t->buf);
	resp_reset(&c->resp);
	c->start_ns = due_ns;
	c->sent_ns = now;
	c->busy = true;
	t->busy++;
	push(t, c, t->buf, n);
}

static void
record(struct thread *t, struct conn *c, int64_t now)
{
	const struct resp *r = &c->resp;

	if (t->o->revalidate && r->etag[0] != '\0')
		memcpy(etag_of(t, c), r->etag, ETAG_MAX);
	if (c->start_ns < t->begin)
		return;
	hist_add(&t->hist[c->tmpl], (now - c->start_ns) / 1000);
	t->status[r->status]++;
	if (now < t->end)
		t->done++;
}

static void
finish(struct thread *t, struct conn *c)
{
	int64_t now = now_ns();

	record(t, c, now);
	c->busy = false;
	t->busy--;
	if (c->resp.close) {
		hang_up(t, c);
		if (!dial(t, c))
			return;
	}
	if (t->o->rate > 0)
		set_idle(t, c);
	else if (now < t->end)
		fire(t, c, now, now);
}

static void
on_event(struct thread *t, struct conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n;
	int rc;

	if (c->fd < 0)
		return;
	if (events & EPOLLOUT && c->rest_n > 0) {
		push(t, c, c->rest, c->rest_n);
		if (c->fd >= 0 && c->rest_n == 0)
			epoll_ctl(t->ep, EPOLL_CTL_MOD, c->fd, &ev);
		return;
	}
	n = recv(c->fd, t->buf, READ_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && !c->busy) { /* the server closed a resting one */
		hang_up(t, c);
		return;
	}
	if (n > 0)
		t->bytes += (uint64_t)n;
	rc = n <= 0 || !c->busy ? -1 : resp_feed(&c->resp, t->buf, (size_t)n);
	if (rc == 1) {
		finish(t, c);
	} else if (rc < 0) {
		t->errors.read++;
		hang_up(t, c);
	}
}

/* Time out what hangs, connect again what was closed. */
static void
sweep(struct thread *t, int64_t now)
{
	int64_t limit = (int64_t)(t->o->timeout * 1e9);

	for (unsigned i = 0; i < t->conns; i++) {
		struct conn *c = &t->conn[i];

		if (c->busy && now - c->sent_ns > limit) {
			t->errors.timeout++;
			hist_add(&t->hist[c->tmpl], (now - c->start_ns) / 1000);
			hang_up(t, c);
		}
		if (c->fd >= 0 || now >= t->end || !dial(t, c))
			continue;
		if (t->o->rate == 0)
			fire(t, c, now, now);
		else
			set_idle(t, c);
	}
}

/* When request k of this thread is due. */
static int64_t
due_ns(const struct thread *t, uint64_t k)
{
	double n = (double)(k * t->o->threads + t->index);

	return t->t0 + (int64_t)(n * 1e9 / t->o->rate);
}

static void
offer(struct thread *t, int64_t now)
{
	while (t->idle_n > 0 && due_ns(t, t->due) <= now) {
		struct conn *c = &t->conn[t->idle[t->idle_at]];
		int64_t due = due_ns(t, t->due);

		t->idle_at = (t->idle_at + 1) % t->conns;
		t->idle_n--;
		if (c->fd < 0) /* it closed while it rested; sweep dials */
			continue;
		if (due >= t->end)
			return;
		t->due++;
		fire(t, c, due, now);
	}
}

/* What was due by the end and never went out waited at least this long. */
static void
count_unsent(struct thread *t, int64_t now)
{
	if (t->o->rate == 0)
		return;
	for (int64_t due; (due = due_ns(t, t->due)) < t->end; t->due++) {
		t->errors.unsent++;
		hist_add(&t->hist[0], (now - due) / 1000);
	}
}

static void
loop(struct thread *t)
{
	struct epoll_event ev[BATCH];
	int64_t now = now_ns(), swept = now;
	int64_t last = t->end + (int64_t)(t->o->timeout * 1e9);

	while (now < t->end || (t->busy > 0 && now < last)) {
		int64_t wait = SWEEP_NS;
		struct timespec ts = {0, 0};
		int n;

		if (t->o->rate > 0) {
			offer(t, now);
			if (t->idle_n > 0)
				wait = due_ns(t, t->due) - now_ns();
		}
		if (wait > SWEEP_NS)
			wait = SWEEP_NS;
		ts.tv_nsec = wait > 0 ? wait : 0;
		n = epoll_pwait2(t->ep, ev, BATCH, &ts, NULL);
		for (int i = 0; i < n; i++)
			on_event(t, ev[i].data.ptr, ev[i].events);
		now = now_ns();
		if (now - swept > SWEEP_NS) {
			sweep(t, now);
			swept = now;
		}
	}
	count_unsent(t, now);
}

static void *
run(void *arg)
{
	struct thread *t = arg;

	t->buf = need(1, READ_MAX);
	t->conn = need(t->conns, sizeof(*t->conn));
	t->idle = need(t->conns, sizeof(*t->idle));
	t->etag = need((size_t)t->plan->sessions * t->plan->n, ETAG_MAX);
	t->ep = epoll_create1(EPOLL_CLOEXEC);
	t->next_session = t->index % t->plan->sessions;
	for (unsigned i = 0; i < t->conns; i++) {
		struct conn *c = &t->conn[i];

		c->fd = -1;
		c->session = session_next(t);
		dial(t, c);
	}
	pthread_barrier_wait(t->ready);
	t->t0 = now_ns();
	t->begin = t->t0 + (int64_t)(t->o->warm * 1e9);
	t->end = t->begin + (int64_t)(t->o->seconds * 1e9);
	for (unsigned i = 0; i < t->conns; i++) {
		if (t->conn[i].fd < 0)
			continue;
		if (t->o->rate > 0)
			set_idle(t, &t->conn[i]);
		else
			fire(t, &t->conn[i], t->t0, t->t0);
	}
	loop(t);
	return NULL;
}

static void
gather(struct thread *into, const struct thread *t)
{
	into->done += t->done;
	into->bytes += t->bytes;
	into->errors.connect += t->errors.connect;
	into->errors.read += t->errors.read;
	into->errors.timeout += t->errors.timeout;
	into->errors.unsent += t->errors.unsent;
	for (unsigned i = 0; i < STATUS_MAX; i++)
		into->status[i] += t->status[i];
	for (unsigned i = 0; i < TMPL_MAX; i++)
		hist_merge(&into->hist[i], &t->hist[i]);
}

static void
print_hist(const struct hist *h)
{
	printf("\"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"p999_ms\": %.3f, \"max_ms\": %.3f",
	    hist_ms(h, .5), hist_ms(h, .9), hist_ms(h, .99), hist_ms(h, .999),
	    (double)h->max_us / 1e3);
}

static void
report(const struct thread *sum, const struct plan *p)
{
	struct hist *all = need(1, sizeof(*all));
	const char *sep = "";
	struct rusage ru;

	for (unsigned i = 0; i < p->n; i++)
		hist_merge(all, &sum->hist[i]);
	printf("{\"requests\": %llu, \"seconds\": %g, \"rps\": %.1f, ",
	    (unsigned long long)sum->done, sum->o->seconds,
	    (double)sum->done / sum->o->seconds);
	print_hist(all);
	printf(
	    ", \"bytes\": %llu, \"status\": {", (unsigned long long)sum->bytes);
	for (unsigned i = 0; i < STATUS_MAX; i++) {
		if (sum->status[i] == 0)
			continue;
		printf("%s\"%u\": %llu", sep, i,
		    (unsigned long long)sum->status[i]);
		sep = ", ";
	}
	printf("}, \"errors\": {\"connect\": %llu, \"read\": %llu, "
	       "\"timeout\": %llu, \"unsent\": %llu}",
	    (unsigned long long)sum->errors.connect,
	    (unsigned long long)sum->errors.read,
	    (unsigned long long)sum->errors.timeout,
	    (unsigned long long)sum->errors.unsent);
	getrusage(RUSAGE_SELF, &ru);
	printf(", \"cpu_s\": %.2f, \"parts\": [",
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	for (unsigned i = 0; i < p->n; i++) {
		printf("%s{\"name\": \"%s\", \"requests\": %llu, ",
		    i > 0 ? ", " : "", p->tmpl[i].name,
		    (unsigned long long)sum->hist[i].n);
		print_hist(&sum->hist[i]);
		printf("}");
	}
	printf("]}\n");
	free(all);
}

static void
usage(void)
{
	fputs("usage: bench-load -u HOST:PORT -q REQUESTS [-s SESSIONS] [-a]\n"
	      "  [-e] [-c CONNS] [-t THREADS] [-r PER_SECOND] [-d SECONDS]\n"
	      "  [-w WARMUP_S] [-o TIMEOUT_S] [-H 'Name: value']...\n"
	      "-a  the next session at every request, not one a connection\n"
	      "-e  send If-None-Match with the ETag of the answer before\n"
	      "-r  offer that rate; without it each connection sends as soon\n"
	      "    as it has its answer\n",
	    stderr);
	exit(2);
}

static void
option(struct options *o, int ch)
{
	size_t n = strlen(o->headers);

	switch (ch) {
	case 'u':
		o->host = optarg;
		return;
	case 'q':
		o->requests = optarg;
		return;
	case 's':
		o->sessions = optarg;
		return;
	case 'c':
		o->conns = (unsigned)atoi(optarg);
		return;
	case 't':
		o->threads = (unsigned)atoi(optarg);
		return;
	case 'r':
		o->rate = (unsigned)atoi(optarg);
		return;
	case 'd':
		o->seconds = atof(optarg);
		return;
	case 'w':
		o->warm = atof(optarg);
		return;
	case 'o':
		o->timeout = atof(optarg);
		return;
	case 'a':
		o->advance = true;
		return;
	case 'e':
		o->revalidate = true;
		return;
	case 'H':
		snprintf(
		    o->headers + n, sizeof(o->headers) - n, "%s\r\n", optarg);
		return;
	default:
		usage();
	}
}

static struct sockaddr_in
address(const char *host)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	const char *colon = strchr(host, ':');
	char ip[32] = "";

	if (colon == NULL || (size_t)(colon - host) >= sizeof(ip))
		usage();
	memcpy(ip, host, (size_t)(colon - host));
	sin.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1)
		usage();
	return sin;
}

int
main(int argc, char **argv)
{
	struct options o = {
	    .conns = 64, .threads = 1, .seconds = 10, .warm = 1, .timeout = 5};
	struct plan *plan = need(1, sizeof(*plan));
	pthread_barrier_t ready;
	struct thread *t;

	for (int ch; (ch = getopt(argc, argv, "u:q:s:c:t:r:d:w:o:aeH:")) != -1;)
		option(&o, ch);
	if (o.host == NULL || o.requests == NULL || o.threads == 0 ||
	    o.conns < o.threads || o.seconds <= 0)
		usage();
	plan_requests(plan, o.requests, o.host, o.headers);
	plan_sessions(plan, o.sessions);
	t = need(o.threads, sizeof(*t));
	pthread_barrier_init(&ready, NULL, o.threads);
	for (unsigned i = 0; i < o.threads; i++) {
		t[i].o = &o;
		t[i].plan = plan;
		t[i].addr = address(o.host);
		t[i].ready = &ready;
		t[i].index = i;
		t[i].conns =
		    o.conns / o.threads + (i < o.conns % o.threads ? 1 : 0);
		t[i].rng[0] = (uint64_t)now_ns() * 0x9e3779b97f4a7c15ull;
		t[i].rng[1] = 0xbf58476d1ce4e5b9ull * (i + 1);
		if (pthread_create(&t[i].id, NULL, run, &t[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < o.threads; i++)
		pthread_join(t[i].id, NULL);
	for (unsigned i = 1; i < o.threads; i++)
		gather(&t[0], &t[i]);
	report(&t[0], plan);
	return 0;
}
