/* Webhooks: make, list, change, remove, a new secret, a test, what was sent. */
#include "common/netaddr.h"
#include "common/weburl.h"
#include "db/webhook.h"
#include "fcgi/h_entry.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define ALL_EVENTS 31

/*
 * What can be told without asking a name server. The worker looks again, at the
 * very address that it connects to.
 */
static enum ct_rc
check_url(const struct ct_req *r, struct ct_str url, struct ct_err *err)
{
	struct ct_weburl u;
	struct ct_nets nets;
	struct ct_err why;
	const char *no;

	ct_err_clear(&why);
	if (!ct_nets_parse(r->app->conf->webhook_private, &nets))
		ct_bug("CATETUBE_WEBHOOK_PRIVATE was not judged");
	if (ct_weburl_parse(r->a, url, &u, &why) != CT_OK)
		return ct_fail_field(err, "url", "%s", why.msg);
	if (!u.tls && nets.n == 0)
		return ct_fail_field(err, "url", "must begin with https://");
	no = u.is_addr ? ct_addr_refused(&nets, &u.addr, u.port, u.tls) : NULL;
	if (no)
		return ct_fail_field(
		    err, "url", "names an address that %s", no);
	return CT_OK;
}

static void
write_webhook(const struct ct_webhook *h, struct ct_jw *w)
{
	ct_jw_obj(w);
	ct_fields_write(&ct_webhook_fields, h, w);
	ct_jw_end(w);
}

/* {"message", "secret" if it is to be shown, "data"} */
static void
answer(struct ct_req *r, int status, const char *text,
    const struct ct_webhook *h, bool with_secret)
{
	struct ct_jw *w = ct_resp_json(r, status);
	uint8_t secret[CT_KEY];

	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, text);
	if (with_secret) {
		ct_webhook_secret(r->app->conf, &h->key, secret);
		ct_jw_key(w, "secret");
		ct_jw_str(w, ct_webhook_secret_text(r->a, secret));
		ct_wipe(secret, sizeof(secret));
	}
	ct_jw_key(w, "data");
	write_webhook(h, w);
	ct_jw_end(w);
}

CT_HANDLER(h_webhook_list)
{
	struct ct_webhook *h;
	struct ct_jw *w;
	int n;

	if (ct_webhook_list(r->pg, r->a, &r->account, &h, &n, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "webhooks");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++)
		write_webhook(&h[i], w);
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_webhook_add)
{
	struct ct_webhook h;
	uint64_t seen;

	ct_fields_clear(&ct_webhook_fields, &h);
	h.events = ALL_EVENTS;
	h.enabled = true;
	if (ct_req_bind(r, CT_BIND_CREATE, &h, &seen, err) != CT_OK ||
	    check_url(r, h.url, err) != CT_OK ||
	    ct_req_cat(r, &h.cat, err) != CT_OK)
		return err->rc;
	h.id = ct_uuid_new();
	h.key = ct_uuid_new();
	if (ct_webhook_add(r->pg, r->a, &r->account, r->app->conf->webhooks_max,
		&h, err) != CT_OK)
		return err->rc;
	answer(r, 201, "Keep the secret: it is not shown again", &h, true);
	return CT_OK;
}

CT_HANDLER(h_webhook_get)
{
	struct ct_webhook h;

	if (ct_webhook_get(r->pg, r->a, &r->account, &r->id, &h, err) != CT_OK)
		return err->rc;
	write_webhook(&h, ct_resp_json(r, 200));
	return CT_OK;
}

CT_HANDLER(h_webhook_patch)
{
	struct ct_webhook h;
	uint64_t seen;

	if (ct_webhook_get(r->pg, r->a, &r->account, &r->id, &h, err) !=
		CT_OK ||
	    ct_req_bind(r, CT_BIND_PATCH, &h, &seen, err) != CT_OK ||
	    check_url(r, h.url, err) != CT_OK ||
	    ct_webhook_update(r->pg, r->a, &r->account, &h, err) != CT_OK)
		return err->rc;
	answer(r, 200, "Changed", &h, false);
	return CT_OK;
}

CT_HANDLER(h_webhook_remove)
{
	if (ct_webhook_remove(r->pg, r->a, &r->account, &r->id, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "Webhook removed");
	return CT_OK;
}

CT_HANDLER(h_webhook_secret)
{
	struct ct_webhook h;

	if (ct_webhook_get(r->pg, r->a, &r->account, &r->id, &h, err) != CT_OK)
		return err->rc;
	h.key = ct_uuid_new();
	if (ct_webhook_update(r->pg, r->a, &r->account, &h, err) != CT_OK)
		return err->rc;
	answer(r, 200, "Keep the secret: it is not shown again", &h, true);
	return CT_OK;
}

CT_HANDLER(h_webhook_test)
{
	struct ct_uuid delivery;
	struct ct_jw *w;

	if (ct_webhook_test(r->pg, r->a, &r->account, &r->id, &delivery, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 202);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "A test is on its way");
	ct_jw_key(w, "delivery_id");
	ct_jw_uuid(w, &delivery);
	ct_jw_end(w);
	return CT_OK;
}

CT_HANDLER(h_webhook_deliveries)
{
	struct ct_delivery *d;
	struct ct_jw *w;
	int n;

	if (ct_delivery_list(r->pg, r->a, &r->account, &r->id, &d, &n, err) !=
	    CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "deliveries");
	ct_jw_arr(w);
	for (int i = 0; i < n; i++) {
		ct_jw_obj(w);
		ct_fields_write(&ct_delivery_fields, &d[i], w);
		ct_jw_key(w, "type");
		ct_jw_cstr(w, ct_webhook_event_name(d[i].event));
		ct_jw_end(w);
	}
	ct_jw_end(w);
	ct_jw_end(w);
	return CT_OK;
}
