/* Observations; see observation.h. */
#include "db/observation.h"

#include "care/vomit.h"
#include "db/entry_fields.h"
#include "db/entry_sql.h"

#define AT(m) offsetof(struct ct_observation, m)

static const char *const kinds[] = {"vomit", "diarrhoea", "constipation",
    "drool", "cough", "breathing", "lethargy", "pain", "appetite", "stool",
    "urine", "other", NULL};

static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    {"kind", CT_T_ENUM, AT(kind), CT_F_REQUIRED, 0, 0, NULL, kinds, NULL,
	"what was seen"},
    {"severity", CT_T_INT, AT(severity), CT_F_NULLABLE, 1, 3, NULL, NULL, NULL,
	"1 mild, 2 moderate, 3 severe"},
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_observation) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_observation_fields =
    CT_FIELDS("observation", struct ct_observation, fields);

#define T    "observation"
#define SIG  "ti"
#define OWN  "kind, severity"
#define COLS "e.kind, e.severity"
#define VALS "$7, $8"

/* The meal before it, and other vomiting within 24 hours. */
#define OTHERS                                                                 \
	"(select count(*) from observation o where o.cat_id = $2"              \
	" and o.deleted_at is null and o.kind = 'vomit'"                       \
	" and $7 = 'vomit'"
#define NEAR                                                                   \
	", t as (select coalesce($5, now()) as at),"                           \
	" f as (select f.given_at, f.amount_ul from feeding f, t"              \
	" where f.cat_id = $2 and f.deleted_at is null"                        \
	" and f.given_at <= t.at and $7 = 'vomit'"                             \
	" order by f.given_at desc, f.id desc limit 1)"
#define MORE                                                                   \
	", t.at as at, f.given_at as meal_at, f.amount_ul as meal_ul,"         \
	" " OTHERS " and o.given_at <= t.at and o.given_at >"                  \
	" t.at - interval '24 hours') as before,"                              \
	" " OTHERS " and o.given_at > t.at and o.given_at <"                   \
	" t.at + interval '24 hours') as after"
ENTRY_ADD_STMT(T, ct_observation_fields, SIG,
    ENTRY_ADD_WITH(T, OWN, COLS, VALS, NEAR, "", MORE,
	" cross join t left join f on true"));
ENTRY_STMTS(T, ct_observation_fields, SIG, OWN, COLS, VALS, "t",
    " and ($13::text is null or e.kind = $13)");
const struct ct_stmt *const ct_observation_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {
    ENTRY_QUERY,
    ENTRY_FILTER("kind", CT_T_ENUM, 0, kinds, "only these"),
};
const struct ct_fields ct_observation_query =
    CT_FIELDS("observation list", struct ct_entry_query, query);

static const struct ct_observation fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}}, .severity = CT_NULL_I64};

static void
warn_meal(struct ct_arena *a, const struct ct_res *r, struct ct_jw *w)
{
	int64_t meal_at = ct_res_time(r, 0, ct_res_col(r, "meal_at"));
	int64_t ul = ct_res_i64(r, 0, ct_res_col(r, "meal_ul"));
	int64_t since, minutes;
	char ml[24];
	size_t n;

	if (meal_at == CT_NULL_I64)
		return;
	since = ct_res_time(r, 0, ct_res_col(r, "at")) - meal_at;
	if (!ct_vomit_after_meal(since))
		return;
	minutes = since / 60000000;
	n = ct_milli_text(ul, ml);
	ct_warn_begin(w, "vomit_after_meal",
	    ct_arena_printf(a,
		"This was %lld min after a meal of %.*s mL. Do not raise the "
		"amount; call your vet if it goes on.",
		(long long)minutes, ct_int(n), ml));
	ct_jw_key(w, "minutes_after");
	ct_jw_i64(w, minutes);
	ct_jw_key(w, "amount_ml");
	ct_jw_milli(w, ul);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, meal_at);
	ct_jw_end(w);
}

static void
warn(struct ct_arena *a, const void *obj, const struct ct_res *r,
    struct ct_jw *w)
{
	const struct ct_observation *o = obj;
	int64_t count;

	if (!ct_str_is(o->kind, "vomit"))
		return;
	warn_meal(a, r, w);
	count = ct_vomit_count(ct_res_i64(r, 0, ct_res_col(r, "before")),
	    ct_res_i64(r, 0, ct_res_col(r, "after")));
	if (!ct_vomit_often(count))
		return;
	ct_warn_begin(w, "vomit_repeated",
	    ct_arena_printf(a,
		"Vomited %lld times within 24 hours. Do not raise the amount; "
		"call your vet.",
		(long long)count));
	ct_jw_key(w, "count");
	ct_jw_i64(w, count);
	ct_jw_end(w);
}

const struct ct_entry_kind ct_observation_kind = {.name = T,
    .fields = &ct_observation_fields,
    .query = &ct_observation_query,
    .stmts = ct_observation_stmts,
    .fresh = &fresh,
    .added = "Observation logged",
    .warn = warn};
