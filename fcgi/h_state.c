/* A cat at a glance: its state, its timeline, what happened since. */
#include <string.h>

#include "db/entry.h"
#include "db/state.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define PER_PAGE     50
#define KINDS_MAX    16
#define HANDOVER_MAX 100 /* entries that are shown whole */
#define AWAY_US	     (INT64_C(12) * 3600 * 1000000)
#define AWAY_MAX_US  (INT64_C(14) * 24 * 3600 * 1000000)

/* ------------------------------------------------------------ state */

static void
last_meal(const struct ct_tracker *t, struct ct_jw *w)
{
	ct_jw_key(w, "last_meal");
	ct_last_feeding_write(t, w);
}

static void
last_dose(const struct ct_state *s, struct ct_jw *w)
{
	ct_jw_key(w, "last_medication");
	if (s->med_at == CT_NULL_I64) {
		ct_jw_null(w);
		return;
	}
	ct_jw_obj(w);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, s->med_at);
	ct_jw_key(w, "medication_name");
	ct_jw_str(w, s->med_name);
	ct_jw_key(w, "dosage");
	ct_jw_str(w, s->med_dosage);
	ct_jw_key(w, "by");
	ct_jw_str(w, s->med_by);
	ct_jw_end(w);
}

static void
last_weight(const struct ct_state *s, struct ct_jw *w)
{
	ct_jw_key(w, "last_weight");
	if (s->weighed_at == CT_NULL_I64) {
		ct_jw_null(w);
		return;
	}
	ct_jw_obj(w);
	ct_jw_key(w, "time_given");
	ct_jw_time(w, s->weighed_at);
	ct_jw_key(w, "weight_kg");
	ct_jw_milli(w, s->weighed_g);
	ct_jw_end(w);
}

CT_HANDLER(h_state)
{
	struct ct_state s;
	struct ct_jw *w;

	if (ct_req_may_see(r, &r->id, err) != CT_OK ||
	    ct_state_get(r->pg, r->a, &r->account, &r->id, &s, err) != CT_OK)
		return err->rc;
	ct_req_keep(r, s.today.ends_at);
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "cat_id");
	ct_jw_uuid(w, &r->id);
	ct_jw_key(w, "name");
	ct_jw_str(w, s.cat_name);
	ct_jw_key(w, "members");
	ct_jw_i64(w, s.members);
	ct_jw_key(w, "today");
	ct_tracker_write(&s.today, ct_now_us(), w);
	last_meal(&s.today, w);
	last_dose(&s, w);
	last_weight(&s, w);
	/* Plans and alerts have no home yet: nothing is due, nothing is open.
	 */
	ct_jw_key(w, "next_due");
	ct_jw_null(w);
	ct_jw_key(w, "alerts");
	ct_jw_arr(w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

/* ------------------------------------------------------------ timeline */

static const char *const kind_names[] = {"feeding", "medication", "weight",
    "observation", "water", "tube_check", NULL};

struct timeline_query {
	struct ct_str kind, cursor;
	int64_t per_page;
};
#define AT(m) offsetof(struct timeline_query, m)
static const struct ct_field timeline_rows[] = {
    {"kind", CT_T_ENUM, AT(kind), 0, 0, 0, NULL, kind_names, NULL,
	"only entries of that kind"},
    {"cursor", CT_T_TEXT, AT(cursor), 0, 0, 100, NULL, NULL, NULL,
	"next_cursor of the page before"},
    {"per_page", CT_T_INT, AT(per_page), 0, 0, 0, NULL, NULL, NULL, "1 to 100"},
};
const struct ct_fields ct_timeline_query =
    CT_FIELDS("timeline", struct timeline_query, timeline_rows);

/* The entries of one kind that were read, and how many of them are used. */
struct strand {
	const struct ct_entry_kind *kind;
	const char *rows;
	int n, at;
	int64_t total;
};

static const struct ct_entry *
head_of(const struct strand *s)
{
	if (s->at >= s->n)
		return NULL;
	return (
	    const struct ct_entry *)(const void *)(s->rows +
						   (size_t)s->at *
						       s->kind->fields->size);
}

static bool
is_newer(const struct ct_entry *a, const struct ct_entry *b)
{
	if (a->given_at != b->given_at)
		return a->given_at > b->given_at;
	return memcmp(&a->id, &b->id, sizeof(a->id)) > 0;
}

/* The strand whose next entry is the newest; NULL: all are used up. */
static struct strand *
newest(struct strand *strands, int n)
{
	struct strand *best = NULL;

	for (int i = 0; i < n; i++) {
		const struct ct_entry *e = head_of(&strands[i]);

		if (e && (!best || is_newer(e, head_of(best))))
			best = &strands[i];
	}
	return best;
}

/* Every kind's entries by the filter, each its newest first; *n strands. */
static enum ct_rc
read_strands(struct ct_req *r, const struct ct_entry_filter *f,
    struct ct_str only, struct strand *out, int *n, struct ct_err *err)
{
	*n = 0;
	for (int i = 0; ct_entry_kinds[i] && i < KINDS_MAX; i++) {
		struct strand *s = &out[*n];
		void *rows;

		if (only.p && !ct_str_is(only, ct_entry_kinds[i]->name))
			continue;
		*s = (struct strand){.kind = ct_entry_kinds[i]};
		if (ct_entry_list(r->pg, r->a, s->kind, &r->account, f, &rows,
			&s->n, &s->total, err) != CT_OK)
			return err->rc;
		s->rows = rows;
		(*n)++;
	}
	return CT_OK;
}

/* Up to limit of them, merged, as elements {kind, entry}; the last one. */
static const struct ct_entry *
write_merged(struct strand *strands, int n, int64_t limit, struct ct_jw *w)
{
	const struct ct_entry *last = NULL;
	struct strand *s;

	while (limit-- > 0 && (s = newest(strands, n)) != NULL) {
		last = head_of(s);
		ct_jw_obj(w);
		ct_jw_key(w, "kind");
		ct_jw_cstr(w, s->kind->name);
		ct_jw_key(w, "entry");
		ct_entry_write(s->kind, last, w);
		ct_jw_end(w);
		s->at++;
	}
	return last;
}

static struct ct_entry_filter
whole_of(const struct ct_uuid *cat)
{
	return (struct ct_entry_filter){.cat = *cat,
	    .from_day = CT_NULL_DAY,
	    .to_day = CT_NULL_DAY,
	    .from_us = CT_NULL_I64,
	    .to_us = CT_NULL_I64,
	    .place_us = CT_NULL_I64};
}

static enum ct_rc
is_mine(struct ct_req *r, struct ct_err *err)
{
	int64_t role;

	if (ct_req_may_see(r, &r->id, err) != CT_OK)
		return err->rc;
	return ct_cat_role(r->pg, r->a, &r->account, &r->id, &role, err);
}

CT_HANDLER(h_timeline)
{
	struct timeline_query q = {.per_page = PER_PAGE};
	struct ct_entry_filter f = whole_of(&r->id);
	struct ct_pagination p = {0};
	struct strand strands[KINDS_MAX];
	const struct ct_entry *last;
	struct ct_jw *w;
	int n;

	if (ct_req_query(r, &q, err) != CT_OK || is_mine(r, err) != CT_OK)
		return err->rc;
	if (q.cursor.p && !ct_entry_place(q.cursor, &f.place_us, &f.place_id))
		return ct_fail_field(
		    err, "cursor", "must be a next_cursor of this list");
	p.per_page = ct_clamp(q.per_page, 1, CT_PER_PAGE_MAX);
	f.limit = p.per_page + 1;
	if (read_strands(r, &f, q.kind, strands, &n, err) != CT_OK)
		return err->rc;
	ct_req_keep(r, INT64_MAX);
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "timeline");
	ct_jw_arr(w);
	last = write_merged(strands, n, p.per_page, w);
	ct_jw_end(w);
	if (newest(strands, n))
		p.next = ct_entry_cursor(r->a, last);
	ct_pagination_write(&p, w);
	ct_jw_end(w);
	return CT_OK;
}

/* ------------------------------------------------------------ hand-over */

struct handover_query {
	int64_t since_us;
};
static const struct ct_field handover_rows[] = {
    {"since", CT_T_TIME, offsetof(struct handover_query, since_us), 0, 0, 0,
	NULL, NULL, NULL,
	"from then on; left out: since you last logged something, 12 hours at "
	"least"},
};
const struct ct_fields ct_handover_query =
    CT_FIELDS("handover", struct handover_query, handover_rows);

/* Since the account last logged something, but 12 hours at least, and 14 days
 * at the most. */
static enum ct_rc
since_when(struct ct_req *r, int64_t *since_us, struct ct_err *err)
{
	int64_t now = ct_now_us(), last;

	if (*since_us == CT_NULL_I64) {
		if (ct_state_last_logged(
			r->pg, r->a, &r->account, &r->id, &last, err) != CT_OK)
			return err->rc;
		*since_us = now - AWAY_US;
		if (last != CT_NULL_I64 && last < *since_us)
			*since_us = last;
		if (*since_us < now - AWAY_MAX_US)
			*since_us = now - AWAY_MAX_US;
	}
	if (*since_us > now)
		return ct_fail_field(err, "since", "must not be in the future");
	return CT_OK;
}

static void
write_counts(const struct strand *strands, int n, struct ct_jw *w)
{
	ct_jw_key(w, "counts");
	ct_jw_obj(w);
	for (int i = 0; i < n; i++) {
		ct_jw_key(w, strands[i].kind->name);
		ct_jw_i64(w, strands[i].total);
	}
	ct_jw_end(w);
}

CT_HANDLER(h_handover)
{
	struct handover_query q = {CT_NULL_I64};
	struct ct_entry_filter f = whole_of(&r->id);
	struct strand strands[KINDS_MAX];
	struct ct_str every = {0};
	struct ct_state s;
	struct ct_jw *w;
	int64_t fed_ul;
	int n;

	if (ct_req_query(r, &q, err) != CT_OK || is_mine(r, err) != CT_OK ||
	    since_when(r, &q.since_us, err) != CT_OK)
		return err->rc;
	f.from_us = q.since_us;
	f.limit = HANDOVER_MAX;
	f.count = true;
	if (read_strands(r, &f, every, strands, &n, err) != CT_OK ||
	    ct_state_fed_since(r->pg, r->a, &r->account, &r->id, q.since_us,
		&fed_ul, err) != CT_OK ||
	    ct_state_get(r->pg, r->a, &r->account, &r->id, &s, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "since");
	ct_jw_time(w, q.since_us);
	write_counts(strands, n, w);
	ct_jw_key(w, "fed_ml");
	ct_jw_milli(w, fed_ul);
	ct_jw_key(w, "today");
	ct_tracker_write(&s.today, ct_now_us(), w);
	last_dose(&s, w);
	ct_jw_key(w, "timeline");
	ct_jw_arr(w);
	write_merged(strands, n, HANDOVER_MAX, w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}
