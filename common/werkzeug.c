/* Password hashes of werkzeug; see werkzeug.h. */
#include "common/werkzeug.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/crypto.h"

#define HASH_MAX 512 /* bytes of a stored hash */
#define SALT_MAX 64
#define KEY_MAX	 64

struct stored {
	struct ct_str method; /* "pbkdf2:sha256:260000" */
	struct ct_str salt;
	uint8_t key[KEY_MAX];
	size_t key_n;
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_key(struct ct_str hex, struct stored *out)
{
	if (hex.n == 0 || hex.n % 2 != 0 || hex.n > KEY_MAX * 2)
		return false;
	for (size_t i = 0; i < hex.n; i += 2) {
		int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out->key[i / 2] = (uint8_t)(high << 4 | low);
	}
	out->key_n = hex.n / 2;
	return true;
}

static bool
read_hash(const char *hash, struct stored *out)
{
	struct ct_str rest = {hash, strnlen(hash, HASH_MAX + 1)};

	if (rest.n > HASH_MAX)
		return false;
	out->method = ct_str_split(&rest, '$');
	out->salt = ct_str_split(&rest, '$');
	return out->salt.n > 0 && out->salt.n <= SALT_MAX && rest.p &&
	       read_key(rest, out);
}

static bool
same_key(const struct stored *s, const uint8_t *key, size_t n)
{
	return s->key_n == n && ct_equal(s->key, key, n);
}

/* args: "sha256:260000" */
static bool
pbkdf2(const struct stored *s, struct ct_str args, struct ct_str password)
{
	uint8_t key[32];
	int64_t rounds;

	if (s->key_n != sizeof(key) ||
	    !ct_str_is(ct_str_split(&args, ':'), "sha256") ||
	    !ct_str_i64(args, 1, CT_PBKDF2_MAX, &rounds))
		return false;
	return PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
		   (const unsigned char *)s->salt.p, (int)s->salt.n,
		   (int)rounds, EVP_sha256(), sizeof(key), key) == 1 &&
	       same_key(s, key, sizeof(key));
}

/* args: "32768:8:1" */
static bool
scrypt(const struct stored *s, struct ct_str args, struct ct_str password)
{
	uint8_t key[64];
	int64_t n, r, p;

	if (s->key_n != sizeof(key) ||
	    !ct_str_i64(
		ct_str_split(&args, ':'), 2, CT_SCRYPT_MEM_MAX / 128, &n) ||
	    (n & (n - 1)) != 0 ||
	    !ct_str_i64(
		ct_str_split(&args, ':'), 1, CT_SCRYPT_MEM_MAX / 128 / n, &r) ||
	    !ct_str_i64(args, 1, CT_SCRYPT_WORK_MAX, &p) ||
	    n * r * p > CT_SCRYPT_WORK_MAX)
		return false;
	/* OpenSSL counts the blocks of p and some more as memory too. */
	return EVP_PBE_scrypt(password.p, password.n,
		   (const unsigned char *)s->salt.p, s->salt.n, (uint64_t)n,
		   (uint64_t)r, (uint64_t)p, (uint64_t)(2 * CT_SCRYPT_MEM_MAX),
		   key, sizeof(key)) == 1 &&
	       same_key(s, key, sizeof(key));
}

bool
ct_werkzeug_verify(struct ct_str password, const char *hash)
{
	static const struct {
		const char *name;
		bool (*verify)(const struct stored *s, struct ct_str args,
		    struct ct_str password);
	} methods[] = {{"pbkdf2", pbkdf2}, {"scrypt", scrypt}};
	struct ct_str name;
	struct stored s;

	if (!hash || password.n > INT32_MAX || !read_hash(hash, &s))
		return false;
	if (!password.p)
		password = CT_STR("");
	name = ct_str_split(&s.method, ':');
	for (size_t i = 0; i < ct_countof(methods); i++) {
		if (ct_str_is(name, methods[i].name))
			return methods[i].verify(&s, s.method, password);
	}
	return false;
}
