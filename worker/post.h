/*
 * One POST to an address that a stranger gave: the address of the host is
 * judged when it is known, at the moment of connecting, so it does not matter
 * what a name server says before or after. No redirects, no cookies, nothing
 * is read of the answer but its status.
 */
#ifndef CT_WORKER_POST_H
#define CT_WORKER_POST_H

#include "common/err.h"
#include "common/netaddr.h"

#define CT_POST_HEADERS 8

struct ct_post {
	struct ct_str url;
	struct ct_str body;		     /* sent as application/json */
	const char *header[CT_POST_HEADERS]; /* "name: value", NULL at the end
					      */
	const char *ca_file;	    /* trusted beside the system's, "": none */
	const struct ct_nets *nets; /* allowed although they are private */
};
struct ct_posted {
	int64_t status;
	int64_t retry_after_s; /* as the answer asks, 0: it does not */
};

/*
 * Blocks for 5 s at the most. CT_OK: an answer came, whatever it says.
 * CT_INVALID: no address that can be called. CT_FORBIDDEN: no address of the
 * host may be called. CT_RETRY: no answer; err->msg says at which stage, as a
 * sentence without the address.
 */
enum ct_rc ct_post_send(struct ct_arena *a, const struct ct_post *post,
    struct ct_posted *out, struct ct_err *err) CT_MUSTCHECK;

#endif
