/*
 * Reports from the request to the file: every kind as CSV and JSON to the
 * byte; that the others are made and have their names. What is in those:
 * test_report_files.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/support/app.h"

#define DEADLINE_MS 30000
#define ID(n)	    "01890a5d-ac96-774b-bcce-00000000000" n
#define ID2(n)	    "01890a5d-ac96-774b-bcce-0000000000" n

static const struct ct_answer *
ask_report(struct ct_who *who, const char *kind, const char *format)
{
	return ct_call(who, "POST", ct_path(who, "/api/report/%s", kind),
	    "{'format':'%s','start_date':'2025-06-01',"
	    "'end_date':'2025-06-02'}",
	    format);
}

/* The id of a report that is ready to download. */
static const char *
ready(struct ct_who *who, const char *kind, const char *format)
{
	const struct ct_answer *r = ct_want(ask_report(who, kind, format), 202);
	const char *id = ct_text(r, "report_id");
	int64_t end = ct_mono_ms() + DEADLINE_MS, last = 0, now;

	assert_string_equal(ct_text(r, "status"), "processing");
	ct_text(r, "message");
	for (;;) {
		r = ct_want(
		    ct_get(who, ct_path(who, "/api/report/status/%s", id)),
		    200);
		now = ct_i64(r, "progress");
		assert_in_range(now, last, 100);
		last = now;
		if (strcmp(ct_text(r, "status"), "completed") == 0)
			break;
		assert_string_equal(ct_text(r, "status"), "processing");
		assert_false(ct_flag(r, "ready_for_download"));
		if (ct_mono_ms() > end)
			fail_msg("report %s is not ready in time", id);
		nanosleep(&(struct timespec){0, 200000000}, NULL);
	}
	assert_true(ct_flag(r, "ready_for_download"));
	assert_int_equal(last, 100);
	return id;
}

static const struct ct_answer *
download(struct ct_who *who, const char *id)
{
	return ct_get(who, ct_path(who, "/api/report/download/%s", id));
}

/* Two days of care; the entries outside must not show up. */
static void
fill(struct ct_who *who)
{
	static const char *const meals[] = {
	    "{'id':'" ID(
		"1") "','amount_ml':50,"
		     "'time_given':'2025-06-01T00:00:00Z','notes':'=SUM(A1)'}",
	    "{'id':'" ID(
		"2") "','amount_ml':12.345,"
		     "'time_given':'2025-06-01T12:00:00Z','flushed_after':"
		     "false,"
		     "'planned_ml':15,'flush_before_ml':5,'flush_after_ml':2.5,"
		     "'route':'oral','outcome':'gag',"
		     "'notes':'slow, \\\"sleepy\\\"\\nthen fine'}",
	    "{'id':'" ID(
		"3") "','amount_ml':0.1,"
		     "'time_given':'2025-06-02T23:59:59.5Z','notes':'-1'}",
	    "{'id':'" ID("4") "','amount_ml':99,"
			      "'time_given':'2025-05-31T23:59:59Z'}",
	    "{'id':'" ID("5") "','amount_ml':99,"
			      "'time_given':'2025-06-03T00:00:00Z'}",
	    "{'id':'" ID("6") "','amount_ml':98,"
			      "'time_given':'2025-06-02T12:00:00Z'}",
	};

	for (unsigned i = 0; i < ct_countof(meals); i++)
		ct_want(
		    ct_call(who, "POST", "/api/feeding/", "%s", meals[i]), 201);
	ct_want(ct_call(who, "DELETE", "/api/feeding/" ID("6"), NULL), 200);
	ct_want(ct_call(who, "POST", "/api/medication_log/",
		    "{'id':'" ID("7") "','medication_name':'Maropitant',"
				      "'dosage':'4mg','amount_ml':1.5,"
				      "'time_given':'2025-06-01T08:00:00Z','"
				      "notes':'@home'}"),
	    201);
	ct_want(
	    ct_call(who, "POST", "/api/medication_log/",
		"{'id':'" ID(
		    "8") "','medication_name':'+Ursodiol',"
			 "'dosage':'1/2 tablet','amount_ml':2,'route':'Oral',"
			 "'status':'skipped','reason':'vomited','flushed_"
			 "before':false,"
			 "'time_given':'2025-06-02T08:00:00Z'}"),
	    201);
}

/* The same two days in the other logs. */
static void
fill_rest(struct ct_who *who)
{
	static const struct {
		const char *path, *body;
	} entries[] = {
	    {"/api/weight/",
		"{'id':'" ID2("11") "','weight_g':4200,"
				    "'time_given':'2025-06-01T07:00:00Z'}"},
	    {"/api/weight/",
		"{'id':'" ID2("12") "','weight_g':4260,"
				    "'time_given':'2025-06-01T19:00:00Z'}"},
	    {"/api/weight/",
		"{'id':'" ID2("13") "','weight_g':4150,'notes':'@kitchen',"
				    "'time_given':'2025-06-02T07:00:00Z'}"},
	    {"/api/observation/",
		"{'id':'" ID2("14") "','kind':'vomit','severity':2,"
				    "'time_given':'2025-06-01T12:30:00Z','"
				    "notes':'-foam'}"},
	    {"/api/observation/",
		"{'id':'" ID2("15") "','kind':'lethargy',"
				    "'time_given':'2025-06-02T09:00:00Z'}"},
	    {"/api/water/",
		"{'id':'" ID2("16") "','amount_ml':20.5,"
				    "'time_given':'2025-06-01T09:00:00Z'}"},
	    {"/api/tube_check/",
		"{'id':'" ID2(
		    "17") "','cap_on':true,'skin':'redness',"
			  "'mark_cm':12.5,'incident':'leak','smell':false,"
			  "'time_given':'2025-06-02T09:30:00Z'}"},
	    /* Outside of the two days. */
	    {"/api/weight/",
		"{'id':'" ID2("18") "','weight_g':9999,"
				    "'time_given':'2025-06-03T07:00:00Z'}"},
	};

	for (unsigned i = 0; i < ct_countof(entries); i++)
		ct_want(ct_call(who, "POST", entries[i].path, "%s",
			    entries[i].body),
		    201);
}

static const char *
golden(struct ct_who *who, const char *name)
{
	FILE *f = fopen(ct_path(who, "tests/golden/%s", name), "rb");
	char *text = ct_arena_alloc(who->a, 65536);

	if (!f)
		fail_msg("no tests/golden/%s: run from the top", name);
	text[fread(text, 1, 65535, f)] = '\0';
	fclose(f);
	return text;
}

static void
want_golden(struct ct_who *who, const struct ct_answer *r, const char *name)
{
	if (!ct_str_is(r->body, golden(who, name)))
		fail_msg("%s differs from tests/golden/%s:\n%.*s", r->what,
		    name, CT_STR_FMT(r->body));
}

static void
csv_to_the_byte(void **state)
{
	struct ct_who *who = *state;
	static const char *const kinds[] = {
	    "feeding", "medication", "combined", "weight", "summary"};

	fill(who);
	fill_rest(who);
	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const char *id = ready(who, kinds[i], "csv");
		const struct ct_answer *r = ct_want(download(who, id), 200);

		want_golden(who, r, ct_path(who, "report_%s.csv", kinds[i]));
		assert_non_null(strstr(ct_head(r, "Content-Type"), "text/csv"));
	}
}

/* But for the time at which it was asked for. */
static void
json_to_the_byte(void **state)
{
	struct ct_who *who = *state;
	static const char *const kinds[] = {"feeding", "combined", "summary"};
	static const char key[] = "\"generated_at\":\"";

	fill(who);
	fill_rest(who);
	for (unsigned i = 0; i < ct_countof(kinds); i++) {
		const char *id = ready(who, kinds[i], "json");
		struct ct_answer r = *ct_want(download(who, id), 200);
		const char *at = memmem(r.body.p, r.body.n, key, strlen(key));
		const char *end;
		size_t head;

		assert_non_null(at);
		head = (size_t)(at - r.body.p) + strlen(key);
		end = memchr(r.body.p + head, '"', r.body.n - head);
		assert_non_null(end);
		r.body = ct_str_of(
		    ct_arena_printf(who->a, "%.*s%.*s", ct_int(head), r.body.p,
			ct_int(r.body.n - (size_t)(end - r.body.p)), end));
		want_golden(who, &r, ct_path(who, "report_%s.json", kinds[i]));
	}
}

/* Every kind in every format, under its name and type. */
static void
names_and_types(void **state)
{
	static const struct {
		const char *format, *stored, *type;
	} formats[] = {
	    {"csv", "csv", "text/csv; charset=utf-8"},
	    {"json", "json", "application/json; charset=utf-8"},
	    {"excel", "xlsx",
		"application/vnd.openxmlformats-officedocument."
		"spreadsheetml.sheet"},
	    {"pdf", "pdf", "application/pdf"},
	};
	struct ct_who *who = *state;

	fill(who);
	fill_rest(who);
	for (unsigned i = 0; i < ct_countof(formats); i++) {
		const char *id = ready(who, "summary", formats[i].format);
		const struct ct_answer *r = ct_want(
		    ct_get(who, ct_path(who, "/api/report/status/%s", id)),
		    200);

		assert_string_equal(ct_text(r, "format"), formats[i].stored);
		r = ct_want(download(who, id), 200);
		assert_string_equal(
		    ct_head(r, "Content-Type"), formats[i].type);
		assert_non_null(strstr(ct_head(r, "Content-Disposition"),
		    ct_path(who, ".%s\"", formats[i].stored)));
	}
}

static void
json_of_all_kinds(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;
	int64_t us;

	fill(who);
	r = ct_want(download(who, ready(who, "feeding", "json")), 200);
	assert_string_equal(ct_text(r, "report_type"), "feeding");
	assert_int_equal(
	    ct_time_parse(ct_json_str(ct_at(r, "generated_at")), &us),
	    CT_TIME_OK);
	assert_int_equal(ct_count(r, "data"), 3);
	/* JSON is data: text stays as it was written. */
	assert_true(ct_says(r, "\"=SUM(A1)\""));
	assert_true(ct_says(r, "12.345"));
	r = ct_want(download(who, ready(who, "medication", "json")), 200);
	assert_string_equal(ct_text(r, "report_type"), "medication");
	assert_int_equal(ct_count(r, "data"), 2);
	r = ct_want(download(who, ready(who, "combined", "json")), 200);
	assert_string_equal(ct_text(r, "report_type"), "combined");
	assert_int_equal(ct_count(r, "feeding_data"), 3);
	assert_int_equal(ct_count(r, "medication_data"), 2);
	assert_non_null(strstr(ct_head(r, "Content-Type"), "application/json"));
}

static void
empty_reports_have_headers(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *r;

	r = ct_want(download(who, ready(who, "feeding", "csv")), 200);
	want_golden(who, r, "report_empty.csv");
	r = ct_want(download(who, ready(who, "combined", "json")), 200);
	assert_int_equal(ct_count(r, "feeding_data"), 0);
	assert_int_equal(ct_count(r, "medication_data"), 0);
}

static void
download_repeats_until_cleanup(void **state)
{
	struct ct_who *who = *state;
	const struct ct_answer *a, *b;
	const char *id, *name;

	fill(who);
	id = ready(who, "feeding", "csv");
	a = ct_want(download(who, id), 200);
	b = ct_want(download(who, id), 200);
	assert_int_equal(a->body.n, b->body.n);
	assert_memory_equal(a->body.p, b->body.p, a->body.n);
	name = ct_head(a, "Content-Disposition");
	assert_non_null(name);
	assert_non_null(strstr(name, "attachment"));
	assert_non_null(strstr(name, "filename=\"feeding_report_"));
	assert_non_null(strstr(name, ".csv\""));
	assert_non_null(strstr(name, "filename*=UTF-8''"));
	/* The way to the file is not for clients. */
	assert_null(ct_head(a, "X-Accel-Redirect"));
	ct_want(ct_call(who, "DELETE",
		    ct_path(who, "/api/report/cleanup/%s", id), NULL),
	    200);
	ct_want_error(download(who, id), 404, "not_found", NULL);
	ct_want_error(ct_get(who, ct_path(who, "/api/report/status/%s", id)),
	    404, "not_found", NULL);
}

static void
refusals(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *body, *field;
	} bad[] = {
	    {"{'format':'doc','start_date':'2025-06-01',"
	     "'end_date':'2025-06-02'}",
		"format"},
	    {"{'format':'pdf','paper':'a3'}", "paper"},
	    {"{'format':'csv','start_date':'2025-02-30',"
	     "'end_date':'2025-06-02'}",
		"start_date"},
	    {"{'format':'csv','start_date':'2025-06-01','end_date':'soon'}",
		"end_date"},
	    {"{'format':'csv','start_date':'2025-06-03',"
	     "'end_date':'2025-06-02'}",
		NULL},
	    {"{'format':'csv','start_date':'2025-06-01',"
	     "'end_date':'2025-06-02','path':'/etc/passwd'}",
		"path"},
	};

	for (unsigned i = 0; i < ct_countof(bad); i++)
		ct_want_error(ct_call(who, "POST", "/api/report/feeding", "%s",
				  bad[i].body),
		    400, "invalid", bad[i].field);
	ct_want_error(
	    ct_call(who, "POST", "/api/report/weather", "{'format':'csv'}"),
	    404, "not_found", NULL);
	assert_int_equal(
	    ct_count(ct_want(ct_get(who, "/api/report/active"), 200),
		"active_reports"),
	    0);
}

static void
other_accounts_see_nothing(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	const char *id;

	fill(who);
	id = ready(who, "feeding", "csv");
	ct_want_error(download(other, id), 404, "not_found", NULL);
	ct_want_error(ct_get(other, ct_path(who, "/api/report/status/%s", id)),
	    404, "not_found", NULL);
	ct_want_error(ct_call(other, "DELETE",
			  ct_path(who, "/api/report/cleanup/%s", id), NULL),
	    404, "not_found", NULL);
	assert_false(
	    ct_says(ct_want(ct_get(other, "/api/report/active"), 200), id));
	ct_want(download(who, id), 200);
	/* Nor does the file's own address open it. */
	other->cookie[0] = '\0';
	ct_want_error(download(other, id), 401, CT_T_UNAUTH, NULL);
}

static void
active_lists_own(void **state)
{
	struct ct_who *who = *state;
	const char *id = ct_text(
	    ct_want(ask_report(who, "feeding", "csv"), 202), "report_id");
	const struct ct_answer *r;

	r = ct_want(ct_get(who, "/api/report/active"), 200);
	ct_count(r, "active_reports");
	if (ct_says(r, id)) {
		assert_string_equal(
		    ct_text(r, "active_reports.0.report_id"), id);
		ct_text(r, "active_reports.0.status");
		ct_i64(r, "active_reports.0.progress");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(csv_to_the_byte),
	    ct_api_test(json_of_all_kinds),
	    ct_api_test(json_to_the_byte),
	    ct_api_test(names_and_types),
	    ct_api_test(empty_reports_have_headers),
	    ct_api_test(download_repeats_until_cleanup),
	    ct_api_test(refusals),
	    ct_api_test(other_accounts_see_nothing),
	    ct_api_test(active_lists_own),
	};

	return cmocka_run_group_tests_name(
	    "api/report", tests, ct_api_group, NULL);
}
