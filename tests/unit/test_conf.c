/*
 * Configuration: where a value comes from, what stops a start and in which
 * words, and that the texts made of the table agree with the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"

static const char *const names[] = {
#define CT_OPT(name, member, type, def, min, max, unit, help) #name,
#include "common/options.def"
#undef CT_OPT
};

static char dir[32];
static char file[64];
static char secret[64];
static struct ct_conf conf;
static struct ct_err err;

/* What a load allocates lives as long as the process: give it back here. */
static void
forget(void)
{
#define SET_STR(m)    free((char *)(uintptr_t)conf.m)
#define SET_SECRET(m) SET_STR(m)
#define SET_INT(m)    (void)0
#define SET_BOOL(m)   (void)0
#define CT_OPT(name, member, type, def, min, max, unit, help)                  \
	SET_##type(member);
#include "common/options.def"
#undef CT_OPT
	memset(&conf, 0, sizeof(conf));
}

static void
write_to(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state CT_UNUSED)
{
	clearenv();
	snprintf(dir, sizeof(dir), "/tmp/ct-conf-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/c.env", dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	return 0;
}

static int
teardown(void **state CT_UNUSED)
{
	forget();
	unlink(file);
	unlink(secret);
	rmdir(dir);
	return 0;
}

static enum ct_rc
load(const char *path)
{
	forget();
	ct_err_clear(&err);
	return ct_conf_load(&conf, path, &err);
}

static enum ct_rc
load_text(const char *text)
{
	write_to(file, text, strlen(text));
	return load(file);
}

static void
test_defaults(void **state CT_UNUSED)
{
	assert_int_equal(load(NULL), CT_OK);
	assert_string_equal(conf.database_url, "postgresql:///catetube");
	assert_string_equal(conf.secret_key, "");
	assert_int_equal(conf.db_threads, 8);
	assert_int_equal(conf.argon2_mem_kib, 19456);
	assert_string_equal(conf.queue_prefix, "jq:");
	assert_false(conf.test_tasks);
}

static void
test_file(void **state CT_UNUSED)
{
	assert_int_equal(
	    load_text("# comment\n\n  CATETUBE_BATCH = 7 \r\n"
		      "CATETUBE_NODE=\"a b # c\"\n\t# more\n"
		      "REDIS_URL=redis://:a=b@h:1/0\nCATETUBE_QUEUES=\"\"\n"
		      "CATETUBE_TEST_TASKS=1\nCATETUBE_PORT=80\n"
		      "CATETUBE_BENCH_ROWS=5"),
	    CT_OK);
	assert_int_equal(conf.batch, 7);
	assert_string_equal(conf.node, "a b # c");
	assert_string_equal(conf.redis_url, "redis://:a=b@h:1/0");
	assert_string_equal(conf.queues, "");
	assert_true(conf.test_tasks);
	assert_int_equal(load_text(""), CT_OK);
}

static void
test_environment_wins(void **state CT_UNUSED)
{
	setenv("CATETUBE_BATCH", "9", 1);
	setenv("CATETUBE_PORT", "8081", 1);
	setenv("CATETUBE_VAR", "x", 1);
	setenv("CATETUBE_CONFIG", "x", 1);
	setenv("CATETUBE_FCGI", "x", 1);
	setenv("CATETUBE_TEST_URL", "x", 1);
	setenv("CATETUBE_BENCH_SECONDS", "x", 1);
	setenv("PATH", "/bin", 1);
	setenv("DATABASE", "x", 1);
	assert_int_equal(
	    load_text("CATETUBE_BATCH=7\nCATETUBE_LEASE_MS=9000\n"), CT_OK);
	assert_int_equal(conf.batch, 9);
	assert_int_equal(conf.lease_ms, 9000);
}

static void
test_secret_file(void **state CT_UNUSED)
{
	write_to(secret, "redis://s/0\r\n", 13);
	setenv("REDIS_URL_FILE", secret, 1);
	assert_int_equal(load_text("REDIS_URL=redis://f/0\n"), CT_OK);
	assert_string_equal(conf.redis_url, "redis://s/0");
	write_to(secret, "redis://t/0", 11);
	assert_int_equal(load(NULL), CT_OK);
	assert_string_equal(conf.redis_url, "redis://t/0");
	unsetenv("REDIS_URL_FILE");
	setenv("REDIS_URL", "redis://e/0", 1);
	assert_int_equal(load_text("REDIS_URL_FILE=/nowhere\n"), CT_INVALID);
	unsetenv("REDIS_URL");
	write_to(file, "", 0);
	assert_int_equal(load(file), CT_OK);
	assert_string_equal(conf.redis_url, "redis://127.0.0.1:6379/0");
}

static void
env_refused(const char *name, const char *value, const char *msg)
{
	setenv(name, value, 1);
	if (load(NULL) != CT_INVALID)
		fail_msg("taken: %s=%s", name, value);
	assert_string_equal(err.msg, msg);
	assert_string_equal(err.code, "config");
	assert_null(conf.database_url);
	unsetenv(name);
}

static void
env_taken(const char *name, const char *value)
{
	setenv(name, value, 1);
	if (load(NULL) != CT_OK)
		fail_msg("%s=%s: %s", name, value, err.msg);
	unsetenv(name);
}

static void
test_bad_values(void **state CT_UNUSED)
{
	static const char batch[] = "CATETUBE_BATCH must be a whole number "
				    "from 1 to 128 requests, not \"%s\"";
	static const char *const numbers[] = {
	    "0", "257", "", "abc", "1x", "1.", " 1", "99999999999999999999"};
	char msg[200];

	for (size_t i = 0; i < ct_countof(numbers); i++) {
		snprintf(msg, sizeof(msg), batch, numbers[i]);
		env_refused("CATETUBE_BATCH", numbers[i], msg);
	}
	env_taken("CATETUBE_BATCH", "1");
	env_taken("CATETUBE_BATCH", "128");
	env_refused(
	    "CATETUBE_TEST_TASKS", "yes", "CATETUBE_TEST_TASKS must be 0 or 1");
	env_refused(
	    "CATETUBE_TEST_TASKS", "", "CATETUBE_TEST_TASKS must be 0 or 1");
	env_refused("CATETUBE_LOG_LEVEL", "INFO",
	    "CATETUBE_LOG_LEVEL must be debug, info, warn or error");
	env_refused("CATETUBE_LOG_FORMAT", "text",
	    "CATETUBE_LOG_FORMAT must be logfmt or json");
	env_taken("CATETUBE_LOG_LEVEL", "debug");
	env_taken("CATETUBE_LOG_FORMAT", "json");
}

static void
test_unknown_names(void **state CT_UNUSED)
{
	static const char *const t[] = {"CATETUBE_BATCHES", "CATETUBE_",
	    "CATETUBE_PORTS", "CATETUBE_BENCH", "CATETUBE_ORIGIN_FILE",
	    "CATETUBE_batch"};
	char msg[200];

	for (size_t i = 0; i < ct_countof(t); i++) {
		snprintf(msg, sizeof(msg),
		    "%s is not an option; --help lists them", t[i]);
		env_refused(t[i], "1", msg);
	}
}

static void
test_secret_key(void **state CT_UNUSED)
{
	static const char thirty_one[] = "0123456789012345678901234567890";

	env_refused("SECRET_KEY", thirty_one,
	    "SECRET_KEY must have at least 32 characters, or be empty");
	env_taken("SECRET_KEY", "01234567890123456789012345678901");
	env_taken("SECRET_KEY", "");
}

static void
test_mail(void **state CT_UNUSED)
{
	static const char *const bad_url[] = {"mail.example.org",
	    "http://mail.example.org", "smtp://u:p@mail.example.org",
	    "smtp://a/?x", "smtp://a#x", "smtp://a b", "smtp://", "smtps://a/",
	    "file:///etc/passwd"};
	static const char *const bad_from[] = {"a", "@b", "a@", "a@b@c",
	    "A <a@b.org>", "a@b.org\r\nBcc: x", "a@b.org, c@d.org",
	    "a\xc3\xa4@b.org"};

	for (size_t i = 0; i < ct_countof(bad_url); i++)
		env_refused("CATETUBE_SMTP_URL", bad_url[i],
		    "CATETUBE_SMTP_URL must be smtp://host[:port] or "
		    "smtps://host[:port]");
	for (size_t i = 0; i < ct_countof(bad_from); i++)
		env_refused("CATETUBE_MAIL_FROM", bad_from[i],
		    "CATETUBE_MAIL_FROM must be one address, without a name");
	env_taken("CATETUBE_SMTP_URL", "");
	env_taken("CATETUBE_SMTP_URL", "smtp://127.0.0.1:2525");
	env_taken("CATETUBE_SMTP_URL", "smtps://mail.example.org");
	env_taken("CATETUBE_MAIL_FROM", "");
	env_taken("CATETUBE_MAIL_FROM", "catetube@localhost");
}

static void
test_origins(void **state CT_UNUSED)
{
	static const char *const bad[] = {"", "example.org", "ftp://a.b",
	    "https://", "https://a/", "https://a/b", "https://a/80",
	    "https://A.b", "https://a:0", "https://a:65536",
	    "https://a:", "https://a:b", "https://a b", "https://u@a",
	    "https://[::1", "https://[]", "https://[::1]x", "https://a?b",
	    "https://a:+80", "https://a:080", "https://[::g]"};
	static const char *const good[] = {"https://a.example",
	    "http://127.0.0.1:8080", "https://[::1]:65535", "http://[::1]"};
	char list[100];

	for (size_t i = 0; i < ct_countof(bad); i++) {
		env_refused("CATETUBE_ORIGIN", bad[i],
		    "CATETUBE_ORIGIN must be scheme://host[:port] in lower "
		    "case, without a path");
		snprintf(list, sizeof(list), "http://x,%s", bad[i]);
		env_refused("CORS_ORIGINS", list,
		    "CORS_ORIGINS must be origins (scheme://host[:port]) with "
		    "commas between them");
	}
	for (size_t i = 0; i < ct_countof(good); i++) {
		env_taken("CATETUBE_ORIGIN", good[i]);
		snprintf(list, sizeof(list), "%s, http://x", good[i]);
		env_taken("CORS_ORIGINS", list);
	}
	env_taken("CORS_ORIGINS", "");
	env_refused("CORS_ORIGINS", "*",
	    "CORS_ORIGINS must be origins (scheme://host[:port]) with commas "
	    "between them");
}

static void
test_bad_lines(void **state CT_UNUSED)
{
	static const struct {
		const char *text;
		const char *what; /* name, then what follows the place */
		const char *then;
		int line;
	} t[] = {
	    {"\nnonsense\n", "a line", "is not NAME=VALUE", 2},
	    {"=5", "a line", "is not NAME=VALUE", 1},
	    {"DATABSE_URL=x", "DATABSE_URL",
		"is not an option; --help lists them", 1},
	    {"export REDIS_URL=x", "export REDIS_URL",
		"is not an option; --help lists them", 1},
	    {"CATETUBE_NODE=\"a", "CATETUBE_NODE",
		"has unbalanced double quotes", 1},
	    {"CATETUBE_NODE=\"", "CATETUBE_NODE",
		"has unbalanced double quotes", 1},
	    {"CATETUBE_NODE=\"a\"b\"", "CATETUBE_NODE",
		"has unbalanced double quotes", 1},
	    {"#\nCATETUBE_NODE=a\nCATETUBE_NODE=a", "CATETUBE_NODE",
		"is given twice", 3},
	    {"SECRET_KEY=\nSECRET_KEY_FILE=/x", "SECRET_KEY", "is given twice",
		2},
	    {"CATETUBE_TEST_TASKS=2", "CATETUBE_TEST_TASKS", "must be 0 or 1",
		1},
	    {"\n\nCATETUBE_LOG_LEVEL=x", "CATETUBE_LOG_LEVEL",
		"must be debug, info, warn or error", 3},
	    {"SECRET_KEY=tooshort", "SECRET_KEY",
		"must have at least 32 characters, or be empty", 1},
	};
	char msg[300];

	for (size_t i = 0; i < ct_countof(t); i++) {
		if (load_text(t[i].text) != CT_INVALID)
			fail_msg("taken: %s", t[i].text);
		snprintf(msg, sizeof(msg), "%s (%s, line %d) %s", t[i].what,
		    file, t[i].line, t[i].then);
		assert_string_equal(err.msg, msg);
	}
}

static void
refused_with(const char *part)
{
	assert_int_equal(load(file), CT_INVALID);
	if (!strstr(err.msg, part))
		fail_msg("%s lacks %s", err.msg, part);
}

static void
test_bad_files(void **state CT_UNUSED)
{
	char line[100];
	char *big;

	refused_with("No such file");
	assert_int_equal(load(dir), CT_INVALID);
	write_to(file, "A\0B", 3);
	refused_with("NUL byte");
	big = calloc(1, 300000);
	assert_non_null(big);
	memset(big, '\n', 300000);
	write_to(file, big, 300000);
	refused_with("larger than");
	write_to(file, big, 262144);
	assert_int_equal(load(file), CT_OK);
	snprintf(line, sizeof(line), "SECRET_KEY_FILE=%s\n", secret);
	write_to(file, line, strlen(line));
	refused_with("No such file");
	refused_with("SECRET_KEY_FILE");
	write_to(secret, "\n", 1);
	refused_with("one line");
	write_to(secret, "", 0);
	refused_with("one line");
	write_to(secret, "a\nb\n", 4);
	refused_with("one line");
	write_to(secret, big, 70000);
	refused_with("larger than");
	free(big);
}

/* Uncommented, the sample holds every option once and changes nothing. */
static void
test_sample(void **state CT_UNUSED)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	char line[100];

	ct_conf_sample(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(load_text(text), CT_OK);
	for (size_t i = 0; i < ct_countof(names); i++) {
		char *at;

		snprintf(line, sizeof(line), "\n#%s=", names[i]);
		at = strstr(text, line);
		assert_non_null(at);
		assert_null(strstr(at + 1, line));
		at[1] = '\n';
	}
	assert_int_equal(load_text(text), CT_OK);
	assert_int_equal(conf.batch, 64);
	assert_string_equal(conf.origin, "http://127.0.0.1:8080");
	free(text);
}

static void
count_names(void (*print)(FILE *out), const char *before, const char *after)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	char line[100];

	print(f);
	assert_int_equal(fclose(f), 0);
	for (size_t i = 0; i < ct_countof(names); i++) {
		snprintf(line, sizeof(line), "%s%s%s", before, names[i], after);
		if (!strstr(text, line))
			fail_msg("%s is missing", names[i]);
	}
	assert_null(strstr(text, "hunter2"));
	free(text);
}

static void
test_texts(void **state CT_UNUSED)
{
	setenv("DATABASE_URL", "postgresql://u:hunter2@h/d", 1);
	assert_int_equal(load(NULL), CT_OK);
	count_names(ct_conf_help, "\n  ", "");
	count_names(ct_conf_markdown, "\n| `", "` | ");
}

static void
test_secrets_stay_out_of_messages(void **state CT_UNUSED)
{
	setenv("SECRET_KEY", "hunter2", 1);
	assert_int_equal(load(NULL), CT_INVALID);
	assert_null(strstr(err.msg, "hunter2"));
	assert_null(strstr(err.detail, "hunter2"));
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(test_defaults),
	    T(test_file),
	    T(test_environment_wins),
	    T(test_secret_file),
	    T(test_bad_values),
	    T(test_unknown_names),
	    T(test_secret_key),
	    T(test_origins),
	    T(test_mail),
	    T(test_bad_lines),
	    T(test_bad_files),
	    T(test_sample),
	    T(test_texts),
	    T(test_secrets_stay_out_of_messages),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
