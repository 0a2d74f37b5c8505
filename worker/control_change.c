/*
 * Remote control commands that change something. A revocation is a key in
 * Redis before it is answered, so it holds for every node and outlives all.
 */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "common/queue.h"
#include "worker/node.h"

#define SHOWN_MAX 20 /* ids told one by one in an answer */

/* Names as Celery sends them, without SIG. */
static const struct {
	const char *name;
	int number;
} signals[] = {
    {"TERM", SIGTERM},
    {"KILL", SIGKILL},
    {"INT", SIGINT},
    {"QUIT", SIGQUIT},
    {"HUP", SIGHUP},
    {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},
};

/* 0: it is none that a job may be sent. */
static int
signal_of(const struct ct_json *v)
{
	struct ct_str name = ct_json_str(v);
	int64_t number = 0;
	size_t i;

	if (v == NULL || ct_json_type(v) == CT_JSON_NULL)
		return SIGTERM;
	if (name.n > 3 && strncasecmp(name.p, "SIG", 3) == 0)
		name = (struct ct_str){name.p + 3, name.n - 3};
	if (name.p == NULL && !ct_json_i64(v, 1, 64, &number))
		return 0;
	for (i = 0; i < ct_countof(signals); i++)
		if (name.p != NULL ? ct_str_ieq(name, signals[i].name)
				   : number == signals[i].number)
			return signals[i].number;
	return 0;
}

static bool
is_id(struct ct_str s)
{
	return s.n > 0 && s.n <= CT_ID_MAX;
}

/* One id, or an array of them; 0: they are none. */
static size_t
take_ids(struct ct_call *c, const struct ct_json *v, struct ct_str **out)
{
	const struct ct_json *e;
	struct ct_str one = ct_json_str(v);
	size_t n = 0;

	*out = ct_arena_alloc(c->a, CT_CONTROL_IDS * sizeof(**out));
	if (is_id(one)) {
		(*out)[0] = one;
		return 1;
	}
	if (v == NULL || ct_json_type(v) != CT_JSON_ARRAY)
		return 0;
	for (e = ct_json_first(v); e != NULL; e = ct_json_next(e)) {
		one = ct_json_str(e);
		if (n == CT_CONTROL_IDS || !is_id(one))
			return 0;
		(*out)[n++] = one;
	}
	return n;
}

/* How many of them were marked; fewer than n: Redis is away. */
static size_t
mark(struct ct_call *c, const struct ct_str *ids, size_t n, bool terminate)
{
	struct ct_node *node = c->n;
	struct ct_err err;
	size_t i;

	for (i = 0; i < n; i++) {
		ct_err_clear(&err);
		if (!ct_link_up(node))
			break;
		if (ct_queue_revoke(node->link.main, c->a,
			node->conf->queue_prefix, ids[i], terminate,
			&err) != CT_OK) {
			ct_link_drop(node, &err);
			break;
		}
	}
	return i;
}

size_t
ct_change_learn(struct ct_call *c, const struct ct_json *ids)
{
	const struct ct_json *e;
	struct ct_str id;
	size_t n = 0;

	for (e = ct_json_first(ids); e != NULL && n < CT_CONTROL_IDS;
	     e = ct_json_next(e)) {
		id = ct_json_key(e) != NULL ? ct_str_of(ct_json_key(e))
					    : ct_json_str(e);
		if (is_id(id) && mark(c, &id, 1, false) == 0)
			break;
		n++;
	}
	return n;
}

/* "a, b, c", or how many they are. */
static const char *
list(struct ct_call *c, const struct ct_str *ids, size_t n)
{
	struct ct_buf b;
	size_t i;

	if (n > SHOWN_MAX)
		return ct_arena_printf(c->a, "%zu ids", n);
	ct_buf_init(&b, c->a, 256);
	for (i = 0; i < n; i++) {
		ct_buf_adds(&b, i == 0 ? "" : ", ");
		ct_buf_addstr(&b, ids[i]);
	}
	ct_buf_addc(&b, '\0');
	return b.p;
}

/* Stop the job of that id where this node runs it. */
static bool
stop_job(struct ct_node *n, struct ct_str id, int signum)
{
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_BUSY || !ct_str_eq(s->msg.id, id))
			continue;
		ct_slot_stop(s, CT_STOP_CANCEL);
		if (signum == SIGKILL && s->pid > 0)
			kill(s->pid, SIGKILL);
		return true;
	}
	return false;
}

static void
revoke_ids(struct ct_call *c, bool terminate)
{
	struct ct_str *ids, *hit;
	size_t n = take_ids(c, ct_json_get(c->m->args, "task_id"), &ids);
	int signum = signal_of(ct_json_get(c->m->args, "signal"));
	size_t marked, i, hits = 0;

	if (n == 0) {
		ct_call_say(
		    c, "error", "task_id must be 1 to %d ids", CT_CONTROL_IDS);
		return;
	}
	if (signum == 0) {
		ct_call_say(c, "error",
		    "signal must be one of TERM, KILL, INT, QUIT, HUP, USR1 "
		    "and USR2");
		return;
	}
	marked = mark(c, ids, n, terminate);
	ct_log(CT_INFO, "control", "%s %s", terminate ? "terminate" : "revoke",
	    list(c, ids, marked));
	if (marked < n) {
		ct_call_say(c, "error",
		    "Redis is away: %zu of %zu were revoked, say it again",
		    marked, n);
		return;
	}
	if (!terminate) {
		ct_call_say(
		    c, "ok", "tasks %s flagged as revoked", list(c, ids, n));
		return;
	}
	hit = ct_arena_alloc(c->a, n * sizeof(*hit));
	for (i = 0; i < n; i++)
		if (stop_job(c->n, ids[i], signum))
			hit[hits++] = ids[i];
	ct_call_say(c, "ok", "terminate: %s",
	    hits == 0 ? "tasks unknown" : list(c, hit, hits));
}

void
ct_change_revoke(struct ct_call *c)
{
	revoke_ids(c, ct_json_bool(ct_json_get(c->m->args, "terminate")));
}

void
ct_change_terminate(struct ct_call *c)
{
	revoke_ids(c, true);
}

void
ct_change_events_on(struct ct_call *c)
{
	bool was = c->n->events.on;

	c->n->events.on = true;
	/* Who asks listens, most likely; the next beat will tell. */
	c->n->events.heard = true;
	ct_call_say(c, "ok", "task events %senabled", was ? "already " : "");
}

void
ct_change_events_off(struct ct_call *c)
{
	bool was = c->n->events.on;

	c->n->events.on = false;
	ct_call_say(c, "ok", "task events %sdisabled", was ? "" : "already ");
}

void
ct_change_heartbeat(struct ct_call *c)
{
	c->n->next_beat_ms = 0;
	ct_jw_null(&c->w);
}

/* The queues are others now. */
static void
queues_changed(struct ct_call *c, const char *said, struct ct_str queue)
{
	ct_log(CT_INFO, "control", "%s %.*s", said, CT_STR_FMT(queue));
	c->n->link.armed = false;
	c->n->rung = true;
	ct_link_describe(c->n);
	ct_call_say(c, "ok", "%s %.*s", said, CT_STR_FMT(queue));
}

void
ct_change_add_queue(struct ct_call *c)
{
	struct ct_str queue = ct_json_str(ct_json_get(c->m->args, "queue"));
	struct ct_str type =
	    ct_json_str(ct_json_get(c->m->args, "exchange_type"));
	struct ct_err err;

	ct_err_clear(&err);
	if (type.n > 0 && !ct_str_is(type, "direct"))
		ct_call_say(c, "error", "exchange_type must be direct");
	else if (ct_queues_add(&c->n->queues, &c->n->names, queue, &err) !=
		 CT_OK)
		ct_call_say(c, "error", "%s", err.msg);
	else
		queues_changed(c, "add consumer", queue);
}

void
ct_change_cancel_queue(struct ct_call *c)
{
	struct ct_str queue = ct_json_str(ct_json_get(c->m->args, "queue"));
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_queues_drop(&c->n->queues, &c->n->names, queue, &err) != CT_OK)
		ct_call_say(c, "error", "%s", err.msg);
	else
		queues_changed(c, "no longer consuming from", queue);
}

void
ct_change_shutdown(struct ct_call *c)
{
	ct_log(CT_WARN, "control", "shutdown was asked for");
	ct_node_drain(c->n);
	ct_call_say(c, "ok", "shutting down");
}
