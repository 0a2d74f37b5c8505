/* Meals: logging one with its warnings; the rest is every entry's life. */
#include "care/intake.h"
#include "db/feeding.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

static void
warn_double(struct ct_req *r, const struct ct_feeding_added *a, struct ct_jw *w)
{
	int64_t us = a->feeding.e.given_at - a->near_at;
	int64_t minutes = (us < 0 ? -us : us) / 60000000;
	char ml[24];
	size_t n = ct_milli_text(a->near_ul, ml);

	ct_warn_begin(w, "double_feed",
	    ct_arena_printf(r->a, "%.*s gave %.*s mL %lld min %s.",
		CT_STR_FMT(a->near_by), ct_int(n), ml, (long long)minutes,
		us < 0 ? "after that" : "before"));
	ct_jw_key(w, "by");
	ct_jw_str(w, a->near_by);
	ct_jw_key(w, "minutes_ago");
	ct_jw_i64(w, minutes);
	ct_jw_key(w, "amount_ml");
	ct_jw_milli(w, a->near_ul);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, a->near_at);
	ct_jw_end(w);
}

/* A warning never blocks: it is said beside what was logged. */
static void
write_warnings(
    struct ct_req *r, const struct ct_feeding_added *a, struct ct_jw *w)
{
	static const char *const caps[] = {
	    [CT_CAP_SOFT] = "This meal is over 10 mL per kg of body weight.",
	    [CT_CAP_STRONG] = "This meal is over 15 mL per kg of body weight."};
	enum ct_cap cap = ct_meal_cap(a->feeding.amount_ul, a->day.weight_g);

	ct_jw_arr(w);
	if (a->near_at != CT_NULL_I64)
		warn_double(r, a, w);
	if (cap != CT_CAP_FINE) {
		ct_warn_begin(w,
		    cap == CT_CAP_SOFT ? "over_cap" : "far_over_cap",
		    caps[cap]);
		ct_jw_end(w);
	}
	if (a->feeding.e.care_day == a->day.day &&
	    ct_over_day(a->day.target_ul, a->day.fed_ul)) {
		ct_warn_begin(
		    w, "over_day", "The day is over 110 % of its target.");
		ct_jw_end(w);
	}
	ct_jw_end(w);
}

static enum ct_rc
add(struct ct_req *r, struct ct_feeding_added *out, struct ct_err *err)
{
	struct ct_feeding in;
	struct ct_jw w;
	struct ct_buf b;

	if (ct_entry_read(r, &ct_feeding_kind, &in, err) != CT_OK ||
	    ct_feeding_add(r->pg, r->a, &r->account, &in, out, err) != CT_OK)
		return err->rc;
	if (!out->stopped)
		return CT_OK;
	ct_buf_init(&b, r->a, 512);
	ct_jw_init(&w, &b);
	write_warnings(r, out, &w);
	return ct_entry_stopped(r, &ct_feeding_kind, ct_buf_str(&b), err);
}

/* {message, previous_remaining if it is >= 0, data, tracker, warnings} */
static void
answer(struct ct_req *r, const char *text, int64_t previous_ul,
    const struct ct_feeding_added *a)
{
	struct ct_jw *w = ct_resp_json(r, 201);

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	if (previous_ul >= 0) {
		ct_jw_key(w, "previous_remaining");
		ct_jw_milli(w, previous_ul);
	}
	ct_jw_key(w, "data");
	ct_entry_write(&ct_feeding_kind, &a->feeding, w);
	ct_jw_key(w, "tracker");
	ct_tracker_write(&a->day, ct_now_us(), w);
	ct_jw_key(w, "warnings");
	write_warnings(r, a, w);
	ct_jw_end(w);
}

CT_HANDLER(h_feeding_add)
{
	struct ct_feeding_added a;

	if (add(r, &a, err) != CT_OK)
		return err->rc;
	answer(r, "Feeding logged successfully", -1, &a);
	return CT_OK;
}

CT_HANDLER(h_tracker_add_feeding)
{
	struct ct_feeding_added a;
	int64_t fed;

	if (add(r, &a, err) != CT_OK)
		return err->rc;
	fed = a.day.fed_ul;
	if (a.feeding.e.care_day == a.day.day)
		fed -= a.feeding.amount_ul;
	answer(r, "Feeding added",
	    ct_intake_of(a.day.target_ul, fed).remaining_ul, &a);
	return CT_OK;
}
