/* What stands before every handler; see gate.h. */
#include "fcgi/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/cache.h"
#include "db/idempotency.h"
#include "db/session.h"
#include "fcgi/limiter.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

#define SESSION_CACHE_S	 300 /* also how often a session is touched */
#define SESSION_TOUCH_US (INT64_C(300) * 1000000)
#define JSON_TYPE	 "application/json; charset=utf-8"

/* ------------------------------------------------------------ no store */

static bool
origin_allowed(const struct ct_req *r)
{
	struct ct_str rest = ct_str_of(r->app->conf->cors_origins);

	if (ct_str_is(r->origin, r->app->conf->origin))
		return true;
	while (rest.p) {
		struct ct_str one = ct_str_trim(ct_str_split(&rest, ','));

		if (one.n > 0 && ct_str_eq(one, r->origin))
			return true;
	}
	return false;
}

/*
 * Who may send a request that changes something with the browser's cookie: our
 * own pages and listed origins. A browser always sends Origin with those, so
 * its absence beside a cookie is refused too.
 */
static enum ct_rc
check_origin(const struct ct_req *r, struct ct_err *err)
{
	bool ok;

	if (r->origin.p)
		ok = origin_allowed(r);
	else if (r->fetch_site.p)
		ok = ct_str_is(r->fetch_site, "same-origin");
	else
		ok = !(r->by_cookie && r->has_token);
	if (ok)
		return CT_OK;
	return ct_fail(err, CT_FORBIDDEN, "origin",
	    "This request does not come from an allowed origin; send the "
	    "Origin header of the service.");
}

static enum ct_rc
check_type(const struct ct_req *r, struct ct_err *err)
{
	struct ct_str rest = r->content_type;
	struct ct_str type, charset;

	if (r->body.n == 0)
		return CT_OK;
	type = ct_str_trim(ct_str_split(&rest, ';'));
	charset = ct_str_trim(rest);
	if (ct_str_ieq(type, "application/json") &&
	    (charset.n == 0 || ct_str_ieq(charset, "charset=utf-8")))
		return CT_OK;
	return ct_fail(err, CT_INVALID, "media_type",
	    "Send the body as application/json.");
}

static bool
is_local(const struct ct_req *r)
{
	struct ct_str rest = ct_str_of(r->app->conf->metrics_allow);

	while (rest.p) {
		struct ct_str one = ct_str_trim(ct_str_split(&rest, ','));

		if (one.n > 0 && ct_str_eq(one, r->addr))
			return true;
	}
	return false;
}

static void
preflight(struct ct_req *r)
{
	ct_resp_raw(r, 204, "");
	ct_resp_header(r, "Allow", ct_route_allow(r->a, r->allow));
	if (!r->cors_method.p || !r->origin.p || !origin_allowed(r))
		return;
	ct_resp_header(
	    r, "Access-Control-Allow-Methods", ct_route_allow(r->a, r->allow));
	ct_resp_header(r, "Access-Control-Allow-Headers",
	    CT_STR("Content-Type, Authorization, Idempotency-Key, If-Match, "
		   "If-None-Match"));
	ct_resp_header(r, "Access-Control-Max-Age", CT_STR("600"));
}

static enum ct_rc
check_open(struct ct_req *r, struct ct_err *err)
{
	if (ct_route_find(r, err) != CT_OK) {
		if (r->allow)
			ct_resp_header(
			    r, "Allow", ct_route_allow(r->a, r->allow));
		return err->rc;
	}
	if (r->route->auth == CT_A_LOCAL && !is_local(r))
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is nothing here.");
	if (r->method != CT_GET && check_origin(r, err) != CT_OK)
		return err->rc;
	return check_type(r, err);
}

bool
ct_gate_open(struct ct_req *r)
{
	ct_err_clear(&r->err);
	if (check_open(r, &r->err) == CT_OK)
		return false;
	if (r->method == CT_OPTIONS && r->allow) {
		ct_err_clear(&r->err);
		r->headers = (struct ct_buf){0};
		preflight(r);
	} else {
		ct_resp_error(r, &r->err);
	}
	return true;
}

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

void
ct_gate_ask(struct ct_req *r, struct ct_str *key, struct ct_str *args)
{
	const struct ct_route *t = r->route;
	bool tag = t->tag[0] && r->query.n == 0;

	digest_address(r);
	r->limit = ct_class_limit(r->app->conf, t->class);
	*key = CT_STR("");
	if (r->has_token && t->auth != CT_A_OPEN)
		*key = ct_cache_key_session(
		    r->token_hash, ct_arena_raw(r->a, CT_CACHE_KEY));
	args[0] = ct_str_of(ct_class_name(t->class));
	args[1] = ct_str_of(ct_arena_printf(r->a, "%lld", (long long)r->limit));
	args[2] = ct_str_of(r->addr_digest);
	args[3] = ct_str_of(tag ? t->tag : "");
	args[4] = held_etag(r);
}

/* "account cat role", as put_session wrote it. */
static bool
read_session(struct ct_req *r, struct ct_str s)
{
	if (s.n != 75)
		return false;
	if (!ct_uuid_parse((struct ct_str){s.p, 36}, &r->account))
		return false;
	if (!ct_uuid_parse((struct ct_str){s.p + 37, 36}, &r->cat))
		memset(&r->cat, 0, sizeof(r->cat));
	r->is_admin = s.p[74] == 'a';
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
	struct ct_buf *out;

	r->etag = ct_str_dup(r->a, ct_reply_str(ct_reply_at(p, 5)));
	if (r->verdict == CT_V_SAME || holds(r, r->etag)) {
		ct_resp_raw(r, 304, "");
		ct_metric_add(r->app->not_modified, 1);
		return true;
	}
	out = ct_resp_raw(r, 200, JSON_TYPE);
	ct_buf_addstr(out, ct_reply_str(ct_reply_at(p, 6)));
	ct_metric_add(r->app->hits, 1);
	return true;
}

bool
ct_gate_cached(
    struct ct_req *r, struct ct_str epoch, const struct redisReply *p)
{
	bool needs = r->route->auth != CT_A_OPEN;

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
	if (r->route->tag[0])
		ct_metric_add(r->app->misses, 1);
	return false;
}

/* ------------------------------------------------- on a database thread */

static void
remember_session(struct ct_req *r)
{
	char account[CT_UUID_TEXT], cat[CT_UUID_TEXT], text[80];
	int n;

	if (r->epoch.n == 0)
		return;
	n = snprintf(text, sizeof(text), "%s %s %c",
	    ct_uuid_format(&r->account, account), ct_uuid_format(&r->cat, cat),
	    r->is_admin ? 'a' : 'u');
	ct_cache_put_session(r->cache, r->token_hash, r->epoch,
	    (struct ct_str){text, (size_t)n}, SESSION_CACHE_S);
}

/* The session from PostgreSQL, where Redis did not know it. */
static enum ct_rc
find_session(struct ct_req *r, struct ct_err *err)
{
	struct ct_session s;

	if (!r->has_token)
		return ct_fail(err, CT_UNAUTH, NULL, "Please log in.");
	if (ct_session_find(r->pg, r->a, r->token_hash,
		r->app->conf->session_idle_days, &s, err) != CT_OK)
		return err->rc;
	if (ct_now_us() - s.seen_at > SESSION_TOUCH_US &&
	    ct_session_touch(r->pg, r->a, r->token_hash, err) != CT_OK)
		return err->rc;
	r->account = s.account;
	r->cat = s.cat;
	r->is_admin = s.is_admin;
	r->signed_in = true;
	remember_session(r);
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

	if (r->signed_in || r->route->auth == CT_A_OPEN ||
	    r->route->auth == CT_A_LOCAL)
		return r->verdict == CT_V_NONE ? local_limit(r, err) : CT_OK;
	if (find_session(r, &none) == CT_OK)
		return charge(r, err);
	if (none.rc == CT_UNAUTH && charge(r, err) != CT_OK)
		return err->rc;
	*err = none;
	return err->rc;
}

static enum ct_rc
admit(struct ct_req *r, struct ct_err *err)
{
	if (identify(r, err) != CT_OK)
		return err->rc;
	if (r->route->auth == CT_A_ADMIN && !r->is_admin)
		return ct_fail(
		    err, CT_FORBIDDEN, "admin", "Admin access required");
	return CT_OK;
}

/* The key of this request: the header, or the id that the client chose. */
static enum ct_rc
idem_key(struct ct_req *r, struct ct_str *key, struct ct_err *err)
{
	const struct ct_json *json;
	struct ct_uuid id;

	*key = (struct ct_str){0};
	if (!(r->route->flags & CT_R_IDEM))
		return CT_OK;
	if (r->idem_key.p) {
		if (r->idem_key.n > CT_IDEM_KEY_MAX || !ct_utf8_ok(r->idem_key))
			return ct_fail_field(err, "Idempotency-Key",
			    "must be at most %d characters", CT_IDEM_KEY_MAX);
		*key = r->idem_key;
		return CT_OK;
	}
	if (ct_req_json(r, &json, err) != CT_OK)
		return err->rc;
	if (ct_uuid_parse(ct_json_str(ct_json_get(json, "id")), &id)) {
		char text[CT_UUID_TEXT];

		*key = ct_str_of(
		    ct_arena_printf(r->a, "id:%s", ct_uuid_format(&id, text)));
	}
	return CT_OK;
}

static void
request_digest(struct ct_req *r, uint8_t out[CT_DIGEST])
{
	struct ct_buf b;

	ct_buf_init(&b, r->a, r->body.n + r->path.n + 16);
	ct_buf_addstr(&b, r->method_text);
	ct_buf_addc(&b, ' ');
	ct_buf_adds(&b, r->route->pattern);
	ct_buf_addc(&b, ' ');
	ct_buf_addstr(&b, r->word); /* {word}; no idempotent route has {id} */
	ct_buf_addc(&b, '\n');
	ct_buf_addstr(&b, r->body);
	ct_digest(b.p, b.n, out);
}

/* The cat that the body names, or the default one. */
static struct ct_uuid
cat_of(struct ct_req *r)
{
	const struct ct_json *json;
	struct ct_uuid cat;
	struct ct_err err;

	if (ct_req_json(r, &json, &err) == CT_OK &&
	    ct_uuid_parse(ct_json_str(ct_json_get(json, "cat_id")), &cat))
		return cat;
	return r->cat;
}

/* The handler inside the transaction that also keeps its answer. */
static enum ct_rc
run_once(struct ct_req *r, struct ct_str key, struct ct_err *err)
{
	uint8_t digest[CT_DIGEST];
	struct ct_str answer;
	int64_t status;
	bool replay;

	request_digest(r, digest);
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_idem_begin(r->pg, r->a, &r->account, key, digest, &replay,
		&status, &answer, err) != CT_OK)
		return err->rc;
	if (replay) {
		ct_buf_addstr(ct_resp_raw(r, (int)status, JSON_TYPE), answer);
		ct_resp_header(r, "Idempotent-Replayed", CT_STR("true"));
		/* The first may have died between its commit and its bump. */
		r->bump = true;
		r->bump_cat = cat_of(r);
		ct_pg_rollback(r->pg);
		return CT_OK;
	}
	if (r->route->handler(r, err) != CT_OK ||
	    ct_idem_end(r->pg, r->a, &r->account, key, r->status,
		ct_buf_str(&r->out), err) != CT_OK) {
		ct_pg_rollback(r->pg);
		return err->rc;
	}
	return ct_pg_commit(r->pg, err);
}

static enum ct_rc
run(struct ct_req *r, struct ct_err *err)
{
	struct ct_str key;

	if (idem_key(r, &key, err) != CT_OK)
		return err->rc;
	return key.p ? run_once(r, key, err) : r->route->handler(r, err);
}

/* ETag of an answer, 304 where the client holds it, and its place in Redis. */
static void
finish_get(struct ct_req *r)
{
	char hex[17];

	if (r->method != CT_GET || r->status != 200 || r->raw)
		return;
	ct_digest_hex16(r->out.p, r->out.n, hex);
	r->etag = (struct ct_str){ct_arena_dup(r->a, hex, 16), 16};
	if (r->route->tag[0] && r->query.n == 0 && r->version.n > 0 &&
	    r->epoch.n > 0 && r->cache_ttl_s > 0)
		ct_cache_put_answer(r->cache, &r->cat, r->route->tag, r->epoch,
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

void
ct_gate_enter(struct ct_req *r, const struct ct_lane *lane)
{
	r->pg = lane->pg;
	r->redis = lane->redis;
	r->cache = lane->cache;
	if (in_time(r, &r->err) == CT_OK && admit(r, &r->err) == CT_OK)
		run(r, &r->err);
	/* Also after a failure: the outcome of a commit may be unknown. */
	if (r->bump)
		ct_cache_bump(r->cache, &r->bump_cat);
	if (r->err.rc != CT_OK) {
		ct_resp_error(r, &r->err);
		return;
	}
	if (r->after)
		r->after(r);
	finish_get(r);
}
