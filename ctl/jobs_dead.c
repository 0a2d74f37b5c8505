/*
 * catetubectl jobs dead …, and what steers queues and nodes; see jobs.h.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/jobs.h"
#include "db/outbox.h"

#define LIMIT	   50
#define PAGES_MAX  1000 /* the set holds 10,000 */
#define TURN_CAP   ((size_t)32 << 20)
#define CURSOR_MAX 64

int
ctl_jobs_dead_list(struct ctl_jobs *o)
{
	o->state = "dead";
	return ctl_jobs_list(o);
}

/*
 * Send it again. Its row in PostgreSQL, if it has one, first: a job that finds
 * its work marked as failed would do nothing.
 */
static enum ct_rc
retry(struct ctl_jobs *o, const struct ct_job_info *row, int64_t *done,
    struct ct_err *err)
{
	struct ct_uuid id;

	if (ct_uuid_parse(row->id, &id) &&
	    ct_outbox_reopen(o->c->pg, o->j.a, &id, err) != CT_OK)
		return err->rc;
	return ct_jobs_dead_retry(&o->j, row, done, err);
}

static enum ct_rc
purge(struct ctl_jobs *o, const struct ct_job_info *row, int64_t *done,
    struct ct_err *err)
{
	return ct_jobs_dead_purge(&o->j, row, done, err);
}

typedef enum ct_rc dead_fn(struct ctl_jobs *o, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err);

static int
one(struct ctl_jobs *o, dead_fn *fn, const char *what)
{
	struct ct_job_info row;
	struct ct_err err;
	int64_t done = 0;

	ct_err_clear(&err);
	if (ct_jobs_get(&o->j, ct_str_of(o->word[0]), &row, &err) != CT_OK)
		return ctl_fail(&err);
	if (ct_jobs_dead_check(&row, &err) != CT_OK ||
	    fn(o, &row, &done, &err) != CT_OK)
		return ctl_fail(&err);
	if (done != 1) {
		ct_fail(&err, CT_CONFLICT, "state",
		    "Somebody else was faster: it is not dead any more.");
		return ctl_fail(&err);
	}
	ctl_jobs_say(o, what, row.id, what);
	return 0;
}

/* Of one page those that died before; *left: that stay where they are. */
static enum ct_rc
some(struct ctl_jobs *o, dead_fn *fn, const struct ct_jobs_page *page,
    int64_t before_us, int64_t *n, struct ct_err *err)
{
	for (size_t i = 0; i < page->n; i++) {
		int64_t done = 0;

		if (page->row[i].ended_at > before_us)
			continue;
		if (!page->row[i].raw.p) {
			fputs("catetubectl: a message that is too long was "
			      "left alone\n",
			    stderr);
			continue;
		}
		if (fn(o, &page->row[i], &done, err) != CT_OK)
			return err->rc;
		*n += done == 1;
	}
	return CT_OK;
}

/*
 * All that match, those that die meanwhile not. What is taken out makes the
 * later ones move up, so that pages overlap: passes are repeated until one
 * finds nothing to do.
 */
static enum ct_rc
sweep(struct ctl_jobs *o, dead_fn *fn, int64_t before_us, int64_t *n,
    struct ct_err *err)
{
	struct ct_jobs_filter f = {.state = CT_STR("dead"),
	    .queue = ct_str_of(o->queue),
	    .task = ct_str_of(o->task),
	    .limit = CT_JOBS_LIMIT};
	char cursor[CURSOR_MAX] = "";
	int64_t pass_began = 0;
	struct ct_jobs_page page;

	for (int i = 0; i < PAGES_MAX; i++) {
		ct_arena_reset(o->j.a);
		f.cursor = cursor[0] ? ct_str_of(cursor) : (struct ct_str){0};
		if (ct_jobs_list(&o->j, &f, &page, err) != CT_OK ||
		    some(o, fn, &page, before_us, n, err) != CT_OK)
			return err->rc;
		snprintf(cursor, sizeof(cursor), "%.*s", CT_STR_FMT(page.next));
		if (cursor[0])
			continue;
		if (*n == pass_began)
			break;
		pass_began = *n;
	}
	return CT_OK;
}

static int
many(struct ctl_jobs *o, dead_fn *fn, const char *what)
{
	int64_t before_us = ct_now_us(), n = 0;
	struct ct_err err;
	enum ct_rc rc;

	if (!o->all)
		return ctl_usage(
		    "give the id of one dead job, or --all (with --queue, "
		    "--task)");
	if (o->older_s != CT_NULL_I64)
		before_us -= o->older_s * 1000000;
	ct_err_clear(&err);
	o->j.a = ct_arena_create(TURN_CAP);
	/* What cannot even be read goes this way only. */
	if (fn == purge && !o->queue && !o->task)
		rc = ct_jobs_dead_clear(&o->j, before_us, &n, &err);
	else
		rc = sweep(o, fn, before_us, &n, &err);
	ct_arena_destroy(o->j.a);
	o->j.a = o->c->arena;
	if (n > 0 || rc == CT_OK) {
		if (o->json)
			printf("{\"%s\":%lld}\n", what, (long long)n);
		else
			printf("%s: %lld\n", what, (long long)n);
	}
	return rc == CT_OK ? 0 : ctl_fail(&err);
}

int
ctl_jobs_dead_retry(struct ctl_jobs *o)
{
	return o->words == 1 ? one(o, retry, "retried")
			     : many(o, retry, "retried");
}

int
ctl_jobs_dead_purge(struct ctl_jobs *o)
{
	return o->words == 1 ? one(o, purge, "purged")
			     : many(o, purge, "purged");
}

static int
set_paused(struct ctl_jobs *o, bool paused)
{
	struct ct_err err;
	bool changed;

	ct_err_clear(&err);
	if (ct_jobs_pause(
		&o->j, ct_str_of(o->word[0]), paused, &changed, &err) != CT_OK)
		return ctl_fail(&err);
	ctl_jobs_say(o, paused ? "paused" : "resumed", ct_str_of(o->word[0]),
	    paused ? changed ? "paused: it takes jobs and gives none until it "
			       "is resumed"
			     : "it was paused before"
	    : changed ? "resumed"
		      : "it was not paused");
	return 0;
}

int
ctl_jobs_pause(struct ctl_jobs *o)
{
	return set_paused(o, true);
}

int
ctl_jobs_resume(struct ctl_jobs *o)
{
	return set_paused(o, false);
}

int
ctl_jobs_drain(struct ctl_jobs *o)
{
	struct ct_str wid;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_jobs_drain(&o->j, ct_str_of(o->word[0]), &wid, &err) != CT_OK)
		return ctl_fail(&err);
	ctl_jobs_say(o, "draining", wid,
	    "it takes no more jobs, finishes those it has, and ends");
	return 0;
}
