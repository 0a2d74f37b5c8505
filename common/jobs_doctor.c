/*
 * What keeps jobs from being safe or from being run, looked for in Redis.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/jobs_internal.h"

#define CLOCK_WARN_MS 1000
#define CLOCK_FAIL_MS 30000
#define OLDEST_WARN_S 300
#define SCAN_COUNT    CT_STR("1000")
#define SCAN_TRIPS    20000 /* pages of one look */
#define NAMED	      3	    /* of what was found */
#define FINDINGS      16

struct look {
	struct ct_jobs *j;
	bool repair;
	struct ct_finding *out;
	size_t n;
	/* Known to all checks. */
	struct ct_node_info *node;
	size_t nodes;
	struct ct_queues_info queues;
};

static void say(struct look *l, enum ct_finding_level level, const char *fmt,
    ...) CT_PRINTF(3, 4);

/* The level may only rise: one row tells the worst. */
static void
say(struct look *l, enum ct_finding_level level, const char *fmt, ...)
{
	struct ct_finding *f = &l->out[l->n];
	char text[480];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->text.p && f->level >= level)
		return;
	f->level = level;
	f->text = ct_str_of(ct_arena_printf(l->j->a, "%s", text));
}

const char *
ct_finding_word(enum ct_finding_level level)
{
	static const char *const words[] = {[CT_FINDING_OK] = "ok",
	    [CT_FINDING_WARN] = "WARN",
	    [CT_FINDING_FAIL] = "FAIL"};

	return words[level];
}

void
ct_jobs_write_findings(const struct ct_finding *f, size_t n, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_jw_key(w, "checks");
	ct_jw_arr(w);
	for (size_t i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_jw_key(w, "check");
		ct_jw_cstr(w, f[i].check);
		ct_jw_key(w, "result");
		ct_jw_cstr(w, ct_finding_word(f[i].level));
		ct_jw_key(w, "detail");
		ct_jw_str(w, f[i].text);
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
}

static enum ct_rc
setting(
    struct ct_jobs *j, const char *name, struct ct_str *out, struct ct_err *err)
{
	const struct ct_str argv[] = {
	    CT_STR("CONFIG"), CT_STR("GET"), ct_str_of(name)};
	const struct redisReply *p = NULL;
	enum ct_rc rc = ct_redis_do(j->redis, j->a, 3, argv, &p, err);

	*out = ct_reply_str(ct_reply_at(p, 1));
	/* It may not tell. */
	return rc == CT_INTERNAL ? CT_OK : rc;
}

static enum ct_rc
check_settings(struct look *l, struct ct_err *err)
{
	struct ct_str aof, policy;

	if (setting(l->j, "appendonly", &aof, err) != CT_OK ||
	    setting(l->j, "maxmemory-policy", &policy, err) != CT_OK)
		return err->rc;
	if (!aof.p || !policy.p)
		say(l, CT_FINDING_WARN,
		    "Redis does not tell its settings; make sure of "
		    "'appendonly yes' and 'maxmemory-policy noeviction'");
	else if (!ct_str_is(policy, "noeviction"))
		say(l, CT_FINDING_FAIL,
		    "maxmemory-policy is %.*s, jobs may be evicted: set "
		    "noeviction",
		    CT_STR_FMT(policy));
	else if (!ct_str_is(aof, "yes"))
		say(l, CT_FINDING_WARN,
		    "appendonly is %.*s, a restart of Redis loses jobs that a "
		    "Celery client sent and delays the others: set yes",
		    CT_STR_FMT(aof));
	else
		say(l, CT_FINDING_OK, "appendonly yes, noeviction");
	return CT_OK;
}

static enum ct_rc
check_clock(struct look *l, struct ct_err *err)
{
	const struct ct_str argv[] = {CT_STR("TIME")};
	const struct redisReply *p;
	int64_t before = ct_now_us(), here, there, ms, off;

	if (ct_redis_do(l->j->redis, l->j->a, 1, argv, &p, err) != CT_OK)
		return err->rc;
	here = before + (ct_now_us() - before) / 2;
	there = ct_reply_i64(ct_reply_at(p, 0)) * 1000000 +
		ct_reply_i64(ct_reply_at(p, 1));
	ms = (there - here) / 1000;
	off = ms < 0 ? -ms : ms;
	say(l,
	    off > CLOCK_FAIL_MS	  ? CT_FINDING_FAIL
	    : off > CLOCK_WARN_MS ? CT_FINDING_WARN
				  : CT_FINDING_OK,
	    "the clock of Redis is %" PRId64 " ms %s%s", off,
	    ms < 0 ? "behind" : "ahead",
	    off > CLOCK_WARN_MS
		? ": jobs for a later time begin that much off; run NTP on "
		  "both hosts"
		: "");
	return CT_OK;
}

static enum ct_rc
check_nodes(struct look *l, struct ct_err *err)
{
	int64_t slots = 0, worst = 0;

	(void)err;
	for (size_t i = 0; i < l->nodes; i++) {
		slots += l->node[i].slots;
		if (l->node[i].beat_ms > worst)
			worst = l->node[i].beat_ms;
	}
	if (l->nodes == 0)
		say(l, CT_FINDING_FAIL,
		    "no worker node runs: start catetube-worker");
	else
		say(l, CT_FINDING_OK,
		    "%zu nodes with %" PRId64 " slots, the longest silence "
		    "is %" PRId64 " ms",
		    l->nodes, slots, worst);
	return CT_OK;
}

static enum ct_rc
check_queues(struct look *l, struct ct_err *err)
{
	int64_t ready = 0;

	(void)err;
	for (size_t i = 0; i < l->queues.n; i++) {
		const struct ct_queue_info *q = &l->queues.row[i];
		int64_t waited_s =
		    q->oldest_ms == CT_NULL_I64 ? 0 : q->oldest_ms / 1000;

		ready += q->ready;
		if (q->paused_at != CT_NULL_I64)
			say(l, CT_FINDING_WARN,
			    "%.*s is paused, %" PRId64 " jobs wait: "
			    "catetubectl jobs queues resume %.*s",
			    CT_STR_FMT(q->name), q->ready, CT_STR_FMT(q->name));
		else if (q->ready > 0 && q->nodes == 0)
			say(l, CT_FINDING_FAIL,
			    "no node serves %.*s, where %" PRId64 " jobs wait: "
			    "name it in CATETUBE_QUEUES of a worker",
			    CT_STR_FMT(q->name), q->ready);
		else if (waited_s > OLDEST_WARN_S)
			say(l, CT_FINDING_WARN,
			    "%.*s: the next job has waited for %" PRId64 " s: "
			    "more workers, or look what the present ones do "
			    "with catetubectl jobs workers",
			    CT_STR_FMT(q->name), waited_s);
	}
	say(l, CT_FINDING_OK, "%" PRId64 " jobs wait in %zu queues", ready,
	    l->queues.n);
	return CT_OK;
}

static enum ct_rc
check_dead(struct look *l, struct ct_err *err)
{
	(void)err;
	if (l->queues.dead > 0)
		say(l, CT_FINDING_WARN,
		    "%" PRId64 " dead jobs: see catetubectl jobs dead list, "
		    "mend the cause, then jobs dead retry or jobs dead purge",
		    l->queues.dead);
	else
		say(l, CT_FINDING_OK, "none");
	return CT_OK;
}

/* A list that is a queue of somebody's whom no node serves. */
static bool
is_unserved(const struct look *l, struct ct_str key)
{
	const struct ct_str reply = CT_STR(".reply.celery.pidbox");
	const char *sep = memmem(key.p, key.n, "\x06\x16", 2);

	if (key.n >= reply.n &&
	    memcmp(key.p + key.n - reply.n, reply.p, reply.n) == 0)
		return false;
	if (sep)
		key.n = (size_t)(sep - key.p);
	for (size_t i = 0; i < l->queues.n; i++)
		if (ct_str_eq(l->queues.row[i].name, key))
			return false;
	return true;
}

struct found {
	int64_t n;
	struct ct_buf names;
};

static void
note(struct found *f, struct ct_str key, int64_t length)
{
	if (f->n++ >= NAMED)
		return;
	ct_buf_addf(&f->names, "%s%.*s", f->n > 1 ? ", " : "",
	    ct_int(key.n > 90 ? 90 : key.n), key.p);
	if (length > 1)
		ct_buf_addf(&f->names, " (%" PRId64 ")", length);
}

static enum ct_rc
scan(struct look *l, const char *what, struct found *f, struct ct_err *err)
{
	const struct redisReply *p;
	char cursor[24] = "0";

	*f = (struct found){0};
	ct_buf_init(&f->names, l->j->a, 512);
	for (int i = 0; i < SCAN_TRIPS; i++) {
		struct ct_mark mark = ct_arena_mark(l->j->a);
		const struct ct_str argv[] = {ct_str_of(what),
		    ct_str_of(cursor), SCAN_COUNT,
		    l->repair ? CT_STR("1") : CT_STR("0")};

		if (ct_jobs_ask(l->j, "jq_doctor", 4, argv, &p, err) != CT_OK)
			return err->rc;
		snprintf(cursor, sizeof(cursor), "%.*s",
		    CT_STR_FMT(ct_reply_str(ct_reply_at(p, 0))));
		for (size_t k = 1; k + 1 < ct_reply_n(p); k += 2) {
			struct ct_str key = ct_reply_str(ct_reply_at(p, k));

			if (strcmp(what, "list") != 0 || is_unserved(l, key))
				note(f, key,
				    ct_reply_i64(ct_reply_at(p, k + 1)));
		}
		ct_arena_rewind(l->j->a, mark);
		if (strcmp(cursor, "0") == 0)
			break;
	}
	return CT_OK;
}

static enum ct_rc
check_lists(struct look *l, struct ct_err *err)
{
	struct found f;

	if (scan(l, "list", &f, err) != CT_OK)
		return err->rc;
	if (f.n > 0)
		say(l, CT_FINDING_WARN,
		    "%" PRId64 " lists that no node serves: %.*s; name them in "
		    "CATETUBE_QUEUES if they are queues",
		    f.n, CT_STR_FMT(ct_buf_str(&f.names)));
	else
		say(l, CT_FINDING_OK, "every list is served");
	return CT_OK;
}

static enum ct_rc
check_messages(struct look *l, struct ct_err *err)
{
	struct found f;

	if (scan(l, "proc", &f, err) != CT_OK)
		return err->rc;
	if (f.n == 0)
		say(l, CT_FINDING_OK, "every message that is held has a node");
	else if (l->repair)
		say(l, CT_FINDING_OK,
		    "messages of %" PRId64 " nodes that are gone: a worker "
		    "gives them back within a lease",
		    f.n);
	else
		say(l, CT_FINDING_FAIL,
		    "messages are held by %" PRId64 " nodes that have no "
		    "place: %.*s; run catetubectl jobs doctor --repair",
		    f.n, CT_STR_FMT(ct_buf_str(&f.names)));
	return CT_OK;
}

static enum ct_rc
check_records(struct look *l, struct ct_err *err)
{
	struct found f;

	if (scan(l, "job", &f, err) != CT_OK)
		return err->rc;
	if (f.n == 0)
		say(l, CT_FINDING_OK, "every running job has a node");
	else if (l->repair)
		say(l, CT_FINDING_OK,
		    "%" PRId64 " records of jobs that nobody runs are "
		    "forgotten; those of the outbox are sent again",
		    f.n);
	else
		say(l, CT_FINDING_FAIL,
		    "%" PRId64 " jobs say that they run and nobody runs them: "
		    "%.*s; run catetubectl jobs doctor --repair",
		    f.n, CT_STR_FMT(ct_buf_str(&f.names)));
	return CT_OK;
}

static const struct {
	const char *name;
	enum ct_rc (*fn)(struct look *l, struct ct_err *err);
	bool scans;
} checks[] = {
    {"redis", check_settings, false},
    {"clock", check_clock, false},
    {"nodes", check_nodes, false},
    {"queues", check_queues, false},
    {"dead", check_dead, false},
    {"lists", check_lists, true},
    {"messages", check_messages, true},
    {"records", check_records, true},
};

enum ct_rc
ct_jobs_doctor(struct ct_jobs *j, unsigned flags, struct ct_finding **out,
    size_t *n, struct ct_err *err)
{
	struct look l = {.j = j, .repair = flags & CT_DOCTOR_REPAIR};

	_Static_assert(ct_countof(checks) <= FINDINGS, "raise FINDINGS");
	l.out = ct_arena_alloc(j->a, FINDINGS * sizeof(*l.out));
	if (ct_jobs_nodes(j, &l.node, &l.nodes, err) != CT_OK ||
	    ct_jobs_queues(j, &l.queues, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < ct_countof(checks); i++) {
		if (checks[i].scans && !(flags & CT_DOCTOR_SCAN))
			continue;
		l.out[l.n].check = checks[i].name;
		if (checks[i].fn(&l, err) != CT_OK)
			return err->rc;
		l.n++;
	}
	*out = l.out;
	*n = l.n;
	return CT_OK;
}
