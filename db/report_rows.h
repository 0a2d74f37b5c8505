/* The statements of report_rows.c, for the registry row in report.c. */
#ifndef CT_DB_REPORT_ROWS_H
#define CT_DB_REPORT_ROWS_H

#include "db/pg.h"

extern const struct ct_stmt ct_report_feeding_rows;
extern const struct ct_stmt ct_report_feeding_count;
extern const struct ct_stmt ct_report_medication_rows;
extern const struct ct_stmt ct_report_medication_count;

#endif
