/* Files that appear whole; see newfile.h. */
#include "common/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum ct_rc
ct_storage_fault(struct ct_err *err, const char *what, int errnum)
{
	ct_fail(err, CT_RETRY, "storage",
	    errnum == ENOSPC || errnum == EDQUOT
		? "There is no room left to store the file; try again later."
		: "The file could not be stored; try again later.");
	return ct_err_detail(err, "%s: %s", what, strerror(errnum));
}

static void
clean(void *data)
{
	struct ct_newfile *f = data;

	if (f->fd >= 0)
		close(f->fd);
	if (f->dir_fd >= 0 && f->tmp[0] != '\0')
		unlinkat(f->dir_fd, f->tmp, 0);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	f->fd = f->dir_fd = -1;
}

enum ct_rc
ct_newfile_open(struct ct_newfile *f, struct ct_arena *a, const char *dir,
    const char *name, struct ct_err *err)
{
	*f = (struct ct_newfile){.fd = -1, .dir_fd = -1};
	snprintf(f->name, sizeof(f->name), "%s", name);
	ct_arena_defer(a, clean, f);
	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return ct_storage_fault(err, dir, errno);
	f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return ct_storage_fault(err, dir, errno);
	snprintf(f->tmp, sizeof(f->tmp), "%s.tmp-%d", f->name, (int)getpid());
	/* Not every file system can make one without a name. */
	f->fd = openat(f->dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0640);
	f->nameless = f->fd >= 0;
	if (f->fd < 0)
		f->fd = openat(f->dir_fd, f->tmp,
		    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	return f->fd < 0 ? ct_storage_fault(err, f->tmp, errno) : CT_OK;
}

enum ct_rc
ct_newfile_write(
    struct ct_newfile *f, const void *p, size_t n, struct ct_err *err)
{
	const char *at = p;
	ssize_t done;

	while (n > 0) {
		done = write(f->fd, at, n);
		if (done < 0 && errno != EINTR)
			return ct_storage_fault(err, f->tmp, errno);
		if (done > 0) {
			at += done;
			n -= (size_t)done;
		}
	}
	return CT_OK;
}

static bool
give_name(const struct ct_newfile *f)
{
	char self[40];

	if (!f->nameless)
		return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	unlinkat(f->dir_fd, f->tmp, 0); /* of an earlier process of our id */
	return linkat(AT_FDCWD, self, f->dir_fd, f->tmp, AT_SYMLINK_FOLLOW) ==
	       0;
}

enum ct_rc
ct_newfile_keep(struct ct_newfile *f, struct ct_err *err)
{
	if (fsync(f->fd) != 0 || !give_name(f) ||
	    renameat(f->dir_fd, f->tmp, f->dir_fd, f->name) != 0)
		return ct_storage_fault(err, f->tmp, errno);
	f->tmp[0] = '\0';
	return fsync(f->dir_fd) == 0 ? CT_OK
				     : ct_storage_fault(err, f->name, errno);
}

void
ct_newfile_remove(struct ct_newfile *f)
{
	if (f->dir_fd >= 0)
		unlinkat(f->dir_fd, f->name, 0);
}
