/* The door to libzstd; see zstd.h. */
#include "common/zstd.h"

#include <zstd.h>

#define BUFFER	   ((size_t)128 << 10)
#define WINDOW_MAX 23 /* 8 MiB: what unpacking may need at the most */

struct ct_zstd {
	struct ct_out out;
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	bool whole; /* unpacking: at the end of a frame */
	char buffer[BUFFER];
};

static void
release(void *arg)
{
	struct ct_zstd *z = arg;

	ZSTD_freeCCtx(z->pack);
	ZSTD_freeDCtx(z->unpack);
}

struct ct_zstd *
ct_zstd_new(struct ct_arena *a, int level, struct ct_out out)
{
	struct ct_zstd *z = ct_arena_alloc(a, sizeof(*z));

	z->out = out;
	z->pack = ZSTD_createCCtx();
	if (!z->pack || ZSTD_isError(ZSTD_CCtx_setParameter(
			    z->pack, ZSTD_c_compressionLevel, level)))
		ct_bug("libzstd cannot pack at level %d", level);
	ct_arena_defer(a, release, z);
	return z;
}

struct ct_zstd *
ct_unzstd_new(struct ct_arena *a, struct ct_out out)
{
	struct ct_zstd *z = ct_arena_alloc(a, sizeof(*z));

	z->out = out;
	z->unpack = ZSTD_createDCtx();
	if (!z->unpack || ZSTD_isError(ZSTD_DCtx_setParameter(
			      z->unpack, ZSTD_d_windowLogMax, WINDOW_MAX)))
		ct_bug("libzstd cannot unpack");
	ct_arena_defer(a, release, z);
	return z;
}

static enum ct_rc
failed(const char *what, size_t code, struct ct_err *err)
{
	ct_fail(err, CT_MALFORMED, "zstd", "the data cannot be %s", what);
	return ct_err_detail(err, "libzstd: %s", ZSTD_getErrorName(code));
}

/* Until the input is used up; at the end until nothing is left inside. */
static enum ct_rc
pack(struct ct_zstd *z, ZSTD_inBuffer *in, bool end, struct ct_err *err)
{
	size_t left = 0;

	do {
		ZSTD_outBuffer out = {z->buffer, sizeof(z->buffer), 0};

		left = ZSTD_compressStream2(
		    z->pack, &out, in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return failed("packed", left, err);
		if (ct_out_put(&z->out, z->buffer, out.pos, err) != CT_OK)
			return err->rc;
	} while (in->pos < in->size || (end && left > 0));
	return CT_OK;
}

static enum ct_rc
unpack(struct ct_zstd *z, ZSTD_inBuffer *in, struct ct_err *err)
{
	ZSTD_outBuffer out;

	do {
		size_t left;

		out = (ZSTD_outBuffer){z->buffer, sizeof(z->buffer), 0};
		left = ZSTD_decompressStream(z->unpack, &out, in);
		if (ZSTD_isError(left))
			return failed("unpacked", left, err);
		z->whole = left == 0;
		if (ct_out_put(&z->out, z->buffer, out.pos, err) != CT_OK)
			return err->rc;
		/* A full buffer may mean that more of it waits inside. */
	} while (in->pos < in->size || (out.pos == out.size && !z->whole));
	return CT_OK;
}

enum ct_rc
ct_zstd_put(struct ct_zstd *z, const void *p, size_t n, struct ct_err *err)
{
	ZSTD_inBuffer in = {p, n, 0};

	if (n == 0)
		return CT_OK;
	return z->pack ? pack(z, &in, false, err) : unpack(z, &in, err);
}

enum ct_rc
ct_zstd_end(struct ct_zstd *z, struct ct_err *err)
{
	ZSTD_inBuffer in = {"", 0, 0};

	if (z->pack)
		return pack(z, &in, true, err);
	if (!z->whole)
		return ct_fail(err, CT_MALFORMED, "zstd",
		    "the packed data end in the middle");
	return CT_OK;
}
