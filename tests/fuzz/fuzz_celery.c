/*
 * Any bytes as a message: what is taken can be sent again, and what is sent
 * again is the same job, one try later, with the same body.
 */
#include <stdlib.h>

#include "common/celery.h"
#include "common/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)256 << 20);
	struct ct_str raw = {(const char *)data, n};
	struct ct_msg m, again;
	struct ct_msg_body body;
	struct ct_str text;
	struct ct_err err;

	ct_crypto_init();
	ct_err_clear(&err);
	if (ct_msg_parse(a, raw, &m, &err) == CT_OK) {
		if (m.task.n == 0 || m.id.n == 0 || m.retries < 0)
			abort();
		/* The copy may be longer than what is allowed. */
		if (ct_msg_parse(a, ct_msg_again(a, &m), &again, &err) ==
		    CT_OK) {
			if (again.retries != m.retries + 1 ||
			    again.eta_ms != m.eta_ms ||
			    !ct_str_eq(again.id, m.id) ||
			    !ct_str_eq(again.body, m.body))
				abort();
		} else if (n < CT_MSG_MAX / 8 && m.retries < 1000000) {
			abort();
		}
		if (n < CT_MSG_MAX / 8 &&
		    (ct_msg_parse(a, ct_msg_anew(a, &m), &again, &err) !=
			    CT_OK ||
			again.retries != 0 || !ct_str_eq(again.id, m.id)))
			abort();
		if (ct_msg_body(a, m.body, m.base64, &body, &err) == CT_OK &&
		    body.kwargs != NULL &&
		    ct_json_type(body.kwargs) != CT_JSON_OBJECT)
			abort();
	}
	text = ct_exception_text(a, raw);
	if (text.n > CT_ERROR_MAX || !ct_utf8_ok(text))
		abort();
	ct_arena_destroy(a);
	return 0;
}
