/*
 * Reports: a row that says what was asked and how far it is, the outbox row
 * that makes its job happen, and the queries that fill it.
 */
#ifndef CT_DB_REPORT_H
#define CT_DB_REPORT_H

#include "db/pg.h"

struct ct_report {
	struct ct_uuid id;
	struct ct_uuid account_id;
	struct ct_uuid cat_id;	  /* nil: it is about the account */
	struct ct_str kind;	  /* feeding, medication, combined */
	struct ct_str format;	  /* csv, json */
	int32_t from_day, to_day; /* inclusive, CT_NULL_DAY: open */
	struct ct_str state;	  /* queued, running, ready, failed */
	int64_t rows_done;
	int64_t row_count; /* CT_NULL_I64: not counted yet */
	int64_t byte_count;
	struct ct_str blob;  /* file name below <files_dir>/reports */
	struct ct_str error; /* safe to show */
	int64_t created_at;
	int64_t finished_at;
	int64_t expires_at;
};
extern const struct ct_fields ct_report_fields;
extern const struct ct_stmt *const ct_report_stmts[];

#define CT_REPORT_TASK	"report.generate"
#define CT_REPORT_QUEUE "reports"

/* ------------------------------------------------ for the responders */

/*
 * The row and its outbox row (same id: the job's) in one statement; in->id
 * must be set. CT_NOTFOUND: not a member of the cat. CT_LIMITED: max_open
 * unfinished reports already.
 */
enum ct_rc ct_report_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_report *in, int64_t max_open,
    struct ct_err *err) CT_MUSTCHECK;
/* The {"report_id": "…"} that both the outbox and a direct push carry. */
struct ct_str ct_report_kwargs(struct ct_arena *a, const struct ct_uuid *id);
/*
 * CT_NOTFOUND: none, another account's, of a cat that the account is no member
 * of any more, or past its expiry.
 */
enum ct_rc ct_report_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND with its sentence. */
enum ct_rc ct_report_missing(struct ct_err *err);
/* Those of the account that are queued or running, newest first. */
enum ct_rc ct_report_active(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* Forget it; out: as it was, for its file. CT_NOTFOUND as above. */
enum ct_rc ct_report_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report *out, struct ct_err *err) CT_MUSTCHECK;

/* ------------------------------------------------ for the worker */

/*
 * Load the row and mark it running unless it is ready already (see
 * out->state). CT_NOTFOUND: the report was removed meanwhile.
 */
enum ct_rc ct_report_start(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_report *out,
    struct ct_err *err) CT_MUSTCHECK;
/* row_count may be CT_NULL_I64. Never moves a row that is ready. */
enum ct_rc ct_report_progress(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, int64_t rows_done, int64_t row_count,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Ready, job_run and outbox done in one statement. Repeating it changes
 * nothing. CT_NOTFOUND: the report was removed meanwhile.
 */
enum ct_rc ct_report_finish(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_uuid *job, int64_t attempt,
    struct ct_str blob, int64_t rows, int64_t bytes, int64_t ttl_s,
    struct ct_err *err) CT_MUSTCHECK;
/* Failed for good, with a sentence that is safe to show. */
enum ct_rc ct_report_fail(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_str message,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * The sections of a report of this kind: their number, and for each the title
 * of its CSV block, the JSON key, the query and the count that take
 * (cat, from day, to day), and the table of its columns.
 */
struct ct_report_section {
	const char *title;	    /* "Feeding Data" */
	const char *json_key;	    /* "feeding_data" */
	const struct ct_stmt *rows; /* ordered by time, then id */
	const struct ct_stmt *count;
	const struct ct_fields *columns; /* what rows decode into, in order */
};
int ct_report_sections(
    struct ct_str kind, const struct ct_report_section *out[2]);
/* The parameters of both queries. */
void ct_report_params(
    struct ct_params *p, struct ct_arena *a, const struct ct_report *r);

/* 0 … 100 for people: never 100 before it is ready. */
int64_t ct_report_percent(const struct ct_report *r);

#endif
