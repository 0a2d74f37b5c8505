/*
 * webhook.send: one delivery to its address, signed as Standard Webhooks has it
 * (docs/WEBHOOKS.md). At least once: where the worker dies between the answer
 * and its row, it is sent again with the same webhook-id.
 */
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/weburl.h"
#include "db/entry.h"
#include "db/mail.h"
#include "db/report.h"
#include "db/webhook.h"
#include "worker/job.h"
#include "worker/post.h"

#define DAY_S	   86400
#define HOLD_MAX_S 3600
#define JITTER_MS  10000

struct hook {
	struct ct_job *job;
	struct ct_send s;
	struct ct_str body;
	const char *drop; /* why it is not sent, NULL: it is */
};

/* Seconds to the next try, by the tries that failed: a day in all. */
static const int64_t waits_s[] = {
    10, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 21600, 14400};

static int64_t
wait_s(int64_t failed)
{
	size_t i = ct_size(failed);

	return waits_s[i < ct_countof(waits_s) ? i : ct_countof(waits_s) - 1];
}

/* ------------------------------------------------ what is said */

static enum ct_rc
write_report(struct hook *h, struct ct_jw *w, struct ct_err *err)
{
	struct ct_job *job = h->job;
	struct ct_report r;

	if (ct_report_get(job->pg, job->a, &h->s.account, &h->s.d.noun_id, &r,
		err) != CT_OK)
		return err->rc;
	ct_jw_obj(w);
	ct_jw_key(w, "report_id");
	ct_jw_uuid(w, &r.id);
	ct_jw_key(w, "report_type");
	ct_jw_str(w, r.kind);
	ct_jw_key(w, "format");
	ct_jw_str(w, r.format);
	ct_jw_key(w, "rows");
	ct_jw_i64(w, r.row_count);
	ct_jw_key(w, "bytes");
	ct_jw_i64(w, r.byte_count);
	ct_jw_key(w, "expires_at");
	ct_jw_time(w, r.expires_at);
	ct_jw_end(w);
	return CT_OK;
}

/* The entry as it is now, as the webhook's account may see it now. */
static enum ct_rc
write_entry(struct hook *h, struct ct_jw *w, struct ct_err *err)
{
	_Alignas(16) char obj[CT_ENTRY_MAX];
	const struct ct_entry_kind *k = ct_entry_kind_find(h->s.d.noun);
	struct ct_job *job = h->job;

	if (!k)
		return ct_fail(err, CT_NOTFOUND, NULL, "no such noun");
	if (ct_entry_get(job->pg, job->a, k, &h->s.account, &h->s.d.noun_id,
		true, obj, err) != CT_OK)
		return err->rc;
	ct_entry_write(k, obj, w);
	return CT_OK;
}

static enum ct_rc
write_data(struct hook *h, struct ct_jw *w, struct ct_err *err)
{
	if (h->s.d.event != 0)
		return ct_str_is(h->s.d.noun, "report")
			   ? write_report(h, w, err)
			   : write_entry(h, w, err);
	ct_jw_obj(w);
	ct_jw_key(w, "message");
	ct_jw_cstr(w, "Hello from CatETube Tracker.");
	ct_jw_end(w);
	return CT_OK;
}

/* CT_NOTFOUND: what it is about is gone, or not the account's any more. */
static enum ct_rc
compose(struct hook *h, struct ct_err *err)
{
	const struct ct_delivery *d = &h->s.d;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, h->job->a, 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "type");
	ct_jw_cstr(&w, ct_webhook_event_name(d->event));
	ct_jw_key(&w, "timestamp");
	ct_jw_time(&w, d->created_at);
	ct_jw_key(&w, "id");
	ct_jw_uuid(&w, &d->id);
	ct_jw_key(&w, "webhook_id");
	ct_jw_uuid(&w, &h->s.webhook);
	ct_jw_key(&w, "cat_id");
	ct_jw_uuid(&w, &h->s.cat);
	ct_jw_key(&w, "noun");
	ct_jw_str(&w, d->noun);
	ct_jw_key(&w, "version");
	ct_jw_i64(&w, d->version);
	ct_jw_key(&w, "data");
	if (write_data(h, &w, err) != CT_OK)
		return err->rc;
	ct_jw_end(&w);
	h->body = ct_buf_str(&b);
	return CT_OK;
}

/* "v1,<base64>" over "<id>.<seconds>.<body>". */
static const char *
sign(const struct hook *h, const char *id, int64_t at_s)
{
	struct ct_arena *a = h->job->a;
	uint8_t secret[CT_KEY], mac[CT_HMAC];
	struct ct_buf b;

	ct_buf_init(&b, a, h->body.n + 96);
	ct_buf_addf(&b, "%s.%lld.", id, (long long)at_s);
	ct_buf_addstr(&b, h->body);
	ct_webhook_secret(h->job->conf, &h->s.key, secret);
	ct_hmac_sha256(secret, sizeof(secret), b.p, b.n, mac);
	ct_wipe(secret, sizeof(secret));
	return ct_arena_printf(a, "webhook-signature: v1,%.*s",
	    CT_STR_FMT(ct_base64(a, mac, sizeof(mac))));
}

/* ------------------------------------------------ what comes of it */

static enum ct_rc
send_it(struct hook *h, struct ct_posted *out, struct ct_err *err)
{
	const struct ct_conf *conf = h->job->conf;
	struct ct_arena *a = h->job->a;
	int64_t at_s = ct_now_us() / 1000000;
	char id[CT_UUID_TEXT];
	struct ct_nets nets;
	struct ct_post post = {.url = h->s.url,
	    .body = h->body,
	    .ca_file = conf->webhook_ca,
	    .nets = &nets};

	if (!ct_nets_parse(conf->webhook_private, &nets))
		ct_bug("CATETUBE_WEBHOOK_PRIVATE was not judged");
	ct_uuid_format(&h->s.d.id, id);
	post.header[0] = ct_arena_printf(a, "webhook-id: %s", id);
	post.header[1] =
	    ct_arena_printf(a, "webhook-timestamp: %lld", (long long)at_s);
	post.header[2] = sign(h, id, at_s);
	if (ct_post_send(a, &post, out, err) != CT_OK)
		return err->rc;
	if (out->status >= 200 && out->status < 300)
		return CT_OK;
	return ct_fail(err, CT_RETRY, "answer", "The target answered %lld.",
	    (long long)out->status);
}

/* Tell its owner, in the transaction that switches it off. */
static enum ct_rc
tell(struct hook *h, const struct ct_webhook_off *off, struct ct_str why,
    struct ct_err *err)
{
	struct ct_job *job = h->job;
	struct ct_mail m = {.account = h->s.account,
	    .cat = h->s.cat,
	    .kind = CT_STR("webhook_off"),
	    .to = off->email};
	struct ct_weburl url = {0};
	struct ct_err none;
	struct ct_buf b;
	struct ct_jw w;

	ct_err_clear(&none);
	(void)!ct_weburl_parse(job->a, h->s.url, &url, &none);
	ct_buf_init(&b, job->a, 256);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "name");
	ct_jw_str(&w, off->name);
	ct_jw_key(&w, "target");
	ct_jw_str(&w, url.host.p ? url.host : CT_STR("its address"));
	ct_jw_key(&w, "why");
	ct_jw_str(&w, why);
	ct_jw_end(&w);
	m.args = ct_buf_str(&b);
	return ct_mail_add(job->pg, job->a, &m, err);
}

static enum ct_rc
record(struct hook *h, const struct ct_sent *sent, struct ct_err *err)
{
	struct ct_job *job = h->job;
	struct ct_webhook_off off;

	if (ct_pg_begin(job->pg, job->a, false, err) != CT_OK ||
	    ct_delivery_tried(job->pg, job->a, &h->s.d.id, sent, &off, err) !=
		CT_OK ||
	    (off.off && tell(h, &off, sent->why, err) != CT_OK))
		return err->rc;
	return ct_pg_commit(job->pg, err);
}

static void
count(enum ct_rc rc)
{
	const char *label = rc == CT_OK	     ? "result=\"ok\""
			    : rc == CT_RETRY ? "result=\"failed\""
					     : "result=\"refused\"";

	ct_metric_add(ct_metric(CT_M_WEBHOOK_TRIES, label), 1);
}

/* Is there to be another try, and when. */
static void
plan(struct hook *h, enum ct_rc rc, const struct ct_posted *got,
    struct ct_sent *sent)
{
	const struct ct_send *s = &h->s;
	int64_t next_s = wait_s(s->d.attempts);

	sent->gone = got->status == 410;
	sent->again = rc == CT_RETRY && !sent->gone &&
		      s->d.attempts < (int64_t)ct_countof(waits_s) &&
		      s->age_s < DAY_S && !ct_job_is_last(h->job, rc);
	sent->hold_s = wait_s(s->failures);
	if (sent->hold_s > HOLD_MAX_S)
		sent->hold_s = HOLD_MAX_S;
	if (sent->hold_s < got->retry_after_s)
		sent->hold_s = got->retry_after_s;
	if (next_s < sent->hold_s)
		next_s = sent->hold_s;
	h->job->retry_in_ms =
	    next_s * 1000 + (int64_t)ct_random_below(JITTER_MS / 10);
}

static enum ct_rc
deliver(struct hook *h, struct ct_err *err)
{
	struct ct_sent sent = {
	    .status = CT_NULL_I64, .job_attempt = h->job->attempt};
	struct ct_posted got = {0};
	struct ct_err late;
	enum ct_rc rc = send_it(h, &got, err);

	count(rc);
	sent.ok = rc == CT_OK;
	if (got.status != 0)
		sent.status = got.status;
	if (!sent.ok) {
		sent.why =
		    ct_str_of(ct_arena_printf(h->job->a, "%s", err->msg));
		plan(h, rc, &got, &sent);
	}
	ct_err_clear(&late);
	if (record(h, &sent, &late) != CT_OK) {
		ct_pg_rollback(h->job->pg);
		if (rc != CT_OK)
			ct_log(CT_WARN, "webhook", "outcome not recorded: %s",
			    late.msg);
		else
			*err = late;
		return err->rc;
	}
	if (sent.again)
		return rc;
	/* It is over, and its row says how it went. */
	ct_err_clear(err);
	return CT_OK;
}

/*
 * Nothing goes to a target that just failed: it would keep this child from the
 * others' jobs. One that waited for a day so is over.
 */
static enum ct_rc
hold(struct hook *h, struct ct_err *err)
{
	struct ct_job *job = h->job;

	if (h->s.age_s >= DAY_S || ct_job_is_last(job, CT_RETRY))
		return ct_delivery_drop(job->pg, job->a, &h->s.d.id, "failed",
		    CT_STR("The target took nothing for a day."), err);
	job->retry_in_ms = h->s.hold_ms + (int64_t)ct_random_below(JITTER_MS);
	return ct_fail(err, CT_RETRY, "held", "The target failed just now.");
}

enum ct_rc
ct_webhook_send(struct ct_job *job, struct ct_err *err)
{
	struct hook h = {.job = job};
	struct ct_uuid id;

	if (!ct_uuid_parse(ct_json_str(ct_job_arg(job, "delivery_id", 0)), &id))
		return ct_fail(
		    err, CT_INVALID, NULL, "delivery_id must be a UUID");
	if (ct_delivery_start(job->pg, job->a, &id, &h.s, err) != CT_OK)
		return err->rc;
	if (!ct_str_is(h.s.d.state, "pending"))
		return CT_OK;
	if (!h.s.active)
		h.drop = "The webhook is switched off.";
	else if (h.s.hold_ms > 0)
		return hold(&h, err);
	else if (compose(&h, err) == CT_NOTFOUND)
		h.drop = "What it was about is gone.";
	else if (err->rc != CT_OK)
		return err->rc;
	if (!h.drop)
		return deliver(&h, err);
	ct_err_clear(err);
	return ct_delivery_drop(
	    job->pg, job->a, &id, "dropped", ct_str_of(h.drop), err);
}
