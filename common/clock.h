/*
 * Time as integers: instants are microseconds since 1970-01-01T00:00:00Z
 * (int64_t, *_us), days are days since 1970-01-01 (int32_t). No time zones
 * here: what day it is for a cat is computed by PostgreSQL (db/, care day).
 */
#ifndef CT_COMMON_CLOCK_H
#define CT_COMMON_CLOCK_H

#include "common/err.h"
#include "common/str.h"

#define CT_TIME_MAX 40
#define CT_DAY_MAX  16

/* Wall clock. Tests replace the pointer; everything reads through it. */
extern int64_t (*ct_clock_us)(void);
static inline int64_t
ct_now_us(void)
{
	return ct_clock_us();
}
/* Monotonic, counts suspend (CLOCK_BOOTTIME). For deadlines and durations. */
int64_t ct_mono_us(void);
static inline int64_t
ct_mono_ms(void)
{
	return ct_mono_us() / 1000;
}

enum ct_time_fault { CT_TIME_OK, CT_TIME_BAD, CT_TIME_NAIVE, CT_TIME_RANGE };
/*
 * RFC 3339 with an offset ("2026-11-22T02:10:00+01:00", "…Z", fraction up to
 * 6 digits kept, more cut). Lower case t and z and a blank for T are taken.
 * NAIVE: a valid time without offset. RANGE: outside years 1970 to 2199.
 * Leap second 60 is BAD.
 */
enum ct_time_fault ct_time_parse(struct ct_str s, int64_t *out_us);
/* "2026-11-22T01:10:00Z", with .ffffff only if not whole. Returns out. */
char *ct_time_format(int64_t us, char out[CT_TIME_MAX]);
/* "2026-11-22"; strict, proleptic Gregorian, years 1970 to 2199. */
bool ct_day_parse(struct ct_str s, int32_t *out_day);
char *ct_day_format(int32_t day, char out[CT_DAY_MAX]);
/* "06:30": two digits each, 00:00 to 23:59. */
bool ct_hour_ok(struct ct_str s);

#endif
