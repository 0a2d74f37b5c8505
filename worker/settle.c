/*
 * What becomes of a message: decisions as settle requests. The only home of
 * retry rules.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/metrics.h"
#include "worker/node.h"

#define BACKOFF_MAX_S 600

/* What a task's rc means. */
static const bool try_again[CT_RC_COUNT] = {
    [CT_LIMITED] = true,
    [CT_RETRY] = true,
    [CT_INTERNAL] = true,
};

/* ARGV of jq_settle. */
enum {
	A_PREFIX,
	A_WID,
	A_NUMBER,
	A_ID,
	A_TRY,
	A_OP,
	A_NEXT,
	A_DUE,
	A_STATE,
	A_RESULT,
	A_RESULT_TTL,
	A_TTL,
	A_MAX,
	A_REASON,
	A_CAP
};

static void
request(struct ct_node *n, struct ct_slot *s, const char *op, const char *state,
    const char *status)
{
	struct ct_str *v = s->settle.argv;
	const struct ct_str none = CT_STR("");

	s->settle.status = status;
	s->settle.reason = NULL;
	s->settle.value = s->settle.trace = (struct ct_str){0};
	s->settle.revoked = NULL;
	s->settle.note = NULL;
	s->settle.waits = strcmp(op, "sched") == 0;
	v[A_PREFIX] = ct_str_of(n->conf->queue_prefix);
	v[A_WID] = ct_str_of(ct_arena_printf(s->a, "%s", n->link.wid));
	v[A_NUMBER] = ct_str_of_i64(s->a, s->number);
	v[A_ID] = s->msg.id.p != NULL ? s->msg.id : none;
	v[A_TRY] = ct_str_of_i64(s->a, s->msg.retries);
	v[A_OP] = ct_str_of(op);
	v[A_NEXT] = none;
	v[A_DUE] = CT_STR("0");
	v[A_STATE] = ct_str_of(state);
	v[A_RESULT] = none;
	v[A_RESULT_TTL] = ct_str_of_i64(s->a, n->conf->result_ttl_s);
	v[A_TTL] = CT_STR(CT_JOB_TTL_S);
	v[A_MAX] = CT_STR("-1");
	v[A_REASON] = none;
	v[A_CAP] = CT_STR(CT_DEAD_CAP);
	s->state = CT_SLOT_ENDED;
}

static void
set_result(struct ct_slot *s, enum ct_result r, struct ct_str value,
    struct ct_str trace)
{
	s->settle.value = value;
	s->settle.trace = trace;
	if (!s->msg.ignore_result)
		s->settle.argv[A_RESULT] =
		    ct_result_json(s->a, &s->msg, r, value, trace, ct_now_us());
}

static struct ct_str
celery_error(struct ct_slot *s, const char *type, const char *msg)
{
	return ct_exception_json(
	    s->a, "celery.exceptions", type, (struct ct_str){0}, msg);
}

/* "why: ValueError: bad input", what the record keeps of an exception. */
static struct ct_str
error_of(struct ct_slot *s, const char *why, struct ct_str value)
{
	struct ct_str text = ct_exception_text(s->a, value);

	if (*why == '\0')
		return text;
	return ct_str_of(ct_arena_printf(
	    s->a, "%s%s%.*s", why, text.n > 0 ? ": " : "", CT_STR_FMT(text)));
}

static void
fail_with(struct ct_node *n, struct ct_slot *s, struct ct_str value,
    struct ct_str trace)
{
	request(n, s, "ack", "failed", "failure");
	s->settle.argv[A_REASON] = error_of(s, "", value);
	set_result(s, CT_R_FAILURE, value, trace);
}

static void
revoke(struct ct_node *n, struct ct_slot *s, const char *word)
{
	request(n, s, "ack", "revoked", "revoked");
	s->settle.revoked = word;
	set_result(s, CT_R_REVOKED, celery_error(s, "TaskRevokedError", word),
	    (struct ct_str){0});
}

static void
bury(struct ct_node *n, struct ct_slot *s, const char *reason)
{
	struct ct_str why = ct_str_of(ct_arena_printf(s->a, "%s", reason));

	request(n, s, "dead", "dead", "dead");
	s->settle.argv[A_REASON] = why;
	s->settle.note = why.p;
	if (s->msg.id.p != NULL)
		set_result(s, CT_R_FAILURE,
		    ct_exception_json(s->a, "kombu.exceptions", "DecodeError",
			(struct ct_str){0}, why.p),
		    (struct ct_str){0});
}

/* A message that was not begun, because of a time or an unusual header. */
static void
look(struct ct_node *n, struct ct_slot *s, int64_t redis_now_ms)
{
	const struct ct_msg *m = &s->msg;

	if (m->expires_ms != CT_NULL_I64 && m->expires_ms <= redis_now_ms) {
		revoke(n, s, "expired");
	} else if (m->eta_ms != CT_NULL_I64 && m->eta_ms > redis_now_ms) {
		request(n, s, "sched", "scheduled", "scheduled");
		s->settle.argv[A_DUE] = ct_str_of_i64(s->a, m->eta_ms);
	} else {
		s->state = CT_SLOT_STARTING;
	}
}

void
ct_settle_claimed(struct ct_node *n, struct ct_slot *s, struct ct_str raw,
    struct ct_str word, int64_t redis_now_ms)
{
	struct ct_msg *m = &s->msg;
	struct ct_err err;

	ct_err_clear(&err);
	s->began_ms = ct_mono_ms();
	s->task = NULL;
	s->stop = CT_STOP_NONE;
	if (ct_msg_parse(s->a, ct_str_dup(s->a, raw), m, &err) != CT_OK) {
		bury(n, s, err.msg);
		return;
	}
	s->task = ct_task_find(m->task, n->conf->test_tasks);
	if (ct_str_is(word, "LOOK"))
		look(n, s, redis_now_ms);
	else if (!ct_str_is(word, "GO"))
		ct_settle_refused(n, s, word);
	if (s->task == NULL && s->state != CT_SLOT_ENDED)
		fail_with(n, s,
		    celery_error(
			s, "NotRegistered", ct_str_cstr(s->a, m->task)),
		    (struct ct_str){0});
}

void
ct_settle_refused(struct ct_node *n, struct ct_slot *s, struct ct_str word)
{
	if (ct_str_is(word, "CANCELLED"))
		revoke(n, s, "revoked");
	else
		request(n, s, "drop", "", "duplicate");
}

int64_t
ct_backoff_ms(int backoff_s, int64_t retries)
{
	int64_t cap_ms = (int64_t)backoff_s * 1000;
	int64_t i;

	for (i = 0; i < retries && cap_ms < BACKOFF_MAX_S * 1000; i++)
		cap_ms *= 2;
	if (cap_ms > BACKOFF_MAX_S * 1000)
		cap_ms = BACKOFF_MAX_S * 1000;
	return (int64_t)ct_random_below((uint64_t)cap_ms + 1);
}

static void
retry(struct ct_node *n, struct ct_slot *s, const struct ct_frame *f,
    struct ct_str value, struct ct_str trace)
{
	int64_t wait_ms =
	    f->retry_in_ms >= 0
		? f->retry_in_ms
		: ct_backoff_ms(s->task->backoff_s, s->msg.retries);

	request(n, s, "sched", "scheduled", "retry");
	s->settle.argv[A_NEXT] = ct_msg_again(s->a, &s->msg);
	s->settle.argv[A_DUE] =
	    ct_str_of_i64(s->a, ct_now_us() / 1000 + wait_ms);
	s->settle.argv[A_REASON] = error_of(s, "", value);
	set_result(s, CT_R_RETRY, value, trace);
}

static void
requeue(struct ct_node *n, struct ct_slot *s, bool counts, const char *reason)
{
	request(n, s, "requeue", "dead", "requeued");
	s->settle.reason = reason;
	if (!counts)
		return;
	s->settle.argv[A_MAX] = ct_str_of_i64(s->a, n->conf->max_redeliver);
	s->settle.argv[A_REASON] = CT_STR("worker lost");
	s->settle.note = "worker lost";
	set_result(s, CT_R_FAILURE,
	    ct_exception_json(s->a, "billiard.exceptions", "WorkerLostError",
		(struct ct_str){0}, "Worker exited prematurely."),
	    (struct ct_str){0});
}

void
ct_settle_unknown(struct ct_str held, struct ct_str *argv)
{
	size_t i;

	for (i = 0; i < CT_SETTLE_ARGC; i++)
		argv[i] = CT_STR("");
	argv[A_NUMBER] = held;
	argv[A_OP] = CT_STR("requeue");
	argv[A_DUE] = CT_STR("0");
	argv[A_MAX] = CT_STR("-1");
}

void
ct_settle_unstarted(struct ct_node *n, struct ct_slot *s)
{
	requeue(n, s, false, "reconnect");
}

/* The child stopped, or was killed, because it was asked to. */
static bool
settle_stopped(struct ct_node *n, struct ct_slot *s)
{
	switch (s->stop) {
	case CT_STOP_SOFT:
		fail_with(n, s,
		    celery_error(
			s, "SoftTimeLimitExceeded", "SoftTimeLimitExceeded()"),
		    (struct ct_str){0});
		return true;
	case CT_STOP_HARD:
		fail_with(n, s,
		    celery_error(s, "TimeLimitExceeded",
			ct_arena_printf(s->a, "TimeLimitExceeded(%lld)",
			    (long long)(ct_mono_ms() - s->began_ms) / 1000)),
		    (struct ct_str){0});
		return true;
	case CT_STOP_CANCEL:
		revoke(n, s, "terminated");
		return true;
	case CT_STOP_DRAIN:
		requeue(n, s, false, "drain");
		return true;
	case CT_STOP_NONE:
		break;
	}
	return false;
}

void
ct_settle_frame(struct ct_node *n, struct ct_slot *s, const struct ct_frame *f)
{
	struct ct_str value =
	    ct_str_dup(s->a, (struct ct_str){f->text, f->value_n});
	struct ct_str trace = {0};

	if (f->trace_n > 0)
		trace = ct_str_dup(
		    s->a, (struct ct_str){f->text + f->value_n, f->trace_n});
	if (f->kind == CT_FRAME_POISON) {
		bury(n, s, value.p);
	} else if (f->rc == CT_OK) {
		request(n, s, "ack", "succeeded", "success");
		s->settle.argv[A_TTL] = ct_str_of_i64(s->a, n->conf->job_ttl_s);
		set_result(s, CT_R_SUCCESS, value, trace);
	} else if (settle_stopped(n, s)) {
		return;
	} else if (!try_again[f->rc]) {
		fail_with(n, s, value, trace);
	} else if (s->msg.retries < s->task->max_retries) {
		retry(n, s, f, value, trace);
	} else {
		request(n, s, "dead", "dead", "dead");
		s->settle.argv[A_REASON] =
		    error_of(s, "retries exhausted", value);
		s->settle.note = "retries exhausted";
		set_result(s, CT_R_FAILURE, value, trace);
	}
}

void
ct_settle_death(struct ct_node *n, struct ct_slot *s)
{
	if (!settle_stopped(n, s))
		requeue(n, s, true, "child");
}

static struct ct_cell *
cell(enum ct_metric_id id, const struct ct_slot *s, const char *status)
{
	char labels[CT_METRIC_LABELS];
	struct ct_buf b = {0};

	ct_buf_init(&b, s->a, sizeof(labels));
	ct_buf_addf(&b, "queue=\"%s\",task=\"%s\"",
	    s->task != NULL ? s->task->queue : "none",
	    s->task != NULL ? s->task->name : "unknown");
	if (status != NULL)
		ct_buf_addf(&b, ",status=\"%s\"", status);
	ct_buf_addc(&b, '\0');
	return ct_metric(id, b.p);
}

/* From the push, or from when it was due, to the first try. */
static void
observe_wait(const struct ct_slot *s)
{
	int64_t from_ms = s->msg.pushed_ms;

	if (from_ms == CT_NULL_I64 || s->msg.retries > 0)
		return;
	if (s->msg.eta_ms > from_ms)
		from_ms = s->msg.eta_ms;
	ct_metric_observe_us(
	    ct_metric(CT_M_JOB_WAIT,
		ct_arena_printf(s->a, "queue=\"%s\"", s->task->queue)),
	    ct_now_us() - from_ms * 1000);
}

void
ct_settle_begun(const struct ct_slot *s)
{
	ct_metric_add(cell(CT_M_JOBS_STARTED, s, NULL), 1);
	observe_wait(s);
}

void
ct_settle_note(const struct ct_node *n, const struct ct_slot *s, int64_t ret)
{
	const char *status = ret == 3 ? "dead" : s->settle.status;
	int64_t ms = ct_mono_ms() - s->began_ms;
	struct ct_line l;

	if (ret == 0) {
		status = "fenced";
		ct_metric_add(ct_metric(CT_M_JOBS_FENCED, ""), 1);
	}
	ct_metric_add(cell(CT_M_JOBS_FINISHED, s, status), 1);
	if (s->task != NULL)
		ct_metric_observe_us(
		    ct_metric(CT_M_JOB_SECONDS,
			ct_arena_printf(s->a, "task=\"%s\"", s->task->name)),
		    ms * 1000);
	if (s->settle.reason != NULL && ret != 3)
		ct_metric_add(ct_metric(CT_M_JOBS_REDELIVERED,
				  ct_arena_printf(
				      s->a, "reason=\"%s\"", s->settle.reason)),
		    1);
	ct_line_begin(&l, CT_INFO, "job");
	ct_line_str(&l, "status", ct_str_of(status));
	ct_line_str(&l, "task", s->msg.task);
	ct_line_str(&l, "id", s->msg.id);
	ct_line_i64(&l, "try", s->msg.retries + 1);
	ct_line_i64(&l, "ms", ms);
	if (s->settle.note != NULL)
		ct_line_str(&l, "reason", ct_str_of(s->settle.note));
	ct_line_str(&l, "node", ct_str_of(n->name));
	ct_line_end(&l);
}
