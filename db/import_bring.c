/* How what an archive holds becomes rows of the account; see import.h. */
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "db/account.h"
#include "db/import.h"
#include "db/member.h"
#include "db/preference.h"
#include "db/target.h"

/*
 * Not the key of other locks on the account: adding a cat does not wait for an
 * import.
 */
static const struct ct_stmt lock = {"bring_lock", CT_OWNED, CT_READ, "u", NULL,
    "select pg_try_advisory_xact_lock(hashtextextended('import' || a.id, 0))"
    " from account a where a.id = $1"};

#define NEW_COLS                                                               \
	"name, breed, sex, birth_year, age_years, weight_g, timezone,"         \
	" day_start, conditions, diet, tube_placed_on, tube_size_fr,"          \
	" tube_mark_mcm, vet_name, vet_phone, vet_email, emergency_name,"      \
	" emergency_phone"
/*
 * account, its id in the archive, its id otherwise, most, created, then the
 * writable fields in table order. The reference weight follows the entries, so
 * another one makes no other cat.
 */
static const struct ct_stmt cat = {"bring_cat", CT_OWNED, CT_WRITE,
    "uuuiztttiiittttdiittttt", NULL,
    "with mine as (select count(*) as n from cat_member m"
    " where m.account_id = $1),"
    " old as (select c.* from cat c join cat_member m on m.cat_id = c.id"
    " and m.account_id = $1 and m.role >= 4 where c.id in ($2, $3)"
    " order by c.id = $2 desc limit 1),"
    " z as (select name from zone where name = $12),"
    " taken as (select id from cat where id = $3),"
    " new as (insert into cat (id, created_at, " NEW_COLS ")"
    " select $3, coalesce($5, now()), $6, $7, $8, $9, $10, $11, z.name,"
    " $13::time, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23"
    " from mine, z where mine.n < $4 and not exists (select from old)"
    " and not exists (select from taken) returning id),"
    " w as (insert into cat_member (cat_id, account_id, role)"
    " select id, $1, 4 from new),"
    " d as (update account a set default_cat = new.id from new"
    " where a.id = $1 and not exists (select from cat_member o"
    " where o.account_id = $1 and o.cat_id = a.default_cat))"
    " select coalesce((select id from old), (select id from new)) as id,"
    " exists (select from old) as old, exists (select from z) as zone,"
    " exists (select from taken) as taken, coalesce((select row(c.name,"
    " c.breed, c.sex, c.birth_year, c.age_years, c.timezone, c.day_start,"
    " c.conditions, c.diet, c.tube_placed_on, c.tube_size_fr,"
    " c.tube_mark_mcm, c.vet_name, c.vet_phone, c.vet_email,"
    " c.emergency_name, c.emergency_phone) is not distinct from row($6, $7,"
    " $8, $9, $10, $12, $13::time, $14, $15, $16, $17, $18, $19, $20, $21,"
    " $22, $23) from old c), false) as same"};

/* account, cat, day, amount, by me, when */
static const struct ct_stmt target = {"bring_target", CT_OWNED, CT_WRITE,
    "uudibz", NULL,
    "with m as (select m.cat_id from cat_member m where m.account_id = $1"
    " and m.cat_id = $2 and m.role >= 4),"
    " old as (select t.amount_ul from daily_target t, m"
    " where t.cat_id = m.cat_id and t.effective_from = $3),"
    " new as (insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account, created_at) select m.cat_id, $3, $4, case when $5 then $1"
    " end, coalesce($6, now()) from m where not exists (select from old)"
    " on conflict do nothing returning 1)"
    " select exists (select from m) as owned, exists (select from new) as new,"
    " coalesce((select old.amount_ul = $4 from old), false) as same"};

/* account, then the fields in table order */
static const struct ct_stmt preference = {"bring_preference", CT_OWNED,
    CT_WRITE, "utttbbb", NULL,
    "with old as (select p.* from account_preference p"
    " where p.account_id = $1),"
    " new as (insert into account_preference (account_id, language,"
    " volume_unit, theme, notify_reminders, notify_alerts, notify_reports)"
    " select a.id, $2, $3, $4, $5, $6, $7 from account a where a.id = $1"
    " on conflict (account_id) do nothing returning 1)"
    " select true as owned, exists (select from new) as new,"
    " coalesce((select (p.language, p.volume_unit, p.theme,"
    " p.notify_reminders, p.notify_alerts, p.notify_reports)"
    " = ($2, $3, $4, $5, $6, $7) from old p), false) as same"};

/* account, cat, batch, is it new */
static const struct ct_stmt note = {"bring_note", CT_OWNED, CT_WRITE, "uuub",
    NULL,
    "with m as (select m.cat_id from cat_member m where m.account_id = $1"
    " and m.cat_id = $2 and m.role >= 4),"
    " e as (insert into erasure (batch, kind, name)"
    " select $3, 'stale', m.cat_id::text from m"
    " union all select $3, 'account', $1::text from m where $4)"
    " insert into audit_event (account_id, cat_id, action, noun, noun_id)"
    " select $1, m.cat_id, 'import', 'cat', m.cat_id from m"};

const struct ct_stmt *const ct_bring_stmts[] = {
    &lock, &cat, &target, &preference, &note, NULL};

enum ct_rc
ct_bring_lock(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &lock, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such account.");
	if (!ct_res_bool(r, 0, 0))
		return ct_fail(err, CT_RETRY, "busy",
		    "Another import of the account is under way.");
	return CT_OK;
}

/*
 * Version 8 (RFC 9562): the first 48 bits of id, which are its time where we
 * made it, then a digest of both.
 */
static struct ct_uuid
derived(const struct ct_uuid *space, const struct ct_uuid *id)
{
	static const char what[] = "catetube import";
	uint8_t in[sizeof(what) + 32], digest[CT_DIGEST];
	struct ct_uuid out = *id;

	memcpy(in, what, sizeof(what));
	memcpy(in + sizeof(what), space->b, 16);
	memcpy(in + sizeof(what) + 16, id->b, 16);
	ct_digest(in, sizeof(in), digest);
	memcpy(out.b + 6, digest, 10);
	out.b[6] = (uint8_t)(0x80 | (out.b[6] & 0x0f));
	out.b[8] = (uint8_t)(0x80 | (out.b[8] & 0x3f));
	return out;
}

struct ct_uuid
ct_bring_id(const struct ct_uuid *to, const struct ct_uuid *from,
    const struct ct_uuid *id)
{
	return ct_uuid_eq(to, from) ? *id : derived(to, id);
}

static enum ct_rc
cat_refused(const struct ct_res *r, struct ct_err *err)
{
	if (!ct_res_bool(r, 0, ct_res_col(r, "zone")))
		return ct_fail_field(err, "timezone",
		    "must be an IANA time zone, such as Europe/Berlin");
	if (ct_res_bool(r, 0, ct_res_col(r, "taken")))
		return ct_fail(err, CT_CONFLICT, "handed_over",
		    "This cat was imported before and has another owner now.");
	return ct_fail(err, CT_CONFLICT, "too_many",
	    "An account can have at most %d cats.", CT_CATS_MAX);
}

enum ct_rc
ct_bring_cat(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_cat *c, enum ct_brought *what,
    struct ct_err *err)
{
	struct ct_uuid other = derived(account, &c->id);
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &c->id);
	ct_p_uuid(&p, &other);
	ct_p_i64(&p, CT_CATS_MAX);
	ct_p_time(&p, c->created_at);
	ct_cat_own_params(&p, c);
	if (ct_pg_run(pg, &cat, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_null(r, 0, ct_res_col(r, "id")))
		return cat_refused(r, err);
	c->id = ct_res_uuid(r, 0, ct_res_col(r, "id"));
	*what = CT_BROUGHT_NEW;
	if (ct_res_bool(r, 0, ct_res_col(r, "old")))
		*what = ct_res_bool(r, 0, ct_res_col(r, "same"))
			    ? CT_BROUGHT_SAME
			    : CT_BROUGHT_OTHER;
	return CT_OK;
}

/* Of a statement that says owned, new and same. */
static enum ct_rc
run(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_params *p, enum ct_brought *what, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, ct_res_col(r, "owned")))
		return ct_fail(err, CT_FORBIDDEN, NULL,
		    "You are no owner of this cat any more.");
	if (ct_res_bool(r, 0, ct_res_col(r, "new")))
		*what = CT_BROUGHT_NEW;
	else
		*what = ct_res_bool(r, 0, ct_res_col(r, "same"))
			    ? CT_BROUGHT_SAME
			    : CT_BROUGHT_OTHER;
	return CT_OK;
}

/* What the entry's statement takes as one parameter; see ENTRY_BRING. */
static struct ct_str
stamps(struct ct_arena *a, const struct ct_archive_row *row)
{
	const struct ct_entry *e = (const void *)row->obj;
	int64_t now_us = ct_now_us();
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "by_me");
	ct_jw_bool(&w, row->by_me);
	ct_jw_key(&w, "care_day");
	ct_jw_day(&w, e->care_day);
	ct_jw_key(&w, "version");
	ct_jw_i64(&w, e->version);
	ct_jw_key(&w, "created_at");
	ct_jw_time(&w, e->created_at == CT_NULL_I64 ? now_us : e->created_at);
	ct_jw_key(&w, "updated_at");
	ct_jw_time(&w, e->updated_at == CT_NULL_I64 ? now_us : e->updated_at);
	ct_jw_key(&w, "deleted_at");
	ct_jw_time(&w, e->deleted_at);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

enum ct_rc
ct_bring_entry(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_archive_row *row, enum ct_brought *what, struct ct_err *err)
{
	const struct ct_entry *e = (const void *)row->obj;
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &e->cat_id);
	ct_p_uuid(&p, &e->id);
	ct_p_time(&p, e->given_at);
	ct_p_text(&p, e->notes);
	ct_p_json(&p, stamps(a, row));
	ct_entry_own_params(&p, k, row->obj);
	return run(pg, a, k->stmts[CT_E_BRING], &p, what, err);
}

enum ct_rc
ct_bring_target(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat_id,
    const struct ct_target *t, bool by_me, enum ct_brought *what,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat_id);
	ct_p_day(&p, t->from_day);
	ct_p_i64(&p, t->amount_ul);
	ct_p_bool(&p, by_me);
	ct_p_time(&p, t->created_at);
	return run(pg, a, &target, &p, what, err);
}

enum ct_rc
ct_bring_preference(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_preference *v,
    enum ct_brought *what, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	for (size_t i = 0; i < ct_preference_fields.n; i++)
		ct_p_field(&p, &ct_preference_fields.f[i], v);
	return run(pg, a, &preference, &p, what, err);
}

enum ct_rc
ct_bring_note(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat_id, bool is_new,
    struct ct_err *err)
{
	struct ct_uuid batch = ct_uuid_new();
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat_id);
	ct_p_uuid(&p, &batch);
	ct_p_bool(&p, is_new);
	return ct_pg_run(pg, &note, &p, a, NULL, err);
}
