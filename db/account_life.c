/* What becomes of an account; see account_life.h. */
#include "db/account_life.h"

#include <string.h>

#include "db/erasure.h"
#include "db/mail.h"

static const struct ct_stmt verified = {"account_verified", CT_OWNED, CT_WRITE,
    "ut", NULL,
    "update account a set email_verified_at = coalesce(a.email_verified_at,"
    " now()) where a.id = $1 and a.email = $2::citext returning a.id"};
static const struct ct_stmt set_email = {"account_set_email", CT_OWNED,
    CT_WRITE, "ut", NULL,
    "update account a set email = $2::citext, email_verified_at = now()"
    " where a.id = $1"};
static const struct ct_stmt consent = {"account_consent", CT_OWNED, CT_WRITE,
    "ui", NULL,
    "update account a set consent_version = $2, consent_at = now()"
    " where a.id = $1"};
static const struct ct_stmt forgive = {"login_forgive", CT_GLOBAL, CT_WRITE,
    "t", NULL,
    "delete from login_failure where email_hash ="
    " sha256(convert_to(lower($1), 'UTF8'))"};
static const struct ct_stmt deactivate = {"account_deactivate", CT_OWNED,
    CT_WRITE, "u", NULL,
    "update account a set status = 'deactivated', deactivated_at = now()"
    " where a.id = $1 and a.status = 'active'"};
static const struct ct_stmt reactivate = {"account_reactivate", CT_OWNED,
    CT_WRITE, "u", NULL,
    "update account a set status = 'active', deactivated_at = null,"
    " inactive_warned_at = null, last_login_at = now()"
    " where a.id = $1 and a.status = 'deactivated'"};

/* When somebody last used it; API tokens count. */
#define IDLE                                                                   \
	"idle as (select a.id, greatest(a.created_at, a.last_login_at,"        \
	" (select max(s.seen_at) from account_session s"                       \
	" where s.account_id = a.id), (select max(t.used_at) from api_token t" \
	" where t.account_id = a.id)) as at from account a"                    \
	" where a.role <> 'admin' and a.created_at < now() -"                  \
	" interval '53 days')"

/* hit (id, email, first_name) each get a mail of kind $1; task, queue. */
#define TELL                                                                   \
	" m as (insert into mail (id, account_id, kind, to_address, args)"     \
	" select gen_random_uuid(), hit.id, $1, hit.email,"                    \
	" jsonb_build_object('name', hit.first_name) from hit returning id)"   \
	" insert into job_outbox (id, task, queue, kwargs) select m.id, $2,"   \
	" $3, jsonb_build_object('mail_id', m.id) from m"

static const struct ct_stmt warn = {"inactive_warn", CT_GLOBAL, CT_WRITE, "ttt",
    NULL,
    "with " IDLE ", hit as (update account a set inactive_warned_at = now()"
    " where a.id in (select i.id from idle i join account b on b.id = i.id"
    " where b.status = 'active' and i.at < now() - interval '53 days'"
    " and (b.inactive_warned_at is null or b.inactive_warned_at < i.at)"
    " limit 1000) returning a.id, a.email, a.first_name)," TELL};
/*
 * A copy of a session lives for minutes: of one unused for 60 days there is
 * none in Redis.
 */
static const struct ct_stmt close_idle = {"inactive_close", CT_GLOBAL, CT_WRITE,
    "ttt", NULL,
    "with " IDLE ", hit as (update account a set status = 'deactivated',"
    " deactivated_at = now() where a.id in (select i.id from idle i"
    " join account b on b.id = i.id where b.status = 'active'"
    " and i.at < now() - interval '60 days'"
    " and b.inactive_warned_at >= i.at"
    " and b.inactive_warned_at < now() - interval '7 days' limit 1000)"
    " returning a.id, a.email, a.first_name),"
    " ended as (delete from account_session s using hit"
    " where s.account_id = hit.id)," TELL};
static const struct ct_stmt doomed = {"inactive_doomed", CT_GLOBAL, CT_READ, "",
    NULL,
    "with " IDLE " select i.id from idle i join account a on a.id = i.id"
    " where a.status = 'deactivated' and i.at < now() - interval '120 days'"
    " and a.deactivated_at < now() - interval '60 days'"
    " and not exists (select from cat_member m where m.account_id = a.id"
    " and m.role = 4 and exists (select from cat_member o"
    " where o.cat_id = m.cat_id and o.account_id <> a.id)"
    " and not exists (select from cat_member o where o.cat_id = m.cat_id"
    " and o.account_id <> a.id and o.role = 4)) order by i.at limit 100"};

const struct ct_stmt *const ct_account_life_stmts[] = {&verified, &set_email,
    &consent, &forgive, &deactivate, &reactivate, &warn, &close_idle, &doomed,
    NULL};

/* Parameters account and text, where there is one. */
static enum ct_rc
run(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_uuid *account, struct ct_str text, const struct ct_res **r,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (text.p)
		ct_p_text(&p, text);
	return ct_pg_run(pg, st, &p, a, r, err);
}

enum ct_rc
ct_account_verified(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str email, struct ct_err *err)
{
	const struct ct_res *r;

	if (run(pg, a, &verified, account, email, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "This is not the account's address.");
	return CT_OK;
}

enum ct_rc
ct_account_set_email(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str email, struct ct_err *err)
{
	return run(pg, a, &set_email, account, email, NULL, err);
}

enum ct_rc
ct_account_consent(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t version, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_i64(&p, version);
	return ct_pg_run(pg, &consent, &p, a, NULL, err);
}

enum ct_rc
ct_login_forgive(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	return ct_pg_run(pg, &forgive, &p, a, NULL, err);
}

enum ct_rc
ct_account_deactivate(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err)
{
	return run(pg, a, &deactivate, account, (struct ct_str){0}, NULL, err);
}

enum ct_rc
ct_account_reactivate(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_err *err)
{
	return run(pg, a, &reactivate, account, (struct ct_str){0}, NULL, err);
}

/* Warn or close; *n how many were told. */
static enum ct_rc
tell(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const char *kind, int64_t *n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, ct_str_of(kind));
	ct_p_text(&p, CT_STR(CT_MAIL_TASK));
	ct_p_text(&p, CT_STR(CT_MAIL_QUEUE));
	if (ct_pg_run(pg, st, &p, a, &r, err) != CT_OK)
		return err->rc;
	*n = ct_res_affected(r);
	return CT_OK;
}

enum ct_rc
ct_inactive_run(struct ct_pg *pg, struct ct_arena *a, struct ct_inactive *out,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	memset(out, 0, sizeof(*out));
	ct_params_init(&p, a);
	if (tell(pg, a, &warn, "inactive_warning", &out->warned, err) !=
		CT_OK ||
	    tell(pg, a, &close_idle, "inactive_deactivated", &out->deactivated,
		err) != CT_OK ||
	    ct_pg_run(pg, &doomed, &p, a, &r, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < ct_res_rows(r); i++) {
		struct ct_uuid id = ct_res_uuid(r, i, 0);
		struct ct_erased erased;

		if (ct_account_erase(pg, a, &id, false, &erased, err) == CT_OK)
			out->deleted++;
		/* It got a cat of others' between the two statements. */
		else if (err->rc != CT_CONFLICT)
			return err->rc;
		ct_err_clear(err);
	}
	return CT_OK;
}
