/*
 * mail.send: one mail row to the mail server, or to a file where a directory
 * stands in for it. At least once: where the worker dies, or the line breaks,
 * between the server's taking the mail and the row's "sent", it is sent again,
 * with the same Message-ID.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "db/account.h"
#include "db/mail.h"
#include "worker/job.h"
#include "worker/mail_file.h"
#include "worker/mail_text.h"
#include "worker/smtp.h"

#define ARGS_DEPTH 4

struct post {
	struct ct_job *job;
	struct ct_mail mail;
	const struct ct_mail_text *text;
	const char *drop;	  /* why it is not sent, NULL: it is */
	struct ct_mime_file file; /* name NULL: none */
};

/* "example.org" of "https://example.org:8443". */
static struct ct_str
host_of(const char *origin)
{
	struct ct_str s = ct_str_of(strstr(origin, "//") + 2);
	const char *colon = memrchr(s.p, ':', s.n);

	if (colon && !memchr(colon, ']', ct_size(s.p + s.n - colon)))
		s.n = (size_t)(colon - s.p);
	return s;
}

static struct ct_str
sender(struct ct_job *job)
{
	if (job->conf->mail_from[0])
		return ct_str_of(job->conf->mail_from);
	return ct_str_of(ct_arena_printf(
	    job->a, "catetube@%.*s", CT_STR_FMT(host_of(job->conf->origin))));
}

/*
 * A reset was asked for by an address only: here is the place to see whose it
 * is, where nobody can measure how long that takes.
 */
static enum ct_rc
find_owner(struct post *p, struct ct_err *err)
{
	struct ct_job *job = p->job;
	struct ct_account_token t = {
	    .purpose = CT_TP_RESET, .email = p->mail.to};

	if (ct_mail_owner(job->pg, job->a, p->mail.to, &p->mail.account, err) !=
	    CT_OK)
		return err->rc;
	if (ct_uuid_nil(&p->mail.account)) {
		p->drop = "no account has this address";
		return CT_OK;
	}
	t.account = p->mail.account;
	if (ct_pg_begin(job->pg, job->a, false, err) != CT_OK ||
	    ct_account_token_add(job->pg, job->a, job->conf, &t, err) != CT_OK)
		return err->rc;
	p->mail.token = t.id;
	if (ct_mail_set_token(job->pg, job->a, &p->mail, err) != CT_OK)
		return err->rc;
	return ct_pg_commit(job->pg, err);
}

/* With its file, or with where it is, or not at all. */
static enum ct_rc
find_report(struct post *p, struct ct_err *err)
{
	bool fits = false;

	if (!ct_uuid_nil(&p->mail.report) &&
	    ct_mail_file(p->job, &p->mail.report, &p->file, &fits, err) !=
		CT_OK &&
	    err->rc != CT_NOTFOUND)
		return err->rc;
	if (ct_uuid_nil(&p->mail.report) || err->rc == CT_NOTFOUND) {
		ct_err_clear(err);
		p->drop = "its report is gone";
	} else if (!fits) {
		p->text = ct_mail_text_find(CT_STR("report_link"));
	}
	return CT_OK;
}

/* Is it to be sent at all, and with which token. */
static enum ct_rc
prepare(struct post *p, struct ct_err *err)
{
	struct ct_job *job = p->job;
	struct ct_uuid owner;
	bool open;

	p->text = ct_mail_text_find(p->mail.kind);
	if (!p->text)
		return ct_fail(err, CT_INVALID, NULL,
		    "there is no mail of kind %.*s", CT_STR_FMT(p->mail.kind));
	if (!ct_email_ok(p->mail.to))
		return ct_fail(
		    err, CT_INVALID, NULL, "the address cannot be written to");
	if (p->text->flags & CT_ML_FREE) {
		if (ct_mail_owner(job->pg, job->a, p->mail.to, &owner, err) !=
		    CT_OK)
			return err->rc;
		if (!ct_uuid_nil(&owner)) {
			p->drop = "another account has this address";
			return CT_OK;
		}
	}
	if ((p->text->flags & CT_ML_OWNER) && ct_uuid_nil(&p->mail.token))
		return find_owner(p, err);
	if (p->text->flags & CT_ML_REPORT)
		return find_report(p, err);
	if (!p->text->path)
		return CT_OK;
	if (ct_account_token_open(job->pg, job->a, job->conf, &p->mail.token,
		&open, err) != CT_OK)
		return err->rc;
	if (!open)
		p->drop = "its link has ended";
	return CT_OK;
}

/* Of a token behind '#': browsers do not send that to any server. */
static struct ct_str
link_of(struct post *p)
{
	struct ct_job *job = p->job;
	char token[CT_TOKEN_TEXT], id[CT_UUID_TEXT];

	if (p->text->flags & CT_ML_REPORT)
		return ct_str_of(
		    ct_arena_printf(job->a, "%s%s%s", job->conf->origin,
			p->text->path, ct_uuid_format(&p->mail.report, id)));
	ct_mail_token(job->conf, &p->mail.token, token);
	return ct_str_of(ct_arena_printf(
	    job->a, "%s%s#%s", job->conf->origin, p->text->path, token));
}

static enum ct_rc
compose(struct post *p, struct ct_str *out, struct ct_err *err)
{
	struct ct_job *job = p->job;
	struct ct_mail_values v = {.origin = ct_str_of(job->conf->origin)};
	struct ct_mime m = {.id = p->mail.id,
	    .host = host_of(job->conf->origin),
	    .from = sender(job),
	    .to = p->mail.to,
	    .date_us = ct_now_us(),
	    .file = p->file.name ? &p->file : NULL};

	if (p->text->path)
		v.link = link_of(p);
	if (ct_json_parse(job->a, p->mail.args, ARGS_DEPTH, &v.args, err) !=
		CT_OK ||
	    ct_mail_text_fill(job->a, p->text, &v, &m.subject, &m.text, &m.html,
		err) != CT_OK)
		return err->rc;
	*out = ct_mime_write(job->a, &m);
	return CT_OK;
}

static enum ct_rc
disk(struct ct_err *err, const char *path)
{
	int e = errno;

	ct_fail(err, CT_RETRY, "storage", "the mail could not be stored");
	return ct_err_detail(err, "%s: %s", path, strerror(e));
}

static bool
write_all(int fd, struct ct_str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s.p += n;
		s.n -= (size_t)n;
	}
	return true;
}

/* <time>-<kind>-<id>.eml, complete or absent. */
static enum ct_rc
put_file(struct post *p, struct ct_str message, struct ct_err *err)
{
	struct ct_job *job = p->job;
	char id[CT_UUID_TEXT], at[CT_TIME_MAX];
	const char *name, *tmp;
	bool ok;
	int fd;

	ct_time_format(ct_now_us() / 1000000 * 1000000, at);
	name = ct_arena_printf(job->a, "%s/%s-%.*s-%s.eml", job->conf->mail_dir,
	    at, CT_STR_FMT(p->mail.kind), ct_uuid_format(&p->mail.id, id));
	tmp = ct_arena_printf(job->a, "%s.tmp", name);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk(err, tmp);
	ok = write_all(fd, message);
	ok = close(fd) == 0 && ok;
	if (!ok || rename(tmp, name) != 0) {
		disk(err, tmp);
		unlink(tmp);
		return err->rc;
	}
	return CT_OK;
}

static enum ct_rc
deliver(struct post *p, struct ct_err *err)
{
	const struct ct_conf *conf = p->job->conf;
	struct ct_str message;

	if (compose(p, &message, err) != CT_OK)
		return err->rc;
	if (conf->smtp_url[0])
		return ct_smtp_send(
		    conf, p->job->a, sender(p->job), p->mail.to, message, err);
	if (conf->mail_dir[0])
		return put_file(p, message, err);
	return ct_fail(err, CT_INVALID, "no_mail_server",
	    "No mail server is set: see CATETUBE_SMTP_URL.");
}

/* What came of it, into the row. */
static enum ct_rc
record(
    struct post *p, enum ct_rc rc, const struct ct_err *why, struct ct_err *err)
{
	struct ct_job *job = p->job;
	struct ct_str reason = ct_str_of(why->msg);

	if (rc == CT_OK)
		return ct_mail_end(job->pg, job->a, &p->mail.id,
		    p->drop ? "dropped" : "sent", ct_str_of(p->drop),
		    job->attempt, err);
	if (ct_job_is_last(job, rc))
		return ct_mail_end(job->pg, job->a, &p->mail.id, "failed",
		    reason, job->attempt, err);
	return ct_mail_again(job->pg, job->a, &p->mail.id, reason, err);
}

enum ct_rc
ct_mail_send(struct ct_job *job, struct ct_err *err)
{
	struct post p = {.job = job};
	struct ct_err late;
	struct ct_uuid id;
	enum ct_rc rc;

	if (!ct_uuid_parse(ct_json_str(ct_job_arg(job, "mail_id", 0)), &id))
		return ct_fail(err, CT_INVALID, NULL, "mail_id must be a UUID");
	if (ct_mail_start(job->pg, job->a, &id, &p.mail, err) != CT_OK)
		return err->rc;
	if (!ct_str_is(p.mail.state, "sending"))
		return CT_OK;
	rc = prepare(&p, err);
	if (rc == CT_OK && !p.drop)
		rc = deliver(&p, err);
	ct_pg_rollback(job->pg);
	ct_err_clear(&late);
	if (record(&p, rc, err, &late) == CT_OK)
		return rc;
	/* Sent, but not written down: the next try sends it again. */
	if (rc == CT_OK)
		*err = late;
	else
		ct_log(CT_WARN, "mail", "outcome not recorded: %s", late.msg);
	return err->rc;
}
