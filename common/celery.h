/*
 * Celery's wire format: task messages (protocol 2 and 1, JSON only) and
 * results, as kombu and celery write them on Redis. Pure text in and out, no
 * connection. The body of a message is never encoded again: it is kept and
 * sent on to the byte.
 */
#ifndef CT_COMMON_CELERY_H
#define CT_COMMON_CELERY_H

#include "common/clock.h"
#include "common/json.h"
#include "common/jw.h"

#define CT_MSG_MAX	(1U << 20)  /* bytes of a message that we run */
#define CT_RESULT_MAX	(64U << 10) /* bytes of a result's JSON */
#define CT_RESULT_TTL_S 86400
#define CT_STEPS	4 /* priority lists of one queue */

/* A message; texts live on the arena of the parse or in raw. */
struct ct_msg {
	struct ct_str raw;
	const struct ct_json *root;
	struct ct_str body; /* as in the message */
	bool base64;	    /* body is base64 of the JSON text */
	int protocol;	    /* 1 or 2 */
	struct ct_str task;
	struct ct_str id;
	struct ct_str parent; /* absent: none */
	struct ct_str group;  /* absent: none */
	int64_t eta_ms;	      /* CT_NULL_I64: none */
	int64_t expires_ms;   /* CT_NULL_I64: none */
	int64_t pushed_ms;    /* CT_NULL_I64: another producer's */
	int64_t retries;
	int64_t soft_ms; /* 0: none */
	int64_t hard_ms; /* 0: none */
	bool ignore_result;
};

/*
 * The envelope. CT_TOOBIG over CT_MSG_MAX; CT_MALFORMED where it is no JSON
 * object, where task or id are missing, where a header that matters has the
 * wrong type, and where the body is compressed or no JSON. err->msg is the
 * reason for the dead set; out->id is set where a header tells it. Of a
 * protocol 2 message the body is not looked at.
 */
enum ct_rc ct_msg_parse(struct ct_arena *a, struct ct_str raw,
    struct ct_msg *out, struct ct_err *err) CT_MUSTCHECK;

struct ct_msg_body {
	const struct ct_json *args;   /* array; NULL: none */
	const struct ct_json *kwargs; /* object; NULL: none */
	bool canvas; /* asks for callbacks, a chain or a chord */
};
/* CT_MALFORMED with the reason. */
enum ct_rc ct_msg_body(struct ct_arena *a, struct ct_str body, bool base64,
    struct ct_msg_body *out, struct ct_err *err) CT_MUSTCHECK;

/*
 * The message to send for the next try: one more in `retries`, a fresh
 * delivery tag, everything else kept, unknown headers too.
 */
struct ct_str ct_msg_again(struct ct_arena *a, const struct ct_msg *m);
/* The same as if none had been: for a message that was dead. */
struct ct_str ct_msg_anew(struct ct_arena *a, const struct ct_msg *m);

struct ct_msg_new {
	const char *id;
	const char *task;
	const char *queue;
	struct ct_str kwargs; /* JSON object text; absent: {} */
	int priority;	      /* 0 … 9 */
	int64_t eta_us;	      /* 0: none */
	int64_t expires_us;   /* 0: none */
};
/* A protocol 2 message. Aborts where kwargs is over half of CT_MSG_MAX. */
struct ct_str ct_msg_encode(struct ct_arena *a, const struct ct_msg_new *n);

/* Names of the list for a queue: step 0 … 3 stands for priority 0, 3, 6, 9. */
struct ct_str ct_msg_list(struct ct_arena *a, struct ct_str queue, int step);
int ct_msg_step(int priority); /* 0,1,2 -> 0; 3,4,5 -> 1; 6,7,8 -> 2; 9 -> 3 */

/* Results, key celery-task-meta-<id>. */
enum ct_result {
	CT_R_PROGRESS,
	CT_R_RETRY,
	CT_R_SUCCESS,
	CT_R_FAILURE,
	CT_R_REVOKED
};
const char *ct_result_name(enum ct_result r);
/*
 * value: JSON; of FAILURE, RETRY and REVOKED an exception object.
 * traceback: text, absent writes null. now_us: date_done where r is final.
 */
struct ct_str ct_result_json(struct ct_arena *a, const struct ct_msg *m,
    enum ct_result r, struct ct_str value, struct ct_str traceback,
    int64_t now_us);
/*
 * {"exc_type", "exc_message", "exc_module"}. args: JSON array text; absent
 * makes one of msg.
 */
struct ct_str ct_exception_json(struct ct_arena *a, const char *module,
    const char *type, struct ct_str args, const char *msg);
/*
 * "ValueError: bad input" of such an object, at most CT_ERROR_MAX bytes; empty
 * where it is none.
 */
#define CT_ERROR_MAX 300
struct ct_str ct_exception_text(struct ct_arena *a, struct ct_str value);

#endif
