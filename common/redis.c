/*
 * The door to hiredis: connecting with a hand-shake of one trip (AUTH, SELECT,
 * every script), commands, pipelines.
 */
#include "common/redis_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/redis_url.h"

enum {
	ARGS_MAX = 1024, /* words of one command */
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 2000,
	POSTED_MAX = 64, /* then their replies are read */
};

struct ct_redis {
	redisContext *c;      /* NULL while down */
	struct ct_arena *mem; /* holds this struct and its strings */
	struct ct_redis_url at;
	int timeout_ms;
	unsigned generation;
	unsigned due;	 /* replies appended and not yet taken */
	unsigned posted; /* ... that come before those, and nobody wants */
	bool reload;	 /* the server has lost the scripts */
	bool leave;	 /* the server told that it is the wrong one */
	int64_t backoff_ms;
	int64_t retry_at_ms; /* no connect before */
	const char *argv[ARGS_MAX];
	size_t argl[ARGS_MAX];
};

/*
 * Error replies that pass by themselves. leave: another server has taken over
 * or this one cannot serve; a new connection may find the right one.
 */
static const struct {
	const char *prefix;
	bool leave;
} passing[] = {
    {"READONLY", true},
    {"LOADING", true},
    {"MASTERDOWN", true},
    {"UNKILLABLE", false},
    {"BUSY", false},
    {"OOM", false},
    {"NOREPLICAS", false},
    {"MISCONF", false},
};

/* Guards the digests; threads that connect at once write the same ones. */
static pthread_mutex_t scripts_lock = PTHREAD_MUTEX_INITIALIZER;

static struct timeval
to_timeval(int ms)
{
	return (struct timeval){ms / 1000, (ms % 1000) * 1000};
}

static enum ct_rc
away(struct ct_err *err, const char *detail)
{
	ct_fail(err, CT_RETRY, NULL, "A store is away. Try again shortly.");
	return ct_err_detail(err, "redis: %s", detail);
}

static void
disconnect(struct ct_redis *r)
{
	if (r->c)
		redisFree(r->c);
	r->c = NULL;
	r->due = r->posted = 0;
	r->reload = false;
	r->leave = false;
}

/* Close a connection on which something went wrong; keeps its last words. */
static enum ct_rc
broken(struct ct_redis *r, struct ct_err *err)
{
	if (r->c->err == REDIS_ERR_IO && errno == EAGAIN)
		away(err, "no answer in time");
	else
		away(err, r->c->err ? r->c->errstr : "no reply");
	disconnect(r);
	return err->rc;
}

static bool
error_is(const redisReply *p, const char *word)
{
	size_t n = strlen(word);

	return p->type == REDIS_REPLY_ERROR && p->len >= n &&
	       memcmp(p->str, word, n) == 0 &&
	       (p->len == n || p->str[n] == ' ');
}

/* True where p is an error that passes by itself; what it tells is kept. */
static bool
learn(struct ct_redis *r, const redisReply *p)
{
	if (p->type != REDIS_REPLY_ERROR)
		return false;
	if (error_is(p, "NOSCRIPT"))
		r->reload = true;
	for (size_t i = 0; i < ct_countof(passing); i++) {
		if (error_is(p, passing[i].prefix)) {
			r->leave |= passing[i].leave;
			return true;
		}
	}
	return false;
}

/* --- scripts ----------------------------------------------------------- */

const struct ct_script *
ct_script(const char *name)
{
	for (size_t i = 0; i < ct_scripts_n; i++) {
		if (strcmp(ct_scripts[i].name, name) == 0)
			return &ct_scripts[i];
	}
	ct_bug("no script %s", name);
}

static void
append_scripts(redisContext *c)
{
	for (size_t i = 0; i < ct_scripts_n; i++) {
		const char *argv[] = {"SCRIPT", "LOAD", ct_scripts[i].text};
		size_t argl[] = {6, 4, ct_scripts[i].n};

		redisAppendCommandArgv(c, 3, argv, argl);
	}
}

/* The next reply of a hand-shake; NULL after any error, which err tells. */
static redisReply *
handshake_reply(struct ct_redis *r, struct ct_err *err)
{
	void *p = NULL;
	redisReply *reply;

	if (redisGetReply(r->c, &p) != REDIS_OK || !p) {
		broken(r, err);
		return NULL;
	}
	reply = p;
	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	away(err, reply->str);
	freeReplyObject(reply);
	disconnect(r);
	return NULL;
}

static enum ct_rc
take_scripts(struct ct_redis *r, struct ct_err *err)
{
	for (size_t i = 0; i < ct_scripts_n; i++) {
		redisReply *p = handshake_reply(r, err);

		if (!p)
			return err->rc;
		pthread_mutex_lock(&scripts_lock);
		if (!ct_scripts[i].sha[0] && p->len == 40)
			memcpy(ct_scripts[i].sha, p->str, 41);
		pthread_mutex_unlock(&scripts_lock);
		freeReplyObject(p);
	}
	r->reload = false;
	return CT_OK;
}

/* --- connecting -------------------------------------------------------- */

static void
connected(struct ct_redis *r)
{
	r->backoff_ms = 0;
	if (r->generation++ > 0)
		ct_metric_add(ct_metric(CT_M_REDIS_RECONNECTS, ""), 1);
}

static enum ct_rc
handshake(struct ct_redis *r, struct ct_err *err)
{
	char db[24];
	int first = 0;

	if (r->at.password.p) {
		const char *argv[] = {"AUTH", r->at.user.p, r->at.password.p};
		size_t argl[] = {4, r->at.user.n, r->at.password.n};

		if (!r->at.user.p) {
			argv[1] = argv[2];
			argl[1] = argl[2];
		}
		redisAppendCommandArgv(r->c, r->at.user.p ? 3 : 2, argv, argl);
		first++;
	}
	if (r->at.db != 0) {
		snprintf(db, sizeof(db), "%lld", (long long)r->at.db);
		redisAppendCommandArgv(r->c, 2, (const char *[]){"SELECT", db},
		    (size_t[]){6, strlen(db)});
		first++;
	}
	append_scripts(r->c);
	for (int i = 0; i < first; i++) {
		redisReply *p = handshake_reply(r, err);

		if (!p)
			return err->rc;
		freeReplyObject(p);
	}
	return take_scripts(r, err);
}

static enum ct_rc
dial(struct ct_redis *r, struct ct_err *err)
{
	struct timeval tv = to_timeval(r->timeout_ms);

	r->c = r->at.host ? redisConnectWithTimeout(r->at.host, r->at.port, tv)
			  : redisConnectUnixWithTimeout(r->at.path, tv);
	if (!r->c)
		return away(err, "out of memory");
	if (r->c->err || redisSetTimeout(r->c, tv) != REDIS_OK)
		return broken(r, err);
	fcntl(r->c->fd, F_SETFD, FD_CLOEXEC);
	if (r->at.host)
		redisEnableKeepAlive(r->c);
	return handshake(r, err);
}

/* After a failed connect: between half and all of 50 ms … 2 s. */
static void
back_off(struct ct_redis *r)
{
	uint32_t dice = 0;
	int64_t next = r->backoff_ms ? r->backoff_ms * 2 : BACKOFF_MIN_MS;

	r->backoff_ms = next < BACKOFF_MAX_MS ? next : BACKOFF_MAX_MS;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = (uint32_t)ct_mono_us();
	r->retry_at_ms = ct_mono_ms() + r->backoff_ms / 2 +
			 (int64_t)dice % (r->backoff_ms / 2 + 1);
}

enum ct_rc
ct_redis_ready(struct ct_redis *r, struct ct_err *err)
{
	enum ct_rc rc;

	if (r->c && r->leave && r->due == 0) {
		disconnect(r);
		back_off(r);
	}
	if (r->c && r->reload && r->due == 0 && r->posted == 0) {
		append_scripts(r->c);
		return take_scripts(r, err);
	}
	if (r->c)
		return CT_OK;
	if (r->backoff_ms && ct_mono_ms() < r->retry_at_ms)
		return away(err, "down, waiting to connect again");
	rc = dial(r, err);
	if (rc != CT_OK)
		back_off(r);
	else
		connected(r);
	return rc;
}

bool
ct_redis_up(const struct ct_redis *r)
{
	return r->c != NULL;
}

unsigned
ct_redis_generation(const struct ct_redis *r)
{
	return r->generation;
}

int
ct_redis_fd(const struct ct_redis *r)
{
	return r->c ? r->c->fd : -1;
}

void
ct_redis_timeout(struct ct_redis *r, int timeout_ms)
{
	r->timeout_ms = timeout_ms;
	if (r->c && redisSetTimeout(r->c, to_timeval(timeout_ms)) != REDIS_OK)
		disconnect(r);
}

/* --- life -------------------------------------------------------------- */

static void
init_once(void)
{
	struct sigaction old;

	/* hiredis writes with write(2): a closed peer must be an error */
	if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ct_scripts_n; i++)
		ct_scripts[i].n = strlen(ct_scripts[i].text);
}

enum ct_rc
ct_redis_open(
    const char *url, int timeout_ms, struct ct_redis **out, struct ct_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ct_str text = ct_str_of(url);
	struct ct_arena *mem;
	struct ct_redis *r;

	pthread_once(&once, init_once);
	*out = NULL;
	mem = ct_arena_create(sizeof(*r) * 8 + text.n * 8);
	r = ct_arena_alloc(mem, sizeof(*r));
	r->mem = mem;
	r->timeout_ms = timeout_ms;
	if (!ct_redis_url_parse(mem, text, &r->at)) {
		ct_arena_destroy(mem);
		return ct_fail(err, CT_INVALID, NULL,
		    "The address of Redis must be "
		    "redis://[:password@]host[:port][/db] or "
		    "unix:///path[?db=N].");
	}
	*out = r;
	return CT_OK;
}

void
ct_redis_close(struct ct_redis *r)
{
	if (!r)
		return;
	disconnect(r);
	ct_arena_destroy(r->mem);
}

/* --- commands ---------------------------------------------------------- */

static enum ct_rc
append_words(struct ct_redis *r, int skip, int argc, const struct ct_str *argv,
    struct ct_err *err)
{
	if (argc < 0 || argc > ARGS_MAX - skip)
		ct_bug("a Redis command of %d words", skip + argc);
	for (int i = 0; i < argc; i++) {
		r->argv[skip + i] = argv[i].p ? argv[i].p : "";
		r->argl[skip + i] = argv[i].n;
	}
	if (redisAppendCommandArgv(r->c, skip + argc, r->argv, r->argl) !=
	    REDIS_OK)
		return broken(r, err);
	r->due++;
	return CT_OK;
}

enum ct_rc
ct_redis_append(
    struct ct_redis *r, int argc, const struct ct_str *argv, struct ct_err *err)
{
	enum ct_rc rc = ct_redis_ready(r, err);

	return rc == CT_OK ? append_words(r, 0, argc, argv, err) : rc;
}

enum ct_rc
ct_redis_append_eval(struct ct_redis *r, const struct ct_script *s, int nkeys,
    int argc, const struct ct_str *argv, struct ct_err *err)
{
	enum ct_rc rc = ct_redis_ready(r, err);
	char keys[12];

	if (rc != CT_OK)
		return rc;
	snprintf(keys, sizeof(keys), "%d", nkeys);
	r->argv[0] = "EVALSHA";
	r->argl[0] = 7;
	r->argv[1] = s->sha;
	r->argl[1] = 40;
	r->argv[2] = keys;
	r->argl[2] = strlen(keys);
	return append_words(r, 3, argc, argv, err);
}

/* Hand a reply over: it lives on the arena, or ends here if nobody asks. */
static void
give(struct ct_arena *a, redisReply *p, const struct redisReply **out)
{
	if (!out) {
		freeReplyObject(p);
		return;
	}
	ct_arena_defer(a, freeReplyObject, p);
	*out = p;
}

/* A pipeline that was given up: its replies must not answer this question. */
static void
abandon(struct ct_redis *r, const struct redisReply **out)
{
	if (r->due > 0)
		disconnect(r);
	if (out)
		*out = NULL;
}

/* Read away what was posted, then the reply that is wanted, if one is. */
static enum ct_rc
next_reply(struct ct_redis *r, void **reply, struct ct_err *err)
{
	for (; r->posted > 0; r->posted--) {
		if (redisGetReply(r->c, reply) != REDIS_OK || !*reply)
			return broken(r, err);
		learn(r, *reply);
		freeReplyObject(*reply);
		*reply = NULL;
	}
	if (r->due == 0)
		return CT_OK;
	if (redisGetReply(r->c, reply) != REDIS_OK || !*reply)
		return broken(r, err);
	r->due--;
	return CT_OK;
}

void
ct_redis_post(struct ct_redis *r, int argc, const struct ct_str *argv)
{
	struct ct_err err;
	void *none = NULL;
	int sent = 0;

	abandon(r, NULL);
	if (ct_redis_append(r, argc, argv, &err) != CT_OK)
		return;
	r->due--;
	r->posted++;
	while (!sent) {
		if (redisBufferWrite(r->c, &sent) != REDIS_OK) {
			broken(r, &err);
			return;
		}
	}
	if (r->posted == POSTED_MAX)
		(void)!next_reply(r, &none, &err); /* closed where it fails */
}

enum ct_rc
ct_redis_take(struct ct_redis *r, struct ct_arena *a,
    const struct redisReply **out, struct ct_err *err)
{
	void *reply = NULL;

	if (out)
		*out = NULL;
	if (!r->c)
		return away(err, "connection lost");
	if (r->due == 0)
		ct_bug("no reply of Redis is due");
	if (next_reply(r, &reply, err) != CT_OK)
		return err->rc;
	learn(r, reply);
	give(a, reply, out);
	return CT_OK;
}

enum ct_rc
ct_redis_poll(struct ct_redis *r, struct ct_arena *a,
    const struct redisReply **out, struct ct_err *err)
{
	void *reply = NULL;
	int sent = 0;

	*out = NULL;
	if (!r->c)
		return away(err, "connection lost");
	while (!sent) {
		if (redisBufferWrite(r->c, &sent) != REDIS_OK)
			return broken(r, err);
	}
	for (;;) {
		struct pollfd p = {.fd = r->c->fd, .events = POLLIN};

		if (redisGetReplyFromReader(r->c, &reply) != REDIS_OK)
			return broken(r, err);
		if (reply || poll(&p, 1, 0) <= 0)
			break;
		if (redisBufferRead(r->c) != REDIS_OK)
			return broken(r, err);
	}
	if (!reply)
		return CT_OK;
	if (r->due > 0) /* a subscription sends more than was asked */
		r->due--;
	learn(r, reply);
	give(a, reply, out);
	return CT_OK;
}

/* The reply to a single command, its error turned into ours. */
static enum ct_rc
answer(struct ct_redis *r, struct ct_arena *a, const struct redisReply **out,
    struct ct_err *err)
{
	enum ct_rc rc = CT_OK;
	void *reply = NULL;
	redisReply *p;

	if (next_reply(r, &reply, err) != CT_OK)
		return err->rc;
	p = reply;
	if (learn(r, p)) {
		rc = away(err, p->str);
	} else if (p->type == REDIS_REPLY_ERROR) {
		ct_fail(err, CT_INTERNAL, NULL,
		    "Something went wrong on our side.");
		rc = ct_err_detail(err, "redis: %s", p->str);
	}
	give(a, p, out);
	return rc;
}

enum ct_rc
ct_redis_do(struct ct_redis *r, struct ct_arena *a, int argc,
    const struct ct_str *argv, const struct redisReply **out,
    struct ct_err *err)
{
	enum ct_rc rc;

	abandon(r, out);
	rc = ct_redis_append(r, argc, argv, err);
	return rc == CT_OK ? answer(r, a, out, err) : rc;
}

enum ct_rc
ct_redis_eval(struct ct_redis *r, struct ct_arena *a, const struct ct_script *s,
    int nkeys, int argc, const struct ct_str *argv,
    const struct redisReply **out, struct ct_err *err)
{
	enum ct_rc rc = CT_OK;

	abandon(r, out);
	for (int try = 0; try < 2; try++) {
		rc = ct_redis_append_eval(r, s, nkeys, argc, argv, err);
		if (rc == CT_OK)
			rc = answer(r, a, out, err);
		if (rc != CT_INTERNAL || !r->reload)
			break;
	}
	return rc;
}
