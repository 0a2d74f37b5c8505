/*
 * Another address for an account: asked for with the password, effective when
 * a link in the new mailbox is followed, and taken back from the old one.
 */
#include <string.h>

#include "db/account_life.h"
#include "db/mail.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define MAILS_PER_HOUR 3

static const struct ct_field change_rows[] = {
    {"email", CT_T_TEXT, offsetof(struct ct_proof_in, email), CT_F_REQUIRED, 1,
	254, NULL, NULL, NULL, "the new address"},
    CT_PROOF_PASSWORD,
};
const struct ct_fields ct_email_change_in =
    CT_FIELDS("email", struct ct_proof_in, change_rows);

static enum ct_rc
ask_new(struct ct_req *r, const struct ct_account *u, struct ct_str email,
    struct ct_err *err)
{
	struct ct_account_token t = {
	    .account = u->id, .purpose = CT_TP_CHANGE_EMAIL, .email = email};
	struct ct_mail m = {.account = u->id,
	    .kind = CT_STR("change_email"),
	    .to = email,
	    .args = ct_mail_arg(r->a, "name", u->first_name),
	    .per_hour = MAILS_PER_HOUR};

	if (ct_account_token_add(r->pg, r->a, r->app->conf, &t, err) != CT_OK)
		return err->rc;
	m.token = t.id;
	return ct_mail_add(r->pg, r->a, &m, err);
}

/*
 * A link that takes the account back is for a mailbox that was proven: the
 * other kind may be a stranger's, by a slip at registration.
 */
static enum ct_rc
tell_old(struct ct_req *r, const struct ct_account *u, struct ct_str email,
    struct ct_err *err)
{
	struct ct_account_token t = {
	    .account = u->id, .purpose = CT_TP_UNDO_EMAIL, .email = u->email};
	struct ct_mail m = {.account = u->id,
	    .kind = CT_STR("email_notice"),
	    .to = u->email,
	    .args =
		ct_mail_args(r->a, "name", u->first_name, "address", email)};

	if (!u->email_verified)
		return CT_OK;
	if (ct_account_token_add(r->pg, r->a, r->app->conf, &t, err) != CT_OK)
		return err->rc;
	m.token = t.id;
	return ct_mail_add(r->pg, r->a, &m, err);
}

/* Whether the new address is another account's is not told. */
CT_HANDLER(h_change_email)
{
	struct ct_proof_in in;
	struct ct_account u;
	struct ct_str email;

	if (ct_prove(r, &in, &u, "Incorrect password", err) != CT_OK)
		return err->rc;
	email = ct_email_lower(r->a, in.email);
	if (!ct_email_ok(email))
		return ct_bad_email(err);
	if (ct_str_eq(email, u.email))
		return ct_fail_field(
		    err, "email", "is the address of your account already");
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ask_new(r, &u, email, err) != CT_OK ||
	    tell_old(r, &u, email, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 202,
	    "Follow the link in the mail to the new address; until then the "
	    "old one stays");
	return CT_OK;
}

/* Begin, use the token up, and give the account the address of it. */
static enum ct_rc
take_over(struct ct_req *r, enum ct_token_purpose purpose,
    struct ct_account_token *t, struct ct_err *err)
{
	struct ct_mailed_in in = {0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_token_use(r->pg, r->a, purpose, in.token, t, err) !=
		CT_OK)
		return err->rc;
	if (ct_account_set_email(r->pg, r->a, &t->account, t->email, err) !=
	    CT_CONFLICT)
		return err->rc;
	ct_err_clear(err);
	return ct_account_token_stale(err);
}

CT_HANDLER(h_confirm_email)
{
	struct ct_account_token t;

	if (take_over(r, CT_TP_CHANGE_EMAIL, &t, err) != CT_OK ||
	    ct_account_token_end(r->pg, r->a, &t.account, CT_NULL_I64, err) !=
		CT_OK ||
	    ct_end_sessions(r, &t.account, r->has_token ? r->token_hash : NULL,
		err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Email address changed");
	return CT_OK;
}

/*
 * Whoever changed the address knew the password, so the owner gets a link for
 * a new one. Links to undo that were made since are somebody else's.
 */
CT_HANDLER(h_undo_email)
{
	struct ct_account_token t;
	struct ct_mail m = {.kind = CT_STR("reset")};

	if (take_over(r, CT_TP_UNDO_EMAIL, &t, err) != CT_OK)
		return err->rc;
	m.account = t.account;
	m.to = t.email;
	if (ct_account_token_end(r->pg, r->a, &t.account, t.created_at, err) !=
		CT_OK ||
	    ct_mail_add(r->pg, r->a, &m, err) != CT_OK ||
	    ct_end_sessions(r, &t.account, NULL, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200,
	    "This address is the account's; a mail with a link for a new "
	    "password is on its way");
	return CT_OK;
}
