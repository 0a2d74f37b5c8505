/* Extra water; see water.h. */
#include "db/water.h"

#include "db/entry_fields.h"
#include "db/entry_sql.h"

#define AT(m) offsetof(struct ct_water, m)

static const char *const ways[] = {"tube", "drunk", "subcutaneous", NULL};

static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    {"amount_ml", CT_T_VOLUME, AT(amount_ul), CT_F_REQUIRED, 1, 200000,
	"amount_ul", NULL, "mL", "volume"},
    {"way", CT_T_ENUM, AT(way), 0, 0, 0, NULL, ways, NULL,
	"through the tube, drunk, or under the skin"},
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_water) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_water_fields =
    CT_FIELDS("water", struct ct_water, fields);

#define T    "water"
#define SIG  "it"
#define OWN  "amount_ul, way"
#define COLS "e.amount_ul, e.way"
#define VALS "$7, $8"
ENTRY_ADD_STMT(T, ct_water_fields, SIG, ENTRY_ADD(T, OWN, COLS, VALS));
ENTRY_STMTS(T, ct_water_fields, SIG, OWN, COLS, VALS, "t",
    " and ($13::text is null or e.way = $13)");
const struct ct_stmt *const ct_water_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {
    ENTRY_QUERY,
    ENTRY_FILTER("way", CT_T_ENUM, 0, ways, "only water given that way"),
};
const struct ct_fields ct_water_query =
    CT_FIELDS("water list", struct ct_entry_query, query);

static const struct ct_water fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}}, .way = {"tube", 4}};

const struct ct_entry_kind ct_water_kind = {.name = T,
    .fields = &ct_water_fields,
    .query = &ct_water_query,
    .stmts = ct_water_stmts,
    .fresh = &fresh,
    .added = "Water logged"};
