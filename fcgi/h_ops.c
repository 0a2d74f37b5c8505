/* Operations: what it is, whether it works, how it does. */
#include <string.h>
#include <unistd.h>

#include "common/jobs.h"
#include "db/migrate.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"
#include "gen/version.h"

CT_HANDLER(h_root)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	(void)err;
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "CatETube Tracker API");
	ct_jw_key(w, "version");
	ct_jw_cstr(w, CT_VERSION);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, "running");
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_index)
{
	static const char *const nouns[] = {"auth", "feeding", "medication_log",
	    "weight", "observation", "water", "tube_check", "tracker", "report",
	    "webhook", "admin"};
	struct ct_jw *w = ct_resp_json(r, 200);

	(void)err;
	ct_jw_obj(w);
	for (size_t i = 0; i < ct_countof(nouns); i++) {
		ct_jw_key(w, nouns[i]);
		ct_jw_cstr(w, ct_arena_printf(r->a, "/api/%s/", nouns[i]));
	}
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_live)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	(void)err;
	ct_jw_obj(w);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, "alive");
	ct_jw_end(w);
	return CT_OK;
}

/* One gauge of each queue; value_milli: CT_NULL_I64 leaves it out. */
static void
queue_gauge(struct ct_req *r, struct ct_buf *out, enum ct_metric_id id,
    const struct ct_queues_info *q,
    int64_t (*value_milli)(const struct ct_queue_info *q))
{
	ct_metric_head(out, id);
	for (size_t i = 0; i < q->n; i++) {
		int64_t v = value_milli(&q->row[i]);

		if (v != CT_NULL_I64)
			ct_metric_line(out, id,
			    ct_arena_printf(r->a, "queue=\"%s\"",
				ct_metric_label(r->a, q->row[i].name)),
			    v);
	}
}

static int64_t
oldest_of(const struct ct_queue_info *q)
{
	return q->oldest_ms == CT_NULL_I64 ? 0 : q->oldest_ms;
}

static int64_t
is_paused(const struct ct_queue_info *q)
{
	return q->paused_at == CT_NULL_I64 ? 0 : 1000;
}

static int64_t
nodes_of(const struct ct_queue_info *q)
{
	return q->nodes * 1000;
}

static void
write_queues(
    struct ct_req *r, struct ct_buf *out, const struct ct_queues_info *q)
{
	ct_metric_head(out, CT_M_QUEUE_DEPTH);
	for (size_t i = 0; i < q->n; i++)
		for (int step = 0; step < CT_STEPS; step++)
			ct_metric_line(out, CT_M_QUEUE_DEPTH,
			    ct_arena_printf(r->a,
				"queue=\"%s\",priority=\"%d\"",
				ct_metric_label(r->a, q->row[i].name),
				3 * step),
			    q->row[i].depth[step] * 1000);
	queue_gauge(r, out, CT_M_QUEUE_OLDEST, q, oldest_of);
	queue_gauge(r, out, CT_M_QUEUE_PAUSED, q, is_paused);
	queue_gauge(r, out, CT_M_QUEUE_NODES, q, nodes_of);
	ct_metric_head(out, CT_M_JOBS_SCHEDULED);
	ct_metric_line(out, CT_M_JOBS_SCHEDULED, "", q->scheduled * 1000);
	ct_metric_head(out, CT_M_JOBS_DEAD);
	ct_metric_line(out, CT_M_JOBS_DEAD, "", q->dead * 1000);
}

static void
write_nodes(struct ct_req *r, struct ct_buf *out,
    const struct ct_node_info *node, size_t n)
{
	static const struct {
		enum ct_metric_id id;
		size_t at;
		int64_t milli; /* of one */
	} gauges[] = {
	    {CT_M_JOBS_RUNNING, offsetof(struct ct_node_info, held), 1000},
	    {CT_M_JOB_SLOTS, offsetof(struct ct_node_info, slots), 1000},
	    {CT_M_NODE_BEAT, offsetof(struct ct_node_info, beat_ms), 1},
	};

	for (size_t g = 0; g < ct_countof(gauges); g++) {
		ct_metric_head(out, gauges[g].id);
		for (size_t i = 0; i < n; i++)
			ct_metric_line(out, gauges[g].id,
			    ct_arena_printf(r->a, "node=\"%s\"",
				ct_metric_label(r->a, node[i].wid)),
			    *(const int64_t *)(const void
				    *)((const char *)&node[i] + gauges[g].at) *
				gauges[g].milli);
	}
}

/* What waits is asked of Redis, which may be away: then it is not told. */
CT_HANDLER(h_metrics)
{
	struct ct_buf *out =
	    ct_resp_raw(r, 200, "text/plain; version=0.0.4; charset=utf-8");
	struct ct_jobs j = {.redis = r->redis,
	    .a = r->a,
	    .prefix = r->app->conf->queue_prefix,
	    .queues = r->app->conf->queues};
	struct ct_queues_info queues;
	struct ct_node_info *node;
	struct ct_err hidden;
	size_t nodes;
	bool up;

	(void)err;
	ct_metrics_render(out);
	up = ct_jobs_queues(&j, &queues, &hidden) == CT_OK &&
	     ct_jobs_nodes(&j, &node, &nodes, &hidden) == CT_OK;
	ct_metric_head(out, CT_M_QUEUES_UP);
	ct_metric_line(out, CT_M_QUEUES_UP, "", up ? 1000 : 0);
	if (up) {
		write_queues(r, out, &queues);
		write_nodes(r, out, node, nodes);
	}
	return CT_OK;
}

static bool
redis_answers(struct ct_req *r, struct ct_redis *redis)
{
	struct ct_str ping = CT_STR("PING");
	const struct redisReply *reply;
	struct ct_err err;

	return ct_redis_do(redis, r->a, 1, &ping, &reply, &err) == CT_OK;
}

static void
check(struct ct_jw *w, const char *name, bool ok)
{
	ct_jw_key(w, name);
	ct_jw_cstr(w, ok ? "ok" : "down");
}

/*
 * Without PostgreSQL or a place for files nothing can be promised: 503.
 * Without Redis everything but reports goes on, only slower: degraded.
 */
CT_HANDLER(h_health)
{
	struct ct_err why;
	bool database = ct_migrate_check(r->pg, &why) == CT_OK ||
			strcmp(why.code, CT_NEWER_SCHEMA) == 0;
	bool storage = access(r->app->conf->files_dir, W_OK) == 0;
	bool queue = redis_answers(r, r->redis);
	bool cache = r->cache == r->redis ? queue : redis_answers(r, r->cache);
	bool healthy = database && storage && queue && cache;
	bool works = database && storage;
	struct ct_jw *w = ct_resp_json(r, works ? 200 : 503);

	(void)err;
	ct_jw_obj(w);
	ct_jw_key(w, "status");
	ct_jw_cstr(w, healthy ? "healthy" : works ? "degraded" : "unhealthy");
	ct_jw_key(w, "timestamp");
	ct_jw_time(w, ct_now_us());
	ct_jw_key(w, "checks");
	ct_jw_obj(w);
	check(w, "database", database);
	check(w, "cache", cache);
	check(w, "queue", queue);
	check(w, "storage", storage);
	/* Nothing outside this host is used yet. */
	ct_jw_key(w, "external");
	ct_jw_cstr(w, "none");
	ct_jw_end(w);
	ct_jw_end(w);
	if (!works)
		ct_resp_header(r, "Retry-After", CT_STR("2"));
	return CT_OK;
}
