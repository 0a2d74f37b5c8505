/*
 * The scheduler, a child of every node. One of them all leads: it holds a lock
 * for two leases of a node (a slot is late by no more where a leader dies),
 * renews it at three tenths of that and trusts itself for seven.
 * Redis judges each slot by the lock's epoch and by the slots that were dealt
 * with, so a leader that is late, or a second one, does no harm.
 *
 * It has a process and a connection of its own: neither a slow PostgreSQL (the
 * relay waits for it) nor a busy node makes it late, and the C library's zones
 * belong to a whole process.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/celery.h"
#include "common/cron_table.h"
#include "common/crypto.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "worker/node.h"

#define ARENA	 ((size_t)4 << 20)
#define RETRY_MS 1000

struct row {
	struct ct_cron_plan plan;
	int64_t last_s; /* the newest slot that was dealt with */
	int64_t next_s;
};

struct cron {
	const struct ct_conf *conf;
	struct ct_redis *redis;
	struct ct_arena *a; /* reset each turn */
	struct row rows[CT_CRON_ROWS_MAX];
	char token[160];
	char lead[200];	  /* "epoch token"; "": another one leads */
	int64_t sure_ms;  /* monotonic: when the lock was last granted */
	int64_t redis_ms; /* the clock of Redis at `read_ms` */
	int64_t read_ms;
	int64_t ask_ms; /* when to ask again */
	bool failing;
};

static int64_t
lock_ms(const struct cron *c)
{
	return 2 * c->conf->lease_ms;
}

static bool
leads(const struct cron *c)
{
	return c->lead[0] != '\0' &&
	       ct_mono_ms() - c->sure_ms < lock_ms(c) * 7 / 10;
}

/* What Redis's clock says at least. */
static int64_t
redis_now_ms(const struct cron *c)
{
	return c->redis_ms + ct_mono_ms() - c->read_ms;
}

static void
resign(struct cron *c)
{
	if (c->lead[0] != '\0')
		ct_log(CT_INFO, "cron", "leads the schedule no more");
	c->lead[0] = '\0';
}

static enum ct_rc
eval(struct cron *c, const char *script, int argc, struct ct_str *argv,
    const struct redisReply **reply, struct ct_err *err)
{
	argv[0] = ct_str_of(c->conf->queue_prefix);
	return ct_redis_eval(
	    c->redis, c->a, ct_script(script), 0, argc, argv, reply, err);
}

/* ------------------------------------------------------------ one slot */

/* The word of jq_cron_fire. argv from [5] on is the operation's own. */
static enum ct_rc
tell(struct cron *c, const struct row *r, const char *op, int64_t slot_s,
    int argc, struct ct_str *argv, struct ct_str *word, struct ct_err *err)
{
	const struct redisReply *reply;

	argv[1] = ct_str_of(c->lead);
	argv[2] = ct_str_of(r->plan.row->name);
	argv[3] = ct_str_of(op);
	argv[4] = ct_str_of_i64(c->a, slot_s);
	if (eval(c, "jq_cron_fire", argc, argv, &reply, err) != CT_OK)
		return err->rc;
	*word = ct_reply_str(reply);
	/* The clock of Redis went back, or the lock went to another one. */
	if (ct_str_is(*word, "FENCED") || ct_str_is(*word, "EARLY")) {
		resign(c);
		c->ask_ms = 0;
	}
	return CT_OK;
}

static void
note(const struct row *r, int64_t slot_s, struct ct_str word, const char *id)
{
	char when[CT_TIME_MAX];
	struct ct_line l;

	ct_line_begin(&l, CT_INFO, "cron");
	ct_line_str(&l, "row", ct_str_of(r->plan.row->name));
	ct_line_str(
	    &l, "slot", ct_str_of(ct_time_format(slot_s * 1000000, when)));
	ct_line_str(&l, "what", word);
	ct_line_str(&l, "id", ct_str_of(id));
	ct_line_end(&l);
}

static void
count(enum ct_metric_id metric, const struct row *r, int64_t n)
{
	char label[64];

	snprintf(label, sizeof(label), "row=\"%s\"", r->plan.row->name);
	ct_metric_add(ct_metric(metric, label), ct_size(n));
}

static enum ct_rc
fire(struct cron *c, struct row *r, int64_t slot_s, struct ct_err *err)
{
	const struct ct_cron_row *row = r->plan.row;
	struct ct_uuid id = ct_uuid_new();
	char text[CT_UUID_TEXT];
	const struct ct_msg_new msg = {.id = ct_uuid_format(&id, text),
	    .task = row->task,
	    .queue = row->queue,
	    .kwargs = ct_str_of(row->kwargs)};
	struct ct_str argv[12], word;

	argv[5] = r->plan.overlap ? CT_STR("allow") : CT_STR("skip");
	argv[6] = ct_str_of(text);
	argv[7] = ct_msg_list(c->a, ct_str_of(row->queue), 0);
	argv[8] = ct_msg_encode(c->a, &msg);
	argv[9] = ct_str_of(row->task);
	argv[10] = ct_str_of(row->queue);
	argv[11] = CT_STR(CT_JOB_TTL_S);
	if (tell(c, r, "fire", slot_s, 12, argv, &word, err) != CT_OK)
		return err->rc;
	if (ct_str_is(word, "FIRED")) {
		count(CT_M_CRON_FIRED, r, 1);
		ct_metric_add(
		    ct_metric(CT_M_JOBS_ENQUEUED,
			ct_arena_printf(c->a, "queue=\"%s\",task=\"%s\"",
			    row->queue, row->task)),
		    1);
	}
	if (ct_str_is(word, "RUNNING"))
		count(CT_M_CRON_MISSED, r, 1);
	note(r, slot_s, word, text);
	return CT_OK;
}

/* What is due of one row. Stops where the lead is lost. */
static enum ct_rc
run_row(struct cron *c, struct row *r, int64_t now_s, struct ct_err *err)
{
	int64_t slots[CT_CRON_DUE], missed;
	struct ct_str argv[5], word;
	size_t n = ct_cron_due(&r->plan.when, r->plan.misfire, r->plan.most,
	    r->last_s, now_s, slots, &missed);

	for (size_t i = 0; i < n; i++) {
		if (!leads(c))
			return CT_OK;
		if (fire(c, r, slots[i], err) != CT_OK)
			return err->rc;
	}
	if (missed > 0) {
		ct_log(CT_WARN, "cron", "row %s missed %lld slots",
		    r->plan.row->name, (long long)missed);
		count(CT_M_CRON_MISSED, r, missed);
	}
	/* So that the next leader does not find them again. */
	if (n == 0 && leads(c) &&
	    tell(c, r, "pass", now_s, 5, argv, &word, err) != CT_OK)
		return err->rc;
	if (leads(c)) {
		r->last_s = now_s;
		r->next_s = ct_cron_next(&r->plan.when, now_s);
	}
	return CT_OK;
}

static enum ct_rc
run_due(struct cron *c, struct ct_err *err)
{
	for (size_t i = 0; i < ct_cron_rows_n && leads(c); i++) {
		struct row *r = &c->rows[i];
		int64_t now_s = redis_now_ms(c) / 1000;

		if (r->plan.on && r->next_s <= now_s &&
		    run_row(c, r, now_s, err) != CT_OK)
			return err->rc;
	}
	return CT_OK;
}

/* ------------------------------------------------------------- leading */

/* Where the row stands; begins now where it is new or was changed. */
static enum ct_rc
load_row(struct cron *c, struct row *r, int64_t now_s, struct ct_err *err)
{
	struct ct_str argv[6] = {
	    CT_STR("HMGET"), {0}, CT_STR("slot"), CT_STR("text")};
	const struct redisReply *reply;
	struct ct_str text, slot, word;

	argv[1] = ct_str_of(ct_arena_printf(
	    c->a, "%scron:%s", c->conf->queue_prefix, r->plan.row->name));
	if (ct_redis_do(c->redis, c->a, 4, argv, &reply, err) != CT_OK)
		return err->rc;
	slot = ct_reply_str(ct_reply_at(reply, 0));
	/* The zone of all rows is part of what this one means. */
	text = ct_str_of(
	    ct_arena_printf(c->a, "%s (%s)", r->plan.text, c->conf->cron_zone));
	if (!ct_str_eq(ct_reply_str(ct_reply_at(reply, 1)), text) ||
	    !ct_str_i64(slot, 0, now_s + CT_CRON_LATE_S, &r->last_s)) {
		r->last_s = now_s;
		argv[5] = text;
		if (tell(c, r, "seed", now_s, 6, argv, &word, err) != CT_OK)
			return err->rc;
	}
	if (r->plan.on)
		r->next_s = ct_cron_next(&r->plan.when, r->last_s);
	return CT_OK;
}

static enum ct_rc
begin(struct cron *c, struct ct_str lead, struct ct_err *err)
{
	int64_t now_s = redis_now_ms(c) / 1000;

	snprintf(c->lead, sizeof(c->lead), "%.*s", CT_STR_FMT(lead));
	for (size_t i = 0; i < ct_cron_rows_n && leads(c); i++)
		if (load_row(c, &c->rows[i], now_s, err) != CT_OK)
			return err->rc;
	if (leads(c))
		ct_log(CT_INFO, "cron", "leads the schedule as %s", c->lead);
	return CT_OK;
}

/* ttl_ms 0: give the lead up. */
static enum ct_rc
ask(struct cron *c, int64_t ttl_ms, struct ct_err *err)
{
	const struct redisReply *reply;
	struct ct_str argv[3], lead;
	/* The lock runs from before the question, the clock is read after. */
	int64_t asked_ms = ct_mono_ms(), now_ms;

	argv[1] = ct_str_of(c->token);
	argv[2] = ct_str_of_i64(c->a, ttl_ms);
	if (eval(c, "jq_leader", 3, argv, &reply, err) != CT_OK)
		return err->rc;
	now_ms = ct_reply_i64(ct_reply_at(reply, 1));
	/* Where its clock was set back, the rows begin anew. */
	if (c->lead[0] != '\0' &&
	    now_ms < redis_now_ms(c) - CT_CRON_LATE_S * 1000)
		resign(c);
	c->redis_ms = now_ms;
	c->read_ms = ct_mono_ms();
	lead = ct_reply_str(ct_reply_at(reply, 2));
	if (ct_reply_i64(ct_reply_at(reply, 0)) != 1) {
		resign(c);
		return CT_OK;
	}
	c->sure_ms = asked_ms;
	/* Another epoch: somebody else led meanwhile. */
	return ct_str_is(lead, c->lead) ? CT_OK : begin(c, lead, err);
}

static enum ct_rc
turn(struct cron *c, struct ct_err *err)
{
	if (ct_mono_ms() >= c->ask_ms) {
		c->ask_ms = ct_mono_ms() + lock_ms(c) * 3 / 10;
		if (ask(c, lock_ms(c), err) != CT_OK)
			return err->rc;
	}
	if (c->lead[0] != '\0' && !leads(c))
		resign(c);
	return leads(c) ? run_due(c, err) : CT_OK;
}

/* ------------------------------------------------------------ the child */

/* Milliseconds until there is something to do. */
static int64_t
wait_ms(const struct cron *c)
{
	int64_t wait = c->ask_ms - ct_mono_ms();

	for (size_t i = 0; i < ct_cron_rows_n && c->lead[0] != '\0'; i++) {
		const struct row *r = &c->rows[i];
		int64_t until = r->next_s * 1000 - redis_now_ms(c);

		if (r->plan.on && until < wait)
			wait = until;
	}
	return wait < 1 ? 1 : wait;
}

/* False: SIGTERM. */
static bool
rest(int64_t ms)
{
	const struct timespec t = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	return sigtimedwait(&term, NULL, &t) != SIGTERM;
}

/* A line when it begins to fail and one when it works again. */
static void
note_state(struct cron *c, enum ct_rc rc, const struct ct_err *err)
{
	struct ct_line l;

	if ((rc != CT_OK) == c->failing)
		return;
	c->failing = rc != CT_OK;
	ct_line_begin(&l, c->failing ? CT_WARN : CT_INFO,
	    c->failing ? "cron_stopped" : "cron_works");
	if (c->failing)
		ct_line_err(&l, err);
	ct_line_end(&l);
}

static enum ct_rc
set_up(struct cron *c, struct ct_err *err)
{
	struct ct_cron_plan plan[CT_CRON_ROWS_MAX];
	char host[64] = "", nonce_text[13];
	uint8_t nonce[6];

	if (ct_cron_plan(c->conf, plan, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		c->rows[i].plan = plan[i];
	gethostname(host, sizeof(host) - 1);
	ct_random(nonce, sizeof(nonce));
	ct_hex(nonce, sizeof(nonce), nonce_text);
	snprintf(c->token, sizeof(c->token), "%s:%d:%s", host, (int)getpid(),
	    nonce_text);
	c->a = ct_arena_create(ARENA);
	return ct_redis_open(c->conf->redis_url,
	    ct_int((size_t)c->conf->redis_timeout_ms), &c->redis, err);
}

static struct ct_cell *
leader_cell(struct cron *c)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	return ct_metric(CT_M_IS_LEADER,
	    c->conf->node[0] != '\0'
		? ct_arena_printf(c->a, "node=\"%.90s\"", c->conf->node)
		: ct_arena_printf(c->a, "node=\"catetube@%s\"", host));
}

int
ct_cron_main(const struct ct_conf *conf)
{
	struct cron c = {.conf = conf};
	struct ct_cell *is_leader;
	struct ct_err err;
	sigset_t term;
	enum ct_rc rc;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	ct_err_clear(&err);
	if (set_up(&c, &err) != CT_OK) {
		ct_log(CT_ERROR, "cron", "%s %s", err.msg, err.detail);
		return 1;
	}
	is_leader = leader_cell(&c);
	do {
		ct_err_clear(&err);
		rc = turn(&c, &err);
		if (rc != CT_OK) {
			/* What came of it is unknown: ask anew. */
			resign(&c);
			c.ask_ms = ct_mono_ms() + RETRY_MS;
		}
		note_state(&c, rc, &err);
		ct_metric_set(is_leader, c.lead[0] != '\0');
		ct_arena_reset(c.a);
	} while (rest(wait_ms(&c)));
	ct_metric_set(is_leader, 0);
	ct_err_clear(&err);
	if (c.lead[0] != '\0' && ask(&c, 0, &err) != CT_OK)
		ct_log(
		    CT_WARN, "cron", "the lead was not given up: %s", err.msg);
	return 0;
}
