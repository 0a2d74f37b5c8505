/*
 * The door to cJSON. Only text that passed the strict scan is parsed, so a
 * refusal by cJSON after it is a bug of ours, not an answer.
 */
#include "common/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json_internal.h"
#include "common/jw.h"

/* Past 2^53 - 1 a double no longer tells two integers apart. */
#define INT_EXACT   9007199254740991.0
#define MILLI_EXACT 9e15

static const cJSON *
item(const struct ct_json *v)
{
	return (const cJSON *)(const void *)v;
}

static const struct ct_json *
json(const cJSON *v)
{
	return (const struct ct_json *)(const void *)v;
}

static void
drop(void *tree)
{
	cJSON_Delete(tree);
}

enum ct_rc
ct_json_parse(struct ct_arena *a, struct ct_str text, unsigned max_depth,
    const struct ct_json **out, struct ct_err *err)
{
	struct ct_str value;
	const char *end;
	cJSON *tree;
	enum ct_rc rc = ct_json_scan(a, text, max_depth, &value, err);

	if (rc != CT_OK)
		return rc;
	tree = cJSON_ParseWithLengthOpts(value.p, value.n, &end, 0);
	if (!tree || end != value.p + value.n)
		ct_bug("cJSON refused checked text, or no memory");
	ct_arena_defer(a, drop, tree);
	*out = json(tree);
	return CT_OK;
}

enum ct_json_type
ct_json_type(const struct ct_json *v)
{
	const cJSON *c = item(v);

	if (cJSON_IsObject(c))
		return CT_JSON_OBJECT;
	if (cJSON_IsArray(c))
		return CT_JSON_ARRAY;
	if (cJSON_IsString(c))
		return CT_JSON_STRING;
	if (cJSON_IsNumber(c))
		return CT_JSON_NUMBER;
	return cJSON_IsBool(c) ? CT_JSON_BOOL : CT_JSON_NULL;
}

const struct ct_json *
ct_json_get(const struct ct_json *v, const char *key)
{
	return json(cJSON_GetObjectItemCaseSensitive(item(v), key));
}

const struct ct_json *
ct_json_first(const struct ct_json *v)
{
	return v ? json(item(v)->child) : NULL;
}

const struct ct_json *
ct_json_next(const struct ct_json *v)
{
	return v ? json(item(v)->next) : NULL;
}

const char *
ct_json_key(const struct ct_json *v)
{
	return v ? item(v)->string : NULL;
}

struct ct_str
ct_json_str(const struct ct_json *v)
{
	return ct_str_of(cJSON_GetStringValue(item(v)));
}

bool
ct_json_bool(const struct ct_json *v)
{
	return cJSON_IsTrue(item(v));
}

bool
ct_json_num(const struct ct_json *v, double *out)
{
	if (!cJSON_IsNumber(item(v)))
		return false;
	*out = item(v)->valuedouble;
	return true;
}

bool
ct_json_i64(const struct ct_json *v, int64_t min, int64_t max, int64_t *out)
{
	double d;

	if (!ct_json_num(v, &d) || fabs(d) > INT_EXACT || d != trunc(d))
		return false;
	if ((int64_t)d < min || (int64_t)d > max)
		return false;
	*out = (int64_t)d;
	return true;
}

bool
ct_json_milli(const struct ct_json *v, int64_t *out)
{
	double d;
	int64_t r;

	if (!ct_json_num(v, &d) || fabs(d * 1000) > MILLI_EXACT)
		return false;
	r = llround(d * 1000);
	if ((double)r / 1000.0 != d)
		return false;
	*out = r;
	return true;
}

/* The shortest text that reads back as the same double. */
static void
print_number(struct ct_buf *b, double d)
{
	char text[32];

	if (d == trunc(d) && fabs(d) <= INT_EXACT) {
		ct_buf_addi(b, (int64_t)d);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	ct_buf_adds(b, text);
}

static void
print_string(struct ct_buf *b, const char *s)
{
	struct ct_jw w;

	ct_jw_init(&w, b);
	ct_jw_cstr(&w, s);
}

/* Recursion ends where the scan's depth bound ended the nesting. */
static void
print(struct ct_buf *b, const cJSON *c)
{
	bool obj = cJSON_IsObject(c);

	if (cJSON_IsString(c)) {
		print_string(b, c->valuestring);
	} else if (cJSON_IsNumber(c)) {
		print_number(b, c->valuedouble);
	} else if (obj || cJSON_IsArray(c)) {
		ct_buf_addc(b, obj ? '{' : '[');
		for (const cJSON *k = c->child; k; k = k->next) {
			if (k != c->child)
				ct_buf_addc(b, ',');
			if (obj) {
				print_string(b, k->string);
				ct_buf_addc(b, ':');
			}
			print(b, k);
		}
		ct_buf_addc(b, obj ? '}' : ']');
	} else {
		ct_buf_adds(b, cJSON_IsTrue(c)	  ? "true"
			       : cJSON_IsFalse(c) ? "false"
						  : "null");
	}
}

struct ct_str
ct_json_print(struct ct_arena *a, const struct ct_json *v)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 256);
	print(&b, item(v));
	return ct_buf_str(&b);
}
