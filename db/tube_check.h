/* The daily look at the tube and its stoma: an entry kind. */
#ifndef CT_DB_TUBE_CHECK_H
#define CT_DB_TUBE_CHECK_H

#include "db/entry.h"

/* Booleans are 0, 1, or CT_NULL_I64: not looked at. */
struct ct_tube_check {
	struct ct_entry e;
	int64_t cap_on;
	struct ct_str dressing;	 /* clean, soiled, changed; absent */
	struct ct_str skin;	 /* clean, redness, swelling; absent */
	struct ct_str discharge; /* none, clear, coloured; absent */
	int64_t smell;
	int64_t suture_holding;
	int64_t mark_mcm; /* thousandths of a centimetre; CT_NULL_I64 */
	int64_t patent;
	int64_t collar_ok;
	struct ct_str incident; /* out, blocked, slipped, leak; absent */
};
extern const struct ct_fields ct_tube_check_fields, ct_tube_check_query;
extern const struct ct_stmt *const ct_tube_check_stmts[];

#endif
