/* Lists of entries, and their history: pages, places, filters. */
#include "db/audit.h"
#include "db/tracker.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

#include <string.h>

#define PER_PAGE 50

int64_t
ct_clamp(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
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
	bool placed = p->page == 0;

	ct_jw_key(w, "pagination");
	ct_jw_obj(w);
	number(w, "page", placed ? CT_NULL_I64 : p->page);
	number(w, "pages",
	    placed ? CT_NULL_I64 : (p->total + p->per_page - 1) / p->per_page);
	number(w, "per_page", p->per_page);
	number(w, "total", placed ? CT_NULL_I64 : p->total);
	ct_jw_key(w, "has_next");
	ct_jw_bool(
	    w, placed ? p->next.p != NULL : p->page * p->per_page < p->total);
	ct_jw_key(w, "has_prev");
	ct_jw_bool(w, placed || p->page > 1);
	ct_jw_key(w, "next_cursor");
	ct_jw_str(w, p->next);
	ct_jw_end(w);
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
place(const struct ct_entry_query *q, struct ct_entry_filter *f,
    struct ct_err *err)
{
	f->place_us = CT_NULL_I64;
	if (!q->cursor.p)
		return CT_OK;
	if (q->page != CT_NULL_I64)
		return ct_fail_field(
		    err, "page", "cannot be given together with cursor");
	if (!ct_entry_place(q->cursor, &f->place_us, &f->place_id))
		return ct_fail_field(
		    err, "cursor", "must be a next_cursor of this list");
	return CT_OK;
}

static enum ct_rc
read_list(struct ct_req *r, struct ct_entry_query *q, struct ct_entry_filter *f,
    struct ct_err *err)
{
	memset(q, 0, sizeof(*q));
	memset(f, 0, sizeof(*f));
	q->page = CT_NULL_I64;
	q->per_page = PER_PAGE;
	if (ct_req_query(r, q, err) != CT_OK ||
	    ct_req_cat(r, &q->cat, err) != CT_OK ||
	    bound("from", q->from, &f->from_day, &f->from_us, err) != CT_OK ||
	    bound("to", q->to, &f->to_day, &f->to_us, err) != CT_OK ||
	    place(q, f, err) != CT_OK)
		return err->rc;
	f->cat = q->cat;
	f->oldest = ct_str_is(q->ordering, "oldest");
	f->deleted = q->deleted;
	memcpy(f->filter, q->filter, sizeof(f->filter));
	return CT_OK;
}

static const void *
nth(const struct ct_entry_kind *k, const void *rows, int i)
{
	return (const char *)rows + (size_t)i * k->fields->size;
}

static void
write_rows(
    const struct ct_entry_kind *k, const void *rows, int n, struct ct_jw *w)
{
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		ct_entry_write(k, nth(k, rows, i), w);
	ct_jw_end(w);
}

/* Which rows: a page, or those after a place and one more, which says whether
 * there is a next page. */
static void
turn_to(struct ct_pagination *p, const struct ct_entry_query *q, bool bare,
    struct ct_entry_filter *f)
{
	p->per_page =
	    bare ? CT_PER_PAGE_MAX : ct_clamp(q->per_page, 1, CT_PER_PAGE_MAX);
	p->page = q->cursor.p ? 0
		  : bare      ? 1
			      : ct_clamp(q->page, 1, CT_PAGE_MAX);
	f->count = p->page > 0;
	f->limit = p->per_page + !f->count;
	f->offset = f->count ? (p->page - 1) * p->per_page : 0;
}

CT_HANDLER(h_entry_list)
{
	const struct ct_entry_kind *k = r->route->kind;
	struct ct_pagination p = {0};
	struct ct_entry_query q;
	struct ct_entry_filter f;
	struct ct_jw *w;
	int64_t role;
	bool bare, more;
	void *rows;
	int n;

	if (read_list(r, &q, &f, err) != CT_OK)
		return err->rc;
	bare = k->bare && q.page == CT_NULL_I64 && !q.cursor.p;
	turn_to(&p, &q, bare, &f);
	if (ct_entry_list(r->pg, r->a, k, &r->account, &f, &rows, &n, &p.total,
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
	more = f.count ? p.page * p.per_page < p.total : n > p.per_page;
	if (n > p.per_page)
		n = (int)p.per_page;
	if (more && n > 0)
		p.next = ct_entry_cursor(r->a, nth(k, rows, n - 1));
	ct_jw_obj(w);
	ct_jw_key(w, "logs");
	write_rows(k, rows, n, w);
	ct_pagination_write(&p, w);
	ct_jw_end(w);
	return CT_OK;
}

/* ------------------------------------------------------------ history */

struct page_query {
	int64_t page, per_page;
};
static const struct ct_field page_rows[] = {
    {"page", CT_T_INT, offsetof(struct page_query, page), 0, 0, 0, NULL, NULL,
	NULL, "from 1"},
    {"per_page", CT_T_INT, offsetof(struct page_query, per_page), 0, 0, 0, NULL,
	NULL, NULL, "1 to 100"},
};
const struct ct_fields ct_page_query =
    CT_FIELDS("page", struct page_query, page_rows);

/* {"events": […], "pagination": {…}}: of one entry, or of the cat. */
static enum ct_rc
answer_events(struct ct_req *r, const struct ct_uuid *cat,
    const struct ct_uuid *id, struct ct_err *err)
{
	struct page_query q = {1, PER_PAGE};
	struct ct_pagination p = {0};
	struct ct_audit *rows;
	struct ct_jw *w;
	int n;

	if (ct_req_query(r, &q, err) != CT_OK)
		return err->rc;
	p.page = ct_clamp(q.page, 1, CT_PAGE_MAX);
	p.per_page = ct_clamp(q.per_page, 1, CT_PER_PAGE_MAX);
	if (ct_audit_list(r->pg, r->a, &r->account, cat, r->route->kind, id,
		p.per_page, (p.page - 1) * p.per_page, &rows, &n, &p.total,
		err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "events");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		ct_audit_write(r->a, &rows[i], w);
	ct_jw_end(w);
	ct_pagination_write(&p, w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_entry_history)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry *e = (const struct ct_entry *)(void *)obj;

	if (ct_entry_load(r, true, obj, err) != CT_OK)
		return err->rc;
	return answer_events(r, &e->cat_id, &e->id, err);
}

CT_HANDLER(h_cat_audit)
{
	int64_t role;

	if (ct_req_may_see(r, &r->id, err) != CT_OK ||
	    ct_cat_role(r->pg, r->a, &r->account, &r->id, &role, err) != CT_OK)
		return err->rc;
	return answer_events(r, &r->id, NULL, err);
}
