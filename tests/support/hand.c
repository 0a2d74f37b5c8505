/* A hand on the stores; see hand.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "common/redis.h"
#include "db/pg.h"
#include "tests/support/hand.h"

#include <pthread.h>
#include <stdatomic.h>

#define TIMEOUT_MS 10000

struct ct_hand {
	struct ct_arena *a;
	struct ct_pg *pg;
	struct ct_redis *redis;
};

#define OK(call)                                                               \
	do {                                                                   \
		struct ct_err err = {0};                                       \
		if ((call) != CT_OK)                                           \
			fail_msg("%s %s", err.msg, err.detail);                \
	} while (0)

static void
close_all(void *hand)
{
	struct ct_hand *h = hand;

	ct_pg_close(h->pg);
	ct_redis_close(h->redis);
}

struct ct_hand *
ct_hand_open(struct ct_arena *a)
{
	struct ct_hand *h = ct_arena_alloc(a, sizeof(*h));

	h->a = a;
	h->pg = ct_pg_open(getenv("DATABASE_URL"), "hand", TIMEOUT_MS);
	OK(ct_redis_open(
	    ct_t_env("REDIS_URL", ""), TIMEOUT_MS, &h->redis, &err));
	ct_arena_defer(a, close_all, h);
	return h;
}

static char *
vprint(struct ct_arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *out;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	out = ct_arena_alloc(a, (size_t)n + 1);
	vsnprintf(out, (size_t)n + 1, fmt, ap);
	return out;
}

void
ct_hand_sql(struct ct_hand *h, const char *fmt, ...)
{
	va_list ap;
	char *sql;

	va_start(ap, fmt);
	sql = vprint(h->a, fmt, ap);
	va_end(ap);
	OK(ct_pg_script(h->pg, sql, &err));
}

/* Any query by one prepared statement. */
static const struct ct_stmt any = {"t_any", CT_GLOBAL, CT_READ, "t", NULL,
    "select coalesce((xpath('/row/x/text()',"
    " query_to_xml($1, true, true, '')))[1]::text, '')"};

const char *
ct_hand_get(struct ct_hand *h, struct ct_arena *a, const char *fmt, ...)
{
	struct ct_params p;
	const struct ct_res *r;
	struct ct_str s;
	va_list ap;
	char *sql;

	va_start(ap, fmt);
	sql = vprint(a, fmt, ap);
	va_end(ap);
	ct_params_init(&p, a);
	ct_p_text(&p, ct_str_of(sql));
	OK(ct_pg_run(h->pg, &any, &p, a, &r, &err));
	s = ct_res_str(r, 0, 0);
	return ct_arena_printf(a, "%.*s", CT_STR_FMT(s));
}

static void
redis_script(struct ct_hand *h, const char *text)
{
	struct ct_str argv[] = {CT_STR("EVAL"), ct_str_of(text), CT_STR("0")};

	OK(ct_redis_do(h->redis, NULL, 3, argv, NULL, &err));
}

void
ct_hand_lift(struct ct_hand *h)
{
	redis_script(h, "for _, k in ipairs(redis.call('KEYS', 'ct:l:*')) do "
			"redis.call('DEL', k) end");
}

struct ct_lifter {
	struct ct_hand *hand;
	pthread_t thread;
	atomic_bool stop;
};

static void *
lift(void *data)
{
	struct ct_lifter *l = data;

	while (!atomic_load(&l->stop)) {
		ct_hand_lift(l->hand);
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	return NULL;
}

struct ct_lifter *
ct_hand_lift_on(struct ct_arena *a)
{
	struct ct_lifter *l = ct_arena_alloc(a, sizeof(*l));

	l->hand = ct_hand_open(a);
	if (pthread_create(&l->thread, NULL, lift, l) != 0)
		ct_bug("no thread");
	return l;
}

void
ct_hand_lift_off(struct ct_lifter *l)
{
	atomic_store(&l->stop, true);
	pthread_join(l->thread, NULL);
}

void
ct_hand_forget(struct ct_hand *h)
{
	redis_script(h, "for _, k in ipairs(redis.call('KEYS', 'ct:s:*')) do "
			"redis.call('DEL', k) end");
}

void
ct_hand_session(struct ct_hand *h, struct ct_who *who, const char *account)
{
	char token[CT_TOKEN_TEXT], hex[CT_DIGEST * 2 + 1];
	uint8_t hash[CT_DIGEST];

	ct_token_new(token, hash);
	ct_hex(hash, CT_DIGEST, hex);
	ct_hand_sql(h,
	    "insert into account_session (token_hash, account_id, expires_at)"
	    " values ('\\x%s', '%s', now() + interval '1 day')",
	    hex, account);
	snprintf(who->cookie, sizeof(who->cookie), "catetube=%s", token);
	if (who->id != account)
		snprintf(who->id, sizeof(who->id), "%s", account);
}

void
ct_hand_member(
    struct ct_hand *h, const char *cat, const char *account, int role)
{
	ct_hand_sql(h,
	    "insert into cat_member (cat_id, account_id, role)"
	    " values ('%s', '%s', %d) on conflict (cat_id, account_id)"
	    " do update set role = excluded.role",
	    cat, account, role);
}
