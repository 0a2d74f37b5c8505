/*
 * Rows in PostgreSQL's binary format. What does not fit the reader's
 * expectation is a bug of ours, named and fatal: the schema check at start-up
 * runs before anybody gets here.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg_internal.h"

#define MAX_FIELDS 64

/* Which column each field of a table is in; made at the first row. */
struct map {
	const struct ct_fields *t;
	int16_t col[MAX_FIELDS];
};

struct ct_res {
	PGresult *r;
	const char *name; /* of the statement */
	struct map *map;
	int rows;
	int cols;
};

static void
clear(void *r)
{
	PQclear(r);
}

const struct ct_res *
pg_res_new(struct ct_arena *a, PGresult *r, const char *name)
{
	struct ct_res *res = ct_arena_raw(a, sizeof(*res));

	ct_arena_defer(a, clear, r);
	res->r = r;
	res->name = name;
	res->rows = PQntuples(r);
	res->cols = PQnfields(r);
	res->map = NULL;
	if (res->rows > 0) {
		res->map = ct_arena_raw(a, sizeof(*res->map));
		res->map->t = NULL;
	}
	return res;
}

bool
pg_type_fits(enum ct_type t, Oid oid)
{
	switch (t) {
	case CT_T_UUID:
		return oid == PG_UUID;
	case CT_T_TEXT:
	case CT_T_ENUM:
		/* Ours are citext and enums: text on the wire. */
		return oid == PG_TEXT || oid == PG_VARCHAR ||
		       oid == PG_BPCHAR || oid == PG_NAME ||
		       oid >= PG_FIRST_USER;
	case CT_T_JSON:
		return oid == PG_JSONB || oid == PG_JSON;
	case CT_T_BOOL:
		return oid == PG_BOOL;
	case CT_T_INT:
	case CT_T_VOLUME:
	case CT_T_MILLI:
	case CT_T_SET:
		return oid == PG_INT8 || oid == PG_INT4 || oid == PG_INT2;
	case CT_T_TIME:
		return oid == PG_TIMESTAMPTZ;
	case CT_T_DAY:
		return oid == PG_DATE;
	}
	return false;
}

/* Starts at `from`, where it is if columns come in the order of the table. */
int
pg_find_col(const PGresult *r, const char *name, int from)
{
	int n = PQnfields(r);

	for (int i = 0; i < n; i++) {
		int col = (from + i) % n;

		if (strcmp(PQfname(r, col), name) == 0)
			return col;
	}
	return -1;
}

int
ct_res_rows(const struct ct_res *r)
{
	return r->rows;
}

int
ct_res_affected(const struct ct_res *r)
{
	return (int)strtol(PQcmdTuples(r->r), NULL, 10);
}

int
ct_res_col(const struct ct_res *r, const char *name)
{
	int col = pg_find_col(r->r, name, 0);

	if (col < 0)
		ct_bug("%s: no column %s", r->name, name);
	return col;
}

static void
check_cell(const struct ct_res *r, int row, int col)
{
	if (row < 0 || row >= r->rows || col < 0 || col >= r->cols)
		ct_bug("%s: no row %d column %d", r->name, row, col);
}

static CT_NORETURN void
wrong_type(const struct ct_res *r, int col, const char *want)
{
	ct_bug("%s: column %s is of type %u, not %s", r->name,
	    PQfname(r->r, col), (unsigned)PQftype(r->r, col), want);
}

bool
ct_res_null(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	return PQgetisnull(r->r, row, col);
}

static uint64_t
be64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static uint32_t
be32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static struct ct_str
get_str(const struct ct_res *r, int row, int col)
{
	struct ct_str s = {
	    PQgetvalue(r->r, row, col), ct_size(PQgetlength(r->r, row, col))};

	/* jsonb: one byte of version, then the text. */
	if (PQftype(r->r, col) == PG_JSONB && s.n > 0) {
		s.p++;
		s.n--;
	}
	return s;
}

static int64_t
get_i64(const struct ct_res *r, int row, int col)
{
	const char *p = PQgetvalue(r->r, row, col);
	uint16_t v16;

	switch (PQgetlength(r->r, row, col)) {
	case 8:
		return (int64_t)be64(p);
	case 4:
		return (int32_t)be32(p);
	default:
		memcpy(&v16, p, sizeof(v16));
		return (int16_t)be16toh(v16);
	}
}

static int64_t
get_time(const struct ct_res *r, int row, int col)
{
	int64_t v = (int64_t)be64(PQgetvalue(r->r, row, col));

	if (v == INT64_MIN || __builtin_add_overflow(v, PG_EPOCH_US, &v))
		ct_bug(
		    "%s: column %s is infinite", r->name, PQfname(r->r, col));
	return v;
}

static int32_t
get_day(const struct ct_res *r, int row, int col)
{
	int32_t v = (int32_t)be32(PQgetvalue(r->r, row, col));

	if (v == INT32_MIN || __builtin_add_overflow(v, PG_EPOCH_DAYS, &v))
		ct_bug(
		    "%s: column %s is infinite", r->name, PQfname(r->r, col));
	return v;
}

struct ct_str
ct_res_str(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	Oid oid = PQftype(r->r, col);
	if (!pg_type_fits(CT_T_TEXT, oid) && !pg_type_fits(CT_T_JSON, oid) &&
	    oid != PG_BYTEA)
		wrong_type(r, col, "text, json or bytea");
	if (PQgetisnull(r->r, row, col))
		return (struct ct_str){NULL, 0};
	return get_str(r, row, col);
}

int64_t
ct_res_i64(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	if (!pg_type_fits(CT_T_INT, PQftype(r->r, col)))
		wrong_type(r, col, "an integer");
	return PQgetisnull(r->r, row, col) ? CT_NULL_I64 : get_i64(r, row, col);
}

bool
ct_res_bool(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	if (PQftype(r->r, col) != PG_BOOL)
		wrong_type(r, col, "boolean");
	/* NULL has no bytes, and libpq ends every value with a NUL. */
	return *PQgetvalue(r->r, row, col) != 0;
}

struct ct_uuid
ct_res_uuid(const struct ct_res *r, int row, int col)
{
	struct ct_uuid u = {{0}};

	check_cell(r, row, col);
	if (PQftype(r->r, col) != PG_UUID)
		wrong_type(r, col, "uuid");
	if (!PQgetisnull(r->r, row, col))
		memcpy(u.b, PQgetvalue(r->r, row, col), sizeof(u.b));
	return u;
}

int64_t
ct_res_time(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	if (PQftype(r->r, col) != PG_TIMESTAMPTZ)
		wrong_type(r, col, "timestamptz");
	return PQgetisnull(r->r, row, col) ? CT_NULL_I64
					   : get_time(r, row, col);
}

int32_t
ct_res_day(const struct ct_res *r, int row, int col)
{
	check_cell(r, row, col);
	if (PQftype(r->r, col) != PG_DATE)
		wrong_type(r, col, "date");
	return PQgetisnull(r->r, row, col) ? CT_NULL_DAY : get_day(r, row, col);
}

static void
make_map(const struct ct_res *r, const struct ct_fields *t)
{
	int next = 0;

	if (t->n > MAX_FIELDS)
		ct_bug("%s has more than %d fields", t->noun, MAX_FIELDS);
	for (size_t i = 0; i < t->n; i++) {
		const struct ct_field *f = &t->f[i];
		const char *column = f->column ? f->column : f->name;

		if (f->flags & CT_F_NOROW) {
			r->map->col[i] = -1;
			continue;
		}
		int col = pg_find_col(r->r, column, next);
		if (col < 0)
			ct_bug("%s: no column %s", r->name, column);
		if (!pg_type_fits(f->type, PQftype(r->r, col)))
			wrong_type(r, col, "the type of the field");
		r->map->col[i] = (int16_t)col;
		next = col + 1;
	}
	r->map->t = t;
}

static void
get_null(const struct ct_res *r, const struct ct_field *f, void *at)
{
	if (!(f->flags & CT_F_NULLABLE))
		ct_bug("%s: field %s is null", r->name, f->name);
	switch (f->type) {
	case CT_T_UUID:
		memset(at, 0, sizeof(struct ct_uuid));
		return;
	case CT_T_TEXT:
	case CT_T_ENUM:
	case CT_T_JSON:
		*(struct ct_str *)at = (struct ct_str){NULL, 0};
		return;
	case CT_T_DAY:
		*(int32_t *)at = CT_NULL_DAY;
		return;
	default:
		*(int64_t *)at = CT_NULL_I64;
	}
}

static void
get_bool(const struct ct_field *f, bool v, void *at)
{
	if (f->flags & CT_F_NULLABLE)
		*(int64_t *)at = v;
	else
		*(bool *)at = v;
}

static void
get_field(const struct ct_res *r, int row, int col, const struct ct_field *f,
    void *at)
{
	switch (f->type) {
	case CT_T_UUID:
		memcpy(at, PQgetvalue(r->r, row, col), sizeof(struct ct_uuid));
		return;
	case CT_T_TEXT:
	case CT_T_ENUM:
	case CT_T_JSON:
		*(struct ct_str *)at = get_str(r, row, col);
		return;
	case CT_T_BOOL:
		get_bool(f, *PQgetvalue(r->r, row, col) != 0, at);
		return;
	case CT_T_INT:
	case CT_T_VOLUME:
	case CT_T_MILLI:
	case CT_T_SET:
		*(int64_t *)at = get_i64(r, row, col);
		return;
	case CT_T_TIME:
		*(int64_t *)at = get_time(r, row, col);
		return;
	case CT_T_DAY:
		*(int32_t *)at = get_day(r, row, col);
		return;
	}
}

void
ct_res_get(
    const struct ct_res *r, int row, const struct ct_fields *t, void *obj)
{
	check_cell(r, row, 0);
	if (r->map->t != t)
		make_map(r, t);
	for (size_t i = 0; i < t->n; i++) {
		void *at = (char *)obj + t->f[i].offset;
		int col = r->map->col[i];

		if (col < 0)
			continue;
		if (PQgetisnull(r->r, row, col))
			get_null(r, &t->f[i], at);
		else
			get_field(r, row, col, &t->f[i], at);
	}
}

void *
ct_res_all(const struct ct_res *r, const struct ct_fields *t,
    struct ct_arena *a, int *n)
{
	char *all;

	*n = ct_res_rows(r);
	all = ct_arena_alloc(a, (size_t)*n * t->size + 1);
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, t, all + (size_t)i * t->size);
	return all;
}
