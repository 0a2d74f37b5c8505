/* Tokens for devices and programs: list, make, revoke. */
#include "common/cache.h"
#include "db/api_token.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

CT_HANDLER(h_api_token_list)
{
	struct ct_api_token *t;
	struct ct_jw *w;
	int n;

	if (ct_api_token_list(r->pg, r->a, &r->account, &t, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "tokens");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_api_token_fields, &t[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

static enum ct_rc
check(const struct ct_api_token *t, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	if (!ct_uuid_nil(&t->cat) && ct_str_is(t->scope, "full"))
		rc = ct_fail_field(err, "cat_id",
		    "cannot go with scope full, which is not about one cat");
	if (t->expires_at != CT_NULL_I64 && t->expires_at <= ct_now_us())
		rc = ct_fail_field(err, "expires_at", "must be in the future");
	return rc;
}

CT_HANDLER(h_api_token_add)
{
	struct ct_api_token t;
	char text[CT_API_TOKEN_TEXT] = CT_API_TOKEN_PREFIX;
	uint8_t hash[CT_DIGEST];
	struct ct_jw *w;
	uint64_t seen;

	ct_fields_clear(&ct_api_token_fields, &t);
	if (ct_req_bind(r, CT_BIND_CREATE, &t, &seen, err) != CT_OK ||
	    check(&t, err) != CT_OK)
		return err->rc;
	ct_token_new(text + sizeof(CT_API_TOKEN_PREFIX) - 1, hash);
	ct_token_hash(ct_str_of(text), hash);
	t.id = ct_uuid_new();
	if (ct_api_token_add(r->pg, r->a, &r->account, hash, &t, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 201);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Keep the token: it is not shown again");
	ct_jw_key(w, "token");
	ct_jw_str(w, ct_str_of(text));
	ct_jw_key(w, "data");
	ct_jw_obj(w);
	ct_fields_write(&ct_api_token_fields, &t, w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_api_token_revoke)
{
	struct ct_str digest;

	if (ct_api_token_revoke(
		r->pg, r->a, &r->account, &r->id, &digest, err) != CT_OK)
		return err->rc;
	if (digest.n == CT_DIGEST)
		ct_cache_drop_session(r->cache, (const uint8_t *)digest.p);
	ct_resp_message(r, 200, "Token revoked");
	return CT_OK;
}
