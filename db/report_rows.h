/* The sections of reports, for the kinds that are made of them. */
#ifndef CT_DB_REPORT_ROWS_H
#define CT_DB_REPORT_ROWS_H

#include "db/report.h"

/* Logs (report_rows.c). */
extern const struct ct_report_section ct_report_meals, ct_report_doses,
    ct_report_weights, ct_report_observations, ct_report_water,
    ct_report_tube_checks;
/* Sums (report_sum.c); the days once more as a log. */
extern const struct ct_report_section ct_report_overview, ct_report_days,
    ct_report_day_by_day, ct_report_medicines, ct_report_events;

#define CT_REPORT_COL(T, name, type, member, flags, column, unit)              \
	{                                                                      \
		(name), (type), offsetof(struct T, member), (flags), 0, 0,     \
		    (column), NULL, (unit), ""                                 \
	}

#endif
