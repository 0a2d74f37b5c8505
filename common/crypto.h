/*
 * The door to libsodium: passwords, tokens, digests, sealed secrets, base64.
 */
#ifndef CT_COMMON_CRYPTO_H
#define CT_COMMON_CRYPTO_H

#include "common/err.h"
#include "common/str.h"

#define CT_DIGEST	 32  /* bytes of BLAKE2b-256 */
#define CT_TOKEN_TEXT	 44  /* 32 random bytes as base64url + NUL */
#define CT_KEY		 32  /* bytes of a key that seals */
#define CT_SEAL_MORE	 40  /* bytes that a sealed text is longer */
#define CT_STREAM_HEAD	 24  /* bytes from which a sealed stream is opened */
#define CT_STREAM_MORE	 17  /* bytes that each of its pieces is longer */
#define CT_SHA256	 32  /* bytes */
#define CT_PASSWORD_HASH 128 /* "$argon2id$…" + NUL, as libsodium's */

/* Once per process, before anything else here; aborts where it fails. */
void ct_crypto_init(void);

/*
 * argon2id. mem_kib and passes are the cost (OWASP: 19 MiB, t=2, p=1).
 * Blocks for 15-60 ms of CPU: callers bound how many run at once.
 * CT_RETRY where memory is short.
 */
enum ct_rc ct_password_hash(struct ct_str password, unsigned mem_kib,
    unsigned passes, char out[CT_PASSWORD_HASH],
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Constant time in the password. argon2id, and werkzeug's of imported accounts
 * (common/werkzeug.h); a hash of no known form is false.
 */
bool ct_password_verify(struct ct_str password, const char *hash);
/* True where hash was made with another cost or algorithm. */
bool ct_password_stale(const char *hash, unsigned mem_kib, unsigned passes);

/* A key for one purpose, from the service's secret. */
void ct_derive_key(
    struct ct_str secret, struct ct_str purpose, uint8_t out[CT_KEY]);
/* Encrypted and authenticated, CT_SEAL_MORE bytes longer; on the arena. */
struct ct_str ct_seal(
    struct ct_arena *a, const uint8_t key[CT_KEY], struct ct_str plain);
/* CT_MALFORMED: another key, or not a byte of it may be trusted. */
enum ct_rc ct_unseal(struct ct_arena *a, const uint8_t key[CT_KEY],
    struct ct_str sealed, struct ct_str *out) CT_MUSTCHECK;
void ct_wipe(void *p, size_t n); /* zeros that the compiler leaves in */

/*
 * Pieces that open in the order in which they were sealed, the last one marked
 * as such. about: what else each is bound to; the same is given to open it.
 */
struct ct_stream {
	uint64_t state[8];
};
void ct_stream_seal_begin(struct ct_stream *s, const uint8_t key[CT_KEY],
    uint8_t head[CT_STREAM_HEAD]);
/* out: plain.n + CT_STREAM_MORE bytes. */
void ct_stream_seal(struct ct_stream *s, struct ct_str plain,
    struct ct_str about, bool last, uint8_t *out);
void ct_stream_open_begin(struct ct_stream *s, const uint8_t key[CT_KEY],
    const uint8_t head[CT_STREAM_HEAD]);
/* out: sealed.n - CT_STREAM_MORE bytes. False: not a byte may be trusted. */
bool ct_stream_open(struct ct_stream *s, struct ct_str sealed,
    struct ct_str about, bool *last, uint8_t *out) CT_MUSTCHECK;

/* 256 random bits as text for a client, and the digest that we store. */
void ct_token_new(char out_text[CT_TOKEN_TEXT], uint8_t out_hash[CT_DIGEST]);
/* The digest of a token that a client sent; any length of input. */
void ct_token_hash(struct ct_str text, uint8_t out_hash[CT_DIGEST]);

void ct_digest(const void *p, size_t n, uint8_t out[CT_DIGEST]);
void ct_sha256(const void *p, size_t n, uint8_t out[CT_SHA256]);
/*
 * A token that needs not be kept: keyed digest of what and the n bytes at p,
 * as base64url. The same inputs give the same text. key: of any length, but
 * not empty; what: one word for each use of the key.
 */
void ct_token_derive(struct ct_str key, const char *what, const void *p,
    size_t n, char out_text[CT_TOKEN_TEXT]);
/* First 16 hex digits of the digest, for ETags. */
void ct_digest_hex16(const void *p, size_t n, char out[17]);
void ct_hex(const uint8_t *p, size_t n, char *out); /* 2n + 1 bytes */
void ct_random(void *p, size_t n);
uint64_t ct_random_below(uint64_t bound); /* uniform, 0 <= x < bound */
bool ct_equal(const void *a, const void *b, size_t n); /* constant time */

/* HMAC-SHA256, for others who have to check it. key: of any length. */
#define CT_HMAC 32
void ct_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n,
    uint8_t out[CT_HMAC]);

/* Standard alphabet with padding (MIME). */
struct ct_str ct_base64(struct ct_arena *a, const void *p, size_t n);
/* CT_MALFORMED where s is no base64. Result on the arena, NUL after it. */
enum ct_rc ct_unbase64(
    struct ct_arena *a, struct ct_str s, struct ct_str *out) CT_MUSTCHECK;

#endif
