/*
 * Reports that come by mail each week: when and what an account wants, the
 * reports that are due of it, and the file of one for its mail.
 *
 * A slot is an instant at which one is due. Its report covers the seven care
 * days before the slot's.
 */
#ifndef CT_DB_REPORT_SCHEDULE_H
#define CT_DB_REPORT_SCHEDULE_H

#include "db/pg.h"

#define CT_REPORT_SCHEDULES_MAX 5 /* of one account about one cat */

struct ct_report_schedule {
	struct ct_uuid id;
	struct ct_uuid cat_id;
	struct ct_str kind;	/* as of reports */
	struct ct_str format;	/* as of reports */
	struct ct_str weekday;	/* "monday" */
	int64_t hour;		/* 0 … 23 */
	struct ct_str timezone; /* absent: the cat's */
	bool enabled;
	bool deliverable;   /* the account's address is confirmed */
	int64_t next_at;    /* us */
	int64_t last_at;    /* us, CT_NULL_I64: never */
	int64_t created_at; /* us */
};
extern const struct ct_fields ct_report_schedule_fields;
extern const struct ct_stmt *const ct_report_schedule_stmts[];

/* ------------------------------------------------ for the responders */

/*
 * s->id must be set; next_at and what follows are filled. CT_NOTFOUND: not a
 * member of the cat. CT_CONFLICT, code "too_many". CT_INVALID: no such zone.
 */
enum ct_rc ct_report_schedule_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule *s,
    struct ct_err *err) CT_MUSTCHECK;
/* Of cats that the account still takes care of; at most 200, oldest first. */
enum ct_rc ct_report_schedule_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND: none, another account's, or of a cat that it has left. */
enum ct_rc ct_report_schedule_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_report_schedule *out, struct ct_err *err) CT_MUSTCHECK;
/* Another time begins now; the same time stays due. Errors as above. */
enum ct_rc ct_report_schedule_set(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_report_schedule *s,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_report_schedule_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;

/* ------------------------------------------------ for the worker */

/*
 * Up to most (1 to 1,000) slots that are due: for each the report, its outbox
 * row and the next slot in one statement. Of slots that were missed the last
 * one counts. Nothing is made for an account that is closed, whose address is
 * not confirmed, or that has left the cat. *due: slots found; fewer than most:
 * these were all. *made: reports.
 */
enum ct_rc ct_report_schedule_run(struct ct_pg *pg, struct ct_arena *a,
    int64_t most, int64_t *due, int64_t *made, struct ct_err *err) CT_MUSTCHECK;

/* What a mail needs of the report that it brings. */
struct ct_report_file {
	struct ct_str kind;
	struct ct_str format;
	struct ct_str from, to; /* "2026-11-16" */
	struct ct_str blob;	/* below <files_dir>/reports */
	int64_t bytes;
};
/* CT_NOTFOUND: removed, expired, or not ready. */
enum ct_rc ct_report_file(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *report, struct ct_report_file *out,
    struct ct_err *err) CT_MUSTCHECK;

#endif
