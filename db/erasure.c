/* Really deleting an account; see erasure.h. */
#include "db/erasure.h"

#include <string.h>

#include "db/session.h"

/*
 * Whoever joins one of the cats at this moment waits for the end of the
 * transaction (the foreign key of cat_member).
 */
static const struct ct_stmt lock = {"erase_lock", CT_OWNED, CT_WRITE, "u", NULL,
    "with a as (select a.id from account a where a.id = $1 for update),"
    " c as (select c.id from cat c join cat_member m on m.cat_id = c.id"
    " where m.account_id = $1 for update of c)"
    " select a.id, (select count(*) from c) from a"};

#define LAST_OWNER                                                             \
	"m.role = 4 and not exists (select from cat_member o"                  \
	" where o.cat_id = m.cat_id and o.account_id <> $1 and o.role = 4)"

static const struct ct_stmt kept = {"erase_kept", CT_OWNED, CT_READ, "u", NULL,
    "select c.id, c.name from cat_member m join cat c on c.id = m.cat_id"
    " where m.account_id = $1 and " LAST_OWNER
    " and exists (select from cat_member o where o.cat_id = m.cat_id"
    " and o.account_id <> $1) order by c.name, c.id limit 64"};
/* account, batch, with those of which it is the last owner */
static const struct ct_stmt note_cats = {"erase_note_cats", CT_OWNED, CT_WRITE,
    "uub", NULL,
    "insert into erasure (batch, kind, name) select $2, 'cat', m.cat_id::text"
    " from cat_member m where m.account_id = $1 and (not exists (select from"
    " cat_member o where o.cat_id = m.cat_id and o.account_id <> $1)"
    " or ($3 and " LAST_OWNER "))"};

#define CATS                                                                   \
	"c as (select e.name::uuid as id from erasure e where e.batch = $2"    \
	" and e.kind = 'cat')"

/*
 * account, batch. Jobs have the ids of their reports, mails and deliveries.
 * Those are locked before the jobs' rows, as by a job that ends.
 */
static const struct ct_stmt note_rest = {"erase_note_rest", CT_OWNED, CT_WRITE,
    "uu", NULL,
    "with " CATS ", r as (select r.id, r.blob from report r"
    " where r.account_id = $1 or r.cat_id in (select id from c)"
    " for update),"
    " m as (select m.id from mail m where m.account_id = $1"
    " or m.cat_id in (select id from c) or m.to_address ="
    " (select a.email from account a where a.id = $1) for update),"
    " h as (select d.id from webhook_delivery d join webhook w"
    " on w.id = d.webhook_id where w.account_id = $1"
    " or w.cat_id in (select id from c) for update of d),"
    " i as (select i.blob, i.job_id from import i where i.account_id = $1"
    " for update)"
    " insert into erasure (batch, kind, name)"
    " select $2, 'file', r.blob from r where r.blob is not null"
    " union select $2, 'job', r.id::text from r"
    " union select $2, 'job', m.id::text from m"
    " union select $2, 'job', h.id::text from h"
    " union select $2, x.kind, x.name from i cross join lateral"
    " (values ('upload', i.blob), ('job', i.job_id::text)) x (kind, name)"};
static const struct ct_stmt others = {"erase_others", CT_OWNED, CT_READ, "uu",
    NULL,
    "with " CATS " select distinct o.account_id as other from cat_member o"
    " where o.cat_id in (select id from c)"
    " and exists (select from account a where a.id = $1"
    " and a.id <> o.account_id) limit 200"};
static const struct ct_stmt trail = {"erase_trail", CT_OWNED, CT_WRITE, "uu",
    NULL,
    "with " CATS ", f as (select ct_audit_forget_cat(id) from c)"
    " select (select count(*) from f), ct_audit_forget(a.id)"
    " from account a where a.id = $1"};
/* What names the address or the jobs, and does not go with the row. */
static const struct ct_stmt loose = {"erase_loose", CT_OWNED, CT_WRITE, "uu",
    NULL,
    "with who as (select a.email from account a where a.id = $1),"
    " j as (select e.name::uuid as id from erasure e where e.batch = $2"
    " and e.kind = 'job'),"
    " o as (delete from job_outbox where id in (select id from j)),"
    " d as (delete from job_run where job_id in (select id from j)),"
    " m as (delete from mail using who where to_address = who.email),"
    " t as (delete from account_token using who"
    " where account_token.email = who.email)"
    " delete from login_failure f using who where f.email_hash ="
    " sha256(convert_to(lower(who.email::text), 'UTF8'))"};
/* account, batch */
static const struct ct_stmt cats = {"erase_cats", CT_OWNED, CT_WRITE, "uu",
    NULL,
    "with " CATS " delete from cat using c where cat.id = c.id"
    " and exists (select from cat_member m where m.cat_id = c.id"
    " and m.account_id = $1) returning cat.id"};
static const struct ct_stmt row = {"erase_account", CT_OWNED, CT_WRITE, "u",
    NULL, "delete from account a where a.id = $1"};

static const struct ct_stmt list = {"erasure_list", CT_GLOBAL, CT_READ, "",
    NULL,
    "select batch, kind, name, created_at < now() - interval '1 day' as old"
    " from erasure order by created_at, batch, kind, name limit 200"};
static const struct ct_stmt done = {"erasure_done", CT_GLOBAL, CT_WRITE, "utt",
    NULL, "delete from erasure where batch = $1 and kind = $2 and name = $3"};

const struct ct_stmt *const ct_erasure_stmts[] = {&lock, &kept, &note_cats,
    &note_rest, &others, &trail, &loose, &cats, &row, &list, &done, NULL};

struct erase {
	struct ct_pg *pg;
	struct ct_arena *a;
	const struct ct_uuid *account;
	struct ct_uuid batch;
};

/* A statement of (account), (account, batch) or (account, batch, flag). */
static enum ct_rc
run(const struct erase *e, const struct ct_stmt *st, bool flag,
    const struct ct_res **r, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, e->a);
	ct_p_uuid(&p, e->account);
	if (st->sig[1])
		ct_p_uuid(&p, &e->batch);
	if (st->sig[1] && st->sig[2])
		ct_p_bool(&p, flag);
	return ct_pg_run(e->pg, st, &p, e->a, r, err);
}

static struct ct_uuid *
ids(struct ct_arena *a, const struct ct_res *r, int *n)
{
	struct ct_uuid *out;

	*n = ct_res_rows(r);
	out = ct_arena_alloc(a, (size_t)*n * sizeof(*out) + 1);
	for (int i = 0; i < *n; i++)
		out[i] = ct_res_uuid(r, i, 0);
	return out;
}

static enum ct_rc
check(const struct erase *e, bool with_cats, struct ct_erased *out,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (run(e, &lock, false, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such account.");
	if (with_cats)
		return CT_OK;
	if (run(e, &kept, false, &out->kept, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(out->kept) == 0)
		return CT_OK;
	return ct_fail(err, CT_CONFLICT, "last_owner",
	    "You are the only owner of a cat that others care for, too: make "
	    "one of them an owner first, or send \"cats\": \"delete\".");
}

static enum ct_rc
erase(const struct erase *e, bool with_cats, struct ct_erased *out,
    struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_begin(e->pg, e->a, false, err) != CT_OK ||
	    check(e, with_cats, out, err) != CT_OK ||
	    run(e, &note_cats, with_cats, NULL, err) != CT_OK ||
	    run(e, &note_rest, false, NULL, err) != CT_OK ||
	    run(e, &others, false, &r, err) != CT_OK)
		return err->rc;
	out->others = ids(e->a, r, &out->nothers);
	if (ct_session_digests(e->pg, e->a, e->account, &out->digests,
		&out->ndigests, err) != CT_OK ||
	    run(e, &trail, false, NULL, err) != CT_OK ||
	    run(e, &loose, false, NULL, err) != CT_OK ||
	    run(e, &cats, false, &r, err) != CT_OK ||
	    run(e, &row, false, NULL, err) != CT_OK)
		return err->rc;
	out->cats = ids(e->a, r, &out->ncats);
	return ct_pg_commit(e->pg, err);
}

enum ct_rc
ct_account_erase(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, bool with_cats, struct ct_erased *out,
    struct ct_err *err)
{
	struct erase e = {
	    .pg = pg, .a = a, .account = account, .batch = ct_uuid_new()};

	memset(out, 0, sizeof(*out));
	if (erase(&e, with_cats, out, err) != CT_OK)
		ct_pg_rollback(pg);
	return err->rc;
}

enum ct_rc
ct_erasure_list(struct ct_pg *pg, struct ct_arena *a, struct ct_erasure **out,
    int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out) + 1);
	for (int i = 0; i < *n; i++)
		(*out)[i] = (struct ct_erasure){ct_res_uuid(r, i, 0),
		    ct_res_str(r, i, 1), ct_res_str(r, i, 2),
		    ct_res_bool(r, i, 3)};
	return CT_OK;
}

enum ct_rc
ct_erasure_done(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_erasure *e, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &e->batch);
	ct_p_text(&p, e->kind);
	ct_p_text(&p, e->name);
	return ct_pg_run(pg, &done, &p, a, NULL, err);
}
