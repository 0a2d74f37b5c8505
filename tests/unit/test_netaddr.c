/*
 * Addresses that requests may go to: both ends of every special range and their
 * neighbours, IPv4 in IPv6, the operator's networks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/netaddr.h"

static struct ct_addr
addr(const char *text)
{
	struct ct_addr a;

	if (!ct_addr_parse(ct_str_of(text), &a))
		fail_msg("%s is an address", text);
	return a;
}

static void
is_public(void **state)
{
	static const char *const yes[] = {"1.0.0.0", "9.255.255.255",
	    "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
	    "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255",
	    "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
	    "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
	    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
	    "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
	    "223.255.255.255", "8.8.8.8", "::ffff:8.8.8.8",
	    "2001:200::", "2001:4860:4860::8888",
	    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2001:db9::", "2003::", "2a00::1",
	    "3ffe:ffff::", "3fff:1000::", "2000::"};

	(void)state;
	for (size_t i = 0; i < ct_countof(yes); i++) {
		struct ct_addr a = addr(yes[i]);

		if (ct_addr_kind(&a))
			fail_msg("%s is %s", yes[i], ct_addr_kind(&a));
	}
}

static void
is_not_public(void **state)
{
	static const char *const no[] = {"0.0.0.0", "0.255.255.255", "10.0.0.0",
	    "10.255.255.255", "100.64.0.0", "100.100.100.200",
	    "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255",
	    "168.63.129.16", "169.254.0.0", "169.254.169.254",
	    "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0",
	    "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255",
	    "192.88.99.0", "192.88.99.255", "192.168.0.0", "192.168.255.255",
	    "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
	    "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255",
	    "240.0.0.0", "255.255.255.255",
	    /* IPv6, and IPv4 wrapped in it */
	    "::", "::1", "::2", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1",
	    "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::ffff:0:8.8.8.8",
	    "64:ff9b::8.8.8.8", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1",
	    "1fff:ffff::", "2001::", "2001:0:a00:1::1", "2001:2::1",
	    "2001:10::1", "2001:1ff:ffff::", "2001:db8::",
	    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2002::", "2002:7f00:1::1", "2002:ffff:ffff::", "3fff::",
	    "3fff:fff:ffff::", "4000::", "5f00::1",
	    "fbff::", "fc00::", "fd00:ec2::254",
	    "fdff:ffff::", "fe00::", "fe7f::", "fe80::1",
	    "febf:ffff::", "fec0::1", "feff::", "ff00::", "ff02::1",
	    "ffff:ffff::"};

	(void)state;
	for (size_t i = 0; i < ct_countof(no); i++) {
		struct ct_addr a = addr(no[i]);

		if (!ct_addr_kind(&a))
			fail_msg("%s is taken for public", no[i]);
	}
}

/* Every /8 of IPv4 and every first byte of IPv6, as the registries have it. */
static void
whole_space(void **state)
{
	struct ct_addr a;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		bool closed = i == 0 || i == 10 || i == 127 || i >= 224;

		memset(&a, 0, sizeof(a));
		a.b[10] = a.b[11] = 0xff;
		a.b[12] = (uint8_t)i;
		a.b[13] = 200;
		assert_int_equal(ct_addr_kind(&a) != NULL, closed);
		memset(&a, 0xee, sizeof(a));
		a.b[0] = (uint8_t)i;
		assert_int_equal(
		    ct_addr_kind(&a) == NULL, i >= 0x20 && i <= 0x3f);
	}
}

static void
kinds(void **state)
{
	static const struct {
		const char *text, *kind;
	} table[] = {{"127.0.0.1", "loopback"}, {"::1", "loopback"},
	    {"::ffff:127.0.0.1", "loopback"}, {"10.0.0.1", "private"},
	    {"fd00::1", "private"}, {"fe80::1", "link-local"},
	    {"169.254.169.254", "link-local"}, {"ff02::1", "multicast"},
	    {"224.0.0.1", "multicast"}, {"2002::1", "IPv4 in IPv6"},
	    {"64:ff9b::1", "reserved"}};

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_addr a = addr(table[i].text);

		assert_string_equal(ct_addr_kind(&a), table[i].kind);
	}
}

static void
texts(void **state)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5",
	    "256.1.1.1", "01.2.3.4", "0x7f.0.0.1", "2130706433", "1.2.3.4 ",
	    " 1.2.3.4", "[::1]", "fe80::1%eth0", "::g", "example.org",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999",
	    "0000:0000:0000:0000:0000:ffff:255.255.255.255.255"};
	struct ct_addr a, b;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		if (ct_addr_parse(ct_str_of(bad[i]), &a))
			fail_msg("\"%s\" is no address", bad[i]);
	}
	assert_false(ct_addr_parse((struct ct_str){"1.2.3.4\0.5", 10}, &a));
	a = addr("::ffff:1.2.3.4");
	b = addr("1.2.3.4");
	assert_memory_equal(&a, &b, sizeof(a));
	/* Not terminated: no byte behind it is read. */
	assert_true(ct_addr_parse((struct ct_str){"1.2.3.45", 7}, &b));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void
sockets(void **state)
{
	struct sockaddr_in four = {
	    .sin_family = AF_INET, .sin_port = htons(8443)};
	struct sockaddr_in6 six = {
	    .sin6_family = AF_INET6, .sin6_port = htons(443)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct ct_addr a, b = addr("192.168.1.2");
	unsigned port;

	(void)state;
	inet_pton(AF_INET, "192.168.1.2", &four.sin_addr);
	assert_true(ct_addr_of(
	    (const struct sockaddr *)&four, sizeof(four), &a, &port));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(port, 8443);
	inet_pton(AF_INET6, "::ffff:192.168.1.2", &six.sin6_addr);
	assert_true(
	    ct_addr_of((const struct sockaddr *)&six, sizeof(six), &a, &port));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(port, 443);
	assert_false(
	    ct_addr_of((const struct sockaddr *)&un, sizeof(un), &a, &port));
	for (size_t n = 0; n < sizeof(six); n++)
		assert_false(
		    ct_addr_of((const struct sockaddr *)&six, n, &a, &port));
	for (size_t n = 0; n < sizeof(four); n++)
		assert_false(
		    ct_addr_of((const struct sockaddr *)&four, n, &a, &port));
}

static void
networks(void **state)
{
	static const char *const bad[] = {",", "10.0.0.0/8,", "10.0.0.0/33",
	    "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.1/8",
	    "fd00::/129", "fd00::1/8", "example.org", "10.0.0.0/8 fd00::/8",
	    "10.0.0.0/0008", "[fd00::]/8"};
	struct ct_nets nets;
	struct ct_addr a;
	struct ct_arena *mem = ct_arena_create(1 << 16);
	struct ct_buf many;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		if (ct_nets_parse(bad[i], &nets))
			fail_msg("\"%s\" is no list of networks", bad[i]);
	}
	assert_true(ct_nets_parse("", &nets));
	assert_int_equal(nets.n, 0);
	a = addr("10.0.0.1");
	assert_false(ct_nets_has(&nets, &a));
	assert_true(ct_nets_parse(
	    " 10.1.0.0/16 ,fd00::/8,192.168.1.5, 172.16.0.0/13", &nets));
	assert_int_equal(nets.n, 4);
	static const struct {
		const char *text;
		bool in;
	} table[] = {{"10.1.255.255", true}, {"10.2.0.0", false},
	    {"10.0.255.255", false}, {"fdff::1", true}, {"fc00::1", false},
	    {"192.168.1.5", true}, {"192.168.1.4", false},
	    {"::ffff:192.168.1.5", true}, {"172.16.0.0", true},
	    {"172.23.255.255", true}, {"172.24.0.0", false}};
	for (size_t i = 0; i < ct_countof(table); i++) {
		a = addr(table[i].text);
		if (ct_nets_has(&nets, &a) != table[i].in)
			fail_msg("%s", table[i].text);
	}
	/* Of IPv6, all of it: IPv4 is within. */
	assert_true(ct_nets_parse("::/0", &nets));
	assert_true(ct_nets_has(&nets, &a));
	assert_true(ct_nets_parse("0.0.0.0/0", &nets));
	assert_true(ct_nets_has(&nets, &a));
	a = addr("::1");
	assert_false(ct_nets_has(&nets, &a));
	ct_buf_init(&many, mem, 512);
	for (int i = 0; i < CT_NETS_MAX; i++)
		ct_buf_adds(&many, i ? ",1.2.3.4" : "1.2.3.4");
	assert_true(ct_nets_parse(ct_str_cstr(mem, ct_buf_str(&many)), &nets));
	ct_buf_adds(&many, ",1.2.3.4");
	assert_false(ct_nets_parse(ct_str_cstr(mem, ct_buf_str(&many)), &nets));
	ct_arena_destroy(mem);
}

static void
refusals(void **state)
{
	static const struct {
		const char *text;
		unsigned port;
		bool tls, may;
	} table[] = {{"8.8.8.8", 443, true, true},
	    {"8.8.8.8", 1024, true, true}, {"8.8.8.8", 65535, true, true},
	    {"8.8.8.8", 1023, true, false}, {"8.8.8.8", 25, true, false},
	    {"8.8.8.8", 0, true, false}, {"8.8.8.8", 443, false, false},
	    {"8.8.8.8", 8080, false, false}, {"127.0.0.1", 443, true, false},
	    {"192.168.1.5", 443, true, true}, {"192.168.1.5", 80, false, true},
	    {"192.168.1.5", 25, false, true}, {"192.168.1.6", 443, true, false},
	    {"::1", 443, true, false}};
	struct ct_nets nets;

	(void)state;
	assert_true(ct_nets_parse("192.168.1.5", &nets));
	for (size_t i = 0; i < ct_countof(table); i++) {
		struct ct_addr a = addr(table[i].text);

		if (!ct_addr_refused(&nets, &a, table[i].port, table[i].tls) !=
		    table[i].may)
			fail_msg("%s port %u", table[i].text, table[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_public),
	    cmocka_unit_test(is_not_public),
	    cmocka_unit_test(whole_space),
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(sockets),
	    cmocka_unit_test(networks),
	    cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
