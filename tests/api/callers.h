/*
 * Who walks over the routes: every kind of caller there is, made for the walk
 * of test_tenants.c.
 */
#ifndef CT_TESTS_API_CALLERS_H
#define CT_TESTS_API_CALLERS_H

#include <stdio.h>

#include "tests/api/route_samples.h"
#include "tests/support/hand.h"

enum scope { SESSION_ = 0, READ, LOG, FULL };

enum {
	ANONYMOUS,
	FORGED,
	STRANGER,
	IS_VIEWER,
	IS_HELPER,
	IS_CAREGIVER,
	IS_OWNER,
	EX_MEMBER,
	TOKEN_READ,
	TOKEN_LOG,
	TOKEN_FULL,
	TOKEN_BOUND,
	TOKEN_REVOKED,
	TOKEN_EXPIRED,
	DEACTIVATED,
	DEACTIVATED_TOKEN,
	DELETED,
	DELETED_TOKEN,
	EXPIRED,
	REVOKED,
	ADMIN,
	IDS
};

/* What each one is; the rest is made by make_callers. */
static const struct kind {
	const char *head; /* of the printed table */
	bool is_dead;	  /* 401 wherever one has to be somebody */
	enum role role;	  /* on the household's cat */
	enum scope scope;
	bool is_owner; /* the owner's account, by whatever proof */
	bool is_admin;
} kinds[IDS] = {
    [ANONYMOUS] = {"anon", true},
    [FORGED] = {"forg", true},
    [STRANGER] = {"stra"},
    [IS_VIEWER] = {"view", false, VIEWER},
    [IS_HELPER] = {"help", false, HELPER},
    [IS_CAREGIVER] = {"care", false, CAREGIVER},
    [IS_OWNER] = {"owne", false, OWNER, SESSION_, true},
    [EX_MEMBER] = {"exme"},
    [TOKEN_READ] = {"t-rd", false, OWNER, READ, true},
    [TOKEN_LOG] = {"t-lg", false, OWNER, LOG, true},
    [TOKEN_FULL] = {"t-fu", false, OWNER, FULL, true},
    [TOKEN_BOUND] = {"t-bo", false, NOBODY, LOG, true},
    [TOKEN_REVOKED] = {"t-re", true},
    [TOKEN_EXPIRED] = {"t-ex", true},
    [DEACTIVATED] = {"deac", true},
    [DEACTIVATED_TOKEN] = {"t-da", true},
    [DELETED] = {"dele", true},
    [DELETED_TOKEN] = {"t-de", true},
    [EXPIRED] = {"expi", true},
    [REVOKED] = {"revo", true},
    [ADMIN] = {"admi", .is_admin = true},
};

struct caller {
	struct ct_who *who;
	const char *bearer; /* header line, NULL: the cookie */
};

struct walk {
	struct ct_arena *a;
	struct ct_arena *scratch; /* of one route */
	struct ct_hand *hand;
	struct ct_who *owner;
	const char *cat, *mark;
	const char *none; /* an id that never was */
	const char *thing[THINGS];
	struct caller callers[IDS];
};

static struct ct_uuid
fresh(char text[CT_UUID_TEXT])
{
	struct ct_uuid id = ct_uuid_new();

	ct_uuid_format(&id, text);
	return id;
}

static const char *
cat_of(struct ct_who *who)
{
	return ct_text(
	    ct_want(ct_get(who, "/api/auth/me"), 200), "user.cat_id");
}

static const char *
bearer(struct ct_who *who, const char *scope, const char *more)
{
	const struct ct_answer *r =
	    ct_want(ct_call(who, "POST", "/api/auth/token",
			"{'name':'walk','scope':'%s'%s}", scope, more),
		201);

	return ct_path(who, "Authorization: Bearer %s", ct_text(r, "token"));
}

/* As somebody who was seen before: their copy is in Redis. */
static void
be_seen(const struct caller *c)
{
	struct ct_ask ask = {"GET", "/api/auth/me", .more = {c->bearer}};
	struct ct_who who = *c->who;

	if (c->bearer)
		who.cookie[0] = '\0';
	ct_want(ct_ask(&who, &ask), 200);
}

/* Two proofs of an account that then goes its way by the route. */
static void
make_leaver(struct walk *w, unsigned session, unsigned token, const char *way)
{
	struct ct_who *who = ct_who_register(w->a, NULL, NULL);

	w->callers[session].who = w->callers[token].who = who;
	w->callers[token].bearer = bearer(who, "full", "");
	be_seen(&w->callers[session]);
	be_seen(&w->callers[token]);
	ct_want(
	    ct_call(who, "POST", way, "{'password':'" CT_T_PASSWORD "'}"), 200);
}

static void
make_member(struct walk *w, unsigned i, enum role role)
{
	w->callers[i].who = ct_who_register(w->a, NULL, NULL);
	if (role != NOBODY)
		ct_hand_member(w->hand, w->cat, w->callers[i].who->id, role);
	be_seen(&w->callers[i]);
}

static void
make_tokens(struct walk *w)
{
	char other[CT_UUID_TEXT];

	fresh(other);
	ct_hand_sql(w->hand,
	    "insert into cat (id, name) values ('%s', 'other')", other);
	ct_hand_member(w->hand, other, w->owner->id, OWNER);
	ct_hand_forget(w->hand);
	for (unsigned i = TOKEN_READ; i <= TOKEN_EXPIRED; i++)
		w->callers[i].who = w->owner;
	w->callers[TOKEN_READ].bearer = bearer(w->owner, "read", "");
	w->callers[TOKEN_LOG].bearer = bearer(w->owner, "log", "");
	w->callers[TOKEN_FULL].bearer = bearer(w->owner, "full", "");
	w->callers[TOKEN_BOUND].bearer =
	    bearer(w->owner, "log", ct_path(w->owner, ",'cat_id':'%s'", other));
	w->callers[TOKEN_EXPIRED].bearer = bearer(w->owner, "full", "");
	ct_hand_sql(w->hand,
	    "update api_token set expires_at = now() - interval '1 s' where"
	    " id = (select id from api_token where account_id = '%s'"
	    " order by created_at desc limit 1)",
	    w->owner->id);
	w->callers[TOKEN_REVOKED].bearer = bearer(w->owner, "full", "");
	be_seen(&w->callers[TOKEN_REVOKED]);
	ct_want(ct_call(w->owner, "DELETE",
		    ct_path(w->owner, "/api/auth/token/%s",
			ct_text(ct_get(w->owner, "/api/auth/token"),
			    "tokens.0.id")),
		    NULL),
	    200);
}

static void
make_callers(struct walk *w)
{
	struct caller *c = w->callers;

	for (unsigned i = STRANGER; i <= EX_MEMBER; i++)
		if (i != IS_OWNER)
			make_member(
			    w, i, i == EX_MEMBER ? CAREGIVER : kinds[i].role);
	c[IS_OWNER].who = w->owner;
	make_member(w, ADMIN, NOBODY);
	ct_hand_sql(w->hand,
	    "update account set role = 'admin' where id = '%s';"
	    "delete from cat_member where cat_id = '%s' and account_id = '%s'",
	    c[ADMIN].who->id, w->cat, c[EX_MEMBER].who->id);
	/* Forgets all copies, so it comes before what has to be in Redis. */
	make_tokens(w);
	make_leaver(w, DEACTIVATED, DEACTIVATED_TOKEN, "/api/auth/deactivate");
	make_leaver(w, DELETED, DELETED_TOKEN, "/api/auth/delete");
	c[ANONYMOUS].who = ct_who_nobody(w->a, NULL);
	c[FORGED].who = ct_who_nobody(w->a, NULL);
	snprintf(c[FORGED].who->cookie, sizeof(c[FORGED].who->cookie),
	    "catetube=%043d", 0);
	c[EXPIRED].who = ct_who_register(w->a, NULL, NULL);
	ct_hand_sql(w->hand,
	    "update account_session set expires_at = now() - interval '1 s'"
	    " where account_id = '%s'",
	    c[EXPIRED].who->id);
	c[REVOKED].who = ct_who_register(w->a, NULL, NULL);
	be_seen(&c[REVOKED]);
	ct_want(ct_call(c[REVOKED].who, "POST", "/api/auth/logout", NULL), 200);
}

#endif
