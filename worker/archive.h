/*
 * The door to libarchive: zip archives, written as a stream and read member by
 * member. Nothing of an archive is ever put on disk under a name that it says.
 *
 * What is read came from a stranger. Refused are (CT_MALFORMED, CT_TOOBIG; the
 * sentence names the member): what is no zip archive, damaged data, encrypted
 * members, other methods than deflate and store, names that lead out of the
 * archive, two members of one name, more members or more bytes than the bounds
 * below.
 */
#ifndef CT_WORKER_ARCHIVE_H
#define CT_WORKER_ARCHIVE_H

#include "common/err.h"
#include "common/str.h"

/* ------------------------------------------------------------ writing */

struct ct_zip;

/*
 * Members get time_us as their time, so that the same contents give the same
 * bytes. Memory does not grow with them. Freed with a; fd stays open. Failures
 * are CT_RETRY, code "storage".
 */
enum ct_rc ct_zip_begin(struct ct_arena *a, int fd, int64_t time_us,
    struct ct_zip **out, struct ct_err *err) CT_MUSTCHECK;
/* The next member, which ends the one before. */
enum ct_rc ct_zip_member(
    struct ct_zip *z, const char *name, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_zip_put(
    struct ct_zip *z, struct ct_str bytes, struct ct_err *err) CT_MUSTCHECK;
/* *bytes: what the archive has in all. */
enum ct_rc ct_zip_end(
    struct ct_zip *z, int64_t *bytes, struct ct_err *err) CT_MUSTCHECK;

/* ------------------------------------------------------------ reading */

#define CT_UNZIP_MEMBERS 4096
#define CT_UNZIP_NAME	 200		      /* bytes of a name */
#define CT_UNZIP_BYTES	 (INT64_C(512) << 20) /* of all that is read */
#define CT_UNZIP_RATIO	 200 /* that to the archive's size, past 1 MiB */

struct ct_unzip {
	int fd;
	int64_t file_bytes;
	int64_t read_bytes; /* unpacked so far, over all members */
};

/* fd: of a file, to be read from its beginning; stays the caller's. */
enum ct_rc ct_unzip_open(
    struct ct_unzip *z, int fd, struct ct_err *err) CT_MUSTCHECK;
/*
 * fn for each member that is a file, in the order of the archive, until it
 * fails. The whole list is judged before its first call.
 */
enum ct_rc ct_unzip_list(struct ct_unzip *z, struct ct_arena *a,
    enum ct_rc (*fn)(void *arg, const char *name, struct ct_err *err),
    void *arg, struct ct_err *err) CT_MUSTCHECK;
/*
 * fn for each piece of the member's bytes, until it fails. Its checksum is
 * judged after the last one. CT_NOTFOUND: there is no such member.
 */
enum ct_rc ct_unzip_read(struct ct_unzip *z, const char *name,
    enum ct_rc (*fn)(void *arg, struct ct_str bytes, struct ct_err *err),
    void *arg, struct ct_err *err) CT_MUSTCHECK;

/* May a member be called that? NULL: yes; else why not, "leads out of it". */
const char *ct_unzip_name_fault(struct ct_str name);

#endif
