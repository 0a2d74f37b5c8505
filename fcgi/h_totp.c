/* One-time codes as a second factor: begin, confirm, ask for one, end. */
#include <string.h>

#include "common/otp.h"
#include "common/qr.h"
#include "db/mail.h"
#include "db/totp.h"
#include "fcgi/h_auth.h"
#include "fcgi/handlers.h"
#include "fcgi/resp.h"

#define CODES	   10
#define CODE_BYTES 15 /* 120 random bits: a plain digest keeps them */
#define CODE_TEXT  24 /* of base32 */
#define CODE_GROUP 6
#define NO_SECRET                                                              \
	"This service cannot keep a secret yet: whoever runs it must set "     \
	"SECRET_KEY."

struct totp_in {
	struct ct_str password;
	struct ct_second second;
};
#define PASSWORD_ROW                                                           \
	{                                                                      \
		"password", CT_T_TEXT, offsetof(struct totp_in, password),     \
		    CT_F_REQUIRED | CT_F_NOTRIM, 1, 1024, NULL, NULL, NULL,    \
		    "the password now"                                         \
	}
static const struct ct_field begin_rows[] = {PASSWORD_ROW};
static const struct ct_field disable_rows[] = {
    PASSWORD_ROW, CT_SECOND_ROWS(struct totp_in, second)};
static const struct ct_field confirm_rows[] = {
    {"code", CT_T_TEXT, offsetof(struct totp_in, second.code), CT_F_REQUIRED, 1,
	CT_SECOND_MAX, NULL, NULL, NULL, "the code that the app shows"},
};
const struct ct_fields ct_totp_begin_in =
    CT_FIELDS("totp", struct totp_in, begin_rows);
const struct ct_fields ct_totp_confirm_in =
    CT_FIELDS("totp", struct totp_in, confirm_rows);
const struct ct_fields ct_totp_disable_in =
    CT_FIELDS("totp", struct totp_in, disable_rows);

/* The account is part of the key: a row moved to another one opens nothing. */
static void
key_of(
    const struct ct_req *r, const struct ct_uuid *account, uint8_t out[CT_KEY])
{
	char id[CT_UUID_TEXT];
	const char *purpose =
	    ct_arena_printf(r->a, "totp %s", ct_uuid_format(account, id));

	ct_derive_key(
	    ct_str_of(r->app->conf->secret_key), ct_str_of(purpose), out);
}

/* The step of a code that is right and later than those used. */
static bool
find_step(const struct ct_req *r, const struct ct_uuid *account,
    const struct ct_totp *t, struct ct_str code, int64_t *step)
{
	uint8_t key[CT_KEY];
	struct ct_str secret;
	bool ok;

	key_of(r, account, key);
	/* Sealed under another SECRET_KEY: only recovery codes are left. */
	ok = ct_unseal(r->a, key, t->secret, &secret) == CT_OK &&
	     secret.n == CT_OTP_SECRET &&
	     ct_otp_find((const uint8_t *)secret.p, code, ct_now_us() / 1000000,
		 t->last_step, step);
	ct_wipe(key, sizeof(key));
	return ok;
}

/* As it was made: without what people type between the groups, in capitals. */
static struct ct_str
bare(struct ct_arena *a, struct ct_str typed)
{
	char *p = ct_arena_raw(a, typed.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < typed.n; i++) {
		char c = typed.p[i];

		if (c == ' ' || c == '-')
			continue;
		p[n++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	return (struct ct_str){p, n};
}

static enum ct_rc
take(struct ct_req *r, const struct ct_uuid *account, const struct ct_totp *t,
    const struct ct_second *s, bool *taken, struct ct_err *err)
{
	uint8_t digest[CT_DIGEST];
	int64_t step;

	*taken = false;
	if (s->code.p && s->recovery.p)
		return ct_fail_field(
		    err, "recovery_code", "cannot be given together with code");
	if (s->recovery.p) {
		ct_token_hash(bare(r->a, s->recovery), digest);
		return ct_recovery_use(
		    r->pg, r->a, account, digest, taken, err);
	}
	if (!find_step(r, account, t, bare(r->a, s->code), &step))
		return CT_OK;
	return ct_totp_use(r->pg, r->a, account, step, taken, err);
}

enum ct_rc
ct_totp_check(struct ct_req *r, const struct ct_uuid *account,
    struct ct_str email, const struct ct_second *s, struct ct_err *err)
{
	bool given = s->code.p || s->recovery.p, taken = false;
	struct ct_totp t;

	if (ct_totp_get(r->pg, r->a, account, &t, err) != CT_OK)
		return err->rc;
	if (!t.is_on)
		return CT_OK;
	if (given && take(r, account, &t, s, &taken, err) != CT_OK)
		return err->rc;
	if (taken)
		return CT_OK;
	ct_metric_add(r->app->login_bad, 1);
	if (ct_login_failed(
		r->pg, r->a, email, r->app->conf->login_free, err) != CT_OK)
		return err->rc;
	if (!given)
		return ct_fail(err, CT_UNAUTH, "totp_required",
		    "Please add the one-time code of your app.");
	return ct_fail(err, CT_UNAUTH, "totp_wrong",
	    "This code is not right, or was used already; wait for the next "
	    "one.");
}

static void
put(struct ct_jw *w, const char *key, struct ct_str value)
{
	ct_jw_key(w, key);
	ct_jw_str(w, value);
}

CT_HANDLER(h_totp_get)
{
	struct ct_totp t;
	struct ct_jw *w;

	if (ct_totp_get(r->pg, r->a, &r->account, &t, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	ct_jw_key(w, "enabled");
	ct_jw_bool(w, t.is_on);
	ct_jw_key(w, "recovery_codes_left");
	ct_jw_i64(w, t.codes_left);
	ct_jw_end(w);
	return CT_OK;
}

/* otpauth://totp/CatETube:ann%40example.org?secret=… */
static struct ct_str
uri_of(struct ct_arena *a, struct ct_str email, struct ct_str secret)
{
	struct ct_buf b;

	ct_buf_init(&b, a, 512);
	ct_buf_adds(&b, "otpauth://totp/CatETube:");
	for (size_t i = 0; i < email.n; i++) {
		unsigned char c = (unsigned char)email.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '.' || c == '-' || c == '_')
			ct_buf_addc(&b, (char)c);
		else
			ct_buf_addf(&b, "%%%02X", c);
	}
	ct_buf_adds(&b, "?secret=");
	ct_buf_addstr(&b, secret);
	ct_buf_addf(&b, "&issuer=CatETube&algorithm=SHA1&digits=%d&period=%d",
	    CT_OTP_DIGITS, CT_OTP_STEP_S);
	return ct_buf_str(&b);
}

CT_HANDLER(h_totp_begin)
{
	uint8_t secret[CT_OTP_SECRET], key[CT_KEY];
	struct totp_in in = {0};
	struct ct_str sealed, text, uri, svg;
	struct ct_account u;
	struct ct_jw *w;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_prove_password(r, in.password, &u, "Incorrect password", err) !=
		CT_OK)
		return err->rc;
	if (!r->app->conf->secret_key[0])
		return ct_fail(err, CT_CONFLICT, "no_secret_key", NO_SECRET);
	ct_random(secret, sizeof(secret));
	key_of(r, &r->account, key);
	sealed =
	    ct_seal(r->a, key, (struct ct_str){(char *)secret, sizeof(secret)});
	ct_wipe(key, sizeof(key));
	text = ct_base32(r->a, secret, sizeof(secret));
	uri = uri_of(r->a, u.email, text);
	if (ct_qr_svg(r->a, uri, &svg, err) != CT_OK ||
	    ct_totp_begin(r->pg, r->a, &r->account, sealed, err) != CT_OK)
		return err->rc;
	w = ct_resp_json(r, 200);
	ct_jw_obj(w);
	put(w, "message", CT_STR("Scan the code, then confirm with a code"));
	put(w, "secret", text);
	put(w, "otpauth_uri", uri);
	put(w, "qr_svg", svg);
	ct_jw_end(w);
	return CT_OK;
}

/* A recovery code as it is shown, ABCDEF-GHIJKL-…, and its digest. */
static struct ct_str
new_code(struct ct_arena *a, uint8_t digest[CT_DIGEST])
{
	uint8_t raw[CODE_BYTES];
	struct ct_str text;
	struct ct_buf b;

	ct_random(raw, sizeof(raw));
	text = ct_base32(a, raw, sizeof(raw));
	if (text.n != CODE_TEXT)
		ct_bug("a recovery code of %zu characters", text.n);
	ct_token_hash(text, digest);
	ct_buf_init(&b, a, CODE_TEXT * 2);
	for (size_t i = 0; i < CODE_TEXT; i += CODE_GROUP) {
		if (i > 0)
			ct_buf_addc(&b, '-');
		ct_buf_add(&b, text.p + i, CODE_GROUP);
	}
	return ct_buf_str(&b);
}

/* The codes are shown here and never again. */
static void
answer_codes(struct ct_req *r, const struct ct_str *codes)
{
	struct ct_jw *w = ct_resp_json(r, 200);

	ct_jw_obj(w);
	put(w, "message", CT_STR("One-time codes are on; keep these codes"));
	ct_jw_key(w, "recovery_codes");
	ct_jw_arr(w);
	for (int i = 0; i < CODES; i++)
		ct_jw_str(w, codes[i]);
	ct_jw_end(w);
	ct_jw_end(w);
}

CT_HANDLER(h_totp_confirm)
{
	uint8_t digests[CODES * CT_DIGEST];
	struct totp_in in = {0};
	struct ct_str codes[CODES];
	struct ct_account u;
	struct ct_totp t;
	uint64_t seen;
	int64_t step;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_account_get(r->pg, r->a, &r->account, &u, err) != CT_OK ||
	    ct_totp_get(r->pg, r->a, &r->account, &t, err) != CT_OK)
		return err->rc;
	if (t.is_on)
		return ct_fail(err, CT_CONFLICT, "totp_on",
		    "One-time codes are on already.");
	if (!t.secret.p)
		return ct_fail(err, CT_CONFLICT, "totp_not_begun",
		    "Please begin with POST /api/auth/totp.");
	if (!find_step(r, &r->account, &t, bare(r->a, in.second.code), &step))
		return ct_fail_field(err, "code",
		    "is not right; look at the clock of the phone and try the "
		    "next one");
	for (int i = 0; i < CODES; i++)
		codes[i] = new_code(r->a, digests + i * CT_DIGEST);
	if (ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_totp_confirm(r->pg, r->a, &r->account, t.secret, step, digests,
		CODES, err) != CT_OK ||
	    ct_mail_tell(r->pg, r->a, &u, "totp_on", err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	answer_codes(r, codes);
	return CT_OK;
}

CT_HANDLER(h_totp_disable)
{
	struct totp_in in = {0};
	struct ct_account u;
	uint64_t seen;

	if (ct_req_bind(r, CT_BIND_CREATE, &in, &seen, err) != CT_OK ||
	    ct_prove_password(r, in.password, &u, "Incorrect password", err) !=
		CT_OK ||
	    ct_totp_check(r, &r->account, u.email, &in.second, err) != CT_OK ||
	    ct_pg_begin(r->pg, r->a, false, err) != CT_OK ||
	    ct_totp_off(r->pg, r->a, &r->account, err) != CT_OK ||
	    ct_mail_tell(r->pg, r->a, &u, "totp_off", err) != CT_OK ||
	    ct_pg_commit(r->pg, err) != CT_OK)
		return err->rc;
	ct_resp_message(r, 200, "One-time codes are off");
	return CT_OK;
}
