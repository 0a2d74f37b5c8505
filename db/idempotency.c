/* Idempotency keys; see idempotency.h. */
#include "db/idempotency.h"

/* A key older than its promise is taken over. */
static const struct ct_stmt begin = {"idem_begin", CT_OWNED, CT_WRITE, "uty",
    NULL,
    "insert into idempotency as i (account_id, key, request_hash)"
    " select a.id, $2, $3 from account a where a.id = $1"
    " on conflict (account_id, key) do update set request_hash = $3,"
    " status = null, answer = null, created_at = now()"
    " where i.created_at < now() - interval '48 hours'"
    " returning account_id"};
static const struct ct_stmt find = {"idem_find", CT_OWNED, CT_READ, "ut", NULL,
    "select request_hash, coalesce(status, 0) as status, answer"
    " from idempotency i where i.account_id = $1 and i.key = $2"};
static const struct ct_stmt end = {"idem_end", CT_OWNED, CT_WRITE, "utit", NULL,
    "update idempotency i set status = $3, answer = $4"
    " where i.account_id = $1 and i.key = $2"};

const struct ct_stmt *const ct_idempotency_stmts[] = {
    &begin, &find, &end, NULL};

static void
key_params(struct ct_params *p, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str key)
{
	ct_params_init(p, a);
	ct_p_uuid(p, account);
	ct_p_text(p, key);
}

enum ct_rc
ct_idem_begin(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str key,
    const uint8_t request[CT_DIGEST], bool *replay, int64_t *status,
    struct ct_str *answer, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	struct ct_str hash;

	*replay = false;
	key_params(&p, a, account, key);
	ct_p_bytes(&p, request, CT_DIGEST);
	if (ct_pg_run(pg, &begin, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) > 0)
		return CT_OK;
	key_params(&p, a, account, key);
	if (ct_pg_run(pg, &find, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_fail(err, CT_RETRY, NULL, "Please try again.");
	hash = ct_res_str(r, 0, 0);
	if (hash.n != CT_DIGEST || !ct_equal(hash.p, request, CT_DIGEST))
		return ct_fail(err, CT_CONFLICT, "key_reused",
		    "This idempotency key was used with another request.");
	*replay = true;
	*status = ct_res_i64(r, 0, 1);
	*answer = ct_res_str(r, 0, 2);
	return CT_OK;
}

enum ct_rc
ct_idem_end(struct ct_pg *pg, struct ct_arena *a, const struct ct_uuid *account,
    struct ct_str key, int64_t status, struct ct_str answer, struct ct_err *err)
{
	struct ct_params p;

	key_params(&p, a, account, key);
	ct_p_i64(&p, status);
	ct_p_text(&p, answer);
	return ct_pg_run(pg, &end, &p, a, NULL, err);
}
