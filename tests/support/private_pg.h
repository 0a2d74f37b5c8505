/*
 * A throw-away PostgreSQL cluster: own directory, unix socket only, no fsync.
 * It ends with the process that made it, whatever way that one ends.
 */
#ifndef CT_TESTS_PRIVATE_PG_H
#define CT_TESTS_PRIVATE_PG_H

#include <sys/types.h>

struct private_pg {
	char dir[64];  /* data/ and the socket */
	char url[160]; /* of database postgres, as the superuser */
	pid_t pid;     /* of the postmaster; 0: stopped */
};

/* Makes and starts a cluster; aborts with the server's log where it cannot. */
struct private_pg *private_pg_new(void);
/* Stops it and removes its directory. Accepts NULL. */
void private_pg_free(struct private_pg *c);

void private_pg_start(struct private_pg *c); /* returns when it answers */
void private_pg_stop(struct private_pg *c);  /* fast, waits for its end */
/* kill -9 of the postmaster; its children notice and end as well. */
void private_pg_kill(struct private_pg *c);
/* SIGSTOP and SIGCONT of the postmaster and all of its children. */
void private_pg_freeze(struct private_pg *c);
void private_pg_thaw(struct private_pg *c);

/* Creates the database and gives its URL, valid until the next call. */
const char *private_pg_database(struct private_pg *c, const char *name);

#endif
