/*
 * job_run: what jobs have done, written in the transaction of a job's effects.
 * A job that is in it is done and has no effect if it is run again.
 */
#ifndef CT_DB_JOB_RUN_H
#define CT_DB_JOB_RUN_H

#include "db/pg.h"

extern const struct ct_stmt *const ct_job_run_stmts[];

/*
 * The effect of test.effect, an entry in the audit trail, unless the job had
 * it before (*first false); its outbox row, if any, is done.
 */
enum ct_rc ct_job_effect(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *job, int64_t attempt, bool *first,
    struct ct_err *err) CT_MUSTCHECK;

#endif
