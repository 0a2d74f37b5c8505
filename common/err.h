/*
 * The one error convention. A fallible function returns enum ct_rc, 0 being
 * success; the place that knows what went wrong fills struct ct_err once;
 * nobody on the way up adds to it or logs; the edge (request end, job end)
 * logs it and one table there maps rc to an HTTP status or a retry decision.
 */
#ifndef CT_COMMON_ERR_H
#define CT_COMMON_ERR_H

#include "common/base.h"

enum ct_rc {
	CT_OK,
	CT_INVALID,	/* the caller's input is wrong; fields say where */
	CT_MALFORMED,	/* the input could not even be read */
	CT_UNAUTH,	/* nobody is signed in, or the proof is wrong */
	CT_FORBIDDEN,	/* signed in, but this may not be done */
	CT_NOTFOUND,	/* no such thing, or not the caller's */
	CT_CONFLICT,	/* exists already, or changed meanwhile */
	CT_TOOBIG,	/* over a size bound */
	CT_LIMITED,	/* too often; come back later */
	CT_GONE_CLIENT, /* the peer hung up */
	CT_RETRY,	/* a store is away or busy; nothing was done, or its
			   outcome is unknown; come back later */
	CT_INTERNAL,	/* our fault */
	CT_RC_COUNT
};

#define CT_ERR_FIELDS 16

struct ct_err_field {
	char name[40];
	char msg[120]; /* "must be greater than 0" */
};

/* code, msg and fields are safe to show to anybody; detail never is. */
struct ct_err {
	enum ct_rc rc;
	char code[32];	  /* stable word for programs, "" = the rc's name */
	char msg[200];	  /* sentence for a person */
	char detail[256]; /* for the log only: SQLSTATE, errno, server text */
	unsigned nfields; /* number of rows used in fields */
	struct ct_err_field fields[CT_ERR_FIELDS];
};

void ct_err_clear(struct ct_err *err);

/* Fill err and return rc. code may be NULL (the rc's own name). */
enum ct_rc ct_fail(struct ct_err *err, enum ct_rc rc, const char *code,
    const char *fmt, ...) CT_PRINTF(4, 5);

/*
 * Add one bad field (those past CT_ERR_FIELDS are dropped) and return
 * CT_INVALID. The first one also sets code "invalid" and a sentence.
 */
enum ct_rc ct_fail_field(struct ct_err *err, const char *field, const char *fmt,
    ...) CT_PRINTF(3, 4);

/* Set the log-only detail. Returns err->rc, so that it can end a function. */
enum ct_rc ct_err_detail(struct ct_err *err, const char *fmt, ...)
    CT_PRINTF(2, 3);

/* "ok", "invalid", "not_found"...: the stable word of rc. */
const char *ct_rc_name(enum ct_rc rc);

#endif
