/* What needs the password again: change it, close or delete the account. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cache.h"
#include "common/log.h"
#include "db/account.h"
#include "db/session.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct password_in {
	struct ct_str current, fresh;
};
#define AT(m) offsetof(struct password_in, m)
static const struct ct_field change_rows[] = {
    {"current_password", CT_T_TEXT, AT(current), CT_F_REQUIRED | CT_F_NOTRIM, 1,
	1024, NULL, NULL, NULL, "the password now"},
    {"new_password", CT_T_TEXT, AT(fresh), CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024,
	NULL, NULL, NULL, "the password from now on"},
};
const struct ct_fields ct_password_change_in =
    CT_FIELDS("password", struct password_in, change_rows);
static const struct ct_field confirm_rows[] = {
    {"password", CT_T_TEXT, AT(current), CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024,
	NULL, NULL, NULL, "the password now"},
};
const struct ct_fields ct_password_confirm_in =
    CT_FIELDS("password", struct password_in, confirm_rows);

enum ct_rc
ct_prove_password(struct ct_req *r, struct ct_str password,
    struct ct_account *u, const char *wrong, struct ct_err *err)
{
	struct ct_login l;

	if (ct_account_get(r->pg, r->a, &r->account, u, err) != CT_OK ||
	    ct_login_begin(r->pg, r->a, u->email, &l, err) != CT_OK)
		return err->rc;
	if (l.wait_s > 0)
		return ct_login_wait(r, &l, err);
	if (ct_password_verify(
		password, ct_str_cstr(r->a, l.hash.p ? l.hash : CT_STR(""))))
		return CT_OK;
	if (ct_login_failed(
		r->pg, r->a, u->email, r->app->conf->login_free, err) != CT_OK)
		return err->rc;
	return ct_fail(err, CT_UNAUTH, "password", "%s", wrong);
}

/* Bind the body and prove the password that it shows. */
static enum ct_rc
prove(struct ct_req *r, struct password_in *in, struct ct_account *u,
    const char *wrong, struct ct_err *err)
{
	uint64_t seen;

	memset(in, 0, sizeof(*in));
	if (ct_req_bind(r, CT_BIND_CREATE, in, &seen, err) != CT_OK)
		return err->rc;
	return ct_prove_password(r, in->current, u, wrong, err);
}

static enum ct_rc
end_sessions(struct ct_req *r, const uint8_t *except, struct ct_err *err)
{
	struct ct_str *ended;
	int n;

	if (ct_session_end_all(
		r->pg, r->a, &r->account, except, &ended, &n, err) != CT_OK)
		return err->rc;
	ct_drop_sessions(r, ended, n);
	return CT_OK;
}

CT_HANDLER(h_change_password)
{
	struct password_in in;
	struct ct_account u;
	char hash[CT_PASSWORD_HASH];

	if (prove(r, &in, &u, "Current password is incorrect", err) != CT_OK ||
	    ct_check_new_password("new_password", in.fresh, &u, err) != CT_OK ||
	    ct_hash_password(r, in.fresh, hash, err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_set_hash(r->pg, r->a, &r->account, hash, err) != CT_OK ||
	    end_sessions(r, r->token_hash, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Password changed successfully");
	return CT_OK;
}

CT_HANDLER(h_deactivate)
{
	struct password_in in;
	struct ct_account u;

	if (prove(r, &in, &u, "Incorrect password", err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_deactivate(r->pg, r->a, &r->account, err) != CT_OK ||
	    end_sessions(r, NULL, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Account deactivated successfully");
	ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}

static void
remove_blobs(struct ct_req *r, const struct ct_str *blobs, int n)
{
	for (int i = 0; i < n; i++) {
		char *path = ct_arena_printf(r->a, "%s/reports/%.*s",
		    r->app->conf->files_dir, CT_STR_FMT(blobs[i]));

		if (unlink(path) != 0 && errno != ENOENT)
			ct_log(CT_WARN, "account", "%s: %s", path,
			    strerror(errno));
	}
}

CT_HANDLER(h_delete_account)
{
	struct password_in in;
	struct ct_account u;
	struct ct_str *blobs;
	int n;

	if (prove(r, &in, &u, "Incorrect password", err) != CT_OK ||
	    end_sessions(r, NULL, err) != CT_OK ||
	    ct_account_delete(r->pg, r->a, &r->account, &blobs, &n, err) !=
		CT_OK)
		return err->rc;
	remove_blobs(r, blobs, n);
	ct_req_bump(r, &r->cat);
	ct_resp_message(r, 200, "Account deleted successfully");
	ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}

CT_HANDLER(h_cleanup_inactive)
{
	struct ct_err later;
	int64_t deactivated, deleted;
	struct ct_jw *w;

	if (ct_account_cleanup(r->pg, r->a, &deactivated, &deleted, err) !=
	    CT_OK)
		return err->rc;
	/* Sessions of many accounts ended: drop every copy at once. */
	ct_cache_owe();
	(void)!ct_cache_settle(r->cache, &later);
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Inactive accounts were looked at");
	ct_jw_key(w, "result");
	ct_jw_obj(w);
	ct_jw_key(w, "deactivated");
	ct_jw_i64(w, deactivated);
	ct_jw_key(w, "deleted");
	ct_jw_i64(w, deleted);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}
