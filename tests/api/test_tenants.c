/*
 * Nobody does what they may not: every route of the responders' own table by
 * every kind of caller. What is expected follows from the row's `who` and from
 * the sample's least role on the cat; see route_samples.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/api/callers.h"

#define SCRATCH_CAP (64u << 20)

/* ------------------------------------------------------------ the routes */

struct route {
	char method[16], pattern[96], who[16], class[16], flags[64];
};

static struct route routes[256];
static unsigned routes_n;

static int
read_routes(void **state)
{
	const char *bin = ct_t_env("CATETUBE_FCGI", "build/catetube-fcgi");
	char command[512], line[256];
	FILE *p;

	if (ct_api_group(state) != 0)
		return -1;
	/* The table and what is wrong with it in their order. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(command, sizeof(command), "'%s' -R", bin);
	p = popen(command, "r");
	while (p && fgets(line, sizeof(line), p)) {
		struct route *r = &routes[routes_n];

		if (routes_n == ct_countof(routes))
			break;
		if (sscanf(line, "%15s %95s %15s %15s %63s", r->method,
			r->pattern, r->who, r->class, r->flags) >= 3)
			routes_n++;
	}
	if (!p || pclose(p) != 0 || routes_n < 20) {
		print_error("'%s -R' lists no routes\n", bin);
		return -1;
	}
	return 0;
}

static bool
is_who(const struct route *r, const char *who)
{
	return strcmp(r->who, who) == 0;
}

static bool
is_open(const struct route *r)
{
	return is_who(r, "open") || is_who(r, "local");
}

static const struct sample *
sample_of(const struct route *r)
{
	for (unsigned i = 0; i < ct_countof(samples); i++)
		if (strcmp(samples[i].method, r->method) == 0 &&
		    strcmp(samples[i].pattern, r->pattern) == 0)
			return &samples[i];
	return NULL;
}

static bool
names_cat(const struct sample *s)
{
	return (s->body && strstr(s->body, "$cat")) ||
	       (s->query && strstr(s->query, "$cat"));
}

static bool
is_about_cat(const struct sample *s)
{
	return names_cat(s) || things[s->thing].of_cat || things[s->sub].of_cat;
}

static void
every_route_has_a_sample(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; i < routes_n; i++) {
		const struct route *r = &routes[i];
		const struct sample *s = sample_of(r);
		const char *why = NULL;

		if (!s)
			why = "has no row in route_samples.h";
		else if (s->anyone != is_open(r))
			why = s->anyone ? "must be open" : "must not be open";
		else if (!strstr(r->pattern, "{id}") != (s->thing == NONE))
			why = "whose {id}?";
		else if (!strstr(r->pattern, "{sub}") != (s->sub == NONE))
			why = "whose {sub}?";
		else if (is_about_cat(s) != (s->role != NOBODY))
			why = "role and cat do not fit";
		if (!why)
			continue;
		print_error("%s %s: %s\n", r->method, r->pattern, why);
		bad++;
	}
	for (unsigned i = 0; i < ct_countof(samples); i++) {
		unsigned n = 0;

		while (n < routes_n && sample_of(&routes[n]) != &samples[i])
			n++;
		if (n < routes_n)
			continue;
		print_error("%s %s: twice, or no such route\n",
		    samples[i].method, samples[i].pattern);
		bad++;
	}
	assert_int_equal(bad, 0);
}

/* ------------------------------------------------------------ one request */

/* The text with the cat, the mark and what never was in their places. */
static char *
put_in(struct walk *w, const char *text, const char *cat)
{
	struct ct_uuid fresh = ct_uuid_new();
	char id[CT_UUID_TEXT];
	struct ct_buf b;

	ct_buf_init(&b, w->scratch, 256);
	for (const char *p = text; *p; p++) {
		if (strncmp(p, "$cat", 4) == 0) {
			ct_buf_adds(&b, cat);
			p += 3;
		} else if (strncmp(p, "$mark", 5) == 0) {
			ct_buf_adds(&b, w->mark);
			p += 4;
		} else if (strncmp(p, "$fresh", 6) == 0) {
			ct_buf_adds(&b, ct_uuid_format(&fresh, id));
			p += 5;
		} else {
			ct_buf_addc(&b, *p);
		}
	}
	ct_buf_addc(&b, '\0');
	return ct_quoted(w->scratch, b.p);
}

static const char *
path_of(struct walk *w, const struct sample *s, const char *id, const char *sub,
    const char *cat)
{
	struct ct_buf b;
	const char *p = s->pattern;

	ct_buf_init(&b, w->scratch, 256);
	while (*p) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (!end) {
			ct_buf_addc(&b, *p++);
			continue;
		}
		ct_buf_adds(&b, strncmp(p, "{id}", 4) == 0    ? id
				: strncmp(p, "{sub}", 5) == 0 ? sub
							      : "feeding");
		p = end + 1;
	}
	if (s->query) {
		ct_buf_addc(&b, '?');
		ct_buf_adds(&b, put_in(w, s->query, cat));
	}
	ct_buf_addc(&b, '\0');
	return b.p;
}

static const struct ct_answer *
send(struct walk *w, const struct caller *c, const struct ct_ask *ask)
{
	struct ct_who who = *c->who;
	const struct ct_answer *r = NULL;

	who.a = w->scratch;
	if (c->bearer)
		who.cookie[0] = '\0';
	for (unsigned try = 0; try < 3; try++) {
		r = ct_ask(&who, ask);
		if (r->status != 429 || !ct_says(r, CT_T_LIMITED))
			return r;
		ct_hand_lift(w->hand);
	}
	return r;
}

/* The sample by the caller; is_real: with the household's ids. */
static const struct ct_answer *
try(struct walk *w, const struct caller *c, const struct sample *s,
    bool is_real)
{
	const char *cat = is_real ? w->cat : w->none;
	const char *id = is_real ? w->thing[s->thing] : w->none;
	const char *sub = is_real ? w->thing[s->sub] : w->none;
	struct ct_ask ask = {.method = s->method,
	    .path = path_of(w, s, id, sub, cat),
	    .more = {c->bearer}};

	if (s->body)
		ask.body = ct_str_of(put_in(w, s->body, cat));
	ask.type = s->type;
	return send(w, c, &ask);
}

static void
make_thing(struct walk *w, enum thing t)
{
	struct ct_ask ask = {.method = things[t].method};
	const struct ct_answer *r;

	if (!ask.method)
		return;
	ask.path = put_in(w, things[t].path, w->cat);
	if (things[t].body)
		ask.body = ct_str_of(put_in(w, things[t].body, w->cat));
	ask.type = things[t].type;
	r = send(w, &w->callers[IS_OWNER], &ask);
	if (r->status / 100 != 2)
		ct_want(r, 201);
	w->thing[t] = ct_path(w->owner, "%s", ct_text(r, things[t].id));
}

/* The worker is done with it, for good or bad. */
static bool
is_finished(struct walk *w, enum thing t)
{
	struct ct_ask ask = {.method = "GET",
	    .path = ct_path(w->owner, "/api/%s/%s",
		t == IMPORT ? "import" : "report/status", w->thing[t])};

	return strcmp(
		   ct_text(ct_want(send(w, &w->callers[IS_OWNER], &ask), 200),
		       "status"),
		   "processing") != 0;
}

static void
make_things(struct walk *w, const struct sample *s)
{
	enum thing of[] = {s->thing, s->sub};
	int64_t end = ct_mono_ms() + 30000;

	for (unsigned i = 0; i < ct_countof(of); i++)
		if (of[i] != NONE)
			make_thing(w, of[i]);
	while ((s->thing == REPORT || s->thing == IMPORT) &&
	       !is_finished(w, s->thing)) {
		assert_true(ct_mono_ms() < end);
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
	if (s->is_deleted) {
		struct ct_ask ask = {.method = "DELETE",
		    .path = ct_path(w->owner, "%s/%s", things[s->thing].path,
			w->thing[s->thing])};

		ct_want(send(w, &w->callers[IS_OWNER], &ask), 200);
	}
}

/* ------------------------------------------------------------ the walk */

#define MAY 0 /* what expect says of whom the route lets in */

/* MAY, or the status with which it is refused. */
static int
expect(const struct route *r, const struct sample *s, const struct kind *k)
{
	static const struct {
		const char *who;
		unsigned scopes; /* bit of each enum scope */
	} table[] = {{"read", 1 << SESSION_ | 1 << READ | 1 << LOG | 1 << FULL},
	    {"log", 1 << SESSION_ | 1 << LOG | 1 << FULL},
	    {"full", 1 << SESSION_ | 1 << FULL}, {"login", 1 << SESSION_},
	    {"admin", 1 << SESSION_}};
	unsigned i = 0;

	if (is_open(r))
		return MAY;
	if (k->is_dead)
		return 401;
	while (i < ct_countof(table) && !is_who(r, table[i].who))
		i++;
	if (i == ct_countof(table))
		fail_msg("%s %s: who is %s?", r->method, r->pattern, r->who);
	if (!(table[i].scopes & 1U << k->scope) ||
	    (is_who(r, "admin") && !k->is_admin))
		return 403;
	if (is_about_cat(s) && k->role == NOBODY)
		return 404;
	if ((things[s->thing].own || things[s->sub].own) && !k->is_owner)
		return 404;
	return is_about_cat(s) && k->role < s->role ? 403 : MAY;
}

static bool
is_as_expected(const struct sample *s, int want, const struct ct_answer *got)
{
	if (want == 401)
		return got->status == 401 &&
		       (ct_says(got, "\"" CT_T_UNAUTH "\"") ||
			   ct_says(got, "\"token\""));
	if (want != MAY)
		return got->status == want;
	return s->ok ? got->status == s->ok : got->status / 100 == 2;
}

/* The body without what differs from answer to answer. */
static const char *
plain(struct walk *w, const struct ct_answer *r)
{
	char *text = ct_arena_printf(
	    w->scratch, "%d %.*s", r->status, CT_STR_FMT(r->body));
	char *at = strstr(text, "\"request_id\":\"");

	if (at)
		memset(at + 14, '-', strcspn(at + 14, "\""));
	return text;
}

/*
 * All rows that are about the cat or the owner's account, as one digest. Of
 * what the worker or a mere look goes on changing: only which ones there are.
 */
static const char *
fingerprint(struct walk *w)
{
	return ct_hand_get(w->hand, w->scratch,
	    "select md5(string_agg(x.t || query_to_xml(format('select %%s as r"
	    " from %%I t where %%I = %%L order by 1', case"
	    " when x.t ~ '^(report|mail|job|webhook|import)' then 't.id::text'"
	    " when x.t = 'api_token' then '(t.id, t.revoked_at)::text'"
	    " else 't::text' end, x.t, x.c, x.v), true, true, '')::text, ','"
	    " order by x.t, x.c)) as x from (select table_name::text as t,"
	    " column_name::text as c, case column_name when 'cat_id' then '%s'"
	    " else '%s' end as v from information_schema.columns"
	    " where table_schema = 'public' and column_name in ('cat_id',"
	    " 'account_id') and table_name not in ('account_session',"
	    " 'idempotency') union all values ('cat', 'id', '%s'),"
	    " ('account', 'id', '%s')) x",
	    w->cat, w->owner->id, w->cat, w->owner->id);
}

/* A session that earlier requests of the walk cannot have ended. */
static void
renew(struct walk *w, unsigned i)
{
	struct ct_who *who = w->callers[i].who;

	if (kinds[i].is_dead || w->callers[i].bearer)
		return;
	ct_hand_sql(w->hand,
	    "delete from account_session where account_id = '%s'", who->id);
	ct_hand_session(w->hand, who, who->id);
}

/* One request; its status, negative where it is not as expected. */
static int
visit(struct walk *w, const struct route *r, const struct sample *s, unsigned i)
{
	int want = expect(r, s, &kinds[i]);
	const struct caller *c = &w->callers[i];
	const struct ct_answer *got;
	bool ok;

	renew(w, i);
	if (want == MAY && kinds[i].role != NOBODY &&
	    (strcmp(s->method, "DELETE") == 0 || s->is_deleted))
		make_things(w, s);
	got = try(w, c, s, true);
	ok = is_as_expected(s, want, got);
	if (kinds[i].role == NOBODY && ct_says(got, w->mark)) {
		print_error("tells a secret: ");
		ok = false;
	}
	/* Exactly like an id that never was. */
	if (ok && want == 404 &&
	    strcmp(plain(w, got), plain(w, try(w, c, s, false))) != 0) {
		print_error("unlike one that never was: ");
		ok = false;
	}
	if (!ok)
		print_error("%s %s by %s, wanted %d: %s\n", s->method,
		    s->pattern, kinds[i].head, want, plain(w, got));
	return ok ? got->status : -got->status;
}

/* All callers on one route: first those that are refused, who change nothing.
 * Returns how many answers were wrong. */
static unsigned
walk_route(struct walk *w, const struct route *r, const struct sample *s)
{
	int status[IDS];
	unsigned bad = 0;
	const char *before;

	w->scratch = ct_arena_create(SCRATCH_CAP);
	renew(w, IS_OWNER);
	make_things(w, s);
	before = fingerprint(w);
	for (unsigned i = 0; i < IDS; i++)
		if (expect(r, s, &kinds[i]) != MAY)
			status[i] = visit(w, r, s, i);
	if (strcmp(before, fingerprint(w)) != 0) {
		print_error("%s %s: a refused request changed something\n",
		    r->method, r->pattern);
		bad++;
	}
	for (unsigned i = 0; i < IDS; i++)
		if (expect(r, s, &kinds[i]) == MAY)
			status[i] = visit(w, r, s, i);
	printf("%-7s%-36s%-6s%-2d", r->method, r->pattern, r->who, s->role);
	for (unsigned i = 0; i < IDS; i++) {
		printf(" %4d", status[i]);
		bad += status[i] < 0;
	}
	printf("\n");
	ct_arena_destroy(w->scratch);
	w->scratch = NULL;
	return bad;
}

static void
every_route_by_everybody(void **state)
{
	struct ct_who *owner = *state;
	struct walk w = {.a = owner->a, .owner = owner, .thing = {[NONE] = ""}};
	char none[CT_UUID_TEXT];
	unsigned bad = 0;

	fresh(none);
	w.none = none;
	w.hand = ct_hand_open(w.a);
	w.mark = ct_path(owner, "secret-%s", owner->id);
	w.thing[CAT] = w.cat = cat_of(owner);
	ct_want(ct_call(owner, "PUT", "/api/auth/profile", "{'cat_name':'%s'}",
		    w.mark),
	    200);
	make_callers(&w);
	printf("%-51s", "route, who, least role");
	for (unsigned i = 0; i < IDS; i++)
		printf(" %4s", kinds[i].head);
	printf("\n");
	for (unsigned i = 0; i < routes_n; i++) {
		const struct sample *s = sample_of(&routes[i]);

		if (s)
			bad += walk_route(&w, &routes[i], s);
	}
	ct_hand_lift(w.hand);
	printf("%u routes by %d callers\n", routes_n, IDS);
	assert_int_equal(bad, 0);
}
/* An id is its cat's own: that it is taken elsewhere cannot be told. */
static void
ids_do_not_collide(void **state)
{
	struct ct_who *a = *state;
	struct ct_who *b = ct_who_register(a->a, NULL, NULL);
	const char *id = ct_text(
	    ct_want(
		ct_call(a, "POST", "/api/feeding/", "{'amount_ml':50}"), 201),
	    "data.id");
	const char *path = ct_path(a, "/api/feeding/%s", id);

	ct_want(ct_call(b, "POST", "/api/feeding/", "{'id':'%s','amount_ml':7}",
		    id),
	    201);
	assert_int_equal(
	    ct_milli(ct_want(ct_get(a, path), 200), "amount_ml"), 50000);
	assert_int_equal(
	    ct_milli(ct_want(ct_get(b, path), 200), "amount_ml"), 7000);
	ct_want(ct_call(b, "DELETE", path, NULL), 200);
	ct_want(ct_get(a, path), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_route_has_a_sample),
	    ct_api_test(every_route_by_everybody),
	    ct_api_test(ids_do_not_collide),
	};

	return cmocka_run_group_tests_name(
	    "api/tenants", tests, read_routes, NULL);
}
