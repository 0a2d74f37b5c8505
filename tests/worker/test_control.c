/* Remote control: what is taken for a request, whose it is, what is said. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "worker/node.h"

#define REPLY_TO                                                               \
	"\"reply_to\":{\"exchange\":\"reply.celery.pidbox\","                  \
	"\"routing_key\":\"0b1f\"},\"ticket\":\"t\""

static struct ct_conf conf;
static struct ct_node node;
static struct ct_slot slots[2];
static uint64_t runs[64];
static struct ct_err err;

static int
set_up(void **state)
{
	(void)state;
	ct_crypto_init();
	ct_err_clear(&err);
	conf = (struct ct_conf){.queue_prefix = "jq:",
	    .redis_url = "redis://:hush@db.example:6380/3",
	    .queues = "default:4,mail",
	    .worker_children = 2,
	    .control = true,
	    .beat_ms = 2000,
	    .lease_ms = 10000};
	node = (struct ct_node){
	    .conf = &conf, .name = "catetube@one", .slot = slots, .nslots = 2};
	memset(slots, 0, sizeof(slots));
	node.names = ct_arena_create((size_t)1 << 20);
	node.scratch = ct_arena_create((size_t)256 << 20);
	node.events.runs = runs;
	slots[0].fd = slots[1].fd = -1;
	slots[0].a = ct_arena_create((size_t)1 << 20);
	return ct_queues_parse(&node.queues, node.names, conf.queues, &err);
}

static int
tear_down(void **state)
{
	(void)state;
	ct_arena_destroy(slots[0].a);
	ct_arena_destroy(node.names);
	ct_arena_destroy(node.scratch);
	return 0;
}

/* An envelope around a body, with headers. */
static struct ct_str
wrap(const char *body, const char *headers)
{
	return ct_kombu_wrap(node.scratch, ct_str_of(body), ct_str_of(headers),
	    "celery.pidbox", CT_STR(""));
}

static enum ct_rc
parse(struct ct_str raw, struct ct_control_msg *m)
{
	ct_err_clear(&err);
	return ct_control_parse(node.scratch, raw, m, &err);
}

/* The answer to a request with these members; "" where there is none. */
static const char *
said(const char *members)
{
	struct ct_control_msg m;
	struct ct_str reply;

	ct_err_clear(&err);
	if (ct_control_answer(&node,
		wrap(ct_arena_printf(node.scratch, "{%s}", members), "{}"), &m,
		&reply, &err) != CT_OK)
		fail_msg("%s: %s", members, err.msg);
	return reply.p == NULL ? "" : ct_str_cstr(node.scratch, reply);
}

static const char *
ask(const char *method, const char *args)
{
	return said(ct_arena_printf(node.scratch,
	    "\"method\":\"%s\",\"arguments\":%s," REPLY_TO, method, args));
}

#define SAYS(text, part) assert_non_null(strstr(text, part))

static void
test_parse(void **state)
{
	struct ct_control_msg m;

	(void)state;
	assert_int_equal(
	    parse(wrap("{\"method\":\"revoke\",\"arguments\":{\"task_id\":"
		       "\"x\"},\"destination\":null,\"pattern\":null," REPLY_TO
		       "}",
		      "{\"clock\":7,\"expires\":1764380000.123456}"),
		&m),
	    CT_OK);
	assert_true(ct_str_is(m.method, "revoke"));
	assert_non_null(ct_json_get(m.args, "task_id"));
	assert_true(ct_str_is(m.reply_key, "0b1f"));
	assert_true(ct_str_is(m.ticket, "t"));
	assert_int_equal(m.clock, 7);
	assert_true(m.expires_ms == 1764380000123);
	/* Only a method is needed; the body may be plain text. */
	assert_int_equal(
	    parse(CT_STR("{\"body\":\"{\\\"method\\\":\\\"ping\\\"}\"}"), &m),
	    CT_OK);
	assert_null(m.reply_key.p);
	assert_null(m.args);
	assert_int_equal(m.expires_ms, 0);
}

static void
test_parse_refuses(void **state)
{
	static const char *const raw[] = {"", "null", "[]", "{}",
	    "{\"body\":1}",
	    "{\"body\":\"{}\",\"content-type\":\"application/x-python-"
	    "serialize\"}",
	    "{\"body\":\"%%\",\"properties\":{\"body_encoding\":\"base64\"}}",
	    "{\"body\":\"e30=\",\"properties\":{\"body_encoding\":\"rot13\"}}"};
	static const char *const body[] = {"", "1", "[]", "{}",
	    "{\"method\":1}", "{\"method\":\"\"}", "{\"method\":\"a b\"}",
	    "{\"method\":\"ping\",\"arguments\":[]}",
	    "{\"method\":\"ping\",\"arguments\":1}",
	    "{\"method\":\"ping\",\"reply_to\":1}",
	    "{\"method\":\"ping\",\"reply_to\":{\"exchange\":\"default\","
	    "\"routing_key\":\"x\"}}",
	    "{\"method\":\"ping\",\"reply_to\":{\"exchange\":"
	    "\"reply.celery.pidbox\"}}",
	    "{\"method\":\"ping\",\"reply_to\":{\"exchange\":"
	    "\"reply.celery.pidbox\",\"routing_key\":\"a\\u0006\\u0016b\"}}",
	    "{\"method\":\"ping\",\"reply_to\":{\"exchange\":"
	    "\"reply.celery.pidbox\",\"routing_key\":\"\"}}"};
	const char *ping = "{\"body\":\"{\\\"method\\\":\\\"ping\\\"}\"}";
	struct ct_control_msg m;
	char *big;
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(raw); i++)
		if (parse(ct_str_of(raw[i]), &m) != CT_MALFORMED)
			fail_msg("taken: %s", raw[i]);
	for (i = 0; i < ct_countof(body); i++)
		if (parse(wrap(body[i], "{}"), &m) != CT_MALFORMED)
			fail_msg("taken: %s", body[i]);
	big = ct_arena_raw(node.scratch, CT_CONTROL_MAX + 1);
	memset(big, ' ', CT_CONTROL_MAX + 1);
	memcpy(big, ping, strlen(ping));
	assert_int_equal(
	    parse((struct ct_str){big, CT_CONTROL_MAX + 1}, &m), CT_TOOBIG);
	/* A pattern that would cost time. */
	memset(big, '*', 2000);
	big[2000] = '\0';
	assert_int_equal(
	    parse(wrap(ct_arena_printf(node.scratch,
			   "{\"method\":\"ping\",\"pattern\":\"%s\"}", big),
		      "{}"),
		&m),
	    CT_MALFORMED);
}

/* The vectors are what Python's fnmatch says. */
static void
test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} v[] = {{"", "", true}, {"", "a", false}, {"*", "", true},
	    {"a", "a", true}, {"a", "A", false}, {"a", "ab", false},
	    {"?", "a", true}, {"?", "", false}, {"a*c", "abbbc", true},
	    {"a*c", "abbbcd", false}, {"*@one", "catetube@one", true},
	    {"cate*@[a-o]ne", "catetube@one", true},
	    {"cate*@[!a-o]ne", "catetube@one", false}, {"[]]", "]", true},
	    {"[]a]", "a", true}, {"[!]]", "]", false}, {"[", "[", true},
	    {"[a", "[a", true}, {"[a-]", "-", true}, {"[z-a]", "m", false},
	    {"**a**", "xay", true}, {"*a*b*c*", "xxaxxbxxc", true},
	    {"*a*b*c*", "xxaxxcxxb", false}, {"[!x", "[!x", true}};
	char many[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(v); i++)
		if (ct_control_glob(ct_str_of(v[i].pattern),
			ct_str_of(v[i].text)) != v[i].match)
			fail_msg("%s, %s", v[i].pattern, v[i].text);
	/* What is exponential for a naive matcher ends at once. */
	for (i = 0; i + 1 < sizeof(many); i += 2)
		memcpy(many + i, "a*", 2);
	many[sizeof(many) - 1] = 'b';
	assert_false(ct_control_glob((struct ct_str){many, sizeof(many)},
	    CT_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

static void
test_whose(void **state)
{
	static const struct {
		const char *members;
		bool ours;
	} v[] = {{"\"destination\":null", true}, {"\"destination\":[]", true},
	    {"\"destination\":[\"catetube@one\"]", true},
	    {"\"destination\":[\"x\",\"catetube@one\"]", true},
	    {"\"destination\":\"catetube@one\"", true},
	    {"\"destination\":[\"catetube@two\"]", false},
	    {"\"destination\":\"catetube@one.more\"", false},
	    {"\"destination\":[1,null,{}]", false},
	    {"\"destination\":7", false}, {"\"destination\":{}", false},
	    {"\"pattern\":\"*@one\",\"matcher\":\"glob\"", true},
	    {"\"pattern\":\"*@two\",\"matcher\":\"glob\"", false},
	    {"\"pattern\":\"*@two\"", false},
	    /* A name goes before a pattern. */
	    {"\"destination\":[\"catetube@one\"],\"pattern\":\"*@two\"", true},
	    {"\"destination\":[\"two\"],\"pattern\":\"*\"", false}};
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(v); i++)
		if ((*said(ct_arena_printf(node.scratch,
			 "\"method\":\"ping\",%s," REPLY_TO, v[i].members)) !=
			'\0') != v[i].ours)
			fail_msg("%s", v[i].members);
	SAYS(said("\"method\":\"ping\",\"pattern\":\".*\",\"matcher\":"
		  "\"pcre\"," REPLY_TO),
	    "use glob");
}

static void
test_expires(void **state)
{
	int64_t now_s = ct_now_us() / 1000000;
	struct ct_control_msg m;
	struct ct_str reply;
	int64_t i;

	(void)state;
	/* Clocks of hosts differ: some seconds are nothing. */
	for (i = -60; i <= 60; i += 59) {
		struct ct_str raw = wrap("{\"method\":\"ping\"," REPLY_TO "}",
		    ct_arena_printf(node.scratch, "{\"expires\":%lld.5}",
			(long long)(now_s + i)));

		assert_int_equal(
		    ct_control_answer(&node, raw, &m, &reply, &err), CT_OK);
		assert_int_equal(reply.p != NULL, i > -60);
	}
}

static void
test_said(void **state)
{
	(void)state;
	assert_string_equal(
	    ask("ping", "{}"), "{\"catetube@one\":{\"ok\":\"pong\"}}");
	assert_string_equal(ask("ping", "null"), ask("ping", "{}"));
	/* Nobody waits. */
	assert_string_equal(said("\"method\":\"ping\""), "");
	SAYS(ask("no_such", "{}"), "\"error\":\"there is no command no_such\"");
	SAYS(ask("memdump", "{}"), "not supported");
	SAYS(ask("registered", "{}"), "\"mail.send\"");
	assert_null(strstr(ask("registered", "{}"), "test."));
	SAYS(ask("registered", "{\"taskinfoitems\":[\"max_retries\",\"x\"]}"),
	    "\"mail.send [max_retries=20]\"");
	SAYS(ask("active_queues", "{}"), "\"name\":\"default\"");
	SAYS(ask("stats", "{}"), "\"max-concurrency\":2");
	SAYS(ask("conf", "{}"), "redis://:**@db.example:6380/3");
	assert_null(strstr(ask("conf", "{}"), "hush"));
	assert_null(strstr(ask("stats", "{}"), "hush"));
	assert_null(strstr(ask("report", "{}"), "hush"));
	SAYS(ask("active", "{}"), "[]");
	SAYS(ask("reserved", "{}"), "[]");
	SAYS(ask("query_task", "{\"ids\":[\"x\"]}"), "{}");
	SAYS(ask("hello", "{\"from_node\":\"catetube@one\"}"), "null");
	SAYS(ask("hello", "{\"from_node\":\"b\"}"), "\"revoked\":{}");
	SAYS(ask("scheduled", "{}"), "Redis is away");
	assert_int_equal(ct_link_up(&node), false);
}

static void
test_active(void **state)
{
	const char *raw =
	    "{\"body\":\"[[1],{\\\"a\\\":2},{}]\",\"headers\":{"
	    "\"task\":\"t.t\",\"id\":\"j\",\"argsrepr\":\"(1,)\"},"
	    "\"properties\":{\"priority\":3,\"delivery_info\":{"
	    "\"routing_key\":\"mail\"}}}";

	(void)state;
	assert_int_equal(
	    ct_msg_parse(slots[0].a, ct_str_of(raw), &slots[0].msg, &err),
	    CT_OK);
	slots[0].state = CT_SLOT_BUSY;
	slots[0].pid = 77;
	SAYS(ask("active", "{}"),
	    "[{\"id\":\"j\",\"name\":\"t.t\",\"args\":[1],\"kwargs\":{\"a\":2},"
	    "\"type\":\"t.t\",\"hostname\":\"catetube@one\"");
	SAYS(ask("active", "{}"),
	    "\"acknowledged\":false,\"delivery_info\":{\"exchange\":\"\","
	    "\"routing_key\":\"mail\",\"priority\":3,\"redelivered\":false},"
	    "\"worker_pid\":77}");
	SAYS(ask("active", "{\"safe\":true}"), "\"args\":\"(1,)\"");
	SAYS(ask("query_task", "{\"ids\":[\"i\",\"j\"]}"),
	    "{\"j\":[\"active\",{");
	SAYS(ask("query_task", "{\"ids\":\"j\"}"), "{\"j\":[");
	slots[0].state = CT_SLOT_STARTING;
	SAYS(ask("reserved", "{}"), "\"time_start\":null");
}

static void
test_revoke_refuses(void **state)
{
	static const char *const ids[] = {"{}", "{\"task_id\":null}",
	    "{\"task_id\":[]}", "{\"task_id\":\"\"}", "{\"task_id\":7}",
	    "{\"task_id\":[\"a\",7]}", "{\"task_id\":[\"a\",\"\"]}",
	    "{\"task_id\":{\"a\":1}}"};
	static const char *const signals[] = {
	    "\"SIGSTOP\"", "\"NOPE\"", "19", "0", "-9", "9.5", "[]", "\"SIG\""};
	struct ct_buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(ids); i++)
		SAYS(ask("revoke", ids[i]), "\"error\":\"task_id must be");
	for (i = 0; i < ct_countof(signals); i++)
		SAYS(ask("revoke", ct_arena_printf(node.scratch,
				       "{\"task_id\":\"a\",\"terminate\":true,"
				       "\"signal\":%s}",
				       signals[i])),
		    "\"error\":\"signal must be");
	ct_buf_init(&b, node.scratch, 4096);
	for (i = 0; i <= CT_CONTROL_IDS; i++)
		ct_buf_addf(&b, "%s\"i%zu\"", i == 0 ? "" : ",", i);
	SAYS(ask("revoke", ct_arena_printf(node.scratch, "{\"task_id\":[%.*s]}",
			       CT_STR_FMT(ct_buf_str(&b)))),
	    "\"error\":\"task_id must be");
	/* All is well but Redis: it must not be called done. */
	SAYS(
	    ask("revoke", "{\"task_id\":[\"a\",\"b\"],\"signal\":\"SIGKILL\"}"),
	    "\"error\":\"Redis is away: 0 of 2");
}

static void
test_changes_are_refused(void **state)
{
	static const char *const all[] = {"add_consumer", "autoscale",
	    "cancel_consumer", "pool_grow", "pool_restart", "pool_shrink",
	    "rate_limit", "shutdown", "time_limit"};
	const char *args =
	    "{\"queue\":\"default\",\"task_name\":\"mail.send\"}";
	size_t i;

	(void)state;
	for (i = 0; i < ct_countof(all); i++)
		SAYS(ask(all[i], args), "CATETUBE_CONTROL_CHANGES is 0");
	assert_false(node.draining);
	assert_int_equal(node.queues.n, 2);
	conf.control_changes = true;
	for (i = 0; i < ct_countof(all); i++)
		if (strstr("add_consumer cancel_consumer shutdown", all[i]) ==
		    NULL)
			SAYS(ask(all[i], args), "is not supported");
	assert_false(node.draining);
}

static void
test_queues(void **state)
{
	static const char *const bad[] = {"\"\"", "null", "1", "\"a b\"",
	    "\"a,b\"", "\"a:1\"", "\"a\\u0006\\u0016\\u0033\"", "\"\\n\""};
	struct ct_str lists[CT_LISTS_MAX];
	size_t i;

	(void)state;
	conf.control_changes = true;
	for (i = 0; i < ct_countof(bad); i++)
		SAYS(ask("add_consumer", ct_arena_printf(node.scratch,
					     "{\"queue\":%s}", bad[i])),
		    "\"error\":\"queue must be");
	SAYS(ask("add_consumer",
		 "{\"queue\":\"more\",\"exchange_type\":\"topic\"}"),
	    "\"error\"");
	node.link.armed = true;
	SAYS(ask("add_consumer", "{\"queue\":\"more\"}"),
	    "\"ok\":\"add consumer more\"");
	assert_false(node.link.armed);
	assert_true(node.rung);
	SAYS(ask("add_consumer", "{\"queue\":\"more\"}"), "\"ok\"");
	assert_int_equal(ct_queues_order(&node.queues, lists), 3 * CT_STEPS);
	assert_string_equal(ct_queues_text(&node.queues, node.scratch),
	    "default:4,mail:1,more:1");
	SAYS(ask("cancel_consumer", "{\"queue\":\"default\"}"),
	    "no longer consuming from default");
	SAYS(ask("cancel_consumer", "{\"queue\":\"default\"}"), "\"error\"");
	SAYS(ask("cancel_consumer", "{\"queue\":\"more\"}"), "\"ok\"");
	SAYS(ask("cancel_consumer", "{\"queue\":\"mail\"}"), "last queue");
	assert_string_equal(
	    ct_queues_text(&node.queues, node.scratch), "mail:1");
}

/* Bounded in number, and in what changes leave behind. */
static void
test_queues_many(void **state)
{
	size_t before;
	int i;

	(void)state;
	conf.control_changes = true;
	for (i = 0; i < 40; i++)
		ask("add_consumer",
		    ct_arena_printf(node.scratch, "{\"queue\":\"q%d\"}", i));
	assert_int_equal(node.queues.n, CT_QUEUES_MAX);
	SAYS(ask("add_consumer", "{\"queue\":\"one\"}"), "the most");
	before = ct_arena_footprint(node.names);
	for (i = 0; i < 5000; i++) {
		ask("cancel_consumer", "{\"queue\":\"q7\"}");
		ask("add_consumer", "{\"queue\":\"q7\"}");
		ct_arena_reset(node.scratch);
	}
	assert_int_equal(node.queues.n, CT_QUEUES_MAX);
	assert_true(ct_arena_footprint(node.names) <= before);
}

static void
test_shutdown(void **state)
{
	(void)state;
	conf.control_changes = true;
	SAYS(ask("shutdown", "{}"), "\"ok\"");
	assert_true(node.draining);
}

static void
test_events(void **state)
{
	(void)state;
	SAYS(ask("disable_events", "{}"), "already disabled");
	SAYS(ask("enable_events", "{}"), "\"task events enabled\"");
	assert_true(node.events.on && node.events.heard);
	SAYS(ask("enable_events", "{}"), "already enabled");
	/* As a cast, too. */
	assert_string_equal(said("\"method\":\"disable_events\""), "");
	assert_false(node.events.on);
}

static void
test_clock(void **state)
{
	static const char *const odd[] = {
	    "-5", "1e300", "9007199254740991", "\"9\"", "null", "1.5"};
	struct ct_control_msg m;
	struct ct_str reply;
	size_t i;

	(void)state;
	assert_int_equal(ct_control_answer(&node,
			     wrap("{\"method\":\"clock\"}", "{\"clock\":41}"),
			     &m, &reply, &err),
	    CT_OK);
	assert_int_equal(node.events.clock, 42);
	SAYS(ask("clock", "{}"), "{\"clock\":44}");
	for (i = 0; i < ct_countof(odd); i++)
		assert_int_equal(ct_control_answer(&node,
				     wrap("{\"method\":\"ping\"}",
					 ct_arena_printf(node.scratch,
					     "{\"clock\":%s}", odd[i])),
				     &m, &reply, &err),
		    CT_OK);
	assert_in_range(node.events.clock, 44, 60);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {T(test_parse), T(test_parse_refuses),
	    T(test_glob), T(test_whose), T(test_expires), T(test_said),
	    T(test_active), T(test_revoke_refuses), T(test_changes_are_refused),
	    T(test_queues), T(test_queues_many), T(test_shutdown),
	    T(test_events), T(test_clock)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
