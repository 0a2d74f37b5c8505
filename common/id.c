/*
 * UUID version 7: milliseconds, twelve bits of the millisecond's fraction
 * that double as a counter, and 62 random bits.
 */
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

/*
 * The newest stamp given out: milliseconds << 12 | fraction. Where the clock
 * stands or went back, the next stamp is the last one plus 1.
 */
static _Atomic uint64_t last_stamp;

/* Random words fetched ahead; a fork must not share them with its parent. */
static _Thread_local struct {
	unsigned left;
	uint64_t words[64];
} pool;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void
drop_pool(void)
{
	pool.left = 0;
}

static void
watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, drop_pool) != 0)
		ct_bug("pthread_atfork failed");
}

static uint64_t
random_word(void)
{
	if (pool.left == 0) {
		pthread_once(&pool_once, watch_forks);
		ct_random(pool.words, sizeof(pool.words));
		pool.left = ct_countof(pool.words);
	}
	return pool.words[--pool.left];
}

static uint64_t
next_stamp(void)
{
	int64_t clock_us = ct_now_us();
	uint64_t us = clock_us > 0 ? (uint64_t)clock_us : 0, now, last, next;

	now = us / 1000 << 12 | us % 1000 * 4096 / 1000;
	last = atomic_load_explicit(&last_stamp, memory_order_relaxed);
	do {
		next = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(&last_stamp, &last,
	    next, memory_order_relaxed, memory_order_relaxed));
	return next;
}

static void
put_be64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint64_t
get_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

struct ct_uuid
ct_uuid_new(void)
{
	uint64_t stamp = next_stamp();
	struct ct_uuid u;

	put_be64(u.b, stamp >> 12 << 16 | UINT64_C(0x7000) | (stamp & 0xfff));
	put_be64(u.b + 8, random_word() >> 2 | UINT64_C(1) << 63);
	return u;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
ct_uuid_parse(struct ct_str s, struct ct_uuid *out)
{
	struct ct_uuid u;
	size_t i, n = 0;
	int hi, lo;

	if (s.n != CT_UUID_TEXT - 1)
		return false;
	for (i = 0; i < s.n; i += 2) {
		if (dash_at(i)) {
			if (s.p[i] != '-')
				return false;
			i++;
		}
		hi = nibble(s.p[i]);
		lo = nibble(s.p[i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		u.b[n++] = (uint8_t)(hi << 4 | lo);
	}
	if (ct_uuid_nil(&u))
		return false;
	*out = u;
	return true;
}

char *
ct_uuid_format(const struct ct_uuid *u, char out[CT_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t i, n = 0;

	for (i = 0; i < sizeof(u->b); i++) {
		if (dash_at(n))
			out[n++] = '-';
		out[n++] = digits[u->b[i] >> 4];
		out[n++] = digits[u->b[i] & 15];
	}
	out[n] = '\0';
	return out;
}

bool
ct_uuid_eq(const struct ct_uuid *a, const struct ct_uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
ct_uuid_nil(const struct ct_uuid *u)
{
	static const struct ct_uuid nil;

	return ct_uuid_eq(u, &nil);
}

int64_t
ct_uuid_key64(const struct ct_uuid *u)
{
	return (int64_t)(get_be64(u->b) ^ get_be64(u->b + 8));
}
