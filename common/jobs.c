/*
 * The list of jobs: from each place where they are, page by page.
 */
#include <string.h>

#include "common/jobs_internal.h"

#define BUDGET 2000 /* messages that one call looks at */

struct walk {
	struct ct_jobs *j;
	const struct ct_jobs_filter *f;
	struct ct_jobs_page *out;
	struct ct_str list[CT_STEPS * CT_JOBS_QUEUES];
	size_t nlists;
	int64_t budget;
	/* Where the next look is. */
	unsigned source;
	size_t sub; /* list of CT_JOB_READY */
	struct ct_str
	    from; /* how many to skip; of CT_JOB_DONE the last one seen */
};

static void
go_on(struct walk *w)
{
	w->from = CT_STR("0");
	if (w->source == CT_JOB_READY && ++w->sub < w->nlists)
		return;
	w->sub = 0;
	w->source++;
}

static bool
is_wanted(const struct walk *w, unsigned source)
{
	if (!w->f->state.p)
		return true;
	if (ct_job_sources[source].state)
		return ct_str_is(w->f->state, ct_job_sources[source].state);
	return ct_jobs_is_one(w->f->state, ct_jobs_ended);
}

static bool
passes(const struct walk *w, const struct ct_job_info *row)
{
	return (!w->f->queue.p || ct_str_eq(w->f->queue, row->queue)) &&
	       (!w->f->task.p || ct_str_eq(w->f->task, row->task));
}

/* Drop the rows that do not pass, look up the records of the others. */
static enum ct_rc
keep(struct walk *w, struct ct_job_info *row, size_t n, struct ct_err *err)
{
	struct ct_job_info *to = w->out->row + w->out->n;
	bool known[CT_JOBS_LIMIT];
	size_t kept = 0, named = 0, i;

	for (i = 0; i < n; i++)
		if (passes(w, &row[i]))
			row[kept++] = row[i];
	/* Those without an id have no record: they come last. */
	for (i = 0; i < kept; i++)
		if (row[i].id.p)
			to[named++] = row[i];
	w->out->n += kept;
	for (size_t at = named, k = 0; k < kept; k++)
		if (!row[k].id.p)
			to[at++] = row[k];
	return ct_jobs_records(w->j, to, named, known, err);
}

static enum ct_rc
step_messages(struct walk *w, int64_t room, struct ct_err *err)
{
	struct ct_str list =
	    w->source == CT_JOB_READY ? w->list[w->sub] : (struct ct_str){0};
	struct ct_mark mark = ct_arena_mark(w->j->a);
	const struct redisReply *p;
	struct ct_job_info *row;
	size_t n, before = w->out->n;
	int64_t next;

	row = ct_arena_alloc(w->j->a, (size_t)room * sizeof(*row));
	if (ct_jobs_peek(w->j, w->source, w->from, room, list, &p, err) !=
	    CT_OK)
		return err->rc;
	n = ct_jobs_peeked(w->j, p, w->source, row);
	w->budget -= (int64_t)n + 1;
	if (keep(w, row, n, err) != CT_OK)
		return err->rc;
	next = ct_reply_i64(ct_reply_at(p, 0));
	if (w->out->n == before)
		ct_arena_rewind(w->j->a, mark);
	if (next < 0)
		go_on(w);
	else
		w->from = ct_str_of_i64(w->j->a, next);
	return CT_OK;
}

static enum ct_rc
step_done(struct walk *w, int64_t room, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("XREVRANGE"),
	    ct_jobs_key(w->j, "done"),
	    ct_str_is(w->from, "0") ? CT_STR("+")
				    : ct_str_of(ct_arena_printf(w->j->a,
					  "(%.*s", CT_STR_FMT(w->from))),
	    CT_STR("-"), CT_STR("COUNT"), ct_str_of_i64(w->j->a, room)};
	bool known[CT_JOBS_LIMIT];
	const struct redisReply *p;
	struct ct_job_info *row;
	size_t n = 0, i;

	if (ct_redis_do(
		w->j->redis, w->j->a, ct_countof(argv), argv, &p, err) != CT_OK)
		return err->rc;
	row = ct_arena_alloc(w->j->a, (size_t)room * sizeof(*row));
	for (i = 0; i < ct_reply_n(p); i++) {
		struct ct_str state = ct_jobs_entry(ct_reply_at(p, i), "state");

		w->from = ct_reply_str(ct_reply_at(ct_reply_at(p, i), 0));
		if (!ct_jobs_is_one(state, ct_jobs_ended) ||
		    (w->f->state.p && !ct_str_eq(state, w->f->state)))
			continue;
		ct_jobs_clear(&row[n]);
		row[n++].id = ct_jobs_entry(ct_reply_at(p, i), "id");
	}
	w->budget -= room;
	if (ct_reply_n(p) < (size_t)room)
		go_on(w);
	if (ct_jobs_records(w->j, row, n, known, err) != CT_OK)
		return err->rc;
	/* What was forgotten since, or lives again, is not told. */
	for (i = 0; i < n; i++)
		if (known[i] && ct_jobs_is_one(row[i].state, ct_jobs_ended) &&
		    is_wanted(w, CT_JOB_DONE) && passes(w, &row[i]))
			w->out->row[w->out->n++] = row[i];
	return CT_OK;
}

/* A number to skip, or the name of an entry: "1763800000000-0". */
static bool
is_from(unsigned source, struct ct_str text)
{
	struct ct_str ms;
	int64_t n;

	if (source != CT_JOB_DONE || ct_str_is(text, "0"))
		return ct_str_i64(text, 0, INT64_C(1000000000), &n);
	ms = ct_str_split(&text, '-');
	return ct_str_i64(ms, 0, INT64_MAX, &n) &&
	       ct_str_i64(text, 0, INT64_MAX, &n);
}

/* "1.3.200": source, list, from */
static enum ct_rc
read_cursor(struct walk *w, struct ct_err *err)
{
	struct ct_str rest = w->f->cursor, source, sub;
	int64_t s, l = 0;

	w->from = CT_STR("0");
	if (!rest.p)
		return CT_OK;
	source = ct_str_split(&rest, '.');
	sub = ct_str_split(&rest, '.');
	if (!ct_str_i64(source, 0, CT_JOB_SOURCES - 1, &s) ||
	    !ct_str_i64(sub, 0, CT_STEPS * CT_JOBS_QUEUES, &l) ||
	    !is_from((unsigned)s, rest))
		return ct_fail_field(
		    err, "cursor", "must be the one of the page before");
	w->source = (unsigned)s;
	w->sub = (size_t)l;
	w->from = rest;
	if (w->source == CT_JOB_READY && w->sub >= w->nlists)
		go_on(w);
	return CT_OK;
}

static enum ct_rc
set_lists(struct walk *w, struct ct_err *err)
{
	struct ct_str name[CT_JOBS_QUEUES] = {w->f->queue};
	size_t n = 1;

	if (!w->f->queue.p && ct_jobs_names(w->j, name, &n, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < n; i++)
		for (int step = 0; step < CT_STEPS; step++)
			w->list[w->nlists++] =
			    ct_msg_list(w->j->a, name[i], step);
	return CT_OK;
}

enum ct_rc
ct_jobs_list(struct ct_jobs *j, const struct ct_jobs_filter *f,
    struct ct_jobs_page *out, struct ct_err *err)
{
	struct walk w = {.j = j, .f = f, .out = out, .budget = BUDGET};
	int64_t limit = f->limit > CT_JOBS_LIMIT ? CT_JOBS_LIMIT : f->limit;
	enum ct_rc rc = CT_OK;

	*out = (struct ct_jobs_page){0};
	out->row = ct_arena_alloc(j->a, CT_JOBS_LIMIT * sizeof(*out->row));
	if (f->state.p && !ct_jobs_is_one(f->state, ct_jobs_states))
		return ct_fail_field(err, "state",
		    "must be queued, scheduled, running, succeeded, failed, "
		    "revoked or dead");
	if (set_lists(&w, err) != CT_OK || read_cursor(&w, err) != CT_OK)
		return err->rc;
	while (rc == CT_OK && w.source < CT_JOB_SOURCES && w.budget > 0 &&
	       (int64_t)out->n < limit) {
		int64_t room = limit - (int64_t)out->n;

		if (!is_wanted(&w, w.source)) {
			w.sub = w.nlists;
			go_on(&w);
			continue;
		}
		rc = ct_job_sources[w.source].what
			 ? step_messages(&w, room, err)
			 : step_done(&w, room, err);
	}
	if (rc == CT_OK && w.source < CT_JOB_SOURCES)
		out->next = ct_str_of(ct_arena_printf(
		    j->a, "%u.%zu.%.*s", w.source, w.sub, CT_STR_FMT(w.from)));
	return rc;
}
