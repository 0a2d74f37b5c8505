/*
 * catetubectl jobs: what its words share. Each is a function that gets the
 * operands after its words, and the options, and returns the exit status.
 */
#ifndef CT_CTL_JOBS_H
#define CT_CTL_JOBS_H

#include "common/jobs.h"
#include "ctl/ctl.h"

struct ctl_jobs {
	struct ctl *c;
	struct ct_jobs j;
	bool json;
	char **word; /* operands */
	int words;
	/* Options; NULL, CT_NULL_I64 and false where they were not given. */
	const char *queue, *state, *task, *kwargs, *cursor, *id;
	int64_t limit, prio;
	int64_t for_s, in_s, older_s;
	bool all, force, repair;
};

int ctl_jobs_list(struct ctl_jobs *o);
int ctl_jobs_show(struct ctl_jobs *o);
int ctl_jobs_tail(struct ctl_jobs *o);
int ctl_jobs_enqueue(struct ctl_jobs *o);
int ctl_jobs_cancel(struct ctl_jobs *o);
int ctl_jobs_dead_list(struct ctl_jobs *o);
int ctl_jobs_dead_retry(struct ctl_jobs *o);
int ctl_jobs_dead_purge(struct ctl_jobs *o);
int ctl_jobs_queues(struct ctl_jobs *o);
int ctl_jobs_pause(struct ctl_jobs *o);
int ctl_jobs_resume(struct ctl_jobs *o);
int ctl_jobs_workers(struct ctl_jobs *o);
int ctl_jobs_drain(struct ctl_jobs *o);
int ctl_jobs_doctor(struct ctl_jobs *o);

/* A table of rows, or their JSON with `next`, on standard output. */
void ctl_jobs_print(struct ctl_jobs *o, const struct ct_job_info *row, size_t n,
    struct ct_str next);
/* A JSON object of one member, or text for people. */
void ctl_jobs_say(
    struct ctl_jobs *o, const char *key, struct ct_str value, const char *text);

#endif
