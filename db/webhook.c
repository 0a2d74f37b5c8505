/* Webhooks and their deliveries; see webhook.h. */
#include "db/webhook.h"

#include <string.h>

#define OUT CT_F_READONLY
#define NIL CT_F_NULLABLE
/* A webhook is switched off after so many failures in a row, for a day. */
#define OFF_FAILURES "5"
#define OFF_AFTER    "interval '24 hours'"

const char *const ct_webhook_events[] = {"entry.added", "entry.changed",
    "entry.deleted", "entry.restored", "report.ready", NULL};

const char *
ct_webhook_event_name(int64_t bit)
{
	for (unsigned i = 0; ct_webhook_events[i]; i++) {
		if (bit == INT64_C(1) << i)
			return ct_webhook_events[i];
	}
	return "test";
}

#define AT(m) offsetof(struct ct_webhook, m)
static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "key"},
    {"cat_id", CT_T_UUID, AT(cat), CT_F_CREATE, 0, 0, NULL, NULL, NULL,
	"the cat; left out: the account's default cat"},
    {"url", CT_T_TEXT, AT(url), CT_F_REQUIRED, 1, 2000, NULL, NULL, NULL,
	"where to: https://host[:port]/path"},
    {"events", CT_T_SET, AT(events), 0, 1, 0, NULL, ct_webhook_events, NULL,
	"which ones; left out: all"},
    {"enabled", CT_T_BOOL, AT(enabled), 0, 0, 0, NULL, NULL, NULL,
	"false: nothing is sent"},
    {"disabled_why", CT_T_TEXT, AT(disabled_why), OUT | NIL, 0, 0, NULL, NULL,
	NULL, "why the service switched it off"},
    {"failures", CT_T_INT, AT(failures), OUT, 0, 0, NULL, NULL, NULL,
	"tries in a row that failed"},
    {"last_at", CT_T_TIME, AT(last_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"last try"},
    {"last_status", CT_T_INT, AT(last_status), OUT | NIL, 0, 0, NULL, NULL,
	NULL, "HTTP status of its answer"},
    {"last_error", CT_T_TEXT, AT(last_error), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"why it failed"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was made"},
    {"key_id", CT_T_UUID, AT(key), OUT | CT_F_HIDDEN, 0, 0, NULL, NULL, NULL,
	"what the secret is made of"},
};
const struct ct_fields ct_webhook_fields =
    CT_FIELDS("webhook", struct ct_webhook, fields);
#undef AT
#define AT(m) offsetof(struct ct_delivery, m)
static const struct ct_field delivery_fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL,
	"webhook-id of the request"},
    {"event", CT_T_INT, AT(event), OUT | CT_F_HIDDEN, 0, 0, NULL, NULL, NULL,
	"bit"},
    {"noun", CT_T_TEXT, AT(noun), OUT, 0, 0, NULL, NULL, NULL,
	"of what kind it is"},
    {"noun_id", CT_T_UUID, AT(noun_id), OUT, 0, 0, NULL, NULL, NULL, "its id"},
    {"version", CT_T_INT, AT(version), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"its version when that happened"},
    {"state", CT_T_TEXT, AT(state), OUT, 0, 0, NULL, NULL, NULL,
	"pending, sent, failed or dropped"},
    {"attempts", CT_T_INT, AT(attempts), OUT, 0, 0, NULL, NULL, NULL, "tries"},
    {"status", CT_T_INT, AT(status), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"HTTP status of the last answer"},
    {"error", CT_T_TEXT, AT(error), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"why the last try failed"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it happened"},
    {"done_at", CT_T_TIME, AT(done_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"when it ended"},
};
const struct ct_fields ct_delivery_fields =
    CT_FIELDS("delivery", struct ct_delivery, delivery_fields);

#define COLS                                                                   \
	"w.id, w.cat_id, w.url, w.events, w.enabled, w.disabled_why,"          \
	" w.failures, w.last_at, w.last_status, w.last_error, w.created_at,"   \
	" w.key_id"
#define DELIVERY                                                               \
	"d.id, d.event, d.noun, d.noun_id, d.version, d.state, d.attempts,"    \
	" d.status, d.error, d.created_at, d.done_at"
#define MINE " w.account_id = $1 and w.id = $2"

/* account, cat, id, url, events, enabled, key, most */
static const struct ct_stmt add = {"webhook_add", CT_OWNED, CT_WRITE,
    "uuutibui", &ct_webhook_fields,
    "with m as (select m.cat_id from cat_member m where m.account_id = $1"
    " and m.cat_id = $2), n as (select count(*) as n from webhook o"
    " where o.account_id = $1), w as (insert into webhook (id, account_id,"
    " cat_id, url, events, enabled, key_id) select $3, $1, m.cat_id, $4, $5,"
    " $6, $7 from m, n where n.n < $8 returning *)"
    " select exists (select from m) as member, w.id is not null as made, " COLS
    " from n left join w on true"};
static const struct ct_stmt list = {"webhook_list", CT_OWNED, CT_READ, "u",
    &ct_webhook_fields,
    "select " COLS " from webhook w where w.account_id = $1"
    " order by w.created_at desc, w.id desc limit 200"};
static const struct ct_stmt get = {"webhook_get", CT_OWNED, CT_READ, "uu",
    &ct_webhook_fields, "select " COLS " from webhook w where" MINE};

/* What is given says that the past is no guide: begin anew. */
#define FRESH "(w.url <> $3 or $5 and not w.enabled)"
/* account, id, url, events, enabled, key */
static const struct ct_stmt update = {"webhook_update", CT_OWNED, CT_WRITE,
    "uutibu", &ct_webhook_fields,
    "update webhook w set url = $3, events = $4, enabled = $5, key_id = $6,"
    " failures = case when " FRESH " then 0 else w.failures end,"
    " failing_since = case when " FRESH " then null else w.failing_since end,"
    " hold_until = case when " FRESH " then null else w.hold_until end,"
    " disabled_why = case when $5 then null else w.disabled_why end,"
    " updated_at = now() where" MINE " returning " COLS};
static const struct ct_stmt remove_one = {"webhook_remove", CT_OWNED, CT_WRITE,
    "uu", NULL,
    "with w as (select w.id from webhook w where" MINE "),"
    " o as (delete from job_outbox o using webhook_delivery d, w"
    " where d.webhook_id = w.id and o.id = d.id)"
    " delete from webhook x using w where x.id = w.id returning x.id"};
/* account, id, delivery, task */
static const struct ct_stmt test = {"webhook_test", CT_OWNED, CT_WRITE, "uuut",
    NULL,
    "with d as (insert into webhook_delivery (id, webhook_id, event, noun,"
    " noun_id) select $3, w.id, 0, 'webhook', w.id from webhook w where" MINE
    " and (select count(*) from webhook_delivery o where o.webhook_id = w.id"
    " and o.state = 'pending') < 1000 returning id)"
    " insert into job_outbox (id, task, queue, kwargs) select d.id, $4,"
    " 'default', jsonb_build_object('delivery_id', d.id) from d"
    " returning id"};
static const struct ct_stmt deliveries = {"webhook_deliveries", CT_OWNED,
    CT_READ, "uu", &ct_delivery_fields,
    "select " DELIVERY " from webhook w join webhook_delivery d"
    " on d.webhook_id = w.id where" MINE
    " order by d.created_at desc, d.id desc limit 100"};

static const struct ct_stmt start = {"delivery_start", CT_GLOBAL, CT_READ, "u",
    &ct_delivery_fields,
    "select " DELIVERY ", w.id as webhook, w.account_id, w.cat_id, w.key_id,"
    " w.url, w.enabled and a.status = 'active' as active, w.failures,"
    " greatest(0, coalesce((extract(epoch from w.hold_until - now()) * 1000)"
    "::bigint, 0)) as hold_ms,"
    " extract(epoch from now() - d.created_at)::bigint as age_s"
    " from webhook_delivery d join webhook w on w.id = d.webhook_id"
    " join account a on a.id = w.account_id where d.id = $1"};

#define DONE                                                                   \
	" o as (update job_outbox set state = 'done', done_at = now()"         \
	" where id = $1 and state <> 'done' and $2 <> 'pending'),"             \
	" j as (insert into job_run (job_id, task, attempt, result)"           \
	" select $1, 'webhook.send', $4, jsonb_build_object('state', $2)"      \
	" where $2 <> 'pending' on conflict (job_id) do nothing)"

/* id, state, why, attempt */
static const struct ct_stmt drop = {"delivery_drop", CT_GLOBAL, CT_WRITE,
    "utti", NULL,
    "with " DONE " update webhook_delivery set state = $2, error = $3,"
    " done_at = now() where id = $1 and state = 'pending'"};

/* The failure of $5 that is one too many; of the old row. */
#define OFF                                                                    \
	"(not $5 and ($6 or old.failures + 1 >= " OFF_FAILURES                 \
	" and coalesce(old.failing_since < now() - " OFF_AFTER ", false)))"
/* id, state, why, attempt, ok, gone, status, hold in s */
static const struct ct_stmt tried = {"delivery_tried", CT_GLOBAL, CT_WRITE,
    "uttibbii", NULL,
    "with d as (update webhook_delivery set state = $2, error = $3,"
    " status = $7, attempts = attempts + 1,"
    " done_at = case when $2 <> 'pending' then now() end"
    " where id = $1 and state = 'pending' returning webhook_id),"
    " old as (select w.* from webhook w join d on d.webhook_id = w.id"
    " for no key update of w),"
    " w as (update webhook w set last_at = now(), last_status = $7,"
    " last_error = $3,"
    " failures = case when $5 then 0 else old.failures + 1 end,"
    " failing_since = case when not $5 then"
    " coalesce(old.failing_since, now()) end,"
    " hold_until = case when not $5 then now() + make_interval(secs => $8)"
    " end, enabled = old.enabled and not " OFF ","
    " disabled_why = case when " OFF " then $3 else old.disabled_why end"
    " from old where w.id = old.id returning w.id)," DONE
    " select old.enabled and " OFF " as off, a.email::text as email,"
    " a.first_name from old join account a on a.id = old.account_id"};
const struct ct_stmt ct_delivery_purge = {"delivery_purge", CT_GLOBAL, CT_WRITE,
    "i", NULL,
    "with gone as (delete from webhook_delivery d using (select o.id"
    " from webhook_delivery o where o.created_at < now() - interval '30 days'"
    " and o.state <> 'pending' limit $1 for update skip locked) o"
    " where d.id = o.id returning 1) select count(*) from gone"};

const struct ct_stmt *const ct_webhook_stmts[] = {&add, &list, &get, &update,
    &remove_one, &test, &deliveries, &start, &drop, &tried, &ct_delivery_purge,
    NULL};

static enum ct_rc
missing(struct ct_err *err)
{
	return ct_fail(err, CT_NOTFOUND, NULL, "There is no such webhook.");
}

static void
key(struct ct_params *p, struct ct_arena *a, const struct ct_uuid *account,
    const struct ct_uuid *id)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_uuid(p, id);
}

enum ct_rc
ct_webhook_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t most, struct ct_webhook *in,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, &in->cat);
	ct_p_uuid(&p, &in->id);
	ct_p_text(&p, in->url);
	ct_p_i64(&p, in->events);
	ct_p_bool(&p, in->enabled);
	ct_p_uuid(&p, &in->key);
	ct_p_i64(&p, most);
	/* Locked, or several at once would all see one place left. */
	if (ct_pg_run_locked(
		pg, ct_uuid_key64(account), &add, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (!ct_res_bool(r, 0, ct_res_col(r, "member")))
		return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
	if (!ct_res_bool(r, 0, ct_res_col(r, "made")))
		return ct_fail(err, CT_CONFLICT, "too_many",
		    "An account can have %lld webhooks; remove one first.",
		    (long long)most);
	ct_res_get(r, 0, &ct_webhook_fields, in);
	return CT_OK;
}

enum ct_rc
ct_webhook_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_webhook **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_webhook_fields, a, n);
	return CT_OK;
}

/* A statement about one webhook; no row: there is none. */
static enum ct_rc
one(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_params *p, const struct ct_res **r, struct ct_err *err)
{
	if (ct_pg_run(pg, st, p, a, r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(*r) == 0 ? missing(err) : CT_OK;
}

enum ct_rc
ct_webhook_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_webhook *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	if (one(pg, a, &get, &p, &r, err) != CT_OK)
		return err->rc;
	ct_res_get(r, 0, &ct_webhook_fields, out);
	return CT_OK;
}

enum ct_rc
ct_webhook_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_webhook *w, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, &w->id);
	ct_p_text(&p, w->url);
	ct_p_i64(&p, w->events);
	ct_p_bool(&p, w->enabled);
	ct_p_uuid(&p, &w->key);
	if (one(pg, a, &update, &p, &r, err) != CT_OK)
		return err->rc;
	ct_res_get(r, 0, &ct_webhook_fields, w);
	return CT_OK;
}

enum ct_rc
ct_webhook_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, id);
	return one(pg, a, &remove_one, &p, &r, err);
}

enum ct_rc
ct_webhook_test(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_uuid *delivery, struct ct_err *err)
{
	struct ct_webhook w;
	struct ct_params p;
	const struct ct_res *r;

	*delivery = ct_uuid_new();
	key(&p, a, account, id);
	ct_p_uuid(&p, delivery);
	ct_p_text(&p, CT_STR(CT_WEBHOOK_TASK));
	if (ct_pg_run(pg, &test, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0)
		return CT_OK;
	if (ct_webhook_get(pg, a, account, id, &w, err) != CT_OK)
		return err->rc;
	return ct_fail(err, CT_LIMITED, "deliveries_open",
	    "%d deliveries of this webhook wait already.", CT_WEBHOOK_OPEN_MAX);
}

enum ct_rc
ct_delivery_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *webhook,
    struct ct_delivery **out, int *n, struct ct_err *err)
{
	struct ct_webhook w;
	struct ct_params p;
	const struct ct_res *r;

	key(&p, a, account, webhook);
	if (ct_pg_run(pg, &deliveries, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_delivery_fields, a, n);
	return *n > 0 ? CT_OK
		      : ct_webhook_get(pg, a, account, webhook, &w, err);
}

void
ct_webhook_secret(const struct ct_conf *conf, const struct ct_uuid *key_id,
    uint8_t out[CT_KEY])
{
	char purpose[64] = "webhook ";
	size_t n = strlen(purpose);

	ct_uuid_format(key_id, purpose + n);
	ct_derive_key(ct_str_of(conf->secret_key), ct_str_of(purpose), out);
}

struct ct_str
ct_webhook_secret_text(struct ct_arena *a, const uint8_t secret[CT_KEY])
{
	return ct_str_of(ct_arena_printf(
	    a, "whsec_%.*s", CT_STR_FMT(ct_base64(a, secret, CT_KEY))));
}

/* ------------------------------------------------ for the worker */

enum ct_rc
ct_delivery_start(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_send *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	if (one(pg, a, &start, &p, &r, err) != CT_OK)
		return err->rc;
	ct_res_get(r, 0, &ct_delivery_fields, &out->d);
	out->webhook = ct_res_uuid(r, 0, ct_res_col(r, "webhook"));
	out->account = ct_res_uuid(r, 0, ct_res_col(r, "account_id"));
	out->cat = ct_res_uuid(r, 0, ct_res_col(r, "cat_id"));
	out->key = ct_res_uuid(r, 0, ct_res_col(r, "key_id"));
	out->url = ct_res_str(r, 0, ct_res_col(r, "url"));
	out->active = ct_res_bool(r, 0, ct_res_col(r, "active"));
	out->failures = ct_res_i64(r, 0, ct_res_col(r, "failures"));
	out->hold_ms = ct_res_i64(r, 0, ct_res_col(r, "hold_ms"));
	out->age_s = ct_res_i64(r, 0, ct_res_col(r, "age_s"));
	return CT_OK;
}

enum ct_rc
ct_delivery_tried(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_sent *s,
    struct ct_webhook_off *out, struct ct_err *err)
{
	const char *state = s->ok ? "sent" : s->again ? "pending" : "failed";
	struct ct_params p;
	const struct ct_res *r;

	memset(out, 0, sizeof(*out));
	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(state));
	ct_p_text(&p, s->why);
	ct_p_i64(&p, s->job_attempt);
	ct_p_bool(&p, s->ok);
	ct_p_bool(&p, s->gone);
	ct_p_i64(&p, s->status);
	ct_p_i64(&p, s->hold_s);
	if (ct_pg_run(pg, &tried, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return CT_OK;
	out->off = ct_res_bool(r, 0, 0);
	out->email = ct_res_str(r, 0, 1);
	out->name = ct_res_str(r, 0, 2);
	return CT_OK;
}

enum ct_rc
ct_delivery_drop(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const char *state, struct ct_str why, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(state));
	ct_p_text(&p, why);
	ct_p_i64(&p, 0);
	return ct_pg_run(pg, &drop, &p, a, NULL, err);
}
