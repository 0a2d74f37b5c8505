/*
 * UUID texts: taken exactly where a plain reading takes them, and what is
 * taken is written back in lower case.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static bool
plain_check(const uint8_t *p, size_t n)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool nil = true;
	size_t i;

	if (n != sizeof(form) - 1)
		return false;
	for (i = 0; i < n; i++) {
		if (form[i] == '-' ? p[i] != '-' : !isxdigit(p[i]))
			return false;
		nil &= p[i] == '-' || p[i] == '0';
	}
	return !nil;
}

static void
check(const uint8_t *data, size_t n)
{
	char *exact = malloc(n ? n : 1), out[CT_UUID_TEXT];
	struct ct_uuid u;
	bool ok;

	require(exact != NULL, "memory");
	if (n > 0)
		memcpy(exact, data, n); /* no NUL: ASan sees an overrun */
	ok = ct_uuid_parse((struct ct_str){exact, n}, &u);
	require(ok == plain_check(data, n), "verdict");
	if (ok) {
		ct_uuid_format(&u, out);
		require(strlen(out) == n, "length");
		for (size_t i = 0; i < n; i++)
			require(out[i] == tolower(data[i]), "round trip");
	}
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char out[CT_UUID_TEXT];
	struct ct_uuid u, back;

	check(data, n);
	if (n > CT_UUID_TEXT - 1) /* longer inputs reach the length too */
		check(data, CT_UUID_TEXT - 1);
	if (n >= sizeof(u.b)) {
		memcpy(u.b, data, sizeof(u.b));
		require(ct_uuid_parse(ct_str_of(ct_uuid_format(&u, out)),
			    &back) == !ct_uuid_nil(&u),
		    "any UUID but nil reads back");
		require(ct_uuid_nil(&u) || ct_uuid_eq(&u, &back), "bytes");
	}
	return 0;
}
