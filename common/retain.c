/* Which backups to keep; see retain.h. */
#include "common/retain.h"

#include <stdlib.h>

#include "common/clock.h"

#define DAY_US INT64_C(86400000000)

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t
day_of(int64_t us)
{
	return floor_div(us, DAY_US);
}

/* 1970-01-01 was a Thursday. */
static int64_t
week_of(int64_t us)
{
	return floor_div(day_of(us) + 3, 7);
}

static int64_t
month_of(int64_t us)
{
	char text[CT_DAY_MAX];

	ct_day_format((int32_t)day_of(us), text);
	/* "2026-11-22": four digits, two digits */
	return strtol(text, NULL, 10) * 12 + strtol(text + 5, NULL, 10);
}

static int
newest_first(const void *a, const void *b)
{
	const struct ct_retain *x = a, *y = b;

	if (x->created_us != y->created_us)
		return x->created_us < y->created_us ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void
keep_newest(struct ct_retain *b, size_t n, int64_t (*period)(int64_t us),
    int64_t periods)
{
	for (size_t i = 0; i < n && periods > 0; i++) {
		if (i > 0 &&
		    period(b[i].created_us) == period(b[i - 1].created_us))
			continue;
		b[i].keep = true;
		periods--;
	}
}

void
ct_retain(struct ct_retain *b, size_t n, int64_t daily, int64_t weekly,
    int64_t monthly)
{
	if (n == 0)
		return;
	qsort(b, n, sizeof(*b), newest_first);
	for (size_t i = 0; i < n; i++)
		b[i].keep = i == 0;
	keep_newest(b, n, day_of, daily);
	keep_newest(b, n, week_of, weekly);
	keep_newest(b, n, month_of, monthly);
}
