/*
 * Password hashes of werkzeug: made by werkzeug 2.2.2 (pbkdf2) and, as later
 * versions do it, by Python's hashlib.scrypt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/werkzeug.h"

#define UMLAUTS "Mieze-K\xc3\xa4tzchen \xe2\x82\xac"
#define ONE	"69e653e1b042303dd4bdbfb0e7dd44b9e078f148a38968aafd0892304245025f"
#define ONE_S                                                                  \
	"43a36b7c5c214cfe039f1de10441a9c3bfe7cd3b116091710384485ea2bb500e5d5"  \
	"6ee215c11721035d86294c7b08c8b084a08f3a5ed3fdcfa02c20e5bc8e4fb"

static const struct {
	const char *password, *hash;
} known[] = {
    {"correct horse",
	"pbkdf2:sha256:260000$mLQ3zXa0Nf7vRk2s$b30e68e46f91615c2ab247d87326d2d"
	"dd5429e130c4313ff5f7f20d79e8c6f14"},
    {"", "pbkdf2:sha256:1$a$" ONE},
    {UMLAUTS,
	"pbkdf2:sha256:1000$Salzstreuer12345$6ebd0b96400d7efda244b617d32869dfb"
	"90a2af54d54307c8c029daaecd748c6"},
    {"correct horse",
	"scrypt:32768:8:1$mLQ3zXa0Nf7vRk2s$3ff8a88c06cfe6b04db59712781012a972"
	"106ee189057b31c11a2d69804cf4a8d187098b44598633240e32b29cb0a728c14f2e"
	"9cd98441e8c652c16290b842b0"},
    {UMLAUTS,
	"scrypt:1024:8:2$xY9$4876cdc9f9f3d5533a66967d9ae9bb307b1eec57d58e030f2"
	"ba9aa480702b34fa64324c8c57a9a20f1706fe305b82d9ebaf7d7572c8495d22bd7d"
	"48ad90f6e69"},
    {"", "scrypt:2:1:1$a$" ONE_S},
};

static void
test_known(void **state)
{
	(void)state;
	/* Through the door that all hashes go through. */
	for (size_t i = 0; i < ct_countof(known); i++) {
		struct ct_str pw = ct_str_of(known[i].password);

		if (!ct_password_verify(pw, known[i].hash))
			fail_msg("%s", known[i].hash);
		assert_false(
		    ct_password_verify(CT_STR("correct horsf"), known[i].hash));
		assert_true(ct_password_stale(known[i].hash, 19456, 2));
	}
	/* No password at all is the empty one, no more. */
	assert_true(ct_werkzeug_verify((struct ct_str){0}, known[1].hash));
	assert_false(ct_werkzeug_verify((struct ct_str){0}, known[2].hash));
}

/* Each of these would be true of "" if what is wrong with it were let by. */
static void
test_malformed(void **state)
{
	static const char *const hashes[] = {"", "$", "$$", "pbkdf2", "scrypt",
	    "pbkdf2$a$" ONE, "pbkdf2:$a$" ONE, "pbkdf2:sha256$a$" ONE,
	    "pbkdf2:sha256:$a$" ONE, "pbkdf2:sha256:0$a$" ONE,
	    "pbkdf2:sha256:-1$a$" ONE, "pbkdf2:sha256: 1$a$" ONE,
	    "pbkdf2:sha256:1x$a$" ONE, "pbkdf2:sha256:1:1$a$" ONE,
	    "pbkdf2:sha256:4294967297$a$" ONE,
	    "pbkdf2:sha256:18446744073709551617$a$" ONE, "pbkdf2:md5:1$a$" ONE,
	    "PBKDF2:sha256:1$a$" ONE, "pbkdf2:sha256:1$$" ONE,
	    "pbkdf2:sha256:1$a$", "pbkdf2:sha256:1$a", "pbkdf2:sha256:1",
	    "pbkdf2:sha256:1$a$" ONE "$", "pbkdf2:sha256:1$a$" ONE "0",
	    "pbkdf2:sha256:1$a$" ONE "00", "pbkdf2:sha256:1$a$" ONE " ",
	    "pbkdf2:sha256:1$a$69e6", "pbkdf2:sha256:1$a$" ONE_S,
	    "pbkdf2:sha256:1$a$"
	    "69E653E1B042303DD4BDBFB0E7DD44B9E078F148A38968AAFD0892304245025F",
	    "scrypt:2:1:1$a$" ONE, "scrypt:2:1$a$" ONE_S,
	    "scrypt:2:1:1:1$a$" ONE_S, "scrypt:2:1:0$a$" ONE_S,
	    "scrypt:2:0:1$a$" ONE_S, "scrypt:1:1:1$a$" ONE_S,
	    "scrypt:0:1:1$a$" ONE_S, "scrypt:3:1:1$a$" ONE_S,
	    "scrypt:-2:1:1$a$" ONE_S, "scrypt:2:1:1$$" ONE_S, "plain$$",
	    "sha256$a$" ONE, "x:2:1:1$a$" ONE_S};

	(void)state;
	for (size_t i = 0; i < ct_countof(hashes); i++) {
		if (ct_werkzeug_verify(CT_STR(""), hashes[i]))
			fail_msg("true: %s", hashes[i]);
	}
	assert_false(ct_werkzeug_verify(CT_STR(""), NULL));
}

/* Nothing is computed for what asks for too much: this test would not end. */
static void
test_bounds(void **state)
{
	static const char *const hashes[] = {
	    /* Right, but for a round too many. */
	    "pbkdf2:sha256:2000001$abc$c2909811cce9ce4762cce02e9316d8c67eada5e2"
	    "debde0c290afd42edb85a843",
	    "pbkdf2:sha256:2147483647$a$" ONE, "scrypt:1048576:1:1$a$" ONE_S,
	    "scrypt:65536:16:1$a$" ONE_S, "scrypt:2:1:1048577$a$" ONE_S,
	    "scrypt:524288:1:3$a$" ONE_S, "scrypt:2:1000000000:1$a$" ONE_S,
	    "scrypt:2:1:4611686018427387904$a$" ONE_S};
	char salted[800];

	(void)state;
	for (size_t i = 0; i < ct_countof(hashes); i++)
		assert_false(ct_werkzeug_verify(CT_STR("x"), hashes[i]));
	for (int n = 65; n <= 600; n += 535) {
		snprintf(salted, sizeof(salted), "pbkdf2:sha256:1$%0*d$%s", n,
		    0, ONE);
		assert_false(ct_werkzeug_verify(CT_STR(""), salted));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_bounds),
	};

	ct_crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
