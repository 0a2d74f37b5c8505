/*
 * Field tables, the outgoing side: members to JSON, and the NULL of each type.
 */
#include "common/field_internal.h"

#include <string.h>

static const void *
member(const struct ct_field *f, const void *obj)
{
	return (const char *)obj + f->offset;
}

static void
write_bool(const struct ct_field *f, const void *m, struct ct_jw *w)
{
	if (!(f->flags & CT_F_NULLABLE))
		ct_jw_bool(w, *(const bool *)m);
	else if (*(const int64_t *)m == CT_NULL_I64)
		ct_jw_null(w);
	else
		ct_jw_bool(w, *(const int64_t *)m != 0);
}

static void
write_set(const struct ct_field *f, int64_t bits, struct ct_jw *w)
{
	if (bits == CT_NULL_I64) {
		ct_jw_null(w);
		return;
	}
	ct_jw_arr(w);
	for (unsigned i = 0; f->names[i]; i++) {
		if (bits >> i & 1)
			ct_jw_cstr(w, f->names[i]);
	}
	ct_jw_end(w);
}

void
ct_field_write(const struct ct_field *f, const void *obj, struct ct_jw *w)
{
	const void *m = member(f, obj);

	if (f->flags & CT_F_HIDDEN)
		return;
	ct_jw_key(w, f->name);
	switch (f->type) {
	case CT_T_UUID:
		ct_jw_uuid(w, m);
		break;
	case CT_T_TEXT:
	case CT_T_ENUM:
		ct_jw_str(w, *(const struct ct_str *)m);
		break;
	case CT_T_BOOL:
		write_bool(f, m, w);
		break;
	case CT_T_INT:
		ct_jw_i64(w, *(const int64_t *)m);
		break;
	case CT_T_VOLUME:
	case CT_T_MILLI:
		ct_jw_milli(w, *(const int64_t *)m);
		break;
	case CT_T_TIME:
		ct_jw_time(w, *(const int64_t *)m);
		break;
	case CT_T_DAY:
		ct_jw_day(w, *(const int32_t *)m);
		break;
	case CT_T_SET:
		write_set(f, *(const int64_t *)m, w);
		break;
	case CT_T_JSON:
		ct_jw_raw(w, *(const struct ct_str *)m);
		break;
	}
}

void
ct_fields_write(const struct ct_fields *t, const void *obj, struct ct_jw *w)
{
	for (size_t i = 0; i < t->n; i++)
		ct_field_write(&t->f[i], obj, w);
}

const struct ct_field *
ct_fields_find(const struct ct_fields *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->f[i].name, name) == 0)
			return &t->f[i];
	}
	return NULL;
}

void
ct_field_clear(const struct ct_field *f, void *obj)
{
	void *m = (char *)obj + f->offset;
	bool null = f->flags & CT_F_NULLABLE;

	switch (f->type) {
	case CT_T_UUID:
		*(struct ct_uuid *)m = (struct ct_uuid){{0}};
		break;
	case CT_T_TEXT:
	case CT_T_ENUM:
	case CT_T_JSON:
		*(struct ct_str *)m = (struct ct_str){NULL, 0};
		break;
	case CT_T_BOOL:
		if (null)
			*(int64_t *)m = CT_NULL_I64;
		else
			*(bool *)m = false;
		break;
	case CT_T_INT:
	case CT_T_VOLUME:
	case CT_T_MILLI:
	case CT_T_TIME:
	case CT_T_SET:
		*(int64_t *)m = null ? CT_NULL_I64 : 0;
		break;
	case CT_T_DAY:
		*(int32_t *)m = null ? CT_NULL_DAY : 0;
		break;
	}
}

void
ct_fields_clear(const struct ct_fields *t, void *obj)
{
	for (size_t i = 0; i < t->n; i++)
		ct_field_clear(&t->f[i], obj);
}
