/* Preferences, and consent to the privacy text. */
#include "db/account.h"
#include "db/account_life.h"
#include "db/preference.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct consent_in {
	int64_t version;
};
static const struct ct_field consent_rows[] = {
    {"version", CT_T_INT, offsetof(struct consent_in, version), CT_F_REQUIRED,
	1, CT_CONSENT_MAX, NULL, NULL, NULL, "of the text that is agreed to"},
};
const struct ct_fields ct_consent_in =
    CT_FIELDS("consent", struct consent_in, consent_rows);

static void
answer(struct ct_req *r, const struct ct_preference *p)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	ct_jw_obj(w);
	ct_fields_write(&ct_preference_fields, p, w);
	ct_jw_end(w);
}

CT_HANDLER(h_preferences)
{
	struct ct_preference p;

	if (ct_preference_get(r->pg, r->a, &r->account, &p, err) != CT_OK)
		return err->rc;
	answer(r, &p);
	return CT_OK;
}

/* What the body leaves out stays. */
CT_HANDLER(h_set_preferences)
{
	struct ct_preference p;
	uint64_t seen;

	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_lock(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_preference_get(r->pg, r->a, &r->account, &p, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &p, &seen, err) != CT_OK ||
	    ct_preference_set(r->pg, r->a, &r->account, &p, err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	answer(r, &p);
	return CT_OK;
}

CT_HANDLER(h_consent)
{
	struct consent_in in;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_account_consent(r->pg, r->a, &r->account, in.version, err) !=
		CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Thank you; your consent is noted");
	return CT_OK;
}
