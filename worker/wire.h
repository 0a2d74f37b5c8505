/*
 * Between the supervisor and a child: a shared page that holds the job, one
 * byte that says go, and frames back. The socket keeps message bounds, so a
 * frame is whole or not there.
 */
#ifndef CT_WORKER_WIRE_H
#define CT_WORKER_WIRE_H

#include "common/log.h"
#include "worker/job.h"

#define CT_TRACE_MAX  (8U << 10)
#define CT_FRAME_TEXT (CT_RESULT_MAX + CT_TRACE_MAX)
#define CT_ID_MAX     200

/* The page. Written by the supervisor while the child waits. */
struct ct_wire_in {
	uint32_t task; /* row of ct_tasks */
	uint32_t body_n;
	uint32_t id_n;
	bool base64;
	int64_t retries;
	char id[CT_ID_MAX];
	char body[CT_MSG_MAX];
};

enum ct_frame_kind { CT_FRAME_PROGRESS, CT_FRAME_END, CT_FRAME_POISON };

struct ct_frame {
	uint32_t kind;
	uint32_t rc;	     /* enum ct_rc; 0: value is the result */
	int64_t retry_in_ms; /* -1: the row's back-off */
	uint32_t value_n;    /* result, exception object, or reason */
	uint32_t trace_n;
	char text[CT_FRAME_TEXT]; /* value, then trace */
};

struct ct_wire {
	int fd;
	const struct ct_wire_in *in;
};

/* The life of a child; returns its exit status. */
int ct_child_main(const struct ct_conf *conf, const struct ct_wire *wire);

#endif
