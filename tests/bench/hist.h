/*
 * Latency histogram in microseconds: 128 linear steps per power of two, so a
 * percentile is off by less than 1 %. One per thread, merged at the end.
 */
#ifndef CT_BENCH_HIST_H
#define CT_BENCH_HIST_H

#include <stdint.h>

#define HIST_STEPS 128u
#define HIST_CELLS (30u * HIST_STEPS) /* up to 2^36 us */

struct hist {
	uint64_t n;
	uint64_t max_us;
	uint64_t cell[HIST_CELLS];
};

static inline unsigned
hist_index(uint64_t us)
{
	unsigned shift;

	if (us < 2 * HIST_STEPS)
		return (unsigned)us;
	shift = 63u - (unsigned)__builtin_clzll(us) - 7u;
	if (shift > HIST_CELLS / HIST_STEPS - 2)
		return HIST_CELLS - 1;
	return shift * HIST_STEPS + (unsigned)(us >> shift);
}

static inline void
hist_add(struct hist *h, int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0;

	h->n++;
	if (v > h->max_us)
		h->max_us = v;
	h->cell[hist_index(v)]++;
}

static inline void
hist_merge(struct hist *into, const struct hist *from)
{
	into->n += from->n;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
	for (unsigned i = 0; i < HIST_CELLS; i++)
		into->cell[i] += from->cell[i];
}

/* The upper bound of the cell in which the fraction q lies. */
static inline double
hist_ms(const struct hist *h, double q)
{
	uint64_t want = (uint64_t)((double)h->n * q + 0.5);
	uint64_t seen = 0;

	for (unsigned i = 0; i < HIST_CELLS; i++) {
		unsigned shift = i < HIST_STEPS ? 0 : i / HIST_STEPS - 1;
		uint64_t low = (uint64_t)(i - shift * HIST_STEPS) << shift;

		seen += h->cell[i];
		if (seen >= want && seen > 0)
			return (double)(low + ((1ull << shift) - 1)) / 1e3;
	}
	return (double)h->max_us / 1e3;
}

#endif
