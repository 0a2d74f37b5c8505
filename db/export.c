/* What an archive holds; see export.h. */
#include "db/export.h"

#include <string.h>

#include "db/api_token.h"
#include "db/audit.h"
#include "db/member.h"
#include "db/preference.h"
#include "db/report_schedule.h"
#include "db/target.h"
#include "db/webhook.h"

#define NIL	    CT_F_NULLABLE
#define BY_NAME_MAX 200

_Static_assert(sizeof(struct ct_cat) <= CT_ENTRY_MAX, "a cat fits a row");
_Static_assert(sizeof(struct ct_report) <= CT_ENTRY_MAX, "a report fits");
_Static_assert(sizeof(struct ct_member) <= CT_ENTRY_MAX, "a member fits");

#define BY_ME                                                                  \
	{                                                                      \
		"by_me", CT_T_BOOL, offsetof(struct ct_archive_row, by_me),    \
		    CT_F_NOROW, 0, 0, NULL, NULL, NULL,                        \
		    "by the account of the archive itself"                     \
	}

/* ------------------------------------------------------------ the account */

#define A(m) offsetof(struct ct_export_account, m)
static const struct ct_field profile_rows[] = {
    {"id", CT_T_UUID, A(id), 0, 0, 0, NULL, NULL, NULL, "key"},
    {"email", CT_T_TEXT, A(email), 0, 0, 0, NULL, NULL, NULL, "address"},
    {"first_name", CT_T_TEXT, A(first_name), 0, 0, 0, NULL, NULL, NULL,
	"first name"},
    {"last_name", CT_T_TEXT, A(last_name), 0, 0, 0, NULL, NULL, NULL,
	"family name"},
    {"email_verified_at", CT_T_TIME, A(email_verified_at), NIL, 0, 0, NULL,
	NULL, NULL, "when the address was confirmed"},
    {"consent_version", CT_T_INT, A(consent_version), NIL, 0, 0, NULL, NULL,
	NULL, "version of the privacy text that was agreed to"},
    {"consent_at", CT_T_TIME, A(consent_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was agreed to"},
    {"created_at", CT_T_TIME, A(created_at), 0, 0, 0, NULL, NULL, NULL,
	"when the account was made"},
    {"last_login_at", CT_T_TIME, A(last_login_at), NIL, 0, 0, NULL, NULL, NULL,
	"last log-in"},
};
static const struct ct_fields profile_fields =
    CT_FIELDS("account", struct ct_export_account, profile_rows);
static const struct ct_stmt profile = {"export_account", CT_OWNED, CT_READ, "u",
    &profile_fields,
    "select a.id, a.email::text as email, a.first_name, a.last_name,"
    " a.email_verified_at, a.consent_version, a.consent_at, a.created_at,"
    " a.last_login_at from account a where a.id = $1"};

static const struct ct_stmt preferences = {"export_preferences", CT_OWNED,
    CT_READ, "u", &ct_preference_fields,
    "select p.language, p.volume_unit, p.theme, p.notify_reminders,"
    " p.notify_alerts, p.notify_reports from account_preference p"
    " where p.account_id = $1"};

#define R(m) offsetof(struct ct_report, m)
static const struct ct_field report_rows[] = {
    {"id", CT_T_UUID, R(id), 0, 0, 0, NULL, NULL, NULL, "key"},
    {"cat_id", CT_T_UUID, R(cat_id), NIL, 0, 0, NULL, NULL, NULL,
	"the cat; empty: about the account"},
    {"kind", CT_T_TEXT, R(kind), 0, 0, 0, NULL, NULL, NULL, "what it lists"},
    {"format", CT_T_TEXT, R(format), 0, 0, 0, NULL, NULL, NULL,
	"format of its file"},
    {"date_from", CT_T_DAY, R(from_day), NIL, 0, 0, NULL, NULL, NULL,
	"first care day; empty: all"},
    {"date_to", CT_T_DAY, R(to_day), NIL, 0, 0, NULL, NULL, NULL,
	"last care day; empty: all"},
    {"state", CT_T_TEXT, R(state), 0, 0, 0, NULL, NULL, NULL,
	"queued, running, ready or failed"},
    {"row_count", CT_T_INT, R(row_count), NIL, 0, 0, NULL, NULL, NULL,
	"rows in it"},
    {"byte_count", CT_T_INT, R(byte_count), NIL, 0, 0, NULL, NULL, "bytes",
	"size of its file"},
    {"created_at", CT_T_TIME, R(created_at), 0, 0, 0, NULL, NULL, NULL,
	"when it was asked for"},
    {"finished_at", CT_T_TIME, R(finished_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was ready"},
    {"expires_at", CT_T_TIME, R(expires_at), NIL, 0, 0, NULL, NULL, NULL,
	"its file is kept until then"},
};
static const struct ct_fields report_fields =
    CT_FIELDS("report", struct ct_report, report_rows);
static const struct ct_stmt reports = {"export_reports", CT_OWNED, CT_READ, "u",
    &report_fields,
    "select r.id, r.cat_id, r.kind, r.format, r.date_from, r.date_to, r.state,"
    " r.row_count, r.byte_count, r.created_at, r.finished_at, r.expires_at"
    " from report r where r.account_id = $1 order by r.created_at, r.id"};

static const struct ct_stmt schedules = {"export_schedules", CT_OWNED, CT_READ,
    "u", &ct_report_schedule_fields,
    "select s.id, s.cat_id, s.kind, s.format, s.weekday, s.hour, s.timezone,"
    " s.enabled, s.next_at, s.last_at, s.created_at,"
    " a.email_verified_at is not null as deliverable from report_schedule s"
    " join account a on a.id = s.account_id where s.account_id = $1"
    " order by s.created_at, s.id"};

static const struct ct_stmt tokens = {"export_tokens", CT_OWNED, CT_READ, "u",
    &ct_api_token_fields,
    "select t.id, t.name, t.scope, t.cat_id, t.created_at, t.expires_at,"
    " t.used_at, t.revoked_at from api_token t where t.account_id = $1"
    " order by t.created_at, t.id"};

/* Its events as words for people, in place of bits. */
struct webhook {
	struct ct_webhook w;
	struct ct_str events;
};
#define W(m) offsetof(struct webhook, m)
static const struct ct_field webhook_rows[] = {
    {"id", CT_T_UUID, W(w.id), 0, 0, 0, NULL, NULL, NULL, "key"},
    {"cat_id", CT_T_UUID, W(w.cat), 0, 0, 0, NULL, NULL, NULL, "the cat"},
    {"url", CT_T_TEXT, W(w.url), 0, 0, 0, NULL, NULL, NULL, "where to"},
    {"events", CT_T_TEXT, W(events), 0, 0, 0, NULL, NULL, NULL, "which ones"},
    {"enabled", CT_T_BOOL, W(w.enabled), 0, 0, 0, NULL, NULL, NULL,
	"false: nothing is sent"},
    {"created_at", CT_T_TIME, W(w.created_at), 0, 0, 0, NULL, NULL, NULL,
	"when it was made"},
};
static const struct ct_fields webhook_fields =
    CT_FIELDS("webhook", struct webhook, webhook_rows);
_Static_assert(sizeof(struct webhook) <= CT_ENTRY_MAX, "a webhook fits");
static const struct ct_stmt webhooks = {"export_webhooks", CT_OWNED, CT_READ,
    "u", &ct_webhook_fields,
    "select w.id, w.cat_id, w.url, w.events, w.enabled, w.disabled_why,"
    " w.failures, w.last_at, w.last_status, w.last_error, w.created_at,"
    " w.key_id from webhook w where w.account_id = $1"
    " order by w.created_at, w.id"};

#define V(m) offsetof(struct ct_audit, m)
#define AUDIT_WHAT                                                             \
	{"at", CT_T_TIME, V(at), 0, 0, 0, NULL, NULL, NULL, "when"},           \
	    {"action", CT_T_TEXT, V(action), 0, 0, 0, NULL, NULL, NULL,        \
		"what was done"},                                              \
	    {"noun", CT_T_TEXT, V(noun), 0, 0, 0, NULL, NULL, NULL,            \
		"to what kind of thing"},                                      \
	{                                                                      \
		"noun_id", CT_T_UUID, V(noun_id), NIL, 0, 0, NULL, NULL, NULL, \
		    "to which one"                                             \
	}
static const struct ct_field account_audit_rows[] = {AUDIT_WHAT, BY_ME};
static const struct ct_fields account_audit_fields =
    CT_FIELDS("audit", struct ct_archive_row, account_audit_rows);
#define AUDIT_COLS                                                             \
	"select v.at, v.account_id as by_account,"                             \
	" coalesce(b.first_name, '') as by_name, v.action, v.noun, v.noun_id," \
	" v.before from audit_event v left join account b"                     \
	" on b.id = v.account_id"
static const struct ct_stmt account_audit = {"export_account_audit", CT_OWNED,
    CT_READ, "u", &ct_audit_fields,
    AUDIT_COLS " where v.cat_id is null and (v.account_id = $1"
	       " or (v.noun = 'account' and v.noun_id = $1)) order by v.id"};

/* ------------------------------------------------------------ a cat */

/* account, cat */
static const struct ct_stmt cat_profile = {"export_cat", CT_OWNED, CT_READ,
    "uu", &ct_cat_fields,
    "select c.id, c.name, c.breed, c.sex, c.birth_year, c.age_years,"
    " c.weight_g, c.timezone, to_char(c.day_start, 'HH24:MI') as day_start,"
    " c.conditions, c.diet, c.tube_placed_on, c.tube_size_fr,"
    " c.tube_mark_mcm, c.vet_name, c.vet_phone, c.vet_email,"
    " c.emergency_name, c.emergency_phone, c.version, c.created_at,"
    " c.updated_at, 'owner' as role, m.role as my_role, false as is_default"
    " from cat c join cat_member m on m.cat_id = c.id and m.account_id = $1"
    " and m.role >= 4 where c.id = $2"};

#define M(m) offsetof(struct ct_member, m)
static const struct ct_field member_rows[] = {
    {"name", CT_T_TEXT, M(name), 0, 0, 0, NULL, NULL, NULL, "first name"},
    {"role", CT_T_TEXT, M(role), 0, 0, 0, NULL, NULL, NULL,
	"viewer, helper, caregiver or owner"},
    {"since", CT_T_TIME, M(since), 0, 0, 0, NULL, NULL, NULL, "member since"},
    {"is_me", CT_T_BOOL, M(is_me), 0, 0, 0, NULL, NULL, NULL,
	"it is the account of the archive itself"},
};
static const struct ct_fields member_fields =
    CT_FIELDS("member", struct ct_member, member_rows);
static const struct ct_stmt members = {"export_members", CT_OWNED, CT_READ,
    "uu", &member_fields,
    "select b.first_name as name, " CT_ROLE_SQL(
	"t.role") " as role, t.created_at as since, t.account_id = $1 as is_me"
		  " from cat_member m join cat_member t on t.cat_id = m.cat_id"
		  " join account b on b.id = t.account_id"
		  " where m.account_id = $1 and m.role >= 4 and m.cat_id = $2"
		  " order by t.role desc, t.created_at, t.account_id"};

#define T(m) offsetof(struct ct_target, m)
static const struct ct_field target_rows[] = {
    {"effective_from", CT_T_DAY, T(from_day), CT_F_REQUIRED, 0, 0, NULL, NULL,
	NULL, "first care day for which it holds"},
    {"daily_target_ml", CT_T_VOLUME, T(amount_ul), CT_F_REQUIRED, 1,
	CT_TARGET_MAX_UL, "amount_ul", NULL, "mL",
	"what the cat is to get on a day"},
    {"created_at", CT_T_TIME, T(created_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was set"},
    {"by_name", CT_T_TEXT, T(by_name), NIL, 0, BY_NAME_MAX, NULL, NULL, NULL,
	"first name of who set it"},
    BY_ME,
};
static const struct ct_fields target_fields =
    CT_FIELDS("target", struct ct_archive_row, target_rows);
static const struct ct_stmt targets = {"export_targets", CT_OWNED, CT_READ,
    "uu", &ct_target_fields,
    "select t.effective_from, t.amount_ul, t.by_account,"
    " coalesce(b.first_name, '') as by_name, t.created_at from daily_target t"
    " join cat_member m on m.cat_id = t.cat_id and m.account_id = $1"
    " and m.role >= 4 left join account b on b.id = t.by_account"
    " where t.cat_id = $2 order by t.effective_from"};

static const struct ct_field cat_audit_rows[] = {
    AUDIT_WHAT,
    {"by_name", CT_T_TEXT, V(by_name), 0, 0, 0, NULL, NULL, NULL,
	"first name of who did it"},
    BY_ME,
    {"before", CT_T_JSON, V(before), NIL, 0, 0, NULL, NULL, NULL,
	"the values before, in the units of the noun's own file"},
};
static const struct ct_fields cat_audit_fields =
    CT_FIELDS("audit", struct ct_archive_row, cat_audit_rows);
static const struct ct_stmt cat_audit = {"export_cat_audit", CT_OWNED, CT_READ,
    "uu", &ct_audit_fields,
    AUDIT_COLS " join cat_member m on m.cat_id = v.cat_id and m.account_id = $1"
	       " and m.role >= 4 where v.cat_id = $2 order by v.id"};

static const struct ct_stmt cats = {"export_cats", CT_OWNED, CT_READ, "u", NULL,
    "select c.id, c.name from cat c join cat_member m on m.cat_id = c.id"
    " and m.account_id = $1 and m.role >= 4"
    " order by m.created_at, c.id limit 1000"};

/*
 * account, report, kind, format, most open, task, queue, kwargs.
 * One row comes back: how many exports are under way, and was it written.
 */
static const struct ct_stmt add = {"export_add", CT_OWNED, CT_WRITE, "uuttittj",
    NULL,
    "with o as (select count(*) as n, count(*) filter (where r.kind = $3)"
    " as same from report r where r.account_id = $1"
    " and r.state in ('queued', 'running')),"
    " r as (insert into report (id, account_id, kind, format)"
    " select $2, a.id, $3, $4 from account a, o where a.id = $1"
    " and o.n < $5 and o.same = 0 returning id),"
    " j as (insert into job_outbox (id, task, queue, kwargs)"
    " select id, $6, $7, $8 from r)"
    " select o.same, exists (select from r) as written from o"};

/* report, job, attempt, blob, rows, bytes, seconds kept, task */
static const struct ct_stmt finish = {"export_finish", CT_GLOBAL, CT_WRITE,
    "uuitiiit", NULL,
    "with r as (update report set state = 'ready', blob = $4,"
    " rows_done = $5, row_count = $5, byte_count = $6, error = null,"
    " finished_at = now(), expires_at = now() + make_interval("
    "secs => $7) where id = $1 and state <> 'ready'),"
    " o as (update job_outbox set state = 'done', done_at = now()"
    " where id in ($1, $2) and state <> 'done'),"
    " j as (insert into job_run (job_id, task, attempt, result)"
    " values ($2, $8, $3, jsonb_build_object("
    "'report_id', $1, 'rows', $5, 'bytes', $6))"
    " on conflict (job_id) do nothing)"
    " select id from report where id = $1"};

const struct ct_stmt *const ct_export_stmts[] = {&profile, &preferences,
    &reports, &schedules, &tokens, &webhooks, &account_audit, &cat_profile,
    &members, &targets, &cat_audit, &cats, &add, &finish, NULL};

/* ------------------------------------------------------------ tables */

static bool
is_one_of(const char *name, const char *const *list)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list;
}

/*
 * Of a noun's own table what an archive has: what can be written, and of what
 * cannot: when and by whom. What follows from the rest is left out.
 */
static bool
is_archived(const struct ct_field *f)
{
	static const char *const kept[] = {"id", "care_day", "created_at",
	    "updated_at", "deleted_at", "by_name", NULL};

	if (f->flags & CT_F_NOROW)
		return false;
	if (f->flags & (CT_F_READONLY | CT_F_HIDDEN))
		return is_one_of(f->name, kept);
	return true;
}

static struct ct_field
archived(const struct ct_field *f)
{
	static const char *const needed[] = {"id", "time_given", NULL};
	static const char *const stamps[] = {
	    "cat_id", "care_day", "created_at", "updated_at", "by_name", NULL};
	struct ct_field out = *f;

	out.flags &= CT_F_REQUIRED | CT_F_NULLABLE;
	if (is_one_of(f->name, needed))
		out.flags |= CT_F_REQUIRED;
	/* An archive made by hand may lack them. */
	if (is_one_of(f->name, stamps))
		out.flags |= CT_F_NULLABLE;
	if (strcmp(f->name, "by_name") == 0)
		out.max = BY_NAME_MAX;
	/* Old cats may have no name. */
	if (strcmp(f->name, "name") == 0) {
		out.flags &= (uint16_t)~CT_F_REQUIRED;
		out.min = 0;
	}
	return out;
}

static const struct ct_fields *
archived_table(struct ct_arena *a, const struct ct_fields *of, bool by)
{
	static const struct ct_field by_me = BY_ME;
	struct ct_fields *out = ct_arena_alloc(a, sizeof(*out));
	struct ct_field *f = ct_arena_alloc(a, (of->n + 1) * sizeof(*f));
	size_t n = 0;

	for (size_t i = 0; i < of->n; i++) {
		if (is_archived(&of->f[i]))
			f[n++] = archived(&of->f[i]);
	}
	if (by)
		f[n++] = by_me;
	*out =
	    (struct ct_fields){of->noun, f, n, sizeof(struct ct_archive_row)};
	return out;
}

static void
fix_entry(CT_UNUSED struct ct_arena *a, const struct ct_uuid *account,
    struct ct_archive_row *row)
{
	const struct ct_entry *e = (const void *)row->obj;

	row->by_me = ct_uuid_eq(&e->by_account, account);
}

static void
fix_target(CT_UNUSED struct ct_arena *a, const struct ct_uuid *account,
    struct ct_archive_row *row)
{
	const struct ct_target *t = (const void *)row->obj;

	row->by_me = ct_uuid_eq(&t->by_account, account);
}

static void
fix_audit(struct ct_arena *a, const struct ct_uuid *account,
    struct ct_archive_row *row)
{
	struct ct_audit *v = (void *)row->obj;

	row->by_me = ct_uuid_eq(&v->by_account, account);
	v->before = ct_audit_before(a, v);
}

static void
fix_webhook(struct ct_arena *a, CT_UNUSED const struct ct_uuid *account,
    struct ct_archive_row *row)
{
	struct webhook *w = (void *)row->obj;
	struct ct_buf b;

	ct_buf_init(&b, a, 128);
	for (int i = 0; ct_webhook_events[i]; i++) {
		if (!(w->w.events >> i & 1))
			continue;
		if (b.n > 0)
			ct_buf_addc(&b, ' ');
		ct_buf_adds(&b, ct_webhook_events[i]);
	}
	w->events = ct_buf_str(&b);
}

static const struct ct_archive_noun of_account[] = {
    {"profile", "the account", &profile, &profile_fields, NULL, false, NULL},
    {"preferences", "settings of the app; empty: never changed", &preferences,
	&ct_preference_fields, NULL, true, NULL},
    {"reports", "reports that were asked for", &reports, &report_fields, NULL,
	false, NULL},
    {"report_schedules", "reports that come by mail", &schedules,
	&ct_report_schedule_fields, NULL, false, NULL},
    {"tokens", "API tokens, without their texts", &tokens, &ct_api_token_fields,
	NULL, false, NULL},
    {"webhooks", "addresses that are told of events, without their secrets",
	&webhooks, &webhook_fields, NULL, false, fix_webhook},
    {"audit", "what was done to the account, and by it where no cat is meant",
	&account_audit, &account_audit_fields, NULL, false, fix_audit},
};
/* Before the entries, and after them. */
static const struct ct_archive_noun first_of_cat[] = {
    {"profile", "the cat", &cat_profile, NULL, NULL, true, NULL},
    {"members", "who takes care of the cat", &members, &member_fields, NULL,
	false, NULL},
    {"targets", "daily targets, each from its day on", &targets, &target_fields,
	NULL, true, fix_target},
};
static const struct ct_archive_noun last_of_cat = {"audit",
    "who changed or deleted what, with the values before", &cat_audit,
    &cat_audit_fields, NULL, false, fix_audit};

static struct ct_archive_noun
entries_of(struct ct_arena *a, const struct ct_entry_kind *k)
{
	return (struct ct_archive_noun){k->name,
	    "entries; one with deleted_at was deleted and can be restored "
	    "for some time",
	    k->stmts[CT_E_ALL], archived_table(a, k->fields, true), k, true,
	    fix_entry};
}

const struct ct_archive_nouns *
ct_archive_nouns(struct ct_arena *a)
{
	struct ct_archive_nouns *out = ct_arena_alloc(a, sizeof(*out));

	memcpy(out->of_account, of_account, sizeof(of_account));
	out->n_account = ct_countof(of_account);
	memcpy(out->of_cat, first_of_cat, sizeof(first_of_cat));
	out->n_cat = ct_countof(first_of_cat);
	out->of_cat[0].fields = archived_table(a, &ct_cat_fields, false);
	for (size_t i = 0; ct_entry_kinds[i]; i++) {
		if (out->n_cat == CT_ARCHIVE_NOUNS_MAX - 1)
			ct_bug("raise CT_ARCHIVE_NOUNS_MAX");
		out->of_cat[out->n_cat++] = entries_of(a, ct_entry_kinds[i]);
	}
	out->of_cat[out->n_cat++] = last_of_cat;
	return out;
}

/* ------------------------------------------------------------ calls */

enum ct_rc
ct_export_add(struct ct_pg *pg, struct ct_arena *a, const struct ct_report *in,
    int64_t max_open, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &in->account_id);
	ct_p_uuid(&p, &in->id);
	ct_p_text(&p, CT_STR(CT_EXPORT_KIND));
	ct_p_text(&p, CT_STR(CT_EXPORT_FORMAT));
	ct_p_i64(&p, max_open);
	ct_p_text(&p, CT_STR(CT_EXPORT_TASK));
	ct_p_text(&p, CT_STR(CT_REPORT_QUEUE));
	ct_p_json(&p, ct_report_kwargs(a, &in->id));
	if (ct_pg_run_locked(pg, ct_uuid_key64(&in->account_id), &add, &p, a,
		&r, err) != CT_OK)
		return err->rc;
	if (ct_res_bool(r, 0, ct_res_col(r, "written")))
		return CT_OK;
	if (ct_res_i64(r, 0, ct_res_col(r, "same")) > 0)
		return ct_fail(err, CT_CONFLICT, "busy",
		    "An export is being made already; wait for it.");
	return ct_fail(err, CT_LIMITED, "too_many_open",
	    "You have %lld unfinished reports; wait for one.",
	    (long long)max_open);
}

enum ct_rc
ct_export_cats(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_cat **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &cats, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_rows(r);
	*out = ct_arena_alloc(a, (size_t)*n * sizeof(**out) + 1);
	for (int i = 0; i < *n; i++) {
		(*out)[i].id = ct_res_uuid(r, i, 0);
		(*out)[i].name = ct_res_str(r, i, 1);
	}
	return CT_OK;
}

enum ct_rc
ct_export_finish(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const struct ct_uuid *job, int64_t attempt, struct ct_str blob,
    int64_t rows, int64_t bytes, int64_t ttl_s, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_uuid(&p, job);
	ct_p_i64(&p, attempt);
	ct_p_text(&p, blob);
	ct_p_i64(&p, rows);
	ct_p_i64(&p, bytes);
	ct_p_i64(&p, ttl_s);
	ct_p_text(&p, CT_STR(CT_EXPORT_TASK));
	if (ct_pg_run(pg, &finish, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 0 ? ct_report_missing(err) : CT_OK;
}
