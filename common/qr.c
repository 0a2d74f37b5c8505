/* QR codes; see qr.h. */
#include "common/qr.h"

#include <qrencode.h>

#define QUIET 4 /* modules that stay white around the code */

/* Each row as runs of black modules. */
static void
draw(struct ct_buf *b, const unsigned char *module, int width)
{
	for (int y = 0; y < width; y++) {
		for (int x = 0, from; x < width; x++) {
			for (from = x; x < width && module[y * width + x] & 1;)
				x++;
			if (x > from)
				ct_buf_addf(b, "M%d %dh%dv1h-%dz", from + QUIET,
				    y + QUIET, x - from, x - from);
		}
	}
}

enum ct_rc
ct_qr_svg(struct ct_arena *a, struct ct_str text, struct ct_str *out,
    struct ct_err *err)
{
	struct ct_buf b;
	QRcode *code;
	int side;

	if (text.n == 0 || text.n > CT_QR_MAX)
		return ct_fail(err, CT_TOOBIG, NULL, "No QR code holds that.");
	code = QRcode_encodeData(
	    ct_int(text.n), (const unsigned char *)text.p, 0, QR_ECLEVEL_M);
	if (!code)
		ct_bug("no QR code of %zu bytes", text.n);
	side = code->width + 2 * QUIET;
	ct_buf_init(&b, a, 16 * 1024);
	ct_buf_addf(&b,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
	    "shape-rendering=\"crispEdges\"><path fill=\"#fff\" "
	    "d=\"M0 0h%dv%dh-%dz\"/><path d=\"",
	    side, side, side, side, side);
	draw(&b, code->data, code->width);
	ct_buf_adds(&b, "\"/></svg>");
	QRcode_free(code);
	*out = ct_buf_str(&b);
	return CT_OK;
}
