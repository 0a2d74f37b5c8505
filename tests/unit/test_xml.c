/* Elements of XML: paths and texts, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/xml.h"

struct seen {
	char text[2000];
	size_t n;
	int stop_at; /* 0: never */
	int calls;
};

static bool
note(void *arg, const char *path, struct ct_str text)
{
	struct seen *s = arg;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n,
	    "%s=%.*s;", path, CT_STR_FMT(text));
	return ++s->calls != s->stop_at;
}

static enum ct_rc
read_text(const char *doc, struct seen *s, struct ct_err *err)
{
	int stop_at = s->stop_at;

	memset(s, 0, sizeof(*s));
	s->stop_at = stop_at;
	ct_err_clear(err);
	return ct_xml_each(ct_str_of(doc), note, s, err);
}

static void
test_elements(void **state)
{
	struct seen s = {0};
	struct ct_err err;

	(void)state;
	assert_int_equal(
	    read_text("<?xml version=\"1.0\"?>\n<List xmlns=\"http://s3/doc\">"
		      "<Item a='b'><Key>a&amp;b &#x41;</Key><Size>12</Size>"
		      "</Item><Item/>x<More>true</More></List>",
		&s, &err),
	    CT_OK);
	assert_string_equal(s.text,
	    "List/Item/Key=a&b A;List/Item/Size=12;List/Item=;List/Item=;"
	    "List/More=true;List=x;");
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "no xml",
	    "<a>",
	    "<a></b>",
	    "<a/><b/>",
	    "<a>&x;</a>",
	    "<!DOCTYPE a><a/>",
	    "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
	    "<a>\xff</a>",
	};
	struct seen s = {0};
	struct ct_err err;

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++)
		if (read_text(bad[i], &s, &err) != CT_MALFORMED)
			fail_msg("taken: %s", bad[i]);
}

static size_t
put(char *to, const char *text)
{
	memcpy(to, text, strlen(text) + 1);
	return strlen(text);
}

static void
test_bounds(void **state)
{
	static char doc[20000];
	struct seen s = {0};
	struct ct_err err;
	size_t n = 0;

	(void)state;
	/* 16 deep, then 17. */
	for (int i = 0; i < 16; i++)
		n += put(doc + n, "<a>");
	for (int i = 0; i < 16; i++)
		n += put(doc + n, "</a>");
	assert_int_equal(read_text(doc, &s, &err), CT_OK);
	n = put(doc, "<a>");
	for (int i = 0; i < 16; i++)
		n += put(doc + n, "<a>");
	for (int i = 0; i < 17; i++)
		n += put(doc + n, "</a>");
	assert_int_equal(read_text(doc, &s, &err), CT_MALFORMED);
	/* 4096 bytes of text, then one more. */
	memcpy(doc, "<a>", 3);
	memset(doc + 3, 'x', 4096);
	memcpy(doc + 3 + 4096, "</a>", 5);
	s.stop_at = 1;
	assert_int_equal(read_text(doc, &s, &err), CT_MALFORMED);
	assert_int_equal(s.calls, 1);
	memcpy(doc + 3 + 4097, "</a>", 5);
	doc[3 + 4096] = 'x';
	assert_int_equal(read_text(doc, &s, &err), CT_MALFORMED);
	assert_int_equal(s.calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_elements),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
