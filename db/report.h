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
	struct ct_str kind;	  /* feeding, summary, …: report_kinds.c */
	struct ct_str format;	  /* csv, json, xlsx, pdf */
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
	struct ct_str paper; /* A4, Letter; absent: by the cat's zone */
};
extern const struct ct_fields ct_report_fields;
extern const struct ct_stmt *const ct_report_stmts[];
extern const struct ct_stmt *const ct_report_row_stmts[];
extern const struct ct_stmt *const ct_report_sum_stmts[];

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
 * Ready, job_run and outbox done in one statement, with the mail that brings it
 * where a schedule asked for the report. Repeating it changes nothing.
 * CT_NOTFOUND: the report was removed meanwhile.
 */
enum ct_rc ct_report_finish(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_uuid *job, int64_t attempt,
    struct ct_str blob, int64_t rows, int64_t bytes, int64_t ttl_s,
    struct ct_err *err) CT_MUSTCHECK;
/* Failed for good, with a sentence that is safe to show. The first end counts.
 */
enum ct_rc ct_report_fail(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_str message,
    struct ct_err *err) CT_MUSTCHECK;

/* Whom and what it is about, as it is told to people. */
struct ct_report_head {
	struct ct_str cat_name;	 /* may be empty */
	struct ct_str timezone;	 /* the cat's, IANA */
	struct ct_str day_start; /* "06:00" */
	struct ct_str asked_by;	 /* first and last name */
	int64_t asked_local;	 /* created_at on the cat's clock, as if UTC */
};
/* CT_NOTFOUND: the cat or the account is gone. */
enum ct_rc ct_report_head(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_report *r, struct ct_report_head *out,
    struct ct_err *err) CT_MUSTCHECK;

/* What a section is to those who draw it. */
enum ct_report_part {
	CT_PART_ENTRIES,   /* rows of a log */
	CT_PART_OVERVIEW,  /* one row: struct ct_report_overview */
	CT_PART_DAYS,	   /* one row a day: struct ct_report_day */
	CT_PART_MEDICINES, /* one a medicine: struct ct_report_medicine */
	CT_PART_EVENTS	   /* what a vet looks for: struct ct_report_event */
};

/* A column for people, beside the plain ones of CSV and JSON. */
struct ct_report_column {
	const char *field; /* of the section's columns; NULL: the end */
	const char *head;  /* "Given"; the unit is the field's */
	/* On a page: its share of the width (0: not there), and the field that
	 * stands in where this one is NULL. */
	int share;
	const char *instead;
};

/*
 * One query and what its rows decode into. Queries take (cat, from day, to
 * day) and, where their sig has a fourth, whether local times are wanted.
 */
struct ct_report_section {
	const char *title;    /* "Feeding Data": of its CSV block */
	const char *json_key; /* "feeding_data" */
	const char *name;     /* "Meals": for people; of its sheet */
	enum ct_report_part part;
	const struct ct_stmt *rows;  /* ordered by time, then id */
	const struct ct_stmt *count; /* NULL: its rows are not counted */
	const struct ct_fields *columns;
	const struct ct_report_column *people;
};
#define CT_REPORT_SECTIONS 12
/*
 * The sections of that kind in that format, in their order: how many, 0 where
 * there is no such kind.
 */
int ct_report_sections(struct ct_str kind, struct ct_str format,
    const struct ct_report_section *out[CT_REPORT_SECTIONS]);
/* NULL-terminated: the kinds, the formats as they are asked for. */
extern const char *const ct_report_kinds[], *const ct_report_formats[];
extern const char *const ct_report_papers[];
/* As it is stored: "xlsx" for "excel". */
struct ct_str ct_report_format(struct ct_str asked);

/* The parameters of a query of a section. */
void ct_report_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_stmt *st, const struct ct_report *r, bool local);

/*
 * Where the newest `most` entries of these sections begin: the first day that
 * is whole (the newest one, where that alone has more), and how many entries
 * lie before it. CT_NULL_DAY: there are no entries.
 */
enum ct_rc ct_report_cut(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_report *r, const struct ct_report_section *const *section,
    int sections, int64_t most, int32_t *day, int64_t *before,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * The period in numbers. Days are those from the first to the last entry
 * within what was asked for; complete ones are over. A meal that was marked as
 * vomited and a vomiting logged within an hour of it count once.
 */
struct ct_report_overview {
	struct ct_str cat_name, breed, sex, conditions, diet, timezone,
	    day_start;
	int64_t birth_year, age_years;
	int32_t tube_placed_on;
	int64_t tube_size_fr, tube_mark_mcm;
	int32_t first_day, last_day; /* CT_NULL_DAY: no entries */
	int64_t days, complete_days;
	int64_t meals;
	int64_t given_ul;	/* of all days */
	int64_t mean_ul;	/* a complete day; CT_NULL_I64: there is none */
	int64_t mean_target_ul; /* the same of the targets */
	int64_t mean_percent;	/* of the target, thousandths */
	int64_t oral_ul;	/* by mouth, of all days */
	int64_t low_days;	/* complete, below 75 % of the target */
	int64_t empty_days;	/* complete, without a meal */
	int64_t vomits, vomit_days;
	int32_t last_vomit_day;
	int64_t doses_given, doses_skipped;
	int64_t incidents;		       /* of the tube */
	int64_t first_weight_g, last_weight_g; /* medians of their days */
	int32_t first_weight_day, last_weight_day;
};

struct ct_report_day {
	int32_t day;
	int64_t target_ul, given_ul, tube_ul, oral_ul;
	int64_t percent; /* thousandths */
	int64_t meals;
	int64_t flush_ul; /* known volumes only */
	int64_t water_ul;
	int64_t vomits, doses_given, doses_skipped;
	int64_t weight_g; /* the median; CT_NULL_I64: not weighed */
	bool complete;	  /* the day is over */
};

struct ct_report_medicine {
	struct ct_str name, dosage, route, reasons;
	int64_t given, skipped;
	int32_t first_day, last_day;
};

struct ct_report_event {
	int64_t given_at, local_us;
	int32_t day;
	struct ct_str source; /* observation, meal, tube */
	struct ct_str kind;   /* of an observation; the outcome of a meal */
	int64_t severity, amount_ul;
	struct ct_str notes;
	/* Of a look at the tube, as in struct ct_tube_look. */
	int64_t cap_on, smell, suture_holding, patent, collar_ok;
	struct ct_str dressing, skin, discharge, incident;
	int64_t mark_mcm, last_mark_mcm;
};

/* 0 … 100 for people: never 100 before it is ready. */
int64_t ct_report_percent(const struct ct_report *r);

#endif
