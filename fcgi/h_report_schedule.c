/* Reports that come by mail each week: ask for one, change it, end it. */
#include "db/account.h"
#include "db/report_schedule.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

static void
write_schedule(const struct ct_report_schedule *s, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_report_schedule_fields, s, w);
	ct_jw_end(w);
}

static void
answer(struct ct_req *r, int status, const char *message,
    const struct ct_report_schedule *s)
{
	struct ct_jw *w = ct_resp_json(r, status);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, message);
	ct_jw_key(w, "data");
	write_schedule(s, w);
	ct_jw_end(w);
}

CT_HANDLER(h_report_schedule_list)
{
	struct ct_report_schedule *s;
	struct ct_jw *w;
	int n;

	if (ct_report_schedule_list(r->pg, r->a, &r->account, &s, &n, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "schedules");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		write_schedule(&s[i], w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_report_schedule_add)
{
	struct ct_report_schedule s;
	uint64_t seen;

	ct_fields_clear(&ct_report_schedule_fields, &s);
	s.kind = CT_STR("summary");
	s.format = CT_STR("pdf");
	s.enabled = true;
	if (ct_req_bind(r, CT_BIND_CREATE, &s, &seen, err) != CT_OK ||
	    ct_req_cat(r, &s.cat_id, err) != CT_OK)
		return err->rc;
	s.id = ct_uuid_new();
	if (ct_report_schedule_add(r->pg, r->a, &r->account, &s, err) != CT_OK)
		return err->rc;
	answer(r, 201,
	    s.deliverable
		? "The report will come by mail"
		: "Confirm your e-mail address, and the report will come",
	    &s);
	return CT_OK;
}

CT_HANDLER(h_report_schedule_get)
{
	struct ct_report_schedule s;

	if (ct_report_schedule_get(r->pg, r->a, &r->account, &r->id, &s, err) !=
	    CT_OK)
		return err->rc;
	write_schedule(&s, ct_resp_json(r, 200));
	return CT_OK;
}

/* What the body leaves out stays. */
CT_HANDLER(h_report_schedule_patch)
{
	struct ct_report_schedule s;
	uint64_t seen;

	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_account_lock(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_report_schedule_get(r->pg, r->a, &r->account, &r->id, &s, err) !=
		CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &s, &seen, err) != CT_OK ||
	    ct_report_schedule_set(r->pg, r->a, &r->account, &s, err) !=
		CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	answer(r, 200, "Changed", &s);
	return CT_OK;
}

CT_HANDLER(h_report_schedule_delete)
{
	if (ct_report_schedule_remove(r->pg, r->a, &r->account, &r->id, err) !=
	    CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "No more reports will come");
	return CT_OK;
}
