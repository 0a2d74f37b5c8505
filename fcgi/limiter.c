/* The limiter of one process; see limiter.h. */
#include "fcgi/limiter.h"

#include <stdatomic.h>

#include "common/crypto.h"

#define SLOTS	  4096
#define MINUTE_US INT64_C(60000000)

/* Theoretical arrival times; the only state, and it may be lost. */
static _Atomic int64_t tats[SLOTS];

static _Atomic int64_t *
slot_of(const char *class, struct ct_str identity)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *class; class ++)
		h = (h ^ (unsigned char)*class) * UINT64_C(1099511628211);
	for (size_t i = 0; i < identity.n; i++)
		h = (h ^ (unsigned char)identity.p[i]) *
		    UINT64_C(1099511628211);
	return &tats[h % SLOTS];
}

bool
ct_limiter_take(const char *class, struct ct_str identity, int64_t limit,
    int64_t now_us, int64_t *remaining, int64_t *reset_s)
{
	_Atomic int64_t *slot = slot_of(class, identity);
	int64_t step = MINUTE_US / limit;
	int64_t seen = atomic_load(slot);
	int64_t ahead;

	do {
		ahead = (seen > now_us ? seen - now_us : 0) + step;
		if (ahead > MINUTE_US) {
			*remaining = 0;
			*reset_s = (ahead - MINUTE_US + 999999) / 1000000;
			return false;
		}
	} while (!atomic_compare_exchange_weak(slot, &seen, now_us + ahead));
	*remaining = (MINUTE_US - ahead) / step;
	*reset_s = (ahead + 999999) / 1000000;
	return true;
}
