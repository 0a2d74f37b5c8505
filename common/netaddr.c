/* Addresses that requests may go to; see netaddr.h. */
#include "common/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TEXT_MAX     46 /* of an address, with NUL */
#define V4_BITS	     96 /* before an IPv4 address */
#define PORT_TLS     443
#define PORT_FREE    1024
#define GLOBAL_FIRST 0x20 /* 2000::/3 is all that is routed of IPv6 */
#define GLOBAL_MASK  0xe0

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/*
 * IANA's special-purpose registries, and what clouds put where it looks
 * public. Of IPv6 only what lies in 2000::/3: the rest is refused whole, v4
 * in its many wrappings (::a.b.c.d, 64:ff9b::/96), fc00::/7, fe80::/10,
 * ff00::/8 among it.
 */
static const struct {
	uint8_t b[16];
	unsigned bits;
	const char *kind;
} special[] = {
#define V4(a, b, c, d)                                                         \
	{                                                                      \
		[10] = 0xff, [11] = 0xff, a, b, c, d                           \
	}
    {V4(0, 0, 0, 0), 96 + 8, "this host's"},
    {V4(10, 0, 0, 0), 96 + 8, "private"},
    {V4(100, 64, 0, 0), 96 + 10, "private"},
    {V4(127, 0, 0, 0), 96 + 8, "loopback"},
    {V4(168, 63, 129, 16), 96 + 32, "a cloud's own"},
    {V4(169, 254, 0, 0), 96 + 16, "link-local"},
    {V4(172, 16, 0, 0), 96 + 12, "private"},
    {V4(192, 0, 0, 0), 96 + 24, "reserved"},
    {V4(192, 0, 2, 0), 96 + 24, "for documents"},
    {V4(192, 88, 99, 0), 96 + 24, "a relay's"},
    {V4(192, 168, 0, 0), 96 + 16, "private"},
    {V4(198, 18, 0, 0), 96 + 15, "for tests"},
    {V4(198, 51, 100, 0), 96 + 24, "for documents"},
    {V4(203, 0, 113, 0), 96 + 24, "for documents"},
    {V4(224, 0, 0, 0), 96 + 4, "multicast"},
    {V4(240, 0, 0, 0), 96 + 4, "reserved"},
#undef V4
    /* Teredo 2001::/32, benchmarks 2001:2::/48, ORCHID and others. */
    {{0x20, 0x01}, 23, "reserved"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "for documents"},
    {{0x20, 0x02}, 16, "IPv4 in IPv6"},
    {{0x3f, 0xff}, 20, "for documents"},
};

static bool
in_net(const struct ct_addr *a, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a->b, net, whole) != 0)
		return false;
	return rest == 0 || (a->b[whole] ^ net[whole]) >> (8 - rest) == 0;
}

bool
ct_addr_parse(struct ct_str text, struct ct_addr *out)
{
	char s[TEXT_MAX];

	if (text.n == 0 || text.n >= sizeof(s) || memchr(text.p, '\0', text.n))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET6, s, out->b) == 1)
		return true;
	memcpy(out->b, v4_prefix, sizeof(v4_prefix));
	return inet_pton(AF_INET, s, out->b + sizeof(v4_prefix)) == 1;
}

bool
ct_addr_of(
    const struct sockaddr *sa, size_t n, struct ct_addr *out, unsigned *port)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	sa_family_t family;

	if (n < offsetof(struct sockaddr, sa_family) + sizeof(family))
		return false;
	memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family),
	    sizeof(family));
	if (family == AF_INET6 && n >= sizeof(six)) {
		memcpy(&six, sa, sizeof(six));
		memcpy(out->b, &six.sin6_addr, sizeof(out->b));
		*port = ntohs(six.sin6_port);
		return true;
	}
	if (family != AF_INET || n < sizeof(four))
		return false;
	memcpy(&four, sa, sizeof(four));
	memcpy(out->b, v4_prefix, sizeof(v4_prefix));
	memcpy(out->b + sizeof(v4_prefix), &four.sin_addr, 4);
	*port = ntohs(four.sin_port);
	return true;
}

const char *
ct_addr_kind(const struct ct_addr *a)
{
	static const uint8_t loopback[16] = {[15] = 1};

	for (size_t i = 0; i < ct_countof(special); i++) {
		if (in_net(a, special[i].b, special[i].bits))
			return special[i].kind;
	}
	if (in_net(a, v4_prefix, V4_BITS) ||
	    (a->b[0] & GLOBAL_MASK) == GLOBAL_FIRST)
		return NULL;
	if (memcmp(a->b, loopback, sizeof(loopback)) == 0)
		return "loopback";
	if (a->b[0] == 0xff)
		return "multicast";
	if (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80)
		return "link-local";
	return (a->b[0] & 0xfe) == 0xfc ? "private" : "reserved";
}

static bool
has_bits_behind(const struct ct_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++) {
		if (a->b[i / 8] >> (7 - i % 8) & 1)
			return true;
	}
	return false;
}

static bool
parse_net(struct ct_str text, struct ct_addr *a, unsigned *bits)
{
	struct ct_str name = ct_str_split(&text, '/');
	int64_t n = 128, most;

	if (!ct_addr_parse(name, a))
		return false;
	most = memchr(name.p, ':', name.n) ? 128 : 32;
	if (text.p && (text.n > 3 || !ct_str_i64(text, 0, most, &n)))
		return false;
	if (text.p && most == 32)
		n += V4_BITS;
	*bits = (unsigned)n;
	return !has_bits_behind(a, *bits);
}

bool
ct_nets_parse(const char *text, struct ct_nets *out)
{
	struct ct_str rest = ct_str_of(text);

	memset(out, 0, sizeof(*out));
	if (rest.n == 0)
		return true;
	while (rest.p) {
		struct ct_str part = ct_str_trim(ct_str_split(&rest, ','));

		if (out->n == CT_NETS_MAX ||
		    !parse_net(
			part, &out->row[out->n].a, &out->row[out->n].bits))
			return false;
		out->n++;
	}
	return true;
}

bool
ct_nets_has(const struct ct_nets *nets, const struct ct_addr *a)
{
	for (size_t i = 0; i < nets->n; i++) {
		if (in_net(a, nets->row[i].a.b, nets->row[i].bits))
			return true;
	}
	return false;
}

const char *
ct_addr_refused(const struct ct_nets *nets, const struct ct_addr *a,
    unsigned port, bool tls)
{
	if (ct_nets_has(nets, a))
		return NULL;
	if (ct_addr_kind(a))
		return "is not one of the public internet";
	if (!tls)
		return "may be reached by https only";
	if (port != PORT_TLS && port < PORT_FREE)
		return "may be reached at port 443 or from 1024 on";
	return NULL;
}
