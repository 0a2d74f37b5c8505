/* Accounts and their default cat; see account.h. */
#include "db/account.h"

#include <string.h>

#define AT(m)		  offsetof(struct ct_account, m)
#define RO		  CT_F_READONLY
#define NIL		  CT_F_NULLABLE
#define TARGET_MAX_UL	  2000000
#define DEFAULT_TARGET_UL 210000 /* the original's 210 mL */

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), RO, 0, 0, NULL, NULL, NULL, "account"},
    {"email", CT_T_TEXT, AT(email), CT_F_REQUIRED | CT_F_CREATE, 1, 254, NULL,
	NULL, NULL, "address to log in with"},
    {"password", CT_T_TEXT, AT(password),
	CT_F_REQUIRED | CT_F_CREATE | CT_F_HIDDEN | CT_F_NOROW | CT_F_NOTRIM, 1,
	1024, NULL, NULL, NULL, "8 to 1,024 bytes"},
    {"first_name", CT_T_TEXT, AT(first_name), CT_F_REQUIRED, 1, 100, NULL, NULL,
	NULL, "shown to other carers"},
    {"last_name", CT_T_TEXT, AT(last_name), 0, 0, 100, NULL, NULL, NULL,
	"family name"},
    {"cat_id", CT_T_UUID, AT(cat_id), RO | NIL, 0, 0, NULL, NULL, NULL,
	"default cat"},
    {"cat_name", CT_T_TEXT, AT(cat_name), 0, 0, 100, NULL, NULL, NULL,
	"name of the default cat"},
    {"cat_breed", CT_T_TEXT, AT(cat_breed), 0, 0, 100, NULL, NULL, NULL,
	"its breed"},
    {"cat_age", CT_T_INT, AT(cat_age), NIL, 0, 40, NULL, NULL, "years",
	"its age"},
    {"cat_weight", CT_T_MILLI, AT(weight_g), NIL, 100, 30000, "weight_g", NULL,
	"kg", "its reference weight"},
    {"daily_target_ml", CT_T_VOLUME, AT(target_ul), 0, 1, TARGET_MAX_UL,
	"target_ul", NULL, "mL", "daily target from today on"},
    {"timezone", CT_T_TEXT, AT(timezone), 0, 1, 64, NULL, NULL, NULL,
	"IANA zone of the cat"},
    {"role", CT_T_TEXT, AT(role), RO, 0, 0, NULL, NULL, NULL, "user or admin"},
    {"is_active", CT_T_BOOL, AT(is_active), RO, 0, 0, NULL, NULL, NULL,
	"may log in"},
    {"email_verified", CT_T_BOOL, AT(email_verified), RO, 0, 0, NULL, NULL,
	NULL, "a link that was sent to the address was followed"},
    {"consent_version", CT_T_INT, AT(consent_version), CT_F_CREATE | NIL, 1,
	CT_CONSENT_MAX, NULL, NULL, NULL, "of the privacy text agreed to"},
    {"consent_at", CT_T_TIME, AT(consent_at), RO | NIL, 0, 0, NULL, NULL, NULL,
	"when"},
    {"created_at", CT_T_TIME, AT(created_at), RO, 0, 0, NULL, NULL, NULL,
	"when it was registered"},
    {"last_login", CT_T_TIME, AT(last_login), RO | NIL, 0, 0, NULL, NULL, NULL,
	"last log-in"},
};
const struct ct_fields ct_account_fields =
    CT_FIELDS("account", struct ct_account, fields);

static const struct ct_stmt add = {"account_add", CT_GLOBAL, CT_WRITE,
    "utttuttiittii", NULL,
    "with a as (insert into account (id, email, password_hash,"
    " first_name, last_name, default_cat, last_login_at, consent_version,"
    " consent_at) values ($1, $2, $3, $4, $11, $5, now(), $13,"
    " case when $13 is not null then now() end)),"
    " c as (insert into cat (id, name, breed, age_years, weight_g,"
    " timezone) values ($5, $6, $7, $8, $9, $10)),"
    " m as (insert into cat_member (cat_id, account_id, role)"
    " values ($5, $1, 4))"
    " insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account) values ($5, ct_care_day(now(), $10, '00:00'), $12, $1)"};

static const struct ct_stmt get = {"account_get", CT_OWNED, CT_READ, "u",
    &ct_account_fields,
    "select a.id, a.email, a.first_name, a.last_name, c.id as cat_id,"
    " coalesce(c.name, '') as cat_name, coalesce(c.breed, '') as"
    " cat_breed, c.age_years as cat_age, c.weight_g,"
    " coalesce(ct_target(c.id, ct_care_day(now(), c.timezone,"
    " c.day_start)), 210000) as target_ul,"
    " coalesce(c.timezone, 'UTC') as timezone, a.role,"
    " a.status = 'active' as is_active, a.created_at,"
    " a.email_verified_at is not null as email_verified,"
    " a.consent_version::bigint, a.consent_at,"
    " a.last_login_at as last_login from account a"
    " left join cat_member m on m.account_id = a.id"
    " and m.cat_id = a.default_cat left join cat c on c.id = m.cat_id"
    " where a.id = $1"};

/* account, first, last, cat name, breed, age, weight, zone, target, set target,
 * set weight */
static const struct ct_stmt update = {"account_update", CT_OWNED, CT_WRITE,
    "uttttiitibb", NULL,
    "with a as (update account a set first_name = $2, last_name = $3"
    " where a.id = $1 returning a.id, a.default_cat),"
    " c as (update cat c set name = $4, breed = $5, age_years = $6,"
    " weight_g = case when $11 then $7 else c.weight_g end,"
    " timezone = case when m.role >= 4 then $8 else c.timezone end"
    " from a join cat_member m"
    " on m.account_id = a.id and m.cat_id = a.default_cat"
    " and m.role >= 3 where c.id = m.cat_id"
    " returning c.id, c.timezone, c.day_start)"
    " insert into daily_target (cat_id, effective_from, amount_ul,"
    " by_account) select c.id, ct_care_day(now(), c.timezone,"
    " c.day_start), $9, $1 from c where $10"
    " on conflict (cat_id, effective_from) do update set"
    " amount_ul = excluded.amount_ul, by_account = excluded.by_account,"
    " created_at = now()"};

static const struct ct_stmt get_hash = {"account_hash", CT_OWNED, CT_READ, "u",
    NULL,
    "select a.password_hash from account a where a.id = $1"
    " and a.status = 'active'"};
static const struct ct_stmt set_hash = {"account_set_hash", CT_OWNED, CT_WRITE,
    "ut", NULL, "update account a set password_hash = $2 where a.id = $1"};
static const struct ct_stmt lock = {"account_lock", CT_OWNED, CT_WRITE, "u",
    NULL, "select a.id from account a where a.id = $1 for no key update"};
static const struct ct_stmt set_role = {"account_set_role", CT_GLOBAL, CT_WRITE,
    "tt", NULL,
    "update account set role = $2 where email = $1::citext returning id"};

/* The digest folds case as citext does, or spellings would have counters of
 * their own. */
static const struct ct_stmt login_begin = {"login_begin", CT_GLOBAL, CT_READ,
    "t", NULL,
    "select a.id, a.password_hash, a.status = 'active' as is_active,"
    " greatest(0, ceil(extract(epoch from f.until_at - now())))::bigint"
    " as wait_s from (select 1) x left join account a on a.email = $1::citext"
    " left join login_failure f on f.email_hash ="
    " sha256(convert_to(lower($1), 'UTF8'))"};
static const struct ct_stmt login_failed = {"login_failed", CT_GLOBAL, CT_WRITE,
    "ti", NULL,
    "insert into login_failure as f (email_hash, failures, until_at)"
    " values (sha256(convert_to(lower($1), 'UTF8')), 1, now())"
    " on conflict (email_hash) do update set"
    " failures = least(f.failures + 1, 1000), updated_at = now(),"
    " until_at = now() + make_interval(secs => case"
    " when f.failures + 1 < $2 then 0"
    " else least(900, power(2, least(f.failures + 1 - $2, 10))) end)"};
static const struct ct_stmt login_done = {"login_done", CT_GLOBAL, CT_WRITE,
    "tu", NULL,
    "with f as (delete from login_failure where email_hash ="
    " sha256(convert_to(lower($1), 'UTF8')))"
    " update account set last_login_at = now() where id = $2"};

const struct ct_stmt *const ct_account_stmts[] = {&add, &get, &update,
    &get_hash, &set_hash, &set_role, &lock, &login_begin, &login_failed,
    &login_done, NULL};

void
ct_account_defaults(struct ct_account *u)
{
	ct_fields_clear(&ct_account_fields, u);
	u->last_name = u->cat_name = u->cat_breed = CT_STR("");
	u->timezone = CT_STR("UTC");
	u->target_ul = DEFAULT_TARGET_UL;
}

bool
ct_email_ok(struct ct_str email)
{
	const char *at, *dot;

	if (email.n < 3 || email.n > 254)
		return false;
	for (size_t i = 0; i < email.n; i++) {
		unsigned char c = (unsigned char)email.p[i];

		if (c <= ' ' || c == 0x7f || strchr("<>()[],;:\\\"", c))
			return false;
	}
	at = memchr(email.p, '@', email.n);
	if (!at || at == email.p ||
	    memchr(at + 1, '@', (size_t)(email.p + email.n - at - 1)))
		return false;
	dot = memrchr(at, '.', (size_t)(email.p + email.n - at));
	return dot && dot > at + 1 && email.p + email.n - dot > 2;
}

enum ct_rc
ct_bad_email(struct ct_err *err)
{
	return ct_fail_field(
	    err, "email", "must be an address, such as name@example.org");
}

/* A zone that is in no list, or that PostgreSQL cannot even read. */
enum ct_rc
ct_zone_fault(struct ct_err *err)
{
	if (err->rc != CT_INVALID || (!strstr(err->detail, "timezone") &&
					 !strstr(err->detail, "time zone")))
		return err->rc;
	ct_err_clear(err);
	return ct_fail_field(err, "timezone",
	    "must be an IANA time zone, such as Europe/Berlin");
}

enum ct_rc
ct_account_add(struct ct_pg *pg, struct ct_arena *a, const struct ct_account *u,
    const char *password_hash, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &u->id);
	ct_p_text(&p, u->email);
	ct_p_text(&p, ct_str_of(password_hash));
	ct_p_text(&p, u->first_name);
	ct_p_uuid(&p, &u->cat_id);
	ct_p_text(&p, u->cat_name);
	ct_p_text(&p, u->cat_breed);
	ct_p_i64(&p, u->cat_age);
	ct_p_i64(&p, u->weight_g);
	ct_p_text(&p, u->timezone);
	ct_p_text(&p, u->last_name);
	ct_p_i64(&p, u->target_ul);
	ct_p_i64(&p, u->consent_version);
	if (ct_pg_run(pg, &add, &p, a, NULL, err) == CT_OK)
		return CT_OK;
	if (err->rc == CT_CONFLICT)
		return ct_fail(err, CT_CONFLICT, "email_taken",
		    "Email already registered");
	return ct_zone_fault(err);
}

static enum ct_rc
gone(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such account.");
}

enum ct_rc
ct_account_get(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_account *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return gone(err);
	ct_res_get(r, 0, &ct_account_fields, out);
	return CT_OK;
}

enum ct_rc
ct_account_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_account *u, bool set_target, bool set_weight,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &u->id);
	ct_p_text(&p, u->first_name);
	ct_p_text(&p, u->last_name);
	ct_p_text(&p, u->cat_name);
	ct_p_text(&p, u->cat_breed);
	ct_p_i64(&p, u->cat_age);
	ct_p_i64(&p, u->weight_g);
	ct_p_text(&p, u->timezone);
	ct_p_i64(&p, u->target_ul);
	ct_p_bool(&p, set_target);
	ct_p_bool(&p, set_weight);
	if (ct_pg_run(pg, &update, &p, a, NULL, err) != CT_OK)
		return ct_zone_fault(err);
	return CT_OK;
}

enum ct_rc
ct_login_begin(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    struct ct_login *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	if (ct_pg_run(pg, &login_begin, &p, a, &r, err) != CT_OK)
		return err->rc;
	memset(out, 0, sizeof(*out));
	if (!ct_res_null(r, 0, 0)) {
		out->id = ct_res_uuid(r, 0, 0);
		out->hash = ct_res_str(r, 0, 1);
		out->is_active = ct_res_bool(r, 0, 2);
	}
	if (!ct_res_null(r, 0, 3))
		out->wait_s = ct_res_i64(r, 0, 3);
	return CT_OK;
}

enum ct_rc
ct_login_failed(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    int64_t free_tries, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	ct_p_i64(&p, free_tries);
	return ct_pg_run(pg, &login_failed, &p, a, NULL, err);
}

enum ct_rc
ct_login_done(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    const struct ct_uuid *account, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	ct_p_uuid(&p, account);
	return ct_pg_run(pg, &login_done, &p, a, NULL, err);
}

enum ct_rc
ct_account_hash(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_str *hash, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &get_hash, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return gone(err);
	*hash = ct_res_str(r, 0, 0);
	return CT_OK;
}

enum ct_rc
ct_account_set_hash(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const char *hash, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(hash));
	return ct_pg_run(pg, &set_hash, &p, a, NULL, err);
}

enum ct_rc
ct_account_lock(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	return ct_pg_run(pg, &lock, &p, a, NULL, err);
}

enum ct_rc
ct_account_set_role(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    struct ct_str role, struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	ct_p_text(&p, role);
	if (ct_pg_run(pg, &set_role, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return gone(err);
	*id = ct_res_uuid(r, 0, 0);
	return CT_OK;
}
