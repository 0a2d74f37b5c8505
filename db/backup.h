/*
 * Backups: making, listing, checking, trying and restoring them. Used by the
 * worker's tasks and by catetubectl.
 *
 * A backup is one sealed file (common/seal.h) that holds, packed by zstd, the
 * manifest (4 bytes of length, little-endian, then JSON) and what pg_dump wrote
 * in its custom format from the same snapshot.
 *
 * All of these block, for as long as the database is large. Errors of the place
 * are those of common/store.h, errors of the file those of common/seal.h.
 * CT_INVALID, code "config": an option is missing or wrong.
 */
#ifndef CT_DB_BACKUP_H
#define CT_DB_BACKUP_H

#include "common/conf.h"
#include "common/seal.h"
#include "common/store.h"
#include "db/manifest.h"

struct ct_backup {
	/* Set by the caller; the arena must live as long as this: */
	struct ct_arena *a;
	const struct ct_conf *conf;
	const char *where; /* NULL: conf's */
	/* Now and then: bytes read or written so far, of about how many (0: not
	 * known). False ends it with CT_RETRY, code "stopped". May be NULL. */
	bool (*go_on)(void *arg, int64_t done, int64_t total);
	/* A sentence about what is done next. May be NULL. */
	void (*say)(void *arg, const char *sentence);
	void *arg;
	/* Ours; zero at first: */
	uint8_t key[CT_KEY];
	struct ct_store *store;
	int64_t done, total;
};

/* What was made, read or restored. */
struct ct_backup_done {
	char name[CT_STORE_NAME];
	int64_t created_us;
	int64_t bytes; /* of the file */
	struct ct_manifest manifest;
	int64_t removed; /* older ones, by the rule of retention */
	int64_t kept;
};

extern const struct ct_stmt *const ct_backup_stmts[];	      /* backup.c */
extern const struct ct_stmt *const ct_backup_restore_stmts[]; /* _restore.c */
extern const struct ct_stmt *const ct_backup_log_stmts[];     /* _log.c */

/* Whether options that are given make sense; nothing is looked at. */
enum ct_rc ct_backup_check_conf(
    const struct ct_conf *conf, struct ct_err *err) CT_MUSTCHECK;
/* Key and place. Before anything below. */
enum ct_rc ct_backup_open(struct ct_backup *b, struct ct_err *err) CT_MUSTCHECK;

/* "catetube-20261122T021000Z-0a1b2c3d.ctb" */
void ct_backup_name(
    int64_t created_us, const struct ct_uuid *id, char out[CT_STORE_NAME]);
/* When a backup was made, by its name; false: no backup of ours. */
bool ct_backup_name_us(const char *name, int64_t *created_us);

/* Newest first; names of others are left out. */
enum ct_rc ct_backup_list(struct ct_backup *b, struct ct_store_list *out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Make one, and remove those that the rule of retention does not keep. id:
 * the job's. CT_RETRY, code "backup_runs": somebody else makes one.
 */
enum ct_rc ct_backup_run(struct ct_backup *b, const struct ct_uuid *id,
    struct ct_backup_done *out, struct ct_err *err) CT_MUSTCHECK;
/* Read all of it: authentic, whole, its manifest. name NULL: the newest. */
enum ct_rc ct_backup_read(struct ct_backup *b, const char *name,
    struct ct_backup_done *out, struct ct_err *err) CT_MUSTCHECK;
/*
 * Restore it into a database made for that on the server of url, count, and
 * drop that database. CT_CONFLICT, code "differs": not everything came back.
 */
enum ct_rc ct_backup_verify(struct ct_backup *b, const char *name,
    const char *url, struct ct_backup_done *out,
    struct ct_err *err) CT_MUSTCHECK;

struct ct_restore {
	const char *url; /* of a role that owns the database */
	bool force;	 /* it need not be empty: what is there is replaced */
	bool no_roles;	 /* everything belongs to whoever restores */
	/* Set by the restore: */
	int64_t revived; /* accounts that are not in what was replaced */
};
/*
 * Read it whole, then restore it in one transaction, then count. CT_CONFLICT:
 * the database is not empty, or not idle, or an earlier forced restore was cut
 * off, or what came back differs. With force, what was there is kept until all
 * is well, and put back where it is not.
 */
enum ct_rc ct_backup_restore(struct ct_backup *b, const char *name,
    struct ct_restore *r, struct ct_backup_done *out,
    struct ct_err *err) CT_MUSTCHECK;
/* Put back what a forced restore that was cut off had set aside. */
enum ct_rc ct_backup_undo(
    struct ct_backup *b, const char *url, struct ct_err *err) CT_MUSTCHECK;

/* What became of an action, into backup_log; old rows go. */
struct ct_backup_log {
	struct ct_uuid id;
	const char *action; /* "run", "verify" */
	int64_t started_us;
	const char *place;
	const struct ct_backup_done *done;
	const char *error; /* NULL: it worked */
};
enum ct_rc ct_backup_log_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_backup_log *l, struct ct_err *err) CT_MUSTCHECK;
/* Whether the action of that id has worked before; its name and figures. */
enum ct_rc ct_backup_log_find(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, bool *found, struct ct_backup_done *out,
    struct ct_err *err) CT_MUSTCHECK;
/* When the last one was made; CT_NULL_I64: never. */
enum ct_rc ct_backup_log_last(struct ct_pg *pg, struct ct_arena *a,
    int64_t *at_us, struct ct_err *err) CT_MUSTCHECK;
/* When a backup of that name was last restored on trial; CT_NULL_I64: never. */
enum ct_rc ct_backup_log_verified(struct ct_pg *pg, struct ct_arena *a,
    const char *name, int64_t *at_us, struct ct_err *err) CT_MUSTCHECK;

#endif
