/* Cats: list, add, show, change, delete, the default one. */
#include "db/cat.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

static void
write_cat(const struct ct_cat *c, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_cat_fields, c, w);
	ct_jw_end(w);
}

/* {"message": …, "data": cat} */
static void
answer(struct ct_req *r, int status, const char *text, const struct ct_cat *c)
{
	struct ct_jw *w = ct_resp_json(r, status);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_key(w, "data");
	write_cat(c, w);
	ct_jw_end(w);
}

CT_HANDLER(h_cat_list)
{
	struct ct_err hidden;
	struct ct_cat *c;
	struct ct_jw *w;
	int n;

	if (ct_cat_list(r->pg, r->a, &r->account, &c, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "cats");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		if (ct_req_may_see(r, &c[i].id, &hidden) == CT_OK)
			write_cat(&c[i], w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

static bool
has_seen(uint64_t seen, const char *name)
{
	return seen >>
		   (ct_fields_find(&ct_cat_fields, name) - ct_cat_fields.f) &
	       1;
}

/* Of the two ways to tell an age the one that is told counts. */
static enum ct_rc
check_age(struct ct_cat *c, uint64_t seen, struct ct_err *err)
{
	bool year =
	    has_seen(seen, "birth_year") && c->birth_year != CT_NULL_I64;
	bool age = has_seen(seen, "age_years") && c->age_years != CT_NULL_I64;

	if (year && age)
		return ct_fail_field(
		    err, "age_years", "cannot go with birth_year");
	if (year)
		c->age_years = CT_NULL_I64;
	if (age)
		c->birth_year = CT_NULL_I64;
	return CT_OK;
}

static enum ct_rc
check(struct ct_cat *c, uint64_t seen, struct ct_err *err)
{
	enum ct_rc age = check_age(c, seen, err);

	return ct_cat_check(c, err) != CT_OK ? CT_INVALID : age;
}

CT_HANDLER(h_cat_add)
{
	struct ct_cat c;
	uint64_t seen;

	ct_cat_defaults(&c);
	if (ct_req_bind(r, CT_BIND_CREATE, &c, &seen, err) != CT_OK ||
	    check(&c, seen, err) != CT_OK)
		return err->rc;
	c.id = ct_uuid_new();
	ct_forget_sessions_of(r, &r->account);
	if (ct_cat_add(r->pg, r->a, &r->account, &c, err) != CT_OK ||
	    ct_cat_get(r->pg, r->a, &r->account, &c.id, &c, err) != CT_OK)
		return err->rc;
	answer(r, 201, "Cat added", &c);
	return CT_OK;
}

CT_HANDLER(h_cat_get)
{
	struct ct_cat c;

	if (ct_cat_get(r->pg, r->a, &r->account, &r->id, &c, err) != CT_OK)
		return err->rc;
	write_cat(&c, ct_resp_json(r, 200));
	return CT_OK;
}

/* 409 shows what the cat is now, so that the client can choose. */
static enum ct_rc
stale(struct ct_req *r, struct ct_err *err)
{
	struct ct_cat now;
	struct ct_err again;
	struct ct_buf b;
	struct ct_jw w;

	if (err->rc != CT_CONFLICT ||
	    ct_cat_get(r->pg, r->a, &r->account, &r->id, &now, &again) != CT_OK)
		return err->rc;
	ct_buf_init(&b, r->a, 1024);
	ct_jw_init(&w, &b);
	write_cat(&now, &w);
	r->extra_key = "current";
	r->extra = ct_buf_str(&b);
	return err->rc;
}

/* Zone and start of the day move everybody's day: that is the owner's. */
static enum ct_rc
may_change(const struct ct_cat *c, enum ct_role need, struct ct_err *err)
{
	if (c->my_role >= (int64_t)need)
		return CT_OK;
	if (need == CT_OWNER && c->my_role >= CT_CAREGIVER)
		return ct_fail(err, CT_FORBIDDEN, NULL,
		    "Only an owner can change timezone and day_start.");
	return ct_fail(err, CT_FORBIDDEN, NULL,
	    "Your role on this cat does not allow that.");
}

CT_HANDLER(h_cat_patch)
{
	struct ct_cat c;
	enum ct_role need = CT_CAREGIVER;
	uint64_t seen;

	if (ct_cat_get(r->pg, r->a, &r->account, &r->id, &c, err) != CT_OK ||
	    may_change(&c, need, err) != CT_OK ||
	    ct_req_version(r, &c.version, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &c, &seen, err) != CT_OK)
		return err->rc;
	if (has_seen(seen, "timezone") || has_seen(seen, "day_start"))
		need = CT_OWNER;
	if (may_change(&c, need, err) != CT_OK || check(&c, seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &r->id);
	if (ct_cat_update(r->pg, r->a, &r->account, need, &c, err) != CT_OK)
		return stale(r, err);
	answer(r, 200, seen ? "Changed" : "Nothing was to be changed", &c);
	return CT_OK;
}

struct delete_in {
	struct ct_str name;
};
static const struct ct_field delete_rows[] = {
    {"name", CT_T_TEXT, offsetof(struct delete_in, name),
	CT_F_REQUIRED | CT_F_NOTRIM, 0, 100, NULL, NULL, NULL,
	"the cat's name, exactly: it goes with all that was logged"},
};
const struct ct_fields ct_cat_delete_in =
    CT_FIELDS("delete", struct delete_in, delete_rows);

CT_HANDLER(h_cat_delete)
{
	struct delete_in in = {0};
	struct ct_uuid *members;
	uint64_t seen;
	int n = 0;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &r->id);
	ct_forget_sessions_of(r, &r->account);
	if (ct_cat_delete(r->pg, r->a, &r->account, &r->id, in.name, &members,
		&n, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < n; i++)
		ct_forget_sessions_of(r, &members[i]);
	ct_resp_message(r, 200, "The cat and all that was logged are deleted");
	return CT_OK;
}

CT_HANDLER(h_cat_default)
{
	ct_forget_sessions_of(r, &r->account);
	if (ct_cat_set_default(r->pg, r->a, &r->account, &r->id, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "This is your default cat now");
	return CT_OK;
}
