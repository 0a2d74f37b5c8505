/*
 * A store in a directory. A file has no name until it is complete and on disk;
 * where the file system cannot do that (NFS), it begins as a hidden one, which
 * is not listed, and which a later run removes where a killed one left it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/store_internal.h"

#define HIDDEN	     ".catetube-"
#define HIDDEN_AGE_S (24 * 3600)
#define BLOCK	     ((size_t)256 << 10)

struct dir {
	const char *path;
	int dir_fd; /* -1: not open yet */
	int put_fd;
	int get_fd;
	char name[CT_STORE_NAME];	 /* of the file that is being put */
	char hidden[CT_STORE_NAME + 16]; /* "": the file has no name yet */
	char *block;
};

/* What may pass by itself, or when somebody makes room, is tried again. */
static enum ct_rc
fault(const struct dir *d, const char *what, int errnum, struct ct_err *err)
{
	bool passes = errnum == ENOSPC || errnum == EDQUOT || errnum == EIO ||
		      errnum == EFBIG || errnum == ENOMEM || errnum == EMFILE ||
		      errnum == ENFILE || errnum == ESTALE;

	return ct_fail(err, passes ? CT_RETRY : CT_INVALID,
	    errnum == ENOSPC || errnum == EDQUOT ? "disk_full" : "storage",
	    "%s %.90s: %s", what, d->path, strerror(errnum));
}

static enum ct_rc
enter(struct dir *d, struct ct_err *err)
{
	if (d->dir_fd >= 0)
		return CT_OK;
	d->dir_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0 && errno == ENOENT && mkdir(d->path, 0700) == 0)
		d->dir_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->dir_fd >= 0 ? CT_OK : fault(d, "cannot enter", errno, err);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Calls fn for each name; ends where it is not CT_OK. */
static enum ct_rc
each(struct dir *d,
    enum ct_rc (*fn)(
	struct dir *d, const char *name, void *arg, struct ct_err *err),
    void *arg, struct ct_err *err)
{
	enum ct_rc rc = enter(d, err);
	struct dirent *e;
	DIR *all;
	int fd;

	if (rc != CT_OK)
		return rc;
	fd = openat(d->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	all = fd < 0 ? NULL : fdopendir(fd);
	if (!all) {
		rc = fault(d, "cannot list", errno, err);
		close_fd(&fd);
		return rc;
	}
	errno = 0;
	while (rc == CT_OK && (e = readdir(all)) != NULL) {
		rc = fn(d, e->d_name, arg, err);
		errno = 0;
	}
	if (rc == CT_OK && errno != 0)
		rc = fault(d, "cannot list", errno, err);
	closedir(all);
	return rc;
}

struct listing {
	struct ct_arena *a;
	struct ct_store_list *out;
};

static enum ct_rc
list_one(struct dir *d, const char *name, void *arg, struct ct_err *err)
{
	const struct listing *l = arg;
	struct stat st;

	if (!ct_store_name_ok(ct_str_of(name)) ||
	    fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return CT_OK;
	return ct_store_add(l->out, l->a, ct_str_of(name), st.st_size, err);
}

static enum ct_rc
dir_list(struct ct_store *s, struct ct_arena *a, struct ct_store_list *out,
    struct ct_err *err)
{
	struct listing l = {a, out};

	return each(s->own, list_one, &l, err);
}

static enum ct_rc
dir_remove(struct ct_store *s, const char *name, struct ct_err *err)
{
	struct dir *d = s->own;

	if (enter(d, err) != CT_OK)
		return err->rc;
	if (unlinkat(d->dir_fd, name, 0) == 0 || errno == ENOENT)
		return CT_OK;
	return fault(d, "cannot remove a backup from", errno, err);
}

static enum ct_rc
remove_old(
    struct dir *d, const char *name, CT_UNUSED void *arg, struct ct_err *err)
{
	struct stat st;

	(void)err;
	if (strncmp(name, HIDDEN, sizeof(HIDDEN) - 1) == 0 &&
	    fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > HIDDEN_AGE_S)
		unlinkat(d->dir_fd, name, 0);
	return CT_OK;
}

static enum ct_rc
dir_put_begin(struct ct_store *s, const char *name, struct ct_err *err)
{
	struct dir *d = s->own;

	if (each(d, remove_old, NULL, err) != CT_OK)
		return err->rc;
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->hidden[0] = '\0';
	d->put_fd =
	    openat(d->dir_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (d->put_fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		snprintf(d->hidden, sizeof(d->hidden), HIDDEN "%s", name);
		d->put_fd = openat(d->dir_fd, d->hidden,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	return d->put_fd >= 0 ? CT_OK : fault(d, "cannot write to", errno, err);
}

static enum ct_rc
dir_put(struct ct_store *s, const void *data, size_t n, struct ct_err *err)
{
	struct dir *d = s->own;
	const char *p = data;

	while (n > 0) {
		ssize_t put = write(d->put_fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fault(d, "cannot write to", errno, err);
		p += put;
		n -= (size_t)put;
	}
	return CT_OK;
}

/* Neither takes a name that is taken. */
static bool
give_name(const struct dir *d)
{
	char self[40];

	if (d->hidden[0])
		return renameat2(d->dir_fd, d->hidden, d->dir_fd, d->name,
			   RENAME_NOREPLACE) == 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", d->put_fd);
	return linkat(AT_FDCWD, self, d->dir_fd, d->name, AT_SYMLINK_FOLLOW) ==
	       0;
}

static enum ct_rc
dir_put_end(struct ct_store *s, struct ct_err *err)
{
	struct dir *d = s->own;

	if (fsync(d->put_fd) != 0)
		return fault(d, "cannot write to", errno, err);
	if (!give_name(d))
		return errno == EEXIST
			   ? ct_fail(err, CT_CONFLICT, "exists",
				 "%s is there already", d->name)
			   : fault(d, "cannot write to", errno, err);
	d->hidden[0] = '\0';
	close_fd(&d->put_fd);
	return fsync(d->dir_fd) == 0 ? CT_OK
				     : fault(d, "cannot write to", errno, err);
}

static void
dir_put_abort(struct ct_store *s)
{
	struct dir *d = s->own;

	close_fd(&d->put_fd);
	if (d->hidden[0])
		unlinkat(d->dir_fd, d->hidden, 0);
	d->hidden[0] = '\0';
}

static enum ct_rc
dir_get_begin(
    struct ct_store *s, const char *name, int64_t *bytes, struct ct_err *err)
{
	struct dir *d = s->own;
	struct stat st;

	if (enter(d, err) != CT_OK)
		return err->rc;
	d->get_fd = openat(d->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (d->get_fd < 0 && errno == ENOENT)
		return ct_fail(err, CT_NOTFOUND, NULL,
		    "there is no backup %s in %.90s", name, d->path);
	if (d->get_fd < 0 || fstat(d->get_fd, &st) != 0)
		return fault(d, "cannot read from", errno, err);
	*bytes = st.st_size;
	if (!d->block)
		d->block = ct_arena_raw(s->a, BLOCK);
	return CT_OK;
}

static enum ct_rc
dir_get(struct ct_store *s, struct ct_str *out, struct ct_err *err)
{
	struct dir *d = s->own;
	ssize_t n;

	do
		n = read(d->get_fd, d->block, BLOCK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fault(d, "cannot read from", errno, err);
	*out = (struct ct_str){d->block, (size_t)n};
	return CT_OK;
}

static void
dir_get_end(struct ct_store *s)
{
	struct dir *d = s->own;

	close_fd(&d->get_fd);
}

static const struct ct_store_kind dir_kind = {dir_list, dir_remove,
    dir_put_begin, dir_put, dir_put_end, dir_put_abort, dir_get_begin, dir_get,
    dir_get_end};

static void
leave(void *arg)
{
	struct dir *d = arg;

	close_fd(&d->get_fd);
	close_fd(&d->put_fd);
	close_fd(&d->dir_fd);
}

enum ct_rc
ct_store_dir(struct ct_store *s, const char *path, struct ct_err *err)
{
	struct dir *d = ct_arena_alloc(s->a, sizeof(*d));

	if (strlen(path) > 4000)
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_TO is too long a path");
	d->path = ct_arena_dup(s->a, path, strlen(path));
	d->dir_fd = d->put_fd = d->get_fd = -1;
	ct_arena_defer(s->a, leave, d);
	s->kind = &dir_kind;
	s->own = d;
	return CT_OK;
}
