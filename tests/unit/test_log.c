/*
 * Log lines as they arrive on standard error, to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/unit/capture.h"

#define TS "2026-11-22T01:10:00.042Z"

static char out[300000];

static int64_t
fixed_us(void)
{
	return INT64_C(1795309800042999);
}

static int
setup(void **state)
{
	(void)state;
	ct_clock_us = fixed_us;
	ct_log_init("test", CT_INFO, CT_LOGFMT);
	return 0;
}

static size_t
count(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static void
say(struct ct_str v, char *got, size_t cap)
{
	struct capture c = capture_begin();

	ct_log(CT_INFO, "src", "%.*s", CT_STR_FMT(v));
	capture_end(&c, got, cap);
}

static void
test_logfmt_escapes(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
	    {"plain", "plain"},
	    {"", "\"\""},
	    {"two words", "\"two words\""},
	    {"a=b", "\"a=b\""},
	    {"say \"hi\"", "\"say \\\"hi\\\"\""},
	    {"back\\slash", "\"back\\\\slash\""},
	    {"a\nlevel=error", "\"a\\nlevel=error\""},
	    {"a\r\tb\x1b[31m\x7f", "\"a\\u000d\\u0009b\\u001b[31m\\u007f\""},
	    {"f\xc3\xbcr", "\"f\xc3\xbcr\""},
	    {"\xf0\x9f\x90\x88", "\"\xf0\x9f\x90\x88\""},
	    {"bad\xff\xc3", "\"bad\\xff\\xc3\""},
	    {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
	    {"nel\xc2\x85"
	     "csi\xc2\x9b",
		"\"nel\\u0085csi\\u009b\""},
	    {"\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6",
		"\"\\u2028\\u202e\\u2066\""},
	};
	char want[256], got[256];

	(void)state;
	for (size_t i = 0; i < ct_countof(rows); i++) {
		say(ct_str_of(rows[i].in), got, sizeof(got));
		snprintf(want, sizeof(want),
		    "ts=" TS " level=info proc=test src=src msg=%s\n",
		    rows[i].want);
		assert_string_equal(got, want);
	}
}

static void
test_json_escapes(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
	    {"plain", "plain"},
	    {"", ""},
	    {"say \"hi\" \\", "say \\\"hi\\\" \\\\"},
	    {"a\nb\x01\x7f", "a\\nb\\u0001\\u007f"},
	    {"f\xc3\xbcr \xf0\x9f\x90\x88", "f\xc3\xbcr \xf0\x9f\x90\x88"},
	    {"bad\xff", "bad\\ufffd"},
	};
	char want[256], got[256];

	(void)state;
	ct_log_init("test", CT_INFO, CT_LOGJSON);
	for (size_t i = 0; i < ct_countof(rows); i++) {
		say(ct_str_of(rows[i].in), got, sizeof(got));
		snprintf(want, sizeof(want),
		    "{\"ts\":\"" TS "\",\"level\":\"info\",\"proc\":\"test\","
		    "\"src\":\"src\",\"msg\":\"%s\"}\n",
		    rows[i].want);
		assert_string_equal(got, want);
	}
}

/* No byte sequence makes a second line. */
static void
test_never_two_lines(void **state)
{
	char bytes[64], got[1024];

	(void)state;
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(random() % 255 + 1);
		say((struct ct_str){bytes, sizeof(bytes)}, got, sizeof(got));
		assert_int_equal(count(got, '\n'), 1);
		assert_int_equal(count(got, '\r'), 0);
		assert_true(ct_utf8_ok(ct_str_of(got)));
	}
}

static void
all_kinds(struct ct_line *l)
{
	ct_line_begin(l, CT_INFO, "request");
	ct_line_str(l, "route", CT_STR("/api/feeding/"));
	ct_line_str(l, "none", (struct ct_str){NULL, 0});
	ct_line_str(l, "empty", CT_STR(""));
	ct_line_i64(l, "n", INT64_MIN);
	ct_line_milli(l, "ms", 1234);
	ct_line_milli(l, "neg", -1);
	ct_line_milli(l, "min", INT64_MIN);
	ct_line_end(l);
}

static void
test_line(void **state)
{
	struct ct_line l;
	struct capture c = capture_begin();

	(void)state;
	all_kinds(&l);
	ct_log_init("test", CT_INFO, CT_LOGJSON);
	all_kinds(&l);
	capture_end(&c, out, sizeof(out));
	assert_string_equal(out,
	    "ts=" TS " level=info proc=test event=request "
	    "route=/api/feeding/ empty=\"\" n=-9223372036854775808 "
	    "ms=1.234 neg=-0.001 min=-9223372036854775.808\n"
	    "{\"ts\":\"" TS "\",\"level\":\"info\",\"proc\":\"test\","
	    "\"event\":\"request\",\"route\":\"/api/feeding/\","
	    "\"empty\":\"\",\"n\":-9223372036854775808,\"ms\":1.234,"
	    "\"neg\":-0.001,\"min\":-9223372036854775.808}\n");
}

static void
test_line_err(void **state)
{
	struct ct_err err = {0};
	struct ct_line l;
	struct capture c;

	(void)state;
	(void)ct_fail_field(&err, "amount_ml", "private text");
	(void)ct_fail_field(&err, "notes", "private text");
	(void)ct_err_detail(&err, "22003 x");
	c = capture_begin();
	ct_line_begin(&l, CT_INFO, "request");
	ct_line_err(&l, &err);
	ct_line_end(&l);
	capture_end(&c, out, sizeof(out));
	assert_non_null(strstr(out, " rc=invalid code=invalid msg=\"Some "));
	assert_non_null(
	    strstr(out, " fields=amount_ml,notes detail=\"22003 x\"\n"));
	assert_null(strstr(out, "private"));
}

/* The fullest error fits the names' buffer. */
static void
test_line_err_full(void **state)
{
	struct ct_err err = {0};
	struct ct_line l;
	char name[64];
	struct capture c;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	for (int i = 0; i < CT_ERR_FIELDS; i++)
		(void)ct_fail_field(&err, name, "x");
	c = capture_begin();
	ct_line_begin(&l, CT_INFO, "request");
	ct_line_err(&l, &err);
	ct_line_end(&l);
	capture_end(&c, out, sizeof(out));
	assert_int_equal(count(out, ','), CT_ERR_FIELDS - 1);
}

/* Whatever the length, the line ends well and says that it was cut. */
static void
test_line_cut(void **state)
{
	static const char *const ends[] = {" cut=true\n", ",\"cut\":true}\n"};
	char value[4000];
	struct capture c;
	struct ct_line l;
	size_t n, len;
	bool cut, json, escapes;

	(void)state;
	for (int way = 0; way < 4; way++) {
		json = way & 1;
		escapes = way & 2;
		ct_log_init("test", CT_INFO, json ? CT_LOGJSON : CT_LOGFMT);
		for (n = 1800; n < 2100; n++) {
			memset(value, 'v', n);
			if (escapes)
				memset(value + n - 20, '"', 20);
			c = capture_begin();
			ct_line_begin(&l, CT_INFO, "e");
			ct_line_str(&l, "k", (struct ct_str){value, n});
			ct_line_str(&l, "tail",
			    CT_STR("too much for the reserve of a line\n"));
			ct_line_i64(&l, "number", 123456);
			ct_line_end(&l);
			len = capture_end(&c, out, sizeof(out));
			assert_in_range(len, 1800, 2048);
			assert_int_equal(count(out, '\n'), 1);
			cut = strstr(out, ends[json]) != NULL;
			assert_true(cut || strstr(out, "123456"));
			if (n > 2048)
				assert_true(cut);
			if (json)
				assert_string_equal(out + len - 2, "}\n");
		}
	}
}

static void
test_log_cut(void **state)
{
	char *big = malloc(20000);
	struct capture c;
	size_t len;

	(void)state;
	assert_non_null(big);
	memset(big, 'b', 19999);
	big[19999] = '\0';
	c = capture_begin();
	ct_log(CT_INFO, "src", "%s", big);
	len = capture_end(&c, out, sizeof(out));
	assert_in_range(len, 8000, 8192);
	assert_string_equal(out + len - 10, " cut=true\n");
	free(big);
}

static void
test_levels(void **state)
{
	struct ct_line l;
	struct capture c = capture_begin();

	(void)state;
	ct_log_init("test", CT_WARN, CT_LOGFMT);
	ct_log(CT_INFO, "src", "no");
	ct_line_begin(&l, CT_INFO, "no");
	ct_line_str(&l, "k", CT_STR("v"));
	ct_line_i64(&l, "k", 1);
	ct_line_end(&l);
	ct_log(CT_WARN, "src", "yes");
	capture_end(&c, out, sizeof(out));
	assert_int_equal(count(out, '\n'), 1);
	assert_non_null(strstr(out, "level=warn"));
	assert_null(strstr(out, "no"));
}

static size_t
written_now(const struct capture *c)
{
	char buf[16];

	return (size_t)pread(c->fd, buf, sizeof(buf), 0);
}

static void *
other_thread(void *arg)
{
	(void)arg;
	ct_log(CT_INFO, "other", "at once");
	return NULL;
}

static void
test_hold(void **state)
{
	struct capture c = capture_begin();
	pthread_t thread;

	(void)state;
	ct_log_hold();
	ct_log(CT_INFO, "src", "one");
	assert_int_equal(written_now(&c), 0);
	/* another thread's lines do not wait */
	assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_true(written_now(&c) > 0);
	ct_log(CT_INFO, "src", "two");
	ct_log_flush();
	ct_log(CT_INFO, "src", "three"); /* the flush ended the hold */
	capture_end(&c, out, sizeof(out));
	assert_int_equal(count(out, '\n'), 4);
	assert_true(strstr(out, "at once") < strstr(out, "one"));
	assert_true(strstr(out, "one") < strstr(out, "two"));
	assert_non_null(strstr(out, "three"));
}

static void
test_hold_warn_flushes(void **state)
{
	struct capture c = capture_begin();

	(void)state;
	ct_log_hold();
	ct_log(CT_INFO, "src", "one");
	ct_log(CT_WARN, "src", "two");
	assert_true(written_now(&c) > 0);
	ct_log_flush();
	capture_end(&c, out, sizeof(out));
	assert_int_equal(count(out, '\n'), 2);
}

static void
test_hold_overflows(void **state)
{
	struct capture c = capture_begin();
	char number[32];

	(void)state;
	ct_log_hold();
	for (int i = 0; i < 2000; i++)
		ct_log(CT_INFO, "src", "line-%d.", i);
	assert_true(written_now(&c) > 0); /* more than 64 KiB */
	ct_log_flush();
	capture_end(&c, out, sizeof(out));
	assert_int_equal(count(out, '\n'), 2000);
	for (int i = 0; i < 2000; i++) {
		snprintf(number, sizeof(number), "line-%d.", i);
		assert_non_null(strstr(out, number));
	}
}

/* Standard error that cannot be written neither stops nor shows. */
static void
test_keeps_errno(void **state)
{
	int saved = dup(STDERR_FILENO);
	struct ct_line l;

	(void)state;
	close(STDERR_FILENO);
	errno = EDOM;
	ct_log(CT_INFO, "src", "lost");
	ct_line_begin(&l, CT_INFO, "lost");
	ct_line_end(&l);
	ct_log_hold();
	ct_log(CT_INFO, "src", "lost");
	ct_log_flush();
	assert_int_equal(errno, EDOM);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_logfmt_escapes),
	    CASE(test_json_escapes),
	    CASE(test_never_two_lines),
	    CASE(test_line),
	    CASE(test_line_err),
	    CASE(test_line_err_full),
	    CASE(test_line_cut),
	    CASE(test_log_cut),
	    CASE(test_levels),
	    CASE(test_hold),
	    CASE(test_hold_warn_flushes),
	    CASE(test_hold_overflows),
	    CASE(test_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
