/* Daily targets: their history, and setting one. */
#include "db/target.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

struct target_put {
	int64_t amount_ul;
	int32_t from_day;
};
static const struct ct_field target_rows[] = {
    {"daily_target_ml", CT_T_VOLUME, offsetof(struct target_put, amount_ul),
	CT_F_REQUIRED, 1, CT_TARGET_MAX_UL, NULL, NULL, "mL",
	"what the cat is to get on a day"},
    {"effective_from", CT_T_DAY, offsetof(struct target_put, from_day), 0, 0, 0,
	NULL, NULL, NULL, "first care day; left out: today"},
};
const struct ct_fields ct_target_put_in =
    CT_FIELDS("target", struct target_put, target_rows);

static void
write_target(const struct ct_target *t, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_target_fields, t, w);
	ct_jw_end(w);
}

CT_HANDLER(h_target_list)
{
	struct ct_target *t;
	struct ct_jw *w;
	int n;

	if (ct_target_list(r->pg, r->a, &r->account, &r->id, &t, &n, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "targets");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		write_target(&t[i], w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_target_put)
{
	struct target_put in = {.from_day = CT_NULL_DAY};
	struct ct_target t;
	struct ct_jw *w;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &r->id);
	if (ct_target_set(r->pg, r->a, &r->account, &r->id, in.amount_ul,
		in.from_day, &t, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Daily target set");
	ct_jw_key(w, "data");
	write_target(&t, w);
	ct_jw_end(w);
	return CT_OK;
}
