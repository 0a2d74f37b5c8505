/* Addresses to be called, as strangers write them: what is one, of which host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/weburl.h"

static struct ct_arena *arena;

static int
up(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)1 << 20);
	return 0;
}

static int
down(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

static enum ct_rc
parse(const char *text, struct ct_weburl *u, struct ct_err *err)
{
	ct_err_clear(err);
	return ct_weburl_parse(arena, ct_str_of(text), u, err);
}

static void
taken(void **state)
{
	static const struct {
		const char *url, *host;
		unsigned port;
		bool tls;
	} table[] = {
	    {"https://example.org", "example.org", 443, true},
	    {"https://example.org/", "example.org", 443, true},
	    {"https://Example.ORG/Path?q=1&r=%20", "example.org", 443, true},
	    {"https://example.org:8443/x", "example.org", 8443, true},
	    {"http://ha.lan:8123/api/webhook/x", "ha.lan", 8123, false},
	    {"http://ha.lan", "ha.lan", 80, false},
	    {"https://a-b.c9.example.org./", "a-b.c9.example.org.", 443, true},
	    {"https://192.0.2.7/", "192.0.2.7", 443, true},
	    {"https://[2001:db8::1]:444/", "2001:db8::1", 444, true},
	    {"https://xn--mnchen-3ya.de/", "xn--mnchen-3ya.de", 443, true},
	};
	struct ct_weburl u;
	struct ct_err err;

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		if (parse(table[i].url, &u, &err) != CT_OK)
			fail_msg("%s: %s", table[i].url, err.msg);
		if (!ct_str_is(u.host, table[i].host))
			fail_msg("%s: %.*s", table[i].url, CT_STR_FMT(u.host));
		assert_int_equal(u.port, table[i].port);
		assert_int_equal(u.tls, table[i].tls);
	}
}

static void
refused(void **state)
{
	static const char *const table[] = {"", "example.org", "//example.org",
	    "https:", "https:/", "https://", "https:///example.org",
	    "https:/example.org", "https:example.org", "HTTPS://example.org",
	    "ftp://example.org", "file:///etc/passwd", "gopher://x/",
	    "https://user@example.org", "https://user:pw@example.org",
	    "https://@example.org", "https://:@example.org",
	    "https://example.org#x", "https://example.org/#", "https://?x",
	    "https://:443/", "https://example.org:0/",
	    "https://example.org:65536/", "https://example.org:x/",
	    "https://example.org:-1/", "https://exa mple.org/",
	    "https://example.org/a b", " https://example.org",
	    "https://example.org\\@127.0.0.1/", "https://example.org\r\n/",
	    "https://example.org/\x01", "https://m\xc3\xbcnchen.de/",
	    "https://ex%61mple.org/", "https://127.0.0.1%2f@example.org/",
	    "https://example..org/", "https://.example.org/", "https://-x.org/",
	    "https://_x.org/", "https://*/", "https://[::1",
	    "https://[fe80::1%25eth0]/", "https://[x]/", "https://[::1]x/",
	    "https://a,b/", "https://a;b/", "https://a$b/"};
	char text[CT_WEBURL_MAX + 2];
	struct ct_weburl u;
	struct ct_err err;

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		if (parse(table[i], &u, &err) != CT_INVALID)
			fail_msg("%s is taken", table[i]);
		assert_true(strlen(err.msg) > 10);
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "https://x/", 10);
	text[CT_WEBURL_MAX] = '\0';
	assert_int_equal(parse(text, &u, &err), CT_OK);
	text[CT_WEBURL_MAX] = 'x';
	text[CT_WEBURL_MAX + 1] = '\0';
	assert_int_equal(parse(text, &u, &err), CT_INVALID);
	/* A NUL ends no text of ours. */
	assert_int_equal(
	    ct_weburl_parse(arena,
		(struct ct_str){"https://example.org\0.evil.test/", 31}, &u,
		&err),
	    CT_INVALID);
}

/* However an address is written, it is known to be one. */
static void
addresses(void **state)
{
	static const struct {
		const char *url, *addr;
	} table[] = {
	    {"https://127.0.0.1/", "127.0.0.1"},
	    {"https://2130706433/", "127.0.0.1"},
	    {"https://0x7f000001/", "127.0.0.1"},
	    {"https://0x7f.0.0.1/", "127.0.0.1"},
	    {"https://0177.0.0.1/", "127.0.0.1"},
	    {"https://127.1/", "127.0.0.1"},
	    {"https://10.1/", "10.0.0.1"},
	    {"https://0/", "0.0.0.0"},
	    {"https://[::1]/", "::1"},
	    {"https://[0:0:0:0:0:0:0:1]/", "::1"},
	    {"https://[::ffff:127.0.0.1]/", "127.0.0.1"},
	    {"https://[::FFFF:7f00:1]/", "127.0.0.1"},
	};
	struct ct_addr want;
	struct ct_weburl u;
	struct ct_err err;

	(void)state;
	for (size_t i = 0; i < ct_countof(table); i++) {
		assert_true(ct_addr_parse(ct_str_of(table[i].addr), &want));
		if (parse(table[i].url, &u, &err) != CT_OK)
			fail_msg("%s: %s", table[i].url, err.msg);
		if (!u.is_addr || memcmp(&u.addr, &want, sizeof(want)) != 0)
			fail_msg("%s: %.*s", table[i].url, CT_STR_FMT(u.host));
	}
	assert_int_equal(parse("https://127.0.0.1.nip.io/", &u, &err), CT_OK);
	assert_false(u.is_addr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(taken, up, down),
	    cmocka_unit_test_setup_teardown(refused, up, down),
	    cmocka_unit_test_setup_teardown(addresses, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
