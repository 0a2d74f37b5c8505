/* Turns at hashing; see turn.h. */
#include "fcgi/turn.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"

#define BUSY_MS 250 /* that long after it, other work is still expected */

struct ct_turn {
	unsigned n;
	_Atomic int64_t busy_ms; /* when other work was last seen */
	pthread_mutex_t of[];
};

struct ct_turn *
ct_turns_make(unsigned n)
{
	size_t size = sizeof(struct ct_turn) + n * sizeof(pthread_mutex_t);
	struct ct_turn *all = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t shared;

	if (n == 0 || all == MAP_FAILED ||
	    pthread_mutexattr_init(&shared) != 0 ||
	    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) !=
		0 ||
	    pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST) != 0)
		ct_bug("no turns at hashing: %s", strerror(errno));
	all->n = n;
	atomic_store(&all->busy_ms, INT64_MIN / 2);
	for (unsigned i = 0; i < n; i++) {
		if (pthread_mutex_init(&all->of[i], &shared) != 0)
			ct_bug("no turn at hashing");
	}
	return all;
}

void
ct_turn_busy(struct ct_turn *all)
{
	atomic_store_explicit(
	    &all->busy_ms, ct_mono_ms(), memory_order_relaxed);
}

/* How many may hash at a time just now. */
static unsigned
turns_now(struct ct_turn *all)
{
	int64_t busy_ms =
	    atomic_load_explicit(&all->busy_ms, memory_order_relaxed);

	return all->n > 1 && ct_mono_ms() - busy_ms < BUSY_MS ? all->n - 1
							      : all->n;
}

unsigned
ct_turn_take(struct ct_turn *all, unsigned slot)
{
	unsigned taken = slot % turns_now(all);
	pthread_mutex_t *m = &all->of[taken];
	int rc = pthread_mutex_lock(m);

	/* Its holder died; it guards nothing that could be half done. */
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(m);
	if (rc != 0)
		ct_bug("turn at hashing: %s", strerror(rc));
	return taken;
}

void
ct_turn_give(struct ct_turn *all, unsigned taken)
{
	if (pthread_mutex_unlock(&all->of[taken]) != 0)
		ct_bug("a turn at hashing was not ours");
}
