/* THE route table. A new route is a new row. */
#include "db/account.h"
#include "db/api_token.h"
#include "db/feeding.h"
#include "db/medication.h"
#include "fcgi/handlers.h"
#include "fcgi/route.h"

/* method, path, who, class, handler, summary, then what it has besides */
#define ROUTE(m, path, w, c, fn, text, ...)                                    \
	{                                                                      \
		.method = CT_##m, .pattern = path, .who = CT_W_##w,            \
		.class = CT_C_##c, .handler = fn, .summary = text, __VA_ARGS__ \
	}

#define A "/api/auth"
#define F "/api/feeding"
#define M "/api/medication_log"
#define T "/api/tracker"
#define R "/api/report"
#define X "/api/admin"

const struct ct_route ct_routes[] = {
    ROUTE(GET, T "/today", READ, READ, h_today,
	"today's target, what was given and what is left", .tag = "today",
	.query = &ct_cat_query, .out = "200 Tracker"),
    ROUTE(POST, F, LOG, LOG, h_feeding_add, "log a meal", .flags = CT_R_IDEM,
	.body = &ct_feeding_fields, .kind = &ct_feeding_kind),
    ROUTE(GET, F, READ, READ, h_feeding_list, "meals, newest first",
	.tag = "feeding", .query = &ct_list_query, .kind = &ct_feeding_kind),
    ROUTE(GET, F "/{id}", READ, READ, h_feeding_get, "one meal",
	.kind = &ct_feeding_kind),
    ROUTE(PATCH, F "/{id}", LOG, LOG, h_feeding_patch, "change a meal",
	.body = &ct_feeding_fields, .kind = &ct_feeding_kind),
    ROUTE(DELETE, F "/{id}", LOG, LOG, h_feeding_delete,
	"delete a meal; it can be restored", .body = &ct_entry_version_in,
	.kind = &ct_feeding_kind),
    ROUTE(POST, F "/{id}/restore", LOG, LOG, h_feeding_restore, "undo a delete",
	.kind = &ct_feeding_kind),

    ROUTE(POST, M, LOG, LOG, h_medication_add, "log a dose", .flags = CT_R_IDEM,
	.body = &ct_medication_fields, .kind = &ct_medication_kind),
    ROUTE(GET, M, READ, READ, h_medication_list,
	"doses, newest first; without page a bare array of the last 100",
	.tag = "medication", .query = &ct_list_query,
	.out = "200 [Medication]|MedicationPage", .kind = &ct_medication_kind),
    ROUTE(GET, M "/{id}", READ, READ, h_medication_get, "one dose",
	.kind = &ct_medication_kind),
    ROUTE(PATCH, M "/{id}", LOG, LOG, h_medication_patch, "change a dose",
	.body = &ct_medication_fields, .kind = &ct_medication_kind),
    ROUTE(DELETE, M "/{id}", LOG, LOG, h_medication_delete,
	"delete a dose; it can be restored", .body = &ct_entry_version_in,
	.kind = &ct_medication_kind),
    ROUTE(POST, M "/{id}/restore", LOG, LOG, h_medication_restore,
	"undo a delete", .kind = &ct_medication_kind),

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

    ROUTE(GET, R "/active", READ, READ, h_report_active,
	"reports that are being made", .out = "200 Reports"),
    ROUTE(GET, R "/status/{id}", READ, READ, h_report_status,
	"how far a report is", .out = "200 Report"),
    ROUTE(GET, R "/download/{id}", READ, READ, h_report_download,
	"the file, as often as wanted until it expires",
	.out = "200 text/csv application/json 206 text/csv application/json "
	       "409 412 416"),
    ROUTE(DELETE, R "/cleanup/{id}", LOG, LOG, h_report_cleanup,
	"forget a report and its file", .out = "200 Message"),
    ROUTE(POST, R "/{word}", READ, REPORT, h_report_add,
	"ask for a report: feeding, medication or combined", .flags = CT_R_IDEM,
	.body = &ct_report_in, .out = "202 ReportStarted"),

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
	.body = &ct_password_confirm_in, .out = "200 Message"),
    ROUTE(POST, A "/cleanup-inactive", ADMIN, LOG, h_cleanup_inactive,
	"deactivate after 60 days, delete after 120", .out = "200 CleanupDone"),

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
