/*
 * One job: its record and its message.
 */
#include <string.h>

#include "common/jobs_internal.h"

#define PAGE 100   /* messages of one trip */
#define FIND 2000  /* that are looked through in one place */
#define DEAD 10000 /* all of them */

/* Its message among those of a source, from there on. */
static enum ct_rc
find(struct ct_jobs *j, unsigned source, struct ct_str list, int64_t from,
    struct ct_job_info *row, bool *found, struct ct_err *err)
{
	struct ct_job_info *page = ct_arena_alloc(j->a, PAGE * sizeof(*page));
	const struct redisReply *p;
	int64_t most = source == CT_JOB_DEAD ? DEAD : FIND;

	*found = false;
	for (int64_t looked = 0; looked < most && from >= 0; looked += PAGE) {
		struct ct_mark mark = ct_arena_mark(j->a);
		size_t n;

		if (ct_jobs_peek(j, source, ct_str_of_i64(j->a, from), PAGE,
			list, &p, err) != CT_OK)
			return err->rc;
		n = ct_jobs_peeked(j, p, source, page);
		for (size_t i = 0; i < n; i++) {
			if (!ct_str_eq(page[i].id, row->id))
				continue;
			*row = page[i];
			*found = true;
			return CT_OK;
		}
		from = ct_reply_i64(ct_reply_at(p, 0));
		ct_arena_rewind(j->a, mark);
	}
	return CT_OK;
}

static enum ct_rc
find_ready(
    struct ct_jobs *j, struct ct_job_info *row, bool *found, struct ct_err *err)
{
	struct ct_str name[CT_JOBS_QUEUES] = {row->queue};
	size_t n = 1;

	if (!row->queue.p && ct_jobs_names(j, name, &n, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < n && !*found; i++)
		for (int step = 0; step < CT_STEPS && !*found; step++)
			if (find(j, CT_JOB_READY,
				ct_msg_list(j->a, name[i], step), 0, row, found,
				err) != CT_OK)
				return err->rc;
	return CT_OK;
}

/* How many wait for an earlier time: where to begin to look. */
static enum ct_rc
rank_of(struct ct_jobs *j, int64_t due_us, int64_t *out, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("ZCOUNT"), ct_jobs_key(j, "sched"),
	    CT_STR("-inf"),
	    ct_str_of(
		ct_arena_printf(j->a, "(%lld", (long long)(due_us / 1000)))};
	const struct redisReply *p;

	*out = 0;
	if (due_us == CT_NULL_I64)
		return CT_OK;
	if (ct_redis_do(j->redis, j->a, 4, argv, &p, err) != CT_OK)
		return err->rc;
	*out = ct_reply_i64(p);
	return CT_OK;
}

/* Its message, where its state says it is; anywhere where it has none. */
static enum ct_rc
find_message(
    struct ct_jobs *j, struct ct_job_info *row, bool *found, struct ct_err *err)
{
	const struct ct_str none = {0};
	int64_t from = 0;

	*found = false;
	for (unsigned s = 0; s < CT_JOB_DONE && !*found; s++) {
		if (row->state.p &&
		    !ct_str_is(row->state, ct_job_sources[s].state))
			continue;
		if (s == CT_JOB_SCHED &&
		    rank_of(j, row->due_at, &from, err) != CT_OK)
			return err->rc;
		if (s == CT_JOB_READY
			? find_ready(j, row, found, err) != CT_OK
			: find(j, s, none, s == CT_JOB_SCHED ? from : 0, row,
			      found, err) != CT_OK)
			return err->rc;
	}
	return CT_OK;
}

enum ct_rc
ct_jobs_get(struct ct_jobs *j, struct ct_str id, struct ct_job_info *out,
    struct ct_err *err)
{
	struct ct_str state;
	bool known, found;

	ct_jobs_clear(out);
	out->id = id;
	if (ct_jobs_records(j, out, 1, &known, err) != CT_OK)
		return err->rc;
	state = out->state;
	if (find_message(j, out, &found, err) != CT_OK)
		return err->rc;
	if (!known && !found)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "No job %.*s is known; jobs are kept for 7 days.",
		    ct_int(id.n > 60 ? 60 : id.n), id.p);
	if (!found)
		return CT_OK;
	if (known)
		out->state = state;
	return ct_jobs_records(j, out, 1, &known, err);
}
