/*
 * A port of 127.0.0.1 for a server that starts later. Not one of those that the
 * kernel hands out, or a connection somewhere on the host may take it
 * meanwhile.
 */
#ifndef CT_TESTS_SUPPORT_PORT_H
#define CT_TESTS_SUPPORT_PORT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/crypto.h"

static inline int
ct_free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd, bad;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	do {
		in.sin_port = htons((uint16_t)(20000 + ct_random_below(12000)));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			ct_bug("no socket");
		bad = bind(fd, (struct sockaddr *)&in, sizeof(in));
		close(fd);
	} while (bad != 0);
	return ntohs(in.sin_port);
}

#endif
