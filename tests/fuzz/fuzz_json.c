/*
 * Any bytes to the JSON reader. What the scan takes, cJSON must take too (the
 * reader aborts otherwise), print again, and the print must read back as the
 * same print.
 */
#include <stdlib.h>

#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
walk(const struct ct_json *v)
{
	int64_t out;

	for (; v; v = ct_json_next(v)) {
		(void)ct_json_i64(v, INT64_MIN, INT64_MAX, &out);
		(void)ct_json_milli(v, &out);
		if (ct_json_key(v) && !ct_utf8_ok(ct_str_of(ct_json_key(v))))
			abort();
		if (!ct_utf8_ok(ct_json_str(v)))
			abort();
		walk(ct_json_first(v));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create(64 * 1024 * 1024);
	struct ct_str text = {(const char *)data, n};
	const struct ct_json *v;
	struct ct_str once;
	struct ct_str twice;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_json_parse(a, text, 16, &v, &err) == CT_OK) {
		walk(v);
		once = ct_json_print(a, v);
		if (ct_json_parse(a, once, 16, &v, &err) != CT_OK)
			abort();
		twice = ct_json_print(a, v);
		if (!ct_str_eq(once, twice))
			abort();
	} else if (err.rc != CT_MALFORMED || err.msg[0] == '\0') {
		abort();
	}
	ct_arena_destroy(a);
	return 0;
}
