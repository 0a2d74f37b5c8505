/*
 * What an archive of an account holds: its nouns, for each the query that fills
 * its files and the table of their columns. worker/export.c writes by it,
 * worker/import.c reads by it, and the README of an archive is made of it.
 *
 * All queries are OWNED: they are given the account whose archive it is, and
 * see the cats of which it is an owner.
 */
#ifndef CT_DB_EXPORT_H
#define CT_DB_EXPORT_H

#include "db/cat.h"
#include "db/entry.h"
#include "db/report.h"

#define CT_EXPORT_TASK	 "account.export"
#define CT_EXPORT_KIND	 "export" /* report.kind */
#define CT_EXPORT_FORMAT "zip"	  /* report.format */

/* What an archive says of itself in manifest.json. */
#define CT_ARCHIVE_FORMAT  "catetube-archive"
#define CT_ARCHIVE_VERSION 1

/* A row: the struct of its noun, and what is the archive's own. */
struct ct_archive_row {
	_Alignas(16) char obj[CT_ENTRY_MAX];
	bool by_me; /* by the account itself */
};

struct ct_archive_noun {
	const char *name;	    /* of its files, without the extension */
	const char *help;	    /* one line for people */
	const struct ct_stmt *rows; /* (account), or (account, cat) */
	/* Columns of the files, in struct ct_archive_row; bound as a create
	 * where an import reads them. */
	const struct ct_fields *fields;
	const struct ct_entry_kind *kind; /* NULL: it is none of entries */
	bool is_read; /* an import takes it; else it is for people only */
	/* After a row was read: what its columns lack; NULL: nothing. Memory
	 * from a. */
	void (*fix)(struct ct_arena *a, const struct ct_uuid *account,
	    struct ct_archive_row *row);
};

/* Nouns of the account and of each cat; few, always the same ones. */
#define CT_ARCHIVE_NOUNS_MAX 24
struct ct_archive_nouns {
	struct ct_archive_noun of_account[CT_ARCHIVE_NOUNS_MAX];
	struct ct_archive_noun of_cat[CT_ARCHIVE_NOUNS_MAX];
	size_t n_account, n_cat;
};
/* Made on a. */
const struct ct_archive_nouns *ct_archive_nouns(struct ct_arena *a);

struct ct_export_account {
	struct ct_uuid id;
	struct ct_str email, first_name, last_name;
	int64_t email_verified_at, consent_version, consent_at;
	int64_t created_at, last_login_at;
};

extern const struct ct_stmt *const ct_export_stmts[];

/*
 * A report of kind export with its outbox row, as ct_report_add; in->id must
 * be set. CT_CONFLICT, code "busy": one is being made already. CT_LIMITED:
 * max_open unfinished reports.
 */
enum ct_rc ct_export_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_report *in, int64_t max_open,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Ready, job_run and outbox done in one statement. Repeating it changes
 * nothing. CT_NOTFOUND: the report was removed meanwhile.
 */
enum ct_rc ct_export_finish(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_uuid *job, int64_t attempt,
    struct ct_str blob, int64_t rows, int64_t bytes, int64_t ttl_s,
    struct ct_err *err) CT_MUSTCHECK;

/* The cats of which the account is an owner: id and name, as they came. */
enum ct_rc ct_export_cats(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_cat **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;

#endif
