/*
 * Any text as an address, a list of networks, and a URL. What is taken reads
 * the same when it is written again, and no wrapping of an address that is not
 * public makes it so.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/weburl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_addr(const struct ct_addr *a)
{
	char text[INET6_ADDRSTRLEN];
	struct ct_addr again, wrapped = {{0}};

	require(inet_ntop(AF_INET6, a->b, text, sizeof(text)) != NULL);
	require(ct_addr_parse(ct_str_of(text), &again));
	require(memcmp(a, &again, sizeof(again)) == 0);
	/* Its last four bytes as IPv4, by NAT64, 6to4 and compatible. */
	memcpy(wrapped.b + 12, a->b + 12, 4);
	require(ct_addr_kind(&wrapped) != NULL);
	memcpy(wrapped.b, "\0\x64\xff\x9b", 4);
	require(ct_addr_kind(&wrapped) != NULL);
	memset(&wrapped, 0, sizeof(wrapped));
	memcpy(wrapped.b, "\x20\x02", 2);
	memcpy(wrapped.b + 2, a->b + 12, 4);
	require(ct_addr_kind(&wrapped) != NULL);
}

static void
check_url(struct ct_arena *a, struct ct_str text)
{
	struct ct_weburl u;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_weburl_parse(a, text, &u, &err) != CT_OK) {
		require(err.rc == CT_INVALID && err.msg[0] != '\0');
		return;
	}
	require(u.host.n > 0 && u.host.n <= 253);
	require(u.port >= 1 && u.port <= 65535);
	for (size_t i = 0; i < u.host.n; i++)
		require(strchr("@/?#\\ %", u.host.p[i]) == NULL);
	if (u.is_addr)
		check_addr(&u.addr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)4 << 20);
	char *exact = malloc(n ? n : 1); /* no NUL: ASan sees an overrun */
	struct ct_str text = {exact, n};
	struct ct_nets nets;
	struct ct_addr addr;

	require(exact != NULL);
	if (n > 0)
		memcpy(exact, data, n);
	if (ct_addr_parse(text, &addr))
		check_addr(&addr);
	if (ct_nets_parse(ct_str_cstr(a, text), &nets)) {
		require(nets.n <= CT_NETS_MAX);
		for (size_t i = 0; i < nets.n; i++) {
			require(nets.row[i].bits <= 128);
			require(ct_nets_has(&nets, &nets.row[i].a));
		}
	}
	check_url(a, text);
	free(exact);
	ct_arena_destroy(a);
	return 0;
}
