/* THE route table. A new route is a new row. */
#include "fcgi/handlers.h"
#include "fcgi/route.h"

#define OPEN   CT_A_OPEN
#define MINE   CT_A_SESSION
#define ADMIN  CT_A_ADMIN
#define LOCAL  CT_A_LOCAL
#define NONE   CT_C_NONE
#define READ   CT_C_READ
#define LOG    CT_C_LOG
#define REPORT CT_C_REPORT
#define AUTH   CT_C_AUTH
#define LOOP   CT_R_LOOP
#define SLOW   CT_R_SLOW
#define IDEM   CT_R_IDEM

#define A "/api/auth"
#define F "/api/feeding"
#define M "/api/medication_log"
#define T "/api/tracker"
#define R "/api/report"

const struct ct_route ct_routes[] = {
    {CT_GET, T "/today", MINE, READ, 0, "today", h_today,
	"today's target, what was given and what is left"},
    {CT_POST, F, MINE, LOG, IDEM, "", h_feeding_add, "log a meal"},
    {CT_GET, F, MINE, READ, 0, "", h_feeding_list, "meals, newest first"},
    {CT_GET, F "/{id}", MINE, READ, 0, "", h_feeding_get, "one meal"},
    {CT_PATCH, F "/{id}", MINE, LOG, 0, "", h_feeding_patch, "change a meal"},
    {CT_DELETE, F "/{id}", MINE, LOG, 0, "", h_feeding_delete,
	"delete a meal; it can be restored"},
    {CT_POST, F "/{id}/restore", MINE, LOG, 0, "", h_feeding_restore,
	"undo a delete"},

    {CT_POST, M, MINE, LOG, IDEM, "", h_medication_add, "log a dose"},
    {CT_GET, M, MINE, READ, 0, "", h_medication_list,
	"doses, newest first; without page a bare array of the last 100"},
    {CT_GET, M "/{id}", MINE, READ, 0, "", h_medication_get, "one dose"},
    {CT_PATCH, M "/{id}", MINE, LOG, 0, "", h_medication_patch,
	"change a dose"},
    {CT_DELETE, M "/{id}", MINE, LOG, 0, "", h_medication_delete,
	"delete a dose; it can be restored"},
    {CT_POST, M "/{id}/restore", MINE, LOG, 0, "", h_medication_restore,
	"undo a delete"},

    {CT_POST, T "/today", MINE, LOG, IDEM, "", h_set_target,
	"set the target from today on"},
    {CT_POST, T "/add-feeding", MINE, LOG, IDEM, "", h_tracker_add_feeding,
	"log a meal, as the original's tracker had it"},
    {CT_POST, T "/reset", MINE, LOG, IDEM, "", h_reset,
	"delete today's meals; they can be restored"},
    {CT_GET, T "/history", MINE, READ, 0, "", h_history,
	"the last days, those without meals included"},
    {CT_GET, T "/stats", MINE, READ, 0, "", h_stats,
	"averages over the last days"},
    {CT_DELETE, T "/cleanup-old", ADMIN, LOG, 0, "", h_cleanup_old,
	"kept for old clients; clinical entries are never removed"},

    {CT_GET, R "/active", MINE, READ, 0, "", h_report_active,
	"reports that are being made"},
    {CT_GET, R "/status/{id}", MINE, READ, 0, "", h_report_status,
	"how far a report is"},
    {CT_GET, R "/download/{id}", MINE, READ, 0, "", h_report_download,
	"the file, as often as wanted until it expires"},
    {CT_DELETE, R "/cleanup/{id}", MINE, LOG, 0, "", h_report_cleanup,
	"forget a report and its file"},
    {CT_POST, R "/{word}", MINE, REPORT, IDEM, "", h_report_add,
	"ask for a report: feeding, medication or combined"},

    {CT_POST, A "/register", OPEN, AUTH, SLOW, "", h_register,
	"make an account and log in"},
    {CT_POST, A "/login", OPEN, AUTH, SLOW, "", h_login, "log in"},
    {CT_POST, A "/logout", MINE, READ, 0, "", h_logout, "end this session"},
    {CT_GET, A "/me", MINE, READ, 0, "", h_me, "the account"},
    {CT_PUT, A "/profile", MINE, LOG, 0, "", h_profile,
	"change names, cat, zone and target"},
    {CT_POST, A "/change-password", MINE, AUTH, SLOW, "", h_change_password,
	"new password; ends all other sessions"},
    {CT_POST, A "/deactivate", MINE, AUTH, SLOW, "", h_deactivate,
	"close the account, keep its data"},
    {CT_POST, A "/delete", MINE, AUTH, SLOW, "", h_delete_account,
	"delete the account and its data"},
    {CT_POST, A "/cleanup-inactive", ADMIN, LOG, 0, "", h_cleanup_inactive,
	"deactivate after 60 days, delete after 120"},

    {CT_GET, "/", OPEN, NONE, LOOP, "", h_root, "name and version"},
    {CT_GET, "/api", OPEN, NONE, LOOP, "", h_index, "the nouns"},
    {CT_GET, "/health", OPEN, NONE, 0, "", h_health,
	"200 or 503 with each part's state"},
    {CT_GET, "/health/ready", OPEN, NONE, 0, "", h_health,
	"the same, for load balancers"},
    {CT_GET, "/health/live", OPEN, NONE, LOOP, "", h_live,
	"the process answers"},
    {CT_GET, "/metrics", LOCAL, NONE, LOOP, "", h_metrics,
	"Prometheus text of all processes of this host"},
};
const size_t ct_routes_n = ct_countof(ct_routes);
_Static_assert(ct_countof(ct_routes) <= CT_ROUTES_MAX, "raise CT_ROUTES_MAX");
