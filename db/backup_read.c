/*
 * Reading a backup: out of its place, unsealed, unpacked, its manifest read,
 * and what pg_dump wrote into pg_restore, which works in one transaction.
 * Nothing that is not authentic gets as far as that. Whether the file is whole
 * is known only at its end: who restores for good reads all of it first.
 */
#include <string.h>

#include "common/zstd.h"
#include "db/backup_internal.h"
#include "db/pg_url.h"

#define SIZE_N BACKUP_MANIFEST

struct pass {
	struct ct_backup *b;
	const struct backup_sink *to;
	struct ct_backup_done *out;
	struct ct_unsealer *seal;
	struct ct_zstd *zip;
	struct ct_spawn *child; /* NULL: only reading */
	/* The manifest, with its length in front. */
	char *text;
	size_t have, want;
	bool known; /* it was read */
	int64_t dumped;
};

static enum ct_rc
to_zip(void *arg, const void *p, size_t n, struct ct_err *err)
{
	struct pass *s = arg;

	return ct_zstd_put(s->zip, p, n, err);
}

static enum ct_rc
start_restore(struct pass *s, struct ct_err *err)
{
	struct ct_backup *b = s->b;
	/* Owners and rights are left out where their roles are unknown. */
	const char *const argv[] = {backup_program(b, "pg_restore"),
	    "--format=custom", "--single-transaction", "--no-password",
	    ct_pg_dbname_option(b->a, s->to->database),
	    s->to->no_roles ? "--no-owner" : NULL, "--no-privileges", NULL};
	const char *const *env;

	s->child = backup_child(b);
	if (ct_pg_env(b->a, s->to->url, &env, err) != CT_OK)
		return err->rc;
	return ct_spawn_start(s->child, CT_SPAWN_READS, argv, env, err);
}

/* The length, then the text. *used: of the n bytes at p. */
static enum ct_rc
take_manifest(
    struct pass *s, const char *p, size_t n, size_t *used, struct ct_err *err)
{
	size_t size = 0;

	*used = n < s->want - s->have ? n : s->want - s->have;
	memcpy(s->text + s->have, p, *used);
	s->have += *used;
	if (s->have < s->want)
		return CT_OK;
	if (s->want == SIZE_N) {
		for (int i = SIZE_N - 1; i >= 0; i--)
			size = size << 8 | (uint8_t)s->text[i];
		if (size == 0 || size > CT_MANIFEST_MAX)
			return ct_fail(err, CT_MALFORMED, "manifest",
			    "the backup's table of contents cannot be read");
		s->want += size;
		return CT_OK;
	}
	s->known = true;
	if (ct_manifest_read(s->b->a,
		(struct ct_str){s->text + SIZE_N, s->want - SIZE_N},
		&s->out->manifest, err) != CT_OK)
		return err->rc;
	return s->to->url ? start_restore(s, err) : CT_OK;
}

static enum ct_rc
to_restore(void *arg, const void *data, size_t n, struct ct_err *err)
{
	struct pass *s = arg;
	const char *p = data;
	size_t used;

	while (n > 0 && !s->known) {
		if (take_manifest(s, p, n, &used, err) != CT_OK)
			return err->rc;
		p += used;
		n -= used;
	}
	s->dumped += (int64_t)n;
	return s->child && n > 0 ? ct_spawn_write(s->child, p, n, err) : CT_OK;
}

static enum ct_rc
read_all(struct pass *s, const char *name, struct ct_err *err)
{
	struct ct_backup *b = s->b;
	struct ct_str part;

	if (ct_store_get_begin(b->store, name, &s->out->bytes, err) != CT_OK)
		return err->rc;
	b->done = 0;
	b->total = s->out->bytes;
	for (;;) {
		if (!backup_go_on(b))
			return ct_fail(err, CT_RETRY, "stopped",
			    "stopped while %s was read", name);
		if (ct_store_get(b->store, &part, err) != CT_OK)
			return err->rc;
		if (part.n == 0)
			break;
		if (ct_unsealer_put(s->seal, part.p, part.n, err) != CT_OK)
			return err->rc;
		b->done += (int64_t)part.n;
	}
	if (ct_unsealer_end(s->seal, err) != CT_OK ||
	    ct_zstd_end(s->zip, err) != CT_OK)
		return err->rc;
	if (!s->known || s->dumped == 0)
		return ct_fail(
		    err, CT_MALFORMED, "manifest", "%s holds no dump", name);
	return CT_OK;
}

enum ct_rc
backup_pass(struct ct_backup *b, const char *name, const struct backup_sink *to,
    struct ct_backup_done *out, struct ct_err *err)
{
	struct pass s = {.b = b, .to = to, .out = out, .want = SIZE_N};
	enum ct_rc rc;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, name, strlen(name) + 1);
	s.text = ct_arena_raw(b->a, SIZE_N + CT_MANIFEST_MAX);
	s.seal = ct_unsealer_new(
	    b->a, b->key, out->name, (struct ct_out){to_zip, &s});
	s.zip = ct_unzstd_new(b->a, (struct ct_out){to_restore, &s});
	rc = read_all(&s, name, err);
	ct_store_get_end(b->store);
	out->created_us = ct_unsealer_created_us(s.seal);
	if (rc == CT_OK && s.child)
		rc = ct_spawn_end(s.child, err);
	/* Before it can have come to the end. */
	if (rc != CT_OK && s.child)
		ct_spawn_kill(s.child);
	return rc;
}

enum ct_rc
backup_pick(struct ct_backup *b, const char *name, char out[CT_STORE_NAME],
    struct ct_err *err)
{
	struct ct_store_list list;

	if (name && !ct_store_name_ok(ct_str_of(name)))
		return ct_fail(err, CT_INVALID, NULL,
		    "\"%.60s\" is no name of a backup", name);
	if (!name) {
		if (ct_backup_list(b, &list, err) != CT_OK)
			return err->rc;
		if (list.n == 0)
			return ct_fail(err, CT_NOTFOUND, NULL,
			    "there is no backup in %.100s", b->where);
		name = list.item[0].name;
	}
	memcpy(out, name, strlen(name) + 1);
	return CT_OK;
}

enum ct_rc
ct_backup_read(struct ct_backup *b, const char *name,
    struct ct_backup_done *out, struct ct_err *err)
{
	const struct backup_sink nowhere = {NULL, NULL, false};
	char picked[CT_STORE_NAME];

	if (backup_pick(b, name, picked, err) != CT_OK)
		return err->rc;
	backup_say(b, "reading %s in %s", picked, b->where);
	return backup_pass(b, picked, &nowhere, out, err);
}
