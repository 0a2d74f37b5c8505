/* Administration: accounts by their metadata, and what was done to them. */
#include <string.h>

#include "db/admin.h"
#include "db/session.h"
#include "fcgi/h_auth.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct admin_query {
	int64_t page, per_page;
	struct ct_str status, q, action;
	struct ct_uuid account;
};
#define AT(m) offsetof(struct admin_query, m)
#define PAGE_ROWS                                                              \
	{"page", CT_T_INT, AT(page), 0, 0, 0, NULL, NULL, NULL, "from 1"},     \
	{                                                                      \
		"per_page", CT_T_INT, AT(per_page), 0, 0, 0, NULL, NULL, NULL, \
		    "1 to 100"                                                 \
	}
static const char *const states[] = {"active", "deactivated", "disabled", NULL};
static const struct ct_field account_rows[] = {
    PAGE_ROWS,
    {"status", CT_T_ENUM, AT(status), 0, 0, 0, NULL, states, NULL,
	"only those"},
    {"q", CT_T_TEXT, AT(q), 0, 1, 254, NULL, NULL, NULL, "part of the address"},
};
const struct ct_fields ct_admin_account_query =
    CT_FIELDS("account", struct admin_query, account_rows);
static const struct ct_field audit_rows[] = {
    PAGE_ROWS,
    {"account_id", CT_T_UUID, AT(account), 0, 0, 0, NULL, NULL, NULL,
	"what it did, or what was done to it"},
    {"action", CT_T_TEXT, AT(action), 0, 1, 40, NULL, NULL, NULL,
	"such as disable"},
};
const struct ct_fields ct_admin_audit_query =
    CT_FIELDS("audit", struct admin_query, audit_rows);

static enum ct_rc
read_query(struct ct_req *r, struct admin_query *q, struct ct_admin_filter *f,
    struct ct_err *err)
{
	memset(q, 0, sizeof(*q));
	q->page = 1;
	q->per_page = 50;
	if (ct_req_query(r, q, err) != CT_OK)
		return err->rc;
	q->page = ct_clamp(q->page, 1, CT_PAGE_MAX);
	q->per_page = ct_clamp(q->per_page, 1, CT_PER_PAGE_MAX);
	*f = (struct ct_admin_filter){.status = q->status,
	    .q = q->q,
	    .id = q->account,
	    .action = q->action,
	    .limit = q->per_page,
	    .offset = (q->page - 1) * q->per_page};
	return CT_OK;
}

/* {key: [rows], "pagination": …} */
static void
write_list(struct ct_req *r, const char *key, const struct ct_fields *t,
    const void *rows, int n, const struct ct_pagination *page)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	ct_jw_obj(w);
	ct_jw_key(w, key);
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(t, (const char *)rows + (size_t)i * t->size, w);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_pagination_write(page, w);
	ct_jw_end(w);
}

CT_HANDLER(h_admin_account_list)
{
	struct admin_query q;
	struct ct_admin_filter f;
	struct ct_admin_account *rows;
	int64_t total;
	int n;

	if (read_query(r, &q, &f, err) != CT_OK ||
	    ct_admin_accounts(
		r->pg, r->a, &r->account, &f, &rows, &n, &total, err) != CT_OK)
		return err->rc;
	write_list(r, "accounts", &ct_admin_account_fields, rows, n,
	    &(struct ct_pagination){
		.page = q.page, .per_page = q.per_page, .total = total});
	return CT_OK;
}

CT_HANDLER(h_admin_audit)
{
	struct admin_query q;
	struct ct_admin_filter f;
	struct ct_admin_event *rows;
	int64_t total;
	int n;

	if (read_query(r, &q, &f, err) != CT_OK ||
	    ct_admin_events(
		r->pg, r->a, &r->account, &f, &rows, &n, &total, err) != CT_OK)
		return err->rc;
	write_list(r, "events", &ct_admin_event_fields, rows, n,
	    &(struct ct_pagination){
		.page = q.page, .per_page = q.per_page, .total = total});
	return CT_OK;
}

/* The account as it is, with a message where text is one. */
static enum ct_rc
answer(struct ct_req *r, const char *text, struct ct_err *err)
{
	struct ct_admin_account u;
	struct ct_jw *w;

	if (ct_admin_account_get(r->pg, r->a, &r->account, &r->id, &u, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	if (text) {
		ct_jw_key(w, "message");
		ct_jw_cstr(w, text);
		ct_jw_key(w, "data");
		ct_jw_obj(w);
	}
	ct_fields_write(&ct_admin_account_fields, &u, w);
	if (text)
		ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_admin_account_get)
{
	return answer(r, NULL, err);
}

/* In a transaction: of {id}. Its API tokens' copies go after the commit. */
static enum ct_rc
end_sessions(struct ct_req *r, struct ct_err *err)
{
	struct ct_str *ended;
	int n;

	if (ct_session_end_all(r->pg, r->a, &r->id, NULL, &ended, &n, err) !=
	    CT_OK)
		return err->rc;
	ct_drop_sessions(r, ended, n);
	ct_forget_sessions_of(r, &r->id);
	return CT_OK;
}

CT_HANDLER(h_admin_account_disable)
{
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_admin_disable(r->pg, r->a, &r->account, &r->id, err) != CT_OK ||
	    end_sessions(r, err) != CT_OK ||
	    answer(r, "Account disabled", err) != CT_OK)
		return err->rc;
	return ct_pg_commit(r->pg, err);
}

CT_HANDLER(h_admin_account_enable)
{
	if (ct_admin_enable(r->pg, r->a, &r->account, &r->id, err) != CT_OK)
		return err->rc;
	return answer(r, "Account enabled", err);
}

CT_HANDLER(h_admin_session_end)
{
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_admin_note(r->pg, r->a, &r->account, &r->id, "end_sessions",
		err) != CT_OK ||
	    end_sessions(r, err) != CT_OK ||
	    answer(r, "Sessions ended", err) != CT_OK)
		return err->rc;
	return ct_pg_commit(r->pg, err);
}

/* Noted before it is done: what it does is a transaction of its own. */
CT_HANDLER(h_admin_cleanup)
{
	static const struct ct_uuid all;

	if (ct_admin_note(r->pg, r->a, &r->account, &all, "cleanup_inactive",
		err) != CT_OK)
		return err->rc;
	return h_cleanup_inactive(r, err);
}
