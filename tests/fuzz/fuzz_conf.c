/*
 * Any bytes as a configuration file. A load ends with values or with a
 * sentence, and what it took lies within the bounds of the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_STR(const char *s, int64_t min CT_UNUSED, int64_t max CT_UNUSED)
{
	if (!s)
		abort();
	free((char *)(uintptr_t)s);
}

static void
check_INT(int64_t v, int64_t min, int64_t max)
{
	if (v < min || v > max)
		abort();
}

#define check_SECRET check_STR
#define check_BOOL   check_INT

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int fd = memfd_create("conf", 0);
	struct ct_conf c;
	struct ct_err err;
	char path[32];

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ct_err_clear(&err);
	if (ct_conf_load(&c, path, &err) == CT_OK) {
#define CT_OPT(name, member, type, def, min, max, unit, help)                  \
	check_##type(c.member, min, max);
#include "common/options.def"
#undef CT_OPT
	} else if (err.msg[0] == '\0' || c.database_url) {
		abort();
	}
	close(fd);
	return 0;
}
