/* What needs the password again: changing it, closing the account. */
#include <string.h>

#include "db/account_life.h"
#include "db/account_token.h"
#include "db/mail.h"
#include "db/session.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define AT(m) offsetof(struct ct_proof_in, m)
#define WORD  CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024, NULL, NULL, NULL
static const struct ct_field change_rows[] = {
    {"current_password", CT_T_TEXT, AT(current), WORD, "the password now"},
    {"new_password", CT_T_TEXT, AT(fresh), WORD, "the password from now on"},
};
const struct ct_fields ct_password_change_in =
    CT_FIELDS("password", struct ct_proof_in, change_rows);
static const struct ct_field confirm_rows[] = {
    CT_PROOF_PASSWORD,
};
const struct ct_fields ct_password_confirm_in =
    CT_FIELDS("password", struct ct_proof_in, confirm_rows);

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

/*
 * Bind the body and prove the password that it shows. Wrong ones count like
 * failed log-ins: a stolen session must not be a place to guess.
 */
enum ct_rc
ct_prove(struct ct_req *r, struct ct_proof_in *in, struct ct_account *u,
    const char *wrong, struct ct_err *err)
{
	uint64_t seen;

	memset(in, 0, sizeof(*in));
	if (ct_req_bind(r, CT_BIND_CREATE, in, &seen, err) != CT_OK)
		return err->rc;
	return ct_prove_password(r, in->current, u, wrong, err);
}

enum ct_rc
ct_end_sessions(struct ct_req *r, const struct ct_uuid *account,
    const uint8_t *except, struct ct_err *err)
{
	struct ct_str *ended;
	int n;

	/* API tokens stay valid rows, but end with the account. */
	if (!except) {
		if (ct_session_digests(r->pg, r->a, account, &ended, &n, err) !=
		    CT_OK)
			return err->rc;
		ct_drop_sessions(r, ended, n);
	}
	if (ct_session_end_all(r->pg, r->a, account, except, &ended, &n, err) !=
	    CT_OK)
		return err->rc;
	ct_drop_sessions(r, ended, n);
	return CT_OK;
}

CT_HANDLER(h_change_password)
{
	struct ct_proof_in in;
	struct ct_account u;
	char hash[CT_PASSWORD_HASH];

	if (ct_prove(r, &in, &u, "Current password is incorrect", err) !=
		CT_OK ||
	    ct_check_new_password("new_password", in.fresh, &u, err) != CT_OK ||
	    ct_hash_password(r, in.fresh, hash, err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_set_hash(r->pg, r->a, &r->account, hash, err) != CT_OK ||
	    ct_end_sessions(r, &r->account, r->token_hash, err) != CT_OK ||
	    ct_account_token_end(r->pg, r->a, &r->account, CT_NULL_I64, err) !=
		CT_OK ||
	    ct_mail_tell(r->pg, r->a, &u, "password_changed", err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Password changed successfully");
	return CT_OK;
}

CT_HANDLER(h_deactivate)
{
	struct ct_proof_in in;
	struct ct_account u;

	if (ct_prove(r, &in, &u, "Incorrect password", err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_deactivate(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_end_sessions(r, &r->account, NULL, err) != CT_OK ||
	    ct_mail_tell(r->pg, r->a, &u, "deactivated", err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	/* API tokens are kept, but their copies must not outlive this. */
	ct_forget_sessions_of(r, &r->account);
	ct_resp_message(r, 200, "Account deactivated successfully");
	ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}
