/*
 * The doorbell: a second connection on which Redis tells a node of a push. A
 * node that found the lists empty reads them once more, and Redis says when
 * one of them changes (client tracking, sent on to this connection): a push
 * wakes an idle node at once, whoever made it, and costs a busy one nothing.
 * The same holds for what is scheduled. Without the bell the node asks by the
 * clock; with it, too, but seldom, since a connection may be dead unnoticed.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "worker/node.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000

static enum ct_rc
track(struct ct_node *n, struct ct_err *err)
{
	const struct ct_str ask_id[] = {CT_STR("CLIENT"), CT_STR("ID")};
	const struct ct_str sub[] = {
	    CT_STR("SUBSCRIBE"), CT_STR("__redis__:invalidate")};
	/* Without NOLOOP: with it, a list that the node itself changes (a
	 * claim, a promotion) would be forgotten without a word, and the node
	 * would think the bell still armed. */
	struct ct_str on[] = {CT_STR("CLIENT"), CT_STR("TRACKING"),
	    CT_STR("ON"), CT_STR("REDIRECT"), {0}, CT_STR("OPTIN")};
	const struct redisReply *reply;
	enum ct_rc rc;

	rc = ct_redis_do(n->link.bell, n->scratch, 2, ask_id, &reply, err);
	if (rc != CT_OK)
		return rc;
	on[4] = ct_str_of_i64(n->scratch, ct_reply_i64(reply));
	rc = ct_redis_do(n->link.bell, n->scratch, 2, sub, &reply, err);
	if (rc != CT_OK)
		return rc;
	return ct_redis_do(
	    n->link.main, n->scratch, ct_countof(on), on, &reply, err);
}

static enum ct_rc
hang(struct ct_node *n, struct ct_err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &n->link};
	int timeout = ct_link_timeout_ms(n);
	enum ct_rc rc;

	rc = ct_redis_open(n->conf->redis_url, timeout, &n->link.bell, err);
	if (rc == CT_OK)
		rc = track(n, err);
	if (rc == CT_OK && epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD,
			       ct_redis_fd(n->link.bell), &ev) != 0) {
		ct_fail(err, CT_RETRY, NULL, "cannot watch the bell");
		rc = ct_err_detail(err, "%s", strerror(errno));
	}
	return rc;
}

void
ct_bell_drop(struct ct_node *n, const struct ct_err *why)
{
	struct ct_link *l = &n->link;

	ct_redis_close(l->bell);
	l->bell = NULL;
	if (why == NULL)
		return;
	if (l->bell_backoff_ms == 0)
		ct_log(CT_WARN, "bell",
		    "no doorbell, asking by the clock: %s %s", why->msg,
		    why->detail);
	l->bell_backoff_ms =
	    l->bell_backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * l->bell_backoff_ms;
	if (l->bell_backoff_ms > BACKOFF_MAX_MS)
		l->bell_backoff_ms = BACKOFF_MAX_MS;
	l->bell_retry_ms = ct_mono_ms() + l->bell_backoff_ms;
}

void
ct_bell_hang(struct ct_node *n)
{
	struct ct_link *l = &n->link;
	struct ct_err err;

	if (l->bell != NULL || ct_mono_ms() < l->bell_retry_ms)
		return;
	ct_err_clear(&err);
	if (hang(n, &err) != CT_OK) {
		ct_bell_drop(n, &err);
		if (!ct_redis_up(l->main))
			ct_link_drop(n, &err);
		return;
	}
	if (l->bell_backoff_ms > 0)
		ct_log(CT_INFO, "bell", "the doorbell works again");
	l->bell_backoff_ms = 0;
	l->armed = l->sched_armed = false;
	/* What was pushed before made no sound. */
	n->rung = true;
}

bool
ct_bell_unarmed(const struct ct_node *n)
{
	return n->link.bell != NULL && !(n->link.armed && n->link.sched_armed);
}

static struct ct_str
our_key(const struct ct_node *n, const char *name)
{
	return ct_str_of(
	    ct_arena_printf(n->scratch, "%s%s", n->conf->queue_prefix, name));
}

/* Read keys so that Redis tells of their next change. */
static bool
append_watch(
    struct ct_node *n, int argc, const struct ct_str *argv, struct ct_err *err)
{
	const struct ct_str yes[] = {
	    CT_STR("CLIENT"), CT_STR("CACHING"), CT_STR("YES")};

	return ct_redis_append(n->link.main, ct_countof(yes), yes, err) ==
		   CT_OK &&
	       ct_redis_append(n->link.main, argc, argv, err) == CT_OK;
}

bool
ct_bell_append(struct ct_node *n, struct ct_err *err)
{
	const struct ct_str sched[] = {CT_STR("EXISTS"), our_key(n, "sched")};
	/* A queue that goes on again is as good as a push. */
	struct ct_str argv[2 + CT_LISTS_MAX] = {
	    CT_STR("EXISTS"), our_key(n, "pause")};
	size_t i, argc = 2;
	int step;

	for (i = 0; i < n->queues.n; i++)
		for (step = 0; step < CT_STEPS; step++)
			argv[argc++] = n->queues.row[i].list[step];
	return (n->link.armed || append_watch(n, (int)argc, argv, err)) &&
	       (n->link.sched_armed || append_watch(n, 2, sched, err));
}

/* The answer to append_watch: how many of the keys are there. */
static bool
take_watch(struct ct_node *n, bool *armed, int64_t *there, struct ct_err *err)
{
	const struct redisReply *reply;

	if (ct_redis_take(n->link.main, n->scratch, &reply, err) != CT_OK ||
	    ct_redis_take(n->link.main, n->scratch, &reply, err) != CT_OK)
		return false;
	*armed = true;
	*there = ct_reply_i64(reply);
	return true;
}

bool
ct_bell_take(struct ct_node *n, struct ct_err *err)
{
	struct ct_link *l = &n->link;
	int64_t there = 0;

	if (!l->armed && !take_watch(n, &l->armed, &there, err))
		return false;
	/* Pushed since the claim: no ring is due for it. */
	if (there > 0)
		n->rung = true;
	if (l->sched_armed)
		return true;
	if (!take_watch(n, &l->sched_armed, &there, err))
		return false;
	/* Scheduled since the last look: the same. */
	if (there > 0)
		n->next_promote_ms = 0;
	return true;
}

/* keys: those that have changed; none are named where all have. */
static void
ring(struct ct_node *n, const struct redisReply *keys)
{
	struct ct_str sched = our_key(n, "sched");
	size_t i, of_sched = 0, got = ct_reply_n(keys);

	for (i = 0; i < got; i++)
		of_sched +=
		    ct_str_eq(ct_reply_str(ct_reply_at(keys, i)), sched);
	if (of_sched > 0 || got == 0) {
		n->link.sched_armed = false;
		n->next_promote_ms = 0;
	}
	if (of_sched < got || got == 0) {
		n->link.armed = false;
		n->rung = true;
	}
}

void
ct_bell_rings(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_err err;

	ct_err_clear(&err);
	while (n->link.bell != NULL) {
		if (ct_redis_poll(n->link.bell, n->scratch, &reply, &err) !=
		    CT_OK) {
			ct_bell_drop(n, &err);
			return;
		}
		if (reply == NULL)
			return;
		ring(n, ct_reply_at(reply, 2));
	}
}
