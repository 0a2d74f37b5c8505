/* Every statement of every noun: a new noun adds one row here. */
#include "db/account.h"
#include "db/account_life.h"
#include "db/account_token.h"
#include "db/admin.h"
#include "db/api_token.h"
#include "db/erasure.h"
#include "db/feeding.h"
#include "db/idempotency.h"
#include "db/mail.h"
#include "db/medication.h"
#include "db/outbox.h"
#include "db/preference.h"
#include "db/report.h"
#include "db/session.h"
#include "db/totp.h"
#include "db/tracker.h"

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
    ct_tracker_stmts,
    ct_report_stmts,
    ct_outbox_stmts,
    ct_idempotency_stmts,
    NULL,
};

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
