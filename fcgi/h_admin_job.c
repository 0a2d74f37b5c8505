/*
 * Administration of jobs, queues and workers. What is done is noted in the
 * audit trail before it is done, since it is done in Redis.
 */
#include <stdio.h>
#include <string.h>

#include "common/jobs.h"
#include "db/admin.h"
#include "db/outbox.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define NAME_LONGEST 200 /* of a task, a queue, a node */
#define DAY_US	     (INT64_C(86400) * 1000000)
#define DEAD_PAGES   200 /* the set holds 10,000 */
#define PAGE_CAP     ((size_t)16 << 20)

struct job_query {
	struct ct_str state, queue, task, cursor;
	int64_t limit;
};
#define AT(m) offsetof(struct job_query, m)
static const char *const states[] = {"queued", "scheduled", "running",
    "succeeded", "failed", "revoked", "dead", NULL};
static const struct ct_field query_rows[] = {
    {"state", CT_T_ENUM, AT(state), 0, 0, 0, NULL, states, NULL, "only those"},
    {"queue", CT_T_TEXT, AT(queue), 0, 1, NAME_LONGEST, NULL, NULL, NULL,
	"only those"},
    {"task", CT_T_TEXT, AT(task), 0, 1, NAME_LONGEST, NULL, NULL, NULL,
	"only those"},
    {"limit", CT_T_INT, AT(limit), 0, 1, CT_JOBS_LIMIT, NULL, NULL, NULL,
	"at most so many; 50 where it is not given"},
    {"cursor", CT_T_TEXT, AT(cursor), 0, 1, 64, NULL, NULL, NULL,
	"next of the page before"},
};
const struct ct_fields ct_admin_job_query =
    CT_FIELDS("job", struct job_query, query_rows);

struct job_in {
	struct ct_str queue, task, node;
	int64_t older_days;
};
#undef AT
#define AT(m) offsetof(struct job_in, m)
#define WHICH                                                                  \
	{"queue", CT_T_TEXT, AT(queue), 0, 1, NAME_LONGEST, NULL, NULL, NULL,  \
	    "only of that queue"},                                             \
	{                                                                      \
		"task", CT_T_TEXT, AT(task), 0, 1, NAME_LONGEST, NULL, NULL,   \
		    NULL, "only of that task"                                  \
	}
static const struct ct_field retry_rows[] = {WHICH};
const struct ct_fields ct_dead_retry_in =
    CT_FIELDS("dead", struct job_in, retry_rows);
static const struct ct_field purge_rows[] = {
    WHICH,
    {"older_days", CT_T_INT, AT(older_days), 0, 0, 3660, NULL, NULL, "days",
	"only those that died so long ago"},
};
const struct ct_fields ct_dead_purge_in =
    CT_FIELDS("dead", struct job_in, purge_rows);
static const struct ct_field queue_in_rows[] = {
    {"queue", CT_T_TEXT, AT(queue), CT_F_REQUIRED, 1, NAME_LONGEST, NULL, NULL,
	NULL, "its name"},
};
const struct ct_fields ct_queue_in =
    CT_FIELDS("queue", struct job_in, queue_in_rows);
static const struct ct_field node_in_rows[] = {
    {"node", CT_T_TEXT, AT(node), CT_F_REQUIRED, 1, NAME_LONGEST, NULL, NULL,
	NULL, "its id or its name"},
};
const struct ct_fields ct_node_in =
    CT_FIELDS("node", struct job_in, node_in_rows);

static struct ct_jobs
jobs_of(struct ct_req *r)
{
	return (struct ct_jobs){.redis = r->redis,
	    .a = r->a,
	    .prefix = r->app->conf->queue_prefix,
	    .queues = r->app->conf->queues};
}

/* The id as Redis has it. */
static struct ct_str
id_of(struct ct_req *r)
{
	char text[CT_UUID_TEXT];

	return ct_str_dup(r->a, ct_str_of(ct_uuid_format(&r->id, text)));
}

static void
write_jobs(struct ct_jw *w, const struct ct_jobs_page *page)
{
	ct_jw_key(w, "jobs");
	ct_jw_arr(w);
	for (size_t i = 0; i < page->n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_job_info_fields, &page->row[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_key(w, "next");
	ct_jw_str(w, page->next);
}

CT_HANDLER(h_admin_job_list)
{
	struct job_query q = {.limit = 50};
	struct ct_jobs j = jobs_of(r);
	struct ct_jobs_filter f;
	struct ct_jobs_page page;
	struct ct_jw *w;

	if (ct_req_query(r, &q, err) != CT_OK ||
	    ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK)
		return err->rc;
	f = (struct ct_jobs_filter){.state = q.state,
	    .queue = q.queue,
	    .task = q.task,
	    .cursor = q.cursor,
	    .limit = q.limit};
	if (ct_jobs_list(&j, &f, &page, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	write_jobs(w, &page);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_admin_job_get)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_job_info row;
	struct ct_jw *w;

	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_get(&j, id_of(r), &row, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_fields_write(&ct_job_info_fields, &row, w);
	ct_jw_end(w);
	return CT_OK;
}

/* {"message", "data": job} */
static void
answer(struct ct_req *r, const char *text, const struct ct_job_info *row)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_key(w, "data");
	ct_jw_obj(w);
	ct_fields_write(&ct_job_info_fields, row, w);
	ct_jw_end(w);
	ct_jw_end(w);
}

static enum ct_rc
note(struct ct_req *r, const struct ct_uuid *job, const char *action,
    struct ct_str detail, struct ct_err *err)
{
	return ct_admin_note_job(
	    r->pg, r->a, &r->account, job, action, detail, err);
}

CT_HANDLER(h_admin_job_cancel)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_job_info row;

	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_get(&j, id_of(r), &row, err) != CT_OK ||
	    note(r, &r->id, "job_cancel", row.task, err) != CT_OK ||
	    ct_jobs_cancel(&j, id_of(r), &row, err) != CT_OK)
		return err->rc;
	answer(r, "The job is revoked", &row);
	return CT_OK;
}

/* The dead job of {id}, noted to be dealt with. */
static enum ct_rc
take_dead(struct ct_req *r, struct ct_jobs *j, const char *action,
    struct ct_job_info *row, struct ct_err *err)
{
	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_get(j, id_of(r), row, err) != CT_OK ||
	    ct_jobs_dead_check(row, err) != CT_OK)
		return err->rc;
	return note(r, &r->id, action, row->task, err);
}

/*
 * Its row first: a job that finds its work marked as failed would do nothing.
 */
static enum ct_rc
retry(struct ct_req *r, struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err)
{
	struct ct_uuid id;

	if (ct_uuid_parse(row->id, &id) &&
	    ct_outbox_reopen(r->pg, r->a, &id, err) != CT_OK)
		return err->rc;
	return ct_jobs_dead_retry(j, row, done, err);
}

static enum ct_rc
purge(struct ct_req *r, struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err)
{
	(void)r;
	return ct_jobs_dead_purge(j, row, done, err);
}

static enum ct_rc
moved(int64_t done, struct ct_err *err)
{
	return done == 1 ? CT_OK
			 : ct_fail(err, CT_CONFLICT, "state",
			       "The job is not dead any more.");
}

CT_HANDLER(h_admin_job_retry)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_job_info row;
	int64_t done;

	if (take_dead(r, &j, "job_retry", &row, err) != CT_OK ||
	    retry(r, &j, &row, &done, err) != CT_OK ||
	    moved(done, err) != CT_OK ||
	    ct_jobs_get(&j, id_of(r), &row, err) != CT_OK)
		return err->rc;
	answer(r, "The job is queued again", &row);
	return CT_OK;
}

CT_HANDLER(h_admin_job_purge)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_job_info row;
	int64_t done;

	if (take_dead(r, &j, "job_purge", &row, err) != CT_OK ||
	    purge(r, &j, &row, &done, err) != CT_OK ||
	    moved(done, err) != CT_OK)
		return err->rc;
	answer(r, "The job's message is gone", &row);
	return CT_OK;
}

/* What is needed of a row, on the request's arena. */
static struct ct_job_info
keep(struct ct_req *r, const struct ct_job_info *row)
{
	struct ct_job_info out = {.list = ct_str_dup(r->a, row->list),
	    .raw = ct_str_dup(r->a, row->raw)};

	if (row->id.p)
		out.id = ct_str_dup(r->a, row->id);
	return out;
}

/*
 * Up to CT_JOBS_LIMIT dead that match and died before; *more: there are others.
 * None is dealt with before all are found: what is taken out moves the rest.
 * Pages are on an arena of their own, j->a.
 */
static enum ct_rc
collect(struct ct_req *r, struct ct_jobs *j, const struct job_in *in,
    int64_t before_us, struct ct_job_info *row, size_t *n, bool *more,
    struct ct_err *err)
{
	char cursor[64] = "";
	struct ct_jobs_filter f = {.state = CT_STR("dead"),
	    .queue = in->queue,
	    .task = in->task,
	    .limit = CT_JOBS_LIMIT};
	struct ct_jobs_page page;

	*n = 0;
	*more = false;
	for (int i = 0; i < DEAD_PAGES; i++) {
		ct_arena_reset(j->a);
		if (ct_jobs_list(j, &f, &page, err) != CT_OK)
			return err->rc;
		for (size_t k = 0; k < page.n; k++) {
			if (!page.row[k].raw.p ||
			    page.row[k].ended_at > before_us)
				continue;
			if (*n == CT_JOBS_LIMIT) {
				*more = true;
				return CT_OK;
			}
			row[(*n)++] = keep(r, &page.row[k]);
		}
		if (!page.next.p)
			break;
		snprintf(cursor, sizeof(cursor), "%.*s", CT_STR_FMT(page.next));
		f.cursor = ct_str_of(cursor);
	}
	return CT_OK;
}

typedef enum ct_rc dead_fn(struct ct_req *r, struct ct_jobs *j,
    const struct ct_job_info *row, int64_t *done, struct ct_err *err);

static enum ct_rc
many(struct ct_req *r, const struct job_in *in, int64_t before_us, dead_fn *fn,
    struct ct_err *err)
{
	struct ct_job_info *row =
	    ct_arena_alloc(r->a, CT_JOBS_LIMIT * sizeof(*row));
	struct ct_jobs j = jobs_of(r);
	int64_t count = 0, done;
	struct ct_jw *w;
	bool more;
	size_t n;

	j.a = ct_arena_create(PAGE_CAP);
	(void)!collect(r, &j, in, before_us, row, &n, &more, err);
	ct_arena_destroy(j.a);
	j.a = r->a;
	if (err->rc != CT_OK)
		return err->rc;
	for (size_t i = 0; i < n; i++) {
		if (fn(r, &j, &row[i], &done, err) != CT_OK)
			return err->rc;
		count += done == 1;
	}
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, count > 0 ? "Done" : "Nothing to do");
	ct_jw_key(w, "count");
	ct_jw_i64(w, count);
	ct_jw_key(w, "more");
	ct_jw_bool(w, more);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_admin_dead_retry)
{
	static const struct ct_uuid all;
	struct job_in in = {.older_days = 0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    note(r, &all, "dead_retry", in.task.p ? in.task : in.queue, err) !=
		CT_OK)
		return err->rc;
	return many(r, &in, ct_now_us(), retry, err);
}

CT_HANDLER(h_admin_dead_purge)
{
	static const struct ct_uuid all;
	struct job_in in = {.older_days = 0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    note(r, &all, "dead_purge", in.task.p ? in.task : in.queue, err) !=
		CT_OK)
		return err->rc;
	return many(r, &in, ct_now_us() - in.older_days * DAY_US, purge, err);
}

CT_HANDLER(h_admin_queue_list)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_queues_info q;
	struct ct_jw *w;

	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_queues(&j, &q, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "queues");
	ct_jw_arr(w);
	for (size_t i = 0; i < q.n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_queue_info_fields, &q.row[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_key(w, "scheduled");
	ct_jw_i64(w, q.scheduled);
	ct_jw_key(w, "dead");
	ct_jw_i64(w, q.dead);
	ct_jw_end(w);
	return CT_OK;
}

static enum ct_rc
set_paused(struct ct_req *r, bool paused, struct ct_err *err)
{
	static const struct ct_uuid none;
	struct ct_jobs j = jobs_of(r);
	struct job_in in = {.older_days = 0};
	struct ct_jw *w;
	uint64_t seen;
	bool changed;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    note(r, &none, paused ? "queue_pause" : "queue_resume", in.queue,
		err) != CT_OK ||
	    ct_jobs_pause(&j, in.queue, paused, &changed, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, !changed ? "It was so before"
		      : paused ? "The queue gives no jobs now"
			       : "The queue gives jobs again");
	ct_jw_key(w, "queue");
	ct_jw_str(w, in.queue);
	ct_jw_key(w, "changed");
	ct_jw_bool(w, changed);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_admin_queue_pause)
{
	return set_paused(r, true, err);
}

CT_HANDLER(h_admin_queue_resume)
{
	return set_paused(r, false, err);
}

CT_HANDLER(h_admin_node_list)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_node_info *node;
	struct ct_jw *w;
	size_t n;

	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_nodes(&j, &node, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "nodes");
	ct_jw_arr(w);
	for (size_t i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_node_info_fields, &node[i], w);
		ct_jobs_write_running(&node[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_admin_node_drain)
{
	static const struct ct_uuid none;
	struct ct_jobs j = jobs_of(r);
	struct job_in in = {.older_days = 0};
	struct ct_str wid;
	struct ct_jw *w;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    note(r, &none, "node_drain", in.node, err) != CT_OK ||
	    ct_jobs_drain(&j, in.node, &wid, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "The node finishes its jobs and ends");
	ct_jw_key(w, "node");
	ct_jw_str(w, wid);
	ct_jw_end(w);
	return CT_OK;
}

/* Without what would look at every key: that is for catetubectl. */
CT_HANDLER(h_admin_job_doctor)
{
	struct ct_jobs j = jobs_of(r);
	struct ct_finding *f;
	size_t n;

	if (ct_admin_check(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_jobs_doctor(&j, 0, &f, &n, err) != CT_OK)
		return err->rc;
	ct_jobs_write_findings(f, n, ct_resp_json(r, 200));
	return CT_OK;
}
