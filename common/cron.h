/*
 * Cron: five fields, or @daily and its like, or @every 8h, in an IANA zone; and
 * when it is due. The door to the zones of the C library: it sets TZ of the
 * process, so it is for programs of one thread only (the scheduler of a worker
 * node, catetubectl).
 *
 * A calendar line means what the clock on the wall shows. Where that clock is
 * changed, a time that does not exist runs at the first moment after the gap,
 * and one that exists twice runs once, the first time. A line for every hour
 * goes by elapsed time: it runs in both of two equal hours, and makes up for
 * none that was left out. @every counts from 1970, so that its slots are the
 * same whoever counts.
 *
 * Instants are seconds since 1970. A slot is an instant at which a line is due.
 */
#ifndef CT_COMMON_CRON_H
#define CT_COMMON_CRON_H

#include "common/err.h"
#include "common/str.h"

#define CT_ZONE_MAX    64
#define CT_CRON_MAX    120 /* bytes of a line */
#define CT_CRON_LATE_S 60  /* a slot so late is still on time */
#define CT_CRON_ALL    100 /* most slots to make up for */
/* Most slots that are due at once: those on time, and those made up for. */
#define CT_CRON_DUE (CT_CRON_LATE_S + CT_CRON_ALL)

struct ct_cron {
	int64_t every_s; /* 0: a calendar line */
	/* Bit i is set where i fits. */
	uint64_t minutes; /* 0 … 59 */
	uint64_t hours;	  /* 0 … 23 */
	uint64_t mdays;	  /* 1 … 31 */
	uint64_t months;  /* 1 … 12 */
	uint64_t wdays;	  /* 0 Sunday … 6 */
	bool either;	  /* both days are given: one of them is enough */
	char zone[CT_ZONE_MAX];
};

/*
 * line: "30 3 * * mon-fri", "@hourly", "@every 90s" (s, m, h, d). Fields take
 * numbers, names of three letters, ranges, steps and lists. Day of month and
 * weekday: both must fit, or one of them where neither begins with '*'.
 * CT_INVALID with a sentence that says which part is wrong; also where the
 * zone is not known here and where the line is never due (30 February).
 */
enum ct_rc ct_cron_parse(struct ct_cron *c, struct ct_str line,
    struct ct_str zone, struct ct_err *err) CT_MUSTCHECK;
/* A zone that this host knows: "Europe/Berlin", "UTC". */
bool ct_zone_ok(struct ct_str zone);

/* The first slot after the instant. */
int64_t ct_cron_next(const struct ct_cron *c, int64_t after_s);

/* What becomes of slots that nobody ran in their time. */
enum ct_misfire {
	CT_MISFIRE_SKIP,   /* nothing */
	CT_MISFIRE_LATEST, /* the newest one runs, if none is on time */
	CT_MISFIRE_ALL	   /* the newest `most` run */
};
/*
 * The slots of (last_s, now_s] that are to be run, oldest first, into slots
 * (room for CT_CRON_DUE). One on time always is; `most` is at most CT_CRON_ALL
 * and of no account but for ALL. Returns how many; *missed: how many were
 * passed over (where many were, at least so many).
 */
size_t ct_cron_due(const struct ct_cron *c, enum ct_misfire misfire,
    size_t most, int64_t last_s, int64_t now_s, int64_t *slots,
    int64_t *missed);

/* "2026-11-23 03:30 CET", as the clock on the wall shows it. Returns out. */
#define CT_CRON_TEXT 48
char *ct_cron_text(const struct ct_cron *c, int64_t at_s, char *out);

#endif
