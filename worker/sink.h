/*
 * Where a report's rows go: a file in one of several formats, written through
 * one buffer, so that memory does not grow with the rows.
 */
#ifndef CT_WORKER_SINK_H
#define CT_WORKER_SINK_H

#include "common/clock.h"
#include "db/report.h"

#define CT_SINK_BUFFER (256U << 10)

struct ct_sink;

struct ct_sink_format {
	const char *name; /* report.format, and the file's extension */
	void (*open)(struct ct_sink *s, const struct ct_report *r);
	/* sections: how many the report has; index: 0 … sections - 1 */
	void (*begin)(struct ct_sink *s, const struct ct_report_section *sec,
	    int index, int sections);
	void (*row)(struct ct_sink *s, const void *obj);
	void (*end)(struct ct_sink *s);
	void (*close)(struct ct_sink *s);
};

struct ct_sink {
	const struct ct_sink_format *format;
	int fd;
	struct ct_buf out; /* on the arena of the job */
	struct ct_jw jw;
	const struct ct_fields *columns; /* of the open section */
	int64_t bytes;
	int32_t day; /* the one that day_text shows */
	char day_text[CT_DAY_MAX];
	int failed; /* errno of the first failed write, 0: none */
};

extern const struct ct_sink_format ct_sink_csv, ct_sink_json;
/* NULL where there is no such format. */
const struct ct_sink_format *ct_sink_find(struct ct_str name);

void ct_sink_init(struct ct_sink *s, const struct ct_sink_format *format,
    int fd, struct ct_arena *a);
/* Write out what is buffered if it is much, or in any case. */
void ct_sink_flush(struct ct_sink *s, bool all);

#endif
