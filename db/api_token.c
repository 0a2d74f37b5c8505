/* Tokens for devices and programs; see api_token.h. */
#include "db/api_token.h"

#include <string.h>

#define AT(m) offsetof(struct ct_api_token, m)
#define OUT   CT_F_READONLY
#define NIL   CT_F_NULLABLE

static const char *const scopes[] = {"read", "log", "full", NULL};

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "key"},
    {"name", CT_T_TEXT, AT(name), CT_F_REQUIRED, 1, 100, NULL, NULL, NULL,
	"what it is for"},
    {"scope", CT_T_ENUM, AT(scope), CT_F_REQUIRED, 0, 0, NULL, scopes, NULL,
	"read; log: also entries; full: also targets, cats and carers"},
    {"cat_id", CT_T_UUID, AT(cat), NIL, 0, 0, NULL, NULL, NULL,
	"the only cat that it may see; left out: all"},
    {"expires_at", CT_T_TIME, AT(expires_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it ends; left out: never"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was made"},
    {"used_at", CT_T_TIME, AT(used_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"last use, to some minutes"},
    {"revoked_at", CT_T_TIME, AT(revoked_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"when it was revoked"},
};
const struct ct_fields ct_api_token_fields =
    CT_FIELDS("api_token", struct ct_api_token, fields);

#define COLS                                                                   \
	"t.id, t.name, t.scope, t.cat_id, t.created_at, t.expires_at,"         \
	" t.used_at, t.revoked_at"

/* account, digest, id, name, scope, cat, expires, most */
static const struct ct_stmt add = {"api_token_add", CT_OWNED, CT_WRITE,
    "uyuttuzi", &ct_api_token_fields,
    "with n as (select count(*) as n from api_token o where o.account_id = $1"
    " and o.revoked_at is null), ok as (select $6::uuid is null or exists"
    " (select from cat_member m where m.account_id = $1 and m.cat_id = $6)"
    " as ok), t as (insert into api_token (id, account_id, token_hash, name,"
    " scope, cat_id, expires_at) select $3, $1, $2, $4, $5, $6, $7"
    " from n, ok where ok.ok and n.n < $8 returning *)"
    " select ok.ok as allowed, t.id is not null as made, " COLS
    " from ok left join t on true"};
static const struct ct_stmt list = {"api_token_list", CT_OWNED, CT_READ, "u",
    &ct_api_token_fields,
    "select " COLS " from api_token t where t.account_id = $1"
    " order by t.created_at desc, t.id desc limit 200"};
static const struct ct_stmt revoke = {"api_token_revoke", CT_OWNED, CT_WRITE,
    "uu", NULL,
    "update api_token t set revoked_at = coalesce(t.revoked_at, now())"
    " where t.account_id = $1 and t.id = $2 returning t.token_hash"};
/* digest, seconds */
static const struct ct_stmt find = {"api_token_find", CT_GLOBAL, CT_WRITE, "yi",
    NULL,
    "with t as (select t.*, a.default_cat from api_token t"
    " join account a on a.id = t.account_id and a.status = 'active'"
    " where t.token_hash = $1 and t.revoked_at is null"
    " and (t.expires_at is null or t.expires_at > now())),"
    " used as (update api_token u set used_at = now() from t"
    " where u.id = t.id and (t.used_at is null"
    " or t.used_at <= now() - make_interval(secs => $2)))"
    " select t.account_id, m.cat_id, t.cat_id is not null, t.scope,"
    " t.expires_at,"
    " (select string_agg(x.cat_id::text, ' ') from (select o.cat_id"
    " from cat_member o where o.account_id = t.account_id"
    " and (t.cat_id is null or o.cat_id = t.cat_id) limit 64) x)"
    " from t left join cat_member m on m.account_id = t.account_id"
    " and m.cat_id = coalesce(t.cat_id, t.default_cat)"
    " where t.cat_id is null or m.cat_id is not null"};

const struct ct_stmt *const ct_api_token_stmts[] = {
    &add, &list, &revoke, &find, NULL};

enum ct_rc
ct_api_token_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_api_token *t, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, hash, CT_DIGEST);
	ct_p_uuid(&p, &t->id);
	ct_p_text(&p, t->name);
	ct_p_text(&p, t->scope);
	ct_p_uuid(&p, &t->cat);
	ct_p_time(&p, t->expires_at);
	ct_p_i64(&p, CT_API_TOKENS_MAX);
	if (ct_pg_run_locked(
		pg, ct_uuid_key64(account), &add, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, ct_res_col(r, "allowed")))
		return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
	if (!ct_res_bool(r, 0, ct_res_col(r, "made")))
		return ct_fail(err, CT_CONFLICT, "too_many",
		    "This account has %d tokens; revoke one first.",
		    CT_API_TOKENS_MAX);
	ct_res_get(r, 0, &ct_api_token_fields, t);
	return CT_OK;
}

enum ct_rc
ct_api_token_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_api_token **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_api_token_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_api_token_revoke(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_str *digest, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &revoke, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such token.");
	*digest = ct_res_str(r, 0, 0);
	return CT_OK;
}

static enum ct_token_scope
scope_of(struct ct_str s)
{
	return ct_str_is(s, "full")  ? CT_S_FULL
	       : ct_str_is(s, "log") ? CT_S_LOG
				     : CT_S_READ;
}

enum ct_rc
ct_api_token_find(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], int64_t touch_s, struct ct_session *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_bytes(&p, hash, CT_DIGEST);
	ct_p_i64(&p, touch_s);
	if (ct_pg_run(pg, &find, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_UNAUTH, "token",
		    "This API token is unknown, revoked or past its end.");
	memset(out, 0, sizeof(*out));
	out->account = ct_res_uuid(r, 0, 0);
	if (!ct_res_null(r, 0, 1))
		out->cat = ct_res_uuid(r, 0, 1);
	if (ct_res_bool(r, 0, 2))
		out->only_cat = out->cat;
	out->scope = scope_of(ct_res_str(r, 0, 3));
	out->ends_at = ct_res_time(r, 0, 4);
	out->cats = ct_res_str(r, 0, 5);
	return CT_OK;
}
