/* Making an account, logging in and out. */
#include <string.h>

#include "common/cache.h"
#include "common/password.h"
#include "db/account.h"
#include "db/cat.h"
#include "db/session.h"
#include "db/tracker.h"
#include "fcgi/h_auth.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define AT(m) offsetof(struct ct_login_in, m)
static const struct ct_field login_rows[] = {
    {"email", CT_T_TEXT, AT(email), CT_F_REQUIRED, 1, 254, NULL, NULL, NULL,
	"address of the account"},
    {"password", CT_T_TEXT, AT(password), CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024,
	NULL, NULL, NULL, "its password"},
    {"remember_me", CT_T_BOOL, AT(remember), 0, 0, 0, NULL, NULL, NULL,
	"false: until the browser closes"},
    CT_SECOND_ROWS(struct ct_login_in, second),
};
const struct ct_fields ct_login_in =
    CT_FIELDS("login", struct ct_login_in, login_rows);

struct ct_str
ct_email_lower(struct ct_arena *a, struct ct_str s)
{
	char *p = ct_arena_dup(a, s.p, s.n);

	for (size_t i = 0; i < s.n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	}
	return (struct ct_str){p, s.n};
}

enum ct_rc
ct_hash_password(const struct ct_req *r, struct ct_str password,
    char out[CT_PASSWORD_HASH], struct ct_err *err)
{
	return ct_password_hash(password,
	    (unsigned)r->app->conf->argon2_mem_kib,
	    (unsigned)r->app->conf->argon2_passes, out, err);
}

void
ct_drop_sessions(struct ct_req *r, const struct ct_str *ended, int n)
{
	for (int i = 0; i < n; i++) {
		if (ended[i].n == CT_DIGEST)
			ct_cache_drop_session(
			    r->cache, (const uint8_t *)ended[i].p);
	}
}

/* A new session and its cookie. */
static enum ct_rc
sign_in(struct ct_req *r, const struct ct_uuid *account, struct ct_str proven,
    bool remember, struct ct_err *err)
{
	const struct ct_conf *conf = r->app->conf;
	char token[CT_TOKEN_TEXT];
	uint8_t hash[CT_DIGEST];
	struct ct_str agent = r->agent.p ? r->agent : CT_STR("");
	struct ct_str *ended;
	int n;

	if (agent.n > 200)
		agent.n = 200;
	if (!ct_utf8_ok(agent))
		agent = CT_STR("");
	ct_token_new(token, hash);
	if (ct_session_add(r->pg, r->a, account, hash, conf->session_max_days,
		conf->sessions_max, r->addr, agent, proven, &ended, &n,
		err) != CT_OK)
		return err->rc;
	ct_drop_sessions(r, ended, n);
	ct_resp_cookie(
	    r, ct_str_of(token), remember ? conf->session_max_days * 86400 : 0);
	return CT_OK;
}

/* The default cat is not the one that the API token may see. */
static void
hide_cat(struct ct_account *u)
{
	struct ct_account none;

	ct_account_defaults(&none);
	memset(&u->cat_id, 0, sizeof(u->cat_id));
	u->cat_name = none.cat_name;
	u->cat_breed = none.cat_breed;
	u->cat_age = none.cat_age;
	u->weight_g = none.weight_g;
	u->target_ul = none.target_ul;
	u->timezone = none.timezone;
}

/* {"message": text, "user": {…}} */
static enum ct_rc
answer_user(struct ct_req *r, int status, const char *text,
    const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_account u;
	struct ct_jw *w;

	if (ct_account_get(r->pg, r->a, id, &u, err) != CT_OK)
		return err->rc;
	if (!ct_uuid_nil(&r->only_cat) && !ct_uuid_eq(&r->only_cat, &u.cat_id))
		hide_cat(&u);
	w = ct_resp_json(r, status);
	ct_jw_obj(w);
	if (text) {
		ct_jw_key(w, "message");
		ct_jw_cstr(w, text);
	}
	ct_jw_key(w, "user");
	ct_jw_obj(w);
	ct_fields_write(&ct_account_fields, &u, w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

enum ct_rc
ct_check_new_password(const char *field, struct ct_str password,
    const struct ct_account *u, struct ct_err *err)
{
	struct ct_str rest = u->email;
	struct ct_str near[] = {CT_STR("catetube"), ct_str_split(&rest, '@'),
	    u->email, u->cat_name, u->first_name, u->last_name};

	return ct_password_check(field, password, near, ct_countof(near), err);
}

CT_HANDLER(h_register)
{
	struct ct_account u;
	char hash[CT_PASSWORD_HASH];
	uint64_t seen;

	ct_account_defaults(&u);
	if (ct_req_bind(r, CT_BIND_CREATE, &u, &seen, err) != CT_OK)
		return err->rc;
	u.email = ct_email_lower(r->a, u.email);
	if (!ct_email_ok(u.email))
		return ct_bad_email(err);
	if (ct_check_new_password("password", u.password, &u, err) != CT_OK ||
	    ct_hash_password(r, u.password, hash, err) != CT_OK)
		return err->rc;
	u.id = ct_uuid_new();
	u.cat_id = ct_uuid_new();
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_add(r->pg, r->a, &u, hash, err) != CT_OK ||
	    ct_ask_to_verify(r, &u, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK ||
	    sign_in(r, &u.id, (struct ct_str){0}, true, err) != CT_OK)
		return err->rc;
	return answer_user(r, 201, "Registration successful", &u.id, err);
}

static enum ct_rc
refuse(struct ct_req *r, struct ct_str email, struct ct_err *err)
{
	ct_metric_add(r->app->login_bad, 1);
	if (ct_login_failed(
		r->pg, r->a, email, r->app->conf->login_free, err) != CT_OK)
		return err->rc;
	return ct_fail(
	    err, CT_UNAUTH, "credentials", "Invalid email or password");
}

/* The cost was raised since: this is the moment that has the password. */
static enum ct_rc
upgrade(struct ct_req *r, struct ct_login *l, struct ct_str password,
    struct ct_err *err)
{
	const struct ct_conf *conf = r->app->conf;
	char hash[CT_PASSWORD_HASH];

	if (!ct_password_stale(ct_str_cstr(r->a, l->hash),
		(unsigned)conf->argon2_mem_kib, (unsigned)conf->argon2_passes))
		return CT_OK;
	if (ct_hash_password(r, password, hash, err) != CT_OK)
		return err->rc;
	l->hash = ct_str_of(ct_arena_dup(r->a, hash, strlen(hash)));
	return ct_account_set_hash(r->pg, r->a, &l->id, hash, err);
}

enum ct_rc
ct_login_wait(struct ct_req *r, const struct ct_login *l, struct ct_err *err)
{
	ct_metric_add(r->app->login_wait, 1);
	r->reset_s = l->wait_s;
	return ct_fail(err, CT_LIMITED, "login_wait",
	    "Too many failed attempts; try again in %lld s.",
	    (long long)l->wait_s);
}

/*
 * Known or not, active or not: the same answer after the same work.
 */
CT_HANDLER(h_login)
{
	struct ct_login_in in = {.remember = true};
	struct ct_login l;
	uint64_t seen;
	bool ok;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	in.email = ct_email_lower(r->a, in.email);
	if (ct_login_begin(r->pg, r->a, in.email, &l, err) != CT_OK)
		return err->rc;
	if (l.wait_s > 0)
		return ct_login_wait(r, &l, err);
	ok = ct_password_verify(in.password,
	    l.hash.p ? ct_str_cstr(r->a, l.hash) : r->app->no_hash);
	if (!ok || !l.hash.p || !l.is_active)
		return refuse(r, in.email, err);
	if (ct_totp_check(r, &l.id, in.email, &in.second, err) != CT_OK ||
	    upgrade(r, &l, in.password, err) != CT_OK)
		return err->rc;
	if (sign_in(r, &l.id, l.hash, in.remember, err) != CT_OK)
		/* The password was changed while it was proven. */
		return err->rc == CT_NOTFOUND ? refuse(r, in.email, err)
					      : err->rc;
	if (ct_login_done(r->pg, r->a, in.email, &l.id, err) != CT_OK)
		return err->rc;
	ct_metric_add(r->app->login_ok, 1);
	return answer_user(r, 200, "Login successful", &l.id, err);
}

CT_HANDLER(h_logout)
{
	if (ct_session_end(r->pg, r->a, r->token_hash, err) != CT_OK)
		return err->rc;
	ct_cache_drop_session(r->cache, r->token_hash);
	ct_resp_message(r, 200, "Logged out successfully");
	ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}

CT_HANDLER(h_me)
{
	return answer_user(r, 200, NULL, &r->account, err);
}

/* The role that each field of a shared cat takes, as by PATCH /api/cat. */
static const struct {
	const char *field;
	enum ct_role need;
} profile_roles[] = {{"cat_name", CT_CAREGIVER}, {"cat_breed", CT_CAREGIVER},
    {"cat_age", CT_CAREGIVER}, {"cat_weight", CT_CAREGIVER},
    {"daily_target_ml", CT_CAREGIVER}, {"timezone", CT_OWNER}};

/* Whether the body had that member of the account. */
static bool
has(uint64_t seen, const char *name)
{
	const struct ct_field *f = ct_fields_find(&ct_account_fields, name);

	return seen >> (f - ct_account_fields.f) & 1;
}

static enum ct_rc
may_change_cat(struct ct_req *r, const struct ct_account *u, uint64_t seen,
    struct ct_err *err)
{
	int64_t role;

	if (ct_uuid_nil(&u->cat_id))
		return CT_OK;
	if (ct_cat_role(r->pg, r->a, &r->account, &u->cat_id, &role, err) !=
	    CT_OK)
		return err->rc;
	for (size_t i = 0; i < ct_countof(profile_roles); i++) {
		if (role < (int64_t)profile_roles[i].need &&
		    has(seen, profile_roles[i].field))
			return ct_fail(err, CT_FORBIDDEN, NULL,
			    "Your role on this cat does not allow changing %s.",
			    profile_roles[i].field);
	}
	return CT_OK;
}

/*
 * Locked between reading and writing, by this account and by whoever else
 * takes care of the cat: of two changes none is lost.
 */
static enum ct_rc
open_profile(struct ct_req *r, struct ct_account *u, struct ct_err *err)
{
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_lock(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_account_get(r->pg, r->a, &r->account, u, err) != CT_OK)
		return err->rc;
	if (ct_uuid_nil(&u->cat_id))
		return CT_OK;
	if (ct_cat_lock(r->pg, r->a, &r->account, &u->cat_id, err) != CT_OK)
		return err->rc;
	return ct_account_get(r->pg, r->a, &r->account, u, err);
}

CT_HANDLER(h_profile)
{
	struct ct_account u;
	uint64_t seen;

	if (open_profile(r, &u, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &u, &seen, err) != CT_OK ||
	    may_change_cat(r, &u, seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &u.cat_id);
	if (ct_account_update(r->pg, r->a, &u, has(seen, "daily_target_ml"),
		has(seen, "cat_weight"), err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	return answer_user(
	    r, 200, "Profile updated successfully", &r->account, err);
}
