/*
 * A node's connection to Redis, over which it speaks in scripts only. Any error
 * closes it; then connect anew, confirm the place or take a new one, audit, go
 * on.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/metrics.h"
#include "worker/node.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000

bool
ct_link_up(const struct ct_node *n)
{
	return n->link.main != NULL && n->link.wid[0] != '\0';
}

void
ct_link_lose(struct ct_node *n)
{
	struct ct_slot *s;

	if (n->link.wid[0] == '\0')
		return;
	ct_log(CT_WARN, "link", "place %s is lost: its jobs are stopped",
	    n->link.wid);
	for (s = n->slot; s < n->slot + n->nslots; s++)
		ct_slot_fence(n, s);
	n->link.wid[0] = '\0';
}

void
ct_link_drop(struct ct_node *n, const struct ct_err *why)
{
	struct ct_link *l = &n->link;
	struct ct_slot *s;

	if (why != NULL)
		ct_log(CT_WARN, "link", "Redis is away: %s %s", why->msg,
		    why->detail);
	ct_bell_drop(n, NULL);
	ct_control_drop(n, NULL);
	ct_redis_close(l->main);
	l->main = NULL;
	l->backoff_ms = l->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * l->backoff_ms;
	if (l->backoff_ms > BACKOFF_MAX_MS)
		l->backoff_ms = BACKOFF_MAX_MS;
	l->retry_ms = ct_mono_ms() + l->backoff_ms / 2 +
		      (int64_t)ct_random_below((uint64_t)l->backoff_ms / 2 + 1);
	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_STARTING)
			ct_settle_unstarted(n, s);
}

/* One script. argv[0] and [1] are the prefix and the node's id. */
static bool
ask(struct ct_node *n, const char *script, int argc, struct ct_str *argv,
    const struct redisReply **reply)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (n->link.main == NULL)
		return false;
	argv[0] = ct_str_of(n->conf->queue_prefix);
	argv[1] = ct_str_of(n->link.wid);
	if (ct_redis_eval(n->link.main, n->scratch, ct_script(script), 0, argc,
		argv, reply, &err) == CT_OK)
		return true;
	ct_link_drop(n, &err);
	return false;
}

bool
ct_link_take(
    struct ct_node *n, const struct redisReply **reply, struct ct_err *err)
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

/* What would lose jobs at a restart of Redis is said once. */
static void
check_config(struct ct_node *n)
{
	static const char *const want[][2] = {
	    {"appendonly", "yes"}, {"maxmemory-policy", "noeviction"}};
	const struct redisReply *reply;
	struct ct_str argv[3] = {CT_STR("CONFIG"), CT_STR("GET")};
	struct ct_err err;
	size_t i;

	for (i = 0; i < ct_countof(want); i++) {
		ct_err_clear(&err);
		argv[2] = ct_str_of(want[i][0]);
		if (ct_redis_do(n->link.main, n->scratch, 3, argv, &reply,
			&err) != CT_OK)
			continue;
		if (!ct_str_is(ct_reply_str(ct_reply_at(reply, 1)), want[i][1]))
			ct_log(CT_WARN, "link",
			    "Redis can lose jobs: set %s %s", want[i][0],
			    want[i][1]);
	}
	n->link.greeted = true;
}

/*
 * Nobody waits for a node as for a responder, and a Redis whose disk is slow
 * may pause: a node waits as long as does its lease no harm.
 */
int
ct_link_timeout_ms(const struct ct_node *n)
{
	int64_t ms = n->conf->lease_ms / 10;

	if (ms < n->conf->redis_timeout_ms)
		ms = n->conf->redis_timeout_ms;
	return ct_int((size_t)ms);
}

static enum ct_rc
dial(struct ct_node *n, struct ct_err *err)
{
	int timeout = ct_link_timeout_ms(n);
	enum ct_rc rc;

	rc = ct_redis_open(n->conf->redis_url, timeout, &n->link.main, err);
	return rc == CT_OK ? ct_redis_ready(n->link.main, err) : rc;
}

static bool
describe(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[8];

	argv[2] = ct_str_of(n->host);
	argv[3] = ct_str_of_i64(n->scratch, getpid());
	argv[4] = ct_str_of(ct_queues_text(&n->queues, n->scratch));
	argv[5] = ct_str_of_i64(n->scratch, (int64_t)n->nslots);
	argv[6] = ct_str_of_i64(n->scratch, 10 * n->conf->lease_ms);
	argv[7] = ct_str_of(n->name);
	return ask(n, "jq_register", 8, argv, &reply);
}

void
ct_link_describe(struct ct_node *n)
{
	if (ct_link_up(n))
		describe(n);
}

static bool
take_place(struct ct_node *n)
{
	struct ct_link *l = &n->link;
	uint8_t nonce[6];
	char hex[13];

	ct_random(nonce, sizeof(nonce));
	ct_hex(nonce, sizeof(nonce), hex);
	snprintf(
	    l->wid, sizeof(l->wid), "%s:%d:%s", n->host, (int)getpid(), hex);
	if (!describe(n)) {
		/* It may have been taken; nothing is held under it. */
		l->wid[0] = '\0';
		return false;
	}
	ct_log(CT_INFO, "link", "serving as %s", l->wid);
	return true;
}

/* false: the connection was lost. The place may be lost, too. */
static bool
beat(struct ct_node *n)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_duties_append(n, CT_DUTY_BEAT, &err) &&
	    ct_duties_take(n, CT_DUTY_BEAT, &err))
		return true;
	ct_link_drop(n, &err);
	return false;
}

bool
ct_link_try(struct ct_node *n)
{
	struct ct_link *l = &n->link;
	struct ct_err err;
	int64_t asked;

	ct_err_clear(&err);
	if (ct_mono_ms() < l->retry_ms)
		return false;
	if (l->main == NULL) {
		if (dial(n, &err) != CT_OK) {
			ct_link_drop(n, l->backoff_ms == 0 ? &err : NULL);
			return false;
		}
		if (l->greeted) {
			ct_metric_add(ct_metric(CT_M_REDIS_RECONNECTS, ""), 1);
			ct_log(CT_INFO, "link", "Redis is back");
		} else {
			check_config(n);
		}
	}
	if (l->wid[0] != '\0' && !beat(n))
		return false;
	asked = ct_mono_ms();
	if (l->wid[0] == '\0') {
		if (!take_place(n))
			return false;
		l->beat_ok_ms = asked;
	}
	if (!ct_link_audit(n))
		return false;
	ct_events_online(n);
	if (!ct_link_up(n))
		return false;
	l->backoff_ms = 0;
	n->rung = true;
	return true;
}

static bool
is_known(const struct ct_node *n, int64_t held)
{
	const struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state >= CT_SLOT_STARTING && s->state <= CT_SLOT_ENDED &&
		    s->number == held)
			return true;
	return false;
}

static bool
is_held(const struct redisReply *held, int64_t number)
{
	size_t i;

	for (i = 0; i < ct_reply_n(held); i++)
		if (ct_reply_i64(ct_reply_at(held, i)) == number)
			return true;
	return false;
}

/*
 * A Redis that lost its last words when it died may have what runs here back
 * on its list, for others to run.
 */
static void
stop_unheld(struct ct_node *n, const struct redisReply *held)
{
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_BUSY || is_held(held, s->number))
			continue;
		ct_log(CT_WARN, "link",
		    "audit: job %.*s is not held any more, it is stopped",
		    CT_STR_FMT(s->msg.id));
		ct_slot_fence(n, s);
	}
}

bool
ct_link_audit(struct ct_node *n)
{
	const struct redisReply *held, *reply;
	struct ct_str argv[CT_SETTLE_ARGC];
	size_t i;

	if (!ask(n, "jq_audit", 2, argv, &held))
		return false;
	stop_unheld(n, held);
	for (i = 0; i < ct_reply_n(held); i++) {
		if (is_known(n, ct_reply_i64(ct_reply_at(held, i))))
			continue;
		ct_log(CT_WARN, "link",
		    "audit: a claimed message was not "
		    "known, it goes back");
		ct_settle_unknown(ct_reply_str(ct_reply_at(held, i)), argv);
		if (!ask(n, "jq_settle", CT_SETTLE_ARGC, argv, &reply))
			return false;
		n->rung = true;
	}
	return true;
}

bool
ct_link_progress(struct ct_node *n, struct ct_slot *s, struct ct_str value)
{
	const struct redisReply *reply;
	struct ct_str argv[6];

	if (s->msg.ignore_result || !ct_link_up(n))
		return true;
	argv[2] = s->msg.id;
	argv[3] = ct_str_of_i64(n->scratch, s->msg.retries);
	argv[4] = ct_result_json(
	    n->scratch, &s->msg, CT_R_PROGRESS, value, (struct ct_str){0}, 0);
	argv[5] = ct_str_of_i64(n->scratch, CT_RESULT_TTL_S);
	if (!ask(n, "jq_progress", 6, argv, &reply))
		return false;
	switch (ct_reply_i64(reply)) {
	case 0:
		ct_metric_add(ct_metric(CT_M_JOBS_FENCED, ""), 1);
		n->next_beat_ms = 0;
		break;
	case 2:
		ct_slot_stop(s, CT_STOP_CANCEL);
		break;
	default:
		break;
	}
	return true;
}

void
ct_link_leave(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[2];

	if (ct_link_up(n) && ask(n, "jq_leave", 2, argv, &reply))
		n->link.wid[0] = '\0';
}
