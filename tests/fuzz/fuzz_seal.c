/*
 * Sealed files. The first byte chooses: the rest is a file as it stands, or a
 * text that is sealed and then damaged as the next bytes say. Whatever comes
 * out must be the beginning of the text, and all of it only where nothing was
 * damaged.
 */
#include <stdlib.h>
#include <string.h>

#include "common/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t key[CT_KEY] = {7};

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static enum ct_rc
collect(void *arg, const void *p, size_t n, struct ct_err *err)
{
	(void)err;
	ct_buf_add(arg, p, n);
	return CT_OK;
}

/* piece: how many bytes at a time. */
static enum ct_rc
unseal(struct ct_arena *a, struct ct_str file, size_t piece, struct ct_buf *out)
{
	struct ct_unsealer *u =
	    ct_unsealer_new(a, key, "f", (struct ct_out){collect, out});
	struct ct_err err;

	ct_err_clear(&err);
	for (size_t i = 0; i < file.n; i += piece) {
		size_t n = file.n - i < piece ? file.n - i : piece;

		if (ct_unsealer_put(u, file.p + i, n, &err) != CT_OK) {
			require(err.rc == CT_MALFORMED && err.msg[0]);
			return err.rc;
		}
	}
	return ct_unsealer_end(u, &err);
}

static void
damaged(struct ct_arena *a, const uint8_t *how, struct ct_str text)
{
	/* A long text, so that there are several chunks. */
	size_t times = how[0] % 16 ? 1 : 150000 / (text.n + 1) + 1;
	struct ct_buf plain, file, out;
	struct ct_sealer *s;
	struct ct_err err;
	enum ct_rc rc;
	size_t at;

	ct_err_clear(&err);
	ct_buf_init(&plain, a, text.n * times + 1);
	ct_buf_init(&file, a, text.n * times + 4096);
	ct_buf_init(&out, a, text.n * times + 1);
	for (size_t i = 0; i < times; i++)
		ct_buf_addstr(&plain, text);
	s = ct_sealer_new(a, key, 1, (struct ct_out){collect, &file});
	require(ct_sealer_put(s, plain.p, plain.n, &err) == CT_OK &&
		ct_sealer_end(s, &err) == CT_OK);
	at = ((size_t)how[1] << 16 | (size_t)how[2] << 8 | how[3]) % file.n;
	if (how[0] & 32)
		file.n = at;
	else if (how[4])
		file.p[at] ^= (char)how[4];
	rc = unseal(a, ct_buf_str(&file), how[5] ? how[5] : 70000, &out);
	require((rc == CT_OK) == (!(how[0] & 32) && !how[4]));
	require(out.n <= plain.n && memcmp(out.p, plain.p, out.n) == 0);
	require(rc != CT_OK || out.n == plain.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool ready;
	struct ct_arena *a;
	struct ct_buf out;

	if (!ready)
		ct_crypto_init();
	ready = true;
	if (n < 8)
		return 0;
	a = ct_arena_create((size_t)64 << 20);
	if (data[0] & 1) {
		ct_buf_init(&out, a, n + 16);
		require(
		    unseal(a, (struct ct_str){(const char *)data + 1, n - 1},
			4096, &out) != CT_OK);
		require(out.n == 0);
	} else {
		damaged(a, data + 1,
		    (struct ct_str){(const char *)data + 7, n - 7});
	}
	ct_arena_destroy(a);
	return 0;
}
