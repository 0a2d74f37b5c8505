/*
 * Clocks, and the calendar as arithmetic: RFC 3339 text to microseconds and
 * back without the C library's time functions.
 */
#include <string.h>
#include <time.h>

#include "common/clock.h"

#define US_PER_S     INT64_C(1000000)
#define S_PER_DAY    INT64_C(86400)
#define DAYS_END     INT64_C(84006)  /* 2200-01-01 */
#define DAYS_PER_ERA INT64_C(146097) /* 400 years */
#define ERA_SHIFT    INT64_C(719468) /* 0000-03-01 to 1970-01-01 */

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		ct_bug("clock %d cannot be read", (int)id);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static int64_t
wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t (*ct_clock_us)(void) = wall_us;

int64_t
ct_mono_us(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Years are taken to begin in March, so that the leap day is a year's last;
 * then 153 days are any five months, and 146097 days any 400 years.
 */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400), yoe = y - era * 400;
	int64_t doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * DAYS_PER_ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy -
	       ERA_SHIFT;
}

struct civil {
	int64_t year;
	int month, day;
};

static struct civil
civil_of(int64_t days)
{
	int64_t z = days + ERA_SHIFT, era = floor_div(z, DAYS_PER_ERA);
	int64_t doe = z - era * DAYS_PER_ERA;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	struct civil c;

	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static int
month_days(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Exactly n digits off the front of s. */
static bool
take_digits(struct ct_str *s, unsigned n, int *out)
{
	unsigned i;
	int v = 0;

	if (s->n < n)
		return false;
	for (i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->n -= n;
	*out = v;
	return true;
}

/* One of the characters of set off the front of s. */
static bool
take_one(struct ct_str *s, const char *set)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(set, s->p[0]))
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool
take_date(struct ct_str *s, int64_t *days)
{
	int year, month, day;

	if (!take_digits(s, 4, &year) || !take_one(s, "-") ||
	    !take_digits(s, 2, &month) || !take_one(s, "-") ||
	    !take_digits(s, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return false;
	*days = days_of(year, month, day);
	return true;
}

static bool
take_clock(struct ct_str *s, int64_t *us)
{
	int hour, minute, second, digit;
	int64_t unit = US_PER_S;

	if (!take_digits(s, 2, &hour) || !take_one(s, ":") ||
	    !take_digits(s, 2, &minute) || !take_one(s, ":") ||
	    !take_digits(s, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*us = (hour * 3600 + minute * 60 + second) * US_PER_S;
	if (!take_one(s, "."))
		return true;
	if (!take_digits(s, 1, &digit))
		return false;
	do {
		unit /= 10;
		*us += digit * unit;
	} while (take_digits(s, 1, &digit));
	return true;
}

static bool
take_offset(struct ct_str *s, int64_t *us)
{
	bool west;
	int hour, minute;

	*us = 0;
	if (take_one(s, "Zz"))
		return true;
	west = s->n > 0 && s->p[0] == '-';
	if (!take_one(s, "+-") || !take_digits(s, 2, &hour) ||
	    !take_one(s, ":") || !take_digits(s, 2, &minute))
		return false;
	if (hour > 23 || minute > 59)
		return false;
	*us = (hour * 3600 + minute * 60) * (west ? -US_PER_S : US_PER_S);
	return true;
}

enum ct_time_fault
ct_time_parse(struct ct_str s, int64_t *out_us)
{
	int64_t days, clock_us, offset_us, us;

	if (!take_date(&s, &days) || !take_one(&s, "Tt ") ||
	    !take_clock(&s, &clock_us))
		return CT_TIME_BAD;
	if (s.n == 0)
		return CT_TIME_NAIVE;
	if (!take_offset(&s, &offset_us) || s.n > 0)
		return CT_TIME_BAD;
	us = days * S_PER_DAY * US_PER_S + clock_us - offset_us;
	if (us < 0 || us >= DAYS_END * S_PER_DAY * US_PER_S)
		return CT_TIME_RANGE;
	*out_us = us;
	return CT_TIME_OK;
}

bool
ct_day_parse(struct ct_str s, int32_t *out_day)
{
	int64_t days;

	if (!take_date(&s, &days) || s.n > 0 || days < 0 || days >= DAYS_END)
		return false;
	*out_day = (int32_t)days;
	return true;
}

/* v >= 0 with at least width digits; returns the place behind them. */
static char *
put_digits(char *p, int64_t v, int width)
{
	char text[20];
	int n = 0;

	for (; v > 0 || n < width; v /= 10)
		text[n++] = (char)('0' + v % 10);
	while (n > 0)
		*p++ = text[--n];
	return p;
}

static char *
put_date(char *p, int64_t days)
{
	struct civil c = civil_of(days);

	if (c.year < 0)
		*p++ = '-';
	p = put_digits(p, c.year < 0 ? -c.year : c.year, 4);
	*p++ = '-';
	p = put_digits(p, c.month, 2);
	*p++ = '-';
	return put_digits(p, c.day, 2);
}

char *
ct_day_format(int32_t day, char out[CT_DAY_MAX])
{
	*put_date(out, day) = '\0';
	return out;
}

char *
ct_time_format(int64_t us, char out[CT_TIME_MAX])
{
	int64_t s = floor_div(us, US_PER_S);
	int64_t frac = (us % US_PER_S + US_PER_S) % US_PER_S;
	int64_t days = floor_div(s, S_PER_DAY), rest = s - days * S_PER_DAY;
	char *p;

	p = put_date(out, days);
	*p++ = 'T';
	p = put_digits(p, rest / 3600, 2);
	*p++ = ':';
	p = put_digits(p, rest / 60 % 60, 2);
	*p++ = ':';
	p = put_digits(p, rest % 60, 2);
	if (frac > 0) {
		*p++ = '.';
		p = put_digits(p, frac, 6);
	}
	*p++ = 'Z';
	*p = '\0';
	return out;
}

bool
ct_hour_ok(struct ct_str s)
{
	if (s.n != 5 || s.p[2] != ':')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (i != 2 && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	}
	return (s.p[0] - '0') * 10 + (s.p[1] - '0') < 24 && s.p[3] < '6';
}
