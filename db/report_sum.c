/*
 * What a report says in numbers: the period, its days, its medicines, and what
 * a vet looks for. All are derived from the entries.
 */
#include "db/report_rows.h"

#define NIL CT_F_NULLABLE
#define COL CT_REPORT_COL

/* clang-format off */
#define TEXT(T, name, m)  COL(T, name, CT_T_TEXT, m, 0, NULL, NULL)
#define MAYBE(T, name, m) COL(T, name, CT_T_TEXT, m, NIL, NULL, NULL)
#define INT(T, name, m)	  COL(T, name, CT_T_INT, m, 0, NULL, NULL)
#define DAY(T, name, m)	  COL(T, name, CT_T_DAY, m, NIL, NULL, NULL)
#define ML(T, name, m, c) COL(T, name, CT_T_VOLUME, m, NIL, c, "mL")
#define KG(T, name, m, c) COL(T, name, CT_T_MILLI, m, NIL, c, "kg")
/* clang-format on */

/* ------------------------------------------------ what the sums share */

/* Entries of the cat within what was asked for. */
#define IN                                                                     \
	" where e.cat_id = $1 and e.deleted_at is null"                        \
	" and ($2::date is null or e.care_day >= $2)"                          \
	" and ($3::date is null or e.care_day <= $3)"
#define SPAN_OF(T)                                                             \
	"select min(e.care_day) as lo, max(e.care_day) as hi from " T " e" IN
#define OF_EACH_LOG(X)                                                         \
	X("feeding")                                                           \
	" union all " X("medication") " union all " X(                         \
	    "weight") " union all " X("observation") " union all " X("water") " union all " X("tube_check")

/* The day's median, as warnings about weights take it. */
#define WEIGHTS                                                                \
	" w as (select e.care_day as day, percentile_disc(0.5) within group"   \
	" (order by e.weight_g) as g from weight e" IN " group by e.care_day)"
/* One event logged twice, as a meal and for itself, counts once. */
#define LOGGED_AGAIN                                                           \
	"(e.outcome = 'vomit' and exists (select from observation o"           \
	" where o.cat_id = $1 and o.deleted_at is null and o.kind = 'vomit'"   \
	" and o.given_at between e.given_at"                                   \
	" and e.given_at + interval '1 hour'))"
#define VOMITS                                                                 \
	" v as (select x.day, count(*) as n from (select e.care_day as day"    \
	" from observation e" IN " and e.kind = 'vomit' union all"             \
	" select e.care_day from feeding e" IN " and e.outcome = 'vomit'"      \
	" and not " LOGGED_AGAIN ") x group by x.day)"
/* t: every day between the first and the last entry. */
#define DAYS                                                                   \
	"with c as materialized (select z.id, ct_care_day(now(), z.timezone,"  \
	" z.day_start) as today from cat z where z.id = $1),"                  \
	" span as materialized (select min(x.lo) as lo, max(x.hi) as hi"       \
	" from (" OF_EACH_LOG(                                                 \
	    SPAN_OF) ") x),"                                                   \
		     " f as (select e.care_day as day, count(*) as n,"         \
		     " sum(e.amount_ul)::bigint as ul, "                       \
		     "coalesce(sum(e.amount_ul)"                               \
		     " filter (where e.route = 'oral'), 0)::bigint as oral,"   \
		     " sum(coalesce(e.flush_before_ul, 0) + "                  \
		     "coalesce(e.flush_after_ul, 0))"                          \
		     "::bigint as flush from feeding e" IN                     \
		     " group by e.care_day),"                                  \
		     " m as (select e.care_day as day,"                        \
		     " count(*) filter (where e.status = 'given') as given,"   \
		     " count(*) filter (where e.status = 'skipped') as "       \
		     "skipped"                                                 \
		     " from medication e" IN " group by e.care_day),"          \
		     " a as (select e.care_day as day, "                       \
		     "sum(e.amount_ul)::bigint as ul"                          \
		     " from water e" IN " group by e.care_day)," WEIGHTS       \
		     "," VOMITS ","                                            \
		     " t as (select d.day, coalesce((select g.amount_ul"       \
		     " from daily_target g where g.cat_id = $1"                \
		     " and g.effective_from <= d.day order by "                \
		     "g.effective_from desc"                                   \
		     " limit 1), (select g.amount_ul from daily_target g"      \
		     " where g.cat_id = $1 order by g.effective_from limit "   \
		     "1), 210000)"                                             \
		     " as target_ul, coalesce(f.ul, 0) as given_ul,"           \
		     " coalesce(f.oral, 0) as oral_ul, coalesce(f.n, 0) as "   \
		     "meals,"                                                  \
		     " coalesce(f.flush, 0) as flush_ul, coalesce(a.ul, 0) "   \
		     "as water_ul,"                                            \
		     " coalesce(v.n, 0) as vomits, coalesce(m.given, 0) as "   \
		     "doses_given,"                                            \
		     " coalesce(m.skipped, 0) as doses_skipped, w.g as "       \
		     "weight_g,"                                               \
		     " d.day < c.today as complete from c, (select span.lo + " \
		     "n as day"                                                \
		     " from span, generate_series(0, span.hi - span.lo) n) d"  \
		     " left join f on f.day = d.day left join m on m.day = "   \
		     "d.day"                                                   \
		     " left join a on a.day = d.day left join w on w.day = "   \
		     "d.day"                                                   \
		     " left join v on v.day = d.day)"

/* ------------------------------------------------ the period */

#define O ct_report_overview
static const struct ct_field overview_cols[] = {
    TEXT(O, "cat_name", cat_name),
    TEXT(O, "breed", breed),
    MAYBE(O, "sex", sex),
    COL(O, "birth_year", CT_T_INT, birth_year, NIL, NULL, NULL),
    COL(O, "age_years", CT_T_INT, age_years, NIL, NULL, "years"),
    TEXT(O, "conditions", conditions),
    TEXT(O, "diet", diet),
    DAY(O, "tube_placed_on", tube_placed_on),
    COL(O, "tube_size_fr", CT_T_INT, tube_size_fr, NIL, NULL, "Fr"),
    COL(O, "tube_mark_cm", CT_T_MILLI, tube_mark_mcm, NIL, "tube_mark_mcm",
	"cm"),
    TEXT(O, "timezone", timezone),
    TEXT(O, "day_start", day_start),
    DAY(O, "first_day", first_day),
    DAY(O, "last_day", last_day),
    INT(O, "days", days),
    INT(O, "complete_days", complete_days),
    INT(O, "meals", meals),
    ML(O, "given_ml", given_ul, "given_ul"),
    ML(O, "mean_ml", mean_ul, "mean_ul"),
    ML(O, "mean_target_ml", mean_target_ul, "mean_target_ul"),
    COL(O, "mean_percent", CT_T_MILLI, mean_percent, NIL, NULL, "%"),
    ML(O, "oral_ml", oral_ul, "oral_ul"),
    INT(O, "low_days", low_days),
    INT(O, "empty_days", empty_days),
    INT(O, "vomiting", vomits),
    INT(O, "vomiting_days", vomit_days),
    DAY(O, "last_vomiting", last_vomit_day),
    INT(O, "doses_given", doses_given),
    INT(O, "doses_skipped", doses_skipped),
    INT(O, "tube_incidents", incidents),
    KG(O, "first_weight_kg", first_weight_g, "first_weight_g"),
    DAY(O, "first_weight_day", first_weight_day),
    KG(O, "last_weight_kg", last_weight_g, "last_weight_g"),
    DAY(O, "last_weight_day", last_weight_day),
};
static const struct ct_fields overview_fields =
    CT_FIELDS("overview", struct O, overview_cols);

#define LAST_OF(what, dir)                                                     \
	"(select t." what " from t where t.weight_g is not null"               \
	" order by t.day " dir " limit 1)"
static const struct ct_stmt overview = {"report_overview", CT_GLOBAL, CT_READ,
    "udd", &overview_fields,
    DAYS
    " select z.name as cat_name, z.breed, z.sex, z.birth_year,"
    " z.age_years, z.conditions, z.diet, z.tube_placed_on,"
    " z.tube_size_fr, z.tube_mark_mcm, z.timezone,"
    " to_char(z.day_start, 'HH24:MI') as day_start, s.*,"
    " (select count(*) from tube_check e" IN
    " and e.incident is not null) as tube_incidents,"
    " " LAST_OF("weight_g",
	"") " as first_weight_g,"
	    " " LAST_OF("day",
		"") " as first_weight_day,"
		    " " LAST_OF("weight_g",
			"desc") " as last_weight_g,"
				" " LAST_OF("day",
				    "desc") " as last_weight_day"
					    " from cat z, (select min(t.day) "
					    "as first_day,"
					    " max(t.day) as last_day, count(*) "
					    "as days,"
					    " count(*) filter (where "
					    "t.complete) as complete_days,"
					    " coalesce(sum(t.meals), "
					    "0)::bigint as meals,"
					    " coalesce(sum(t.given_ul), "
					    "0)::bigint as given_ul,"
					    " round(avg(t.given_ul) filter "
					    "(where t.complete))::bigint"
					    " as mean_ul, "
					    "round(avg(t.target_ul) filter "
					    "(where t.complete))"
					    "::bigint as mean_target_ul,"
					    " (round(sum(t.given_ul) filter "
					    "(where t.complete) * 1000"
					    " / sum(t.target_ul) filter (where "
					    "t.complete)) * 100)::bigint"
					    " as mean_percent, "
					    "coalesce(sum(t.oral_ul), "
					    "0)::bigint as oral_ul,"
					    " count(*) filter (where t.complete"
					    " and t.given_ul * 100 < "
					    "t.target_ul * 75) as low_days,"
					    " count(*) filter (where "
					    "t.complete and t.meals = 0) as "
					    "empty_days,"
					    " coalesce(sum(t.vomits), "
					    "0)::bigint as vomiting,"
					    " count(*) filter (where t.vomits "
					    "> 0) as vomiting_days,"
					    " max(t.day) filter (where "
					    "t.vomits > 0) as last_vomiting,"
					    " coalesce(sum(t.doses_given), "
					    "0)::bigint as doses_given,"
					    " coalesce(sum(t.doses_skipped), "
					    "0)::bigint as doses_skipped"
					    " from t) s where z.id = $1"};

/* Down the sheet, not across it. */
static const struct ct_report_column overview_people[] = {
    {"cat_name", "Cat", 0, NULL},
    {"breed", "Breed", 0, NULL},
    {"sex", "Sex", 0, NULL},
    {"birth_year", "Born", 0, NULL},
    {"age_years", "Age", 0, NULL},
    {"conditions", "Conditions", 0, NULL},
    {"diet", "Diet", 0, NULL},
    {"tube_placed_on", "Tube placed on", 0, NULL},
    {"tube_size_fr", "Tube size", 0, NULL},
    {"tube_mark_cm", "Tube mark at the skin", 0, NULL},
    {"timezone", "Time zone", 0, NULL},
    {"day_start", "A day begins at", 0, NULL},
    {"first_day", "First day with entries", 0, NULL},
    {"last_day", "Last day with entries", 0, NULL},
    {"days", "Days", 0, NULL},
    {"complete_days", "Complete days", 0, NULL},
    {"meals", "Meals", 0, NULL},
    {"given_ml", "Given in all", 0, NULL},
    {"mean_ml", "Mean of a complete day", 0, NULL},
    {"mean_target_ml", "Mean target of a complete day", 0, NULL},
    {"mean_percent", "Given of the target", 0, NULL},
    {"oral_ml", "Of it by mouth", 0, NULL},
    {"low_days", "Complete days below 75 % of the target", 0, NULL},
    {"empty_days", "Complete days without a meal", 0, NULL},
    {"vomiting", "Vomiting, times", 0, NULL},
    {"vomiting_days", "Days with vomiting", 0, NULL},
    {"last_vomiting", "Last vomiting", 0, NULL},
    {"doses_given", "Doses given", 0, NULL},
    {"doses_skipped", "Doses skipped", 0, NULL},
    {"tube_incidents", "Tube incidents", 0, NULL},
    {"first_weight_kg", "First weight", 0, NULL},
    {"first_weight_day", "on", 0, NULL},
    {"last_weight_kg", "Last weight", 0, NULL},
    {"last_weight_day", "on", 0, NULL},
    {NULL, NULL, 0, NULL},
};
const struct ct_report_section ct_report_overview = {"Overview", "overview",
    "Overview", CT_PART_OVERVIEW, &overview, NULL, &overview_fields,
    overview_people};

/* ------------------------------------------------ its days */

#define D ct_report_day
static const struct ct_field day_cols[] = {
    DAY(D, "care_day", day),
    ML(D, "target_ml", target_ul, "target_ul"),
    ML(D, "given_ml", given_ul, "given_ul"),
    COL(D, "percent", CT_T_MILLI, percent, 0, NULL, "%"),
    ML(D, "tube_ml", tube_ul, "tube_ul"),
    ML(D, "oral_ml", oral_ul, "oral_ul"),
    INT(D, "meals", meals),
    ML(D, "flush_ml", flush_ul, "flush_ul"),
    ML(D, "water_ml", water_ul, "water_ul"),
    INT(D, "vomiting", vomits),
    INT(D, "doses_given", doses_given),
    INT(D, "doses_skipped", doses_skipped),
    KG(D, "weight_kg", weight_g, "weight_g"),
    COL(D, "complete", CT_T_BOOL, complete, 0, NULL, NULL),
};
static const struct ct_fields day_fields = CT_FIELDS("day", struct D, day_cols);

static const struct ct_stmt days = {"report_days", CT_GLOBAL, CT_READ, "udd",
    &day_fields,
    DAYS " select t.day as care_day, t.target_ul, t.given_ul,"
	 " (round(t.given_ul * 1000.0 / t.target_ul) * 100)::bigint"
	 " as percent, t.given_ul - t.oral_ul as tube_ul, t.oral_ul, t.meals,"
	 " t.flush_ul, t.water_ul, t.vomits as vomiting, t.doses_given,"
	 " t.doses_skipped, t.weight_g, t.complete from t order by t.day"};

static const struct ct_report_column day_people[] = {
    {"care_day", "Day", 60, NULL},
    {"target_ml", "Target", 40, NULL},
    {"given_ml", "Given", 40, NULL},
    {"percent", "Of target", 40, NULL},
    {"tube_ml", "By tube", 40, NULL},
    {"oral_ml", "By mouth", 40, NULL},
    {"meals", "Meals", 34, NULL},
    {"flush_ml", "Flushes", 40, NULL},
    {"water_ml", "Extra water", 40, NULL},
    {"vomiting", "Vomiting", 44, NULL},
    {"doses_given", "Doses given", 36, NULL},
    {"doses_skipped", "Doses skipped", 40, NULL},
    {"weight_kg", "Weight", 40, NULL},
    {"complete", "Day is over", 0, NULL},
    {NULL, NULL, 0, NULL},
};
const struct ct_report_section ct_report_days = {"Daily Totals", "daily_data",
    "Days", CT_PART_DAYS, &days, NULL, &day_fields, day_people};
const struct ct_report_section ct_report_day_by_day = {"Daily Totals",
    "daily_data", "Day by day", CT_PART_ENTRIES, &days, NULL, &day_fields,
    day_people};

/* ------------------------------------------------ its medicines */

#define M ct_report_medicine
static const struct ct_field medicine_cols[] = {
    TEXT(M, "medication_name", name),
    TEXT(M, "dosage", dosage),
    TEXT(M, "route", route),
    INT(M, "given", given),
    INT(M, "skipped", skipped),
    DAY(M, "first_day", first_day),
    DAY(M, "last_day", last_day),
    TEXT(M, "reasons", reasons),
};
static const struct ct_fields medicine_fields =
    CT_FIELDS("medicine", struct M, medicine_cols);

static const struct ct_stmt medicines = {"report_medicines", CT_GLOBAL, CT_READ,
    "udd", &medicine_fields,
    "select max(e.medication_name) as medication_name, e.dosage, e.route,"
    " count(*) filter (where e.status = 'given') as given,"
    " count(*) filter (where e.status = 'skipped') as skipped,"
    " min(e.care_day) as first_day, max(e.care_day) as last_day,"
    " coalesce(left(string_agg(distinct nullif(e.reason, ''), '; ')"
    " filter (where e.status = 'skipped'), 200), '') as reasons"
    " from medication e" IN " group by lower(e.medication_name), e.dosage,"
    " e.route order by 4 desc, lower(e.medication_name), e.dosage, e.route"};

static const struct ct_report_column medicine_people[] = {
    {"medication_name", "Medicine", 120, NULL},
    {"dosage", "Dosage", 70, NULL},
    {"route", "Route", 50, NULL},
    {"given", "Given, times", 40, NULL},
    {"skipped", "Skipped, times", 40, NULL},
    {"first_day", "First day", 60, NULL},
    {"last_day", "Last day", 60, NULL},
    {"reasons", "Why skipped", 100, NULL},
    {NULL, NULL, 0, NULL},
};
const struct ct_report_section ct_report_medicines = {"Medicines",
    "medicine_data", "Medicines", CT_PART_MEDICINES, &medicines, NULL,
    &medicine_fields, medicine_people};

/* ------------------------------------------------ what a vet looks for */

#define E ct_report_event
static const struct ct_field event_cols[] = {
    COL(E, "given_at", CT_T_TIME, given_at, 0, NULL, "UTC"),
    COL(E, "local_at", CT_T_TIME, local_us, 0, NULL, "local"),
    DAY(E, "care_day", day),
    TEXT(E, "source", source),
    MAYBE(E, "kind", kind),
    COL(E, "severity", CT_T_INT, severity, NIL, NULL, NULL),
    ML(E, "amount_ml", amount_ul, "amount_ul"),
    TEXT(E, "notes", notes),
    COL(E, "cap_on", CT_T_BOOL, cap_on, NIL, NULL, NULL),
    COL(E, "smell", CT_T_BOOL, smell, NIL, NULL, NULL),
    COL(E, "suture_holding", CT_T_BOOL, suture_holding, NIL, NULL, NULL),
    COL(E, "patent", CT_T_BOOL, patent, NIL, NULL, NULL),
    COL(E, "collar_ok", CT_T_BOOL, collar_ok, NIL, NULL, NULL),
    MAYBE(E, "dressing", dressing),
    MAYBE(E, "skin", skin),
    MAYBE(E, "discharge", discharge),
    MAYBE(E, "incident", incident),
    COL(E, "mark_cm", CT_T_MILLI, mark_mcm, NIL, "mark_mcm", "cm"),
    COL(E, "last_mark_cm", CT_T_MILLI, last_mark_mcm, NIL, "last_mark_mcm",
	"cm"),
};
static const struct ct_fields event_fields =
    CT_FIELDS("event", struct E, event_cols);

#define LOOKED                                                                 \
	"e.cap_on, e.smell, e.suture_holding, e.patent, e.collar_ok,"          \
	" e.dressing, e.skin, e.discharge, e.incident, e.mark_mcm,"            \
	" (select o.mark_mcm from tube_check o where o.cat_id = $1"            \
	" and o.deleted_at is null and o.mark_mcm is not null"                 \
	" and (o.given_at, o.id) < (e.given_at, e.id)"                         \
	" order by o.given_at desc, o.id desc limit 1)"
#define NOT_LOOKED                                                             \
	"null, null, null, null, null, null, null, null, null, null, null"
#define EVENT(source, kind, severity, amount, look, T)                         \
	"select e.given_at, (e.given_at at time zone c.timezone) at time zone" \
	" 'UTC' as local_at, e.care_day, '" source "'::text as source,"        \
	" " kind " as kind, " severity " as severity, " amount                 \
	" as amount_ul, e.notes, " look " from c, " T " e" IN
/* Which looks at the tube are worth it, care/tube.h knows. */
static const struct ct_stmt events = {"report_events", CT_GLOBAL, CT_READ,
    "udd", &event_fields,
    "with c as materialized (select z.timezone from cat z where z.id = $1),"
    " x (given_at, local_at, care_day, source, kind, severity, amount_ul,"
    " notes, cap_on, smell, suture_holding, patent, collar_ok, dressing, skin,"
    " discharge, incident, mark_mcm, last_mark_mcm) as (" EVENT("tube",
	"null::text", "null::bigint", "null::bigint", LOOKED,
	"tube_check") " union all " EVENT("observation", "e.kind", "e.severity",
	"null::bigint", NOT_LOOKED, "observation") " union all " EVENT("meal",
	"e.outcome", "null::bigint", "e.amount_ul", NOT_LOOKED,
	"feeding") " and e.outcome <> 'fine' and not " LOGGED_AGAIN ")"
		   " select x.* from x order by x.given_at, x.source"};
static const struct ct_report_column event_people[] = {{NULL, NULL, 0, NULL}};
const struct ct_report_section ct_report_events = {"Events", "event_data",
    "Events", CT_PART_EVENTS, &events, NULL, &event_fields, event_people};

/* ------------------------------------------------ who, and how much of it */

#define H ct_report_head
static const struct ct_field head_cols[] = {
    TEXT(H, "cat_name", cat_name),
    TEXT(H, "timezone", timezone),
    TEXT(H, "day_start", day_start),
    TEXT(H, "asked_by", asked_by),
    COL(H, "asked_local", CT_T_TIME, asked_local, 0, NULL, NULL),
};
static const struct ct_fields head_fields =
    CT_FIELDS("head", struct H, head_cols);

static const struct ct_stmt head = {"report_head", CT_GLOBAL, CT_READ, "uuz",
    &head_fields,
    "select c.name as cat_name, c.timezone, to_char(c.day_start, 'HH24:MI')"
    " as day_start, trim(a.first_name || ' ' || a.last_name) as asked_by,"
    " ($3::timestamptz at time zone c.timezone) at time zone 'UTC'"
    " as asked_local from cat c, account a where c.id = $1 and a.id = $2"};

enum ct_rc
ct_report_head(struct ct_pg *pg, struct ct_arena *a, const struct ct_report *r,
    struct ct_report_head *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *res;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &r->cat_id);
	ct_p_uuid(&p, &r->account_id);
	ct_p_time(&p, r->created_at);
	if (ct_pg_run(pg, &head, &p, a, &res, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(res) == 0)
		return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
	ct_res_get(res, 0, &head_fields, out);
	return CT_OK;
}

/* cat, from, to, how many, and for each log whether it counts. */
#define CUT(T, used)                                                           \
	"select e.care_day as day, count(*) as n from " T " e" IN " and " used \
	" group by e.care_day"
static const struct ct_stmt cut = {"report_cut", CT_GLOBAL, CT_READ,
    "uddibbbbbb", NULL,
    "with d as (select x.day, sum(x.n) as n from (" CUT(
	"feeding", "$5") " union all " CUT("medication",
	"$6") " union all " CUT("weight", "$7") " union all " CUT("observation",
	"$8") " union all " CUT("water", "$9") " union all " CUT("tube_check",
	"$10") ") x group by x.day),"
	       " s as (select d.day, sum(d.n) over (order by d.day desc) as up "
	       "from d),"
	       " k as (select coalesce(min(s.day) filter (where s.up <= $4),"
	       " max(s.day)) as day from s)"
	       " select k.day, coalesce((select sum(d.n) from d where d.day < "
	       "k.day),"
	       " 0)::bigint as before from k"};

enum ct_rc
ct_report_cut(struct ct_pg *pg, struct ct_arena *a, const struct ct_report *r,
    const struct ct_report_section *const *section, int sections, int64_t most,
    int32_t *day, int64_t *before, struct ct_err *err)
{
	static const struct ct_report_section *const logs[] = {&ct_report_meals,
	    &ct_report_doses, &ct_report_weights, &ct_report_observations,
	    &ct_report_water, &ct_report_tube_checks};
	struct ct_params p;
	const struct ct_res *res;
	bool used;

	ct_report_params(&p, a, &cut, r, false);
	ct_p_i64(&p, most);
	for (size_t i = 0; i < ct_countof(logs); i++) {
		used = false;
		for (int k = 0; k < sections; k++)
			used |= section[k] == logs[i];
		ct_p_bool(&p, used);
	}
	if (ct_pg_run(pg, &cut, &p, a, &res, err) != CT_OK)
		return err->rc;
	*day = ct_res_day(res, 0, 0);
	*before = ct_res_i64(res, 0, 1);
	return CT_OK;
}

const struct ct_stmt *const ct_report_sum_stmts[] = {
    &overview, &days, &medicines, &events, &head, &cut, NULL};
