/*
 * What fills a report: one query and one column table per section; a report
 * kind is a list of sections.
 */
#include "db/report.h"

#include "db/feeding.h"
#include "db/medication.h"
#include "db/report_rows.h"

#define F(m) offsetof(struct ct_feeding, m)
#define M(m) offsetof(struct ct_medication, m)
#define NIL  CT_F_NULLABLE

/* The columns that the original's reports have come first, in its order. */
static const struct ct_field feeding_cols[] = {
    {"id", CT_T_UUID, F(e.id), 0, 0, 0, NULL, NULL, NULL, ""},
    {"amount_ml", CT_T_VOLUME, F(amount_ul), 0, 0, 0, "amount_ul", NULL, "mL",
	""},
    {"flushed_before", CT_T_BOOL, F(flushed_before), 0, 0, 0, NULL, NULL, NULL,
	""},
    {"flushed_after", CT_T_BOOL, F(flushed_after), 0, 0, 0, NULL, NULL, NULL,
	""},
    {"time_given", CT_T_TIME, F(e.given_at), 0, 0, 0, "given_at", NULL, NULL,
	""},
    {"care_day", CT_T_DAY, F(e.care_day), 0, 0, 0, NULL, NULL, NULL, ""},
    {"planned_ml", CT_T_VOLUME, F(planned_ul), NIL, 0, 0, "planned_ul", NULL,
	"mL", ""},
    {"flush_before_ml", CT_T_VOLUME, F(flush_before_ul), NIL, 0, 0,
	"flush_before_ul", NULL, "mL", ""},
    {"flush_after_ml", CT_T_VOLUME, F(flush_after_ul), NIL, 0, 0,
	"flush_after_ul", NULL, "mL", ""},
    {"route", CT_T_TEXT, F(route), 0, 0, 0, NULL, NULL, NULL, ""},
    {"outcome", CT_T_TEXT, F(outcome), NIL, 0, 0, NULL, NULL, NULL, ""},
    {"notes", CT_T_TEXT, F(e.notes), 0, 0, 0, NULL, NULL, NULL, ""},
    {"by", CT_T_TEXT, F(e.by_name), 0, 0, 0, "by_name", NULL, NULL, ""},
};
static const struct ct_fields feeding_fields =
    CT_FIELDS("feeding", struct ct_feeding, feeding_cols);

static const struct ct_field medication_cols[] = {
    {"id", CT_T_UUID, M(e.id), 0, 0, 0, NULL, NULL, NULL, ""},
    {"medication_name", CT_T_TEXT, M(name), 0, 0, 0, NULL, NULL, NULL, ""},
    {"dosage", CT_T_TEXT, M(dosage), 0, 0, 0, NULL, NULL, NULL, ""},
    {"amount_ml", CT_T_VOLUME, M(amount_ul), 0, 0, 0, "amount_ul", NULL, "mL",
	""},
    {"route", CT_T_TEXT, M(route), 0, 0, 0, NULL, NULL, NULL, ""},
    {"notes", CT_T_TEXT, M(e.notes), 0, 0, 0, NULL, NULL, NULL, ""},
    {"flushed_before", CT_T_BOOL, M(flushed_before), 0, 0, 0, NULL, NULL, NULL,
	""},
    {"flushed_after", CT_T_BOOL, M(flushed_after), 0, 0, 0, NULL, NULL, NULL,
	""},
    {"time_given", CT_T_TIME, M(e.given_at), 0, 0, 0, "given_at", NULL, NULL,
	""},
    {"care_day", CT_T_DAY, M(e.care_day), 0, 0, 0, NULL, NULL, NULL, ""},
    {"status", CT_T_TEXT, M(status), 0, 0, 0, NULL, NULL, NULL, ""},
    {"reason", CT_T_TEXT, M(reason), 0, 0, 0, NULL, NULL, NULL, ""},
    {"by", CT_T_TEXT, M(e.by_name), 0, 0, 0, "by_name", NULL, NULL, ""},
};
static const struct ct_fields medication_fields =
    CT_FIELDS("medication", struct ct_medication, medication_cols);

#define WHICH(T)                                                               \
	" from " T " e left join account b on b.id = e.by_account"             \
	" where e.cat_id = $1 and e.deleted_at is null"                        \
	" and ($2::date is null or e.care_day >= $2)"                          \
	" and ($3::date is null or e.care_day <= $3)"
#define ROWS(T, COLS)                                                          \
	"select e.id, e.given_at, e.care_day, e.notes,"                        \
	" coalesce(b.first_name, '') as by_name, " COLS                        \
	WHICH(T) " order by e.given_at, e.id"

const struct ct_stmt ct_report_feeding_rows = {"report_feeding_rows", CT_GLOBAL,
    CT_READ, "udd", &feeding_fields,
    ROWS("feeding",
	"e.amount_ul, e.flushed_before, e.flushed_after,"
	" e.planned_ul, e.flush_before_ul, e.flush_after_ul, e.route,"
	" e.outcome")};
const struct ct_stmt ct_report_feeding_count = {"report_feeding_count",
    CT_GLOBAL, CT_READ, "udd", NULL, "select count(*)" WHICH("feeding")};
const struct ct_stmt ct_report_medication_rows = {"report_medication_rows",
    CT_GLOBAL, CT_READ, "udd", &medication_fields,
    ROWS("medication", "e.medication_name, e.dosage, e.amount_ul,"
		       " e.route, e.flushed_before, e.flushed_after, e.status,"
		       " e.reason")};
const struct ct_stmt ct_report_medication_count = {"report_medication_count",
    CT_GLOBAL, CT_READ, "udd", NULL, "select count(*)" WHICH("medication")};

static const struct ct_report_section feeding = {"Feeding Data", "feeding_data",
    &ct_report_feeding_rows, &ct_report_feeding_count, &feeding_fields};
static const struct ct_report_section medication = {"Medication Data",
    "medication_data", &ct_report_medication_rows, &ct_report_medication_count,
    &medication_fields};

static const struct {
	const char *kind;
	const struct ct_report_section *sections[2];
} kinds[] = {
    {"feeding", {&feeding, NULL}},
    {"medication", {&medication, NULL}},
    {"combined", {&feeding, &medication}},
};

int
ct_report_sections(struct ct_str kind, const struct ct_report_section *out[2])
{
	for (size_t i = 0; i < ct_countof(kinds); i++) {
		if (!ct_str_is(kind, kinds[i].kind))
			continue;
		out[0] = kinds[i].sections[0];
		out[1] = kinds[i].sections[1];
		return out[1] ? 2 : 1;
	}
	ct_bug("no report of kind %.*s", CT_STR_FMT(kind));
}

void
ct_report_params(
    struct ct_params *p, struct ct_arena *a, const struct ct_report *r)
{
	ct_params_init(p, a);
	ct_p_uuid(p, &r->cat_id);
	ct_p_day(p, r->from_day);
	ct_p_day(p, r->to_day);
}
