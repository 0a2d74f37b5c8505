/*
 * catetubectl demo: an account with a cat and 30 days of plausible entries, to
 * look around in. Run again, it leaves what is there.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "ctl/ctl.h"
#include "db/account.h"
#include "db/feeding.h"
#include "db/medication.h"
#include "db/tube_check.h"
#include "db/weight.h"

#define EMAIL	 "demo@example.org"
#define PASSWORD "demo-cat-50ml"
#define DAYS	 30
#define HOUR_US	 (INT64_C(3600) * 1000000)
#define DAY_US	 (24 * HOUR_US)

/* Hours of the day (UTC) at which meals are due, and their volume. */
static const int meal_hours[] = {6, 11, 16, 21};
#define MEAL_UL 52000

static enum ct_rc
add_account(struct ctl *c, struct ct_account *u, struct ct_err *err)
{
	char hash[CT_PASSWORD_HASH];

	ct_account_defaults(u);
	u->id = ct_uuid_new();
	u->cat_id = ct_uuid_new();
	u->email = CT_STR(EMAIL);
	u->first_name = CT_STR("Demo");
	u->cat_name = CT_STR("Miso");
	u->cat_breed = CT_STR("Domestic shorthair");
	u->cat_age = 7;
	u->weight_g = 4200;
	u->timezone = CT_STR("Europe/Berlin");
	if (ct_password_hash(CT_STR(PASSWORD), (unsigned)c->conf.argon2_mem_kib,
		(unsigned)c->conf.argon2_passes, hash, err) != CT_OK)
		return err->rc;
	return ct_account_add(c->pg, c->arena, u, hash, err);
}

/* Meals vary by a few millilitres and minutes; one in twenty is refused. */
static enum ct_rc
add_meal(struct ctl *c, const struct ct_account *u, int64_t at_us,
    struct ct_err *err)
{
	struct ct_feeding_added added;
	struct ct_feeding f;
	bool partial = ct_random_below(20) == 0;

	ct_fields_clear(ct_feeding_kind.fields, &f);
	f.e.id = ct_uuid_new();
	f.e.cat_id = u->cat_id;
	f.e.given_at = at_us + (int64_t)ct_random_below(1800) * 1000000;
	f.e.notes = partial ? CT_STR("stopped early") : CT_STR("");
	f.planned_ul = MEAL_UL;
	f.amount_ul =
	    partial ? 30000 : 50000 + (int64_t)ct_random_below(5) * 1000;
	f.flush_before_ul = f.flush_after_ul = 5000;
	f.flushed_before = f.flushed_after = f.confirm = true;
	f.route = CT_STR("tube");
	f.outcome = partial ? CT_STR("gag") : CT_STR("fine");
	return ct_feeding_add(c->pg, c->arena, &u->id, &f, &added, err);
}

/* One entry of a kind without totals: obj begins as the kind says. */
static enum ct_rc
add_entry(struct ctl *c, const struct ct_account *u,
    const struct ct_entry_kind *k, int64_t at_us, void *obj, struct ct_err *err)
{
	struct ct_entry *e = obj;
	const struct ct_res *r;
	bool stopped;

	e->id = ct_uuid_new();
	e->cat_id = u->cat_id;
	e->given_at = at_us;
	e->notes = CT_STR("");
	return ct_entry_add(c->pg, c->arena, k, &u->id, obj, &r, &stopped, err);
}

static enum ct_rc
add_dose(struct ctl *c, const struct ct_account *u, int64_t at_us,
    struct ct_err *err)
{
	struct ct_medication m;

	memcpy(&m, ct_medication_kind.fresh, sizeof(m));
	m.name = CT_STR("Maropitant");
	m.dosage = CT_STR("4 mg");
	m.amount_ul = 1000;
	return add_entry(c, u, &ct_medication_kind, at_us, &m, err);
}

/* Once a week the scales, losing a little at first. */
static enum ct_rc
add_weight(struct ctl *c, const struct ct_account *u, int days_ago,
    int64_t at_us, struct ct_err *err)
{
	struct ct_weight w;

	memcpy(&w, ct_weight_kind.fresh, sizeof(w));
	w.weight_g = days_ago > 20 ? 4250 : days_ago > 13 ? 4180 : 4200;
	return add_entry(c, u, &ct_weight_kind, at_us, &w, err);
}

static enum ct_rc
add_check(struct ctl *c, const struct ct_account *u, int days_ago,
    int64_t at_us, struct ct_err *err)
{
	struct ct_tube_check t;

	memcpy(&t, ct_tube_check_kind.fresh, sizeof(t));
	t.cap_on = t.suture_holding = t.patent = t.collar_ok = 1;
	t.smell = 0;
	t.dressing = days_ago % 3 ? CT_STR("clean") : CT_STR("changed");
	t.skin = days_ago == 9 ? CT_STR("redness") : CT_STR("clean");
	t.discharge = CT_STR("none");
	t.mark_mcm = 12500;
	return add_entry(c, u, &ct_tube_check_kind, at_us, &t, err);
}

/* What is looked at in the morning of one day. */
static enum ct_rc
add_morning(struct ctl *c, const struct ct_account *u, int d, int64_t at_us,
    struct ct_err *err)
{
	if (add_check(c, u, d, at_us, err) != CT_OK ||
	    (d % 2 == 0 && add_dose(c, u, at_us, err) != CT_OK) ||
	    (d % 7 == 1 && add_weight(c, u, d, at_us, err) != CT_OK))
		return err->rc;
	return CT_OK;
}

static enum ct_rc
add_entries(struct ctl *c, const struct ct_account *u, struct ct_err *err)
{
	int64_t now = ct_now_us();
	int64_t midnight = now - now % DAY_US;

	for (int d = DAYS - 1; d >= 0; d--) {
		int64_t day = midnight - d * DAY_US;

		for (size_t i = 0; i < ct_countof(meal_hours); i++) {
			int64_t at = day + meal_hours[i] * HOUR_US;

			if (at + HOUR_US > now)
				continue;
			if (add_meal(c, u, at, err) != CT_OK)
				return err->rc;
		}
		if (day + 8 * HOUR_US < now &&
		    add_morning(c, u, d, day + 7 * HOUR_US, err) != CT_OK)
			return err->rc;
	}
	return CT_OK;
}

int
ctl_demo(struct ctl *c, int argc, char **argv)
{
	struct ct_account u;
	struct ct_err err;

	(void)argv;
	if (argc != 1)
		return ctl_usage("demo takes no arguments");
	ct_err_clear(&err);
	/* One transaction: half a demo would never be finished. */
	if (ct_pg_begin(c->pg, c->arena, false, &err) != CT_OK ||
	    (add_account(c, &u, &err) == CT_OK &&
		add_entries(c, &u, &err) == CT_OK &&
		ct_pg_commit(c->pg, &err) != CT_OK))
		return ctl_fail(&err);
	if (err.rc != CT_OK && strcmp(err.code, "email_taken") != 0)
		return ctl_fail(&err);
	printf("demo: %s %s\n", EMAIL, PASSWORD);
	return 0;
}
