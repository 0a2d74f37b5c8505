/* The state of a cat, derived from its entries; see state.h. */
#include "db/state.h"

#include "db/tracker_sql.h"

#define AT(m) offsetof(struct ct_state, m)
#define OUT   CT_F_READONLY
#define NIL   (CT_F_READONLY | CT_F_NULLABLE)

static const struct ct_field fields[] = {
    {"name", CT_T_TEXT, AT(cat_name), OUT, 0, 0, "s_name", NULL, NULL,
	"the cat's name"},
    {"members", CT_T_INT, AT(members), OUT, 0, 0, "s_members", NULL, NULL,
	"its carers"},
    {"med_at", CT_T_TIME, AT(med_at), NIL, 0, 0, "s_med_at", NULL, NULL,
	"last dose given"},
    {"med_name", CT_T_TEXT, AT(med_name), NIL, 0, 0, "s_med_name", NULL, NULL,
	"of what"},
    {"med_dosage", CT_T_TEXT, AT(med_dosage), NIL, 0, 0, "s_med_dosage", NULL,
	NULL, "how much"},
    {"med_by", CT_T_TEXT, AT(med_by), NIL, 0, 0, "s_med_by", NULL, NULL,
	"by whom"},
    {"weighed_at", CT_T_TIME, AT(weighed_at), NIL, 0, 0, "s_weighed_at", NULL,
	NULL, "last weight"},
    {"weighed_kg", CT_T_MILLI, AT(weighed_g), NIL, 0, 0, "s_weighed_g", NULL,
	"kg", "last weight"},
};
static const struct ct_fields state_fields =
    CT_FIELDS("state", struct ct_state, fields);

static const struct ct_stmt get = {"state_get", CT_OWNED, CT_READ, "uu",
    &state_fields,
    "select " TRACKER_COLS ", c.name as s_name,"
    " (select count(*) from cat_member o where o.cat_id = c.id) as s_members,"
    " k.given_at as s_med_at, k.medication_name as s_med_name,"
    " k.dosage as s_med_dosage, k.by as s_med_by,"
    " w.given_at as s_weighed_at, w.weight_g as s_weighed_g"
    " from cat c join cat_member m on m.cat_id = c.id"
    " and m.account_id = $1" TRACKER_TODAY TRACKER_FROM
    " left join lateral (select e.given_at, e.medication_name, e.dosage,"
    " coalesce(x.first_name, '') as by from medication e"
    " left join account x on x.id = e.by_account where e.cat_id = c.id"
    " and e.deleted_at is null and e.status = 'given'"
    " order by e.given_at desc, e.id desc limit 1) k on true"
    " left join lateral (select e.given_at, e.weight_g from weight e"
    " where e.cat_id = c.id and e.deleted_at is null"
    " order by e.given_at desc, e.id desc limit 1) w on true"
    " where c.id = $2"};

/* clang-format off */
#define LAST(T)                                                                \
	"(select max(e.created_at) from " T " e where e.cat_id = m.cat_id"     \
	" and e.by_account = $1)"
static const struct ct_stmt last_logged = {"state_last_logged", CT_OWNED,
    CT_READ, "uu", NULL,
    "select greatest("
    LAST("feeding") ", " LAST("medication") ", " LAST("weight") ", "
    LAST("observation") ", " LAST("water") ", " LAST("tube_check")
    ") from cat_member m where m.account_id = $1 and m.cat_id = $2"};
/* clang-format on */

static const struct ct_stmt fed_since = {"state_fed_since", CT_OWNED, CT_READ,
    "uuz", NULL,
    "select coalesce(sum(e.amount_ul), 0)::bigint from feeding e"
    " join cat_member m on m.cat_id = e.cat_id and m.account_id = $1"
    " where e.cat_id = $2 and e.deleted_at is null and e.given_at >= $3"};

const struct ct_stmt *const ct_state_stmts[] = {
    &get, &last_logged, &fed_since, NULL};

static enum ct_rc
no_cat(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
}

enum ct_rc
ct_state_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_state *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	ct_res_get(r, 0, &state_fields, out);
	ct_res_get(r, 0, &ct_tracker_fields, &out->today);
	return CT_OK;
}

enum ct_rc
ct_state_last_logged(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t *last_us,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	if (ct_pg_run(pg, &last_logged, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	*last_us = ct_res_time(r, 0, 0);
	return CT_OK;
}

enum ct_rc
ct_state_fed_since(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t since_us,
    int64_t *fed_ul, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_time(&p, since_us);
	if (ct_pg_run(pg, &fed_since, &p, a, &r, err) != CT_OK)
		return err->rc;
	*fed_ul = ct_res_i64(r, 0, 0);
	return CT_OK;
}
