/* Meals; see feeding.h. */
#include "db/feeding.h"

#include "care/intake.h"
#include "db/entry_fields.h"
#include "db/entry_sql.h"
#include "db/tracker_sql.h"

#define AT(m)	     offsetof(struct ct_feeding, m)
#define ENTRY_MAX_UL 200000 /* CARE.md 3.3: hard sanity ceiling per entry */
#define FLUSH_MAX_UL 50000

static const char *const routes[] = {"tube", "oral", NULL};
static const char *const outcomes[] = {
    "fine", "drool", "gag", "cough", "vomit", "leak", "refused", NULL};

static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    {"amount_ml", CT_T_VOLUME, AT(amount_ul), CT_F_REQUIRED, 1, ENTRY_MAX_UL,
	"amount_ul", NULL, "mL", "volume given"},
    {"planned_ml", CT_T_VOLUME, AT(planned_ul), CT_F_NULLABLE, 1, ENTRY_MAX_UL,
	"planned_ul", NULL, "mL", "volume planned"},
    {"flush_before_ml", CT_T_VOLUME, AT(flush_before_ul), CT_F_NULLABLE, 0,
	FLUSH_MAX_UL, "flush_before_ul", NULL, "mL", "water before the meal"},
    {"flush_after_ml", CT_T_VOLUME, AT(flush_after_ul), CT_F_NULLABLE, 0,
	FLUSH_MAX_UL, "flush_after_ul", NULL, "mL", "water after the meal"},
    {"flushed_before", CT_T_BOOL, AT(flushed_before), 0, 0, 0, NULL, NULL, NULL,
	"the tube was flushed before"},
    {"flushed_after", CT_T_BOOL, AT(flushed_after), 0, 0, 0, NULL, NULL, NULL,
	"the tube was flushed after"},
    {"route", CT_T_ENUM, AT(route), 0, 0, 0, NULL, routes, NULL,
	"through the tube or by mouth"},
    {"outcome", CT_T_ENUM, AT(outcome), CT_F_NULLABLE, 0, 0, NULL, outcomes,
	NULL, "how it went"},
    {"confirm", CT_T_BOOL, AT(confirm), CT_F_CREATE | CT_F_HIDDEN | CT_F_NOROW,
	0, 0, NULL, NULL, NULL, "false: log nothing where a meal is near"},
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_feeding) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_feeding_fields =
    CT_FIELDS("feeding", struct ct_feeding, fields);

#define T   "feeding"
#define SIG "iiiibbtt"
#define OWN                                                                    \
	"amount_ul, planned_ul, flush_before_ul, flush_after_ul,"              \
	" flushed_before, flushed_after, route, outcome"
#define COLS                                                                   \
	"e.amount_ul, e.planned_ul, e.flush_before_ul, e.flush_after_ul,"      \
	" e.flushed_before, e.flushed_after, e.route, e.outcome"

/*
 * account, cat, role, id, time, notes, amount, planned, flush before, flush
 * after, flushed before, flushed after, route, outcome, only if clear.
 * The totals come from the snapshot, which lacks the new row: it is added in
 * C where it belongs to today.
 */
ENTRY_ADD_STMT(T, ct_feeding_fields, SIG "b",
    "with c as materialized (select c.*, m.role,"
    " ct_care_day(now(), c.timezone, c.day_start) as today from cat c"
    " join cat_member m on m.cat_id = c.id and m.account_id = $1"
    " where c.id = $2 and m.role >= $3),"
    " near as (select f.given_at, f.amount_ul,"
    " coalesce(b.first_name, '') as name from feeding f"
    " left join account b on b.id = f.by_account where f.cat_id = $2"
    " and f.deleted_at is null and f.given_at >"
    " coalesce($5, now()) - interval '2 hours' and f.given_at <"
    " coalesce($5, now()) + interval '2 hours'"
    " order by abs(extract(epoch from f.given_at - coalesce($5, now())))"
    " limit 1),"
    " e as (insert into feeding (cat_id, id, given_at, care_day, notes,"
    " amount_ul, planned_ul, flush_before_ul, flush_after_ul,"
    " flushed_before, flushed_after, route, outcome, by_account)"
    " select c.id, $4, coalesce($5, now()), case when $5 is null"
    " then c.today else ct_care_day($5, c.timezone, c.day_start) end,"
    " $6, $7, $8, $9, $10, $11, $12, $13, $14, $1 from c"
    " where not ($15 and exists (select from near)) returning *)"
    " select c.role as my_role, e.id is null as stopped,"
    " $2 as cat_id, $4 as id, coalesce(e.given_at, $5, now()) as given_at,"
    " coalesce(e.care_day, ct_care_day($5, c.timezone, c.day_start),"
    " d.day) as care_day, $6 as notes,"
    " $1 as by_account, b.first_name as by_name,"
    " coalesce(e.version, 0) as version,"
    " coalesce(e.created_at, now()) as created_at,"
    " coalesce(e.updated_at, now()) as updated_at, e.deleted_at,"
    " $7 as amount_ul, $8 as planned_ul, $9 as flush_before_ul,"
    " $10 as flush_after_ul, $11 as flushed_before,"
    " $12 as flushed_after, $13 as route, $14 as outcome,"
    " near.given_at as near_at, near.amount_ul as near_ul,"
    " near.name as near_by, " WEBHOOK_FIRE("$2", " and e.id is not null",
	WEBHOOK_ADDED, T, "e.id", "e.version",
	"null") ", " TRACKER_COLS
		" from c cross join lateral (select c.today as day) d"
		" join account b on b.id = $1"
		" left join e on true left join near on true" TRACKER_FROM);

ENTRY_STMTS(T, ct_feeding_fields, SIG, OWN, COLS,
    "$7, $8, $9, $10, $11, $12, $13, $14", "tt",
    " and ($13::text is null or e.route = $13)"
    " and ($14::text is null or e.outcome = $14)");
const struct ct_stmt *const ct_feeding_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {
    ENTRY_QUERY,
    ENTRY_FILTER("route", CT_T_ENUM, 0, routes, "only meals given that way"),
    ENTRY_FILTER("outcome", CT_T_ENUM, 1, outcomes, "only those that went so"),
};
const struct ct_fields ct_feeding_query =
    CT_FIELDS("feeding list", struct ct_entry_query, query);

static const struct ct_feeding fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}},
    .planned_ul = CT_NULL_I64,
    .flush_before_ul = CT_NULL_I64,
    .flush_after_ul = CT_NULL_I64,
    .flushed_before = true,
    .flushed_after = true,
    .route = {"tube", 4},
    .confirm = true,
};

const struct ct_entry_kind ct_feeding_kind = {.name = T,
    .fields = &ct_feeding_fields,
    .query = &ct_feeding_query,
    .stmts = ct_feeding_stmts,
    .fresh = &fresh,
    .confirm = AT(confirm),
    .stop_code = "double_feed",
    .stop_text = "There is a meal close to this one; nothing was logged."};

/* The snapshot of the totals lacks the meal itself. */
static void
include_it(struct ct_tracker *t, const struct ct_feeding *f)
{
	if (f->e.care_day == t->day) {
		t->fed_ul += f->amount_ul;
		t->feedings++;
		if (t->updated_at == CT_NULL_I64 ||
		    t->updated_at < f->e.given_at)
			t->updated_at = f->e.given_at;
	}
	if (t->last_at == CT_NULL_I64 || t->last_at <= f->e.given_at) {
		t->last_at = f->e.given_at;
		t->last_ul = f->amount_ul;
		t->last_by = f->e.by_account;
		t->last_by_name = f->e.by_name;
	}
}

enum ct_rc
ct_feeding_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_feeding *in,
    struct ct_feeding_added *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	int near;

	ct_params_init(&p, a);
	ct_entry_add_params(&p, &ct_feeding_kind, account, in);
	if (ct_pg_run_locked(pg, ct_uuid_key64(&in->e.cat_id), &add, &p, a, &r,
		err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_cat_refused(pg, a, account, &in->e.cat_id, err);
	ct_res_get(r, 0, &ct_feeding_fields, &out->feeding);
	ct_res_get(r, 0, &ct_tracker_fields, &out->day);
	near = ct_res_col(r, "near_at");
	out->stopped = ct_res_bool(r, 0, ct_res_col(r, "stopped"));
	out->near_at = CT_NULL_I64;
	if (!ct_res_null(r, 0, near)) {
		out->near_at = ct_res_time(r, 0, near);
		out->near_ul = ct_res_i64(r, 0, ct_res_col(r, "near_ul"));
		out->near_by = ct_res_str(r, 0, ct_res_col(r, "near_by"));
	}
	/* Also one that was stopped: the warnings speak of the day with it. */
	include_it(&out->day, &out->feeding);
	return CT_OK;
}
