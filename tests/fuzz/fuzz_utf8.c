/*
 * UTF-8: the verdict and the length of a plain decoder, which decodes each
 * sequence and accepts it where its shortest encoding is the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Bytes of the shortest encoding of cp, 0 where it has none. */
static size_t
shortest(uint32_t cp)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	return cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
}

/* Code points in p, or -1 where it is ill-formed. */
static long
plain_count(const uint8_t *p, size_t n)
{
	long count = 0;
	size_t len, i;
	uint32_t cp;

	for (; n > 0; p += len, n -= len, count++) {
		if (p[0] < 0x80) {
			len = 1;
			continue;
		}
		if ((p[0] & 0xe0) == 0xc0)
			len = 2;
		else if ((p[0] & 0xf0) == 0xe0)
			len = 3;
		else if ((p[0] & 0xf8) == 0xf0)
			len = 4;
		else
			return -1;
		if (len > n)
			return -1;
		cp = p[0] & (0xffU >> (len + 1));
		for (i = 1; i < len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return -1;
			cp = cp << 6 | (p[i] & 0x3f);
		}
		if (shortest(cp) != len)
			return -1;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *exact = malloc(n ? n : 1);
	struct ct_str s = {exact, n};
	long want = plain_count(data, n);

	require(exact != NULL, "memory");
	if (n > 0)
		memcpy(exact, data, n);
	require(ct_utf8_ok(s) == (want >= 0), "verdict");
	if (want >= 0)
		require(ct_utf8_len(s) == (size_t)want, "length");
	free(exact);
	return 0;
}
