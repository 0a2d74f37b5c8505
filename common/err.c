/*
 * Filling struct ct_err, the names of the return codes, and the end of a
 * process whose invariants are broken.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"

static const char *const rc_names[CT_RC_COUNT] = {
    [CT_OK] = "ok",
    [CT_INVALID] = "invalid",
    [CT_MALFORMED] = "malformed",
    [CT_UNAUTH] = "unauthorized",
    [CT_FORBIDDEN] = "forbidden",
    [CT_NOTFOUND] = "not_found",
    [CT_CONFLICT] = "conflict",
    [CT_TOOBIG] = "too_big",
    [CT_LIMITED] = "rate_limited",
    [CT_GONE_CLIENT] = "client_gone",
    [CT_RETRY] = "unavailable",
    [CT_INTERNAL] = "internal",
};

const char *
ct_rc_name(enum ct_rc rc)
{
	if ((unsigned)rc >= CT_RC_COUNT)
		ct_bug("return code %d", (int)rc);
	return rc_names[rc];
}

static void put(char *out, size_t cap, const char *fmt, va_list ap)
    CT_PRINTF(3, 0);
static void put_text(char *out, size_t cap, const char *fmt, ...)
    CT_PRINTF(3, 4);

/* vsnprintf that never leaves half a UTF-8 sequence where it cuts. */
static void
put(char *out, size_t cap, const char *fmt, va_list ap)
{
	size_t n, lead;

	n = ct_size(vsnprintf(out, cap, fmt, ap));
	if (n < cap)
		return;
	n = cap - 1;
	for (lead = n; lead > 0 && n - lead < 4; lead--)
		if (((unsigned char)out[lead - 1] & 0xc0) != 0x80)
			break;
	if (lead > 0 &&
	    !ct_utf8_ok((struct ct_str){out + lead - 1, n - lead + 1}))
		out[lead - 1] = '\0';
}

static void
put_text(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(out, cap, fmt, ap);
	va_end(ap);
}

void
ct_err_clear(struct ct_err *err)
{
	err->rc = CT_OK;
	err->code[0] = '\0';
	err->msg[0] = '\0';
	err->detail[0] = '\0';
	err->nfields = 0;
}

enum ct_rc
ct_fail(
    struct ct_err *err, enum ct_rc rc, const char *code, const char *fmt, ...)
{
	va_list ap;

	ct_err_clear(err);
	err->rc = rc;
	snprintf(
	    err->code, sizeof(err->code), "%s", code ? code : ct_rc_name(rc));
	va_start(ap, fmt);
	put(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return rc;
}

enum ct_rc
ct_fail_field(struct ct_err *err, const char *field, const char *fmt, ...)
{
	struct ct_err_field *f;
	va_list ap;

	if (err->nfields == 0)
		(void)ct_fail(
		    err, CT_INVALID, "invalid", "Some fields are not valid.");
	if (err->nfields == CT_ERR_FIELDS)
		return CT_INVALID;
	f = &err->fields[err->nfields++];
	put_text(f->name, sizeof(f->name), "%s", field);
	va_start(ap, fmt);
	put(f->msg, sizeof(f->msg), fmt, ap);
	va_end(ap);
	return CT_INVALID;
}

enum ct_rc
ct_err_detail(struct ct_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	return err->rc;
}

void
ct_bug_at(const char *file, int line, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	ct_log(CT_ERROR, "bug", "%s:%d: %s", file, line, msg);
	abort();
}
