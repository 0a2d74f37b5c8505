/* Looking up a route, and printing the table; see route.h. */
#include "fcgi/route.h"

#include <stdio.h>
#include <string.h>

static const struct {
	unsigned method;
	const char *name;
} methods[] = {
    {CT_GET, "GET"},
    {CT_POST, "POST"},
    {CT_PUT, "PUT"},
    {CT_PATCH, "PATCH"},
    {CT_DELETE, "DELETE"},
};

static const char *const who_names[] = {[CT_W_OPEN] = "open",
    [CT_W_READ] = "read",
    [CT_W_LOG] = "log",
    [CT_W_FULL] = "full",
    [CT_W_LOGIN] = "login",
    [CT_W_ADMIN] = "admin",
    [CT_W_LOCAL] = "local"};

static const struct {
	const char *name;
	size_t limit; /* offset in struct ct_conf, 0: none */
} classes[] = {
    [CT_C_NONE] = {"none", 0},
    [CT_C_READ] = {"read", offsetof(struct ct_conf, limit_read)},
    [CT_C_LOG] = {"log", offsetof(struct ct_conf, limit_log)},
    [CT_C_REPORT] = {"report", offsetof(struct ct_conf, limit_report)},
    [CT_C_AUTH] = {"auth", offsetof(struct ct_conf, limit_auth)},
};

int64_t
ct_class_limit(const struct ct_conf *c, enum ct_class class)
{
	if (classes[class].limit == 0)
		return 0;
	return *(const int64_t *)(const void *)((const char *)c +
						classes[class].limit);
}

const char *ct_class_name(enum ct_class class)
{
	return classes[class].name;
}

const char *
ct_method_name(unsigned method)
{
	for (size_t i = 0; i < ct_countof(methods); i++) {
		if (methods[i].method == method)
			return methods[i].name;
	}
	return "OTHER";
}

const char *
ct_who_name(enum ct_who who)
{
	return who_names[who];
}

static bool
is_word(struct ct_str s)
{
	if (s.n == 0 || s.n > 32)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < 'a' || s.p[i] > 'z') && s.p[i] != '_')
			return false;
	}
	return true;
}

/* One segment of a path against one of a pattern. */
static bool
segment(struct ct_str want, struct ct_str got, struct ct_req *r)
{
	if (ct_str_is(want, "{id}"))
		return ct_uuid_parse(got, &r->id);
	if (ct_str_is(want, "{sub}"))
		return ct_uuid_parse(got, &r->sub);
	if (ct_str_is(want, "{word}")) {
		r->word = got;
		return is_word(got);
	}
	return ct_str_eq(want, got);
}

static bool
matches(const char *pattern, struct ct_str path, struct ct_req *r)
{
	struct ct_str want = ct_str_of(pattern);

	if (!strchr(pattern, '{'))
		return ct_str_eq(want, path);
	while (want.p && path.p) {
		if (!segment(
			ct_str_split(&want, '/'), ct_str_split(&path, '/'), r))
			return false;
	}
	return !want.p && !path.p;
}

enum ct_rc
ct_route_find(struct ct_req *r, struct ct_err *err)
{
	struct ct_str path = r->path;

	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	for (size_t i = 0; i < ct_routes_n; i++) {
		if (!matches(ct_routes[i].pattern, path, r))
			continue;
		r->allow |= ct_routes[i].method;
		if (ct_routes[i].method == r->method) {
			r->route = &ct_routes[i];
			r->route_index = (int)i;
			return CT_OK;
		}
	}
	if (r->allow)
		return ct_fail(err, CT_INVALID, "method",
		    "This address does not take %.*s.",
		    ct_int(r->method_text.n > 10 ? 10 : r->method_text.n),
		    r->method_text.p);
	return ct_fail(err, CT_NOTFOUND, NULL, "There is nothing here.");
}

struct ct_str
ct_route_allow(struct ct_arena *a, unsigned allow)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 64);
	for (size_t i = 0; i < ct_countof(methods); i++) {
		if (!(allow & methods[i].method))
			continue;
		ct_buf_adds(&b, methods[i].name);
		ct_buf_adds(
		    &b, methods[i].method == CT_GET ? ", HEAD, " : ", ");
	}
	ct_buf_adds(&b, "OPTIONS");
	return ct_buf_str(&b);
}

void
ct_routes_print(void)
{
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_route *t = &ct_routes[i];

		printf("%s %s %s %s %s%s%s%s%s\n", ct_method_name(t->method),
		    t->pattern, who_names[t->who], classes[t->class].name,
		    t->flags & CT_R_SLOW ? "slow," : "",
		    t->flags & CT_R_IDEM ? "idem," : "",
		    t->flags & CT_R_LOOP ? "loop," : "",
		    t->flags & CT_R_UPLOAD ? "upload," : "",
		    t->tag ? t->tag : "-");
	}
}
