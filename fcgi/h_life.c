/* Opening an account again, deleting it, and looking for unused ones. */
#include <string.h>

#include "common/cache.h"
#include "db/account_life.h"
#include "db/erasure.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

static const char *const cats_words[] = {"delete", NULL};
static const struct ct_field delete_rows[] = {
    CT_PROOF_PASSWORD,
    {"cats", CT_T_ENUM, offsetof(struct ct_proof_in, cats), 0, 0, 0, NULL,
	cats_words, NULL,
	"delete: also cats of others, of which you are the only owner"},
};
const struct ct_fields ct_account_delete_in =
    CT_FIELDS("delete", struct ct_proof_in, delete_rows);

/*
 * Open a closed account to its password, then log in as ever: that also finds
 * the right answer where this did nothing. One hash is computed in each case.
 */
CT_HANDLER(h_reactivate)
{
	struct ct_login_in in = {0};
	struct ct_login l;
	uint64_t seen;
	bool closed, ok;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_login_begin(
		r->pg, r->a, ct_email_lower(r->a, in.email), &l, err) != CT_OK)
		return err->rc;
	closed = l.hash.p && !l.is_active && l.wait_s <= 0;
	ok = ct_password_verify(
	    in.password, closed ? ct_str_cstr(r->a, l.hash) : r->app->no_hash);
	if (closed && ok &&
	    ct_account_reactivate(r->pg, r->a, &l.id, err) != CT_OK)
		return err->rc;
	return h_login(r, err);
}

/* Its name and id, for the 409. */
static void
name_cats(struct ct_req *r, const struct ct_res *kept)
{
	struct ct_buf *out = ct_arena_alloc(r->a, sizeof(*out));
	struct ct_jw w;

	ct_buf_init(out, r->a, 256);
	ct_jw_init(&w, out);
	ct_jw_arr(&w);
	for (int i = 0; i < ct_res_rows(kept); i++) {
		struct ct_uuid id = ct_res_uuid(kept, i, 0);

		ct_jw_obj(&w);
		ct_jw_key(&w, "cat_id");
		ct_jw_uuid(&w, &id);
		ct_jw_key(&w, "name");
		ct_jw_str(&w, ct_res_str(kept, i, 1));
		ct_jw_end(&w);
	}
	ct_jw_end(&w);
	r->extra_key = "cats";
	r->extra = ct_buf_str(out);
}

/* Its limits are counted by account. */
static void
forget_limits(struct ct_req *r)
{
	char id[CT_UUID_TEXT];
	const struct redisReply *reply;
	struct ct_str argv[1 + CT_C_COUNT] = {CT_STR("DEL")};
	struct ct_err ignored;
	int n = 1;

	ct_uuid_format(&r->account, id);
	for (int c = CT_C_NONE + 1; c < CT_C_COUNT; c++)
		argv[n++] = ct_str_of(ct_arena_printf(
		    r->a, "ct:l:%s:%s", ct_class_name((enum ct_class)c), id));
	/* They are gone in a minute by themselves. */
	(void)!ct_redis_do(r->cache, r->a, n, argv, &reply, &ignored);
}

CT_HANDLER(h_delete_account)
{
	struct ct_proof_in in;
	struct ct_erased gone;
	struct ct_account u;

	if (ct_prove(r, &in, &u, "Incorrect password", err) != CT_OK)
		return err->rc;
	if (ct_account_erase(r->pg, r->a, &r->account, in.cats.p != NULL, &gone,
		err) != CT_OK) {
		if (err->rc == CT_CONFLICT && gone.kept)
			name_cats(r, gone.kept);
		return err->rc;
	}
	ct_drop_sessions(r, gone.digests, gone.ndigests);
	for (int i = 0; i < gone.ncats; i++)
		ct_req_bump(r, &gone.cats[i]);
	for (int i = 0; i < gone.nothers; i++)
		ct_forget_sessions_of(r, &gone.others[i]);
	r->after = forget_limits;
	ct_resp_message(r, 200, "Account deleted successfully");
	ct_resp_cookie(r, (struct ct_str){0}, 0);
	return CT_OK;
}

CT_HANDLER(h_cleanup_inactive)
{
	struct ct_inactive done;
	struct ct_jw *w;

	if (ct_inactive_run(r->pg, r->a, &done, err) != CT_OK)
		return err->rc;
	/* Sessions of many accounts ended: drop every copy at once. */
	r->forget_all = true;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Inactive accounts were looked at");
	ct_jw_key(w, "result");
	ct_jw_obj(w);
	ct_jw_key(w, "warned");
	ct_jw_i64(w, done.warned);
	ct_jw_key(w, "deactivated");
	ct_jw_i64(w, done.deactivated);
	ct_jw_key(w, "deleted");
	ct_jw_i64(w, done.deleted);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}
