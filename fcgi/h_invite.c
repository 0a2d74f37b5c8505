/* Invitations: make, list, withdraw, look at, accept. */
#include "db/account.h"
#include "db/cat.h"
#include "db/invite.h"
#include "db/mail.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define MAILS_PER_HOUR 5 /* to one address */

static const char *const roles[] = {"viewer", "helper", "caregiver", NULL};

struct invite_in {
	struct ct_str role, email;
	int64_t hours;
};
#define AT(m) offsetof(struct invite_in, m)
static const struct ct_field in_rows[] = {
    {"role", CT_T_ENUM, AT(role), CT_F_REQUIRED, 0, 0, NULL, roles, NULL,
	"the role that is offered; a member can be made owner later"},
    {"email", CT_T_TEXT, AT(email), CT_F_NULLABLE, 1, 254, NULL, NULL, NULL,
	"send the link there; only an account with this address can accept"},
    {"expires_hours", CT_T_INT, AT(hours), 0, 1, CT_INVITE_HOURS_MAX, NULL,
	NULL, "hours", "the link works that long; left out: 168"},
};
const struct ct_fields ct_invite_in =
    CT_FIELDS("invitation", struct invite_in, in_rows);

/* The mail whose link is the invitation; its token row has the same id. */
static enum ct_rc
send_mail(struct ct_req *r, const struct ct_invite *in, struct ct_err *err)
{
	struct ct_account_token t = {
	    .id = in->id, .purpose = CT_TP_INVITE, .email = in->email};
	struct ct_mail m = {.cat = in->cat_id,
	    .kind = CT_STR("invite"),
	    .to = in->email,
	    .token = in->id,
	    .per_hour = MAILS_PER_HOUR};
	struct ct_account me;
	struct ct_cat c;
	struct ct_buf b;
	struct ct_jw w;

	if (ct_account_get(r->pg, r->a, &r->account, &me, err) != CT_OK ||
	    ct_cat_get(r->pg, r->a, &r->account, &in->cat_id, &c, err) != CT_OK)
		return err->rc;
	ct_buf_init(&b, r->a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "inviter");
	ct_jw_str(&w, me.first_name);
	ct_jw_key(&w, "cat");
	ct_jw_str(&w, c.name.n > 0 ? c.name : CT_STR("a cat"));
	ct_jw_end(&w);
	m.args = ct_buf_str(&b);
	if (ct_account_token_add(r->pg, r->a, r->app->conf, &t, err) != CT_OK)
		return err->rc;
	return ct_mail_add(r->pg, r->a, &m, err);
}

static enum ct_rc
add(struct ct_req *r, const struct ct_invite *in, int64_t hours,
    const uint8_t hash[CT_DIGEST], struct ct_err *err)
{
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_invite_add(r->pg, r->a, &r->account, in, hours, hash, err) !=
		CT_OK ||
	    (in->email.p && send_mail(r, in, err) != CT_OK))
		return err->rc;
	return ct_pg_commit(r->pg, err);
}

CT_HANDLER(h_invite_add)
{
	struct invite_in in = {.hours = CT_INVITE_HOURS};
	struct ct_invite i = {.id = ct_uuid_new(), .cat_id = r->id};
	char token[CT_TOKEN_TEXT];
	uint8_t hash[CT_DIGEST];
	struct ct_jw *w;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	if (in.email.p && !ct_email_ok(in.email))
		return ct_fail_field(err, "email",
		    "must be an address, such as name@example.org");
	i.role = in.role;
	i.email = in.email.p ? ct_email_lower(r->a, in.email) : in.email;
	ct_mail_token(r->app->conf, &i.id, token);
	ct_token_hash(ct_str_of(token), hash);
	if (add(r, &i, in.hours, hash, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 201);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, i.email.p ? "The invitation is on its way"
				: "Pass the link on: it is not shown again");
	ct_jw_key(w, "id");
	ct_jw_uuid(w, &i.id);
	ct_jw_key(w, "token");
	ct_jw_cstr(w, token);
	ct_jw_key(w, "link");
	ct_jw_cstr(w,
	    ct_arena_printf(r->a, "%s/invite#%s", r->app->conf->origin, token));
	ct_jw_key(w, "expires_at");
	ct_jw_time(w, ct_now_us() / 1000000 * 1000000 + in.hours * 3600000000);
	ct_jw_end(w);
	return CT_OK;
}

static void
write_invite(const struct ct_invite *i, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_invite_fields, i, w);
	ct_jw_end(w);
}

CT_HANDLER(h_invite_list)
{
	struct ct_invite *i;
	struct ct_jw *w;
	int n;

	if (ct_invite_list(r->pg, r->a, &r->account, &r->id, &i, &n, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "invites");
	ct_jw_arr(w);
	for (int k = 0; k < n; k++)
		write_invite(&i[k], w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_invite_remove)
{
	if (ct_invite_remove(r->pg, r->a, &r->account, &r->id, &r->sub, err) !=
	    CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Invitation withdrawn");
	return CT_OK;
}

static enum ct_rc
read_token(struct ct_req *r, uint8_t hash[CT_DIGEST], struct ct_err *err)
{
	struct ct_mailed_in in = {0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	ct_token_hash(in.token, hash);
	return CT_OK;
}

CT_HANDLER(h_invite_peek)
{
	struct ct_invite i;
	uint8_t hash[CT_DIGEST];

	if (read_token(r, hash, err) != CT_OK ||
	    ct_invite_find(r->pg, r->a, &r->account, hash, &i, err) != CT_OK)
		return err->rc;
	write_invite(&i, ct_resp_json(r, 200));
	return CT_OK;
}

CT_HANDLER(h_invite_accept)
{
	struct ct_invite i;
	uint8_t hash[CT_DIGEST];
	struct ct_cat c;
	struct ct_jw *w;

	if (read_token(r, hash, err) != CT_OK)
		return err->rc;
	ct_forget_sessions_of(r, &r->account);
	if (ct_invite_accept(r->pg, r->a, &r->account, hash, &i, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &i.cat_id);
	if (ct_cat_get(r->pg, r->a, &r->account, &i.cat_id, &c, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Welcome: you take care of this cat now");
	ct_jw_key(w, "data");
	ct_jw_obj(w);
	ct_fields_write(&ct_cat_fields, &c, w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}
