/*
 * Borrowed views and growable buffers. A struct ct_str owns nothing and need
 * not end in NUL; a struct ct_buf lives on an arena.
 */
#ifndef CT_COMMON_STR_H
#define CT_COMMON_STR_H

#include "common/arena.h"
#include "common/base.h"

/* p == NULL means "absent" (SQL NULL); n == 0 with p != NULL is empty. */
struct ct_str {
	const char *p;
	size_t n;
};

#define CT_STR(lit)   ((struct ct_str){(lit), sizeof(lit) - 1})
#define CT_STR_FMT(s) ct_int((s).n), (s).p /* for "%.*s" */

struct ct_str ct_str_of(const char *cstr); /* NULL gives an absent view */
bool ct_str_eq(struct ct_str a, struct ct_str b);
bool ct_str_is(struct ct_str a, const char *cstr);
bool ct_str_ieq(struct ct_str a, const char *cstr); /* ASCII case-blind */
bool ct_str_starts(struct ct_str a, struct ct_str prefix);
/* Without leading and trailing blanks and tabs. */
struct ct_str ct_str_trim(struct ct_str s);
/*
 * Cut the part before the first c off *rest and return it; without c, all of
 * it. *rest becomes absent after the last part.
 */
struct ct_str ct_str_split(struct ct_str *rest, char c);
/* NUL-terminated copy on the arena. */
char *ct_str_cstr(struct ct_arena *a, struct ct_str s);
struct ct_str ct_str_dup(struct ct_arena *a, struct ct_str s);
/* Decimal digits with optional '-', nothing else; false out of range. */
bool ct_str_i64(struct ct_str s, int64_t min, int64_t max, int64_t *out);
/* The reverse, NUL-terminated on the arena. */
struct ct_str ct_str_of_i64(struct ct_arena *a, int64_t v);
/* Well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF). */
bool ct_utf8_ok(struct ct_str s);
/* Code points in well-formed UTF-8. */
size_t ct_utf8_len(struct ct_str s);

struct ct_buf {
	char *p;
	size_t n;   /* bytes used */
	size_t cap; /* bytes allocated */
	struct ct_arena *a;
};

void ct_buf_init(struct ct_buf *b, struct ct_arena *a, size_t cap);
void ct_buf_add(struct ct_buf *b, const void *p, size_t n);
void ct_buf_adds(struct ct_buf *b, const char *cstr);
void ct_buf_addstr(struct ct_buf *b, struct ct_str s);
void ct_buf_addc(struct ct_buf *b, char c);
void ct_buf_addi(struct ct_buf *b, int64_t v);
void ct_buf_addf(struct ct_buf *b, const char *fmt, ...) CT_PRINTF(2, 3);
/* Make room for n more bytes and return where they go; then add to b->n. */
char *ct_buf_room(struct ct_buf *b, size_t n);
static inline struct ct_str
ct_buf_str(const struct ct_buf *b)
{
	return (struct ct_str){b->p, b->n};
}

#endif
