/* Every statement of every noun, and every entry kind: a new noun adds one row
 * here, a new kind two. */
#include "db/account.h"
#include "db/account_life.h"
#include "db/account_token.h"
#include "db/admin.h"
#include "db/api_token.h"
#include "db/audit.h"
#include "db/backup.h"
#include "db/cat.h"
#include "db/erasure.h"
#include "db/export.h"
#include "db/feeding.h"
#include "db/idempotency.h"
#include "db/import.h"
#include "db/invite.h"
#include "db/job_run.h"
#include "db/mail.h"
#include "db/medication.h"
#include "db/member.h"
#include "db/observation.h"
#include "db/outbox.h"
#include "db/preference.h"
#include "db/purge.h"
#include "db/report.h"
#include "db/report_schedule.h"
#include "db/session.h"
#include "db/state.h"
#include "db/target.h"
#include "db/totp.h"
#include "db/tracker.h"
#include "db/tube_check.h"
#include "db/water.h"
#include "db/webhook.h"
#include "db/weight.h"

const struct ct_stmt *const *const ct_stmt_tables[] = {
    ct_account_stmts,
    ct_account_life_stmts,
    ct_erasure_stmts,
    ct_admin_stmts,
    ct_account_token_stmts,
    ct_preference_stmts,
    ct_session_stmts,
    ct_api_token_stmts,
    ct_mail_stmts,
    ct_totp_stmts,
    ct_feeding_stmts,
    ct_medication_stmts,
    ct_weight_stmts,
    ct_observation_stmts,
    ct_water_stmts,
    ct_tube_check_stmts,
    ct_audit_stmts,
    ct_purge_stmts,
    ct_tracker_stmts,
    ct_state_stmts,
    ct_cat_stmts,
    ct_member_stmts,
    ct_invite_stmts,
    ct_target_stmts,
    ct_report_stmts,
    ct_report_schedule_stmts,
    ct_webhook_stmts,
    ct_report_row_stmts,
    ct_report_sum_stmts,
    ct_export_stmts,
    ct_import_stmts,
    ct_bring_stmts,
    ct_outbox_stmts,
    ct_job_run_stmts,
    ct_idempotency_stmts,
    ct_manifest_stmts,
    ct_backup_stmts,
    ct_backup_restore_stmts,
    ct_backup_log_stmts,
    NULL,
};

const struct ct_entry_kind *const ct_entry_kinds[] = {
    &ct_feeding_kind,
    &ct_medication_kind,
    &ct_weight_kind,
    &ct_observation_kind,
    &ct_water_kind,
    &ct_tube_check_kind,
    NULL,
};

const struct ct_entry_kind *
ct_entry_kind_find(struct ct_str name)
{
	for (size_t i = 0; ct_entry_kinds[i]; i++) {
		if (ct_str_is(name, ct_entry_kinds[i]->name))
			return ct_entry_kinds[i];
	}
	return NULL;
}

int
ct_stmt_each(int (*fn)(const struct ct_stmt *st, void *arg), void *arg)
{
	for (size_t t = 0; ct_stmt_tables[t]; t++) {
		for (size_t i = 0; ct_stmt_tables[t][i]; i++) {
			int rc = fn(ct_stmt_tables[t][i], arg);

			if (rc)
				return rc;
		}
	}
	return 0;
}
