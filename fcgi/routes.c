/* THE route table. A new route is a new row. */
#include "db/account.h"
#include "db/api_token.h"
#include "db/cat.h"
#include "db/feeding.h"
#include "db/medication.h"
#include "db/observation.h"
#include "db/preference.h"
#include "db/tube_check.h"
#include "db/water.h"
#include "db/weight.h"
#include "fcgi/handlers.h"
#include "fcgi/route.h"

/* method, path, who, class, handler, summary, then what it has besides */
#define ROUTE(m, path, w, c, fn, text, ...)                                    \
	{                                                                      \
		.method = CT_##m, .pattern = path, .who = CT_W_##w,            \
		.class = CT_C_##c, .handler = fn, .summary = text, __VA_ARGS__ \
	}

/* The life of an entry kind: ct_<noun>_kind, its fields and its parameters;
 * then what its list has besides. */
#define ENTRY(path, noun, add, one, many, ...)                                 \
	ROUTE(POST, path, LOG, LOG, add, "log " one, .flags = CT_R_IDEM,       \
	    .body = &ct_##noun##_fields, .kind = &ct_##noun##_kind),           \
	    ROUTE(GET, path, READ, READ, h_entry_list, "list of " many,        \
		.tag = #noun, .query = &ct_##noun##_query,                     \
		.kind = &ct_##noun##_kind, __VA_ARGS__),                       \
	    ROUTE(GET, path "/{id}", READ, READ, h_entry_get, one,             \
		.kind = &ct_##noun##_kind),                                    \
	    ROUTE(PATCH, path "/{id}", LOG, LOG, h_entry_patch, "change " one, \
		.body = &ct_##noun##_fields, .kind = &ct_##noun##_kind),       \
	    ROUTE(DELETE, path "/{id}", LOG, LOG, h_entry_delete,              \
		"delete " one "; it can be restored",                          \
		.body = &ct_entry_version_in, .kind = &ct_##noun##_kind),      \
	    ROUTE(POST, path "/{id}/restore", LOG, LOG, h_entry_restore,       \
		"undo a delete", .kind = &ct_##noun##_kind),                   \
	    ROUTE(GET, path "/{id}/history", READ, READ, h_entry_history,      \
		"what was changed, newest first, with the values before",      \
		.query = &ct_page_query, .out = "200 Events",                  \
		.kind = &ct_##noun##_kind)

#define A "/api/auth"
#define T "/api/tracker"
#define R "/api/report"
#define X "/api/admin"
#define C "/api/cat"

const struct ct_route ct_routes[] = {
    ROUTE(GET, T "/today", READ, READ, h_today,
	"today's target, what was given and what is left", .tag = "today",
	.query = &ct_cat_query, .out = "200 Tracker"),
    ENTRY("/api/feeding", feeding, h_feeding_add, "a meal", "meals"),
    ENTRY("/api/medication_log", medication, h_entry_add, "a dose",
	"doses, without page a bare array of the last 100",
	.out = "200 [Medication]|MedicationPage"),
    ENTRY("/api/weight", weight, h_entry_add, "a weight", "weights"),
    ENTRY("/api/observation", observation, h_entry_add, "an observation",
	"observations"),
    ENTRY("/api/water", water, h_entry_add, "extra water", "extra water"),
    ENTRY("/api/tube_check", tube_check, h_entry_add, "a look at the tube",
	"looks at the tube"),
    ROUTE(GET, "/api/cat/{id}/audit", READ, READ, h_cat_audit,
	"who changed or deleted what of the cat, newest first",
	.flags = CT_R_CAT, .query = &ct_page_query, .out = "200 Events"),
    ROUTE(GET, "/api/cat/{id}/state", READ, READ, h_state,
	"today, last meal, dose and weight in one cheap call",
	.flags = CT_R_CAT, .tag = "state", .out = "200 State"),
    ROUTE(GET, "/api/cat/{id}/timeline", READ, READ, h_timeline,
	"entries of all kinds, newest first", .flags = CT_R_CAT,
	.tag = "timeline", .query = &ct_timeline_query, .out = "200 Timeline"),
    ROUTE(GET, "/api/cat/{id}/handover", READ, READ, h_handover,
	"what happened since you were last there", .flags = CT_R_CAT,
	.query = &ct_handover_query, .out = "200 Handover"),

    ROUTE(POST, T "/today", FULL, LOG, h_set_target,
	"set the target from today on", .flags = CT_R_IDEM,
	.body = &ct_target_in, .out = "200 TrackerDone"),
    ROUTE(POST, T "/add-feeding", LOG, LOG, h_tracker_add_feeding,
	"log a meal, as the original's tracker had it", .flags = CT_R_IDEM,
	.body = &ct_feeding_fields, .out = "201 FeedingAdded"),
    ROUTE(POST, T "/reset", FULL, LOG, h_reset,
	"delete today's meals; they can be restored", .flags = CT_R_IDEM,
	.body = &ct_reset_in, .out = "200 TrackerDone"),
    ROUTE(GET, T "/history", READ, READ, h_history,
	"the last days, those without meals included", .query = &ct_days_query,
	.out = "200 History"),
    ROUTE(GET, T "/stats", READ, READ, h_stats, "averages over the last days",
	.tag = "stats", .query = &ct_days_query, .out = "200 Stats"),
    ROUTE(DELETE, T "/cleanup-old", ADMIN, LOG, h_cleanup_old,
	"kept for old clients; clinical entries are never removed",
	.out = "200 CleanupOld"),

    ROUTE(GET, C, READ, READ, h_cat_list, "the account's cats",
	.out = "200 Cats"),
    ROUTE(POST, C, FULL, LOG, h_cat_add, "add a cat; you become its owner",
	.flags = CT_R_IDEM, .body = &ct_cat_fields, .out = "201 CatDone 409"),
    ROUTE(GET, C "/{id}", READ, READ, h_cat_get, "one cat's profile",
	.flags = CT_R_CAT, .out = "200 Cat"),
    ROUTE(PATCH, C "/{id}", FULL, LOG, h_cat_patch,
	"change the profile; zone and start of day hold from now on",
	.flags = CT_R_CAT, .body = &ct_cat_fields, .out = "200 CatDone 409"),
    ROUTE(DELETE, C "/{id}", LOGIN, LOG, h_cat_delete,
	"delete a cat with all that was logged, for ever", .flags = CT_R_CAT,
	.body = &ct_cat_delete_in, .out = "200 Message"),
    ROUTE(PUT, C "/{id}/default", LOGIN, LOG, h_cat_default,
	"the cat that is meant where a request names none", .flags = CT_R_CAT,
	.out = "200 Message"),
    ROUTE(GET, C "/{id}/target", READ, READ, h_target_list,
	"daily targets, newest first", .flags = CT_R_CAT, .out = "200 Targets"),
    ROUTE(PUT, C "/{id}/target", FULL, LOG, h_target_put,
	"set the daily target from a day on", .flags = CT_R_CAT,
	.body = &ct_target_put_in, .out = "200 TargetDone"),
    ROUTE(GET, C "/{id}/member", READ, READ, h_member_list,
	"who takes care of the cat", .flags = CT_R_CAT, .out = "200 Members"),
    ROUTE(PATCH, C "/{id}/member/{sub}", LOGIN, LOG, h_member_role,
	"change a member's role", .flags = CT_R_CAT, .body = &ct_member_in,
	.out = "200 Message 409"),
    ROUTE(DELETE, C "/{id}/member/{sub}", LOGIN, LOG, h_member_remove,
	"remove a member, or leave", .flags = CT_R_CAT,
	.out = "200 Message 409"),
    ROUTE(POST, C "/{id}/transfer", LOGIN, LOG, h_member_transfer,
	"make another member the owner in your place", .flags = CT_R_CAT,
	.body = &ct_transfer_in, .out = "200 Message 409"),
    ROUTE(POST, C "/{id}/invite", LOGIN, LOG, h_invite_add,
	"invite somebody; the link is shown once", .flags = CT_R_CAT,
	.body = &ct_invite_in, .out = "201 InviteMade 409"),
    ROUTE(GET, C "/{id}/invite", LOGIN, READ, h_invite_list, "open invitations",
	.flags = CT_R_CAT, .out = "200 Invites"),
    ROUTE(DELETE, C "/{id}/invite/{sub}", LOGIN, LOG, h_invite_remove,
	"withdraw an invitation", .flags = CT_R_CAT, .out = "200 Message"),
    ROUTE(POST, "/api/invite/peek", LOGIN, LOG, h_invite_peek,
	"what an invitation offers", .body = &ct_mail_token_in,
	.out = "200 Invite 403 404"),
    ROUTE(POST, "/api/invite/accept", LOGIN, LOG, h_invite_accept,
	"accept an invitation", .body = &ct_mail_token_in,
	.out = "200 CatDone 403 404 409"),

    ROUTE(GET, R "/active", READ, READ, h_report_active,
	"reports that are being made", .out = "200 Reports"),
    ROUTE(GET, R "/status/{id}", READ, READ, h_report_status,
	"how far a report is", .out = "200 Report"),
    ROUTE(GET, R "/download/{id}", READ, READ, h_report_download,
	"the file, as often as wanted until it expires",
	.out = "200 text/csv application/json application/zip "
	       "206 text/csv application/json application/zip "
	       "409 412 416"),
    ROUTE(DELETE, R "/cleanup/{id}", LOG, LOG, h_report_cleanup,
	"forget a report and its file", .out = "200 Message"),
    ROUTE(POST, R "/{word}", READ, REPORT, h_report_add,
	"ask for a report: feeding, medication or combined", .flags = CT_R_IDEM,
	.body = &ct_report_in, .out = "202 ReportStarted"),

    ROUTE(POST, A "/export", LOGIN, REPORT, h_export,
	"ask for an archive of all that the account has; a report",
	.flags = CT_R_IDEM, .out = "202 ReportStarted 409"),
    ROUTE(POST, "/api/import", FULL, REPORT, h_import_add,
	"send in an archive; it is looked at first", .flags = CT_R_UPLOAD,
	.out = "202 ImportStarted 409"),
    ROUTE(GET, "/api/import", FULL, READ, h_import_list,
	"archives that were sent in, newest first", .out = "200 Imports"),
    ROUTE(GET, "/api/import/{id}", FULL, READ, h_import_get,
	"what is in it, or what came of it", .out = "200 Import"),
    ROUTE(POST, "/api/import/{id}/run", FULL, REPORT, h_import_run,
	"import it; what is there already is left alone",
	.out = "202 ImportStarted 409"),
    ROUTE(DELETE, "/api/import/{id}", FULL, LOG, h_import_delete,
	"forget an archive; what it brought in stays", .out = "200 Message"),

    ROUTE(POST, A "/register", OPEN, AUTH, h_register,
	"make an account and log in", .flags = CT_R_SLOW,
	.body = &ct_account_fields, .out = "201 UserDone 409"),
    ROUTE(POST, A "/login", OPEN, AUTH, h_login, "log in", .flags = CT_R_SLOW,
	.body = &ct_login_in, .out = "200 UserDone 401"),
    ROUTE(POST, A "/logout", LOGIN, READ, h_logout, "end this session",
	.out = "200 Message"),
    ROUTE(GET, A "/me", READ, READ, h_me, "the account", .out = "200 Me"),
    ROUTE(PUT, A "/profile", LOGIN, LOG, h_profile,
	"change names, cat, zone and target", .body = &ct_account_fields,
	.out = "200 UserDone"),
    ROUTE(GET, A "/token", LOGIN, READ, h_api_token_list, "API tokens",
	.out = "200 Tokens"),
    ROUTE(POST, A "/token", LOGIN, LOG, h_api_token_add,
	"make an API token; its text is shown once",
	.body = &ct_api_token_fields, .out = "201 TokenMade 409"),
    ROUTE(DELETE, A "/token/{id}", LOGIN, LOG, h_api_token_revoke,
	"revoke an API token", .out = "200 Message"),
    ROUTE(POST, A "/change-password", LOGIN, AUTH, h_change_password,
	"new password; ends all other sessions", .flags = CT_R_SLOW,
	.body = &ct_password_change_in, .out = "200 Message"),
    ROUTE(POST, A "/deactivate", LOGIN, AUTH, h_deactivate,
	"close the account, keep its data", .flags = CT_R_SLOW,
	.body = &ct_password_confirm_in, .out = "200 Message"),
    ROUTE(POST, A "/delete", LOGIN, AUTH, h_delete_account,
	"delete the account and its data", .flags = CT_R_SLOW,
	.body = &ct_account_delete_in, .out = "200 Message 409"),
    ROUTE(GET, A "/session", LOGIN, READ, h_session_list,
	"the account's sessions", .out = "200 Sessions"),
    ROUTE(DELETE, A "/session", LOGIN, LOG, h_session_end_others,
	"end all sessions but this one", .out = "200 SessionsEnded"),
    ROUTE(DELETE, A "/session/{id}", LOGIN, LOG, h_session_end,
	"end one session", .out = "200 Message"),
    ROUTE(GET, A "/totp", LOGIN, READ, h_totp_get,
	"whether log-in asks for a one-time code", .out = "200 Totp"),
    ROUTE(POST, A "/totp", LOGIN, AUTH, h_totp_begin,
	"begin with one-time codes: the secret, also as a QR code",
	.flags = CT_R_SLOW, .body = &ct_totp_begin_in,
	.out = "200 TotpBegun 409"),
    ROUTE(POST, A "/totp/confirm", LOGIN, AUTH, h_totp_confirm,
	"switch them on with a first code; ten recovery codes, shown once",
	.body = &ct_totp_confirm_in, .out = "200 TotpDone 401 409"),
    ROUTE(POST, A "/totp/disable", LOGIN, AUTH, h_totp_disable,
	"switch them off", .flags = CT_R_SLOW, .body = &ct_totp_disable_in,
	.out = "200 Message 401 409"),
    ROUTE(POST, A "/cleanup-inactive", ADMIN, LOG, h_cleanup_inactive,
	"warn unused accounts, close them after 60 days, delete after 120",
	.out = "200 CleanupDone"),
    ROUTE(POST, A "/reactivate", OPEN, AUTH, h_reactivate,
	"open a closed account again and log in", .flags = CT_R_SLOW,
	.body = &ct_login_in, .out = "200 UserDone 401"),
    ROUTE(POST, A "/verify-email", OPEN, AUTH, h_verify_email,
	"confirm the address, by the mailed token", .body = &ct_mail_token_in,
	.out = "200 Message"),
    ROUTE(POST, A "/resend-verification", LOGIN, AUTH, h_resend_verification,
	"another mail to confirm the address", .out = "202 Message 409"),
    ROUTE(POST, A "/forgot-password", OPEN, AUTH, h_forgot_password,
	"a mail with a link for a new password", .body = &ct_password_forgot_in,
	.out = "202 Message"),
    ROUTE(POST, A "/reset-password", OPEN, AUTH, h_reset_password,
	"new password, by the mailed token; ends all sessions",
	.flags = CT_R_SLOW, .body = &ct_password_reset_in,
	.out = "200 Message"),
    ROUTE(POST, A "/change-email", LOGIN, AUTH, h_change_email,
	"ask for another address", .flags = CT_R_SLOW,
	.body = &ct_email_change_in, .out = "202 Message 409"),
    ROUTE(POST, A "/confirm-email", OPEN, AUTH, h_confirm_email,
	"the new address, by the mailed token; ends other sessions",
	.body = &ct_mail_token_in, .out = "200 Message 409"),
    ROUTE(POST, A "/undo-email", OPEN, AUTH, h_undo_email,
	"the old address back, by the mailed token; ends all sessions",
	.body = &ct_mail_token_in, .out = "200 Message 409"),
    ROUTE(GET, A "/preferences", LOGIN, READ, h_preferences, "preferences",
	.out = "200 Preferences"),
    ROUTE(PUT, A "/preferences", LOGIN, LOG, h_set_preferences,
	"change preferences; what is left out stays",
	.body = &ct_preference_fields, .out = "200 Preferences"),
    ROUTE(POST, A "/consent", LOGIN, LOG, h_consent,
	"agree to a version of the privacy text", .body = &ct_consent_in,
	.out = "200 Message"),

    ROUTE(GET, X "/account", ADMIN, READ, h_admin_account_list,
	"accounts by their metadata, newest first",
	.query = &ct_admin_account_query, .out = "200 AdminAccounts"),
    ROUTE(GET, X "/account/{id}", ADMIN, READ, h_admin_account_get,
	"one account's metadata", .out = "200 AdminAccount"),
    ROUTE(POST, X "/account/{id}/disable", ADMIN, LOG, h_admin_account_disable,
	"close an account and end its sessions", .out = "200 AdminDone 409"),
    ROUTE(POST, X "/account/{id}/enable", ADMIN, LOG, h_admin_account_enable,
	"open an account that an admin closed", .out = "200 AdminDone 409"),
    ROUTE(DELETE, X "/account/{id}/session", ADMIN, LOG, h_admin_session_end,
	"end all sessions of an account", .out = "200 AdminDone"),
    ROUTE(POST, X "/cleanup-inactive", ADMIN, LOG, h_admin_cleanup,
	"as /api/auth/cleanup-inactive, and noted in the audit trail",
	.out = "200 CleanupDone"),
    ROUTE(GET, X "/audit", ADMIN, READ, h_admin_audit,
	"what was done to accounts, newest first",
	.query = &ct_admin_audit_query, .out = "200 AdminEvents"),

    ROUTE(GET, "/", OPEN, NONE, h_root, "name and version", .flags = CT_R_LOOP,
	.out = "200 Root"),
    ROUTE(GET, "/api", OPEN, NONE, h_index, "the nouns", .flags = CT_R_LOOP,
	.out = "200 any"),
    ROUTE(GET, "/health", OPEN, NONE, h_health,
	"200 or 503 with each part's state", .out = "200 Health 503 Health"),
    ROUTE(GET, "/health/ready", OPEN, NONE, h_health,
	"the same, for load balancers", .out = "200 Health 503 Health"),
    ROUTE(GET, "/health/live", OPEN, NONE, h_live, "the process answers",
	.flags = CT_R_LOOP, .out = "200 Alive"),
    ROUTE(GET, "/metrics", LOCAL, NONE, h_metrics,
	"Prometheus text of all processes of this host", .flags = CT_R_LOOP,
	.out = "200 text/plain"),
};
const size_t ct_routes_n = ct_countof(ct_routes);
_Static_assert(ct_countof(ct_routes) <= CT_ROUTES_MAX, "raise CT_ROUTES_MAX");
