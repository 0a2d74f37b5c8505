/* The schedule; see cron_table.h. */
#include "common/cron_table.h"

#include <stdio.h>
#include <string.h>

#define CT_CRON(                                                               \
    name, option, member, needs, task, queue, kwargs, misfire, most, overlap)  \
	{#name, #option, offsetof(struct ct_conf, member),                     \
	    offsetof(struct ct_conf, needs), task, queue, kwargs, misfire,     \
	    most, overlap},
const struct ct_cron_row ct_cron_rows[] = {
#include "common/cron.def"
};
#undef CT_CRON
const size_t ct_cron_rows_n = ct_countof(ct_cron_rows);
_Static_assert(ct_countof(ct_cron_rows) <= CT_CRON_ROWS_MAX, "raise it");

const struct ct_cron_row *
ct_cron_row(struct ct_str name)
{
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		if (ct_str_is(name, ct_cron_rows[i].name))
			return &ct_cron_rows[i];
	return NULL;
}

/* The last word of *line, taken off it. */
static struct ct_str
last_word(struct ct_str *line)
{
	struct ct_str w;
	size_t n;

	*line = ct_str_trim(*line);
	for (n = line->n; n > 0 && line->p[n - 1] != ' '; n--)
		;
	w = (struct ct_str){line->p + n, line->n - n};
	line->n = n;
	return w;
}

static bool
read_misfire(struct ct_cron_plan *p, struct ct_str value)
{
	int64_t most = 0;
	bool all = ct_str_starts(value, CT_STR("all:"));

	if (all && !ct_str_i64((struct ct_str){value.p + 4, value.n - 4}, 1,
		       CT_CRON_ALL, &most))
		return false;
	p->most = (size_t)most;
	p->misfire = all			  ? CT_MISFIRE_ALL
		     : ct_str_is(value, "latest") ? CT_MISFIRE_LATEST
						  : CT_MISFIRE_SKIP;
	return p->misfire != CT_MISFIRE_SKIP || ct_str_is(value, "skip");
}

static bool
read_overlap(struct ct_cron_plan *p, struct ct_str value)
{
	p->overlap = ct_str_is(value, "allow");
	return p->overlap || ct_str_is(value, "skip");
}

static const struct {
	const char *name;
	bool (*read)(struct ct_cron_plan *p, struct ct_str value);
	const char *what;
} policies[] = {
    {"misfire", read_misfire, "misfire is skip, latest or all:1 to all:100"},
    {"overlap", read_overlap, "overlap is skip or allow"},
};

static enum ct_rc
read_policy(struct ct_cron_plan *p, struct ct_str text, struct ct_err *err)
{
	struct ct_str value = text, name = ct_str_split(&value, '=');

	for (size_t i = 0; i < ct_countof(policies); i++)
		if (ct_str_is(name, policies[i].name))
			return policies[i].read(p, value)
				   ? CT_OK
				   : ct_fail(err, CT_INVALID, "cron", "%s",
					 policies[i].what);
	return ct_fail(err, CT_INVALID, "cron",
	    "behind the time there may be a zone, misfire= and overlap=");
}

/* Words that a line has of its own, the rest is behind it. */
static size_t
words_of(struct ct_str line)
{
	if (ct_str_starts(line, CT_STR("@every")))
		return 2;
	return line.n > 0 && line.p[0] == '@' ? 1 : 5;
}

static size_t
count_words(struct ct_str line)
{
	size_t n = 0;

	for (size_t i = 0; i < line.n; i++)
		n += line.p[i] != ' ' && (i == 0 || line.p[i - 1] == ' ');
	return n;
}

static enum ct_rc
read_plan(struct ct_cron_plan *p, struct ct_str zone, struct ct_err *err)
{
	struct ct_str line = ct_str_trim(ct_str_of(p->text));
	struct ct_str rest, w;

	p->on = !ct_str_is(line, "off");
	if (!p->on)
		return CT_OK;
	for (;;) {
		rest = line;
		w = last_word(&rest);
		if (w.n == 0 || !memchr(w.p, '=', w.n))
			break;
		if (read_policy(p, w, err) != CT_OK)
			return err->rc;
		line = rest;
	}
	line = ct_str_trim(line);
	if (count_words(line) == words_of(line) + 1) {
		zone = last_word(&line);
		line = ct_str_trim(line);
	}
	return ct_cron_parse(&p->when, line, zone, err);
}

static const char *
text_at(const struct ct_conf *conf, size_t member)
{
	return *(
	    const char *const *)(const void *)((const char *)conf + member);
}

enum ct_rc
ct_cron_plan(const struct ct_conf *conf,
    struct ct_cron_plan plan[CT_CRON_ROWS_MAX], struct ct_err *err)
{
	struct ct_str zone = ct_str_of(conf->cron_zone);
	char why[sizeof(err->msg)];

	if (!ct_zone_ok(zone))
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_CRON_ZONE must be a time zone that this host "
		    "knows, such as Europe/Berlin");
	for (size_t i = 0; i < ct_cron_rows_n; i++) {
		const struct ct_cron_row *row = &ct_cron_rows[i];
		struct ct_cron_plan *p = &plan[i];

		*p = (struct ct_cron_plan){.row = row,
		    .misfire = row->misfire,
		    .most = row->most,
		    .overlap = row->overlap};
		p->text = text_at(conf, row->member);
		if (read_plan(p, zone, err) == CT_OK) {
			p->on = p->on && text_at(conf, row->needs)[0] != '\0';
			continue;
		}
		snprintf(why, sizeof(why), "%s", err->msg);
		return ct_fail(
		    err, CT_INVALID, "config", "%s: %.150s", row->option, why);
	}
	return CT_OK;
}
