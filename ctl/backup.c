/*
 * catetubectl backup: list, run, check, verify, restore, keygen. What is done
 * is told on standard error, what came of it on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

#define USAGE                                                                  \
	"backup takes: list, run, check [NAME], verify [NAME] [--to URL], "    \
	"restore NAME --to URL [--force] [--no-roles], restore --undo --to "   \
	"URL, keygen FILE"

struct args {
	const char *name;  /* NULL: none; a file's name without its directory */
	const char *where; /* its directory; NULL: the configured place */
	const char *to;
	const char *key; /* file with the key; NULL: the configured one */
	bool force, no_roles, undo;
};

static void
say(CT_UNUSED void *arg, const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
}

/* ---- what was made or read */

static void
size_text(int64_t bytes, char out[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < ct_countof(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, 24, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void
put_json(struct ctl *c, const struct ct_backup_done *d)
{
	const struct ct_manifest *m = &d->manifest;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, c->arena, 4096);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "name");
	ct_jw_cstr(&w, d->name);
	ct_jw_key(&w, "created_at");
	ct_jw_time(&w, d->created_us);
	ct_jw_key(&w, "bytes");
	ct_jw_i64(&w, d->bytes);
	ct_jw_key(&w, "server");
	ct_jw_str(&w, m->server);
	ct_jw_key(&w, "schema");
	ct_jw_str(&w, m->schema);
	ct_jw_key(&w, "rows");
	ct_jw_i64(&w, m->rows);
	ct_jw_key(&w, "tables");
	ct_jw_obj(&w);
	for (size_t i = 0; i < m->n; i++) {
		ct_jw_key(&w, ct_str_cstr(c->arena, m->table[i].name));
		ct_jw_i64(&w, m->table[i].rows);
	}
	ct_jw_end(&w);
	ct_jw_key(&w, "kept");
	ct_jw_i64(&w, d->kept);
	ct_jw_key(&w, "removed");
	ct_jw_i64(&w, d->removed);
	ct_jw_end(&w);
	printf("%.*s\n", CT_STR_FMT(ct_buf_str(&b)));
}

static void
put_done(struct ctl *c, const struct ct_backup_done *d, const char *what)
{
	char size[24], at[CT_TIME_MAX];

	if (c->json) {
		put_json(c, d);
		return;
	}
	size_text(d->bytes, size);
	printf("%s %s: made %s, %s, %zu tables with %" PRId64 " rows, schema "
	       "%.*s\n",
	    d->name, what,
	    ct_time_format(d->created_us / 1000000 * 1000000, at), size,
	    d->manifest.n, d->manifest.rows, CT_STR_FMT(d->manifest.schema));
}

/* ---- opening */

/* "dir/file.ctb" is a file, "file.ctb" a name in the configured place. */
static enum ct_rc
find_file(struct ctl *c, struct args *g, struct ct_err *err)
{
	const char *slash = g->name ? strrchr(g->name, '/') : NULL;
	char dir[PATH_MAX];

	if (!slash)
		return CT_OK;
	g->where = ct_arena_dup(
	    c->arena, g->name, slash == g->name ? 1 : ct_size(slash - g->name));
	if (!realpath(g->where, dir))
		return ct_fail(err, CT_NOTFOUND, NULL, "%.120s: %s", g->where,
		    strerror(errno));
	g->where = ct_arena_dup(c->arena, dir, strlen(dir));
	g->name = slash + 1;
	return CT_OK;
}

/* The line of a key file takes the place of the configured key. */
static enum ct_rc
read_key(struct ctl *c, const char *path, struct ct_err *err)
{
	char *line = ct_arena_alloc(c->arena, CT_SEAL_KEY_TEXT + 2);
	uint8_t key[CT_KEY];
	size_t n;
	FILE *f = fopen(path, "re");

	if (!f)
		return ct_fail(err, CT_INVALID, NULL, "cannot read %.120s: %s",
		    path, strerror(errno));
	n = fread(line, 1, CT_SEAL_KEY_TEXT + 1, f);
	fclose(f);
	while (n > 0 && strchr("\r\n", line[n - 1]))
		line[--n] = '\0';
	if (!ct_seal_key_parse((struct ct_str){line, n}, key))
		return ct_fail(err, CT_INVALID, NULL,
		    "%.120s holds no key: one line of 64 hex digits", path);
	ct_wipe(key, sizeof(key));
	c->conf.backup_key = line;
	return CT_OK;
}

static enum ct_rc
open_backup(
    struct ctl *c, struct args *g, struct ct_backup **out, struct ct_err *err)
{
	struct ct_backup *b = ct_arena_alloc(c->arena, sizeof(*b));

	if ((g->key && read_key(c, g->key, err) != CT_OK) ||
	    find_file(c, g, err) != CT_OK)
		return err->rc;
	b->a = c->arena;
	b->conf = &c->conf;
	b->where = g->where;
	b->say = say;
	*out = b;
	return ct_backup_open(b, err);
}

/* ---- the commands */

static const char *
verified_text(struct ctl *c, const char *name, char out[CT_TIME_MAX])
{
	static bool away;
	struct ct_err err;
	int64_t at = CT_NULL_I64;

	ct_err_clear(&err);
	/* The list is of use without a database, too: ask once. */
	if (!away &&
	    ct_backup_log_verified(c->pg, c->arena, name, &at, &err) != CT_OK)
		away = true;
	if (away)
		return "?";
	return at == CT_NULL_I64 ? "-"
				 : ct_time_format(at / 1000000 * 1000000, out);
}

static void
put_list(struct ctl *c, const struct ct_store_list *list)
{
	char size[24], at[CT_TIME_MAX], tried[CT_TIME_MAX];
	int64_t created = 0;

	printf("%-22s %10s  %-22s %s\n", "made", "size", "verified", "name");
	for (size_t i = 0; i < list->n; i++) {
		const struct ct_store_item *it = &list->item[i];

		ct_backup_name_us(it->name, &created);
		size_text(it->bytes, size);
		printf("%-22s %10s  %-22s %s\n", ct_time_format(created, at),
		    size, verified_text(c, it->name, tried), it->name);
	}
}

static void
put_list_json(struct ctl *c, const struct ct_store_list *list)
{
	char tried[CT_TIME_MAX];
	int64_t created = 0;
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, c->arena, 4096);
	ct_jw_init(&w, &b);
	ct_jw_arr(&w);
	for (size_t i = 0; i < list->n; i++) {
		const struct ct_store_item *it = &list->item[i];
		const char *at = verified_text(c, it->name, tried);

		ct_backup_name_us(it->name, &created);
		ct_jw_obj(&w);
		ct_jw_key(&w, "name");
		ct_jw_cstr(&w, it->name);
		ct_jw_key(&w, "created_at");
		ct_jw_time(&w, created);
		ct_jw_key(&w, "bytes");
		ct_jw_i64(&w, it->bytes);
		ct_jw_key(&w, "verified_at");
		ct_jw_cstr(&w, at[1] ? at : NULL);
		ct_jw_end(&w);
	}
	ct_jw_end(&w);
	printf("%.*s\n", CT_STR_FMT(ct_buf_str(&b)));
}

static int
do_list(struct ctl *c, struct args *g, struct ct_backup *b)
{
	struct ct_store_list list;
	struct ct_err err;

	(void)g;
	ct_err_clear(&err);
	if (ct_backup_list(b, &list, &err) != CT_OK)
		return ctl_fail(&err);
	if (c->json)
		put_list_json(c, &list);
	else
		put_list(c, &list);
	return 0;
}

/* Into the log of backups, where the database is there. */
static void
record(struct ctl *c, const struct ct_backup *b, const char *action,
    const struct ct_backup_done *d, int64_t started_us, const char *error)
{
	struct ct_backup_log l = {.id = ct_uuid_new(),
	    .action = action,
	    .started_us = started_us,
	    .place = b->where,
	    .done = d,
	    .error = error};
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_backup_log_add(c->pg, c->arena, &l, &err) != CT_OK)
		fprintf(stderr, "not noted in the database: %s\n", err.msg);
}

static int
do_run(struct ctl *c, struct args *g, struct ct_backup *b)
{
	int64_t started_us = ct_now_us();
	struct ct_uuid id = ct_uuid_new();
	struct ct_backup_done d;
	struct ct_err err;
	enum ct_rc rc;

	(void)g;
	ct_err_clear(&err);
	rc = ct_backup_run(b, &id, &d, &err);
	record(c, b, "run", &d, started_us, rc == CT_OK ? NULL : err.msg);
	if (rc != CT_OK)
		return ctl_fail(&err);
	put_done(c, &d, "is written");
	if (!c->json && d.removed > 0)
		printf("%" PRId64 " older ones were removed, %" PRId64
		       " are kept\n",
		    d.removed, d.kept);
	return 0;
}

static int
do_check(struct ctl *c, struct args *g, struct ct_backup *b)
{
	struct ct_backup_done d;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_backup_read(b, g->name, &d, &err) != CT_OK)
		return ctl_fail(&err);
	put_done(c, &d, "is whole");
	return 0;
}

static int
do_verify(struct ctl *c, struct args *g, struct ct_backup *b)
{
	const char *url = g->to ? g->to : c->conf.backup_verify_url;
	int64_t started_us = ct_now_us();
	struct ct_backup_done d;
	struct ct_err err;
	enum ct_rc rc;

	ct_err_clear(&err);
	rc = ct_backup_verify(b, g->name, url, &d, &err);
	record(c, b, "verify", &d, started_us, rc == CT_OK ? NULL : err.msg);
	if (rc != CT_OK)
		return ctl_fail(&err);
	put_done(c, &d, "was restored on trial, every row is back");
	return 0;
}

/* What the operator does next. */
static void
put_hints(struct ctl *c, const struct args *g, const struct ct_restore *r)
{
	struct ct_pg *pg = ct_pg_open(
	    g->to, "catetubectl", ct_int(ct_size(c->conf.pg_timeout_ms)));
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_migrate_check(pg, &err) != CT_OK)
		fprintf(stderr, "next: %s\n", err.msg);
	ct_pg_close(pg);
	if (r->revived > 0)
		fprintf(stderr,
		    "next: delete %" PRId64 " accounts again: they were "
		    "deleted after this backup was made\n",
		    r->revived);
	ct_err_clear(&err);
	if (ctl_drop_copies(c, &err) != CT_OK)
		fputs("next: redis-cli incr ct:epoch, when Redis is back: it "
		      "may hold answers of before\n",
		    stderr);
}

static int
do_restore(struct ctl *c, struct args *g, struct ct_backup *b)
{
	struct ct_restore r = {
	    .url = g->to, .force = g->force, .no_roles = g->no_roles};
	struct ct_backup_done d;
	struct ct_err err;

	ct_err_clear(&err);
	if (g->undo) {
		if (ct_backup_undo(b, g->to, &err) != CT_OK)
			return ctl_fail(&err);
		puts("what was there before is back");
		return 0;
	}
	if (ct_backup_restore(b,
		strcmp(g->name, "newest") == 0 ? NULL : g->name, &r, &d,
		&err) != CT_OK)
		return ctl_fail(&err);
	put_done(c, &d, "is restored, every row is back");
	put_hints(c, g, &r);
	return 0;
}

static enum ct_rc
write_key(const char *path, const char *text, struct ct_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return ct_fail(err, CT_INVALID, NULL, "cannot make %.120s: %s",
		    path, strerror(errno));
	ok = dprintf(fd, "%s\n", text) == CT_SEAL_KEY_TEXT && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok)
		return CT_OK;
	unlink(path);
	return ct_fail(err, CT_INTERNAL, NULL, "cannot write %.120s", path);
}

static int
do_keygen(const char *path)
{
	char text[CT_SEAL_KEY_TEXT], id[CT_SEAL_ID_TEXT];
	uint8_t key[CT_KEY];
	struct ct_err err;

	ct_err_clear(&err);
	ct_seal_key_new(text);
	if (!ct_seal_key_parse(ct_str_of(text), key))
		ct_bug("a new key is none");
	ct_seal_key_id(key, id);
	if (write_key(path, text, &err) != CT_OK)
		return ctl_fail(&err);
	ct_wipe(text, sizeof(text));
	ct_wipe(key, sizeof(key));
	printf("%s holds the new key %s. Set CATETUBE_BACKUP_KEY_FILE to it, "
	       "and keep a copy away from this host: without it no backup can "
	       "be read.\n",
	    path, id);
	return 0;
}

/* ---- arguments */

static const struct {
	const char *word;
	int (*fn)(struct ctl *c, struct args *g, struct ct_backup *b);
	bool name; /* may be given */
} actions[] = {
    {"list", do_list, false},
    {"run", do_run, false},
    {"check", do_check, true},
    {"verify", do_verify, true},
    {"restore", do_restore, true},
};

static bool
read_args(int argc, char **argv, struct args *g)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
			g->to = argv[++i];
		else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc)
			g->key = argv[++i];
		else if (strcmp(argv[i], "--force") == 0)
			g->force = true;
		else if (strcmp(argv[i], "--no-roles") == 0)
			g->no_roles = true;
		else if (strcmp(argv[i], "--undo") == 0)
			g->undo = true;
		else if (argv[i][0] != '-' && !g->name)
			g->name = argv[i];
		else
			return false;
	}
	return true;
}

static bool
fits(size_t action, const struct args *g)
{
	bool restore = actions[action].fn == do_restore;
	bool verify = actions[action].fn == do_verify;

	if (g->name && !actions[action].name)
		return false;
	if (!restore && (g->force || g->no_roles || g->undo))
		return false;
	if (restore)
		return g->to && !g->name == g->undo;
	return verify || !g->to;
}

int
ctl_backup(struct ctl *c, int argc, char **argv)
{
	struct args g = {0};
	struct ct_backup *b = NULL;
	struct ct_err err;

	if (argc == 3 && strcmp(argv[1], "keygen") == 0)
		return do_keygen(argv[2]);
	if (argc < 2 || !read_args(argc, argv, &g))
		return ctl_usage(USAGE);
	ct_err_clear(&err);
	for (size_t i = 0; i < ct_countof(actions); i++) {
		if (strcmp(argv[1], actions[i].word) != 0 || !fits(i, &g))
			continue;
		if (open_backup(c, &g, &b, &err) != CT_OK)
			return ctl_fail(&err);
		return actions[i].fn(c, &g, b);
	}
	return ctl_usage(USAGE);
}
