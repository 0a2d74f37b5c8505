/*
 * Cron lines: what is taken has a next slot after any instant, later ones after
 * that, each at a minute that fits or at the end of a gap; and what is due is
 * bounded. The first byte chooses the zone, the next four the instant.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
    "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Asia/Kathmandu",
    "Africa/Casablanca"};

static void
require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static bool
has(uint64_t bits, int i)
{
	return bits >> i & 1;
}

/* The wall at the slot fits, or its clock was set forward just then. */
static void
check_slot(const struct ct_cron *c, int64_t slot)
{
	time_t t = (time_t)slot, before = (time_t)(slot - 1);
	struct tm tm, old;
	bool mday, wday, day;

	if (c->every_s > 0) {
		require(slot % c->every_s == 0, "a multiple");
		return;
	}
	require(localtime_r(&t, &tm) && localtime_r(&before, &old), "time");
	mday = has(c->mdays, tm.tm_mday);
	wday = has(c->wdays, tm.tm_wday);
	day = c->either ? mday || wday : mday && wday;
	if (day && has(c->months, tm.tm_mon + 1) && has(c->hours, tm.tm_hour) &&
	    has(c->minutes, tm.tm_min) && tm.tm_sec == 0)
		return;
	require(old.tm_gmtoff < tm.tm_gmtoff, "a minute that does not fit");
}

static void
check(const struct ct_cron *c, int64_t after)
{
	int64_t slot = after, slots[CT_CRON_DUE], missed;
	size_t due;

	for (int i = 0; i < 3; i++) {
		int64_t next = ct_cron_next(c, slot);

		require(next > slot, "later");
		check_slot(c, next);
		slot = next;
	}
	due = ct_cron_due(
	    c, CT_MISFIRE_ALL, CT_CRON_ALL, after, slot, slots, &missed);
	require(due + ct_size(missed) >= 3, "the three are due");
	require(due > 0 && slots[due - 1] == slot, "the newest is the last");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_cron c;
	struct ct_err err;
	uint32_t after;
	char *exact;

	if (n < 5)
		return 0;
	memcpy(&after, data + 1, 4);
	exact = malloc(n - 5 ? n - 5 : 1);
	require(exact != NULL, "memory");
	memcpy(exact, data + 5, n - 5); /* no NUL: ASan sees an overrun */
	ct_err_clear(&err);
	if (ct_cron_parse(&c, (struct ct_str){exact, n - 5},
		ct_str_of(zones[data[0] % ct_countof(zones)]), &err) == CT_OK)
		check(&c, after);
	else
		require(err.rc == CT_INVALID && err.msg[0], "a sentence");
	/* As a zone it is a name, or none. */
	if (ct_zone_ok((struct ct_str){exact, n - 5}))
		require(n - 5 < CT_ZONE_MAX && !memchr(exact, '.', n - 5) &&
			    exact[0] != '/',
		    "a zone");
	free(exact);
	return 0;
}
