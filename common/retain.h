/*
 * Which backups to keep: grandfather, father, son. Of each of the last `daily`
 * days, `weekly` weeks and `monthly` months that have backups, the newest one.
 * Periods without backups do not count, so a pause removes nothing. Days are
 * those of UTC, weeks begin on Monday.
 */
#ifndef CT_COMMON_RETAIN_H
#define CT_COMMON_RETAIN_H

#include "common/base.h"

struct ct_retain {
	int64_t created_us;
	size_t index; /* the caller's */
	bool keep;    /* set here */
};

/* Sorts b, newest first. The newest is always kept. Pure. */
void ct_retain(struct ct_retain *b, size_t n, int64_t daily, int64_t weekly,
    int64_t monthly);

#endif
