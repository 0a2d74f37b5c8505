/* Preferences; see preference.h. */
#include "db/preference.h"

static const char *const languages[] = {"en", "de", NULL};
static const char *const units[] = {"ml", "oz", NULL};
static const char *const themes[] = {"system", "light", "dark", NULL};

#define AT(m) offsetof(struct ct_preference, m)
static const struct ct_field fields[] = {
    {"language", CT_T_ENUM, AT(language), 0, 0, 0, NULL, languages, NULL,
	"of the app and of mails"},
    {"units", CT_T_ENUM, AT(units), 0, 0, 0, "volume_unit", units, NULL,
	"how the app shows volumes"},
    {"theme", CT_T_ENUM, AT(theme), 0, 0, 0, NULL, themes, NULL,
	"colours of the app"},
    {"notify_reminders", CT_T_BOOL, AT(notify_reminders), 0, 0, 0, NULL, NULL,
	NULL, "tell what is due"},
    {"notify_alerts", CT_T_BOOL, AT(notify_alerts), 0, 0, 0, NULL, NULL, NULL,
	"tell what looks wrong"},
    {"notify_reports", CT_T_BOOL, AT(notify_reports), 0, 0, 0, NULL, NULL, NULL,
	"tell when a report is ready"},
};
const struct ct_fields ct_preference_fields =
    CT_FIELDS("preference", struct ct_preference, fields);

static const struct ct_stmt get = {"preference_get", CT_OWNED, CT_READ, "u",
    &ct_preference_fields,
    "select coalesce(p.language, 'en') as language,"
    " coalesce(p.volume_unit, 'ml') as volume_unit,"
    " coalesce(p.theme, 'system') as theme,"
    " coalesce(p.notify_reminders, true) as notify_reminders,"
    " coalesce(p.notify_alerts, true) as notify_alerts,"
    " coalesce(p.notify_reports, false) as notify_reports from account a"
    " left join account_preference p on p.account_id = a.id"
    " where a.id = $1"};
static const struct ct_stmt set = {"preference_set", CT_OWNED, CT_WRITE,
    "utttbbb", NULL,
    "insert into account_preference (account_id, language, volume_unit, theme,"
    " notify_reminders, notify_alerts, notify_reports)"
    " select a.id, $2, $3, $4, $5, $6, $7 from account a where a.id = $1"
    " on conflict (account_id) do update set language = excluded.language,"
    " volume_unit = excluded.volume_unit, theme = excluded.theme,"
    " notify_reminders = excluded.notify_reminders,"
    " notify_alerts = excluded.notify_alerts,"
    " notify_reports = excluded.notify_reports, updated_at = now()"};

const struct ct_stmt *const ct_preference_stmts[] = {&get, &set, NULL};

enum ct_rc
ct_preference_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_preference *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such account.");
	ct_res_get(r, 0, &ct_preference_fields, out);
	return CT_OK;
}

enum ct_rc
ct_preference_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_preference *v,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	for (size_t i = 0; i < ct_preference_fields.n; i++)
		ct_p_field(&p, &ct_preference_fields.f[i], v);
	return ct_pg_run(pg, &set, &p, a, NULL, err);
}
