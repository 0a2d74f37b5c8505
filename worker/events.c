/*
 * Celery's events: that the node lives, and what becomes of its jobs. Each is
 * a PUBLISH, so nobody who does not listen costs more than that.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gen/version.h"
#include "worker/node.h"

#define REPR_MAX    1024
#define BATCH_BEGIN 4096
#define BATCH_MAX   (512U << 10) /* bytes of one turn's events */
#define FREQ_MIN_MS 2000
#define CLOCK_MAX   ((int64_t)1 << 52)
#define EXCHANGE    "celeryev"

/* What becomes of a message, and the event that tells it. */
static const struct {
	const char *status; /* of the settle request */
	const char *type;
} ends[] = {
    {"success", "task-succeeded"},
    {"failure", "task-failed"},
    {"dead", "task-failed"},
    {"retry", "task-retried"},
    {"revoked", "task-revoked"},
};

int64_t
ct_events_tick(struct ct_node *n)
{
	return ++n->events.clock;
}

void
ct_events_see(struct ct_node *n, int64_t clock)
{
	if (clock < CLOCK_MAX && clock > n->events.clock)
		n->events.clock = clock;
	n->events.clock++;
}

/* Hours west of UTC, rounded down, as Celery says it. */
static int64_t
hours_west(void)
{
	time_t now = (time_t)(ct_now_us() / 1000000);
	struct tm tm;
	long s;

	if (localtime_r(&now, &tm) == NULL)
		return 0;
	s = -tm.tm_gmtoff;
	return s >= 0 ? s / 3600 : -((-s + 3599) / 3600);
}

static void
put_float(struct ct_node *n, struct ct_jw *w, const char *key, int64_t us)
{
	ct_jw_key(w, key);
	ct_jw_raw(
	    w, ct_str_of(ct_arena_printf(n->scratch, "%lld.%06lld",
		   (long long)(us / 1000000), (long long)(us % 1000000))));
}

/* The fields of every event, inside an object that is left open. */
static void
begin(struct ct_node *n, struct ct_jw *w, const char *type)
{
	ct_jw_obj(w);
	ct_jw_key(w, "type");
	ct_jw_cstr(w, type);
	ct_jw_key(w, "hostname");
	ct_jw_cstr(w, n->name);
	put_float(n, w, "timestamp", ct_now_us());
	ct_jw_key(w, "utcoffset");
	ct_jw_i64(w, hours_west());
	ct_jw_key(w, "pid");
	ct_jw_i64(w, getpid());
	ct_jw_key(w, "clock");
	ct_jw_i64(w, ct_events_tick(n));
}

/* PUBLISH of a body: three words. */
static void
command(struct ct_node *n, struct ct_str body, const char *routing_key,
    struct ct_str argv[3])
{
	struct ct_str name, headers;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, n->scratch, 128);
	ct_jw_init(&w, &b);
	ct_jw_cstr(&w, n->name);
	name = ct_buf_str(&b);
	headers = ct_str_of(ct_arena_printf(
	    n->scratch, "{\"hostname\":%.*s}", CT_STR_FMT(name)));
	argv[0] = CT_STR("PUBLISH");
	argv[1] = ct_str_of(ct_arena_printf(n->scratch, "/%lld." EXCHANGE "/%s",
	    (long long)n->control.db, routing_key));
	argv[2] = ct_kombu_wrap(
	    n->scratch, body, headers, EXCHANGE, ct_str_of(routing_key));
}

/* --- the node ---------------------------------------------------------- */

static void
put_node(struct ct_node *n, struct ct_jw *w)
{
	int64_t ms = ct_beat_ms(n->conf);
	double load[3] = {0};
	size_t i;

	/* Who listens calls a node dead after twice that. */
	put_float(n, w, "freq", (ms < FREQ_MIN_MS ? FREQ_MIN_MS : ms) * 1000);
	ct_jw_key(w, "active");
	ct_jw_i64(w, (int64_t)ct_slots_count(n, CT_SLOT_BUSY));
	ct_jw_key(w, "processed");
	ct_jw_i64(w, (int64_t)n->events.all_runs);
	ct_jw_key(w, "loadavg");
	ct_jw_arr(w);
	if (getloadavg(load, 3) == 3)
		for (i = 0; i < 3; i++)
			ct_jw_milli(w, (int64_t)(load[i] * 100) * 10);
	ct_jw_end(w);
	ct_jw_key(w, "sw_ident");
	ct_jw_cstr(w, "catetube");
	ct_jw_key(w, "sw_ver");
	ct_jw_cstr(w, CT_VERSION);
	ct_jw_key(w, "sw_sys");
	ct_jw_cstr(w, "Linux");
}

/* PUBLISH of what the node is. */
static void
put_tell(struct ct_node *n, const char *type, const char *routing_key,
    struct ct_str argv[3])
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, n->scratch, 512);
	ct_jw_init(&w, &b);
	begin(n, &w, type);
	put_node(n, &w);
	ct_jw_end(&w);
	command(n, ct_buf_str(&b), routing_key, argv);
}

/* One trip; how many listen is known after it. */
static void
tell(struct ct_node *n, const char *type, const char *routing_key)
{
	const struct redisReply *reply;
	struct ct_str argv[3];
	struct ct_err err;

	if (!n->conf->control || !ct_link_up(n))
		return;
	ct_err_clear(&err);
	put_tell(n, type, routing_key, argv);
	if (ct_redis_do(n->link.main, n->scratch, 3, argv, &reply, &err) ==
	    CT_OK)
		n->events.heard = ct_reply_i64(reply) > 0;
	else if (!ct_redis_up(n->link.main))
		ct_link_drop(n, &err);
	else
		n->events.heard = false;
}

void
ct_events_online(struct ct_node *n)
{
	tell(n, "worker-online", "worker.online");
}

bool
ct_events_append_beat(struct ct_node *n, struct ct_err *err)
{
	struct ct_str argv[3];

	if (!n->conf->control)
		return true;
	if (n->events.lost > 0)
		ct_log(CT_WARN, "events", "%llu task events did not fit a turn",
		    (unsigned long long)n->events.lost);
	n->events.lost = 0;
	put_tell(n, "worker-heartbeat", "worker.heartbeat", argv);
	return ct_redis_append(n->link.main, 3, argv, err) == CT_OK;
}

bool
ct_events_take_beat(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;

	if (!n->conf->control)
		return true;
	if (ct_redis_take(n->link.main, n->scratch, &reply, err) != CT_OK)
		return false;
	n->events.heard = ct_reply_i64(reply) > 0;
	return true;
}

void
ct_events_offline(struct ct_node *n)
{
	tell(n, "worker-offline", "worker.offline");
}

/* --- tasks ------------------------------------------------------------- */

static struct ct_str
cut(struct ct_str s)
{
	if (s.n > REPR_MAX)
		s.n = REPR_MAX;
	return s;
}

struct ct_str
ct_msg_repr(const struct ct_msg *m, const char *header)
{
	struct ct_str s =
	    ct_json_str(ct_json_get(ct_json_get(m->root, "headers"), header));

	return s.p == NULL ? CT_STR("...") : cut(s);
}

/* Open an event of the job; NULL: nobody wants it, or the turn is full. */
static struct ct_jw *
open_event(struct ct_node *n, const struct ct_slot *s, const char *type)
{
	struct ct_events *e = &n->events;

	if (!n->conf->control || !e->on || !e->heard || s->msg.id.n == 0)
		return NULL;
	if (e->pending == 0) {
		ct_buf_init(&e->b, n->scratch, BATCH_BEGIN);
		ct_jw_init(&e->w, &e->b);
		ct_jw_arr(&e->w);
	} else if (e->b.n > BATCH_MAX) {
		e->lost++;
		return NULL;
	}
	e->pending++;
	begin(n, &e->w, type);
	ct_jw_key(&e->w, "uuid");
	ct_jw_str(&e->w, s->msg.id);
	return &e->w;
}

static void
put_header(struct ct_jw *w, const struct ct_msg *m, const char *name)
{
	ct_jw_key(w, name);
	ct_jw_str(
	    w, ct_json_str(ct_json_get(ct_json_get(m->root, "headers"), name)));
}

/* Milliseconds, or null. */
static void
put_when(struct ct_jw *w, const char *name, int64_t ms)
{
	ct_jw_key(w, name);
	ct_jw_time(w, ms == CT_NULL_I64 ? CT_NULL_I64 : ms * 1000);
}

void
ct_events_claimed(struct ct_node *n, const struct ct_slot *s)
{
	const struct ct_msg *m = &s->msg;
	struct ct_jw *w;

	/* Revoked, a copy, or garbage: it was not received by Celery's words.
	 */
	if (s->state == CT_SLOT_ENDED &&
	    strcmp(s->settle.status, "scheduled") != 0 &&
	    strcmp(s->settle.status, "failure") != 0)
		return;
	w = open_event(n, s, "task-received");
	if (w == NULL)
		return;
	ct_jw_key(w, "name");
	ct_jw_str(w, m->task);
	ct_jw_key(w, "args");
	ct_jw_str(w, ct_msg_repr(m, "argsrepr"));
	ct_jw_key(w, "kwargs");
	ct_jw_str(w, ct_msg_repr(m, "kwargsrepr"));
	put_header(w, m, "root_id");
	ct_jw_key(w, "parent_id");
	ct_jw_str(w, m->parent);
	ct_jw_key(w, "retries");
	ct_jw_i64(w, m->retries);
	put_when(w, "eta", m->eta_ms);
	put_when(w, "expires", m->expires_ms);
	ct_jw_end(w);
}

void
ct_events_started(struct ct_node *n, const struct ct_slot *s)
{
	struct ct_jw *w;

	n->events.runs[s->task - ct_tasks]++;
	n->events.all_runs++;
	w = open_event(n, s, "task-started");
	if (w != NULL)
		ct_jw_end(w);
}

/* ValueError("bad input"), of an exception object. */
static struct ct_str
exception(struct ct_arena *a, struct ct_str object)
{
	const struct ct_json *v, *args;
	struct ct_str type, text;
	struct ct_err err;

	ct_err_clear(&err);
	if (object.p == NULL || ct_json_parse(a, object, 32, &v, &err) != CT_OK)
		return CT_STR("Exception()");
	type = ct_json_str(ct_json_get(v, "exc_type"));
	args = ct_json_get(v, "exc_message");
	text = args == NULL ? CT_STR("[]") : ct_json_print(a, args);
	if (text.n >= 2 && text.p[0] == '[')
		text = (struct ct_str){text.p + 1, text.n - 2};
	return ct_str_of(ct_arena_printf(
	    a, "%.*s(%.*s)", CT_STR_FMT(type), CT_STR_FMT(cut(text))));
}

static void
put_end(struct ct_node *n, struct ct_jw *w, const struct ct_slot *s)
{
	const struct ct_settle *e = &s->settle;

	if (e->revoked != NULL) {
		bool killed = strcmp(e->revoked, "terminated") == 0;

		ct_jw_key(w, "terminated");
		ct_jw_bool(w, killed);
		ct_jw_key(w, "signum");
		ct_jw_i64(w, killed ? SIGTERM : CT_NULL_I64);
		ct_jw_key(w, "expired");
		ct_jw_bool(w, strcmp(e->revoked, "expired") == 0);
	} else if (strcmp(e->status, "success") == 0) {
		ct_jw_key(w, "result");
		ct_jw_str(w, cut(e->value));
		put_float(n, w, "runtime", (ct_mono_ms() - s->began_ms) * 1000);
	} else {
		ct_jw_key(w, "exception");
		ct_jw_str(w, exception(n->scratch, e->value));
		ct_jw_key(w, "traceback");
		ct_jw_str(w, cut(e->trace));
	}
}

void
ct_events_settled(struct ct_node *n, const struct ct_slot *s, int64_t ret)
{
	const char *status = ret == 3 ? "dead" : s->settle.status;
	struct ct_jw *w;
	size_t i;

	if (ret == 0)
		return;
	for (i = 0; i < ct_countof(ends); i++) {
		if (strcmp(status, ends[i].status) != 0)
			continue;
		w = open_event(n, s, ends[i].type);
		if (w == NULL)
			return;
		put_end(n, w, s);
		ct_jw_end(w);
		return;
	}
}

void
ct_events_flush(struct ct_node *n)
{
	struct ct_events *e = &n->events;
	struct ct_str argv[3];
	struct ct_err err;

	if (e->pending == 0)
		return;
	e->pending = 0;
	if (!ct_link_up(n))
		return;
	ct_err_clear(&err);
	ct_jw_end(&e->w);
	command(n, ct_buf_str(&e->b), "task.multi", argv);
	ct_redis_post(n->link.main, 3, argv);
	if (!ct_redis_up(n->link.main)) {
		ct_fail(&err, CT_RETRY, NULL, "no events could be sent");
		ct_link_drop(n, &err);
	}
}
