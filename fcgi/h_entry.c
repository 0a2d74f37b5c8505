/* The handlers of every entry noun: list, one, change, delete, restore. */
#include "fcgi/h_entry.h"

#include <string.h>

#include "care/intake.h"
#include "db/tracker.h"
#include "fcgi/resp.h"

#define EARLIEST_US (INT64_C(946684800) * 1000000) /* 2000-01-01 */

struct list_query {
	struct ct_uuid cat;
	int64_t page, per_page;
	struct ct_str from, to;
};
#define AT(m) offsetof(struct list_query, m)
static const struct ct_field query_rows[] = {
    {"cat_id", CT_T_UUID, AT(cat), 0, 0, 0, NULL, NULL, NULL,
	"the cat; left out: the default cat"},
    {"page", CT_T_INT, AT(page), 0, 0, 0, NULL, NULL, NULL, "from 1"},
    {"per_page", CT_T_INT, AT(per_page), 0, 0, 0, NULL, NULL, NULL, "1 to 100"},
    {"from", CT_T_TEXT, AT(from), 0, 0, 40, NULL, NULL, NULL,
	"first care day, or an instant"},
    {"to", CT_T_TEXT, AT(to), 0, 0, 40, NULL, NULL, NULL,
	"last care day (included), or an instant (not included)"},
};
const struct ct_fields ct_list_query =
    CT_FIELDS("list", struct list_query, query_rows);

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

static enum ct_rc
check_time(int64_t given_at, struct ct_err *err)
{
	if (given_at > ct_now_us() + CT_CLOCK_SKEW_US)
		return ct_fail_field(
		    err, "time_given", "must not be in the future");
	if (given_at < EARLIEST_US)
		return ct_fail_field(
		    err, "time_given", "must not be before the year 2000");
	return CT_OK;
}

enum ct_rc
ct_entry_prepare(struct ct_req *r, struct ct_entry *e, struct ct_err *err)
{
	if (ct_uuid_nil(&e->id))
		e->id = ct_uuid_new();
	if (e->given_at != CT_NULL_I64 && check_time(e->given_at, err) != CT_OK)
		return err->rc;
	return ct_req_cat(r, &e->cat_id, err);
}

/* ------------------------------------------------------------ list */

int64_t
ct_clamp(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

/* A day is a care day, an RFC 3339 time an instant. */
static enum ct_rc
bound(const char *name, struct ct_str s, int32_t *day, int64_t *us,
    struct ct_err *err)
{
	*day = CT_NULL_DAY;
	*us = CT_NULL_I64;
	if (s.n == 0 || ct_day_parse(s, day) ||
	    ct_time_parse(s, us) == CT_TIME_OK)
		return CT_OK;
	return ct_fail_field(err, name,
	    "must be a day, such as 2026-11-22, or a time with an offset");
}

static enum ct_rc
read_list(struct ct_req *r, struct list_query *q, struct ct_entry_filter *f,
    struct ct_err *err)
{
	memset(q, 0, sizeof(*q));
	q->page = CT_NULL_I64;
	q->per_page = 50;
	if (ct_req_query(r, q, err) != CT_OK ||
	    ct_req_cat(r, &q->cat, err) != CT_OK ||
	    bound("from", q->from, &f->from_day, &f->from_us, err) != CT_OK ||
	    bound("to", q->to, &f->to_day, &f->to_us, err) != CT_OK)
		return err->rc;
	f->cat = q->cat;
	return CT_OK;
}

static void
write_rows(
    const struct ct_entry_kind *k, const void *rows, int n, struct ct_jw *w)
{
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		ct_entry_write(k, (const char *)rows + (size_t)i * k->size, w);
	ct_jw_end(w);
}

static void
number(struct ct_jw *w, const char *key, int64_t v)
{
	ct_jw_key(w, key);
	ct_jw_i64(w, v);
}

void
ct_pagination_write(const struct ct_pagination *p, struct ct_jw *w)
{
	int64_t pages = (p->total + p->per_page - 1) / p->per_page;

	ct_jw_key(w, "pagination");
	ct_jw_obj(w);
	number(w, "page", p->page);
	number(w, "pages", pages);
	number(w, "per_page", p->per_page);
	number(w, "total", p->total);
	ct_jw_key(w, "has_next");
	ct_jw_bool(w, p->page < pages);
	ct_jw_key(w, "has_prev");
	ct_jw_bool(w, p->page > 1);
	ct_jw_end(w);
}

enum ct_rc
ct_entry_list_h(struct ct_req *r, const struct ct_entry_kind *k, bool bare,
    struct ct_err *err)
{
	struct list_query q;
	struct ct_entry_filter f;
	int64_t page, per_page, total, role;
	struct ct_jw *w;
	void *rows;
	int n;

	if (read_list(r, &q, &f, err) != CT_OK)
		return err->rc;
	bare = bare && q.page == CT_NULL_I64;
	page = bare ? 1 : ct_clamp(q.page, 1, CT_PAGE_MAX);
	per_page =
	    bare ? CT_PER_PAGE_MAX : ct_clamp(q.per_page, 1, CT_PER_PAGE_MAX);
	f.limit = per_page;
	f.offset = (page - 1) * per_page;
	if (ct_entry_list(r->pg, r->a, k, &r->account, &f, &rows, &n, &total,
		err) != CT_OK)
		return err->rc;
	if (n == 0 &&
	    ct_cat_role(r->pg, r->a, &r->account, &f.cat, &role, err) != CT_OK)
		return err->rc;
	ct_req_keep(r, INT64_MAX);
	w = ct_resp_json(r, 200);
	if (bare) {
		write_rows(k, rows, n, w);
		return CT_OK;
	}
	ct_jw_obj(w);
	ct_jw_key(w, "logs");
	write_rows(k, rows, n, w);
	ct_pagination_write(
	    &(struct ct_pagination){
		.page = page, .per_page = per_page, .total = total},
	    w);
	ct_jw_end(w);
	return CT_OK;
}

/* ------------------------------------------------------------ one entry */

/* {"message": …, "data": entry} */
static void
answer(struct ct_req *r, const struct ct_entry_kind *k, const char *text,
    const void *obj)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	ct_jw_key(w, "data");
	ct_entry_write(k, obj, w);
	ct_jw_end(w);
}

/* Of another cat than the API token's: as if it were not there. */
static enum ct_rc
load_entry(struct ct_req *r, const struct ct_entry_kind *k, bool deleted,
    void *obj, struct ct_err *err)
{
	const struct ct_entry *e = obj;

	if (ct_entry_get(r->pg, r->a, k, &r->account, &r->id, deleted, obj,
		err) != CT_OK)
		return err->rc;
	if (ct_req_may_see(r, &e->cat_id, err) != CT_OK)
		return ct_entry_missing(k, err);
	return CT_OK;
}

enum ct_rc
ct_entry_get_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];

	if (load_entry(r, k, false, obj, err) != CT_OK)
		return err->rc;
	ct_entry_write(k, obj, ct_resp_json(r, 200));
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

/* If-Match: "3" names the version that the client saw. */
static enum ct_rc
match_version(const struct ct_req *r, struct ct_entry *e, struct ct_err *err)
{
	struct ct_str v = ct_str_trim(r->if_match);

	if (!r->if_match.p || ct_str_is(v, "*"))
		return CT_OK;
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = (struct ct_str){v.p + 1, v.n - 2};
	if (!ct_str_i64(v, 1, INT64_MAX, &e->version))
		return ct_fail_field(err, "If-Match",
		    "must be the version of the entry, such as \"3\"");
	return CT_OK;
}

/* 409 shows what the entry is now, so that the client can choose. */
static enum ct_rc
stale(struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err)
{
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
open_entry(struct ct_req *r, const struct ct_entry_kind *k, bool deleted,
    void *obj, struct ct_err *err)
{
	if (load_entry(r, k, deleted, obj, err) != CT_OK ||
	    may_change(r, obj, err) != CT_OK)
		return err->rc;
	return match_version(r, obj, err);
}

enum ct_rc
ct_entry_patch_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	struct ct_entry *e = (struct ct_entry *)(void *)obj;
	uint64_t seen;

	if (open_entry(r, k, false, obj, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, obj, &seen, err) != CT_OK ||
	    check_time(e->given_at, err) != CT_OK)
		return err->rc;
	if (seen == 0) {
		answer(r, k, "Nothing was to be changed", obj);
		return CT_OK;
	}
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_update(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, k, err);
	answer(r, k, "Changed", obj);
	return CT_OK;
}

static const struct ct_field delete_rows[] = {
    {"version", CT_T_INT, 0, 0, 1, INT64_C(1) << 53, NULL, NULL, NULL,
	"what the client saw"},
};
const struct ct_fields ct_entry_version_in =
    CT_FIELDS("delete", int64_t, delete_rows);

enum ct_rc
ct_entry_delete_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	struct ct_entry *e = (struct ct_entry *)(void *)obj;
	uint64_t seen;

	if (open_entry(r, k, false, obj, err) != CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &e->version, &seen, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_remove(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, k, err);
	answer(r, k, "Deleted; it can be restored for 30 days", obj);
	return CT_OK;
}

enum ct_rc
ct_entry_restore_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	struct ct_entry *e = (struct ct_entry *)(void *)obj;

	if (open_entry(r, k, true, obj, err) != CT_OK)
		return err->rc;
	if (e->deleted_at == CT_NULL_I64) {
		if (ct_entry_get(r->pg, r->a, k, &r->account, &r->id, true, obj,
			err) != CT_OK)
			return err->rc;
		answer(r, k, "It was not deleted", obj);
		return CT_OK;
	}
	ct_req_bump(r, &e->cat_id);
	if (ct_entry_restore(r->pg, r->a, k, &r->account, obj, err) != CT_OK)
		return stale(r, k, err);
	answer(r, k, "Restored", obj);
	return CT_OK;
}
