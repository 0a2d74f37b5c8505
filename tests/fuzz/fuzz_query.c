/*
 * Any query string: it is bound, or every reason has a name that can be shown;
 * decoding never makes a text longer, nor one with a NUL.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi/req.h"
#include "fcgi/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct in {
	struct ct_str name;
	int64_t page, volume, at;
	struct ct_uuid cat;
	int32_t day;
	bool yes;
};
#define AT(m) offsetof(struct in, m)
static const struct ct_field rows[] = {
    {"name", CT_T_TEXT, AT(name), 0, 1, 10, NULL, NULL, NULL, ""},
    {"page", CT_T_INT, AT(page), 0, 1, 9, NULL, NULL, NULL, ""},
    {"amount_ml", CT_T_VOLUME, AT(volume), 0, 1, 500000, NULL, NULL, "mL", ""},
    {"at", CT_T_TIME, AT(at), 0, 0, 0, NULL, NULL, NULL, ""},
    {"cat_id", CT_T_UUID, AT(cat), 0, 0, 0, NULL, NULL, NULL, ""},
    {"day", CT_T_DAY, AT(day), 0, 0, 0, NULL, NULL, NULL, ""},
    {"yes", CT_T_BOOL, AT(yes), 0, 0, 0, NULL, NULL, NULL, ""},
};
static const struct ct_fields fields = CT_FIELDS("in", struct in, rows);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_error(const struct ct_err *err, enum ct_rc rc)
{
	require(err->rc == rc);
	require(rc == CT_INVALID || rc == CT_MALFORMED);
	require(ct_utf8_ok(ct_str_of(err->msg)));
	require(err->nfields <= CT_ERR_FIELDS);
	require(rc == CT_MALFORMED || err->nfields > 0);
	for (unsigned i = 0; i < err->nfields; i++) {
		require(ct_utf8_ok(ct_str_of(err->fields[i].name)));
		require(ct_utf8_ok(ct_str_of(err->fields[i].msg)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)64 << 20);
	static const struct ct_route route = {.query = &fields};
	struct ct_req r = {.a = a, .route = &route};
	struct ct_str text;
	struct in in = {0};
	struct ct_err err;
	enum ct_rc rc;
	char *exact;

	ct_err_clear(&err);
	if (n > 4096)
		n = 4096;
	exact = malloc(n ? n : 1); /* no NUL: ASan sees an overrun */
	require(exact != NULL);
	if (n > 0)
		memcpy(exact, data, n);
	r.query = (struct ct_str){exact, n};
	text = ct_url_decode(a, r.query);
	if (text.p)
		require(text.n <= n && !memchr(text.p, '\0', text.n) &&
			text.p[text.n] == '\0');
	rc = ct_req_query(&r, &in, &err);
	if (rc == CT_OK) {
		require(in.page >= 0 && in.page <= 9);
		require(!in.name.p ||
			(ct_utf8_ok(in.name) && ct_utf8_len(in.name) <= 10));
	} else {
		check_error(&err, rc);
	}
	free(exact);
	ct_arena_destroy(a);
	return 0;
}
