/* The gates that need no store: path, method, origin, type; see gate.h. */
#include "fcgi/gate.h"
#include "fcgi/resp.h"
#include "fcgi/route.h"

static bool
origin_allowed(const struct ct_req *r)
{
	struct ct_str rest = ct_str_of(r->app->conf->cors_origins);

	if (ct_str_is(r->origin, r->app->conf->origin))
		return true;
	while (rest.p) {
		struct ct_str one = ct_str_trim(ct_str_split(&rest, ','));

		if (one.n > 0 && ct_str_eq(one, r->origin))
			return true;
	}
	return false;
}

/*
 * Who may send a request that changes something with the browser's cookie: our
 * own pages and listed origins. A browser always sends Origin with those, so
 * its absence beside a cookie is refused too.
 */
static enum ct_rc
check_origin(const struct ct_req *r, struct ct_err *err)
{
	bool ok;

	if (r->origin.p)
		ok = origin_allowed(r);
	else if (r->fetch_site.p)
		ok = ct_str_is(r->fetch_site, "same-origin");
	else
		ok = !(r->by_cookie && r->has_token);
	if (ok)
		return CT_OK;
	return ct_fail(err, CT_FORBIDDEN, "origin",
	    "This request does not come from an allowed origin; send the "
	    "Origin header of the service.");
}

static enum ct_rc
check_type(const struct ct_req *r, struct ct_err *err)
{
	struct ct_str rest = r->content_type;
	struct ct_str type, charset;

	if (r->body.n == 0 && r->body_left == 0)
		return CT_OK;
	type = ct_str_trim(ct_str_split(&rest, ';'));
	charset = ct_str_trim(rest);
	if (r->route->flags & CT_R_UPLOAD) {
		/* The second one is what browsers on Windows say. */
		if (ct_str_ieq(type, "application/zip") ||
		    ct_str_ieq(type, "application/x-zip-compressed"))
			return CT_OK;
		return ct_fail(err, CT_INVALID, "media_type",
		    "Send the body as application/zip.");
	}
	if (ct_str_ieq(type, "application/json") &&
	    (charset.n == 0 || ct_str_ieq(charset, "charset=utf-8")))
		return CT_OK;
	return ct_fail(err, CT_INVALID, "media_type",
	    "Send the body as application/json.");
}

static enum ct_rc
check_size(const struct ct_req *r, struct ct_err *err)
{
	if (!(r->route->flags & CT_R_UPLOAD) && r->body_left > 0)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "The body is larger than %d KiB.", CT_BODY_MAX / 1024);
	if (r->body_left > CT_UPLOAD_MAX)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "The body is larger than %d MiB.",
		    (int)(CT_UPLOAD_MAX >> 20));
	return CT_OK;
}

static bool
is_local(const struct ct_req *r)
{
	struct ct_str rest = ct_str_of(r->app->conf->metrics_allow);

	while (rest.p) {
		struct ct_str one = ct_str_trim(ct_str_split(&rest, ','));

		if (one.n > 0 && ct_str_eq(one, r->addr))
			return true;
	}
	return false;
}

static void
preflight(struct ct_req *r)
{
	ct_resp_raw(r, 204, "");
	ct_resp_header(r, "Allow", ct_route_allow(r->a, r->allow));
	if (!r->cors_method.p || !r->origin.p || !origin_allowed(r))
		return;
	ct_resp_header(
	    r, "Access-Control-Allow-Methods", ct_route_allow(r->a, r->allow));
	ct_resp_header(r, "Access-Control-Allow-Headers",
	    CT_STR("Content-Type, Authorization, Idempotency-Key, If-Match, "
		   "If-None-Match"));
	ct_resp_header(r, "Access-Control-Max-Age", CT_STR("600"));
}

static enum ct_rc
check_open(struct ct_req *r, struct ct_err *err)
{
	if (ct_route_find(r, err) != CT_OK) {
		if (r->allow)
			ct_resp_header(
			    r, "Allow", ct_route_allow(r->a, r->allow));
		return err->rc;
	}
	if (r->route->who == CT_W_LOCAL && !is_local(r))
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is nothing here.");
	if (r->method != CT_GET && check_origin(r, err) != CT_OK)
		return err->rc;
	return check_size(r, err) == CT_OK ? check_type(r, err) : err->rc;
}

bool
ct_gate_open(struct ct_req *r)
{
	ct_err_clear(&r->err);
	if (check_open(r, &r->err) == CT_OK)
		return false;
	if (r->method == CT_OPTIONS && r->allow) {
		ct_err_clear(&r->err);
		r->headers = (struct ct_buf){0};
		preflight(r);
	} else {
		ct_resp_error(r, &r->err);
	}
	return true;
}
