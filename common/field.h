/*
 * Field tables. A noun is one struct and one table of these rows; JSON in,
 * rows from the database, JSON out, CSV columns and the API documentation all
 * read the same table. Storage types of the struct members:
 *
 *   CT_T_UUID     struct ct_uuid       JSON string
 *   CT_T_TEXT     struct ct_str        JSON string; min, max in code points
 *   CT_T_BOOL     bool                 JSON true / false; with CT_F_NULLABLE
 *                                      an int64_t, 0 or 1
 *   CT_T_INT      int64_t              JSON integer
 *   CT_T_VOLUME   int64_t, microlitres JSON number in mL, <= 3 decimals
 *   CT_T_MILLI    int64_t, thousandths JSON number, <= 3 decimals (kg from g,
 *                                      kcal from mkcal, percent)
 *   CT_T_TIME     int64_t, us          RFC 3339, see clock.h
 *   CT_T_DAY      int32_t, days        "YYYY-MM-DD"
 *   CT_T_ENUM     struct ct_str        one of names[]
 *   CT_T_SET      int64_t, bit i for   JSON array of such words; min 1: not
 *                 names[i]             empty
 *   CT_T_JSON     struct ct_str        JSON text, passed through (out only)
 *
 * NULL is an absent ct_str, a nil UUID, CT_NULL_I64 or CT_NULL_DAY.
 */
#ifndef CT_COMMON_FIELD_H
#define CT_COMMON_FIELD_H

#include "common/json.h"
#include "common/jw.h"

enum ct_type {
	CT_T_UUID,
	CT_T_TEXT,
	CT_T_BOOL,
	CT_T_INT,
	CT_T_VOLUME,
	CT_T_MILLI,
	CT_T_TIME,
	CT_T_DAY,
	CT_T_ENUM,
	CT_T_SET,
	CT_T_JSON
};

enum ct_field_flags {
	CT_F_REQUIRED = 1 << 0, /* must be in the body of a create */
	CT_F_READONLY = 1 << 1, /* in a body it is refused */
	CT_F_NULLABLE = 1 << 2, /* may be null in JSON and in SQL */
	CT_F_HIDDEN = 1 << 3,	/* never written out */
	CT_F_NOROW = 1 << 4,	/* no column of that name in rows */
	CT_F_CREATE = 1 << 5,	/* may be given at create, not changed later */
	CT_F_NOTRIM = 1 << 6,	/* text is taken to the byte (passwords) */
	CT_F_CHANGE = 1 << 7	/* may be given with a change, not at create */
};

struct ct_field {
	const char *name; /* JSON key */
	enum ct_type type;
	uint16_t offset; /* in the struct */
	uint16_t flags;
	int64_t min, max;   /* in storage units, inclusive; both 0: unbounded */
	const char *column; /* SQL column; NULL: the same as name */
	const char *const
	    *names;	  /* CT_T_ENUM, _SET: allowed, NULL at the end */
	const char *unit; /* "mL", "kg", "kcal", "%"; NULL: none */
	const char *help; /* one line for the documentation */
};

struct ct_fields {
	const char *noun; /* "feeding" */
	const struct ct_field *f;
	size_t n;
	size_t size; /* sizeof of the struct */
};
#define CT_FIELDS(noun, type, table)                                           \
	{                                                                      \
		(noun), (table), ct_countof(table), sizeof(type)               \
	}

enum ct_bind_mode { CT_BIND_CREATE, CT_BIND_PATCH };

/*
 * Body object into struct. Members that the body lacks keep what the caller
 * put there (defaults, or the row being patched). All bad fields are reported
 * at once: unknown name, read-only, wrong type, not one of, out of range, too
 * long, time without offset, missing and required (CREATE), null where null is
 * not allowed. Text is trimmed unless CT_F_NOTRIM; text with control characters
 * other than newline and tab is refused. *seen gets bit i for field i (tables
 * have at most 64 rows). CT_INVALID, or CT_MALFORMED where body is no object.
 */
enum ct_rc ct_fields_bind(const struct ct_fields *t, enum ct_bind_mode mode,
    const struct ct_json *body, struct ct_arena *a, void *obj, uint64_t *seen,
    struct ct_err *err) CT_MUSTCHECK;

/* One value given as text (query parameters), by the same rules. */
enum ct_rc ct_field_bind_text(const struct ct_field *f, struct ct_str value,
    struct ct_arena *a, void *obj, struct ct_err *err) CT_MUSTCHECK;

/* Every visible field as key and value, inside an open object. */
void ct_fields_write(
    const struct ct_fields *t, const void *obj, struct ct_jw *w);
void ct_field_write(const struct ct_field *f, const void *obj, struct ct_jw *w);
/* The row with that name, NULL where there is none. */
const struct ct_field *ct_fields_find(
    const struct ct_fields *t, const char *name);
/* Set every nullable member to its NULL, all others to zero. */
void ct_fields_clear(const struct ct_fields *t, void *obj);

#endif
