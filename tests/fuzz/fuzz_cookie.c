/*
 * Any Cookie header: what is found lies inside it, follows the name and an
 * equals sign at the start of a part, and holds no separator.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi/req.h"

#define NAME "catetube"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Without a NUL after it, so that an overrun is seen. */
static void
check(const char *p, size_t n)
{
	struct ct_str s = ct_cookie_get((struct ct_str){p, n}, NAME);
	const char *begin;

	if (!s.p)
		return;
	if (s.p < p + sizeof(NAME) || s.p + s.n > p + n)
		abort();
	if (memchr(s.p, ';', s.n) ||
	    memcmp(s.p - sizeof(NAME), NAME "=", sizeof(NAME)) != 0)
		abort();
	for (begin = s.p - sizeof(NAME); begin > p && begin[-1] != ';'; begin--)
		if (begin[-1] != ' ' && begin[-1] != '\t')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *p = malloc(n + sizeof(NAME));

	if (!p)
		abort();
	memcpy(p, NAME "=", sizeof(NAME));
	if (n > 0)
		memcpy(p + sizeof(NAME), data, n);
	/* A well-formed beginning is found, whatever follows it. */
	if (!ct_cookie_get((struct ct_str){p, n + sizeof(NAME)}, NAME).p)
		abort();
	if (n > 0)
		memmove(p, data, n);
	p = realloc(p, n ? n : 1);
	if (!p)
		abort();
	check(p, n);
	free(p);
	return 0;
}
