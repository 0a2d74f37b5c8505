/* Looks at the tube; see tube_check.h. */
#include "db/tube_check.h"

#include "care/tube.h"
#include "db/entry_fields.h"
#include "db/entry_sql.h"

#define AT(m) offsetof(struct ct_tube_check, m)
#define NIL   CT_F_NULLABLE

static const char *const dressings[] = {"clean", "soiled", "changed", NULL};
static const char *const skins[] = {"clean", "redness", "swelling", NULL};
static const char *const discharges[] = {"none", "clear", "coloured", NULL};
static const char *const incidents[] = {
    "out", "blocked", "slipped", "leak", NULL};

#define YES_NO(name, member, help)                                             \
	{                                                                      \
		name, CT_T_BOOL, AT(member), NIL, 0, 0, NULL, NULL, NULL, help \
	}
#define ONE_OF(name, member, names, help)                                      \
	{                                                                      \
		name, CT_T_ENUM, AT(member), NIL, 0, 0, NULL, names, NULL,     \
		    help                                                       \
	}
static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    YES_NO("cap_on", cap_on, "the cap is on"),
    ONE_OF("dressing", dressing, dressings, "the dressing"),
    ONE_OF("skin", skin, skins, "the skin around the stoma"),
    ONE_OF("discharge", discharge, discharges, "what comes from the stoma"),
    YES_NO("smell", smell, "it smells"),
    YES_NO("suture_holding", suture_holding, "the suture holds"),
    {"mark_cm", CT_T_MILLI, AT(mark_mcm), NIL, 0, 60000, "mark_mcm", NULL, "cm",
	"length mark of the tube at the skin"},
    YES_NO("patent", patent, "water goes through"),
    YES_NO("collar_ok", collar_ok, "two fingers fit under the collar"),
    ONE_OF("incident", incident, incidents, "what happened to the tube"),
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_tube_check) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_tube_check_fields =
    CT_FIELDS("tube_check", struct ct_tube_check, fields);

#define T   "tube_check"
#define SIG "btttbbibbt"
#define OWN                                                                    \
	"cap_on, dressing, skin, discharge, smell, suture_holding, mark_mcm,"  \
	" patent, collar_ok, incident"
#define COLS                                                                   \
	"e.cap_on, e.dressing, e.skin, e.discharge, e.smell,"                  \
	" e.suture_holding, e.mark_mcm, e.patent, e.collar_ok, e.incident"
#define VALS "$7, $8, $9, $10, $11, $12, $13, $14, $15, $16"
#define MORE                                                                   \
	", (select o.mark_mcm from tube_check o where o.cat_id = $2"           \
	" and o.deleted_at is null and o.mark_mcm is not null"                 \
	" and o.given_at <= coalesce($5, now())"                               \
	" order by o.given_at desc, o.id desc limit 1) as last_mark"
ENTRY_ADD_STMT(T, ct_tube_check_fields, SIG,
    ENTRY_ADD_WITH(T, OWN, COLS, VALS, "", "", MORE, ""));
ENTRY_STMTS(T, ct_tube_check_fields, SIG, OWN, COLS, VALS, "t",
    " and ($13::text is null or e.incident = $13)");
const struct ct_stmt *const ct_tube_check_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {
    ENTRY_QUERY,
    ENTRY_FILTER("incident", CT_T_ENUM, 0, incidents, "only such incidents"),
};
const struct ct_fields ct_tube_check_query =
    CT_FIELDS("tube_check list", struct ct_entry_query, query);

#define UNSEEN CT_NULL_I64
static const struct ct_tube_check fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}},
    .cap_on = UNSEEN,
    .smell = UNSEEN,
    .suture_holding = UNSEEN,
    .mark_mcm = UNSEEN,
    .patent = UNSEEN,
    .collar_ok = UNSEEN,
};

/* A check without any answer would read as "looked at, all well". */
static enum ct_rc
check(const void *obj, struct ct_err *err)
{
	const struct ct_tube_check *t = obj;

	if (t->dressing.p || t->skin.p || t->discharge.p || t->incident.p ||
	    t->cap_on != UNSEEN || t->smell != UNSEEN ||
	    t->suture_holding != UNSEEN || t->mark_mcm != UNSEEN ||
	    t->patent != UNSEEN || t->collar_ok != UNSEEN)
		return CT_OK;
	return ct_fail_field(err, "cap_on",
	    "or another answer is required: nothing was looked at");
}

static int64_t
is(struct ct_str s, const char *a, const char *b)
{
	if (!s.p)
		return CT_NULL_I64;
	return ct_str_is(s, a) || (b && ct_str_is(s, b));
}

static struct ct_tube_look
look_of(const struct ct_tube_check *t, int64_t last_mark_mcm)
{
	return (struct ct_tube_look){
	    .cap_on = t->cap_on,
	    .dressing_soiled = is(t->dressing, "soiled", NULL),
	    .skin_sore = is(t->skin, "redness", "swelling"),
	    .discharge_coloured = is(t->discharge, "coloured", NULL),
	    .smell = t->smell,
	    .suture_holding = t->suture_holding,
	    .patent = t->patent,
	    .collar_ok = t->collar_ok,
	    .incident = t->incident.p ? 1 : CT_NULL_I64,
	    .mark_mcm = t->mark_mcm,
	    .last_mark_mcm = last_mark_mcm,
	};
}

/* What to do at once is sourced in CARE.md 3.5 and 3.8. */
static const char *
advice(const struct ct_tube_check *t)
{
	if (ct_str_is(t->incident, "out"))
		return " The hole closes within minutes: go to a vet at once, "
		       "and do not push the tube back.";
	if (ct_str_is(t->incident, "slipped"))
		return " Do not feed; secure the tube and go to your vet.";
	if (ct_str_is(t->incident, "blocked"))
		return " Warm water with a gentle push and pull may open it; "
		       "no force. Call your vet.";
	return " Tell your vet.";
}

static void
warn(struct ct_arena *a, const void *obj, const struct ct_res *r,
    struct ct_jw *w)
{
	const struct ct_tube_check *t = obj;
	struct ct_tube_look look =
	    look_of(t, ct_res_i64(r, 0, ct_res_col(r, "last_mark")));
	unsigned red = ct_tube_red(&look);
	struct ct_buf text;
	const char *comma = "";

	if (red == 0)
		return;
	ct_buf_init(&text, a, 256);
	ct_buf_adds(&text, "Not as it should be: ");
	for (unsigned i = 0; i < CT_TUBE_ITEMS; i++) {
		if (!(red >> i & 1))
			continue;
		ct_buf_adds(&text, comma);
		ct_buf_adds(&text, ct_tube_item_name(i));
		comma = ", ";
	}
	ct_buf_addc(&text, '.');
	ct_buf_adds(&text, advice(t));
	ct_warn_begin(w, "tube_red", ct_str_cstr(a, ct_buf_str(&text)));
	ct_jw_key(w, "items");
	ct_jw_arr(w);
	for (unsigned i = 0; i < CT_TUBE_ITEMS; i++) {
		if (red >> i & 1)
			ct_jw_cstr(w, ct_tube_item_name(i));
	}
	ct_jw_end(w);
	ct_jw_end(w);
}

const struct ct_entry_kind ct_tube_check_kind = {.name = T,
    .fields = &ct_tube_check_fields,
    .query = &ct_tube_check_query,
    .stmts = ct_tube_check_stmts,
    .fresh = &fresh,
    .added = "Tube check logged",
    .check = check,
    .warn = warn};
