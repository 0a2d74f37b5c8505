/*
 * Celery's task messages and results as text. Every header but task and id is
 * optional, because other producers than Python's send only those.
 */
#include <string.h>

#include "common/celery.h"
#include "common/crypto.h"

#define MSG_DEPTH 32
#define REPR_MAX  1024 /* bytes of kwargsrepr, as celery cuts it */

/* What kombu puts between the queue's name and the priority. */
#define PRIORITY_SEP "\x06\x16"

static const char *const result_names[] = {
    [CT_R_PROGRESS] = "PROGRESS",
    [CT_R_RETRY] = "RETRY",
    [CT_R_SUCCESS] = "SUCCESS",
    [CT_R_FAILURE] = "FAILURE",
    [CT_R_REVOKED] = "REVOKED",
};

static bool
is_null(const struct ct_json *v)
{
	return v == NULL || ct_json_type(v) == CT_JSON_NULL;
}

static bool
is_type(const struct ct_json *v, enum ct_json_type type)
{
	return v != NULL && ct_json_type(v) == type;
}

static enum ct_rc
bad(struct ct_err *err, const char *what)
{
	return ct_fail(err, CT_MALFORMED, "bad_message", "%s", what);
}

/* ISO 8601; a time without an offset is UTC, as celery's default has it. */
static enum ct_rc
get_time(struct ct_arena *a, const struct ct_json *v, const char *name,
    int64_t *out_ms, struct ct_err *err)
{
	struct ct_str s;
	int64_t us = 0;
	enum ct_time_fault fault;

	*out_ms = CT_NULL_I64;
	if (is_null(v))
		return CT_OK;
	s = ct_json_str(v);
	fault = s.p == NULL ? CT_TIME_BAD : ct_time_parse(s, &us);
	if (fault == CT_TIME_NAIVE)
		fault = ct_time_parse(
		    ct_str_of(ct_arena_printf(a, "%.*sZ", CT_STR_FMT(s))), &us);
	if (fault != CT_TIME_OK)
		return ct_fail(err, CT_MALFORMED, "bad_message",
		    "header %s is no time", name);
	*out_ms = (us + 999) / 1000; /* never early */
	return CT_OK;
}

/* [hard, soft] in seconds, either may be null. */
static enum ct_rc
get_limits(const struct ct_json *v, struct ct_msg *m, struct ct_err *err)
{
	int64_t *const to[] = {&m->hard_ms, &m->soft_ms};
	const struct ct_json *e;
	size_t i = 0;

	if (is_null(v))
		return CT_OK;
	if (!is_type(v, CT_JSON_ARRAY))
		return bad(err, "header timelimit is no array");
	for (e = ct_json_first(v); e != NULL && i < ct_countof(to);
	     e = ct_json_next(e), i++)
		if (!is_null(e) && (!ct_json_milli(e, to[i]) || *to[i] < 0))
			return bad(err, "header timelimit holds no number");
	return CT_OK;
}

/* The fields that protocol 2 has in its headers, protocol 1 in its body. */
static enum ct_rc
get_fields(struct ct_arena *a, const struct ct_json *h, struct ct_msg *m,
    struct ct_err *err)
{
	const struct ct_json *retries = ct_json_get(h, "retries");
	enum ct_rc rc;

	m->task = ct_json_str(ct_json_get(h, "task"));
	m->id = ct_json_str(ct_json_get(h, "id"));
	if (m->task.n == 0 || m->task.n > 200)
		return bad(err, "task is missing or no name");
	if (m->id.n == 0 || m->id.n > 200)
		return bad(err, "id is missing or no name");
	if (!ct_json_i64(
		ct_json_get(h, "x-enq-ms"), 0, INT64_MAX / 1000, &m->pushed_ms))
		m->pushed_ms = CT_NULL_I64;
	m->parent = ct_json_str(ct_json_get(h, "parent_id"));
	m->group = ct_json_str(ct_json_get(h, "group"));
	m->ignore_result = ct_json_bool(ct_json_get(h, "ignore_result"));
	if (!is_null(retries) && !ct_json_i64(retries, 0, 1000000, &m->retries))
		return bad(err, "header retries is no count");
	rc = get_time(a, ct_json_get(h, "eta"), "eta", &m->eta_ms, err);
	if (rc == CT_OK)
		rc = get_time(a, ct_json_get(h, "expires"), "expires",
		    &m->expires_ms, err);
	if (rc == CT_OK)
		rc = get_limits(ct_json_get(h, "timelimit"), m, err);
	return rc;
}

/* The decoded text of a body. */
static enum ct_rc
body_text(struct ct_arena *a, struct ct_str body, bool base64,
    struct ct_str *out, struct ct_err *err)
{
	*out = body;
	if (base64 && ct_unbase64(a, body, out) != CT_OK)
		return bad(err, "body is no base64");
	return CT_OK;
}

/* Headers of a protocol 1 message may hold `retries`: ct_msg_again's. */
static enum ct_rc
parse_v1(struct ct_arena *a, const struct ct_json *headers, struct ct_msg *m,
    struct ct_err *err)
{
	const struct ct_json *body;
	const struct ct_json *over = ct_json_get(headers, "retries");
	struct ct_str text;
	enum ct_rc rc;

	m->protocol = 1;
	rc = body_text(a, m->body, m->base64, &text, err);
	if (rc != CT_OK)
		return rc;
	rc = ct_json_parse(a, text, MSG_DEPTH, &body, err);
	if (rc != CT_OK)
		return rc;
	if (!is_type(body, CT_JSON_OBJECT))
		return bad(err, "neither headers nor body name a task");
	rc = get_fields(a, body, m, err);
	if (rc == CT_OK && !is_null(over) &&
	    !ct_json_i64(over, 0, 1000000, &m->retries))
		return bad(err, "header retries is no count");
	if (m->group.p == NULL)
		m->group = ct_json_str(ct_json_get(body, "taskset"));
	return rc;
}

/* Only JSON in UTF-8, not compressed. */
static enum ct_rc
check_content(const struct ct_json *root, const struct ct_json *headers,
    struct ct_err *err)
{
	struct ct_str type = ct_json_str(ct_json_get(root, "content-type"));
	struct ct_str enc = ct_json_str(ct_json_get(root, "content-encoding"));

	if (!is_null(ct_json_get(headers, "compression")))
		return bad(err, "the body is compressed");
	if (type.p != NULL && !ct_str_is(type, "application/json"))
		return bad(err, "content-type is not application/json");
	if (enc.p != NULL && !ct_str_ieq(enc, "utf-8"))
		return bad(err, "content-encoding is not utf-8");
	return CT_OK;
}

/* Known first, so that the sender is told of whatever is wrong. */
static void
peek_id(const struct ct_json *headers, struct ct_msg *m)
{
	struct ct_str id = ct_json_str(ct_json_get(headers, "id"));

	if (id.n > 0 && id.n <= 200)
		m->id = id;
}

enum ct_rc
ct_msg_parse(struct ct_arena *a, struct ct_str raw, struct ct_msg *out,
    struct ct_err *err)
{
	const struct ct_json *headers, *props, *body;
	struct ct_str enc;
	enum ct_rc rc;

	*out = (struct ct_msg){.raw = raw,
	    .protocol = 2,
	    .eta_ms = CT_NULL_I64,
	    .expires_ms = CT_NULL_I64};
	if (raw.n > CT_MSG_MAX)
		return ct_fail(err, CT_TOOBIG, "message_too_big",
		    "the message has %zu bytes, %u are allowed", raw.n,
		    CT_MSG_MAX);
	rc = ct_json_parse(a, raw, MSG_DEPTH, &out->root, err);
	if (rc != CT_OK)
		return rc;
	if (!is_type(out->root, CT_JSON_OBJECT))
		return bad(err, "the message is no object");
	headers = ct_json_get(out->root, "headers");
	props = ct_json_get(out->root, "properties");
	peek_id(headers, out);
	rc = check_content(out->root, headers, err);
	if (rc != CT_OK)
		return rc;
	body = ct_json_get(out->root, "body");
	if (!is_type(body, CT_JSON_STRING))
		return bad(err, "body is no string");
	out->body = ct_json_str(body);
	enc = ct_json_str(ct_json_get(props, "body_encoding"));
	out->base64 = ct_str_is(enc, "base64");
	if (enc.p != NULL && !out->base64 && !ct_str_ieq(enc, "utf-8"))
		return bad(err, "body_encoding is neither base64 nor utf-8");
	if (is_null(ct_json_get(headers, "task")))
		return parse_v1(a, headers, out, err);
	return get_fields(a, headers, out, err);
}

/* True where v asks for something: not null, not an empty list. */
static bool
asks(const struct ct_json *v)
{
	return !is_null(v) && ct_json_first(v) != NULL;
}

static bool
asks_canvas(const struct ct_json *embed)
{
	static const char *const keys[] = {
	    "callbacks", "errbacks", "chain", "chord"};
	size_t i;

	for (i = 0; i < ct_countof(keys); i++)
		if (asks(ct_json_get(embed, keys[i])))
			return true;
	return false;
}

enum ct_rc
ct_msg_body(struct ct_arena *a, struct ct_str body, bool base64,
    struct ct_msg_body *out, struct ct_err *err)
{
	const struct ct_json *root, *embed;
	struct ct_str text;
	enum ct_rc rc;

	*out = (struct ct_msg_body){0};
	rc = body_text(a, body, base64, &text, err);
	if (rc != CT_OK)
		return rc;
	rc = ct_json_parse(a, text, MSG_DEPTH, &root, err);
	if (rc != CT_OK)
		return rc;
	if (is_type(root, CT_JSON_OBJECT)) {
		out->args = ct_json_get(root, "args");
		out->kwargs = ct_json_get(root, "kwargs");
		embed = root;
	} else if (is_type(root, CT_JSON_ARRAY) &&
		   (out->args = ct_json_first(root)) != NULL &&
		   (out->kwargs = ct_json_next(out->args)) != NULL) {
		embed = ct_json_next(out->kwargs);
	} else {
		return bad(err, "body is not [args, kwargs, embed]");
	}
	if (is_null(out->args))
		out->args = NULL;
	if (is_null(out->kwargs))
		out->kwargs = NULL;
	if (out->args != NULL && !is_type(out->args, CT_JSON_ARRAY))
		return bad(err, "args is no array");
	if (out->kwargs != NULL && !is_type(out->kwargs, CT_JSON_OBJECT))
		return bad(err, "kwargs is no object");
	out->canvas = asks_canvas(embed);
	return CT_OK;
}

/* The members of v but `skip`, inside an open object. */
static void
copy_members(struct ct_jw *w, struct ct_arena *a, const struct ct_json *v,
    const char *skip)
{
	const struct ct_json *e;

	for (e = ct_json_first(v); e != NULL; e = ct_json_next(e)) {
		if (strcmp(ct_json_key(e), skip) == 0)
			continue;
		ct_jw_key(w, ct_json_key(e));
		ct_jw_raw(w, ct_json_print(a, e));
	}
}

static void
write_tag(struct ct_jw *w)
{
	struct ct_uuid tag = ct_uuid_new();

	ct_jw_key(w, "delivery_tag");
	ct_jw_uuid(w, &tag);
}

/* The message with another count of tries before it. */
static struct ct_str
send_on(struct ct_arena *a, const struct ct_msg *m, int64_t retries)
{
	const struct ct_json *e;
	const char *key;
	bool headers = false;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, m->raw.n + 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	for (e = ct_json_first(m->root); e != NULL; e = ct_json_next(e)) {
		key = ct_json_key(e);
		if (strcmp(key, "headers") == 0)
			continue;
		ct_jw_key(&w, key);
		if (strcmp(key, "properties") == 0 &&
		    ct_json_type(e) == CT_JSON_OBJECT) {
			ct_jw_obj(&w);
			copy_members(&w, a, e, "delivery_tag");
			write_tag(&w);
			ct_jw_end(&w);
		} else if (ct_json_type(e) == CT_JSON_STRING) {
			ct_jw_str(&w, ct_json_str(e));
		} else {
			ct_jw_raw(&w, ct_json_print(a, e));
		}
	}
	e = ct_json_get(m->root, "headers");
	headers = is_type(e, CT_JSON_OBJECT);
	ct_jw_key(&w, "headers");
	ct_jw_obj(&w);
	if (headers)
		copy_members(&w, a, e, "retries");
	ct_jw_key(&w, "retries");
	ct_jw_i64(&w, retries);
	ct_jw_end(&w);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

struct ct_str
ct_msg_again(struct ct_arena *a, const struct ct_msg *m)
{
	return send_on(a, m, m->retries + 1);
}

struct ct_str
ct_msg_anew(struct ct_arena *a, const struct ct_msg *m)
{
	return send_on(a, m, 0);
}

static void
write_time(struct ct_jw *w, const char *key, int64_t us)
{
	ct_jw_key(w, key);
	ct_jw_time(w, us == 0 ? CT_NULL_I64 : us);
}

static void
write_headers(struct ct_jw *w, const struct ct_msg_new *n, struct ct_str kwargs)
{
	static const char *const nulls[] = {
	    "shadow", "group", "group_index", "parent_id"};
	size_t i;

	ct_jw_key(w, "headers");
	ct_jw_obj(w);
	ct_jw_key(w, "lang");
	ct_jw_cstr(w, "c");
	ct_jw_key(w, "task");
	ct_jw_cstr(w, n->task);
	ct_jw_key(w, "id");
	ct_jw_cstr(w, n->id);
	ct_jw_key(w, "root_id");
	ct_jw_cstr(w, n->id);
	for (i = 0; i < ct_countof(nulls); i++) {
		ct_jw_key(w, nulls[i]);
		ct_jw_null(w);
	}
	write_time(w, "eta", n->eta_us);
	write_time(w, "expires", n->expires_us);
	ct_jw_key(w, "retries");
	ct_jw_i64(w, 0);
	ct_jw_key(w, "timelimit");
	ct_jw_raw(w, CT_STR("[null,null]"));
	ct_jw_key(w, "argsrepr");
	ct_jw_cstr(w, "()");
	ct_jw_key(w, "kwargsrepr");
	ct_jw_str(w, kwargs.n > REPR_MAX ? CT_STR("...") : kwargs);
	ct_jw_key(w, "origin");
	ct_jw_cstr(w, "catetube");
	ct_jw_key(w, "ignore_result");
	ct_jw_bool(w, false);
	/* Messages hold no time of their own; this gives the queue's age. */
	ct_jw_key(w, "x-enq-ms");
	ct_jw_i64(w, ct_now_us() / 1000);
	ct_jw_end(w);
}

static void
write_properties(struct ct_jw *w, const struct ct_msg_new *n)
{
	ct_jw_key(w, "properties");
	ct_jw_obj(w);
	ct_jw_key(w, "correlation_id");
	ct_jw_cstr(w, n->id);
	ct_jw_key(w, "delivery_mode");
	ct_jw_i64(w, 2);
	ct_jw_key(w, "delivery_info");
	ct_jw_obj(w);
	ct_jw_key(w, "exchange");
	ct_jw_cstr(w, "");
	ct_jw_key(w, "routing_key");
	ct_jw_cstr(w, n->queue);
	ct_jw_end(w);
	ct_jw_key(w, "priority");
	ct_jw_i64(w, n->priority);
	ct_jw_key(w, "body_encoding");
	ct_jw_cstr(w, "base64");
	write_tag(w);
	ct_jw_end(w);
}

struct ct_str
ct_msg_encode(struct ct_arena *a, const struct ct_msg_new *n)
{
	struct ct_str kwargs = n->kwargs.p != NULL ? n->kwargs : CT_STR("{}");
	struct ct_buf body, b;
	struct ct_jw w;

	if (kwargs.n > CT_MSG_MAX / 2)
		ct_bug("kwargs of %s has %zu bytes", n->task, kwargs.n);
	ct_buf_init(&body, a, kwargs.n + 80);
	ct_buf_adds(&body, "[[],");
	ct_buf_addstr(&body, kwargs);
	ct_buf_adds(&body, ",{\"callbacks\":null,\"errbacks\":null,"
			   "\"chain\":null,\"chord\":null}]");
	ct_buf_init(&b, a, 2 * body.n + 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "body");
	ct_jw_str(&w, ct_base64(a, body.p, body.n));
	ct_jw_key(&w, "content-encoding");
	ct_jw_cstr(&w, "utf-8");
	ct_jw_key(&w, "content-type");
	ct_jw_cstr(&w, "application/json");
	write_headers(&w, n, kwargs);
	write_properties(&w, n);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

int
ct_msg_step(int priority)
{
	if (priority <= 0)
		return 0;
	return priority >= 9 ? CT_STEPS - 1 : priority / 3;
}

struct ct_str
ct_msg_list(struct ct_arena *a, struct ct_str queue, int step)
{
	if (step == 0)
		return ct_str_dup(a, queue);
	return ct_str_of(ct_arena_printf(
	    a, "%.*s" PRIORITY_SEP "%d", CT_STR_FMT(queue), 3 * step));
}

const char *
ct_result_name(enum ct_result r)
{
	return result_names[r];
}

struct ct_str
ct_result_json(struct ct_arena *a, const struct ct_msg *m, enum ct_result r,
    struct ct_str value, struct ct_str traceback, int64_t now_us)
{
	bool final = r >= CT_R_SUCCESS;
	char when[CT_TIME_MAX];
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, value.n + traceback.n + 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "status");
	ct_jw_cstr(&w, result_names[r]);
	ct_jw_key(&w, "result");
	ct_jw_raw(&w, value);
	ct_jw_key(&w, "traceback");
	ct_jw_str(&w, traceback);
	ct_jw_key(&w, "children");
	ct_jw_raw(&w, CT_STR("[]"));
	/* UTC without a zone, as celery 5.2 writes it; all versions read it. */
	ct_time_format(now_us, when);
	when[strcspn(when, "Z")] = '\0';
	ct_jw_key(&w, "date_done");
	ct_jw_cstr(&w, final ? when : NULL);
	if (m->group.p != NULL) {
		ct_jw_key(&w, "group_id");
		ct_jw_str(&w, m->group);
	}
	if (m->parent.p != NULL) {
		ct_jw_key(&w, "parent_id");
		ct_jw_str(&w, m->parent);
	}
	ct_jw_key(&w, "task_id");
	ct_jw_str(&w, m->id);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

struct ct_str
ct_exception_json(struct ct_arena *a, const char *module, const char *type,
    struct ct_str args, const char *msg)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "exc_type");
	ct_jw_cstr(&w, type);
	ct_jw_key(&w, "exc_message");
	if (args.p != NULL) {
		ct_jw_raw(&w, args);
	} else {
		ct_jw_arr(&w);
		ct_jw_cstr(&w, msg);
		ct_jw_end(&w);
	}
	ct_jw_key(&w, "exc_module");
	ct_jw_cstr(&w, module);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

struct ct_str
ct_exception_text(struct ct_arena *a, struct ct_str value)
{
	const struct ct_json *v;
	struct ct_str type, msg;
	struct ct_err hidden;
	struct ct_buf b;

	ct_err_clear(&hidden);
	if (value.n > 2 * CT_RESULT_MAX ||
	    ct_json_parse(a, value, MSG_DEPTH, &v, &hidden) != CT_OK)
		return CT_STR("");
	type = ct_json_str(ct_json_get(v, "exc_type"));
	msg = ct_json_str(ct_json_first(ct_json_get(v, "exc_message")));
	if (type.n == 0)
		return CT_STR("");
	ct_buf_init(&b, a, CT_ERROR_MAX + 1);
	ct_buf_addstr(&b, type);
	if (msg.n > 0) {
		ct_buf_adds(&b, ": ");
		ct_buf_addstr(&b, msg);
	}
	if (b.n <= CT_ERROR_MAX)
		return ct_buf_str(&b);
	/* Not in the middle of a character. */
	for (b.n = CT_ERROR_MAX; (b.p[b.n] & 0xc0) == 0x80; b.n--)
		continue;
	return ct_buf_str(&b);
}
