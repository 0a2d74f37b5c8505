/*
 * The door to libsodium: argon2id, BLAKE2b, sealing, the random source, base64.
 */
#include <sodium.h>
#include <string.h>

#include "common/crypto.h"
#include "common/werkzeug.h"

_Static_assert(CT_PASSWORD_HASH == crypto_pwhash_STRBYTES, "password hash");
_Static_assert(CT_HMAC == crypto_auth_hmacsha256_BYTES, "HMAC");
_Static_assert(CT_DIGEST == crypto_generichash_BYTES, "digest");
_Static_assert(CT_KEY == crypto_secretbox_KEYBYTES, "key");
_Static_assert(
    CT_SEAL_MORE == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES,
    "seal");
_Static_assert(sizeof(crypto_secretstream_xchacha20poly1305_state) <=
		   sizeof(struct ct_stream),
    "stream");
_Static_assert(
    CT_KEY == crypto_secretstream_xchacha20poly1305_KEYBYTES &&
	CT_STREAM_HEAD == crypto_secretstream_xchacha20poly1305_HEADERBYTES &&
	CT_STREAM_MORE == crypto_secretstream_xchacha20poly1305_ABYTES,
    "stream");
_Static_assert(CT_SHA256 == crypto_hash_sha256_BYTES, "sha256");

#define TOKEN_BYTES 32
#define URLSAFE	    sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(
    sodium_base64_ENCODED_LEN(TOKEN_BYTES, URLSAFE) == CT_TOKEN_TEXT, "token");

void
ct_crypto_init(void)
{
	if (sodium_init() < 0)
		ct_bug("libsodium cannot be initialised");
}

void
ct_token_derive(struct ct_str key, const char *what, const void *p, size_t n,
    char out_text[CT_TOKEN_TEXT])
{
	crypto_generichash_state state;
	uint8_t short_key[CT_DIGEST], raw[TOKEN_BYTES];

	if (key.n == 0)
		ct_bug("a token cannot be derived without a key");
	/* BLAKE2b takes 64 bytes of key at the most. */
	ct_digest(key.p, key.n, short_key);
	/* The NUL after what keeps it apart from the bytes. */
	if (crypto_generichash_init(
		&state, short_key, sizeof(short_key), sizeof(raw)) != 0 ||
	    crypto_generichash_update(
		&state, (const uint8_t *)what, strlen(what) + 1) != 0 ||
	    crypto_generichash_update(&state, p, n) != 0 ||
	    crypto_generichash_final(&state, raw, sizeof(raw)) != 0)
		ct_bug("BLAKE2b refused %zu bytes", n);
	sodium_bin2base64(out_text, CT_TOKEN_TEXT, raw, sizeof(raw), URLSAFE);
	sodium_memzero(short_key, sizeof(short_key));
	sodium_memzero(raw, sizeof(raw));
}

/* libsodium wants an address, also for no bytes. */
static const char *
text_of(struct ct_str s)
{
	return s.n > 0 ? s.p : "";
}

enum ct_rc
ct_password_hash(struct ct_str password, unsigned mem_kib, unsigned passes,
    char out[CT_PASSWORD_HASH], struct ct_err *err)
{
	if (crypto_pwhash_str_alg(out, text_of(password), password.n, passes,
		(size_t)mem_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
		return CT_OK;
	(void)ct_fail(
	    err, CT_RETRY, NULL, "The service is busy. Please try again.");
	return ct_err_detail(
	    err, "argon2id: no memory for %u KiB, %u passes", mem_kib, passes);
}

static bool
is_argon2id(const char *hash)
{
	static const char prefix[] = crypto_pwhash_argon2id_STRPREFIX;

	return hash && strncmp(hash, prefix, sizeof(prefix) - 1) == 0;
}

bool
ct_password_verify(struct ct_str password, const char *hash)
{
	if (!is_argon2id(hash))
		return ct_werkzeug_verify(password, hash);
	return crypto_pwhash_str_verify(hash, text_of(password), password.n) ==
	       0;
}

bool
ct_password_stale(const char *hash, unsigned mem_kib, unsigned passes)
{
	return !is_argon2id(hash) || crypto_pwhash_str_needs_rehash(hash,
					 passes, (size_t)mem_kib * 1024) != 0;
}

void
ct_derive_key(struct ct_str secret, struct ct_str purpose, uint8_t out[CT_KEY])
{
	uint8_t key[CT_DIGEST];

	ct_digest(secret.p, secret.n, key);
	if (crypto_generichash(out, CT_KEY, (const uint8_t *)purpose.p,
		purpose.n, key, sizeof(key)) != 0)
		ct_bug("BLAKE2b refused a purpose of %zu bytes", purpose.n);
	sodium_memzero(key, sizeof(key));
}

struct ct_str
ct_seal(struct ct_arena *a, const uint8_t key[CT_KEY], struct ct_str plain)
{
	size_t n = CT_SEAL_MORE + plain.n;
	uint8_t *out = ct_arena_raw(a, n);

	randombytes_buf(out, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES,
	    (const uint8_t *)text_of(plain), plain.n, out, key);
	return (struct ct_str){(char *)out, n};
}

enum ct_rc
ct_unseal(struct ct_arena *a, const uint8_t key[CT_KEY], struct ct_str sealed,
    struct ct_str *out)
{
	const uint8_t *p = (const uint8_t *)sealed.p;
	uint8_t *plain;

	if (sealed.n < CT_SEAL_MORE)
		return CT_MALFORMED;
	plain = ct_arena_raw(a, sealed.n - CT_SEAL_MORE + 1);
	if (crypto_secretbox_open_easy(plain, p + crypto_secretbox_NONCEBYTES,
		sealed.n - crypto_secretbox_NONCEBYTES, p, key) != 0)
		return CT_MALFORMED;
	*out = (struct ct_str){(char *)plain, sealed.n - CT_SEAL_MORE};
	return CT_OK;
}

void
ct_stream_seal_begin(struct ct_stream *s, const uint8_t key[CT_KEY],
    uint8_t head[CT_STREAM_HEAD])
{
	if (crypto_secretstream_xchacha20poly1305_init_push(
		(void *)s->state, head, key) != 0)
		ct_bug("a sealed stream cannot begin");
}

void
ct_stream_seal(struct ct_stream *s, struct ct_str plain, struct ct_str about,
    bool last, uint8_t *out)
{
	uint8_t tag = last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
			   : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;

	if (crypto_secretstream_xchacha20poly1305_push((void *)s->state, out,
		NULL, (const uint8_t *)text_of(plain), plain.n,
		(const uint8_t *)text_of(about), about.n, tag) != 0)
		ct_bug("a piece of %zu bytes cannot be sealed", plain.n);
}

void
ct_stream_open_begin(struct ct_stream *s, const uint8_t key[CT_KEY],
    const uint8_t head[CT_STREAM_HEAD])
{
	if (crypto_secretstream_xchacha20poly1305_init_pull(
		(void *)s->state, head, key) != 0)
		ct_bug("a sealed stream cannot be opened");
}

bool
ct_stream_open(struct ct_stream *s, struct ct_str sealed, struct ct_str about,
    bool *last, uint8_t *out)
{
	uint8_t tag;

	if (sealed.n < CT_STREAM_MORE ||
	    crypto_secretstream_xchacha20poly1305_pull((void *)s->state, out,
		NULL, &tag, (const uint8_t *)sealed.p, sealed.n,
		(const uint8_t *)text_of(about), about.n) != 0)
		return false;
	*last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	return true;
}

void
ct_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

void
ct_token_new(char out_text[CT_TOKEN_TEXT], uint8_t out_hash[CT_DIGEST])
{
	uint8_t raw[TOKEN_BYTES];

	randombytes_buf(raw, sizeof(raw));
	sodium_bin2base64(out_text, CT_TOKEN_TEXT, raw, sizeof(raw), URLSAFE);
	sodium_memzero(raw, sizeof(raw));
	ct_token_hash(ct_str_of(out_text), out_hash);
}

void
ct_token_hash(struct ct_str text, uint8_t out_hash[CT_DIGEST])
{
	ct_digest(text.p, text.n, out_hash);
}

void
ct_digest(const void *p, size_t n, uint8_t out[CT_DIGEST])
{
	if (crypto_generichash(out, CT_DIGEST, p, n, NULL, 0) != 0)
		ct_bug("BLAKE2b refused %zu bytes", n);
}

void
ct_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
    uint8_t out[CT_HMAC])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, key_n);
	crypto_auth_hmacsha256_update(&state, p, n);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

void
ct_sha256(const void *p, size_t n, uint8_t out[CT_SHA256])
{
	crypto_hash_sha256(out, n > 0 ? p : (const void *)"", n);
}

void
ct_digest_hex16(const void *p, size_t n, char out[17])
{
	uint8_t digest[CT_DIGEST];

	ct_digest(p, n, digest);
	ct_hex(digest, 8, out);
}

void
ct_hex(const uint8_t *p, size_t n, char *out)
{
	sodium_bin2hex(out, n * 2 + 1, p, n);
}

void
ct_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

uint64_t
ct_random_below(uint64_t bound)
{
	uint64_t v, odd;

	if (bound == 0)
		ct_bug("no number is below 0");
	/* 2^64 mod bound: below it, some remainders would come up more often */
	odd = (UINT64_MAX % bound + 1) % bound;
	do {
		randombytes_buf(&v, sizeof(v));
	} while (v < odd);
	return v % bound;
}

bool
ct_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

struct ct_str
ct_base64(struct ct_arena *a, const void *p, size_t n)
{
	int variant = sodium_base64_VARIANT_ORIGINAL;
	size_t size;
	char *out;

	if (n > SIZE_MAX / 2)
		ct_bug("base64 of %zu bytes", n);
	size = sodium_base64_encoded_len(n, variant);
	out = ct_arena_raw(a, size);
	sodium_bin2base64(out, size, p, n, variant);
	return (struct ct_str){out, size - 1};
}

static bool
is_ascii(struct ct_str s)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return all < 0x80;
}

/* libsodium 1.0.18 reads every byte from 0x80 as a digit: ask beforehand. */
enum ct_rc
ct_unbase64(struct ct_arena *a, struct ct_str s, struct ct_str *out)
{
	size_t room = s.n / 4 * 3, n = 0;
	char *p = ct_arena_raw(a, room + 1);

	if (s.n % 4 != 0 || !is_ascii(s) ||
	    sodium_base642bin((unsigned char *)p, room, text_of(s), s.n, NULL,
		&n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return CT_MALFORMED;
	p[n] = '\0';
	*out = (struct ct_str){p, n};
	return CT_OK;
}
