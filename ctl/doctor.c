/*
 * catetubectl doctor: one line per thing that the service needs.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jw.h"
#include "ctl/ctl.h"
#include "db/backup.h"
#include "db/migrate.h"
#include "db/verify.h"

#define PG_OLDEST     150000
#define CLOCK_WARN_MS 1000
#define CLOCK_FAIL_MS 30000
#define SECRET_MIN    32
#define BACKUP_OLD_H  26

enum verdict { OK, WARN, FAIL };
static const char *const verdicts[] = {"ok", "WARN", "FAIL"};

struct result {
	enum verdict verdict;
	char text[320];
};

struct check {
	const char *name;
	void (*fn)(struct ctl *c, struct result *r);
};

static void say(struct result *r, enum verdict v, const char *fmt, ...)
    CT_PRINTF(3, 4);

static void
say(struct result *r, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	r->verdict = v;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

static void
say_err(struct result *r, enum verdict v, const struct ct_err *err)
{
	say(r, v, "%s%s%s", err->msg, *err->detail ? ": " : "", err->detail);
}

static void
check_postgresql(struct ctl *c, struct result *r)
{
	struct ct_pg_facts f;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_pg_facts(c->pg, c->arena, &f, &err) != CT_OK)
		say_err(r, FAIL, &err);
	else if (f.version < PG_OLDEST)
		say(r, FAIL, "version %d is older than 15",
		    (int)(f.version / 10000));
	else if (!f.durable)
		say(r, WARN, "fsync is off: a power failure loses data");
	else
		say(r, OK, "version %d.%d", (int)(f.version / 10000),
		    (int)(f.version % 10000));
}

static void
check_clock(struct ctl *c, struct result *r)
{
	struct ct_pg_facts f;
	struct ct_err err;
	int64_t before = ct_now_us();

	ct_err_clear(&err);
	if (ct_pg_facts(c->pg, c->arena, &f, &err) != CT_OK) {
		say_err(r, FAIL, &err);
		return;
	}
	int64_t here = before + (ct_now_us() - before) / 2;
	int64_t ms = (f.now_us - here) / 1000;
	int64_t off = ms < 0 ? -ms : ms;
	say(r,
	    off > CLOCK_FAIL_MS	  ? FAIL
	    : off > CLOCK_WARN_MS ? WARN
				  : OK,
	    "the database's clock is %" PRId64 " ms %s", off,
	    ms < 0 ? "behind" : "ahead");
}

static void
first_fault(const struct ct_stmt *st, const char *why, void *arg)
{
	struct result *r = arg;

	if (r->verdict == OK)
		say(r, FAIL, "statement %s: %s", st->name, why);
}

static void
check_schema(struct ctl *c, struct result *r)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_migrate_check(c->pg, &err) != CT_OK) {
		say_err(r, FAIL, &err);
		return;
	}
	say(r, OK, "%zu migrations, every statement fits", ct_migrations_n);
	ct_stmt_verify(c->pg, first_fault, r);
}

/* One answer of CONFIG GET; absent where Redis does not tell. */
static struct ct_str
redis_setting(struct ct_redis *redis, struct ct_arena *a, const char *name)
{
	const struct redisReply *p = NULL;
	struct ct_err err;
	const struct ct_str argv[] = {
	    CT_STR("CONFIG"), CT_STR("GET"), ct_str_of(name)};

	ct_err_clear(&err);
	if (ct_redis_do(redis, a, 3, argv, &p, &err) != CT_OK ||
	    ct_reply_n(p) < 2)
		return (struct ct_str){NULL, 0};
	return ct_reply_str(ct_reply_at(p, 1));
}

static void
check_redis(struct ctl *c, struct result *r)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_redis_ready(c->redis, &err) != CT_OK) {
		say_err(r, FAIL, &err);
		return;
	}
	struct ct_str aof = redis_setting(c->redis, c->arena, "appendonly");
	struct ct_str policy =
	    redis_setting(c->redis, c->arena, "maxmemory-policy");
	if (aof.p == NULL || policy.p == NULL)
		say(r, WARN, "reachable, but it does not tell its settings");
	else if (!ct_str_is(policy, "noeviction"))
		say(r, FAIL,
		    "maxmemory-policy is %.*s: jobs and sessions may be "
		    "evicted; set noeviction",
		    CT_STR_FMT(policy));
	else if (!ct_str_is(aof, "yes"))
		say(r, WARN,
		    "appendonly is %.*s: a restart loses queued jobs until "
		    "the sweep finds them",
		    CT_STR_FMT(aof));
	else
		say(r, OK, "appendonly yes, noeviction");
}

static void
check_redis_cache(struct ctl *c, struct result *r)
{
	struct ct_redis *cache = NULL;
	struct ct_err err;

	ct_err_clear(&err);
	if (*c->conf.redis_cache_url == '\0')
		say(r, OK, "the same as redis");
	else if (ct_redis_open(c->conf.redis_cache_url,
		     (int)c->conf.redis_timeout_ms, &cache, &err) != CT_OK ||
		 ct_redis_ready(cache, &err) != CT_OK)
		say_err(r, FAIL, &err);
	else
		say(r, OK, "reachable");
	ct_redis_close(cache);
}

static void
check_dir(const char *dir, struct result *r)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		say(r, FAIL, "%s: %m", dir);
	else if (!S_ISDIR(st.st_mode))
		say(r, FAIL, "%s is no directory", dir);
	else if (access(dir, W_OK | X_OK) != 0)
		say(r, FAIL, "%s: %m", dir);
	else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		say(r, WARN, "%s can be written by everybody", dir);
	else
		say(r, OK, "%s is writable%s", dir,
		    geteuid() == 0 ? " for root; run as the service's user to"
				     " know for that one"
				   : "");
}

static void
check_files_dir(struct ctl *c, struct result *r)
{
	check_dir(c->conf.files_dir, r);
}

static void
check_run_dir(struct ctl *c, struct result *r)
{
	check_dir(c->conf.run_dir, r);
}

static void
check_secret(struct ctl *c, struct result *r)
{
	size_t n = strlen(c->conf.secret_key);

	say(r, n < SECRET_MIN ? FAIL : OK,
	    n < SECRET_MIN ? "SECRET_KEY has %zu characters, fewer than 32"
			   : "SECRET_KEY has %zu characters",
	    n);
}

static void
check_mail(struct ctl *c, struct result *r)
{
	if (c->conf.smtp_url[0])
		say(r, OK, "sent through %s", c->conf.smtp_url);
	else if (c->conf.mail_dir[0])
		say(r, WARN, "written to files in %s, not sent",
		    c->conf.mail_dir);
	else
		say(r, WARN,
		    "CATETUBE_SMTP_URL is empty: nobody can get back in who "
		    "lost the password");
}

static void
check_backup(struct ctl *c, struct result *r)
{
	int64_t at = CT_NULL_I64, hours;
	struct ct_err err;

	ct_err_clear(&err);
	if (!c->conf.backup_to[0]) {
		say(r, WARN,
		    "CATETUBE_BACKUP_TO is empty: nothing brings the data back "
		    "when a disk breaks");
		return;
	}
	if (ct_backup_check_conf(&c->conf, &err) != CT_OK ||
	    ct_backup_log_last(c->pg, c->arena, &at, &err) != CT_OK) {
		say_err(r, FAIL, &err);
		return;
	}
	if (at == CT_NULL_I64) {
		say(r, WARN, "none was made yet");
		return;
	}
	hours = (ct_now_us() - at) / INT64_C(3600000000);
	say(r, hours > BACKUP_OLD_H ? WARN : OK,
	    "the last one is %" PRId64 " hours old", hours);
}

static const struct check checks[] = {
    {"postgresql", check_postgresql},
    {"clock", check_clock},
    {"schema", check_schema},
    {"redis", check_redis},
    {"redis_cache", check_redis_cache},
    {"files_dir", check_files_dir},
    {"run_dir", check_run_dir},
    {"secret_key", check_secret},
    {"mail", check_mail},
    {"backup", check_backup},
};

static void
print_result(struct ct_jw *w, const char *name, const struct result *r)
{
	ct_jw_obj(w);
	ct_jw_key(w, "check");
	ct_jw_cstr(w, name);
	ct_jw_key(w, "result");
	ct_jw_cstr(w, verdicts[r->verdict]);
	ct_jw_key(w, "detail");
	ct_jw_cstr(w, r->text);
	ct_jw_end(w);
}

int
ctl_doctor(struct ctl *c, int argc, char **argv)
{
	struct ct_buf b;
	struct ct_jw w;
	int status = 0;

	(void)argv;
	if (argc > 1)
		return ctl_usage("doctor takes nothing");
	ct_buf_init(&b, c->arena, 4096);
	ct_jw_init(&w, &b);
	ct_jw_arr(&w);
	for (size_t i = 0; i < ct_countof(checks); i++) {
		struct result r = {OK, ""};

		checks[i].fn(c, &r);
		if (r.verdict == FAIL)
			status = CTL_FAILED;
		print_result(&w, checks[i].name, &r);
		if (!c->json)
			printf("%-4s  %-12s %s\n", verdicts[r.verdict],
			    checks[i].name, r.text);
	}
	ct_jw_end(&w);
	if (c->json)
		printf("%.*s\n", CT_STR_FMT(ct_buf_str(&b)));
	return status;
}
