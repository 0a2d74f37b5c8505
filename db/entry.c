/*
 * The life of a care entry, once for all kinds: the kind's field table says
 * which parameters its statements take, in table order.
 */
#include "db/entry.h"

#include <string.h>

#include "care/intake.h"
#include "common/clock.h"
#include "db/entry_fields.h"
#include "db/tracker.h"

#define DAY_US	    (INT64_C(24) * 3600 * 1000000)
#define EARLIEST_US (INT64_C(946684800) * 1000000) /* 2000-01-01 */
/* No entry lies before or after (see ct_entry_time_ok). */
#define FIRST_US INT64_C(0)
#define LAST_US	 (INT64_C(366) * 300 * DAY_US)

const char *const ct_entry_orderings[] = {"newest", "oldest", NULL};
const char *const ct_entry_deleted[] = {"only", "with", NULL};

enum ct_rc
ct_entry_time_ok(int64_t given_at, struct ct_err *err)
{
	if (given_at > ct_now_us() + CT_CLOCK_SKEW_US)
		return ct_fail_field(
		    err, "time_given", "must not be in the future");
	if (given_at < EARLIEST_US)
		return ct_fail_field(
		    err, "time_given", "must not be before the year 2000");
	return CT_OK;
}

/* A field of the kind's own that a client may write: bound as a parameter. */
static bool
is_own(const struct ct_field *f)
{
	return f->offset >= sizeof(struct ct_entry) &&
	       !(f->flags & (CT_F_READONLY | CT_F_NOROW));
}

void
ct_entry_own_params(
    struct ct_params *p, const struct ct_entry_kind *k, const void *obj)
{
	for (size_t i = 0; i < k->fields->n; i++) {
		if (is_own(&k->fields->f[i]))
			ct_p_field(p, &k->fields->f[i], obj);
	}
}

void
ct_entry_add_params(struct ct_params *p, const struct ct_entry_kind *k,
    const struct ct_uuid *account, const void *obj)
{
	const struct ct_entry *e = obj;

	ct_p_uuid(p, account);
	ct_p_uuid(p, &e->cat_id);
	ct_p_i64(p, CT_HELPER);
	ct_p_uuid(p, &e->id);
	ct_p_time(p, e->given_at);
	ct_p_text(p, e->notes);
	ct_entry_own_params(p, k, obj);
	if (k->confirm)
		ct_p_bool(p, !*(const bool *)((const char *)obj + k->confirm));
}

enum ct_rc
ct_entry_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    const struct ct_res **r, bool *stopped, struct ct_err *err)
{
	const struct ct_stmt *add = k->stmts[CT_E_ADD];
	const struct ct_entry *e = obj;
	struct ct_params p;
	enum ct_rc rc;

	ct_params_init(&p, a);
	ct_entry_add_params(&p, k, account, obj);
	rc = k->warn ? ct_pg_run_locked(
			   pg, ct_uuid_key64(&e->cat_id), add, &p, a, r, err)
		     : ct_pg_run(pg, add, &p, a, r, err);
	if (rc != CT_OK)
		return rc;
	if (ct_res_rows(*r) == 0)
		return ct_cat_refused(pg, a, account, &e->cat_id, err);
	*stopped = ct_res_null(*r, 0, ct_res_col(*r, "id"));
	if (!*stopped)
		ct_res_get(*r, 0, k->fields, obj);
	return CT_OK;
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
	if (ct_pg_run(pg, k->stmts[CT_E_GET], &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_entry_missing(k, err);
	ct_res_get(r, 0, k->fields, out);
	return CT_OK;
}

/* ------------------------------------------------------------ lists */

struct ct_str
ct_entry_cursor(struct ct_arena *a, const struct ct_entry *e)
{
	char id[CT_UUID_TEXT];

	return ct_str_of(ct_arena_printf(
	    a, "%lld_%s", (long long)e->given_at, ct_uuid_format(&e->id, id)));
}

bool
ct_entry_place(struct ct_str text, int64_t *us, struct ct_uuid *id)
{
	struct ct_str at = ct_str_split(&text, '_');

	return ct_str_i64(at, FIRST_US, LAST_US, us) && text.p &&
	       ct_uuid_parse(text, id);
}

static bool
is_plain(const struct ct_entry_filter *f)
{
	if (f->oldest || f->deleted.p || f->place_us != CT_NULL_I64 ||
	    f->from_day != CT_NULL_DAY || f->to_day != CT_NULL_DAY ||
	    f->from_us != CT_NULL_I64 || f->to_us != CT_NULL_I64)
		return false;
	for (size_t i = 0; i < CT_ENTRY_FILTERS; i++) {
		if (f->filter[i].p)
			return false;
	}
	return f->count;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * Instants that hold all that may be meant, for the index. A care day begins at
 * most 14 h before its date in UTC (zone +14) and ends at most 61 h after that
 * began (zone -12, a start of day just before midnight, 25 h long).
 */
static void
window_params(struct ct_params *p, const struct ct_entry_filter *f)
{
	int64_t from = FIRST_US, to = LAST_US;

	if (f->from_day != CT_NULL_DAY)
		from = later(from, (f->from_day - 1) * DAY_US);
	if (f->from_us != CT_NULL_I64)
		from = later(from, f->from_us);
	if (f->to_day != CT_NULL_DAY)
		to = sooner(to, (f->to_day + 3) * DAY_US);
	if (f->to_us != CT_NULL_I64)
		to = sooner(to, f->to_us);
	ct_p_time(p, from);
	ct_p_time(p, to);
}

static void
find_params(struct ct_params *p, const struct ct_entry_kind *k,
    const struct ct_entry_filter *f)
{
	const struct ct_stmt *st = k->stmts[CT_E_NEWEST];
	struct ct_uuid id = f->place_id;
	int64_t us = f->place_us;

	if (us == CT_NULL_I64) { /* before all of them */
		us = f->oldest ? FIRST_US : LAST_US;
		memset(&id, 0xff, sizeof(id));
	}
	ct_p_day(p, f->from_day);
	ct_p_day(p, f->to_day);
	window_params(p, f);
	ct_p_time(p, us);
	ct_p_uuid(p, &id);
	ct_p_text(p, f->deleted);
	ct_p_i64(p, f->limit);
	ct_p_i64(p, f->offset);
	ct_p_bool(p, f->count);
	for (int i = 0; p->n < (int)strlen(st->sig); i++)
		ct_p_text(p, f->filter[i]);
}

static enum ct_rc
run_list(struct ct_pg *pg, struct ct_arena *a, const struct ct_entry_kind *k,
    const struct ct_uuid *account, const struct ct_entry_filter *f,
    const struct ct_res **r, struct ct_err *err)
{
	enum ct_entry_stmt which = f->oldest ? CT_E_OLDEST : CT_E_NEWEST;
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &f->cat);
	if (is_plain(f)) {
		which = CT_E_LIST;
		ct_p_i64(&p, f->limit);
		ct_p_i64(&p, f->offset);
	} else {
		find_params(&p, k, f);
	}
	return ct_pg_run(pg, k->stmts[which], &p, a, r, err);
}

/* Every row tells how many there are in all; past the end, the first does. */
static enum ct_rc
count_all(struct ct_pg *pg, struct ct_arena *a, const struct ct_entry_kind *k,
    const struct ct_uuid *account, const struct ct_entry_filter *f,
    int64_t *total, struct ct_err *err)
{
	struct ct_entry_filter first = *f;
	const struct ct_res *r;

	*total = 0;
	if (f->offset == 0)
		return CT_OK;
	first.offset = 0;
	first.limit = 1;
	if (run_list(pg, a, k, account, &first, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0)
		*total = ct_res_i64(r, 0, ct_res_col(r, "total"));
	return CT_OK;
}

enum ct_rc
ct_entry_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_entry_filter *f, void **out, int *n, int64_t *total,
    struct ct_err *err)
{
	const struct ct_res *r;
	size_t size = k->fields->size;
	char *rows;

	if (run_list(pg, a, k, account, f, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	rows = ct_arena_alloc(a, (size_t)*n * size + 1);
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, k->fields, rows + (size_t)i * size);
	*out = rows;
	*total = CT_NULL_I64;
	if (!f->count)
		return CT_OK;
	if (*n == 0)
		return count_all(pg, a, k, account, f, total, err);
	*total = ct_res_i64(r, 0, ct_res_col(r, "total"));
	return CT_OK;
}

/* ------------------------------------------------------------ changes */

static void
change_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_entry *e)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_i64(p, e->version);
	ct_p_i64(p, CT_HELPER);
	ct_p_uuid(p, &e->id);
}

/* Run a change; no row back means that somebody else was first. */
static enum ct_rc
change(struct ct_pg *pg, struct ct_arena *a, const struct ct_entry_kind *k,
    enum ct_entry_stmt which, const struct ct_params *p, void *obj,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, k->stmts[which], p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "stale",
		    "This %s entry was changed by somebody else meanwhile.",
		    k->fields->noun);
	ct_res_get(r, 0, k->fields, obj);
	return CT_OK;
}

enum ct_rc
ct_entry_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	const struct ct_entry *e = obj;
	struct ct_params p;

	change_params(&p, a, account, e);
	ct_p_time(&p, e->given_at);
	ct_p_text(&p, e->notes);
	ct_entry_own_params(&p, k, obj);
	return change(pg, a, k, CT_E_UPDATE, &p, obj, err);
}

enum ct_rc
ct_entry_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	struct ct_params p;

	change_params(&p, a, account, obj);
	return change(pg, a, k, CT_E_REMOVE, &p, obj, err);
}

enum ct_rc
ct_entry_restore(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err)
{
	struct ct_params p;

	change_params(&p, a, account, obj);
	return change(pg, a, k, CT_E_RESTORE, &p, obj, err);
}

/* ------------------------------------------------------------ JSON */

void
ct_by_write(const struct ct_uuid *id, struct ct_str name, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_jw_key(w, "id");
	ct_jw_uuid(w, id);
	ct_jw_key(w, "name");
	ct_jw_str(w, name);
	ct_jw_end(w);
}

void
ct_entry_write(const struct ct_entry_kind *k, const void *obj, struct ct_jw *w)
{
	const struct ct_entry *e = obj;

	ct_jw_obj(w);
	ct_fields_write(k->fields, obj, w);
	ct_jw_key(w, "by");
	ct_by_write(&e->by_account, e->by_name, w);
	ct_jw_end(w);
}

void
ct_warn_begin(struct ct_jw *w, const char *code, const char *text)
{
	ct_jw_obj(w);
	ct_jw_key(w, "code");
	ct_jw_cstr(w, code);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
}
