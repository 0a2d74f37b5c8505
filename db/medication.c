/* Doses; see medication.h. */
#include "db/medication.h"

#include "db/entry_fields.h"
#include "db/entry_sql.h"
#include "db/tracker.h"

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
    ENTRY_FIELDS_LAST,
};
const struct ct_fields ct_medication_fields =
    CT_FIELDS("medication", struct ct_medication, fields);

#define T "medication"
#define COLS                                                                   \
	"e.medication_name, e.dosage, e.amount_ul, e.route,"                   \
	" e.flushed_before, e.flushed_after, e.status, e.reason"

/* account, cat, role, id, time, notes, then the kind's own in table order */
static const struct ct_stmt add = {"medication_add", CT_OWNED, CT_WRITE,
    "uuiuztttitbbtt", &ct_medication_fields,
    "with e as (insert into medication (cat_id, id, given_at, care_day,"
    " notes, medication_name, dosage, amount_ul, route, flushed_before,"
    " flushed_after, status, reason, by_account)"
    " select c.id, $4, coalesce($5, now()), ct_care_day("
    "coalesce($5, now()), c.timezone, c.day_start), $6, $7, $8, $9, $10,"
    " $11, $12, $13, $14, $1 from cat c join cat_member m"
    " on m.cat_id = c.id and m.account_id = $1 and m.role >= $3"
    " where c.id = $2 returning *)"
    " select " ENTRY_HEAD COLS " from e join cat_member m"
    " on m.cat_id = e.cat_id and m.account_id = $1"
    " left join account b on b.id = e.by_account"};

static const struct ct_stmt get = {"medication_get", CT_OWNED, CT_READ, "uub",
    &ct_medication_fields, ENTRY_GET(T, COLS)};
static const struct ct_stmt list = {"medication_list", CT_OWNED, CT_READ,
    "uuddzzii", &ct_medication_fields, ENTRY_LIST(T, COLS)};
static const struct ct_stmt count = {
    "medication_count", CT_OWNED, CT_READ, "uuddzz", NULL, ENTRY_COUNT(T)};
static const struct ct_stmt update = {"medication_update", CT_OWNED, CT_WRITE,
    "uuiztttitbbtt", &ct_medication_fields,
    ENTRY_UPDATE(T, COLS,
	"medication_name = $6, dosage = $7, amount_ul = $8, route = $9,"
	" flushed_before = $10, flushed_after = $11, status = $12,"
	" reason = $13")};
static const struct ct_stmt remove_one = {"medication_remove", CT_OWNED,
    CT_WRITE, "uui", &ct_medication_fields, ENTRY_REMOVE(T, COLS)};
static const struct ct_stmt restore = {"medication_restore", CT_OWNED, CT_WRITE,
    "uui", &ct_medication_fields, ENTRY_RESTORE(T, COLS)};

const struct ct_stmt *const ct_medication_stmts[] = {
    &add, &get, &list, &count, &update, &remove_one, &restore, NULL};

const struct ct_entry_kind ct_medication_kind = {&ct_medication_fields, &add,
    &get, &list, &count, &update, &remove_one, &restore,
    sizeof(struct ct_medication)};

enum ct_rc
ct_medication_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_medication *in,
    struct ct_medication *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_entry_add_params(&p, &ct_medication_kind, account, CT_HELPER, in);
	if (ct_pg_run(pg, &add, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_cat_refused(pg, a, account, &in->e.cat_id, err);
	ct_res_get(r, 0, &ct_medication_fields, out);
	return CT_OK;
}
