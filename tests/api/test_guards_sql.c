/*
 * Guards that show only with a hand on the database: what time does to
 * accounts and waits, what a full page weighs, what a delete leaves behind.
 * Each test touches rows of its own accounts alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "db/account.h"
#include "db/feeding.h"
#include "db/medication.h"
#include "tests/support/app.h"

#include <stdatomic.h>

#define PG_TIMEOUT_MS 10000
#define FREE_TRIES    5 /* CATETUBE_LOGIN_FREE */
#define WRONG	      "not this one, no"

static void
close_pg(void *pg)
{
	ct_pg_close(pg);
}

/* A connection of the test's own, closed with the client's arena. */
static struct ct_pg *
open_pg(struct ct_who *who)
{
	struct ct_pg *pg =
	    ct_pg_open(getenv("DATABASE_URL"), "guards", PG_TIMEOUT_MS);

	ct_arena_defer(who->a, close_pg, pg);
	return pg;
}

#define OK(pg_call)                                                            \
	do {                                                                   \
		struct ct_err err = {0};                                       \
		if ((pg_call) != CT_OK)                                        \
			fail_msg("%s %s", err.msg, err.detail);                \
	} while (0)

static void
script(struct ct_pg *pg, const char *sql)
{
	OK(ct_pg_script(pg, sql, &err));
}

/* The one number that a statement of (account) or (account, text) answers. */
static int64_t
number(struct ct_pg *pg, struct ct_who *who, const struct ct_stmt *st,
    const char *account, const char *text)
{
	struct ct_params p;
	const struct ct_res *r;
	struct ct_uuid id;

	assert_true(ct_uuid_parse(ct_str_of(account), &id));
	ct_params_init(&p, who->a);
	ct_p_uuid(&p, &id);
	if (text)
		ct_p_text(&p, ct_str_of(text));
	OK(ct_pg_run(pg, st, &p, who->a, &r, &err));
	assert_int_equal(ct_res_rows(r), 1);
	return ct_res_i64(r, 0, 0);
}

#define COUNT(name, sig, text)                                                 \
	static const struct ct_stmt name = {"t_" #name, CT_GLOBAL, CT_READ,    \
	    sig, NULL, "select count(*) " text}

static const char *
cat_of(struct ct_who *who)
{
	return ct_text(
	    ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_id");
}

/* ------------------------------------------------------------ a full page */

#define FACE	   "\xf0\x9f\x98\x8a" /* U+1F60A: four bytes */
#define NOTES_MAX  4000
#define REASON_MAX 500
#define PAGE	   100
#define FACE_BYTES (sizeof(FACE) - 1)
#define RESTARTS   "catetube_child_restarts_total{proc=\"fcgi\"} "

static struct ct_str
faces(struct ct_arena *a, size_t n)
{
	char *p = ct_arena_raw(a, n * FACE_BYTES);

	for (size_t i = 0; i < n; i++)
		memcpy(p + i * FACE_BYTES, FACE, FACE_BYTES);
	return (struct ct_str){p, n * FACE_BYTES};
}

static int64_t
restarts(struct ct_who *who)
{
	const struct ct_answer *r = ct_want(ct_get(who, "/metrics"), 200);
	const char *at = strstr(r->body.p, RESTARTS);

	assert_non_null(at);
	return strtoll(at + strlen(RESTARTS), NULL, 10);
}

static void
add_largest(struct ct_who *who)
{
	struct ct_pg *pg = open_pg(who);
	const struct ct_res *row;
	struct ct_medication in;
	bool stopped;
	struct ct_uuid account;

	assert_true(ct_uuid_parse(ct_str_of(who->id), &account));
	memcpy(&in, ct_medication_kind.fresh, sizeof(in));
	assert_true(ct_uuid_parse(ct_str_of(cat_of(who)), &in.e.cat_id));
	in.e.notes = faces(who->a, NOTES_MAX);
	in.reason = faces(who->a, REASON_MAX);
	in.name = faces(who->a, 100);
	in.dosage = faces(who->a, 50);
	in.amount_ul = 1;
	in.route = CT_STR("Oral");
	in.status = CT_STR("skipped");
	for (unsigned i = 0; i < PAGE; i++) {
		in.e.id = ct_uuid_new();
		in.e.given_at = CT_NULL_I64;
		OK(ct_entry_add(pg, who->a, &ct_medication_kind, &account, &in,
		    &row, &stopped, &err));
	}
}

static void
largest_page_is_served(void **state)
{
	struct ct_who *who = *state;
	static const struct {
		const char *path, *list;
	} pages[] = {{"/api/medication_log/", ""},
	    {"/api/medication_log/?page=1&per_page=100", "logs"}};
	int64_t before = restarts(who);

	add_largest(who);
	for (unsigned i = 0; i < ct_countof(pages); i++) {
		const struct ct_answer *r =
		    ct_want(ct_get(who, pages[i].path), 200);

		assert_int_equal(ct_count(r, pages[i].list), PAGE);
		assert_true(r->body.n > PAGE * NOTES_MAX * FACE_BYTES);
	}
	ct_want(ct_get(who, "/health/live"), 200);
	assert_int_equal(restarts(who), before);
}

/* ------------------------------------------------------------ guesses */

/* 429 that says how long, from whatever asks for a password. */
static void
want_wait(const struct ct_answer *r)
{
	ct_want_error(r, 429, "login_wait", NULL);
	assert_non_null(ct_head(r, "Retry-After"));
	assert_in_range(
	    strtol(ct_head(r, "Retry-After"), NULL, 10), 1, 15 * 60);
}

#define SET_UNTIL(time)                                                        \
	"update login_failure set until_at = " time " where email_hash ="      \
	" sha256(convert_to(lower('%s'), 'UTF8'))"

/*
 * The first wait is a second: a busy machine would sit it out unseen. Make it
 * minutes, where there is one after so many failures.
 */
static void
hold_wait(struct ct_who *who, struct ct_pg *pg, const char *email, int failures)
{
	script(pg,
	    ct_path(who,
		SET_UNTIL(
		    "now() + interval '5 minutes'") " and failures = %d and "
						    "until_at > updated_at",
		email, failures));
}

static void
end_wait(struct ct_who *who, struct ct_pg *pg, const char *email)
{
	script(pg, ct_path(who, SET_UNTIL("now() - interval '1 s'"), email));
}

static const struct ct_answer *
login(struct ct_who *who, const char *email, const char *password)
{
	return ct_call(who, "POST", "/api/auth/login",
	    "{'email':'%s','password':'%s'}", email, password);
}

/* Five spellings that one account answers to; the next try has to wait. */
static void
spell_and_wait(struct ct_who *thief, struct ct_pg *pg, const char *tail)
{
	static const char *const heads[FREE_TRIES] = {"\xe2\x84\xaaiki", "KIKI",
	    "ki\xe2\x84\xaai", "Kiki", "\xe2\x84\xaaI\xe2\x84\xaaI"};
	const char *plain = ct_path(thief, "kiki%s", tail);

	for (unsigned i = 0; i < FREE_TRIES; i++)
		ct_want_error(
		    login(thief, ct_path(thief, "%s%s", heads[i], tail), WRONG),
		    401, "credentials", NULL);
	hold_wait(thief, pg, plain, FREE_TRIES);
	want_wait(login(thief, plain, CT_T_PASSWORD));
	/* Nor does another spelling get past it. */
	want_wait(login(
	    thief, ct_path(thief, "\xe2\x84\xaaiKi%s", tail), CT_T_PASSWORD));
}

static void
spellings_share_a_count(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *thief = ct_who_nobody(who->a, NULL);
	struct ct_pg *pg = open_pg(who);
	const char *known = ct_path(who, "-%s@example.test", who->id);
	const char *unknown = ct_path(who, "-no-%s@example.test", who->id);
	const char *email = ct_path(who, "kiki%s", known);

	ct_want(
	    ct_call(ct_who_nobody(who->a, NULL), "POST", "/api/auth/register",
		"{'email':'%s','password':'" CT_T_PASSWORD
		"','first_name':'Kiki'}",
		email),
	    201);
	spell_and_wait(thief, pg, known);
	spell_and_wait(thief, pg, unknown);
	/* After the wait the right password works, and clears the count. */
	end_wait(who, pg, email);
	ct_want(login(thief, email, CT_T_PASSWORD), 200);
	ct_want_error(login(thief, email, WRONG), 401, "credentials", NULL);
}

static const struct ct_answer *
change(struct ct_who *who, const char *password)
{
	return ct_call(who, "POST", "/api/auth/change-password",
	    "{'current_password':'%s','new_password':'eight cold syringes'}",
	    password);
}

static const struct ct_answer *
confirm(struct ct_who *who, const char *what, const char *password)
{
	return ct_call(who, "POST", ct_path(who, "/api/auth/%s", what),
	    "{'password':'%s'}", password);
}

/* A stolen session is no place to guess the password. */
static void
guesses_behind_a_session_count(void **state)
{
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);

	for (unsigned i = 0; i < FREE_TRIES; i++)
		ct_want_error(change(who, WRONG), 401, "password", NULL);
	hold_wait(who, pg, who->email, FREE_TRIES);
	/* The right one waits too, here and wherever else it is asked for. */
	want_wait(change(who, CT_T_PASSWORD));
	want_wait(confirm(who, "deactivate", CT_T_PASSWORD));
	want_wait(confirm(who, "delete", CT_T_PASSWORD));
	want_wait(login(who, who->email, CT_T_PASSWORD));
	ct_want(ct_get(who, "/api/auth/me"), 200);
	/* The count goes on where the wait ends. */
	end_wait(who, pg, who->email);
	ct_want_error(confirm(who, "deactivate", WRONG), 401, "password", NULL);
	hold_wait(who, pg, who->email, FREE_TRIES + 1);
	want_wait(change(who, CT_T_PASSWORD));
	end_wait(who, pg, who->email);
	ct_want(change(who, CT_T_PASSWORD), 200);
}

/* -------------------------------------------------------------- changes */

COUNT(cats, "ut", "from cat where id = $2::uuid and $1 is not null");
COUNT(entries, "ut",
    "from (select cat_id from feeding union all select cat_id from medication)"
    " e where cat_id = $2::uuid and $1 is not null");
COUNT(sessions, "u", "from account_session where account_id = $1");

static const struct ct_stmt waiting = {"t_waiting", CT_GLOBAL, CT_READ, "",
    NULL,
    "select count(*) from pg_stat_activity"
    " where pg_backend_pid() = any(pg_blocking_pids(pid))"};

struct race {
	struct ct_pg *pg; /* holds the account's row */
	const char *change;
	int status; /* of the log-in */
	bool waited;
};

/* Once the log-in stands before the row, change the password under it. */
static void
change_under_it(struct ct_who *twin, struct race *race)
{
	int64_t end = ct_mono_ms() + 2000;
	struct ct_params p;
	const struct ct_res *r;
	struct ct_err err = {0};

	ct_params_init(&p, twin->a);
	while (!race->waited && ct_mono_ms() < end) {
		if (ct_pg_run(race->pg, &waiting, &p, twin->a, &r, &err) !=
		    CT_OK)
			return;
		race->waited = ct_res_i64(r, 0, 0) > 0;
	}
	if (ct_pg_script(race->pg, race->change, &err) != CT_OK ||
	    ct_pg_commit(race->pg, &err) != CT_OK)
		race->waited = false;
}

static void
race_thread(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *race = arg;

	if (i == 0) {
		change_under_it(twin, race);
		return;
	}
	twin->cookie[0] = '\0';
	race->status = login(twin, twin->email, CT_T_PASSWORD)->status;
}

/*
 * A log-in proved the old password, then the change came, then the log-in
 * makes its session: it must not.
 */
static void
login_sees_the_change(void **state)
{
	struct ct_who *who = *state;
	struct race race = {.pg = open_pg(who)};

	race.change = ct_path(who,
	    "update account set password_hash = password_hash || 'x'"
	    " where id = '%s';"
	    "delete from account_session where account_id = '%s'",
	    who->id, who->id);
	OK(ct_pg_begin(race.pg, who->a, false, &err));
	script(race.pg,
	    ct_path(who, "select from account where id = '%s' for update",
		who->id));
	ct_at_once(who, 2, race_thread, &race);
	assert_true(race.waited);
	assert_int_equal(race.status, 401);
	assert_int_equal(number(race.pg, who, &sessions, who->id, NULL), 0);
}

/* ------------------------------------------------------------ deleting */

#define MARK "limped after the walk"
COUNT(audited, "ut",
    "from audit_event where before is not null"
    " and (cat_id = $2::uuid or account_id = $1)");
COUNT(marked, "ut",
    "from audit_event where before::text like '%' || $2 || '%'"
    " and $1 is not null");
COUNT(named, "u", "from audit_event where account_id = $1");
COUNT(accounts, "u", "from account where id = $1");

static void
write_and_change(struct ct_who *who, const char *path, const char *body)
{
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", path, "%s", body), 201);
	const char *one = ct_path(who, "%s%s", path, ct_text(r, "data.id"));

	ct_want(ct_call(who, "PATCH", one, "{'notes':'" MARK " %s'}", who->id),
	    200);
	ct_want(ct_call(who, "PATCH", one, "{'notes':'better'}"), 200);
	ct_want(ct_call(who, "DELETE", one, NULL), 200);
}

static void
delete_leaves_no_care_behind(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_who *twin = ct_who_login(who->a, who, NULL);
	struct ct_who *all[] = {who, other};
	struct ct_pg *pg = open_pg(who);
	const char *mark = ct_path(who, MARK " %s", who->id);
	const char *cat = cat_of(who);
	const char *theirs = cat_of(other);

	for (unsigned i = 0; i < ct_countof(all); i++) {
		write_and_change(all[i], "/api/feeding/", "{'amount_ml':5}");
		write_and_change(all[i], "/api/medication_log/",
		    "{'medication_name':'M','dosage':'1','amount_ml':1}");
	}
	ct_want(ct_get(twin, "/api/auth/me"), 200);
	assert_int_equal(number(pg, who, &audited, who->id, cat), 6);
	assert_int_equal(number(pg, who, &marked, who->id, mark), 2);
	ct_want(confirm(who, "delete", CT_T_PASSWORD), 200);
	ct_want_error(ct_get(who, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	ct_want_error(ct_get(twin, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
	assert_int_equal(number(pg, who, &accounts, who->id, NULL), 0);
	assert_int_equal(number(pg, who, &sessions, who->id, NULL), 0);
	assert_int_equal(number(pg, who, &cats, who->id, cat), 0);
	assert_int_equal(number(pg, who, &entries, who->id, cat), 0);
	assert_int_equal(number(pg, who, &audited, who->id, cat), 0);
	assert_int_equal(number(pg, who, &marked, who->id, mark), 0);
	assert_int_equal(number(pg, who, &named, who->id, NULL), 0);
	/* The trail of others stays. */
	assert_int_equal(number(pg, who, &audited, other->id, theirs), 6);
	assert_int_equal(number(pg, who, &entries, other->id, theirs), 2);
}

/* ------------------------------------------------------------ roles */

/*
 * The handler has looked at the role before; here it is lost between that and
 * the statement, which must look, too.
 */
static void
a_role_lost_meanwhile_changes_nothing(void **state)
{
	enum ct_rc (*const change[])(struct ct_pg *, struct ct_arena *,
	    const struct ct_entry_kind *, const struct ct_uuid *, void *,
	    struct ct_err *) = {
	    ct_entry_update, ct_entry_remove, ct_entry_restore};
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);
	const struct ct_answer *r = ct_want(
	    ct_call(who, "POST", "/api/feeding/", "{'amount_ml':5}"), 201);
	struct ct_uuid account, id;
	struct ct_feeding seen, now;
	struct ct_err told;

	assert_true(ct_uuid_parse(ct_str_of(who->id), &account));
	assert_true(ct_uuid_parse(ct_str_of(ct_text(r, "data.id")), &id));
	for (unsigned i = 0; i < ct_countof(change); i++) {
		/* There is something to be restored in the end. */
		if (change[i] == ct_entry_restore)
			ct_want(ct_call(who, "DELETE",
				    ct_path(who, "/api/feeding/%s",
					ct_text(r, "data.id")),
				    NULL),
			    200);
		OK(ct_entry_get(pg, who->a, &ct_feeding_kind, &account, &id,
		    true, &seen, &err));
		script(
		    pg, ct_path(who,
			    "update cat_member set role = 1 where account_id = "
			    "'%s'",
			    who->id));
		now = seen;
		now.amount_ul = 7000;
		ct_err_clear(&told);
		assert_int_equal(change[i](pg, who->a, &ct_feeding_kind,
				     &account, &now, &told),
		    CT_CONFLICT);
		OK(ct_entry_get(pg, who->a, &ct_feeding_kind, &account, &id,
		    true, &now, &err));
		assert_int_equal(now.e.version, seen.e.version);
		assert_int_equal(now.amount_ul, 5000);
		assert_int_equal(now.e.deleted_at, seen.e.deleted_at);
		script(
		    pg, ct_path(who,
			    "update cat_member set role = 4 where account_id = "
			    "'%s'",
			    who->id));
	}
}

/* ------------------------------------------------------------ reports */

#define REPORTS_MAX 20 /* CATETUBE_REPORTS_MAX */
#define OPEN	    15
#define ASKED	    10 /* what a minute lets through */
COUNT(unfinished, "u",
    "from report where account_id = $1 and state in ('queued', 'running')");

struct tally {
	atomic_int taken, refused;
};

static void
ask_report(struct ct_who *twin, unsigned i, void *arg)
{
	struct tally *t = arg;
	const struct ct_answer *r =
	    ct_call(twin, "POST", "/api/report/feeding", "{'format':'csv'}");

	(void)i;
	if (r->status == 202)
		atomic_fetch_add(&t->taken, 1);
	else if (r->status == 429 && ct_says(r, "\"reports_open\""))
		atomic_fetch_add(&t->refused, 1);
}

/*
 * The lock keeps the worker from finishing any of them meanwhile, or places
 * would become free while they are counted.
 */
static void
reports_at_once_keep_the_limit(void **state)
{
	struct ct_who *who = *state;
	struct ct_pg *pg = open_pg(who);
	struct tally tally = {0};
	const char *cat = cat_of(who);

	script(
	    pg, ct_path(who,
		    "insert into report (id, account_id, cat_id, kind, format)"
		    " select gen_random_uuid(), '%s', '%s', 'feeding', 'csv'"
		    " from generate_series(1, %d)",
		    who->id, cat, OPEN));
	OK(ct_pg_begin(pg, who->a, false, &err));
	script(pg, "lock table job_run in share mode");
	ct_at_once(who, ASKED, ask_report, &tally);
	assert_int_equal(
	    number(pg, who, &unfinished, who->id, NULL), REPORTS_MAX);
	OK(ct_pg_commit(pg, &err));
	assert_int_equal(atomic_load(&tally.taken), REPORTS_MAX - OPEN);
	assert_int_equal(
	    atomic_load(&tally.refused), ASKED - (REPORTS_MAX - OPEN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(largest_page_is_served),
	    ct_api_test(spellings_share_a_count),
	    ct_api_test(guesses_behind_a_session_count),
	    ct_api_test(login_sees_the_change),
	    ct_api_test(delete_leaves_no_care_behind),
	    ct_api_test(a_role_lost_meanwhile_changes_nothing),
	    ct_api_test(reports_at_once_keep_the_limit),
	};

	return cmocka_run_group_tests_name(
	    "api/guards_sql", tests, ct_api_group, NULL);
}
