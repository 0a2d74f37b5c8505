/* The door to libcurl's URL parser; see weburl.h. */
#include "common/weburl.h"

#include <curl/urlapi.h>
#include <string.h>

#define HOST_MAX 253

static enum ct_rc
refuse(struct ct_err *err, const char *what)
{
	return ct_fail(err, CT_INVALID, "url", "%s", what);
}

/* Blanks, controls, bytes of other scripts, and what some read as '/'. */
static bool
is_plain(struct ct_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '\\')
			return false;
	}
	return true;
}

/* libcurl also takes one slash, three, and a host in percent signs. */
static bool
scheme_of(struct ct_str s, bool *tls)
{
	const struct ct_str secure = CT_STR("https://");
	const struct ct_str open = CT_STR("http://");
	size_t n;

	*tls = ct_str_starts(s, secure);
	if (!*tls && !ct_str_starts(s, open))
		return false;
	n = *tls ? secure.n : open.n;
	if (s.n == n || s.p[n] == '/')
		return false;
	while (n < s.n && !strchr("/?#%", s.p[n]))
		n++;
	return n == s.n || s.p[n] != '%';
}

static void
close_url(void *u)
{
	curl_url_cleanup(u);
}

static void
free_text(void *p)
{
	curl_free(p);
}

/* A part of the address; absent: it has none. */
static struct ct_str
part(struct ct_arena *a, CURLU *u, CURLUPart what, unsigned flags)
{
	char *p = NULL;

	if (curl_url_get(u, what, &p, flags) != CURLUE_OK)
		return (struct ct_str){0};
	ct_arena_defer(a, free_text, p);
	return ct_str_of(p);
}

static bool
is_name(struct ct_str s)
{
	static const char taken[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";

	if (s.n == 0 || s.n > HOST_MAX || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!memchr(taken, s.p[i], sizeof(taken) - 1) ||
		    (s.p[i] == '.' && i > 0 && s.p[i - 1] == '.'))
			return false;
	}
	return true;
}

static enum ct_rc
read_host(struct ct_arena *a, struct ct_str host, struct ct_weburl *out,
    struct ct_err *err)
{
	char *p;

	if (!host.p)
		return refuse(err, "must name a host, such as example.org");
	p = ct_arena_dup(a, host.p, host.n);
	for (size_t i = 0; i < host.n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	}
	out->host = (struct ct_str){p, host.n};
	if (host.n > 2 && p[0] == '[' && p[host.n - 1] == ']')
		out->host = (struct ct_str){p + 1, host.n - 2};
	out->is_addr = ct_addr_parse(out->host, &out->addr);
	if (out->is_addr || (p[0] != '[' && is_name(out->host)))
		return CT_OK;
	return refuse(err, "must name a host, such as example.org");
}

static enum ct_rc
read_port(struct ct_str port, struct ct_weburl *out, struct ct_err *err)
{
	int64_t n;

	if (!ct_str_i64(port, 1, 65535, &n))
		return refuse(err, "must have a port from 1 to 65535, or none");
	out->port = (unsigned)n;
	return CT_OK;
}

enum ct_rc
ct_weburl_parse(struct ct_arena *a, struct ct_str text, struct ct_weburl *out,
    struct ct_err *err)
{
	CURLU *u;

	memset(out, 0, sizeof(*out));
	if (text.n > CT_WEBURL_MAX)
		return refuse(err, "must be at most 2000 characters");
	if (!is_plain(text))
		return refuse(err, "must be of printable ASCII without blanks");
	if (!scheme_of(text, &out->tls))
		return refuse(
		    err, "must begin with https:// or http:// and a host");
	u = curl_url();
	if (!u)
		ct_bug("libcurl gave no URL handle");
	ct_arena_defer(a, close_url, u);
	if (curl_url_set(u, CURLUPART_URL, ct_str_cstr(a, text), 0) !=
	    CURLUE_OK)
		return refuse(err, "must be an address that can be called");
	if (memchr(text.p, '#', text.n) || part(a, u, CURLUPART_USER, 0).p ||
	    part(a, u, CURLUPART_PASSWORD, 0).p ||
	    part(a, u, CURLUPART_ZONEID, 0).p)
		return refuse(
		    err, "must be without a user, a zone and a fragment");
	if (read_host(a, part(a, u, CURLUPART_HOST, 0), out, err) != CT_OK)
		return err->rc;
	return read_port(
	    part(a, u, CURLUPART_PORT, CURLU_DEFAULT_PORT), out, err);
}
