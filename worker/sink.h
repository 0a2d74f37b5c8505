/*
 * Where a report's rows go: a file in one of several formats. Memory does not
 * grow with the rows: what is plain goes through one buffer, spreadsheets
 * through the library's temporary files, and pages are bounded.
 */
#ifndef CT_WORKER_SINK_H
#define CT_WORKER_SINK_H

#include "common/clock.h"
#include "db/report.h"

#define CT_SINK_BUFFER (256U << 10)

struct ct_sink;

struct ct_sink_format {
	const char *name; /* report.format, and the file's extension */
	bool local;	  /* its times are the cat's */
	int64_t most;	  /* entries that fit, the newest ones; 0: all */
	void (*open)(struct ct_sink *s, const struct ct_report *r,
	    const struct ct_report_head *head);
	/* sections: how many the report has; index: 0 … sections - 1 */
	void (*begin)(struct ct_sink *s, const struct ct_report_section *sec,
	    int index, int sections);
	void (*row)(struct ct_sink *s, const void *obj);
	void (*end)(struct ct_sink *s);
	void (*close)(struct ct_sink *s);
};

struct ct_sink {
	const struct ct_sink_format *format;
	struct ct_arena *a; /* of the job */
	int fd;
	const char *dir;   /* on the file's disk, for temporary files */
	struct ct_buf out; /* on the arena of the job */
	struct ct_jw jw;
	const struct ct_fields *columns; /* of the open section */
	int64_t bytes;
	int64_t row_count; /* entries to come in all */
	int32_t cut_day;   /* entries begin on that day; CT_NULL_DAY: all */
	int64_t cut_rows;  /* how many are left out before it */
	int32_t day;	   /* the one that day_text shows */
	char day_text[CT_DAY_MAX];
	void *own;	   /* the format's */
	struct ct_err err; /* the first thing that went wrong */
};

extern const struct ct_sink_format ct_sink_csv, ct_sink_json, ct_sink_xlsx,
    ct_sink_pdf;
/* NULL where there is no such format. */
const struct ct_sink_format *ct_sink_find(struct ct_str name);

/* dir must live as long as the sink. */
void ct_sink_init(struct ct_sink *s, const struct ct_sink_format *format,
    int fd, const char *dir, struct ct_arena *a);
/* Write out what is buffered if it is much, or in any case. */
void ct_sink_flush(struct ct_sink *s, bool all);
static inline bool
ct_sink_failed(const struct ct_sink *s)
{
	return s->err.rc != CT_OK;
}
/* CT_RETRY with a sentence by errnum; what is for the log. */
enum ct_rc ct_sink_disk(struct ct_err *err, const char *what, int errnum);

/* The member of obj that f describes. */
static inline const void *
ct_sink_member(const void *obj, const struct ct_field *f)
{
	return (const char *)obj + f->offset;
}
/* Whether it is NULL, by its type. */
bool ct_sink_null(const struct ct_field *f, const void *obj);

#endif
