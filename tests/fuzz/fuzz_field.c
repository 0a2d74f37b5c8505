/*
 * Any JSON to a field table. What is bound must be written out as JSON that
 * binds to the same again; what is refused must say why.
 */
#include <stdlib.h>
#include <string.h>

#include "common/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct thing {
	struct ct_uuid u;
	int64_t i;
	int64_t v;
	int64_t m;
	int64_t z;
	int32_t d;
	bool b;
	struct ct_str t;
	struct ct_str e;
};

static const char *const names[] = {"tube", "oral", NULL};

#define AT(x) offsetof(struct thing, x), CT_F_NULLABLE
static const struct ct_field rows[] = {
    {"u", CT_T_UUID, AT(u), 0, 0, 0, 0, 0, 0},
    {"i", CT_T_INT, AT(i), 0, 0, 0, 0, 0, 0},
    {"v", CT_T_VOLUME, AT(v), 1, 200000, 0, 0, "mL", 0},
    {"m", CT_T_MILLI, AT(m), 0, 0, 0, 0, 0, 0},
    {"z", CT_T_TIME, AT(z), 0, 0, 0, 0, 0, 0},
    {"d", CT_T_DAY, AT(d), 0, 0, 0, 0, 0, 0},
    {"b", CT_T_BOOL, offsetof(struct thing, b), 0, 0, 0, 0, 0, 0, 0},
    {"t", CT_T_TEXT, AT(t), 0, 10, 0, 0, 0, 0},
    {"e", CT_T_ENUM, AT(e), 0, 0, 0, names, 0, 0},
};
static const struct ct_fields table = CT_FIELDS("thing", struct thing, rows);

static struct ct_str
bind_and_write(struct ct_arena *a, struct ct_str text, bool must)
{
	struct ct_str none = {NULL, 0};
	const struct ct_json *v;
	struct thing thing;
	struct ct_err err;
	struct ct_buf b;
	struct ct_jw w;
	uint64_t seen;

	ct_err_clear(&err);
	memset(&thing, 0, sizeof(thing));
	ct_fields_clear(&table, &thing);
	if (ct_json_parse(a, text, 4, &v, &err) != CT_OK ||
	    ct_fields_bind(&table, CT_BIND_PATCH, v, a, &thing, &seen, &err) !=
		CT_OK) {
		if (must || (err.rc == CT_INVALID && err.nfields == 0))
			abort();
		return none;
	}
	ct_buf_init(&b, a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_fields_write(&table, &thing, &w);
	ct_jw_end(&w);
	if (!ct_jw_done(&w))
		abort();
	return ct_buf_str(&b);
}

static void
each_as_text(struct ct_arena *a, struct ct_str text)
{
	struct thing thing;
	struct ct_err err;

	memset(&thing, 0, sizeof(thing));
	for (size_t i = 0; i < ct_countof(rows); i++) {
		ct_err_clear(&err);
		if (ct_field_bind_text(&rows[i], text, a, &thing, &err) !=
			CT_OK &&
		    err.nfields != 1)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create(64 * 1024 * 1024);
	struct ct_str text = {(const char *)data, n};
	struct ct_str once = bind_and_write(a, text, false);

	if (once.p && !ct_str_eq(once, bind_and_write(a, once, true)))
		abort();
	each_as_text(a, text);
	ct_arena_destroy(a);
	return 0;
}
