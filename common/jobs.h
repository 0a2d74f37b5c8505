/*
 * Looking at jobs and steering them, for operators: what waits, runs and has
 * ended; queues, nodes, the dead. Everything is read a page at a time and
 * bounded. What a message carries is shown by its names and ids alone: its
 * other values may be anybody's data.
 *
 * All functions block on Redis, up to its timeout for each trip. CT_RETRY:
 * Redis is away; what was to be changed may have been.
 */
#ifndef CT_COMMON_JOBS_H
#define CT_COMMON_JOBS_H

#include "common/celery.h"
#include "common/field.h"
#include "common/redis.h"

#define CT_JOBS_QUEUES 64  /* queues that are shown */
#define CT_JOBS_NODES  256 /* nodes that are shown */
#define CT_JOBS_RUN    64  /* running jobs of one node that are shown */
#define CT_JOBS_LIMIT  100 /* rows of one page */
#define CT_JOBS_TTL_S  604800

/* Where to look; passed by whoever has a connection. Results live on a. */
struct ct_jobs {
	struct ct_redis *redis;
	struct ct_arena *a;
	const char *prefix; /* CATETUBE_QUEUE_PREFIX */
	const char *queues; /* CATETUBE_QUEUES, shown besides those of nodes */
};

/* One job. Times are us, CT_NULL_I64: unknown or not yet. */
struct ct_job_info {
	struct ct_str id;   /* absent: the message cannot be read */
	struct ct_str task; /* absent: as id */
	struct ct_str queue;
	int64_t priority;    /* 0, 3, 6, 9 */
	struct ct_str state; /* queued, scheduled, running, succeeded, failed,
				revoked, dead */
	int64_t tries;	     /* begun so far */
	int64_t redeliveries;
	int64_t queued_at; /* first seen; only of those that we pushed */
	int64_t due_at;	   /* it is not begun before */
	int64_t began_at;  /* the last try */
	int64_t ended_at;
	struct ct_str node;   /* that runs it */
	struct ct_str error;  /* of the last try that failed */
	struct ct_str kwargs; /* JSON: {"report_id": "…", "format": null} */
	int64_t bytes;	      /* of the message, CT_NULL_I64: it is gone */
	/* Not shown: the list it came from, and the message, absent where it is
	 * gone or was not loaded. */
	struct ct_str list;
	struct ct_str raw;
};
extern const struct ct_fields ct_job_info_fields;

/*
 * Jobs, those that run first, then those that wait, the dead, and the newest of
 * those that have ended. Filters that are absent ask for all. One call looks at
 * some thousand messages at the most: a page may hold fewer rows than limit, or
 * none, and still have a next one.
 * CT_INVALID, field state or cursor.
 */
struct ct_jobs_filter {
	struct ct_str state, queue, task;
	int64_t limit; /* 1 … CT_JOBS_LIMIT */
	struct ct_str cursor;
};
struct ct_jobs_page {
	struct ct_job_info *row;
	size_t n;
	struct ct_str next; /* absent: that was all */
};
enum ct_rc ct_jobs_list(struct ct_jobs *j, const struct ct_jobs_filter *f,
    struct ct_jobs_page *out, struct ct_err *err) CT_MUSTCHECK;
/* The states that a filter may name, NULL-terminated. */
extern const char *const ct_jobs_states[];

/*
 * One job, with its message where that is found within some thousand others.
 * CT_NOTFOUND: no record (they are kept 7 days) and no message.
 */
enum ct_rc ct_jobs_get(struct ct_jobs *j, struct ct_str id,
    struct ct_job_info *out, struct ct_err *err) CT_MUSTCHECK;

/*
 * Revoke a job: one that has not begun never will, one that runs is stopped by
 * its node within a beat. CT_NOTFOUND: neither record nor message. CT_CONFLICT:
 * it has ended; *out says how.
 */
enum ct_rc ct_jobs_cancel(struct ct_jobs *j, struct ct_str id,
    struct ct_job_info *out, struct ct_err *err) CT_MUSTCHECK;

/* CT_CONFLICT: the job is not dead, or its message was purged. */
enum ct_rc ct_jobs_dead_check(
    const struct ct_job_info *row, struct ct_err *err) CT_MUSTCHECK;
/*
 * A dead message (list and raw of a row of state dead) goes back to the end of
 * its queue, with all its tries before it; or away for good. *done: 1; 0: it
 * was not in the dead set any more; 2: not sent, a job of that id lives.
 */
enum ct_rc ct_jobs_dead_retry(struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_jobs_dead_purge(struct ct_jobs *j, const struct ct_job_info *row,
    int64_t *done, struct ct_err *err) CT_MUSTCHECK;
/* All that died before, whatever they are; *n how many. */
enum ct_rc ct_jobs_dead_clear(struct ct_jobs *j, int64_t before_us, int64_t *n,
    struct ct_err *err) CT_MUSTCHECK;

struct ct_queue_info {
	struct ct_str name;
	int64_t ready; /* sum of depth */
	int64_t depth[CT_STEPS];
	int64_t oldest_ms; /* the one served next has waited; CT_NULL_I64 */
	int64_t paused_at; /* us; CT_NULL_I64: it is not */
	int64_t nodes;	   /* that serve it */
};
struct ct_queues_info {
	struct ct_queue_info *row;
	size_t n;
	int64_t scheduled, dead;
};
extern const struct ct_fields ct_queue_info_fields;
/* Those of `queues`, of every node, and every paused one. */
enum ct_rc ct_jobs_queues(struct ct_jobs *j, struct ct_queues_info *out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * A paused queue takes messages and gives none. *changed: it was not so before.
 * CT_NOTFOUND names those that there are.
 */
enum ct_rc ct_jobs_pause(struct ct_jobs *j, struct ct_str queue, bool paused,
    bool *changed, struct ct_err *err) CT_MUSTCHECK;

struct ct_node_job {
	struct ct_str id, task;
	int64_t began_at;
};
struct ct_node_info {
	struct ct_str wid; /* names the process, never used again */
	struct ct_str name, host, queues;
	int64_t pid, slots, held;
	int64_t since;	 /* us */
	int64_t beat_ms; /* since the last beat */
	bool is_draining;
	struct ct_node_job *job;
	size_t njobs;
};
extern const struct ct_fields ct_node_info_fields;
/* "running": [{"id", "task", "began_at"}], inside an open object */
void ct_jobs_write_running(const struct ct_node_info *n, struct ct_jw *w);
enum ct_rc ct_jobs_nodes(struct ct_jobs *j, struct ct_node_info **out,
    size_t *n, struct ct_err *err) CT_MUSTCHECK;
/*
 * The node, by wid or by name, takes no more jobs, finishes those it has as at
 * SIGTERM, and ends. It hears of it at its next beat.
 * CT_NOTFOUND. CT_CONFLICT: several have that name; the sentence has their ids.
 */
enum ct_rc ct_jobs_drain(struct ct_jobs *j, struct ct_str node,
    struct ct_str *wid, struct ct_err *err) CT_MUSTCHECK;

/*
 * What was found and what to do about it, one row each.
 */
enum ct_doctor_flags {
	CT_DOCTOR_SCAN = 1 << 0,  /* look at every key, a thousand at a time */
	CT_DOCTOR_REPAIR = 1 << 1 /* mend what can be without asking anybody */
};
enum ct_finding_level { CT_FINDING_OK, CT_FINDING_WARN, CT_FINDING_FAIL };
struct ct_finding {
	const char *check;
	enum ct_finding_level level;
	struct ct_str text;
};
enum ct_rc ct_jobs_doctor(struct ct_jobs *j, unsigned flags,
    struct ct_finding **out, size_t *n, struct ct_err *err) CT_MUSTCHECK;
/* "ok", "WARN", "FAIL" */
const char *ct_finding_word(enum ct_finding_level level);
/* {"checks": [{"check", "result", "detail"}]} */
void ct_jobs_write_findings(
    const struct ct_finding *f, size_t n, struct ct_jw *w);

/* One end of a try, as it was written down. */
struct ct_job_event {
	struct ct_str id, state;
	int64_t try; /* 0: the first */
};
/*
 * Those after *at, oldest first; waits for the first one up to wait_ms, for
 * which the connection's time-out must be long enough. *at is set to the last
 * one; an empty *at begins now, with none.
 */
enum ct_rc ct_jobs_follow(struct ct_jobs *j, struct ct_str *at, int wait_ms,
    struct ct_job_event **out, size_t *n, struct ct_err *err) CT_MUSTCHECK;
/* Fill row from what is kept about row->id; false: nothing is. */
enum ct_rc ct_jobs_records(struct ct_jobs *j, struct ct_job_info *row, size_t n,
    bool *known, struct ct_err *err) CT_MUSTCHECK;

#endif
