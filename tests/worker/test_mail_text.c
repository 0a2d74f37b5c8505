/*
 * Mails as bytes: every kind has its values, values cannot become markup or
 * header lines, and no line is longer than mail allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/crypto.h"
#include "worker/mail_text.h"
#include "worker/mime.h"

static struct ct_arena *arena;
static struct ct_err err;

static int
setup(void **state)
{
	(void)state;
	arena = ct_arena_create(16 << 20);
	ct_err_clear(&err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ct_arena_destroy(arena);
	return 0;
}

static const struct ct_json *
json(const char *text)
{
	const struct ct_json *out;

	if (ct_json_parse(arena, ct_str_of(text), 4, &out, &err) != CT_OK)
		fail_msg("%s", err.msg);
	return out;
}

struct filled {
	struct ct_str subject, text, html;
};

static struct filled
fill(const struct ct_mail_text *t, const char *args)
{
	struct ct_mail_values v = {.args = json(args),
	    .link = CT_STR("https://cat.example/x#T"),
	    .origin = CT_STR("https://cat.example")};
	struct filled f;

	if (ct_mail_text_fill(
		arena, t, &v, &f.subject, &f.text, &f.html, &err) != CT_OK)
		fail_msg("%s: %s", t->kind, err.msg);
	return f;
}

static bool
has(struct ct_str s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

#define ALL                                                                    \
	"{\"name\":\"Ada\",\"address\":\"b@c.de\",\"inviter\":\"Ada\","        \
	"\"cat\":\"Miez\",\"what\":\"feeding\",\"from\":\"2026-11-16\","       \
	"\"to\":\"2026-11-22\",\"target\":\"t.example\",\"why\":\"No.\"}"

static void
every_kind_has_its_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ct_mail_texts_n; i++) {
		const struct ct_mail_text *t = &ct_mail_texts[i];
		struct filled f = fill(t, ALL);

		assert_ptr_equal(ct_mail_text_find(ct_str_of(t->kind)), t);
		assert_false(has(f.text, "{") || has(f.html, "{") ||
			     has(f.subject, "{"));
		assert_int_equal(
		    has(f.text, "https://cat.example/x#T"), t->path != NULL);
		assert_int_equal(
		    has(f.html, "href=\"https://cat.example/x#T\""),
		    t->path != NULL);
	}
	assert_null(ct_mail_text_find(CT_STR("nothing")));
}

static void
missing_value_is_told(void **state)
{
	struct ct_mail_values v = {
	    .args = json("{}"), .origin = CT_STR("https://x")};
	struct ct_str s;

	(void)state;
	assert_int_equal(ct_mail_text_fill(arena,
			     ct_mail_text_find(CT_STR("password_changed")), &v,
			     &s, &s, &s, &err),
	    CT_INTERNAL);
	assert_non_null(strstr(err.msg, "{name}"));
}

static void
values_are_no_markup(void **state)
{
	struct filled f = fill(ct_mail_text_find(CT_STR("invite")),
	    "{\"inviter\":\"<b>&\\\"'{cat}\",\"cat\":\"C\"}");

	(void)state;
	assert_true(has(f.html, "&lt;b&gt;&amp;&quot;&#39;{cat} uses"));
	assert_false(has(f.html, "<b>"));
	assert_true(has(f.text, "<b>&\"'{cat} uses"));
}

static struct ct_str
quoted(const char *text)
{
	struct ct_buf b;

	ct_buf_init(&b, arena, 64);
	ct_mime_quoted(&b, ct_str_of(text));
	return ct_buf_str(&b);
}

static struct ct_str
words(const char *text, size_t used)
{
	struct ct_buf b;

	ct_buf_init(&b, arena, 64);
	ct_mime_words(&b, ct_str_of(text), used);
	return ct_buf_str(&b);
}

static void
quoted_printable(void **state)
{
	(void)state;
	assert_true(ct_str_is(quoted("a=b \nc\t\n\xc3\xa4 d\r."),
	    "a=3Db=20\r\nc=09\r\n=C3=A4 d=0D.\r\n"));
	assert_true(ct_str_is(quoted(""), "\r\n"));
}

static void
encoded_words(void **state)
{
	(void)state;
	assert_true(ct_str_is(words("plain text", 9), "plain text"));
	assert_true(
	    ct_str_is(words("M\xc3\xa4usle", 9), "=?UTF-8?B?TcOkdXNsZQ==?="));
	/* What would be read as a word is made one. */
	assert_true(ct_str_starts(words("=?x", 9), CT_STR("=?UTF-8?B?")));
	/* A line cannot be ended from inside. */
	assert_true(ct_str_is(words("a\r\nBcc: b@c.de", 9), "a  Bcc: b@c.de"));
	assert_true(ct_str_is(words("a\tb\x7f", 9), "a b "));
}

/* No line over 76 bytes, only CRLF, ASCII only, no header of the values'. */
static void
want_sane(struct ct_str s, int headers)
{
	size_t col = 0;
	int lines = 0;
	bool head = true;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		assert_true(c < 0x7f);
		assert_true(c >= ' ' || c == '\r' || c == '\n');
		if (c == '\r') {
			assert_true(i + 1 < s.n && s.p[i + 1] == '\n');
			continue;
		}
		if (c == '\n') {
			assert_true(i > 0 && s.p[i - 1] == '\r');
			if (col == 0)
				head = false;
			col = 0;
			continue;
		}
		lines += head && col == 0 && c != ' ';
		col++;
		assert_true(col <= 76);
	}
	assert_int_equal(lines, headers);
}

static void
message_is_sane(void **state)
{
	static const char *const subjects[] = {"short",
	    "with a line\r\nBcc: b@example.org\r\n\r\nand a body",
	    "\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88"
	    "\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88"
	    "\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88",
	    "ascii and far longer than a line of a mail may be, which is more "
	    "than seventy-six bytes"};

	(void)state;
	for (size_t i = 0; i < ct_countof(subjects); i++) {
		struct ct_mime m = {.id = ct_uuid_new(),
		    .host = CT_STR("cat.example"),
		    .from = CT_STR("catetube@cat.example"),
		    .to = CT_STR("ada@example.org"),
		    .subject = ct_str_of(subjects[i]),
		    .text = CT_STR("H\xc3\xa4llo\n\n.\nFrom me\n"),
		    .html = CT_STR("<p>x</p>"),
		    .date_us = INT64_C(1764288000000000)};
		struct ct_str s = ct_mime_write(arena, &m);

		want_sane(s, 8);
		assert_true(
		    has(s, "\r\nDate: Fri, 28 Nov 2025 00:00:00 +0000\r\n"));
		assert_true(has(s, "\r\nAuto-Submitted: auto-generated\r\n"));
		assert_false(has(s, "\nBcc:"));
	}
}

/* A file of any bytes, whole, in lines that mail allows. */
static void
file_is_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 56, 57, 58, 5000, 300000};

	(void)state;
	for (size_t i = 0; i < ct_countof(sizes); i++) {
		char *body = ct_arena_alloc(arena, sizes[i] + 1);
		const struct ct_mime_file f = {"feeding-report.csv",
		    "text/csv; charset=utf-8", {body, sizes[i]}};
		struct ct_mime m = {.id = ct_uuid_new(),
		    .host = CT_STR("cat.example"),
		    .from = CT_STR("catetube@cat.example"),
		    .to = CT_STR("ada@example.org"),
		    .subject = CT_STR("with a file"),
		    .text = CT_STR("x"),
		    .html = CT_STR("<p>x</p>"),
		    .file = &f};
		struct ct_str s, part, back, line;
		struct ct_buf joined;

		ct_random(body, sizes[i]);
		s = ct_mime_write(arena, &m);
		want_sane(s, 8);
		assert_true(has(s, "multipart/mixed") &&
			    has(s, "multipart/alternative"));
		part.p =
		    memmem(s.p, s.n, "filename=\"feeding-report.csv\"\r\n", 31);
		assert_non_null(part.p);
		part.p += 33;
		part.n = (size_t)(s.p + s.n - part.p);
		ct_buf_init(&joined, arena, part.n);
		while (!ct_str_starts(part, CT_STR("--"))) {
			line = ct_str_split(&part, '\n');
			line.n--;
			ct_buf_addstr(&joined, line);
		}
		assert_int_equal(
		    ct_unbase64(arena, ct_buf_str(&joined), &back), CT_OK);
		assert_int_equal(back.n, sizes[i]);
		assert_memory_equal(back.p, body, back.n);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(every_kind_has_its_values),
	    T(missing_value_is_told),
	    T(values_are_no_markup),
	    T(quoted_printable),
	    T(encoded_words),
	    T(message_is_sane),
	    T(file_is_whole),
	};

	ct_crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
