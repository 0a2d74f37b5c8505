/* catetubectl enqueue: put one job on a queue, as any Celery client would. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/queue.h"
#include "ctl/ctl.h"

#define USAGE "enqueue takes: TASK [KWARGS-JSON] [--queue Q] [--in SECONDS]"

static bool
read_args(int argc, char **argv, struct ct_job_new *job)
{
	int64_t in_s;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--queue") == 0 && i + 1 < argc) {
			job->queue = argv[++i];
		} else if (strcmp(argv[i], "--in") == 0 && i + 1 < argc) {
			if (!ct_str_i64(ct_str_of(argv[++i]), 0,
				INT64_C(366) * 86400, &in_s))
				return false;
			job->due_us = ct_now_us() + in_s * 1000000;
		} else if (argv[i][0] == '{' && !job->kwargs.p) {
			job->kwargs = ct_str_of(argv[i]);
		} else {
			return false;
		}
	}
	return argc >= 2 && argv[1][0] != '-';
}

int
ctl_enqueue(struct ctl *c, int argc, char **argv)
{
	struct ct_job_new job = {.queue = "default"};
	const struct ct_json *kwargs;
	struct ct_err err;
	char text[CT_UUID_TEXT];

	if (!read_args(argc, argv, &job))
		return ctl_usage(USAGE);
	ct_err_clear(&err);
	if (!job.kwargs.p)
		job.kwargs = CT_STR("{}");
	if (ct_json_parse(c->arena, job.kwargs, 16, &kwargs, &err) != CT_OK)
		return ctl_fail(&err);
	job.task = argv[1];
	if (ct_queue_push(c->redis, c->arena, c->conf.queue_prefix, &job, NULL,
		&err) != CT_OK)
		return ctl_fail(&err);
	puts(ct_uuid_format(&job.id, text));
	return 0;
}
