/*
 * Steering: jobs, the dead, queues and nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "common/jobs_internal.h"
#include "common/queue.h"

#define OUT   CT_F_READONLY
#define NIL   (CT_F_READONLY | CT_F_NULLABLE)
#define AT(m) offsetof(struct ct_queue_info, m)
static const struct ct_field queue_rows[] = {
    {"queue", CT_T_TEXT, AT(name), OUT, 0, 0, NULL, NULL, NULL, "name"},
    {"ready", CT_T_INT, AT(ready), OUT, 0, 0, NULL, NULL, NULL,
	"jobs that wait for a worker"},
    {"priority_0", CT_T_INT, AT(depth[0]), OUT, 0, 0, NULL, NULL, NULL,
	"of them those served first"},
    {"priority_3", CT_T_INT, AT(depth[1]), OUT, 0, 0, NULL, NULL, NULL, NULL},
    {"priority_6", CT_T_INT, AT(depth[2]), OUT, 0, 0, NULL, NULL, NULL, NULL},
    {"priority_9", CT_T_INT, AT(depth[3]), OUT, 0, 0, NULL, NULL, NULL,
	"of them those served last"},
    {"oldest_ms", CT_T_INT, AT(oldest_ms), NIL, 0, 0, NULL, NULL, "ms",
	"how long the one served next has waited"},
    {"paused_at", CT_T_TIME, AT(paused_at), NIL, 0, 0, NULL, NULL, NULL,
	"since when it gives no jobs; null: it does"},
    {"nodes", CT_T_INT, AT(nodes), OUT, 0, 0, NULL, NULL, NULL,
	"worker nodes that serve it"},
};
const struct ct_fields ct_queue_info_fields =
    CT_FIELDS("queue", struct ct_queue_info, queue_rows);
#undef AT
#define AT(m) offsetof(struct ct_node_info, m)
static const struct ct_field node_rows[] = {
    {"id", CT_T_TEXT, AT(wid), OUT, 0, 0, NULL, NULL, NULL,
	"of the process: host, process number, nonce"},
    {"name", CT_T_TEXT, AT(name), OUT, 0, 0, NULL, NULL, NULL, "CATETUBE_NODE"},
    {"host", CT_T_TEXT, AT(host), OUT, 0, 0, NULL, NULL, NULL, "host"},
    {"pid", CT_T_INT, AT(pid), OUT, 0, 0, NULL, NULL, NULL,
	"process number there"},
    {"queues", CT_T_TEXT, AT(queues), OUT, 0, 0, NULL, NULL, NULL,
	"queues that it serves, with their weights"},
    {"slots", CT_T_INT, AT(slots), OUT, 0, 0, NULL, NULL, NULL,
	"jobs that it runs at a time"},
    {"since", CT_T_TIME, AT(since), OUT | CT_F_NULLABLE, 0, 0, NULL, NULL, NULL,
	"when it took its place"},
    {"beat_ms", CT_T_INT, AT(beat_ms), OUT, 0, 0, NULL, NULL, "ms",
	"since its last beat"},
    {"is_draining", CT_T_BOOL, AT(is_draining), OUT, 0, 0, NULL, NULL, NULL,
	"it was asked to end"},
};
const struct ct_fields ct_node_info_fields =
    CT_FIELDS("node", struct ct_node_info, node_rows);

/* --- jobs --------------------------------------------------------------- */

enum ct_rc
ct_jobs_cancel(struct ct_jobs *j, struct ct_str id, struct ct_job_info *out,
    struct ct_err *err)
{
	if (ct_jobs_get(j, id, out, err) != CT_OK)
		return err->rc;
	if (ct_jobs_is_one(out->state, ct_jobs_ended) ||
	    ct_str_is(out->state, "dead"))
		return ct_fail(err, CT_CONFLICT, "ended",
		    "The job has ended already: %.*s.", CT_STR_FMT(out->state));
	if (ct_queue_cancel(j->redis, j->a, j->prefix, id, err) != CT_OK)
		return err->rc;
	return ct_jobs_get(j, id, out, err);
}

enum ct_rc
ct_jobs_dead_check(const struct ct_job_info *row, struct ct_err *err)
{
	if (!ct_str_is(row->state, "dead"))
		return ct_fail(err, CT_CONFLICT, "state",
		    "The job is %.*s; only the dead keep their message.",
		    CT_STR_FMT(row->state));
	if (!row->list.p)
		return ct_fail(err, CT_CONFLICT, "state",
		    "The job is dead, but its message was purged.");
	return CT_OK;
}

static struct ct_str
member_of(struct ct_arena *a, const struct ct_job_info *row)
{
	struct ct_buf b;

	ct_buf_init(&b, a, row->list.n + row->raw.n + 1);
	ct_buf_addstr(&b, row->list);
	ct_buf_addc(&b, '\n');
	ct_buf_addstr(&b, row->raw);
	return ct_buf_str(&b);
}

static enum ct_rc
take_dead(struct ct_jobs *j, const struct ct_job_info *row, struct ct_str next,
    int64_t *done, struct ct_err *err)
{
	const struct redisReply *p;
	const struct ct_str argv[] = {member_of(j->a, row),
	    row->id.p ? row->id : CT_STR(""), next,
	    ct_str_of_i64(j->a, CT_JOBS_TTL_S)};

	if (!row->raw.p)
		return ct_fail(err, CT_CONFLICT, "too_long",
		    "The message is too long for that; purge all the dead of "
		    "its time, or send the job anew.");
	if (ct_jobs_ask(j, "jq_dead", 4, argv, &p, err) != CT_OK)
		return err->rc;
	*done = ct_reply_i64(p);
	return CT_OK;
}

enum ct_rc
ct_jobs_dead_retry(struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err)
{
	struct ct_str next = row->raw;
	struct ct_err hidden;
	struct ct_msg m;

	ct_err_clear(&hidden);
	/* One that cannot be read goes as it is: it may be readable now. */
	if (row->raw.p && ct_msg_parse(j->a, row->raw, &m, &hidden) == CT_OK)
		next = ct_msg_anew(j->a, &m);
	return take_dead(j, row, next, done, err);
}

enum ct_rc
ct_jobs_dead_purge(struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err)
{
	return take_dead(j, row, CT_STR(""), done, err);
}

enum ct_rc
ct_jobs_dead_clear(
    struct ct_jobs *j, int64_t before_us, int64_t *n, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("ZREMRANGEBYSCORE"),
	    ct_jobs_key(j, "dead"), CT_STR("-inf"),
	    ct_str_of_i64(j->a, before_us / 1000)};
	const struct redisReply *p;

	if (ct_redis_do(j->redis, j->a, 4, argv, &p, err) != CT_OK)
		return err->rc;
	*n = ct_reply_i64(p);
	return CT_OK;
}

/* --- queues ------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	const struct ct_str *x = a, *y = b;
	int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

static void
add_name(struct ct_str *name, size_t *n, struct ct_str s)
{
	if (s.n == 0 || *n == CT_JOBS_QUEUES)
		return;
	for (size_t i = 0; i < *n; i++)
		if (ct_str_eq(name[i], s))
			return;
	name[(*n)++] = s;
}

/* The next name of "a:1, b:2"; absent at the end. */
static struct ct_str
next_name(struct ct_str *rest)
{
	struct ct_str part = {0};

	while (rest->p && part.n == 0) {
		part = ct_str_trim(ct_str_split(rest, ','));
		part = ct_str_split(&part, ':');
	}
	return part.n > 0 ? part : (struct ct_str){0};
}

bool
ct_jobs_serves(struct ct_str queues, struct ct_str queue)
{
	struct ct_str name;

	while ((name = next_name(&queues)).p)
		if (ct_str_eq(name, queue))
			return true;
	return false;
}

enum ct_rc
ct_jobs_names_of(struct ct_jobs *j, const struct ct_node_info *node,
    size_t nodes, struct ct_str *name, size_t *n, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("HKEYS"), ct_jobs_key(j, "pause")};
	struct ct_str rest = ct_str_of(j->queues), one;
	const struct redisReply *p;

	*n = 0;
	while ((one = next_name(&rest)).p)
		add_name(name, n, one);
	for (size_t i = 0; i < nodes; i++) {
		rest = node[i].queues;
		while ((one = next_name(&rest)).p)
			add_name(name, n, one);
	}
	if (ct_redis_do(j->redis, j->a, 2, argv, &p, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < ct_reply_n(p); i++)
		add_name(name, n, ct_reply_str(ct_reply_at(p, i)));
	qsort(name, *n, sizeof(*name), by_text);
	return CT_OK;
}

enum ct_rc
ct_jobs_names(
    struct ct_jobs *j, struct ct_str *name, size_t *n, struct ct_err *err)
{
	struct ct_node_info *node;
	size_t nodes;

	if (ct_jobs_nodes(j, &node, &nodes, err) != CT_OK)
		return err->rc;
	return ct_jobs_names_of(j, node, nodes, name, n, err);
}

static void
read_queue(struct ct_queue_info *q, const struct redisReply *p)
{
	int64_t oldest = ct_reply_i64(ct_reply_at(p, CT_STEPS));

	for (size_t i = 0; i < CT_STEPS; i++) {
		q->depth[i] = ct_reply_i64(ct_reply_at(p, i));
		q->ready += q->depth[i];
	}
	q->oldest_ms = oldest < 0 ? CT_NULL_I64 : oldest;
	q->paused_at = ct_jobs_us(ct_reply_at(p, CT_STEPS + 1));
}

enum ct_rc
ct_jobs_queues(
    struct ct_jobs *j, struct ct_queues_info *out, struct ct_err *err)
{
	struct ct_str name[CT_JOBS_QUEUES];
	const struct redisReply *p;
	struct ct_node_info *node;
	size_t nodes;

	*out = (struct ct_queues_info){0};
	if (ct_jobs_nodes(j, &node, &nodes, err) != CT_OK ||
	    ct_jobs_names_of(j, node, nodes, name, &out->n, err) != CT_OK ||
	    ct_jobs_ask(j, "jq_queues", (int)out->n, name, &p, err) != CT_OK)
		return err->rc;
	out->scheduled = ct_reply_i64(ct_reply_at(p, 1));
	out->dead = ct_reply_i64(ct_reply_at(p, 2));
	out->row = ct_arena_alloc(j->a, out->n * sizeof(*out->row) + 1);
	for (size_t i = 0; i < out->n; i++) {
		out->row[i].name = name[i];
		read_queue(&out->row[i], ct_reply_at(p, 3 + i));
		for (size_t k = 0; k < nodes; k++)
			out->row[i].nodes +=
			    ct_jobs_serves(node[k].queues, name[i]);
	}
	return CT_OK;
}

static enum ct_rc
check_queue(struct ct_jobs *j, struct ct_str queue, struct ct_err *err)
{
	struct ct_str name[CT_JOBS_QUEUES];
	struct ct_buf b;
	size_t n;

	if (ct_jobs_names(j, name, &n, err) != CT_OK)
		return err->rc;
	ct_buf_init(&b, j->a, 128);
	for (size_t i = 0; i < n; i++) {
		if (ct_str_eq(name[i], queue))
			return CT_OK;
		ct_buf_addf(&b, "%s%.*s", i ? ", " : "", CT_STR_FMT(name[i]));
	}
	return ct_fail(err, CT_NOTFOUND, NULL,
	    "There is no queue of that name; there are: %.*s.",
	    ct_int(b.n > 120 ? 120 : b.n), b.p);
}

enum ct_rc
ct_jobs_pause(struct ct_jobs *j, struct ct_str queue, bool paused,
    bool *changed, struct ct_err *err)
{
	struct ct_str argv[4] = {
	    CT_STR("HDEL"), ct_jobs_key(j, "pause"), queue};
	const struct redisReply *p;

	if (check_queue(j, queue, err) != CT_OK)
		return err->rc;
	if (paused) {
		argv[0] = CT_STR("HSETNX");
		argv[3] = ct_str_of_i64(j->a, ct_now_us() / 1000);
	}
	if (ct_redis_do(j->redis, j->a, paused ? 4 : 3, argv, &p, err) != CT_OK)
		return err->rc;
	*changed = ct_reply_i64(p) == 1;
	return CT_OK;
}

/* --- nodes -------------------------------------------------------------- */

enum {
	N_WID,
	N_NAME,
	N_HOST,
	N_PID,
	N_QUEUES,
	N_SLOTS,
	N_SINCE,
	N_BEAT,
	N_DRAIN,
	N_HELD,
	N_JOBS
};

static void
read_node(struct ct_jobs *j, struct ct_node_info *n, const struct redisReply *p,
    int64_t now_ms)
{
	const struct redisReply *jobs = ct_reply_at(p, N_JOBS);

	n->wid = ct_reply_str(ct_reply_at(p, N_WID));
	n->name = ct_reply_str(ct_reply_at(p, N_NAME));
	n->host = ct_reply_str(ct_reply_at(p, N_HOST));
	n->queues = ct_reply_str(ct_reply_at(p, N_QUEUES));
	n->pid = ct_reply_i64(ct_reply_at(p, N_PID));
	n->slots = ct_reply_i64(ct_reply_at(p, N_SLOTS));
	n->since = ct_jobs_us(ct_reply_at(p, N_SINCE));
	n->beat_ms = now_ms - ct_reply_i64(ct_reply_at(p, N_BEAT));
	n->is_draining = ct_reply_i64(ct_reply_at(p, N_DRAIN)) == 1;
	n->held = ct_reply_i64(ct_reply_at(p, N_HELD));
	n->njobs = ct_reply_n(jobs) / 3;
	n->job = ct_arena_alloc(j->a, n->njobs * sizeof(*n->job) + 1);
	for (size_t i = 0; i < n->njobs; i++) {
		n->job[i].id = ct_reply_str(ct_reply_at(jobs, 3 * i));
		n->job[i].task = ct_reply_str(ct_reply_at(jobs, 3 * i + 1));
		n->job[i].began_at = ct_jobs_us(ct_reply_at(jobs, 3 * i + 2));
	}
}

enum ct_rc
ct_jobs_nodes(
    struct ct_jobs *j, struct ct_node_info **out, size_t *n, struct ct_err *err)
{
	const struct ct_str argv[] = {ct_str_of_i64(j->a, CT_JOBS_NODES),
	    ct_str_of_i64(j->a, CT_JOBS_RUN)};
	const struct redisReply *p;

	if (ct_jobs_ask(j, "jq_nodes", 2, argv, &p, err) != CT_OK)
		return err->rc;
	*n = ct_reply_n(p) - 1;
	*out = ct_arena_alloc(j->a, *n * sizeof(**out) + 1);
	for (size_t i = 0; i < *n; i++)
		read_node(j, &(*out)[i], ct_reply_at(p, i + 1),
		    ct_reply_i64(ct_reply_at(p, 0)));
	return CT_OK;
}

void
ct_jobs_write_running(const struct ct_node_info *n, struct ct_jw *w)
{
	ct_jw_key(w, "running");
	ct_jw_arr(w);
	for (size_t i = 0; i < n->njobs; i++) {
		ct_jw_obj(w);
		ct_jw_key(w, "id");
		ct_jw_str(w, n->job[i].id);
		ct_jw_key(w, "task");
		ct_jw_str(w, n->job[i].task);
		ct_jw_key(w, "began_at");
		ct_jw_time(w, n->job[i].began_at);
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

/* The one that is meant, by id or else by name. */
static enum ct_rc
find_node(struct ct_jobs *j, struct ct_str node, struct ct_str *wid,
    struct ct_err *err)
{
	struct ct_node_info *all;
	size_t n, named = 0;
	struct ct_buf b;

	if (ct_jobs_nodes(j, &all, &n, err) != CT_OK)
		return err->rc;
	ct_buf_init(&b, j->a, 128);
	for (size_t i = 0; i < n; i++) {
		if (ct_str_eq(all[i].wid, node)) {
			*wid = all[i].wid;
			return CT_OK;
		}
		if (!ct_str_eq(all[i].name, node))
			continue;
		*wid = all[i].wid;
		ct_buf_addf(
		    &b, "%s%.*s", named++ ? ", " : "", CT_STR_FMT(all[i].wid));
	}
	if (named == 0)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "There is no worker node of that name or id; there are "
		    "%zu nodes.",
		    n);
	if (named > 1)
		return ct_fail(err, CT_CONFLICT, "name",
		    "%zu nodes have that name, give an id: %.*s.", named,
		    ct_int(b.n > 140 ? 140 : b.n), b.p);
	return CT_OK;
}

enum ct_rc
ct_jobs_drain(struct ct_jobs *j, struct ct_str node, struct ct_str *wid,
    struct ct_err *err)
{
	const struct redisReply *p;

	if (find_node(j, node, wid, err) != CT_OK ||
	    ct_jobs_ask(j, "jq_drain", 1, wid, &p, err) != CT_OK)
		return err->rc;
	if (ct_reply_i64(p) != 1)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "The node has just ended.");
	return CT_OK;
}

/* --- what happens ------------------------------------------------------- */

/* The newest entry there is. */
static enum ct_rc
newest(
    struct ct_jobs *j, struct ct_str key, struct ct_str *at, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("XREVRANGE"), key, CT_STR("+"),
	    CT_STR("-"), CT_STR("COUNT"), CT_STR("1")};
	const struct redisReply *p;

	if (ct_redis_do(j->redis, j->a, 6, argv, &p, err) != CT_OK)
		return err->rc;
	*at = ct_reply_n(p) == 1
		  ? ct_reply_str(ct_reply_at(ct_reply_at(p, 0), 0))
		  : CT_STR("0-0");
	return CT_OK;
}

struct ct_str
ct_jobs_entry(const struct redisReply *e, const char *name)
{
	const struct redisReply *f = ct_reply_at(e, 1);

	for (size_t i = 0; i + 1 < ct_reply_n(f); i += 2)
		if (ct_str_is(ct_reply_str(ct_reply_at(f, i)), name))
			return ct_reply_str(ct_reply_at(f, i + 1));
	return (struct ct_str){0};
}

enum ct_rc
ct_jobs_follow(struct ct_jobs *j, struct ct_str *at, int wait_ms,
    struct ct_job_event **out, size_t *n, struct ct_err *err)
{
	struct ct_str key = ct_jobs_key(j, "done");
	const struct redisReply *p, *e;

	*n = 0;
	if (at->n == 0)
		return newest(j, key, at, err);
	const struct ct_str argv[] = {CT_STR("XREAD"), CT_STR("COUNT"),
	    ct_str_of_i64(j->a, CT_JOBS_LIMIT), CT_STR("BLOCK"),
	    ct_str_of_i64(j->a, wait_ms), CT_STR("STREAMS"), key, *at};
	if (ct_redis_do(j->redis, j->a, ct_countof(argv), argv, &p, err) !=
	    CT_OK)
		return err->rc;
	p = ct_reply_at(ct_reply_at(p, 0), 1);
	*n = ct_reply_n(p);
	*out = ct_arena_alloc(j->a, *n * sizeof(**out) + 1);
	for (size_t i = 0; i < *n; i++) {
		e = ct_reply_at(p, i);
		(*out)[i].id = ct_jobs_entry(e, "id");
		(*out)[i].state = ct_jobs_entry(e, "state");
		if (!ct_str_i64(
			ct_jobs_entry(e, "try"), 0, INT64_MAX, &(*out)[i].try))
			(*out)[i].try = 0;
		*at = ct_reply_str(ct_reply_at(e, 0));
	}
	return CT_OK;
}
