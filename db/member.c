/* Members of a cat; see member.h. */
#include "db/member.h"

#include "db/account.h"
#include "db/cat.h"

#define AT(m) offsetof(struct ct_member, m)
#define OUT   CT_F_READONLY
#define NIL   (CT_F_READONLY | CT_F_NULLABLE)

const char *const ct_role_names[] = {
    "viewer", "helper", "caregiver", "owner", NULL};

int64_t
ct_role_of(struct ct_str name)
{
	for (int64_t i = 0; ct_role_names[i]; i++) {
		if (ct_str_is(name, ct_role_names[i]))
			return i + 1;
	}
	return 0;
}

static const struct ct_field fields[] = {
    {"account_id", CT_T_UUID, AT(account_id), OUT, 0, 0, NULL, NULL, NULL,
	"the member"},
    {"name", CT_T_TEXT, AT(name), OUT, 0, 0, NULL, NULL, NULL, "first name"},
    {"last_name", CT_T_TEXT, AT(last_name), NIL, 0, 0, NULL, NULL, NULL,
	"family name; only owners see it"},
    {"email", CT_T_TEXT, AT(email), NIL, 0, 0, NULL, NULL, NULL,
	"address; only owners see it"},
    {"role", CT_T_TEXT, AT(role), OUT, 0, 0, NULL, NULL, NULL,
	"viewer, helper, caregiver or owner"},
    {"since", CT_T_TIME, AT(since), OUT, 0, 0, NULL, NULL, NULL,
	"member since"},
    {"is_me", CT_T_BOOL, AT(is_me), OUT, 0, 0, NULL, NULL, NULL,
	"it is who asks"},
    {"my_role", CT_T_INT, AT(my_role), OUT | CT_F_HIDDEN, 0, 0, NULL, NULL,
	NULL, "the asker's role"},
};
const struct ct_fields ct_member_fields =
    CT_FIELDS("member", struct ct_member, fields);

/* What only owners and the member itself see. */
#define SHOWN "case when m.role >= 4 or t.account_id = $1 then "

static const struct ct_stmt list = {"member_list", CT_OWNED, CT_READ, "uu",
    &ct_member_fields,
    "select t.account_id, b.first_name as name,"
    " " SHOWN "b.last_name end as last_name,"
    " " SHOWN "b.email::text end as email,"
    " " CT_ROLE_SQL(
	"t.role") " as role, t.created_at as since,"
		  " t.account_id = $1 as is_me, m.role as my_role"
		  " from cat_member m join cat_member t on t.cat_id = m.cat_id"
		  " join account b on b.id = t.account_id"
		  " where m.account_id = $1 and m.cat_id = $2"
		  " order by t.role desc, t.created_at, t.account_id limit "
		  "100"};

/*
 * account, cat, who: the asker, the member, and how many other active owners
 * there are. Each change is the CTE n, which returns a row where it was made.
 */
#define CHANGE_HEAD                                                            \
	"with me as (select m.role from cat_member m"                          \
	" where m.account_id = $1 and m.cat_id = $2),"                         \
	" was as (select t.role, b.status = 'active' as active"                \
	" from cat_member t join account b on b.id = t.account_id"             \
	" where t.cat_id = $2 and t.account_id = $3),"                         \
	" rest as (select count(*) as n from cat_member o"                     \
	" join account b on b.id = o.account_id and b.status = 'active'"       \
	" where o.cat_id = $2 and o.role = 4 and o.account_id <> $3),"
#define CHANGE_TAIL(ACTION)                                                    \
	" log as (insert into audit_event (account_id, cat_id, action,"        \
	" noun, noun_id, before) select $1, $2, '" ACTION "', 'member', $3,"   \
	" jsonb_build_object('role', was.role) from was"                       \
	" where exists (select from n))"                                       \
	" select me.role as my_role, was.role as was_role, was.active,"        \
	" exists (select from n) as done from me left join was on true"

/* account, cat, who, role */
static const struct ct_stmt set_role = {"member_set_role", CT_OWNED, CT_WRITE,
    "uuui", NULL,
    CHANGE_HEAD
    " n as (update cat_member u set role = $4 from me, was, rest"
    " where u.cat_id = $2 and u.account_id = $3 and me.role >= 4"
    " and (was.active or $4 < 4) and ($4 = 4 or was.role < 4 or rest.n > 0)"
    " returning u.account_id)," CHANGE_TAIL("change")};

static const struct ct_stmt remove_one = {"member_remove", CT_OWNED, CT_WRITE,
    "uuu", NULL,
    CHANGE_HEAD
    " n as (delete from cat_member u using me, was, rest"
    " where u.cat_id = $2 and u.account_id = $3"
    " and (me.role >= 4 or $3 = $1) and (was.role < 4 or rest.n > 0)"
    " returning u.account_id),"
    " d as (update account u set default_cat = " CT_NEXT_CAT_SQL(
	"$3", "$2") " from n where u.id = n.account_id and u.default_cat = "
		    "$2)," CHANGE_TAIL("delete")};

static const struct ct_stmt transfer = {"member_transfer", CT_OWNED, CT_WRITE,
    "uuu", NULL,
    CHANGE_HEAD
    " n as (update cat_member u set role ="
    " case when u.account_id = $3 then 4 else 3 end from me, was"
    " where u.cat_id = $2 and u.account_id in ($1, $3) and me.role >= 4"
    " and was.active and $3 <> $1 returning u.account_id)," CHANGE_TAIL(
	"transfer")};

const struct ct_stmt *const ct_member_stmts[] = {
    &list, &set_role, &remove_one, &transfer, NULL};

static enum ct_rc
no_cat(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
}

enum ct_rc
ct_member_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    struct ct_member **out, int *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	if (*n == 0)
		return no_cat(err);
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out));
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, &ct_member_fields, &(*out)[i]);
	return CT_OK;
}

/* What came of a change; self: anybody may do it to itself. */
static enum ct_rc
judge(const struct ct_res *r, bool self, struct ct_err *err)
{
	if (ct_res_rows(r) == 0)
		return no_cat(err);
	if (ct_res_bool(r, 0, ct_res_col(r, "done")))
		return CT_OK;
	if (!self && ct_res_i64(r, 0, ct_res_col(r, "my_role")) < CT_OWNER)
		return ct_fail(err, CT_FORBIDDEN, NULL,
		    "Only an owner of the cat can do that.");
	if (ct_res_null(r, 0, ct_res_col(r, "was_role")))
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "There is no such member of this cat.");
	if (ct_res_i64(r, 0, ct_res_col(r, "was_role")) < CT_OWNER)
		return ct_fail(err, CT_CONFLICT, "inactive",
		    "That account is closed and cannot become owner.");
	return ct_fail(err, CT_CONFLICT, "last_owner",
	    "This is the cat's last owner: make another member the owner "
	    "first, or delete the cat.");
}

/*
 * The statement sees what whoever held the lock before has written. The
 * account is locked before the cat, as by what deletes an account.
 */
static enum ct_rc
change_locked(struct ct_pg *pg, const struct ct_stmt *st, struct ct_arena *a,
    const struct ct_params *p, const struct ct_uuid *account,
    const struct ct_uuid *cat, const struct ct_uuid *who, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_account_lock(pg, a, who, err) != CT_OK ||
	    ct_cat_lock(pg, a, account, cat, err) != CT_OK ||
	    ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	return judge(r, ct_uuid_eq(account, who) && st == &remove_one, err);
}

/* role 0: the statement takes none. */
static enum ct_rc
change(struct ct_pg *pg, const struct ct_stmt *st, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, int64_t role, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, cat);
	ct_p_uuid(&p, who);
	if (role)
		ct_p_i64(&p, role);
	if (ct_pg_begin(pg, a, false, err) != CT_OK)
		return err->rc;
	if (change_locked(pg, st, a, &p, account, cat, who, err) != CT_OK) {
		ct_pg_rollback(pg);
		return err->rc;
	}
	return ct_pg_commit(pg, err);
}

enum ct_rc
ct_member_set_role(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, enum ct_role role, struct ct_err *err)
{
	return change(pg, &set_role, a, account, cat, who, role, err);
}

enum ct_rc
ct_member_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, struct ct_err *err)
{
	return change(pg, &remove_one, a, account, cat, who, 0, err);
}

enum ct_rc
ct_member_transfer(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_uuid *who, struct ct_err *err)
{
	return change(pg, &transfer, a, account, cat, who, 0, err);
}
