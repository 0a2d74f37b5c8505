/*
 * Tables of contents of backups: refused, or read and written again as the
 * same; and names of backups, which tell their time.
 */
#include <stdlib.h>
#include <string.h>

#include "db/backup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
read_manifest(struct ct_arena *a, struct ct_str text)
{
	struct ct_manifest m, again;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_manifest_read(a, text, &m, &err) != CT_OK) {
		require(err.rc == CT_MALFORMED);
		return;
	}
	require(m.n <= CT_MANIFEST_TABLES && m.rows >= 0);
	require(ct_manifest_read(a, ct_manifest_write(a, &m), &again, &err) ==
		CT_OK);
	require(again.n == m.n && again.rows == m.rows &&
		again.created_us == m.created_us);
	require(ct_manifest_compare(&m, &again, &err) == CT_OK);
}

static void
read_name(const char *text)
{
	struct ct_uuid id = {{0}};
	char name[CT_STORE_NAME];
	int64_t us;

	if (!ct_backup_name_us(text, &us))
		return;
	ct_backup_name(us, &id, name);
	/* All but the last 12: they are the id's. */
	require(strlen(name) == strlen(text) &&
		memcmp(name, text, strlen(name) - 12) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)64 << 20);
	struct ct_str text = {ct_arena_dup(a, data, n), n};

	if (n < 100000)
		read_manifest(a, text);
	read_name(text.p);
	ct_arena_destroy(a);
	return 0;
}
