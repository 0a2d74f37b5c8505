/*
 * One turn of a node: settle what has ended and claim what is next in one
 * trip, start what was claimed in a second one.
 */
#include "worker/node.h"

#define STARVE_TURN 16

/* The queues by smooth weighted round robin: the chosen one comes first. */
static void
order_queues(struct ct_node *n, size_t order[CT_QUEUES_MAX])
{
	int64_t sum = 0;
	size_t i, best = 0;

	for (i = 0; i < n->nqueues; i++) {
		n->queue[i].credit += n->queue[i].weight;
		sum += n->queue[i].weight;
		if (n->queue[i].credit > n->queue[best].credit)
			best = i;
	}
	n->queue[best].credit -= sum;
	for (i = 0; i < n->nqueues; i++)
		order[i] = (best + i) % n->nqueues;
}

/* Every list by priority, then queue; each 16th turn the last come first. */
static int
claim_keys(struct ct_node *n, struct ct_str *argv)
{
	size_t order[CT_QUEUES_MAX], i;
	bool reversed = ++n->turn % STARVE_TURN == 0;
	int argc = 0, step;

	order_queues(n, order);
	for (step = 0; step < CT_STEPS; step++)
		for (i = 0; i < n->nqueues; i++)
			argv[argc++] =
			    n->queue[order[i]]
				.list[reversed ? CT_STEPS - 1 - step : step];
	return argc;
}

static bool
append_claim(struct ct_node *n, size_t want, struct ct_err *err)
{
	struct ct_str argv[CT_STEPS * CT_QUEUES_MAX + 3];
	int nkeys = claim_keys(n, argv);

	argv[nkeys] = ct_str_of(n->conf->queue_prefix);
	argv[nkeys + 1] = ct_str_of(n->link.wid);
	argv[nkeys + 2] = ct_str_of(ct_arena_printf(n->scratch, "%zu", want));
	return ct_redis_append_eval(n->link.main, ct_script("jq_claim"), nkeys,
		   nkeys + 3, argv, err) == CT_OK;
}

/* An error reply, such as "out of memory", is like a lost connection. */
static bool
take(struct ct_node *n, const struct redisReply **reply, struct ct_err *err)
{
	struct ct_str text;

	if (ct_redis_take(n->link.main, n->scratch, reply, err) != CT_OK)
		return false;
	if (!ct_reply_error(*reply))
		return true;
	text = ct_reply_str(*reply);
	ct_fail(err, CT_INTERNAL, NULL, "Redis refused a script");
	ct_err_detail(err, "%.*s", CT_STR_FMT(text));
	return false;
}

static bool
take_settled(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_ENDED)
			continue;
		if (!take(n, &reply, err))
			return false;
		ct_settle_note(n, s, ct_reply_i64(reply));
		/* The time until the first one may be shorter now. */
		if (s->settle.waits)
			n->next_promote_ms = 0;
		ct_slot_done(n, s);
	}
	return true;
}

/* false: the place is lost. */
static bool
take_claimed(struct ct_node *n, const struct redisReply *reply)
{
	int64_t redis_now_ms = ct_reply_i64(ct_reply_at(reply, 0));
	struct ct_slot *s;
	size_t i;

	if (redis_now_ms < 0)
		return false;
	for (i = 1; i + 1 < ct_reply_n(reply); i += 2) {
		s = ct_slot_idle(n);
		if (s == NULL)
			ct_bug("more messages claimed than children idle");
		ct_settle_claimed(n, s, ct_reply_str(ct_reply_at(reply, i)),
		    ct_reply_str(ct_reply_at(reply, i + 1)), redis_now_ms);
	}
	return true;
}

static bool
start_claimed(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_str argv[8];
	struct ct_str word;
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_STARTING)
			continue;
		argv[0] = ct_str_of(n->conf->queue_prefix);
		argv[1] = ct_str_of(n->link.wid);
		argv[2] = s->src;
		argv[3] = s->msg.raw;
		argv[4] = s->msg.id;
		argv[5] = ct_str_of(ct_arena_printf(
		    n->scratch, "%lld", (long long)s->msg.retries));
		argv[6] = s->msg.task;
		argv[7] = CT_STR("604800");
		if (ct_redis_append_eval(n->link.main, ct_script("jq_start"), 0,
			8, argv, err) != CT_OK)
			return false;
	}
	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_STARTING)
			continue;
		if (!take(n, &reply, err))
			return false;
		word = ct_reply_str(ct_reply_at(reply, 0));
		if (ct_str_is(word, "GO"))
			ct_slot_run(n, s);
		else
			ct_settle_refused(n, s, word);
	}
	return true;
}

/* Idle children, counting those that a settled job is about to free. */
static size_t
free_children(const struct ct_node *n)
{
	size_t i, free = 0;

	for (i = 0; i < n->nslots; i++)
		if ((n->slot[i].state == CT_SLOT_IDLE ||
			n->slot[i].state == CT_SLOT_ENDED) &&
		    ct_slot_stays(n, &n->slot[i]))
			free++;
	return free;
}

static bool
round_trip(struct ct_node *n, bool *more, struct ct_err *err)
{
	size_t want = n->rung && !n->draining ? free_children(n) : 0;
	const struct redisReply *reply;
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_ENDED &&
		    ct_redis_append_eval(n->link.main, ct_script("jq_settle"),
			0, CT_SETTLE_ARGC, s->settle.argv, err) != CT_OK)
			return false;
	if (want > 0 && !append_claim(n, want, err))
		return false;
	if (!take_settled(n, err))
		return false;
	if (want > 0) {
		if (!take(n, &reply, err))
			return false;
		/* A short answer: the lists are empty until the bell rings. */
		n->rung = (ct_reply_n(reply) - 1) / 2 == want;
		if (!take_claimed(n, reply)) {
			ct_link_lose(n);
			*more = false;
			return true;
		}
		if (!start_claimed(n, err))
			return false;
	}
	*more = ct_slots_count(n, CT_SLOT_ENDED) > 0 ||
		(n->rung && !n->draining && free_children(n) > 0);
	return true;
}

bool
ct_link_round(struct ct_node *n, bool *more)
{
	struct ct_err err;

	*more = false;
	if (!ct_link_up(n))
		return false;
	if (ct_slots_count(n, CT_SLOT_ENDED) == 0 &&
	    (!n->rung || free_children(n) == 0))
		return true;
	ct_err_clear(&err);
	if (round_trip(n, more, &err))
		return true;
	ct_link_drop(n, &err);
	return false;
}
