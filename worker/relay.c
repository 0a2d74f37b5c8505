/*
 * The outbox relay: carries jobs that were promised in PostgreSQL to Redis, and
 * removes from there what deleted accounts have left.
 * A push is idempotent by id, so a crash between the push and the mark only
 * makes it again; a row that Redis has forgotten is pushed once more.
 */
#include <signal.h>
#include <time.h>

#include "common/metrics.h"
#include "common/queue.h"
#include "db/import.h"
#include "db/mail.h"
#include "db/outbox.h"
#include "db/report.h"
#include "db/webhook.h"
#include "worker/erase.h"
#include "worker/node.h"

#define EVERY_S	    1
#define QUIET_S	    3
#define QUIET_AFTER 10 /* turns in which nothing waited */
#define AGAIN_MS    30000
#define SENT_AGE_S  60
#define BATCH	    100
#define PURGE_AGE_S (7 * 86400)
#define PURGE_MS    (3600 * 1000)
#define LOOK_MS	    5000

struct relay {
	const struct ct_conf *conf;
	struct ct_pg *pg;
	struct ct_redis *redis;
	struct ct_redis *cache; /* may equal redis */
	struct ct_arena *a;
	bool failing;
	int64_t next_again_ms;
	int64_t next_purge_ms;
	int64_t next_look_ms;
	int quiet; /* turns in which nothing waited, up to QUIET_AFTER */
};

static enum ct_rc
push(struct relay *r, const struct ct_outbox *row, struct ct_job_new *job,
    bool *fresh, struct ct_err *err)
{
	*job = (struct ct_job_new){.id = row->id,
	    .task = ct_str_cstr(r->a, row->task),
	    .queue = ct_str_cstr(r->a, row->queue),
	    .kwargs = row->kwargs,
	    .priority = (int)row->priority,
	    .due_us = row->run_at == CT_NULL_I64 ? 0 : row->run_at,
	    .expires_us = row->expires_at == CT_NULL_I64 ? 0 : row->expires_at};
	return ct_queue_push(
	    r->redis, r->a, r->conf->queue_prefix, job, fresh, err);
}

static bool
is_lost(const char *state)
{
	static const char *const ends[] = {"failed", "dead", "revoked"};
	size_t i;

	for (i = 0; i < ct_countof(ends); i++)
		if (ct_str_is(ct_str_of(ends[i]), state))
			return true;
	return false;
}

/* The job ended without its effect: nobody else will tell its row. */
static enum ct_rc
give_up(struct relay *r, const struct ct_outbox *row, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	if (ct_str_is(row->task, CT_REPORT_TASK) ||
	    ct_str_is(row->task, CT_EXPORT_TASK))
		rc = ct_report_fail(r->pg, r->a, &row->id,
		    CT_STR("The report could not be made."), err);
	if (ct_str_is(row->task, CT_IMPORT_TASK))
		rc = ct_import_fail(r->pg, r->a, &row->id,
		    CT_STR("The archive could not be read."), err);
	if (ct_str_is(row->task, CT_MAIL_TASK))
		rc = ct_mail_end(r->pg, r->a, &row->id, "failed",
		    CT_STR("The job ended without sending it."), 0, err);
	if (ct_str_is(row->task, CT_WEBHOOK_TASK))
		rc = ct_delivery_drop(r->pg, r->a, &row->id, "failed",
		    CT_STR("The job ended without sending it."), err);
	if (rc != CT_OK && rc != CT_NOTFOUND)
		return rc;
	return ct_outbox_failed(r->pg, r->a, &row->id, err);
}

static enum ct_rc
carry(struct relay *r, const struct ct_outbox *row, const char *reason,
    struct ct_err *err)
{
	struct ct_job_new job;
	bool fresh;
	enum ct_rc rc = push(r, row, &job, &fresh, err);

	if (rc != CT_OK)
		return rc;
	if (fresh)
		ct_metric_add(ct_metric(CT_M_OUTBOX_RESENT, reason), 1);
	else if (is_lost(job.state))
		return give_up(r, row, err);
	return ct_outbox_sent(r->pg, r->a, &row->id, err);
}

/* One batch in one transaction; *n: rows taken. */
static enum ct_rc
batch(struct relay *r, bool again, int *n, struct ct_err *err)
{
	struct ct_outbox *row;
	enum ct_rc rc;
	int i;

	*n = 0;
	rc = ct_pg_begin(r->pg, r->a, false, err);
	if (rc != CT_OK)
		return rc;
	rc = again ? ct_outbox_take_sent(
			 r->pg, r->a, SENT_AGE_S, BATCH, &row, n, err)
		   : ct_outbox_take_pending(r->pg, r->a, BATCH, &row, n, err);
	for (i = 0; rc == CT_OK && i < *n; i++)
		rc = carry(r, &row[i],
		    again ? "reason=\"lost\"" : "reason=\"new\"", err);
	return rc == CT_OK ? ct_pg_commit(r->pg, err) : rc;
}

static enum ct_rc
all(struct relay *r, bool again, struct ct_err *err)
{
	enum ct_rc rc;
	int n;

	do {
		rc = batch(r, again, &n, err);
		ct_arena_reset(r->a);
	} while (rc == CT_OK && n == BATCH);
	return rc;
}

/*
 * How much waits, for the metrics: counted before it is carried, or it is
 * nothing; where nothing waits that is known already.
 */
static enum ct_rc
look(struct relay *r, bool waits, struct ct_err *err)
{
	int64_t pending = 0, oldest_s = 0;

	if (waits &&
	    ct_outbox_count(r->pg, r->a, &pending, &oldest_s, err) != CT_OK)
		return err->rc;
	ct_metric_set(ct_metric(CT_M_OUTBOX_PENDING, ""), (uint64_t)pending);
	ct_metric_set(ct_metric(CT_M_OUTBOX_OLDEST, ""), (uint64_t)oldest_s);
	ct_metric_set(ct_metric(CT_M_OUTBOX_LOOKED, ""),
	    (uint64_t)(ct_now_us() / 1000000));
	return CT_OK;
}

static enum ct_rc
turn(struct relay *r, struct ct_err *err)
{
	int64_t now = ct_mono_ms(), n;
	bool waits = false;
	enum ct_rc rc = ct_outbox_waits(r->pg, r->a, &waits, err);

	if (waits)
		r->quiet = 0;
	else if (r->quiet < QUIET_AFTER)
		r->quiet++;
	if (rc == CT_OK && now >= r->next_look_ms) {
		r->next_look_ms = now + LOOK_MS;
		rc = look(r, waits, err);
	}
	if (rc == CT_OK && waits)
		rc = all(r, false, err);
	if (rc == CT_OK && now >= r->next_again_ms) {
		r->next_again_ms = now + AGAIN_MS;
		rc = all(r, true, err);
	}
	if (rc == CT_OK && now >= r->next_purge_ms) {
		r->next_purge_ms = now + PURGE_MS;
		rc = ct_outbox_purge(r->pg, r->a, PURGE_AGE_S, &n, err);
		if (rc == CT_OK)
			rc = ct_mail_purge(r->pg, r->a, err);
	}
	if (rc == CT_OK && waits)
		rc = ct_erase_left(
		    r->pg, r->redis, r->cache, r->a, r->conf, err);
	ct_arena_reset(r->a);
	return rc;
}

/* A line when it begins to fail and one when it works again. */
static void
note(struct relay *r, enum ct_rc rc, const struct ct_err *err)
{
	struct ct_line l;

	if ((rc != CT_OK) == r->failing)
		return;
	r->failing = rc != CT_OK;
	ct_line_begin(&l, r->failing ? CT_WARN : CT_INFO,
	    r->failing ? "relay_stopped" : "relay_works");
	if (r->failing)
		ct_line_err(&l, err);
	ct_line_end(&l);
}

int
ct_relay_main(const struct ct_conf *conf)
{
	struct relay r = {.conf = conf, .a = ct_arena_create(64U << 20)};
	struct ct_err err;
	enum ct_rc rc;

	signal(SIGTERM, SIG_DFL);
	ct_err_clear(&err);
	r.pg = ct_pg_open(conf->database_url, "catetube-relay",
	    ct_int((size_t)conf->pg_timeout_ms));
	if (ct_redis_open(conf->redis_url,
		ct_int((size_t)conf->redis_timeout_ms), &r.redis,
		&err) != CT_OK)
		return 1;
	r.cache = r.redis;
	if (conf->redis_cache_url[0] &&
	    ct_redis_open(conf->redis_cache_url,
		ct_int((size_t)conf->redis_timeout_ms), &r.cache,
		&err) != CT_OK)
		return 1;
	for (;;) {
		ct_err_clear(&err);
		rc = turn(&r, &err);
		note(&r, rc, &err);
		nanosleep(
		    &(struct timespec){
			.tv_sec = r.quiet < QUIET_AFTER ? EVERY_S : QUIET_S},
		    NULL);
	}
}
