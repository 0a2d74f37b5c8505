/*
 * Single-use tokens and mail rows against a migrated schema: what a token may
 * do once, and what it may not; what is written down with a mail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "db/mail.h"
#include "db/migrate.h"
#include "tests/support/private_pg.h"

static struct private_pg *cluster;
static struct ct_pg *pg;
static struct ct_arena *arena;
static struct ct_err err;
static struct ct_uuid account, other;
static const struct ct_conf conf = {
    .secret_key = "0123456789abcdef0123456789abcdef"};

static void
sql(const char *text)
{
	ct_err_clear(&err);
	if (ct_pg_script(pg, text, &err) != CT_OK)
		fail_msg("%s: %s %s", text, err.msg, err.detail);
}

static int64_t
number(const char *text)
{
	struct ct_stmt *st = ct_arena_alloc(arena, sizeof(*st));
	static int serial;
	const struct ct_res *r;
	struct ct_params p;

	st->name = ct_arena_printf(arena, "t_number_%d", serial++);
	st->sig = "";
	st->sql = text;
	ct_params_init(&p, arena);
	if (ct_pg_run(pg, st, &p, arena, &r, &err) != CT_OK)
		fail_msg("%s: %s", text, err.detail);
	return ct_res_i64(r, 0, 0);
}

static int
start_all(void **state)
{
	(void)state;
	ct_crypto_init();
	cluster = private_pg_new();
	pg = ct_pg_open(cluster->url, "test", 20000);
	arena = ct_arena_create((size_t)64 << 20);
	if (ct_migrate(pg, NULL, &err) != CT_OK)
		fail_msg("%s: %s", err.msg, err.detail);
	return 0;
}

static int
stop_all(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	ct_pg_close(pg);
	private_pg_free(cluster);
	return 0;
}

static int
setup(void **state)
{
	char one[CT_UUID_TEXT], two[CT_UUID_TEXT];

	(void)state;
	account = ct_uuid_new();
	other = ct_uuid_new();
	sql("truncate account, mail, job_outbox, job_run cascade");
	sql(ct_arena_printf(arena,
	    "insert into account (id, email, password_hash, first_name) values"
	    " ('%s', 'a@example.org', 'x', 'A'),"
	    " ('%s', 'b@example.org', 'x', 'B')",
	    ct_uuid_format(&account, one), ct_uuid_format(&other, two)));
	return 0;
}

static struct ct_str
make(enum ct_token_purpose purpose, const struct ct_uuid *whose)
{
	struct ct_account_token t = {.purpose = purpose,
	    .account = *whose,
	    .email = CT_STR("A@example.org")};
	char *text = ct_arena_alloc(arena, CT_TOKEN_TEXT);

	ct_err_clear(&err);
	if (ct_account_token_add(pg, arena, &conf, &t, &err) != CT_OK)
		fail_msg("%s %s", err.msg, err.detail);
	ct_mail_token(&conf, &t.id, text);
	return ct_str_of(text);
}

static enum ct_rc
use(struct ct_pg *on, enum ct_token_purpose purpose, struct ct_str text,
    struct ct_account_token *out)
{
	ct_err_clear(&err);
	return ct_account_token_use(on, arena, purpose, text, out, &err);
}

static void
want_stale(enum ct_token_purpose purpose, struct ct_str text)
{
	struct ct_account_token out;

	assert_int_equal(use(pg, purpose, text, &out), CT_INVALID);
	assert_int_equal(err.nfields, 1);
	assert_string_equal(err.fields[0].name, "token");
}

static void
token_works_once(void **state)
{
	struct ct_str text = make(CT_TP_RESET, &account);
	struct ct_account_token out;

	(void)state;
	assert_int_equal(use(pg, CT_TP_RESET, text, &out), CT_OK);
	assert_true(ct_uuid_eq(&out.account, &account));
	assert_true(ct_str_is(out.email, "A@example.org"));
	want_stale(CT_TP_RESET, text);
}

static void
token_is_for_its_purpose(void **state)
{
	(void)state;
	for (int made = 0; made < CT_TP_COUNT; made++) {
		struct ct_str text =
		    make((enum ct_token_purpose)made, &account);
		struct ct_account_token out;

		for (int p = 0; p < CT_TP_COUNT; p++)
			if (p != made)
				want_stale((enum ct_token_purpose)p, text);
		assert_int_equal(
		    use(pg, (enum ct_token_purpose)made, text, &out), CT_OK);
	}
}

static void
token_ends(void **state)
{
	static const char *const lives[] = {
	    "24 hours", "30 minutes", "24 hours", "7 days", "7 days"};

	(void)state;
	for (int p = 0; p < CT_TP_COUNT; p++) {
		struct ct_str text = make((enum ct_token_purpose)p, &account);

		assert_int_equal(
		    number(ct_arena_printf(arena,
			"select count(*) from account_token where"
			" purpose = '%s' and expires_at - created_at"
			" = interval '%s'",
			ct_token_purpose_name((enum ct_token_purpose)p),
			lives[p])),
		    1);
		sql("update account_token set expires_at = now()");
		want_stale((enum ct_token_purpose)p, text);
	}
	assert_int_equal(
	    number("select count(*) from account_token where used_at"
		   " is not null"),
	    0);
}

static void
garbage_is_stale(void **state)
{
	static const char *const bad[] = {
	    "", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\xff"};

	(void)state;
	make(CT_TP_VERIFY, &account);
	for (size_t i = 0; i < ct_countof(bad); i++)
		want_stale(CT_TP_VERIFY, ct_str_of(bad[i]));
}

static void
new_one_ends_the_older(void **state)
{
	struct ct_str one = make(CT_TP_VERIFY, &account);
	struct ct_str reset = make(CT_TP_RESET, &account);
	struct ct_str foreign = make(CT_TP_VERIFY, &other);
	struct ct_str invite = make(CT_TP_INVITE, &account);
	struct ct_str two = make(CT_TP_VERIFY, &account);
	struct ct_account_token out;

	(void)state;
	make(CT_TP_INVITE, &account);
	want_stale(CT_TP_VERIFY, one);
	assert_int_equal(use(pg, CT_TP_VERIFY, two, &out), CT_OK);
	assert_int_equal(use(pg, CT_TP_RESET, reset, &out), CT_OK);
	assert_int_equal(use(pg, CT_TP_VERIFY, foreign, &out), CT_OK);
	assert_int_equal(use(pg, CT_TP_INVITE, invite, &out), CT_OK);
}

static void
end_spares_invites_and_older_undo(void **state)
{
	struct ct_str verify = make(CT_TP_VERIFY, &account);
	struct ct_str old = make(CT_TP_UNDO_EMAIL, &account), young;
	struct ct_str invite = make(CT_TP_INVITE, &account);
	struct ct_str foreign = make(CT_TP_RESET, &other);
	struct ct_account_token out;
	int64_t between;

	(void)state;
	between = number("select (extract(epoch from clock_timestamp()) *"
			 " 1000000)::bigint");
	young = make(CT_TP_UNDO_EMAIL, &account);
	assert_int_equal(
	    ct_account_token_end(pg, arena, &account, CT_NULL_I64, &err),
	    CT_OK);
	want_stale(CT_TP_VERIFY, verify);
	verify = make(CT_TP_VERIFY, &account);
	assert_int_equal(
	    ct_account_token_end(pg, arena, &account, between, &err), CT_OK);
	want_stale(CT_TP_VERIFY, verify);
	want_stale(CT_TP_UNDO_EMAIL, young);
	assert_int_equal(use(pg, CT_TP_UNDO_EMAIL, old, &out), CT_OK);
	assert_int_equal(use(pg, CT_TP_INVITE, invite, &out), CT_OK);
	assert_int_equal(use(pg, CT_TP_RESET, foreign, &out), CT_OK);
}

struct racer {
	pthread_t thread;
	struct ct_str text;
	enum ct_rc rc;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_pg *own = ct_pg_open(cluster->url, "racer", 20000);
	struct ct_account_token out;
	struct ct_err e;

	ct_err_clear(&e);
	r->rc = ct_account_token_use(own, a, CT_TP_RESET, r->text, &out, &e);
	ct_pg_close(own);
	ct_arena_destroy(a);
	return NULL;
}

static void
of_twenty_one_wins(void **state)
{
	struct racer r[20];
	int won = 0;

	(void)state;
	r[0].text = make(CT_TP_RESET, &account);
	for (size_t i = 0; i < ct_countof(r); i++) {
		r[i].text = r[0].text;
		assert_int_equal(
		    pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
	}
	for (size_t i = 0; i < ct_countof(r); i++) {
		pthread_join(r[i].thread, NULL);
		assert_true(r[i].rc == CT_OK || r[i].rc == CT_INVALID);
		won += r[i].rc == CT_OK;
	}
	assert_int_equal(won, 1);
}

/* No text of a token is in any table. */
static void
text_is_not_at_rest(void **state)
{
	struct ct_str text = make(CT_TP_RESET, &account);

	(void)state;
	assert_int_equal(
	    number(ct_arena_printf(arena,
		"select count(*) from account_token t where t::text like"
		" '%%%.*s%%'",
		CT_STR_FMT(text))),
	    0);
}

static enum ct_rc
send_to(const char *kind, const char *to, int64_t per_hour)
{
	struct ct_mail m = {
	    .kind = ct_str_of(kind), .to = ct_str_of(to), .per_hour = per_hour};

	ct_err_clear(&err);
	return ct_mail_add(pg, arena, &m, &err);
}

static void
mail_and_its_job(void **state)
{
	struct ct_mail m = {.kind = CT_STR("notice"),
	    .to = CT_STR("a@example.org"),
	    .account = account,
	    .args = ct_mail_arg(arena, "name", CT_STR("A \"b\""))};
	struct ct_mail out;

	(void)state;
	assert_int_equal(ct_mail_add(pg, arena, &m, &err), CT_OK);
	assert_int_equal(
	    number("select count(*) from mail m join job_outbox o using (id)"
		   " where o.task = 'mail.send' and o.queue = 'mail' and"
		   " o.kwargs = jsonb_build_object('mail_id', m.id)"
		   " and o.state = 'pending'"),
	    1);
	assert_int_equal(ct_mail_start(pg, arena, &m.id, &out, &err), CT_OK);
	assert_true(ct_str_is(out.state, "sending"));
	assert_true(ct_str_is(out.args, "{\"name\": \"A \\\"b\\\"\"}"));
	assert_true(ct_uuid_eq(&out.account, &account));
	assert_int_equal(
	    ct_mail_again(pg, arena, &m.id, CT_STR("451 later"), &err), CT_OK);
	assert_int_equal(
	    number("select count(*) from mail where state = 'queued' and"
		   " error = '451 later'"),
	    1);
	assert_int_equal(ct_mail_start(pg, arena, &m.id, &out, &err), CT_OK);
	assert_int_equal(
	    ct_mail_end(pg, arena, &m.id, "sent", (struct ct_str){0}, 2, &err),
	    CT_OK);
	/* The first end counts. */
	assert_int_equal(
	    ct_mail_end(pg, arena, &m.id, "failed", CT_STR("late"), 3, &err),
	    CT_OK);
	assert_int_equal(
	    number("select count(*) from mail m join job_outbox o using (id)"
		   " join job_run r on r.job_id = m.id where m.state = 'sent'"
		   " and m.error is null and m.sent_at is not null"
		   " and o.state = 'done' and r.attempt = 2"),
	    1);
	assert_int_equal(ct_mail_start(pg, arena, &m.id, &out, &err), CT_OK);
	assert_true(ct_str_is(out.state, "sent"));
}

static void
bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {"", "a", "a@b",
	    "a@b.org\r\nBcc: x@y.org", "a@b.org\n", "a b@c.org", "a@b@c.org",
	    "<a@b.org>", "a@b.org,c@d.org", "a@b.org\x7f", "\"a\"@b.org"};

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		assert_int_equal(send_to("notice", bad[i], 0), CT_INVALID);
		assert_string_equal(err.fields[0].name, "email");
	}
	struct ct_mail nul = {
	    .kind = CT_STR("notice"), .to = CT_STR("a@b.org\0.org")};
	assert_int_equal(ct_mail_add(pg, arena, &nul, &err), CT_INVALID);
	assert_int_equal(number("select count(*) from mail"), 0);
	assert_int_equal(number("select count(*) from job_outbox"), 0);
}

static void
bound_per_address_and_kind(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_to("reset", "a@example.org", 3), CT_OK);
	assert_int_equal(send_to("reset", "A@Example.org", 3), CT_LIMITED);
	assert_string_equal(err.code, "mail_limit");
	assert_int_equal(send_to("verify", "a@example.org", 3), CT_OK);
	assert_int_equal(send_to("reset", "b@example.org", 3), CT_OK);
	assert_int_equal(number("select count(*) from mail"), 5);
	sql("update mail set created_at = now() - interval '61 minutes'");
	assert_int_equal(send_to("reset", "a@example.org", 3), CT_OK);
}

static void
purge_by_age(void **state)
{
	(void)state;
	sql("insert into mail (id, kind, to_address, state, created_at) select"
	    " gen_random_uuid(), 'notice', 'a@b.org', s, now() - i::interval"
	    " from (values ('dropped', '61 minutes'), ('dropped', '59 "
	    "minutes'),"
	    " ('sent', '31 days'), ('sent', '29 days'), ('failed', '31 days'),"
	    " ('queued', '31 days')) v (s, i)");
	make(CT_TP_RESET, &account);
	sql("update account_token set expires_at = now() - interval '8 days'");
	make(CT_TP_VERIFY, &account);
	assert_int_equal(ct_mail_purge(pg, arena, &err), CT_OK);
	assert_int_equal(number("select count(*) from mail"), 3);
	assert_int_equal(number("select count(*) from account_token"), 1);
}

#define T(fn) cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(token_works_once),
	    T(token_is_for_its_purpose),
	    T(token_ends),
	    T(garbage_is_stale),
	    T(new_one_ends_the_older),
	    T(end_spares_invites_and_older_undo),
	    T(of_twenty_one_wins),
	    T(text_is_not_at_rest),
	    T(mail_and_its_job),
	    T(bad_addresses_are_refused),
	    T(bound_per_address_and_kind),
	    T(purge_by_age),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
