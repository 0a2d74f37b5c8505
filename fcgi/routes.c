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

const struct ct_route ct_routes[] = {
    ROUTE(GET, T "/today", READ, READ, h_today,
	"today's target, what was given and what is left", .tag = "today",
	.query = &ct_cat_query),
    ROUTE(POST, F, LOG, LOG, h_feeding_add, "log a meal", .flags = CT_R_IDEM,
	.body = &ct_feeding_fields),
    ROUTE(GET, F, READ, READ, h_feeding_list, "meals, newest first",
	.tag = "feeding", .query = &ct_list_query),
    ROUTE(GET, F "/{id}", READ, READ, h_feeding_get, "one meal"),
    ROUTE(PATCH, F "/{id}", LOG, LOG, h_feeding_patch, "change a meal",
	.body = &ct_feeding_fields),
    ROUTE(DELETE, F "/{id}", LOG, LOG, h_feeding_delete,
	"delete a meal; it can be restored", .body = &ct_entry_version_in),
    ROUTE(
	POST, F "/{id}/restore", LOG, LOG, h_feeding_restore, "undo a delete"),

    ROUTE(POST, M, LOG, LOG, h_medication_add, "log a dose", .flags = CT_R_IDEM,
	.body = &ct_medication_fields),
    ROUTE(GET, M, READ, READ, h_medication_list,
	"doses, newest first; without page a bare array of the last 100",
	.tag = "medication", .query = &ct_list_query),
    ROUTE(GET, M "/{id}", READ, READ, h_medication_get, "one dose"),
    ROUTE(PATCH, M "/{id}", LOG, LOG, h_medication_patch, "change a dose",
	.body = &ct_medication_fields),
    ROUTE(DELETE, M "/{id}", LOG, LOG, h_medication_delete,
	"delete a dose; it can be restored", .body = &ct_entry_version_in),
    ROUTE(POST, M "/{id}/restore", LOG, LOG, h_medication_restore,
	"undo a delete"),

    ROUTE(POST, T "/today", FULL, LOG, h_set_target,
	"set the target from today on", .flags = CT_R_IDEM,
	.body = &ct_target_in),
    ROUTE(POST, T "/add-feeding", LOG, LOG, h_tracker_add_feeding,
	"log a meal, as the original's tracker had it", .flags = CT_R_IDEM,
	.body = &ct_feeding_fields),
    ROUTE(POST, T "/reset", FULL, LOG, h_reset,
	"delete today's meals; they can be restored", .flags = CT_R_IDEM,
	.body = &ct_target_in),
    ROUTE(GET, T "/history", READ, READ, h_history,
	"the last days, those without meals included", .query = &ct_days_query),
    ROUTE(GET, T "/stats", READ, READ, h_stats, "averages over the last days",
	.tag = "stats", .query = &ct_days_query),
    ROUTE(DELETE, T "/cleanup-old", ADMIN, LOG, h_cleanup_old,
	"kept for old clients; clinical entries are never removed"),

    ROUTE(GET, R "/active", READ, READ, h_report_active,
	"reports that are being made"),
    ROUTE(GET, R "/status/{id}", READ, READ, h_report_status,
	"how far a report is"),
    ROUTE(GET, R "/download/{id}", READ, READ, h_report_download,
	"the file, as often as wanted until it expires"),
    ROUTE(DELETE, R "/cleanup/{id}", LOG, LOG, h_report_cleanup,
	"forget a report and its file"),
    ROUTE(POST, R "/{word}", READ, REPORT, h_report_add,
	"ask for a report: feeding, medication or combined", .flags = CT_R_IDEM,
	.body = &ct_report_in),

    ROUTE(POST, A "/register", OPEN, AUTH, h_register,
	"make an account and log in", .flags = CT_R_SLOW,
	.body = &ct_account_fields),
    ROUTE(POST, A "/login", OPEN, AUTH, h_login, "log in", .flags = CT_R_SLOW,
	.body = &ct_login_in),
    ROUTE(POST, A "/logout", LOGIN, READ, h_logout, "end this session"),
    ROUTE(GET, A "/me", READ, READ, h_me, "the account"),
    ROUTE(PUT, A "/profile", LOGIN, LOG, h_profile,
	"change names, cat, zone and target", .body = &ct_account_fields),
    ROUTE(GET, A "/token", LOGIN, READ, h_api_token_list, "API tokens"),
    ROUTE(POST, A "/token", LOGIN, LOG, h_api_token_add,
	"make an API token; its text is shown once",
	.body = &ct_api_token_fields),
    ROUTE(DELETE, A "/token/{id}", LOGIN, LOG, h_api_token_revoke,
	"revoke an API token"),
    ROUTE(POST, A "/change-password", LOGIN, AUTH, h_change_password,
	"new password; ends all other sessions", .flags = CT_R_SLOW,
	.body = &ct_password_change_in),
    ROUTE(POST, A "/deactivate", LOGIN, AUTH, h_deactivate,
	"close the account, keep its data", .flags = CT_R_SLOW,
	.body = &ct_password_confirm_in),
    ROUTE(POST, A "/delete", LOGIN, AUTH, h_delete_account,
	"delete the account and its data", .flags = CT_R_SLOW,
	.body = &ct_password_confirm_in),
    ROUTE(GET, A "/session", LOGIN, READ, h_session_list,
	"the account's sessions"),
    ROUTE(DELETE, A "/session", LOGIN, LOG, h_session_end_others,
	"end all sessions but this one"),
    ROUTE(DELETE, A "/session/{id}", LOGIN, LOG, h_session_end,
	"end one session"),
    ROUTE(GET, A "/totp", LOGIN, READ, h_totp_get,
	"whether log-in asks for a one-time code"),
    ROUTE(POST, A "/totp", LOGIN, AUTH, h_totp_begin,
	"begin with one-time codes: the secret, also as a QR code",
	.flags = CT_R_SLOW, .body = &ct_totp_begin_in),
    ROUTE(POST, A "/totp/confirm", LOGIN, AUTH, h_totp_confirm,
	"switch them on with a first code; ten recovery codes, shown once",
	.body = &ct_totp_confirm_in),
    ROUTE(POST, A "/totp/disable", LOGIN, AUTH, h_totp_disable,
	"switch them off", .flags = CT_R_SLOW, .body = &ct_totp_disable_in),
    ROUTE(POST, A "/cleanup-inactive", ADMIN, LOG, h_cleanup_inactive,
	"deactivate after 60 days, delete after 120"),

    ROUTE(GET, "/", OPEN, NONE, h_root, "name and version", .flags = CT_R_LOOP),
    ROUTE(GET, "/api", OPEN, NONE, h_index, "the nouns", .flags = CT_R_LOOP),
    ROUTE(GET, "/health", OPEN, NONE, h_health,
	"200 or 503 with each part's state"),
    ROUTE(GET, "/health/ready", OPEN, NONE, h_health,
	"the same, for load balancers"),
    ROUTE(GET, "/health/live", OPEN, NONE, h_live, "the process answers",
	.flags = CT_R_LOOP),
    ROUTE(GET, "/metrics", LOCAL, NONE, h_metrics,
	"Prometheus text of all processes of this host", .flags = CT_R_LOOP),
};
const size_t ct_routes_n = ct_countof(ct_routes);
_Static_assert(ct_countof(ct_routes) <= CT_ROUTES_MAX, "raise CT_ROUTES_MAX");
