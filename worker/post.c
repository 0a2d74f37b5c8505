/* One POST to an address that a stranger gave; see post.h. */
#include "worker/post.h"

#include <string.h>
#include <sys/socket.h>

#include "common/curl_internal.h"
#include "common/weburl.h"

#define TOTAL_MS    5000L
#define BODY_READ   1024
#define HEADERS_MAX 16384
#define AFTER_MAX_S 3600
#define AGENT	    "CatETube webhook"

struct sending {
	const struct ct_post *post;
	struct ct_weburl url;
	size_t headers, body; /* bytes of the answer so far */
	bool tried;	      /* an address was one to connect to */
	bool connected;	      /* TLS has begun */
	const char *refused;  /* why another one was not */
};

/* The address that is about to be connected to, whoever said it. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct sending *s = arg;
	struct ct_addr addr;
	const char *no = "is none of the internet";
	unsigned port;

	if (purpose == CURLSOCKTYPE_IPCXN &&
	    ct_addr_of(&to->addr, to->addrlen, &addr, &port))
		no = ct_addr_refused(s->post->nets, &addr, port, s->url.tls);
	if (no) {
		s->refused = no;
		return CURL_SOCKET_BAD;
	}
	s->tried = true;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Called when TLS is about to begin, which is all that is wanted of it. */
static CURLcode
begin_tls(CT_UNUSED CURL *h, CT_UNUSED void *ctx, void *arg)
{
	struct sending *s = arg;

	s->connected = true;
	return CURLE_OK;
}

static size_t
hear_header(CT_UNUSED char *line, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;

	s->headers += size * n;
	return s->headers > HEADERS_MAX ? 0 : size * n;
}

/* The status says it all: enough was read. */
static size_t
hear_body(CT_UNUSED char *p, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;

	s->body += size * n;
	return s->body > BODY_READ ? 0 : size * n;
}

static CURL *
handle(struct sending *s, struct ct_arena *a, char *error)
{
	const struct ct_post *post = s->post;
	struct curl_slist *headers =
	    ct_curl_list(a, NULL, "Content-Type: application/json");
	CURL *h;

	headers = ct_curl_list(a, headers, "Accept:");
	headers = ct_curl_list(a, headers, "Expect:");
	for (size_t i = 0; post->header[i]; i++)
		headers = ct_curl_list(a, headers, post->header[i]);
	h = ct_curl_new(a, error);
	curl_easy_setopt(h, CURLOPT_URL, ct_str_cstr(a, post->url));
	curl_easy_setopt(
	    h, CURLOPT_PROTOCOLS_STR, s->url.tls ? "https" : "http");
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, AGENT);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, post->body.p);
	curl_easy_setopt(
	    h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.n);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, TOTAL_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	if (post->ca_file[0])
		curl_easy_setopt(h, CURLOPT_CAINFO, post->ca_file);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, s);
	curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, begin_tls);
	curl_easy_setopt(h, CURLOPT_SSL_CTX_DATA, s);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, hear_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, hear_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
	return h;
}

/* What it had not done by then. */
static const char *
late(CURL *h, const struct sending *s)
{
	curl_off_t t = 0;
	long status = 0;

	curl_easy_getinfo(h, CURLINFO_NAMELOOKUP_TIME_T, &t);
	if (t == 0)
		return "No name server answered within 5 s.";
	/* libcurl sets this one when TLS is through. */
	curl_easy_getinfo(h, CURLINFO_CONNECT_TIME_T, &t);
	if (t == 0 && !s->connected)
		return "The target did not take the connection within 5 s.";
	curl_easy_getinfo(h, CURLINFO_APPCONNECT_TIME_T, &t);
	if (s->url.tls && t == 0)
		return "The target did not agree on TLS within 5 s.";
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	return status == 0 ? "The target did not answer within 5 s."
			   : "The target did not end its answer within 5 s.";
}

/* Without an answer: a sentence for the owner. */
static const struct {
	CURLcode code;
	const char *text;
} reasons[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "The target's name was not found."},
    {CURLE_COULDNT_CONNECT, "The target did not take the connection."},
    {CURLE_PEER_FAILED_VERIFICATION, "The target's certificate is not good."},
    {CURLE_SSL_CACERT_BADFILE, "The file of CATETUBE_WEBHOOK_CA is no good."},
    {CURLE_SSL_CONNECT_ERROR, "The target did not agree on TLS."},
    {CURLE_GOT_NOTHING, "The target closed without an answer."},
    {CURLE_RECV_ERROR, "The connection broke before the answer was whole."},
    {CURLE_SEND_ERROR, "The connection broke before all was sent."},
    {CURLE_PARTIAL_FILE, "The connection broke before the answer was whole."},
    {CURLE_WRITE_ERROR, "The headers of the target's answer are too long."},
};

static const char *
reason(CURL *h, CURLcode code, const struct sending *s)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return late(h, s);
	for (size_t i = 0; i < ct_countof(reasons); i++) {
		if (reasons[i].code == code)
			return reasons[i].text;
	}
	return "The target gave no answer of HTTP.";
}

static enum ct_rc
judge(CURL *h, CURLcode code, const struct sending *s, const char *error,
    struct ct_posted *out, struct ct_err *err)
{
	curl_off_t after = 0;
	long status = 0;

	if (code == CURLE_OK ||
	    (code == CURLE_WRITE_ERROR && s->body > BODY_READ)) {
		curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &after);
		out->status = status;
		out->retry_after_s = after > AFTER_MAX_S ? AFTER_MAX_S : after;
		return CT_OK;
	}
	if (s->refused && !s->tried)
		return ct_fail(err, CT_FORBIDDEN, "address",
		    "The target's address %s.", s->refused);
	ct_fail(err, CT_RETRY, "target", "%s", reason(h, code, s));
	return ct_err_detail(err, "libcurl %d: %s", (int)code, error);
}

enum ct_rc
ct_post_send(struct ct_arena *a, const struct ct_post *post,
    struct ct_posted *out, struct ct_err *err)
{
	struct sending s = {.post = post};
	char *error = ct_arena_alloc(a, CURL_ERROR_SIZE);
	CURL *h;

	memset(out, 0, sizeof(*out));
	if (ct_weburl_parse(a, post->url, &s.url, err) != CT_OK)
		return err->rc;
	h = handle(&s, a, error);
	return judge(h, curl_easy_perform(h), &s, error, out, err);
}
