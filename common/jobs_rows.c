/*
 * Jobs as operators see them: rows made of messages and records. Messages are
 * read where they lie; a record is what the scripts keep about a job.
 */
#include <string.h>

#include "common/jobs_internal.h"

#define KEYS 20 /* arguments that are shown */
#define SEP  "\x06\x16"

#define OUT   CT_F_READONLY
#define NIL   (CT_F_READONLY | CT_F_NULLABLE)
#define AT(m) offsetof(struct ct_job_info, m)
static const struct ct_field info_rows[] = {
    {"id", CT_T_TEXT, AT(id), NIL, 0, 0, NULL, NULL, NULL,
	"null: its message cannot be read"},
    {"task", CT_T_TEXT, AT(task), NIL, 0, 0, NULL, NULL, NULL, "wire name"},
    {"queue", CT_T_TEXT, AT(queue), NIL, 0, 0, NULL, NULL, NULL, "queue"},
    {"priority", CT_T_INT, AT(priority), OUT, 0, 0, NULL, NULL, NULL,
	"0 is served first, then 3, 6, 9"},
    {"state", CT_T_TEXT, AT(state), OUT, 0, 0, NULL, NULL, NULL,
	"queued, scheduled, running, succeeded, failed, revoked, dead"},
    {"tries", CT_T_INT, AT(tries), OUT, 0, 0, NULL, NULL, NULL,
	"how often it was begun"},
    {"redeliveries", CT_T_INT, AT(redeliveries), OUT, 0, 0, NULL, NULL, NULL,
	"how often its worker died"},
    {"queued_at", CT_T_TIME, AT(queued_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it was pushed by us"},
    {"due_at", CT_T_TIME, AT(due_at), NIL, 0, 0, NULL, NULL, NULL,
	"it is not begun before"},
    {"began_at", CT_T_TIME, AT(began_at), NIL, 0, 0, NULL, NULL, NULL,
	"begin of the last try"},
    {"ended_at", CT_T_TIME, AT(ended_at), NIL, 0, 0, NULL, NULL, NULL,
	"when it ended"},
    {"node", CT_T_TEXT, AT(node), NIL, 0, 0, NULL, NULL, NULL, "that runs it"},
    {"error", CT_T_TEXT, AT(error), NIL, 0, 0, NULL, NULL, NULL,
	"of the last try"},
    {"kwargs", CT_T_JSON, AT(kwargs), NIL, 0, 0, NULL, NULL, NULL,
	"its arguments: ids with their values, all others null"},
    {"bytes", CT_T_INT, AT(bytes), NIL, 0, 0, NULL, NULL, "bytes",
	"of its message; null: that is gone"},
};
const struct ct_fields ct_job_info_fields =
    CT_FIELDS("job", struct ct_job_info, info_rows);

const struct ct_job_source ct_job_sources[CT_JOB_SOURCES] = {
    [CT_JOB_HELD] = {"held", "running"},
    [CT_JOB_READY] = {"ready", "queued"},
    [CT_JOB_SCHED] = {"sched", "scheduled"},
    [CT_JOB_DEAD] = {"dead", "dead"},
    [CT_JOB_DONE] = {NULL, NULL},
};

const char *const ct_jobs_states[] = {"queued", "scheduled", "running",
    "succeeded", "failed", "revoked", "dead", NULL};
const char *const ct_jobs_ended[] = {"succeeded", "failed", "revoked", NULL};

bool
ct_jobs_is_one(struct ct_str s, const char *const *names)
{
	for (; *names; names++)
		if (ct_str_is(s, *names))
			return true;
	return false;
}

int64_t
ct_jobs_us(const struct redisReply *p)
{
	int64_t ms = ct_reply_i64(p);

	return ms > 0 && ms < INT64_MAX / 1000 ? ms * 1000 : CT_NULL_I64;
}

struct ct_str
ct_jobs_key(struct ct_jobs *j, const char *name)
{
	return ct_str_of(ct_arena_printf(j->a, "%s%s", j->prefix, name));
}

enum ct_rc
ct_jobs_ask(struct ct_jobs *j, const char *script, int argc,
    const struct ct_str *argv, const struct redisReply **out,
    struct ct_err *err)
{
	struct ct_str all[2 + CT_JOBS_QUEUES];

	if (argc >= (int)ct_countof(all))
		ct_bug("%s with %d arguments", script, argc);
	all[0] = ct_str_of(j->prefix);
	for (int i = 0; i < argc; i++)
		all[i + 1] = argv[i];
	return ct_redis_eval(
	    j->redis, j->a, ct_script(script), 0, argc + 1, all, out, err);
}

/* --- rows --------------------------------------------------------------- */

/* "reports\x06\x163" into queue and priority. */
static void
set_list(struct ct_job_info *row, struct ct_str list)
{
	const char *sep = memmem(list.p, list.n, SEP, 2);

	row->queue = list;
	row->priority = 0;
	if (!sep)
		return;
	row->queue.n = (size_t)(sep - list.p);
	if (sep + 3 == list.p + list.n && sep[2] >= '0' && sep[2] <= '9')
		row->priority = sep[2] - '0';
}

static bool
is_id(const char *key, const struct ct_json *v)
{
	size_t n = strlen(key);
	struct ct_uuid id;
	int64_t number;

	if (strcmp(key, "id") != 0 &&
	    (n < 3 || strcmp(key + n - 3, "_id") != 0))
		return false;
	return ct_uuid_parse(ct_json_str(v), &id) ||
	       ct_json_i64(v, 0, INT64_MAX, &number);
}

static struct ct_str
safe_kwargs(struct ct_arena *a, const struct ct_msg *m)
{
	const struct ct_json *v;
	struct ct_msg_body body;
	struct ct_err hidden;
	struct ct_buf b;
	struct ct_jw w;
	int n = 0;

	if (ct_msg_body(a, m->body, m->base64, &body, &hidden) != CT_OK)
		return (struct ct_str){0};
	ct_buf_init(&b, a, 128);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	for (v = ct_json_first(body.kwargs); v && n < KEYS;
	     v = ct_json_next(v)) {
		if (strlen(ct_json_key(v)) > 64)
			continue;
		ct_jw_key(&w, ct_json_key(v));
		if (is_id(ct_json_key(v), v))
			ct_jw_raw(&w, ct_json_print(a, v));
		else
			ct_jw_null(&w);
		n++;
	}
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

void
ct_jobs_clear(struct ct_job_info *row)
{
	ct_fields_clear(&ct_job_info_fields, row);
	row->list = row->raw = (struct ct_str){0};
}

/* Texts that outlive the tree that they came from. */
struct kept {
	char text[4096];
	size_t n;
};

/* Absent where s is, or where there is no room. */
static struct ct_str
keep(struct kept *k, struct ct_str s)
{
	struct ct_str out = {k->text + k->n, s.n};

	if (!s.p || s.n > sizeof(k->text) - k->n)
		return (struct ct_str){0};
	memcpy(k->text + k->n, s.p, s.n);
	k->n += s.n;
	return out;
}

/*
 * What a message tells of its job. Its tree may be many times as large as its
 * text, so it goes at once.
 */
static void
read_message(struct ct_arena *a, struct ct_str raw, struct ct_job_info *row)
{
	struct ct_mark mark = ct_arena_mark(a);
	struct ct_str *const texts[] = {
	    &row->id, &row->task, &row->error, &row->kwargs};
	struct kept k = {.n = 0};
	struct ct_err err;
	struct ct_msg m;
	const char *text;

	ct_err_clear(&err);
	if (ct_msg_parse(a, raw, &m, &err) != CT_OK) {
		row->error = keep(&k, ct_str_of(err.msg));
	} else {
		row->id = keep(&k, m.id);
		row->task = keep(&k, m.task);
		row->tries = m.retries;
		row->kwargs = keep(&k, safe_kwargs(a, &m));
	}
	ct_arena_rewind(a, mark);
	text = ct_arena_dup(a, k.text, k.n);
	for (size_t i = 0; i < ct_countof(texts); i++)
		if (texts[i]->p)
			texts[i]->p = text + (texts[i]->p - k.text);
}

/* --- records ------------------------------------------------------------ */

static const char *const record_names[] = {"state", "task", "queue", "owner",
    "starts", "redeliveries", "first_seen", "due", "began", "settled_ms",
    "error"};
enum {
	R_STATE,
	R_TASK,
	R_QUEUE,
	R_OWNER,
	R_STARTS,
	R_REDELIVERIES,
	R_FIRST_SEEN,
	R_DUE,
	R_BEGAN,
	R_SETTLED,
	R_ERROR,
	R_COUNT
};

/* What the record knows over what the message told. false: there is none. */
static bool
merge(struct ct_job_info *row, const struct redisReply *p)
{
	struct ct_str state = ct_reply_str(ct_reply_at(p, R_STATE));
	struct ct_str owner = ct_reply_str(ct_reply_at(p, R_OWNER));
	struct ct_str error = ct_reply_str(ct_reply_at(p, R_ERROR));
	struct ct_str queue = ct_reply_str(ct_reply_at(p, R_QUEUE));

	if (!state.p)
		return false;
	if (!row->state.p)
		row->state = state;
	if (!row->task.p)
		row->task = ct_reply_str(ct_reply_at(p, R_TASK));
	if (!row->queue.p && queue.p)
		set_list(row, queue);
	row->tries = ct_reply_i64(ct_reply_at(p, R_STARTS));
	row->redeliveries = ct_reply_i64(ct_reply_at(p, R_REDELIVERIES));
	row->queued_at = ct_jobs_us(ct_reply_at(p, R_FIRST_SEEN));
	row->began_at = ct_jobs_us(ct_reply_at(p, R_BEGAN));
	/* The place where a message lies knows these better. */
	if (row->due_at == CT_NULL_I64)
		row->due_at = ct_jobs_us(ct_reply_at(p, R_DUE));
	if (row->ended_at == CT_NULL_I64 &&
	    (ct_jobs_is_one(row->state, ct_jobs_ended) ||
		ct_str_is(row->state, "dead")))
		row->ended_at = ct_jobs_us(ct_reply_at(p, R_SETTLED));
	if (owner.n > 0)
		row->node = owner;
	if (error.n > 0 && !ct_str_is(row->state, "succeeded") &&
	    !ct_str_is(row->state, "running"))
		row->error = error;
	return true;
}

enum ct_rc
ct_jobs_records(struct ct_jobs *j, struct ct_job_info *row, size_t n,
    bool *known, struct ct_err *err)
{
	struct ct_str argv[2 + R_COUNT] = {CT_STR("HMGET")};
	const struct redisReply *p;
	size_t i;

	_Static_assert(ct_countof(record_names) == R_COUNT, "one name each");
	for (i = 0; i < R_COUNT; i++)
		argv[2 + i] = ct_str_of(record_names[i]);
	for (i = 0; i < n; i++) {
		argv[1] = ct_str_of(ct_arena_printf(
		    j->a, "%sjob:%.*s", j->prefix, CT_STR_FMT(row[i].id)));
		if (ct_redis_append(j->redis, ct_countof(argv), argv, err) !=
		    CT_OK)
			return err->rc;
	}
	for (i = 0; i < n; i++) {
		if (ct_redis_take(j->redis, j->a, &p, err) != CT_OK)
			return err->rc;
		/* A key of another type is no record. */
		known[i] = !ct_reply_error(p) && merge(&row[i], p);
	}
	return CT_OK;
}

size_t
ct_jobs_peeked(struct ct_jobs *j, const struct redisReply *p, unsigned source,
    struct ct_job_info *row)
{
	size_t n = 0;

	for (size_t i = 1; i + 4 < ct_reply_n(p); i += 5, n++) {
		struct ct_str wid = ct_reply_str(ct_reply_at(p, i + 4));
		int64_t us = ct_jobs_us(ct_reply_at(p, i + 3));

		ct_jobs_clear(&row[n]);
		row[n].list = ct_reply_str(ct_reply_at(p, i));
		set_list(&row[n], row[n].list);
		row[n].state = ct_str_of(ct_job_sources[source].state);
		if (wid.n > 0)
			row[n].node = wid;
		if (source == CT_JOB_SCHED)
			row[n].due_at = us;
		if (source == CT_JOB_DEAD)
			row[n].ended_at = us;
		row[n].raw = ct_reply_str(ct_reply_at(p, i + 2));
		row[n].bytes = ct_reply_i64(ct_reply_at(p, i + 1));
		if (row[n].raw.n > 0 || row[n].bytes == 0) {
			read_message(j->a, row[n].raw, &row[n]);
			continue;
		}
		row[n].raw = (struct ct_str){0};
		row[n].error = CT_STR("the message is too long to be shown");
	}
	return n;
}

enum ct_rc
ct_jobs_peek(struct ct_jobs *j, unsigned source, struct ct_str from,
    int64_t count, struct ct_str list, const struct redisReply **out,
    struct ct_err *err)
{
	const struct ct_str argv[] = {ct_str_of(ct_job_sources[source].what),
	    from, ct_str_of_i64(j->a, count), list};

	return ct_jobs_ask(j, "jq_peek", list.p ? 4 : 3, argv, out, err);
}
