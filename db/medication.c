/* Doses; see medication.h. */
#include "db/medication.h"

#include "care/dose.h"
#include "db/entry_fields.h"
#include "db/entry_sql.h"

#define AT(m) offsetof(struct ct_medication, m)

static const char *const routes[] = {
    "E-tube", "Oral", "Injection", "Topical", NULL};
static const char *const states[] = {"given", "skipped", NULL};

static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    {"medication_name", CT_T_TEXT, AT(name), CT_F_REQUIRED, 1, 100, NULL, NULL,
	NULL, "what was given"},
    {"dosage", CT_T_TEXT, AT(dosage), CT_F_REQUIRED, 1, 50, NULL, NULL, NULL,
	"how much of it, as the label says"},
    {"amount_ml", CT_T_VOLUME, AT(amount_ul), CT_F_REQUIRED, 1, 200000,
	"amount_ul", NULL, "mL", "volume through the tube"},
    {"route", CT_T_ENUM, AT(route), 0, 0, 0, NULL, routes, NULL,
	"the way it was given"},
    {"flushed_before", CT_T_BOOL, AT(flushed_before), 0, 0, 0, NULL, NULL, NULL,
	"the tube was flushed before"},
    {"flushed_after", CT_T_BOOL, AT(flushed_after), 0, 0, 0, NULL, NULL, NULL,
	"the tube was flushed after"},
    {"status", CT_T_ENUM, AT(status), 0, 0, 0, NULL, states, NULL,
	"given or skipped"},
    {"reason", CT_T_TEXT, AT(reason), 0, 0, 500, NULL, NULL, NULL,
	"why it was skipped"},
    {"confirm", CT_T_BOOL, AT(confirm), CT_F_CREATE | CT_F_HIDDEN | CT_F_NOROW,
	0, 0, NULL, NULL, NULL,
	"false: log nothing where the same was just given"},
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_medication) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_medication_fields =
    CT_FIELDS("medication", struct ct_medication, fields);

#define T   "medication"
#define SIG "ttitbbtt"
#define OWN                                                                    \
	"medication_name, dosage, amount_ul, route, flushed_before,"           \
	" flushed_after, status, reason"
#define COLS                                                                   \
	"e.medication_name, e.dosage, e.amount_ul, e.route,"                   \
	" e.flushed_before, e.flushed_after, e.status, e.reason"
#define VALS "$7, $8, $9, $10, $11, $12, $13, $14"

/* The same medicine, given on either side of this dose within the gap. */
#define GAP "interval '" CT_SQL_TEXT(CT_DOSE_GAP_H) " hours'"
#define NEAR                                                                   \
	", near as (select f.given_at, f.dosage, coalesce(g.first_name, '')"   \
	" as name from medication f left join account g"                       \
	" on g.id = f.by_account where f.cat_id = $2"                          \
	" and f.deleted_at is null and f.status = 'given' and $13 = 'given'"   \
	" and lower(f.medication_name) = lower($7)"                            \
	" and f.given_at > coalesce($5, now()) - " GAP                         \
	" and f.given_at < coalesce($5, now()) + " GAP                         \
	" order by abs(extract(epoch from f.given_at - coalesce($5, now())))"  \
	" limit 1)"
ENTRY_ADD_STMT(T, ct_medication_fields, SIG "b",
    ENTRY_ADD_WITH(T, OWN, COLS, VALS, NEAR,
	" where not ($15 and exists (select from near))",
	", near.given_at as near_at, near.dosage as near_dosage,"
	" near.name as near_by,"
	" coalesce(e.given_at, $5, now()) as at",
	" left join near on true"));
ENTRY_STMTS(T, ct_medication_fields, SIG, OWN, COLS, VALS, "tt",
    " and ($13::text is null or lower(e.medication_name) = lower($13))"
    " and ($14::text is null or e.status = $14)");
const struct ct_stmt *const ct_medication_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {
    ENTRY_QUERY,
    ENTRY_FILTER("medication_name", CT_T_TEXT, 0, NULL,
	"only this medicine, in any case of its letters"),
    ENTRY_FILTER("status", CT_T_ENUM, 1, states, "only given or only skipped"),
};
const struct ct_fields ct_medication_query =
    CT_FIELDS("medication list", struct ct_entry_query, query);

static const struct ct_medication fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}},
    .route = {"E-tube", 6},
    .flushed_before = true,
    .flushed_after = true,
    .status = {"given", 5},
    .reason = {"", 0},
    .confirm = true,
};

/* Who gave it, when, and how much: whether it is too much a person judges. */
static void
warn(struct ct_arena *a, const void *obj, const struct ct_res *r,
    struct ct_jw *w)
{
	const struct ct_medication *m = obj;
	int col = ct_res_col(r, "near_at");
	struct ct_str by = ct_res_str(r, 0, ct_res_col(r, "near_by"));
	struct ct_str dosage = ct_res_str(r, 0, ct_res_col(r, "near_dosage"));
	int64_t us, minutes;

	if (ct_res_null(r, 0, col))
		return;
	us = ct_res_time(r, 0, ct_res_col(r, "at")) - ct_res_time(r, 0, col);
	minutes = (us < 0 ? -us : us) / 60000000;
	ct_warn_begin(w, "double_dose",
	    ct_arena_printf(a, "%.*s gave %.*s (%.*s) %lld min %s.",
		CT_STR_FMT(by), CT_STR_FMT(m->name), CT_STR_FMT(dosage),
		(long long)minutes, us < 0 ? "after that" : "before"));
	ct_jw_key(w, "by");
	ct_jw_str(w, by);
	ct_jw_key(w, "minutes_ago");
	ct_jw_i64(w, minutes);
	ct_jw_key(w, "medication_name");
	ct_jw_str(w, m->name);
	ct_jw_key(w, "dosage");
	ct_jw_str(w, dosage);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, ct_res_time(r, 0, col));
	ct_jw_end(w);
}

const struct ct_entry_kind ct_medication_kind = {.name = T,
    .fields = &ct_medication_fields,
    .query = &ct_medication_query,
    .stmts = ct_medication_stmts,
    .fresh = &fresh,
    .added = "Medication logged successfully",
    .warn = warn,
    .confirm = AT(confirm),
    .stop_code = "double_dose",
    .stop_text = "The same was given shortly before; nothing was logged.",
    .bare = true};
