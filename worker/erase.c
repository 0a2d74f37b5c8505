/* What deleted accounts have left; see erase.h. */
#include "worker/erase.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cache.h"
#include "common/queue.h"
#include "db/erasure.h"
#include "db/import.h"
#include "db/session.h"

#define STORAGE "storage"

struct sweep {
	struct ct_pg *pg;
	struct ct_redis *redis;
	struct ct_redis *cache;
	struct ct_arena *a;
	const struct ct_conf *conf;
};

static enum ct_rc
erase_in(const struct sweep *s, const char *dir, const struct ct_erasure *e,
    bool *done, struct ct_err *err)
{
	const char *path = ct_arena_printf(
	    s->a, "%s/%s/%.*s", s->conf->files_dir, dir, CT_STR_FMT(e->name));
	int rc;

	/* Names are made by us; one with a way out of the directory is not. */
	if (memchr(e->name.p, '/', e->name.n))
		return ct_fail(
		    err, CT_INTERNAL, NULL, "no name of a file: %s", path);
	rc = unlink(path);
	*done = rc == 0 || errno == ENOENT;
	if (*done)
		return CT_OK;
	ct_fail(err, CT_RETRY, STORAGE, "a file could not be removed");
	return ct_err_detail(err, "%s: %s", path, strerror(errno));
}

/* Each removes one thing; *done: it is gone and need not be looked at again. */
static enum ct_rc
erase_file(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	return erase_in(s, "reports", e, done, err);
}

static enum ct_rc
erase_upload(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	return erase_in(s, CT_IMPORT_DIR, e, done, err);
}

static enum ct_rc
erase_job(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	bool ended;

	if (ct_queue_forget(s->redis, s->a, s->conf->queue_prefix, e->name,
		&ended, err) != CT_OK)
		return err->rc;
	*done = ended || e->old;
	if (ended)
		return CT_OK;
	return ct_queue_cancel(
	    s->redis, s->a, s->conf->queue_prefix, e->name, err);
}

static enum ct_rc
erase_cat(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	struct ct_uuid cat;

	*done = true;
	if (!ct_uuid_parse(e->name, &cat))
		return CT_OK;
	return ct_cache_forget_cat(s->cache, s->a, &cat, err);
}

/* What cannot be delivered is owed by this process, which then raises the
 * epoch before it goes on. */
static enum ct_rc
settled(const struct sweep *s, struct ct_err *err)
{
	return ct_cache_owes() ? ct_cache_settle(s->cache, err) : CT_OK;
}

static enum ct_rc
erase_stale(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	struct ct_uuid cat;

	*done = true;
	if (ct_uuid_parse(e->name, &cat))
		ct_cache_bump(s->cache, &cat);
	return settled(s, err);
}

/* The account lives: only the copies of its sessions go. */
static enum ct_rc
erase_account(const struct sweep *s, const struct ct_erasure *e, bool *done,
    struct ct_err *err)
{
	struct ct_uuid account;
	struct ct_str *digests;
	int n;

	*done = true;
	if (!ct_uuid_parse(e->name, &account))
		return CT_OK;
	if (ct_session_digests(s->pg, s->a, &account, &digests, &n, err) !=
	    CT_OK)
		return err->rc;
	for (int i = 0; i < n; i++) {
		if (digests[i].n == CT_DIGEST)
			ct_cache_drop_session(
			    s->cache, (const uint8_t *)digests[i].p);
	}
	return settled(s, err);
}

static const struct {
	const char *kind;
	enum ct_rc (*erase)(const struct sweep *s, const struct ct_erasure *e,
	    bool *done, struct ct_err *err);
} kinds[] = {{"file", erase_file}, {"upload", erase_upload}, {"job", erase_job},
    {"cat", erase_cat}, {"stale", erase_stale}, {"account", erase_account}};

static enum ct_rc
one(const struct sweep *s, const struct ct_erasure *e, struct ct_err *err)
{
	bool done = true;

	for (size_t i = 0; i < ct_countof(kinds); i++)
		if (ct_str_is(e->kind, kinds[i].kind) &&
		    kinds[i].erase(s, e, &done, err) != CT_OK)
			return err->rc;
	return done ? ct_erasure_done(s->pg, s->a, e, err) : CT_OK;
}

enum ct_rc
ct_erase_left(struct ct_pg *pg, struct ct_redis *redis, struct ct_redis *cache,
    struct ct_arena *a, const struct ct_conf *conf, struct ct_err *err)
{
	struct sweep s = {pg, redis, cache, a, conf};
	struct ct_err file = {0};
	struct ct_erasure *list;
	int n;

	if (ct_erasure_list(pg, a, &list, &n, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < n; i++) {
		if (one(&s, &list[i], err) == CT_OK)
			continue;
		/* One file that stays does not keep the others. */
		if (strcmp(err->code, STORAGE) != 0)
			return err->rc;
		file = *err;
		ct_err_clear(err);
	}
	if (file.rc != CT_OK)
		*err = file;
	return err->rc;
}
