/* Cron lines; see cron.h. */
#include "common/cron.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MINUTE	  60
#define HOUR	  3600
#define DAY	  INT64_C(86400)
#define EVERY_MAX (INT64_C(366) * DAY)
/* The 29th of February may be a Sunday once in 40 years. */
#define DAYS_MAX (41 * 366)
#define ZONES	 "/usr/share/zoneinfo/"

/* ---------------------------------------------------------------- reading */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may",
    "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

/* In the order of the line. */
static const struct kind {
	const char *name;
	int min, max;
	const char *const *words; /* words[i] stands for min + i */
} kinds[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, month_names},
    {"weekday", 0, 7, day_names},
};
enum { MINUTES, HOURS, MDAYS, MONTHS, WDAYS, FIELDS };

static const struct {
	const char *name;
	const char *line;
} short_names[] = {
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

static enum ct_rc
bad(struct ct_err *err, const struct kind *k, struct ct_str text)
{
	if (text.n > 20)
		text.n = 20;
	return ct_fail(err, CT_INVALID, "cron",
	    "\"%.*s\" is no %s: %d to %d%s, lists, ranges and steps of them",
	    CT_STR_FMT(text), k->name, k->min, k->max,
	    k->words == NULL ? "" : ", or the first three letters of a name");
}

/* A number or a name. */
static bool
read_value(const struct kind *k, struct ct_str text, int *out)
{
	int64_t v;

	for (int i = 0; k->words != NULL && k->words[i] != NULL; i++)
		if (ct_str_ieq(text, k->words[i])) {
			*out = k->min + i;
			return true;
		}
	if (text.n == 0 || text.n > 2 || text.p[0] == '-' ||
	    !ct_str_i64(text, k->min, k->max, &v))
		return false;
	*out = (int)v;
	return true;
}

/* "*", "5", "1-5", each with "/2" behind it or not. */
static enum ct_rc
read_item(const struct kind *k, struct ct_str item, uint64_t *bits,
    struct ct_err *err)
{
	struct ct_str step = item, to;
	struct ct_str range = ct_str_split(&step, '/');
	int low = k->min, high = k->max;
	int64_t by = 1;

	if (step.p != NULL && !ct_str_i64(step, 1, k->max, &by))
		return bad(err, k, item);
	if (!ct_str_is(range, "*")) {
		to = range;
		range = ct_str_split(&to, '-');
		if (!read_value(k, range, &low))
			return bad(err, k, item);
		/* A start with a step goes to the end. */
		high = step.p != NULL ? k->max : low;
		if (to.p != NULL && !read_value(k, to, &high))
			return bad(err, k, item);
		if (high == 0 && high < low && k->words == day_names)
			high = k->max; /* sat-sun */
		if (high < low)
			return bad(err, k, item);
	} else if (k->words == day_names) {
		high = k->max - 1; /* 7 is 0 again */
	}
	for (; low <= high; low += (int)by)
		*bits |= UINT64_C(1) << low;
	return CT_OK;
}

static enum ct_rc
read_field(const struct kind *k, struct ct_str field, uint64_t *bits,
    struct ct_err *err)
{
	*bits = 0;
	while (field.p != NULL)
		if (read_item(k, ct_str_split(&field, ','), bits, err) != CT_OK)
			return err->rc;
	return CT_OK;
}

/* Days that the month has in some year. */
static int
longest(int month)
{
	static const int days[] = {
	    31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1];
}

static bool
is_never(const struct ct_cron *c)
{
	if (c->either)
		return false;
	for (int month = 1; month <= 12; month++)
		for (int day = 1; day <= longest(month); day++)
			if ((c->months >> month & 1) && (c->mdays >> day & 1))
				return false;
	return true;
}

/* The next word of *rest; absent at the end. */
static struct ct_str
word(struct ct_str *rest)
{
	struct ct_str w;

	do
		w = ct_str_split(rest, ' ');
	while (w.p != NULL && w.n == 0);
	return w;
}

static enum ct_rc
read_fields(struct ct_cron *c, struct ct_str line, struct ct_err *err)
{
	uint64_t *const bits[FIELDS] = {
	    &c->minutes, &c->hours, &c->mdays, &c->months, &c->wdays};
	struct ct_str field[FIELDS];
	int n;

	for (n = 0; n < FIELDS; n++) {
		field[n] = word(&line);
		if (field[n].p == NULL)
			break;
	}
	if (n < FIELDS || word(&line).p != NULL)
		return ct_fail(err, CT_INVALID, "cron",
		    "five fields are wanted (minute, hour, day of month, month,"
		    " weekday), or @daily, or @every 8h");
	for (n = 0; n < FIELDS; n++)
		if (read_field(&kinds[n], field[n], bits[n], err) != CT_OK)
			return err->rc;
	c->wdays = (c->wdays | c->wdays >> 7) & 0x7f;
	c->either = field[MDAYS].p[0] != '*' && field[WDAYS].p[0] != '*';
	if (is_never(c))
		return ct_fail(err, CT_INVALID, "cron",
		    "no month has such a day, it would never run");
	return CT_OK;
}

/* "90s", "8h". */
static enum ct_rc
read_every(struct ct_cron *c, struct ct_str text, struct ct_err *err)
{
	static const char units[] = "smhd";
	static const int64_t unit_s[] = {1, MINUTE, HOUR, DAY};
	struct ct_str digits = {text.p, text.n > 0 ? text.n - 1 : 0};
	const char *unit =
	    digits.n > 0 ? memchr(units, text.p[digits.n], 4) : NULL;
	int64_t n;

	if (unit == NULL || !ct_str_i64(digits, 1, EVERY_MAX, &n) ||
	    n > EVERY_MAX / unit_s[unit - units])
		return ct_fail(err, CT_INVALID, "cron",
		    "@every wants a time such as 90s, 15m, 8h or 2d, at most a "
		    "year");
	c->every_s = n * unit_s[unit - units];
	return CT_OK;
}

static enum ct_rc
read_line(struct ct_cron *c, struct ct_str line, struct ct_err *err)
{
	struct ct_str rest = line, first = word(&rest);

	if (first.p == NULL || first.p[0] != '@')
		return read_fields(c, line, err);
	if (ct_str_ieq(first, "@every"))
		return read_every(c, ct_str_trim(rest), err);
	for (size_t i = 0; i < ct_countof(short_names); i++)
		if (ct_str_ieq(first, short_names[i].name) &&
		    word(&rest).p == NULL)
			return read_fields(
			    c, ct_str_of(short_names[i].line), err);
	return ct_fail(err, CT_INVALID, "cron",
	    "of the lines with @ there are hourly, daily, weekly, monthly, "
	    "yearly and every");
}

enum ct_rc
ct_cron_parse(struct ct_cron *c, struct ct_str line, struct ct_str zone,
    struct ct_err *err)
{
	*c = (struct ct_cron){0};
	if (line.n > CT_CRON_MAX)
		return ct_fail(err, CT_INVALID, "cron",
		    "it has more than %d characters", CT_CRON_MAX);
	if (!ct_zone_ok(zone))
		return ct_fail(err, CT_INVALID, "cron",
		    "\"%.*s\" is no time zone that this host knows",
		    ct_int(zone.n > 40 ? 40 : zone.n), zone.p);
	memcpy(c->zone, zone.p, zone.n);
	return read_line(c, line, err);
}

/* ------------------------------------------------------------------ zones */

bool
ct_zone_ok(struct ct_str zone)
{
	static const char magic[] = "TZif";
	char path[sizeof(ZONES) + CT_ZONE_MAX], head[4] = "";
	ssize_t got;
	int fd;

	if (zone.n == 0 || zone.n >= CT_ZONE_MAX)
		return false;
	/* "right/" has leap seconds; nothing leads out of the directory. */
	for (size_t i = 0; i < zone.n; i++) {
		char ch = zone.p[i];

		if (!(ch >= 'A' && ch <= 'Z') && !(ch >= 'a' && ch <= 'z') &&
		    !(ch >= '0' && ch <= '9') &&
		    (i == 0 || !memchr("/_+-", ch, 4)))
			return false;
	}
	if (ct_str_starts(zone, CT_STR("right/")) ||
	    ct_str_starts(zone, CT_STR("posix/")))
		return false;
	snprintf(path, sizeof(path), ZONES "%.*s", CT_STR_FMT(zone));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, head, sizeof(head));
	close(fd);
	return got == 4 && memcmp(head, magic, 4) == 0;
}

/* From here on localtime_r is about that zone. */
static void
enter(const char *zone)
{
	static char now[CT_ZONE_MAX];
	char value[CT_ZONE_MAX + 1];

	if (strcmp(now, zone) == 0)
		return;
	snprintf(value, sizeof(value), ":%s", zone);
	if (setenv("TZ", value, 1) != 0)
		ct_bug("no memory for TZ");
	tzset();
	snprintf(now, sizeof(now), "%s", zone);
}

/* Local minus UTC at the instant. */
static int64_t
offset_at(int64_t at)
{
	struct tm tm;
	time_t t = (time_t)at;

	if (localtime_r(&t, &tm) == NULL)
		ct_bug("no local time for %lld", (long long)at);
	return tm.tm_gmtoff;
}

/* When the clock on the wall shows a time. */
struct wall {
	int64_t first;	/* never: the first instant after the gap */
	int64_t second; /* equal to first where there is no second one */
	bool gap;
};

/* The first instant of (low, high] with the offset that high has. */
static int64_t
change_between(int64_t low, int64_t high)
{
	int64_t after = offset_at(high);

	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (offset_at(mid) == after)
			high = mid;
		else
			low = mid;
	}
	return high;
}

/* shown: the wall's time as if it were UTC. */
static struct wall
place(int64_t shown)
{
	/* No zone is a day away from UTC: these are before and after. */
	int64_t before = offset_at(shown - DAY);
	int64_t after = offset_at(shown + DAY);
	int64_t old = shown - before, new = shown - after;
	bool is_old, is_new;

	if (before == after)
		return (struct wall){old, old, false};
	is_old = offset_at(old) == before;
	is_new = offset_at(new) == after;
	if (is_old && is_new)
		return (struct wall){old, new, false};
	if (is_old || is_new)
		return is_old ? (struct wall){old, old, false}
			      : (struct wall){new, new, false};
	old = change_between(new, old);
	return (struct wall){old, old, true};
}

/* ------------------------------------------------------------------ slots */

#define EVERY_HOUR ((UINT64_C(1) << 24) - 1)
#define BACK_MAX   (4 * HOUR) /* no clock is set back further */

static bool
fits_day(const struct ct_cron *c, int64_t day)
{
	time_t t = (time_t)(day * DAY);
	struct tm tm;
	bool mday, wday;

	if (gmtime_r(&t, &tm) == NULL)
		ct_bug("no date for day %lld", (long long)day);
	if (!(c->months >> (tm.tm_mon + 1) & 1))
		return false;
	mday = c->mdays >> tm.tm_mday & 1;
	wday = c->wdays >> tm.tm_wday & 1;
	return c->either ? mday || wday : mday && wday;
}

/*
 * The first slot of a day of the wall that is after the instant, or INT64_MAX;
 * from: what the wall shows at least. Later times of the wall never come
 * earlier, but for the second run of an hour that is repeated.
 */
static int64_t
next_of_day(const struct ct_cron *c, int64_t day, int64_t from, int64_t after)
{
	bool elapsed = c->hours == EVERY_HOUR;
	int64_t best = INT64_MAX;
	int64_t shown = from > day * DAY ? from / MINUTE * MINUTE : day * DAY;

	for (; shown < (day + 1) * DAY; shown += MINUTE) {
		int64_t m = shown / MINUTE - day * 24 * 60;
		struct wall w;

		if (!(c->hours >> m / 60 & 1) || !(c->minutes >> m % 60 & 1))
			continue;
		w = place(shown);
		if (elapsed && w.gap)
			continue;
		if (elapsed && w.second > after && w.second < best)
			best = w.second;
		if (w.first > after)
			return w.first < best ? w.first : best;
	}
	return best;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
ct_cron_next(const struct ct_cron *c, int64_t after_s)
{
	int64_t day, from, found;

	if (c->every_s > 0)
		return (floor_div(after_s, c->every_s) + 1) * c->every_s;
	enter(c->zone);
	from = after_s + offset_at(after_s);
	if (c->hours == EVERY_HOUR)
		from -= BACK_MAX;
	day = floor_div(from, DAY);
	for (int i = 0; i < DAYS_MAX; i++, day++) {
		found = fits_day(c, day) ? next_of_day(c, day, from, after_s)
					 : INT64_MAX;
		if (found != INT64_MAX)
			return found;
	}
	ct_bug("a cron line without a next slot");
}

/* The newest slots of (from, now], as many as the ring holds. */
struct ring {
	int64_t slot[CT_CRON_DUE];
	size_t n; /* seen in all */
};

static void
collect(const struct ct_cron *c, int64_t from, int64_t now, struct ring *r)
{
	int64_t at = from;

	r->n = 0;
	while ((at = ct_cron_next(c, at)) <= now)
		r->slot[r->n++ % CT_CRON_DUE] = at;
}

size_t
ct_cron_due(const struct ct_cron *c, enum ct_misfire misfire, size_t most,
    int64_t last_s, int64_t now_s, int64_t *slots, int64_t *missed)
{
	/* Looking back twice as far until enough were found: a line that was
	 * missed for a year is not counted out. */
	int64_t step = c->every_s > 0 ? c->every_s : MINUTE;
	int64_t back = step * CT_CRON_DUE;
	size_t kept = 0, late = 0, n = 0;
	struct ring r;

	for (;; back *= 2) {
		bool whole = now_s - last_s <= back;

		collect(c, whole ? last_s : now_s - back, now_s, &r);
		if (whole || r.n >= CT_CRON_DUE)
			break;
	}
	kept = r.n < CT_CRON_DUE ? r.n : CT_CRON_DUE;
	while (late < kept && r.slot[(r.n - kept + late) % CT_CRON_DUE] <
				  now_s - CT_CRON_LATE_S)
		late++;
	if (misfire == CT_MISFIRE_LATEST)
		most = late == kept ? 1 : 0;
	if (misfire == CT_MISFIRE_SKIP)
		most = 0;
	for (size_t i = late > most ? late - most : 0; i < kept; i++)
		slots[n++] = r.slot[(r.n - kept + i) % CT_CRON_DUE];
	*missed = (int64_t)(r.n - n);
	return n;
}

char *
ct_cron_text(const struct ct_cron *c, int64_t at_s, char *out)
{
	time_t t = (time_t)at_s;
	struct tm tm;

	enter(c->zone);
	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out, CT_CRON_TEXT, "%Y-%m-%d %H:%M %Z", &tm) == 0)
		ct_bug("no local time for %lld", (long long)at_s);
	return out;
}
