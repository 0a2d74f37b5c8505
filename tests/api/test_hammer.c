/*
 * Many clients at once. Stale reads: what was acknowledged is in every read
 * that begins after it, by whomever, however the answer was cached. Repeats:
 * of many equal requests at once, one is carried out and all get its answer.
 *
 * HAMMER_OPS (5000; 100000 for a full run), HAMMER_KEYS (100; 1000),
 * HAMMER_SEED. The limits are lifted while it runs.
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
#include "tests/support/hand.h"

#include <pthread.h>
#include <stdatomic.h>

static int64_t
option(const char *name, const char *otherwise)
{
	return strtoll(ct_t_env(name, otherwise), NULL, 10);
}

/* ------------------------------------------------------------ all threads */

/* The first fault of any thread stops them all. */
static struct {
	pthread_mutex_t lock;
	atomic_bool stop;
	char fault[2048];
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void CT_PRINTF(1, 2) fault(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&shared.lock);
	if (!shared.fault[0]) {
		va_start(ap, fmt);
		vsnprintf(shared.fault, sizeof(shared.fault), fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&shared.lock);
	atomic_store(&shared.stop, true);
}

static void
fail_by_fault(void)
{
	if (shared.fault[0])
		fail_msg("%s", shared.fault);
}

static uint64_t
dice(uint64_t *seed, uint64_t n)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* The limits are of no use here; another test is about them. */
static const struct ct_answer *
ask(struct ct_who *who, const struct ct_ask *ask)
{
	const struct ct_answer *r = NULL;

	for (unsigned i = 0; i < 500; i++) {
		r = ct_ask(who, ask);
		if (r->status != 429)
			break;
		pause_ms(5);
	}
	return r;
}

/* Limits are lifted, and no fault is known. */
static struct ct_lifter *
begin(struct ct_who *who)
{
	shared.fault[0] = '\0';
	atomic_store(&shared.stop, false);
	return ct_hand_lift_on(who->a);
}

/* A zone in which no day ends within the next hours. */
static const char *
quiet_zone(void)
{
	int64_t hour = ct_now_us() / 1000000 / 3600 % 24;

	return hour >= 4 && hour < 20 ? ",'timezone':'UTC'"
				      : ",'timezone':'Asia/Tokyo'";
}

/* ------------------------------------------------------------ stale reads */

#define HOUSEHOLDS 4
#define EACH	   4 /* writer of meals, of doses, a reader for each */
#define STACK	   90
#define STATES	   100000

/* What one writer has made of its part of a cat, after each of its writes. */
struct state {
	int64_t n, sum_ul, target_ul, top_ul;
};
struct record {
	atomic_uint begun, acked; /* indices in s */
	struct state *s;
};
struct household {
	struct record meals, doses;
	char cat[CT_UUID_TEXT];
	struct ct_who *member[2]; /* owner, caregiver */
};

static struct household households[HOUSEHOLDS];
static atomic_llong ops, reads, not_modified;
static int64_t ops_max;
static uint64_t first_seed;

/* What is seen of a state in an answer; -1: not told. */
struct view {
	int64_t n, sum_ul, target_ul, top_ul, average, completed;
};

/* As the contract rounds it: half up, to one decimal, in thousandths. */
static int64_t
one_decimal(int64_t thousandths)
{
	return (thousandths + 50) / 100 * 100;
}

/* What was not told, -1, fits; what should have been there, -2, does not. */
static bool
fits(int64_t seen, int64_t is)
{
	return seen == -1 || seen == is;
}

static bool
shows(const struct view *v, const struct state *s, bool is_page)
{
	int64_t n = is_page && s->n > 100 ? 100 : s->n;
	bool done = s->n > 0 && s->sum_ul >= s->target_ul;

	return v->n == n && fits(v->sum_ul, s->sum_ul) &&
	       fits(v->target_ul, s->target_ul) &&
	       (s->n == 0 || fits(v->top_ul, s->top_ul)) &&
	       fits(v->average, one_decimal(s->sum_ul)) &&
	       (v->completed < 0 || v->completed == done * 1000);
}

/* Thousandths of a number; -1: no path; -2: it is not there. */
static int64_t
number(const struct ct_answer *r, const char *path)
{
	const struct ct_json *j = path ? ct_find(r, path) : NULL;
	int64_t v;

	return !path ? -1 : j && ct_json_milli(j, &v) ? v : -2;
}

/* What is asked for, and where its numbers are. */
static const struct look {
	const char *path, *tail; /* the cat's id is between, or a parameter */
	const char *n;		 /* NULL: it is an array of them */
	const char *sum, *target, *top, *average, *completed;
	size_t record; /* in struct household */
} looks[] = {
    {"/api/tracker/today", NULL, "feeding_count", "total_fed_ml",
	"daily_target_ml", NULL, NULL, NULL, offsetof(struct household, meals)},
    {"/api/feeding", NULL, "pagination.total", NULL, NULL, "logs.0.amount_ml",
	NULL, NULL, offsetof(struct household, meals)},
    {"/api/tracker/stats", NULL, "average_feedings_per_day", NULL, NULL, NULL,
	"average_daily_intake", "completed_days",
	offsetof(struct household, meals)},
    {"/api/medication_log", NULL, NULL, NULL, NULL, "0.amount_ml", NULL, NULL,
	offsetof(struct household, doses)},
    {"/api/cat/", "/state", "today.feeding_count", "today.total_fed_ml",
	"today.daily_target_ml", "last_meal.amount_ml", NULL, NULL,
	offsetof(struct household, meals)},
};

static struct view
view(const struct look *l, const struct ct_answer *r)
{
	int64_t n = 0;

	for (const struct ct_json *j =
		 l->n || !r->json ? NULL : ct_json_first(r->json);
	     j; j = ct_json_next(j))
		n++;
	return (struct view){l->n ? number(r, l->n) / 1000 : n,
	    number(r, l->sum), number(r, l->target), number(r, l->top),
	    number(r, l->average), number(r, l->completed)};
}
#define LOOKS ct_countof(looks)

/* One client: its connection, and what it holds of each look. */
struct client {
	struct ct_who *who;
	struct household *h;
	bool is_owner;
	uint64_t seed;
	struct {
		char etag[40];
		struct view view;
	} held[LOOKS];
};

/* The answer, or what the client holds where that is still right. */
static bool
take_view(struct client *c, unsigned look, const struct ct_answer *r)
{
	struct ct_str etag = ct_http_header(&r->res, "ETag");

	atomic_fetch_add(&reads, 1);
	if (r->status == 304 && c->held[look].etag[0]) {
		atomic_fetch_add(&not_modified, 1);
		return true;
	}
	if (r->status != 200 || !etag.p || etag.n >= sizeof(c->held[0].etag)) {
		fault("%s -> %d %.*s", r->what, r->status, CT_STR_FMT(r->body));
		return false;
	}
	memcpy(c->held[look].etag, etag.p, etag.n);
	c->held[look].etag[etag.n] = '\0';
	c->held[look].view = view(&looks[look], r);
	return true;
}

static void
look_at(struct client *c, unsigned look)
{
	struct record *rec =
	    (struct record *)(void *)((char *)c->h + looks[look].record);
	bool is_page = looks[look].record == offsetof(struct household, doses);
	unsigned from = atomic_load(&rec->acked), to;
	struct ct_ask a = {.method = "GET", .path = looks[look].path};
	const struct view *v = &c->held[look].view;

	/* The owner's default cat is the cat; two ways to ask, one cache. */
	if (looks[look].tail)
		a.path = ct_path(
		    c->who, "%s%s%s", a.path, c->h->cat, looks[look].tail);
	else if (!c->is_owner || dice(&c->seed, 2) == 0)
		a.path = ct_path(c->who, "%s?cat_id=%s", a.path, c->h->cat);
	if (c->held[look].etag[0] && dice(&c->seed, 2) == 0)
		a.more[0] =
		    ct_path(c->who, "If-None-Match: %s", c->held[look].etag);
	if (!take_view(c, look, ask(c->who, &a)))
		return;
	to = atomic_load(&rec->begun);
	for (unsigned i = from; i <= to; i++)
		if (shows(v, &rec->s[i], is_page))
			return;
	fault("stale: %s shows n %lld, sum %lld, target %lld, top %lld; "
	      "acknowledged before: n %lld, sum %lld, target %lld, top %lld "
	      "(%u later ones begun)",
	    a.path, (long long)v->n, (long long)v->sum_ul,
	    (long long)v->target_ul, (long long)v->top_ul,
	    (long long)rec->s[from].n, (long long)rec->s[from].sum_ul,
	    (long long)rec->s[from].target_ul, (long long)rec->s[from].top_ul,
	    to - from);
}

/* What the writer knows of its live entries, oldest first. */
struct stack {
	unsigned n;
	struct {
		char id[CT_UUID_TEXT];
		int64_t ul;
	} e[STACK];
};

/* Send it; from its acknowledgement on the new state is what must be seen. */
static const struct ct_answer *
write_it(struct client *c, struct record *rec, struct state next,
    const char *method, const char *path, const char *body)
{
	unsigned i = atomic_load(&rec->acked) + 1;
	struct ct_ask a = {.method = method, .path = path};
	const struct ct_answer *r;

	if (i >= STATES)
		return NULL;
	rec->s[i] = next;
	atomic_store(&rec->begun, i);
	if (body)
		a.body = ct_str_of(ct_quoted(c->who->a, body));
	r = ask(c->who, &a);
	if (r->status / 100 != 2) {
		fault("%s -> %d %.*s", r->what, r->status, CT_STR_FMT(r->body));
		return NULL;
	}
	atomic_store(&rec->acked, i);
	return r;
}

static void
push(struct client *c, struct record *rec, struct stack *k, struct state s,
    const char *path, const char *more)
{
	int64_t ul = atomic_load(&rec->acked) % 199999 + 1;
	const struct ct_answer *r;
	const struct ct_json *id;

	s.n++;
	s.sum_ul += ul;
	s.top_ul = ul;
	r = write_it(c, rec, s, "POST", path,
	    ct_path(c->who, "{'amount_ml':%lld.%03lld,'cat_id':'%s'%s}",
		(long long)ul / 1000, (long long)ul % 1000, c->h->cat, more));
	id = r ? ct_find(r, "data.id") : NULL;
	if (!id)
		return;
	snprintf(k->e[k->n].id, CT_UUID_TEXT, "%s", ct_json_str(id).p);
	k->e[k->n++].ul = ul;
}

static void
change(struct client *c, struct record *rec, struct stack *k, struct state s,
    const char *path)
{
	int64_t ul = atomic_load(&rec->acked) % 199999 + 1;

	s.sum_ul += ul - k->e[k->n - 1].ul;
	s.top_ul = k->e[k->n - 1].ul = ul;
	write_it(c, rec, s, "PATCH",
	    ct_path(c->who, "%s/%s", path, k->e[k->n - 1].id),
	    ct_path(c->who, "{'amount_ml':%lld.%03lld}", (long long)ul / 1000,
		(long long)ul % 1000));
}

static void
pop(struct client *c, struct record *rec, struct stack *k, struct state s,
    const char *path)
{
	k->n--;
	s.n--;
	s.sum_ul -= k->e[k->n].ul;
	s.top_ul = k->n > 0 ? k->e[k->n - 1].ul : 0;
	write_it(c, rec, s, "DELETE",
	    ct_path(c->who, "%s/%s", path, k->e[k->n].id), NULL);
}

static void
set_target(struct client *c, struct record *rec, struct state s)
{
	s.target_ul = (int64_t)(1 + dice(&c->seed, 1000)) * 1000;
	write_it(c, rec, s, "POST", "/api/tracker/today",
	    ct_path(c->who, "{'daily_target_ml':%lld,'cat_id':'%s'}",
		(long long)s.target_ul / 1000, c->h->cat));
}

static void
reset(struct client *c, struct record *rec, struct stack *k, struct state s)
{
	k->n = 0;
	s.n = s.sum_ul = s.top_ul = 0;
	write_it(c, rec, s, "POST", "/api/tracker/reset",
	    ct_path(c->who, "{'cat_id':'%s'}", c->h->cat));
}

static void
write_something(struct client *c, struct stack *k, bool is_meal)
{
	struct record *rec = is_meal ? &c->h->meals : &c->h->doses;
	const char *path = is_meal ? "/api/feeding" : "/api/medication_log";
	struct state s = rec->s[atomic_load(&rec->acked)];
	uint64_t what = dice(&c->seed, 20);

	if (is_meal && (what == 0 || k->n == STACK))
		reset(c, rec, k, s);
	else if (is_meal && what < 5)
		set_target(c, rec, s);
	else if (k->n > 0 && what < 8)
		change(c, rec, k, s, path);
	else if (k->n > 0 && (what < 11 || k->n == STACK))
		pop(c, rec, k, s, path);
	else
		push(c, rec, k, s, path,
		    is_meal ? "" : ",'medication_name':'M','dosage':'1'");
}

static void
hammer(struct ct_who *twin, unsigned i, void *arg)
{
	struct household *h = &households[i / EACH];
	unsigned job = i % EACH; /* 0 meals, 1 doses, 2 and 3 read */
	struct client c = {.who = twin,
	    .h = h,
	    .is_owner = job % 2 == 0,
	    .seed = first_seed + i};
	struct stack k = {.n = 0};
	struct ct_mark mark = ct_arena_mark(twin->a);

	(void)arg;
	snprintf(twin->cookie, sizeof(twin->cookie), "%s",
	    h->member[job % 2]->cookie);
	while (
	    !atomic_load(&shared.stop) && atomic_fetch_add(&ops, 1) < ops_max) {
		/* A write, then its own reads; the others read all the time. */
		if (job < 2 && dice(&c.seed, 3) == 0)
			write_something(&c, &k, job == 0);
		else
			look_at(&c, (unsigned)dice(&c.seed, LOOKS));
		ct_arena_rewind(twin->a, mark);
	}
}

static void
make_household(struct ct_who *who, struct ct_hand *hand, struct household *h)
{
	struct record *both[] = {&h->meals, &h->doses};

	for (unsigned i = 0; i < 2; i++) {
		h->member[i] = ct_who_register(who->a, NULL, quiet_zone());
		atomic_store(&both[i]->begun, 0);
		atomic_store(&both[i]->acked, 0);
		both[i]->s =
		    ct_arena_alloc(who->a, STATES * sizeof(*both[i]->s));
		both[i]->s[0].target_ul = 210000;
	}
	snprintf(h->cat, sizeof(h->cat), "%s",
	    ct_hand_get(hand, who->a,
		"select default_cat as x from account where id = '%s'",
		h->member[0]->id));
	ct_hand_member(hand, h->cat, h->member[1]->id, 3);
}

#define HITS "catetube_cache_requests_total{result=\"%s\"} "

static int64_t
counter(struct ct_who *who, const char *result)
{
	const struct ct_answer *r = ct_want(ct_get(who, "/metrics"), 200);
	const char *name = ct_path(who, HITS, result);
	const char *at = strstr(r->body.p, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static int64_t
from_cache(struct ct_who *who)
{
	return counter(who, "hit") + counter(who, "not_modified");
}

static void
no_read_is_stale(void **state)
{
	struct ct_who *who = *state;
	struct ct_hand *hand = ct_hand_open(who->a);
	struct ct_lifter *lifter = begin(who);
	int64_t hits, misses, began;

	ops_max = option("HAMMER_OPS", "5000");
	first_seed = (uint64_t)option("HAMMER_SEED", "0");
	if (first_seed == 0)
		first_seed = (uint64_t)ct_now_us();
	for (unsigned i = 0; i < HOUSEHOLDS; i++)
		make_household(who, hand, &households[i]);
	hits = from_cache(who);
	misses = counter(who, "miss");
	began = ct_mono_ms();
	ct_at_once(who, HOUSEHOLDS * EACH, hammer, NULL);
	ct_hand_lift_off(lifter);
	hits = from_cache(who) - hits;
	misses = counter(who, "miss") - misses;
	print_message("seed %llu: %lld operations in %lld ms, %lld reads of "
		      "which %lld were 304; from the cache %lld, missed %lld\n",
	    (unsigned long long)first_seed, (long long)ops_max,
	    (long long)(ct_mono_ms() - began), (long long)atomic_load(&reads),
	    (long long)atomic_load(&not_modified), (long long)hits,
	    (long long)misses);
	fail_by_fault();
	/* Else it proved nothing about what is cached. */
	assert_true(hits * 10 > atomic_load(&reads));
}

/* ------------------------------------------------------------ repeats */

#define AT_ONCE 8

struct repeats {
	pthread_barrier_t step;
	int64_t keys;
	const struct ct_answer *answer[AT_ONCE];
};

/* Odd ones by the client's id, even ones by a key. */
static const struct ct_answer *
ask_key(struct ct_who *who, int64_t k, int64_t ul)
{
	const char *id = ct_path(who, "0190%04llx-0000-7000-8000-%.12s",
	    (unsigned long long)k, who->id + 24);
	struct ct_ask a = {.method = "POST", .path = "/api/feeding"};
	char *body =
	    ct_arena_printf(who->a, "{\"amount_ml\":%lld.%03lld%s%s%s}",
		(long long)ul / 1000, (long long)ul % 1000,
		k % 2 ? ",\"id\":\"" : "", k % 2 ? id : "", k % 2 ? "\"" : "");

	a.body = ct_str_of(body);
	if (k % 2 == 0)
		a.more[0] = ct_path(who, "Idempotency-Key: %s", id);
	return ask(who, &a);
}

static void
compare(const struct repeats *t, int64_t k)
{
	const struct ct_answer *first = t->answer[0];

	for (unsigned i = 0; i < AT_ONCE; i++) {
		const struct ct_answer *r = t->answer[i];

		if (r->status != 201 || !ct_str_eq(r->body, first->body))
			fault("key %lld: %d %.*s\nbut %d %.*s", (long long)k,
			    first->status, CT_STR_FMT(first->body), r->status,
			    CT_STR_FMT(r->body));
	}
}

/* No early end: all of them have to meet at each step. */
static void
repeat(struct ct_who *twin, unsigned i, void *arg)
{
	struct repeats *t = arg;
	struct ct_mark mark = ct_arena_mark(twin->a);

	for (int64_t k = 0; k < t->keys; k++) {
		pthread_barrier_wait(&t->step);
		ct_arena_rewind(twin->a, mark);
		t->answer[i] = ask_key(twin, k, k + 1);
		pthread_barrier_wait(&t->step);
		if (i == 0)
			compare(t, k);
	}
	pthread_barrier_wait(&t->step);
}

static void
repeats_are_one(void **state)
{
	struct ct_who *nobody = *state;
	struct ct_who *who = ct_who_register(nobody->a, NULL, quiet_zone());
	struct repeats t = {.keys = option("HAMMER_KEYS", "100")};
	struct ct_lifter *lifter = begin(who);
	int64_t began = ct_mono_ms();
	const struct ct_answer *r;

	pthread_barrier_init(&t.step, NULL, AT_ONCE);
	ct_at_once(who, AT_ONCE, repeat, &t);
	pthread_barrier_destroy(&t.step);
	print_message("%lld keys, each %d times at once, in %lld ms\n",
	    (long long)t.keys, AT_ONCE, (long long)(ct_mono_ms() - began));
	/* Used with another body: refused, and nothing is written. */
	for (int64_t k = 0; k < t.keys; k += 7)
		ct_want_error(ask_key(who, k, k + 2), 409, "key_reused", NULL);
	r = ask(who,
	    &(struct ct_ask){.method = "GET", .path = "/api/tracker/today"});
	ct_hand_lift_off(lifter);
	fail_by_fault();
	assert_int_equal(ct_i64(ct_want(r, 200), "feeding_count"), t.keys);
	assert_int_equal(
	    ct_milli(r, "total_fed_ml"), t.keys * (t.keys + 1) / 2);
	assert_int_equal(ct_meals(who), t.keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ct_api_test(no_read_is_stale),
	    ct_api_test(repeats_are_one),
	};

	return cmocka_run_group_tests_name(
	    "api/hammer", tests, ct_api_group, NULL);
}
