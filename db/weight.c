/* Weights; see weight.h. */
#include "db/weight.h"

#include "care/weight.h"
#include "common/clock.h"
#include "db/entry_fields.h"
#include "db/entry_sql.h"

#define AT(m) offsetof(struct ct_weight, m)

static const struct ct_field fields[] = {
    ENTRY_FIELDS_FIRST,
    {"weight_g", CT_T_INT, AT(weight_g), CT_F_REQUIRED, 100, 30000, NULL, NULL,
	"g", "weight in grams"},
    {"weight_kg", CT_T_MILLI, AT(weight_g), CT_F_READONLY, 0, 0, "weight_g",
	NULL, "kg", "the same in kilograms"},
    ENTRY_FIELDS_LAST,
};
_Static_assert(sizeof(struct ct_weight) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");
const struct ct_fields ct_weight_fields =
    CT_FIELDS("weight", struct ct_weight, fields);

#define T    "weight"
#define OWN  "weight_g"
#define COLS "e.weight_g"
#define VALS "$7"

/*
 * What the new weight is compared with: the last one before it; medians of the
 * days of the 30 before its own; the median of its own day, itself included.
 */
#define NEAR                                                                   \
	", t as (select coalesce($5, now()) as at, ct_care_day("               \
	"coalesce($5, now()), m.timezone, m.day_start) as day from m),"        \
	" d as (select w.care_day as day, percentile_disc(0.5) within group"   \
	" (order by w.weight_g) as g from weight w, t where w.cat_id = $2"     \
	" and w.deleted_at is null and w.care_day >= t.day - 30"               \
	" and w.care_day < t.day group by w.care_day),"                        \
	" l as (select w.weight_g, w.given_at from weight w, t"                \
	" where w.cat_id = $2 and w.deleted_at is null"                        \
	" and w.given_at <= t.at order by w.given_at desc, w.id desc limit 1)"
#define MORE                                                                   \
	", l.weight_g as last_g, l.given_at as last_at,"                       \
	" (select percentile_disc(0.5) within group (order by x.g) from"       \
	" (select w.weight_g as g from weight w, t where w.cat_id = $2"        \
	" and w.deleted_at is null and w.care_day = t.day union all"           \
	" select $7) x) as day_g,"                                             \
	" (select d.g from d, t where d.day between t.day - 9 and t.day - 5"   \
	" order by abs(d.day - (t.day - 7)), d.day desc limit 1) as week_g,"   \
	" (select max(d.g) from d) as high_g"
ENTRY_ADD_STMT(T, ct_weight_fields, "i",
    ENTRY_ADD_WITH(T, OWN, COLS, VALS, NEAR, "", MORE, " left join l on true"));
ENTRY_STMTS(T, ct_weight_fields, "i", OWN, COLS, VALS, "", "");
const struct ct_stmt *const ct_weight_stmts[] = ENTRY_TABLE;

static const struct ct_field query[] = {ENTRY_QUERY};
const struct ct_fields ct_weight_query =
    CT_FIELDS("weight list", struct ct_entry_query, query);

static const struct ct_weight fresh = {
    .e = {.given_at = CT_NULL_I64, .notes = {"", 0}}};

/* What follows the sentence: by how much, from what. */
static void
write_change(struct ct_jw *w, int64_t change_milli, int64_t ref_g)
{
	ct_jw_key(w, "change_percent");
	ct_jw_milli(w, change_milli);
	ct_jw_key(w, "reference_weight_g");
	ct_jw_i64(w, ref_g);
	ct_jw_key(w, "reference_weight_kg");
	ct_jw_milli(w, ref_g);
}

/* "4.2": thousandths as text on the arena. */
static const char *
milli_text(struct ct_arena *a, int64_t v)
{
	char text[24];
	size_t n = ct_milli_text(v < 0 ? -v : v, text);

	return ct_arena_printf(a, "%.*s", ct_int(n), text);
}

static void
warn_typo(struct ct_arena *a, int64_t now_g, int64_t last_g, int64_t last_at,
    struct ct_jw *w)
{
	int64_t change = ct_weight_change_milli(now_g, last_g);
	char when[CT_TIME_MAX];

	ct_time_format(last_at, when);
	ct_warn_begin(w, "weight_change",
	    ct_arena_printf(a,
		"This is %s %% %s than the last weight, %s kg on %.10s. Is it "
		"a typing error?",
		milli_text(a, change), change < 0 ? "less" : "more",
		milli_text(a, last_g), when));
	write_change(w, change, last_g);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, last_at);
	ct_jw_end(w);
}

static void
warn_loss(struct ct_arena *a, enum ct_loss loss, const char *since,
    int64_t now_g, int64_t ref_g, struct ct_jw *w)
{
	static const struct {
		const char *level, *advice;
	} say[] = {
	    [CT_LOSS_INFO] = {"info", ""},
	    [CT_LOSS_VET] = {"vet", " Tell your vet."},
	    [CT_LOSS_URGENT] = {"urgent", " Call your vet now."},
	};
	int64_t change;

	if (loss == CT_LOSS_NONE)
		return;
	change = ct_weight_change_milli(now_g, ref_g);
	ct_warn_begin(w, "weight_loss",
	    ct_arena_printf(a, "The cat lost %s %% %s, from %s kg.%s",
		milli_text(a, change), since, milli_text(a, ref_g),
		say[loss].advice));
	ct_jw_key(w, "level");
	ct_jw_cstr(w, say[loss].level);
	write_change(w, change, ref_g);
	ct_jw_end(w);
}

static void
warn(struct ct_arena *a, const void *obj, const struct ct_res *r,
    struct ct_jw *w)
{
	const struct ct_weight *new = obj;
	int64_t last = ct_res_i64(r, 0, ct_res_col(r, "last_g"));
	int64_t day = ct_res_i64(r, 0, ct_res_col(r, "day_g"));
	int64_t week = ct_res_i64(r, 0, ct_res_col(r, "week_g"));
	int64_t high = ct_res_i64(r, 0, ct_res_col(r, "high_g"));

	if (ct_weight_unusual(new->weight_g)) {
		ct_warn_begin(w, "weight_unusual",
		    "Cats weigh 0.5 to 15 kg. Is it a typing error?");
		ct_jw_end(w);
	}
	if (last != CT_NULL_I64 && ct_weight_typo(new->weight_g, last))
		warn_typo(a, new->weight_g, last,
		    ct_res_time(r, 0, ct_res_col(r, "last_at")), w);
	if (week != CT_NULL_I64)
		warn_loss(
		    a, ct_loss_week(day, week), "in a week", day, week, w);
	if (high != CT_NULL_I64)
		warn_loss(a, ct_loss_long(day, high),
		    "since the highest weight of 30 days", day, high, w);
}

const struct ct_entry_kind ct_weight_kind = {.name = T,
    .fields = &ct_weight_fields,
    .query = &ct_weight_query,
    .stmts = ct_weight_stmts,
    .fresh = &fresh,
    .added = "Weight logged",
    .warn = warn};
