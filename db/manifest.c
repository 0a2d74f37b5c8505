/* What a backup holds; see manifest.h. */
#include "db/manifest.h"

#include <string.h>

#include "common/clock.h"

#define FORMAT 1
#define DEPTH  4

/* Rows become text, which these settings shape. */
static const struct ct_stmt settings = {"backup_settings", CT_GLOBAL, CT_READ,
    "", NULL,
    "select set_config('datestyle', 'ISO, MDY', true),"
    " set_config('intervalstyle', 'postgres', true),"
    " set_config('bytea_output', 'hex', true),"
    " set_config('extra_float_digits', '1', true),"
    " set_config('timezone', 'UTC', true),"
    " set_config('search_path', 'pg_catalog', true)"};
static const struct ct_stmt facts = {"backup_facts", CT_GLOBAL, CT_READ, "",
    NULL,
    "select now() as created, current_setting('server_version') as server,"
    " current_database()::text as name"};
/* Empty where it is no database of ours. */
static const struct ct_stmt schema = {"backup_schema", CT_GLOBAL, CT_READ, "",
    NULL,
    "select coalesce(max(m.name), '') as name,"
    " coalesce(encode(sha256(convert_to(string_agg(concat_ws(' ', m.number,"
    " m.name, encode(m.digest, 'hex')), ',' order by m.number), 'UTF8')),"
    " 'hex'), '') as digest from public.ct_migration m"};
/* What pg_dump writes the rows of. */
static const struct ct_stmt tables = {"backup_tables", CT_GLOBAL, CT_READ, "i",
    NULL,
    "select format('%I.%I', n.nspname, c.relname) as name from pg_class c"
    " join pg_namespace n on n.oid = c.relnamespace"
    " where c.relkind = 'r' and c.relpersistence <> 't'"
    " and n.nspname !~ '^pg_'"
    " and n.nspname not in ('information_schema', '" CT_BEFORE_RESTORE "')"
    " and not exists (select from pg_depend d where d.classid ="
    " 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')"
    " order by format('%I.%I', n.nspname, c.relname) collate \"C\" limit $1"};
/*
 * One table, by its name as `tables` gave it. The sum does not depend on the
 * order of the rows; the alias is one that no column has.
 */
static const struct ct_stmt count = {"backup_count", CT_GLOBAL, CT_READ, "t",
    NULL,
    "select (xpath('/table/row/n/text()', x))[1]::text::bigint as n,"
    " (xpath('/table/row/s/text()', x))[1]::text as s"
    " from query_to_xml(format('select count(*) as n, coalesce(sum((''x'' ||"
    " encode(substr(sha256(convert_to(ct_backup_row::text, ''UTF8'')), 1, 7),"
    " ''hex''))::bit(56)::bigint), 0) as s from only %s as ct_backup_row',"
    " $1::text::regclass), true, false, '') x"};

const struct ct_stmt *const ct_manifest_stmts[] = {
    &settings, &facts, &schema, &tables, &count, NULL};

static enum ct_rc
run(struct ct_pg *pg, const struct ct_stmt *st, const struct ct_params *p,
    struct ct_arena *a, const struct ct_res **res, struct ct_err *err)
{
	enum ct_rc rc = ct_pg_run(pg, st, p, a, res, err);

	if (rc == CT_OK && ct_res_rows(*res) == 0)
		ct_bug("%s: no row", st->name);
	return rc;
}

static enum ct_rc
count_one(struct ct_pg *pg, struct ct_arena *a, struct ct_manifest_table *t,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, t->name);
	if (run(pg, &count, &p, a, &r, err) != CT_OK)
		return err->rc;
	t->rows = ct_res_i64(r, 0, 0);
	t->sum = ct_res_str(r, 0, 1);
	return CT_OK;
}

static enum ct_rc
take_tables(struct ct_pg *pg, struct ct_arena *a, struct ct_manifest *m,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_i64(&p, CT_MANIFEST_TABLES + 1);
	if (ct_pg_run(pg, &tables, &p, a, &r, err) != CT_OK)
		return err->rc;
	m->n = (size_t)ct_res_rows(r);
	if (m->n > CT_MANIFEST_TABLES)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "the database has more than %d tables", CT_MANIFEST_TABLES);
	m->table = ct_arena_alloc(a, m->n * sizeof(*m->table) + 1);
	for (size_t i = 0; i < m->n; i++)
		m->table[i].name = ct_res_str(r, (int)i, 0);
	return CT_OK;
}

static enum ct_rc
take_facts(struct ct_pg *pg, struct ct_arena *a, struct ct_manifest *m,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (run(pg, &settings, NULL, a, &r, err) != CT_OK ||
	    run(pg, &facts, NULL, a, &r, err) != CT_OK)
		return err->rc;
	m->created_us = ct_res_time(r, 0, 0);
	m->server = ct_res_str(r, 0, 1);
	m->database = ct_res_str(r, 0, 2);
	if (run(pg, &schema, NULL, a, &r, err) != CT_OK)
		return err->rc;
	m->schema = ct_res_str(r, 0, 0);
	m->digest = ct_res_str(r, 0, 1);
	return CT_OK;
}

enum ct_rc
ct_manifest_take(struct ct_pg *pg, struct ct_arena *a, ct_manifest_fn *go_on,
    void *arg, struct ct_manifest *m, struct ct_err *err)
{
	memset(m, 0, sizeof(*m));
	if (take_facts(pg, a, m, err) != CT_OK ||
	    take_tables(pg, a, m, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < m->n; i++) {
		if (go_on && !go_on(arg))
			return ct_fail(err, CT_RETRY, "stopped",
			    "stopped while tables were counted");
		if (count_one(pg, a, &m->table[i], err) != CT_OK)
			return err->rc;
		m->rows += m->table[i].rows;
	}
	return CT_OK;
}

static void
put_str(struct ct_jw *w, const char *key, struct ct_str v)
{
	ct_jw_key(w, key);
	ct_jw_str(w, v);
}

struct ct_str
ct_manifest_write(struct ct_arena *a, const struct ct_manifest *m)
{
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, 8192);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "format");
	ct_jw_i64(&w, FORMAT);
	ct_jw_key(&w, "created_at");
	ct_jw_time(&w, m->created_us);
	put_str(&w, "server", m->server);
	put_str(&w, "database", m->database);
	put_str(&w, "schema", m->schema);
	put_str(&w, "digest", m->digest);
	ct_jw_key(&w, "tables");
	ct_jw_arr(&w);
	for (size_t i = 0; i < m->n; i++) {
		ct_jw_obj(&w);
		put_str(&w, "name", m->table[i].name);
		ct_jw_key(&w, "rows");
		ct_jw_i64(&w, m->table[i].rows);
		put_str(&w, "sum", m->table[i].sum);
		ct_jw_end(&w);
	}
	ct_jw_end(&w);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

static enum ct_rc
no_manifest(struct ct_err *err)
{
	return ct_fail(err, CT_MALFORMED, "manifest",
	    "the backup's table of contents cannot be read");
}

static bool
read_table(const struct ct_json *v, struct ct_manifest_table *t)
{
	t->name = ct_json_str(ct_json_get(v, "name"));
	t->sum = ct_json_str(ct_json_get(v, "sum"));
	return t->name.p && t->sum.p &&
	       ct_json_i64(
		   ct_json_get(v, "rows"), 0, INT64_C(1) << 53, &t->rows);
}

static bool
read_facts(const struct ct_json *v, struct ct_manifest *m)
{
	m->server = ct_json_str(ct_json_get(v, "server"));
	m->database = ct_json_str(ct_json_get(v, "database"));
	m->schema = ct_json_str(ct_json_get(v, "schema"));
	m->digest = ct_json_str(ct_json_get(v, "digest"));
	return m->server.p && m->database.p && m->schema.p && m->digest.p &&
	       ct_time_parse(ct_json_str(ct_json_get(v, "created_at")),
		   &m->created_us) == CT_TIME_OK;
}

enum ct_rc
ct_manifest_read(struct ct_arena *a, struct ct_str json, struct ct_manifest *m,
    struct ct_err *err)
{
	const struct ct_json *doc, *v;
	int64_t format;

	memset(m, 0, sizeof(*m));
	if (ct_json_parse(a, json, DEPTH, &doc, err) != CT_OK)
		return no_manifest(err);
	if (!ct_json_i64(ct_json_get(doc, "format"), FORMAT, FORMAT, &format) ||
	    !read_facts(doc, m))
		return no_manifest(err);
	v = ct_json_first(ct_json_get(doc, "tables"));
	m->table = ct_arena_alloc(
	    a, CT_MANIFEST_TABLES * sizeof(struct ct_manifest_table));
	for (; v; v = ct_json_next(v)) {
		if (m->n == CT_MANIFEST_TABLES ||
		    !read_table(v, &m->table[m->n]))
			return no_manifest(err);
		m->rows += m->table[m->n].rows;
		m->n++;
	}
	return CT_OK;
}

static enum ct_rc
differs(const struct ct_manifest_table *saved,
    const struct ct_manifest_table *found, struct ct_err *err)
{
	if (saved->rows != found->rows)
		return ct_fail(err, CT_CONFLICT, "differs",
		    "table %.*s has %lld rows, %lld were saved",
		    CT_STR_FMT(saved->name), (long long)found->rows,
		    (long long)saved->rows);
	return ct_fail(err, CT_CONFLICT, "differs",
	    "table %.*s holds other values than were saved",
	    CT_STR_FMT(saved->name));
}

static int
by_name(const struct ct_manifest_table *x, const struct ct_manifest_table *y)
{
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = memcmp(x->name.p, y->name.p, n);

	return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* Both are in the order of their names, byte by byte. */
enum ct_rc
ct_manifest_compare(const struct ct_manifest *saved,
    const struct ct_manifest *found, struct ct_err *err)
{
	for (size_t i = 0; i < saved->n || i < found->n; i++) {
		const struct ct_manifest_table *s = &saved->table[i];
		const struct ct_manifest_table *f = &found->table[i];
		int c = i == saved->n ? 1 : i == found->n ? -1 : by_name(s, f);

		if (c < 0)
			return ct_fail(err, CT_CONFLICT, "differs",
			    "table %.*s was saved and is not there",
			    CT_STR_FMT(s->name));
		if (c > 0)
			return ct_fail(err, CT_CONFLICT, "differs",
			    "table %.*s was not saved and is there",
			    CT_STR_FMT(f->name));
		if (s->rows != f->rows || !ct_str_eq(s->sum, f->sum))
			return differs(s, f, err);
	}
	return CT_OK;
}
