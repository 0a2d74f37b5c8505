/*
 * One turn of a node, in one trip: settle what has ended, do what is due by the
 * clock, claim and begin what is next. A message that needs a look first is
 * begun in the next turn.
 */
#include "common/metrics.h"
#include "worker/node.h"

#define CLAIM_ARGC 5 /* before the held ones */

static bool
append_claim(struct ct_node *n, size_t want, struct ct_err *err)
{
	struct ct_str *v,
	    *argv = ct_arena_alloc(n->scratch,
		(CT_LISTS_MAX + CLAIM_ARGC + 4 * n->nslots) * sizeof(*argv));
	int nkeys = ct_queues_order(&n->queues, argv);
	struct ct_slot *s;

	v = argv + nkeys;
	*v++ = ct_str_of(n->conf->queue_prefix);
	*v++ = ct_str_of(n->link.wid);
	*v++ = CT_STR(CT_JOB_TTL_S);
	*v++ = ct_str_of_i64(n->scratch, (int64_t)want);
	*v++ = ct_str_of_i64(n->scratch, n->next_number);
	/* Never used again, even where this claim's answer is lost. */
	n->next_number += (int64_t)want;
	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_STARTING)
			continue;
		*v++ = ct_str_of_i64(n->scratch, s->number);
		*v++ = s->msg.id;
		*v++ = ct_str_of_i64(n->scratch, s->msg.retries);
		*v++ = s->msg.task;
	}
	return ct_redis_append_eval(n->link.main, ct_script("jq_claim"), nkeys,
		   (int)(v - argv), argv, err) == CT_OK;
}

static bool
take_settled(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_ENDED)
			continue;
		if (!ct_link_take(n, &reply, err))
			return false;
		ct_settle_note(n, s, ct_reply_i64(reply));
		ct_events_settled(n, s, ct_reply_i64(reply));
		/* The time until the first one may be shorter now. */
		if (s->settle.waits)
			n->next_promote_ms = 0;
		ct_slot_done(n, s);
	}
	return true;
}

/* What was held is begun or refused. Returns how many words it took. */
static size_t
take_held(struct ct_node *n, const struct redisReply *reply)
{
	struct ct_slot *s;
	struct ct_str word;
	size_t i = 1;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_STARTING)
			continue;
		word = ct_reply_str(ct_reply_at(reply, i++));
		if (ct_str_is(word, "GO"))
			ct_slot_run(n, s);
		else
			ct_settle_refused(n, s, word);
	}
	return i - 1;
}

static void
take_claimed(struct ct_node *n, const struct redisReply *reply, size_t from,
    int64_t first)
{
	int64_t redis_now_ms = ct_reply_i64(ct_reply_at(reply, 0));
	struct ct_str word;
	struct ct_slot *s;
	size_t i;

	for (i = from; i + 2 < ct_reply_n(reply); i += 3) {
		s = ct_slot_idle(n);
		if (s == NULL)
			ct_bug("more messages claimed than children idle");
		s->number = first++;
		word = ct_reply_str(ct_reply_at(reply, i + 2));
		s->state = CT_SLOT_BUSY;
		ct_settle_claimed(n, s, ct_reply_str(ct_reply_at(reply, i + 1)),
		    word, redis_now_ms);
		ct_events_claimed(n, s);
		if (s->state == CT_SLOT_BUSY)
			ct_slot_run(n, s);
	}
}

/* false: the connection was lost. */
static bool
take_claim(struct ct_node *n, size_t want, struct ct_err *err)
{
	const struct redisReply *reply;
	size_t held;

	if (!ct_link_take(n, &reply, err))
		return false;
	if (ct_reply_i64(ct_reply_at(reply, 0)) < 0) {
		ct_link_lose(n);
		return true;
	}
	held = take_held(n, reply);
	/* A short answer: the lists are empty until the bell rings. */
	if (want > 0) {
		n->rung = (ct_reply_n(reply) - 1 - held) / 3 == want;
		n->quiet = !n->rung;
	}
	take_claimed(n, reply, 1 + held, n->next_number - (int64_t)want);
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

/*
 * What one trip is made of. Where the lists were empty before they will be
 * again after the claim, so the bell is armed in the same trip; else only once
 * a claim came back short.
 */
struct trip {
	size_t want;
	unsigned duties;
	bool settles;
	bool claims;
	bool arms;
};

static struct trip
plan(const struct ct_node *n)
{
	struct trip t = {0};

	t.want = n->rung && !n->draining ? free_children(n) : 0;
	t.duties = n->duties;
	t.settles = ct_slots_count(n, CT_SLOT_ENDED) > 0;
	t.claims = t.want > 0 || ct_slots_count(n, CT_SLOT_STARTING) > 0;
	t.arms = ct_bell_unarmed(n) && !n->draining &&
		 (!n->rung || (t.want > 0 && n->quiet));
	return t;
}

static bool
has_work(struct trip t)
{
	return t.settles || t.duties != 0 || t.claims || t.arms;
}

static bool
round_trip(struct ct_node *n, struct trip t, struct ct_err *err)
{
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_ENDED &&
		    ct_redis_append_eval(n->link.main, ct_script("jq_settle"),
			0, CT_SETTLE_ARGC, s->settle.argv, err) != CT_OK)
			return false;
	if (!ct_duties_append(n, t.duties, err))
		return false;
	if (t.claims && !append_claim(n, t.want, err))
		return false;
	if (t.arms && !ct_bell_append(n, err))
		return false;
	return take_settled(n, err) && ct_duties_take(n, t.duties, err) &&
	       (!t.claims || take_claim(n, t.want, err)) &&
	       (!t.arms || ct_bell_take(n, err));
}

bool
ct_link_round(struct ct_node *n, bool *more)
{
	struct trip t = plan(n);
	struct ct_err err;
	int64_t begin_us;

	*more = false;
	if (!ct_link_up(n))
		return false;
	if (!has_work(t))
		return true;
	n->duties = 0;
	ct_err_clear(&err);
	begin_us = ct_mono_us();
	if (!round_trip(n, t, &err)) {
		ct_link_drop(n, &err);
		return false;
	}
	ct_metric_observe_us(n->trip, ct_mono_us() - begin_us);
	*more = ct_link_up(n) && has_work(plan(n));
	return true;
}
