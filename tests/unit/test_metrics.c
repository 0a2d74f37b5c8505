/*
 * Metrics: cells, the shared page between processes, its layout check, and
 * the text that is rendered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/metrics.h"

static struct ct_arena *arena;
static struct ct_err err;
static char dir[32];
static char path[48];

/* Each test has a page of its own; the one before stays mapped. */
static int
begin(void **state)
{
	(void)state;
	arena = ct_arena_create((size_t)8 << 20);
	snprintf(dir, sizeof(dir), "/tmp/ct-metrics-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/metrics", dir);
	assert_int_equal(ct_metrics_open(dir, &err), CT_OK);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	ct_arena_destroy(arena);
	return 0;
}

static const char *
render(void)
{
	struct ct_buf b;

	ct_buf_init(&b, arena, 1024);
	ct_metrics_render(&b);
	return ct_str_cstr(arena, ct_buf_str(&b));
}

static bool
has_line(const char *line)
{
	return strstr(render(), ct_arena_printf(arena, "%s\n", line)) != NULL;
}

static unsigned
count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

static void
test_counter_and_gauge(void **state)
{
	struct ct_cell *c = ct_metric(CT_M_JOBS_FENCED, "");

	(void)state;
	ct_metric_add(c, 2);
	ct_metric_add(ct_metric(CT_M_JOBS_FENCED, ""), 3);
	ct_metric_set(ct_metric(CT_M_BUILD_INFO, "version=\"1.2\""), 1);
	assert_true(has_line("catetube_jobs_fenced_total 5"));
	assert_true(has_line("catetube_build_info{version=\"1.2\"} 1"));
	assert_true(has_line("# TYPE catetube_build_info gauge"));
}

/* Gauges without a cell, and labels that somebody else has chosen. */
static void
test_lines(void **state)
{
	struct ct_buf b;

	(void)state;
	ct_buf_init(&b, arena, 256);
	ct_metric_head(&b, CT_M_QUEUE_OLDEST);
	ct_metric_line(&b, CT_M_QUEUE_OLDEST, "queue=\"a\"", 1500);
	ct_metric_line(&b, CT_M_QUEUE_OLDEST, "queue=\"a\nb\"", 1500);
	ct_metric_line(&b, CT_M_JOBS_DEAD, "", 7000);
	assert_string_equal(
	    strchr(ct_str_cstr(arena, ct_buf_str(&b)), '\n') + 1,
	    "# TYPE catetube_queue_oldest_seconds gauge\n"
	    "catetube_queue_oldest_seconds{queue=\"a\"} 1.5\n"
	    "catetube_jobs_dead 7\n");
	assert_string_equal(
	    ct_metric_label(arena, CT_STR("a\"b\\c\nd\xff")), "a_b_c_d_");
	assert_int_equal(strlen(ct_metric_label(arena,
			     ct_str_of(ct_arena_printf(arena, "%0200d", 0)))),
	    64);
}

static void
test_histogram_is_cumulative(void **state)
{
	static const int64_t us[] = {-5, 0, 500, 501, 30000, 10000001};
	struct ct_cell *c = ct_metric(CT_M_JOB_SECONDS, "task=\"t\"");

	(void)state;
	for (size_t i = 0; i < ct_countof(us); i++)
		ct_metric_observe_us(c, us[i]);
	assert_true(has_line("# TYPE catetube_job_run_seconds histogram"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"0.0005\"} 3"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"0.001\"} 4"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"0.025\"} 4"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"0.05\"} 5"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"10\"} 5"));
	assert_true(has_line(
	    "catetube_job_run_seconds_bucket{task=\"t\",le=\"+Inf\"} 6"));
	assert_true(has_line("catetube_job_run_seconds_sum{task=\"t\"} "
			     "10.031002"));
	assert_true(has_line("catetube_job_run_seconds_count{task=\"t\"} 6"));
}

static void
test_bare_histogram(void **state)
{
	(void)state;
	ct_metric_observe_us(ct_metric(CT_M_GATE_BATCH, ""), 700);
	assert_true(has_line("catetube_gate_trip_seconds_bucket{le=\"0.001\"} "
			     "1"));
	assert_true(has_line("catetube_gate_trip_seconds_sum 0.000700"));
	assert_true(has_line("catetube_gate_trip_seconds_count 1"));
}

/* One heading per metric, all its samples right behind it. */
static void
test_groups(void **state)
{
	const char *text, *other;

	(void)state;
	ct_metric_add(ct_metric(CT_M_LIMITED, "class=\"read\""), 1);
	ct_metric_add(ct_metric(CT_M_AUTH, "result=\"ok\""), 1);
	ct_metric_add(ct_metric(CT_M_LIMITED, "class=\"log\""), 1);
	text = render();
	assert_int_equal(count(text, "# HELP catetube_ratelimited_total "), 1);
	assert_int_equal(count(text, "# TYPE catetube_ratelimited_total "), 1);
	other = strstr(text, "catetube_auth_attempts_total{");
	assert_non_null(other);
	assert_true(strstr(text, "class=\"log\"") < other);
	assert_true(strstr(text, "class=\"read\"") < other);
	assert_null(strstr(text, "catetube_job"));
}

static void
test_labels_are_checked(void **state)
{
	static const char *const bad[] = {"x", "x=", "x=y", "x=\"y", "x=\"y\",",
	    "x=\"y\"z=\"1\"", "1x=\"y\"", "x=\"a\nb\"", "x=\"a\\qb\"",
	    "x=\"a\"} 1\nevil{x=\"", "x=\"\xff\"", "=\"y\"", "x=\"y\\\"",
	    "x=\"y\",,z=\"1\""};
	static const char *const good[] = {"a=\"\"", "a_1=\"x\",b=\"y\"",
	    "a=\"q\\\"\\\\\\n\"", "a=\"{}, =\"", "_a=\"\xc3\xa9\""};

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++)
		ct_metric_add(ct_metric(CT_M_AUTH, bad[i]), 1);
	assert_string_equal(render(), "");
	for (size_t i = 0; i < ct_countof(good); i++) {
		ct_metric_add(ct_metric(CT_M_AUTH, good[i]), 1);
		assert_true(has_line(ct_arena_printf(
		    arena, "catetube_auth_attempts_total{%s} 1", good[i])));
	}
}

static void
test_long_labels_spill(void **state)
{
	char labels[CT_METRIC_LABELS + 8];
	size_t n = CT_METRIC_LABELS - 1;

	(void)state;
	memset(labels, 'x', sizeof(labels));
	memcpy(labels, "l=\"", 3);
	memcpy(labels + n, "\"", 2);
	ct_metric_add(ct_metric(CT_M_AUTH, labels), 1);
	assert_string_equal(render(), "");
	memcpy(labels + n - 1, "\"", 2);
	ct_metric_add(ct_metric(CT_M_AUTH, labels), 1);
	assert_non_null(strstr(render(), labels));
}

static void
test_cells_run_out(void **state)
{
	const char *full;

	(void)state;
	for (unsigned i = 0; i < CT_METRIC_CELLS + 10; i++) {
		const char *l = ct_arena_printf(arena, "i=\"%u\"", i);

		ct_metric_add(ct_metric(CT_M_AUTH, l), 1);
	}
	full = render();
	assert_int_equal(count(full, "attempts_total{"), CT_METRIC_CELLS);
	assert_true(
	    ct_metric(CT_M_LIMITED, "") == ct_metric(CT_M_JOBS_FENCED, ""));
	assert_true(has_line("catetube_auth_attempts_total{i=\"7\"} 1"));
}

enum { PROCS = 4, LABELS = 250, ADDS = 10 };

static void
hammer(atomic_int *gate)
{
	atomic_fetch_add(gate, 1);
	while (atomic_load(gate) < PROCS)
		sched_yield();
	for (int i = 0; i < LABELS; i++) {
		char l[32];

		snprintf(l, sizeof(l), "i=\"%d\"", i);
		for (int k = 0; k < ADDS; k++)
			ct_metric_add(ct_metric(CT_M_AUTH, l), 1);
	}
}

/* Claims of several processes at once: one cell each, no count lost. */
static void
test_processes_share(void **state)
{
	atomic_int *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCS];
	const char *text;

	(void)state;
	assert_true(gate != MAP_FAILED);
	for (int i = 0; i < PROCS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			if (ct_metrics_open(dir, &err) != CT_OK)
				_exit(1);
			hammer(gate);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	munmap(gate, sizeof(*gate));
	text = render();
	assert_int_equal(count(text, "attempts_total{"), LABELS);
	assert_int_equal(
	    count(text, ct_arena_printf(arena, "\"} %d\n", PROCS * ADDS)),
	    LABELS);
}

/* While another process claims, a new cell waits. */
static void
test_claims_wait_for_each_other(void **state)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int status = -1;
	pid_t pid;

	(void)state;
	ct_metric(CT_M_AUTH, "known=\"1\"");
	assert_int_equal(fcntl(fd, F_SETLK, &l), 0);
	pid = fork();
	if (pid == 0) {
		ct_metric(CT_M_AUTH, "known=\"1\"");
		ct_metric(CT_M_AUTH, "new=\"1\"");
		_exit(0);
	}
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){0, 5000000}, NULL);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	}
	close(fd); /* drops the lock */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_reopening_keeps_counts(void **state)
{
	(void)state;
	ct_metric_add(ct_metric(CT_M_AUTH, ""), 4);
	assert_int_equal(ct_metrics_open(dir, &err), CT_OK);
	ct_metric_add(ct_metric(CT_M_AUTH, ""), 1);
	assert_true(has_line("catetube_auth_attempts_total 5"));
}

/* A page of another layout is replaced, not cut under those who map it. */
static void
test_other_layout_is_replaced(void **state)
{
	struct ct_cell *old = ct_metric(CT_M_AUTH, "");
	struct stat before, after;
	uint64_t other = 42;
	int fd;

	(void)state;
	ct_metric_add(old, 4);
	assert_int_equal(stat(path, &before), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &other, sizeof(other), 8), sizeof(other));
	close(fd);
	assert_int_equal(ct_metrics_open(dir, &err), CT_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_int_equal(after.st_mode & 0777, 0660);
	assert_string_equal(render(), "");
	ct_metric_add(old, 1); /* the old page is still mapped */
}

static void
test_short_file_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(unlink(path), 0);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(ct_metrics_open(dir, &err), CT_OK);
	ct_metric_add(ct_metric(CT_M_AUTH, ""), 1);
	assert_true(has_line("catetube_auth_attempts_total 1"));
}

static void
test_no_directory_is_told(void **state)
{
	(void)state;
	assert_int_equal(
	    ct_metrics_open("/nonexistent/dir", &err), CT_INTERNAL);
	assert_non_null(strstr(err.msg, "/nonexistent/dir/metrics"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_counter_and_gauge),
	    CASE(test_lines),
	    CASE(test_histogram_is_cumulative),
	    CASE(test_bare_histogram),
	    CASE(test_groups),
	    CASE(test_labels_are_checked),
	    CASE(test_long_labels_spill),
	    CASE(test_cells_run_out),
	    CASE(test_processes_share),
	    CASE(test_claims_wait_for_each_other),
	    CASE(test_reopening_keeps_counts),
	    CASE(test_other_layout_is_replaced),
	    CASE(test_short_file_is_replaced),
	    CASE(test_no_directory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
