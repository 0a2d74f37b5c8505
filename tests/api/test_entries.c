/*
 * Every entry kind, walked by one table: create, list, get, change, stale,
 * delete, restore, repeat, refuse; pages, filters, history.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hand.h"

#define MAX_BAD 8

/* In bodies ' stands for ". */
static const struct kind {
	const char *path, *noun;
	const char *body;	    /* a right one, without the braces */
	const char *key, *was;	    /* a member of it as JSON text */
	const char *change, *is;    /* a PATCH of that member */
	const char *filter, *other; /* what the list finds it by, and not */
	struct {
		const char *body, *field;
	} bad[MAX_BAD];
} kinds[] = {
    {"/api/feeding", "feeding", "'amount_ml':7.5,'outcome':'gag'", "amount_ml",
	"7.5", "'amount_ml':8", "8", "outcome=gag", "outcome=fine",
	{{"'amount_ml':0", "amount_ml"}, {"'amount_ml':200.001", "amount_ml"},
	    {"'amount_ml':1,'route':'nose'", "route"}}},
    {"/api/medication_log", "medication",
	"'medication_name':'Ursodiol','dosage':'2','amount_ml':1", "dosage",
	"\"2\"", "'dosage':'3'", "\"3\"", "medication_name=uRSODIOL",
	"status=skipped",
	{{"'dosage':'2','amount_ml':1", "medication_name"},
	    {"'medication_name':'U','dosage':'2'", "amount_ml"}}},
    {"/api/weight", "weight", "'weight_g':4210", "weight_kg", "4.21",
	"'weight_g':4190", "4.19", NULL, NULL,
	{{"'notes':'x'", "weight_g"}, {"'weight_g':99", "weight_g"},
	    {"'weight_g':30001", "weight_g"}, {"'weight_g':4.2", "weight_g"},
	    {"'weight_g':'4200'", "weight_g"}, {"'weight_g':true", "weight_g"},
	    {"'weight_g':4000,'weight_kg':4", "weight_kg"}}},
    {"/api/observation", "observation", "'kind':'cough','severity':2",
	"severity", "2", "'severity':null", "null", "kind=cough", "kind=pain",
	{{"'severity':1", "kind"}, {"'kind':'joy'", "kind"},
	    {"'kind':'pain','severity':0", "severity"},
	    {"'kind':'pain','severity':4", "severity"},
	    {"'kind':null", "kind"}}},
    {"/api/water", "water", "'amount_ml':0.001,'way':'drunk'", "amount_ml",
	"0.001", "'amount_ml':200", "200", "way=drunk", "way=tube",
	{{"'way':'tube'", "amount_ml"}, {"'amount_ml':0", "amount_ml"},
	    {"'amount_ml':200.001", "amount_ml"},
	    {"'amount_ml':0.0001", "amount_ml"},
	    {"'amount_ml':1,'way':'nose'", "way"}}},
    {"/api/tube_check", "tube_check",
	"'cap_on':true,'smell':false,'mark_cm':12.5,'incident':'leak'",
	"mark_cm", "12.5", "'mark_cm':null", "null", "incident=leak",
	"incident=out",
	{{"'notes':'nothing'", "cap_on"}, {"'cap_on':1", "cap_on"},
	    {"'cap_on':null", "cap_on"}, {"'skin':'blue'", "skin"},
	    {"'mark_cm':60.001", "mark_cm"}, {"'mark_cm':-1", "mark_cm"},
	    {"'incident':'lost'", "incident"}}},
};

static const struct ct_answer *
post(struct ct_who *who, const struct kind *k, const char *members)
{
	return ct_call(who, "POST", k->path, "{%s}", members);
}

static const char *
path_of(struct ct_who *who, const struct kind *k, const struct ct_answer *made)
{
	return ct_path(who, "%s/%s", k->path, ct_text(made, "data.id"));
}

/* How many the list shows with the query. */
static size_t
shown(struct ct_who *who, const struct kind *k, const char *query)
{
	return ct_count(
	    ct_want(
		ct_get(who, ct_path(who, "%s?page=1&%s", k->path, query)), 200),
	    "logs");
}

static bool
has(struct ct_who *who, const struct ct_answer *r, const struct kind *k,
    const char *value)
{
	return ct_says(r, ct_path(who, "\"%s\":%s", k->key, value));
}

static void
walk_life(struct ct_who *who, const struct kind *k)
{
	const struct ct_answer *made = ct_want(post(who, k, k->body), 201), *r;
	const char *path = path_of(who, k, made);

	assert_true(has(who, made, k, k->was));
	ct_text(made, "message");
	assert_string_equal(ct_text(made, "data.by.id"), who->id);
	ct_at(made, "warnings");
	r = ct_want(ct_get(who, path), 200);
	assert_true(has(who, r, k, k->was));
	assert_int_equal(shown(who, k, ""), 1);
	r = ct_want(
	    ct_call(who, "PATCH", path, "{%s,'version':1}", k->change), 200);
	assert_true(has(who, r, k, k->is));
	assert_int_equal(ct_i64(r, "data.version"), 2);
	r = ct_want_error(
	    ct_call(who, "PATCH", path, "{'notes':'x','version':1}"), 409,
	    "stale", NULL);
	assert_int_equal(ct_i64(r, "current.version"), 2);
	ct_want_error(
	    ct_call(who, "DELETE", path, "{'version':1}"), 409, "stale", NULL);
	ct_want(ct_call(who, "DELETE", path, NULL), 200);
	ct_want_error(ct_get(who, path), 404, "not_found", NULL);
	assert_int_equal(shown(who, k, ""), 0);
	assert_int_equal(shown(who, k, "deleted=only"), 1);
	assert_int_equal(shown(who, k, "deleted=with"), 1);
	r = ct_want(
	    ct_call(who, "POST", ct_path(who, "%s/restore", path), NULL), 200);
	assert_int_equal(ct_i64(r, "data.version"), 4);
	assert_int_equal(shown(who, k, ""), 1);
	assert_int_equal(shown(who, k, "deleted=only"), 0);
	assert_int_equal(shown(who, k, "deleted=with"), 1);
}

static void
life(void **state)
{
	struct ct_who *who = *state;

	for (unsigned i = 0; i < ct_countof(kinds); i++)
		walk_life(who, &kinds[i]);
}

static void
repeats(void **state)
{
	struct ct_who *who = *state;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct ct_ask ask = {.method = "POST",
		    .path = k->path,
		    .body = ct_str_of(
			ct_quoted(who->a, ct_path(who, "{%s}", k->body))),
		    .more = {ct_path(who, "Idempotency-Key: k-%u", i)}};
		const struct ct_answer *a = ct_want(ct_ask(who, &ask), 201);
		const struct ct_answer *b = ct_want(ct_ask(who, &ask), 201);

		assert_true(ct_str_eq(a->body, b->body));
		assert_string_equal(ct_head(b, "Idempotent-Replayed"), "true");
		ask.body = CT_STR("{}");
		ct_want_error(ct_ask(who, &ask), 409, "key_reused", NULL);
		assert_int_equal(shown(who, k, ""), 1);
	}
}

/* The status, the field, and nothing written. */
static void
refusals(void **state)
{
	struct ct_who *who = *state;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const struct kind *k = &kinds[i];

		for (unsigned j = 0; j < MAX_BAD && k->bad[j].body; j++)
			ct_want_error(post(who, k, k->bad[j].body), 400,
			    "invalid", k->bad[j].field);
		ct_want_error(post(who, k,
				  ct_path(who, "%s,'time_given':'%s'", k->body,
				      ct_when(who, 300))),
		    400, "invalid", "time_given");
		ct_want_error(
		    post(who, k, ct_path(who, "%s,'sugar':1", k->body)), 400,
		    "invalid", "sugar");
		assert_int_equal(shown(who, k, "deleted=with"), 0);
	}
}

/* ------------------------------------------------------------ lists */

static void
filters(void **state)
{
	struct ct_who *who = *state;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const struct kind *k = &kinds[i];

		ct_want(post(who, k, k->body), 201);
		if (k->filter) {
			assert_int_equal(shown(who, k, k->filter), 1);
			assert_int_equal(shown(who, k, k->other), 0);
		}
		ct_want_error(ct_get(who, ct_path(who, "%s?sugar=1", k->path)),
		    400, "invalid", "sugar");
		ct_want_error(
		    ct_get(who, ct_path(who, "%s?deleted=none", k->path)), 400,
		    "invalid", "deleted");
		ct_want_error(
		    ct_get(who, ct_path(who, "%s?ordering=up", k->path)), 400,
		    "invalid", "ordering");
	}
}

/* Five entries, two of them at the same instant, one deleted. */
static void
make_five(struct ct_who *who, const struct kind *k, const char *ids[5])
{
	for (int i = 0; i < 5; i++)
		ids[i] = ct_text(
		    ct_want(post(who, k,
				ct_path(who, "%s,'time_given':'%s'", k->body,
				    ct_when(who,
					-86400 * (i > 2 ? i - 1 : i) - 3600))),
			201),
		    "data.id");
	ct_want(ct_call(who, "DELETE", ct_path(who, "%s/%s", k->path, ids[1]),
		    NULL),
	    200);
}

/* All pages of two from the first to the last, joined. */
static const char *
turn_pages(struct ct_who *who, const struct kind *k, const char *query)
{
	const struct ct_answer *r = ct_want(
	    ct_get(
		who, ct_path(who, "%s?page=1&per_page=2&%s", k->path, query)),
	    200);
	const char *all = "";

	for (unsigned page = 0; page < 5; page++) {
		for (size_t i = 0; i < ct_count(r, "logs"); i++)
			all = ct_path(who, "%s %s", all,
			    ct_text(r, ct_path(who, "logs.%zu.id", i)));
		if (!ct_flag(r, "pagination.has_next")) {
			assert_true(ct_is_null(r, "pagination.next_cursor"));
			return all;
		}
		r = ct_want(
		    ct_get(
			who, ct_path(who, "%s?per_page=2&cursor=%s&%s", k->path,
				 ct_text(r, "pagination.next_cursor"), query)),
		    200);
		assert_true(ct_is_null(r, "pagination.page"));
		assert_true(ct_is_null(r, "pagination.total"));
		assert_true(ct_flag(r, "pagination.has_prev"));
	}
	fail_msg("%s: the pages have no end", k->path);
	return all;
}

static void
cursors(void **state)
{
	struct ct_who *who = *state;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const struct kind *k = &kinds[i];
		const char *id[5], *all;

		make_five(who, k, id);
		/* 2 and 3 are of one instant; the later id is newer. */
		all = ct_path(who, " %s %s %s %s", id[0], id[3], id[2], id[4]);
		assert_string_equal(turn_pages(who, k, ""), all);
		all = ct_path(who, " %s %s %s %s", id[4], id[2], id[3], id[0]);
		assert_string_equal(turn_pages(who, k, "ordering=oldest"), all);
		all = ct_path(
		    who, " %s %s %s %s %s", id[0], id[1], id[3], id[2], id[4]);
		assert_string_equal(turn_pages(who, k, "deleted=with"), all);
		assert_string_equal(turn_pages(who, k, "deleted=only"),
		    ct_path(who, " %s", id[1]));
		if (k->filter)
			assert_string_equal(
			    turn_pages(who, k,
				ct_path(who, "%s&deleted=only", k->filter)),
			    ct_path(who, " %s", id[1]));
	}
}

static void
windows(void **state)
{
	struct ct_who *who = *state;
	const struct kind *k = &kinds[2];
	const struct ct_answer *r;
	const char *id[5], *day;

	make_five(who, k, id);
	r = ct_want(ct_get(who, ct_path(who, "%s/%s", k->path, id[4])), 200);
	day = ct_text(r, "care_day");
	assert_int_equal(
	    shown(who, k, ct_path(who, "from=%s&to=%s", day, day)), 1);
	assert_int_equal(shown(who, k, ct_path(who, "to=%s", day)), 1);
	assert_int_equal(shown(who, k, ct_path(who, "from=%s", day)), 4);
	/* Half-open instants; the offset's + is written %2B. */
	day = ct_text(r, "time_given");
	assert_int_equal(shown(who, k, ct_path(who, "to=%s", day)), 0);
	assert_int_equal(shown(who, k, ct_path(who, "from=%s", day)), 4);
	r = ct_want(ct_get(who, ct_path(who, "%s?page=9&per_page=2&from=%s",
				    k->path, day)),
	    200);
	assert_int_equal(ct_count(r, "logs"), 0);
	assert_int_equal(ct_i64(r, "pagination.total"), 4);
	assert_int_equal(ct_i64(r, "pagination.pages"), 2);
}

static void
bad_cursors(void **state)
{
	struct ct_who *who = *state;
	static const char *const bad[] = {"x", "1", "1_", "_", "1_x",
	    "-1_018f0000-0000-7000-8000-000000000000",
	    "99999999999999999_018f0000-0000-7000-8000-000000000000",
	    "1_018f0000-0000-7000-8000-000000000000_2"};

	for (unsigned i = 0; i < ct_countof(bad); i++)
		ct_want_error(
		    ct_get(who, ct_path(who, "/api/weight?cursor=%s", bad[i])),
		    400, "invalid", "cursor");
	ct_want_error(
	    ct_get(who, "/api/weight?cursor="), 400, "invalid", "cursor");
	ct_want_error(ct_get(who, "/api/weight?page=1&cursor="
				  "1_018f0000-0000-7000-8000-000000000000"),
	    400, "invalid", "page");
}

/* ------------------------------------------------------------ trail */

static void
histories(void **state)
{
	struct ct_who *who = *state;
	const char *cat =
	    ct_text(ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_id");
	const char *audit = ct_path(who, "/api/cat/%s/audit", cat);
	const struct ct_answer *r;

	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const struct kind *k = &kinds[i];
		const struct ct_answer *made =
		    ct_want(post(who, k, k->body), 201);
		const char *path = path_of(who, k, made);
		const char *history = ct_path(who, "%s/history", path);

		r = ct_want(ct_get(who, history), 200);
		assert_int_equal(ct_count(r, "events"), 0);
		ct_want(ct_call(who, "PATCH", path, "{%s}", k->change), 200);
		ct_want(ct_call(who, "DELETE", path, NULL), 200);
		r = ct_want(ct_get(who, history), 200);
		assert_int_equal(ct_count(r, "events"), 2);
		assert_int_equal(ct_i64(r, "pagination.total"), 2);
		assert_string_equal(ct_text(r, "events.0.action"), "delete");
		assert_string_equal(ct_text(r, "events.1.action"), "change");
		assert_string_equal(ct_text(r, "events.1.by.id"), who->id);
		assert_string_equal(ct_text(r, "events.1.by.name"), "Ada");
		assert_string_equal(ct_text(r, "events.1.noun"), k->noun);
		assert_string_equal(
		    ct_text(r, "events.1.noun_id"), ct_text(made, "data.id"));
		/* The values before, as the entry itself would show them. */
		assert_true(has(who, r, k, k->was));
		assert_true(has(who, r, k, k->is));
		assert_string_equal(ct_text(r, "events.1.before.time_given"),
		    ct_text(made, "data.time_given"));
		assert_false(ct_says(r, "amount_ul"));
		assert_false(ct_says(r, "by_account"));
		r = ct_want(
		    ct_get(who, ct_path(who, "%s?per_page=1", audit)), 200);
		assert_int_equal(
		    ct_i64(r, "pagination.total"), 2 * (int64_t)(i + 1));
		assert_string_equal(ct_text(r, "events.0.action"), "delete");
		assert_string_equal(ct_text(r, "events.0.noun"), k->noun);
	}
	r = ct_want(ct_get(who, ct_path(who, "%s?page=99", audit)), 200);
	assert_int_equal(ct_count(r, "events"), 0);
	assert_int_equal(ct_i64(r, "pagination.total"), 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(life),
	    ct_api_test(repeats),
	    ct_api_test(refusals),
	    ct_api_test(filters),
	    ct_api_test(cursors),
	    ct_api_test(windows),
	    ct_api_test(bad_cursors),
	    ct_api_test(histories),
	};

	return cmocka_run_group_tests_name(
	    "api/entries", tests, ct_api_group, NULL);
}
