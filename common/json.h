/*
 * The door to cJSON: text that a stranger sent becomes a checked tree.
 * A strict scan runs first (RFC 8259 grammar, UTF-8, depth, no NUL, no lone
 * surrogates, duplicate keys), so that nothing that cJSON is lenient about
 * gets through.
 */
#ifndef CT_COMMON_JSON_H
#define CT_COMMON_JSON_H

#include "common/err.h"
#include "common/str.h"

struct ct_json; /* a value inside a parsed document; lives on the arena */

enum ct_json_type {
	CT_JSON_NULL,
	CT_JSON_BOOL,
	CT_JSON_NUMBER,
	CT_JSON_STRING,
	CT_JSON_ARRAY,
	CT_JSON_OBJECT
};

/*
 * CT_MALFORMED with a message that says what and at which byte:
 * bad grammar or UTF-8, NUL or lone surrogate in a string, depth over
 * max_depth, a key twice in one object, empty text, text after the value,
 * a number that a double cannot hold (1e400).
 */
enum ct_rc ct_json_parse(struct ct_arena *a, struct ct_str text,
    unsigned max_depth, const struct ct_json **out,
    struct ct_err *err) CT_MUSTCHECK;

enum ct_json_type ct_json_type(const struct ct_json *v);
/* Member of an object by exact key, NULL where absent or v is none. */
const struct ct_json *ct_json_get(const struct ct_json *v, const char *key);
/* First child of an object or array, and the next; NULL at the end. */
const struct ct_json *ct_json_first(const struct ct_json *v);
const struct ct_json *ct_json_next(const struct ct_json *v);
const char *ct_json_key(const struct ct_json *v);	/* NULL in an array */
struct ct_str ct_json_str(const struct ct_json *v);	/* absent: no string */
bool ct_json_bool(const struct ct_json *v);		/* false: no bool */
bool ct_json_num(const struct ct_json *v, double *out); /* false: no number */
/* The number if it is an integer in range; false otherwise. */
bool ct_json_i64(
    const struct ct_json *v, int64_t min, int64_t max, int64_t *out);
/* The number in thousandths if it has at most 3 decimals and fits. */
bool ct_json_milli(const struct ct_json *v, int64_t *out);
/* The value printed again, for pass-through. */
struct ct_str ct_json_print(struct ct_arena *a, const struct ct_json *v);

#endif
