/*
 * A node's third connection: subscribed to Celery's remote control. Where it
 * is lost it is made anew, with back-off; it goes down with the link.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/redis_url.h"
#include "worker/node.h"

#define TURN_MAX       16 /* requests of one turn */
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000
#define REPLY_TTL_S    "60"
#define REPLIES_MAX    "1000" /* that lie unread */
#define EXCHANGE       "reply.celery.pidbox"
#define BINDING_SEP    "\x06\x16" /* kombu's */

enum ct_rc
ct_control_init(struct ct_node *n, struct ct_err *err)
{
	struct ct_redis_url u = {0};

	n->control.started_ms = ct_mono_ms();
	n->events.on = n->conf->events;
	n->events.runs = calloc(ct_tasks_n, sizeof(*n->events.runs));
	if (n->events.runs == NULL)
		return ct_fail(err, CT_INTERNAL, NULL, "no memory");
	if (!ct_redis_url_parse(n->scratch, ct_str_of(n->conf->redis_url), &u))
		return ct_fail(
		    err, CT_INVALID, NULL, "REDIS_URL is not understood");
	n->control.db = u.db;
	return CT_OK;
}

static enum ct_rc
hang(struct ct_node *n, struct ct_err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &n->control};
	int timeout = ct_int((size_t)n->conf->redis_timeout_ms);
	struct ct_str argv[2] = {CT_STR("SUBSCRIBE")};
	const struct redisReply *reply;
	enum ct_rc rc;

	argv[1] = ct_str_of(ct_arena_printf(
	    n->scratch, "/%lld.celery.pidbox", (long long)n->control.db));
	rc = ct_redis_open(n->conf->redis_url, timeout, &n->control.sub, err);
	if (rc == CT_OK)
		rc = ct_redis_do(
		    n->control.sub, n->scratch, 2, argv, &reply, err);
	if (rc == CT_OK && epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD,
			       ct_redis_fd(n->control.sub), &ev) != 0) {
		ct_fail(err, CT_RETRY, NULL, "cannot watch remote control");
		rc = ct_err_detail(err, "%s", strerror(errno));
	}
	return rc;
}

void
ct_control_drop(struct ct_node *n, const struct ct_err *why)
{
	struct ct_control *c = &n->control;

	ct_redis_close(c->sub);
	c->sub = NULL;
	c->more = false;
	if (why == NULL)
		return;
	if (c->backoff_ms == 0)
		ct_log(CT_WARN, "control", "no remote control: %s %s", why->msg,
		    why->detail);
	c->backoff_ms = c->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * c->backoff_ms;
	if (c->backoff_ms > BACKOFF_MAX_MS)
		c->backoff_ms = BACKOFF_MAX_MS;
	c->retry_ms = ct_mono_ms() + c->backoff_ms;
}

void
ct_control_hang(struct ct_node *n)
{
	struct ct_control *c = &n->control;
	struct ct_err err;

	if (!n->conf->control || c->sub != NULL || !ct_link_up(n) ||
	    ct_mono_ms() < c->retry_ms)
		return;
	ct_err_clear(&err);
	if (hang(n, &err) != CT_OK) {
		ct_control_drop(n, &err);
		return;
	}
	if (c->backoff_ms > 0)
		ct_log(CT_INFO, "control", "remote control works again");
	c->backoff_ms = 0;
}

/* {"ticket": ..., "clock": ...} */
static struct ct_str
headers(struct ct_node *n, const struct ct_control_msg *m)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, n->scratch, 128);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "ticket");
	ct_jw_str(&w, m->ticket);
	ct_jw_key(&w, "clock");
	ct_jw_i64(&w, ct_events_tick(n));
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

static void
deliver(struct ct_node *n, const struct ct_control_msg *m, struct ct_str body)
{
	struct ct_str argv[6], list;
	struct ct_err err;

	if (!ct_link_up(n))
		return;
	ct_err_clear(&err);
	list = ct_str_of(ct_arena_printf(
	    n->scratch, "%.*s." EXCHANGE, CT_STR_FMT(m->reply_key)));
	argv[0] = CT_STR("_kombu.binding." EXCHANGE);
	argv[1] = list;
	argv[2] = ct_str_of(
	    ct_arena_printf(n->scratch, "%.*s" BINDING_SEP BINDING_SEP "%.*s",
		CT_STR_FMT(m->reply_key), CT_STR_FMT(list)));
	argv[3] = ct_kombu_wrap(
	    n->scratch, body, headers(n, m), EXCHANGE, m->reply_key);
	argv[4] = CT_STR(REPLY_TTL_S);
	argv[5] = CT_STR(REPLIES_MAX);
	if (ct_redis_eval(n->link.main, n->scratch, ct_script("jq_answer"), 2,
		6, argv, NULL, &err) != CT_OK &&
	    !ct_redis_up(n->link.main))
		ct_link_drop(n, &err);
}

static void
take(struct ct_node *n, struct ct_str raw)
{
	struct ct_control_msg m;
	struct ct_str reply;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_control_answer(n, raw, &m, &reply, &err) != CT_OK)
		ct_log(CT_WARN, "control", "a request was not understood: %s",
		    err.msg);
	else if (reply.p != NULL)
		deliver(n, &m, reply);
}

void
ct_control_serve(struct ct_node *n)
{
	const struct redisReply *reply;
	struct ct_mark mark;
	struct ct_err err;
	int i;

	n->control.more = false;
	for (i = 0; i < TURN_MAX && n->control.sub != NULL; i++) {
		ct_err_clear(&err);
		mark = ct_arena_mark(n->scratch);
		if (ct_redis_poll(n->control.sub, n->scratch, &reply, &err) !=
		    CT_OK) {
			ct_control_drop(n, &err);
			return;
		}
		if (reply == NULL)
			return;
		if (ct_str_is(ct_reply_str(ct_reply_at(reply, 0)), "message"))
			take(n, ct_reply_str(ct_reply_at(reply, 2)));
		ct_arena_rewind(n->scratch, mark);
	}
	n->control.more = n->control.sub != NULL;
}
