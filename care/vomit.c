/* When vomiting is worth a word; see vomit.h. */
#include "care/vomit.h"

#define AFTER_MEAL_US (INT64_C(60) * 60 * 1000000)
#define OFTEN	      2

bool
ct_vomit_after_meal(int64_t since_us)
{
	return since_us != CT_NULL_I64 && since_us >= 0 &&
	       since_us <= AFTER_MEAL_US;
}

int64_t
ct_vomit_count(int64_t before, int64_t after)
{
	return 1 + (before > after ? before : after);
}

bool
ct_vomit_often(int64_t count)
{
	return count >= OFTEN;
}
