/* Doses given or skipped: an entry kind. */
#ifndef CT_DB_MEDICATION_H
#define CT_DB_MEDICATION_H

#include "db/entry.h"

struct ct_medication {
	struct ct_entry e;
	struct ct_str name;   /* 1 … 100 code points */
	struct ct_str dosage; /* free text, 1 … 50: "4mg", "1 tablet" */
	int64_t amount_ul;    /* 1 … 200,000; never counts as food */
	struct ct_str route;  /* E-tube, Oral, Injection, Topical */
	bool flushed_before;
	bool flushed_after;
	struct ct_str status; /* given, skipped */
	struct ct_str reason; /* <= 500 code points */
	bool confirm;	      /* input: false asks to stop where the same was
				 given CT_DOSE_GAP_H or less ago */
};
extern const struct ct_fields ct_medication_fields, ct_medication_query;
extern const struct ct_stmt *const ct_medication_stmts[];

#endif
