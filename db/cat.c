/* Cats; see cat.h. */
#include "db/cat.h"

#include "common/clock.h"
#include "db/account.h"
#include "db/member.h"
#include "db/target.h"
#include "db/tracker.h"

#define AT(m)		  offsetof(struct ct_cat, m)
#define OUT		  CT_F_READONLY
#define NIL		  CT_F_NULLABLE
#define DEFAULT_TARGET_UL 210000 /* the original's 210 mL */

static const char *const sexes[] = {
    "female", "male", "female_spayed", "male_neutered", NULL};

#define TEXT(name, max, help)                                                  \
	{                                                                      \
#name, CT_T_TEXT, AT(name), 0, 0, (max), NULL, NULL, NULL,     \
		    (help)                                                     \
	}

/* The writable ones, in this order, are the parameters of add and update. */
static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "key"},
    {"name", CT_T_TEXT, AT(name), CT_F_REQUIRED, 1, 100, NULL, NULL, NULL,
	"what the cat is called"},
    TEXT(breed, 100, "breed"),
    {"sex", CT_T_ENUM, AT(sex), NIL, 0, 0, NULL, sexes, NULL,
	"sex, and whether neutered"},
    {"birth_year", CT_T_INT, AT(birth_year), NIL, 1980, 2199, NULL, NULL, NULL,
	"year of birth; setting it clears age_years"},
    {"age_years", CT_T_INT, AT(age_years), NIL, 0, 40, NULL, NULL, "years",
	"age as it was told; setting it clears birth_year"},
    {"weight_kg", CT_T_MILLI, AT(weight_g), NIL, 100, 30000, "weight_g", NULL,
	"kg", "reference weight"},
    {"timezone", CT_T_TEXT, AT(timezone), 0, 1, 64, NULL, NULL, NULL,
	"IANA zone; holds from now on"},
    {"day_start", CT_T_TEXT, AT(day_start), 0, 5, 5, NULL, NULL, NULL,
	"local time at which a care day begins, HH:MM; holds from now on"},
    TEXT(conditions, 2000, "illnesses, allergies"),
    TEXT(diet, 2000, "what is fed"),
    {"tube_placed_on", CT_T_DAY, AT(tube_placed_on), NIL, 0, 0, NULL, NULL,
	NULL, "day on which the tube was placed"},
    {"tube_size_fr", CT_T_INT, AT(tube_size_fr), NIL, 3, 40, NULL, NULL, "Fr",
	"gauge of the tube"},
    {"tube_mark_cm", CT_T_MILLI, AT(tube_mark_mcm), NIL, 1, 100000,
	"tube_mark_mcm", NULL, "cm", "mark on the tube at the skin"},
    TEXT(vet_name, 100, "the vet"),
    TEXT(vet_phone, 40, "the vet's telephone"),
    TEXT(vet_email, 254, "the vet's address"),
    TEXT(emergency_name, 100, "whom to call in an emergency"),
    TEXT(emergency_phone, 40, "their telephone"),
    {"daily_target_ml", CT_T_VOLUME, AT(target_ul),
	CT_F_CREATE | CT_F_HIDDEN | CT_F_NOROW, 1, CT_TARGET_MAX_UL, NULL, NULL,
	"mL", "the first daily target"},
    {"version", CT_T_INT, AT(version), CT_F_CHANGE, 1, INT64_C(1) << 53, NULL,
	NULL, NULL, "rises with every change; in a PATCH: the one seen"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was added"},
    {"updated_at", CT_T_TIME, AT(updated_at), OUT, 0, 0, NULL, NULL, NULL,
	"last change"},
    {"role", CT_T_TEXT, AT(role), OUT, 0, 0, NULL, NULL, NULL,
	"the asker's role"},
    {"my_role", CT_T_INT, AT(my_role), OUT | CT_F_HIDDEN, 0, 0, NULL, NULL,
	NULL, "the asker's role"},
    {"is_default", CT_T_BOOL, AT(is_default), OUT, 0, 0, NULL, NULL, NULL,
	"what is meant where a request names no cat"},
};
const struct ct_fields ct_cat_fields = CT_FIELDS("cat", struct ct_cat, fields);

#define COLS                                                                   \
	"c.id, c.name, c.breed, c.sex, c.birth_year, c.age_years,"             \
	" c.weight_g, c.timezone, to_char(c.day_start, 'HH24:MI') as"          \
	" day_start, c.conditions, c.diet, c.tube_placed_on,"                  \
	" c.tube_size_fr, c.tube_mark_mcm, c.vet_name, c.vet_phone,"           \
	" c.vet_email, c.emergency_name, c.emergency_phone, c.version,"        \
	" c.created_at, c.updated_at, " CT_ROLE_SQL(                           \
	    "m.role") " as role,"                                              \
		      " m.role as my_role, coalesce(a.default_cat = c.id, "    \
		      "false)"                                                 \
		      " as is_default"

#define MEMBER                                                                 \
	" join cat_member m on m.cat_id = c.id and m.account_id = $1"          \
	" join account a on a.id = m.account_id"

/* account, id, most, then the writable fields in table order, target */
static const struct ct_stmt add = {"cat_add", CT_OWNED, CT_WRITE,
    "uuitttiiittttdiittttti", NULL,
    "with mine as (select count(*) as n from cat_member m"
    " where m.account_id = $1),"
    " c as (insert into cat (id, name, breed, sex, birth_year, age_years,"
    " weight_g, timezone, day_start, conditions, diet, tube_placed_on,"
    " tube_size_fr, tube_mark_mcm, vet_name, vet_phone, vet_email,"
    " emergency_name, emergency_phone) select $2, $4, $5, $6, $7, $8, $9,"
    " $10, $11::time, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21"
    " from mine where mine.n < $3 returning id, timezone, day_start),"
    " m as (insert into cat_member (cat_id, account_id, role)"
    " select id, $1, 4 from c),"
    " t as (insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account) select id, ct_care_day(now(), timezone, day_start), $22,"
    " $1 from c),"
    " d as (update account a set default_cat = c.id from c where a.id = $1"
    " and not exists (select from cat_member o where o.account_id = $1"
    " and o.cat_id = a.default_cat))"
    " select id from c"};

static const struct ct_stmt get = {"cat_get", CT_OWNED, CT_READ, "uu",
    &ct_cat_fields, "select " COLS " from cat c" MEMBER " where c.id = $2"};
static const struct ct_stmt list = {"cat_list", CT_OWNED, CT_READ, "u",
    &ct_cat_fields,
    "select " COLS " from cat c" MEMBER
    " order by is_default desc, m.created_at, c.id limit 100"};

/* account, id, version, role, then the writable fields in table order */
static const struct ct_stmt update = {"cat_update", CT_OWNED, CT_WRITE,
    "uuiitttiiittttdiittttt", &ct_cat_fields,
    "with old as (select c.* from cat c join cat_member m"
    " on m.cat_id = c.id and m.account_id = $1 and m.role >= $4"
    " where c.id = $2 and c.version = $3 for no key update of c),"
    " c as (update cat u set name = $5, breed = $6, sex = $7,"
    " birth_year = $8, age_years = $9, weight_g = $10, timezone = $11,"
    " day_start = $12::time, conditions = $13, diet = $14,"
    " tube_placed_on = $15, tube_size_fr = $16, tube_mark_mcm = $17,"
    " vet_name = $18, vet_phone = $19, vet_email = $20,"
    " emergency_name = $21, emergency_phone = $22 from old"
    " where u.id = old.id returning u.*),"
    " log as (insert into audit_event (account_id, cat_id, action, noun,"
    " noun_id, before) select $1, id, 'change', 'cat', id, to_jsonb(old)"
    " from old)"
    " select " COLS " from c" MEMBER};

static const struct ct_stmt set_default = {"cat_set_default", CT_OWNED,
    CT_WRITE, "uu", NULL,
    "update account a set default_cat = m.cat_id from cat_member m"
    " where a.id = $1 and m.account_id = $1 and m.cat_id = $2"
    " returning a.id"};

/* What joins or leaves a cat waits here, as what deletes an account does. */
static const struct ct_stmt lock = {"cat_lock", CT_OWNED, CT_WRITE, "uu", NULL,
    "select c.id from cat c join cat_member m on m.cat_id = c.id"
    " and m.account_id = $1 where c.id = $2 for no key update of c"};

static const struct ct_stmt delete_ask = {"cat_delete_ask", CT_OWNED, CT_READ,
    "uut", NULL,
    "select m.role, c.name = $3 as same from cat c join cat_member m"
    " on m.cat_id = c.id and m.account_id = $1 where c.id = $2"};
static const struct ct_stmt members_of = {"cat_members_of", CT_OWNED, CT_READ,
    "uu", NULL,
    "select t.account_id from cat_member m join cat_member t"
    " on t.cat_id = m.cat_id where m.account_id = $1 and m.cat_id = $2"};
#define OWNED_CAT                                                              \
	"c as (select m.cat_id as id from cat_member m"                        \
	" where m.account_id = $1 and m.cat_id = $2 and m.role >= 4)"
/*
 * account, cat, batch. Jobs have the ids of their reports, mails and
 * deliveries. Those are locked before the jobs' rows, as by a job that ends.
 */
static const struct ct_stmt note_rest = {"cat_note_rest", CT_OWNED, CT_WRITE,
    "uuu", NULL,
    "with " OWNED_CAT ", r as (select r.id, r.blob from report r, c"
    " where r.cat_id = c.id for update of r),"
    " m as (select m.id from mail m, c where m.cat_id = c.id for update of m),"
    " h as (select d.id from webhook_delivery d join webhook w"
    " on w.id = d.webhook_id, c where w.cat_id = c.id for update of d),"
    " j as (select id from r union select id from m union select id from h),"
    " o as (delete from job_outbox where id in (select id from j)),"
    " d as (delete from job_run where job_id in (select id from j))"
    " insert into erasure (batch, kind, name)"
    " select $3, 'cat', c.id::text from c"
    " union select $3, 'file', r.blob from r where r.blob is not null"
    " union select $3, 'job', j.id::text from j"};
static const struct ct_stmt forget = {"cat_forget_audit", CT_OWNED, CT_WRITE,
    "uu", NULL, "with " OWNED_CAT " select ct_audit_forget_cat(c.id) from c"};
/* The default of its members moves on before the key would make it null. */
static const struct ct_stmt delete_row = {"cat_delete", CT_OWNED, CT_WRITE,
    "uu", NULL,
    "with " OWNED_CAT
    ", d as (update account u set default_cat = " CT_NEXT_CAT_SQL(
	"u.id", "c.id") " from c where u.default_cat = c.id)"
			" delete from cat x using c where x.id = c.id"};

const struct ct_stmt *const ct_cat_stmts[] = {&add, &get, &list, &update,
    &set_default, &lock, &delete_ask, &members_of, &note_rest, &forget,
    &delete_row, NULL};

void
ct_cat_defaults(struct ct_cat *c)
{
	ct_fields_clear(&ct_cat_fields, c);
	c->breed = c->conditions = c->diet = CT_STR("");
	c->vet_name = c->vet_phone = c->vet_email = CT_STR("");
	c->emergency_name = c->emergency_phone = CT_STR("");
	c->timezone = CT_STR("UTC");
	c->day_start = CT_STR("00:00");
	c->target_ul = DEFAULT_TARGET_UL;
}

static enum ct_rc
no_cat(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
}

static void
key(struct ct_params *p, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *id)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_uuid(p, id);
}

enum ct_rc
ct_cat_check(const struct ct_cat *c, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	if (!ct_hour_ok(c->day_start))
		rc = ct_fail_field(
		    err, "day_start", "must be a time of day, such as 06:00");
	if (c->vet_email.n > 0 && !ct_email_ok(c->vet_email))
		rc = ct_fail_field(err, "vet_email",
		    "must be an address, such as name@example.org");
	return rc;
}

void
ct_cat_own_params(struct ct_params *p, const struct ct_cat *c)
{
	for (size_t i = 0; i < ct_countof(fields); i++) {
		if (!(fields[i].flags &
			(CT_F_READONLY | CT_F_NOROW | CT_F_CHANGE)))
			ct_p_field(p, &fields[i], c);
	}
}

enum ct_rc
ct_cat_add(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_cat *c, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, &c->id);
	ct_p_i64(&p, CT_CATS_MAX);
	ct_cat_own_params(&p, c);
	ct_p_i64(&p, c->target_ul);
	if (ct_pg_run_locked(
		pg, ct_uuid_key64(account), &add, &p, a, &r, err) != CT_OK)
		return ct_zone_fault(err);
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "too_many",
		    "An account can have at most %d cats.", CT_CATS_MAX);
	return CT_OK;
}

enum ct_rc
ct_cat_get(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *id, struct ct_cat *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	ct_res_get(r, 0, &ct_cat_fields, out);
	return CT_OK;
}

enum ct_rc
ct_cat_list(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    struct ct_cat **out, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_cat_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_cat_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, enum ct_role need, struct ct_cat *c,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, &c->id);
	ct_p_i64(&p, c->version);
	ct_p_i64(&p, need);
	ct_cat_own_params(&p, c);
	if (ct_pg_run_locked(
		pg, ct_uuid_key64(&c->id), &update, &p, a, &r, err) != CT_OK)
		return ct_zone_fault(err);
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "stale",
		    "This cat was changed by somebody else meanwhile.");
	ct_res_get(r, 0, &ct_cat_fields, c);
	return CT_OK;
}

enum ct_rc
ct_cat_set_default(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	if (ct_pg_run(pg, &set_default, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 0 ? no_cat(err) : CT_OK;
}

enum ct_rc
ct_cat_lock(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	if (ct_pg_run(pg, &lock, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 0 ? no_cat(err) : CT_OK;
}

/* May it be deleted, by this account, with this name? */
static enum ct_rc
delete_check(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_str name,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	ct_p_text(&p, name);
	if (ct_cat_lock(pg, a, account, id, err) != CT_OK ||
	    ct_pg_run(pg, &delete_ask, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	if (ct_res_i64(r, 0, 0) < CT_OWNER)
		return ct_cat_refused(pg, a, account, id, err);
	if (!ct_res_bool(r, 0, 1))
		return ct_fail_field(
		    err, "name", "must be the cat's name, exactly as it is");
	return CT_OK;
}

static enum ct_rc
delete_all(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *id, struct ct_uuid **members, int *n,
    struct ct_err *err)
{
	struct ct_uuid batch = ct_uuid_new();
	struct ct_params two, three;
	const struct ct_res *r;

	key(&two, a, account, id);
	key(&three, a, account, id);
	ct_p_uuid(&three, &batch);
	if (ct_pg_run(pg, &members_of, &two, a, &r, err) != CT_OK ||
	    ct_pg_run(pg, &note_rest, &three, a, NULL, err) != CT_OK ||
	    ct_pg_run(pg, &forget, &two, a, NULL, err) != CT_OK ||
	    ct_pg_run(pg, &delete_row, &two, a, NULL, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	*members = ct_arena_alloc(a, (size_t)*n * sizeof(**members) + 1);
	for (int i = 0; i < *n; i++)
		(*members)[i] = ct_res_uuid(r, i, 0);
	return CT_OK;
}

enum ct_rc
ct_cat_delete(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_str name,
    struct ct_uuid **members, int *n, struct ct_err *err)
{
	if (ct_pg_begin(pg, a, false, err) != CT_OK)
		return err->rc;
	if (delete_check(pg, a, account, id, name, err) != CT_OK ||
	    delete_all(pg, a, account, id, members, n, err) != CT_OK) {
		ct_pg_rollback(pg);
		return err->rc;
	}
	return ct_pg_commit(pg, err);
}
