/* Repeats of a request get the first answer; see once.h. */
#include "fcgi/once.h"

#include "db/idempotency.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

/* The key of this request: the header, or the id that the client chose. */
static enum ct_rc
idem_key(struct ct_req *r, struct ct_str *key, struct ct_err *err)
{
	const struct ct_json *json;
	struct ct_uuid id;

	*key = (struct ct_str){0};
	if (!(r->route->flags & CT_R_IDEM))
		return CT_OK;
	if (r->idem_key.p) {
		if (r->idem_key.n > CT_IDEM_KEY_MAX || !ct_utf8_ok(r->idem_key))
			return ct_fail_field(err, "Idempotency-Key",
			    "must be at most %d characters", CT_IDEM_KEY_MAX);
		*key = r->idem_key;
		return CT_OK;
	}
	if (ct_req_json(r, &json, err) != CT_OK)
		return err->rc;
	if (ct_uuid_parse(ct_json_str(ct_json_get(json, "id")), &id)) {
		char text[CT_UUID_TEXT];

		*key = ct_str_of(
		    ct_arena_printf(r->a, "id:%s", ct_uuid_format(&id, text)));
	}
	return CT_OK;
}

static void
request_digest(struct ct_req *r, uint8_t out[CT_DIGEST])
{
	struct ct_buf b;

	ct_buf_init(&b, r->a, r->body.n + r->path.n + 16);
	ct_buf_addstr(&b, r->method_text);
	ct_buf_addc(&b, ' ');
	ct_buf_adds(&b, r->route->pattern);
	ct_buf_addc(&b, ' ');
	ct_buf_addstr(&b, r->word); /* {word}; no idempotent route has {id} */
	ct_buf_addc(&b, '\n');
	ct_buf_add(&b, &r->only_cat, sizeof(r->only_cat));
	ct_buf_addstr(&b, r->body);
	ct_digest(b.p, b.n, out);
}

/* Bump the cat that the body names, the path is about, or the default one. */
static void
replay_bump(struct ct_req *r)
{
	const struct ct_json *json;
	struct ct_uuid cat;
	struct ct_err err;

	if (ct_req_json(r, &json, &err) != CT_OK ||
	    !ct_uuid_parse(ct_json_str(ct_json_get(json, "cat_id")), &cat))
		cat = r->route->flags & CT_R_CAT ? r->id : r->cat;
	ct_req_bump(r, &cat);
}

/* The handler inside the transaction that also keeps its answer. */
static enum ct_rc
run_keyed(struct ct_req *r, struct ct_str key, struct ct_err *err)
{
	uint8_t digest[CT_DIGEST];
	struct ct_str answer;
	int64_t status;
	bool replay;

	request_digest(r, digest);
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_idem_begin(r->pg, r->a, &r->account, key, digest, &replay,
		&status, &answer, err) != CT_OK)
		return err->rc;
	if (replay) {
		ct_resp_kept(r, (int)status, answer);
		ct_resp_header(r, "Idempotent-Replayed", CT_STR("true"));
		/* The first may have died between its commit and its bump. */
		replay_bump(r);
		ct_pg_rollback(r->pg);
		return CT_OK;
	}
	if (r->route->handler(r, err) != CT_OK ||
	    ct_idem_end(r->pg, r->a, &r->account, key, r->status,
		ct_buf_str(&r->out), err) != CT_OK) {
		ct_pg_rollback(r->pg);
		return err->rc;
	}
	return ct_pg_commit(r->pg, err);
}

enum ct_rc
ct_run_once(struct ct_req *r, struct ct_err *err)
{
	struct ct_str key;

	if (idem_key(r, &key, err) != CT_OK)
		return err->rc;
	return key.p ? run_keyed(r, key, err) : r->route->handler(r, err);
}
