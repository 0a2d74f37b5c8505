/* The API document from the route table; see openapi.h. */
#include "fcgi/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "db/entry.h"

#define NAME_MAX_N 160

/* ------------------------------------------------------------ names */

/* "auth" of "/api/auth/login"; what is not under /api is operations. */
static struct ct_str
tag_of(const struct ct_route *t)
{
	struct ct_str rest = ct_str_of(t->pattern);

	ct_str_split(&rest, '/');
	if (!ct_str_is(ct_str_split(&rest, '/'), "api") || !rest.p)
		return CT_STR("operations");
	return ct_str_split(&rest, '/');
}

/* "post_feeding_id_restore": stable as long as method and path are. */
static void
operation_id(const struct ct_route *t, char out[NAME_MAX_N])
{
	const char *p = t->pattern;
	size_t n = 0;

	for (const char *m = ct_method_name(t->method); *m; m++)
		out[n++] = (char)tolower((unsigned char)*m);
	if (strncmp(p, "/api/", 5) == 0)
		p += 4;
	if (strcmp(p, "/") == 0)
		p = "/root";
	for (; *p && n < NAME_MAX_N - 1; p++) {
		if (*p == '/' || *p == '-')
			out[n++] = '_';
		else if (isalnum((unsigned char)*p) || *p == '_')
			out[n++] = *p;
	}
	out[n] = '\0';
}

/* ------------------------------------------------------------ what applies */

static enum ct_side
side_of(const struct ct_route *t)
{
	return t->method == CT_POST ? CT_SIDE_CREATE : CT_SIDE_CHANGE;
}

static bool
names(const struct ct_fields *t, const char *field)
{
	return t && ct_fields_find(t, field);
}

static bool
has_version(const struct ct_route *t)
{
	return strchr(t->pattern, '{') && t->method != CT_GET &&
	       (t->kind || names(t->body, "version") ||
		   strstr(t->pattern, "/restore"));
}

static bool
needs_session(const struct ct_route *t)
{
	return t->who != CT_W_OPEN && t->who != CT_W_LOCAL;
}

/* May the route answer that status, as far as its row tells? */
static bool
applies(const struct ct_route *t, int status)
{
	bool loop = t->flags & CT_R_LOOP;
	bool write = t->method != CT_GET;

	switch (status) {
	case 400:
		return !loop;
	case 401:
		return needs_session(t);
	case 403:
		return write || (needs_session(t) && t->who != CT_W_READ);
	case 404:
		return strchr(t->pattern, '{') || t->who == CT_W_LOCAL ||
		       t->kind || names(t->query, "cat_id") ||
		       names(t->body, "cat_id");
	case 409:
		return t->flags & CT_R_IDEM || has_version(t) ||
		       names(t->body, "id");
	case 413:
		return write;
	case 414:
		return t->query != NULL;
	case 415:
		return write;
	case 429:
		return t->class != CT_C_NONE;
	case 503:
		return !loop;
	default:
		return false;
	}
}

/* ------------------------------------------------------------ answers */

/* What follows the last {…} of the pattern, NULL: it has none. */
static const char *
behind_id(const char *pattern)
{
	const char *at = strrchr(pattern, '}');

	return at ? at + 1 : NULL;
}

/*
 * Without an `out` an entry kind's route answers what all of them do; what adds
 * one, perhaps more than that: a shape named Added.
 */
static const char *
out_of(const struct ct_route *t, char text[NAME_MAX_N])
{
	const char *behind = behind_id(t->pattern);
	const char *status = "200", *what = "Done";
	char name[64];

	if (t->out)
		return t->out;
	if (!t->kind || (t->method == CT_GET && behind && *behind))
		return "2XX any";
	ct_oa_kind_name(t->kind, name);
	if (t->method == CT_GET) {
		what = behind ? "" : "Page";
	} else if (t->method == CT_POST && !behind) {
		status = "201";
		snprintf(text, NAME_MAX_N, "%sAdded", name);
		if (ct_oa_has_shape(ct_str_of(text)))
			what = "Added";
	}
	snprintf(text, NAME_MAX_N, "%s %s%s", status, name, what);
	return text;
}

static bool
is_status(struct ct_str s)
{
	return s.n == 3 && s.p[0] >= '1' && s.p[0] <= '5';
}

static void
add_headers(struct ct_jw *w, const struct ct_route *t, bool etag)
{
	ct_oa_open_obj(w, "headers");
	ct_oa_header_ref(w, "X-Request-Id", "#/components/headers/RequestId");
	if (etag)
		ct_oa_header_ref(w, "ETag", "#/components/headers/ETag");
	if (t->class != CT_C_NONE) {
		ct_oa_header_ref(
		    w, "RateLimit-Limit", "#/components/headers/RateLimit");
		ct_oa_header_ref(
		    w, "RateLimit-Remaining", "#/components/headers/RateLimit");
		ct_oa_header_ref(
		    w, "RateLimit-Reset", "#/components/headers/RateLimit");
	}
	ct_jw_end(w);
}

/* One media type: a shape is JSON, "text/csv" is a file. */
static void
add_content(struct ct_jw *w, struct ct_str type)
{
	bool file = memchr(type.p, '/', type.n);
	char name[96];

	if (type.n >= sizeof(name))
		ct_bug("media type %.*s", CT_STR_FMT(type));
	memcpy(name, type.p, type.n);
	name[type.n] = '\0';
	ct_oa_open_obj(w, file ? name : "application/json");
	ct_jw_key(w, "schema");
	if (file) {
		ct_jw_obj(w);
		if (!ct_str_is(type, "application/json"))
			ct_oa_pair(w, "type", "string");
		ct_jw_end(w);
	} else {
		ct_oa_type(w, type);
		if (!ct_str_is(type, "any")) {
			ct_jw_key(w, "example");
			ct_oa_type_example(w, type);
		}
	}
	ct_jw_end(w);
}

static void
add_success(struct ct_jw *w, const struct ct_route *t, struct ct_str *rest)
{
	char status[4] = {0};
	struct ct_str s = ct_str_split(rest, ' ');
	bool kept = t->method == CT_GET && !(t->flags & CT_R_LOOP) &&
		    ct_str_is(s, "200");

	if (!is_status(s))
		ct_bug("out of %s: no status", t->pattern);
	memcpy(status, s.p, 3);
	ct_oa_open_obj(w, status);
	ct_oa_pair(w, "description", t->summary);
	add_headers(w, t, kept);
	ct_oa_open_obj(w, "content");
	while (rest->p && !is_status(*rest)) {
		struct ct_str peek = *rest;

		if (is_status(ct_str_split(&peek, ' ')))
			break;
		add_content(w, ct_str_split(rest, ' '));
	}
	ct_jw_end(w);
	ct_jw_end(w);
	if (kept) {
		ct_oa_open_obj(w, "304");
		ct_oa_pair(
		    w, "description", "what If-None-Match names is current");
		ct_jw_end(w);
	}
}

static bool
says_status(struct ct_str rest, int status)
{
	int64_t v;

	while (rest.p) {
		if (ct_str_i64(ct_str_split(&rest, ' '), 100, 599, &v) &&
		    v == status)
			return true;
	}
	return false;
}

static void
add_responses(struct ct_jw *w, const struct ct_route *t)
{
	char text[NAME_MAX_N], status[16], ref[96];
	struct ct_str rest = ct_str_of(out_of(t, text));

	ct_oa_open_obj(w, "responses");
	add_success(w, t, &rest);
	/* Statuses of the row's `out` with a shape of their own. */
	while (rest.p) {
		struct ct_str peek = rest;

		ct_str_split(&peek, ' ');
		if (!peek.p || is_status(peek) ||
		    is_status(ct_str_split(&peek, ' ')))
			break;
		add_success(w, t, &rest);
	}
	for (size_t i = 0; i < ct_oa_errors_n; i++) {
		if (says_status(
			ct_str_of(out_of(t, text)), ct_oa_errors[i].status)
			? !says_status(rest, ct_oa_errors[i].status)
			: !applies(t, ct_oa_errors[i].status))
			continue;
		snprintf(status, sizeof(status), "%d", ct_oa_errors[i].status);
		snprintf(ref, sizeof(ref), "#/components/responses/%s",
		    ct_oa_errors[i].name);
		ct_oa_header_ref(w, status, ref);
	}
	ct_jw_end(w);
}

/* ------------------------------------------------------------ requests */

static void
path_parameters(struct ct_jw *w, const char *pattern)
{
	if (strstr(pattern, "{id}")) {
		ct_oa_parameter(w, "path", "id", true, "which one");
		ct_oa_string_schema(w, "format", "uuid");
	}
	if (strstr(pattern, "{sub}")) {
		ct_oa_parameter(
		    w, "path", "sub", true, "which one of its parts");
		ct_oa_string_schema(w, "format", "uuid");
	}
	if (strstr(pattern, "{word}")) {
		ct_oa_parameter(w, "path", "word", true, "which kind");
		ct_oa_string_schema(w, "pattern", "^[a-z_]{1,32}$");
	}
}

static void
add_parameters(struct ct_jw *w, const struct ct_route *t)
{
	ct_oa_open_arr(w, "parameters");
	path_parameters(w, t->pattern);
	for (size_t i = 0; t->query && i < t->query->n; i++) {
		const struct ct_field *f = &t->query->f[i];

		ct_oa_parameter(
		    w, "query", f->name, f->flags & CT_F_REQUIRED, f->help);
		ct_oa_field(w, f, CT_SIDE_CREATE);
		ct_jw_end(w);
	}
	if (t->flags & CT_R_IDEM) {
		ct_jw_obj(w);
		ct_oa_pair(w, "$ref", "#/components/parameters/IdempotencyKey");
		ct_jw_end(w);
	}
	if (has_version(t)) {
		ct_jw_obj(w);
		ct_oa_pair(w, "$ref", "#/components/parameters/IfMatch");
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

static bool
must_have_body(const struct ct_route *t)
{
	for (size_t i = 0; i < t->body->n; i++) {
		if (t->method == CT_POST && t->body->f[i].flags & CT_F_REQUIRED)
			return true;
	}
	return false;
}

static void
add_upload(struct ct_jw *w)
{
	ct_oa_open_obj(w, "requestBody");
	ct_oa_flag(w, "required", true);
	ct_oa_open_obj(w, "content");
	ct_oa_open_obj(w, "application/zip");
	ct_oa_open_obj(w, "schema");
	ct_oa_pair(w, "description", "at most 64 MiB");
	ct_jw_end(w);
	ct_jw_end(w);
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
add_body(struct ct_jw *w, const struct ct_route *t)
{
	if (t->flags & CT_R_UPLOAD)
		add_upload(w);
	if (!t->body)
		return;
	ct_oa_open_obj(w, "requestBody");
	ct_oa_flag(w, "required", must_have_body(t));
	ct_oa_open_obj(w, "content");
	ct_oa_open_obj(w, "application/json");
	ct_jw_key(w, "schema");
	ct_oa_fields(w, t->body, side_of(t));
	ct_jw_key(w, "example");
	ct_oa_body_example(w, t->body, side_of(t));
	ct_jw_end(w);
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
scheme(struct ct_jw *w, const char *name, const char *scope)
{
	ct_jw_obj(w);
	ct_oa_open_arr(w, name);
	if (scope)
		ct_jw_cstr(w, scope);
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
add_security(struct ct_jw *w, const struct ct_route *t)
{
	static const char *const scopes[] = {[CT_W_READ] = "read",
	    [CT_W_LOG] = "log",
	    [CT_W_FULL] = "full",
	    [CT_W_LOCAL] = NULL};

	ct_oa_open_arr(w, "security");
	if (needs_session(t))
		scheme(w, "session", t->who == CT_W_ADMIN ? "admin" : NULL);
	if (scopes[t->who])
		scheme(w, "token", scopes[t->who]);
	ct_jw_end(w);
}

static void
add_operation(struct ct_jw *w, const struct ct_route *t)
{
	char text[NAME_MAX_N];
	size_t n = 0;

	for (const char *m = ct_method_name(t->method); *m; m++)
		text[n++] = (char)tolower((unsigned char)*m);
	text[n] = '\0';
	ct_oa_open_obj(w, text);
	operation_id(t, text);
	ct_oa_pair(w, "operationId", text);
	ct_oa_pair(w, "summary", t->summary);
	ct_oa_open_arr(w, "tags");
	ct_jw_str(w, tag_of(t));
	ct_jw_end(w);
	ct_oa_pair(w, "x-who", ct_who_name(t->who));
	ct_oa_pair(w, "x-rate-class", ct_class_name(t->class));
	add_security(w, t);
	add_parameters(w, t);
	add_body(w, t);
	add_responses(w, t);
	ct_jw_end(w);
}

/* ------------------------------------------------------------ the document */

static bool
same_path(size_t i, size_t j)
{
	return strcmp(ct_routes[i].pattern, ct_routes[j].pattern) == 0;
}

static void
add_paths(struct ct_jw *w)
{
	ct_oa_open_obj(w, "paths");
	for (size_t i = 0; i < ct_routes_n; i++) {
		size_t first = 0;

		while (!same_path(first, i))
			first++;
		if (first < i)
			continue;
		ct_oa_open_obj(w, ct_routes[i].pattern);
		for (size_t j = i; j < ct_routes_n; j++) {
			if (same_path(i, j))
				add_operation(w, &ct_routes[j]);
		}
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

static void
add_tags(struct ct_jw *w)
{
	ct_oa_open_arr(w, "tags");
	for (size_t i = 0; i < ct_routes_n; i++) {
		struct ct_str tag = tag_of(&ct_routes[i]);
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= ct_str_eq(tag_of(&ct_routes[j]), tag);
		if (seen)
			continue;
		ct_jw_obj(w);
		ct_jw_key(w, "name");
		ct_jw_str(w, tag);
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

struct ct_str
ct_openapi(struct ct_arena *a)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, 256 * 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_oa_head(&w);
	add_tags(&w);
	add_paths(&w);
	ct_oa_shared(&w);
	ct_jw_end(&w);
	if (!ct_jw_done(&w))
		ct_bug("the API document was left open");
	return ct_oa_yaml(a, ct_buf_str(&b));
}
