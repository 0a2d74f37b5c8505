/* Requests to an S3 server; see s3.h. */
#include "common/s3.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/crypto.h"
#include "common/curl_internal.h"
#include "common/xml.h"

#define CONNECT_MS 10000L
#define TRIES	   3
#define SLOW_BPS   1024L /* slower than that is silence */
#define TOTAL	   20L	 /* times the longest silence: the whole request */
#define PAUSE_MS   400
#define WORD	   64

struct ct_s3 {
	CURL *h;
	const struct ct_conf *conf;
	const char *base; /* endpoint/bucket */
	const char *sign; /* "aws:amz:region:s3" */
	bool (*go_on)(void *arg);
	void *arg;
	char error[CURL_ERROR_SIZE];
	char text[CT_S3_TEXT];
};

/* One try. */
struct call {
	struct ct_s3 *s;
	const struct ct_s3_ask *ask;
	struct ct_s3_answer *out;
	struct ct_str left; /* of the body */
	char *into;
	size_t room, n;
	bool object; /* the answer is one, by its status */
	bool too_big;
	long status;
	struct curl_slist *headers;
};

static size_t
give(char *out, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t room = size * n;

	if (room > c->left.n)
		room = c->left.n;
	if (room > 0)
		memcpy(out, c->left.p, room);
	c->left.p += room;
	c->left.n -= room;
	return room;
}

/* libcurl begins again on a new connection where the old one had ended. */
static int
rewind_body(void *arg, curl_off_t offset, int origin)
{
	struct call *c = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > c->ask->body.n)
		return CURL_SEEKFUNC_FAIL;
	c->left = (struct ct_str){
	    c->ask->body.p + offset, c->ask->body.n - (size_t)offset};
	return CURL_SEEKFUNC_OK;
}

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n;

	/* What an error says goes to the text, also where an object was asked
	 * for. */
	if (c->n == 0) {
		curl_easy_getinfo(c->s->h, CURLINFO_RESPONSE_CODE, &c->status);
		c->object = c->ask->into && c->status / 100 == 2;
		c->into = c->object ? c->ask->into : c->s->text;
		c->room = c->object ? c->ask->room : sizeof(c->s->text);
	}
	if (len > c->room - c->n) {
		c->too_big = true;
		return 0;
	}
	memcpy(c->into + c->n, p, len);
	c->n += len;
	return len;
}

static bool
is_header(struct ct_str line, const char *name, struct ct_str *value)
{
	struct ct_str rest = line;
	struct ct_str head = ct_str_split(&rest, ':');

	if (!rest.p || !ct_str_ieq(head, name))
		return false;
	while (rest.n > 0 && strchr("\r\n", rest.p[rest.n - 1]))
		rest.n--;
	*value = ct_str_trim(rest);
	return true;
}

/* ETag, and the size out of "Content-Range: bytes 0-99/1234". */
static size_t
hear(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	struct ct_str line = {p, size * n}, v;
	const char *slash;

	if (is_header(line, "etag", &v) && v.n < sizeof(c->out->etag)) {
		memcpy(c->out->etag, v.p, v.n);
		c->out->etag[v.n] = '\0';
	} else if (is_header(line, "content-range", &v) && v.n > 0) {
		slash = memrchr(v.p, '/', v.n);
		if (!slash || !ct_str_i64((struct ct_str){slash + 1,
					      ct_size(v.p + v.n - slash - 1)},
				  0, INT64_MAX, &c->out->total))
			c->out->total = -1;
	}
	return line.n;
}

static int
look(void *arg, CT_UNUSED curl_off_t dt, CT_UNUSED curl_off_t dn,
    CT_UNUSED curl_off_t ut, CT_UNUSED curl_off_t un)
{
	const struct ct_s3 *s = arg;

	return s->go_on && !s->go_on(s->arg);
}

static void add_header(struct call *c, const char *fmt, ...) CT_PRINTF(2, 3);

static void
add_header(struct call *c, const char *fmt, ...)
{
	char line[256];
	struct curl_slist *l;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	l = curl_slist_append(c->headers, line);
	if (!l)
		ct_bug("libcurl made no list");
	c->headers = l;
}

static void
set_headers(struct call *c)
{
	const struct ct_s3_ask *ask = c->ask;
	uint8_t digest[CT_SHA256];
	char hex[2 * CT_SHA256 + 1];

	ct_sha256(ask->body.p, ask->body.n, digest);
	ct_hex(digest, sizeof(digest), hex);
	add_header(c, "x-amz-content-sha256: %s", hex);
	/* Not to wait for a "100 Continue"; not a form's type. */
	add_header(c, "Expect:");
	add_header(c, "Content-Type: %s",
	    strcmp(ask->method, "PUT") == 0 ? "application/octet-stream"
					    : "application/xml");
	if (ask->into && ask->room > 0)
		add_header(c, "Range: bytes=%lld-%lld", (long long)ask->from,
		    (long long)ask->from + (long long)ask->room - 1);
	if (ask->if_match)
		add_header(c, "If-Match: %s", ask->if_match);
	curl_easy_setopt(c->s->h, CURLOPT_HTTPHEADER, c->headers);
}

static void
set_method(struct call *c)
{
	CURL *h = c->s->h;
	const char *method = c->ask->method;

	if (strcmp(method, "PUT") == 0) {
		curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
		curl_easy_setopt(h, CURLOPT_READDATA, c);
		curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, rewind_body);
		curl_easy_setopt(h, CURLOPT_SEEKDATA, c);
		curl_easy_setopt(
		    h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->ask->body.n);
	} else if (strcmp(method, "POST") == 0) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS,
		    c->ask->body.n ? c->ask->body.p : "");
		curl_easy_setopt(
		    h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->ask->body.n);
	} else if (strcmp(method, "GET") != 0) {
		curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	}
}

static void
set_up(struct call *c)
{
	struct ct_s3 *s = c->s;
	CURL *h = s->h;
	long silence_s = (long)s->conf->s3_timeout_s;
	char url[2048];

	snprintf(url, sizeof(url), "%s%s%s%s%s", s->base,
	    c->ask->key[0] ? "/" : "", c->ask->key, c->ask->query[0] ? "?" : "",
	    c->ask->query);
	curl_easy_reset(h); /* keeps the connection */
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	/* Nothing from the environment decides where backups go. */
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, SLOW_BPS);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, silence_s);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, silence_s * 1000 * TOTAL);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, s->error);
	curl_easy_setopt(h, CURLOPT_AWS_SIGV4, s->sign);
	curl_easy_setopt(h, CURLOPT_USERNAME, s->conf->s3_key_id);
	curl_easy_setopt(h, CURLOPT_PASSWORD, s->conf->s3_secret);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, hear);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, look);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, s);
	set_method(c);
	set_headers(c);
}

struct said {
	char code[WORD];
	char message[160];
};

static void
copy_plain(char *to, size_t size, struct ct_str s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : ' ';
	to[n] = '\0';
}

static bool
read_error(void *arg, const char *path, struct ct_str text)
{
	struct said *said = arg;

	if (strcmp(path, "Error/Code") == 0)
		copy_plain(said->code, sizeof(said->code), text);
	else if (strcmp(path, "Error/Message") == 0)
		copy_plain(said->message, sizeof(said->message), text);
	return true;
}

/* The server has answered: what its status means. */
static enum ct_rc
refused(const struct call *c, struct ct_err *err)
{
	static const struct {
		long status;
		enum ct_rc rc;
		const char *hint;
	} rows[] = {
	    {301, CT_INVALID, ": see CATETUBE_S3_REGION and _ENDPOINT"},
	    {307, CT_INVALID, ": see CATETUBE_S3_REGION and _ENDPOINT"},
	    {401, CT_FORBIDDEN, ": see CATETUBE_S3_KEY_ID and _SECRET"},
	    {403, CT_FORBIDDEN, ": see CATETUBE_S3_KEY_ID, _SECRET, _REGION"},
	    {404, CT_NOTFOUND, ""},
	    {412, CT_CONFLICT, ""},
	    {429, CT_RETRY, ""},
	};
	enum ct_rc rc = c->status >= 500 ? CT_RETRY : CT_INVALID;
	const char *hint = "";
	struct said said = {"", ""};
	struct ct_err ignored;

	ct_err_clear(&ignored);
	if (!c->object && c->n > 0 &&
	    ct_xml_each((struct ct_str){c->s->text, c->n}, read_error, &said,
		&ignored) != CT_OK)
		ct_err_clear(&ignored);
	for (size_t i = 0; i < ct_countof(rows); i++) {
		if (rows[i].status != c->status)
			continue;
		rc = rows[i].rc;
		hint = rows[i].hint;
	}
	ct_fail(err, rc,
	    said.code[0] && strlen(said.code) < 32 ? said.code : NULL,
	    "the S3 server answered %ld %s%s", c->status, said.code, hint);
	return ct_err_detail(
	    err, "%s %s: %s", c->ask->method, c->s->base, said.message);
}

static enum ct_rc
broken(const struct call *c, CURLcode code, struct ct_err *err)
{
	bool passes = code == CURLE_COULDNT_RESOLVE_HOST ||
		      code == CURLE_COULDNT_CONNECT ||
		      code == CURLE_OPERATION_TIMEDOUT ||
		      code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
		      code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE ||
		      code == CURLE_SSL_CONNECT_ERROR;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ct_fail(err, CT_RETRY, "stopped",
		    "stopped while waiting for the S3 server");
	if (c->too_big)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "the S3 server's answer is longer than asked for");
	ct_fail(err, passes ? CT_RETRY : CT_INVALID, "s3_away",
	    "the S3 server cannot be reached: %s", curl_easy_strerror(code));
	return ct_err_detail(
	    err, "%s: libcurl %d: %s", c->s->base, (int)code, c->s->error);
}

static enum ct_rc
try_once(struct call *c, struct ct_err *err)
{
	CURLcode code;

	c->left = c->ask->body;
	c->n = 0;
	c->object = c->too_big = false;
	c->status = 0;
	c->headers = NULL;
	c->out->etag[0] = '\0';
	c->out->total = -1;
	c->s->error[0] = '\0';
	set_up(c);
	code = curl_easy_perform(c->s->h);
	curl_easy_getinfo(c->s->h, CURLINFO_RESPONSE_CODE, &c->status);
	curl_slist_free_all(c->headers);
	c->out->status = c->status;
	if (code != CURLE_OK)
		return broken(c, code, err);
	if (c->status / 100 != 2)
		return refused(c, err);
	c->out->body =
	    (struct ct_str){c->object ? c->ask->into : c->s->text, c->n};
	return CT_OK;
}

static void
pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

enum ct_rc
ct_s3_call(struct ct_s3 *s, const struct ct_s3_ask *ask,
    struct ct_s3_answer *out, struct ct_err *err)
{
	struct call c = {.s = s, .ask = ask, .out = out};
	enum ct_rc rc;

	for (int tries = 1;; tries++) {
		ct_err_clear(err);
		rc = try_once(&c, err);
		if (rc != CT_RETRY || tries == TRIES ||
		    strcmp(err->code, "stopped") == 0)
			return rc;
		pause_ms(PAUSE_MS * tries + (int64_t)ct_random_below(PAUSE_MS));
	}
}

/* scheme://host[:port], nothing behind it. */
static bool
is_endpoint(const char *s)
{
	const char *host = strncmp(s, "https://", 8) == 0  ? s + 8
			   : strncmp(s, "http://", 7) == 0 ? s + 7
							   : "";

	return *host && !strpbrk(host, "/?#@ \t\r\n") && strlen(s) < 200;
}

static bool
is_bucket(struct ct_str s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

	for (size_t i = 0; i < s.n; i++)
		if (!memchr(chars, s.p[i], sizeof(chars) - 1))
			return false;
	return s.n >= 3 && s.n <= 63;
}

static bool
is_region(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n < 40 && s[n] == '\0';
}

static enum ct_rc
check(const struct ct_conf *conf, struct ct_str bucket, struct ct_err *err)
{
	if (!is_endpoint(conf->s3_endpoint))
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_S3_ENDPOINT must be https://host[:port]");
	if (!is_region(conf->s3_region))
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_S3_REGION must be a word like us-east-1");
	if (!conf->s3_key_id[0] || !conf->s3_secret[0])
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_S3_KEY_ID and CATETUBE_S3_SECRET must be set");
	if (!is_bucket(bucket))
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_TO: a bucket has 3 to 63 of a-z, 0-9, '.' "
		    "and '-'");
	return CT_OK;
}

enum ct_rc
ct_s3_open(struct ct_arena *a, const struct ct_conf *conf, struct ct_str bucket,
    struct ct_s3 **out, struct ct_err *err)
{
	struct ct_s3 *s;

	if (check(conf, bucket, err) != CT_OK)
		return err->rc;
	s = ct_arena_alloc(a, sizeof(*s));
	s->h = ct_curl_new(a, s->error);
	s->conf = conf;
	s->base = ct_arena_printf(
	    a, "%s/%.*s", conf->s3_endpoint, CT_STR_FMT(bucket));
	s->sign = ct_arena_printf(a, "aws:amz:%s:s3", conf->s3_region);
	*out = s;
	return CT_OK;
}

void
ct_s3_go_on(struct ct_s3 *s, bool (*go_on)(void *arg), void *arg)
{
	s->go_on = go_on;
	s->arg = arg;
}
