/*
 * A worker child: takes one job after the other from its page, runs the task
 * and sends back what came of it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/wire.h"

#define JOB_ARENA	  ((size_t)256 << 20)
#define PROGRESS_EVERY_MS 250

static volatile sig_atomic_t stopping;

/* What a Python client sees as the class of the exception. */
static const char *const exc_types[CT_RC_COUNT] = {
    [CT_INVALID] = "ValueError",
    [CT_MALFORMED] = "ValueError",
    [CT_UNAUTH] = "PermissionError",
    [CT_FORBIDDEN] = "PermissionError",
    [CT_NOTFOUND] = "LookupError",
    [CT_CONFLICT] = "FileExistsError",
    [CT_TOOBIG] = "OverflowError",
    [CT_LIMITED] = "TimeoutError",
    [CT_GONE_CLIENT] = "ConnectionError",
    [CT_RETRY] = "ConnectionError",
    [CT_INTERNAL] = "RuntimeError",
};

static void
on_term(CT_UNUSED int sig)
{
	stopping = 1;
}

bool
ct_job_stopping(void)
{
	return stopping != 0;
}

bool
ct_job_is_last(const struct ct_job *job, enum ct_rc rc)
{
	bool again = rc == CT_RETRY || rc == CT_LIMITED || rc == CT_INTERNAL;

	return !ct_job_stopping() &&
	       (!again || job->attempt > job->task->max_retries);
}

static void
send_frame(const struct ct_wire *wire, struct ct_frame *f, struct ct_str value,
    struct ct_str trace)
{
	size_t n;

	if (value.n > CT_RESULT_MAX)
		ct_bug("a value of %zu bytes reached the wire", value.n);
	if (trace.n > CT_TRACE_MAX)
		trace.n = CT_TRACE_MAX;
	f->value_n = (uint32_t)value.n;
	f->trace_n = (uint32_t)trace.n;
	if (value.n > 0)
		memcpy(f->text, value.p, value.n);
	if (trace.n > 0)
		memcpy(f->text + value.n, trace.p, trace.n);
	n = offsetof(struct ct_frame, text) + value.n + trace.n;
	while (send(wire->fd, f, n, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(3);
}

bool
ct_job_progress(struct ct_job *job, int64_t current, int64_t total)
{
	static struct ct_frame f;
	int64_t now = ct_mono_ms();
	struct ct_mark m;

	if (job->progress_at_ms != 0 &&
	    now - job->progress_at_ms < PROGRESS_EVERY_MS)
		return false;
	job->progress_at_ms = now;
	m = ct_arena_mark(job->a);
	f.kind = CT_FRAME_PROGRESS;
	send_frame(job->wire, &f,
	    ct_str_of(
		ct_arena_printf(job->a, "{\"current\":%lld,\"total\":%lld}",
		    (long long)current, (long long)total)),
	    (struct ct_str){0});
	ct_arena_rewind(job->a, m);
	return true;
}

const struct ct_json *
ct_job_arg(const struct ct_job *job, const char *name, unsigned position)
{
	const struct ct_json *v = ct_json_get(job->kwargs, name);

	if (v != NULL)
		return v;
	for (v = ct_json_first(job->args); v != NULL && position > 0;
	     position--)
		v = ct_json_next(v);
	return v;
}

static void
log_failure(const struct ct_job *job, const struct ct_err *err)
{
	struct ct_line l;

	ct_line_begin(
	    &l, err->rc == CT_INTERNAL ? CT_ERROR : CT_WARN, "job_failed");
	ct_line_str(&l, "task", ct_str_of(job->task->name));
	ct_line_str(&l, "id", job->id_text);
	ct_line_i64(&l, "try", job->attempt);
	ct_line_err(&l, err);
	ct_line_end(&l);
}

static void
run_task(struct ct_job *job, struct ct_frame *f)
{
	struct ct_err err;
	struct ct_str value, trace = {0};
	const char *type;
	enum ct_rc rc;

	ct_err_clear(&err);
	rc = job->task->run(job, &err);
	if (rc == CT_OK && job->result.n > CT_RESULT_MAX)
		rc = ct_fail(&err, CT_TOOBIG, "result_too_big",
		    "the result has %zu bytes, %u are allowed", job->result.n,
		    CT_RESULT_MAX);
	value = job->result.p != NULL ? job->result : CT_STR("null");
	if (rc != CT_OK) {
		log_failure(job, &err);
		type = job->exc_type != NULL ? job->exc_type : exc_types[rc];
		value = ct_exception_json(
		    job->a, "builtins", type, job->exc_args, err.msg);
		trace = ct_str_of(ct_arena_printf(
		    job->a, "%s in %s: %s", type, job->task->name, err.msg));
	}
	f->kind = CT_FRAME_END;
	f->rc = (uint32_t)rc;
	f->retry_in_ms = job->retry_in_ms;
	send_frame(job->wire, f, value, trace);
}

static void
run(const struct ct_conf *conf, struct ct_pg *pg, struct ct_arena *a,
    const struct ct_wire *wire)
{
	static struct ct_frame f;
	const struct ct_wire_in *in = wire->in;
	struct ct_job job = {.a = a,
	    .conf = conf,
	    .pg = pg,
	    .task = &ct_tasks[in->task],
	    .id_text = {in->id, in->id_n},
	    .attempt = in->retries + 1,
	    .retry_in_ms = -1,
	    .wire = wire};
	struct ct_msg_body body;
	struct ct_err err;

	ct_err_clear(&err);
	ct_uuid_parse(job.id_text, &job.id);
	if (ct_msg_body(a, (struct ct_str){in->body, in->body_n}, in->base64,
		&body, &err) != CT_OK) {
		f.kind = CT_FRAME_POISON;
		send_frame(wire, &f, ct_str_of(err.msg), (struct ct_str){0});
		return;
	}
	if (body.canvas) {
		f.kind = CT_FRAME_END;
		f.rc = CT_INVALID;
		send_frame(wire, &f,
		    ct_exception_json(a, "builtins", "NotImplementedError",
			(struct ct_str){0},
			"unsupported canvas: callbacks, chains and chords"),
		    (struct ct_str){0});
		return;
	}
	job.args = body.args;
	job.kwargs = body.kwargs;
	run_task(&job, &f);
}

int
ct_child_main(const struct ct_conf *conf, const struct ct_wire *wire)
{
	struct ct_arena *a = ct_arena_create(JOB_ARENA);
	struct ct_pg *pg = ct_pg_open(conf->database_url, "catetube-worker",
	    ct_int((size_t)conf->pg_timeout_ms));
	struct sigaction sa = {.sa_handler = on_term};
	ssize_t n;
	char go;

	sigaction(SIGTERM, &sa, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (;;) {
		n = recv(wire->fd, &go, 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		stopping = 0;
		run(conf, pg, a, wire);
		ct_arena_reset(a);
	}
	ct_pg_close(pg);
	ct_arena_destroy(a);
	return 0;
}
