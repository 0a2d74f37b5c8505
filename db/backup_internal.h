/* What the files of db/backup*.c share. */
#ifndef CT_DB_BACKUP_INTERNAL_H
#define CT_DB_BACKUP_INTERNAL_H

#include "common/spawn.h"
#include "db/backup.h"

/* Longest silence of pg_dump and pg_restore, which wait for locks and disks. */
#define BACKUP_IDLE_MS (15 * 60 * 1000)
/* Deadline of statements that read whole tables. */
#define BACKUP_STMT_MS	(4 * 3600 * 1000)
#define BACKUP_LEVEL	3 /* of zstd */
#define BACKUP_MANIFEST 4 /* bytes of its length */

/* backup.c */
void backup_say(const struct ct_backup *b, const char *fmt, ...)
    CT_PRINTF(2, 3);
/* One turn of a wait, for stores, children and manifests. */
bool backup_go_on(void *b);
/* A connection that is closed with the arena, if not before. */
struct backup_db {
	struct ct_pg *pg; /* NULL: closed */
};
struct backup_db *backup_connect(struct ct_backup *b, const char *url);
void backup_disconnect(struct backup_db *db);
/* Kill it with the arena; the caller starts it. */
struct ct_spawn *backup_child(struct ct_backup *b);
const char *backup_program(const struct ct_backup *b, const char *name);

/* backup_read.c: read a backup, into the database of url (NULL: only read). */
struct backup_sink {
	const char *url;
	const char *database; /* its name */
	bool no_roles;
};
enum ct_rc backup_pass(struct ct_backup *b, const char *name,
    const struct backup_sink *to, struct ct_backup_done *out,
    struct ct_err *err) CT_MUSTCHECK;
/* The name itself, or the newest. */
enum ct_rc backup_pick(struct ct_backup *b, const char *name,
    char out[CT_STORE_NAME], struct ct_err *err) CT_MUSTCHECK;

#endif
