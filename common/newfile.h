/*
 * A file that appears under its name whole, on disk, or not at all: it has no
 * name until it is kept (where the file system can do that, else a temporary
 * one), so that whoever is killed while writing leaves nothing.
 */
#ifndef CT_COMMON_NEWFILE_H
#define CT_COMMON_NEWFILE_H

#include "common/arena.h"
#include "common/err.h"

struct ct_newfile {
	int fd; /* to write to; -1: closed */
	int dir_fd;
	char name[80]; /* in the directory */
	char tmp[112];
	bool nameless;
};

/*
 * Begin one in dir, which is made (0750) where it is not there; the file's mode
 * is 0640. What is open at the end of a is closed, what was not kept goes; so
 * f must live as long as a. CT_RETRY, code "storage".
 */
enum ct_rc ct_newfile_open(struct ct_newfile *f, struct ct_arena *a,
    const char *dir, const char *name, struct ct_err *err) CT_MUSTCHECK;
/* All n bytes. CT_RETRY as above. */
enum ct_rc ct_newfile_write(struct ct_newfile *f, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * On disk under its name, in place of one that was there, whatever happens to
 * the machine. CT_RETRY as above.
 */
enum ct_rc ct_newfile_keep(
    struct ct_newfile *f, struct ct_err *err) CT_MUSTCHECK;
/* Remove what was kept. */
void ct_newfile_remove(struct ct_newfile *f);

/* CT_RETRY, code "storage", with what failed and errnum for the log. */
enum ct_rc ct_storage_fault(struct ct_err *err, const char *what, int errnum);

#endif
