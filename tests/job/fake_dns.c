/*
 * A resolver that changes its mind, to be preloaded: of *.test names, those
 * that begin with "flip" lead to 127.0.0.2 and 127.0.0.3 in turn, "both" to the
 * two at once, 127.0.0.3 first. Each question is a line in the file
 * FAKE_DNS_LOG.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "127.0.0.2"
#define BAD  "127.0.0.3"

typedef int resolve_fn(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **out);

static void
note(const char *node)
{
	const char *path = getenv("FAKE_DNS_LOG");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;

	if (fd >= 0 && write(fd, node, strlen(node)) > 0)
		(void)!write(fd, "\n", 1);
	if (fd >= 0)
		close(fd);
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	static unsigned turn;
	resolve_fn *real = NULL;
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo *more;
	size_t n = node ? strlen(node) : 0;
	int rc;

	memcpy(&real, &symbol, sizeof(real));
	if (n < 5 || strcmp(node + n - 5, ".test") != 0)
		return real(node, service, hints, out);
	note(node);
	if (strncmp(node, "flip", 4) == 0)
		return real(turn++ % 2 ? BAD : GOOD, service, hints, out);
	if (strncmp(node, "both", 4) != 0)
		return EAI_NONAME;
	rc = real(BAD, service, hints, out);
	if (rc == 0 && real(GOOD, service, hints, &more) == 0)
		(*out)->ai_next = more;
	return rc;
}
