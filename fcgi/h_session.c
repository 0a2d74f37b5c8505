/* The account's sessions: who is signed in where, and ending that. */
#include "common/cache.h"
#include "db/session.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

CT_HANDLER(h_session_list)
{
	struct ct_session_row *rows;
	struct ct_jw *w;
	int n;

	if (ct_session_list(r->pg, r->a, &r->account, r->token_hash,
		r->app->conf->session_idle_days, &rows, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "sessions");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_session_fields, &rows[i], w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

/* The one that asks may end itself: then it is a log-out. */
CT_HANDLER(h_session_end)
{
	struct ct_str ended;

	if (ct_session_end_id(r->pg, r->a, &r->account, &r->id, &ended, err) !=
	    CT_OK)
		return err->rc;
	ct_drop_sessions(r, &ended, 1);
	ct_resp_message(r, 200, "Session ended");
	if (ended.n == CT_DIGEST && ct_equal(ended.p, r->token_hash, CT_DIGEST))
		ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}

CT_HANDLER(h_session_end_others)
{
	struct ct_str *ended;
	struct ct_jw *w;
	int n;

	if (ct_session_end_all(r->pg, r->a, &r->account, r->token_hash, &ended,
		&n, err) != CT_OK)
		return err->rc;
	ct_drop_sessions(r, ended, n);
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "All other sessions ended");
	ct_jw_key(w, "ended");
	ct_jw_i64(w, n);
	ct_jw_end(w);
	return CT_OK;
}
