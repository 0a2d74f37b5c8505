/* What administrators may see and do; see admin.h. */
#include "db/admin.h"

#define OUT CT_F_READONLY
#define NIL CT_F_NULLABLE
/* Changes of who may come in are made one after another. */
#define ADMIN_LOCK INT64_C(0x61646d696e)

#define AT(m) offsetof(struct ct_admin_account, m)
static const struct ct_field account_rows[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "account"},
    {"email", CT_T_TEXT, AT(email), OUT, 0, 0, NULL, NULL, NULL,
	"address to log in with"},
    {"role", CT_T_TEXT, AT(role), OUT, 0, 0, NULL, NULL, NULL, "user or admin"},
    {"status", CT_T_TEXT, AT(status), OUT, 0, 0, NULL, NULL, NULL,
	"active; deactivated: by its owner or unused; disabled: by an admin"},
    {"email_verified_at", CT_T_TIME, AT(verified_at), OUT | NIL, 0, 0, NULL,
	NULL, NULL, "when the address was proven"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was registered"},
    {"last_login", CT_T_TIME, AT(last_login_at), OUT | NIL, 0, 0,
	"last_login_at", NULL, NULL, "last log-in"},
    {"seen_at", CT_T_TIME, AT(seen_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"last request of a session, to some minutes"},
    {"sessions", CT_T_INT, AT(sessions), OUT, 0, 0, NULL, NULL, NULL,
	"sessions that did not end"},
};
const struct ct_fields ct_admin_account_fields =
    CT_FIELDS("account", struct ct_admin_account, account_rows);
#undef AT
#define AT(m) offsetof(struct ct_admin_event, m)
static const struct ct_field event_rows[] = {
    {"id", CT_T_INT, AT(id), OUT, 0, 0, NULL, NULL, NULL, "rises"},
    {"at", CT_T_TIME, AT(at), OUT, 0, 0, NULL, NULL, NULL, "when"},
    {"account_id", CT_T_UUID, AT(account), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"who did it"},
    {"action", CT_T_TEXT, AT(action), OUT, 0, 0, NULL, NULL, NULL,
	"what was done"},
    {"noun", CT_T_TEXT, AT(noun), OUT, 0, 0, NULL, NULL, NULL, "to what"},
    {"noun_id", CT_T_UUID, AT(noun_id), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"to which account or job; null: to all"},
    {"detail", CT_T_TEXT, AT(detail), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"which queue, node or task"},
};
const struct ct_fields ct_admin_event_fields =
    CT_FIELDS("event", struct ct_admin_event, event_rows);

#define ME                                                                     \
	"with me as (select a.id from account a where a.id = $1"               \
	" and a.role = 'admin' and a.status = 'active')"

/* admin, status, part of the address, account, limit, offset */
#define WHICH_ACCOUNTS                                                         \
	" where ($2::text is null or x.status = $2)"                           \
	" and ($3::text is null"                                               \
	" or strpos(lower(x.email::text), lower($3)) > 0)"                     \
	" and ($4::uuid is null or x.id = $4)"
static const struct ct_stmt accounts = {"admin_accounts", CT_OWNED, CT_READ,
    "uttuii", &ct_admin_account_fields,
    ME " select x.id, x.email::text, x.role, x.status, x.email_verified_at,"
       " x.created_at, x.last_login_at, (select max(s.seen_at)"
       " from account_session s where s.account_id = x.id) as seen_at,"
       " (select count(*) from account_session s where s.account_id = x.id"
       " and s.expires_at > now()) as sessions,"
       " (select count(*) from account x" WHICH_ACCOUNTS ") as total"
       " from me, account x" WHICH_ACCOUNTS
       " order by x.created_at desc, x.id desc limit $5 offset $6"};

/* admin, account, action, limit, offset */
#define WHICH_EVENTS                                                           \
	" where v.noun = 'account' and v.cat_id is null"                       \
	" and ($2::uuid is null or v.account_id = $2 or v.noun_id = $2)"       \
	" and ($3::text is null or v.action = $3)"
static const struct ct_stmt events = {"admin_events", CT_OWNED, CT_READ,
    "uutii", &ct_admin_event_fields,
    ME " select v.id, v.at, v.account_id, v.action, case"
       " when v.before ? 'job' then 'job' else v.noun end as noun, v.noun_id,"
       " v.before ->> 'job' as detail,"
       " (select count(*) from audit_event v" WHICH_EVENTS ") as total"
       " from me, audit_event v" WHICH_EVENTS
       " order by v.id desc limit $4 offset $5"};

/* admin, account, new status, action: is an admin, is there, was changed */
static const struct ct_stmt set_status = {"admin_set_status", CT_OWNED,
    CT_WRITE, "uutt", NULL,
    ME ", old as (select x.id, x.status from me, account x where x.id = $2"
       " for no key update of x),"
       " new as (update account x set status = $3 from old"
       " where x.id = old.id and x.id <> $1 and old.status <> $3"
       " and 'disabled' in (old.status, $3) returning x.id),"
       " log as (insert into audit_event (account_id, action, noun, noun_id)"
       " select $1, $4, 'account', id from new)"
       " select exists (select from me), exists (select from old),"
       " exists (select from new)"};

/* admin, account or null, action: is an admin, was noted */
static const struct ct_stmt note = {"admin_note", CT_OWNED, CT_WRITE, "uut",
    NULL,
    ME ", log as (insert into audit_event (account_id, action, noun, noun_id)"
       " select me.id, $3, 'account', $2 from me where $2::uuid is null"
       " or exists (select from account x where x.id = $2) returning id)"
       " select exists (select from me), exists (select from log)"};

/*
 * admin, job or null, action, detail or null: is an admin. What is about the
 * service has the noun of accounts, whose trail is the administrators'.
 */
static const struct ct_stmt note_job = {"admin_note_job", CT_OWNED, CT_WRITE,
    "uutt", NULL,
    ME ", log as (insert into audit_event (account_id, action, noun, noun_id,"
       " before) select me.id, $3, 'account', $2, jsonb_build_object('job', "
       "$4::text)"
       " from me) select exists (select from me)"};

const struct ct_stmt *const ct_admin_stmts[] = {
    &accounts, &events, &set_status, &note, &note_job, NULL};

static enum ct_rc
no_admin(struct ct_err *err)
{
	return ct_fail(err, CT_FORBIDDEN, "admin", "Admin access required");
}

static enum ct_rc
missing(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such account.");
}

enum ct_rc
ct_admin_check(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, admin);
	ct_p_text(&p, (struct ct_str){0});
	ct_p_text(&p, (struct ct_str){0});
	ct_p_uuid(&p, admin);
	ct_p_i64(&p, 1);
	ct_p_i64(&p, 0);
	if (ct_pg_run(pg, &accounts, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 1 ? CT_OK : no_admin(err);
}

static void
account_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f, bool first)
{
	ct_params_init(p, a);
	ct_p_uuid(p, admin);
	ct_p_text(p, f->status);
	ct_p_text(p, f->q);
	ct_p_uuid(p, &f->id);
	ct_p_i64(p, first ? 1 : f->limit);
	ct_p_i64(p, first ? 0 : f->offset);
}

static void
event_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f, bool first)
{
	ct_params_init(p, a);
	ct_p_uuid(p, admin);
	ct_p_uuid(p, &f->id);
	ct_p_text(p, f->action);
	ct_p_i64(p, first ? 1 : f->limit);
	ct_p_i64(p, first ? 0 : f->offset);
}

/* Either list: its rows, or only how many there are where the page is past
 * the end. */
struct list {
	const struct ct_stmt *st;
	const struct ct_fields *fields;
	void (*params)(struct ct_params *p, struct ct_arena *a,
	    const struct ct_uuid *admin, const struct ct_admin_filter *f,
	    bool first);
};

static enum ct_rc
run_list(struct ct_pg *pg, struct ct_arena *a, const struct list *l,
    const struct ct_uuid *admin, const struct ct_admin_filter *f, void **out,
    int *n, int64_t *total, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	char *rows;

	l->params(&p, a, admin, f, false);
	if (ct_pg_run(pg, l->st, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	rows = ct_arena_alloc(a, (size_t)*n * l->fields->size + 1);
	for (int i = 0; i < *n; i++)
		ct_res_get(r, i, l->fields, rows + (size_t)i * l->fields->size);
	*out = rows;
	if (*n == 0) {
		l->params(&p, a, admin, f, true);
		/* A list that is empty needs to ask. */
		if (ct_admin_check(pg, a, admin, err) != CT_OK ||
		    ct_pg_run(pg, l->st, &p, a, &r, err) != CT_OK)
			return err->rc;
	}
	*total = 0;
	if (ct_res_rows(r) > 0)
		*total = ct_res_i64(r, 0, ct_res_col(r, "total"));
	return CT_OK;
}

enum ct_rc
ct_admin_accounts(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f,
    struct ct_admin_account **out, int *n, int64_t *total, struct ct_err *err)
{
	static const struct list l = {
	    &accounts, &ct_admin_account_fields, account_params};
	void *rows = NULL;

	if (run_list(pg, a, &l, admin, f, &rows, n, total, err) != CT_OK)
		return err->rc;
	*out = rows;
	return CT_OK;
}

enum ct_rc
ct_admin_account_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id,
    struct ct_admin_account *out, struct ct_err *err)
{
	struct ct_admin_filter f = {.id = *id, .limit = 1};
	struct ct_admin_account *rows = NULL;
	int64_t total;
	int n;

	if (ct_uuid_nil(id))
		return missing(err);
	if (ct_admin_accounts(pg, a, admin, &f, &rows, &n, &total, err) !=
	    CT_OK)
		return err->rc;
	if (n == 0 || !rows)
		return missing(err);
	*out = rows[0];
	return CT_OK;
}

enum ct_rc
ct_admin_events(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f,
    struct ct_admin_event **out, int *n, int64_t *total, struct ct_err *err)
{
	static const struct list l = {
	    &events, &ct_admin_event_fields, event_params};
	void *rows = NULL;

	if (run_list(pg, a, &l, admin, f, &rows, n, total, err) != CT_OK)
		return err->rc;
	*out = rows;
	return CT_OK;
}

static enum ct_rc
change(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *admin,
    const struct ct_uuid *id, const char *status, const char *action,
    const char *refused, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, admin);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(status));
	ct_p_text(&p, ct_str_of(action));
	if (ct_pg_run_locked(pg, ADMIN_LOCK, &set_status, &p, a, &r, err) !=
	    CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, 0))
		return no_admin(err);
	if (!ct_res_bool(r, 0, 1))
		return missing(err);
	if (ct_uuid_eq(admin, id))
		return ct_fail(err, CT_CONFLICT, "self",
		    "That is your own account; another admin can do it.");
	if (!ct_res_bool(r, 0, 2))
		return ct_fail(err, CT_CONFLICT, "status", "%s", refused);
	return CT_OK;
}

enum ct_rc
ct_admin_disable(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id, struct ct_err *err)
{
	return change(pg, a, admin, id, "disabled", "disable",
	    "This account is disabled already.", err);
}

enum ct_rc
ct_admin_enable(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id, struct ct_err *err)
{
	return change(pg, a, admin, id, "active", "enable",
	    "This account was not disabled by an admin.", err);
}

enum ct_rc
ct_admin_note(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *admin,
    const struct ct_uuid *id, const char *action, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, admin);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(action));
	if (ct_pg_run(pg, &note, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, 0))
		return no_admin(err);
	return ct_res_bool(r, 0, 1) ? CT_OK : missing(err);
}

enum ct_rc
ct_admin_note_job(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *job, const char *action,
    struct ct_str detail, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, admin);
	ct_p_uuid(&p, job);
	ct_p_text(&p, ct_str_of(action));
	ct_p_text(&p, detail);
	if (ct_pg_run(pg, &note_job, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_bool(r, 0, 0) ? CT_OK : no_admin(err);
}
