/*
 * Cursors of lists: any text is refused, or is the place of an entry that has
 * that very cursor.
 */
#include <stdlib.h>
#include <string.h>

#include "db/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)1 << 20);
	char *exact = malloc(n ? n : 1); /* no NUL: ASan sees an overrun */
	struct ct_entry e = {0}, again = {0};
	struct ct_str text;

	require(exact != NULL);
	if (n > 0)
		memcpy(exact, data, n);
	if (ct_entry_place((struct ct_str){exact, n}, &e.given_at, &e.id)) {
		require(e.given_at >= 0 && !ct_uuid_nil(&e.id));
		text = ct_entry_cursor(a, &e);
		require(ct_entry_place(text, &again.given_at, &again.id));
		require(again.given_at == e.given_at);
		require(ct_uuid_eq(&again.id, &e.id));
	}
	free(exact);
	ct_arena_destroy(a);
	return 0;
}
