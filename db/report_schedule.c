/* Reports that come by mail; see report_schedule.h. */
#include "db/report_schedule.h"

#include "db/account.h"
#include "db/report.h"

static const char *const weekdays[] = {"monday", "tuesday", "wednesday",
    "thursday", "friday", "saturday", "sunday", NULL};

#define AT(m) offsetof(struct ct_report_schedule, m)
#define OUT   CT_F_READONLY
#define NIL   CT_F_NULLABLE

static const struct ct_field fields[] = {
    {"id", CT_T_UUID, AT(id), OUT, 0, 0, NULL, NULL, NULL, "key"},
    {"cat_id", CT_T_UUID, AT(cat_id), CT_F_CREATE, 0, 0, NULL, NULL, NULL,
	"the cat; left out: the default cat"},
    {"type", CT_T_ENUM, AT(kind), 0, 0, 0, "kind", ct_report_kinds, NULL,
	"what the report is about"},
    {"format", CT_T_ENUM, AT(format), 0, 0, 0, NULL, ct_report_formats, NULL,
	"of the file"},
    {"weekday", CT_T_ENUM, AT(weekday), CT_F_REQUIRED, 0, 0, NULL, weekdays,
	NULL, "day on which it comes"},
    {"hour", CT_T_INT, AT(hour), CT_F_REQUIRED, 0, 23, NULL, NULL, NULL,
	"hour at which it is made, within the quarter after it"},
    {"timezone", CT_T_TEXT, AT(timezone), NIL, 1, 64, NULL, NULL, NULL,
	"IANA zone of weekday and hour; null: the cat's"},
    {"enabled", CT_T_BOOL, AT(enabled), 0, 0, 0, NULL, NULL, NULL,
	"false: nothing is sent"},
    {"deliverable", CT_T_BOOL, AT(deliverable), OUT, 0, 0, NULL, NULL, NULL,
	"false: nothing is sent before the account's address is confirmed"},
    {"next_at", CT_T_TIME, AT(next_at), OUT, 0, 0, NULL, NULL, NULL,
	"when the next one is due"},
    {"last_at", CT_T_TIME, AT(last_at), OUT | NIL, 0, 0, NULL, NULL, NULL,
	"when the last one was due"},
    {"created_at", CT_T_TIME, AT(created_at), OUT, 0, 0, NULL, NULL, NULL,
	"when it was asked for"},
};
const struct ct_fields ct_report_schedule_fields =
    CT_FIELDS("report_schedule", struct ct_report_schedule, fields);

#define COLS                                                                   \
	"s.id, s.cat_id, s.kind, s.format, s.weekday, s.hour, s.timezone,"     \
	" s.enabled, s.next_at, s.last_at, s.created_at, (select"              \
	" a.email_verified_at is not null from account a"                      \
	" where a.id = s.account_id) as deliverable"
/* Who has left the cat's household has left its reports. */
#define MINE                                                                   \
	" s.account_id = $1 and exists (select from cat_member m"              \
	" where m.account_id = $1 and m.cat_id = s.cat_id) "
#define ISO(day)                                                               \
	"array_position(array['monday', 'tuesday', 'wednesday', 'thursday',"   \
	" 'friday', 'saturday', 'sunday'], " day ")"

/* account, cat, id, kind, format, weekday, hour, zone, enabled, most */
static const struct ct_stmt add = {"report_schedule_add", CT_OWNED, CT_WRITE,
    "uuutttitbi", &ct_report_schedule_fields,
    "with m as (select c.id, c.timezone from cat c join cat_member m"
    " on m.cat_id = c.id and m.account_id = $1 where c.id = $2),"
    " n as (select count(*) as n from report_schedule o"
    " where o.account_id = $1 and o.cat_id = $2),"
    " s as (insert into report_schedule (id, account_id, cat_id, kind, format,"
    " weekday, hour, timezone, enabled, next_at) select $3, $1, m.id, $4, $5,"
    " $6, $7, $8, $9, ct_next_weekly(now(), coalesce($8, m.timezone), " ISO(
	"$6") ", $7::int) from m, n where n.n < $10 returning *)"
	      " select exists (select from m) as member, s.id is not null as "
	      "made, " COLS " from (select) one left join s on true"};
static const struct ct_stmt list = {"report_schedule_list", CT_OWNED, CT_READ,
    "u", &ct_report_schedule_fields,
    "select " COLS " from report_schedule s where" MINE
    " order by s.created_at, s.id limit 200"};
static const struct ct_stmt get = {"report_schedule_get", CT_OWNED, CT_READ,
    "uu", &ct_report_schedule_fields,
    "select " COLS " from report_schedule s where" MINE " and s.id = $2"};
/* account, id, kind, format, weekday, hour, zone, enabled */
static const struct ct_stmt set = {"report_schedule_set", CT_OWNED, CT_WRITE,
    "uutttitb", &ct_report_schedule_fields,
    "update report_schedule s set kind = $3, format = $4, weekday = $5,"
    " hour = $6, timezone = $7, enabled = $8, next_at = case when"
    " (s.weekday, s.hour, s.timezone, s.enabled) is distinct from"
    " ($5, $6, $7, $8) then ct_next_weekly(now(), coalesce($7, "
    "c.timezone), " ISO("$5") ", $6::int) else s.next_at end from cat c"
			      " where c.id = s.cat_id and" MINE
			      " and s.id = $2 returning " COLS};
static const struct ct_stmt remove_one = {"report_schedule_remove", CT_OWNED,
    CT_WRITE, "uu", NULL,
    "delete from report_schedule s where" MINE " and s.id = $2 returning s.id"};

/*
 * most, task, queue. The last slot by now is that of the last week, or the one
 * that was waited for: weeks are an hour longer or shorter where clocks change.
 */
static const struct ct_stmt run = {"report_schedule_run", CT_GLOBAL, CT_WRITE,
    "itt", NULL,
    "with d as (select s.id, s.account_id, s.cat_id, s.kind, s.format,"
    " s.next_at, s.hour::int as hour, " ISO(
	"s.weekday") " as weekday,"
		     " coalesce(s.timezone, c.timezone) as zone, c.timezone, "
		     "c.day_start"
		     " from report_schedule s join cat c on c.id = s.cat_id "
		     "where s.enabled"
		     " and s.next_at <= now() order by s.next_at limit $1"
		     " for update of s skip locked),"
		     " k as (select d.*, case when l.at <= now() then "
		     "greatest(l.at, d.next_at)"
		     " else d.next_at end as slot from d cross join lateral "
		     "(select"
		     " ct_next_weekly(now() - interval '7 days', d.zone, "
		     "d.weekday, d.hour)"
		     " as at) l),"
		     " r as (insert into report (id, account_id, cat_id, kind, "
		     "format,"
		     " date_from, date_to, schedule_id, slot_at) select "
		     "gen_random_uuid(),"
		     " k.account_id, k.cat_id, k.kind, k.format, t.day - 7, "
		     "t.day - 1, k.id,"
		     " k.slot from k cross join lateral"
		     " (select ct_care_day(k.slot, k.timezone, k.day_start) as "
		     "day) t"
		     " where exists (select from cat_member m where m.cat_id = "
		     "k.cat_id"
		     " and m.account_id = k.account_id) and exists (select "
		     "from account a"
		     " where a.id = k.account_id and a.status = 'active'"
		     " and a.email_verified_at is not null)"
		     " on conflict (schedule_id, slot_at) where schedule_id is "
		     "not null"
		     " do nothing returning id, schedule_id),"
		     " o as (insert into job_outbox (id, task, queue, kwargs) "
		     "select r.id, $2,"
		     " $3, jsonb_build_object('report_id', r.id) from r),"
		     " n as (update report_schedule s set last_at = case when "
		     "exists (select"
		     " from r where r.schedule_id = s.id) then k.slot else "
		     "s.last_at end,"
		     " next_at = ct_next_weekly(now(), k.zone, k.weekday, "
		     "k.hour)"
		     " from k where s.id = k.id)"
		     " select (select count(*) from k), (select count(*) from "
		     "r)"};

static const struct ct_stmt file = {"report_file", CT_GLOBAL, CT_READ, "u",
    NULL,
    "select r.kind, r.format, coalesce(to_char(r.date_from, 'YYYY-MM-DD'), ''),"
    " coalesce(to_char(r.date_to, 'YYYY-MM-DD'), ''), r.blob, r.byte_count"
    " from report r where r.id = $1 and r.state = 'ready'"
    " and r.expires_at > now()"};

const struct ct_stmt *const ct_report_schedule_stmts[] = {
    &add, &list, &get, &set, &remove_one, &run, &file, NULL};

static enum ct_rc
missing(struct ct_err *err)
{
	return ct_fail(
	    err, CT_NOTFOUND, NULL, "There is no such schedule of a report.");
}

enum ct_rc
ct_report_schedule_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule *s,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &s->cat_id);
	ct_p_uuid(&p, &s->id);
	ct_p_text(&p, s->kind);
	ct_p_text(&p, ct_report_format(s->format));
	ct_p_text(&p, s->weekday);
	ct_p_i64(&p, s->hour);
	ct_p_text(&p, s->timezone);
	ct_p_bool(&p, s->enabled);
	ct_p_i64(&p, CT_REPORT_SCHEDULES_MAX);
	/* Locked, or requests at the same time would all see one place left. */
	if (ct_pg_run_locked(
		pg, ct_uuid_key64(account), &add, &p, a, &r, err) != CT_OK)
		return ct_zone_fault(err);
	if (!ct_res_bool(r, 0, ct_res_col(r, "member")))
		return ct_fail(err, CT_NOTFOUND, NULL, "There is no such cat.");
	if (!ct_res_bool(r, 0, ct_res_col(r, "made")))
		return ct_fail(err, CT_CONFLICT, "too_many",
		    "You have %d scheduled reports about this cat; delete one "
		    "first.",
		    CT_REPORT_SCHEDULES_MAX);
	ct_res_get(r, 0, &ct_report_schedule_fields, s);
	return CT_OK;
}

enum ct_rc
ct_report_schedule_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule **out, int *n,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &list, &p, a, &r, err) != CT_OK)
		return err->rc;
	*out = ct_res_all(r, &ct_report_schedule_fields, a, n);
	return CT_OK;
}

enum ct_rc
ct_report_schedule_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report_schedule *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return missing(err);
	ct_res_get(r, 0, &ct_report_schedule_fields, out);
	return CT_OK;
}

enum ct_rc
ct_report_schedule_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule *s,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, &s->id);
	ct_p_text(&p, s->kind);
	ct_p_text(&p, ct_report_format(s->format));
	ct_p_text(&p, s->weekday);
	ct_p_i64(&p, s->hour);
	ct_p_text(&p, s->timezone);
	ct_p_bool(&p, s->enabled);
	if (ct_pg_run(pg, &set, &p, a, &r, err) != CT_OK)
		return ct_zone_fault(err);
	if (ct_res_rows(r) == 0)
		return missing(err);
	ct_res_get(r, 0, &ct_report_schedule_fields, s);
	return CT_OK;
}

enum ct_rc
ct_report_schedule_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_uuid(&p, id);
	if (ct_pg_run(pg, &remove_one, &p, a, &r, err) != CT_OK)
		return err->rc;
	return ct_res_rows(r) == 0 ? missing(err) : CT_OK;
}

enum ct_rc
ct_report_schedule_run(struct ct_pg *pg, struct ct_arena *a, int64_t most,
    int64_t *due, int64_t *made, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_i64(&p, most);
	ct_p_text(&p, CT_STR(CT_REPORT_TASK));
	ct_p_text(&p, CT_STR(CT_REPORT_QUEUE));
	if (ct_pg_run(pg, &run, &p, a, &r, err) != CT_OK)
		return err->rc;
	*due = ct_res_i64(r, 0, 0);
	*made = ct_res_i64(r, 0, 1);
	return CT_OK;
}

enum ct_rc
ct_report_file(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *report, struct ct_report_file *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, report);
	if (ct_pg_run(pg, &file, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_report_missing(err);
	*out = (struct ct_report_file){
	    .kind = ct_res_str(r, 0, 0),
	    .format = ct_res_str(r, 0, 1),
	    .from = ct_res_str(r, 0, 2),
	    .to = ct_res_str(r, 0, 3),
	    .blob = ct_res_str(r, 0, 4),
	    .bytes = ct_res_i64(r, 0, 5),
	};
	return CT_OK;
}
