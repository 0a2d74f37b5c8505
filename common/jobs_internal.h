/* What the files of jobs.h share. */
#ifndef CT_COMMON_JOBS_INTERNAL_H
#define CT_COMMON_JOBS_INTERNAL_H

#include "common/jobs.h"

/* Where jobs are found, in the order of a list. */
enum ct_job_where {
	CT_JOB_HELD,
	CT_JOB_READY,
	CT_JOB_SCHED,
	CT_JOB_DEAD,
	CT_JOB_DONE, /* ended: nothing but the record is left */
	CT_JOB_SOURCES
};
struct ct_job_source {
	const char *what;  /* of jq_peek.lua; NULL: the stream */
	const char *state; /* NULL: the record says it */
};
extern const struct ct_job_source ct_job_sources[CT_JOB_SOURCES];
extern const char *const ct_jobs_ended[]; /* states of CT_JOB_DONE */
bool ct_jobs_is_one(struct ct_str s, const char *const *names);

/* A row of which nothing is known. */
void ct_jobs_clear(struct ct_job_info *row);
/* Messages of a place (jq_peek.lua), and the rows that they make: how many. */
enum ct_rc ct_jobs_peek(struct ct_jobs *j, unsigned source, struct ct_str from,
    int64_t count, struct ct_str list, const struct redisReply **out,
    struct ct_err *err) CT_MUSTCHECK;
size_t ct_jobs_peeked(struct ct_jobs *j, const struct redisReply *p,
    unsigned source, struct ct_job_info *row);

/* us of a number in ms; 0 and less: CT_NULL_I64 */
int64_t ct_jobs_us(const struct redisReply *p);
/* One script with the prefix before its arguments. */
enum ct_rc ct_jobs_ask(struct ct_jobs *j, const char *script, int argc,
    const struct ct_str *argv, const struct redisReply **out,
    struct ct_err *err) CT_MUSTCHECK;
/* Key of the prefix and a name. */
struct ct_str ct_jobs_key(struct ct_jobs *j, const char *name);
/*
 * Names of queues: those of `queues`, of the nodes, and the paused ones. name
 * holds CT_JOBS_QUEUES.
 */
enum ct_rc ct_jobs_names(struct ct_jobs *j, struct ct_str *name, size_t *n,
    struct ct_err *err) CT_MUSTCHECK;
/* The same where the nodes are known. */
enum ct_rc ct_jobs_names_of(struct ct_jobs *j, const struct ct_node_info *node,
    size_t nodes, struct ct_str *name, size_t *n,
    struct ct_err *err) CT_MUSTCHECK;
/* Member of an entry of a stream. */
struct ct_str ct_jobs_entry(const struct redisReply *e, const char *name);
/* Whether "a:1,b:2" names the queue. */
bool ct_jobs_serves(struct ct_str queues, struct ct_str queue);

#endif
