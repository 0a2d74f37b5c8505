/*
 * Remote control commands that tell what the node is and does, as Celery's own
 * workers say it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/redis_url.h"
#include "gen/version.h"
#include "worker/node.h"

#define ARGS_MAX       2048 /* bytes of arguments that are shown */
#define BODY_MAX       8192 /* bytes of a body that is decoded for that */
#define SCHEDULED_MAX  "250"
#define SCHEDULED_SIZE "16384"

static void
put_str(struct ct_jw *w, const char *key, const char *value)
{
	ct_jw_key(w, key);
	ct_jw_cstr(w, value);
}

static void
put_i64(struct ct_jw *w, const char *key, int64_t value)
{
	ct_jw_key(w, key);
	ct_jw_i64(w, value);
}

static void
put_bool(struct ct_jw *w, const char *key, bool value)
{
	ct_jw_key(w, key);
	ct_jw_bool(w, value);
}

static void
put_null(struct ct_jw *w, const char *key)
{
	ct_jw_key(w, key);
	ct_jw_null(w);
}

/* A value in thousandths as seconds; Python must see a float. */
static void
put_seconds(struct ct_call *c, const char *key, int64_t ms)
{
	ct_jw_key(&c->w, key);
	ct_jw_raw(&c->w, ct_str_of(ct_arena_printf(c->a, "%lld.%03lld",
			     (long long)(ms / 1000), (long long)(ms % 1000))));
}

void
ct_show_ping(struct ct_call *c)
{
	ct_call_say(c, "ok", "pong");
}

void
ct_show_clock(struct ct_call *c)
{
	ct_jw_obj(&c->w);
	put_i64(&c->w, "clock", ct_events_tick(c->n));
	ct_jw_end(&c->w);
}

void
ct_show_report(struct ct_call *c)
{
	ct_call_say(c, "ok",
	    "software -> catetube:%s\nsettings -> transport:redis "
	    "results:redis protocol:2,1 serializer:json",
	    CT_VERSION);
}

void
ct_show_memory(struct ct_call *c)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	ct_jw_cstr(
	    &c->w, ct_arena_printf(c->a, "%ld.%02ldMB", u.ru_maxrss / 1024,
		       u.ru_maxrss % 1024 * 100 / 1024));
}

/* --- tasks ------------------------------------------------------------- */

static void
put_args(struct ct_call *c, const char *key, const struct ct_json *v,
    const char *empty)
{
	struct ct_str text =
	    v == NULL ? ct_str_of(empty) : ct_json_print(c->a, v);

	ct_jw_key(&c->w, key);
	ct_jw_raw(&c->w, text.n > ARGS_MAX ? CT_STR("\"...\"") : text);
}

/* args and kwargs; safe: as the producer wrote them for people. */
static void
put_all_args(struct ct_call *c, const struct ct_msg *m, bool safe)
{
	struct ct_msg_body body;
	struct ct_err err;

	ct_err_clear(&err);
	if (!safe && m->body.n <= BODY_MAX &&
	    ct_msg_body(c->a, m->body, m->base64, &body, &err) == CT_OK) {
		put_args(c, "args", body.args, "[]");
		put_args(c, "kwargs", body.kwargs, "{}");
		return;
	}
	ct_jw_key(&c->w, "args");
	ct_jw_str(&c->w, ct_msg_repr(m, "argsrepr"));
	ct_jw_key(&c->w, "kwargs");
	ct_jw_str(&c->w, ct_msg_repr(m, "kwargsrepr"));
}

static void
put_delivery(struct ct_call *c, const struct ct_msg *m)
{
	const struct ct_json *headers = ct_json_get(m->root, "headers");
	const struct ct_json *props = ct_json_get(m->root, "properties");
	const struct ct_json *info = ct_json_get(props, "delivery_info");
	int64_t priority = 0;

	if (!ct_json_i64(ct_json_get(props, "priority"), 0, 9, &priority))
		priority = 0;
	ct_jw_key(&c->w, "delivery_info");
	ct_jw_obj(&c->w);
	put_str(&c->w, "exchange", "");
	ct_jw_key(&c->w, "routing_key");
	ct_jw_str(&c->w, ct_json_str(ct_json_get(info, "routing_key")));
	put_i64(&c->w, "priority", priority);
	put_bool(&c->w, "redelivered",
	    ct_json_bool(ct_json_get(headers, "redelivered")));
	ct_jw_end(&c->w);
}

/* s: who runs it; NULL: it waits. */
static void
put_task(struct ct_call *c, const struct ct_msg *m, const struct ct_slot *s,
    bool safe)
{
	ct_jw_obj(&c->w);
	ct_jw_key(&c->w, "id");
	ct_jw_str(&c->w, m->id);
	ct_jw_key(&c->w, "name");
	ct_jw_str(&c->w, m->task);
	put_all_args(c, m, safe);
	ct_jw_key(&c->w, "type");
	ct_jw_str(&c->w, m->task);
	put_str(&c->w, "hostname", c->n->name);
	if (s != NULL)
		put_seconds(c, "time_start",
		    ct_now_us() / 1000 - (ct_mono_ms() - s->began_ms));
	else
		put_null(&c->w, "time_start");
	put_bool(&c->w, "acknowledged", false);
	put_delivery(c, m);
	if (s != NULL)
		put_i64(&c->w, "worker_pid", s->pid);
	else
		put_null(&c->w, "worker_pid");
	ct_jw_end(&c->w);
}

static void
list_slots(struct ct_call *c, enum ct_slot_state state)
{
	bool safe = ct_json_bool(ct_json_get(c->m->args, "safe"));
	const struct ct_slot *s;

	ct_jw_arr(&c->w);
	for (s = c->n->slot; s < c->n->slot + c->n->nslots; s++)
		if (s->state == state && ct_call_has_room(c))
			put_task(
			    c, &s->msg, state == CT_SLOT_BUSY ? s : NULL, safe);
	ct_jw_end(&c->w);
}

void
ct_show_active(struct ct_call *c)
{
	list_slots(c, CT_SLOT_BUSY);
}

/* Nothing is fetched ahead: only what is about to begin. */
void
ct_show_reserved(struct ct_call *c)
{
	list_slots(c, CT_SLOT_STARTING);
}

static bool
is_asked(const struct ct_json *ids, struct ct_str id)
{
	const struct ct_json *e;

	if (ct_str_eq(ct_json_str(ids), id))
		return true;
	for (e = ct_json_first(ids); e != NULL; e = ct_json_next(e))
		if (ct_str_eq(ct_json_str(e), id))
			return true;
	return false;
}

void
ct_show_query(struct ct_call *c)
{
	const struct ct_json *ids = ct_json_get(c->m->args, "ids");
	const struct ct_slot *s;
	bool runs;

	ct_jw_obj(&c->w);
	for (s = c->n->slot; s < c->n->slot + c->n->nslots; s++) {
		runs = s->state == CT_SLOT_BUSY;
		if ((!runs && s->state != CT_SLOT_STARTING) ||
		    !is_asked(ids, s->msg.id) || !ct_call_has_room(c))
			continue;
		ct_jw_key(&c->w, ct_str_cstr(c->a, s->msg.id));
		ct_jw_arr(&c->w);
		ct_jw_cstr(&c->w, runs ? "active" : "reserved");
		put_task(c, &s->msg, runs ? s : NULL, false);
		ct_jw_end(&c->w);
	}
	ct_jw_end(&c->w);
}

/* Whether list belongs to a queue that the node serves. */
static bool
serves(const struct ct_node *n, struct ct_str list)
{
	size_t i;
	int step;

	for (i = 0; i < n->queues.n; i++)
		for (step = 0; step < CT_STEPS; step++)
			if (ct_str_eq(n->queues.row[i].list[step], list))
				return true;
	return false;
}

/* They wait in Redis: every node that may run them tells of them. */
void
ct_show_scheduled(struct ct_call *c)
{
	const struct redisReply *reply = NULL;
	struct ct_str argv[3] = {
	    {0}, CT_STR(SCHEDULED_MAX), CT_STR(SCHEDULED_SIZE)};
	char when[CT_TIME_MAX];
	struct ct_msg m;
	struct ct_err err;
	size_t i;

	if (!ct_call_eval(c, "jq_scheduled", 3, argv, &reply)) {
		ct_call_say(c, "error", "Redis is away");
		return;
	}
	ct_jw_arr(&c->w);
	for (i = 0; i + 2 < ct_reply_n(reply) && ct_call_has_room(c); i += 3) {
		ct_err_clear(&err);
		if (!serves(c->n, ct_reply_str(ct_reply_at(reply, i + 1))) ||
		    ct_msg_parse(c->a, ct_reply_str(ct_reply_at(reply, i + 2)),
			&m, &err) != CT_OK)
			continue;
		ct_time_format(
		    ct_reply_i64(ct_reply_at(reply, i)) * 1000, when);
		ct_jw_obj(&c->w);
		put_str(&c->w, "eta", when);
		put_i64(&c->w, "priority", 6); /* Celery's, of its timer */
		ct_jw_key(&c->w, "request");
		put_task(c, &m, NULL, false);
		ct_jw_end(&c->w);
	}
	ct_jw_end(&c->w);
}

/* --- revoked ----------------------------------------------------------- */

/* The last ones that were revoked anywhere: {id, ms ...}. */
static const struct redisReply *
revoked(struct ct_call *c)
{
	const struct redisReply *reply = NULL;
	struct ct_str argv[5] = {CT_STR("ZREVRANGE"), {0}, CT_STR("0"),
	    CT_STR("999"), CT_STR("WITHSCORES")};
	struct ct_err err;

	ct_err_clear(&err);
	argv[1] = ct_str_of(
	    ct_arena_printf(c->a, "%scancels", c->n->conf->queue_prefix));
	if (!ct_link_up(c->n))
		return NULL;
	if (ct_redis_do(c->n->link.main, c->a, 5, argv, &reply, &err) == CT_OK)
		return reply;
	ct_link_drop(c->n, &err);
	return NULL;
}

void
ct_show_revoked(struct ct_call *c)
{
	const struct redisReply *reply = revoked(c);
	size_t i;

	ct_jw_arr(&c->w);
	for (i = 0; i + 1 < ct_reply_n(reply) && ct_call_has_room(c); i += 2)
		ct_jw_str(&c->w, ct_reply_str(ct_reply_at(reply, i)));
	ct_jw_end(&c->w);
}

/* What a worker of Celery's says at its start: both learn from each other. */
void
ct_show_hello(struct ct_call *c)
{
	struct ct_str from = ct_json_str(ct_json_get(c->m->args, "from_node"));
	const struct redisReply *reply;
	size_t i;

	if (ct_str_is(from, c->n->name)) {
		ct_jw_null(&c->w);
		return;
	}
	reply = revoked(c);
	ct_jw_obj(&c->w);
	ct_jw_key(&c->w, "revoked");
	ct_jw_obj(&c->w);
	for (i = 0; i + 1 < ct_reply_n(reply) && ct_call_has_room(c); i += 2)
		put_seconds(c,
		    ct_str_cstr(c->a, ct_reply_str(ct_reply_at(reply, i))),
		    ct_reply_i64(ct_reply_at(reply, i + 1)));
	ct_jw_end(&c->w);
	put_i64(&c->w, "clock", ct_events_tick(c->n));
	ct_jw_end(&c->w);
	ct_change_learn(c, ct_json_get(c->m->args, "revoked"));
}

/* --- the node ---------------------------------------------------------- */

/* "name [a=1 b=2]" where attributes are asked for that a row has. */
static const char *
describe(
    struct ct_call *c, const struct ct_task *t, const struct ct_json *items)
{
	const struct {
		const char *name;
		int value;
	} has[] = {{"max_retries", t->max_retries},
	    {"default_retry_delay", t->backoff_s},
	    {"soft_time_limit", t->soft_s}, {"time_limit", t->hard_s}};
	const struct ct_json *e;
	struct ct_buf b;
	size_t i, n = 0;

	ct_buf_init(&b, c->a, 128);
	ct_buf_adds(&b, t->name);
	for (i = 0; i < ct_countof(has); i++)
		for (e = ct_json_first(items); e != NULL; e = ct_json_next(e))
			if (ct_str_is(ct_json_str(e), has[i].name)) {
				ct_buf_addf(&b, "%s%s=%d",
				    n++ == 0 ? " [" : " ", has[i].name,
				    has[i].value);
				break;
			}
	ct_buf_adds(&b, n > 0 ? "]" : "");
	ct_buf_addc(&b, '\0');
	return b.p;
}

void
ct_show_registered(struct ct_call *c)
{
	const struct ct_json *items = ct_json_get(c->m->args, "taskinfoitems");
	size_t i;

	ct_jw_arr(&c->w);
	for (i = 0; i < ct_tasks_n; i++)
		if (c->n->conf->test_tasks ||
		    !(ct_tasks[i].flags & CT_TASK_TEST))
			ct_jw_cstr(&c->w, describe(c, &ct_tasks[i], items));
	ct_jw_end(&c->w);
}

static void
put_exchange(struct ct_jw *w, struct ct_str name)
{
	ct_jw_key(w, "exchange");
	ct_jw_obj(w);
	ct_jw_key(w, "name");
	ct_jw_str(w, name);
	put_str(w, "type", "direct");
	put_null(w, "arguments");
	put_bool(w, "durable", true);
	put_bool(w, "passive", false);
	put_bool(w, "auto_delete", false);
	put_i64(w, "delivery_mode", 2);
	put_bool(w, "no_declare", false);
	ct_jw_end(w);
}

static void
put_queue(struct ct_jw *w, struct ct_str name)
{
	static const char *const nulls[] = {"queue_arguments",
	    "binding_arguments", "consumer_arguments", "alias", "message_ttl",
	    "max_length", "max_length_bytes", "max_priority", "expires"};
	size_t i;

	ct_jw_obj(w);
	ct_jw_key(w, "name");
	ct_jw_str(w, name);
	put_exchange(w, name);
	ct_jw_key(w, "routing_key");
	ct_jw_str(w, name);
	put_bool(w, "durable", true);
	put_bool(w, "exclusive", false);
	put_bool(w, "auto_delete", false);
	put_bool(w, "no_ack", false);
	ct_jw_key(w, "bindings");
	ct_jw_raw(w, CT_STR("[]"));
	put_bool(w, "no_declare", false);
	for (i = 0; i < ct_countof(nulls); i++)
		put_null(w, nulls[i]);
	ct_jw_end(w);
}

void
ct_show_queues(struct ct_call *c)
{
	size_t i;

	ct_jw_arr(&c->w);
	for (i = 0; i < c->n->queues.n; i++)
		put_queue(&c->w, c->n->queues.row[i].list[0]);
	ct_jw_end(&c->w);
}

/* REDIS_URL as Celery has it; what is secret is left out. */
static const char *
broker_url(struct ct_call *c)
{
	struct ct_redis_url u = {0};

	if (!ct_redis_url_parse(c->a, ct_str_of(c->n->conf->redis_url), &u))
		return "redis://";
	if (u.path != NULL)
		return ct_arena_printf(c->a,
		    "redis+socket://%s?virtual_host=%lld", u.path,
		    (long long)u.db);
	return ct_arena_printf(c->a, "redis://%s%s:%d/%lld",
	    u.password.p != NULL ? ":**@" : "", u.host, u.port,
	    (long long)u.db);
}

void
ct_show_conf(struct ct_call *c)
{
	const struct ct_conf *conf = c->n->conf;
	struct ct_jw *w = &c->w;
	size_t i;

	ct_jw_obj(w);
	put_str(w, "broker_url", broker_url(c));
	put_str(w, "result_backend", broker_url(c));
	put_i64(w, "result_expires", CT_RESULT_TTL_S);
	put_str(w, "task_serializer", "json");
	put_str(w, "result_serializer", "json");
	ct_jw_key(w, "accept_content");
	ct_jw_raw(w, CT_STR("[\"json\"]"));
	put_bool(w, "enable_utc", true);
	put_bool(w, "task_acks_late", true);
	ct_jw_key(w, "task_queues");
	ct_jw_arr(w);
	for (i = 0; i < c->n->queues.n; i++)
		ct_jw_str(w, c->n->queues.row[i].list[0]);
	ct_jw_end(w);
	put_i64(w, "worker_concurrency", conf->worker_children);
	put_i64(w, "worker_max_tasks_per_child", conf->child_jobs);
	put_bool(w, "worker_enable_remote_control", conf->control);
	put_bool(w, "worker_send_task_events", c->n->events.on);
	ct_jw_end(w);
}

static void
put_pool(struct ct_call *c)
{
	struct ct_jw *w = &c->w;
	const struct ct_slot *s;

	ct_jw_key(w, "pool");
	ct_jw_obj(w);
	put_i64(w, "max-concurrency", (int64_t)c->n->nslots);
	ct_jw_key(w, "processes");
	ct_jw_arr(w);
	for (s = c->n->slot; s < c->n->slot + c->n->nslots; s++)
		if (s->pid > 0)
			ct_jw_i64(w, s->pid);
	ct_jw_end(w);
	put_i64(w, "max-tasks-per-child", c->n->conf->child_jobs);
	put_bool(w, "put-guarded-by-semaphore", false);
	ct_jw_key(w, "timeouts");
	ct_jw_raw(w, CT_STR("[0,0]"));
	put_str(w, "implementation", "prefork");
	ct_jw_end(w);
}

static void
put_broker(struct ct_call *c)
{
	struct ct_redis_url u = {0};
	struct ct_jw *w = &c->w;

	if (!ct_redis_url_parse(c->a, ct_str_of(c->n->conf->redis_url), &u))
		return;
	ct_jw_key(w, "broker");
	ct_jw_obj(w);
	put_str(w, "transport", "redis");
	put_str(w, "hostname", u.path != NULL ? u.path : u.host);
	put_i64(w, "port", u.path != NULL ? CT_NULL_I64 : u.port);
	put_str(
	    w, "virtual_host", ct_arena_printf(c->a, "%lld", (long long)u.db));
	put_null(w, "userid");
	put_bool(w, "ssl", false);
	put_bool(w, "insist", false);
	put_null(w, "uri_prefix");
	put_null(w, "login_method");
	ct_jw_key(w, "transport_options");
	ct_jw_raw(w, CT_STR("{}"));
	put_i64(
	    w, "connect_timeout", (c->n->conf->redis_timeout_ms + 999) / 1000);
	put_i64(w, "heartbeat", 0);
	ct_jw_end(w);
}

static void
put_rusage(struct ct_call *c)
{
	struct ct_jw *w = &c->w;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	ct_jw_key(w, "rusage");
	ct_jw_obj(w);
	put_seconds(
	    c, "utime", u.ru_utime.tv_sec * 1000 + u.ru_utime.tv_usec / 1000);
	put_seconds(
	    c, "stime", u.ru_stime.tv_sec * 1000 + u.ru_stime.tv_usec / 1000);
	put_i64(w, "maxrss", u.ru_maxrss);
	put_i64(w, "minflt", u.ru_minflt);
	put_i64(w, "majflt", u.ru_majflt);
	put_i64(w, "inblock", u.ru_inblock);
	put_i64(w, "oublock", u.ru_oublock);
	put_i64(w, "nvcsw", u.ru_nvcsw);
	put_i64(w, "nivcsw", u.ru_nivcsw);
	ct_jw_end(w);
}

void
ct_show_stats(struct ct_call *c)
{
	struct ct_jw *w = &c->w;
	size_t i;

	ct_jw_obj(w);
	ct_jw_key(w, "total");
	ct_jw_obj(w);
	for (i = 0; i < ct_tasks_n; i++)
		if (c->n->events.runs[i] > 0)
			put_i64(
			    w, ct_tasks[i].name, (int64_t)c->n->events.runs[i]);
	ct_jw_end(w);
	put_i64(w, "pid", getpid());
	put_str(w, "clock",
	    ct_arena_printf(c->a, "%lld", (long long)ct_events_tick(c->n)));
	put_i64(w, "uptime", (ct_mono_ms() - c->n->control.started_ms) / 1000);
	put_pool(c);
	put_broker(c);
	put_i64(w, "prefetch_count", 0);
	put_rusage(c);
	ct_jw_end(w);
}
