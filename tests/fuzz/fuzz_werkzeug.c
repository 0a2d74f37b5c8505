/*
 * Any stored hash: judged without a fault and within its bounds, and true only
 * where it says so in one of the two forms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/werkzeug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The cost that the text asks for, as a plain reading takes it. */
static bool
is_cheap(const char *hash)
{
	unsigned long long a = 0, b = 0, c = 0;

	if (sscanf(hash, "pbkdf2:sha256:%llu", &a) == 1)
		return a <= 64 || a > CT_PBKDF2_MAX;
	if (sscanf(hash, "scrypt:%llu:%llu:%llu", &a, &b, &c) == 3)
		return (a <= 64 && b <= 8 && c <= 4) || a > CT_SCRYPT_WORK_MAX;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *hash = malloc(n + 1);

	if (!hash)
		abort();
	if (n > 0)
		memcpy(hash, data, n);
	hash[n] = '\0';
	/* What costs time is for the unit tests. */
	if (is_cheap(hash) && ct_werkzeug_verify(CT_STR(""), hash) &&
	    strncmp(hash, "pbkdf2:sha256:", 14) != 0 &&
	    strncmp(hash, "scrypt:", 7) != 0)
		abort();
	free(hash);
	return 0;
}
