/*
 * What is thrown away in the end: a table of steps, each a statement that takes
 * out a bounded number of rows. The entry kinds are steps of their own accord.
 * Safe to repeat and to stop between any two calls.
 */
#ifndef CT_DB_PURGE_H
#define CT_DB_PURGE_H

#include "db/pg.h"

extern const struct ct_stmt *const ct_purge_stmts[];

/* How many steps there are; and the name of one, for logs and results. */
size_t ct_purge_steps(void);
const char *ct_purge_name(size_t step);
/*
 * Take out up to most rows (1 to 10,000) of the step; *n: how many there were.
 * Fewer than most: it is done. idle_days: a session is over after so many days
 * without a request. Blocks.
 */
enum ct_rc ct_purge_some(struct ct_pg *pg, struct ct_arena *a, size_t step,
    int64_t most, int64_t idle_days, int64_t *n,
    struct ct_err *err) CT_MUSTCHECK;

#endif
