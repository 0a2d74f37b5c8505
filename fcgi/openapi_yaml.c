/* JSON as YAML: the same values, a line each; see openapi.h. */
#include <string.h>

#include "fcgi/openapi.h"

#define DEPTH_MAX 31

static void
indent(struct ct_buf *b, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		ct_buf_adds(b, "  ");
}

/* What YAML would read as something else than this text is quoted. */
static bool
is_plain(const char *key)
{
	static const char *const words[] = {
	    "yes", "off", "true", "false", "null", "nan", "inf"};
	size_t n = strlen(key);

	if (n < 3 ||
	    n != strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
			     "RSTUVWXYZ_"))
		return false;
	for (size_t i = 0; i < ct_countof(words); i++) {
		if (ct_str_ieq(ct_str_of(key), words[i]))
			return false;
	}
	return true;
}

static void
add_key(struct ct_buf *b, const char *key)
{
	struct ct_jw w;

	if (is_plain(key)) {
		ct_buf_adds(b, key);
		return;
	}
	ct_jw_init(&w, b);
	ct_jw_cstr(&w, key);
}

/*
 * v behind "key:" or "-", its children one level deeper. The first member of an
 * object in a list stands on the line of its dash.
 */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as our own document */
static void
add_value(struct ct_arena *a, struct ct_buf *b, const struct ct_json *v,
    unsigned depth, bool dash)
{
	enum ct_json_type type = ct_json_type(v);
	bool nested = type == CT_JSON_OBJECT || type == CT_JSON_ARRAY;

	if (!nested || !ct_json_first(v)) {
		ct_buf_addc(b, ' ');
		ct_buf_addstr(b, ct_json_print(a, v));
		ct_buf_addc(b, '\n');
		return;
	}
	dash = dash && type == CT_JSON_OBJECT;
	ct_buf_addc(b, dash ? ' ' : '\n');
	for (v = ct_json_first(v); v; v = ct_json_next(v)) {
		if (!dash)
			indent(b, depth);
		dash = false;
		if (type == CT_JSON_OBJECT) {
			add_key(b, ct_json_key(v));
			ct_buf_addc(b, ':');
		} else {
			ct_buf_addc(b, '-');
		}
		add_value(a, b, v, depth + 1, type == CT_JSON_ARRAY);
	}
}

struct ct_str
ct_oa_yaml(struct ct_arena *a, struct ct_str json)
{
	const struct ct_json *root;
	struct ct_err err;
	struct ct_buf b;

	ct_err_clear(&err);
	if (ct_json_parse(a, json, DEPTH_MAX, &root, &err) != CT_OK)
		ct_bug("the API document: %s", err.msg);
	ct_buf_init(&b, a, 4 * json.n);
	ct_buf_adds(&b, "# Printed by catetube-fcgi --openapi (make samples).");
	add_value(a, &b, root, 0, false);
	return ct_buf_str(&b);
}
