/* The day of a cat, derived from its entries; see tracker.h. */
#include "db/tracker.h"

#include "care/intake.h"
#include "db/entry.h"
#include "db/tracker_sql.h"
#include "db/webhook_sql.h"

#define OUT   CT_F_READONLY
#define NIL   (CT_F_READONLY | CT_F_NULLABLE)
#define AT(m) offsetof(struct ct_tracker, m)

static const struct ct_field fields[] = {
    {"cat_id", CT_T_UUID, AT(cat_id), OUT, 0, 0, "t_cat", NULL, NULL,
	"the cat"},
    {"care_day", CT_T_DAY, AT(day), OUT, 0, 0, "t_day", NULL, NULL,
	"care day in the cat's zone"},
    {"day_start", CT_T_TEXT, AT(day_start), OUT, 0, 0, "t_day_start", NULL,
	NULL, "local time at which the day begins"},
    {"starts_at", CT_T_TIME, AT(starts_at), OUT, 0, 0, "t_starts_at", NULL,
	NULL, "first instant of the day"},
    {"ends_at", CT_T_TIME, AT(ends_at), OUT, 0, 0, "t_ends_at", NULL, NULL,
	"first instant of the next day"},
    {"daily_target_ml", CT_T_VOLUME, AT(target_ul), OUT, 0, 0, "t_target", NULL,
	"mL", "target in force on that day"},
    {"total_fed_ml", CT_T_VOLUME, AT(fed_ul), OUT, 0, 0, "t_fed", NULL, "mL",
	"given on that day"},
    {"feeding_count", CT_T_INT, AT(feedings), OUT, 0, 0, "t_feedings", NULL,
	NULL, "meals on that day"},
    {"updated", CT_T_TIME, AT(updated_at), NIL, 0, 0, "t_updated", NULL, NULL,
	"last meal of the day"},
    {"weight_kg", CT_T_MILLI, AT(weight_g), NIL, 0, 0, "t_weight", NULL, "kg",
	"the cat's reference weight"},
    {"last_at", CT_T_TIME, AT(last_at), NIL, 0, 0, "t_last_at", NULL, NULL,
	"last meal of any day"},
    {"last_ml", CT_T_VOLUME, AT(last_ul), NIL, 0, 0, "t_last_ul", NULL, "mL",
	"its volume"},
    {"last_by", CT_T_UUID, AT(last_by), NIL, 0, 0, "t_last_by", NULL, NULL,
	"who gave it"},
    {"last_by_name", CT_T_TEXT, AT(last_by_name), NIL, 0, 0, "t_last_by_name",
	NULL, NULL, "first name of who gave it"},
};
const struct ct_fields ct_tracker_fields =
    CT_FIELDS("tracker", struct ct_tracker, fields);

#define CAT                                                                    \
	" from cat c join cat_member m on m.cat_id = c.id"                     \
	" and m.account_id = $1"

static const struct ct_stmt today = {"tracker_today", CT_OWNED, CT_READ, "uu",
    &ct_tracker_fields,
    "select " TRACKER_COLS CAT TRACKER_TODAY TRACKER_FROM " where c.id = $2"};

/* One pass over the entries of the window, not one per day. */
static const struct ct_stmt history = {"tracker_history", CT_OWNED, CT_READ,
    "uui", &ct_tracker_fields,
    "with c as (select c.* " CAT " where c.id = $2),"
    " today as (select ct_care_day(now(), timezone, day_start) as day"
    " from c),"
    " s as (select f.care_day, count(*) as n, sum(f.amount_ul)::bigint"
    " as ul, max(f.given_at) as at from feeding f, c, today"
    " where f.cat_id = c.id and f.deleted_at is null"
    " and f.care_day > today.day - $3::int and f.care_day <= today.day"
    " group by f.care_day),"
    " d as (select today.day - g as day from today,"
    " generate_series(0, $3::int - 1) g),"
    " t as (select d.day, coalesce(s.n, 0) as n, coalesce(s.ul, 0)"
    " as ul, s.at from d left join s on s.care_day = d.day),"
    " l as (select null::timestamptz as given_at, null::bigint as"
    " amount_ul, null::uuid as by_account, ''::text as name)"
    " select " TRACKER_COLS " from c, d, t, l where t.day = d.day"
    " order by d.day desc"};

static const struct ct_stmt set_target = {"tracker_set_target", CT_OWNED,
    CT_WRITE, "uui", NULL,
    "insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account) select c.id, ct_care_day(now(), c.timezone,"
    " c.day_start), $3, $1" CAT " and m.role >= 3 where c.id = $2"
    " on conflict (cat_id, effective_from) do update set"
    " amount_ul = excluded.amount_ul, by_account = excluded.by_account,"
    " created_at = now() returning cat_id"};

static const struct ct_stmt reset = {"tracker_reset", CT_OWNED, CT_WRITE, "uui",
    NULL,
    "with old as (select f.* from feeding f join cat c on c.id = f.cat_id"
    " join cat_member m on m.cat_id = c.id and m.account_id = $1"
    " and m.role >= 3 where c.id = $2 and f.deleted_at is null"
    " and f.care_day = ct_care_day(now(), c.timezone, c.day_start)"
    " for no key update of f),"
    " gone as (update feeding u set deleted_at = now(), updated_at ="
    " now(), version = u.version + 1 from old where u.cat_id ="
    " old.cat_id and u.id = old.id returning u.id,"
    " u.cat_id, u.version),"
    " log as (insert into audit_event (account_id, cat_id, action, noun,"
    " noun_id, before) select $1, cat_id, 'delete', 'feeding', id,"
    " to_jsonb(old) from old),"
    " target as (insert into daily_target (cat_id, effective_from,"
    " amount_ul, by_account) select c.id, ct_care_day(now(), c.timezone,"
    " c.day_start), $3, $1" CAT " and m.role >= 3 where c.id = $2"
    " and $3 is not null on conflict (cat_id, effective_from) do update"
    " set amount_ul = excluded.amount_ul, by_account ="
    " excluded.by_account, created_at = now())"
    " select count(*), count(f.fired) from (select " WEBHOOK_FIRE("g.cat_id",
	"", WEBHOOK_DELETED, "feeding", "g.id", "g.version",
	"null") " from"
		" gone g) f"};

static const struct ct_stmt role_of = {"cat_role", CT_OWNED, CT_READ, "uu",
    NULL,
    "select m.role from cat_member m where m.account_id = $1"
    " and m.cat_id = $2"};

const struct ct_stmt *const ct_tracker_stmts[] = {
    &today, &history, &set_target, &reset, &role_of, NULL};

static void
key(struct ct_params *p, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *cat)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_uuid(p, cat);
}

static enum ct_rc
no_cat(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
}

enum ct_rc
ct_tracker_today(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_tracker *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, cat);
	if (ct_pg_run(pg, &today, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	ct_res_get(r, 0, &ct_tracker_fields, out);
	return CT_OK;
}

enum ct_rc
ct_tracker_history(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t days,
    struct ct_tracker **out, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, cat);
	ct_p_i64(&p, days);
	if (ct_pg_run(pg, &history, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	if (*n == 0)
		return no_cat(err);
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out));
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, &ct_tracker_fields, &(*out)[i]);
	return CT_OK;
}

enum ct_rc
ct_cat_role(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *cat, int64_t *role, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, cat);
	if (ct_pg_run(pg, &role_of, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	*role = ct_res_i64(r, 0, 0);
	return CT_OK;
}

enum ct_rc
ct_cat_refused(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_err *err)
{
	int64_t role;

	if (ct_cat_role(pg, a, account, cat, &role, err) != CT_OK)
		return err->rc;
	return ct_fail(err, CT_FORBIDDEN, NULL,
	    "Your role on this cat does not allow that.");
}

enum ct_rc
ct_tracker_set_target(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t amount_ul,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, cat);
	ct_p_i64(&p, amount_ul);
	if (ct_pg_run(pg, &set_target, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_cat_refused(pg, a, account, cat, err);
	return CT_OK;
}

enum ct_rc
ct_tracker_reset(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat, int64_t target_ul,
    int64_t *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	int64_t role;

	if (ct_cat_role(pg, a, account, cat, &role, err) != CT_OK)
		return err->rc;
	if (role < CT_CAREGIVER)
		return ct_cat_refused(pg, a, account, cat, err);
	key(&p, a, account, cat);
	ct_p_i64(&p, target_ul);
	if (ct_pg_run(pg, &reset, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_i64(r, 0, 0);
	return CT_OK;
}

void
ct_last_feeding_write(const struct ct_tracker *t, struct ct_jw *w)
{
	if (t->last_at == CT_NULL_I64) {
		ct_jw_null(w);
		return;
	}
	ct_jw_obj(w);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, t->last_at);
	ct_jw_key(w, "amount_ml");
	ct_jw_milli(w, t->last_ul);
	ct_jw_key(w, "by");
	ct_jw_str(w, t->last_by_name);
	ct_jw_end(w);
}

static void
milli(struct ct_jw *w, const char *key_name, int64_t v)
{
	ct_jw_key(w, key_name);
	ct_jw_milli(w, v);
}

static void
when(struct ct_jw *w, const char *key_name, int64_t us)
{
	ct_jw_key(w, key_name);
	ct_jw_time(w, us);
}

void
ct_tracker_write_members(
    const struct ct_tracker *t, int64_t now_us, struct ct_jw *w)
{
	struct ct_intake in = ct_intake_of(t->target_ul, t->fed_ul);

	ct_jw_key(w, "id");
	ct_jw_uuid(w, &t->cat_id);
	ct_jw_key(w, "target_date");
	ct_jw_day(w, t->day);
	ct_jw_key(w, "care_day");
	ct_jw_day(w, t->day);
	ct_jw_key(w, "day_start");
	ct_jw_str(w, t->day_start);
	milli(w, "day_hours", (t->ends_at - t->starts_at) / 3600000);
	milli(w, "daily_target_ml", t->target_ul);
	milli(w, "total_fed_ml", t->fed_ul);
	milli(w, "remaining_ml", in.remaining_ul);
	milli(w, "over_ml", in.over_ul);
	milli(w, "progress_percentage", in.progress_milli);
	ct_jw_key(w, "feeding_count");
	ct_jw_i64(w, t->feedings);
	ct_jw_key(w, "is_completed");
	ct_jw_bool(w, in.completed);
	ct_jw_key(w, "is_overdue");
	ct_jw_bool(w, !in.completed && now_us >= t->ends_at);
	ct_jw_key(w, "last_feeding");
	ct_last_feeding_write(t, w);
	ct_jw_key(w, "next_due");
	ct_jw_null(w);
	when(w, "last_updated",
	    t->updated_at == CT_NULL_I64 ? t->starts_at : t->updated_at);
	when(w, "created_at", t->starts_at);
}

void
ct_tracker_write(const struct ct_tracker *t, int64_t now_us, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_tracker_write_members(t, now_us, w);
	ct_jw_end(w);
}
