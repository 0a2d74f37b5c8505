/* One mail to its server; see smtp.h. */
#include "worker/smtp.h"

#include <string.h>

#include "common/curl_internal.h"

#define CONNECT_MS 10000L
#define TOTAL_MS   30000L

struct send {
	struct ct_str left; /* of the message */
	int code;	    /* the first refusal, 0: none */
	char reply[160];    /* its line */
};

static size_t
give(char *out, size_t size, size_t n, void *arg)
{
	struct send *s = arg;
	size_t room = size * n;

	if (room > s->left.n)
		room = s->left.n;
	memcpy(out, s->left.p, room);
	s->left.p += room;
	s->left.n -= room;
	return room;
}

/* A line of the server: the first refusal is the reason. */
static size_t
hear(char *line, size_t size, size_t n, void *arg)
{
	struct send *s = arg;
	size_t len = size * n, i;

	if (s->code == 0 && len >= 3 && (line[0] == '4' || line[0] == '5') &&
	    line[1] >= '0' && line[1] <= '9' && line[2] >= '0' &&
	    line[2] <= '9') {
		s->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 +
			  (line[2] - '0');
		for (i = 0; i < len && i + 1 < sizeof(s->reply); i++)
			s->reply[i] =
			    line[i] >= ' ' && line[i] <= '~' ? line[i] : ' ';
		while (i > 0 && s->reply[i - 1] == ' ')
			i--;
		s->reply[i] = '\0';
	}
	return len;
}

static CURL *
handle(const struct ct_conf *conf, struct ct_arena *a, char *error)
{
	bool log_in = conf->smtp_user[0] != '\0';
	CURL *h = ct_curl_new(a, error);

	curl_easy_setopt(h, CURLOPT_URL, conf->smtp_url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	/* A password never goes over the line in plain text. */
	curl_easy_setopt(h, CURLOPT_USE_SSL,
	    (long)(conf->smtp_tls || log_in ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (log_in) {
		curl_easy_setopt(h, CURLOPT_USERNAME, conf->smtp_user);
		curl_easy_setopt(h, CURLOPT_PASSWORD, conf->smtp_password);
	}
	return h;
}

static enum ct_rc
judge(
    CURLcode code, const struct send *s, const char *error, struct ct_err *err)
{
	bool for_good = s->code >= 500 && code != CURLE_LOGIN_DENIED &&
			code != CURLE_USE_SSL_FAILED;

	if (code == CURLE_OK)
		return CT_OK;
	ct_fail(err, for_good ? CT_INVALID : CT_RETRY,
	    for_good ? "mail_refused" : "mail_server", "%s",
	    s->code ? s->reply
	    : code == CURLE_OPERATION_TIMEDOUT
		? "The mail server did not answer in time."
		: curl_easy_strerror(code));
	return ct_err_detail(err, "libcurl %d: %s", (int)code, error);
}

enum ct_rc
ct_smtp_send(const struct ct_conf *conf, struct ct_arena *a, struct ct_str from,
    struct ct_str to, struct ct_str message, struct ct_err *err)
{
	struct send s = {.left = message};
	char *error = ct_arena_alloc(a, CURL_ERROR_SIZE);
	struct curl_slist *rcpt =
	    ct_curl_list(a, NULL, ct_arena_printf(a, "<%.*s>", CT_STR_FMT(to)));
	CURL *h = handle(conf, a, error);

	curl_easy_setopt(h, CURLOPT_MAIL_FROM,
	    ct_arena_printf(a, "<%.*s>", CT_STR_FMT(from)));
	curl_easy_setopt(h, CURLOPT_MAIL_RCPT, rcpt);
	curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message.n);
	curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(h, CURLOPT_READDATA, &s);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, hear);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, &s);
	return judge(curl_easy_perform(h), &s, error, err);
}
