/*
 * Passwords, tokens, digests and base64 against known answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "tests/unit/capture.h"

/* The least that libsodium takes: these tests are not about the cost. */
#define MEM    8192
#define PASSES 1

static void
test_password(void **state)
{
	char hash[CT_PASSWORD_HASH], again[CT_PASSWORD_HASH];
	struct ct_str pw = CT_STR("corr\0ect h\xc3\xb6rse");
	struct ct_err err = {0};

	(void)state;
	assert_int_equal(ct_password_hash(pw, MEM, PASSES, hash, &err), CT_OK);
	assert_int_equal(
	    strncmp(hash, "$argon2id$v=19$m=8192,t=1,p=1$", 30), 0);
	assert_true(ct_password_verify(pw, hash));
	assert_false(ct_password_verify(CT_STR("corr"), hash));
	assert_false(ct_password_verify((struct ct_str){pw.p, pw.n - 1}, hash));
	assert_false(ct_password_verify((struct ct_str){NULL, 0}, hash));
	assert_int_equal(ct_password_hash(pw, MEM, PASSES, again, &err), CT_OK);
	assert_string_not_equal(hash, again); /* salted */
	assert_false(ct_password_stale(hash, MEM, PASSES));
	assert_true(ct_password_stale(hash, MEM * 2, PASSES));
	assert_true(ct_password_stale(hash, MEM, PASSES + 1));
}

/* argon2id of another implementation: "password", m=64 MiB, t=2, p=1. */
static void
test_password_known(void **state)
{
	static const char hash[] =
	    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
	    "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

	(void)state;
	assert_true(ct_password_verify(CT_STR("password"), hash));
	assert_false(ct_password_verify(CT_STR("Password"), hash));
}

/* What is sealed opens with its own key alone, and only whole. */
static void
test_seal(void **state)
{
	struct ct_arena *a = ct_arena_create(1 << 20);
	uint8_t key[CT_KEY], other[CT_KEY];
	struct ct_str sealed, again, out;
	char *p;

	(void)state;
	ct_derive_key(CT_STR("secret"), CT_STR("one"), key);
	ct_derive_key(CT_STR("secret"), CT_STR("two"), other);
	assert_memory_not_equal(key, other, CT_KEY);
	ct_derive_key(CT_STR("secreu"), CT_STR("one"), other);
	assert_memory_not_equal(key, other, CT_KEY);
	sealed = ct_seal(a, key, CT_STR("a seed"));
	again = ct_seal(a, key, CT_STR("a seed"));
	assert_int_equal(sealed.n, 6 + CT_SEAL_MORE);
	assert_memory_not_equal(sealed.p, again.p, sealed.n);
	assert_int_equal(ct_unseal(a, key, sealed, &out), CT_OK);
	assert_true(ct_str_is(out, "a seed"));
	assert_int_equal(ct_unseal(a, other, sealed, &out), CT_MALFORMED);
	p = ct_arena_dup(a, sealed.p, sealed.n);
	for (size_t i = 0; i < sealed.n; i++) {
		struct ct_str cut = {sealed.p, i};

		p[i] ^= 1;
		assert_int_equal(
		    ct_unseal(a, key, (struct ct_str){p, sealed.n}, &out),
		    CT_MALFORMED);
		assert_int_equal(ct_unseal(a, key, cut, &out), CT_MALFORMED);
		p[i] ^= 1;
	}
	sealed = ct_seal(a, key, CT_STR(""));
	assert_int_equal(ct_unseal(a, key, sealed, &out), CT_OK);
	assert_int_equal(out.n, 0);
	ct_wipe(key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
	ct_arena_destroy(a);
}

static void
test_password_of_no_known_form(void **state)
{
	static const char *const hashes[] = {"", "$", "!", "password",
	    "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
	    "pbkdf2:sha256:260000$x$y", "$argon2id$", "$argon2id$v=19$",
	    "$argon2id$v=19$m=8192,t=1,p=1$", "$argon2id$v=19$m=8192,t=1,p=1$$",
	    "$argon2id$v=19$m=,t=,p=$c29tZXNhbHQ$AAAA",
	    "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$!!!!",
	    "$argon2id$v=99$m=8192,t=1,p=1$c29tZXNhbHQ$AAAA",
	    "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
	    "$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"};
	char longest[400];

	(void)state;
	for (size_t i = 0; i < ct_countof(hashes); i++) {
		if (ct_password_verify(CT_STR("password"), hashes[i]) ||
		    ct_password_verify((struct ct_str){NULL, 0}, hashes[i]))
			fail_msg("verified: %s", hashes[i]);
		if (!ct_password_stale(hashes[i], 65536, 2))
			fail_msg("fresh: %s", hashes[i]);
	}
	assert_false(ct_password_verify(CT_STR("x"), NULL));
	assert_true(ct_password_stale(NULL, MEM, PASSES));
	memset(longest, 'A', sizeof(longest));
	memcpy(longest, "$argon2id$v=19$m=8192,t=1,p=1$", 30);
	longest[399] = '\0';
	assert_false(ct_password_verify(CT_STR("x"), longest));
	assert_true(ct_password_stale(longest, MEM, PASSES));
}

static void
test_password_refused(void **state)
{
	char hash[CT_PASSWORD_HASH];
	struct ct_err err = {0};

	(void)state;
	assert_int_equal(
	    ct_password_hash(CT_STR("x"), 4, PASSES, hash, &err), CT_RETRY);
	assert_int_equal(err.rc, CT_RETRY);
	assert_true(err.msg[0] != '\0');
}

static void
test_digest(void **state)
{
	uint8_t d[CT_DIGEST];
	char hex[2 * CT_DIGEST + 1], short_hex[17];

	(void)state;
	ct_digest("abc", 3, d);
	ct_hex(d, sizeof(d), hex);
	assert_string_equal(hex, "bddd813c634239723171ef3fee98579b"
				 "94964e3bb1cb3e427262c8c068d52319");
	ct_digest_hex16("abc", 3, short_hex);
	assert_string_equal(short_hex, "bddd813c63423972");
	ct_digest(NULL, 0, d);
	ct_hex(d, sizeof(d), hex);
	assert_string_equal(hex, "0e5751c026e543b2e8ab2eb06099daa1"
				 "d1e5df47778f7787faab45cdf12fe3a8");
}

static void
test_token(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[CT_TOKEN_TEXT], other[CT_TOKEN_TEXT];
	uint8_t hash[CT_DIGEST], again[CT_DIGEST];

	(void)state;
	ct_token_new(text, hash);
	assert_int_equal(strlen(text), 43);
	assert_int_equal(strspn(text, alphabet), 43);
	ct_token_hash(ct_str_of(text), again);
	assert_memory_equal(hash, again, CT_DIGEST);
	ct_token_new(other, again);
	assert_string_not_equal(text, other);
	assert_memory_not_equal(hash, again, CT_DIGEST);
	ct_token_hash((struct ct_str){NULL, 0}, again);
	ct_token_hash((struct ct_str){text, 42}, again);
	assert_memory_not_equal(hash, again, CT_DIGEST);
}

static void
below_nothing(void *arg)
{
	(void)arg;
	(void)ct_random_below(0);
}

static void
test_random_below(void **state)
{
	static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 63,
	    (UINT64_C(1) << 63) + 1, UINT64_MAX};
	const uint64_t most = UINT64_C(3) << 62;
	unsigned seen[10] = {0}, low = 0;

	(void)state;
	for (size_t i = 0; i < ct_countof(bounds); i++)
		for (int k = 0; k < 100; k++)
			assert_true(ct_random_below(bounds[i]) < bounds[i]);
	for (int k = 0; k < 10000; k++)
		seen[ct_random_below(10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 800, 1200); /* 6 sigma */
	/* without rejection, the lowest third would come up half the time */
	for (int k = 0; k < 10000; k++)
		low += ct_random_below(most) < most / 3;
	assert_in_range(low, 3050, 3620);
	assert_true(aborts(below_nothing, NULL, "below 0"));
}

static void
test_equal(void **state)
{
	(void)state;
	assert_true(ct_equal("abc", "abc", 3));
	assert_false(ct_equal("abc", "abd", 3));
	assert_false(ct_equal("bbc", "abc", 3));
	assert_true(ct_equal("abc", "abd", 2));
	assert_true(ct_equal("a", "b", 0));
}

static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *text;
	} rows[] = {/* RFC 4648, section 10 */
	    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	    {"\xfb\xff\xfe", "+//+"}};
	struct ct_arena *a = ct_arena_create(1 << 20);
	struct ct_str s, back;
	uint8_t bytes[300];

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		s = ct_base64(a, rows[i].plain, strlen(rows[i].plain));
		assert_true(ct_str_is(s, rows[i].text));
		assert_int_equal(s.p[s.n], 0);
		assert_int_equal(ct_unbase64(a, s, &back), CT_OK);
		assert_true(ct_str_is(back, rows[i].plain));
		assert_int_equal(back.p[back.n], 0);
	}
	for (size_t n = 0; n < sizeof(bytes); n++) {
		ct_random(bytes, n);
		s = ct_base64(a, bytes, n);
		assert_int_equal(ct_unbase64(a, s, &back), CT_OK);
		assert_int_equal(back.n, n);
		assert_memory_equal(back.p, bytes, n);
	}
	ct_arena_destroy(a);
}

static void
test_base64_refused(void **state)
{
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zm9",
	    "Zg===", "Zm8==", "====", "Zm9v\n", "Zm9 ", " Zm9", "Zm-_",
	    "Zg==Zg==", "Zh==", "Zm9=", "\xc3\xa4Zg", "Zm9vZ"};
	struct ct_arena *a = ct_arena_create(65536);
	struct ct_str out;
	char *exact;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		exact = malloc(strlen(bad[i])); /* no NUL behind it */
		assert_non_null(exact);
		memcpy(exact, bad[i], strlen(bad[i]));
		if (ct_unbase64(a, (struct ct_str){exact, strlen(bad[i])},
			&out) != CT_MALFORMED)
			fail_msg("%s", bad[i]);
		free(exact);
	}
	/* every byte in every place; "Zm9=" has stray bits */
	for (size_t i = 0; i < 4; i++)
		for (int c = 0; c < 256; c++) {
			char text[] = "Zm9v";
			bool want = isalnum(c) || c == '+' || c == '/';

			text[i] = (char)c;
			if ((ct_unbase64(a, (struct ct_str){text, 4}, &out) ==
				CT_OK) != want)
				fail_msg("place %zu, byte %d", i, c);
		}
	assert_int_equal(
	    ct_unbase64(a, (struct ct_str){"Zm\0v", 4}, &out), CT_MALFORMED);
	assert_int_equal(ct_unbase64(a, (struct ct_str){NULL, 0}, &out), CT_OK);
	assert_int_equal(out.n, 0);
	ct_arena_destroy(a);
}

/* The same every time; another one for another key, use or subject. */
static void
test_token_derive(void **state)
{
	char one[CT_TOKEN_TEXT], two[CT_TOKEN_TEXT], long_key[301];

	(void)state;
	ct_token_derive(CT_STR("key"), "use", "id", 2, one);
	assert_int_equal(strlen(one), CT_TOKEN_TEXT - 1);
	ct_token_derive(CT_STR("key"), "use", "id", 2, two);
	assert_string_equal(one, two);
	ct_token_derive(CT_STR("kez"), "use", "id", 2, two);
	assert_string_not_equal(one, two);
	ct_token_derive(CT_STR("key"), "usf", "id", 2, two);
	assert_string_not_equal(one, two);
	ct_token_derive(CT_STR("key"), "use", "ie", 2, two);
	assert_string_not_equal(one, two);
	/* What and subject are kept apart. */
	ct_token_derive(CT_STR("key"), "usei", "d", 1, two);
	assert_string_not_equal(one, two);
	/* Every byte of a long key counts. */
	memset(long_key, 'k', sizeof(long_key));
	ct_token_derive((struct ct_str){long_key, 300}, "use", "id", 2, one);
	ct_token_derive((struct ct_str){long_key, 301}, "use", "id", 2, two);
	assert_string_not_equal(one, two);
}

/* RFC 4231, cases 1, 2 and 6. */
static void
test_hmac(void **state)
{
	static const struct {
		size_t key_n;
		uint8_t key_byte;
		const char *key, *text, *hex;
	} rfc[] = {
	    {20, 0x0b, NULL, "Hi There",
		"b0344c61d8db38535ca8afceaf0bf12b"
		"881dc200c9833da726e9376c2e32cff7"},
	    {4, 0, "Jefe", "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c7"
		"5a003f089d2739839dec58b964ec3843"},
	    {131, 0xaa, NULL,
		"Test Using Larger Than Block-Size Key - Hash Key First",
		"60e431591ee0b67f0d8a26aacbf5b77f"
		"8e0bc6213728c5140546040f0ee37f54"},
	};
	uint8_t key[131], mac[CT_HMAC];
	char hex[CT_HMAC * 2 + 1];

	(void)state;
	for (size_t i = 0; i < ct_countof(rfc); i++) {
		memset(key, rfc[i].key_byte, sizeof(key));
		if (rfc[i].key)
			memcpy(key, rfc[i].key, rfc[i].key_n);
		ct_hmac_sha256(
		    key, rfc[i].key_n, rfc[i].text, strlen(rfc[i].text), mac);
		ct_hex(mac, sizeof(mac), hex);
		assert_string_equal(hex, rfc[i].hex);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_password),
	    cmocka_unit_test(test_password_known),
	    cmocka_unit_test(test_password_of_no_known_form),
	    cmocka_unit_test(test_seal),
	    cmocka_unit_test(test_password_refused),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_token),
	    cmocka_unit_test(test_token_derive),
	    cmocka_unit_test(test_random_below),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_hmac),
	    cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_base64_refused),
	};

	ct_crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
