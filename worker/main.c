/*
 * catetube-worker: takes jobs from Redis and runs them.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/cron_table.h"
#include "common/crypto.h"
#include "common/metrics.h"
#include "db/account_token.h"
#include "db/backup.h"
#include "worker/node.h"

static void
usage(FILE *out)
{
	fputs("usage: catetube-worker [-n] [--config FILE]\n"
	      "  -n             check configuration and task table, and end\n"
	      "  --config FILE  read options from FILE, too\n"
	      "  -h, --help     this text and all options\n",
	    out);
}

static int
complain(const struct ct_err *err)
{
	fprintf(stderr, "catetube-worker: %s %s\n", err->msg, err->detail);
	return 2;
}

static enum ct_level
level_of(const char *text)
{
	static const char *const names[] = {[CT_DEBUG] = "debug",
	    [CT_INFO] = "info",
	    [CT_WARN] = "warn",
	    [CT_ERROR] = "error"};
	size_t i;

	for (i = 0; i < ct_countof(names); i++)
		if (ct_str_is(ct_str_of(text), names[i]))
			return (enum ct_level)i;
	return CT_INFO;
}

/* A row that is on names a task of ours, on its own queue. */
static enum ct_rc
check_schedule(const struct ct_conf *conf, struct ct_err *err)
{
	struct ct_cron_plan plan[CT_CRON_ROWS_MAX];
	const struct ct_task *task;

	if (ct_cron_plan(conf, plan, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < ct_cron_rows_n; i++) {
		const struct ct_cron_row *row = &ct_cron_rows[i];

		task = ct_task_find(ct_str_of(row->task), false);
		if (plan[i].on &&
		    (task == NULL || strcmp(task->queue, row->queue) != 0))
			return ct_fail(err, CT_INVALID, NULL,
			    "%s: this worker has no task %s on queue %s",
			    row->option, row->task, row->queue);
	}
	return CT_OK;
}

/* What can be told without a connection. */
static enum ct_rc
check(const struct ct_conf *conf, struct ct_err *err)
{
	struct ct_arena *a = ct_arena_create((size_t)1 << 20);
	struct ct_redis *r = NULL;
	struct ct_queues queues;
	enum ct_rc rc;

	rc = ct_tasks_check(err);
	if (rc == CT_OK)
		rc = check_schedule(conf, err);
	if (rc == CT_OK)
		rc = ct_mail_key_check(conf, err);
	if (rc == CT_OK)
		rc = ct_backup_check_conf(conf, err);
	if (rc == CT_OK)
		rc = ct_queues_parse(&queues, a, conf->queues, err);
	if (rc == CT_OK)
		rc = ct_redis_open(conf->redis_url, 1000, &r, err);
	if (rc == CT_OK && conf->beat_ms * 2 > conf->lease_ms)
		rc = ct_fail(err, CT_INVALID, NULL,
		    "CATETUBE_BEAT_MS must be at most half of "
		    "CATETUBE_LEASE_MS");
	ct_redis_close(r);
	ct_arena_destroy(a);
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	static struct ct_conf conf;
	const char *file = NULL;
	bool only_check = false;
	struct ct_err err;
	int c;

	while ((c = getopt_long(argc, argv, "nh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'n':
			only_check = true;
			break;
		case 'h':
			usage(stdout);
			ct_conf_help(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	ct_err_clear(&err);
	ct_crypto_init();
	if (ct_conf_load(&conf, file, &err) != CT_OK ||
	    check(&conf, &err) != CT_OK)
		return complain(&err);
	if (only_check)
		return 0;
	ct_log_init("worker", level_of(conf.log_level),
	    ct_str_is(ct_str_of(conf.log_format), "json") ? CT_LOGJSON
							  : CT_LOGFMT);
	if (ct_metrics_open(conf.run_dir, &err) != CT_OK)
		ct_log(CT_WARN, "main", "no shared metrics: %s %s", err.msg,
		    err.detail);
	return ct_node_run(&conf);
}
