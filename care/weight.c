/* What a new weight says beside earlier ones; see weight.h. */
#include "care/weight.h"

#define TYPO_PERCENT   15
#define UNUSUAL_MIN_G  500
#define UNUSUAL_MAX_G  15000
#define WEEK_PERCENT   2
#define VET_PERCENT    5
#define URGENT_PERCENT 10

int64_t
ct_weight_change_milli(int64_t now_g, int64_t ref_g)
{
	int64_t diff = (now_g - ref_g) * 2000; /* tenths of a percent, twice */
	int64_t half = diff < 0 ? -ref_g : ref_g;

	return (diff + half) / (2 * ref_g) * 100;
}

bool
ct_weight_typo(int64_t now_g, int64_t last_g)
{
	int64_t diff = now_g > last_g ? now_g - last_g : last_g - now_g;

	return diff * 100 > last_g * TYPO_PERCENT;
}

bool
ct_weight_unusual(int64_t now_g)
{
	return now_g < UNUSUAL_MIN_G || now_g > UNUSUAL_MAX_G;
}

static bool
lost(int64_t now_g, int64_t ref_g, int64_t percent)
{
	return (ref_g - now_g) * 100 >= ref_g * percent;
}

enum ct_loss
ct_loss_week(int64_t now_g, int64_t ref_g)
{
	return lost(now_g, ref_g, WEEK_PERCENT) ? CT_LOSS_INFO : CT_LOSS_NONE;
}

enum ct_loss
ct_loss_long(int64_t now_g, int64_t ref_g)
{
	if (lost(now_g, ref_g, URGENT_PERCENT))
		return CT_LOSS_URGENT;
	return lost(now_g, ref_g, VET_PERCENT) ? CT_LOSS_VET : CT_LOSS_NONE;
}
