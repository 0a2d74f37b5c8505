/*
 * The logs that fill a report: one query and one table of columns each, and
 * which columns people see.
 */
#include "db/report_rows.h"

#include "db/feeding.h"
#include "db/medication.h"
#include "db/observation.h"
#include "db/tube_check.h"
#include "db/water.h"
#include "db/weight.h"

#define NIL CT_F_NULLABLE
#define COL CT_REPORT_COL

/* A row: the entry, and its time on the cat's clock. */
struct meal {
	struct ct_feeding x;
	int64_t local_us;
};
struct dose {
	struct ct_medication x;
	int64_t local_us;
};
struct weighing {
	struct ct_weight x;
	int64_t local_us;
};
struct seen {
	struct ct_observation x;
	int64_t local_us;
};
struct drink {
	struct ct_water x;
	int64_t local_us;
};
struct look {
	struct ct_tube_check x;
	int64_t local_us;
};

/* clang-format off */
#define ID(T)	 COL(T, "id", CT_T_UUID, x.e.id, 0, NULL, NULL)
#define GIVEN(T) COL(T, "time_given", CT_T_TIME, x.e.given_at, 0, "given_at", "UTC")
#define DAY(T)	 COL(T, "care_day", CT_T_DAY, x.e.care_day, 0, NULL, NULL)
#define NOTES(T) COL(T, "notes", CT_T_TEXT, x.e.notes, 0, NULL, NULL)
#define BY(T)	 COL(T, "by", CT_T_TEXT, x.e.by_name, 0, "by_name", NULL)
/* Not in plain files, which tell the instant. */
#define LOCAL(T)                                                               \
	COL(T, "local_time", CT_T_TIME, local_us, CT_F_HIDDEN | NIL,           \
	    "local_at", "local")
/* clang-format on */

/* The columns that the original's reports have come first, in its order. */
static const struct ct_field meal_cols[] = {
    ID(meal),
    COL(meal, "amount_ml", CT_T_VOLUME, x.amount_ul, 0, "amount_ul", "mL"),
    COL(meal, "flushed_before", CT_T_BOOL, x.flushed_before, 0, NULL, NULL),
    COL(meal, "flushed_after", CT_T_BOOL, x.flushed_after, 0, NULL, NULL),
    GIVEN(meal),
    DAY(meal),
    COL(meal, "planned_ml", CT_T_VOLUME, x.planned_ul, NIL, "planned_ul", "mL"),
    COL(meal, "flush_before_ml", CT_T_VOLUME, x.flush_before_ul, NIL,
	"flush_before_ul", "mL"),
    COL(meal, "flush_after_ml", CT_T_VOLUME, x.flush_after_ul, NIL,
	"flush_after_ul", "mL"),
    COL(meal, "route", CT_T_TEXT, x.route, 0, NULL, NULL),
    COL(meal, "outcome", CT_T_TEXT, x.outcome, NIL, NULL, NULL),
    NOTES(meal),
    BY(meal),
    LOCAL(meal),
};
static const struct ct_fields meal_fields =
    CT_FIELDS("feeding", struct meal, meal_cols);

static const struct ct_field dose_cols[] = {
    ID(dose),
    COL(dose, "medication_name", CT_T_TEXT, x.name, 0, NULL, NULL),
    COL(dose, "dosage", CT_T_TEXT, x.dosage, 0, NULL, NULL),
    COL(dose, "amount_ml", CT_T_VOLUME, x.amount_ul, 0, "amount_ul", "mL"),
    COL(dose, "route", CT_T_TEXT, x.route, 0, NULL, NULL),
    NOTES(dose),
    COL(dose, "flushed_before", CT_T_BOOL, x.flushed_before, 0, NULL, NULL),
    COL(dose, "flushed_after", CT_T_BOOL, x.flushed_after, 0, NULL, NULL),
    GIVEN(dose),
    DAY(dose),
    COL(dose, "status", CT_T_TEXT, x.status, 0, NULL, NULL),
    COL(dose, "reason", CT_T_TEXT, x.reason, 0, NULL, NULL),
    BY(dose),
    LOCAL(dose),
};
static const struct ct_fields dose_fields =
    CT_FIELDS("medication", struct dose, dose_cols);

static const struct ct_field weight_cols[] = {
    ID(weighing),
    COL(weighing, "weight_g", CT_T_INT, x.weight_g, 0, NULL, "g"),
    COL(weighing, "weight_kg", CT_T_MILLI, x.weight_g, 0, "weight_g", "kg"),
    GIVEN(weighing),
    DAY(weighing),
    NOTES(weighing),
    BY(weighing),
    LOCAL(weighing),
};
static const struct ct_fields weight_fields =
    CT_FIELDS("weight", struct weighing, weight_cols);

static const struct ct_field seen_cols[] = {
    ID(seen),
    COL(seen, "kind", CT_T_TEXT, x.kind, 0, NULL, NULL),
    COL(seen, "severity", CT_T_INT, x.severity, NIL, NULL, "1 to 3"),
    GIVEN(seen),
    DAY(seen),
    NOTES(seen),
    BY(seen),
    LOCAL(seen),
};
static const struct ct_fields seen_fields =
    CT_FIELDS("observation", struct seen, seen_cols);

static const struct ct_field water_cols[] = {
    ID(drink),
    COL(drink, "amount_ml", CT_T_VOLUME, x.amount_ul, 0, "amount_ul", "mL"),
    COL(drink, "way", CT_T_TEXT, x.way, 0, NULL, NULL),
    GIVEN(drink),
    DAY(drink),
    NOTES(drink),
    BY(drink),
    LOCAL(drink),
};
static const struct ct_fields water_fields =
    CT_FIELDS("water", struct drink, water_cols);

static const struct ct_field look_cols[] = {
    ID(look),
    COL(look, "incident", CT_T_TEXT, x.incident, NIL, NULL, NULL),
    COL(look, "cap_on", CT_T_BOOL, x.cap_on, NIL, NULL, NULL),
    COL(look, "dressing", CT_T_TEXT, x.dressing, NIL, NULL, NULL),
    COL(look, "skin", CT_T_TEXT, x.skin, NIL, NULL, NULL),
    COL(look, "discharge", CT_T_TEXT, x.discharge, NIL, NULL, NULL),
    COL(look, "smell", CT_T_BOOL, x.smell, NIL, NULL, NULL),
    COL(look, "suture_holding", CT_T_BOOL, x.suture_holding, NIL, NULL, NULL),
    COL(look, "mark_cm", CT_T_MILLI, x.mark_mcm, NIL, "mark_mcm", "cm"),
    COL(look, "patent", CT_T_BOOL, x.patent, NIL, NULL, NULL),
    COL(look, "collar_ok", CT_T_BOOL, x.collar_ok, NIL, NULL, NULL),
    GIVEN(look),
    DAY(look),
    NOTES(look),
    BY(look),
    LOCAL(look),
};
static const struct ct_fields look_fields =
    CT_FIELDS("tube_check", struct look, look_cols);

#define WHICH(T)                                                               \
	" from " T " e left join account b on b.id = e.by_account"             \
	" where e.cat_id = $1 and e.deleted_at is null"                        \
	" and ($2::date is null or e.care_day >= $2)"                          \
	" and ($3::date is null or e.care_day <= $3)"
/* The zone is a subquery of its own: a join could cost the order of the index,
 * which a million rows are read by. */
#define ROWS(T, COLS)                                                          \
	"select e.id, e.given_at, e.care_day, e.notes,"                        \
	" coalesce(b.first_name, '') as by_name, case when $4 then"            \
	" (e.given_at at time zone (select c.timezone from cat c"              \
	" where c.id = $1)) at time zone 'UTC' end as local_at, " COLS         \
	WHICH(T) " order by e.given_at, e.id"
#define LOG(noun, T, FIELDS, COLS)                                             \
	static const struct ct_stmt noun##_rows = {"report_" T "_rows",        \
	    CT_GLOBAL, CT_READ, "uddb", &FIELDS, ROWS(T, COLS)};               \
	static const struct ct_stmt noun##_count = {"report_" T "_count",      \
	    CT_GLOBAL, CT_READ, "udd", NULL, "select count(*)" WHICH(T)}

LOG(meal, "feeding", meal_fields,
    "e.amount_ul, e.flushed_before, e.flushed_after, e.planned_ul,"
    " e.flush_before_ul, e.flush_after_ul, e.route, e.outcome");
LOG(dose, "medication", dose_fields,
    "e.medication_name, e.dosage, e.amount_ul, e.route, e.flushed_before,"
    " e.flushed_after, e.status, e.reason");
LOG(weight, "weight", weight_fields, "e.weight_g");
LOG(seen, "observation", seen_fields, "e.kind, e.severity");
LOG(water, "water", water_fields, "e.amount_ul, e.way");
LOG(look, "tube_check", look_fields,
    "e.incident, e.cap_on, e.dressing, e.skin, e.discharge, e.smell,"
    " e.suture_holding, e.mark_mcm, e.patent, e.collar_ok");

const struct ct_stmt *const ct_report_row_stmts[] = {&meal_rows, &meal_count,
    &dose_rows, &dose_count, &weight_rows, &weight_count, &seen_rows,
    &seen_count, &water_rows, &water_count, &look_rows, &look_count, NULL};

#define WHEN                                                                   \
	{"care_day", "Day", 54, NULL},                                         \
	{                                                                      \
		"local_time", "Time", 44, NULL                                 \
	}
#define REST(by, notes)                                                        \
	{"by", "By", (by), NULL}, {"notes", "Notes", (notes), NULL},           \
	    {"time_given", "Time", 0, NULL},                                   \
	{                                                                      \
		NULL, NULL, 0, NULL                                            \
	}

/* clang-format off */
static const struct ct_report_column meal_people[] = {
    WHEN,
    {"amount_ml", "Given", 36, NULL},
    {"planned_ml", "Planned", 40, NULL},
    {"route", "Route", 30, NULL},
    {"outcome", "How it went", 46, NULL},
    {"flush_before_ml", "Flush before", 40, "flushed_before"},
    {"flush_after_ml", "Flush after", 36, "flushed_after"},
    {"flushed_before", "Flushed before", 0, NULL},
    {"flushed_after", "Flushed after", 0, NULL},
    REST(58, 131),
};
static const struct ct_report_column dose_people[] = {
    WHEN,
    {"medication_name", "Medicine", 92, NULL},
    {"dosage", "Dosage", 56, NULL},
    {"amount_ml", "Volume", 40, NULL},
    {"route", "Route", 40, NULL},
    {"status", "Status", 40, NULL},
    {"reason", "Reason", 52, NULL},
    {"flushed_before", "Flushed before", 0, NULL},
    {"flushed_after", "Flushed after", 0, NULL},
    REST(50, 80),
};
static const struct ct_report_column weight_people[] = {
    WHEN,
    {"weight_kg", "Weight", 44, NULL},
    REST(80, 293),
};
static const struct ct_report_column seen_people[] = {
    WHEN,
    {"kind", "Seen", 66, NULL},
    {"severity", "Severity", 42, NULL},
    REST(70, 239),
};
static const struct ct_report_column water_people[] = {
    WHEN,
    {"amount_ml", "Amount", 40, NULL},
    {"way", "Way", 70, NULL},
    REST(70, 237),
};
static const struct ct_report_column look_people[] = {
    WHEN,
    {"incident", "Incident", 42, NULL},
    {"cap_on", "Cap on", 24, NULL},
    {"dressing", "Dressing", 42, NULL},
    {"skin", "Skin", 44, NULL},
    {"discharge", "Discharge", 46, NULL},
    {"smell", "Smell", 30, NULL},
    {"suture_holding", "Suture holds", 34, NULL},
    {"mark_cm", "Mark", 28, NULL},
    {"patent", "Water passes", 36, NULL},
    {"collar_ok", "Collar fits", 32, NULL},
    REST(46, 72),
};
/* clang-format on */

#define SECTION(title, json, name, noun)                                       \
	{                                                                      \
		(title), (json), (name), CT_PART_ENTRIES, &noun##_rows,        \
		    &noun##_count, &noun##_fields, noun##_people               \
	}
const struct ct_report_section ct_report_meals =
    SECTION("Feeding Data", "feeding_data", "Meals", meal);
const struct ct_report_section ct_report_doses =
    SECTION("Medication Data", "medication_data", "Medication", dose);
const struct ct_report_section ct_report_weights =
    SECTION("Weight Data", "weight_data", "Weights", weight);
const struct ct_report_section ct_report_observations =
    SECTION("Observation Data", "observation_data", "Observations", seen);
const struct ct_report_section ct_report_water =
    SECTION("Water Data", "water_data", "Extra water", water);
const struct ct_report_section ct_report_tube_checks =
    SECTION("Tube Check Data", "tube_check_data", "Tube checks", look);
