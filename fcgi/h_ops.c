/* Operations: what it is, whether it works, how it does. */
#include <string.h>
#include <unistd.h>

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

CT_HANDLER(h_metrics)
{
	(void)err;
	ct_metrics_render(
	    ct_resp_raw(r, 200, "text/plain; version=0.0.4; charset=utf-8"));
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
