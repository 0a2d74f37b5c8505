/*
 * Celery's remote control commands: every one is a row here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/node.h"

#define REPLY_BEGIN 4096
#define ITEM_MAX    (32U << 10) /* bytes of one item of a list */
/* Clocks of hosts differ by some seconds at most. */
#define SKEW_MS 5000

enum command_flags {
	SHOWS = 1 << 0,	 /* pointless where nobody waits for an answer */
	CHANGES = 1 << 1 /* of the node: only with CATETUBE_CONTROL_CHANGES */
};

/* name, function (NULL: refused in any case), flags */
static const struct command {
	const char *name;
	ct_command_fn *run;
	unsigned flags;
} commands[] = {
    {"active", ct_show_active, SHOWS},
    {"active_queues", ct_show_queues, SHOWS},
    {"add_consumer", ct_change_add_queue, CHANGES},
    {"autoscale", NULL, CHANGES},
    {"cancel_consumer", ct_change_cancel_queue, CHANGES},
    {"clock", ct_show_clock, SHOWS},
    {"conf", ct_show_conf, SHOWS},
    {"disable_events", ct_change_events_off, 0},
    {"dump_active", ct_show_active, SHOWS},
    {"dump_conf", ct_show_conf, SHOWS},
    {"dump_reserved", ct_show_reserved, SHOWS},
    {"dump_revoked", ct_show_revoked, SHOWS},
    {"dump_schedule", ct_show_scheduled, SHOWS},
    {"dump_tasks", ct_show_registered, SHOWS},
    {"election", NULL, 0},
    {"enable_events", ct_change_events_on, 0},
    {"heartbeat", ct_change_heartbeat, 0},
    {"hello", ct_show_hello, 0},
    {"memdump", NULL, 0},
    {"memsample", ct_show_memory, SHOWS},
    {"objgraph", NULL, 0},
    {"ping", ct_show_ping, SHOWS},
    {"pool_grow", NULL, CHANGES},
    {"pool_restart", NULL, CHANGES},
    {"pool_shrink", NULL, CHANGES},
    {"query_task", ct_show_query, SHOWS},
    {"rate_limit", NULL, CHANGES},
    {"registered", ct_show_registered, SHOWS},
    {"report", ct_show_report, SHOWS},
    {"reserved", ct_show_reserved, SHOWS},
    {"revoke", ct_change_revoke, 0},
    {"revoke_by_stamped_headers", NULL, 0},
    {"revoked", ct_show_revoked, SHOWS},
    {"scheduled", ct_show_scheduled, SHOWS},
    {"shutdown", ct_change_shutdown, CHANGES},
    {"stats", ct_show_stats, SHOWS},
    {"terminate", ct_change_terminate, 0},
    {"time_limit", NULL, CHANGES},
};

static const struct command *
find(struct ct_str name)
{
	size_t i;

	for (i = 0; i < ct_countof(commands); i++)
		if (ct_str_is(name, commands[i].name))
			return &commands[i];
	return NULL;
}

void
ct_call_say(struct ct_call *c, const char *key, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ct_jw_obj(&c->w);
	ct_jw_key(&c->w, key);
	ct_jw_cstr(&c->w, text);
	ct_jw_end(&c->w);
}

bool
ct_call_has_room(const struct ct_call *c)
{
	return c->b.n < CT_CONTROL_REPLY_MAX - ITEM_MAX;
}

bool
ct_call_eval(struct ct_call *c, const char *script, int argc,
    struct ct_str *argv, const struct redisReply **reply)
{
	struct ct_node *n = c->n;
	struct ct_err err;

	ct_err_clear(&err);
	if (!ct_link_up(n))
		return false;
	argv[0] = ct_str_of(n->conf->queue_prefix);
	if (ct_redis_eval(n->link.main, c->a, ct_script(script), 0, argc, argv,
		reply, &err) == CT_OK)
		return true;
	ct_link_drop(n, &err);
	return false;
}

/* Run it, or say why not. */
static void
run(struct ct_call *c, const struct command *cmd)
{
	struct ct_str name = c->m->method;

	if (c->m->pattern.n > 0 && c->m->matcher.p != NULL &&
	    !ct_str_is(c->m->matcher, "glob"))
		ct_call_say(c, "error", "this matcher is not known: use glob");
	else if (cmd == NULL)
		ct_call_say(
		    c, "error", "there is no command %.*s", CT_STR_FMT(name));
	else if ((cmd->flags & CHANGES) && !c->n->conf->control_changes)
		ct_call_say(c, "error",
		    "%s is refused: CATETUBE_CONTROL_CHANGES is 0 here",
		    cmd->name);
	else if (cmd->run == NULL)
		ct_call_say(c, "error", "%s is not supported", cmd->name);
	else
		cmd->run(c);
}

static bool
is_stale(const struct ct_control_msg *m)
{
	return m->expires_ms > 0 &&
	       ct_now_us() / 1000 > m->expires_ms + SKEW_MS;
}

enum ct_rc
ct_control_answer(struct ct_node *n, struct ct_str raw,
    struct ct_control_msg *m, struct ct_str *reply, struct ct_err *err)
{
	struct ct_call c = {.n = n, .m = m, .a = n->scratch};
	const struct command *cmd;

	*reply = (struct ct_str){0};
	if (ct_control_parse(c.a, raw, m, err) != CT_OK)
		return err->rc;
	ct_events_see(n, m->clock);
	if (is_stale(m) || !ct_control_is_for(m, ct_str_of(n->name)))
		return CT_OK;
	cmd = find(m->method);
	if (m->reply_key.p == NULL && cmd != NULL && (cmd->flags & SHOWS))
		return CT_OK;
	ct_log(CT_DEBUG, "control", "%.*s", CT_STR_FMT(m->method));
	ct_buf_init(&c.b, c.a, REPLY_BEGIN);
	ct_jw_init(&c.w, &c.b);
	ct_jw_obj(&c.w);
	ct_jw_key(&c.w, n->name);
	run(&c, cmd);
	ct_jw_end(&c.w);
	if (m->reply_key.p != NULL)
		*reply = ct_buf_str(&c.b);
	return CT_OK;
}
