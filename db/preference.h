/* How the app looks and what it tells: one row per account, or the defaults. */
#ifndef CT_DB_PREFERENCE_H
#define CT_DB_PREFERENCE_H

#include "db/pg.h"

struct ct_preference {
	struct ct_str language; /* en, de */
	struct ct_str units;	/* ml, oz: how volumes are shown; the API
				   always speaks mL */
	struct ct_str theme;	/* system, light, dark */
	bool notify_reminders, notify_alerts, notify_reports;
};
extern const struct ct_fields ct_preference_fields;
extern const struct ct_stmt *const ct_preference_stmts[];

/* The defaults where nothing was set. CT_NOTFOUND: the account is gone. */
enum ct_rc ct_preference_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_preference *out,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_preference_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_preference *p,
    struct ct_err *err) CT_MUSTCHECK;

#endif
