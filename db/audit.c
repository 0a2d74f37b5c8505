/* The audit trail; see audit.h. */
#include "db/audit.h"

#include "common/clock.h"

#define AT(m)	  offsetof(struct ct_audit, m)
#define NIL	  CT_F_NULLABLE
#define DEPTH_MAX 8

static const struct ct_field rows[] = {
    {"at", CT_T_TIME, AT(at), 0, 0, 0, NULL, NULL, NULL, "when"},
    {"by_account", CT_T_UUID, AT(by_account), NIL, 0, 0, NULL, NULL, NULL,
	"who"},
    {"by_name", CT_T_TEXT, AT(by_name), 0, 0, 0, NULL, NULL, NULL, "who"},
    {"action", CT_T_TEXT, AT(action), 0, 0, 0, NULL, NULL, NULL, "what"},
    {"noun", CT_T_TEXT, AT(noun), 0, 0, 0, NULL, NULL, NULL, "to what"},
    {"noun_id", CT_T_UUID, AT(noun_id), NIL, 0, 0, NULL, NULL, NULL, "its id"},
    {"before", CT_T_JSON, AT(before), NIL, 0, 0, NULL, NULL, NULL,
	"the values before"},
};
const struct ct_fields ct_audit_fields =
    CT_FIELDS("audit", struct ct_audit, rows);

#define HEAD                                                                   \
	"select v.at, v.account_id as by_account,"                             \
	" coalesce(b.first_name, '') as by_name, v.action, v.noun, v.noun_id," \
	" v.before, (select count(*) from audit_event v" WHICH ") as total"    \
	" from audit_event v join cat_member m on m.cat_id = v.cat_id"         \
	" and m.account_id = $1 left join account b on b.id = "                \
	"v.account_id" WHICH
#define WHICH " where v.cat_id = $2"
static const struct ct_stmt of_cat = {"audit_of_cat", CT_OWNED, CT_READ, "uuii",
    &ct_audit_fields, HEAD " order by v.at desc, v.id desc limit $3 offset $4"};
#undef WHICH
#define WHICH " where v.cat_id = $2 and v.noun = $5 and v.noun_id = $6"
static const struct ct_stmt of_entry = {"audit_of_entry", CT_OWNED, CT_READ,
    "uuiitu", &ct_audit_fields, HEAD " order by v.id desc limit $3 offset $4"};
#undef WHICH

const struct ct_stmt *const ct_audit_stmts[] = {&of_cat, &of_entry, NULL};

enum ct_rc
ct_audit_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_entry_kind *kind, const struct ct_uuid *id, int64_t limit,
    int64_t offset, struct ct_audit **out, int *n, int64_t *total,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_i64(&p, limit);
	ct_p_i64(&p, offset);
	if (kind) {
		ct_p_text(&p, ct_str_of(kind->name));
		ct_p_uuid(&p, id);
	}
	if (ct_pg_run(pg, kind ? &of_entry : &of_cat, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	if (*n == 0 && offset > 0) { /* past the end: the first row tells */
		if (ct_audit_list(pg, a, account, cat, kind, id, 1, 0, out, n,
			total, err) != CT_OK)
			return err->rc;
		*n = 0;
		return CT_OK;
	}
	*total = *n > 0 ? ct_res_i64(r, 0, ct_res_col(r, "total")) : 0;
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out) + 1);
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, &ct_audit_fields, &(*out)[i]);
	return CT_OK;
}

/* A column as to_jsonb gave it, in the unit that the field shows. */
static void
write_column(struct ct_arena *a, const struct ct_field *f,
    const struct ct_json *v, struct ct_jw *w)
{
	int64_t n;

	ct_jw_key(w, f->name);
	if (!v)
		ct_jw_null(w);
	else if ((f->type == CT_T_VOLUME || f->type == CT_T_MILLI) &&
		 ct_json_i64(v, INT64_MIN, INT64_MAX, &n))
		ct_jw_milli(w, n);
	else if (f->type == CT_T_TIME &&
		 ct_time_parse(ct_json_str(v), &n) == CT_TIME_OK)
		ct_jw_time(w, n);
	else
		ct_jw_raw(w, ct_json_print(a, v));
}

static void
write_before(struct ct_arena *a, const struct ct_fields *t,
    const struct ct_json *row, struct ct_jw *w)
{
	ct_jw_obj(w);
	for (size_t i = 0; i < t->n; i++) {
		const struct ct_field *f = &t->f[i];

		if (!(f->flags & (CT_F_HIDDEN | CT_F_NOROW)))
			write_column(a, f,
			    ct_json_get(row, f->column ? f->column : f->name),
			    w);
	}
	ct_jw_end(w);
}

struct ct_str
ct_audit_before(struct ct_arena *a, const struct ct_audit *row)
{
	const struct ct_entry_kind *k = ct_entry_kind_find(row->noun);
	const struct ct_json *before;
	struct ct_err err;
	struct ct_buf b;
	struct ct_jw w;

	if (!k || !row->before.p ||
	    ct_json_parse(a, row->before, DEPTH_MAX, &before, &err) != CT_OK)
		return (struct ct_str){0};
	ct_buf_init(&b, a, 512);
	ct_jw_init(&w, &b);
	write_before(a, k->fields, before, &w);
	return ct_buf_str(&b);
}

void
ct_audit_write(struct ct_arena *a, const struct ct_audit *row, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_jw_key(w, "at");
	ct_jw_time(w, row->at);
	ct_jw_key(w, "by");
	ct_by_write(&row->by_account, row->by_name, w);
	ct_jw_key(w, "action");
	ct_jw_str(w, row->action);
	ct_jw_key(w, "noun");
	ct_jw_str(w, row->noun);
	ct_jw_key(w, "noun_id");
	ct_jw_uuid(w, &row->noun_id);
	ct_jw_key(w, "before");
	ct_jw_raw(w, ct_audit_before(a, row));
	ct_jw_end(w);
}
