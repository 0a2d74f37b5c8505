/* The day: today, target, reset, history, statistics. */
#include "care/intake.h"
#include "db/tracker.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define TARGET_MAX_UL 2000000
#define DAYS_MAX      366

struct day_query {
	struct ct_uuid cat;
	int64_t days;
};
#define AT(m) offsetof(struct day_query, m)
static const struct ct_field query_rows[] = {
    {"cat_id", CT_T_UUID, AT(cat), 0, 0, 0, NULL, NULL, NULL,
	"the cat; left out: the default cat"},
    {"days", CT_T_INT, AT(days), 0, 1, DAYS_MAX, NULL, NULL, "days",
	"how many days back, today included"},
};
const struct ct_fields ct_days_query =
    CT_FIELDS("days", struct day_query, query_rows);
/* The same without `days`. */
const struct ct_fields ct_cat_query = {
    "today", query_rows, 1, sizeof(struct day_query)};

struct target_in {
	struct ct_uuid cat;
	int64_t target_ul;
};
static const struct ct_field target_rows[] = {
    {"cat_id", CT_T_UUID, offsetof(struct target_in, cat), 0, 0, 0, NULL, NULL,
	NULL, "the cat; left out: the default cat"},
    {"daily_target_ml", CT_T_VOLUME, offsetof(struct target_in, target_ul),
	CT_F_REQUIRED, 1, TARGET_MAX_UL, NULL, NULL, "mL",
	"target from today on"},
};
const struct ct_fields ct_target_in =
    CT_FIELDS("target", struct target_in, target_rows);
static const struct ct_field reset_rows[] = {
    {"cat_id", CT_T_UUID, offsetof(struct target_in, cat), 0, 0, 0, NULL, NULL,
	NULL, "the cat; left out: the default cat"},
    {"daily_target_ml", CT_T_VOLUME, offsetof(struct target_in, target_ul), 0,
	1, TARGET_MAX_UL, NULL, NULL, "mL",
	"target from today on; left out: as it is"},
};
const struct ct_fields ct_reset_in =
    CT_FIELDS("reset", struct target_in, reset_rows);

static enum ct_rc
read_days(struct ct_req *r, struct day_query *q, struct ct_err *err)
{
	if (ct_req_query(r, q, err) != CT_OK)
		return err->rc;
	return ct_req_cat(r, &q->cat, err);
}

CT_HANDLER(h_today)
{
	struct day_query q = {0};
	struct ct_tracker t;
	int64_t now = ct_now_us();

	if (read_days(r, &q, err) != CT_OK ||
	    ct_tracker_today(r->pg, r->a, &r->account, &q.cat, &t, err) !=
		CT_OK)
		return err->rc;
	ct_tracker_write(&t, now, ct_resp_json(r, 200));
	/* A cached answer must not outlive the day that it speaks of. */
	ct_req_keep(r, t.ends_at);
	return CT_OK;
}

/* {"message": …, "deleted_feedings": n if n >= 0, "tracker": {…}} */
static enum ct_rc
answer(struct ct_req *r, const struct ct_uuid *cat, const char *text,
    int64_t deleted, struct ct_err *err)
{
	struct ct_tracker t;
	struct ct_jw *w;

	if (ct_tracker_today(r->pg, r->a, &r->account, cat, &t, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	if (deleted >= 0) {
		ct_jw_key(w, "deleted_feedings");
		ct_jw_i64(w, deleted);
	}
	ct_jw_key(w, "tracker");
	ct_tracker_write(&t, ct_now_us(), w);
	ct_jw_end(w);
	return CT_OK;
}

static enum ct_rc
read_target(struct ct_req *r, struct target_in *in, struct ct_err *err)
{
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, in, &seen, err) != CT_OK ||
	    ct_req_cat(r, &in->cat, err) != CT_OK)
		return err->rc;
	ct_req_bump(r, &in->cat);
	return CT_OK;
}

CT_HANDLER(h_set_target)
{
	struct target_in in = {0};

	if (read_target(r, &in, err) != CT_OK ||
	    ct_tracker_set_target(
		r->pg, r->a, &r->account, &in.cat, in.target_ul, err) != CT_OK)
		return err->rc;
	return answer(r, &in.cat, "Daily target updated", -1, err);
}

CT_HANDLER(h_reset)
{
	struct target_in in = {.target_ul = CT_NULL_I64};
	int64_t n;

	if (read_target(r, &in, err) != CT_OK ||
	    ct_tracker_reset(r->pg, r->a, &r->account, &in.cat, in.target_ul,
		&n, err) != CT_OK)
		return err->rc;
	return answer(r, &in.cat,
	    "Today's meals were deleted; each can be restored for 30 days", n,
	    err);
}

CT_HANDLER(h_history)
{
	struct day_query q = {.days = 7};
	struct ct_tracker *t;
	struct ct_jw *w;
	int n;

	if (read_days(r, &q, err) != CT_OK ||
	    ct_tracker_history(
		r->pg, r->a, &r->account, &q.cat, q.days, &t, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "trackers");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		ct_tracker_write(&t[i], ct_now_us(), w);
	ct_jw_end(w);
	ct_jw_key(w, "total_count");
	ct_jw_i64(w, n);
	ct_jw_end(w);
	return CT_OK;
}

struct stats {
	int64_t days, completed, feedings, fed_ul;
};

/* Only days on which something was logged say anything about intake. */
static struct stats
stats_of(const struct ct_tracker *t, int n)
{
	struct stats s = {0};

	for (int i = 0; i < n; i++) {
		if (t[i].feedings == 0)
			continue;
		s.days++;
		s.completed += t[i].fed_ul >= t[i].target_ul;
		s.feedings += t[i].feedings;
		s.fed_ul += t[i].fed_ul;
	}
	return s;
}

/* a / b in thousandths, rounded half up to one decimal; 0 for b = 0. */
static int64_t
ratio(int64_t a, int64_t b)
{
	return b == 0 ? 0 : (a * 20 + b) / (2 * b) * 100;
}

CT_HANDLER(h_stats)
{
	struct day_query q = {.days = 30};
	struct ct_tracker *t;
	struct stats s;
	struct ct_jw *w;
	int n;

	if (read_days(r, &q, err) != CT_OK ||
	    ct_tracker_history(
		r->pg, r->a, &r->account, &q.cat, q.days, &t, &n, err) != CT_OK)
		return err->rc;
	s = stats_of(t, n);
	ct_req_keep(r, t[0].ends_at);
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "days");
	ct_jw_i64(w, n);
	ct_jw_key(w, "total_days");
	ct_jw_i64(w, s.days);
	ct_jw_key(w, "completed_days");
	ct_jw_i64(w, s.completed);
	ct_jw_key(w, "completion_rate");
	ct_jw_milli(w, ratio(s.completed * 100, s.days));
	ct_jw_key(w, "average_daily_intake");
	ct_jw_milli(w, ratio(s.fed_ul, s.days * 1000));
	ct_jw_key(w, "average_feedings_per_day");
	ct_jw_milli(w, ratio(s.feedings, s.days));
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_cleanup_old)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	(void)err;
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Entries are kept until their owner deletes them");
	ct_jw_key(w, "deleted_count");
	ct_jw_i64(w, 0);
	ct_jw_end(w);
	return CT_OK;
}
