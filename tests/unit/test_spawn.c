/*
 * A child at a pipe: no deadlock however much either side says, its errors are
 * heard, it ends when we want, and it inherits nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/spawn.h"
#include "common/str.h"

#define MIB (1 << 20)

static struct ct_err err;
static const char *const env[] = {"PATH=/usr/bin:/bin", "MARK=seen", NULL};

static enum ct_rc
start(struct ct_spawn *c, enum ct_spawn_way way, const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	memset(c, 0, sizeof(*c));
	c->idle_ms = 20000;
	ct_err_clear(&err);
	return ct_spawn_start(c, way, argv, env, &err);
}

/* All it writes; its last bytes in text. */
static size_t
read_all(struct ct_spawn *c, char *text, size_t size)
{
	static char buf[65536];
	size_t n, all = 0;

	text[0] = '\0';
	for (;;) {
		if (ct_spawn_read(c, buf, sizeof(buf), &n, &err) != CT_OK)
			return all;
		if (n == 0)
			return all;
		all += n;
		if (n < size) {
			memcpy(text, buf, n);
			text[n] = '\0';
		}
	}
}

static void
test_reading(void **state)
{
	struct ct_spawn c;
	char text[100];

	(void)state;
	assert_int_equal(
	    start(&c, CT_SPAWN_WRITES, "printf \"$MARK $HOME\""), CT_OK);
	assert_int_equal(read_all(&c, text, sizeof(text)), 5);
	assert_string_equal(text, "seen ");
	assert_int_equal(ct_spawn_end(&c, &err), CT_OK);
	assert_false(c.running);
}

/* Megabytes on both at once: one that is not read would stop the other. */
static void
test_no_deadlock(void **state)
{
	struct ct_spawn c;
	char text[8];

	(void)state;
	assert_int_equal(start(&c, CT_SPAWN_WRITES,
			     "head -c 3000000 /dev/zero >&2; "
			     "head -c 5000000 /dev/zero; "
			     "head -c 3000000 /dev/zero >&2"),
	    CT_OK);
	assert_int_equal(read_all(&c, text, sizeof(text)), 5000000);
	assert_int_equal(ct_spawn_end(&c, &err), CT_OK);
	assert_int_equal(c.said_n, CT_SPAWN_SAID);
}

static void
test_writing(void **state)
{
	static char data[3 * MIB];
	struct ct_spawn c;

	(void)state;
	memset(data, 'x', sizeof(data));
	/* Slow to read, loud, and it counts. */
	assert_int_equal(start(&c, CT_SPAWN_READS,
			     "head -c 2000000 /dev/zero >&2; "
			     "test $(wc -c) = 6291456"),
	    CT_OK);
	assert_int_equal(ct_spawn_write(&c, data, sizeof(data), &err), CT_OK);
	assert_int_equal(ct_spawn_write(&c, data, sizeof(data), &err), CT_OK);
	assert_int_equal(ct_spawn_end(&c, &err), CT_OK);
}

static void
test_failure_is_told(void **state)
{
	static char data[MIB];
	struct ct_spawn c;
	char text[8];

	(void)state;
	assert_int_equal(start(&c, CT_SPAWN_WRITES,
			     "echo one >&2; echo 'x: error: no such thing' "
			     ">&2; echo more >&2; exit 3"),
	    CT_OK);
	read_all(&c, text, sizeof(text));
	assert_int_equal(ct_spawn_end(&c, &err), CT_RETRY);
	assert_string_equal(err.msg, "sh failed with status 3");
	assert_string_equal(err.detail, "x: error: no such thing");
	/* One that stops reading, and says why. */
	assert_int_equal(start(&c, CT_SPAWN_READS,
			     "head -c 10 >/dev/null; echo 'it is full' >&2; "
			     "exit 1"),
	    CT_OK);
	while (ct_spawn_write(&c, data, sizeof(data), &err) == CT_OK)
		;
	assert_string_equal(err.msg, "sh failed with status 1");
	assert_string_equal(err.detail, "it is full");
	/* One that stops reading and is content is an error, too. */
	assert_int_equal(
	    start(&c, CT_SPAWN_READS, "head -c 10 >/dev/null"), CT_OK);
	ct_err_clear(&err);
	while (ct_spawn_write(&c, data, sizeof(data), &err) == CT_OK)
		;
	assert_string_equal(err.msg, "sh ended before it had read everything");
	assert_false(c.running);
	/* A signal. */
	assert_int_equal(start(&c, CT_SPAWN_WRITES, "kill -9 $$"), CT_OK);
	read_all(&c, text, sizeof(text));
	assert_int_equal(ct_spawn_end(&c, &err), CT_RETRY);
	assert_string_equal(err.msg, "sh was ended by signal 9");
}

static void
test_no_program(void **state)
{
	const char *const argv[] = {"/nonexistent/pg_dump", NULL};
	struct ct_spawn c = {.idle_ms = 1000};

	(void)state;
	ct_err_clear(&err);
	assert_int_equal(
	    ct_spawn_start(&c, CT_SPAWN_WRITES, argv, env, &err), CT_INVALID);
	assert_string_equal(err.msg, "cannot run /nonexistent/pg_dump: No such "
				     "file or directory");
	assert_false(c.running);
}

static void
test_silence_ends(void **state)
{
	struct ct_spawn c;
	char text[8];
	int64_t began = ct_mono_ms();
	pid_t pid;

	(void)state;
	assert_int_equal(start(&c, CT_SPAWN_WRITES, "exec sleep 60"), CT_OK);
	c.idle_ms = 400;
	pid = c.pid;
	read_all(&c, text, sizeof(text));
	assert_string_equal(err.msg, "sh does not go on");
	assert_int_equal(kill(pid, 0), -1);
	/* One that reads nothing, and one that does not end. */
	assert_int_equal(start(&c, CT_SPAWN_READS, "exec sleep 60"), CT_OK);
	c.idle_ms = 400;
	while (ct_spawn_write(&c, env, sizeof(env), &err) == CT_OK)
		;
	assert_string_equal(err.msg, "sh does not go on");
	assert_int_equal(start(&c, CT_SPAWN_READS, "exec sleep 60"), CT_OK);
	c.idle_ms = 400;
	assert_int_equal(ct_spawn_end(&c, &err), CT_RETRY);
	assert_string_equal(err.msg, "sh does not go on");
	assert_true(ct_mono_ms() - began < 20000);
}

static bool
no_more(void *arg)
{
	return ++*(int *)arg < 3;
}

static void
test_stop(void **state)
{
	struct ct_spawn c;
	char text[8];
	int asked = 0;

	(void)state;
	assert_int_equal(start(&c, CT_SPAWN_WRITES, "exec sleep 60"), CT_OK);
	c.go_on = no_more;
	c.arg = &asked;
	read_all(&c, text, sizeof(text));
	assert_string_equal(err.code, "stopped");
	assert_int_equal(asked, 3);
	assert_false(c.running);
	ct_spawn_kill(&c); /* may be called again */
}

/* It has three descriptors, and the one that ls opens. */
static void
test_inherits_nothing(void **state)
{
	struct ct_spawn c;
	char text[200];
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(
	    start(&c, CT_SPAWN_WRITES, "exec ls /proc/self/fd"), CT_OK);
	read_all(&c, text, sizeof(text));
	assert_int_equal(ct_spawn_end(&c, &err), CT_OK);
	assert_string_equal(text, "0\n1\n2\n3\n");
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reading),
	    cmocka_unit_test(test_no_deadlock),
	    cmocka_unit_test(test_writing),
	    cmocka_unit_test(test_failure_is_told),
	    cmocka_unit_test(test_no_program),
	    cmocka_unit_test(test_silence_ends),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_inherits_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
