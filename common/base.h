/*
 * Attributes, sizes and checked narrowing. Ground floor: included by all.
 */
#ifndef CT_COMMON_BASE_H
#define CT_COMMON_BASE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_MUSTCHECK	     __attribute__((warn_unused_result))
#define CT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CT_NORETURN	     __attribute__((noreturn))
#define CT_UNUSED	     __attribute__((unused))

#define ct_countof(a) (sizeof(a) / sizeof((a)[0]))

/* A broken invariant of ours: logs one line with the place and aborts. */
void ct_bug_at(const char *file, int line, const char *fmt, ...)
    CT_PRINTF(3, 4) CT_NORETURN;
#define ct_bug(...) ct_bug_at(__FILE__, __LINE__, __VA_ARGS__)

/* Narrowing that aborts where the value does not fit. */
static inline int
ct_int(size_t n)
{
	if (n > INT_MAX)
		ct_bug("size %zu does not fit an int", n);
	return (int)n;
}

static inline size_t
ct_size(int64_t n)
{
	if (n < 0)
		ct_bug("negative size %lld", (long long)n);
	return (size_t)n;
}

/* The integer that stands for SQL NULL and for "not given" in a struct. */
#define CT_NULL_I64 INT64_MIN
#define CT_NULL_DAY INT32_MIN

#endif
