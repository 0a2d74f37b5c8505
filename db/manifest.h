/*
 * What a backup holds: how many rows of each table, and a sum over their
 * contents, seen in the snapshot that was dumped. Counted again after a restore
 * it tells whether everything came back.
 */
#ifndef CT_DB_MANIFEST_H
#define CT_DB_MANIFEST_H

#include "db/pg.h"

#define CT_MANIFEST_MAX	   ((size_t)1 << 20) /* bytes as JSON */
#define CT_MANIFEST_TABLES 1000

/* The schema where a forced restore keeps what it replaces; never saved. */
#define CT_BEFORE_RESTORE "before_restore"

struct ct_manifest_table {
	struct ct_str name; /* "public.feeding" */
	int64_t rows;
	struct ct_str sum; /* decimal digits */
};
struct ct_manifest {
	int64_t created_us;
	struct ct_str server;	/* "15.18 (Debian …)" */
	struct ct_str database; /* its name */
	struct ct_str schema;	/* the newest migration: "0013_backup.sql" */
	struct ct_str digest;	/* of the names and digests of all of them */
	struct ct_manifest_table *table; /* by name */
	size_t n;
	int64_t rows; /* of all tables */
};

extern const struct ct_stmt *const ct_manifest_stmts[];

/* Asked before each table; false: CT_RETRY, code "stopped". */
typedef bool ct_manifest_fn(void *arg);

/*
 * Count in the transaction that is open on pg, which sets its own text formats
 * until its end. Strings live on a. CT_TOOBIG: over CT_MANIFEST_TABLES.
 */
enum ct_rc ct_manifest_take(struct ct_pg *pg, struct ct_arena *a,
    ct_manifest_fn *go_on, void *arg, struct ct_manifest *out,
    struct ct_err *err) CT_MUSTCHECK;
struct ct_str ct_manifest_write(
    struct ct_arena *a, const struct ct_manifest *m);
/* CT_MALFORMED: it is none of ours. */
enum ct_rc ct_manifest_read(struct ct_arena *a, struct ct_str json,
    struct ct_manifest *out, struct ct_err *err) CT_MUSTCHECK;
/* CT_CONFLICT, code "differs": the first table that is not as it was saved. */
enum ct_rc ct_manifest_compare(const struct ct_manifest *saved,
    const struct ct_manifest *found, struct ct_err *err) CT_MUSTCHECK;

#endif
