/*
 * Checks of the statements themselves: by their text alone, for the tests, and
 * (ct_stmt_verify, in pg.h) against a live schema.
 */
#ifndef CT_DB_VERIFY_H
#define CT_DB_VERIFY_H

#include "db/pg.h"

/*
 * A statement flagged CT_OWNED must compare account_id, or the id of account
 * (also as "a"), with $1, outside comments and literals, and take a UUID
 * first. False: *why is a static sentence. Other statements are true.
 */
bool ct_stmt_owned_ok(const struct ct_stmt *st, const char **why);

/* The highest $n of the text outside comments and literals; 0: none. */
int ct_stmt_params(const struct ct_stmt *st);
/* True where every one of $1 to $n is used: the type of one is else unknown. */
bool ct_stmt_params_ok(const struct ct_stmt *st);

/* One statement as ct_stmt_verify checks it; returns the number of faults. */
int ct_stmt_verify_one(struct ct_pg *pg, const struct ct_stmt *st,
    void (*fault)(const struct ct_stmt *st, const char *why, void *arg),
    void *arg);

/* What the server says about itself. */
struct ct_pg_facts {
	int64_t version; /* 150020 is 15.20 */
	int64_t now_us;	 /* its wall clock */
	bool durable;	 /* fsync and full_page_writes are on */
};
enum ct_rc ct_pg_facts(struct ct_pg *pg, struct ct_arena *a,
    struct ct_pg_facts *out, struct ct_err *err) CT_MUSTCHECK;

#endif
