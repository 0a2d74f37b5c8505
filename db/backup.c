/*
 * Making backups: a snapshot, the manifest and pg_dump of that snapshot,
 * packed, sealed, stored; then the older ones that need not be kept go.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/retain.h"
#include "common/zstd.h"
#include "db/backup_internal.h"
#include "db/pg_url.h"

#define LOCK_KEY INT64_C(0x63745f6261636b75) /* "ct_backu" */
#define BLOCK	 ((size_t)128 << 10)
#define PREFIX	 "catetube-"

/* One at a time in a database; the lock ends with the connection. */
static const struct ct_stmt lock = {"backup_lock", CT_GLOBAL, CT_READ, "i",
    NULL, "select pg_try_advisory_lock($1)"};
static const struct ct_stmt snapshot = {"backup_snapshot", CT_GLOBAL, CT_READ,
    "", NULL,
    "select pg_export_snapshot() as id,"
    " pg_database_size(current_database()) as bytes"};

const struct ct_stmt *const ct_backup_stmts[] = {&lock, &snapshot, NULL};

/* ---- what all actions share */

void
backup_say(const struct ct_backup *b, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (!b->say)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	b->say(b->arg, text);
}

bool
backup_go_on(void *arg)
{
	const struct ct_backup *b = arg;

	return !b->go_on || b->go_on(b->arg, b->done, b->total);
}

void
backup_disconnect(struct backup_db *db)
{
	ct_pg_close(db->pg);
	db->pg = NULL;
}

static void
disconnect(void *db)
{
	backup_disconnect(db);
}

struct backup_db *
backup_connect(struct ct_backup *b, const char *url)
{
	struct backup_db *db = ct_arena_alloc(b->a, sizeof(*db));

	db->pg = ct_pg_open(
	    url, "catetube-backup", ct_int(ct_size(b->conf->pg_timeout_ms)));
	ct_arena_defer(b->a, disconnect, db);
	return db;
}

static void
kill_child(void *c)
{
	ct_spawn_kill(c);
}

struct ct_spawn *
backup_child(struct ct_backup *b)
{
	struct ct_spawn *c = ct_arena_alloc(b->a, sizeof(*c));

	c->idle_ms = BACKUP_IDLE_MS;
	c->go_on = backup_go_on;
	c->arg = b;
	ct_arena_defer(b->a, kill_child, c);
	return c;
}

const char *
backup_program(const struct ct_backup *b, const char *name)
{
	return ct_arena_printf(b->a, "%s/%s", b->conf->pg_bin, name);
}

static enum ct_rc
check_key(const struct ct_conf *conf, uint8_t key[CT_KEY], struct ct_err *err)
{
	if (ct_seal_key_parse(ct_str_of(conf->backup_key), key))
		return CT_OK;
	return ct_fail(err, CT_INVALID, "config",
	    conf->backup_key[0]
		? "CATETUBE_BACKUP_KEY must be 64 hex digits, as catetubectl "
		  "backup keygen makes them"
		: "CATETUBE_BACKUP_KEY is not set: catetubectl backup keygen "
		  "makes one");
}

enum ct_rc
ct_backup_check_conf(const struct ct_conf *conf, struct ct_err *err)
{
	struct ct_arena *a;
	struct ct_store *store;
	uint8_t key[CT_KEY];

	if (conf->backup_key[0] && check_key(conf, key, err) != CT_OK)
		return err->rc;
	ct_wipe(key, sizeof(key));
	if (!conf->backup_to[0])
		return CT_OK;
	a = ct_arena_create((size_t)4 << 20);
	if (ct_store_open(a, conf, conf->backup_to, &store, err) == CT_OK)
		ct_err_clear(err);
	ct_arena_destroy(a);
	return err->rc;
}

static void
wipe_key(void *key)
{
	ct_wipe(key, CT_KEY);
}

enum ct_rc
ct_backup_open(struct ct_backup *b, struct ct_err *err)
{
	if (!b->where)
		b->where = b->conf->backup_to;
	if (!b->where[0])
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_TO is not set: a directory, or "
		    "s3://bucket/prefix");
	if (check_key(b->conf, b->key, err) != CT_OK)
		return err->rc;
	ct_arena_defer(b->a, wipe_key, b->key);
	if (ct_store_open(b->a, b->conf, b->where, &b->store, err) != CT_OK)
		return err->rc;
	ct_store_go_on(b->store, backup_go_on, b);
	return CT_OK;
}

/* ---- names */

void
ct_backup_name(
    int64_t created_us, const struct ct_uuid *id, char out[CT_STORE_NAME])
{
	char at[CT_TIME_MAX], plain[CT_TIME_MAX], hex[9];
	size_t n = 0;

	ct_time_format(created_us / 1000000 * 1000000, at);
	for (const char *p = at; *p; p++)
		if (*p != '-' && *p != ':')
			plain[n++] = *p;
	plain[n] = '\0';
	ct_hex(id->b + 12, 4, hex);
	snprintf(out, CT_STORE_NAME, PREFIX "%s-%s.ctb", plain, hex);
}

/* "20261122T021000Z" is 16 characters. */
bool
ct_backup_name_us(const char *name, int64_t *created_us)
{
	size_t at = sizeof(PREFIX) - 1;
	char text[32];

	if (strlen(name) != at + 16 + 1 + 8 + 4 ||
	    memcmp(name, PREFIX, at) != 0 || name[at + 16] != '-' ||
	    !ct_store_name_ok(ct_str_of(name)))
		return false;
	name += at;
	/* The only spelling that ct_backup_name writes. */
	if (name[8] != 'T' || name[15] != 'Z')
		return false;
	snprintf(text, sizeof(text), "%.4s-%.2s-%.5s:%.2s:%.3s", name, name + 4,
	    name + 6, name + 11, name + 13);
	return ct_time_parse(ct_str_of(text), created_us) == CT_TIME_OK;
}

static int
newest_first(const void *a, const void *b)
{
	const struct ct_store_item *x = a, *y = b;
	int64_t at_x = 0, at_y = 0;

	if (ct_backup_name_us(x->name, &at_x) &&
	    ct_backup_name_us(y->name, &at_y) && at_x != at_y)
		return at_x < at_y ? 1 : -1;
	return strcmp(y->name, x->name);
}

enum ct_rc
ct_backup_list(
    struct ct_backup *b, struct ct_store_list *out, struct ct_err *err)
{
	int64_t at;
	size_t n = 0;

	if (ct_store_list(b->store, b->a, out, err) != CT_OK)
		return err->rc;
	for (size_t i = 0; i < out->n; i++)
		if (ct_backup_name_us(out->item[i].name, &at))
			out->item[n++] = out->item[i];
	out->n = n;
	if (n > 1)
		qsort(out->item, n, sizeof(*out->item), newest_first);
	return CT_OK;
}

/* ---- making one */

struct making {
	struct ct_backup *b;
	struct ct_pg *pg; /* holds the lock and the snapshot */
	const char *snapshot;
	struct ct_zstd *zip;
	struct ct_sealer *seal;
	int64_t bytes; /* of the file */
};

static enum ct_rc
to_store(void *arg, const void *p, size_t n, struct ct_err *err)
{
	struct making *m = arg;

	m->bytes += (int64_t)n;
	return ct_store_put(m->b->store, p, n, err);
}

static enum ct_rc
to_seal(void *arg, const void *p, size_t n, struct ct_err *err)
{
	struct making *m = arg;

	return ct_sealer_put(m->seal, p, n, err);
}

static enum ct_rc
take_lock(struct making *m, struct ct_err *err)
{
	struct ct_params p;
	const struct ct_res *r;

	ct_params_init(&p, m->b->a);
	ct_p_i64(&p, LOCK_KEY);
	if (ct_pg_run(m->pg, &lock, &p, m->b->a, &r, err) != CT_OK)
		return err->rc;
	if (ct_res_bool(r, 0, 0))
		return CT_OK;
	return ct_fail(err, CT_RETRY, "backup_runs",
	    "another backup of this database is being made");
}

/* The transaction stays open until the dump is done. */
static enum ct_rc
take_snapshot(struct making *m, struct ct_manifest *out, struct ct_err *err)
{
	struct ct_backup *b = m->b;
	const struct ct_res *r;

	if (take_lock(m, err) != CT_OK)
		return err->rc;
	ct_pg_timeout(m->pg, BACKUP_STMT_MS);
	if (ct_pg_begin(m->pg, b->a, true, err) != CT_OK ||
	    ct_pg_run(m->pg, &snapshot, NULL, b->a, &r, err) != CT_OK)
		return err->rc;
	m->snapshot = ct_str_cstr(b->a, ct_res_str(r, 0, 0));
	b->total = ct_res_i64(r, 0, 1);
	return ct_manifest_take(m->pg, b->a, backup_go_on, b, out, err);
}

static enum ct_rc
put_manifest(
    struct making *m, const struct ct_manifest *manifest, struct ct_err *err)
{
	struct ct_str text = ct_manifest_write(m->b->a, manifest);
	uint8_t size[BACKUP_MANIFEST];

	if (text.n > CT_MANIFEST_MAX)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "the table of contents has %zu bytes", text.n);
	for (int i = 0; i < BACKUP_MANIFEST; i++)
		size[i] = (uint8_t)(text.n >> (8 * i));
	if (ct_zstd_put(m->zip, size, sizeof(size), err) != CT_OK)
		return err->rc;
	return ct_zstd_put(m->zip, text.p, text.n, err);
}

static const char *
source(const struct ct_backup *b)
{
	return b->conf->backup_url[0] ? b->conf->backup_url
				      : b->conf->database_url;
}

/* zstd packs better than pg_dump's own zlib, and in a tenth of the time. */
static enum ct_rc
put_dump(struct making *m, struct ct_err *err)
{
	struct ct_backup *b = m->b;
	const char *const argv[] = {backup_program(b, "pg_dump"),
	    "--format=custom", "--compress=0", "--no-password",
	    "--lock-wait-timeout=60000", "--exclude-schema=" CT_BEFORE_RESTORE,
	    ct_arena_printf(b->a, "--snapshot=%s", m->snapshot), NULL};
	char *block = ct_arena_raw(b->a, BLOCK);
	struct ct_spawn *child = backup_child(b);
	const char *const *env;
	size_t n;

	if (ct_pg_env(b->a, source(b), &env, err) != CT_OK ||
	    ct_spawn_start(child, CT_SPAWN_WRITES, argv, env, err) != CT_OK)
		return err->rc;
	for (;;) {
		if (ct_spawn_read(child, block, BLOCK, &n, err) != CT_OK)
			return err->rc;
		if (n == 0)
			break;
		if (ct_zstd_put(m->zip, block, n, err) != CT_OK)
			return err->rc;
		b->done += (int64_t)n;
	}
	return ct_spawn_end(child, err);
}

static enum ct_rc
write_file(struct making *m, const char *name, int64_t created_us,
    const struct ct_manifest *manifest, struct ct_err *err)
{
	struct ct_backup *b = m->b;

	if (ct_store_put_begin(b->store, name, err) != CT_OK)
		return err->rc;
	m->seal = ct_sealer_new(
	    b->a, b->key, created_us, (struct ct_out){to_store, m});
	m->zip = ct_zstd_new(b->a, BACKUP_LEVEL, (struct ct_out){to_seal, m});
	if (put_manifest(m, manifest, err) != CT_OK ||
	    put_dump(m, err) != CT_OK || ct_zstd_end(m->zip, err) != CT_OK ||
	    ct_sealer_end(m->seal, err) != CT_OK)
		return err->rc;
	return ct_store_put_end(b->store, err);
}

/* What cannot be removed stays, and is tried again after the next backup. */
static enum ct_rc
retire(struct ct_backup *b, struct ct_backup_done *out, struct ct_err *err)
{
	struct ct_store_list list;
	struct ct_retain *all;
	struct ct_err why;

	if (ct_backup_list(b, &list, err) != CT_OK)
		return err->rc;
	all = ct_arena_alloc(b->a, list.n * sizeof(*all) + 1);
	for (size_t i = 0; i < list.n; i++) {
		all[i].index = i;
		if (!ct_backup_name_us(list.item[i].name, &all[i].created_us))
			ct_bug("%s was listed", list.item[i].name);
	}
	ct_retain(all, list.n, b->conf->backup_daily, b->conf->backup_weekly,
	    b->conf->backup_monthly);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.item[all[i].index].name;

		ct_err_clear(&why);
		if (all[i].keep || strcmp(name, out->name) == 0)
			out->kept++;
		else if (ct_store_remove(b->store, name, &why) == CT_OK)
			out->removed++;
		else
			ct_log(
			    CT_WARN, "backup", "%s stays: %s", name, why.msg);
	}
	return CT_OK;
}

static enum ct_rc
make(struct making *m, const struct ct_uuid *id, struct ct_backup_done *out,
    struct ct_err *err)
{
	struct ct_backup *b = m->b;

	if (take_snapshot(m, &out->manifest, err) != CT_OK)
		return err->rc;
	out->created_us = out->manifest.created_us;
	ct_backup_name(out->created_us, id, out->name);
	backup_say(b, "writing %s to %s", out->name, b->where);
	if (write_file(m, out->name, out->created_us, &out->manifest, err) !=
	    CT_OK)
		ct_store_put_abort(b->store);
	out->bytes = m->bytes;
	return err->rc;
}

enum ct_rc
ct_backup_run(struct ct_backup *b, const struct ct_uuid *id,
    struct ct_backup_done *out, struct ct_err *err)
{
	struct backup_db *db = backup_connect(b, source(b));
	struct making m = {.b = b, .pg = db->pg};
	struct ct_err late;
	enum ct_rc rc;

	memset(out, 0, sizeof(*out));
	b->done = b->total = 0;
	rc = make(&m, id, out, err);
	backup_disconnect(db);
	/* It is there: that the old ones stay is no failure of this one. */
	ct_err_clear(&late);
	if (rc == CT_OK && retire(b, out, &late) != CT_OK)
		ct_log(CT_WARN, "backup", "old backups stay: %s", late.msg);
	return rc;
}
