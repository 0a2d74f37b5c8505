/* Tables for people: columns as wide as their widest cell, the last one free.
 */
#ifndef CT_CTL_TABLE_H
#define CT_CTL_TABLE_H

#include "common/str.h"

#define CTL_COLUMNS 12

struct ctl_table {
	struct ct_arena *a;
	const char *const *head; /* NULL-terminated */
	size_t columns;
	struct ct_str *cell; /* rows of `columns` */
	size_t n, cap;	     /* cells */
};

void ctl_table_begin(
    struct ctl_table *t, struct ct_arena *a, const char *const *head);
/* The next cell; a row is full when all its columns have one. */
void ctl_table_text(struct ctl_table *t, struct ct_str text);
void ctl_table_i64(struct ctl_table *t, int64_t v); /* CT_NULL_I64: "-" */
/* On standard output. */
void ctl_table_print(const struct ctl_table *t);

/* Text for a terminal: control characters become '?'; absent is "-". */
struct ct_str ctl_clean(struct ct_arena *a, struct ct_str text);
/* "12s", "3m", "5h", "2d" of a duration */
const char *ctl_span(struct ct_arena *a, int64_t us);

#endif
