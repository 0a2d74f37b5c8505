/*
 * Celery's remote control ("pidbox") and events: how unmodified Celery tools
 * watch and steer a node. Included by node.h.
 *
 *   control.c         the subscription; how an answer is delivered
 *   control_msg.c     requests and envelopes as text
 *   control_table.c   the commands, one row each
 *   control_show.c    those that tell something
 *   control_change.c  those that change something
 *   events.c          what the node tells by itself
 *
 * A request may come from anybody who reaches Redis, so it is taken as
 * hostile: bounded in size, in ids and in how many are looked at a turn, and
 * strictly parsed.
 */
#ifndef CT_WORKER_CONTROL_H
#define CT_WORKER_CONTROL_H

#include "common/json.h"
#include "common/jw.h"
#include "common/redis.h"

#define CT_CONTROL_MAX	     (256U << 10) /* bytes of a request */
#define CT_CONTROL_IDS	     1000	  /* of one request, or told at once */
#define CT_CONTROL_REPLY_MAX (1U << 20)	  /* bytes of an answer */

struct ct_node;
struct ct_slot;
struct ct_msg;

struct ct_control {
	struct ct_redis *sub; /* NULL: not listening */
	int64_t retry_ms;     /* no attempt before */
	int64_t backoff_ms;
	int64_t started_ms; /* of the node */
	int64_t db;	    /* the number that the channels carry */
	bool more;	    /* arrived, and not looked at yet */
};

struct ct_events {
	bool on;       /* task events are asked for */
	bool heard;    /* somebody listened to the last beat */
	int64_t clock; /* Lamport's */
	/* One turn's task events, on the node's scratch arena. */
	size_t pending;
	struct ct_buf b;
	struct ct_jw w;
	uint64_t lost;	/* too many for one turn */
	uint64_t *runs; /* jobs begun, by row of ct_tasks */
	uint64_t all_runs;
};

/* A request; texts live on the arena of the parse or in its raw text. */
struct ct_control_msg {
	struct ct_str method;
	const struct ct_json *args;	   /* object; NULL: none */
	const struct ct_json *destination; /* NULL: everybody */
	struct ct_str pattern;
	struct ct_str matcher;
	struct ct_str reply_key; /* absent: nobody waits for an answer */
	struct ct_str ticket;
	int64_t clock;	    /* 0: none */
	int64_t expires_ms; /* 0: never */
};

/*
 * CT_TOOBIG over CT_CONTROL_MAX; CT_MALFORMED where it is not what kombu sends.
 * An answer that would go elsewhere than to Celery's own reply exchange is
 * malformed, too.
 */
enum ct_rc ct_control_parse(struct ct_arena *a, struct ct_str raw,
    struct ct_control_msg *out, struct ct_err *err) CT_MUSTCHECK;
bool ct_control_is_for(const struct ct_control_msg *m, struct ct_str name);
/* As Python's fnmatch: * ? [seq] [!seq]. Time is bounded by both lengths. */
bool ct_control_glob(struct ct_str pattern, struct ct_str text);
/* kombu's envelope around a JSON body. headers: JSON object. */
struct ct_str ct_kombu_wrap(struct ct_arena *a, struct ct_str body,
    struct ct_str headers, const char *exchange, struct ct_str routing_key);

/* A command that runs: it writes one JSON value to w. */
struct ct_call {
	struct ct_node *n;
	const struct ct_control_msg *m;
	struct ct_arena *a; /* reset after the request */
	struct ct_buf b;
	struct ct_jw w;
};
typedef void ct_command_fn(struct ct_call *c);
ct_command_fn ct_show_active, ct_show_clock, ct_show_conf, ct_show_hello,
    ct_show_memory, ct_show_ping, ct_show_query, ct_show_queues,
    ct_show_registered, ct_show_report, ct_show_reserved, ct_show_revoked,
    ct_show_scheduled, ct_show_stats;
ct_command_fn ct_change_add_queue, ct_change_cancel_queue, ct_change_events_off,
    ct_change_events_on, ct_change_heartbeat, ct_change_revoke,
    ct_change_shutdown, ct_change_terminate;
/* {key: text}; key is "ok" or "error". */
void ct_call_say(struct ct_call *c, const char *key, const char *fmt, ...)
    CT_PRINTF(3, 4);
/* A script with the queue prefix as first argument; false: Redis is away. */
bool ct_call_eval(struct ct_call *c, const char *script, int argc,
    struct ct_str *argv, const struct redisReply **reply);
/* A list of answers has room for one more. */
bool ct_call_has_room(const struct ct_call *c);
/* Revoke the ids of an object's keys, or of an array; how many were. */
size_t ct_change_learn(struct ct_call *c, const struct ct_json *ids);

/*
 * Do what a request asks of this node. *reply: the answer's body, absent where
 * none is due. An error says why the request was not understood.
 */
enum ct_rc ct_control_answer(struct ct_node *n, struct ct_str raw,
    struct ct_control_msg *m, struct ct_str *reply,
    struct ct_err *err) CT_MUSTCHECK;

/* control.c: before the loop. CT_INVALID: REDIS_URL is not understood. */
enum ct_rc ct_control_init(struct ct_node *n, struct ct_err *err) CT_MUSTCHECK;
/* Listen where the node does not and may again; the link is up. */
void ct_control_hang(struct ct_node *n);
/* why: what went wrong, or NULL where the link goes down with it. */
void ct_control_drop(struct ct_node *n, const struct ct_err *why);
/* Look at what has arrived, some at a time. */
void ct_control_serve(struct ct_node *n);

/*
 * events.c. Nothing is published with CATETUBE_CONTROL=0. Task events are
 * gathered over a turn and leave as one message that nobody waits for; without
 * a listener, or without Redis, they are dropped.
 */
/* A place was taken. */
void ct_events_online(struct ct_node *n);
/* A beat was granted, or a heartbeat was asked for. */
/* That it lives, as part of a trip: append, then take. false: no connection. */
bool ct_events_append_beat(struct ct_node *n, struct ct_err *err);
bool ct_events_take_beat(struct ct_node *n, struct ct_err *err);
void ct_events_offline(struct ct_node *n);
/* A message was claimed and looked at. */
void ct_events_claimed(struct ct_node *n, const struct ct_slot *s);
void ct_events_started(struct ct_node *n, const struct ct_slot *s);
/* ret: the settle script's answer. */
void ct_events_settled(struct ct_node *n, const struct ct_slot *s, int64_t ret);
/* The end of a turn: send what was gathered. */
void ct_events_flush(struct ct_node *n);
/* The clock, moved on. */
int64_t ct_events_tick(struct ct_node *n);
/* A clock that was seen; what is no sane number is left out. */
void ct_events_see(struct ct_node *n, int64_t clock);
/* A message's header of that name, at most 1 KiB of it; "..." without one. */
struct ct_str ct_msg_repr(const struct ct_msg *m, const char *header);

#endif
