/* Doses: logging one; the rest is every entry's life. */
#include "db/medication.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

_Static_assert(sizeof(struct ct_medication) <= CT_ENTRY_MAX, "CT_ENTRY_MAX");

CT_HANDLER(h_medication_add)
{
	struct ct_medication in, out;
	struct ct_jw *w;
	uint64_t seen;

	ct_fields_clear(ct_medication_kind.fields, &in);
	in.e.given_at = CT_NULL_I64;
	in.e.notes = in.reason = CT_STR("");
	in.flushed_before = in.flushed_after = true;
	in.route = CT_STR("E-tube");
	in.status = CT_STR("given");
	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_entry_prepare(r, &in.e, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &in.e.cat_id);
	if (ct_medication_add(r->pg, r->a, &r->account, &in, &out, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 201);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Medication logged successfully");
	ct_jw_key(w, "data");
	ct_entry_write(&ct_medication_kind, &out, w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_medication_list)
{
	return ct_entry_list_h(r, &ct_medication_kind, true, err);
}

CT_HANDLER(h_medication_get)
{
	return ct_entry_get_h(r, &ct_medication_kind, err);
}

CT_HANDLER(h_medication_patch)
{
	return ct_entry_patch_h(r, &ct_medication_kind, err);
}

CT_HANDLER(h_medication_delete)
{
	return ct_entry_delete_h(r, &ct_medication_kind, err);
}

CT_HANDLER(h_medication_restore)
{
	return ct_entry_restore_h(r, &ct_medication_kind, err);
}
