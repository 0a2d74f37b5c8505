/* catetubectl jobs list, show, tail, queues, workers, doctor; see jobs.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/jw.h"
#include "ctl/jobs.h"
#include "ctl/table.h"

#define LIMIT	    50
#define TURN_CAP    ((size_t)32 << 20)
#define TAIL_MS	    500 /* one wait for what happens */
#define TAIL_NAP_MS 200
#define CURSOR_MAX  64

static const char *
since(struct ctl_jobs *o, int64_t us)
{
	return us == CT_NULL_I64 ? "-" : ctl_span(o->j.a, ct_now_us() - us);
}

/* What a person wants to know of its times, by its state. */
static const char *
when(struct ctl_jobs *o, const struct ct_job_info *row)
{
	if (row->ended_at != CT_NULL_I64)
		return ct_arena_printf(
		    o->j.a, "%s ago", since(o, row->ended_at));
	if (ct_str_is(row->state, "running"))
		return ct_arena_printf(
		    o->j.a, "for %s", since(o, row->began_at));
	if (ct_str_is(row->state, "scheduled") && row->due_at != CT_NULL_I64)
		return ct_arena_printf(o->j.a, "in %s",
		    ctl_span(o->j.a, row->due_at - ct_now_us()));
	return since(o, row->queued_at);
}

static void
write_job(struct ct_jw *w, const struct ct_job_info *row)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_job_info_fields, row, w);
	ct_jw_end(w);
}

/* One JSON value on a line. */
static void
print_json(const struct ct_buf *b)
{
	printf("%.*s\n", CT_STR_FMT(ct_buf_str(b)));
}

static void
print_jobs_json(struct ctl_jobs *o, const struct ct_job_info *row, size_t n,
    struct ct_str next)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, o->j.a, 4096);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "jobs");
	ct_jw_arr(&w);
	for (size_t i = 0; i < n; i++)
		write_job(&w, &row[i]);
	ct_jw_end(&w);
	ct_jw_key(&w, "next");
	ct_jw_str(&w, next);
	ct_jw_end(&w);
	print_json(&b);
}

void
ctl_jobs_print(struct ctl_jobs *o, const struct ct_job_info *row, size_t n,
    struct ct_str next)
{
	static const char *const head[] = {"STATE", "TASK", "QUEUE", "PRIO",
	    "TRIES", "WHEN", "ID", "ERROR", NULL};
	struct ctl_table t;

	if (o->json) {
		print_jobs_json(o, row, n, next);
		return;
	}
	ctl_table_begin(&t, o->j.a, head);
	for (size_t i = 0; i < n; i++) {
		ctl_table_text(&t, row[i].state);
		ctl_table_text(&t, row[i].task);
		ctl_table_text(&t, row[i].queue);
		ctl_table_i64(&t, row[i].priority);
		ctl_table_i64(&t, row[i].tries);
		ctl_table_text(&t, ct_str_of(when(o, &row[i])));
		ctl_table_text(&t, row[i].id);
		ctl_table_text(&t, row[i].error.p ? row[i].error : CT_STR(""));
	}
	ctl_table_print(&t);
	if (next.p)
		fprintf(stderr, "there are more: --cursor %.*s\n",
		    CT_STR_FMT(next));
}

int
ctl_jobs_list(struct ctl_jobs *o)
{
	int64_t limit = o->limit == CT_NULL_I64 ? LIMIT : o->limit;
	struct ct_jobs_filter f = {.state = ct_str_of(o->state),
	    .queue = ct_str_of(o->queue),
	    .task = ct_str_of(o->task),
	    .cursor = ct_str_of(o->cursor)};
	struct ct_job_info *all =
	    ct_arena_alloc(o->j.a, (size_t)limit * sizeof(*all));
	struct ct_jobs_page page;
	struct ct_err err;
	size_t n = 0;

	ct_err_clear(&err);
	do {
		f.limit = limit - (int64_t)n;
		if (ct_jobs_list(&o->j, &f, &page, &err) != CT_OK)
			return ctl_fail(&err);
		memcpy(all + n, page.row, page.n * sizeof(*all));
		n += page.n;
		f.cursor = page.next;
	} while (page.next.p && (int64_t)n < limit);
	ctl_jobs_print(o, all, n, page.next);
	return 0;
}

int
ctl_jobs_show(struct ctl_jobs *o)
{
	struct ct_job_info row;
	const struct ct_json *v;
	struct ct_err err;
	struct ct_buf b;
	struct ct_jw w;

	ct_err_clear(&err);
	if (ct_jobs_get(&o->j, ct_str_of(o->word[0]), &row, &err) != CT_OK)
		return ctl_fail(&err);
	ct_buf_init(&b, o->j.a, 1024);
	ct_jw_init(&w, &b);
	write_job(&w, &row);
	if (o->json) {
		print_json(&b);
		return 0;
	}
	/* The same fields for people, one a line; those that are null are not
	 * worth one. */
	if (ct_json_parse(o->j.a, ct_buf_str(&b), 8, &v, &err) != CT_OK)
		return ctl_fail(&err);
	for (v = ct_json_first(v); v; v = ct_json_next(v)) {
		struct ct_str text = ct_json_str(v);

		if (ct_json_type(v) == CT_JSON_NULL)
			continue;
		if (!text.p)
			text = ct_json_print(o->j.a, v);
		text = ctl_clean(o->j.a, text);
		printf("%-13s %.*s\n", ct_json_key(v), CT_STR_FMT(text));
	}
	return 0;
}

/* --- tail --------------------------------------------------------------- */

static bool
passes(const char *want, struct ct_str got)
{
	return !want || ct_str_is(got, want);
}

static void
print_event(
    struct ctl_jobs *o, const struct ct_job_event *e, struct ct_job_info *row)
{
	char now[CT_TIME_MAX];
	struct ct_str task = ctl_clean(o->j.a, row->task);
	struct ct_str id = ctl_clean(o->j.a, row->id);
	struct ct_str error = ctl_clean(o->j.a, row->error);
	struct ct_buf b;
	struct ct_jw w;

	/* What happened, not what it is by now. */
	row->state = e->state;
	if (o->json) {
		ct_buf_init(&b, o->j.a, 512);
		ct_jw_init(&w, &b);
		write_job(&w, row);
		print_json(&b);
		return;
	}
	ct_time_format(ct_now_us() / 1000000 * 1000000, now);
	printf("%s  %-9.*s  %-20.*s  %.*s  try %lld", now,
	    CT_STR_FMT(row->state), CT_STR_FMT(task), CT_STR_FMT(id),
	    (long long)e->try + 1);
	if (row->error.p && !ct_str_is(row->state, "succeeded"))
		printf("  %.*s", CT_STR_FMT(error));
	putchar('\n');
}

static enum ct_rc
tail_turn(struct ctl_jobs *o, char *at, int wait_ms, struct ct_err *err)
{
	struct ct_str place = ct_str_of(at);
	struct ct_job_event *e;
	struct ct_job_info *row;
	bool known[CT_JOBS_LIMIT];
	size_t n, i;

	if (ct_jobs_follow(&o->j, &place, wait_ms, &e, &n, err) != CT_OK)
		return err->rc;
	row = ct_arena_alloc(o->j.a, n * sizeof(*row) + 1);
	for (i = 0; i < n; i++) {
		ct_fields_clear(&ct_job_info_fields, &row[i]);
		row[i].id = e[i].id;
	}
	if (ct_jobs_records(&o->j, row, n, known, err) != CT_OK)
		return err->rc;
	for (i = 0; i < n; i++)
		if (passes(o->state, e[i].state) &&
		    passes(o->task, row[i].task) &&
		    passes(o->queue, row[i].queue))
			print_event(o, &e[i], &row[i]);
	fflush(stdout);
	snprintf(at, CURSOR_MAX, "%.*s", CT_STR_FMT(place));
	return CT_OK;
}

/* Until the time is over, or for ever: ^C ends it. */
int
ctl_jobs_tail(struct ctl_jobs *o)
{
	const struct timespec nap = {.tv_nsec = TAIL_NAP_MS * 1000000L};
	int64_t end_ms = o->for_s == CT_NULL_I64
			     ? INT64_MAX
			     : ct_mono_ms() + o->for_s * 1000;
	char at[CURSOR_MAX] = "";
	bool away = false;
	struct ct_err err;

	o->j.a = ct_arena_create(TURN_CAP);
	ct_redis_timeout(
	    o->j.redis, TAIL_MS + (int)o->c->conf.redis_timeout_ms);
	for (int64_t left; (left = end_ms - ct_mono_ms()) > 0;) {
		enum ct_rc rc;

		ct_err_clear(&err);
		rc = tail_turn(
		    o, at, left < TAIL_MS ? (int)left : TAIL_MS, &err);
		if (rc != CT_OK && rc != CT_RETRY)
			break;
		if ((rc != CT_OK) != away)
			fputs(away ? "catetubectl: Redis is back\n"
				   : "catetubectl: Redis is away, waiting\n",
			    stderr);
		away = rc != CT_OK;
		if (away)
			nanosleep(&nap, NULL);
		ct_arena_reset(o->j.a);
	}
	ct_arena_destroy(o->j.a);
	o->j.a = o->c->arena;
	if (away || err.rc != CT_OK)
		return ctl_fail(&err);
	return 0;
}

/* --- queues, workers, doctor -------------------------------------------- */

static void
print_queues_json(struct ctl_jobs *o, const struct ct_queues_info *q)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, o->j.a, 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "queues");
	ct_jw_arr(&w);
	for (size_t i = 0; i < q->n; i++) {
		ct_jw_obj(&w);
		ct_fields_write(&ct_queue_info_fields, &q->row[i], &w);
		ct_jw_end(&w);
	}
	ct_jw_end(&w);
	ct_jw_key(&w, "scheduled");
	ct_jw_i64(&w, q->scheduled);
	ct_jw_key(&w, "dead");
	ct_jw_i64(&w, q->dead);
	ct_jw_end(&w);
	print_json(&b);
}

int
ctl_jobs_queues(struct ctl_jobs *o)
{
	static const char *const head[] = {"QUEUE", "READY", "P0", "P3", "P6",
	    "P9", "OLDEST", "NODES", "PAUSED", NULL};
	struct ct_queues_info q;
	struct ctl_table t;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_jobs_queues(&o->j, &q, &err) != CT_OK)
		return ctl_fail(&err);
	if (o->json) {
		print_queues_json(o, &q);
		return 0;
	}
	ctl_table_begin(&t, o->j.a, head);
	for (size_t i = 0; i < q.n; i++) {
		ctl_table_text(&t, q.row[i].name);
		ctl_table_i64(&t, q.row[i].ready);
		for (int step = 0; step < CT_STEPS; step++)
			ctl_table_i64(&t, q.row[i].depth[step]);
		ctl_table_text(&t, q.row[i].oldest_ms == CT_NULL_I64
				       ? CT_STR("-")
				       : ct_str_of(ctl_span(o->j.a,
					     q.row[i].oldest_ms * 1000)));
		ctl_table_i64(&t, q.row[i].nodes);
		ctl_table_text(
		    &t, q.row[i].paused_at == CT_NULL_I64
			    ? CT_STR("no")
			    : ct_str_of(ct_arena_printf(o->j.a, "for %s",
				  since(o, q.row[i].paused_at))));
	}
	ctl_table_print(&t);
	printf("scheduled for later: %lld, dead: %lld\n",
	    (long long)q.scheduled, (long long)q.dead);
	return 0;
}

static void
print_workers_json(
    struct ctl_jobs *o, const struct ct_node_info *node, size_t n)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, o->j.a, 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "nodes");
	ct_jw_arr(&w);
	for (size_t i = 0; i < n; i++) {
		ct_jw_obj(&w);
		ct_fields_write(&ct_node_info_fields, &node[i], &w);
		ct_jobs_write_running(&node[i], &w);
		ct_jw_end(&w);
	}
	ct_jw_end(&w);
	ct_jw_end(&w);
	print_json(&b);
}

int
ctl_jobs_workers(struct ctl_jobs *o)
{
	static const char *const head[] = {
	    "NODE", "ID", "SLOTS", "HELD", "BEAT", "UP", "QUEUES", NULL};
	struct ct_node_info *node;
	struct ctl_table t;
	struct ct_err err;
	size_t n;

	ct_err_clear(&err);
	if (ct_jobs_nodes(&o->j, &node, &n, &err) != CT_OK)
		return ctl_fail(&err);
	if (o->json) {
		print_workers_json(o, node, n);
		return 0;
	}
	ctl_table_begin(&t, o->j.a, head);
	for (size_t i = 0; i < n; i++) {
		ctl_table_text(&t, node[i].name);
		ctl_table_text(&t, node[i].wid);
		ctl_table_i64(&t, node[i].slots);
		ctl_table_i64(&t, node[i].held);
		ctl_table_text(
		    &t, ct_str_of(ct_arena_printf(o->j.a, "%lld ms ago%s",
			    (long long)node[i].beat_ms,
			    node[i].is_draining ? ", draining" : "")));
		ctl_table_text(&t, ct_str_of(since(o, node[i].since)));
		ctl_table_text(&t, node[i].queues);
	}
	ctl_table_print(&t);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < node[i].njobs; k++) {
			struct ct_str id = ctl_clean(o->j.a, node[i].job[k].id);
			struct ct_str task =
			    ctl_clean(o->j.a, node[i].job[k].task);

			printf("%.*s runs %.*s %.*s for %s\n",
			    CT_STR_FMT(node[i].name), CT_STR_FMT(task),
			    CT_STR_FMT(id), since(o, node[i].job[k].began_at));
		}
	return 0;
}

static void
print_doctor_json(struct ctl_jobs *o, const struct ct_finding *f, size_t n)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, o->j.a, 1024);
	ct_jw_init(&w, &b);
	ct_jobs_write_findings(f, n, &w);
	print_json(&b);
}

int
ctl_jobs_doctor(struct ctl_jobs *o)
{
	struct ct_finding *f;
	struct ct_err err;
	int status = 0;
	size_t n;

	ct_err_clear(&err);
	if (ct_jobs_doctor(&o->j,
		CT_DOCTOR_SCAN | (o->repair ? CT_DOCTOR_REPAIR : 0), &f, &n,
		&err) != CT_OK)
		return ctl_fail(&err);
	for (size_t i = 0; i < n; i++) {
		struct ct_str text = ctl_clean(o->j.a, f[i].text);

		if (f[i].level == CT_FINDING_FAIL)
			status = CTL_FAILED;
		if (!o->json)
			printf("%-4s  %-9s %.*s\n", ct_finding_word(f[i].level),
			    f[i].check, CT_STR_FMT(text));
	}
	if (o->json)
		print_doctor_json(o, f, n);
	return status;
}
