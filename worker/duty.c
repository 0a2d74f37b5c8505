/*
 * What a node asks of Redis by the clock: to keep its place, to look after dead
 * nodes, to queue what has waited. All that is due goes into the one trip of a
 * turn, so that an idle node wakes seldom.
 */
#include <string.h>

#include "common/metrics.h"
#include "worker/node.h"

#define PROMOTE_LIMIT  100
#define PROMOTE_MAX_MS 250 /* in case no bell rang */
#define BEAT_ARGC      3   /* before the ids of what runs */

/* argv[0] and [1] are for the prefix and the node's id. */
static bool
append(struct ct_node *n, const char *script, int argc, struct ct_str *argv,
    struct ct_err *err)
{
	argv[0] = ct_str_of(n->conf->queue_prefix);
	argv[1] = ct_str_of(n->link.wid);
	return ct_redis_append_eval(n->link.main, ct_script(script), 0, argc,
		   argv, err) == CT_OK;
}

/* --- beat -------------------------------------------------------------- */

static bool
append_beat(struct ct_node *n, struct ct_err *err)
{
	struct ct_str *argv =
	    ct_arena_alloc(n->scratch, (BEAT_ARGC + n->nslots) * sizeof(*argv));
	struct ct_slot *s;
	int argc = BEAT_ARGC;

	/* The lease runs from before the question. */
	n->link.beat_ask_ms = ct_mono_ms();
	argv[2] = ct_str_of_i64(n->scratch, 10 * n->conf->lease_ms);
	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_BUSY)
			argv[argc++] = s->msg.id;
	return append(n, "jq_beat", argc, argv, err) &&
	       ct_events_append_beat(n, err);
}

static void
cancel(struct ct_node *n, struct ct_str id)
{
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_BUSY && ct_str_eq(s->msg.id, id))
			ct_slot_stop(s, CT_STOP_CANCEL);
}

static bool
take_beat(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	int64_t word;

	if (!ct_link_take(n, &reply, err) || !ct_events_take_beat(n, err))
		return false;
	word = ct_reply_i64(ct_reply_at(reply, 0));
	if (word == 0) {
		ct_link_lose(n);
		return true;
	}
	n->link.beat_ok_ms = n->link.beat_ask_ms;
	if (word == 2)
		ct_node_drain(n);
	for (size_t i = 1; i < ct_reply_n(reply); i++)
		cancel(n, ct_reply_str(ct_reply_at(reply, i)));
	return true;
}

/* --- reap -------------------------------------------------------------- */

static bool
append_reap(struct ct_node *n, struct ct_err *err)
{
	char when[CT_TIME_MAX];
	struct ct_str argv[9];

	ct_time_format(ct_now_us(), when);
	when[strcspn(when, "Z")] = '\0';
	argv[2] = ct_str_of_i64(n->scratch, n->conf->lease_ms / 2);
	argv[3] = ct_str_of_i64(n->scratch, n->conf->max_redeliver);
	argv[4] = CT_STR("{\"status\":\"FAILURE\",\"result\":{\"exc_type\":"
			 "\"WorkerLostError\",\"exc_message\":"
			 "[\"Worker exited prematurely.\"],\"exc_module\":"
			 "\"billiard.exceptions\"},\"traceback\":null,"
			 "\"children\":[],\"task_id\":");
	argv[5] = ct_str_of(
	    ct_arena_printf(n->scratch, ",\"date_done\":\"%s\"}", when));
	argv[6] = ct_str_of_i64(n->scratch, CT_RESULT_TTL_S);
	argv[7] = CT_STR(CT_DEAD_CAP);
	argv[8] = ct_str_of_i64(n->scratch, n->conf->lease_ms);
	return append(n, "jq_reap", 9, argv, err);
}

static bool
take_reap(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	int64_t nodes, back, dead, at_ms;

	if (!ct_link_take(n, &reply, err))
		return false;
	nodes = ct_reply_i64(ct_reply_at(reply, 0));
	back = ct_reply_i64(ct_reply_at(reply, 1));
	dead = ct_reply_i64(ct_reply_at(reply, 2));
	at_ms = ct_mono_ms() + ct_reply_i64(ct_reply_at(reply, 3));
	if (at_ms < n->next_reap_ms)
		n->next_reap_ms = at_ms;
	if (nodes + back + dead == 0)
		return true;
	ct_log(CT_WARN, "link",
	    "reaped %lld dead nodes: %lld jobs given back, %lld buried",
	    (long long)nodes, (long long)back, (long long)dead);
	ct_metric_add(ct_metric(CT_M_JOBS_REDELIVERED, "reason=\"reaped\""),
	    (uint64_t)back);
	n->rung = true;
	return true;
}

/* --- promote ----------------------------------------------------------- */

static bool
append_promote(struct ct_node *n, struct ct_err *err)
{
	struct ct_str argv[3];

	argv[2] = ct_str_of_i64(n->scratch, PROMOTE_LIMIT);
	return append(n, "jq_promote", 3, argv, err);
}

static bool
take_promote(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	int64_t now = ct_mono_ms(), wait_ms,
		most_ms = n->link.bell != NULL && n->link.sched_armed
			      ? CT_IDLE_MS
			      : PROMOTE_MAX_MS;

	if (!ct_link_take(n, &reply, err))
		return false;
	wait_ms = ct_reply_i64(ct_reply_at(reply, 1));
	n->next_promote_ms = wait_ms < 0 || wait_ms > most_ms
				 ? ct_next_multiple(now, most_ms)
				 : now + wait_ms;
	if (ct_reply_i64(ct_reply_at(reply, 0)) > 0)
		n->rung = true;
	return true;
}

/* --- all of them ------------------------------------------------------- */

/* Whoever lives says so before it looks for the dead. */
static const struct {
	unsigned duty;
	bool (*append)(struct ct_node *n, struct ct_err *err);
	bool (*take)(struct ct_node *n, struct ct_err *err);
} rows[] = {
    {CT_DUTY_BEAT, append_beat, take_beat},
    {CT_DUTY_REAP, append_reap, take_reap},
    {CT_DUTY_PROMOTE, append_promote, take_promote},
};

unsigned
ct_duties_due(struct ct_node *n, int64_t now)
{
	unsigned due = 0;

	if (ct_due(&n->next_beat_ms, now, ct_beat_ms(n->conf)))
		due |= CT_DUTY_BEAT;
	/* More often than those who watch over the others may pause: half a
	 * lease. */
	if (ct_due(&n->next_reap_ms, now, n->conf->lease_ms / 4))
		due |= CT_DUTY_REAP;
	if (now >= n->next_promote_ms)
		due |= CT_DUTY_PROMOTE;
	return due;
}

bool
ct_duties_append(struct ct_node *n, unsigned duties, struct ct_err *err)
{
	for (size_t i = 0; i < ct_countof(rows); i++)
		if ((duties & rows[i].duty) != 0 && !rows[i].append(n, err))
			return false;
	return true;
}

bool
ct_duties_take(struct ct_node *n, unsigned duties, struct ct_err *err)
{
	for (size_t i = 0; i < ct_countof(rows); i++)
		if ((duties & rows[i].duty) != 0 && !rows[i].take(n, err))
			return false;
	return true;
}
