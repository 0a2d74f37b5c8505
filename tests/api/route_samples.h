/*
 * One sample request for every route, for the walk of test_tenants.c. A route
 * that has no row here fails it.
 *
 * In bodies and queries ' stands for ", and $cat for the cat of the household
 * that the walk is about; $mark is a text that only its members may ever see,
 * $fresh one that never was.
 */
#ifndef CT_TESTS_API_ROUTE_SAMPLES_H
#define CT_TESTS_API_ROUTE_SAMPLES_H

#include <stdbool.h>

#include "tests/support/app.h"

enum role { NOBODY, VIEWER, HELPER, CAREGIVER, OWNER };

enum thing {
	NONE,
	CAT,
	FEEDING,
	MEDICATION,
	WEIGHT,
	OBSERVATION,
	WATER,
	TUBE_CHECK,
	REPORT,
	SCHEDULE,
	SESSION,
	TOKEN,
	ACCOUNT,
	MEMBER,
	INVITE,
	WEBHOOK,
	IMPORT,
	THINGS
};

/* Taken for an archive until the worker has looked at it. */
#define ZIP "PK\003\004 a sample"

/* How the owner gets one; id: where the answer names it. */
static const struct {
	const char *method, *path, *body, *id;
	bool of_cat;	  /* the members of its cat may see it */
	bool own;	  /* nobody but the account that made it */
	const char *type; /* of the body; NULL: JSON */
} things[THINGS] = {
    [CAT] = {NULL, NULL, NULL, NULL, true, false},
    [FEEDING] = {"POST", "/api/feeding",
	"{'amount_ml':5,'notes':'$mark','cat_id':'$cat'}", "data.id", true,
	false},
    [MEDICATION] = {"POST", "/api/medication_log",
	"{'medication_name':'$mark','dosage':'1','amount_ml':1,"
	"'cat_id':'$cat'}",
	"data.id", true, false},
    [WEIGHT] = {"POST", "/api/weight",
	"{'weight_g':4000,'notes':'$mark','cat_id':'$cat'}", "data.id", true,
	false},
    [OBSERVATION] = {"POST", "/api/observation",
	"{'kind':'cough','notes':'$mark','cat_id':'$cat'}", "data.id", true,
	false},
    [WATER] = {"POST", "/api/water",
	"{'amount_ml':5,'notes':'$mark','cat_id':'$cat'}", "data.id", true,
	false},
    [TUBE_CHECK] = {"POST", "/api/tube_check",
	"{'cap_on':true,'notes':'$mark','cat_id':'$cat'}", "data.id", true,
	false},
    [REPORT] = {"POST", "/api/report/feeding",
	"{'format':'csv','cat_id':'$cat'}", "report_id", true, true},
    [SCHEDULE] = {"POST", "/api/report/schedule",
	"{'weekday':'monday','hour':7,'cat_id':'$cat'}", "data.id", true, true},
    [SESSION] = {"GET", "/api/auth/session", NULL, "sessions.0.id", false,
	true},
    [TOKEN] = {"POST", "/api/auth/token", "{'name':'n','scope':'read'}",
	"data.id", false, true},
    [ACCOUNT] = {"POST", "/api/auth/register",
	"{'email':'$fresh@example.test','password':'" CT_T_PASSWORD
	"','first_name':'F'}",
	"user.id", false, false},
    /* The owner comes first. */
    [MEMBER] = {"GET", "/api/cat/$cat/member", NULL, "members.1.account_id",
	true, false},
    [INVITE] = {"POST", "/api/cat/$cat/invite", "{'role':'viewer'}", "id", true,
	false},
    [WEBHOOK] = {"POST", "/api/webhook",
	"{'url':'https://localhost/$mark','cat_id':'$cat'}", "data.id", false,
	true},
    [IMPORT] = {"POST", "/api/import", ZIP, "import_id", false, true,
	"application/zip"},
};

/*
 * A request that is right where the id and the cat are the caller's own.
 * anyone: must be open; the walk refuses any other open route.
 * role: the least on the cat; NOBODY: it is about no cat.
 * ok: the status for whoever may; 0: any 2xx. What would end the account or
 * the session is sent a body that the handler refuses.
 */
struct sample {
	const char *method, *pattern;
	enum thing thing; /* its {id} */
	const char *body;
	bool anyone;
	enum role role;
	int ok;
	const char *query;
	enum thing sub;	  /* its {sub} */
	bool is_deleted;  /* the thing is deleted first */
	const char *type; /* of the body; NULL: JSON */
};

#define IN_CAT "cat_id=$cat"
#define MED    "{'medication_name':'M','dosage':'1','amount_ml':1,'cat_id':'$cat'}"
#define MEAL   "{'amount_ml':1,'cat_id':'$cat'}"

/* Method, pattern, then what it has besides. */
#define ROUTE(m, path, ...)                                                    \
	{                                                                      \
		.method = #m, .pattern = path, __VA_ARGS__                     \
	}
/* The life of an entry. */
#define ENTRY(path, t, new, change)                                            \
	ROUTE(POST, path, .body = (new), .role = HELPER),                      \
	    ROUTE(GET, path, .query = IN_CAT, .role = VIEWER),                 \
	    ROUTE(GET, path "/{id}", .thing = (t), .role = VIEWER),            \
	    ROUTE(GET, path "/{id}/history", .thing = (t), .role = VIEWER),    \
	    ROUTE(PATCH, path "/{id}", .thing = (t), .body = (change),         \
		.role = CAREGIVER),                                            \
	    ROUTE(DELETE, path "/{id}", .thing = (t), .role = CAREGIVER),      \
	    ROUTE(POST, path "/{id}/restore", .thing = (t),                    \
		.is_deleted = true, .role = CAREGIVER)
#define A "/api/auth"
#define F "/api/feeding"
#define M "/api/medication_log"
#define T "/api/tracker"
#define R "/api/report"
#define C "/api/cat"
#define J "/api/admin/job"
#define W "/api/webhook"

static const struct sample samples[] = {
    ROUTE(GET, "/", .anyone = true),
    ROUTE(GET, "/api", .anyone = true),
    ROUTE(GET, "/health", .anyone = true),
    ROUTE(GET, "/health/live", .anyone = true),
    ROUTE(GET, "/health/ready", .anyone = true),
    ROUTE(GET, "/metrics", .anyone = true),

    ROUTE(POST, A "/register", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/login", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/logout", .ok = 200),
    ROUTE(GET, A "/me", .ok = 200),
    ROUTE(PUT, A "/profile", .body = "{'first_name':'B'}"),
    ROUTE(POST, A "/change-password", .body = "{}", .ok = 400),
    ROUTE(POST, A "/deactivate", .body = "{}", .ok = 400),
    ROUTE(POST, A "/delete", .body = "{}", .ok = 400),
    ROUTE(POST, A "/cleanup-inactive", .ok = 200),
    ROUTE(POST, A "/reactivate", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/verify-email", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/resend-verification"),
    ROUTE(POST, A "/forgot-password", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/reset-password", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/change-email", .body = "{}", .ok = 400),
    ROUTE(POST, A "/confirm-email", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(POST, A "/undo-email", .anyone = true, .body = "{}", .ok = 400),
    ROUTE(GET, A "/preferences", .ok = 200),
    ROUTE(PUT, A "/preferences", .body = "{'theme':'dark'}", .ok = 200),
    ROUTE(POST, A "/consent", .body = "{'version':1}", .ok = 200),
    ROUTE(GET, A "/session", .ok = 200),
    ROUTE(DELETE, A "/session/{id}", .thing = SESSION),
    ROUTE(DELETE, A "/session"),
    ROUTE(GET, A "/totp", .ok = 200),
    ROUTE(POST, A "/totp", .body = "{}", .ok = 400),
    ROUTE(POST, A "/totp/confirm", .body = "{}", .ok = 400),
    ROUTE(POST, A "/totp/disable", .body = "{}", .ok = 400),
    ROUTE(GET, A "/token", .ok = 200),
    ROUTE(POST, A "/token", .body = "{'name':'n','scope':'read'}", .ok = 201),
    ROUTE(DELETE, A "/token/{id}", .thing = TOKEN),

    ENTRY(F, FEEDING, MEAL, "{'amount_ml':1}"),
    ENTRY(M, MEDICATION, MED, "{'dosage':'2'}"),
    ENTRY("/api/weight", WEIGHT, "{'weight_g':4100,'cat_id':'$cat'}",
	"{'weight_g':4200}"),
    ENTRY("/api/observation", OBSERVATION, "{'kind':'pain','cat_id':'$cat'}",
	"{'severity':2}"),
    ENTRY("/api/water", WATER, MEAL, "{'way':'drunk'}"),
    ENTRY("/api/tube_check", TUBE_CHECK, "{'smell':false,'cat_id':'$cat'}",
	"{'smell':true}"),
    ROUTE(GET, "/api/cat/{id}/state", .thing = CAT, .role = VIEWER),
    ROUTE(GET, "/api/cat/{id}/timeline", .thing = CAT, .role = VIEWER),
    ROUTE(GET, "/api/cat/{id}/handover", .thing = CAT, .role = VIEWER),
    ROUTE(GET, "/api/cat/{id}/audit", .thing = CAT, .role = VIEWER),

    ROUTE(GET, T "/today", .query = IN_CAT, .role = VIEWER),
    ROUTE(POST, T "/today", .body = "{'daily_target_ml':200,'cat_id':'$cat'}",
	.role = CAREGIVER),
    ROUTE(POST, T "/reset", .body = "{'cat_id':'$cat'}", .role = CAREGIVER),
    ROUTE(GET, T "/history", .query = IN_CAT, .role = VIEWER),
    ROUTE(GET, T "/stats", .query = IN_CAT, .role = VIEWER),
    ROUTE(POST, T "/add-feeding", .body = MEAL, .role = HELPER),
    ROUTE(DELETE, T "/cleanup-old", .ok = 200),

    ROUTE(GET, C, .ok = 200),
    ROUTE(POST, C, .body = "{'name':'another'}", .ok = 201),
    ROUTE(GET, C "/{id}", .thing = CAT, .role = VIEWER),
    ROUTE(PATCH, C "/{id}", .thing = CAT, .body = "{'breed':'B'}",
	.role = CAREGIVER),
    ROUTE(DELETE, C "/{id}", .thing = CAT, .body = "{'name':'not it'}",
	.role = OWNER, .ok = 400),
    ROUTE(PUT, C "/{id}/default", .thing = CAT, .role = VIEWER),
    ROUTE(GET, C "/{id}/target", .thing = CAT, .role = VIEWER),
    ROUTE(PUT, C "/{id}/target", .thing = CAT, .body = "{'daily_target_ml':9}",
	.role = CAREGIVER),
    ROUTE(GET, C "/{id}/member", .thing = CAT, .role = VIEWER),
    ROUTE(PATCH, C "/{id}/member/{sub}", .thing = CAT, .sub = MEMBER,
	.body = "{'role':'caregiver'}", .role = OWNER),
    ROUTE(DELETE, C "/{id}/member/{sub}", .thing = CAT, .sub = ACCOUNT,
	.role = OWNER, .ok = 404),
    ROUTE(POST, C "/{id}/transfer", .thing = CAT,
	.body = "{'account_id':'$cat'}", .role = OWNER, .ok = 404),
    ROUTE(POST, C "/{id}/invite", .thing = CAT, .body = "{'role':'viewer'}",
	.role = OWNER),
    ROUTE(GET, C "/{id}/invite", .thing = CAT, .role = OWNER),
    ROUTE(DELETE, C "/{id}/invite/{sub}", .thing = CAT, .sub = INVITE,
	.role = OWNER),
    ROUTE(POST, "/api/invite/peek", .body = "{'token':'x'}", .ok = 404),
    ROUTE(POST, "/api/invite/accept", .body = "{'token':'x'}", .ok = 404),

    ROUTE(GET, W, .ok = 200),
    ROUTE(POST, W, .body = "{'url':'https://localhost/','cat_id':'$cat'}",
	.role = VIEWER),
    ROUTE(GET, W "/{id}", .thing = WEBHOOK),
    ROUTE(PATCH, W "/{id}", .thing = WEBHOOK, .body = "{'enabled':false}"),
    ROUTE(DELETE, W "/{id}", .thing = WEBHOOK),
    ROUTE(POST, W "/{id}/secret", .thing = WEBHOOK),
    ROUTE(POST, W "/{id}/test", .thing = WEBHOOK),
    ROUTE(GET, W "/{id}/delivery", .thing = WEBHOOK),

    ROUTE(POST, A "/export", .ok = 202),
    ROUTE(
	POST, "/api/import", .body = ZIP, .type = "application/zip", .ok = 202),
    ROUTE(GET, "/api/import", .ok = 200),
    ROUTE(GET, "/api/import/{id}", .thing = IMPORT, .ok = 200),
    ROUTE(POST, "/api/import/{id}/run", .thing = IMPORT, .ok = 202),
    ROUTE(DELETE, "/api/import/{id}", .thing = IMPORT, .ok = 200),

    ROUTE(POST, R "/{word}", .body = "{'format':'csv','cat_id':'$cat'}",
	.role = VIEWER),
    ROUTE(GET, R "/active", .ok = 200),
    ROUTE(GET, R "/status/{id}", .thing = REPORT, .role = VIEWER),
    ROUTE(GET, R "/download/{id}", .thing = REPORT, .role = VIEWER),
    ROUTE(DELETE, R "/cleanup/{id}", .thing = REPORT, .role = VIEWER),

    ROUTE(GET, R "/schedule", .ok = 200),
    ROUTE(POST, R "/schedule",
	.body = "{'weekday':'sunday','hour':0,'cat_id':'$cat'}", .role = VIEWER,
	.ok = 201),
    ROUTE(GET, R "/schedule/{id}", .thing = SCHEDULE, .role = VIEWER),
    ROUTE(PATCH, R "/schedule/{id}", .thing = SCHEDULE,
	.body = "{'enabled':false}", .role = VIEWER),
    ROUTE(DELETE, R "/schedule/{id}", .thing = SCHEDULE, .role = VIEWER),

    ROUTE(GET, "/api/admin/account", .ok = 200),
    ROUTE(GET, "/api/admin/account/{id}", .thing = ACCOUNT),
    ROUTE(POST, "/api/admin/account/{id}/disable", .thing = ACCOUNT),
    ROUTE(POST, "/api/admin/account/{id}/enable", .thing = ACCOUNT, .ok = 409),
    ROUTE(DELETE, "/api/admin/account/{id}/session", .thing = ACCOUNT),
    ROUTE(POST, "/api/admin/cleanup-inactive", .ok = 200),
    ROUTE(GET, "/api/admin/audit", .ok = 200),
    ROUTE(GET, J, .ok = 200),
    ROUTE(GET, J "/{id}", .thing = ACCOUNT, .ok = 404),
    ROUTE(POST, J "/{id}/cancel", .thing = ACCOUNT, .ok = 404),
    ROUTE(POST, J "/{id}/retry", .thing = ACCOUNT, .ok = 404),
    ROUTE(POST, J "/{id}/purge", .thing = ACCOUNT, .ok = 404),
    ROUTE(POST, J "/dead/retry", .body = "{'task':'walk.none'}", .ok = 200),
    ROUTE(POST, J "/dead/purge", .body = "{'task':'walk.none'}", .ok = 200),
    ROUTE(GET, J "/queue", .ok = 200),
    ROUTE(POST, J "/queue/pause", .body = "{'queue':'walk.none'}", .ok = 404),
    ROUTE(POST, J "/queue/resume", .body = "{'queue':'walk.none'}", .ok = 404),
    ROUTE(GET, J "/node", .ok = 200),
    ROUTE(POST, J "/node/drain", .body = "{'node':'walk.none'}", .ok = 404),
    ROUTE(GET, J "/doctor", .ok = 200),
};

#undef ROUTE
#undef ENTRY
#undef A
#undef F
#undef M
#undef T
#undef R
#undef C
#undef J
#undef W

#endif
