/* Turns at hashing: one holder at a time over processes, also dead ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/turn.h"

#define HELD_MS 150

/* A child that takes the turn, says so, and gives it back later or never. */
static pid_t
holder(struct ct_turn *all, unsigned slot, bool gives)
{
	int fd[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		ct_turn_take(all, slot);
		if (write(fd[1], "1", 1) != 1)
			_exit(1);
		usleep(gives ? HELD_MS * 1000 : 60 * 1000000);
		ct_turn_give(all, slot);
		_exit(0);
	}
	assert_int_equal(read(fd[0], &c, 1), 1);
	close(fd[0]);
	close(fd[1]);
	return pid;
}

static void
one_at_a_time(void **state)
{
	struct ct_turn *all = ct_turns_make(2);
	int64_t t0 = ct_mono_ms();
	pid_t pid = holder(all, 3, true);
	int status;

	(void)state;
	ct_turn_take(all, 0); /* another turn: at once */
	assert_true(ct_mono_ms() - t0 < HELD_MS);
	ct_turn_give(all, 0);
	ct_turn_take(all, 1); /* the same one, modulo 2 */
	assert_true(ct_mono_ms() - t0 >= HELD_MS);
	ct_turn_give(all, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* While other work is under way one core is left for it. */
static void
one_less_beside_other_work(void **state)
{
	struct ct_turn *two = ct_turns_make(2), *one = ct_turns_make(1);

	(void)state;
	assert_int_equal(ct_turn_take(two, 1), 1);
	ct_turn_give(two, 1);
	ct_turn_busy(two);
	assert_int_equal(ct_turn_take(two, 1), 0);
	ct_turn_give(two, 0);
	/* But never none. */
	ct_turn_busy(one);
	assert_int_equal(ct_turn_take(one, 1), 0);
	ct_turn_give(one, 0);
	usleep(300000);
	assert_int_equal(ct_turn_take(two, 1), 1);
	ct_turn_give(two, 1);
}

static void
the_dead_give_it_back(void **state)
{
	struct ct_turn *all = ct_turns_make(1);
	int64_t t0 = ct_mono_ms();

	(void)state;
	for (int i = 0; i < 3; i++) {
		pid_t pid = holder(all, 0, false);

		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		ct_turn_take(all, 0);
		ct_turn_give(all, 0);
	}
	assert_true(ct_mono_ms() - t0 < 30000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_at_a_time),
	    cmocka_unit_test(one_less_beside_other_work),
	    cmocka_unit_test(the_dead_give_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
