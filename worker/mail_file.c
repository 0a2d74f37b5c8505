/* The report that a mail brings; see mail_file.h. */
#include "worker/mail_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/report.h"

static const struct {
	const char *ending, *type;
} types[] = {
    {"csv", "text/csv; charset=utf-8"},
    {"json", "application/json"},
    {"pdf", "application/pdf"},
    {"xlsx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
};

static enum ct_rc
cannot(struct ct_err *err, const char *path)
{
	int e = errno;

	if (e == ENOENT)
		return ct_report_missing(err);
	ct_fail(err, CT_RETRY, "storage", "the report could not be read");
	return ct_err_detail(err, "%s: %s", path, strerror(e));
}

/* All of it; a file that became shorter meanwhile is none. */
static enum ct_rc
read_all(struct ct_job *job, int fd, const char *path, int64_t most,
    struct ct_str *out, struct ct_err *err)
{
	struct stat st;
	size_t n = 0;
	char *p;

	if (fstat(fd, &st) != 0)
		return cannot(err, path);
	errno = EFBIG;
	if (!S_ISREG(st.st_mode) || st.st_size > most)
		return cannot(err, path);
	p = ct_arena_raw(job->a, (size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, p + n, (size_t)st.st_size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return cannot(err, path);
		n += (size_t)got;
	}
	*out = (struct ct_str){p, n};
	return CT_OK;
}

static void
name_it(struct ct_job *job, const struct ct_report_file *f,
    struct ct_mime_file *out)
{
	const char *ending = ct_str_cstr(job->a, f->blob);

	ending = strrchr(ending, '.') ? strrchr(ending, '.') + 1 : "bin";
	out->type = "application/octet-stream";
	for (size_t i = 0; i < ct_countof(types); i++)
		if (strcmp(ending, types[i].ending) == 0)
			out->type = types[i].type;
	out->name = ct_arena_printf(job->a, "%.*s-report-%.*s-%.*s.%s",
	    CT_STR_FMT(f->kind), CT_STR_FMT(f->from), CT_STR_FMT(f->to),
	    ending);
}

enum ct_rc
ct_mail_file(struct ct_job *job, const struct ct_uuid *report,
    struct ct_mime_file *out, bool *fits, struct ct_err *err)
{
	int64_t most = job->conf->mail_attach_kib * 1024;
	struct ct_report_file f;
	const char *path;
	enum ct_rc rc;
	int fd;

	*out = (struct ct_mime_file){0};
	if (ct_report_file(job->pg, job->a, report, &f, err) != CT_OK)
		return err->rc;
	/* Names are made by us; one with a way out of the directory is not. */
	if (memchr(f.blob.p, '/', f.blob.n))
		return ct_fail(err, CT_INTERNAL, NULL, "no name of a report");
	*fits = f.bytes <= most;
	if (!*fits)
		return CT_OK;
	path = ct_arena_printf(job->a, "%s/reports/%.*s", job->conf->files_dir,
	    CT_STR_FMT(f.blob));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cannot(err, path);
	rc = read_all(job, fd, path, most, &out->body, err);
	close(fd);
	name_it(job, &f, out);
	return rc;
}
