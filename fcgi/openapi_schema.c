/* Schemas and examples from field tables and shapes; see openapi.h. */
#include <string.h>

#include "common/clock.h"
#include "db/entry.h"
#include "fcgi/openapi.h"

#define EXAMPLE_ID   "01930000-0000-7000-8000-000000000001"
#define EXAMPLE_TIME "2026-11-22T02:10:00Z"
#define EXAMPLE_DAY  CT_OA_DAY

/* The words of shapes: JSON type, format, example. */
static const struct word {
	const char *word, *type, *format, *example;
} words[] = {
    {"string", "string", NULL, "\"text\""},
    {"int", "integer", NULL, "1"},
    {"bool", "boolean", NULL, "true"},
    {"decimal", "number", NULL, "50.5"},
    {"uuid", "string", "uuid", "\"" EXAMPLE_ID "\""},
    {"time", "string", "date-time", "\"" EXAMPLE_TIME "\""},
    {"day", "string", "date", "\"" EXAMPLE_DAY "\""},
    {"map", "object", NULL, "{}"},
    {"any", NULL, NULL, "null"},
};

/* The word of a field's type. */
static const char *const type_words[] = {[CT_T_UUID] = "uuid",
    [CT_T_TEXT] = "string",
    [CT_T_BOOL] = "bool",
    [CT_T_INT] = "int",
    [CT_T_VOLUME] = "decimal",
    [CT_T_MILLI] = "decimal",
    [CT_T_TIME] = "time",
    [CT_T_DAY] = "day",
    [CT_T_ENUM] = "string",
    [CT_T_SET] = "any",
    [CT_T_JSON] = "any"};

static const struct word *
find_word(struct ct_str s)
{
	for (size_t i = 0; i < ct_countof(words); i++) {
		if (ct_str_is(s, words[i].word))
			return &words[i];
	}
	return NULL;
}

void
ct_oa_pair(struct ct_jw *w, const char *key, const char *value)
{
	ct_jw_key(w, key);
	ct_jw_cstr(w, value);
}

static void
add_word(struct ct_jw *w, const struct word *d, bool null)
{
	if (d->type && null) {
		ct_jw_key(w, "type");
		ct_jw_arr(w);
		ct_jw_cstr(w, d->type);
		ct_jw_cstr(w, "null");
		ct_jw_end(w);
	} else if (d->type) {
		ct_oa_pair(w, "type", d->type);
	}
	if (d->format)
		ct_oa_pair(w, "format", d->format);
	if (strcmp(d->word, "decimal") == 0) {
		ct_jw_key(w, "multipleOf");
		ct_jw_milli(w, 1);
	}
}

/* ------------------------------------------------------------ fields */

static void
add_bound(struct ct_jw *w, const struct ct_field *f, const char *key, int64_t v)
{
	ct_jw_key(w, key);
	if (f->type == CT_T_VOLUME || f->type == CT_T_MILLI)
		ct_jw_milli(w, v);
	else
		ct_jw_i64(w, v);
}

static void
add_bounds(struct ct_jw *w, const struct ct_field *f)
{
	bool number = f->type == CT_T_INT || f->type == CT_T_VOLUME ||
		      f->type == CT_T_MILLI;

	if (f->min == 0 && f->max == 0)
		return;
	if (number) {
		add_bound(w, f, "minimum", f->min);
		add_bound(w, f, "maximum", f->max);
	} else if (f->type == CT_T_TEXT) {
		if (f->min > 0)
			add_bound(w, f, "minLength", f->min);
		add_bound(w, f, "maxLength", f->max);
	}
}

static void
add_enum(struct ct_jw *w, const struct ct_field *f)
{
	ct_jw_key(w, "enum");
	ct_jw_arr(w);
	for (const char *const *p = f->names; *p; p++)
		ct_jw_cstr(w, *p);
	if (f->flags & CT_F_NULLABLE)
		ct_jw_null(w);
	ct_jw_end(w);
}

void
ct_oa_field(struct ct_jw *w, const struct ct_field *f, enum ct_side side)
{
	bool null = f->flags & CT_F_NULLABLE;

	ct_jw_obj(w);
	add_word(w, find_word(ct_str_of(type_words[f->type])), null);
	if (f->type == CT_T_ENUM && f->names)
		add_enum(w, f);
	if (f->type == CT_T_SET)
		ct_oa_set(w, f);
	if (side != CT_SIDE_OUT)
		add_bounds(w, f);
	if (f->help)
		ct_oa_pair(w, "description", f->help);
	if (f->unit)
		ct_oa_pair(w, "x-unit", f->unit);
	if (side != CT_SIDE_OUT && strstr(f->name, "password"))
		ct_oa_pair(w, "format", "password");
	ct_jw_end(w);
}

static bool
shows(const struct ct_field *f, enum ct_side side)
{
	unsigned flags = f->flags;

	switch (side) {
	case CT_SIDE_CREATE:
		return !(flags & (CT_F_READONLY | CT_F_CHANGE));
	case CT_SIDE_CHANGE:
		return !(flags & (CT_F_READONLY | CT_F_CREATE));
	case CT_SIDE_OUT:
		break;
	}
	return !(flags & CT_F_HIDDEN);
}

static bool requires(const struct ct_field *f, enum ct_side side)
{
	return side == CT_SIDE_OUT ||
	       (side == CT_SIDE_CREATE && f->flags & CT_F_REQUIRED);
}

static void
add_properties(struct ct_jw *w, const struct ct_fields *t, enum ct_side side)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!shows(&t->f[i], side))
			continue;
		ct_jw_key(w, t->f[i].name);
		ct_oa_field(w, &t->f[i], side);
	}
}

static bool
any_required(const struct ct_fields *t, enum ct_side side)
{
	for (size_t i = 0; i < t->n; i++) {
		if (shows(&t->f[i], side) && requires(&t->f[i], side))
			return true;
	}
	return false;
}

static void
add_required(struct ct_jw *w, const struct ct_fields *t, enum ct_side side)
{
	for (size_t i = 0; i < t->n; i++) {
		if (shows(&t->f[i], side) && requires(&t->f[i], side))
			ct_jw_cstr(w, t->f[i].name);
	}
}

void
ct_oa_fields(struct ct_jw *w, const struct ct_fields *t, enum ct_side side)
{
	ct_jw_obj(w);
	ct_oa_pair(w, "type", "object");
	ct_jw_key(w, "additionalProperties");
	ct_jw_bool(w, false);
	ct_jw_key(w, "properties");
	ct_jw_obj(w);
	add_properties(w, t, side);
	ct_jw_end(w);
	if (any_required(t, side)) {
		ct_jw_key(w, "required");
		ct_jw_arr(w);
		add_required(w, t, side);
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

static int64_t
clamp(int64_t v, const struct ct_field *f)
{
	if (f->min == 0 && f->max == 0)
		return v;
	return v < f->min ? f->min : v > f->max ? f->max : v;
}

static void
add_example(struct ct_jw *w, const struct ct_field *f)
{
	switch (f->type) {
	case CT_T_TEXT:
		ct_jw_cstr(w, ct_oa_text(f->name));
		break;
	case CT_T_ENUM:
		ct_jw_cstr(w, f->names ? f->names[0] : "text");
		break;
	case CT_T_SET:
		ct_oa_set_example(w, f);
		break;
	case CT_T_INT:
		ct_jw_i64(w, clamp(3, f));
		break;
	case CT_T_VOLUME:
		ct_jw_milli(w, clamp(45500, f));
		break;
	case CT_T_MILLI:
		ct_jw_milli(w, clamp(5200, f));
		break;
	default:
		ct_jw_raw(
		    w, ct_str_of(
			   find_word(ct_str_of(type_words[f->type]))->example));
	}
}

/* What must be there; else the first row that is no id. */
void
ct_oa_body_example(
    struct ct_jw *w, const struct ct_fields *t, enum ct_side side)
{
	bool some = any_required(t, side);

	ct_jw_obj(w);
	for (size_t i = 0; i < t->n; i++) {
		const struct ct_field *f = &t->f[i];

		if (!shows(f, side) ||
		    (some ? !requires(f, side)
			  : f->type == CT_T_UUID || f->type == CT_T_TIME))
			continue;
		ct_jw_key(w, f->name);
		add_example(w, f);
		if (!some)
			break;
	}
	ct_jw_end(w);
}

/* ------------------------------------------------------------ shapes */

/* One member of a shape's text. */
struct member {
	struct ct_str name, type, example; /* example absent: any */
	bool optional;
};

static bool
cut_last(struct ct_str *s, char c)
{
	if (s->n == 0 || s->p[s->n - 1] != c)
		return false;
	s->n--;
	return true;
}

static bool
next_member(struct ct_str *rest, struct member *m)
{
	if (!rest->p)
		return false;
	m->example = ct_str_split(rest, ' ');
	m->name = ct_str_split(&m->example, ':');
	m->type = ct_str_split(&m->example, '=');
	m->optional = cut_last(&m->name, '?');
	if (!m->type.p)
		ct_bug("shape: %.*s has no type", CT_STR_FMT(m->name));
	return true;
}

static void
add_name(struct ct_jw *w, struct ct_str name)
{
	char text[64];

	if (name.n >= sizeof(text))
		ct_bug("shape: %.*s is too long", CT_STR_FMT(name));
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	ct_jw_key(w, text);
}

static const struct ct_shape *
find_shape(struct ct_str name)
{
	for (size_t i = 0; i < ct_shapes_n; i++) {
		if (ct_str_is(name, ct_shapes[i].name))
			return &ct_shapes[i];
	}
	return NULL;
}

struct ct_str
ct_oa_kind_name(const struct ct_entry_kind *k, char out[64])
{
	size_t n = 0;
	bool up = true;

	for (const char *p = k->fields->noun; *p && n < 63; p++) {
		if (*p == '_') {
			up = true;
			continue;
		}
		out[n++] = (char)(up ? *p - 'a' + 'A' : *p);
		up = false;
	}
	out[n] = '\0';
	return (struct ct_str){out, n};
}

/*
 * What every entry kind has without a row in the table: the entry with who
 * logged it (ct_entry_write), a page of a list, and the answer to a change.
 */
static const struct {
	const char *suffix, *members; /* %s: the kind's name */
	bool fields;
} kind_shapes[] = {
    {"", "by:By", true},
    {"Page", "logs:[%s] pagination:Pagination", false},
    {"Done", "message:string data:%s warnings?:[Warning]", false},
};

/* One of those, on a; false: the table has another of that name. */
static bool
shape_of_kind(struct ct_arena *a, const struct ct_entry_kind *k, size_t i,
    struct ct_shape *out)
{
	char text[64];
	struct ct_str name = ct_oa_kind_name(k, text);
	struct ct_str parts = ct_str_of(kind_shapes[i].members);
	struct ct_buf b;

	ct_buf_init(&b, a, 128);
	ct_buf_addstr(&b, ct_str_split(&parts, '%'));
	if (parts.p) {
		ct_buf_addstr(&b, name);
		ct_buf_adds(&b, parts.p + 1);
	}
	*out = (struct ct_shape){
	    .name = ct_arena_printf(a, "%s%s", text, kind_shapes[i].suffix),
	    .fields = kind_shapes[i].fields ? k->fields : NULL,
	    .members = ct_str_cstr(a, ct_buf_str(&b)),
	};
	return !find_shape(ct_str_of(out->name));
}

/* A shape by name, of the table or of a kind. */
static bool
get_shape(struct ct_arena *a, struct ct_str name, struct ct_shape *out)
{
	const struct ct_shape *s = find_shape(name);

	if (s) {
		*out = *s;
		return true;
	}
	for (size_t i = 0; i < ct_routes_n; i++) {
		for (size_t j = 0;
		     ct_routes[i].kind && j < ct_countof(kind_shapes); j++) {
			if (shape_of_kind(a, ct_routes[i].kind, j, out) &&
			    ct_str_is(name, out->name))
				return true;
		}
	}
	return false;
}

bool
ct_oa_has_shape(struct ct_str name)
{
	return find_shape(name) != NULL;
}

/* The last type of "A|B" stands behind the bar; false: there is none. */
static bool
is_choice(struct ct_str type)
{
	return type.p && memchr(type.p, '|', type.n);
}

static void
add_ref(struct ct_jw *w, struct ct_str name)
{
	char text[128] = "#/components/schemas/";
	size_t at = strlen(text);
	struct ct_shape s;

	if (at + name.n >= sizeof(text) || !get_shape(w->b->a, name, &s))
		ct_bug("no shape %.*s", CT_STR_FMT(name));
	memcpy(text + at, name.p, name.n);
	text[at + name.n] = '\0';
	ct_oa_pair(w, "$ref", text);
}

static struct ct_str
inside(struct ct_str list)
{
	return (struct ct_str){list.p + 1, list.n - 2};
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the brackets */
void
ct_oa_type(struct ct_jw *w, struct ct_str type)
{
	bool null = cut_last(&type, '?');
	const struct word *d = find_word(type);

	ct_jw_obj(w);
	if (is_choice(type) || (null && !d)) {
		ct_jw_key(w, is_choice(type) ? "oneOf" : "anyOf");
		ct_jw_arr(w);
		while (type.p)
			ct_oa_type(w, ct_str_split(&type, '|'));
		if (null) {
			ct_jw_obj(w);
			ct_oa_pair(w, "type", "null");
			ct_jw_end(w);
		}
		ct_jw_end(w);
	} else if (type.p[0] == '[') {
		ct_oa_pair(w, "type", "array");
		ct_jw_key(w, "items");
		ct_oa_type(w, inside(type));
	} else if (d) {
		add_word(w, d, null);
	} else {
		add_ref(w, type);
	}
	ct_jw_end(w);
}

/* NOLINTNEXTLINE(misc-no-recursion): shapes do not contain themselves */
static void
shape_example(struct ct_jw *w, const struct ct_shape *s)
{
	struct ct_str rest = ct_str_of(s->members);
	struct member m;

	ct_jw_obj(w);
	for (size_t i = 0; s->fields && i < s->fields->n; i++) {
		if (!shows(&s->fields->f[i], CT_SIDE_OUT))
			continue;
		ct_jw_key(w, s->fields->f[i].name);
		add_example(w, &s->fields->f[i]);
	}
	while (next_member(&rest, &m)) {
		add_name(w, m.name);
		if (m.example.p)
			ct_jw_str(w, m.example);
		else
			ct_oa_type_example(w, m.type);
	}
	ct_jw_end(w);
}

/* NOLINTNEXTLINE(misc-no-recursion): see shape_example */
void
ct_oa_type_example(struct ct_jw *w, struct ct_str type)
{
	const struct word *d;
	struct ct_shape s;

	if (is_choice(type))
		type = ct_str_split(&type, '|');
	cut_last(&type, '?');
	d = find_word(type);
	if (type.p[0] == '[') {
		ct_jw_arr(w);
		ct_oa_type_example(w, inside(type));
		ct_jw_end(w);
	} else if (d) {
		ct_jw_raw(w, ct_str_of(d->example));
	} else {
		if (!get_shape(w->b->a, type, &s))
			ct_bug("no shape %.*s", CT_STR_FMT(type));
		shape_example(w, &s);
	}
}

static void
add_member_schemas(struct ct_jw *w, const struct ct_shape *s)
{
	struct ct_str rest = ct_str_of(s->members);
	struct member m;

	if (s->fields)
		add_properties(w, s->fields, CT_SIDE_OUT);
	while (next_member(&rest, &m)) {
		add_name(w, m.name);
		ct_oa_type(w, m.type);
	}
}

static void
add_shape(struct ct_jw *w, struct ct_str name, const struct ct_shape *s)
{
	struct ct_str rest = ct_str_of(s->members);
	struct member m;

	add_name(w, name);
	ct_jw_obj(w);
	ct_oa_pair(w, "type", "object");
	if (s->help)
		ct_oa_pair(w, "description", s->help);
	ct_jw_key(w, "properties");
	ct_jw_obj(w);
	add_member_schemas(w, s);
	ct_jw_end(w);
	ct_jw_key(w, "required");
	ct_jw_arr(w);
	if (s->fields)
		add_required(w, s->fields, CT_SIDE_OUT);
	while (next_member(&rest, &m)) {
		if (!m.optional)
			ct_jw_str(w, m.name);
	}
	ct_jw_end(w);
	ct_jw_end(w);
}

void
ct_oa_components(struct ct_jw *w)
{
	struct ct_shape s;

	for (size_t i = 0; i < ct_shapes_n; i++)
		add_shape(w, ct_str_of(ct_shapes[i].name), &ct_shapes[i]);
	for (size_t i = 0; i < ct_routes_n; i++) {
		const struct ct_entry_kind *k = ct_routes[i].kind;
		bool seen = !k;

		for (size_t j = 0; j < i; j++)
			seen |= ct_routes[j].kind == k;
		for (size_t j = 0; !seen && j < ct_countof(kind_shapes); j++) {
			if (shape_of_kind(w->b->a, k, j, &s))
				add_shape(w, ct_str_of(s.name), &s);
		}
	}
}
