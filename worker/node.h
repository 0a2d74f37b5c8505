/*
 * One worker node: a single-threaded supervisor that owns all traffic with
 * Redis, and children that run one job each at a time.
 *
 *   link.c    the two connections, the place among the nodes, the scripts
 *   round.c   settle, claim, start: the two trips of one turn
 *   slot.c    children: start, hand over a job, limits, death
 *   settle.c  what becomes of a message: pure decisions into a settle request
 *   node.c    the loop that ties them together
 *
 * Times are ct_mono_ms() unless a name says redis.
 */
#ifndef CT_WORKER_NODE_H
#define CT_WORKER_NODE_H

#include <sys/types.h>

#include "common/redis.h"
#include "worker/wire.h"

#define CT_QUEUES_MAX  32
#define CT_SETTLE_ARGC 16

struct ct_queue_row {
	struct ct_str list[CT_STEPS]; /* by rising priority number */
	const char *name;
	int64_t weight;
	int64_t credit; /* smooth weighted round robin */
};

enum ct_slot_state {
	CT_SLOT_EMPTY,	  /* no child */
	CT_SLOT_IDLE,	  /* child waits */
	CT_SLOT_STARTING, /* message claimed, start script not yet asked */
	CT_SLOT_BUSY,	  /* child runs it */
	CT_SLOT_ENDED,	  /* settle request is ready to be sent */
	CT_SLOT_LEAVING	  /* child was told to exit */
};

/* Why a running child was asked to stop. */
enum ct_stop {
	CT_STOP_NONE,
	CT_STOP_SOFT,
	CT_STOP_HARD,
	CT_STOP_CANCEL,
	CT_STOP_DRAIN
};

struct ct_settle {
	struct ct_str argv[CT_SETTLE_ARGC];
	const char *status; /* for log and metrics: "success", "retry"... */
	bool waits;	    /* the next try is scheduled */
	const char *reason; /* redelivery: "child", "drain"; else NULL */
};

struct ct_slot {
	enum ct_slot_state state;
	pid_t pid; /* 0: none */
	int fd;	   /* -1: none */
	struct ct_wire_in *in;
	int64_t jobs; /* run by this child */
	int64_t born_ms;
	int64_t retry_ms; /* not started again before */
	int64_t backoff_ms;
	/* The job; everything on a, which is reset when it is settled. */
	struct ct_arena *a;
	struct ct_str src;
	struct ct_msg msg;
	const struct ct_task *task;
	int64_t began_ms;
	int64_t soft_at_ms;
	int64_t hard_at_ms;
	enum ct_stop stop;
	struct ct_settle settle;
};

struct ct_link {
	struct ct_redis *main; /* NULL: down */
	struct ct_redis *bell;
	char wid[128];	    /* "": no place among the nodes */
	int64_t beat_ok_ms; /* last beat that was granted */
	int64_t retry_ms;   /* no attempt before */
	int64_t backoff_ms;
	bool greeted; /* configuration of Redis was checked */
};

struct ct_node {
	const struct ct_conf *conf;
	char name[96];
	char host[64];
	struct ct_queue_row queue[CT_QUEUES_MAX];
	size_t nqueues;
	struct ct_slot *slot;
	size_t nslots;
	struct ct_link link;
	struct ct_arena *names;	  /* of the queues */
	struct ct_arena *scratch; /* reset every turn of the loop */
	int epoll_fd;
	int signal_fd;
	pid_t relay_pid;
	int64_t relay_retry_ms;
	unsigned turn; /* claims made, for the anti-starvation turn */
	bool rung;     /* there may be messages */
	bool draining;
	int64_t drain_at_ms; /* jobs are stopped then */
	int64_t next_beat_ms, next_tick_ms, next_promote_ms, next_audit_ms,
	    next_claim_ms, next_dog_ms;
};

/* link.c. false: the connection was lost, or the place (wid is "" then). */
bool ct_link_up(const struct ct_node *n);
void ct_link_drop(struct ct_node *n, const struct ct_err *why);
/* Connect, subscribe, take a place or confirm it, audit. */
bool ct_link_try(struct ct_node *n);
/* The place is lost: stop its jobs, forget it. */
void ct_link_lose(struct ct_node *n);
bool ct_link_beat(struct ct_node *n);
bool ct_link_reap(struct ct_node *n);
/* Sets next_promote_ms. */
bool ct_link_promote(struct ct_node *n);
bool ct_link_audit(struct ct_node *n);
bool ct_link_progress(
    struct ct_node *n, struct ct_slot *s, struct ct_str value);
/* Empty the bell. */
bool ct_link_rings(struct ct_node *n);
/* Say good-bye: what is still held goes back. */
void ct_link_leave(struct ct_node *n);
/*
 * round.c. One trip: send every settle request, claim as many messages as there
 * will be idle children. A second one: start what was claimed. *more: call
 * again.
 */
bool ct_link_round(struct ct_node *n, bool *more);

/* slot.c */
/* Start children for empty slots whose back-off is over. */
void ct_slots_fill(struct ct_node *n);
/* Hand the message of a STARTING slot to its child. */
void ct_slot_run(struct ct_node *n, struct ct_slot *s);
/* Take the frames that its child has sent. false: the link was lost. */
bool ct_slot_frames(struct ct_node *n, struct ct_slot *s);
/* Collect dead children. */
void ct_slots_reap(struct ct_node *n);
/* Enforce limits; returns the next time to look, INT64_MAX: none. */
int64_t ct_slots_limits(struct ct_node *n, int64_t now);
void ct_slot_stop(struct ct_slot *s, enum ct_stop why);
/* After the settle request was answered. */
void ct_slot_done(struct ct_node *n, struct ct_slot *s);
/* The place is lost: kill everything that runs, forget it. */
void ct_slots_fence(struct ct_node *n);
size_t ct_slots_count(const struct ct_node *n, enum ct_slot_state state);
/* A child is there and will take another job. */
bool ct_slot_stays(const struct ct_node *n, const struct ct_slot *s);
struct ct_slot *ct_slot_idle(struct ct_node *n);

/* settle.c: each fills s->settle and sets ENDED. */
/*
 * A claimed message: parse it, decide. Sets STARTING where it is to be run,
 * else ENDED.
 */
void ct_settle_claimed(struct ct_node *n, struct ct_slot *s, struct ct_str src,
    struct ct_str raw, int64_t redis_now_ms);
/* What the start script said instead of GO. */
void ct_settle_refused(
    struct ct_node *n, struct ct_slot *s, struct ct_str word);
void ct_settle_frame(
    struct ct_node *n, struct ct_slot *s, const struct ct_frame *f);
/* Whether it was started is unknown: the answer was lost. */
void ct_settle_unstarted(struct ct_node *n, struct ct_slot *s);
/* The child died without an answer. */
void ct_settle_death(struct ct_node *n, struct ct_slot *s);
/* A child has got it. */
void ct_settle_begun(const struct ct_slot *s);
/* The log line and the metrics of a settled job. ret: the script's answer. */
void ct_settle_note(
    const struct ct_node *n, const struct ct_slot *s, int64_t ret);
/* Milliseconds until try number `retries` + 1: full jitter, at most 600 s. */
int64_t ct_backoff_ms(int backoff_s, int64_t retries);

/* node.c: the life of a node; returns the exit status of the process. */
int ct_node_run(const struct ct_conf *conf);
/* "default:4,mail:4" into rows. CT_INVALID names what is wrong. */
enum ct_rc ct_node_queues(
    struct ct_node *n, const char *text, struct ct_err *err) CT_MUSTCHECK;

/* relay.c: the life of the outbox relay, a child of the node. */
int ct_relay_main(const struct ct_conf *conf);

#endif
