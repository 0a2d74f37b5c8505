/*
 * Addresses that a request of ours may go to when a stranger said where: a
 * table of ranges that are nobody's business, and a list of networks that the
 * operator allows all the same. Pure: nothing here resolves or connects.
 */
#ifndef CT_COMMON_NETADDR_H
#define CT_COMMON_NETADDR_H

#include "common/str.h"

struct sockaddr;

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. */
struct ct_addr {
	uint8_t b[16];
};

/* Networks, as CATETUBE_WEBHOOK_PRIVATE has them. */
#define CT_NETS_MAX 32
struct ct_nets {
	struct {
		struct ct_addr a;
		unsigned bits; /* of 128 */
	} row[CT_NETS_MAX];
	size_t n;
};

/* "192.0.2.1" or "2001:db8::1", without brackets or zone; false: neither. */
bool ct_addr_parse(struct ct_str text, struct ct_addr *out);
/*
 * What a socket is to be connected to; n: bytes at sa. False: another family,
 * or cut short.
 */
bool ct_addr_of(
    const struct sockaddr *sa, size_t n, struct ct_addr *out, unsigned *port);
/*
 * NULL: an address of the public internet. Else a word for what it is:
 * "private", "loopback", "link-local"...
 */
const char *ct_addr_kind(const struct ct_addr *a);

/*
 * "10.0.0.0/8, fd00::/8, 192.168.1.5": commas between, a plain address is a
 * network of one, empty is none. False: a part is none, has bits behind its
 * length, or there are more than CT_NETS_MAX.
 */
bool ct_nets_parse(const char *text, struct ct_nets *out);
bool ct_nets_has(const struct ct_nets *nets, const struct ct_addr *a);

/*
 * May a request go there? In an allowed network: at any port, also without
 * TLS. Elsewhere: to public addresses, with TLS, at port 443 or from 1024 on.
 * NULL: it may; else why not, as the end of "its address ".
 */
const char *ct_addr_refused(const struct ct_nets *nets, const struct ct_addr *a,
    unsigned port, bool tls);

#endif
