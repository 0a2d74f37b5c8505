/*
 * Parameters in PostgreSQL's binary format: big-endian integers, instants and
 * days counted from 2000-01-01. Text and bytes are borrowed, not copied.
 */
#include <endian.h>
#include <string.h>

#include "db/pg_internal.h"

void
ct_params_init(struct ct_params *p, struct ct_arena *a)
{
	p->a = a;
	p->n = 0;
}

static void
add(struct ct_params *p, const void *v, size_t n)
{
	if (p->n == CT_PARAMS)
		ct_bug("more than %d parameters", CT_PARAMS);
	p->value[p->n] = v;
	p->length[p->n] = ct_int(n);
	p->n++;
}

static void
add_copy(struct ct_params *p, const void *v, size_t n)
{
	add(p, memcpy(ct_arena_raw(p->a, n), v, n), n);
}

static void
add_be64(struct ct_params *p, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	add_copy(p, &be, sizeof(be));
}

void
ct_p_uuid(struct ct_params *p, const struct ct_uuid *v)
{
	if (v == NULL || ct_uuid_nil(v))
		add(p, NULL, 0);
	else
		add_copy(p, v->b, sizeof(v->b));
}

void
ct_p_i64(struct ct_params *p, int64_t v)
{
	if (v == CT_NULL_I64)
		add(p, NULL, 0);
	else
		add_be64(p, v);
}

void
ct_p_bool(struct ct_params *p, bool v)
{
	add(p, v ? "\1" : "\0", 1);
}

void
ct_p_text(struct ct_params *p, struct ct_str v)
{
	add(p, v.p, v.n);
}

void
ct_p_time(struct ct_params *p, int64_t us)
{
	int64_t pg_us;

	if (us == CT_NULL_I64)
		add(p, NULL, 0);
	else if (__builtin_sub_overflow(us, PG_EPOCH_US, &pg_us))
		ct_bug("instant out of range");
	else
		add_be64(p, pg_us);
}

void
ct_p_day(struct ct_params *p, int32_t day)
{
	int32_t pg_day;

	if (day == CT_NULL_DAY) {
		add(p, NULL, 0);
		return;
	}
	if (__builtin_sub_overflow(day, PG_EPOCH_DAYS, &pg_day))
		ct_bug("day out of range");
	uint32_t be = htobe32((uint32_t)pg_day);
	add_copy(p, &be, sizeof(be));
}

void
ct_p_bytes(struct ct_params *p, const void *v, size_t n)
{
	add(p, v, n);
}

void
ct_p_json(struct ct_params *p, struct ct_str json)
{
	if (json.p == NULL) {
		add(p, NULL, 0);
		return;
	}
	char *at = ct_arena_raw(p->a, json.n + 1);
	at[0] = 1; /* version of jsonb's binary form */
	memcpy(at + 1, json.p, json.n);
	add(p, at, json.n + 1);
}

void
ct_p_field(struct ct_params *p, const struct ct_field *f, const void *obj)
{
	const void *at = (const char *)obj + f->offset;

	switch (f->type) {
	case CT_T_UUID:
		ct_p_uuid(p, at);
		return;
	case CT_T_TEXT:
	case CT_T_ENUM:
		ct_p_text(p, *(const struct ct_str *)at);
		return;
	case CT_T_JSON:
		ct_p_json(p, *(const struct ct_str *)at);
		return;
	case CT_T_BOOL:
		if (!(f->flags & CT_F_NULLABLE))
			ct_p_bool(p, *(const bool *)at);
		else if (*(const int64_t *)at == CT_NULL_I64)
			add(p, NULL, 0);
		else
			ct_p_bool(p, *(const int64_t *)at != 0);
		return;
	case CT_T_INT:
	case CT_T_VOLUME:
	case CT_T_MILLI:
	case CT_T_SET:
		ct_p_i64(p, *(const int64_t *)at);
		return;
	case CT_T_TIME:
		ct_p_time(p, *(const int64_t *)at);
		return;
	case CT_T_DAY:
		ct_p_day(p, *(const int32_t *)at);
		return;
	}
	ct_bug("field %s has no type", f->name);
}
