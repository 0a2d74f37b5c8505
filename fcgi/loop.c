/*
 * The front loop: one epoll set holds the listening socket and every parked
 * connection. What is ready is taken as one batch: each request passes the
 * gates that need no store, all of them share one Redis round trip, and what
 * Redis alone can answer is answered here. The rest goes to the threads.
 *
 * A connection is owned by exactly one of: the epoll set, this loop, a thread.
 * It leaves the set before a thread gets it (a parked one that hangs up would
 * be reported otherwise) and comes back when that thread is done.
 */
#include "fcgi/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/cache.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "fcgi/gate.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

#define BATCH_MAX     128 /* as options.def has it */
#define SLOW_MAX      8	  /* password requests that may wait */
#define SLOW_FRESH    4	  /* places among them for those who rarely ask */
#define UPLOADS_MAX   2	  /* uploads that are read at a time */
#define FRESH_TRIES   2	  /* as often in the last minute is rarely */
#define DRAIN_TICK_MS 50
#define PARTS_MAX     64 /* connections with half a request */

struct front {
	struct ct_app *app;
	struct ct_redis *redis; /* limits, sessions' copies, answers */
	struct ct_redis *queue; /* for what handlers ask; may equal redis */
	unsigned generation;
	int signal_fd;
	int64_t drain_end_ms;	/* 0: serving */
	struct ct_arena *arena; /* of one batch: Redis's reply */
	struct ct_req *batch[BATCH_MAX];
	struct ct_str argv[BATCH_MAX * (1 + CT_GATE_ARGS)];
	int n;
	struct part {
		struct ct_conn *conn;
		int64_t end_ms;
	} parts[PARTS_MAX];
	int nparts;
};

/* Marks in the epoll set that are no connections. */
static char listen_mark, signal_mark;

static struct ct_req *
req_of(struct ct_conn *c)
{
	struct ct_req *r = ct_arena_alloc(ct_conn_arena(c), sizeof(*r));

	*(struct ct_req **)ct_conn_user(c) = r;
	return r;
}

static bool hand_to(
    struct ct_app *app, struct ct_req *r, int pipe_fd, bool is_upload);

/*
 * Answered here: the connection stays in the set, or is closed. Where the rest
 * of a long body is still to come, a thread reads over it and sends the answer.
 */
static void
finish_here(struct ct_req *r)
{
	struct ct_conn *c = r->conn;

	if (r->body_left > 0 && r->body_left <= CT_UPLOAD_MAX &&
	    hand_to(r->app, r, r->app->work[1], true))
		return;
	if (r->body_left > 0)
		ct_conn_close_after(c);
	ct_resp_send(r);
	if (!ct_conn_end(c))
		ct_conn_free(c);
}

static void
refuse_busy(struct ct_req *r)
{
	ct_fail(&r->err, CT_RETRY, "busy",
	    "Too many log-ins at once; please try again shortly.");
	ct_resp_error(r, &r->err);
	finish_here(r);
}

/*
 * Places at the password thread. A crowd that guesses keeps all of them taken
 * that it can get: some are for addresses which have hardly asked this minute,
 * as somebody who knows the password has. Where nothing is counted, nobody is
 * told apart.
 */
static bool
take_place(struct ct_app *app, const struct ct_req *r)
{
	bool fresh = r->limit == 0 || r->remaining >= r->limit - FRESH_TRIES;
	int places = fresh ? SLOW_MAX : SLOW_MAX - SLOW_FRESH;

	if (atomic_fetch_add(&app->slow_waiting, 1) < places)
		return true;
	atomic_fetch_sub(&app->slow_waiting, 1);
	return false;
}

/*
 * Give the connection to a thread. False: it is still ours, in the set; the
 * pipe is full, which holds thousands, or so many uploads are being read that
 * the threads would be short.
 */
static bool
hand_to(struct ct_app *app, struct ct_req *r, int pipe_fd, bool is_upload)
{
	struct ct_conn *c = r->conn;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	int places = app->conf->db_threads > 4 ? UPLOADS_MAX : 1;

	if (is_upload && atomic_fetch_add(&app->uploads, 1) >= places) {
		atomic_fetch_sub(&app->uploads, 1);
		return false;
	}
	epoll_ctl(app->epoll_fd, EPOLL_CTL_DEL, ct_conn_fd(c), NULL);
	atomic_fetch_add(&app->busy, 1);
	if (write(pipe_fd, &c, sizeof(c)) == (ssize_t)sizeof(c))
		return true;
	atomic_fetch_sub(&app->busy, 1);
	if (is_upload)
		atomic_fetch_sub(&app->uploads, 1);
	epoll_ctl(app->epoll_fd, EPOLL_CTL_ADD, ct_conn_fd(c), &ev);
	return false;
}

static void
hand_over(struct front *f, struct ct_req *r)
{
	struct ct_app *app = f->app;
	bool slow = r->route->flags & CT_R_SLOW;
	bool is_upload = r->body_left > 0;

	if (slow && !take_place(app, r)) {
		refuse_busy(r);
		return;
	}
	if (hand_to(app, r, (slow ? app->slow : app->work)[1], is_upload))
		return;
	if (slow)
		atomic_fetch_sub(&app->slow_waiting, 1);
	ct_fail(&r->err, CT_RETRY, NULL, "%s",
	    "The service is busy; please try again shortly.");
	ct_resp_error(r, &r->err);
	if (is_upload) { /* no place to read over it either */
		r->body_left = 0;
		ct_conn_close_after(r->conn);
	}
	finish_here(r);
}

/* ------------------------------------------------------------ one batch */

/*
 * Redis may be used only when nothing is owed to it. After a reconnect it may
 * have restarted with an older state, so what is cached there is dropped.
 */
static bool
redis_trusted(struct front *f)
{
	struct ct_err err;

	if (ct_redis_ready(f->redis, &err) != CT_OK)
		return false;
	if (ct_redis_generation(f->redis) != f->generation) {
		if (f->generation != 0)
			ct_cache_owe();
		f->generation = ct_redis_generation(f->redis);
	}
	return !ct_cache_owes() || ct_cache_settle(f->redis, &err) == CT_OK;
}

/*
 * One script call for the whole batch. NULL: Redis is away, or answered what
 * we do not understand; then nobody's limit and session are known.
 */
static const struct redisReply *
ask_all(struct front *f)
{
	const struct redisReply *reply = NULL;
	struct ct_str *args = f->argv + f->n;
	struct ct_err err;

	if (!redis_trusted(f))
		return NULL;
	for (int i = 0; i < f->n; i++)
		ct_gate_ask(f->batch[i], &f->argv[i], &args[i * CT_GATE_ARGS]);
	if (ct_redis_eval(f->redis, f->arena, ct_script("gate"), f->n,
		f->n * (1 + CT_GATE_ARGS), f->argv, &reply, &err) != CT_OK)
		return NULL;
	return ct_reply_n(reply) == (size_t)f->n + 1 ? reply : NULL;
}

static void
run_batch(struct front *f)
{
	int64_t t0 = ct_mono_us();
	const struct redisReply *reply = ask_all(f);
	struct ct_str epoch = ct_reply_str(ct_reply_at(reply, 0));

	if (reply)
		ct_metric_observe_us(f->app->trip, ct_mono_us() - t0);
	for (int i = 0; i < f->n; i++) {
		struct ct_req *r = f->batch[i];

		if (reply &&
		    ct_gate_cached(r, epoch, ct_reply_at(reply, (size_t)i + 1)))
			finish_here(r);
		else
			hand_over(f, r);
	}
	f->n = 0;
	ct_arena_reset(f->arena);
}

/* ------------------------------------------------------------ events */

static void
watch(struct front *f, struct ct_conn *c, uint32_t flags)
{
	struct epoll_event ev = {.events = EPOLLIN | flags, .data.ptr = c};

	epoll_ctl(f->app->epoll_fd, EPOLL_CTL_MOD, ct_conn_fd(c), &ev);
}

/* Its place among those with half a request; nparts: it is none. */
static int
part_of(const struct front *f, const struct ct_conn *c)
{
	int i = 0;

	while (i < f->nparts && f->parts[i].conn != c)
		i++;
	return i;
}

/* nginx sends a request in one go: wait for the rest, but not for long. */
static void
await_rest(struct front *f, struct ct_conn *c)
{
	if (part_of(f, c) < f->nparts)
		return;
	if (f->nparts == PARTS_MAX) {
		ct_conn_free(c);
		return;
	}
	f->parts[f->nparts++] =
	    (struct part){c, ct_mono_ms() + CT_CONN_TIMEOUT_S * 1000};
	watch(f, c, EPOLLET); /* what is here already is no news */
}

static void
end_parts(struct front *f)
{
	int64_t now = ct_mono_ms();

	for (int i = f->nparts - 1; i >= 0; i--) {
		if (now < f->parts[i].end_ms)
			continue;
		ct_conn_free(f->parts[i].conn);
		f->parts[i] = f->parts[--f->nparts];
	}
}

/* True: a whole request is there, or all of one but a long body. */
static bool
is_whole(struct front *f, struct ct_conn *c)
{
	enum ct_rc rc = ct_conn_peek(c);
	int i;

	if (rc == CT_RETRY) {
		await_rest(f, c);
		return false;
	}
	i = part_of(f, c);
	if (i < f->nparts) {
		f->parts[i] = f->parts[--f->nparts];
		watch(f, c, 0);
	}
	if (rc == CT_OK || rc == CT_TOOBIG)
		return true;
	ct_conn_free(c);
	return false;
}

static void
take_request(struct front *f, struct ct_conn *c)
{
	struct ct_req *r;
	enum ct_rc rc;

	if (!is_whole(f, c))
		return;
	if (ct_conn_begin(c) != CT_OK) {
		ct_conn_free(c);
		return;
	}
	r = req_of(c);
	rc = ct_req_read(r, c, f->app, &r->err);
	if (rc == CT_GONE_CLIENT) {
		ct_conn_free(c);
		return;
	}
	if (rc != CT_OK) {
		ct_resp_error(r, &r->err);
		finish_here(r);
	} else if (ct_gate_open(r)) {
		finish_here(r);
	} else if (r->route->flags & CT_R_LOOP) {
		r->redis = f->queue;
		if (r->route->handler(r, &r->err) != CT_OK)
			ct_resp_error(r, &r->err);
		finish_here(r);
	} else {
		f->batch[f->n++] = r;
	}
}

static void
accept_some(struct front *f)
{
	for (int i = 0; i < 64; i++) {
		struct ct_conn *c = ct_conn_accept(f->app->listen_fd);

		if (c) {
			ct_loop_park(f->app, c);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			ct_log(CT_ERROR, "loop", "accept: %s", strerror(errno));
			usleep(10000);
		}
		return;
	}
}

static void
begin_drain(struct front *f)
{
	struct ct_app *app = f->app;

	if (f->drain_end_ms)
		return;
	f->drain_end_ms = ct_mono_ms() + app->conf->drain_s * 1000;
	atomic_store(&app->draining, true);
	epoll_ctl(app->epoll_fd, EPOLL_CTL_DEL, app->listen_fd, NULL);
	ct_log(CT_INFO, "loop", "draining");
}

static void
take_signals(struct front *f)
{
	int sig;

	while ((sig = ct_signal_next(f->signal_fd)) != 0) {
		if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT)
			begin_drain(f);
	}
}

/*
 * nginx does the closing: it may be sending on a connection that we would
 * close. We end when it has closed the last one, or at the deadline.
 */
static bool
drained(const struct front *f)
{
	if (!f->drain_end_ms)
		return false;
	if (ct_mono_ms() >= f->drain_end_ms)
		return true;
	return ct_conn_count() == 0 && atomic_load(&f->app->busy) == 0;
}

static void
add_mark(struct ct_app *app, int fd, char *mark, uint32_t flags)
{
	struct epoll_event ev = {.events = EPOLLIN | flags, .data.ptr = mark};

	if (epoll_ctl(app->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		ct_bug("epoll_ctl: %s", strerror(errno));
}

static void
front_init(struct front *f, struct ct_app *app)
{
	const struct ct_conf *conf = app->conf;
	struct ct_err err;

	memset(f, 0, sizeof(*f));
	f->app = app;
	/* The child before this one may have died owing an invalidation. */
	ct_cache_owe();
	f->arena = ct_arena_create((size_t)4 << 20);
	f->signal_fd = ct_signal_fd();
	app->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->signal_fd < 0 || app->epoll_fd < 0 ||
	    pipe2(app->work, O_CLOEXEC) != 0 ||
	    pipe2(app->slow, O_CLOEXEC) != 0)
		ct_bug("front loop: %s", strerror(errno));
	fcntl(app->work[1], F_SETFL, O_NONBLOCK);
	fcntl(app->slow[1], F_SETFL, O_NONBLOCK);
	if (ct_redis_open(conf->redis_cache_url[0] ? conf->redis_cache_url
						   : conf->redis_url,
		(int)conf->redis_timeout_ms, &f->redis, &err) != CT_OK)
		ct_bug("redis: %s", err.msg);
	f->queue = f->redis;
	if (conf->redis_cache_url[0] &&
	    ct_redis_open(conf->redis_url, (int)conf->redis_timeout_ms,
		&f->queue, &err) != CT_OK)
		ct_bug("redis: %s", err.msg);
	/* One child is woken per connection, not all of them. */
	add_mark(app, app->listen_fd, &listen_mark, EPOLLEXCLUSIVE);
	add_mark(app, f->signal_fd, &signal_mark, 0);
}

int
ct_loop_run(struct ct_app *app, int ready_fd)
{
	static struct front f;
	struct epoll_event ev[BATCH_MAX];
	int batch = (int)app->conf->batch;

	signal(SIGPIPE, SIG_IGN);
	front_init(&f, app);
	ct_threads_start(app);
	if (write(ready_fd, "1", 1) != 1)
		return 1;
	while (!drained(&f)) {
		int n;

		ct_log_flush();
		ct_log_hold();
		n = epoll_wait(app->epoll_fd, ev, batch,
		    f.drain_end_ms ? DRAIN_TICK_MS : 1000);
		for (int i = 0; i < n; i++) {
			void *p = ev[i].data.ptr;

			if (p == &listen_mark)
				accept_some(&f);
			else if (p == &signal_mark)
				take_signals(&f);
			else
				take_request(&f, p);
		}
		if (f.n > 0)
			run_batch(&f);
		if (f.nparts > 0)
			end_parts(&f);
	}
	ct_log_flush();
	return 0;
}
