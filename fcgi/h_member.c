/* Members of a cat: list, change of role, leaving, handing over. */
#include "db/member.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct member_in {
	struct ct_str role;
	struct ct_uuid account;
};
static const struct ct_field role_rows[] = {
    {"role", CT_T_ENUM, offsetof(struct member_in, role), CT_F_REQUIRED, 0, 0,
	NULL, ct_role_names, NULL, "what the member may do from now on"},
};
const struct ct_fields ct_member_in =
    CT_FIELDS("member", struct member_in, role_rows);
static const struct ct_field transfer_rows[] = {
    {"account_id", CT_T_UUID, offsetof(struct member_in, account),
	CT_F_REQUIRED, 0, 0, NULL, NULL, NULL, "the member who becomes owner"},
};
const struct ct_fields ct_transfer_in =
    CT_FIELDS("transfer", struct member_in, transfer_rows);

CT_HANDLER(h_member_list)
{
	struct ct_member *m;
	struct ct_jw *w;
	int n;

	if (ct_member_list(r->pg, r->a, &r->account, &r->id, &m, &n, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "members");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_member_fields, &m[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

/* Whatever comes of the change: the cat and the copies of who is in it. */
static void
forget(struct ct_req *r, const struct ct_uuid *who)
{
	ct_req_bump(r, &r->id);
	ct_forget_sessions_of(r, who);
}

CT_HANDLER(h_member_role)
{
	struct member_in in = {0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	forget(r, &r->sub);
	if (ct_member_set_role(r->pg, r->a, &r->account, &r->id, &r->sub,
		(enum ct_role)ct_role_of(in.role), err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Role changed");
	return CT_OK;
}

CT_HANDLER(h_member_remove)
{
	forget(r, &r->sub);
	if (ct_member_remove(r->pg, r->a, &r->account, &r->id, &r->sub, err) !=
	    CT_OK)
		return err->rc;
	ct_resp_message(r, 200,
	    ct_uuid_eq(&r->sub, &r->account)
		? "You do not take care of this cat any more"
		: "Member removed");
	return CT_OK;
}

CT_HANDLER(h_member_transfer)
{
	struct member_in in = {0};
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	if (ct_uuid_eq(&in.account, &r->account))
		return ct_fail_field(
		    err, "account_id", "must be another member of the cat");
	forget(r, &in.account);
	ct_forget_sessions_of(r, &r->account);
	if (ct_member_transfer(
		r->pg, r->a, &r->account, &r->id, &in.account, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Handed over; you are a caregiver now");
	return CT_OK;
}
