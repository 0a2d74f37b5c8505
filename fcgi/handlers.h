/*
 * Every handler, one line each; routes.c names them. A handler fills the
 * answer, or returns an rc whose error body is written for it. The field tables
 * are what routes take as parameters (…_query) and as body (…_in).
 */
#ifndef CT_FCGI_HANDLERS_H
#define CT_FCGI_HANDLERS_H

#include "fcgi/req.h"

#define CT_HANDLER(name) enum ct_rc name(struct ct_req *r, struct ct_err *err)

extern const struct ct_fields ct_timeline_query, ct_handover_query;
extern const struct ct_fields ct_login_in, ct_password_change_in,
    ct_password_confirm_in, ct_page_query, ct_entry_version_in, ct_days_query,
    ct_cat_query, ct_target_in, ct_report_in, ct_mail_token_in,
    ct_password_forgot_in, ct_password_reset_in, ct_email_change_in,
    ct_account_delete_in, ct_consent_in, ct_reset_in, ct_admin_account_query,
    ct_admin_audit_query, ct_totp_begin_in, ct_totp_confirm_in,
    ct_totp_disable_in, ct_cat_delete_in, ct_member_in, ct_transfer_in,
    ct_invite_in, ct_target_put_in, ct_admin_job_query, ct_dead_retry_in,
    ct_dead_purge_in, ct_queue_in, ct_node_in;

CT_HANDLER(h_root);
CT_HANDLER(h_index);
CT_HANDLER(h_health);
CT_HANDLER(h_live);
CT_HANDLER(h_metrics);

CT_HANDLER(h_register);
CT_HANDLER(h_login);
CT_HANDLER(h_logout);
CT_HANDLER(h_me);
CT_HANDLER(h_profile);
CT_HANDLER(h_change_password);
CT_HANDLER(h_deactivate);
CT_HANDLER(h_delete_account);
CT_HANDLER(h_cleanup_inactive);

CT_HANDLER(h_verify_email);
CT_HANDLER(h_resend_verification);
CT_HANDLER(h_forgot_password);
CT_HANDLER(h_reset_password);
CT_HANDLER(h_reactivate);
CT_HANDLER(h_change_email);
CT_HANDLER(h_confirm_email);
CT_HANDLER(h_undo_email);
CT_HANDLER(h_preferences);
CT_HANDLER(h_set_preferences);
CT_HANDLER(h_consent);

CT_HANDLER(h_session_list);
CT_HANDLER(h_session_end);
CT_HANDLER(h_session_end_others);

CT_HANDLER(h_totp_get);
CT_HANDLER(h_totp_begin);
CT_HANDLER(h_totp_confirm);
CT_HANDLER(h_totp_disable);

CT_HANDLER(h_api_token_list);
CT_HANDLER(h_api_token_add);
CT_HANDLER(h_api_token_revoke);

CT_HANDLER(h_webhook_list);
CT_HANDLER(h_webhook_add);
CT_HANDLER(h_webhook_get);
CT_HANDLER(h_webhook_patch);
CT_HANDLER(h_webhook_remove);
CT_HANDLER(h_webhook_secret);
CT_HANDLER(h_webhook_test);
CT_HANDLER(h_webhook_deliveries);

CT_HANDLER(h_feeding_add);
/* Of the route's kind. */
CT_HANDLER(h_entry_add);
CT_HANDLER(h_entry_list);
CT_HANDLER(h_entry_get);
CT_HANDLER(h_entry_patch);
CT_HANDLER(h_entry_delete);
CT_HANDLER(h_entry_restore);
CT_HANDLER(h_entry_history);
CT_HANDLER(h_state);
CT_HANDLER(h_timeline);
CT_HANDLER(h_handover);
CT_HANDLER(h_cat_audit);

CT_HANDLER(h_cat_list);
CT_HANDLER(h_cat_add);
CT_HANDLER(h_cat_get);
CT_HANDLER(h_cat_patch);
CT_HANDLER(h_cat_delete);
CT_HANDLER(h_cat_default);
CT_HANDLER(h_target_list);
CT_HANDLER(h_target_put);

CT_HANDLER(h_member_list);
CT_HANDLER(h_member_role);
CT_HANDLER(h_member_remove);
CT_HANDLER(h_member_transfer);

CT_HANDLER(h_invite_add);
CT_HANDLER(h_invite_list);
CT_HANDLER(h_invite_remove);
CT_HANDLER(h_invite_peek);
CT_HANDLER(h_invite_accept);

CT_HANDLER(h_today);
CT_HANDLER(h_set_target);
CT_HANDLER(h_tracker_add_feeding);
CT_HANDLER(h_reset);
CT_HANDLER(h_history);
CT_HANDLER(h_stats);
CT_HANDLER(h_cleanup_old);

CT_HANDLER(h_export);
CT_HANDLER(h_import_add);
CT_HANDLER(h_import_list);
CT_HANDLER(h_import_get);
CT_HANDLER(h_import_run);
CT_HANDLER(h_import_delete);

CT_HANDLER(h_report_add);
CT_HANDLER(h_report_status);
CT_HANDLER(h_report_download);
CT_HANDLER(h_report_cleanup);
CT_HANDLER(h_report_active);

CT_HANDLER(h_report_schedule_list);
CT_HANDLER(h_report_schedule_add);
CT_HANDLER(h_report_schedule_get);
CT_HANDLER(h_report_schedule_patch);
CT_HANDLER(h_report_schedule_delete);

CT_HANDLER(h_admin_account_list);
CT_HANDLER(h_admin_account_get);
CT_HANDLER(h_admin_account_disable);
CT_HANDLER(h_admin_account_enable);
CT_HANDLER(h_admin_session_end);
CT_HANDLER(h_admin_cleanup);
CT_HANDLER(h_admin_audit);

CT_HANDLER(h_admin_job_list);
CT_HANDLER(h_admin_job_get);
CT_HANDLER(h_admin_job_cancel);
CT_HANDLER(h_admin_job_retry);
CT_HANDLER(h_admin_job_purge);
CT_HANDLER(h_admin_dead_retry);
CT_HANDLER(h_admin_dead_purge);
CT_HANDLER(h_admin_queue_list);
CT_HANDLER(h_admin_queue_pause);
CT_HANDLER(h_admin_queue_resume);
CT_HANDLER(h_admin_node_list);
CT_HANDLER(h_admin_node_drain);
CT_HANDLER(h_admin_job_doctor);

#endif
