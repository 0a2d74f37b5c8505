/*
 * Invitations: shown once, used once, in time, by whom they are for, and only
 * as long as whoever made them is an owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hand.h"

#define ACCEPT "/api/invite/accept"
#define PEEK   "/api/invite/peek"

static const char *
invite_path(struct ct_who *owner)
{
	return ct_path(owner, "/api/cat/%s/invite", ct_who_cat(owner));
}

static const struct ct_answer *
invite(struct ct_who *owner, const char *role, const char *more)
{
	return ct_call(
	    owner, "POST", invite_path(owner), "{'role':'%s'%s}", role, more);
}

static const char *
token_of(struct ct_who *owner, const char *role, const char *more)
{
	return ct_text(ct_want(invite(owner, role, more), 201), "token");
}

static const struct ct_answer *
show(struct ct_who *who, const char *path, const char *token)
{
	return ct_call(who, "POST", path, "{'token':'%s'}", token);
}

static void
an_invitation_makes_a_member(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	const char *cat = ct_who_cat(owner);
	const struct ct_answer *r = ct_want(invite(owner, "helper", ""), 201);
	const char *token = ct_text(r, "token");

	assert_int_equal(strlen(token), 43);
	assert_non_null(strstr(ct_text(r, "link"), ct_t_origin()));
	assert_non_null(strstr(ct_text(r, "link"), token));
	r = ct_want(show(guest, PEEK, token), 200);
	assert_string_equal(ct_text(r, "role"), "helper");
	assert_string_equal(ct_text(r, "invited_by"), "Ada");
	assert_string_equal(ct_text(r, "cat_id"), cat);
	ct_want_error(
	    ct_get(guest, ct_path(guest, "/api/cat/%s", cat)), 404, NULL, NULL);
	r = ct_want(show(guest, ACCEPT, token), 200);
	assert_string_equal(ct_text(r, "data.role"), "helper");
	assert_string_equal(ct_text(r, "data.id"), cat);
	assert_int_equal(ct_count(ct_get(guest, "/api/cat"), "cats"), 2);
	/* Whoever lost the answer asks again; nobody else may. */
	ct_want(show(guest, ACCEPT, token), 200);
	ct_want_error(
	    show(ct_who_register(owner->a, NULL, NULL), ACCEPT, token), 404,
	    "invite", NULL);
	assert_int_equal(
	    ct_count(ct_get(owner, invite_path(owner)), "invites"), 0);
}

static void
nothing_that_opens_is_at_rest(void **state)
{
	struct ct_who *owner = *state;
	struct ct_hand *hand = ct_hand_open(owner->a);
	const char *token = token_of(owner, "viewer", "");
	const struct ct_answer *r =
	    ct_want(ct_get(owner, invite_path(owner)), 200);

	assert_int_equal(ct_count(r, "invites"), 1);
	assert_false(ct_says(r, token));
	assert_null(ct_find(r, "invites.0.token"));
	assert_string_equal(ct_hand_get(hand, owner->a,
				"select count(*) as x from (select i::text from"
				" invite i union all select a.answer from"
				" idempotency a union all select m::text from"
				" mail m) t (t) where t like '%%%s%%'",
				token),
	    "0");
}

static void
bad_invitations_are_refused(void **state)
{
	static const struct {
		const char *body, *field;
	} cases[] = {
	    {"{}", "role"},
	    {"{'role':'owner'}", "role"},
	    {"{'role':'viewer','email':'nobody'}", "email"},
	    {"{'role':'viewer','expires_hours':0}", "expires_hours"},
	    {"{'role':'viewer','expires_hours':721}", "expires_hours"},
	    {"{'role':'viewer','token':'x'}", "token"},
	};
	struct ct_who *owner = *state;

	for (unsigned i = 0; i < ct_countof(cases); i++)
		ct_want_error(ct_call(owner, "POST", invite_path(owner), "%s",
				  cases[i].body),
		    400, NULL, cases[i].field);
	ct_want_error(ct_call(owner, "POST", ACCEPT, "{}"), 400, NULL, "token");
	ct_want_error(show(owner, ACCEPT, "never-was"), 404, "invite", NULL);
	ct_want_error(show(owner, PEEK, "never-was"), 404, "invite", NULL);
	assert_int_equal(
	    ct_count(ct_get(owner, invite_path(owner)), "invites"), 0);
}

static void
an_invitation_ends(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	struct ct_hand *hand = ct_hand_open(owner->a);
	const struct ct_answer *late =
	    ct_want(invite(owner, "viewer", ",'expires_hours':1"), 201);
	const struct ct_answer *gone =
	    ct_want(invite(owner, "viewer", ""), 201);

	ct_hand_sql(hand,
	    "update invite set expires_at = now() - interval '1 s'"
	    " where id = '%s'",
	    ct_text(late, "id"));
	ct_want_error(
	    show(guest, ACCEPT, ct_text(late, "token")), 404, "invite", NULL);
	ct_want_error(
	    show(guest, PEEK, ct_text(late, "token")), 404, "invite", NULL);
	assert_int_equal(
	    ct_count(ct_get(owner, invite_path(owner)), "invites"), 1);
	ct_want(ct_call(owner, "DELETE",
		    ct_path(owner, "%s/%s", invite_path(owner),
			ct_text(gone, "id")),
		    NULL),
	    200);
	ct_want_error(
	    show(guest, ACCEPT, ct_text(gone, "token")), 404, "invite", NULL);
	ct_want_error(ct_call(owner, "DELETE",
			  ct_path(owner, "%s/%s", invite_path(owner),
			      ct_text(gone, "id")),
			  NULL),
	    404, "not_found", NULL);
}

/* Who is an owner no more has no say in who comes. */
static void
an_invitation_ends_with_its_maker(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *second = ct_who_invited(owner->a, owner, "owner");
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	const char *cat = ct_who_cat(owner);
	const char *token =
	    ct_text(ct_want(ct_call(second, "POST",
				ct_path(second, "/api/cat/%s/invite", cat),
				"{'role':'caregiver'}"),
			201),
		"token");

	ct_want(show(guest, PEEK, token), 200);
	ct_want(ct_call(owner, "PATCH",
		    ct_path(owner, "/api/cat/%s/member/%s", cat, second->id),
		    "{'role':'caregiver'}"),
	    200);
	ct_want_error(show(guest, PEEK, token), 404, "invite", NULL);
	ct_want_error(show(guest, ACCEPT, token), 404, "invite", NULL);
	ct_want(
	    ct_call(owner, "DELETE",
		ct_path(owner, "/api/cat/%s/member/%s", cat, second->id), NULL),
	    200);
	ct_want_error(show(second, ACCEPT, token), 404, "invite", NULL);
	ct_want_error(show(guest, ACCEPT, token), 404, "invite", NULL);
}

static void
a_mailed_one_is_for_that_address(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	struct ct_who *other = ct_who_register(owner->a, NULL, NULL);
	struct ct_hand *hand = ct_hand_open(owner->a);
	const char *token = token_of(
	    owner, "caregiver", ct_path(owner, ",'email':'%s'", guest->email));

	assert_string_equal(
	    ct_hand_get(hand, owner->a,
		"select kind || ' ' || (args ->> 'inviter') as x from mail"
		" where to_address = '%s' and kind = 'invite'",
		guest->email),
	    "invite Ada");
	ct_want_error(show(other, PEEK, token), 403, "invite_email", NULL);
	ct_want_error(show(other, ACCEPT, token), 403, "invite_email", NULL);
	ct_want(show(guest, ACCEPT, token), 200);
}

/* A second one to the same address takes the place of the first. */
static void
one_open_invitation_per_address(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	const char *more = ct_path(owner, ",'email':'%s'", guest->email);
	const char *first = token_of(owner, "viewer", more);
	const char *second = token_of(owner, "helper", more);

	assert_int_equal(
	    ct_count(ct_get(owner, invite_path(owner)), "invites"), 1);
	ct_want_error(show(guest, ACCEPT, first), 404, "invite", NULL);
	ct_want(show(guest, ACCEPT, second), 200);
}

/* Being a member: a higher role is taken, a lower one never. */
static void
members_only_rise(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_invited(owner->a, owner, "helper");
	const char *low = token_of(owner, "viewer", "");
	const char *same = token_of(owner, "helper", "");
	const char *high = token_of(owner, "caregiver", "");
	const struct ct_answer *r;

	ct_want_error(show(guest, ACCEPT, low), 409, "already_member", NULL);
	ct_want_error(show(guest, ACCEPT, same), 409, "already_member", NULL);
	ct_want_error(show(owner, ACCEPT, high), 409, "already_member", NULL);
	r = ct_want(show(guest, ACCEPT, high), 200);
	assert_string_equal(ct_text(r, "data.role"), "caregiver");
	/* The one that was refused is there for somebody else. */
	ct_want(show(ct_who_register(owner->a, NULL, NULL), ACCEPT, low), 200);
}

static void
there_is_an_end_to_all(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);
	struct ct_hand *hand = ct_hand_open(owner->a);
	const char *token = NULL;

	for (unsigned i = 0; i < 20; i++)
		token = token_of(owner, "viewer", "");
	ct_want_error(invite(owner, "viewer", ""), 409, "too_many", NULL);
	ct_hand_lift(hand);
	ct_hand_sql(hand,
	    "with a as (insert into account (id, email, password_hash,"
	    " first_name) select gen_random_uuid(), gen_random_uuid() ||"
	    " '@x.test', '-', 'x' from generate_series(1, 49) returning id)"
	    " insert into cat_member (cat_id, account_id, role)"
	    " select '%s', id, 1 from a",
	    ct_who_cat(owner));
	ct_want_error(show(guest, ACCEPT, token), 409, "too_many", NULL);
	ct_hand_sql(hand,
	    "delete from cat_member where cat_id = '%s' and role = 1",
	    ct_who_cat(owner));
	ct_hand_sql(hand,
	    "with c as (insert into cat (id, name) select gen_random_uuid(),"
	    " 'x' from generate_series(1, 49) returning id)"
	    " insert into cat_member (cat_id, account_id, role)"
	    " select id, '%s', 4 from c",
	    guest->id);
	ct_want_error(show(guest, ACCEPT, token), 409, "too_many", NULL);
}

struct race {
	struct ct_who *who[6];
	const char *token, *tokens[6];
	int status[6];
};

static void
accept_it(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *r = arg;
	struct ct_who me = *r->who[i];

	me.a = twin->a;
	me.http = twin->http;
	r->status[i] = show(&me, ACCEPT, r->token)->status;
}

static void
of_many_at_once_one_wins(void **state)
{
	struct ct_who *owner = *state;
	struct race r = {.token = token_of(owner, "helper", "")};
	int won = 0;

	for (unsigned i = 0; i < ct_countof(r.who); i++)
		r.who[i] = ct_who_register(owner->a, NULL, NULL);
	ct_at_once(owner, ct_countof(r.who), accept_it, &r);
	for (unsigned i = 0; i < ct_countof(r.who); i++) {
		assert_true(r.status[i] == 200 || r.status[i] == 404);
		won += r.status[i] == 200;
	}
	assert_int_equal(won, 1);
	assert_int_equal(
	    ct_count(ct_get(owner, ct_path(owner, "/api/cat/%s/member",
				       ct_who_cat(owner))),
		"members"),
	    2);
}

static void
accept_own(struct ct_who *twin, unsigned i, void *arg)
{
	struct race *r = arg;
	struct ct_who me = *r->who[i];

	me.a = twin->a;
	me.http = twin->http;
	r->status[i] = show(&me, ACCEPT, r->tokens[i])->status;
}

/* Different tokens, the last place. */
static void
the_end_holds_for_many_at_once(void **state)
{
	struct ct_who *owner = *state;
	struct ct_hand *hand = ct_hand_open(owner->a);
	const char *cat = ct_who_cat(owner);
	struct race r = {0};

	for (unsigned i = 0; i < ct_countof(r.who); i++)
		r.who[i] = ct_who_register(owner->a, NULL, NULL);
	ct_hand_sql(hand,
	    "with a as (insert into account (id, email, password_hash,"
	    " first_name) select gen_random_uuid(), gen_random_uuid() ||"
	    " '@x.test', '-', 'x' from generate_series(1, 48) returning id)"
	    " insert into cat_member (cat_id, account_id, role)"
	    " select '%s', id, 1 from a",
	    cat);
	for (unsigned round = 0; round < 10; round++) {
		int won = 0;

		for (unsigned i = 0; i < ct_countof(r.who); i++)
			r.tokens[i] = token_of(owner, "helper", "");
		ct_at_once(owner, ct_countof(r.who), accept_own, &r);
		for (unsigned i = 0; i < ct_countof(r.who); i++) {
			assert_true(r.status[i] == 200 || r.status[i] == 409);
			won += r.status[i] == 200;
		}
		assert_int_equal(won, 1);
		ct_hand_sql(hand,
		    "delete from cat_member where cat_id = '%s' and role = 2;"
		    "delete from invite where cat_id = '%s'",
		    cat, cat);
		ct_hand_lift(hand);
	}
}

/* The first cat of an account that has none is its default one. */
static void
who_had_no_cat_has_one_then(void **state)
{
	struct ct_who *owner = *state;
	struct ct_who *guest = ct_who_register(owner->a, NULL, NULL);

	ct_want(ct_call(guest, "DELETE",
		    ct_path(guest, "/api/cat/%s", ct_who_cat(guest)),
		    "{'name':''}"),
	    200);
	ct_want_error(ct_get(guest, "/api/tracker/today"), 404, "no_cat", NULL);
	ct_want(show(guest, ACCEPT, token_of(owner, "helper", "")), 200);
	assert_string_equal(ct_who_cat(guest), ct_who_cat(owner));
	ct_want(
	    ct_call(guest, "POST", "/api/feeding/", "{'amount_ml':4}"), 201);
	assert_int_equal(
	    ct_milli(ct_get(owner, "/api/tracker/today"), "total_fed_ml"),
	    4000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(an_invitation_makes_a_member),
	    ct_api_test(nothing_that_opens_is_at_rest),
	    ct_api_test(bad_invitations_are_refused),
	    ct_api_test(an_invitation_ends),
	    ct_api_test(an_invitation_ends_with_its_maker),
	    ct_api_test(a_mailed_one_is_for_that_address),
	    ct_api_test(one_open_invitation_per_address),
	    ct_api_test(members_only_rise),
	    ct_api_test(there_is_an_end_to_all),
	    ct_api_test(of_many_at_once_one_wins),
	    ct_api_test(the_end_holds_for_many_at_once),
	    ct_api_test(who_had_no_cat_has_one_then),
	};

	return cmocka_run_group_tests_name(
	    "api/invite", tests, ct_api_group, NULL);
}
