/*
 * report.schedule: makes the reports that accounts asked for each week, where
 * they are due. Stopped anywhere and run again, or twice at once, each slot
 * still gets one report (db/report_schedule.h).
 */
#include "db/report_schedule.h"
#include "worker/job.h"

#define BATCH 100

enum ct_rc
ct_report_sweep(struct ct_job *job, struct ct_err *err)
{
	int64_t due = BATCH, made, all_due = 0, all_made = 0;

	while (due == BATCH) {
		struct ct_mark m = ct_arena_mark(job->a);

		if (ct_job_stopping())
			return ct_fail(
			    err, CT_RETRY, "stopped", "stopped by the worker");
		if (ct_report_schedule_run(
			job->pg, job->a, BATCH, &due, &made, err) != CT_OK)
			return err->rc;
		ct_arena_rewind(job->a, m);
		all_due += due;
		all_made += made;
	}
	job->result =
	    ct_str_of(ct_arena_printf(job->a, "{\"due\":%lld,\"made\":%lld}",
		(long long)all_due, (long long)all_made));
	return CT_OK;
}
