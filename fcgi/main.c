/* catetube-fcgi: flags, checks, the socket, and the parent of the children. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/log.h"
#include "common/proc.h"
#include "db/account_token.h"
#include "db/migrate.h"
#include "fcgi/loop.h"
#include "fcgi/openapi.h"
#include "fcgi/route.h"
#include "fcgi/turn.h"
#include "gen/version.h"

static void
usage(FILE *out)
{
	fprintf(out,
	    "usage: catetube-fcgi [-n] [-R] [--openapi] [-h] [--config "
	    "FILE]\n\n"
	    "  -n             check the configuration, the database and every\n"
	    "                 statement, then exit\n"
	    "  -R             print the routes and exit\n"
	    "  --openapi      print the API document (YAML) and exit\n"
	    "  --config FILE  KEY=VALUE lines; the environment wins\n"
	    "  -h, --help     this, and every option\n\n");
	ct_conf_help(out);
}

static enum ct_level
level_of(const char *name)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	for (size_t i = 0; i < ct_countof(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum ct_level)i;
	}
	return CT_INFO;
}

static void
count_cells(
    struct ct_app *app, size_t at, const char *route, const char *method)
{
	static const char *const statuses[] = {
	    NULL, "304", "2xx", "3xx", "4xx", "5xx"};
	char labels[CT_METRIC_LABELS];

	for (size_t i = 1; i < ct_countof(statuses); i++) {
		snprintf(labels, sizeof(labels),
		    "route=\"%s\",method=\"%s\",status=\"%s\"", route, method,
		    statuses[i]);
		app->cells[at].by_class[i] =
		    ct_metric(CT_M_HTTP_REQUESTS, labels);
	}
	snprintf(labels, sizeof(labels), "route=\"%s\",method=\"%s\"", route,
	    method);
	app->cells[at].seconds = ct_metric(CT_M_HTTP_SECONDS, labels);
}

static void
metric_cells(struct ct_app *app)
{
	for (size_t i = 0; i < ct_routes_n; i++)
		count_cells(app, i, ct_routes[i].pattern,
		    ct_method_name(ct_routes[i].method));
	count_cells(app, CT_ROUTES_MAX, "none", "any");
	app->hits = ct_metric(CT_M_CACHE_HITS, "result=\"hit\"");
	app->not_modified =
	    ct_metric(CT_M_CACHE_HITS, "result=\"not_modified\"");
	app->misses = ct_metric(CT_M_CACHE_HITS, "result=\"miss\"");
	for (int i = 0; i < CT_C_COUNT; i++) {
		char labels[CT_METRIC_LABELS];

		snprintf(labels, sizeof(labels), "class=\"%s\"",
		    ct_class_name((enum ct_class)i));
		app->limited[i] = ct_metric(CT_M_LIMITED, labels);
	}
	app->trip = ct_metric(CT_M_GATE_BATCH, "");
	app->login_ok = ct_metric(CT_M_AUTH, "result=\"ok\"");
	app->login_bad = ct_metric(CT_M_AUTH, "result=\"refused\"");
	app->login_wait = ct_metric(CT_M_AUTH, "result=\"throttled\"");
	ct_metric_set(
	    ct_metric(CT_M_BUILD_INFO, "version=\"" CT_VERSION "\""), 1);
	ct_metric_set(ct_metric(CT_M_START_TIME, "process=\"fcgi\""),
	    (uint64_t)(ct_now_us() / 1000000));
}

/* A URL that cannot be understood must stop the start, not a request. */
static enum ct_rc
check_redis(const struct ct_conf *conf, struct ct_err *err)
{
	const char *urls[] = {conf->redis_url, conf->redis_cache_url};

	for (size_t i = 0; i < ct_countof(urls); i++) {
		struct ct_redis *r;

		if (!urls[i][0])
			continue;
		if (ct_redis_open(urls[i], 100, &r, err) != CT_OK)
			return err->rc;
		ct_redis_close(r);
	}
	return CT_OK;
}

static void
bad_statement(const struct ct_stmt *st, const char *why, void *arg)
{
	(void)arg;
	fprintf(stderr, "catetube-fcgi: statement %s: %s\n", st->name, why);
}

/* The schema is ours, and every statement fits it. */
static enum ct_rc
check_database(const struct ct_conf *conf, struct ct_err *err)
{
	struct ct_pg *pg =
	    ct_pg_open(conf->database_url, "catetube-fcgi check", 10000);
	enum ct_rc rc = ct_pg_ready(pg, err);
	int bad = 0;

	if (rc == CT_OK)
		rc = ct_migrate_check(pg, err);
	if (rc == CT_OK)
		bad = ct_stmt_verify(pg, bad_statement, NULL);
	ct_pg_close(pg);
	if (bad > 0)
		return ct_fail(err, CT_CONFLICT, NULL,
		    "%d statements do not fit the database", bad);
	return rc;
}

static int
child_main(void *arg, unsigned slot, int ready_fd)
{
	struct ct_app *app = arg;

	app->slot = slot;
	return ct_loop_run(app, ready_fd);
}

static int
fail(const char *what, const struct ct_err *err)
{
	fprintf(
	    stderr, "catetube-fcgi: %s: %s %s\n", what, err->msg, err->detail);
	return err->rc == CT_INVALID ? 78 : 1; /* 78: EX_CONFIG */
}

static int
serve(struct ct_app *app, const struct ct_conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct ct_children_opt opt = {
	    .name = "fcgi",
	    .n = (unsigned)(conf->children ? conf->children
					   : (cores > 2 ? cores : 2)),
	    .drain_ms = conf->drain_s * 1000 + 1000,
	    .main = child_main,
	    .arg = app,
	};
	struct ct_err err;

	app->turns = ct_turns_make(cores > 1 ? (unsigned)cores : 1);
	if (ct_listen_passed(&app->listen_fd, &err) != CT_OK)
		return fail("socket", &err);
	if (app->listen_fd < 0 &&
	    ct_listen_unix(conf->socket, &app->listen_fd, &err) != CT_OK)
		return fail("socket", &err);
	ct_log(CT_INFO, "main", "%u children", opt.n);
	return ct_prefork(&opt, NULL);
}

static int
start(const char *file, bool check_only)
{
	static struct ct_conf conf;
	static struct ct_app app;
	struct ct_err err;

	if (ct_conf_load(&conf, file, &err) != CT_OK)
		return fail("configuration", &err);
	ct_log_init("fcgi", level_of(conf.log_level),
	    strcmp(conf.log_format, "json") == 0 ? CT_LOGJSON : CT_LOGFMT);
	ct_crypto_init();
	if (ct_mail_key_check(&conf, &err) != CT_OK ||
	    check_redis(&conf, &err) != CT_OK)
		return fail("redis", &err);
	if (ct_serve_check(&err) != CT_OK)
		return fail("start-up check", &err);
	if (check_database(&conf, &err) != CT_OK) {
		/* Away is no reason not to start, nor is a schema that a newer
		 * program has extended; not fitting is. */
		if (check_only || (err.rc != CT_RETRY &&
				      strcmp(err.code, CT_NEWER_SCHEMA) != 0))
			return fail("database", &err);
		ct_log(CT_WARN, "db", "%s %s", err.msg, err.detail);
	}
	if (check_only)
		return 0;
	app.conf = &conf;
	if (ct_password_hash(CT_STR("no such account"),
		(unsigned)conf.argon2_mem_kib, (unsigned)conf.argon2_passes,
		app.no_hash, &err) != CT_OK)
		return fail("password hash", &err);
	if (ct_metrics_open(conf.run_dir, &err) != CT_OK)
		return fail("metrics", &err);
	metric_cells(&app);
	return serve(&app, &conf);
}

static int
print_openapi(void)
{
	struct ct_arena *a = ct_arena_create(64 << 20);
	struct ct_str text = ct_openapi(a);
	bool ok = fwrite(text.p, 1, text.n, stdout) == text.n;

	ct_arena_destroy(a);
	return ok && fflush(stdout) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"openapi", no_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	const char *file = NULL;
	bool check_only = false;
	int c;

	while ((c = getopt_long(argc, argv, "nRhc:", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			check_only = true;
			break;
		case 'R':
			ct_routes_print();
			return 0;
		case 'o':
			return print_openapi();
		case 'c':
			file = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return start(file, check_only);
}
