/* Sessions; see session.h. */
#include "db/session.h"

#include <string.h>

static const struct ct_stmt add = {"session_add", CT_OWNED, CT_WRITE, "uyiittt",
    NULL,
    "with s as (insert into account_session (token_hash, account_id,"
    " expires_at, ip, user_agent) select $2, a.id, now() +"
    " make_interval(days => $3::int), $5::inet, $6 from account a"
    " where a.id = $1 and a.status = 'active'"
    " and ($7::text is null or a.password_hash = $7)"
    " for share returning token_hash),"
    " old as (delete from account_session d where d.token_hash in"
    " (select o.token_hash from account_session o where o.account_id = $1"
    " order by o.seen_at desc offset greatest($4 - 1, 0))"
    " returning d.token_hash)"
    " select token_hash, true as made from s"
    " union all (select token_hash, false from old limit 64)"};
static const struct ct_stmt find = {"session_find", CT_GLOBAL, CT_READ, "yi",
    NULL,
    "select s.account_id, m.cat_id, a.role = 'admin', s.seen_at,"
    " s.expires_at,"
    " (select string_agg(x.cat_id::text, ' ') from (select o.cat_id"
    " from cat_member o where o.account_id = a.id limit 64) x)"
    " from account_session s join account a on a.id = s.account_id"
    " left join cat_member m on m.account_id = a.id"
    " and m.cat_id = a.default_cat where s.token_hash = $1"
    " and s.expires_at > now() and s.seen_at > now() -"
    " make_interval(days => $2::int) and a.status = 'active'"};
static const struct ct_stmt digests = {"session_digests", CT_OWNED, CT_READ,
    "u", NULL,
    "(select s.token_hash from account_session s where s.account_id = $1"
    " limit 1000) union all (select t.token_hash from api_token t"
    " where t.account_id = $1 and t.revoked_at is null limit 200)"};
static const struct ct_stmt touch = {"session_touch", CT_GLOBAL, CT_WRITE, "y",
    NULL, "update account_session set seen_at = now() where token_hash = $1"};
static const struct ct_stmt end_one = {"session_end", CT_GLOBAL, CT_WRITE, "y",
    NULL, "delete from account_session where token_hash = $1"};
static const struct ct_stmt end_all = {"session_end_all", CT_OWNED, CT_WRITE,
    "uy", NULL,
    "delete from account_session s where s.account_id = $1"
    " and ($2::bytea is null or s.token_hash <> $2)"
    " returning s.token_hash"};

#define AT(m) offsetof(struct ct_session_row, m)
#define RO    CT_F_READONLY
static const struct ct_field row_fields[] = {
    {"id", CT_T_UUID, AT(id), RO, 0, 0, NULL, NULL, NULL, "session"},
    {"created_at", CT_T_TIME, AT(created_at), RO, 0, 0, NULL, NULL, NULL,
	"when it logged in"},
    {"seen_at", CT_T_TIME, AT(seen_at), RO, 0, 0, NULL, NULL, NULL,
	"last request, to five minutes"},
    {"expires_at", CT_T_TIME, AT(expires_at), RO, 0, 0, NULL, NULL, NULL,
	"when it ends at the latest"},
    {"ip", CT_T_TEXT, AT(ip), RO | CT_F_NULLABLE, 0, 0, NULL, NULL, NULL,
	"network that it logged in from: /24, or /48 of IPv6"},
    {"user_agent", CT_T_TEXT, AT(agent), RO, 0, 0, NULL, NULL, NULL,
	"what the browser calls itself"},
    {"current", CT_T_BOOL, AT(current), RO, 0, 0, NULL, NULL, NULL,
	"the session that asks"},
};
const struct ct_fields ct_session_fields =
    CT_FIELDS("session", struct ct_session_row, row_fields);

static const struct ct_stmt list = {"session_list", CT_OWNED, CT_READ, "uyi",
    &ct_session_fields,
    "select s.id, s.created_at, s.seen_at, s.expires_at,"
    " network(set_masklen(s.ip, case family(s.ip) when 4 then 24 else 48"
    " end))::text as ip, s.user_agent, s.token_hash = $2 as current"
    " from account_session s where s.account_id = $1"
    " and s.expires_at > now()"
    " and s.seen_at > now() - make_interval(days => $3::int)"
    " order by s.seen_at desc, s.id limit 1000"};
static const struct ct_stmt end_id = {"session_end_id", CT_OWNED, CT_WRITE,
    "uu", NULL,
    "delete from account_session s where s.account_id = $1 and s.id = $2"
    " returning s.token_hash"};

const struct ct_stmt *const ct_session_stmts[] = {
    &add, &find, &digests, &touch, &end_one, &end_all, &list, &end_id, NULL};

enum ct_rc
ct_session_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    int64_t max_days, int64_t keep, struct ct_str ip, struct ct_str agent,
    struct ct_str proven, struct ct_str **ended, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	bool made = false;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, hash, CT_DIGEST);
	ct_p_i64(&p, max_days);
	ct_p_i64(&p, keep);
	ct_p_text(&p, ip);
	ct_p_text(&p, agent);
	ct_p_text(&p, proven);
	if (ct_pg_run(pg, &add, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = 0;
	*ended =
	    ct_arena_alloc(a, (size_t)ct_res_rows(r) * sizeof(**ended) + 1);
	for (int i = 0; i < ct_res_rows(r); i++) {
		if (ct_res_bool(r, i, 1))
			made = true;
		else
			(*ended)[(*n)++] = ct_res_str(r, i, 0);
	}
	if (!made)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such account.");
	return CT_OK;
}

static void
hash_params(struct ct_params *p, struct ct_arena *a, const uint8_t *hash)
{
	ct_params_init(p, a);
	ct_p_bytes(p, hash, CT_DIGEST);
}

enum ct_rc
ct_session_find(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], int64_t idle_days, struct ct_session *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	hash_params(&p, a, hash);
	ct_p_i64(&p, idle_days);
	if (ct_pg_run(pg, &find, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_UNAUTH, NULL, "Please log in.");
	memset(out, 0, sizeof(*out));
	out->account = ct_res_uuid(r, 0, 0);
	if (!ct_res_null(r, 0, 1))
		out->cat = ct_res_uuid(r, 0, 1);
	out->is_admin = ct_res_bool(r, 0, 2);
	out->seen_at = ct_res_time(r, 0, 3);
	out->ends_at = ct_res_time(r, 0, 4);
	out->cats = ct_res_str(r, 0, 5);
	return CT_OK;
}

enum ct_rc
ct_session_touch(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], struct ct_err *err)
{
	struct ct_params p;

	hash_params(&p, a, hash);
	return ct_pg_run(pg, &touch, &p, a, NULL, err);
}

enum ct_rc
ct_session_end(struct ct_pg *pg, struct ct_arena *a,
    const uint8_t hash[CT_DIGEST], struct ct_err *err)
{
	struct ct_params p;

	hash_params(&p, a, hash);
	return ct_pg_run(pg, &end_one, &p, a, NULL, err);
}

/* Run it; the first column of its rows is a digest. */
static enum ct_rc
list_digests(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_params *p, struct ct_str **out, int *n, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out) + 1);
	for (int i = 0; i < *n; i++)
		(*out)[i] = ct_res_str(r, i, 0);
	return CT_OK;
}

enum ct_rc
ct_session_digests(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	return list_digests(pg, a, &digests, &p, out, n, err);
}

enum ct_rc
ct_session_end_all(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t *except, struct ct_str **ended,
    int *n, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, except, except ? CT_DIGEST : 0);
	return list_digests(pg, a, &end_all, &p, ended, n, err);
}

enum ct_rc
ct_session_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t current[CT_DIGEST],
    int64_t idle_days, struct ct_session_row **rows, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, current, CT_DIGEST);
	ct_p_i64(&p, idle_days);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*rows = ct_res_all(r, &ct_session_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_session_end_id(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_str *ended, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &end_id, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such session.");
	*ended = ct_res_str(r, 0, 0);
	return CT_OK;
}
