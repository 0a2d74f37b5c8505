/*
 * Streaming JSON writer onto a ct_buf. Nesting and key/value order are
 * checked: a misuse is a bug and aborts. Strings are taken as UTF-8; bad bytes
 * become U+FFFD. Output has no blanks.
 */
#ifndef CT_COMMON_JW_H
#define CT_COMMON_JW_H

#include "common/id.h"
#include "common/str.h"

struct ct_jw {
	struct ct_buf *b;
	unsigned depth;	 /* open objects and arrays, <= 31 */
	uint32_t is_obj; /* bit d: level d is an object */
	bool need_comma;
	bool have_key;
};

void ct_jw_init(struct ct_jw *w, struct ct_buf *b);
void ct_jw_obj(struct ct_jw *w);
void ct_jw_arr(struct ct_jw *w);
void ct_jw_end(struct ct_jw *w); /* closes the innermost */
void ct_jw_key(struct ct_jw *w, const char *key);
void ct_jw_str(struct ct_jw *w, struct ct_str s); /* absent writes null */
void ct_jw_cstr(struct ct_jw *w, const char *s);
void ct_jw_i64(struct ct_jw *w, int64_t v); /* CT_NULL_I64 writes null */
/* v thousandths as a decimal without trailing zeros: 209700 -> 209.7 */
void ct_jw_milli(struct ct_jw *w, int64_t v);
void ct_jw_bool(struct ct_jw *w, bool v);
void ct_jw_null(struct ct_jw *w);
void ct_jw_uuid(struct ct_jw *w, const struct ct_uuid *u); /* nil: null */
void ct_jw_time(struct ct_jw *w, int64_t us);	     /* CT_NULL_I64: null */
void ct_jw_day(struct ct_jw *w, int32_t day);	     /* CT_NULL_DAY: null */
void ct_jw_raw(struct ct_jw *w, struct ct_str json); /* valid JSON value */
/* True when everything opened was closed: check before sending. */
bool ct_jw_done(const struct ct_jw *w);

/* Shared with CSV: writes v thousandths as above, returns bytes (<= 24). */
size_t ct_milli_text(int64_t v, char out[24]);

#endif
