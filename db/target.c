/* Daily targets; see target.h. */
#include "db/target.h"

#include "db/entry.h"
#include "db/tracker.h"

#define AT(m) offsetof(struct ct_target, m)
#define OUT   CT_F_READONLY

static const struct ct_field fields[] = {
    {"effective_from", CT_T_DAY, AT(from_day), OUT, 0, 0, NULL, NULL, NULL,
	"first care day for which it holds"},
    {"daily_target_ml", CT_T_VOLUME, AT(amount_ul), OUT, 0, 0, "amount_ul",
	NULL, "mL", "what the cat is to get on a day"},
    {"by_account", CT_T_UUID, AT(by_account), OUT | CT_F_NULLABLE, 0, 0, NULL,
	NULL, NULL, "who set it"},
    {"by_name", CT_T_TEXT, AT(by_name), OUT, 0, 0, NULL, NULL, NULL,
	"first name of who set it"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was set"},
};
const struct ct_fields ct_target_fields =
    CT_FIELDS("target", struct ct_target, fields);

#define COLS                                                                   \
	"t.effective_from, t.amount_ul, t.by_account,"                         \
	" coalesce(b.first_name, '') as by_name, t.created_at"

static const struct ct_stmt list = {"target_list", CT_OWNED, CT_READ, "uui",
    &ct_target_fields,
    "select " COLS " from daily_target t join cat_member m"
    " on m.cat_id = t.cat_id and m.account_id = $1"
    " left join account b on b.id = t.by_account where t.cat_id = $2"
    " order by t.effective_from desc limit $3"};

/* account, cat, amount, day, most days ahead */
static const struct ct_stmt set = {"target_set", CT_OWNED, CT_WRITE, "uuidi",
    &ct_target_fields,
    "with c as (select c.id, coalesce($4, today.day) as day"
    " from cat c join cat_member m on m.cat_id = c.id"
    " and m.account_id = $1 and m.role >= 3 cross join lateral"
    " (select ct_care_day(now(), c.timezone, c.day_start) as day"
    " offset 0) today where c.id = $2 and ($4 is null"
    " or $4 between today.day and today.day + $5::int)),"
    " old as (select t.* from daily_target t, c where t.cat_id = c.id"
    " and t.effective_from = c.day),"
    " log as (insert into audit_event (account_id, cat_id, action, noun,"
    " before) select $1, cat_id, 'change', 'target', to_jsonb(old)"
    " from old),"
    " t as (insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account) select c.id, c.day, $3, $1 from c"
    " on conflict (cat_id, effective_from) do update set"
    " amount_ul = excluded.amount_ul, by_account = excluded.by_account,"
    " created_at = now() returning *)"
    " select " COLS " from t left join account b on b.id = t.by_account"};

const struct ct_stmt *const ct_target_stmts[] = {&list, &set, NULL};

enum ct_rc
ct_target_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_target **out, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	int64_t role;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_i64(&p, CT_TARGETS_SHOWN);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_target_fields, a, n);
	return *n > 0 ? CT_OK : ct_cat_role(pg, a, account, cat, &role, err);
}

enum ct_rc
ct_target_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t amount_ul,
    int32_t from_day, struct ct_target *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	int64_t role;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_i64(&p, amount_ul);
	ct_p_day(&p, from_day);
	ct_p_i64(&p, CT_TARGET_AHEAD_DAYS);
	if (ct_pg_run(pg, &set, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0) {
		ct_res_get(r, 0, &ct_target_fields, out);
		return CT_OK;
	}
	if (ct_cat_role(pg, a, account, cat, &role, err) != CT_OK)
		return err->rc;
	if (role < CT_CAREGIVER)
		return ct_cat_refused(pg, a, account, cat, err);
	return ct_fail_field(err, "effective_from",
	    "must be today in the cat's zone or at most %d days ahead",
	    CT_TARGET_AHEAD_DAYS);
}
