/*
 * Any bytes as a remote control request, as they are and as the body of an
 * envelope, to a node that would obey everything: what is answered is one
 * bounded JSON object, and the node stays what a node may be.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "worker/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct ct_conf conf = {.queue_prefix = "jq:",
    .redis_url = "redis://:hush@db.example:6380/3",
    .queues = "default:4,mail",
    .worker_children = 2,
    .control = true,
    .control_changes = true,
    .beat_ms = 2000,
    .lease_ms = 10000};
static uint64_t runs[64];

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
request(struct ct_node *node, struct ct_str raw)
{
	const struct ct_json *v;
	struct ct_control_msg m;
	struct ct_str reply;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_control_answer(node, raw, &m, &reply, &err) != CT_OK) {
		require(err.msg[0] != '\0');
		return;
	}
	require(!node->draining || ct_str_is(m.method, "shutdown"));
	require(node->queues.n >= 1 && node->queues.n <= CT_QUEUES_MAX);
	require(node->events.clock >= 0);
	node->draining = false;
	if (reply.p == NULL)
		return;
	require(reply.n <= CT_CONTROL_REPLY_MAX);
	require(ct_json_parse(node->scratch, reply, 32, &v, &err) == CT_OK);
	require(ct_json_get(v, node->name) != NULL);
	require(ct_json_next(ct_json_first(v)) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_str raw = {(const char *)data, n};
	struct ct_slot slot = {.fd = -1, .state = CT_SLOT_BUSY};
	struct ct_node node = {.conf = &conf,
	    .name = "catetube@one",
	    .slot = &slot,
	    .nslots = 1,
	    .names = ct_arena_create((size_t)1 << 20),
	    .scratch = ct_arena_create((size_t)256 << 20),
	    .events.runs = runs};
	struct ct_err err;

	ct_crypto_init();
	ct_err_clear(&err);
	slot.a = ct_arena_create((size_t)1 << 20);
	require(ct_msg_parse(slot.a,
		    CT_STR("{\"body\":\"[[1],{},{}]\",\"headers\":{\"task\":"
			   "\"t\",\"id\":\"j\"}}"),
		    &slot.msg, &err) == CT_OK);
	require(ct_queues_parse(&node.queues, node.names, conf.queues, &err) ==
		CT_OK);
	request(&node, raw);
	request(&node, ct_kombu_wrap(node.scratch, raw, CT_STR("{\"clock\":1}"),
			   "celery.pidbox", CT_STR("")));
	ct_arena_destroy(slot.a);
	ct_arena_destroy(node.names);
	ct_arena_destroy(node.scratch);
	return 0;
}
