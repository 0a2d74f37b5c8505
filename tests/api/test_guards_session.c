/* Guards of sessions that only time would show: each is made old in the
 * database before the cache has a copy of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "db/pg.h"
#include "tests/support/app.h"

static struct ct_err err;

static void
close_pg(void *pg)
{
	ct_pg_close(pg);
}

static void
script(struct ct_who *who, const char *sql)
{
	struct ct_pg *pg =
	    ct_pg_open(ct_t_env("DATABASE_URL", ""), "test", 10000);

	ct_arena_defer(who->a, close_pg, pg);
	if (ct_pg_script(pg, sql, &err) != CT_OK)
		fail_msg("%s: %s %s", sql, err.msg, err.detail);
}

/* 401 with the change, 200 with the one that stops short of it. */
static void
want_end(struct ct_who *who, const char *still, const char *ended)
{
	struct ct_who *other = ct_who_login(who->a, who, NULL);

	script(who, ct_path(who,
			"update account_session set %s where account_id = '%s'",
			still, who->id));
	ct_want(ct_get(who, "/api/auth/me"), 200);
	script(who, ct_path(who,
			"update account_session set %s where account_id = '%s'",
			ended, who->id));
	ct_want_error(ct_get(other, "/api/auth/me"), 401, CT_T_UNAUTH, NULL);
}

static void
unused_for_long_is_ended(void **state)
{
	want_end(*state, "seen_at = now() - interval '13 days 23 hours'",
	    "seen_at = now() - interval '14 days 1 minute'");
}

static void
old_is_ended_however_used(void **state)
{
	want_end(*state, "expires_at = now() + interval '1 hour'",
	    "expires_at = now() - interval '1 second'");
}

/* The end that a session gets when it is made. */
static void
ninety_days_at_most(void **state)
{
	struct ct_who *who = *state;

	script(
	    who, ct_path(who,
		     "do $$ begin if exists (select from account_session"
		     " where account_id = '%s' and expires_at - created_at"
		     " not between interval '89 days' and interval '91 days')"
		     " then raise exception 'another end'; end if; end $$",
		     who->id));
}

static void
log_in_upgrades_the_hash(void **state)
{
	struct ct_who *who = *state;
	char weak[CT_PASSWORD_HASH];

	ct_crypto_init();
	if (ct_password_hash(CT_STR(CT_T_PASSWORD), 8192, 1, weak, &err) !=
	    CT_OK)
		fail_msg("%s", err.msg);
	script(
	    who, ct_path(who,
		     "update account set password_hash = '%s' where id = '%s'",
		     weak, who->id));
	ct_who_login(who->a, who, NULL);
	script(who, ct_path(who,
			"do $$ begin if not exists (select from account where"
			" id = '%s' and password_hash like"
			" '$argon2id$v=19$m=19456,t=2,p=1$%%') then"
			" raise exception 'another hash'; end if; end $$",
			who->id));
	/* It is still the same password's. */
	ct_who_login(who->a, who, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(unused_for_long_is_ended),
	    ct_api_test(old_is_ended_however_used),
	    ct_api_test(ninety_days_at_most),
	    ct_api_test(log_in_upgrades_the_hash),
	};

	return cmocka_run_group_tests_name(
	    "api/guards_session", tests, ct_api_group, NULL);
}
