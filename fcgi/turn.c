/* Turns at hashing; see turn.h. */
#include "fcgi/turn.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base.h"

struct ct_turn {
	unsigned n;
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
	for (unsigned i = 0; i < n; i++) {
		if (pthread_mutex_init(&all->of[i], &shared) != 0)
			ct_bug("no turn at hashing");
	}
	return all;
}

void
ct_turn_take(struct ct_turn *all, unsigned slot)
{
	pthread_mutex_t *m = &all->of[slot % all->n];
	int rc = pthread_mutex_lock(m);

	/* Its holder died; it guards nothing that could be half done. */
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(m);
	if (rc != 0)
		ct_bug("turn at hashing: %s", strerror(rc));
}

void
ct_turn_give(struct ct_turn *all, unsigned slot)
{
	if (pthread_mutex_unlock(&all->of[slot % all->n]) != 0)
		ct_bug("a turn at hashing was not ours");
}
