/*
 * The schedule: its rows (cron.def), and what the configuration makes of them.
 * The value of a row's option is "off", or a cron line (cron.h) with a zone
 * behind it where CATETUBE_CRON_ZONE is not meant, then any of
 *   misfire=skip|latest|all:N   slots that nobody ran in their time
 *   overlap=skip|allow          while the row's last job waits or runs
 * "15 2 * * * Europe/Berlin misfire=skip". Single-threaded, as cron.h says.
 */
#ifndef CT_COMMON_CRON_TABLE_H
#define CT_COMMON_CRON_TABLE_H

#include "common/conf.h"
#include "common/cron.h"

struct ct_cron_row {
	const char *name;   /* "purge" */
	const char *option; /* "CATETUBE_CRON_PURGE" */
	size_t member;	    /* of that option, in struct ct_conf */
	size_t needs;	    /* of the option that must not be empty */
	const char *task;
	const char *queue;
	const char *kwargs; /* JSON object */
	enum ct_misfire misfire;
	size_t most;
	bool overlap;
};
extern const struct ct_cron_row ct_cron_rows[];
extern const size_t ct_cron_rows_n;
#define CT_CRON_ROWS_MAX 16

/* What is to be done. */
struct ct_cron_plan {
	const struct ct_cron_row *row;
	const char *text; /* the option's value */
	bool on;
	struct ct_cron when; /* where on */
	enum ct_misfire misfire;
	size_t most;
	bool overlap;
};

/*
 * One for each row. CT_INVALID with a sentence that begins with the option's
 * name.
 */
enum ct_rc ct_cron_plan(const struct ct_conf *conf,
    struct ct_cron_plan plan[CT_CRON_ROWS_MAX],
    struct ct_err *err) CT_MUSTCHECK;
/* NULL where there is none. */
const struct ct_cron_row *ct_cron_row(struct ct_str name);

#endif
