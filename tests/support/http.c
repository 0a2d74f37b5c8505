/*
 * HTTP for the tests, by libcurl.
 */
#include "tests/support/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#define TIMEOUT_MS 20000L

struct ct_http {
	CURL *curl;
	const char *base;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
global_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ct_bug("libcurl does not start");
}

static void
close_curl(void *data)
{
	curl_easy_cleanup(data);
}

static void
free_list(void *data)
{
	curl_slist_free_all(data);
}

struct ct_http *
ct_http_open(struct ct_arena *a, const char *base)
{
	struct ct_http *h = ct_arena_alloc(a, sizeof(*h));

	pthread_once(&once, global_init);
	h->curl = curl_easy_init();
	if (!h->curl)
		ct_bug("libcurl gives no handle");
	h->base = ct_arena_dup(a, base, strlen(base));
	ct_arena_defer(a, close_curl, h->curl);
	return h;
}

static size_t
take_body(char *p, size_t size, size_t n, void *data)
{
	ct_buf_add(data, p, size * n);
	return size * n;
}

/* An interim answer (100) starts over: only the last head is kept. */
static size_t
take_head(char *p, size_t size, size_t n, void *data)
{
	struct ct_buf *b = data;

	if (size * n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		b->n = 0;
	ct_buf_add(b, p, size * n);
	return size * n;
}

static struct curl_slist *
header_list(const struct ct_http_req *req)
{
	/* Empty values take away what libcurl would add of itself. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	bool typed = false;

	for (const char *const *p = req->headers; p && *p; p++) {
		list = curl_slist_append(list, *p);
		typed |= strncasecmp(*p, "Content-Type:", 13) == 0;
	}
	if (!typed)
		list = curl_slist_append(list, "Content-Type:");
	if (!list)
		ct_bug("out of memory");
	return list;
}

bool
ct_http_send(struct ct_http *h, struct ct_arena *a,
    const struct ct_http_req *req, struct ct_http_res *res)
{
	CURL *c = h->curl;
	struct ct_buf head, body;
	struct curl_slist *list = header_list(req);
	long status = 0;

	ct_arena_defer(a, free_list, list);
	ct_buf_init(&head, a, 1024);
	ct_buf_init(&body, a, 4096);
	curl_easy_reset(c);
	curl_easy_setopt(
	    c, CURLOPT_URL, ct_arena_printf(a, "%s%s", h->base, req->path));
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (req->body.p) {
		curl_easy_setopt(
		    c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->body.p);
	}
	if (strcmp(req->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &head);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	*res = (struct ct_http_res){0};
	if (curl_easy_perform(c) != CURLE_OK)
		return false;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	ct_buf_addc(&body, 0);
	res->status = (int)status;
	res->head = ct_buf_str(&head);
	res->body = (struct ct_str){body.p, body.n - 1};
	return true;
}

/* The value of the n-th line of that name, absent past the last. */
static struct ct_str
header_nth(const struct ct_http_res *res, const char *name, unsigned n)
{
	struct ct_str rest = res->head;

	while (rest.p) {
		struct ct_str line = ct_str_split(&rest, '\n');
		struct ct_str key = ct_str_split(&line, ':');

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.p && ct_str_ieq(key, name) && n-- == 0)
			return ct_str_trim(line);
	}
	return (struct ct_str){NULL, 0};
}

struct ct_str
ct_http_header(const struct ct_http_res *res, const char *name)
{
	return header_nth(res, name, 0);
}

unsigned
ct_http_header_count(const struct ct_http_res *res, const char *name)
{
	unsigned n = 0;

	while (header_nth(res, name, n).p)
		n++;
	return n;
}
