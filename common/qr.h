/* The door to libqrencode: a text as a QR code, drawn as SVG. */
#ifndef CT_COMMON_QR_H
#define CT_COMMON_QR_H

#include "common/err.h"
#include "common/str.h"

#define CT_QR_MAX 1200 /* bytes of the text */

/*
 * One <svg> element, black on white with the quiet zone of four modules, no
 * style attribute and no script; at most 128 KiB, on the arena. CT_TOOBIG.
 */
enum ct_rc ct_qr_svg(struct ct_arena *a, struct ct_str text, struct ct_str *out,
    struct ct_err *err) CT_MUSTCHECK;

#endif
