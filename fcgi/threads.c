/*
 * The threads behind the front loop: each takes a connection from a pipe, runs
 * the request on its own stores, answers, and parks the connection again. A
 * pipe of pointers is the whole hand-over: no locks.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/gate.h"
#include "fcgi/loop.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"
#include "fcgi/turn.h"

#define SLOW_NICE 5

struct thread_arg {
	struct ct_app *app;
	int pipe_fd;
	atomic_int *waiting; /* NULL, or how many wait for this pipe */
};

void
ct_loop_park(struct ct_app *app, struct ct_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (epoll_ctl(app->epoll_fd, EPOLL_CTL_ADD, ct_conn_fd(c), &ev) != 0)
		ct_conn_free(c);
}

static struct ct_redis *
open_redis(const struct ct_conf *conf, const char *url)
{
	struct ct_err err;
	struct ct_redis *r;

	if (ct_redis_open(url, (int)conf->redis_timeout_ms, &r, &err) != CT_OK)
		ct_bug("redis: %s", err.msg); /* checked before the fork */
	return r;
}

static void
lane_init(struct ct_lane *l, struct ct_app *app)
{
	const struct ct_conf *conf = app->conf;

	l->app = app;
	l->pg = ct_pg_open(
	    conf->database_url, "catetube-fcgi", (int)conf->pg_timeout_ms);
	l->redis = open_redis(conf, conf->redis_url);
	l->cache = conf->redis_cache_url[0]
		       ? open_redis(conf, conf->redis_cache_url)
		       : l->redis;
}

static void
work_on(struct ct_lane *lane, struct ct_conn *c)
{
	struct ct_req *r = *(struct ct_req **)ct_conn_user(c);
	bool is_upload = r->body_left > 0;

	/* The loop answered what is only to be read to its end. */
	if (r->status == 0)
		ct_gate_enter(r, lane);
	ct_req_body_skip(r);
	ct_resp_send(r);
	if (is_upload)
		atomic_fetch_sub(&lane->app->uploads, 1);
	if (ct_conn_end(c))
		ct_loop_park(lane->app, c);
	else
		ct_conn_free(c);
	atomic_fetch_sub(&lane->app->busy, 1);
}

/*
 * Hashing takes what nobody else wants: a meal that is logged meanwhile never
 * waits for it. In Linux both calls mean the calling thread alone.
 */
static void
step_back(void)
{
	struct sched_param none = {0};

	if (sched_setscheduler(0, SCHED_BATCH, &none) != 0 ||
	    setpriority(PRIO_PROCESS, 0, SLOW_NICE) != 0)
		ct_log(CT_WARN, "loop", "password thread: %s", strerror(errno));
}

/* One that hashes, in its turn. */
static void
work_slowly(struct ct_lane *lane, struct ct_conn *c)
{
	struct ct_app *app = lane->app;
	unsigned taken = app->turns ? ct_turn_take(app->turns, app->slot) : 0;

	work_on(lane, c);
	if (app->turns)
		ct_turn_give(app->turns, taken);
	atomic_fetch_sub(&app->slow_waiting, 1);
}

/* Any other. What goes with guessing passwords is no reason to spare a core. */
static void
work_at_once(struct ct_lane *lane, struct ct_conn *c)
{
	const struct ct_req *r = *(struct ct_req **)ct_conn_user(c);

	if (lane->app->turns && r->route && r->route->class != CT_C_AUTH)
		ct_turn_busy(lane->app->turns);
	work_on(lane, c);
}

static void *
thread_main(void *p)
{
	struct thread_arg *arg = p;
	struct ct_lane lane;
	struct ct_err err;
	struct ct_conn *c;

	if (arg->waiting)
		step_back();
	lane_init(&lane, arg->app);
	/* Warm: a failure shows again, and is answered, at the first use. */
	if (ct_pg_ready(lane.pg, &err) != CT_OK)
		ct_log(CT_WARN, "db", "not reachable yet: %s", err.detail);
	for (;;) {
		ssize_t n = read(arg->pipe_fd, &c, sizeof(c));

		if (n != (ssize_t)sizeof(c)) {
			if (n < 0 && errno == EINTR)
				continue;
			ct_bug("work pipe: %zd", n);
		}
		if (arg->waiting)
			work_slowly(&lane, c);
		else
			work_at_once(&lane, c);
	}
	return NULL;
}

static void
start(struct ct_app *app, int pipe_fd, atomic_int *waiting)
{
	struct thread_arg *arg = malloc(sizeof(*arg));
	pthread_t t;

	if (!arg)
		ct_bug("out of memory");
	*arg = (struct thread_arg){app, pipe_fd, waiting};
	if (pthread_create(&t, NULL, thread_main, arg) != 0)
		ct_bug("cannot start a thread");
	pthread_detach(t);
}

void
ct_threads_start(struct ct_app *app)
{
	for (int64_t i = 0; i < app->conf->db_threads; i++)
		start(app, app->work[0], NULL);
	start(app, app->slow[0], &app->slow_waiting);
}
