/* The handlers of every entry noun: create, one, change, delete, restore. The
 * route says which kind. */
#include "fcgi/h_entry.h"

#include <string.h>

#include "fcgi/handlers.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

enum ct_rc
ct_req_may_see(
    const struct ct_req *r, const struct ct_uuid *cat, struct ct_err *err)
{
	if (ct_uuid_nil(&r->only_cat) || ct_uuid_eq(cat, &r->only_cat))
		return CT_OK;
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
}

enum ct_rc
ct_req_cat(const struct ct_req *r, struct ct_uuid *cat, struct ct_err *err)
{
	if (ct_uuid_nil(cat))
		*cat = r->cat;
	if (ct_uuid_nil(cat))
		return ct_fail(
		    err, CT_NOTFOUND, "no_cat", "This account has no cat yet.");
	return ct_req_may_see(r, cat, err);
}

/* ------------------------------------------------------------ create */

enum ct_rc
ct_entry_read(struct ct_req *r, const struct ct_entry_kind *k, void *obj,
    struct ct_err *err)
{
	struct ct_entry *e = obj;
	uint64_t seen;

	memcpy(obj, k->fresh, k->fields->size);
	if (ct_req_bind(r, CT_BIND_CREATE, obj, &seen, err) != CT_OK ||
	    (k->check && k->check(obj, err) != CT_OK))
		return err->rc;
	if (ct_uuid_nil(&e->id))
		e->id = ct_uuid_new();
	if ((e->given_at != CT_NULL_I64 &&
		ct_entry_time_ok(e->given_at, err) != CT_OK) ||
	    ct_req_cat(r, &e->cat_id, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &e->cat_id);
	return CT_OK;
}

enum ct_rc
ct_entry_stopped(struct ct_req *r, const struct ct_entry_kind *k,
    struct ct_str warnings, struct ct_err *err)
{
	r->extra_key = "warnings";
	r->extra = warnings;
	return ct_fail(err, CT_CONFLICT, k->stop_code, "%s", k->stop_text);
}

/* What the kind has to say about a new entry, as a JSON array. */
static struct ct_str
warnings_of(struct ct_req *r, const void *obj, const struct ct_res *row)
{
	const struct ct_entry_kind *k = r->route->kind;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, r->a, 256);
	ct_jw_init(&w, &b);
	ct_jw_arr(&w);
	if (k->warn)
		k->warn(r->a, obj, row, &w);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

/* {"message": …, "data": entry, "warnings": […] if there are any to be} */
static void
answer(struct ct_req *r, int status, const char *text, const void *obj,
    struct ct_str warnings)
{
	struct ct_jw *w = ct_resp_json(r, status);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_key(w, "data");
	ct_entry_write(r->route->kind, obj, w);
	if (warnings.p) {
		ct_jw_key(w, "warnings");
		ct_jw_raw(w, warnings);
	}
	ct_jw_end(w);
}

CT_HANDLER(h_entry_add)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry_kind *k = r->route->kind;
	const struct ct_res *row;
	struct ct_str warnings;
	bool stopped;

	if (ct_entry_read(r, k, obj, err) != CT_OK ||
	    ct_entry_add(
		r->pg, r->a, k, &r->account, obj, &row, &stopped, err) != CT_OK)
		return err->rc;
	warnings = warnings_of(r, obj, row);
	if (stopped)
		return ct_entry_stopped(r, k, warnings, err);
	answer(r, 201, k->added, obj, warnings);
	return CT_OK;
}

/* ------------------------------------------------------------ one entry */

/* Of another cat than the API token's: as if it were not there. */
enum ct_rc
ct_entry_load(struct ct_req *r, bool deleted, void *obj, struct ct_err *err)
{
	const struct ct_entry_kind *k = r->route->kind;
	const struct ct_entry *e = obj;

	if (ct_entry_get(r->pg, r->a, k, &r->account, &r->id, deleted, obj,
		err) != CT_OK)
		return err->rc;
	if (ct_req_may_see(r, &e->cat_id, err) != CT_OK)
		return ct_entry_missing(k, err);
	return CT_OK;
}

CT_HANDLER(h_entry_get)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];

	if (ct_entry_load(r, false, obj, err) != CT_OK)
		return err->rc;
	ct_entry_write(r->route->kind, obj, ct_resp_json(r, 200));
	return CT_OK;
}

/*
 * A helper, and a token that may only log, changes what the account logged;
 * caregiver and owner anything.
 */
static enum ct_rc
may_change(const struct ct_req *r, const struct ct_entry *e, struct ct_err *err)
{
	if (e->my_role >= CT_CAREGIVER && r->scope != CT_S_LOG)
		return CT_OK;
	if (e->my_role >= CT_HELPER && ct_uuid_eq(&e->by_account, &r->account))
		return CT_OK;
	return ct_fail(err, CT_FORBIDDEN, NULL,
	    "Your role on this cat does not allow that.");
}

enum ct_rc
ct_req_version(const struct ct_req *r, int64_t *version, struct ct_err *err)
{
	struct ct_str v = ct_str_trim(r->if_match);

	if (!r->if_match.p || ct_str_is(v, "*"))
		return CT_OK;
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = (struct ct_str){v.p + 1, v.n - 2};
	if (!ct_str_i64(v, 1, INT64_MAX, version))
		return ct_fail_field(err, "If-Match",
		    "must be the version that was seen, such as \"3\"");
	return CT_OK;
}

/* 409 shows what the entry is now, so that the client can choose. */
static enum ct_rc
stale(struct ct_req *r, struct ct_err *err)
{
	const struct ct_entry_kind *k = r->route->kind;
	_Alignas(16) char now[CT_ENTRY_MAX];
	struct ct_err again;
	struct ct_buf b;
	struct ct_jw w;

	if (err->rc != CT_CONFLICT || ct_entry_get(r->pg, r->a, k, &r->account,
					  &r->id, true, now, &again) != CT_OK)
		return err->rc;
	ct_buf_init(&b, r->a, 512);
	ct_jw_init(&w, &b);
	ct_entry_write(k, now, &w);
	r->extra_key = "current";
	r->extra = ct_buf_str(&b);
	return err->rc;
}

/* Load it, check the role, take If-Match. */
static enum ct_rc
open_entry(struct ct_req *r, bool deleted, void *obj, struct ct_err *err)
{
	if (ct_entry_load(r, deleted, obj, err) != CT_OK ||
	    may_change(r, obj, err) != CT_OK)
		return err->rc;
	return ct_req_version(r, &((struct ct_entry *)obj)->version, err);
}

CT_HANDLER(h_entry_patch)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry_kind *k = r->route->kind;
	struct ct_entry *e = (struct ct_entry *)(void *)obj;
	uint64_t seen;

	if (open_entry(r, false, obj, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, obj, &seen, err) != CT_OK ||
	    ct_entry_time_ok(e->given_at, err) != CT_OK ||
	    (k->check && k->check(obj, err) != CT_OK))
		return err->rc;
	if (seen == 0) {
		answer(r, 200, "Nothing was to be changed", obj,
		    (struct ct_str){0});
		return CT_OK;
	}
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_update(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, err);
	answer(r, 200, "Changed", obj, (struct ct_str){0});
	return CT_OK;
}

static const struct ct_field delete_rows[] = {
    {"version", CT_T_INT, 0, 0, 1, INT64_C(1) << 53, NULL, NULL, NULL,
	"what the client saw"},
};
const struct ct_fields ct_entry_version_in =
    CT_FIELDS("delete", int64_t, delete_rows);

CT_HANDLER(h_entry_delete)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry_kind *k = r->route->kind;
	struct ct_entry *e = (struct ct_entry *)(void *)obj;
	uint64_t seen;

	if (open_entry(r, false, obj, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &e->version, &seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_remove(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, err);
	answer(r, 200, "Deleted; it can be restored for 30 days", obj,
	    (struct ct_str){0});
	return CT_OK;
}

CT_HANDLER(h_entry_restore)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry_kind *k = r->route->kind;
	struct ct_entry *e = (struct ct_entry *)(void *)obj;

	if (open_entry(r, true, obj, err) != CT_OK)
		return err->rc;
	if (e->deleted_at == CT_NULL_I64) {
		if (ct_entry_get(r->pg, r->a, k, &r->account, &r->id, true, obj,
			err) != CT_OK)
			return err->rc;
		answer(r, 200, "It was not deleted", obj, (struct ct_str){0});
		return CT_OK;
	}
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_restore(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, err);
	answer(r, 200, "Restored", obj, (struct ct_str){0});
	return CT_OK;
}
