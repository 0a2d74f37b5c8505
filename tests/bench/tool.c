/*
 * bench-tool: what the bench needs from the program's own code: the text of a
 * statement for pgbench, the rate of password checks that the cores allow, and
 * the rates and delays of jobs. Rates are printed as one JSON object.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/crypto.h"
#include "common/queue.h"
#include "db/pg.h"
#include "tests/bench/hist.h"

#define MAX_THREADS 64
#define TIMEOUT_MS  10000
#define UNSERVED    "bench-unserved"

static void
stop(const char *what, const struct ct_err *err)
{
	fprintf(stderr, "bench-tool: %s: %s %s\n", what, err->msg, err->detail);
	exit(1);
}

static int
print_stmt(const struct ct_stmt *st, void *arg)
{
	if (strcmp(st->name, arg) != 0)
		return 0;
	printf("%s\n%s\n", st->sig, st->sql);
	return 1;
}

static int
stmt(char *name)
{
	if (ct_stmt_each(print_stmt, name) == 1)
		return 0;
	fprintf(stderr, "bench-tool: no statement %s\n", name);
	return 1;
}

/* ---- passwords */

struct checker {
	pthread_t id;
	int64_t until_us;
	unsigned done;
};

static void *
check(void *arg)
{
	struct checker *c = arg;
	const char *text = getenv("BENCH_PASSWORD");
	const char *hash = getenv("BENCH_HASH");
	struct ct_str password = ct_str_of(text != NULL ? text : "");

	while (ct_mono_us() < c->until_us) {
		if (hash == NULL || !ct_password_verify(password, hash)) {
			fputs("bench-tool: the hash does not fit\n", stderr);
			exit(1);
		}
		c->done++;
	}
	return NULL;
}

/* $BENCH_PASSWORD against $BENCH_HASH on every core. */
static int
verify(unsigned seconds)
{
	static struct checker c[MAX_THREADS];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t began = ct_mono_us();
	unsigned done = 0;
	double s;

	if (cores > MAX_THREADS)
		cores = MAX_THREADS;
	for (long i = 0; i < cores; i++) {
		c[i].until_us = began + (int64_t)seconds * 1000000;
		if (pthread_create(&c[i].id, NULL, check, &c[i]) != 0)
			abort();
	}
	for (long i = 0; i < cores; i++) {
		pthread_join(c[i].id, NULL);
		done += c[i].done;
	}
	s = (double)(ct_mono_us() - began) / 1e6;
	printf("{\"rps\": %.2f, \"cores\": %ld, \"verify_ms\": %.2f}\n",
	    done / s, cores, s * 1e3 * (double)cores / done);
	return 0;
}

/* ---- jobs */

struct queue {
	struct ct_redis *push, *results;
	struct ct_arena *a;
	struct ct_conf conf;
	struct ct_err err;
};

static void
push_one(struct queue *q, const char *queue)
{
	struct ct_job_new job = {
	    .task = "test.noop", .queue = queue, .kwargs = CT_STR("{}")};

	if (ct_queue_push(q->push, q->a, q->conf.queue_prefix, &job, NULL,
		&q->err) != CT_OK)
		stop("push", &q->err);
}

/* Each result of a job is published on its key. */
static void
await(struct queue *q, unsigned n)
{
	struct pollfd fd = {.fd = ct_redis_fd(q->results), .events = POLLIN};
	const struct redisReply *r;

	while (n > 0) {
		if (ct_redis_poll(q->results, q->a, &r, &q->err) != CT_OK)
			stop("results", &q->err);
		if (r != NULL)
			n--;
		else if (poll(&fd, 1, TIMEOUT_MS) != 1)
			stop("no result in time", &q->err);
		ct_arena_reset(q->a);
	}
}

static void
connect_queue(struct queue *q)
{
	const struct ct_str sub[] = {
	    CT_STR("PSUBSCRIBE"), CT_STR("celery-task-meta-*")};
	const struct redisReply *r;

	q->a = ct_arena_create(64 << 20);
	if (ct_conf_load(&q->conf, NULL, &q->err) != CT_OK ||
	    ct_redis_open(q->conf.redis_url, TIMEOUT_MS, &q->push, &q->err) !=
		CT_OK ||
	    ct_redis_open(
		q->conf.redis_url, TIMEOUT_MS, &q->results, &q->err) != CT_OK ||
	    ct_redis_do(q->results, q->a, 2, sub, &r, &q->err) != CT_OK)
		stop("redis", &q->err);
}

static double
ping_rate(struct queue *q)
{
	const struct ct_str ping = CT_STR("PING");
	const struct redisReply *r;
	int64_t began = ct_mono_us();
	unsigned n = 0;

	for (; ct_mono_us() - began < 1000000; n++) {
		if (ct_redis_do(q->push, q->a, 1, &ping, &r, &q->err) != CT_OK)
			stop("ping", &q->err);
		ct_arena_reset(q->a);
	}
	return (double)n * 1e6 / (double)(ct_mono_us() - began);
}

/* Onto a queue that nobody serves, which is emptied again. */
static double
enqueue_rate(struct queue *q, unsigned n)
{
	const struct ct_str del[] = {CT_STR("DEL"), CT_STR(UNSERVED)};
	int64_t began = ct_mono_us(), took;

	for (unsigned i = 0; i < n; i++) {
		push_one(q, UNSERVED);
		ct_arena_reset(q->a);
	}
	took = ct_mono_us() - began;
	if (ct_redis_do(q->push, q->a, 2, del, NULL, &q->err) != CT_OK)
		stop("cannot empty a queue", &q->err);
	return (double)n * 1e6 / (double)took;
}

/*
 * One job at a time, from before the push until its result is out: an upper
 * bound of the time until it begins. Then n jobs in a row.
 */
static int
jobs(unsigned n)
{
	static struct hist h;
	struct queue q = {0};
	int64_t began, done;
	double ping, enqueue;

	connect_queue(&q);
	ping = ping_rate(&q);
	enqueue = enqueue_rate(&q, n / 4);
	for (unsigned i = 0; i < 500; i++) {
		began = ct_mono_us();
		push_one(&q, "default");
		await(&q, 1);
		if (i >= 50) /* the first ones find cold code */
			hist_add(&h, ct_mono_us() - began);
		usleep(2000); /* an idle worker, not a busy one */
	}
	began = ct_mono_us();
	for (unsigned i = 0; i < n; i++) {
		push_one(&q, "default");
		ct_arena_reset(q.a);
	}
	await(&q, n);
	done = ct_mono_us();
	printf("{\"ping_rps\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"enqueue_rps\": %.0f, \"rps\": %.0f, \"jobs\": %u}\n",
	    ping, hist_ms(&h, .5), hist_ms(&h, .99), enqueue,
	    n * 1e6 / (double)(done - began), n);
	ct_redis_close(q.push);
	ct_redis_close(q.results);
	ct_arena_destroy(q.a);
	return 0;
}

int
main(int argc, char **argv)
{
	ct_crypto_init();
	if (argc == 3 && strcmp(argv[1], "stmt") == 0)
		return stmt(argv[2]);
	if (argc == 3 && strcmp(argv[1], "verify") == 0)
		return verify((unsigned)atoi(argv[2]));
	if (argc == 3 && strcmp(argv[1], "jobs") == 0)
		return jobs((unsigned)atoi(argv[2]));
	fputs("usage: bench-tool stmt NAME | verify SECONDS | jobs COUNT\n",
	    stderr);
	return 2;
}
