/*
 * The task table: every task of the worker is one row here.
 */
#include <string.h>

#include "worker/job.h"

/* name, queue, function, retries, back-off s, soft s, hard s, flags */
const struct ct_task ct_tasks[] = {
    {"account.export", "reports", ct_account_export, 5, 5, 1800, 1860, 0},
    {"account.import", "reports", ct_account_import, 8, 5, 3600, 3660, 0},
    {"backup.run", "backups", ct_backup_run_task, 5, 60, 14400, 14460, 0},
    {"backup.verify", "backups", ct_backup_verify_task, 3, 60, 14400, 14460, 0},
    {"mail.send", "mail", ct_mail_send, 20, 10, 60, 70, 0},
    {"maintenance.inactive", "maintenance", ct_maintenance_inactive, 3, 60, 600,
	660, 0},
    {"maintenance.purge", "maintenance", ct_purge, 5, 60, 1800, 1860, 0},
    {"report.generate", "reports", ct_report_generate, 5, 5, 1800, 1860, 0},
    {"report.schedule", "maintenance", ct_report_sweep, 5, 10, 600, 660, 0},
    {"test.crash", "default", ct_test_crash, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.echo", "default", ct_test_echo, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.effect", "default", ct_test_effect, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.fail", "default", ct_test_fail, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.noop", "default", ct_test_noop, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.now", "default", ct_test_now, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.progress", "default", ct_test_progress, 3, 1, 60, 70, CT_TASK_TEST},
    {"test.sleep", "default", ct_test_sleep, 3, 1, 600, 610, CT_TASK_TEST},
    /* How long it waits in between is its own table, a day in all. */
    {"webhook.send", "default", ct_webhook_send, 100, 10, 20, 30, 0},
};
const size_t ct_tasks_n = ct_countof(ct_tasks);

const struct ct_task *
ct_task_find(struct ct_str name, bool test_tasks)
{
	size_t i;

	for (i = 0; i < ct_tasks_n; i++)
		if (ct_str_is(name, ct_tasks[i].name))
			return (ct_tasks[i].flags & CT_TASK_TEST) && !test_tasks
				   ? NULL
				   : &ct_tasks[i];
	return NULL;
}

enum ct_rc
ct_tasks_check(struct ct_err *err)
{
	const struct ct_task *t;
	size_t i, j;

	for (i = 0; i < ct_tasks_n; i++) {
		t = &ct_tasks[i];
		for (j = 0; j < i; j++)
			if (strcmp(t->name, ct_tasks[j].name) == 0)
				return ct_fail(err, CT_INVALID, NULL,
				    "task %s is listed twice", t->name);
		if (t->run == NULL || t->queue[0] == '\0' ||
		    t->max_retries < 0 || t->backoff_s < 0 || t->soft_s <= 0 ||
		    t->hard_s <= t->soft_s)
			return ct_fail(err, CT_INVALID, NULL,
			    "task %s has a row that makes no sense", t->name);
	}
	return CT_OK;
}
