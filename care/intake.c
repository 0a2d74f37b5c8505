/* The arithmetic of a day's intake; see intake.h. */
#include "care/intake.h"

struct ct_intake
ct_intake_of(int64_t target_ul, int64_t fed_ul)
{
	struct ct_intake in = {0};

	if (target_ul < 1)
		ct_bug("a daily target of %lld ul", (long long)target_ul);
	in.completed = fed_ul >= target_ul;
	if (in.completed)
		in.over_ul = fed_ul - target_ul;
	else
		in.remaining_ul = target_ul - fed_ul;
	/* Tenths of a percent, then shown in thousandths. */
	in.progress_milli = (fed_ul * 2000 + target_ul) / (2 * target_ul) * 100;
	return in;
}

enum ct_cap
ct_meal_cap(int64_t amount_ul, int64_t weight_g)
{
	if (weight_g <= 0)
		return CT_CAP_FINE;
	if (amount_ul > weight_g * CT_CAP_STRONG_UL_PER_G)
		return CT_CAP_STRONG;
	if (amount_ul > weight_g * CT_CAP_SOFT_UL_PER_G)
		return CT_CAP_SOFT;
	return CT_CAP_FINE;
}

bool
ct_over_day(int64_t target_ul, int64_t fed_ul)
{
	return fed_ul * 100 > target_ul * CT_OVER_DAY_PERCENT;
}
