/*
 * One-time codes: begun, confirmed, asked for at log-in, used once, replaced by
 * a recovery code, ended. Codes come from liboath here, as from a phone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <liboath/oath.h>

#include "common/clock.h"
#include "db/totp.h"
#include "tests/support/app.h"

#define PATH "/api/auth/totp"
#define PW   CT_T_PASSWORD

struct phone {
	const char *secret;	       /* base32, as the service gave it */
	const struct ct_answer *codes; /* of the confirmation */
};

static void
close_pg(void *pg)
{
	ct_pg_close(pg);
}

/* SQL on rows of this test's own accounts. */
static void
sql(struct ct_who *who, const char *text)
{
	struct ct_pg *pg = ct_pg_open(getenv("DATABASE_URL"), "totp", 10000);
	struct ct_err err = {0};

	ct_arena_defer(who->a, close_pg, pg);
	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
}

/* How many mails of that kind the account got. */
static void
want_told(struct ct_who *who, const char *kind, int n)
{
	sql(who, ct_path(who,
		     "do $$ begin assert (select count(*) from mail"
		     " where account_id = '%s' and kind = '%s') = %d,"
		     " 'not %d mails %s'; end $$",
		     who->id, kind, n, n, kind));
}

/* Forget which codes were used: the clock is not ours to set. */
static void
forget_steps(struct ct_who *who)
{
	sql(who, ct_path(who,
		     "update account_totp set last_step = -1"
		     " where account_id = '%s'",
		     who->id));
}

/* The code of the step so many after now. */
static const char *
code_at(struct ct_who *who, const struct phone *p, int steps)
{
	char *raw, out[8];
	size_t n;

	assert_int_equal(
	    oath_base32_decode(p->secret, strlen(p->secret), &raw, &n),
	    OATH_OK);
	assert_int_equal(n, 20);
	assert_int_equal(
	    oath_totp_generate2(
		raw, n, ct_now_us() / 1000000 + steps * 30, 30, 0, 6, 0, out),
	    OATH_OK);
	free(raw);
	return ct_path(who, "%s", out);
}

static const char *
code_now(struct ct_who *who, const struct phone *p)
{
	return code_at(who, p, 0);
}

/* Six digits that are none of the codes of these minutes. */
static const char *
code_wrong(struct ct_who *who, const struct phone *p)
{
	for (int v = 0;; v++) {
		const char *code = ct_path(who, "%06d", v);
		bool right = false;

		for (int s = -3; s <= 3; s++)
			right |= strcmp(code, code_at(who, p, s)) == 0;
		if (!right)
			return code;
	}
}

static const struct ct_answer *
login(struct ct_who *who, const char *email, const char *more)
{
	return ct_call(who, "POST", "/api/auth/login",
	    "{'email':'%s','password':'" PW "'%s}", email, more);
}

static const struct ct_answer *
login_code(struct ct_who *who, const char *email, const char *code)
{
	return login(who, email, ct_path(who, ",'code':'%s'", code));
}

static const struct ct_answer *
login_recovery(struct ct_who *who, const char *email, const char *code)
{
	return login(who, email, ct_path(who, ",'recovery_code':'%s'", code));
}

static const struct ct_answer *
begin(struct ct_who *who, struct phone *p)
{
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", PATH, "{'password':'" PW "'}"), 200);

	p->secret = ct_text(r, "secret");
	return r;
}

static struct phone
switched_on(struct ct_who *who)
{
	struct phone p;

	begin(who, &p);
	p.codes = ct_want(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			      code_now(who, &p)),
	    200);
	forget_steps(who);
	return p;
}

static const char *
recovery(struct ct_who *who, const struct phone *p, unsigned i)
{
	return ct_text(p->codes, ct_path(who, "recovery_codes.%u", i));
}

static void
want_state(struct ct_who *who, bool on, int64_t left)
{
	const struct ct_answer *r = ct_want(ct_get(who, PATH), 200);

	assert_int_equal(ct_flag(r, "enabled"), on);
	assert_int_equal(ct_i64(r, "recovery_codes_left"), left);
}

static void
want_refused(const struct ct_answer *r, const char *code)
{
	ct_want_error(r, 401, code, NULL);
	assert_null(ct_head(r, "Set-Cookie"));
}

/* Failures counted so far hold up nobody in these tests. */
static void
forgive(struct ct_who *who)
{
	sql(who, ct_path(who,
		     "delete from login_failure where email_hash ="
		     " sha256(convert_to('%s', 'UTF8'))",
		     who->email));
}

static void
beginning_needs_the_password(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p, again;
	const struct ct_answer *r;

	ct_want_error(ct_call(who, "POST", PATH, "{'password':'not this'}"),
	    401, "password", NULL);
	ct_want_error(
	    ct_call(who, "POST", PATH, "{}"), 400, "invalid", "password");
	r = begin(who, &p);
	assert_int_equal(strlen(p.secret), 32);
	assert_string_equal(ct_text(r, "otpauth_uri"),
	    ct_path(who,
		"otpauth://totp/CatETube:%.*s%%40example.test?secret=%s"
		"&issuer=CatETube&algorithm=SHA1&digits=6&period=30",
		(int)strcspn(who->email, "@"), who->email, p.secret));
	assert_true(strncmp(ct_text(r, "qr_svg"), "<svg xmlns=", 11) == 0);
	/* Begun is not on; beginning again gives another secret. */
	want_state(who, false, 0);
	ct_want(login(two, who->email, ""), 200);
	begin(who, &again);
	assert_string_not_equal(p.secret, again.secret);
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			  code_now(who, &p)),
	    400, "invalid", "code");
	want_state(who, false, 0);
}

static void
confirming_gives_codes_once(void **state)
{
	struct ct_who *who = *state;
	struct phone p;
	const struct ct_answer *r;

	ct_want_error(
	    ct_call(who, "POST", PATH "/confirm", "{'code':'123456'}"), 409,
	    "totp_not_begun", NULL);
	begin(who, &p);
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			  code_wrong(who, &p)),
	    400, "invalid", "code");
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{'code':123456}"),
	    400, "invalid", "code");
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{}"), 400,
	    "invalid", "code");
	want_state(who, false, 0);
	r = ct_want(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			code_now(who, &p)),
	    200);
	assert_int_equal(ct_count(r, "recovery_codes"), 10);
	p.codes = r;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(strlen(recovery(who, &p, i)), 27);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
			    recovery(who, &p, i), recovery(who, &p, k));
	}
	want_state(who, true, 10);
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			  code_at(who, &p, 1)),
	    409, "totp_on", NULL);
	want_told(who, "totp_on", 1);
	want_told(who, "totp_off", 0);
	ct_want_error(ct_call(who, "POST", PATH, "{'password':'" PW "'}"), 409,
	    "totp_on", NULL);
	/* The code that switched it on is used up. */
	want_refused(login_code(ct_who_nobody(who->a, NULL), who->email,
			 code_at(who, &p, (int)-1)),
	    "totp_wrong");
}

static void
begun_long_ago_is_not_begun(void **state)
{
	struct ct_who *who = *state;
	struct phone p;

	begin(who, &p);
	sql(who, ct_path(who,
		     "update account_totp set created_at = now() -"
		     " interval '61 minutes' where account_id = '%s'",
		     who->id));
	ct_want_error(ct_call(who, "POST", PATH "/confirm", "{'code':'%s'}",
			  code_now(who, &p)),
	    409, "totp_not_begun", NULL);
}

static void
login_asks_for_a_code(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who);

	want_refused(login(two, who->email, ""), "totp_required");
	want_refused(
	    login_code(two, who->email, code_wrong(who, &p)), "totp_wrong");
	want_refused(
	    login_code(two, who->email, code_at(who, &p, 3)), "totp_wrong");
	forgive(who);
	assert_true(ct_take_cookie(
	    two, ct_want(login_code(two, who->email, code_now(who, &p)), 200)));
	ct_want(ct_get(two, "/api/auth/me"), 200);
	ct_want_error(login_code(two, who->email, ""), 400, "invalid", "code");
	ct_want_error(
	    login(two, who->email, ",'code':123456"), 400, "invalid", "code");
	ct_want_error(
	    login(two, who->email, ",'code':'123456','recovery_code':'ABCDEF'"),
	    400, "invalid", "recovery_code");
}

/* A code counts once, and none before it counts after it. */
static void
a_code_counts_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who);
	const char *code = code_now(who, &p), *before = code_at(who, &p, -1);

	/* As people type it. */
	ct_want(login_code(
		    two, who->email, ct_path(who, "%.3s %s", code, code + 3)),
	    200);
	two->cookie[0] = '\0';
	want_refused(login_code(two, who->email, code), "totp_wrong");
	want_refused(login_code(two, who->email, before), "totp_wrong");
	ct_want(login_code(two, who->email, code_at(who, &p, 1)), 200);
}

struct race {
	struct phone p;
	const char *email, *code, *recovery;
	int status[6];
};

static void
one_login(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *race = arg;
	const char *name = race->code ? "code" : "recovery_code";
	char body[400];
	struct ct_ask ask = {.method = "POST", .path = "/api/auth/login"};

	twin->cookie[0] = '\0';
	snprintf(body, sizeof(body),
	    "{\"email\":\"%s\",\"password\":\"" PW "\",\"%s\":\"%s\"}",
	    race->email, name, race->code ? race->code : race->recovery);
	ask.body = ct_str_of(body);
	race->status[i] = ct_ask(twin, &ask)->status;
}

static void
run_race(struct ct_who *who, struct race *race)
{
	int won = 0;

	ct_at_once(who, ct_countof(race->status), one_login, race);
	for (unsigned i = 0; i < ct_countof(race->status); i++) {
		won += race->status[i] == 200;
		if (race->status[i] != 200 && race->status[i] != 401 &&
		    race->status[i] != 429)
			fail_msg("status %d", race->status[i]);
	}
	assert_int_equal(won, 1);
	forgive(who);
}

static void
of_many_at_once_one_wins(void **state)
{
	struct ct_who *who = *state;
	struct race race = {.p = switched_on(who), .email = who->email};

	race.code = code_now(who, &race.p);
	run_race(who, &race);
	race.code = NULL;
	race.recovery = recovery(who, &race.p, 0);
	run_race(who, &race);
	want_state(who, true, 9);
}

/* What decides a race: the database takes a step once, and none before it. */
static void
a_step_is_taken_once(void **state)
{
	static const struct {
		int64_t step;
		bool taken;
	} uses[] = {{100, true}, {100, false}, {99, false}, {101, true}};
	struct ct_who *who = *state;
	struct ct_pg *pg = ct_pg_open(getenv("DATABASE_URL"), "totp", 10000);
	struct ct_err err = {0};
	struct ct_uuid id;
	struct phone p;
	bool taken;

	ct_arena_defer(who->a, close_pg, pg);
	assert_true(ct_uuid_parse(ct_str_of(who->id), &id));
	begin(who, &p); /* not confirmed: nothing to take */
	assert_int_equal(
	    ct_totp_use(pg, who->a, &id, 100, &taken, &err), CT_OK);
	assert_false(taken);
	switched_on(who);
	for (size_t i = 0; i < ct_countof(uses); i++) {
		assert_int_equal(
		    ct_totp_use(pg, who->a, &id, uses[i].step, &taken, &err),
		    CT_OK);
		assert_int_equal(taken, uses[i].taken);
	}
}

static void
codes_of_another_account_are_wrong(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone mine = switched_on(who), theirs = switched_on(other);

	want_refused(login_code(two, who->email, code_now(other, &theirs)),
	    "totp_wrong");
	want_refused(
	    login_recovery(two, who->email, recovery(other, &theirs, 0)),
	    "totp_wrong");
	want_state(who, true, 10);
	want_state(other, true, 10);
	ct_want(login_code(two, who->email, code_now(who, &mine)), 200);
}

static void
a_recovery_code_counts_once(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who);
	char typed[64];
	const char *code = recovery(who, &p, 7);

	ct_want(login_recovery(two, who->email, code), 200);
	two->cookie[0] = '\0';
	want_state(who, true, 9);
	want_refused(login_recovery(two, who->email, code), "totp_wrong");
	want_refused(login_recovery(two, who->email,
			 "AAAAAA-AAAAAA-AAAAAA-"
			 "AAAAAA"),
	    "totp_wrong");
	/* In small letters, with blanks. */
	code = recovery(who, &p, 8);
	for (unsigned i = 0; i <= strlen(code); i++)
		typed[i] = (char)(code[i] == '-' ? ' '
				  : code[i] >= 'A' && code[i] <= 'Z'
				      ? code[i] - 'A' + 'a'
				      : code[i]);
	ct_want(login_recovery(two, who->email, typed), 200);
	want_state(who, true, 8);
}

/* Whoever has the password cannot go through all codes. */
static void
wrong_codes_are_throttled(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who);
	const char *wrong = code_wrong(who, &p);
	const struct ct_answer *r;
	int tries = 0;

	do {
		r = login_code(two, who->email, wrong);
		assert_true(++tries < 10);
	} while (r->status == 401);
	ct_want_error(r, 429, "login_wait", NULL);
	assert_non_null(ct_head(r, "Retry-After"));
	ct_want_error(login_code(two, who->email, code_now(who, &p)), 429,
	    "login_wait", NULL);
	/* So is asking without one, which tells that the password is right. */
	forgive(who);
	for (tries = 0; login(two, who->email, "")->status == 401; tries++)
		assert_true(tries < 10);
}

/* The code says nothing to who has no password, and is not used up by it. */
static void
the_password_comes_first(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who);
	const char *code = code_now(who, &p);
	const struct ct_answer *r;

	r = ct_call(two, "POST", "/api/auth/login",
	    "{'email':'%s','password':'not this','code':'%s'}", who->email,
	    code);
	want_refused(r, "credentials");
	r = ct_call(two, "POST", "/api/auth/login",
	    "{'email':'%s','password':'not this'}", who->email);
	want_refused(r, "credentials");
	ct_want(login_code(two, who->email, code), 200);
}

static void
switching_off(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone p = switched_on(who), again;

	ct_want_error(
	    ct_call(who, "POST", PATH "/disable",
		"{'password':'not this','code':'%s'}", code_now(who, &p)),
	    401, "password", NULL);
	ct_want_error(
	    ct_call(who, "POST", PATH "/disable", "{'password':'" PW "'}"), 401,
	    "totp_required", NULL);
	ct_want_error(
	    ct_call(who, "POST", PATH "/disable",
		"{'password':'" PW "','code':'%s'}", code_wrong(who, &p)),
	    401, "totp_wrong", NULL);
	want_state(who, true, 10);
	want_told(who, "totp_off", 0);
	ct_want(ct_call(who, "POST", PATH "/disable",
		    "{'password':'" PW "','recovery_code':'%s'}",
		    recovery(who, &p, 0)),
	    200);
	want_told(who, "totp_off", 1);
	want_state(who, false, 0);
	ct_want(login(two, who->email, ""), 200);
	again = switched_on(who);
	assert_string_not_equal(p.secret, again.secret);
	two->cookie[0] = '\0';
	want_refused(login_recovery(two, who->email, recovery(who, &p, 1)),
	    "totp_wrong");
}

/* The operator's way for who lost phone and codes. */
static void
the_operator_switches_it_off(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	const char *fcgi = ct_t_env("CATETUBE_FCGI", "build/catetube-fcgi");
	const char *command =
	    ct_path(who, "'%.*sctl' user totp-off %s >/dev/null 2>&1",
		(int)(strlen(fcgi) - strlen("-fcgi")), fcgi, who->email);

	/* Nothing is on yet: told, and nothing done. */
	assert_int_not_equal(system(command), 0);
	switched_on(who);
	want_refused(login(two, who->email, ""), "totp_required");
	assert_int_equal(system(command), 0);
	ct_want(login(two, who->email, ""), 200);
	want_state(who, false, 0);
	want_told(who, "totp_off", 1);
}

/* Sealed: neither readable in the database, nor of use to another row. */
static void
the_secret_is_sealed(void **state)
{
	struct ct_who *who = *state;
	struct ct_who *other = ct_who_register(who->a, NULL, NULL);
	struct ct_who *two = ct_who_nobody(who->a, NULL);
	struct phone theirs = switched_on(other);
	char *raw, hex[41] = "";
	size_t n;

	switched_on(who);
	oath_base32_decode(theirs.secret, strlen(theirs.secret), &raw, &n);
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)raw[i]);
	free(raw);
	sql(who, ct_path(who,
		     "do $$ begin if exists (select from account_totp where"
		     " length(secret) <> 60 or encode(secret, 'hex') like"
		     " '%%%s%%') then raise 'not sealed'; end if; end $$",
		     hex));
	sql(who, ct_path(who,
		     "update account_totp set secret = (select o.secret from"
		     " account_totp o where o.account_id = '%s')"
		     " where account_id = '%s'",
		     other->id, who->id));
	want_refused(login_code(two, who->email, code_now(other, &theirs)),
	    "totp_wrong");
	/* Recovery codes need no secret. */
	ct_want(login_code(two, other->email, code_now(other, &theirs)), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(beginning_needs_the_password),
	    ct_api_test(confirming_gives_codes_once),
	    ct_api_test(begun_long_ago_is_not_begun),
	    ct_api_test(login_asks_for_a_code),
	    ct_api_test(a_code_counts_once),
	    ct_api_test(of_many_at_once_one_wins),
	    ct_api_test(a_step_is_taken_once),
	    ct_api_test(codes_of_another_account_are_wrong),
	    ct_api_test(a_recovery_code_counts_once),
	    ct_api_test(wrong_codes_are_throttled),
	    ct_api_test(the_password_comes_first),
	    ct_api_test(switching_off),
	    ct_api_test(the_operator_switches_it_off),
	    ct_api_test(the_secret_is_sealed),
	};

	if (oath_init() != OATH_OK)
		return 1;
	return cmocka_run_group_tests(tests, ct_api_group, NULL);
}
