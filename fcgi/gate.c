/* What stands before every handler; see gate.h. */
#include "fcgi/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/cache.h"
#include "common/log.h"
#include "db/api_token.h"
#include "db/session.h"
#include "fcgi/h_entry.h"
#include "fcgi/limiter.h"
#include "fcgi/once.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

#define SESSION_CACHE_S	 300 /* also how often a session is touched */
#define SESSION_TOUCH_US (INT64_C(300) * 1000000)

/* ------------------------------------------------------------ one trip */

/* The first quoted tag of If-None-Match, weak or not. */
static struct ct_str
held_etag(const struct ct_req *r)
{
	struct ct_str rest = r->if_none_match;
	struct ct_str tag;

	ct_str_split(&rest, '"');
	tag = ct_str_split(&rest, '"');
	return tag.n == 16 ? tag : CT_STR("");
}

/* Any of the tags that the client holds, weak or not; "*" is every one. */
static bool
holds(const struct ct_req *r, struct ct_str etag)
{
	struct ct_str rest = r->if_none_match;

	if (ct_str_is(ct_str_trim(rest), "*"))
		return true;
	while (rest.p) {
		ct_str_split(&rest, '"');
		if (rest.p && ct_str_eq(ct_str_split(&rest, '"'), etag))
			return true;
	}
	return false;
}

/*
 * The address as limits count it: IPv6 by its /64, which is what one host has.
 * Keyed, so that Redis does not tell who was here.
 */
static void
digest_address(struct ct_req *r)
{
	struct in6_addr six;
	struct ct_buf b;

	ct_buf_init(&b, r->a, 128);
	ct_buf_adds(&b, r->app->conf->secret_key);
	if (inet_pton(AF_INET6, ct_str_cstr(r->a, r->addr), &six) == 1)
		ct_buf_add(&b, six.s6_addr, 8);
	else
		ct_buf_addstr(&b, r->addr);
	ct_digest_hex16(b.p, b.n, r->addr_digest);
}

/*
 * May its answer be a cached one: the route has a tag, and the request has no
 * parameters but the cat, which is the path's, ?cat_id's or the default one.
 */
static bool
is_cacheable(struct ct_req *r)
{
	static const struct ct_str cat_id = {"cat_id=", 7};

	if (!r->route->tag)
		return false;
	if (r->route->flags & CT_R_CAT)
		r->asked_cat = r->id;
	if (r->query.n == 0)
		return true;
	return !(r->route->flags & CT_R_CAT) &&
	       ct_str_starts(r->query, cat_id) &&
	       ct_uuid_parse((struct ct_str){r->query.p + cat_id.n,
				 r->query.n - cat_id.n},
		   &r->asked_cat);
}

void
ct_gate_ask(struct ct_req *r, struct ct_str *key, struct ct_str *args)
{
	const struct ct_route *t = r->route;
	bool tag = is_cacheable(r);
	char cat[CT_UUID_TEXT];

	digest_address(r);
	r->limit = ct_class_limit(r->app->conf, t->class);
	*key = CT_STR("");
	if (r->has_token && t->who != CT_W_OPEN)
		*key = ct_cache_key_session(
		    r->token_hash, ct_arena_raw(r->a, CT_CACHE_KEY));
	args[0] = ct_str_of(ct_class_name(t->class));
	args[1] = ct_str_of_i64(r->a, r->limit);
	args[2] = ct_str_of(r->addr_digest);
	args[3] = ct_str_of(tag ? t->tag : "");
	args[4] = held_etag(r);
	args[5] = CT_STR("");
	if (tag && !ct_uuid_nil(&r->asked_cat))
		args[5] = ct_str_of(ct_arena_printf(
		    r->a, "%s", ct_uuid_format(&r->asked_cat, cat)));
}

/*
 * A session's copy: account, default cat, three letters (a admin or u user;
 * the scope; b bound to the one cat or -), then its cats, which gate.lua reads.
 */
#define COPY_LETTERS 74
#define COPY_MIN     78
static const char scope_letters[] = {[CT_S_SESSION] = 's',
    [CT_S_READ] = 'r',
    [CT_S_LOG] = 'l',
    [CT_S_FULL] = 'f'};

static bool
read_session(struct ct_req *r, struct ct_str s)
{
	const char *at;

	if (s.n < COPY_MIN)
		return false;
	at =
	    memchr(scope_letters, s.p[COPY_LETTERS + 1], sizeof(scope_letters));
	if (!at || !ct_uuid_parse((struct ct_str){s.p, 36}, &r->account))
		return false;
	if (!ct_uuid_parse((struct ct_str){s.p + 37, 36}, &r->cat))
		memset(&r->cat, 0, sizeof(r->cat));
	r->is_admin = s.p[COPY_LETTERS] == 'a';
	r->scope = (enum ct_token_scope)(at - scope_letters);
	if (s.p[COPY_LETTERS + 2] == 'b')
		r->only_cat = r->cat;
	r->signed_in = true;
	return true;
}

static enum ct_verdict
verdict_of(struct ct_str v)
{
	static const struct {
		char letter;
		enum ct_verdict verdict;
	} table[] = {{'L', CT_V_LIMITED}, {'N', CT_V_NO_SESSION},
	    {'M', CT_V_MISS}, {'H', CT_V_HIT}, {'S', CT_V_SAME}};

	for (size_t i = 0; i < ct_countof(table); i++) {
		if (v.n == 1 && v.p[0] == table[i].letter)
			return table[i].verdict;
	}
	return CT_V_NONE;
}

static enum ct_rc
limited(struct ct_req *r, struct ct_err *err)
{
	ct_metric_add(r->app->limited[r->route->class], 1);
	return ct_fail(err, CT_LIMITED, NULL,
	    "Too many requests; please wait %lld s.", (long long)r->reset_s);
}

static bool
answer_limited(struct ct_req *r)
{
	limited(r, &r->err);
	ct_resp_error(r, &r->err);
	return true;
}

static bool
answer_unauth(struct ct_req *r)
{
	ct_fail(&r->err, CT_UNAUTH, NULL, "Please log in.");
	ct_resp_error(r, &r->err);
	return true;
}

static bool
answer_cached(struct ct_req *r, const struct redisReply *p)
{
	r->etag = ct_str_dup(r->a, ct_reply_str(ct_reply_at(p, 5)));
	if (r->verdict == CT_V_SAME || holds(r, r->etag)) {
		ct_resp_raw(r, 304, "");
		ct_metric_add(r->app->not_modified, 1);
		return true;
	}
	ct_resp_kept(r, 200, ct_reply_str(ct_reply_at(p, 6)));
	ct_metric_add(r->app->hits, 1);
	return true;
}

bool
ct_gate_cached(
    struct ct_req *r, struct ct_str epoch, const struct redisReply *p)
{
	bool needs = r->route->who != CT_W_OPEN;

	r->verdict = verdict_of(ct_reply_str(ct_reply_at(p, 0)));
	if (r->verdict == CT_V_NONE)
		return false;
	r->remaining = ct_reply_i64(ct_reply_at(p, 1));
	r->reset_s = ct_reply_i64(ct_reply_at(p, 2));
	if (r->verdict == CT_V_LIMITED)
		return answer_limited(r);
	if (needs && !read_session(r, ct_reply_str(ct_reply_at(p, 3)))) {
		r->verdict = CT_V_NO_SESSION;
		r->epoch = ct_str_dup(r->a, epoch);
		return r->has_token ? false : answer_unauth(r);
	}
	if (r->verdict == CT_V_HIT || r->verdict == CT_V_SAME)
		return answer_cached(r, p);
	r->epoch = ct_str_dup(r->a, epoch);
	r->version = ct_str_dup(r->a, ct_reply_str(ct_reply_at(p, 4)));
	if (r->route->tag)
		ct_metric_add(r->app->misses, 1);
	return false;
}

/* ------------------------------------------------- on a database thread */

/* The copy ends with what it is a copy of. */
static void
remember_session(struct ct_req *r, const struct ct_session *s)
{
	char account[CT_UUID_TEXT], cat[CT_UUID_TEXT];
	int64_t left_s = SESSION_CACHE_S;

	if (s->ends_at != CT_NULL_I64 &&
	    s->ends_at < ct_now_us() + SESSION_CACHE_S * INT64_C(1000000))
		left_s = (s->ends_at - ct_now_us()) / 1000000;
	if (r->epoch.n == 0 || left_s <= 0)
		return;
	ct_cache_put_session(r->cache, r->token_hash, r->epoch,
	    ct_str_of(ct_arena_printf(r->a, "%s %s %c%c%c %.*s",
		ct_uuid_format(&r->account, account),
		ct_uuid_format(&r->cat, cat), r->is_admin ? 'a' : 'u',
		scope_letters[r->scope], ct_uuid_nil(&r->only_cat) ? '-' : 'b',
		CT_STR_FMT(s->cats))),
	    left_s);
}

/* The session or API token from PostgreSQL, where Redis did not know it. */
static enum ct_rc
find_session(struct ct_req *r, struct ct_err *err)
{
	struct ct_session s;

	if (!r->has_token)
		return ct_fail(err, CT_UNAUTH, NULL, "Please log in.");
	if ((r->is_api_token
		    ? ct_api_token_find(r->pg, r->a, r->token_hash,
			  SESSION_TOUCH_US / 1000000, &s, err)
		    : ct_session_find(r->pg, r->a, r->token_hash,
			  r->app->conf->session_idle_days, &s, err)) != CT_OK)
		return err->rc;
	if (!r->is_api_token && ct_now_us() - s.seen_at > SESSION_TOUCH_US &&
	    ct_session_touch(r->pg, r->a, r->token_hash, err) != CT_OK)
		return err->rc;
	r->account = s.account;
	r->cat = s.cat;
	r->only_cat = s.only_cat;
	r->scope = s.scope;
	r->is_admin = s.is_admin;
	r->signed_in = true;
	remember_session(r, &s);
	return CT_OK;
}

/* Redis counts nothing: this process does, so that nothing is unbounded. */
static enum ct_rc
local_limit(struct ct_req *r, struct ct_err *err)
{
	char id[CT_UUID_TEXT];
	struct ct_str who;

	r->limit = ct_class_limit(r->app->conf, r->route->class);
	if (r->limit == 0)
		return CT_OK;
	digest_address(r);
	who = r->signed_in ? ct_str_of(ct_uuid_format(&r->account, id))
			   : ct_str_of(r->addr_digest);
	if (ct_limiter_take(ct_class_name(r->route->class), who, r->limit,
		ct_mono_us(), &r->remaining, &r->reset_s))
		return CT_OK;
	return limited(r, err);
}

/*
 * Charge what the batch could not: the account of a session that PostgreSQL
 * knew, or the address of one that nobody knows.
 */
static enum ct_rc
charge(struct ct_req *r, struct ct_err *err)
{
	struct ct_str argv[1 + CT_GATE_ARGS];
	const struct redisReply *reply, *p;
	struct ct_err away;

	ct_gate_ask(r, &argv[0], &argv[1]);
	if (!r->signed_in)
		argv[0] = CT_STR("");
	if (ct_cache_owes() ||
	    ct_redis_eval(r->cache, r->a, ct_script("gate"), 1,
		1 + CT_GATE_ARGS, argv, &reply, &away) != CT_OK)
		return local_limit(r, err);
	p = ct_reply_at(reply, 1);
	r->remaining = ct_reply_i64(ct_reply_at(p, 1));
	r->reset_s = ct_reply_i64(ct_reply_at(p, 2));
	if (verdict_of(ct_reply_str(ct_reply_at(p, 0))) == CT_V_LIMITED)
		return limited(r, err);
	r->epoch = ct_reply_str(ct_reply_at(reply, 0));
	r->version = ct_reply_str(ct_reply_at(p, 4));
	return CT_OK;
}

/* Who is it, and may they ask once more. */
static enum ct_rc
identify(struct ct_req *r, struct ct_err *err)
{
	struct ct_err none;

	if (r->signed_in || r->route->who == CT_W_OPEN ||
	    r->route->who == CT_W_LOCAL)
		return r->verdict == CT_V_NONE ? local_limit(r, err) : CT_OK;
	if (find_session(r, &none) == CT_OK)
		return charge(r, err);
	if (none.rc == CT_UNAUTH && charge(r, err) != CT_OK)
		return err->rc;
	*err = none;
	return err->rc;
}

/* May what proved the identity do this? One row for each kind of route. */
static enum ct_rc
check_scope(const struct ct_req *r, struct ct_err *err)
{
	static const struct {
		unsigned scopes; /* bit of each enum ct_token_scope that may */
		const char *needs;
	} table[] = {
	    [CT_W_READ] = {1 << CT_S_SESSION | 1 << CT_S_READ | 1 << CT_S_LOG |
			       1 << CT_S_FULL,
		""},
	    [CT_W_LOG] = {1 << CT_S_SESSION | 1 << CT_S_LOG | 1 << CT_S_FULL,
		"one of scope log or full"},
	    [CT_W_FULL] = {1 << CT_S_SESSION | 1 << CT_S_FULL,
		"one of scope full"},
	    [CT_W_LOGIN] = {1 << CT_S_SESSION, "a log-in with the password"},
	    [CT_W_ADMIN] = {1 << CT_S_SESSION, "a log-in with the password"},
	};
	enum ct_who who = r->route->who;

	if (who == CT_W_OPEN || who == CT_W_LOCAL)
		return CT_OK;
	if (!(table[who].scopes & 1U << r->scope))
		return ct_fail(err, CT_FORBIDDEN, "scope",
		    "This API token may not do that; it takes %s.",
		    table[who].needs);
	if (who == CT_W_ADMIN && !r->is_admin)
		return ct_fail(
		    err, CT_FORBIDDEN, "admin", "Admin access required");
	return CT_OK;
}

static enum ct_rc
admit(struct ct_req *r, struct ct_err *err)
{
	if (identify(r, err) != CT_OK || check_scope(r, err) != CT_OK)
		return err->rc;
	if ((r->route->flags & CT_R_CAT) &&
	    ct_req_may_see(r, &r->id, err) != CT_OK)
		return err->rc;
	return ct_req_shape(r, err);
}

/* ETag of an answer, 304 where the client holds it, and its place in Redis. */
static void
finish_get(struct ct_req *r)
{
	const struct ct_uuid *cat =
	    ct_uuid_nil(&r->asked_cat) ? &r->cat : &r->asked_cat;
	char hex[17];

	if (r->method != CT_GET || r->status != 200 || r->raw)
		return;
	ct_digest_hex16(r->out.p, r->out.n, hex);
	r->etag = (struct ct_str){ct_arena_dup(r->a, hex, 16), 16};
	/* A version came only where gate.lua was asked for a cached answer. */
	if (r->version.n > 0 && r->epoch.n > 0 && r->cache_ttl_s > 0)
		ct_cache_put_answer(r->cache, cat, r->route->tag, r->epoch,
		    r->version, r->etag, ct_buf_str(&r->out), r->cache_ttl_s);
	if (holds(r, r->etag))
		ct_resp_raw(r, 304, "");
}

/* The wait for a thread counts: the deadline is the request's, not a
 * statement's, or a frozen database would make a crowd wait turn by turn. */
static enum ct_rc
in_time(struct ct_req *r, struct ct_err *err)
{
	int64_t left_ms =
	    r->app->conf->pg_timeout_ms - (ct_mono_us() - r->start_us) / 1000;

	if (left_ms <= 0)
		return ct_fail(err, CT_RETRY, NULL,
		    "The service is busy; please try again shortly.");
	ct_pg_timeout(r->pg, (int)left_ms);
	return CT_OK;
}

static void
forget_sessions(struct ct_req *r, const struct ct_uuid *account)
{
	struct ct_str *digests;
	struct ct_err err;
	int n;

	if (ct_session_digests(r->pg, r->a, account, &digests, &n, &err) !=
	    CT_OK) {
		r->forget_all = true;
		return;
	}
	for (int i = 0; i < n; i++) {
		if (digests[i].n == CT_DIGEST)
			ct_cache_drop_session(
			    r->cache, (const uint8_t *)digests[i].p);
	}
}

/*
 * What the write made untrue, once it is committed. Also after a failure: the
 * outcome of a commit may be unknown.
 */
static void
forget(struct ct_req *r)
{
	struct ct_err err;

	for (unsigned i = 0; i < r->nbumps; i++)
		ct_cache_bump(r->cache, &r->bumps[i]);
	for (unsigned i = 0; i < r->nforgets; i++)
		forget_sessions(r, &r->forgets[i]);
	if (!r->forget_all)
		return;
	ct_cache_owe();
	(void)!ct_cache_settle(r->cache, &err); /* stays owed */
}

/* Its row is committed: if the push is lost, the outbox relay repeats it. */
static void
push(struct ct_req *r)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_queue_push(r->redis, r->a, r->app->conf->queue_prefix, &r->push,
		NULL, &err) != CT_OK)
		ct_log(CT_WARN, "push", "%s is left to the outbox: %s",
		    r->push.task, err.detail);
}

void
ct_gate_enter(struct ct_req *r, const struct ct_lane *lane)
{
	r->pg = lane->pg;
	r->redis = lane->redis;
	r->cache = lane->cache;
	if (in_time(r, &r->err) == CT_OK && admit(r, &r->err) == CT_OK)
		(void)!ct_run_once(r, &r->err); /* r->err says it all */
	forget(r);
	if (r->err.rc != CT_OK) {
		ct_resp_error(r, &r->err);
		return;
	}
	if (r->push.task)
		push(r);
	if (r->after)
		r->after(r);
	finish_get(r);
}
