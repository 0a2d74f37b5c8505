/* Mail rows; see mail.h. */
#include "db/mail.h"

#include <string.h>

/*
 * id, account, cat, kind, address, token, args, most per hour, task, queue.
 * No row comes back where the bound is reached.
 */
static const struct ct_stmt add = {"mail_add", CT_GLOBAL, CT_WRITE,
    "uuuttujitt", NULL,
    "with m as (insert into mail (id, account_id, cat_id, kind, to_address,"
    " token_id, args) select $1, $2, $3, $4, $5::citext, $6, $7"
    " where $8 = 0 or (select count(*) from mail o"
    " where o.to_address = $5::citext and o.kind = $4"
    " and o.created_at > now() - interval '1 hour') < $8 returning id)"
    " insert into job_outbox (id, task, queue, kwargs)"
    " select m.id, $9, $10, jsonb_build_object('mail_id', m.id) from m"
    " returning id"};

static const struct ct_stmt start = {"mail_start", CT_GLOBAL, CT_WRITE, "u",
    NULL,
    "update mail m set state = case when m.state = 'queued' then 'sending'"
    " else m.state end where m.id = $1 returning m.account_id, m.cat_id,"
    " m.kind, m.to_address::text as to_address, m.token_id, m.args, m.state,"
    " m.report_id"};
static const struct ct_stmt end = {"mail_end", CT_GLOBAL, CT_WRITE, "utti",
    NULL,
    "with m as (update mail set state = $2, error = $3,"
    " sent_at = case when $2 = 'sent' then now() end"
    " where id = $1 and state in ('queued', 'sending')),"
    " o as (update job_outbox set state = 'done', done_at = now()"
    " where id = $1 and state <> 'done')"
    " insert into job_run (job_id, task, attempt, result)"
    " values ($1, 'mail.send', $4, jsonb_build_object('state', $2))"
    " on conflict (job_id) do nothing"};
static const struct ct_stmt again = {"mail_again", CT_GLOBAL, CT_WRITE, "ut",
    NULL,
    "update mail set state = 'queued', error = $2"
    " where id = $1 and state = 'sending'"};
static const struct ct_stmt owner = {"mail_owner", CT_GLOBAL, CT_READ, "t",
    NULL, "select a.id from account a where a.email = $1::citext"};
static const struct ct_stmt set_token = {"mail_set_token", CT_GLOBAL, CT_WRITE,
    "uuu", NULL,
    "update mail set account_id = $2, token_id = $3 where id = $1"};
static const struct ct_stmt purge = {"mail_purge", CT_GLOBAL, CT_WRITE, "",
    NULL,
    "with m as (delete from mail where state in ('sent', 'failed', 'dropped')"
    " and created_at < now() - case state when 'dropped'"
    " then interval '1 hour' else interval '30 days' end)"
    " delete from account_token where expires_at < now() - interval '7 days'"};

const struct ct_stmt *const ct_mail_stmts[] = {
    &add, &start, &end, &again, &owner, &set_token, &purge, NULL};

struct ct_str
ct_mail_arg(struct ct_arena *a, const char *name, struct ct_str text)
{
	return ct_mail_args(a, name, text, NULL, (struct ct_str){0});
}

struct ct_str
ct_mail_args(struct ct_arena *a, const char *name, struct ct_str text,
    const char *name2, struct ct_str text2)
{
	struct ct_buf out;
	struct ct_jw w;

	ct_buf_init(&out, a, text.n + text2.n + 64);
	ct_jw_init(&w, &out);
	ct_jw_obj(&w);
	ct_jw_key(&w, name);
	ct_jw_str(&w, text);
	if (name2) {
		ct_jw_key(&w, name2);
		ct_jw_str(&w, text2);
	}
	ct_jw_end(&w);
	return ct_buf_str(&out);
}

/* A lock for kind and address: the bound holds for many at once. */
static int64_t
lock_key(struct ct_arena *a, const struct ct_mail *mail)
{
	struct ct_uuid key;
	uint8_t digest[CT_DIGEST];
	struct ct_buf b;

	ct_buf_init(&b, a, mail->kind.n + mail->to.n + 1);
	ct_buf_addstr(&b, mail->kind);
	ct_buf_addc(&b, ' ');
	for (size_t i = 0; i < mail->to.n; i++) {
		char c = mail->to.p[i];

		ct_buf_addc(
		    &b, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	ct_digest(b.p, b.n, digest);
	memcpy(key.b, digest, sizeof(key.b));
	return ct_uuid_key64(&key);
}

enum ct_rc
ct_mail_add(struct ct_pg *pg, struct ct_arena *a, struct ct_mail *mail,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	enum ct_rc rc;

	if (!ct_email_ok(mail->to))
		return ct_bad_email(err);
	if (ct_uuid_nil(&mail->id))
		mail->id = ct_uuid_new();
	ct_params_init(&p, a);
	ct_p_uuid(&p, &mail->id);
	ct_p_uuid(&p, &mail->account);
	ct_p_uuid(&p, &mail->cat);
	ct_p_text(&p, mail->kind);
	ct_p_text(&p, mail->to);
	ct_p_uuid(&p, &mail->token);
	ct_p_json(&p, mail->args.p ? mail->args : CT_STR("{}"));
	ct_p_i64(&p, mail->per_hour);
	ct_p_text(&p, CT_STR(CT_MAIL_TASK));
	ct_p_text(&p, CT_STR(CT_MAIL_QUEUE));
	rc = mail->per_hour == 0 ? ct_pg_run(pg, &add, &p, a, &r, err)
				 : ct_pg_run_locked(pg, lock_key(a, mail), &add,
				       &p, a, &r, err);
	if (rc != CT_OK)
		return rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_LIMITED, "mail_limit",
		    "This address was sent %lld such mails in the last hour; "
		    "please look into its spam folder, or wait an hour.",
		    (long long)mail->per_hour);
	return CT_OK;
}

enum ct_rc
ct_mail_tell(struct ct_pg *pg, struct ct_arena *a, const struct ct_account *u,
    const char *kind, struct ct_err *err)
{
	struct ct_mail m = {.account = u->id,
	    .kind = ct_str_of(kind),
	    .to = u->email,
	    .args = ct_mail_arg(a, "name", u->first_name)};

	return ct_mail_add(pg, a, &m, err);
}

static struct ct_uuid
uuid_or_nil(const struct ct_res *r, int col)
{
	return ct_res_null(r, 0, col) ? (struct ct_uuid){{0}}
				      : ct_res_uuid(r, 0, col);
}

static enum ct_rc
by_id(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_uuid *id, const struct ct_res **r, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	return ct_pg_run(pg, st, &p, a, r, err);
}

enum ct_rc
ct_mail_start(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_mail *out, struct ct_err *err)
{
	const struct ct_res *r;

	if (by_id(pg, a, &start, id, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(
		    err, CT_NOTFOUND, NULL, "There is no such mail any more.");
	*out = (struct ct_mail){
	    .id = *id,
	    .account = uuid_or_nil(r, 0),
	    .cat = uuid_or_nil(r, 1),
	    .kind = ct_res_str(r, 0, 2),
	    .to = ct_res_str(r, 0, 3),
	    .token = uuid_or_nil(r, 4),
	    .args = ct_res_str(r, 0, 5),
	    .state = ct_res_str(r, 0, 6),
	    .report = uuid_or_nil(r, 7),
	};
	return CT_OK;
}

enum ct_rc
ct_mail_end(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    const char *state, struct ct_str reason, int64_t attempt,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, ct_str_of(state));
	ct_p_text(&p, reason);
	ct_p_i64(&p, attempt);
	return ct_pg_run(pg, &end, &p, a, NULL, err);
}

enum ct_rc
ct_mail_again(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *id,
    struct ct_str reason, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_text(&p, reason);
	return ct_pg_run(pg, &again, &p, a, NULL, err);
}

enum ct_rc
ct_mail_owner(struct ct_pg *pg, struct ct_arena *a, struct ct_str address,
    struct ct_uuid *account, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, address);
	if (ct_pg_run(pg, &owner, &p, a, &r, err) != CT_OK)
		return err->rc;
	*account =
	    ct_res_rows(r) ? ct_res_uuid(r, 0, 0) : (struct ct_uuid){{0}};
	return CT_OK;
}

enum ct_rc
ct_mail_set_token(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_mail *mail, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, &mail->id);
	ct_p_uuid(&p, &mail->account);
	ct_p_uuid(&p, &mail->token);
	return ct_pg_run(pg, &set_token, &p, a, NULL, err);
}

enum ct_rc
ct_mail_purge(struct ct_pg *pg, struct ct_arena *a, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	return ct_pg_run(pg, &purge, &p, a, NULL, err);
}
