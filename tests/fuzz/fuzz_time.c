/*
 * Times and days: what is taken must read back the same, agree with timegm(),
 * and have nothing but the characters of a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define US INT64_C(1000000)

static void
require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* The instant by sscanf and timegm; the text is known to be well-formed. */
static int64_t
plain_reading(const char *text)
{
	int hour = 0, minute = 0, fraction_us = 0;
	struct tm tm = {0};
	const char *p;
	char sign;

	require(
	    sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
		&tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) == 6,
	    "fields");
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	p = text + 19;
	if (*p == '.')
		for (int unit = 100000; *++p >= '0' && *p <= '9'; unit /= 10)
			fraction_us += (*p - '0') * unit;
	sign = *p;
	if (sign == '+' || sign == '-')
		require(
		    sscanf(p + 1, "%2d:%2d", &hour, &minute) == 2, "offset");
	minute += hour * 60;
	return ((int64_t)timegm(&tm) -
		   (sign == '-' ? -60 : 60) * (int64_t)minute) *
		   US +
	       fraction_us;
}

static void
check_time(struct ct_str s, const char *text)
{
	char out[CT_TIME_MAX];
	int64_t us = -1, back;

	switch (ct_time_parse(s, &us)) {
	case CT_TIME_OK:
		require(strlen(text) == s.n, "NUL in a time");
		require(us == plain_reading(text), "instant");
		ct_time_format(us, out);
		require(ct_time_parse(ct_str_of(out), &back) == CT_TIME_OK &&
			    back == us,
		    "round trip");
		break;
	case CT_TIME_NAIVE:
		require(s.n >= 19 && strchr(text, 'Z') == NULL, "naive");
		break;
	case CT_TIME_RANGE:
		require(strlen(text) == s.n, "NUL in a time");
		us = plain_reading(text);
		require(us < 0 || us >= 84006 * US * 86400, "range");
		break;
	case CT_TIME_BAD:
		require(us == -1, "a bad time was stored");
		break;
	}
}

static void
check_day(struct ct_str s, const char *text)
{
	char out[CT_DAY_MAX];
	int32_t day;

	if (!ct_day_parse(s, &day))
		return;
	require(strlen(text) == 10 && s.n == 10, "length of a day");
	require(strcmp(ct_day_format(day, out), text) == 0, "day");
}

/* A time of day has the digits of one, and reads as one. */
static void
check_hour(struct ct_str s, const char *text)
{
	int hour = -1, minute = -1;
	char again[16];

	if (!ct_hour_ok(s))
		return;
	require(sscanf(text, "%2d:%2d", &hour, &minute) == 2, "hour");
	require(hour >= 0 && hour < 24 && minute >= 0 && minute < 60, "range");
	snprintf(again, sizeof(again), "%02d:%02d", hour, minute);
	require(strcmp(again, text) == 0, "hour reads the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1), *exact = malloc(n ? n : 1);
	char out[CT_TIME_MAX], day_out[CT_DAY_MAX];
	int64_t us = 0;

	require(text && exact, "memory");
	if (n > 0) {
		memcpy(text, data, n);
		memcpy(exact, data, n); /* no NUL: ASan sees an overrun */
	}
	text[n] = '\0';
	check_time((struct ct_str){exact, n}, text);
	check_day((struct ct_str){exact, n}, text);
	check_hour((struct ct_str){exact, n}, text);
	if (n >= sizeof(us)) { /* any instant has a text that fits */
		memcpy(&us, data, sizeof(us));
		require(strlen(ct_time_format(us, out)) < CT_TIME_MAX, "us");
		ct_day_format((int32_t)(us >> 32), day_out);
		require(strlen(day_out) < CT_DAY_MAX, "day");
	}
	free(exact);
	free(text);
	return 0;
}
