/*
 * One worker node: a single-threaded supervisor that owns all traffic with
 * Redis, and children that run one job each at a time.
 *
 *   link.c    the connection, the place among the nodes
 *   duty.c    what is asked of Redis by the clock
 *   bell.c    how a push wakes an idle node
 *   queues.c  which lists are asked, in which order
 *   round.c   settle, duties, claim, begin: the one trip of a turn
 *   slot.c    children: start, hand over a job, limits, death
 *   settle.c  what becomes of a message: pure decisions into a settle request
 *   control*  what Celery's tools ask and are told (control.h)
 *   node.c    the loop that ties them together
 *   relay.c, cron.c  children with a task of their own
 *
 * Times are ct_mono_ms() unless a name says redis.
 */
#ifndef CT_WORKER_NODE_H
#define CT_WORKER_NODE_H

#include <sys/types.h>

#include "common/redis.h"
#include "worker/control.h"
#include "worker/wire.h"

#define CT_QUEUES_MAX  32
#define CT_SETTLE_ARGC 15
#define CT_JOB_TTL_S   "604800"
#define CT_DEAD_CAP    "10000"
#define CT_LISTS_MAX   (CT_STEPS * CT_QUEUES_MAX)
/* How seldom an idle node looks, in case its bell is dead: a quarter of the
 * usual lease, so that one wake does for its beat, too. */
#define CT_IDLE_MS 2500

struct ct_queue_row {
	struct ct_str list[CT_STEPS]; /* by rising priority number */
	int64_t weight;
	int64_t credit; /* smooth weighted round robin */
};

struct ct_queues {
	struct ct_queue_row row[CT_QUEUES_MAX];
	size_t n;
	unsigned turn; /* orders given, for the anti-starvation turn */
};

enum ct_slot_state {
	CT_SLOT_EMPTY,	  /* no child */
	CT_SLOT_IDLE,	  /* child waits */
	CT_SLOT_STARTING, /* message held and fit to run, not yet begun */
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

struct ct_cell;

struct ct_settle {
	struct ct_str argv[CT_SETTLE_ARGC];
	const char *status; /* for log and metrics: "success", "retry"... */
	bool waits;	    /* the next try is scheduled */
	const char *reason; /* redelivery: "child", "drain"; else NULL */
	/* What the result says, for events. */
	struct ct_str value; /* result, or exception object; absent: none */
	struct ct_str trace;
	const char *revoked; /* "revoked", "expired", "terminated"; else NULL */
	const char *note;    /* why, for the log; NULL: nothing to say. What a
				task says goes into the record alone: it may
				hold an address. */
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
	bool old;    /* to be replaced: a reload was asked for */
	bool leaves; /* takes no other job */
	/* The job; everything on a, which is reset when it is settled. */
	struct ct_arena *a;
	int64_t number; /* of the message, under which Redis holds it for us */
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
	struct ct_redis *bell; /* NULL: asking by the clock */
	char wid[128];	       /* "": no place among the nodes */
	int64_t beat_ask_ms;   /* when the last beat was asked for */
	int64_t beat_ok_ms;    /* ... the last one that was granted */
	int64_t retry_ms;      /* no attempt before */
	int64_t backoff_ms;
	bool greeted;	  /* configuration of Redis was checked */
	bool armed;	  /* the bell will ring for the next push */
	bool sched_armed; /* ... and for the next job that is scheduled */
	int64_t bell_retry_ms;
	int64_t bell_backoff_ms;
};

/* A child that runs no jobs and is there as long as the node is. */
struct ct_aide {
	const char *name;
	int (*main)(const struct ct_conf *conf);
	pid_t pid;	  /* 0: none */
	int64_t retry_ms; /* not started again before */
};
#define CT_AIDES 2

struct ct_node {
	const struct ct_conf *conf;
	char name[96];
	char host[64];
	struct ct_queues queues;
	struct ct_slot *slot;
	size_t nslots;
	struct ct_link link;
	struct ct_control control;
	struct ct_events events;
	struct ct_arena *names;	  /* of the lists */
	struct ct_arena *scratch; /* reset every turn of the loop */
	int epoll_fd;
	int signal_fd;
	struct ct_cell *trip; /* time of a turn's trip to Redis */
	struct ct_aide aide[CT_AIDES];
	int64_t next_number; /* of messages that are claimed */
	unsigned duties;     /* due in this turn */
	bool rung;	     /* there may be messages */
	bool quiet;	     /* the last claim found the lists empty */
	bool draining;	     /* takes no more jobs */
	bool stopped;	     /* by a signal: a second one ends it at once */
	int64_t drain_at_ms; /* jobs are stopped then */
	int64_t next_beat_ms, next_reap_ms, next_promote_ms, next_audit_ms,
	    next_claim_ms, next_dog_ms;
};

/* link.c. false: the connection was lost, or the place (wid is "" then). */
bool ct_link_up(const struct ct_node *n);
/* Longest wait for an answer of Redis. */
int ct_link_timeout_ms(const struct ct_node *n);
void ct_link_drop(struct ct_node *n, const struct ct_err *why);
/* An error reply, such as "out of memory", is like a lost connection. */
bool ct_link_take(
    struct ct_node *n, const struct redisReply **reply, struct ct_err *err);
/* Connect, take a place or confirm it, audit. */
bool ct_link_try(struct ct_node *n);
/* The place is lost: stop its jobs, forget it. */
void ct_link_lose(struct ct_node *n);
/* Say again what the node is: its queues are others. */
void ct_link_describe(struct ct_node *n);
bool ct_link_audit(struct ct_node *n);
bool ct_link_progress(
    struct ct_node *n, struct ct_slot *s, struct ct_str value);
/* Say good-bye: what is still held goes back. */
void ct_link_leave(struct ct_node *n);
/*
 * duty.c: what is asked by the clock, as part of a trip: append, then take.
 * Each may be due together with the others. A beat may find the place lost,
 * reaping and promoting may find messages for a claim in the same trip.
 */
enum ct_duty {
	CT_DUTY_BEAT = 1,    /* renew the place, tell Celery's tools */
	CT_DUTY_REAP = 2,    /* give back what dead nodes hold */
	CT_DUTY_PROMOTE = 4, /* queue what has waited for its time */
};
/* Often enough for the lease, whatever was asked for. */
static inline int64_t
ct_beat_ms(const struct ct_conf *conf)
{
	int64_t most_ms = conf->lease_ms / 4;

	return conf->beat_ms < most_ms ? conf->beat_ms : most_ms;
}
/* Whose time has come, once each: but promote, which is due until taken. */
unsigned ct_duties_due(struct ct_node *n, int64_t now);
/* false: the connection is to be dropped. */
bool ct_duties_append(struct ct_node *n, unsigned duties, struct ct_err *err);
/* Sets next_promote_ms, and next_reap_ms sooner where a lease ends before. */
bool ct_duties_take(struct ct_node *n, unsigned duties, struct ct_err *err);
/*
 * bell.c. Whatever happens to the bell, messages are asked for by the clock.
 * Hang it where there is none and its back-off is over; the link is up.
 */
void ct_bell_hang(struct ct_node *n);
/*
 * Asking for a ring at the next push, as part of a trip: append, then take. The
 * node is told to claim again where the lists are not empty by then.
 */
bool ct_bell_unarmed(const struct ct_node *n);
bool ct_bell_append(struct ct_node *n, struct ct_err *err);
bool ct_bell_take(struct ct_node *n, struct ct_err *err);
/* Empty it. */
void ct_bell_rings(struct ct_node *n);
/* why: what went wrong, or NULL where the link goes down with it. */
void ct_bell_drop(struct ct_node *n, const struct ct_err *why);

/* queues.c */
/* "default:4,mail:4" into rows. CT_INVALID names what is wrong. */
enum ct_rc ct_queues_parse(struct ct_queues *q, struct ct_arena *a,
    const char *text, struct ct_err *err) CT_MUSTCHECK;
/*
 * The lists in the order to be served: by priority, then by queue, beginning
 * with the one whose turn it is; each 16th time the least urgent come first.
 * Returns how many; lists holds CT_LISTS_MAX.
 */
int ct_queues_order(struct ct_queues *q, struct ct_str *lists);
/*
 * One queue more, of weight 1, or one less; nothing where it is so already.
 * *names, on which the lists' names are, is replaced. CT_INVALID: no name, one
 * too many, not served, the last one.
 */
enum ct_rc ct_queues_add(struct ct_queues *q, struct ct_arena **names,
    struct ct_str name, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_queues_drop(struct ct_queues *q, struct ct_arena **names,
    struct ct_str name, struct ct_err *err) CT_MUSTCHECK;
/* As the option has it. */
const char *ct_queues_text(const struct ct_queues *q, struct ct_arena *a);

/*
 * round.c. One trip: send every settle request, do what is due, claim and begin
 * as many messages as there will be idle children, begin what needed a look
 * first.
 * *more: call again.
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
/* Replace every child that runs now, one after the other, between jobs. */
void ct_slots_reload(struct ct_node *n);
/* The next step of that. */
void ct_slots_roll(struct ct_node *n);
/* After the settle request was answered. */
void ct_slot_done(struct ct_node *n, struct ct_slot *s);
/* Its message is not ours any more: kill what runs, forget it. */
void ct_slot_fence(const struct ct_node *n, struct ct_slot *s);
size_t ct_slots_count(const struct ct_node *n, enum ct_slot_state state);
/* A child is there and will take another job. */
bool ct_slot_stays(const struct ct_node *n, const struct ct_slot *s);
struct ct_slot *ct_slot_idle(struct ct_node *n);

/* settle.c: each fills s->settle and sets ENDED. */
/*
 * A claimed message and what the claim script said of it: parse it, decide.
 * Sets STARTING where it is to be run but was not begun, ENDED where it is not
 * to be run; neither: a child may have it.
 */
void ct_settle_claimed(struct ct_node *n, struct ct_slot *s, struct ct_str raw,
    struct ct_str word, int64_t redis_now_ms);
/* What the claim script said instead of GO. */
void ct_settle_refused(
    struct ct_node *n, struct ct_slot *s, struct ct_str word);
void ct_settle_frame(
    struct ct_node *n, struct ct_slot *s, const struct ct_frame *f);
/* Whether it was begun is unknown: the answer was lost. */
void ct_settle_unstarted(struct ct_node *n, struct ct_slot *s);
/* The request (CT_SETTLE_ARGC) that gives a message back by its number. */
void ct_settle_unknown(struct ct_str number, struct ct_str *argv);
/* The child died without an answer. */
void ct_settle_death(struct ct_node *n, struct ct_slot *s);
/* A child has got it. */
void ct_settle_begun(const struct ct_slot *s);
/* The log line and the metrics of a settled job. ret: the script's answer. */
void ct_settle_note(
    const struct ct_node *n, const struct ct_slot *s, int64_t ret);
/* Milliseconds until try number `retries` + 1: full jitter, at most 600 s. */
int64_t ct_backoff_ms(int backoff_s, int64_t retries);

/* node.c */
/* A multiple of a period, so that an idle node wakes once for all of them. */
static inline int64_t
ct_next_multiple(int64_t now, int64_t every)
{
	return now - now % every + every;
}
/* Its time has come; *at is the next one then. */
static inline bool
ct_due(int64_t *at, int64_t now, int64_t every)
{
	if (now < *at)
		return false;
	*at = ct_next_multiple(now, every);
	return true;
}
/* The life of a node; returns the exit status of the process. */
int ct_node_run(const struct ct_conf *conf);
/* Take no more jobs, and end when those that run have. Asked again: nothing. */
void ct_node_drain(struct ct_node *n);

/* relay.c: the life of the outbox relay, a child of the node. */
int ct_relay_main(const struct ct_conf *conf);
/* cron.c: the life of the scheduler, another one; SIGTERM ends it. */
int ct_cron_main(const struct ct_conf *conf);

#endif
