/*
 * Between the files of account.import: the archive as it is read, and what came
 * of each of its parts.
 */
#ifndef CT_WORKER_IMPORT_H
#define CT_WORKER_IMPORT_H

#include "db/import.h"
#include "worker/archive.h"
#include "worker/archive_rows.h"
#include "worker/job.h"

#define CT_IMPORT_CATS	   CT_CATS_MAX
#define CT_IMPORT_PROBLEMS 100 /* that are told; the others are counted */

/* What became of the rows of one file. */
enum ct_import_count {
	CT_I_NEW,
	CT_I_SAME,
	CT_I_OTHER, /* there, with other contents: left alone */
	CT_I_REFUSED,
	CT_I_COUNTS
};

struct ct_import_problem {
	bool is_refused; /* else it was there with other contents */
	char file[48];
	int64_t line; /* 0: none */
	char field[40];
	char reason[200];
};

struct ct_import_cat {
	bool is_there;	     /* the archive has its directory */
	uint32_t files;	     /* bit of each noun whose .json is there */
	struct ct_uuid from; /* its id in the archive */
	struct ct_uuid to;   /* in the account; nil: it was refused */
	char name[408];	     /* 100 code points and a NUL */
	bool is_new;
	bool is_written;
	int64_t counts[CT_ARCHIVE_NOUNS_MAX][CT_I_COUNTS];
};

struct ct_importing {
	struct ct_job *job;
	struct ct_import row;
	struct ct_pg *side;
	struct ct_arena *batch; /* of one row */
	struct ct_unzip zip;
	const struct ct_archive_nouns *nouns;
	bool has_manifest;
	uint32_t account_files; /* as of a cat */
	struct ct_import_cat cats[CT_IMPORT_CATS];
	int64_t preferences[CT_I_COUNTS];
	struct ct_import_problem problems[CT_IMPORT_PROBLEMS];
	int64_t nproblems;
	int64_t rows, row_count; /* read so far; that the manifest told */
};

/* One thing more of that kind. */
void ct_import_tell(struct ct_importing *in, bool is_refused, const char *file,
    int64_t line, const struct ct_err *why);
/* Progress, and whether to go on: CT_RETRY. */
enum ct_rc ct_import_go_on(
    struct ct_importing *in, struct ct_err *err) CT_MUSTCHECK;
/* Does this rc mean that the job cannot go on, not that its input is bad? */
bool ct_import_is_ours(enum ct_rc rc);

/*
 * import_layout.c: which files there are, and what manifest.json says. Refuses
 * what is no archive of ours, or not whole.
 */
enum ct_rc ct_import_layout(
    struct ct_importing *in, struct ct_err *err) CT_MUSTCHECK;
/* Which noun of the list that name has, -1: none. */
int ct_import_noun(
    const struct ct_archive_noun *list, size_t n, struct ct_str name);

/*
 * import_rows.c: the rows of one cat, or the preferences, inside the caller's
 * transaction. *refused: something of it may not be brought in.
 */
enum ct_rc ct_import_cat(struct ct_importing *in, int index, bool *refused,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_import_preferences(
    struct ct_importing *in, bool *refused, struct ct_err *err) CT_MUSTCHECK;

/* One row of a file, as its table binds it; CT_INVALID or CT_MALFORMED says
 * what is wrong with it. cat nil: it is one of the account. */
enum ct_rc ct_import_bind(const struct ct_archive_noun *noun,
    const struct ct_uuid *cat, struct ct_str text, struct ct_arena *a,
    struct ct_archive_row *row, struct ct_err *err) CT_MUSTCHECK;

/* import_summary.c: what came of it, as JSON for people and programs. */
struct ct_str ct_import_summary(
    struct ct_arena *a, const struct ct_importing *in);

#endif
