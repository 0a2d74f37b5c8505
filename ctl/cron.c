/*
 * catetubectl cron: what the schedule will do and has done, and one row of it
 * at once. The schedule is that of this program's configuration.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/cron_table.h"
#include "common/jw.h"
#include "common/queue.h"
#include "ctl/ctl.h"

#define USAGE "cron takes: list, run NAME"

/* What Redis knows of a row; absent: nothing. */
struct known {
	int64_t fired_s; /* CT_NULL_I64: never */
	struct ct_str id;
	struct ct_str state; /* of that job */
};

static enum ct_rc
get(struct ctl *c, int argc, struct ct_str *argv,
    const struct redisReply **reply, struct ct_err *err)
{
	return ct_redis_do(c->redis, c->arena, argc, argv, reply, err);
}

static struct ct_str
key(struct ctl *c, const char *kind, struct ct_str name)
{
	return ct_str_of(ct_arena_printf(c->arena, "%s%s%.*s",
	    c->conf.queue_prefix, kind, CT_STR_FMT(name)));
}

static enum ct_rc
ask_row(struct ctl *c, const struct ct_cron_row *row, struct known *k,
    struct ct_err *err)
{
	struct ct_str argv[4] = {CT_STR("HMGET"),
	    key(c, "cron:", ct_str_of(row->name)), CT_STR("fired"),
	    CT_STR("id")};
	const struct redisReply *reply;

	*k = (struct known){.fired_s = CT_NULL_I64};
	if (get(c, 4, argv, &reply, err) != CT_OK)
		return err->rc;
	if (ct_reply_nil(ct_reply_at(reply, 0)))
		return CT_OK;
	k->fired_s = ct_reply_i64(ct_reply_at(reply, 0));
	k->id = ct_reply_str(ct_reply_at(reply, 1));
	argv[0] = CT_STR("HGET");
	argv[1] = key(c, "job:", k->id);
	argv[2] = CT_STR("state");
	if (get(c, 3, argv, &reply, err) != CT_OK)
		return err->rc;
	k->state = ct_reply_str(reply);
	return CT_OK;
}

/* "host:pid:nonce" of the node that leads; absent: none does. */
static enum ct_rc
ask_leader(struct ctl *c, struct ct_str *leader, struct ct_err *err)
{
	struct ct_str argv[2] = {CT_STR("GET"), key(c, "leader", CT_STR(""))};
	const struct redisReply *reply;

	if (get(c, 2, argv, &reply, err) != CT_OK)
		return err->rc;
	*leader = ct_reply_str(reply);
	ct_str_split(leader, ' '); /* the epoch */
	return CT_OK;
}

static const char *
when_text(const struct ct_cron_plan *p, int64_t at_s, char *out)
{
	return at_s == CT_NULL_I64 ? "-" : ct_cron_text(&p->when, at_s, out);
}

static void
print_row(const struct ct_cron_plan *p, const struct known *k, int64_t now_s)
{
	char next[CT_CRON_TEXT] = "-", last[CT_CRON_TEXT];

	if (p->on)
		ct_cron_text(&p->when, ct_cron_next(&p->when, now_s), next);
	printf("%-10s %-24s %-24s %-10.*s %s\n", p->row->name,
	    p->on ? next : "off", when_text(p, k->fired_s, last),
	    k->state.p != NULL ? ct_int(k->state.n) : 1,
	    k->state.p != NULL ? k->state.p : "-", p->row->task);
}

static void
write_row(struct ct_jw *w, const struct ct_cron_plan *p, const struct known *k,
    int64_t now_s)
{
	ct_jw_obj(w);
	ct_jw_key(w, "name");
	ct_jw_cstr(w, p->row->name);
	ct_jw_key(w, "task");
	ct_jw_cstr(w, p->row->task);
	ct_jw_key(w, "on");
	ct_jw_bool(w, p->on);
	ct_jw_key(w, "when");
	ct_jw_cstr(w, p->text);
	ct_jw_key(w, "zone");
	ct_jw_cstr(w, p->when.zone);
	ct_jw_key(w, "next");
	ct_jw_time(
	    w, p->on ? ct_cron_next(&p->when, now_s) * 1000000 : CT_NULL_I64);
	ct_jw_key(w, "last");
	ct_jw_time(
	    w, k->fired_s == CT_NULL_I64 ? CT_NULL_I64 : k->fired_s * 1000000);
	ct_jw_key(w, "last_id");
	ct_jw_str(w, k->id);
	ct_jw_key(w, "last_state");
	ct_jw_str(w, k->state);
	ct_jw_end(w);
}

static void
print_all(const struct ct_cron_plan *plan, const struct known *k,
    struct ct_str leader)
{
	int64_t now_s = ct_now_us() / 1000000;

	printf("leader: %.*s\n\n", leader.p != NULL ? ct_int(leader.n) : 4,
	    leader.p != NULL ? leader.p : "none");
	printf("%-10s %-24s %-24s %-10s %s\n", "ROW", "NEXT", "LAST", "JOB",
	    "TASK");
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		print_row(&plan[i], &k[i], now_s);
}

static void
print_json(struct ctl *c, const struct ct_cron_plan *plan,
    const struct known *k, struct ct_str leader)
{
	struct ct_buf out;
	struct ct_jw w;

	ct_buf_init(&out, c->arena, 4096);
	ct_jw_init(&w, &out);
	ct_jw_obj(&w);
	ct_jw_key(&w, "leader");
	ct_jw_str(&w, leader);
	ct_jw_key(&w, "rows");
	ct_jw_arr(&w);
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		write_row(&w, &plan[i], &k[i], ct_now_us() / 1000000);
	ct_jw_end(&w);
	ct_jw_end(&w);
	printf("%.*s\n", CT_STR_FMT(ct_buf_str(&out)));
}

static int
list(struct ctl *c)
{
	struct ct_cron_plan plan[CT_CRON_ROWS_MAX];
	struct known known[CT_CRON_ROWS_MAX];
	struct ct_str leader;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_cron_plan(&c->conf, plan, &err) != CT_OK ||
	    ask_leader(c, &leader, &err) != CT_OK)
		return ctl_fail(&err);
	for (size_t i = 0; i < ct_cron_rows_n; i++) {
		/* Times of a row that is off are shown in the common zone. */
		if (!plan[i].on)
			snprintf(plan[i].when.zone, sizeof(plan[i].when.zone),
			    "%s", c->conf.cron_zone);
		if (ask_row(c, plan[i].row, &known[i], &err) != CT_OK)
			return ctl_fail(&err);
	}
	if (c->json)
		print_json(c, plan, known, leader);
	else
		print_all(plan, known, leader);
	return 0;
}

/* Whether it is on or off, and whatever its last job does. */
static int
run_now(struct ctl *c, const char *name)
{
	const struct ct_cron_row *row = ct_cron_row(ct_str_of(name));
	struct ct_job_new job = {0};
	struct ct_err err;
	char text[CT_UUID_TEXT];

	if (row == NULL)
		return ctl_usage("the schedule has no row %s; catetubectl cron "
				 "list shows them",
		    name);
	job.task = row->task;
	job.queue = row->queue;
	job.kwargs = ct_str_of(row->kwargs);
	ct_err_clear(&err);
	if (ct_queue_push(c->redis, c->arena, c->conf.queue_prefix, &job, NULL,
		&err) != CT_OK)
		return ctl_fail(&err);
	puts(ct_uuid_format(&job.id, text));
	return 0;
}

int
ctl_cron(struct ctl *c, int argc, char **argv)
{
	if (ctl_flag(argc, argv, "list"))
		return list(c);
	if (argc == 3 && strcmp(argv[1], "run") == 0)
		return run_now(c, argv[2]);
	return ctl_usage(USAGE);
}
