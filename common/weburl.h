/*
 * The door to libcurl's URL parser: addresses that strangers give us to call.
 * What is taken is a narrow part of what libcurl takes, so that all who read
 * it mean the same host.
 */
#ifndef CT_COMMON_WEBURL_H
#define CT_COMMON_WEBURL_H

#include "common/err.h"
#include "common/netaddr.h"

#define CT_WEBURL_MAX 2000 /* bytes */

struct ct_weburl {
	struct ct_str host; /* lower case, an IPv6 address without brackets */
	unsigned port;
	bool tls;
	bool is_addr; /* the host is an address, addr */
	struct ct_addr addr;
};

/*
 * http or https, a host of letters, digits, '-' and '.', or an address;
 * perhaps a port, path and query. CT_INVALID, one sentence's end in err->msg
 * ("must begin with https:// or http://"): anything else, user and password,
 * a fragment, bytes outside printable ASCII among it. Does not block: nothing
 * is resolved.
 */
enum ct_rc ct_weburl_parse(struct ct_arena *a, struct ct_str text,
    struct ct_weburl *out, struct ct_err *err) CT_MUSTCHECK;

#endif
