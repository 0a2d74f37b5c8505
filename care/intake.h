/*
 * The arithmetic of a day's intake and the warnings about one meal. Pure
 * functions; volumes in microlitres, weights in grams, times in microseconds.
 */
#ifndef CT_CARE_INTAKE_H
#define CT_CARE_INTAKE_H

#include "common/base.h"

struct ct_intake {
	int64_t remaining_ul;	/* never below 0 */
	int64_t over_ul;	/* never below 0 */
	int64_t progress_milli; /* percent in thousandths, not capped */
	bool completed;		/* fed >= target */
};
/* target_ul > 0. Percent is rounded half up to one decimal. */
struct ct_intake ct_intake_of(int64_t target_ul, int64_t fed_ul);

/*
 * Volume of one meal against the weight. Source: 10 mL/kg per bolus
 * (infusionfox ramp calculator; usual range 5-10, cliniciansbrief), strong
 * from 15 mL/kg (dvm360: 5-20). CARE.md 3.3.
 */
enum ct_cap { CT_CAP_FINE, CT_CAP_SOFT, CT_CAP_STRONG };
enum ct_cap ct_meal_cap(int64_t amount_ul, int64_t weight_g);
#define CT_CAP_SOFT_UL_PER_G   10
#define CT_CAP_STRONG_UL_PER_G 15

/* Two meals closer than this are too close (product choice, CARE.md 3.3). */
#define CT_MEAL_GAP_US (INT64_C(2) * 3600 * 1000000)
/* Over the day's target by more than this many percent is worth a word. */
#define CT_OVER_DAY_PERCENT 110
bool ct_over_day(int64_t target_ul, int64_t fed_ul);

/* A client's clock may run ahead of ours by this much. */
#define CT_CLOCK_SKEW_US (INT64_C(120) * 1000000)

#endif
