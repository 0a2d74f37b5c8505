/* Invitations; see invite.h. */
#include "db/invite.h"

#include "db/account.h"
#include "db/cat.h"
#include "db/member.h"
#include "db/tracker.h"

#define AT(m) offsetof(struct ct_invite, m)
#define OUT   CT_F_READONLY
#define IN    (CT_F_READONLY | CT_F_HIDDEN)

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "key"},
    {"cat_id", CT_T_UUID, AT(cat_id), OUT, 0, 0, NULL, NULL, NULL, "the cat"},
    {"cat_name", CT_T_TEXT, AT(cat_name), OUT, 0, 0, NULL, NULL, NULL,
	"what it is called"},
    {"role", CT_T_TEXT, AT(role), OUT, 0, 0, NULL, NULL, NULL,
	"the role that is offered"},
    {"email", CT_T_TEXT, AT(email), OUT | CT_F_NULLABLE, 0, 0, NULL, NULL, NULL,
	"address of the only account that may accept; null: any"},
    {"invited_by", CT_T_TEXT, AT(by_name), OUT, 0, 0, "by_name", NULL, NULL,
	"first name of who invites"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was made"},
    {"expires_at", CT_T_TIME, AT(expires_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it ends"},
    {"for_me", CT_T_BOOL, AT(for_me), IN, 0, 0, NULL, NULL, NULL,
	"the asker's address fits"},
    {"used", CT_T_BOOL, AT(used), IN, 0, 0, NULL, NULL, NULL,
	"the asker used it"},
    {"my_role", CT_T_INT, AT(my_role), IN, 0, 0, NULL, NULL, NULL,
	"the asker's role"},
};
const struct ct_fields ct_invite_fields =
    CT_FIELDS("invitation", struct ct_invite, fields);

#define COLS                                                                   \
	"i.id, i.cat_id, c.name as cat_name, " CT_ROLE_SQL(                    \
	    "i.role") " as role, i.email::text as email, b.first_name as "     \
		      "by_name,"                                               \
		      " i.created_at, i.expires_at"
#define OPEN " i.used_at is null and i.expires_at > now()"
/* Its maker is an owner still. */
#define VALID                                                                  \
	" join cat_member o on o.cat_id = i.cat_id"                            \
	" and o.account_id = i.by_account and o.role = 4"

/*
 * account, cat, id, role, address, hours, digest, most open. With the token
 * row of a mailed one goes the mail that was not sent yet.
 */
static const struct ct_stmt add = {"invite_add", CT_OWNED, CT_WRITE, "uuuitiyi",
    NULL,
    "with me as (select m.role from cat_member m where m.account_id = $1"
    " and m.cat_id = $2),"
    " open as (select count(*) as n from invite i where i.cat_id = $2 and" OPEN
    " and ($5 is null or i.email is distinct from $5::citext)),"
    " i as (insert into invite (id, cat_id, by_account, role, email,"
    " token_hash, expires_at) select $3, $2, $1, $4, $5::citext, $7,"
    " now() + make_interval(hours => $6::int) from me, open"
    " where me.role >= 4 and open.n < $8 returning id),"
    " old as (delete from invite d using i where d.cat_id = $2"
    " and (d.email = $5::citext and d.used_at is null"
    " or d.expires_at < now() - interval '30 days') returning d.id),"
    " t as (delete from account_token k using old where k.id = old.id)"
    " select me.role as my_role, exists (select from i) as done from me"};

static const struct ct_stmt list = {"invite_list", CT_OWNED, CT_READ, "uu",
    &ct_invite_fields,
    "select " COLS ", true as for_me, false as used, m.role as my_role"
    " from invite i" VALID " join cat c on c.id = i.cat_id"
    " join account b on b.id = i.by_account"
    " join cat_member m on m.cat_id = i.cat_id and m.account_id = $1"
    " and m.role >= 4 where i.cat_id = $2 and" OPEN
    " order by i.created_at desc, i.id desc limit 100"};

static const struct ct_stmt remove_one = {"invite_remove", CT_OWNED, CT_WRITE,
    "uuu", NULL,
    "with i as (delete from invite i using cat_member m"
    " where m.cat_id = i.cat_id and m.account_id = $1 and m.role >= 4"
    " and i.cat_id = $2 and i.id = $3 and i.used_at is null"
    " returning i.id),"
    " t as (delete from account_token k using i where k.id = i.id)"
    " select id from i"};

static const struct ct_stmt find = {"invite_find", CT_OWNED, CT_READ, "uy",
    &ct_invite_fields,
    "select " COLS ", (i.email is null or i.email = a.email) as for_me,"
    " i.used_at is not null as used, coalesce(t.role, 0) as my_role"
    " from invite i" VALID " join cat c on c.id = i.cat_id"
    " join account b on b.id = i.by_account join account a on a.id = $1"
    " left join cat_member t on t.cat_id = i.cat_id and t.account_id = a.id"
    " where i.token_hash = $2 and i.expires_at > now()"
    " and (i.used_at is null or i.used_by = a.id and t.role is not null)"};

/* As ct_cat_lock, by whoever has the token. account, digest, cat */
static const struct ct_stmt lock = {"invite_lock", CT_OWNED, CT_WRITE, "uyu",
    NULL,
    "select c.id from cat c join invite i on i.cat_id = c.id"
    " join account a on a.id = $1 where i.token_hash = $2 and c.id = $3"
    " for no key update of c"};

/* account, digest, cat, most members, most cats */
static const struct ct_stmt accept = {"invite_accept", CT_OWNED, CT_WRITE,
    "uyuii", NULL,
    "with i as (select i.* from invite i" VALID " join account a"
    " on a.id = $1 and (i.email is null or i.email = a.email)"
    " where i.token_hash = $2 and i.cat_id = $3 and" OPEN " for update of i),"
    " was as (select max(t.role) as role from cat_member t"
    " where t.cat_id = $3 and t.account_id = $1),"
    " room as (select (select count(*) from cat_member t"
    " where t.cat_id = $3) < $4 and (select count(*) from cat_member t"
    " where t.account_id = $1) < $5 as yes),"
    " ok as (select i.id, i.cat_id, i.role from i, was, room"
    " where was.role < i.role or was.role is null and room.yes),"
    " n as (insert into cat_member (cat_id, account_id, role)"
    " select ok.cat_id, $1, ok.role from ok"
    " on conflict (cat_id, account_id) do update set role = excluded.role"
    " returning cat_id),"
    " u as (update invite u set used_at = now(), used_by = $1 from ok"
    " where u.id = ok.id),"
    " d as (update account a set default_cat = n.cat_id from n"
    " where a.id = $1 and not exists (select from cat_member o"
    " where o.account_id = $1 and o.cat_id = a.default_cat)),"
    " log as (insert into audit_event (account_id, cat_id, action, noun,"
    " noun_id, before) select $1, ok.cat_id, 'accept', 'invite', ok.id,"
    " jsonb_build_object('role', was.role) from ok, was)"
    " select exists (select from i) as valid, was.role is null as fresh,"
    " exists (select from n) as done from was"};

const struct ct_stmt *const ct_invite_stmts[] = {
    &add, &list, &remove_one, &find, &lock, &accept, NULL};

enum ct_rc
ct_invite_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_invite *in, int64_t hours,
    const uint8_t hash[CT_DIGEST], struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &in->cat_id);
	ct_p_uuid(&p, &in->id);
	ct_p_i64(&p, ct_role_of(in->role));
	ct_p_text(&p, in->email);
	ct_p_i64(&p, hours);
	ct_p_bytes(&p, hash, CT_DIGEST);
	ct_p_i64(&p, CT_INVITES_MAX);
	if (ct_cat_lock(pg, a, account, &in->cat_id, err) != CT_OK ||
	    ct_pg_run(pg, &add, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 1 && ct_res_bool(r, 0, 1))
		return CT_OK;
	if (ct_res_rows(r) == 0 || ct_res_i64(r, 0, 0) < CT_OWNER)
		return ct_cat_refused(pg, a, account, &in->cat_id, err);
	return ct_fail(err, CT_CONFLICT, "too_many",
	    "A cat can have at most %d open invitations; withdraw one first.",
	    CT_INVITES_MAX);
}

/* Nothing was found: CT_OK where that is all there is to say to an owner. */
static enum ct_rc
owner_or_refused(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_err *err)
{
	int64_t role;

	if (ct_cat_role(pg, a, account, cat, &role, err) != CT_OK)
		return err->rc;
	if (role < CT_OWNER)
		return ct_cat_refused(pg, a, account, cat, err);
	return CT_OK;
}

enum ct_rc
ct_invite_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_invite **out, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_invite_fields, a, n);
	return *n > 0 ? CT_OK : owner_or_refused(pg, a, account, cat, err);
}

enum ct_rc
ct_invite_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &remove_one, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0)
		return CT_OK;
	if (owner_or_refused(pg, a, account, cat, err) != CT_OK)
		return err->rc;
	return ct_fail(err, CT_NOTFOUND, NULL,
	    "There is no such open invitation of this cat.");
}

/* Unknown, expired, withdrawn and used by somebody else: one answer. */
static enum ct_rc
gone(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, "invite",
	    "This invitation is not valid any more; ask for a new one.");
}

static void
token_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST])
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_bytes(p, hash, CT_DIGEST);
}

static enum ct_rc
read_found(const struct ct_res *r, struct ct_invite *out, struct ct_err *err)
{
	if (ct_res_rows(r) == 0)
		return gone(err);
	ct_res_get(r, 0, &ct_invite_fields, out);
	if (!out->for_me)
		return ct_fail(err, CT_FORBIDDEN, "invite_email",
		    "This invitation is for another e-mail address; log in "
		    "with that account.");
	return CT_OK;
}

enum ct_rc
ct_invite_find(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_invite *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	token_params(&p, a, account, hash);
	if (ct_pg_run(pg, &find, &p, a, &r, err) != CT_OK)
		return err->rc;
	return read_found(r, out, err);
}

static enum ct_rc
judge(const struct ct_res *r, struct ct_err *err)
{
	if (ct_res_bool(r, 0, ct_res_col(r, "done")))
		return CT_OK;
	if (!ct_res_bool(r, 0, ct_res_col(r, "valid")))
		return gone(err);
	if (!ct_res_bool(r, 0, ct_res_col(r, "fresh")))
		return ct_fail(err, CT_CONFLICT, "already_member",
		    "You take care of this cat already.");
	return ct_fail(err, CT_CONFLICT, "too_many",
	    "A cat can have at most %d carers, an account at most %d cats.",
	    CT_MEMBERS_MAX, CT_CATS_MAX);
}

/*
 * In a transaction: the account's lock bounds its cats, the cat's lock bounds
 * its members and makes one of two who show the same token the first.
 */
static enum ct_rc
accept_locked(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_invite *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	token_params(&p, a, account, hash);
	if (ct_account_lock(pg, a, account, err) != CT_OK ||
	    ct_pg_run_locked(
		pg, ct_uuid_key64(account), &find, &p, a, &r, err) != CT_OK ||
	    read_found(r, out, err) != CT_OK)
		return err->rc;
	if (out->used)
		return CT_OK;
	ct_p_uuid(&p, &out->cat_id);
	if (ct_pg_run(pg, &lock, &p, a, NULL, err) != CT_OK)
		return err->rc;
	ct_p_i64(&p, CT_MEMBERS_MAX);
	ct_p_i64(&p, CT_CATS_MAX);
	if (ct_pg_run(pg, &accept, &p, a, &r, err) != CT_OK)
		return err->rc;
	return judge(r, err);
}

enum ct_rc
ct_invite_accept(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t hash[CT_DIGEST],
    struct ct_invite *out, struct ct_err *err)
{
	if (ct_pg_begin(pg, a, false, err) != CT_OK)
		return err->rc;
	if (accept_locked(pg, a, account, hash, out, err) != CT_OK) {
		ct_pg_rollback(pg);
		return err->rc;
	}
	return ct_pg_commit(pg, err);
}
