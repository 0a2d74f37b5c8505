/* Second factors; see totp.h. */
#include "db/totp.h"

#include <string.h>

static const struct ct_stmt begin = {"totp_begin", CT_OWNED, CT_WRITE, "uy",
    NULL,
    "insert into account_totp as t (account_id, secret)"
    " select a.id, $2 from account a where a.id = $1"
    " on conflict (account_id) do update set secret = $2, last_step = -1,"
    " created_at = now() where t.confirmed_at is null"
    " returning account_id"};
static const struct ct_stmt get = {"totp_get", CT_OWNED, CT_READ, "u", NULL,
    "select t.secret, t.confirmed_at is not null, t.last_step,"
    " (select count(*) from recovery_code c where c.account_id = $1)"
    " from account_totp t where t.account_id = $1"
    " and (t.confirmed_at is not null"
    " or t.created_at > now() - interval '1 hour')"};
static const struct ct_stmt confirm = {"totp_confirm", CT_OWNED, CT_WRITE,
    "uyiy", NULL,
    "with t as (update account_totp t set confirmed_at = now(),"
    " last_step = $3 where t.account_id = $1 and t.secret = $2"
    " and t.confirmed_at is null returning t.account_id)"
    " insert into recovery_code (account_id, digest)"
    " select t.account_id, substring($4::bytea from i * 32 + 1 for 32)"
    " from t, generate_series(0, length($4::bytea) / 32 - 1) i"
    " returning account_id"};
static const struct ct_stmt use = {"totp_use", CT_OWNED, CT_WRITE, "ui", NULL,
    "update account_totp t set last_step = $2 where t.account_id = $1"
    " and t.last_step < $2 and t.confirmed_at is not null"
    " returning t.account_id"};
static const struct ct_stmt recover = {"recovery_use", CT_OWNED, CT_WRITE, "uy",
    NULL,
    "delete from recovery_code c where c.account_id = $1 and c.digest = $2"
    " returning c.account_id"};
static const struct ct_stmt off = {"totp_off", CT_OWNED, CT_WRITE, "u", NULL,
    "delete from account_totp t where t.account_id = $1"};
static const struct ct_stmt off_by_email = {"totp_off_by_email", CT_GLOBAL,
    CT_WRITE, "t", NULL,
    "delete from account_totp t using account a where a.id = t.account_id"
    " and a.email = $1::citext returning a.id"};

const struct ct_stmt *const ct_totp_stmts[] = {
    &begin, &get, &confirm, &use, &recover, &off, &off_by_email, NULL};

enum ct_rc
ct_totp_begin(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str sealed, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, sealed.p, sealed.n);
	if (ct_pg_run(pg, &begin, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "totp_on",
		    "One-time codes are on already; switch them off first.");
	return CT_OK;
}

enum ct_rc
ct_totp_get(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    struct ct_totp *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	memset(out, 0, sizeof(*out));
	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	if (ct_pg_run(pg, &get, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return CT_OK;
	out->secret = ct_res_str(r, 0, 0);
	out->is_on = ct_res_bool(r, 0, 1);
	out->last_step = ct_res_i64(r, 0, 2);
	out->codes_left = ct_res_i64(r, 0, 3);
	return CT_OK;
}

enum ct_rc
ct_totp_confirm(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str sealed, int64_t step,
    const uint8_t *digests, size_t n, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, sealed.p, sealed.n);
	ct_p_i64(&p, step);
	ct_p_bytes(&p, digests, n * CT_DIGEST);
	if (ct_pg_run(pg, &confirm, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_CONFLICT, "totp_changed",
		    "This changed meanwhile; please begin again.");
	return CT_OK;
}

/* Did the statement find its row? */
static enum ct_rc
take(struct ct_pg *pg, struct ct_arena *a, const struct ct_stmt *st,
    const struct ct_params *p, bool *taken, struct ct_err *err)
{
	const struct ct_res *r;

	if (ct_pg_run(pg, st, p, a, &r, err) != CT_OK)
		return err->rc;
	*taken = ct_res_rows(r) > 0;
	return CT_OK;
}

enum ct_rc
ct_totp_use(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    int64_t step, bool *taken, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_i64(&p, step);
	return take(pg, a, &use, &p, taken, err);
}

enum ct_rc
ct_recovery_use(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const uint8_t digest[CT_DIGEST], bool *taken,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_bytes(&p, digest, CT_DIGEST);
	return take(pg, a, &recover, &p, taken, err);
}

enum ct_rc
ct_totp_off(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	return ct_pg_run(pg, &off, &p, a, NULL, err);
}

enum ct_rc
ct_totp_off_by_email(struct ct_pg *pg, struct ct_arena *a, struct ct_str email,
    struct ct_uuid *account, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, a);
	ct_p_text(&p, email);
	if (ct_pg_run(pg, &off_by_email, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "No account of that address has one-time codes.");
	*account = ct_res_uuid(r, 0, 0);
	return CT_OK;
}
