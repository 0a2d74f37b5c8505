/* What a link in a mail does: prove the address, set a new password. */
#include <string.h>

#include "db/account_life.h"
#include "db/mail.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define MAILS_PER_HOUR 3 /* of one kind to one address */

#define AT(m) offsetof(struct ct_mailed_in, m)
#define TOKEN                                                                  \
	{                                                                      \
		"token", CT_T_TEXT, AT(token), CT_F_REQUIRED, 1, 100, NULL,    \
		    NULL, NULL, "what is behind # in the link of the mail"     \
	}
static const struct ct_field token_rows[] = {TOKEN};
const struct ct_fields ct_mail_token_in =
    CT_FIELDS("token", struct ct_mailed_in, token_rows);
static const struct ct_field reset_rows[] = {
    TOKEN,
    {"password", CT_T_TEXT, AT(password), CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024,
	NULL, NULL, NULL, "the new one: 8 to 1,024 bytes"},
};
const struct ct_fields ct_password_reset_in =
    CT_FIELDS("reset", struct ct_mailed_in, reset_rows);
static const struct ct_field forgot_rows[] = {
    {"email", CT_T_TEXT, AT(email), CT_F_REQUIRED, 1, 254, NULL, NULL, NULL,
	"address of the account"},
};
const struct ct_fields ct_password_forgot_in =
    CT_FIELDS("forgot", struct ct_mailed_in, forgot_rows);

enum ct_rc
ct_ask_to_verify(
    struct ct_req *r, const struct ct_account *u, struct ct_err *err)
{
	struct ct_account_token t = {
	    .account = u->id, .purpose = CT_TP_VERIFY, .email = u->email};
	struct ct_mail m = {.account = u->id,
	    .kind = CT_STR("verify"),
	    .to = u->email,
	    .args = ct_mail_arg(r->a, "name", u->first_name),
	    .per_hour = MAILS_PER_HOUR};

	if (ct_account_token_add(r->pg, r->a, r->app->conf, &t, err) != CT_OK)
		return err->rc;
	m.token = t.id;
	return ct_mail_add(r->pg, r->a, &m, err);
}

/* Bind the body, begin, and use its token up. */
static enum ct_rc
take(struct ct_req *r, enum ct_token_purpose purpose, struct ct_mailed_in *in,
    struct ct_account_token *t, struct ct_err *err)
{
	uint64_t seen;

	memset(in, 0, sizeof(*in));
	if (ct_req_bind(r, CT_BIND_CREATE, in, &seen, err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK)
		return err->rc;
	return ct_account_token_use(r->pg, r->a, purpose, in->token, t, err);
}

/* The address that the token was sent to is proven, if it still is the one. */
static enum ct_rc
proven(struct ct_req *r, const struct ct_account_token *t, struct ct_err *err)
{
	if (ct_account_verified(r->pg, r->a, &t->account, t->email, err) !=
	    CT_NOTFOUND)
		return err->rc;
	ct_err_clear(err);
	return ct_account_token_stale(err);
}

CT_HANDLER(h_verify_email)
{
	struct ct_account_token t;
	struct ct_mailed_in in;

	if (take(r, CT_TP_VERIFY, &in, &t, err) != CT_OK ||
	    proven(r, &t, err) != CT_OK || ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Email address confirmed");
	return CT_OK;
}

CT_HANDLER(h_resend_verification)
{
	struct ct_account u;

	if (ct_account_get(r->pg, r->a, &r->account, &u, err) != CT_OK)
		return err->rc;
	if (u.email_verified)
		return ct_fail(err, CT_CONFLICT, "verified",
		    "This address is confirmed already.");
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_ask_to_verify(r, &u, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 202, "Look into your mailbox");
	return CT_OK;
}

/*
 * Whether an account has the address is not looked at here: the statement, the
 * answer and the time are the same. The worker finds out.
 */
CT_HANDLER(h_forgot_password)
{
	struct ct_mailed_in in = {0};
	struct ct_mail m = {
	    .kind = CT_STR("reset"), .per_hour = MAILS_PER_HOUR};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	m.to = ct_email_lower(r->a, in.email);
	if (ct_mail_add(r->pg, r->a, &m, err) != CT_OK && err->rc != CT_LIMITED)
		return err->rc;
	ct_err_clear(err);
	ct_resp_message(r, 202,
	    "If an account has this address, a mail with a link is on its way");
	return CT_OK;
}

/*
 * A refused password leaves the token as it was. Whoever stole the old one is
 * out: no session stays, and no link that was asked for before.
 */
CT_HANDLER(h_reset_password)
{
	struct ct_account_token t;
	struct ct_mailed_in in;
	struct ct_account u;
	char hash[CT_PASSWORD_HASH];

	if (take(r, CT_TP_RESET, &in, &t, err) != CT_OK ||
	    proven(r, &t, err) != CT_OK ||
	    ct_account_get(r->pg, r->a, &t.account, &u, err) != CT_OK ||
	    ct_check_new_password("password", in.password, &u, err) != CT_OK ||
	    ct_hash_password(r, in.password, hash, err) != CT_OK ||
	    ct_account_set_hash(r->pg, r->a, &t.account, hash, err) != CT_OK ||
	    ct_account_token_end(r->pg, r->a, &t.account, CT_NULL_I64, err) !=
		CT_OK ||
	    ct_login_forgive(r->pg, r->a, u.email, err) != CT_OK ||
	    ct_mail_tell(r->pg, r->a, &u, "password_changed", err) != CT_OK ||
	    ct_end_sessions(r, &t.account, NULL, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Password changed; please log in");
	return CT_OK;
}
