/*
 * A node's two connections to Redis. One speaks: scripts only. The other
 * listens: Redis tells it of every change to the ready lists (client tracking
 * in broadcast mode, sent to a second connection), so that a push wakes an
 * idle node at once, whoever made it. Any error on either closes both; then
 * connect anew, confirm the place or take a new one, audit, go on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/metrics.h"
#include "worker/node.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000
#define PROMOTE_LIMIT  100
#define PROMOTE_MAX_MS 250
#define REAP_LIMIT     100
#define ARGV_MAX       512
#define STARVE_TURN    16

static struct ct_str
number(struct ct_arena *a, int64_t v)
{
	return ct_str_of(ct_arena_printf(a, "%lld", (long long)v));
}

bool
ct_link_up(const struct ct_node *n)
{
	return n->link.main != NULL && n->link.wid[0] != '\0';
}

void
ct_link_lose(struct ct_node *n)
{
	if (n->link.wid[0] == '\0')
		return;
	ct_log(CT_WARN, "link", "place %s is lost: its jobs are stopped",
	    n->link.wid);
	ct_slots_fence(n);
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
	ct_redis_close(l->bell);
	ct_redis_close(l->main);
	l->bell = NULL;
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

/* Redis refuses prefixes of which one covers another. */
static bool
covered(const struct ct_node *n, size_t i)
{
	const struct ct_queue_row *q = n->queue;
	size_t j;

	for (j = 0; j < n->nqueues; j++)
		if (j != i && q[j].list[0].n < q[i].list[0].n &&
		    ct_str_starts(q[i].list[0], q[j].list[0]))
			return true;
	return false;
}

static enum ct_rc
hang_bell(struct ct_node *n, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_str id[2] = {CT_STR("CLIENT"), CT_STR("ID")};
	struct ct_str sub[2] = {
	    CT_STR("SUBSCRIBE"), CT_STR("__redis__:invalidate")};
	struct ct_str argv[8 + 2 * CT_QUEUES_MAX] = {CT_STR("CLIENT"),
	    CT_STR("TRACKING"), CT_STR("ON"), CT_STR("REDIRECT"), {0},
	    CT_STR("BCAST"), CT_STR("NOLOOP")};
	int argc = 7;
	enum ct_rc rc;
	size_t i;

	rc = ct_redis_do(n->link.bell, n->scratch, 2, id, &reply, err);
	if (rc != CT_OK)
		return rc;
	argv[4] = number(n->scratch, ct_reply_i64(reply));
	rc = ct_redis_do(n->link.bell, n->scratch, 2, sub, &reply, err);
	if (rc != CT_OK)
		return rc;
	for (i = 0; i < n->nqueues; i++) {
		if (covered(n, i))
			continue;
		argv[argc++] = CT_STR("PREFIX");
		argv[argc++] = n->queue[i].list[0];
	}
	return ct_redis_do(n->link.main, n->scratch, argc, argv, &reply, err);
}

static enum ct_rc
dial(struct ct_node *n, struct ct_err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &n->link};
	struct ct_link *l = &n->link;
	int timeout = ct_int((size_t)n->conf->redis_timeout_ms);
	enum ct_rc rc;

	rc = ct_redis_open(n->conf->redis_url, timeout, &l->main, err);
	if (rc == CT_OK)
		rc = ct_redis_open(n->conf->redis_url, timeout, &l->bell, err);
	if (rc == CT_OK)
		rc = ct_redis_ready(l->main, err);
	if (rc == CT_OK)
		rc = ct_redis_ready(l->bell, err);
	if (rc == CT_OK)
		rc = hang_bell(n, err);
	if (rc != CT_OK)
		return rc;
	if (epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, ct_redis_fd(l->bell), &ev) !=
	    0) {
		ct_fail(err, CT_RETRY, NULL, "cannot watch the bell");
		return ct_err_detail(err, "%s", strerror(errno));
	}
	return CT_OK;
}

static bool
take_place(struct ct_node *n)
{
	struct ct_link *l = &n->link;
	const struct redisReply *reply;
	struct ct_str argv[7];
	uint8_t nonce[6];
	char hex[13];

	ct_random(nonce, sizeof(nonce));
	ct_hex(nonce, sizeof(nonce), hex);
	snprintf(
	    l->wid, sizeof(l->wid), "%s:%d:%s", n->host, (int)getpid(), hex);
	argv[2] = ct_str_of(n->host);
	argv[3] = number(n->scratch, getpid());
	argv[4] = ct_str_of(n->conf->queues);
	argv[5] = number(n->scratch, (int64_t)n->nslots);
	argv[6] = number(n->scratch, 10 * n->conf->lease_ms);
	if (!ask(n, "jq_register", 7, argv, &reply)) {
		/* It may have been taken; nothing is held under it. */
		l->wid[0] = '\0';
		return false;
	}
	ct_log(CT_INFO, "link", "serving as %s", l->wid);
	return true;
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
	if (l->wid[0] != '\0' && !ct_link_beat(n) && l->main == NULL)
		return false;
	asked = ct_mono_ms();
	if (l->wid[0] == '\0') {
		if (!take_place(n))
			return false;
		l->beat_ok_ms = asked;
	}
	if (!ct_link_audit(n))
		return false;
	l->backoff_ms = 0;
	n->rung = true;
	return true;
}

bool
ct_link_beat(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[ARGV_MAX];
	/* The lease runs from before the question. */
	int64_t asked = ct_mono_ms();
	struct ct_slot *s;
	int argc = 3;
	size_t i;

	argv[2] = number(n->scratch, 10 * n->conf->lease_ms);
	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state == CT_SLOT_BUSY)
			argv[argc++] = s->msg.id;
	if (!ask(n, "jq_beat", argc, argv, &reply))
		return false;
	if (ct_reply_i64(ct_reply_at(reply, 0)) != 1) {
		ct_link_lose(n);
		return false;
	}
	n->link.beat_ok_ms = asked;
	for (i = 1; i < ct_reply_n(reply); i++)
		for (s = n->slot; s < n->slot + n->nslots; s++)
			if (s->state == CT_SLOT_BUSY &&
			    ct_str_eq(
				s->msg.id, ct_reply_str(ct_reply_at(reply, i))))
				ct_slot_stop(s, CT_STOP_CANCEL);
	return true;
}

bool
ct_link_reap(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[11];
	int64_t nodes, back, dead;
	char when[CT_TIME_MAX];

	ct_time_format(ct_now_us(), when);
	when[strcspn(when, "Z")] = '\0';
	argv[2] = number(n->scratch, n->conf->lease_ms / 2);
	argv[3] = number(n->scratch, n->conf->max_redeliver);
	argv[4] = CT_STR("{\"status\":\"FAILURE\",\"result\":{\"exc_type\":"
			 "\"WorkerLostError\",\"exc_message\":"
			 "[\"Worker exited prematurely.\"],\"exc_module\":"
			 "\"billiard.exceptions\"},\"traceback\":null,"
			 "\"children\":[],\"task_id\":");
	argv[5] = ct_str_of(
	    ct_arena_printf(n->scratch, ",\"date_done\":\"%s\"}", when));
	argv[6] = number(n->scratch, CT_RESULT_TTL_S);
	argv[7] = number(n->scratch, 604800);
	argv[8] = number(n->scratch, 10000);
	argv[9] = number(n->scratch, REAP_LIMIT);
	argv[10] = number(n->scratch, n->conf->lease_ms);
	if (!ask(n, "jq_reap", 11, argv, &reply))
		return false;
	nodes = ct_reply_i64(ct_reply_at(reply, 0));
	back = ct_reply_i64(ct_reply_at(reply, 1));
	dead = ct_reply_i64(ct_reply_at(reply, 2));
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

bool
ct_link_promote(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[3];
	int64_t wait_ms;

	argv[2] = number(n->scratch, PROMOTE_LIMIT);
	if (!ask(n, "jq_promote", 3, argv, &reply))
		return false;
	wait_ms = ct_reply_i64(ct_reply_at(reply, 1));
	if (wait_ms < 0 || wait_ms > PROMOTE_MAX_MS)
		wait_ms = PROMOTE_MAX_MS;
	n->next_promote_ms = ct_mono_ms() + wait_ms;
	if (ct_reply_i64(ct_reply_at(reply, 0)) > 0)
		n->rung = true;
	return true;
}

static bool
is_known(const struct ct_node *n, struct ct_str src, struct ct_str raw)
{
	const struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		if (s->state >= CT_SLOT_STARTING && s->state <= CT_SLOT_ENDED &&
		    ct_str_eq(s->src, src) && ct_str_eq(s->msg.raw, raw))
			return true;
	return false;
}

bool
ct_link_audit(struct ct_node *n)
{
	const struct redisReply *held, *reply;
	struct ct_str argv[CT_SETTLE_ARGC];
	struct ct_str src, raw;
	size_t i, j;

	if (!ask(n, "jq_audit", 2, argv, &held))
		return false;
	for (i = 0; i + 1 < ct_reply_n(held); i += 2) {
		src = ct_reply_str(ct_reply_at(held, i));
		raw = ct_reply_str(ct_reply_at(held, i + 1));
		if (is_known(n, src, raw))
			continue;
		ct_log(CT_WARN, "link",
		    "audit: a claimed message was not "
		    "known, it goes back");
		for (j = 0; j < CT_SETTLE_ARGC; j++)
			argv[j] = CT_STR("");
		argv[2] = src;
		argv[3] = raw;
		argv[6] = CT_STR("requeue");
		argv[8] = CT_STR("0");
		argv[13] = CT_STR("-1");
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
	argv[3] = number(n->scratch, s->msg.retries);
	argv[4] = ct_result_json(
	    n->scratch, &s->msg, CT_R_PROGRESS, value, (struct ct_str){0}, 0);
	argv[5] = number(n->scratch, CT_RESULT_TTL_S);
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

bool
ct_link_rings(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_err err;

	ct_err_clear(&err);
	while (n->link.bell != NULL) {
		if (ct_redis_poll(n->link.bell, n->scratch, &reply, &err) !=
		    CT_OK) {
			ct_link_drop(n, &err);
			return false;
		}
		if (reply == NULL)
			return true;
		n->rung = true;
	}
	return false;
}

void
ct_link_leave(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_str argv[2];

	if (ct_link_up(n) && ask(n, "jq_leave", 2, argv, &reply))
		n->link.wid[0] = '\0';
}
