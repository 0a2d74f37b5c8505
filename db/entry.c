/*
 * The life of a care entry, once for all kinds: the kind's field table says
 * which parameters its statements take, in table order.
 */
#include "db/entry.h"

#include <string.h>

/* A field of the kind's own that a client may write: bound as a parameter. */
static bool
is_own(const struct ct_field *f)
{
	return f->offset >= sizeof(struct ct_entry) &&
	       !(f->flags & (CT_F_READONLY | CT_F_NOROW));
}

static void
own_params(struct ct_params *p, const struct ct_entry_kind *k, const void *obj)
{
	for (size_t i = 0; i < k->fields->n; i++) {
		if (is_own(&k->fields->f[i]))
			ct_p_field(p, &k->fields->f[i], obj);
	}
}

void
ct_entry_add_params(struct ct_params *p, const struct ct_entry_kind *k,
    const struct ct_uuid *account, enum ct_role need, const void *obj)
{
	const struct ct_entry *e = obj;

	ct_p_uuid(p, account);
	ct_p_uuid(p, &e->cat_id);
	ct_p_i64(p, need);
	ct_p_uuid(p, &e->id);
	ct_p_time(p, e->given_at);
	ct_p_text(p, e->notes);
	own_params(p, k, obj);
}

enum ct_rc
ct_entry_missing(const struct ct_entry_kind *k, struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such %s entry.",
	    k->fields->noun);
}

enum ct_rc
ct_entry_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_uuid *id, bool with_deleted, void *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	ct_p_bool(&p, with_deleted);
	if (ct_pg_run(pg, k->get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_entry_missing(k, err);
	ct_res_get(r, 0, k->fields, out);
	return CT_OK;
}

static void
filter_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_entry_filter *f)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_uuid(p, &f->cat);
	ct_p_day(p, f->from_day);
	ct_p_day(p, f->to_day);
	ct_p_time(p, f->from_us);
	ct_p_time(p, f->to_us);
}

/* Every row tells how many there are in all; no row, and they are counted. */
static enum ct_rc
count_all(struct ct_pg *pg, struct ct_arena *a, const struct ct_entry_kind *k,
    const struct ct_uuid *account, const struct ct_entry_filter *f,
    int64_t *total, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	filter_params(&p, a, account, f);
	if (ct_pg_run(pg, k->count, &p, a, &r, err) != CT_OK)
		return err->rc;
	*total = ct_res_i64(r, 0, 0);
	return CT_OK;
}

enum ct_rc
ct_entry_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_entry_filter *f, void **out, int *n, int64_t *total,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	char *rows;

	filter_params(&p, a, account, f);
	ct_p_i64(&p, f->limit);
	ct_p_i64(&p, f->offset);
	if (ct_pg_run(pg, k->list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	rows = ct_arena_alloc(a, (size_t)*n * k->size + 1);
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, k->fields, rows + (size_t)i * k->size);
	*out = rows;
	if (*n == 0)
		return count_all(pg, a, k, account, f, total, err);
	*total = ct_res_i64(r, 0, ct_res_col(r, "total"));
	return CT_OK;
}

/* Run a change; no row back means that somebody else was first. */
static enum ct_rc
change(struct ct_pg *pg, struct ct_arena *a, const struct ct_entry_kind *k,
    const struct ct_stmt *st, const struct ct_params *p, void *obj,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "stale",
		    "This %s entry was changed by somebody else meanwhile.",
		    k->fields->noun);
	ct_res_get(r, 0, k->fields, obj);
	return CT_OK;
}

static void
key_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_entry *e)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_uuid(p, &e->id);
}

enum ct_rc
ct_entry_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	const struct ct_entry *e = obj;
	struct ct_params p;

	key_params(&p, a, account, e);
	ct_p_i64(&p, e->version);
	ct_p_time(&p, e->given_at);
	ct_p_text(&p, e->notes);
	own_params(&p, k, obj);
	return change(pg, a, k, k->update, &p, obj, err);
}

enum ct_rc
ct_entry_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	const struct ct_entry *e = obj;
	struct ct_params p;

	key_params(&p, a, account, e);
	ct_p_i64(&p, e->version);
	return change(pg, a, k, k->remove, &p, obj, err);
}

enum ct_rc
ct_entry_restore(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	const struct ct_entry *e = obj;
	struct ct_params p;

	key_params(&p, a, account, e);
	ct_p_i64(&p, e->version);
	return change(pg, a, k, k->restore, &p, obj, err);
}

void
ct_entry_write(const struct ct_entry_kind *k, const void *obj, struct ct_jw *w)
{
	const struct ct_entry *e = obj;

	ct_jw_obj(w);
	ct_fields_write(k->fields, obj, w);
	ct_jw_key(w, "by");
	ct_jw_obj(w);
	ct_jw_key(w, "id");
	ct_jw_uuid(w, &e->by_account);
	ct_jw_key(w, "name");
	ct_jw_str(w, e->by_name);
	ct_jw_end(w);
	ct_jw_end(w);
}
