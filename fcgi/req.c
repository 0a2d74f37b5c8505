/* Reading one request: parameters, body, query, cookie; see req.h. */
#include "fcgi/req.h"

#include <string.h>

#include "db/api_token.h"
#include "fcgi/route.h"

#define JSON_DEPTH 16
#define UPLOAD_US  (INT64_C(30) * 1000000) /* for a whole body */
#define QUERY_MAX  4096

/* What nginx passes, see nginx/catetube-params.conf: name and its place. */
static const struct {
	struct ct_str name;
	size_t offset;
} params[] = {
#define P(text, member)                                                        \
	{                                                                      \
		{text, sizeof(text) - 1}, offsetof(struct ct_req, member)      \
	}
    P("REQUEST_METHOD", method_text),
    P("DOCUMENT_URI", path),
    P("QUERY_STRING", query),
    P("CONTENT_TYPE", content_type),
    P("CONTENT_LENGTH", length_text),
    P("HTTP_COOKIE", cookie),
    P("HTTP_AUTHORIZATION", bearer),
    P("HTTP_ORIGIN", origin),
    P("HTTP_SEC_FETCH_SITE", fetch_site),
    P("HTTP_HOST", host),
    P("HTTP_IF_NONE_MATCH", if_none_match),
    P("HTTP_IF_MATCH", if_match),
    P("HTTP_IDEMPOTENCY_KEY", idem_key),
    P("HTTP_USER_AGENT", agent),
    P("HTTP_ACCEPT", accept),
    P("HTTP_ACCESS_CONTROL_REQUEST_METHOD", cors_method),
    P("REMOTE_ADDR", addr),
    P("REQUEST_ID", request_id),
    P("HTTPS", https),
#undef P
};

static const struct {
	struct ct_str name;
	unsigned method;
	bool head;
} methods[] = {
    {{"GET", 3}, CT_GET, false},
    {{"HEAD", 4}, CT_GET, true},
    {{"POST", 4}, CT_POST, false},
    {{"PUT", 3}, CT_PUT, false},
    {{"PATCH", 5}, CT_PATCH, false},
    {{"DELETE", 6}, CT_DELETE, false},
    {{"OPTIONS", 7}, CT_OPTIONS, false},
};

/* A parameter that is there but empty counts as not sent. */
static void
take_param(struct ct_req *r, const char *text)
{
	const char *eq = strchr(text, '=');
	size_t n;

	if (!eq || eq[1] == '\0')
		return;
	n = (size_t)(eq - text);
	for (size_t i = 0; i < ct_countof(params); i++) {
		struct ct_str *to;

		if (params[i].name.n != n ||
		    memcmp(params[i].name.p, text, n) != 0)
			continue;
		to = (struct ct_str *)(void *)((char *)r + params[i].offset);
		*to = ct_str_of(eq + 1);
		return;
	}
}

static void
take_method(struct ct_req *r)
{
	for (size_t i = 0; i < ct_countof(methods); i++) {
		if (ct_str_eq(methods[i].name, r->method_text)) {
			r->method = methods[i].method;
			r->head = methods[i].head;
		}
	}
}

static enum ct_rc
take_body(struct ct_req *r)
{
	int64_t n = 0;
	char *p;

	if (r->length_text.n > 0 &&
	    !ct_str_i64(r->length_text, 0, INT64_MAX, &n))
		return CT_GONE_CLIENT;
	if (n > CT_BODY_MAX) {
		/* The gate knows whether the route takes it. */
		r->body_left = n;
		return CT_OK;
	}
	p = ct_arena_raw(r->a, (size_t)n + 1);
	if (ct_conn_body(r->conn, p, (size_t)n) != CT_OK)
		return CT_GONE_CLIENT;
	p[n] = '\0';
	r->body = (struct ct_str){p, (size_t)n};
	return CT_OK;
}

enum ct_rc
ct_req_body_next(
    struct ct_req *r, char *p, size_t room, size_t *n, struct ct_err *err)
{
	*n = r->body.n < room ? r->body.n : room;
	if (*n > 0) {
		memcpy(p, r->body.p, *n);
		r->body.p += *n;
		r->body.n -= *n;
	}
	if (*n > 0 || r->body_left == 0)
		return CT_OK;
	*n = r->body_left < (int64_t)room ? (size_t)r->body_left : room;
	/* The last piece with the end of the stream, where a cut shows. */
	if ((*n == (size_t)r->body_left
		    ? ct_conn_body(r->conn, p, *n)
		    : ct_conn_some(r->conn, p, *n)) != CT_OK) {
		ct_conn_close_after(r->conn);
		r->body_left = 0;
		return ct_fail(err, CT_GONE_CLIENT, NULL, "%s",
		    "The request was cut short.");
	}
	r->body_left -= (int64_t)*n;
	if (ct_mono_us() - r->start_us <= UPLOAD_US)
		return CT_OK;
	return ct_fail(err, CT_RETRY, NULL, "%s",
	    "The body came too slowly; please try again.");
}

void
ct_req_body_skip(struct ct_req *r)
{
	char scrap[8192];
	struct ct_err err;
	size_t n;

	if (r->body_left > CT_UPLOAD_MAX) {
		/* What is not read would be taken for the next request. */
		ct_conn_close_after(r->conn);
		r->body_left = 0;
	}
	while (r->body_left > 0) {
		if (ct_req_body_next(r, scrap, sizeof(scrap), &n, &err) ==
		    CT_OK)
			continue;
		ct_conn_close_after(r->conn);
		r->body_left = 0;
	}
}

struct ct_str
ct_cookie_get(struct ct_str header, const char *name)
{
	struct ct_str want = ct_str_of(name);

	while (header.p) {
		struct ct_str part = ct_str_trim(ct_str_split(&header, ';'));

		if (part.n > want.n && part.p[want.n] == '=' &&
		    ct_str_starts(part, want))
			return (struct ct_str){
			    part.p + want.n + 1, part.n - want.n - 1};
	}
	return (struct ct_str){0};
}

/* The session that the request shows: a Bearer token goes before a cookie. */
static void
take_token(struct ct_req *r)
{
	if (r->bearer.n > 7 && ct_str_starts(r->bearer, CT_STR("Bearer "))) {
		r->token = ct_str_trim(
		    (struct ct_str){r->bearer.p + 7, r->bearer.n - 7});
	} else if (r->cookie.p) {
		r->token = ct_cookie_get(r->cookie,
		    ct_str_is(r->https, "on") ? "__Host-catetube" : "catetube");
		r->by_cookie = true;
	}
	/* An API token is no cookie: nothing but a program sends it. */
	r->is_api_token = !r->by_cookie &&
			  r->token.n == CT_API_TOKEN_TEXT - 1 &&
			  ct_str_starts(r->token, CT_STR(CT_API_TOKEN_PREFIX));
	r->has_token = r->is_api_token || r->token.n == CT_TOKEN_TEXT - 1;
	if (r->has_token)
		ct_token_hash(r->token, r->token_hash);
}

enum ct_rc
ct_req_read(
    struct ct_req *r, struct ct_conn *c, struct ct_app *app, struct ct_err *err)
{
	enum ct_rc rc;

	memset(r, 0, sizeof(*r));
	r->conn = c;
	r->a = ct_conn_arena(c);
	r->app = app;
	r->start_us = ct_mono_us();
	r->route_index = CT_ROUTES_MAX;
	r->remaining = -1;
	for (char *const *p = ct_conn_params(c); p && *p; p++)
		take_param(r, *p);
	if (!r->method_text.p || !r->path.p || !r->addr.p)
		return CT_GONE_CLIENT;
	take_method(r);
	rc = take_body(r);
	if (rc != CT_OK)
		return rc;
	if (r->query.n > QUERY_MAX)
		return ct_fail(err, CT_TOOBIG, "uri_too_long",
		    "The query is longer than %d bytes.", QUERY_MAX);
	take_token(r);
	return CT_OK;
}

enum ct_rc
ct_req_json(struct ct_req *r, const struct ct_json **out, struct ct_err *err)
{
	if (!r->json) {
		struct ct_str text = r->body.n ? r->body : CT_STR("{}");

		if (ct_json_parse(r->a, text, JSON_DEPTH, &r->json, err) !=
		    CT_OK)
			return err->rc;
	}
	*out = r->json;
	return CT_OK;
}

/* What a route without a body or without parameters takes. */
static const struct ct_fields nothing = {.noun = "request"};

enum ct_rc
ct_req_bind(struct ct_req *r, enum ct_bind_mode mode, void *obj, uint64_t *seen,
    struct ct_err *err)
{
	const struct ct_fields *t = r->route->body ? r->route->body : &nothing;
	const struct ct_json *json = NULL;

	if (ct_req_json(r, &json, err) != CT_OK)
		return err->rc;
	return ct_fields_bind(t, mode, json, r->a, obj, seen, err);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct ct_str
ct_url_decode(struct ct_arena *a, struct ct_str s)
{
	char *out = ct_arena_raw(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '+' ? ' ' : s.p[i];

		if (c == '%') {
			bool room = i + 2 < s.n;
			int hi = room ? hex_digit(s.p[i + 1]) : -1;
			int lo = room ? hex_digit(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return (struct ct_str){0};
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		if (c == '\0')
			return (struct ct_str){0};
		out[n++] = c;
	}
	out[n] = '\0';
	return (struct ct_str){out, n};
}

static enum ct_rc
query_pair(struct ct_req *r, struct ct_str pair, uint64_t *seen, void *obj,
    struct ct_err *err)
{
	const struct ct_fields *t = r->route->query;
	struct ct_str rest = pair;
	struct ct_str name = ct_url_decode(r->a, ct_str_split(&rest, '='));
	struct ct_str value = rest.p ? ct_url_decode(r->a, rest) : CT_STR("");
	const struct ct_field *f;
	uint64_t bit;

	if (!name.p || !value.p || !ct_utf8_ok(name) || !ct_utf8_ok(value))
		return ct_fail(err, CT_MALFORMED, NULL,
		    "The query string is not well-formed.");
	f = t ? ct_fields_find(t, ct_str_cstr(r->a, name)) : NULL;
	if (!f)
		return ct_fail_field(
		    err, ct_str_cstr(r->a, name), "is not a known parameter");
	bit = UINT64_C(1) << (f - t->f);
	if (*seen & bit)
		return ct_fail_field(err, f->name, "is given twice");
	*seen |= bit;
	return ct_field_bind_text(f, value, r->a, obj, err);
}

enum ct_rc
ct_req_query(struct ct_req *r, void *obj, struct ct_err *err)
{
	struct ct_str rest = r->query;
	uint64_t seen = 0;
	enum ct_rc rc = CT_OK;

	while (rest.p && rc != CT_MALFORMED) {
		struct ct_str pair = ct_str_split(&rest, '&');
		enum ct_rc one = CT_OK;

		if (pair.n > 0)
			one = query_pair(r, pair, &seen, obj, err);
		if (one != CT_OK)
			rc = one;
	}
	return rc;
}

enum ct_rc
ct_req_shape(struct ct_req *r, struct ct_err *err)
{
	uint64_t seen;

	if (!r->route->query && ct_req_query(r, NULL, err) != CT_OK)
		return err->rc;
	if (!r->route->body && !(r->route->flags & CT_R_UPLOAD) &&
	    ct_req_bind(r, CT_BIND_CREATE, NULL, &seen, err) != CT_OK)
		return err->rc;
	return CT_OK;
}

/* One more of a list that lives on the arena; false: it is full. */
static bool
note(struct ct_req *r, struct ct_uuid **list, unsigned *n,
    const struct ct_uuid *id)
{
	for (unsigned i = 0; i < *n; i++) {
		if (ct_uuid_eq(&(*list)[i], id))
			return true;
	}
	if (*n == CT_BUMPS_MAX)
		return false;
	if (!*list)
		*list = ct_arena_alloc(r->a, CT_BUMPS_MAX * sizeof(**list));
	(*list)[(*n)++] = *id;
	return true;
}

void
ct_req_bump(struct ct_req *r, const struct ct_uuid *cat)
{
	if (!ct_uuid_nil(cat) && !note(r, &r->bumps, &r->nbumps, cat))
		r->forget_all = true;
}

void
ct_forget_sessions_of(struct ct_req *r, const struct ct_uuid *account)
{
	if (!note(r, &r->forgets, &r->nforgets, account))
		r->forget_all = true;
}

void
ct_req_keep(struct ct_req *r, int64_t until_us)
{
	int64_t left_s = (until_us - ct_now_us()) / 1000000;

	r->cache_ttl_s = left_s < r->app->conf->cache_ttl_s
			     ? left_s
			     : r->app->conf->cache_ttl_s;
}
