/* The answer: status codes, error body, headers; see resp.h. */
#include "fcgi/resp.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "fcgi/route.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define BODY_ROOM 1024

/* The one place where an rc becomes a status. */
static const struct {
	int status;
	const char *sentence; /* where the error brought none */
} by_rc[CT_RC_COUNT] = {
    [CT_OK] = {200, ""},
    [CT_INVALID] = {400, "Some fields are not valid."},
    [CT_MALFORMED] = {400, "The request could not be read."},
    [CT_UNAUTH] = {401, "Please log in."},
    [CT_FORBIDDEN] = {403, "You may not do that."},
    [CT_NOTFOUND] = {404, "There is nothing here."},
    [CT_CONFLICT] = {409, "This changed meanwhile."},
    [CT_TOOBIG] = {413, "The request is too large."},
    [CT_LIMITED] = {429, "Too many requests; please wait a moment."},
    [CT_GONE_CLIENT] = {400, "The request was cut short."},
    [CT_RETRY] = {503, "The service is busy; please try again shortly."},
    [CT_INTERNAL] = {500, "Something went wrong on our side."},
};

/* Codes whose status is not their rc's. */
static const struct {
	const char *code;
	int status;
} by_code[] = {
    {"method", 405},
    {"media_type", 415},
    {"uri_too_long", 414},
};

static const struct {
	int status;
	const char *text;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static int
status_of(const struct ct_err *err)
{
	for (size_t i = 0; i < ct_countof(by_code); i++) {
		if (strcmp(by_code[i].code, err->code) == 0)
			return by_code[i].status;
	}
	return by_rc[err->rc].status;
}

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < ct_countof(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	ct_bug("status %d has no reason phrase", status);
}

struct ct_jw *
ct_resp_json(struct ct_req *r, int status)
{
	r->status = status;
	r->raw = false;
	ct_buf_init(&r->out, r->a, BODY_ROOM);
	ct_jw_init(&r->jw, &r->out);
	return &r->jw;
}

void
ct_resp_kept(struct ct_req *r, int status, struct ct_str json)
{
	ct_buf_addstr(ct_resp_raw(r, status, JSON_TYPE), json);
}

void
ct_resp_message(struct ct_req *r, int status, const char *text)
{
	struct ct_jw *w = ct_resp_json(r, status);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_end(w);
}

struct ct_buf *
ct_resp_raw(struct ct_req *r, int status, const char *type)
{
	r->status = status;
	r->raw = true;
	r->content_out = type;
	ct_buf_init(&r->out, r->a, BODY_ROOM);
	return &r->out;
}

void
ct_resp_header(struct ct_req *r, const char *name, struct ct_str value)
{
	for (size_t i = 0; i < value.n; i++) {
		if ((unsigned char)value.p[i] < ' ')
			ct_bug("control character in header %s", name);
	}
	if (!r->headers.a)
		ct_buf_init(&r->headers, r->a, 256);
	ct_buf_adds(&r->headers, name);
	ct_buf_adds(&r->headers, ": ");
	ct_buf_addstr(&r->headers, value);
	ct_buf_adds(&r->headers, "\r\n");
}

static void
header_i64(struct ct_req *r, const char *name, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);

	ct_resp_header(r, name, (struct ct_str){text, (size_t)n});
}

/* "amount_ml must be greater than 0": the client shows this sentence. */
static void
write_sentence(const struct ct_err *err, struct ct_jw *w)
{
	char text[sizeof(err->fields[0].name) + sizeof(err->fields[0].msg) + 2];

	ct_jw_key(w, "error");
	if (err->nfields > 0) {
		snprintf(text, sizeof(text), "%s %s", err->fields[0].name,
		    err->fields[0].msg);
		ct_jw_cstr(w, text);
	} else if (err->msg[0] && err->rc != CT_INTERNAL) {
		ct_jw_cstr(w, err->msg);
	} else {
		ct_jw_cstr(w, by_rc[err->rc].sentence);
	}
}

void
ct_resp_error(struct ct_req *r, const struct ct_err *err)
{
	struct ct_jw *w = ct_resp_json(r, status_of(err));

	r->cache_ttl_s = 0;
	r->etag = (struct ct_str){0};
	ct_jw_obj(w);
	write_sentence(err, w);
	ct_jw_key(w, "code");
	ct_jw_cstr(w, err->code[0] ? err->code : ct_rc_name(err->rc));
	if (err->nfields > 0) {
		ct_jw_key(w, "fields");
		ct_jw_obj(w);
		for (unsigned i = 0; i < err->nfields; i++) {
			ct_jw_key(w, err->fields[i].name);
			ct_jw_cstr(w, err->fields[i].msg);
		}
		ct_jw_end(w);
	}
	if (r->extra_key) {
		ct_jw_key(w, r->extra_key);
		ct_jw_raw(w, r->extra);
	}
	ct_jw_key(w, "request_id");
	ct_jw_str(w, r->request_id);
	ct_jw_end(w);
	if (r->status == 503)
		header_i64(r, "Retry-After", 2);
	if (r->status == 429)
		header_i64(r, "Retry-After", r->reset_s > 0 ? r->reset_s : 1);
}

void
ct_resp_cookie(struct ct_req *r, struct ct_str token, int64_t max_age_s)
{
	bool tls = ct_str_is(r->https, "on");
	char text[200], age[40];

	snprintf(age, sizeof(age), "; Max-Age=%lld",
	    token.p ? (long long)max_age_s : 0LL);
	snprintf(text, sizeof(text),
	    "%s=%.*s; Path=/; HttpOnly; SameSite=Lax%s%s",
	    tls ? "__Host-catetube" : "catetube", CT_STR_FMT(token),
	    max_age_s == 0 && token.p ? "" : age, tls ? "; Secure" : "");
	ct_resp_header(r, "Set-Cookie", ct_str_of(text));
	if (!token.p)
		ct_resp_header(r, "Clear-Site-Data",
		    CT_STR("\"cache\", \"cookies\", \"storage\""));
}

/* ------------------------------------------------------------ sending */

/* What every answer of ours carries, whatever it is. */
#define SECURITY_HEADERS                                                       \
	"X-Content-Type-Options: nosniff\r\n"                                  \
	"X-Frame-Options: DENY\r\n"                                            \
	"Referrer-Policy: no-referrer\r\n"                                     \
	"Content-Security-Policy: default-src 'none'; "                        \
	"frame-ancestors 'none'\r\n"                                           \
	"Cross-Origin-Opener-Policy: same-origin\r\n"                          \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                        \
	"Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
#define HSTS                                                                   \
	"Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"

/* Credentials are allowed only to origins that are listed, to the letter. */
static void
cors_headers(const struct ct_req *r, struct ct_buf *h)
{
	struct ct_str rest = ct_str_of(r->app->conf->cors_origins);

	if (rest.n == 0)
		return;
	ct_buf_adds(h, "Vary: Origin\r\n");
	while (rest.p && r->origin.p) {
		struct ct_str one = ct_str_trim(ct_str_split(&rest, ','));

		if (one.n == 0 || !ct_str_eq(one, r->origin))
			continue;
		ct_buf_adds(h, "Access-Control-Allow-Origin: ");
		ct_buf_addstr(h, one);
		ct_buf_adds(h,
		    "\r\nAccess-Control-Allow-Credentials: true\r\n"
		    "Access-Control-Expose-Headers: ETag, RateLimit-Limit, "
		    "RateLimit-Remaining, RateLimit-Reset, Retry-After, "
		    "X-Request-Id, Content-Disposition\r\n");
		return;
	}
}

static void
limit_headers(const struct ct_req *r, struct ct_buf *h)
{
	if (r->limit <= 0 || r->remaining < 0)
		return;
	ct_buf_adds(h, "RateLimit-Limit: ");
	ct_buf_addi(h, r->limit);
	ct_buf_adds(h, "\r\nRateLimit-Remaining: ");
	ct_buf_addi(h, r->remaining);
	ct_buf_adds(h, "\r\nRateLimit-Reset: ");
	ct_buf_addi(h, r->reset_s);
	ct_buf_adds(h, "\r\n");
}

static void
build_head(const struct ct_req *r, struct ct_buf *h)
{
	bool kept = r->method == CT_GET && r->etag.p;

	ct_buf_adds(h, "Status: ");
	ct_buf_addi(h, r->status);
	ct_buf_addc(h, ' ');
	ct_buf_adds(h, reason_of(r->status));
	ct_buf_adds(h, "\r\n");
	if (r->status != 204 && r->status != 304) {
		ct_buf_adds(h, "Content-Type: ");
		ct_buf_adds(h, r->raw ? r->content_out : JSON_TYPE);
		ct_buf_adds(h, "\r\nContent-Length: ");
		ct_buf_addi(h, (int64_t)r->out.n);
		ct_buf_adds(h, "\r\n");
	}
	ct_buf_adds(h, kept ? "Cache-Control: private, no-cache\r\n"
			    : "Cache-Control: no-store\r\n");
	ct_buf_adds(h, SECURITY_HEADERS);
	if (ct_str_is(r->https, "on"))
		ct_buf_adds(h, HSTS);
	if (kept) {
		ct_buf_adds(h, "ETag: \"");
		ct_buf_addstr(h, r->etag);
		ct_buf_adds(h, "\"\r\n");
	}
	if (r->request_id.p) {
		ct_buf_adds(h, "X-Request-Id: ");
		ct_buf_addstr(h, r->request_id);
		ct_buf_adds(h, "\r\n");
	}
	limit_headers(r, h);
	cors_headers(r, h);
	if (r->headers.a)
		ct_buf_addstr(h, ct_buf_str(&r->headers));
	ct_buf_adds(h, "\r\n");
}

static void
log_request(const struct ct_req *r, int64_t us)
{
	struct ct_line l;

	ct_line_begin(&l, r->status >= 500 ? CT_WARN : CT_INFO, "request");
	ct_line_str(&l, "id", r->request_id);
	ct_line_str(&l, "method", r->method_text);
	ct_line_str(
	    &l, "route", r->route ? ct_str_of(r->route->pattern) : CT_STR("-"));
	ct_line_i64(&l, "status", r->status);
	ct_line_milli(&l, "ms", us);
	ct_line_i64(&l, "bytes", (int64_t)r->out.n);
	if (r->signed_in && !l.off) {
		char id[CT_UUID_TEXT];

		ct_line_str(
		    &l, "account", ct_str_of(ct_uuid_format(&r->account, id)));
	}
	if (r->err.rc != CT_OK)
		ct_line_err(&l, &r->err);
	ct_line_end(&l);
}

static void
count_request(const struct ct_req *r, int64_t us)
{
	const struct ct_route_cells *c = &r->app->cells[r->route_index];
	int by = r->status == 304 ? 1 : r->status / 100;

	ct_metric_add(c->by_class[by], 1);
	ct_metric_observe_us(c->seconds, us);
}

void
ct_resp_send(struct ct_req *r)
{
	struct ct_buf h;
	bool body = !r->head && r->status != 204 && r->status != 304;
	int64_t us;

	if (!r->raw && r->out.n > 0 && !ct_jw_done(&r->jw))
		ct_bug("an answer to %.*s was left open", CT_STR_FMT(r->path));
	ct_buf_init(&h, r->a, 1024);
	build_head(r, &h);
	ct_conn_write(r->conn, ct_buf_str(&h));
	if (body)
		ct_conn_write(r->conn, ct_buf_str(&r->out));
	us = ct_mono_us() - r->start_us;
	count_request(r, us);
	log_request(r, us);
}
