/* Stores: what all kinds share; see store.h. */
#include <string.h>

#include "common/store_internal.h"

#define LIST_STEP 256

bool
ct_store_name_ok(struct ct_str name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	if (name.n < 5 || name.n >= CT_STORE_NAME || name.p[0] == '.' ||
	    memcmp(name.p + name.n - 4, ".ctb", 4) != 0)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!memchr(chars, name.p[i], sizeof(chars) - 1))
			return false;
	return true;
}

enum ct_rc
ct_store_add(struct ct_store_list *l, struct ct_arena *a, struct ct_str name,
    int64_t bytes, struct ct_err *err)
{
	struct ct_store_item *item;
	size_t size = sizeof(*l->item);

	if (l->n == CT_STORE_MAX)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "there are more than %d backups in one place",
		    CT_STORE_MAX);
	if (l->n == l->room) {
		l->item = ct_arena_grow(
		    a, l->item, l->room * size, (l->room + LIST_STEP) * size);
		l->room += LIST_STEP;
	}
	item = &l->item[l->n++];
	memset(item, 0, sizeof(*item));
	memcpy(item->name, name.p, name.n);
	item->bytes = bytes;
	return CT_OK;
}

static void
close_store(void *arg)
{
	struct ct_store *s = arg;

	ct_store_put_abort(s);
	ct_store_get_end(s);
}

enum ct_rc
ct_store_open(struct ct_arena *a, const struct ct_conf *conf, const char *where,
    struct ct_store **out, struct ct_err *err)
{
	struct ct_store *s = ct_arena_alloc(a, sizeof(*s));
	enum ct_rc rc;

	s->a = a;
	if (where[0] == '/')
		rc = ct_store_dir(s, where, err);
	else if (strncmp(where, "s3://", 5) == 0)
		rc = ct_store_s3(s, conf, where + 5, err);
	else
		rc = ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_TO must be /directory or "
		    "s3://bucket[/prefix], not \"%.60s\"",
		    where);
	if (rc != CT_OK)
		return rc;
	/* After what the kind deferred: runs before it. */
	ct_arena_defer(a, close_store, s);
	*out = s;
	return CT_OK;
}

void
ct_store_go_on(struct ct_store *s, bool (*go_on)(void *arg), void *arg)
{
	s->go_on = go_on;
	s->arg = arg;
}

static enum ct_rc
check_name(const char *name, struct ct_err *err)
{
	if (ct_store_name_ok(ct_str_of(name)))
		return CT_OK;
	return ct_fail(err, CT_INVALID, NULL,
	    "\"%.60s\" is no name of a backup: letters, digits, '-' and '.', "
	    "at most %d characters, .ctb at the end",
	    name, CT_STORE_NAME - 1);
}

enum ct_rc
ct_store_list(struct ct_store *s, struct ct_arena *a, struct ct_store_list *out,
    struct ct_err *err)
{
	*out = (struct ct_store_list){NULL, 0, 0};
	return s->kind->list(s, a, out, err);
}

enum ct_rc
ct_store_remove(struct ct_store *s, const char *name, struct ct_err *err)
{
	if (check_name(name, err) != CT_OK)
		return err->rc;
	return s->kind->remove(s, name, err);
}

enum ct_rc
ct_store_put_begin(struct ct_store *s, const char *name, struct ct_err *err)
{
	if (s->putting)
		ct_bug("two files at a time into one store");
	if (check_name(name, err) != CT_OK ||
	    s->kind->put_begin(s, name, err) != CT_OK)
		return err->rc;
	s->putting = true;
	return CT_OK;
}

enum ct_rc
ct_store_put(struct ct_store *s, const void *p, size_t n, struct ct_err *err)
{
	return s->kind->put(s, p, n, err);
}

enum ct_rc
ct_store_put_end(struct ct_store *s, struct ct_err *err)
{
	if (s->kind->put_end(s, err) != CT_OK)
		return err->rc;
	s->putting = false;
	return CT_OK;
}

void
ct_store_put_abort(struct ct_store *s)
{
	if (s->putting)
		s->kind->put_abort(s);
	s->putting = false;
}

enum ct_rc
ct_store_get_begin(
    struct ct_store *s, const char *name, int64_t *bytes, struct ct_err *err)
{
	if (s->getting)
		ct_bug("two files at a time out of one store");
	if (check_name(name, err) != CT_OK ||
	    s->kind->get_begin(s, name, bytes, err) != CT_OK)
		return err->rc;
	s->getting = true;
	return CT_OK;
}

enum ct_rc
ct_store_get(struct ct_store *s, struct ct_str *out, struct ct_err *err)
{
	return s->kind->get(s, out, err);
}

void
ct_store_get_end(struct ct_store *s)
{
	if (s->getting)
		s->kind->get_end(s);
	s->getting = false;
}
