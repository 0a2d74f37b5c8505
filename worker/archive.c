/* The door to libarchive; see archive.h. */
#include "worker/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/newfile.h"

#define BLOCK	  ((size_t)64 << 10)
#define PIECE	  ((size_t)16 << 10)
#define RATIO_OFF (INT64_C(1) << 20)

/* ------------------------------------------------------------ writing */

struct ct_zip {
	struct archive *out;
	struct archive_entry *entry;
	int64_t time_us;
};

static void
free_zip(void *data)
{
	struct ct_zip *z = data;

	archive_entry_free(z->entry);
	archive_write_free(z->out);
}

static enum ct_rc
write_fault(struct ct_zip *z, struct ct_err *err)
{
	int e = archive_errno(z->out);
	const char *text = archive_error_string(z->out);

	ct_storage_fault(err, "zip", e > 0 ? e : EIO);
	return ct_err_detail(err, "zip: %s", text ? text : strerror(EIO));
}

enum ct_rc
ct_zip_begin(struct ct_arena *a, int fd, int64_t time_us, struct ct_zip **out,
    struct ct_err *err)
{
	struct ct_zip *z = ct_arena_alloc(a, sizeof(*z));

	z->out = archive_write_new();
	z->entry = archive_entry_new();
	z->time_us = time_us;
	if (!z->out || !z->entry)
		ct_bug("out of memory");
	ct_arena_defer(a, free_zip, z);
	/* Sizes are not known before the end of a member. Without zip64 every
	 * reader understands that; nothing here comes near 4 GiB. */
	if (archive_write_set_format_zip(z->out) != ARCHIVE_OK ||
	    archive_write_set_format_option(
		z->out, "zip", "compression", "deflate") != ARCHIVE_OK ||
	    archive_write_set_format_option(z->out, "zip", "zip64", NULL) !=
		ARCHIVE_OK ||
	    archive_write_open_fd(z->out, fd) != ARCHIVE_OK)
		return write_fault(z, err);
	*out = z;
	return CT_OK;
}

enum ct_rc
ct_zip_member(struct ct_zip *z, const char *name, struct ct_err *err)
{
	archive_entry_clear(z->entry);
	archive_entry_set_pathname(z->entry, name);
	archive_entry_set_filetype(z->entry, AE_IFREG);
	archive_entry_set_perm(z->entry, 0644);
	archive_entry_set_mtime(z->entry, (time_t)(z->time_us / 1000000), 0);
	if (archive_write_header(z->out, z->entry) != ARCHIVE_OK)
		return write_fault(z, err);
	return CT_OK;
}

enum ct_rc
ct_zip_put(struct ct_zip *z, struct ct_str bytes, struct ct_err *err)
{
	while (bytes.n > 0) {
		la_ssize_t n = archive_write_data(z->out, bytes.p, bytes.n);

		if (n <= 0)
			return write_fault(z, err);
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return CT_OK;
}

enum ct_rc
ct_zip_end(struct ct_zip *z, int64_t *bytes, struct ct_err *err)
{
	if (archive_write_close(z->out) != ARCHIVE_OK)
		return write_fault(z, err);
	*bytes = archive_filter_bytes(z->out, -1);
	return CT_OK;
}

/* ------------------------------------------------------------ reading */

static bool
has_part(struct ct_str name, const char *part)
{
	while (name.p) {
		if (ct_str_is(ct_str_split(&name, '/'), part))
			return true;
	}
	return false;
}

const char *
ct_unzip_name_fault(struct ct_str name)
{
	if (name.n == 0)
		return "is empty";
	if (name.n > CT_UNZIP_NAME)
		return "is too long";
	if (!ct_utf8_ok(name))
		return "is no UTF-8";
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return "has control characters";
		if (name.p[i] == '\\')
			return "has a backslash";
	}
	if (name.p[0] == '/' || has_part(name, "..") ||
	    (name.n > 1 && name.p[1] == ':'))
		return "leads out of the archive";
	return NULL;
}

/* What may be shown of a name: one that is no text is not. */
static struct ct_str
shown(const char *name)
{
	struct ct_str s = ct_str_of(name);

	if (s.n > 80)
		s.n = 80;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return CT_STR("a member");
	}
	return s;
}

static enum ct_rc
read_fault(struct archive *in, const char *name, struct ct_err *err)
{
	const char *text = archive_error_string(in);

	if (archive_errno(in) == ENOMEM)
		ct_fail(err, CT_TOOBIG, "archive",
		    "Reading the archive takes too much memory.");
	else if (name)
		ct_fail(err, CT_MALFORMED, "archive", "%.*s is damaged.",
		    CT_STR_FMT(shown(name)));
	else
		ct_fail(err, CT_MALFORMED, "archive",
		    "This is no zip archive, or it is damaged.");
	return ct_err_detail(err, "%s", text ? text : "");
}

/*
 * libarchive keeps something for each entry of the directory at the end, for as
 * many as are there: they are counted, by their signature, before it looks.
 */
static enum ct_rc
count_entries(struct ct_unzip *z, struct ct_err *err)
{
	static const char sign[] = {'P', 'K', 1, 2};
	char block[PIECE + sizeof(sign)];
	size_t kept = 0, seen = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(z->fd, block + kept, PIECE, at)) > 0) {
		const char *p = block, *end = block + kept + n;

		at += n;
		while ((p = memmem(p, (size_t)(end - p), sign, sizeof(sign)))) {
			seen++;
			p += sizeof(sign);
		}
		kept = (size_t)(end - block) < 3 ? (size_t)(end - block) : 3;
		memmove(block, end - kept, kept);
	}
	if (n < 0)
		return ct_storage_fault(err, "archive", errno);
	if (seen > CT_UNZIP_MEMBERS)
		return ct_fail(err, CT_TOOBIG, "archive",
		    "The archive has more than %d members.", CT_UNZIP_MEMBERS);
	return CT_OK;
}

enum ct_rc
ct_unzip_open(struct ct_unzip *z, int fd, struct ct_err *err)
{
	struct stat st;

	*z = (struct ct_unzip){.fd = fd};
	if (fstat(fd, &st) != 0)
		return ct_storage_fault(err, "archive", errno);
	z->file_bytes = st.st_size;
	return count_entries(z, err);
}

/* Ready for its first header; NULL with err set. */
static struct archive *
open_archive(const struct ct_unzip *z, struct ct_err *err)
{
	struct archive *in = archive_read_new();

	if (!in)
		ct_bug("out of memory");
	/* By the directory at the end: without it an archive is not whole. */
	if (lseek(z->fd, 0, SEEK_SET) == 0 &&
	    archive_read_support_format_zip_seekable(in) == ARCHIVE_OK &&
	    archive_read_open_fd(in, z->fd, BLOCK) == ARCHIVE_OK)
		return in;
	(void)!read_fault(in, NULL, err);
	archive_read_free(in);
	return NULL;
}

/* The next member's name; NULL with err set, or without one at the end. */
static const char *
next_member(struct archive *in, struct archive_entry **e, struct ct_err *err)
{
	int rc = archive_read_next_header(in, e);
	const char *name;

	if (rc == ARCHIVE_EOF)
		return NULL;
	/* A warning: the name is none in this locale; it is judged as bytes. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
		(void)!read_fault(in, NULL, err);
		return NULL;
	}
	name = archive_entry_pathname(*e);
	if (!name)
		name = archive_entry_pathname_utf8(*e);
	if (!name)
		(void)!ct_fail(err, CT_MALFORMED, "archive",
		    "The name of a member is no UTF-8.");
	return name;
}

static bool
is_method_ok(struct archive *in)
{
	const char *f = archive_format_name(in);

	return f && (strstr(f, "(deflation)") || strstr(f, "(uncompressed)"));
}

static enum ct_rc
check_member(struct archive *in, struct archive_entry *e, const char *name,
    struct ct_err *err)
{
	const char *why = ct_unzip_name_fault(ct_str_of(name));
	mode_t type = archive_entry_filetype(e);

	if (why)
		return ct_fail(err, CT_MALFORMED, "archive",
		    "The name of a member %s: %.*s", why,
		    CT_STR_FMT(shown(name)));
	if (archive_entry_is_encrypted(e))
		return ct_fail(err, CT_MALFORMED, "archive",
		    "%.*s is encrypted; send the archive without a password.",
		    CT_STR_FMT(shown(name)));
	if (type != AE_IFREG && type != AE_IFDIR)
		return ct_fail(err, CT_MALFORMED, "archive",
		    "%.*s is neither a file nor a directory.",
		    CT_STR_FMT(shown(name)));
	if (type == AE_IFREG && !is_method_ok(in))
		return ct_fail(err, CT_MALFORMED, "archive",
		    "%.*s is packed in another way than deflate.",
		    CT_STR_FMT(shown(name)));
	return CT_OK;
}

struct names {
	struct ct_arena *a;
	const char **list;
	size_t n;
};

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum ct_rc
check_twice(const struct names *all, struct ct_err *err)
{
	const char **sorted =
	    ct_arena_alloc(all->a, (all->n + 1) * sizeof(*sorted));

	if (all->n == 0)
		return CT_OK;
	memcpy(sorted, all->list, all->n * sizeof(*sorted));
	qsort(sorted, all->n, sizeof(*sorted), by_bytes);
	for (size_t i = 1; i < all->n; i++) {
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			return ct_fail(err, CT_MALFORMED, "archive",
			    "%.*s is there twice.",
			    CT_STR_FMT(shown(sorted[i])));
	}
	return CT_OK;
}

static enum ct_rc
list_names(struct archive *in, struct names *all, struct ct_err *err)
{
	struct archive_entry *e;
	const char *name;

	while ((name = next_member(in, &e, err))) {
		if (all->n == CT_UNZIP_MEMBERS)
			return ct_fail(err, CT_TOOBIG, "archive",
			    "The archive has more than %d members.",
			    CT_UNZIP_MEMBERS);
		if (check_member(in, e, name, err) != CT_OK)
			return err->rc;
		if (archive_entry_filetype(e) == AE_IFREG)
			all->list[all->n++] =
			    ct_arena_dup(all->a, name, strlen(name));
	}
	return err->rc;
}

enum ct_rc
ct_unzip_list(struct ct_unzip *z, struct ct_arena *a,
    enum ct_rc (*fn)(void *arg, const char *name, struct ct_err *err),
    void *arg, struct ct_err *err)
{
	struct names all = {.a = a};
	struct archive *in = open_archive(z, err);
	enum ct_rc rc;

	if (!in)
		return err->rc;
	all.list = ct_arena_alloc(a, CT_UNZIP_MEMBERS * sizeof(*all.list));
	rc = list_names(in, &all, err);
	archive_read_free(in);
	if (rc == CT_OK)
		rc = check_twice(&all, err);
	for (size_t i = 0; rc == CT_OK && i < all.n; i++)
		rc = fn(arg, all.list[i], err);
	return rc;
}

/* More was unpacked: is it too much for what was packed? */
static enum ct_rc
count_bytes(struct ct_unzip *z, size_t n, const char *name, struct ct_err *err)
{
	z->read_bytes += (int64_t)n;
	if (z->read_bytes <= CT_UNZIP_BYTES &&
	    z->read_bytes <= RATIO_OFF + CT_UNZIP_RATIO * z->file_bytes)
		return CT_OK;
	return ct_fail(err, CT_TOOBIG, "archive",
	    "%.*s unpacks to more than is allowed (%d MiB in all, %d times "
	    "the archive).",
	    CT_STR_FMT(shown(name)), (int)(CT_UNZIP_BYTES >> 20),
	    CT_UNZIP_RATIO);
}

static enum ct_rc
read_bytes(struct ct_unzip *z, struct archive *in, const char *name,
    enum ct_rc (*fn)(void *arg, struct ct_str bytes, struct ct_err *err),
    void *arg, struct ct_err *err)
{
	const void *p;
	la_int64_t at;
	size_t n;
	int rc;

	while ((rc = archive_read_data_block(in, &p, &n, &at)) == ARCHIVE_OK) {
		if (count_bytes(z, n, name, err) != CT_OK ||
		    fn(arg, (struct ct_str){p, n}, err) != CT_OK)
			return err->rc;
	}
	return rc == ARCHIVE_EOF ? CT_OK : read_fault(in, name, err);
}

enum ct_rc
ct_unzip_read(struct ct_unzip *z, const char *name,
    enum ct_rc (*fn)(void *arg, struct ct_str bytes, struct ct_err *err),
    void *arg, struct ct_err *err)
{
	struct archive *in = open_archive(z, err);
	struct archive_entry *e;
	const char *one;
	enum ct_rc rc;

	if (!in)
		return err->rc;
	while ((one = next_member(in, &e, err)) && strcmp(one, name) != 0)
		;
	if (one)
		rc = read_bytes(z, in, name, fn, arg, err);
	else
		rc = err->rc != CT_OK ? err->rc
				      : ct_fail(err, CT_NOTFOUND, "archive",
					    "%s is missing.", name);
	archive_read_free(in);
	return rc;
}
