/*
 * The elements of a JSON array that comes in pieces, one after the other, in
 * constant memory. What an element is made of is not looked at here but for
 * where it ends: it is parsed afterwards.
 */
#ifndef CT_WORKER_ARCHIVE_ROWS_H
#define CT_WORKER_ARCHIVE_ROWS_H

#include "common/err.h"
#include "common/str.h"

#define CT_ROW_BYTES (64U << 10) /* of one element */

/* line: of its first byte, from 1. */
typedef enum ct_rc ct_row_fn(
    void *arg, struct ct_str text, int64_t line, struct ct_err *err);

struct ct_rows {
	ct_row_fn *fn;
	void *arg;
	int where; /* of the array; see archive_rows.c */
	unsigned depth;
	bool in_string, escaped;
	int64_t line, began;
	size_t n;
	char *text; /* of the element, CT_ROW_BYTES */
};

void ct_rows_init(
    struct ct_rows *r, struct ct_arena *a, ct_row_fn *fn, void *arg);
/*
 * The next piece. CT_MALFORMED: it is no array, or something follows it.
 * CT_TOOBIG: an element is longer than CT_ROW_BYTES. Both tell the line. Else
 * what fn returned.
 */
enum ct_rc ct_rows_feed(
    struct ct_rows *r, struct ct_str bytes, struct ct_err *err) CT_MUSTCHECK;
/* After the last piece. CT_MALFORMED: the array is not at its end. */
enum ct_rc ct_rows_end(struct ct_rows *r, struct ct_err *err) CT_MUSTCHECK;

#endif
