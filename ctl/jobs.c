/*
 * catetubectl jobs: the table of its words, their options, and what changes a
 * job.
 */
#include "ctl/jobs.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/jw.h"
#include "common/queue.h"

#define KWARGS_MAX (CT_MSG_MAX / 2)

enum {
	O_QUEUE = 1 << 0,
	O_STATE = 1 << 1,
	O_TASK = 1 << 2,
	O_LIMIT = 1 << 3,
	O_CURSOR = 1 << 4,
	O_FOR = 1 << 5,
	O_IN = 1 << 6,
	O_PRIO = 1 << 7,
	O_KWARGS = 1 << 8,
	O_ID = 1 << 9,
	O_ALL = 1 << 10,
	O_FORCE = 1 << 11,
	O_OLDER = 1 << 12,
	O_REPAIR = 1 << 13,
	O_JSON = 1 << 14, /* of all */
};

#define FILTER (O_QUEUE | O_STATE | O_TASK | O_LIMIT | O_CURSOR)

static const struct word {
	const char *first, *second; /* second NULL: one word */
	const char *args;
	int min, max; /* operands */
	unsigned options;
	int (*fn)(struct ctl_jobs *o);
} words[] = {
    {"list", NULL, "[--state S] [--queue Q] [--task T] [--limit N]", 0, 0,
	FILTER, ctl_jobs_list},
    {"show", NULL, "ID", 1, 1, 0, ctl_jobs_show},
    {"tail", NULL, "[--state S] [--queue Q] [--task T] [--for SECONDS]", 0, 0,
	O_FOR | O_QUEUE | O_STATE | O_TASK, ctl_jobs_tail},
    {"enqueue", NULL,
	"TASK [--kwargs JSON] [--queue Q] [--in 5m] [--prio 0-9] [--id UUID]",
	1, 1, O_KWARGS | O_QUEUE | O_IN | O_PRIO | O_ID, ctl_jobs_enqueue},
    {"cancel", NULL, "ID [--force]", 1, 1, O_FORCE, ctl_jobs_cancel},
    {"retry", NULL, "ID", 1, 1, 0, ctl_jobs_dead_retry},
    {"dead", "list", "[--queue Q] [--task T] [--limit N]", 0, 0,
	O_QUEUE | O_TASK | O_LIMIT | O_CURSOR, ctl_jobs_dead_list},
    {"dead", "retry", "ID | --all [--queue Q] [--task T]", 0, 1,
	O_ALL | O_QUEUE | O_TASK, ctl_jobs_dead_retry},
    {"dead", "purge", "ID | --all [--queue Q] [--task T] [--older 7d]", 0, 1,
	O_ALL | O_QUEUE | O_TASK | O_OLDER, ctl_jobs_dead_purge},
    {"queues", "pause", "QUEUE", 1, 1, 0, ctl_jobs_pause},
    {"queues", "resume", "QUEUE", 1, 1, 0, ctl_jobs_resume},
    {"queues", NULL, "", 0, 0, 0, ctl_jobs_queues},
    {"workers", "drain", "NODE", 1, 1, 0, ctl_jobs_drain},
    {"workers", NULL, "", 0, 0, 0, ctl_jobs_workers},
    {"doctor", NULL, "[--repair]", 0, 0, O_REPAIR, ctl_jobs_doctor},
};

enum kind { TEXT, COUNT, SPAN, FLAG };

static const struct {
	const char *name;
	unsigned bit;
	enum kind kind;
	size_t at;
	int64_t min, max;
} options[] = {
    {"--queue", O_QUEUE, TEXT, offsetof(struct ctl_jobs, queue), 0, 0},
    {"--state", O_STATE, TEXT, offsetof(struct ctl_jobs, state), 0, 0},
    {"--task", O_TASK, TEXT, offsetof(struct ctl_jobs, task), 0, 0},
    {"--cursor", O_CURSOR, TEXT, offsetof(struct ctl_jobs, cursor), 0, 0},
    {"--kwargs", O_KWARGS, TEXT, offsetof(struct ctl_jobs, kwargs), 0, 0},
    {"--id", O_ID, TEXT, offsetof(struct ctl_jobs, id), 0, 0},
    {"--limit", O_LIMIT, COUNT, offsetof(struct ctl_jobs, limit), 1, 10000},
    {"--prio", O_PRIO, COUNT, offsetof(struct ctl_jobs, prio), 0, 9},
    {"--for", O_FOR, SPAN, offsetof(struct ctl_jobs, for_s), 1, 86400 * 366},
    {"--in", O_IN, SPAN, offsetof(struct ctl_jobs, in_s), 0, 86400 * 366},
    {"--older", O_OLDER, SPAN, offsetof(struct ctl_jobs, older_s), 0,
	INT64_C(86400) * 3660},
    {"--all", O_ALL, FLAG, offsetof(struct ctl_jobs, all), 0, 0},
    {"--force", O_FORCE, FLAG, offsetof(struct ctl_jobs, force), 0, 0},
    {"--repair", O_REPAIR, FLAG, offsetof(struct ctl_jobs, repair), 0, 0},
    {"--json", O_JSON, FLAG, offsetof(struct ctl_jobs, json), 0, 0},
};

static const struct word *
find_word(int argc, char **argv, int *used)
{
	for (size_t i = 0; i < ct_countof(words); i++) {
		const struct word *w = &words[i];

		*used = w->second ? 3 : 2;
		if (argc >= *used && strcmp(argv[1], w->first) == 0 &&
		    (!w->second || strcmp(argv[2], w->second) == 0))
			return w;
	}
	return NULL;
}

/* "90", "90s", "5m", "2h", "7d" in seconds */
static bool
read_span(const char *text, int64_t *out)
{
	static const struct {
		char letter;
		int64_t unit_s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	struct ct_str s = ct_str_of(text);
	int64_t unit = 1;

	for (size_t i = 0; i < ct_countof(units) && s.n > 1; i++)
		if (s.p[s.n - 1] == units[i].letter) {
			unit = units[i].unit_s;
			s.n--;
			break;
		}
	if (!ct_str_i64(s, 0, INT64_C(1) << 40, out))
		return false;
	*out *= unit;
	return true;
}

/* One option; 0 where it was understood. */
static int
read_option(struct ctl_jobs *o, size_t k, const char *value)
{
	void *at = (char *)o + options[k].at;
	int64_t v;

	if (options[k].kind == FLAG) {
		*(bool *)at = true;
		return 0;
	}
	if (value == NULL)
		return ctl_usage("%s needs a value", options[k].name);
	if (options[k].kind == TEXT) {
		*(const char **)at = value;
		return 0;
	}
	if (!(options[k].kind == SPAN
		    ? read_span(value, &v)
		    : ct_str_i64(ct_str_of(value), 0, INT64_MAX, &v)) ||
	    v < options[k].min || v > options[k].max)
		return ctl_usage("%s must be %s from %lld to %lld",
		    options[k].name,
		    options[k].kind == SPAN ? "a time such as 90s, 5m, 2h, 7d,"
					    : "a number",
		    (long long)options[k].min, (long long)options[k].max);
	*(int64_t *)at = v;
	return 0;
}

static int
read_args(struct ctl_jobs *o, const struct word *w, int argc, char **argv)
{
	o->word = ct_arena_alloc(o->j.a, (size_t)argc * sizeof(*o->word) + 1);
	for (int i = 0; i < argc; i++) {
		size_t k = 0;

		if (argv[i][0] != '-') {
			o->word[o->words++] = argv[i];
			continue;
		}
		while (k < ct_countof(options) &&
		       strcmp(options[k].name, argv[i]) != 0)
			k++;
		if (k == ct_countof(options) ||
		    !((w->options | O_JSON) & options[k].bit))
			return ctl_usage(
			    "jobs %s has no option %s", w->first, argv[i]);
		if (read_option(o, k,
			options[k].kind != FLAG && i + 1 < argc ? argv[++i]
								: NULL) != 0)
			return CTL_USAGE;
	}
	if (o->words < w->min || o->words > w->max)
		return ctl_usage("jobs %s%s%s takes: %s", w->first,
		    w->second ? " " : "", w->second ? w->second : "",
		    w->args[0] ? w->args : "nothing");
	return 0;
}

static int
list_words(void)
{
	fputs("catetubectl: jobs takes one of\n", stderr);
	for (size_t i = 0; i < ct_countof(words); i++)
		fprintf(stderr, "  jobs %s%s%s %s\n", words[i].first,
		    words[i].second ? " " : "",
		    words[i].second ? words[i].second : "", words[i].args);
	return CTL_USAGE;
}

int
ctl_jobs(struct ctl *c, int argc, char **argv)
{
	struct ctl_jobs o = {.c = c,
	    .json = c->json,
	    .j = {.redis = c->redis,
		.a = c->arena,
		.prefix = c->conf.queue_prefix,
		.queues = c->conf.queues},
	    .limit = CT_NULL_I64,
	    .prio = CT_NULL_I64,
	    .for_s = CT_NULL_I64,
	    .in_s = CT_NULL_I64,
	    .older_s = CT_NULL_I64};
	const struct word *w;
	struct ct_err err;
	int used, rc;

	w = find_word(argc, argv, &used);
	if (w == NULL)
		return list_words();
	rc = read_args(&o, w, argc - used, argv + used);
	if (rc != 0)
		return rc;
	ct_err_clear(&err);
	if (ct_redis_ready(c->redis, &err) != CT_OK)
		return ctl_fail(&err);
	return w->fn(&o);
}

void
ctl_jobs_say(
    struct ctl_jobs *o, const char *key, struct ct_str value, const char *text)
{
	struct ct_buf b;
	struct ct_jw w;

	if (!o->json) {
		puts(text);
		return;
	}
	ct_buf_init(&b, o->j.a, 128);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, key);
	ct_jw_str(&w, value);
	ct_jw_end(&w);
	printf("%.*s\n", CT_STR_FMT(ct_buf_str(&b)));
}

int
ctl_jobs_enqueue(struct ctl_jobs *o)
{
	struct ct_job_new job = {.task = o->word[0],
	    .queue = o->queue ? o->queue : "default",
	    .kwargs = ct_str_of(o->kwargs ? o->kwargs : "{}")};
	const struct ct_json *kwargs;
	char text[CT_UUID_TEXT];
	struct ct_err err;
	bool fresh;

	ct_err_clear(&err);
	if (o->id && !ct_uuid_parse(ct_str_of(o->id), &job.id))
		return ctl_usage("--id must be a UUID");
	if (job.kwargs.n > KWARGS_MAX)
		return ctl_usage("--kwargs has over %u bytes", KWARGS_MAX);
	if (ct_json_parse(o->j.a, job.kwargs, 16, &kwargs, &err) != CT_OK)
		return ctl_fail(&err);
	if (ct_json_type(kwargs) != CT_JSON_OBJECT)
		return ctl_usage("--kwargs must be a JSON object, such as "
				 "'{\"report_id\": \"...\"}'");
	if (o->prio != CT_NULL_I64)
		job.priority = (int)o->prio;
	if (o->in_s != CT_NULL_I64)
		job.due_us = ct_now_us() + o->in_s * 1000000;
	if (ct_queue_push(
		o->j.redis, o->j.a, o->j.prefix, &job, &fresh, &err) != CT_OK)
		return ctl_fail(&err);
	ct_uuid_format(&job.id, text);
	if (!fresh)
		fprintf(stderr,
		    "catetubectl: a job of that id is known already, it is "
		    "%s; nothing was pushed\n",
		    job.state);
	ctl_jobs_say(o, "id", ct_str_of(text), text);
	return fresh ? 0 : CTL_FAILED;
}

int
ctl_jobs_cancel(struct ctl_jobs *o)
{
	struct ct_str id = ct_str_of(o->word[0]);
	struct ct_job_info row;
	struct ct_err err;
	enum ct_rc rc;

	ct_err_clear(&err);
	rc = ct_jobs_cancel(&o->j, id, &row, &err);
	if (rc == CT_NOTFOUND && o->force) {
		ct_err_clear(&err);
		rc = ct_queue_cancel(o->j.redis, o->j.a, o->j.prefix, id, &err);
		row.state = CT_STR("unknown");
	}
	if (rc != CT_OK)
		return ctl_fail(&err);
	ctl_jobs_say(o, "state", row.state,
	    ct_str_is(row.state, "running") ? "its node stops it within a beat"
	    : ct_str_is(row.state, "unknown")
		? "not known now; it will not run if it comes within 7 days"
		: "it will not run");
	return 0;
}
