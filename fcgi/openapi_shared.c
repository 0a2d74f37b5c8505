/* The parts of the API document that no table gives; see openapi.h. */
#include "fcgi/openapi.h"

#include <string.h>

#define API_VERSION "1.0.0"

/* Texts whose form the tables do not know. */
static const struct {
	const char *name, *text;
} texts[] = {
    {"email", "ann@example.org"},
    {"password", "warm towel 0300"},
    {"new_password", "cold kitchen 0500"},
    {"timezone", "Europe/Berlin"},
    {"from", CT_OA_DAY},
    {"to", CT_OA_DAY},
    {"start_date", CT_OA_DAY},
    {"end_date", CT_OA_DAY},
    {"code", "123456"},
    {"day_start", "06:00"},
    {"first_name", "Ann"},
    {"url", "https://hooks.example.org/cat"},
};

const char *
ct_oa_text(const char *name)
{
	for (size_t i = 0; i < ct_countof(texts); i++) {
		if (strcmp(texts[i].name, name) == 0)
			return texts[i].text;
	}
	return "text";
}

void
ct_oa_set(struct ct_jw *w, const struct ct_field *f)
{
	ct_oa_pair(w, "type", "array");
	ct_oa_open_obj(w, "items");
	ct_oa_pair(w, "type", "string");
	ct_oa_open_arr(w, "enum");
	for (const char *const *p = f->names; *p; p++)
		ct_jw_cstr(w, *p);
	ct_jw_end(w);
	ct_jw_end(w);
	if (f->min >= 1) {
		ct_jw_key(w, "minItems");
		ct_jw_i64(w, 1);
	}
}

void
ct_oa_set_example(struct ct_jw *w, const struct ct_field *f)
{
	ct_jw_arr(w);
	ct_jw_cstr(w, f->names[0]);
	ct_jw_end(w);
}

/* Errors that every route of a kind may answer, as shared components. */
const struct ct_oa_error ct_oa_errors[] = {
    {400, "Invalid", "invalid", "amount_ml must be greater than 0",
	"Fields, parameters or the body as a whole are not valid; nothing "
	"was written."},
    {401, "Unauthorized", "unauthorized", "Please log in.",
	"Nobody is signed in, or what should prove it is wrong."},
    {403, "Forbidden", "forbidden",
	"Your role on this cat does not allow that.",
	"The role, the token's scope or the origin does not allow it."},
    {404, "NotFound", "not_found", "There is nothing here.",
	"Not there, or not yours: the two cannot be told apart."},
    {409, "Conflict", "conflict", "This changed meanwhile.",
	"It is there already, or changed meanwhile; `current` is what it is "
	"now."},
    {412, "PreconditionFailed", "precondition_failed",
	"The file is not the one that If-Match or If-Unmodified-Since names.",
	"The file is another one."},
    {413, "TooLarge", "too_big", "The body is larger than 64 KiB.",
	"The body is too large."},
    {414, "UriTooLong", "uri_too_long", "The query is longer than 4096 bytes.",
	"The query is too long."},
    {415, "MediaType", "media_type", "Send the body as application/json.",
	"The body is of another type."},
    {416, "RangeNotSatisfiable", "range_not_satisfiable",
	"This part of the file does not exist.", "The file has no such part."},
    {429, "RateLimited", "rate_limited", "Too many requests; please wait 7 s.",
	"Too many requests; Retry-After says how many seconds to wait."},
    {503, "Unavailable", "unavailable",
	"The service is busy; please try again shortly.",
	"Part of the service is away; Retry-After says when to try again."},
};
const size_t ct_oa_errors_n = ct_countof(ct_oa_errors);

void
ct_oa_flag(struct ct_jw *w, const char *key, bool v)
{
	ct_jw_key(w, key);
	ct_jw_bool(w, v);
}

void
ct_oa_open_obj(struct ct_jw *w, const char *key)
{
	ct_jw_key(w, key);
	ct_jw_obj(w);
}

void
ct_oa_open_arr(struct ct_jw *w, const char *key)
{
	ct_jw_key(w, key);
	ct_jw_arr(w);
}

void
ct_oa_header_ref(struct ct_jw *w, const char *name, const char *ref)
{
	ct_oa_open_obj(w, name);
	ct_oa_pair(w, "$ref", ref);
	ct_jw_end(w);
}

void
ct_oa_parameter(struct ct_jw *w, const char *in, const char *name,
    bool required, const char *help)
{
	ct_jw_obj(w);
	ct_oa_pair(w, "name", name);
	ct_oa_pair(w, "in", in);
	ct_oa_flag(w, "required", required);
	if (help)
		ct_oa_pair(w, "description", help);
	ct_jw_key(w, "schema");
}

void
ct_oa_string_schema(struct ct_jw *w, const char *more, const char *value)
{
	ct_jw_obj(w);
	ct_oa_pair(w, "type", "string");
	if (more)
		ct_oa_pair(w, more, value);
	ct_jw_end(w);
	ct_jw_end(w);
}

void
ct_oa_head(struct ct_jw *w)
{
	ct_oa_pair(w, "openapi", "3.1.0");
	ct_oa_open_obj(w, "info");
	ct_oa_pair(w, "title", "CatETube Tracker");
	ct_oa_pair(w, "version", API_VERSION);
	ct_oa_pair(w, "summary", "Care of a cat that is fed through a tube.");
	ct_oa_pair(w, "description",
	    "Amounts are mL with at most three decimals, times RFC 3339 with "
	    "an offset, days those of the cat's zone. Paths may end in a "
	    "slash. Unknown fields and parameters are refused. x-who says who "
	    "may ask (open, read, log, full: a session, or a token of at "
	    "least that scope; login: a session; admin; local), x-rate-class "
	    "which limit it counts against.");
	ct_jw_end(w);
	ct_oa_open_arr(w, "servers");
	ct_jw_obj(w);
	ct_oa_pair(w, "url", "/");
	ct_oa_pair(w, "description", "the host that serves it");
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
add_security_schemes(struct ct_jw *w)
{
	ct_oa_open_obj(w, "securitySchemes");
	ct_oa_open_obj(w, "session");
	ct_oa_pair(w, "type", "apiKey");
	ct_oa_pair(w, "in", "cookie");
	ct_oa_pair(w, "name", "__Host-catetube");
	ct_oa_pair(w, "description",
	    "Set by log-in and registration (over plain HTTP it is called "
	    "catetube). Requests that change something also need the Origin "
	    "header of the service.");
	ct_jw_end(w);
	ct_oa_open_obj(w, "token");
	ct_oa_pair(w, "type", "http");
	ct_oa_pair(w, "scheme", "bearer");
	ct_oa_pair(w, "description",
	    "An API token of scope read, log or full, each of which includes "
	    "the ones before it.");
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
shared_parameter(
    struct ct_jw *w, const char *key, const char *name, const char *help)
{
	ct_jw_key(w, key);
	ct_oa_parameter(w, "header", name, false, help);
	ct_oa_string_schema(w, NULL, NULL);
}

static void
shared_header(
    struct ct_jw *w, const char *key, const char *type, const char *help)
{
	ct_oa_open_obj(w, key);
	ct_oa_pair(w, "description", help);
	ct_oa_open_obj(w, "schema");
	ct_oa_pair(w, "type", type);
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
add_shared_headers(struct ct_jw *w)
{
	ct_oa_open_obj(w, "headers");
	shared_header(w, "RequestId", "string",
	    "Name of the request in the logs; errors carry it too.");
	shared_header(w, "ETag", "string", "For If-None-Match.");
	shared_header(w, "RateLimit", "integer",
	    "Limit: requests of a minute; Remaining: what is left of them; "
	    "Reset: seconds until all are there again.");
	shared_header(
	    w, "RetryAfter", "integer", "Seconds to wait before the next try.");
	ct_jw_end(w);
}

static void
add_error(struct ct_jw *w, const struct ct_oa_error *e)
{
	ct_oa_open_obj(w, e->name);
	ct_oa_pair(w, "description", e->help);
	if (e->status == 429 || e->status == 503) {
		ct_oa_open_obj(w, "headers");
		ct_oa_header_ref(
		    w, "Retry-After", "#/components/headers/RetryAfter");
		ct_jw_end(w);
	}
	ct_oa_open_obj(w, "content");
	ct_oa_open_obj(w, "application/json");
	ct_jw_key(w, "schema");
	ct_oa_type(w, CT_STR("Error"));
	ct_oa_open_obj(w, "example");
	ct_oa_pair(w, "error", e->text);
	ct_oa_pair(w, "code", e->code);
	if (e->status == 400) {
		ct_oa_open_obj(w, "fields");
		ct_oa_pair(w, "amount_ml", "must be greater than 0");
		ct_jw_end(w);
	}
	ct_oa_pair(w, "request_id", "2f6c1d3b9a7e4c5080d1e2f3a4b5c6d7");
	ct_jw_end(w);
	ct_jw_end(w);
	ct_jw_end(w);
	ct_jw_end(w);
}

void
ct_oa_shared(struct ct_jw *w)
{
	ct_oa_open_obj(w, "components");
	add_security_schemes(w);
	ct_oa_open_obj(w, "parameters");
	shared_parameter(w, "IdempotencyKey", "Idempotency-Key",
	    "Same key and body: the first answer again. Kept for 48 h.");
	shared_parameter(w, "IfMatch", "If-Match",
	    "The version that was seen, such as \"3\"; a stale one is 409.");
	ct_jw_end(w);
	add_shared_headers(w);
	ct_oa_open_obj(w, "responses");
	for (size_t i = 0; i < ct_oa_errors_n; i++)
		add_error(w, &ct_oa_errors[i]);
	ct_jw_end(w);
	ct_oa_open_obj(w, "schemas");
	ct_oa_components(w);
	ct_jw_end(w);
	ct_jw_end(w);
}
