/*
 * The audit trail as members of the cat read it: who changed or deleted what,
 * with the values before. Rows are written by the statements that change.
 */
#ifndef CT_DB_AUDIT_H
#define CT_DB_AUDIT_H

#include "db/entry.h"

struct ct_audit {
	int64_t at;		   /* us */
	struct ct_uuid by_account; /* nil: the account is gone */
	struct ct_str by_name;
	struct ct_str action; /* change, delete, restore, … */
	struct ct_str noun;   /* name of an entry kind, or another noun */
	struct ct_uuid noun_id;
	struct ct_str before; /* JSON of its columns; absent: forgotten */
};
extern const struct ct_fields ct_audit_fields;
extern const struct ct_stmt *const ct_audit_stmts[];

/*
 * What happened to the cat's entries, newest first: those of one entry where
 * kind and id are not NULL. *out: array of *n; *total: how many there are.
 * Nobody's cat, or another's, has none. Blocks.
 */
enum ct_rc ct_audit_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *cat,
    const struct ct_entry_kind *kind, const struct ct_uuid *id, int64_t limit,
    int64_t offset, struct ct_audit **out, int *n, int64_t *total,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * The values before, with the names and units of the noun's own answers, as
 * JSON text on a; absent for a noun that is no entry kind, or where they were
 * forgotten.
 */
struct ct_str ct_audit_before(struct ct_arena *a, const struct ct_audit *row);
/* One row as a JSON object: at, by, action, noun, noun_id, before. */
void ct_audit_write(
    struct ct_arena *a, const struct ct_audit *row, struct ct_jw *w);

#endif
