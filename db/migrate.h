/*
 * Migrations: db/migrations/NNNN_name.sql, embedded at build time, forward
 * only, each in its own transaction with its record (number, name, BLAKE2b of
 * its text, time), all under one advisory lock.
 */
#ifndef CT_DB_MIGRATE_H
#define CT_DB_MIGRATE_H

#include "db/pg.h"

/* The code of the error that says so: older programs go on serving. */
#define CT_NEWER_SCHEMA "newer_schema"

struct ct_migration {
	int number;
	const char *name; /* "0001_base.sql" */
	const char *sql;
};
extern const struct ct_migration ct_migrations[];
extern const size_t ct_migrations_n;

/*
 * Apply what is missing; calls done for each. CT_CONFLICT: an applied file was
 * changed, or the database is newer than this program; the message names the
 * file. Safe to call from many processes at once.
 */
enum ct_rc ct_migrate(struct ct_pg *pg, void (*done)(const char *name),
    struct ct_err *err) CT_MUSTCHECK;
/* CT_OK: the schema is this program's. CT_CONFLICT: run `catetubectl migrate`.
 */
enum ct_rc ct_migrate_check(struct ct_pg *pg, struct ct_err *err) CT_MUSTCHECK;

#endif
