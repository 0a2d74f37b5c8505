/*
 * The process and its lanes. A lane is one thread with its own stores; a
 * request is handled on exactly one lane at a time.
 */
#ifndef CT_FCGI_APP_H
#define CT_FCGI_APP_H

#include <stdatomic.h>

#include "common/conf.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "db/pg.h"

#define CT_ROUTES_MAX 192

/* Rate classes of routes. */
enum ct_class {
	CT_C_NONE,
	CT_C_READ,
	CT_C_LOG,
	CT_C_REPORT,
	CT_C_AUTH,
	CT_C_COUNT
};

struct ct_turn;

struct ct_route_cells {
	struct ct_cell *by_class[6]; /* [2] 2xx … [5] 5xx; [1]: 304 */
	struct ct_cell *seconds;
};

struct ct_app {
	const struct ct_conf *conf;
	int listen_fd;
	int epoll_fd;	       /* listening socket and parked connections */
	int work[2];	       /* pipe to the database threads */
	int slow[2];	       /* pipe to the password thread */
	int parent_fd;	       /* readable or closed: the parent speaks */
	struct ct_turn *turns; /* at hashing, of this host; NULL: no bound */
	unsigned slot;	       /* number of this child: its turn */
	atomic_int slow_waiting;
	atomic_int busy;    /* requests on database and password threads */
	atomic_int uploads; /* of them, with a body to be read there */
	atomic_bool draining;
	char no_hash[128]; /* hash of nothing, verified for unknown accounts
			      so that they take as long as known ones */
	struct ct_route_cells cells[CT_ROUTES_MAX + 1]; /* last: no route */
	struct ct_cell *hits, *not_modified, *misses, *trip;
	struct ct_cell *limited[CT_C_COUNT];
	struct ct_cell *login_ok, *login_bad, *login_wait;
};

struct ct_lane {
	struct ct_app *app;
	struct ct_pg *pg;	/* NULL on the front loop */
	struct ct_redis *redis; /* queues, sessions */
	struct ct_redis *cache; /* limits, cached answers; may equal redis */
};

#endif
