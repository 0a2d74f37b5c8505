/* Single-use tokens; see account_token.h. */
#include "db/account_token.h"

#include <string.h>

static const struct {
	const char *name;
	int64_t ttl_s;
	bool single; /* a new one ends the older ones of the account */
} purposes[CT_TP_COUNT] = {
    [CT_TP_VERIFY] = {"verify", 24 * 3600, true},
    [CT_TP_RESET] = {"reset", 30 * 60, true},
    [CT_TP_CHANGE_EMAIL] = {"change_email", 24 * 3600, true},
    [CT_TP_UNDO_EMAIL] = {"undo_email", 7 * 86400, false},
    [CT_TP_INVITE] = {"invite", 7 * 86400, false},
};

/* id, account, purpose, digest, address, life in s, only one at a time */
static const struct ct_stmt add = {"account_token_add", CT_GLOBAL, CT_WRITE,
    "uutytib", NULL,
    "with old as (update account_token set expires_at = now()"
    " where account_id = $2 and purpose = $3 and $7 and used_at is null"
    " and expires_at > now())"
    " insert into account_token (id, account_id, purpose, token_hash, email,"
    " expires_at) values ($1, $2, $3, $4, $5::citext,"
    " now() + make_interval(secs => $6))"};
static const struct ct_stmt use = {"account_token_use", CT_GLOBAL, CT_WRITE,
    "yt", NULL,
    "update account_token set used_at = now() where token_hash = $1"
    " and purpose = $2 and used_at is null and expires_at > now()"
    " returning id, account_id, email, created_at"};
static const struct ct_stmt end = {"account_token_end", CT_OWNED, CT_WRITE,
    "uz", NULL,
    "update account_token t set expires_at = now() where t.account_id = $1"
    " and (t.purpose in ('verify', 'reset', 'change_email')"
    " or (t.purpose = 'undo_email' and t.created_at > $2))"
    " and t.used_at is null and t.expires_at > now()"};

static const struct ct_stmt look = {"account_token_look", CT_GLOBAL, CT_READ,
    "uy", NULL,
    "select t.used_at is null and t.expires_at > now() as open,"
    " t.token_hash = $2 as ours from account_token t where t.id = $1"};

const struct ct_stmt *const ct_account_token_stmts[] = {&add, &use, &end, NULL};

const char *
ct_token_purpose_name(enum ct_token_purpose purpose)
{
	return purposes[purpose].name;
}

enum ct_rc
ct_mail_key_check(const struct ct_conf *conf, struct ct_err *err)
{
	if (conf->secret_key[0])
		return CT_OK;
	return ct_fail(err, CT_INVALID, NULL,
	    "SECRET_KEY must be set: at least 32 random characters");
}

void
ct_mail_token(const struct ct_conf *conf, const struct ct_uuid *token,
    char out_text[CT_TOKEN_TEXT])
{
	ct_token_derive(ct_str_of(conf->secret_key), "account_token", token->b,
	    sizeof(token->b), out_text);
}

static void
digest_of(const struct ct_conf *conf, const struct ct_uuid *token,
    uint8_t hash[CT_DIGEST])
{
	char text[CT_TOKEN_TEXT];

	ct_mail_token(conf, token, text);
	ct_token_hash(ct_str_of(text), hash);
}

enum ct_rc
ct_account_token_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_conf *conf, struct ct_account_token *t, struct ct_err *err)
{
	struct ct_params p;
	uint8_t hash[CT_DIGEST];

	if (ct_uuid_nil(&t->id))
		t->id = ct_uuid_new();
	digest_of(conf, &t->id, hash);
	ct_params_init(&p, a);
	ct_p_uuid(&p, &t->id);
	ct_p_uuid(&p, &t->account);
	ct_p_text(&p, ct_str_of(purposes[t->purpose].name));
	ct_p_bytes(&p, hash, sizeof(hash));
	ct_p_text(&p, t->email);
	ct_p_i64(&p, purposes[t->purpose].ttl_s);
	ct_p_bool(&p, purposes[t->purpose].single);
	return ct_pg_run(pg, &add, &p, a, NULL, err);
}

enum ct_rc
ct_account_token_stale(struct ct_err *err)
{
	return ct_fail_field(
	    err, "token", "is not valid any more; please ask for a new mail");
}

enum ct_rc
ct_account_token_use(struct ct_pg *pg, struct ct_arena *a,
    enum ct_token_purpose purpose, struct ct_str text,
    struct ct_account_token *out, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	uint8_t hash[CT_DIGEST];

	ct_token_hash(text, hash);
	ct_params_init(&p, a);
	ct_p_bytes(&p, hash, sizeof(hash));
	ct_p_text(&p, ct_str_of(purposes[purpose].name));
	if (ct_pg_run(pg, &use, &p, a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_rows(r) == 0)
		return ct_account_token_stale(err);
	memset(out, 0, sizeof(*out));
	out->purpose = purpose;
	out->id = ct_res_uuid(r, 0, 0);
	if (!ct_res_null(r, 0, 1))
		out->account = ct_res_uuid(r, 0, 1);
	if (!ct_res_null(r, 0, 2))
		out->email = ct_res_str(r, 0, 2);
	out->created_at = ct_res_time(r, 0, 3);
	return CT_OK;
}

enum ct_rc
ct_account_token_end(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t undo_after, struct ct_err *err)
{
	struct ct_params p;

	ct_params_init(&p, a);
	ct_p_uuid(&p, account);
	ct_p_time(&p, undo_after);
	return ct_pg_run(pg, &end, &p, a, NULL, err);
}

enum ct_rc
ct_account_token_open(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_conf *conf, const struct ct_uuid *id, bool *open,
    struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;
	uint8_t hash[CT_DIGEST];

	digest_of(conf, id, hash);
	ct_params_init(&p, a);
	ct_p_uuid(&p, id);
	ct_p_bytes(&p, hash, sizeof(hash));
	if (ct_pg_run(pg, &look, &p, a, &r, err) != CT_OK)
		return err->rc;
	*open = ct_res_rows(r) > 0 && ct_res_bool(r, 0, 0);
	if (*open && !ct_res_bool(r, 0, 1))
		return ct_fail(err, CT_INTERNAL, NULL,
		    "SECRET_KEY is not the one that the link was made with");
	return CT_OK;
}
