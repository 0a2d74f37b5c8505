/*
 * Clients of the service under test, and checks of what it answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/app.h"

#include <pthread.h>

#define ARENA_CAP (256u << 20)
#define DEPTH	  64

const char *
ct_t_env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

const char *
ct_t_base(void)
{
	return ct_t_env("CATETUBE_TEST_URL", "");
}

const char *
ct_t_origin(void)
{
	return ct_t_env("CATETUBE_ORIGIN", ct_t_base());
}

char *
ct_quoted(struct ct_arena *a, const char *text)
{
	char *out = ct_arena_dup(a, text, strlen(text));

	for (char *p = out; *p; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

static char *
vprint(struct ct_arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *out;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	out = ct_arena_alloc(a, (size_t)n + 1);
	vsnprintf(out, (size_t)n + 1, fmt, ap);
	return out;
}

const char *
ct_path(struct ct_who *who, const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = vprint(who->a, fmt, ap);
	va_end(ap);
	return out;
}

static bool
is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
	       strcmp(method, "OPTIONS") == 0;
}

const struct ct_answer *
ct_ask(struct ct_who *who, const struct ct_ask *ask)
{
	struct ct_arena *a = who->a;
	struct ct_answer *r = ct_arena_alloc(a, sizeof(*r));
	const char *lines[12] = {NULL};
	unsigned n = 0;
	const char *type = ask->type, *origin = ask->origin;
	struct ct_http_req req = {ask->method, ask->path, lines, ask->body};
	struct ct_err err = {0};

	if (!type)
		type = ask->body.p ? "application/json" : "";
	if (!origin)
		origin = is_safe(ask->method) ? "" : ct_t_origin();
	if (*type)
		lines[n++] = ct_arena_printf(a, "Content-Type: %s", type);
	if (*origin)
		lines[n++] = ct_arena_printf(a, "Origin: %s", origin);
	if (*who->cookie)
		lines[n++] = ct_arena_printf(a, "Cookie: %s", who->cookie);
	for (unsigned i = 0; i < ct_countof(ask->more) && ask->more[i]; i++)
		lines[n++] = ask->more[i];
	r->what = ct_arena_printf(a, "%s %s", ask->method, ask->path);
	ct_http_send(who->http, a, &req, &r->res);
	r->status = r->res.status;
	r->body = r->res.body;
	if (!r->status ||
	    ct_json_parse(a, r->body, DEPTH, &r->json, &err) != CT_OK)
		r->json = NULL;
	return r;
}

const struct ct_answer *
ct_ask_patiently(struct ct_who *who, const struct ct_ask *ask)
{
	int64_t end = ct_mono_ms() + 90000;
	const struct ct_answer *r;

	while ((r = ct_ask(who, ask))->status == 429 && ct_mono_ms() < end)
		nanosleep(&(struct timespec){0, 500000000}, NULL);
	return r;
}

const struct ct_answer *
ct_get(struct ct_who *who, const char *path)
{
	return ct_ask(who, &(struct ct_ask){.method = "GET", .path = path});
}

const struct ct_answer *
ct_call(struct ct_who *who, const char *method, const char *path,
    const char *body, ...)
{
	struct ct_ask ask = {.method = method, .path = path};
	va_list ap;

	if (body) {
		va_start(ap, body);
		ask.body =
		    ct_str_of(ct_quoted(who->a, vprint(who->a, body, ap)));
		va_end(ap);
	}
	return ct_ask(who, &ask);
}

bool
ct_take_cookie(struct ct_who *who, const struct ct_answer *r)
{
	struct ct_str line = ct_http_header(&r->res, "Set-Cookie");
	struct ct_str pair = ct_str_split(&line, ';');

	if (!pair.p || pair.n >= sizeof(who->cookie))
		return false;
	memcpy(who->cookie, pair.p, pair.n);
	who->cookie[pair.n] = '\0';
	return true;
}

struct ct_who *
ct_who_nobody(struct ct_arena *a, const char *base)
{
	struct ct_who *who = ct_arena_alloc(a, sizeof(*who));

	who->a = a;
	who->http = ct_http_open(a, base ? base : ct_t_base());
	return who;
}

struct ct_who *
ct_who_register(struct ct_arena *a, const char *base, const char *more)
{
	struct ct_who *who = ct_who_nobody(a, base);
	const struct ct_answer *r;
	struct ct_uuid u = ct_uuid_new();
	char text[CT_UUID_TEXT];

	snprintf(who->email, sizeof(who->email), "t-%s@example.test",
	    ct_uuid_format(&u, text));
	r = ct_want(ct_call(who, "POST", "/api/auth/register",
			"{'email':'%s','password':'" CT_T_PASSWORD
			"','first_name':'Ada'%s}",
			who->email, more ? more : ""),
	    201);
	if (!ct_take_cookie(who, r))
		fail_msg("register sets no cookie:\n%s", r->res.head.p);
	snprintf(who->id, sizeof(who->id), "%s", ct_text(r, "user.id"));
	return who;
}

struct ct_who *
ct_who_login(struct ct_arena *a, const struct ct_who *who, const char *base)
{
	struct ct_who *me = ct_who_nobody(a, base);
	const struct ct_answer *r;

	memcpy(me->email, who->email, sizeof(me->email));
	memcpy(me->id, who->id, sizeof(me->id));
	r = ct_want(
	    ct_call(me, "POST", "/api/auth/login",
		"{'email':'%s','password':'" CT_T_PASSWORD "'}", me->email),
	    200);
	if (!ct_take_cookie(me, r))
		fail_msg("login sets no cookie");
	return me;
}

struct ct_who *
ct_who_twin(struct ct_arena *a, const struct ct_who *who, const char *base)
{
	struct ct_who *me = ct_who_nobody(a, base);

	memcpy(me->email, who->email, sizeof(me->email));
	memcpy(me->id, who->id, sizeof(me->id));
	memcpy(me->cookie, who->cookie, sizeof(me->cookie));
	return me;
}

static void
show(const struct ct_answer *r)
{
	print_error("%s -> %d\n%.*s%.*s\n", r->what, r->status,
	    CT_STR_FMT(r->res.head),
	    r->body.n > 2000 ? 2000 : ct_int(r->body.n),
	    r->body.p ? r->body.p : "");
}

#define SHOW_FAIL(r, file, line, ...)                                          \
	do {                                                                   \
		show(r);                                                       \
		print_error(__VA_ARGS__);                                      \
		print_error("\n");                                             \
		_fail((file), (line));                                         \
	} while (0)

const struct ct_answer *
ct_want_at(const struct ct_answer *r, int status, const char *file, int line)
{
	if (r->status != status)
		SHOW_FAIL(r, file, line, "wanted %d", status);
	return r;
}

static struct ct_str
member(const struct ct_json *o, const char *key)
{
	return ct_json_str(ct_json_get(o, key));
}

const struct ct_answer *
ct_want_error_at(const struct ct_answer *r, int status, const char *code,
    const char *field, const char *file, int line)
{
	const struct ct_json *fields;
	struct ct_str error, said;

	ct_want_at(r, status, file, line);
	if (!r->json || ct_json_type(r->json) != CT_JSON_OBJECT)
		SHOW_FAIL(r, file, line, "wanted a JSON object");
	error = member(r->json, "error");
	if (error.n == 0 || member(r->json, "code").n == 0 ||
	    member(r->json, "request_id").n == 0)
		SHOW_FAIL(r, file, line, "wanted error, code, request_id");
	if (code && !ct_str_is(member(r->json, "code"), code))
		SHOW_FAIL(r, file, line, "wanted code %s", code);
	if (!field)
		return r;
	fields = ct_json_get(r->json, "fields");
	said = fields ? member(fields, field) : (struct ct_str){NULL, 0};
	if (said.n == 0)
		SHOW_FAIL(r, file, line, "wanted fields.%s", field);
	if (!ct_json_next(ct_json_first(fields)) &&
	    (!ct_str_starts(error, ct_str_of(field)) ||
		error.n != strlen(field) + 1 + said.n))
		SHOW_FAIL(r, file, line, "wanted error \"%s %.*s\"", field,
		    CT_STR_FMT(said));
	return r;
}

const struct ct_json *
ct_find(const struct ct_answer *r, const char *path)
{
	const struct ct_json *v = r->json;
	struct ct_str rest = ct_str_of(path);

	while (v && rest.p && rest.n > 0) {
		struct ct_str part = ct_str_split(&rest, '.');
		char key[64];
		int64_t i;

		if (part.n >= sizeof(key))
			return NULL;
		memcpy(key, part.p, part.n);
		key[part.n] = '\0';
		if (ct_json_type(v) != CT_JSON_ARRAY) {
			v = ct_json_get(v, key);
			continue;
		}
		if (!ct_str_i64(part, 0, INT32_MAX, &i))
			return NULL;
		for (v = ct_json_first(v); v && i > 0; i--)
			v = ct_json_next(v);
	}
	return v;
}

CT_GETTER(const struct ct_json *, ct_at)
{
	const struct ct_json *v = ct_find(r, path);

	if (!v)
		SHOW_FAIL(r, file, line, "no member %s", path);
	return v;
}

CT_GETTER(int64_t, ct_milli)
{
	int64_t v = 0;

	if (!ct_json_milli(ct_at_at(r, path, file, line), &v))
		SHOW_FAIL(r, file, line, "%s is no number", path);
	return v;
}

CT_GETTER(int64_t, ct_i64)
{
	int64_t v = 0;

	if (!ct_json_i64(
		ct_at_at(r, path, file, line), INT64_MIN + 1, INT64_MAX, &v))
		SHOW_FAIL(r, file, line, "%s is no integer", path);
	return v;
}

CT_GETTER(bool, ct_flag)
{
	const struct ct_json *v = ct_at_at(r, path, file, line);

	if (ct_json_type(v) != CT_JSON_BOOL)
		SHOW_FAIL(r, file, line, "%s is no boolean", path);
	return ct_json_bool(v);
}

CT_GETTER(const char *, ct_text)
{
	struct ct_str s = ct_json_str(ct_at_at(r, path, file, line));

	if (!s.p)
		SHOW_FAIL(r, file, line, "%s is no text", path);
	return s.p;
}

CT_GETTER(bool, ct_is_null)
{
	return ct_json_type(ct_at_at(r, path, file, line)) == CT_JSON_NULL;
}

CT_GETTER(size_t, ct_count)
{
	const struct ct_json *v = ct_at_at(r, path, file, line);
	size_t n = 0;

	if (ct_json_type(v) != CT_JSON_ARRAY &&
	    ct_json_type(v) != CT_JSON_OBJECT)
		SHOW_FAIL(r, file, line, "%s is no list", path);
	for (v = ct_json_first(v); v; v = ct_json_next(v))
		n++;
	return n;
}

bool
ct_says(const struct ct_answer *r, const char *text)
{
	return r->body.n > 0 &&
	       memmem(r->body.p, r->body.n, text, strlen(text)) != NULL;
}

/* The header as text; the arena of the answer is not at hand, so it is kept
 * in a small ring: enough for the arguments of one check. */
const char *
ct_head(const struct ct_answer *r, const char *name)
{
	static char ring[4][1024];
	static unsigned next;
	struct ct_str s = ct_http_header(&r->res, name);
	char *out = ring[next++ % ct_countof(ring)];

	if (!s.p)
		return NULL;
	snprintf(out, sizeof(ring[0]), "%.*s", CT_STR_FMT(s));
	return out;
}

int
ct_api_group(void **state)
{
	(void)state;
	if (*ct_t_base())
		return 0;
	print_error("CATETUBE_TEST_URL names no stack to test\n");
	return -1;
}

int
ct_api_begin(void **state)
{
	struct ct_arena *a = ct_arena_create(ARENA_CAP);

	*state = ct_who_register(a, NULL, NULL);
	return 0;
}

int
ct_api_end(void **state)
{
	struct ct_who *who = *state;

	ct_arena_destroy(who->a);
	return 0;
}

const char *
ct_who_cat(struct ct_who *who)
{
	return ct_text(
	    ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_id");
}

struct ct_who *
ct_who_invited(struct ct_arena *a, struct ct_who *owner, const char *role)
{
	struct ct_who *guest = ct_who_register(a, NULL, NULL);
	const char *cat = ct_who_cat(owner);
	bool is_owner = strcmp(role, "owner") == 0;
	const struct ct_answer *r = ct_want(
	    ct_call(owner, "POST", ct_path(owner, "/api/cat/%s/invite", cat),
		"{'role':'%s'}", is_owner ? "caregiver" : role),
	    201);

	ct_want(ct_call(guest, "POST", "/api/invite/accept", "{'token':'%s'}",
		    ct_text(r, "token")),
	    200);
	if (is_owner)
		ct_want(
		    ct_call(owner, "PATCH",
			ct_path(owner, "/api/cat/%s/member/%s", cat, guest->id),
			"{'role':'owner'}"),
		    200);
	return guest;
}

int64_t
ct_meals(struct ct_who *who)
{
	return ct_i64(ct_want(ct_get(who, "/api/feeding/?per_page=1"), 200),
	    "pagination.total");
}

const char *
ct_when(struct ct_who *who, int64_t seconds)
{
	char *out = ct_arena_alloc(who->a, CT_TIME_MAX);
	int64_t us = (ct_now_us() / 1000000 + seconds) * 1000000;

	return ct_time_format(us, out);
}

struct thread {
	pthread_t id;
	pthread_barrier_t *start;
	struct ct_who *twin;
	unsigned i;
	void (*fn)(struct ct_who *twin, unsigned i, void *arg);
	void *arg;
};

static void *
run_thread(void *data)
{
	struct thread *t = data;

	pthread_barrier_wait(t->start);
	t->fn(t->twin, t->i, t->arg);
	ct_arena_destroy(t->twin->a);
	return NULL;
}

void
ct_at_once(const struct ct_who *who, unsigned n,
    void (*fn)(struct ct_who *twin, unsigned i, void *arg), void *arg)
{
	struct thread *t = ct_arena_alloc(who->a, n * sizeof(*t));
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		struct ct_arena *a = ct_arena_create(ARENA_CAP);

		t[i] = (struct thread){.start = &start,
		    .i = i,
		    .fn = fn,
		    .arg = arg,
		    .twin = ct_who_twin(a, who, NULL)};
		if (pthread_create(&t[i].id, NULL, run_thread, &t[i]) != 0)
			ct_bug("no thread");
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i].id, NULL);
	pthread_barrier_destroy(&start);
}
