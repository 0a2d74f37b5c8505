/*
 * What the parts of the JSON reader and writer share among themselves: the
 * strict scan that runs before cJSON, and the plain number of a value.
 */
#ifndef CT_COMMON_JSON_INTERNAL_H
#define CT_COMMON_JSON_INTERNAL_H

#include "common/json.h"

/* Deeper than this is refused whatever the caller allows. */
#define CT_JSON_DEPTH_CAP 64
/* cJSON reads that many characters of a number and no more. */
#define CT_JSON_NUMBER_CAP 63

/*
 * Text against RFC 8259 and the further refusals of json.h. *value is the one
 * value without the blanks around it. The arena is used for scratch only.
 */
enum ct_rc ct_json_scan(struct ct_arena *a, struct ct_str text,
    unsigned max_depth, struct ct_str *value, struct ct_err *err) CT_MUSTCHECK;

/* Bytes of the well-formed UTF-8 character at p (n > 0 left), 0: none. */
static inline size_t
ct_utf8_seq(const char *p, size_t n)
{
	for (size_t k = 1; k <= 4 && k <= n; k++) {
		if (ct_utf8_ok((struct ct_str){p, k}))
			return k;
	}
	return 0;
}

#endif
