/*
 * Field tables, the incoming side: a JSON value or a text becomes a member of
 * the struct, or one sentence says what it must be. The sentences reach a
 * person behind the field's name: "amount_ml must be greater than 0".
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/field_internal.h"
#include "common/json_internal.h"

#define TABLE_MAX    64
#define NUMBER_DEPTH 1

/* One value on its way into one member. */
struct bind {
	const struct ct_field *f;
	struct ct_arena *a;
	void *member;
	struct ct_err *err;
};

static enum ct_rc
refuse(const struct bind *b, const char *sentence)
{
	return ct_fail_field(b->err, b->f->name, "%s", sentence);
}

static bool
is_bounded(const struct ct_field *f)
{
	return f->min != 0 || f->max != 0;
}

/* A bound as a person reads it: "5 mL", "2026-11-22". */
static void
bound_text(const struct ct_field *f, int64_t v, char out[64])
{
	const char *unit = f->unit;
	char text[CT_TIME_MAX];

	switch (f->type) {
	case CT_T_VOLUME:
		unit = unit ? unit : "mL";
		ct_milli_text(v, text);
		break;
	case CT_T_MILLI:
		ct_milli_text(v, text);
		break;
	case CT_T_TIME:
		ct_time_format(v, text);
		break;
	case CT_T_DAY:
		ct_day_format((int32_t)v, text);
		break;
	default:
		snprintf(text, sizeof(text), "%" PRId64, v);
	}
	snprintf(out, 64, "%s%s%.20s", text, unit ? " " : "", unit ? unit : "");
}

static enum ct_rc
check_range(const struct bind *b, int64_t v)
{
	const struct ct_field *f = b->f;
	char text[64];

	if (!is_bounded(f) || (v >= f->min && v <= f->max))
		return CT_OK;
	if (v < f->min && f->min == 1)
		return refuse(b, "must be greater than 0");
	bound_text(f, v < f->min ? f->min : f->max, text);
	return ct_fail_field(b->err, f->name, "must be at %s %s",
	    v < f->min ? "least" : "most", text);
}

static enum ct_rc
put_i64(const struct bind *b, int64_t v)
{
	enum ct_rc rc = check_range(b, v);

	if (rc == CT_OK)
		*(int64_t *)b->member = v;
	return rc;
}

/* Larger than storage can tell apart: out of every range there can be. */
static enum ct_rc
refuse_huge(const struct bind *b, double d)
{
	enum ct_rc rc = check_range(b, d < 0 ? INT64_MIN + 1 : INT64_MAX);

	return rc != CT_OK ? rc : refuse(b, "is out of range");
}

static enum ct_rc
bind_number(const struct bind *b, const struct ct_json *v)
{
	bool whole = b->f->type == CT_T_INT;
	double d;
	int64_t n;

	if (!ct_json_num(v, &d))
		return refuse(
		    b, whole ? "must be a whole number" : "must be a number");
	if (whole ? ct_json_i64(v, INT64_MIN, INT64_MAX, &n)
		  : ct_json_milli(v, &n))
		return put_i64(b, n);
	if (fabs(d) > 9e12 && (!whole || d == trunc(d)))
		return refuse_huge(b, d);
	return refuse(b,
	    whole ? "must be a whole number" : "must have at most 3 decimals");
}

/* C0 without newline and tab, DEL, and C1, in well-formed UTF-8. */
static bool
has_controls(struct ct_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return true;
		if (c == 0xC2 && i + 1 < s.n &&
		    (unsigned char)s.p[i + 1] < 0xA0)
			return true;
	}
	return false;
}

static enum ct_rc
bind_text(const struct bind *b, struct ct_str s)
{
	const struct ct_field *f = b->f;
	int64_t n;
	int64_t bound;

	if (!(f->flags & CT_F_NOTRIM))
		s = ct_str_trim(s);
	if (!ct_utf8_ok(s))
		return refuse(b, "must be UTF-8 text");
	if (has_controls(s))
		return refuse(b, "must not contain control characters");
	n = (int64_t)ct_utf8_len(s);
	if (n == 0 && f->min >= 1)
		return refuse(b, "must not be empty");
	if (is_bounded(f) && (n < f->min || n > f->max)) {
		bound = n < f->min ? f->min : f->max;
		return ct_fail_field(b->err, f->name,
		    "must be at %s %" PRId64 " character%s",
		    n < f->min ? "least" : "most", bound,
		    bound == 1 ? "" : "s");
	}
	*(struct ct_str *)b->member = ct_str_dup(b->a, s);
	return CT_OK;
}

/* what, and the words that are taken. */
static enum ct_rc
refuse_word(const struct bind *b, const char *what)
{
	char text[sizeof(b->err->fields[0].msg)];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", what);

	for (const char *const *p = b->f->names; *p && n < sizeof(text); p++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s",
		    p == b->f->names ? "" : ",", *p);
	return refuse(b, text);
}

static enum ct_rc
bind_enum(const struct bind *b, struct ct_str s)
{
	for (const char *const *p = b->f->names; *p; p++) {
		if (ct_str_is(s, *p)) {
			*(struct ct_str *)b->member = ct_str_of(*p);
			return CT_OK;
		}
	}
	return refuse_word(b, "must be one of");
}

/* The bit of a word; 0: there is none. */
static int64_t
bit_of(const struct ct_field *f, struct ct_str word)
{
	for (unsigned i = 0; f->names[i]; i++) {
		if (ct_str_is(word, f->names[i]))
			return INT64_C(1) << i;
	}
	return 0;
}

static enum ct_rc
bind_set(const struct bind *b, const struct ct_json *v)
{
	int64_t bits = 0, bit;

	if (!v || ct_json_type(v) != CT_JSON_ARRAY)
		return refuse_word(b, "must be a list of");
	for (v = ct_json_first(v); v; v = ct_json_next(v)) {
		bit = bit_of(b->f, ct_json_str(v));
		if (bit == 0)
			return refuse_word(b, "must be a list of");
		bits |= bit;
	}
	if (bits == 0 && b->f->min >= 1)
		return refuse(b, "must not be empty");
	*(int64_t *)b->member = bits;
	return CT_OK;
}

static enum ct_rc
bind_time(const struct bind *b, struct ct_str s)
{
	int64_t us;

	switch (ct_time_parse(s, &us)) {
	case CT_TIME_OK:
		return put_i64(b, us);
	case CT_TIME_NAIVE:
		return refuse(
		    b, "needs an offset from UTC, such as Z or +01:00");
	case CT_TIME_RANGE:
		return refuse(b, "must lie in the years 1970 to 2199");
	case CT_TIME_BAD:
		break;
	}
	return refuse(b, "must be a time with an offset, such as "
			 "2026-11-22T02:10:00+01:00");
}

static enum ct_rc
bind_day(const struct bind *b, struct ct_str s)
{
	enum ct_rc rc;
	int32_t day;

	if (!ct_day_parse(s, &day))
		return refuse(b, "must be a day, such as 2026-11-22");
	rc = check_range(b, day);
	if (rc == CT_OK)
		*(int32_t *)b->member = day;
	return rc;
}

static enum ct_rc
bind_uuid(const struct bind *b, struct ct_str s)
{
	struct ct_uuid u;

	if (!ct_uuid_parse(s, &u))
		return refuse(b, "must be an id (UUID)");
	*(struct ct_uuid *)b->member = u;
	return CT_OK;
}

static bool
is_string_type(enum ct_type t)
{
	return t == CT_T_UUID || t == CT_T_TEXT || t == CT_T_ENUM ||
	       t == CT_T_TIME || t == CT_T_DAY;
}

/* s absent: the value was of another JSON type. */
static enum ct_rc
bind_string(const struct bind *b, struct ct_str s)
{
	if (!s.p && b->f->type == CT_T_TEXT)
		return refuse(b, "must be a string");
	if (!s.p)
		s = CT_STR("");
	switch (b->f->type) {
	case CT_T_UUID:
		return bind_uuid(b, s);
	case CT_T_TEXT:
		return bind_text(b, s);
	case CT_T_ENUM:
		return bind_enum(b, s);
	case CT_T_TIME:
		return bind_time(b, s);
	case CT_T_DAY:
		return bind_day(b, s);
	default:
		ct_bug("field %s is no string", b->f->name);
	}
}

/* v NULL: no JSON value at all. */
static enum ct_rc
bind_value(const struct bind *b, const struct ct_json *v)
{
	if (is_string_type(b->f->type))
		return bind_string(b, ct_json_str(v));
	if (b->f->type == CT_T_JSON)
		return refuse(b, "cannot be set");
	if (b->f->type == CT_T_SET)
		return bind_set(b, v);
	if (b->f->type != CT_T_BOOL)
		return bind_number(b, v);
	if (!v || ct_json_type(v) != CT_JSON_BOOL)
		return refuse(b, "must be true or false");
	if (b->f->flags & CT_F_NULLABLE)
		*(int64_t *)b->member = ct_json_bool(v);
	else
		*(bool *)b->member = ct_json_bool(v);
	return CT_OK;
}

static enum ct_rc
bind_member(const struct bind *b, enum ct_bind_mode mode,
    const struct ct_json *v, void *obj)
{
	unsigned flags = b->f->flags;

	if (flags & CT_F_READONLY)
		return refuse(b, "cannot be set");
	if ((flags & CT_F_CREATE) && mode == CT_BIND_PATCH)
		return refuse(b, "cannot be changed");
	if ((flags & CT_F_CHANGE) && mode == CT_BIND_CREATE)
		return refuse(b, "cannot be set");
	if (ct_json_type(v) != CT_JSON_NULL)
		return bind_value(b, v);
	if (!(flags & CT_F_NULLABLE))
		return refuse(b, "must not be null");
	ct_field_clear(b->f, obj);
	return CT_OK;
}

static enum ct_rc
require(const struct ct_fields *t, uint64_t seen, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	for (size_t i = 0; i < t->n; i++) {
		if ((t->f[i].flags & CT_F_REQUIRED) && !(seen >> i & 1))
			rc = ct_fail_field(err, t->f[i].name, "is required");
	}
	return rc;
}

enum ct_rc
ct_fields_bind(const struct ct_fields *t, enum ct_bind_mode mode,
    const struct ct_json *body, struct ct_arena *a, void *obj, uint64_t *seen,
    struct ct_err *err)
{
	enum ct_rc rc = CT_OK;
	uint64_t given = 0;

	if (t->n > TABLE_MAX)
		ct_bug("%s has more than %d fields", t->noun, TABLE_MAX);
	if (!body || ct_json_type(body) != CT_JSON_OBJECT)
		return ct_fail(
		    err, CT_MALFORMED, NULL, "the body must be a JSON object");
	for (const struct ct_json *v = ct_json_first(body); v;
	     v = ct_json_next(v)) {
		const struct ct_field *f = ct_fields_find(t, ct_json_key(v));
		struct bind b = {f, a, NULL, err};

		if (!f) {
			rc = ct_fail_field(
			    err, ct_json_key(v), "is not a known field");
			continue;
		}
		b.member = (char *)obj + f->offset;
		given |= UINT64_C(1) << (f - t->f);
		if (bind_member(&b, mode, v, obj) != CT_OK)
			rc = CT_INVALID;
	}
	if (mode == CT_BIND_CREATE && require(t, given, err) != CT_OK)
		rc = CT_INVALID;
	*seen = given;
	return rc;
}

enum ct_rc
ct_field_bind_text(const struct ct_field *f, struct ct_str value,
    struct ct_arena *a, void *obj, struct ct_err *err)
{
	struct bind b = {f, a, (char *)obj + f->offset, err};
	const struct ct_json *v = NULL;
	struct ct_err unread;

	if (!value.p)
		value = CT_STR("");
	if (is_string_type(f->type))
		return bind_string(&b, value);
	ct_err_clear(&unread);
	if (ct_json_parse(a, value, NUMBER_DEPTH, &v, &unread) != CT_OK)
		v = NULL;
	return bind_value(&b, v);
}
