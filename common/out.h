/*
 * Where bytes go: the next station of a pipeline. A station takes what it is
 * given whole, or fails; what it keeps it copies.
 */
#ifndef CT_COMMON_OUT_H
#define CT_COMMON_OUT_H

#include "common/err.h"

struct ct_out {
	enum ct_rc (*put)(
	    void *arg, const void *p, size_t n, struct ct_err *err);
	void *arg;
};

static inline enum ct_rc CT_MUSTCHECK
ct_out_put(
    const struct ct_out *out, const void *p, size_t n, struct ct_err *err)
{
	return n == 0 ? CT_OK : out->put(out->arg, p, n, err);
}

#endif
