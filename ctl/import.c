/*
 * catetubectl import: an archive into an account, as its owner would send it
 * in. A worker does the work; this waits for it and tells what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/newfile.h"
#include "ctl/ctl.h"
#include "db/account.h"
#include "db/import.h"

#define USAGE	    "import takes: FILE --account MAIL [--preview]"
#define PIECE	    ((size_t)64 << 10)
#define LOOK_MS	    200
#define WAIT_MS	    (INT64_C(3600) * 1000)
#define DEPTH_MAX   8
#define COUNT_WORDS 4

static const char *const words[COUNT_WORDS] = {
    "new", "same", "conflicting", "refused"};

struct args {
	const char *file, *account;
	bool preview;
};

static bool
read_args(int argc, char **argv, struct args *out)
{
	*out = (struct args){0};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--account") == 0 && i + 1 < argc)
			out->account = argv[++i];
		else if (strcmp(argv[i], "--preview") == 0)
			out->preview = true;
		else if (argv[i][0] != '-' && !out->file)
			out->file = argv[i];
		else
			return false;
	}
	return out->file && out->account;
}

/* ------------------------------------------------------------ the file */

/* Root writes for the user that the service runs as: that of the directory. */
static void
give_away(const struct ct_newfile *f, const char *files_dir)
{
	struct stat top;

	if (geteuid() != 0 || stat(files_dir, &top) != 0)
		return;
	if (fchown(f->dir_fd, top.st_uid, top.st_gid) != 0 ||
	    fchown(f->fd, top.st_uid, top.st_gid) != 0)
		fprintf(stderr,
		    "catetubectl: %s: the worker may not be able "
		    "to read the file: %s\n",
		    files_dir, strerror(errno));
}

static enum ct_rc
copy_bytes(struct ctl *c, int from, struct ct_newfile *f, int64_t *bytes,
    struct ct_err *err)
{
	char *piece = ct_arena_raw(c->arena, PIECE);
	ssize_t n;

	for (*bytes = 0; (n = read(from, piece, PIECE)) > 0; *bytes += n) {
		if (ct_newfile_write(f, piece, (size_t)n, err) != CT_OK)
			return err->rc;
	}
	if (n < 0)
		return ct_storage_fault(err, "read", errno);
	if (*bytes == 0)
		return ct_fail(err, CT_INVALID, NULL, "the file is empty");
	give_away(f, c->conf.files_dir);
	return ct_newfile_keep(f, err);
}

static enum ct_rc
copy_file(struct ctl *c, const char *path, const char *name, int64_t *bytes,
    struct ct_err *err)
{
	struct ct_newfile *f = ct_arena_alloc(c->arena, sizeof(*f));
	int from = open(path, O_RDONLY | O_CLOEXEC);
	enum ct_rc rc;

	if (from < 0) {
		ct_fail(err, CT_INVALID, NULL, "%s cannot be read", path);
		return ct_err_detail(err, "%s", strerror(errno));
	}
	rc = ct_newfile_open(f, c->arena,
	    ct_arena_printf(c->arena, "%s/" CT_IMPORT_DIR, c->conf.files_dir),
	    name, err);
	if (rc == CT_OK)
		rc = copy_bytes(c, from, f, bytes, err);
	close(from);
	return rc;
}

/* ------------------------------------------------------------ the job */

/* Until the worker is done with it. */
static enum ct_rc
await(struct ctl *c, const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_import *out, struct ct_err *err)
{
	const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000L};
	int64_t until_ms = ct_mono_ms() + WAIT_MS;
	struct ct_mark m = ct_arena_mark(c->arena);

	for (;;) {
		ct_arena_rewind(c->arena, m);
		if (ct_import_get(c->pg, c->arena, account, id, out, err) !=
		    CT_OK)
			return err->rc;
		if (ct_str_is(out->state, "failed"))
			return ct_fail(err, CT_INVALID, NULL, "%.*s",
			    CT_STR_FMT(out->error));
		if (ct_str_is(out->state, "done"))
			return CT_OK;
		if (ct_mono_ms() > until_ms)
			return ct_fail(err, CT_RETRY, NULL,
			    "no worker was done with it in an hour");
		nanosleep(&nap, NULL);
	}
}

static enum ct_rc
have_it_done(struct ctl *c, const struct args *args, const struct ct_import *in,
    struct ct_import *out, struct ct_err *err)
{
	struct ct_uuid job = ct_uuid_new();
	bool begun;

	if (ct_import_add(c->pg, c->arena, in, err) != CT_OK ||
	    await(c, &in->account_id, &in->id, out, err) != CT_OK)
		return err->rc;
	if (args->preview)
		return CT_OK;
	if (ct_import_run(c->pg, c->arena, &in->account_id, &in->id, &job,
		&begun, err) != CT_OK)
		return err->rc;
	return await(c, &in->account_id, &in->id, out, err);
}

/* ------------------------------------------------------------ telling */

static void
tell_counts(const char *name, const struct ct_json *counts)
{
	int64_t n[COUNT_WORDS] = {0}, all = 0;

	for (int i = 0; i < COUNT_WORDS; i++) {
		if (!ct_json_i64(
			ct_json_get(counts, words[i]), 0, INT64_MAX, &n[i]))
			n[i] = 0;
		all += n[i];
	}
	if (all > 0)
		printf("  %-12s %8lld new %8lld same %8lld conflicting %8lld "
		       "refused\n",
		    name, (long long)n[0], (long long)n[1], (long long)n[2],
		    (long long)n[3]);
}

static void
tell_cat(const struct ct_json *cat)
{
	const struct ct_json *counts = ct_json_get(cat, "counts");

	printf("%.*s  %.*s%s\n",
	    CT_STR_FMT(ct_json_str(ct_json_get(cat, "directory"))),
	    CT_STR_FMT(ct_json_str(ct_json_get(cat, "name"))),
	    ct_json_bool(ct_json_get(cat, "is_new")) ? " (a new cat)" : "");
	for (const struct ct_json *v = ct_json_first(counts); v;
	     v = ct_json_next(v))
		tell_counts(ct_json_key(v), v);
}

static void
tell_problem(const struct ct_json *p)
{
	struct ct_str field = ct_json_str(ct_json_get(p, "field"));
	int64_t line;

	printf("%.*s: %.*s", CT_STR_FMT(ct_json_str(ct_json_get(p, "what"))),
	    CT_STR_FMT(ct_json_str(ct_json_get(p, "file"))));
	if (ct_json_i64(ct_json_get(p, "line"), 1, INT64_MAX, &line))
		printf(":%lld", (long long)line);
	printf(": %.*s%s%.*s\n", CT_STR_FMT(field), field.n ? " " : "",
	    CT_STR_FMT(ct_json_str(ct_json_get(p, "reason"))));
}

static int
tell(struct ctl *c, const struct ct_import *i)
{
	const struct ct_json *s = NULL, *v;
	int64_t refused = 0;
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_json_parse(c->arena, i->summary, DEPTH_MAX, &s, &err) != CT_OK)
		return ctl_fail(&err);
	(void)!ct_json_i64(ct_json_get(ct_json_get(s, "total"), "refused"), 0,
	    INT64_MAX, &refused);
	if (c->json) {
		printf("%.*s\n", CT_STR_FMT(i->summary));
		return refused > 0 ? CTL_FAILED : 0;
	}
	for (v = ct_json_first(ct_json_get(s, "cats")); v; v = ct_json_next(v))
		tell_cat(v);
	for (v = ct_json_first(ct_json_get(s, "problems")); v;
	     v = ct_json_next(v))
		tell_problem(v);
	puts(i->is_run ? "Imported; of a cat with something refused, nothing."
		       : "A preview: nothing was written.");
	return refused > 0 ? CTL_FAILED : 0;
}

int
ctl_import(struct ctl *c, int argc, char **argv)
{
	struct ct_import in = {.id = ct_uuid_new(), .job_id = ct_uuid_new()};
	struct ct_import out;
	struct ct_err err, ignored;
	struct ct_login who;
	struct args args;
	char id[CT_UUID_TEXT];
	int status;

	if (!read_args(argc, argv, &args))
		return ctl_usage(USAGE);
	ct_err_clear(&err);
	if (ct_login_begin(
		c->pg, c->arena, ct_str_of(args.account), &who, &err) != CT_OK)
		return ctl_fail(&err);
	if (ct_uuid_nil(&who.id)) {
		ct_fail(
		    &err, CT_NOTFOUND, NULL, "%s has no account", args.account);
		return ctl_fail(&err);
	}
	in.account_id = who.id;
	in.blob = ct_str_of(
	    ct_arena_printf(c->arena, "%s.zip", ct_uuid_format(&in.id, id)));
	if (copy_file(c, args.file, in.blob.p, &in.byte_count, &err) != CT_OK)
		return ctl_fail(&err);
	status = have_it_done(c, &args, &in, &out, &err) == CT_OK
		     ? tell(c, &out)
		     : ctl_fail(&err);
	ct_err_clear(&ignored);
	(void)!ct_import_remove(
	    c->pg, c->arena, &in.account_id, &in.id, &ignored);
	return status;
}
