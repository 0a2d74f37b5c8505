/*
 * Remote control requests as text, and kombu's envelope around what we send.
 */
#include <string.h>

#include "common/crypto.h"
#include "worker/node.h"

#define DEPTH	    32
#define METHOD_MAX  64
#define KEY_MAX	    64	 /* a reply's routing key: a UUID in practice */
#define PATTERN_MAX 1024 /* bounds the time of a match */
#define EXPIRES_MAX 1e11 /* seconds: what still fits as milliseconds */

static enum ct_rc
bad(struct ct_err *err, const char *what)
{
	return ct_fail(err, CT_MALFORMED, "bad_request", "%s", what);
}

/* The text of the body, and the headers; NULL: none. */
static enum ct_rc
open_envelope(struct ct_arena *a, struct ct_str raw,
    const struct ct_json **headers, struct ct_str *body, struct ct_err *err)
{
	const struct ct_json *root;
	struct ct_str type, enc;

	if (raw.n > CT_CONTROL_MAX)
		return ct_fail(err, CT_TOOBIG, "request_too_big",
		    "the request has %zu bytes, %u are allowed", raw.n,
		    CT_CONTROL_MAX);
	if (ct_json_parse(a, raw, DEPTH, &root, err) != CT_OK)
		return err->rc;
	*headers = ct_json_get(root, "headers");
	type = ct_json_str(ct_json_get(root, "content-type"));
	if (type.p != NULL && !ct_str_is(type, "application/json"))
		return bad(err, "content-type is not application/json");
	*body = ct_json_str(ct_json_get(root, "body"));
	if (body->p == NULL)
		return bad(err, "body is no string");
	enc = ct_json_str(
	    ct_json_get(ct_json_get(root, "properties"), "body_encoding"));
	if (enc.p == NULL || ct_str_ieq(enc, "utf-8"))
		return CT_OK;
	if (!ct_str_is(enc, "base64"))
		return bad(err, "body_encoding is neither base64 nor utf-8");
	if (ct_unbase64(a, *body, body) != CT_OK)
		return bad(err, "body is no base64");
	return CT_OK;
}

/* Letters, digits, '-', '_' and '.': fit to be part of a key. */
static bool
is_plain(struct ct_str s, size_t max)
{
	size_t i;

	if (s.n == 0 || s.n > max)
		return false;
	for (i = 0; i < s.n; i++)
		if (memchr("-_.0123456789abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			s.p[i], 65) == NULL)
			return false;
	return true;
}

static enum ct_rc
get_reply(
    const struct ct_json *body, struct ct_control_msg *m, struct ct_err *err)
{
	const struct ct_json *to = ct_json_get(body, "reply_to");

	if (to == NULL || ct_json_type(to) == CT_JSON_NULL)
		return CT_OK;
	m->reply_key = ct_json_str(ct_json_get(to, "routing_key"));
	if (!ct_str_is(ct_json_str(ct_json_get(to, "exchange")),
		"reply.celery.pidbox") ||
	    !is_plain(m->reply_key, KEY_MAX))
		return bad(err, "reply_to is no place of Celery's");
	return CT_OK;
}

static void
get_headers(const struct ct_json *headers, struct ct_control_msg *m)
{
	double expires;

	if (!ct_json_i64(
		ct_json_get(headers, "clock"), 0, INT64_MAX, &m->clock))
		m->clock = 0;
	if (ct_json_num(ct_json_get(headers, "expires"), &expires) &&
	    expires > 0 && expires < EXPIRES_MAX)
		m->expires_ms = (int64_t)(expires * 1000);
}

enum ct_rc
ct_control_parse(struct ct_arena *a, struct ct_str raw,
    struct ct_control_msg *out, struct ct_err *err)
{
	const struct ct_json *headers = NULL, *body;
	struct ct_str text;

	*out = (struct ct_control_msg){0};
	if (open_envelope(a, raw, &headers, &text, err) != CT_OK ||
	    ct_json_parse(a, text, DEPTH, &body, err) != CT_OK)
		return err->rc;
	get_headers(headers, out);
	out->method = ct_json_str(ct_json_get(body, "method"));
	if (!is_plain(out->method, METHOD_MAX))
		return bad(err, "method is missing or no name");
	out->args = ct_json_get(body, "arguments");
	if (out->args != NULL && ct_json_type(out->args) == CT_JSON_NULL)
		out->args = NULL;
	if (out->args != NULL && ct_json_type(out->args) != CT_JSON_OBJECT)
		return bad(err, "arguments is no object");
	out->destination = ct_json_get(body, "destination");
	out->pattern = ct_json_str(ct_json_get(body, "pattern"));
	if (out->pattern.n > PATTERN_MAX)
		return bad(err, "pattern is too long");
	out->matcher = ct_json_str(ct_json_get(body, "matcher"));
	out->ticket = ct_json_str(ct_json_get(body, "ticket"));
	if (out->ticket.n > KEY_MAX)
		return bad(err, "ticket is too long");
	return get_reply(body, out, err);
}

/* The index of the ] that ends the set at i, 0: it is no set. */
static size_t
set_end(struct ct_str p, size_t i)
{
	size_t j = i + 1;

	if (j < p.n && p.p[j] == '!')
		j++;
	if (j < p.n && p.p[j] == ']')
		j++;
	while (j < p.n && p.p[j] != ']')
		j++;
	return j < p.n ? j : 0;
}

static bool
in_set(struct ct_str p, size_t i, size_t end, unsigned char c)
{
	bool without = p.p[i + 1] == '!', found = false;
	size_t j = i + 1 + (without ? 1 : 0);
	unsigned char lo, hi;

	while (j < end) {
		lo = hi = (unsigned char)p.p[j];
		if (j + 2 < end && p.p[j + 1] == '-') {
			hi = (unsigned char)p.p[j + 2];
			j += 2;
		}
		found = found || (lo <= c && c <= hi);
		j++;
	}
	return found != without;
}

/* The element of p at i against c; *next: where the one after it is. */
static bool
matches(struct ct_str p, size_t i, char c, size_t *next)
{
	size_t end;

	*next = i + 1;
	if (p.p[i] == '?')
		return true;
	if (p.p[i] == '[' && (end = set_end(p, i)) > 0) {
		*next = end + 1;
		return in_set(p, i, end, (unsigned char)c);
	}
	return p.p[i] == c;
}

bool
ct_control_glob(struct ct_str p, struct ct_str text)
{
	size_t i = 0, k = 0, star = SIZE_MAX, from = 0, next;

	while (k < text.n) {
		if (i < p.n && p.p[i] == '*') {
			star = ++i;
			from = k;
		} else if (i < p.n && matches(p, i, text.p[k], &next)) {
			i = next;
			k++;
		} else if (star != SIZE_MAX) {
			i = star;
			k = ++from;
		} else {
			return false;
		}
	}
	while (i < p.n && p.p[i] == '*')
		i++;
	return i == p.n;
}

/* A list of names; null or an empty one asks everybody. */
static bool
names(const struct ct_json *v, struct ct_str name, bool *everybody)
{
	const struct ct_json *e = ct_json_first(v);
	struct ct_str one = ct_json_str(v);

	*everybody = v == NULL || ct_json_type(v) == CT_JSON_NULL ||
		     (ct_json_type(v) == CT_JSON_ARRAY && e == NULL) ||
		     (one.p != NULL && one.n == 0);
	if (one.p != NULL)
		return ct_str_eq(one, name);
	for (; e != NULL; e = ct_json_next(e))
		if (ct_str_eq(ct_json_str(e), name))
			return true;
	return false;
}

bool
ct_control_is_for(const struct ct_control_msg *m, struct ct_str name)
{
	bool everybody;

	if (names(m->destination, name, &everybody))
		return true;
	if (!everybody)
		return false;
	/* What is not glob is answered with an error. */
	if (m->pattern.n > 0 &&
	    (m->matcher.p == NULL || ct_str_is(m->matcher, "glob")))
		return ct_control_glob(m->pattern, name);
	return true;
}

struct ct_str
ct_kombu_wrap(struct ct_arena *a, struct ct_str body, struct ct_str headers,
    const char *exchange, struct ct_str routing_key)
{
	struct ct_uuid tag = ct_uuid_new();
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, body.n * 4 / 3 + 512);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "body");
	ct_jw_str(&w, ct_base64(a, body.p, body.n));
	ct_jw_key(&w, "content-encoding");
	ct_jw_cstr(&w, "utf-8");
	ct_jw_key(&w, "content-type");
	ct_jw_cstr(&w, "application/json");
	ct_jw_key(&w, "headers");
	ct_jw_raw(&w, headers);
	ct_jw_key(&w, "properties");
	ct_jw_obj(&w);
	ct_jw_key(&w, "delivery_mode");
	ct_jw_i64(&w, 1);
	ct_jw_key(&w, "delivery_info");
	ct_jw_obj(&w);
	ct_jw_key(&w, "exchange");
	ct_jw_cstr(&w, exchange);
	ct_jw_key(&w, "routing_key");
	ct_jw_str(&w, routing_key);
	ct_jw_end(&w);
	ct_jw_key(&w, "priority");
	ct_jw_i64(&w, 0);
	ct_jw_key(&w, "body_encoding");
	ct_jw_cstr(&w, "base64");
	ct_jw_key(&w, "delivery_tag");
	ct_jw_uuid(&w, &tag);
	ct_jw_end(&w);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}
