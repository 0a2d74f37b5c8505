/*
 * report.generate: rows from a cursor into a file. Safe to repeat: the file is
 * complete or absent, and is announced in the statement that records the run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/job.h"
#include "worker/sink.h"

#define BATCH_ROWS  1000
#define BATCH_ARENA ((size_t)64 << 20)
#define SLOW_MS	    120000 /* an ordered read of everything begins late */

struct build {
	struct ct_job *job;
	struct ct_report r;
	struct ct_pg *side; /* progress, beside the transaction of the rows */
	struct ct_arena *batch;
	struct ct_sink sink;
	struct ct_report entries; /* r, from where its entries begin */
	const struct ct_report_section *section[CT_REPORT_SECTIONS];
	int sections;
	int64_t rows_done;
	int64_t row_count;
	int dir_fd;
	char name[64]; /* in the directory of reports */
	char tmp[96];
	bool nameless; /* the file has no name yet */
};

static void
close_pg(void *pg)
{
	ct_pg_close(pg);
}

static void
close_arena(void *a)
{
	ct_arena_destroy(a);
}

/* What is open is closed; a file that was not finished goes. */
static void
clean(void *data)
{
	struct build *b = data;

	if (b->sink.fd >= 0)
		close(b->sink.fd);
	if (b->dir_fd >= 0 && b->tmp[0] != '\0')
		unlinkat(b->dir_fd, b->tmp, 0);
	if (b->dir_fd >= 0)
		close(b->dir_fd);
}

static enum ct_rc
open_file(struct build *b, struct ct_err *err)
{
	const struct ct_sink_format *format = ct_sink_find(b->r.format);
	char id[CT_UUID_TEXT];
	const char *dir =
	    ct_arena_printf(b->job->a, "%s/reports", b->job->conf->files_dir);
	int fd;

	if (format == NULL)
		return ct_fail(err, CT_INVALID, NULL, "unknown format");
	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return ct_sink_disk(err, dir, errno);
	b->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir_fd < 0)
		return ct_sink_disk(err, dir, errno);
	ct_uuid_format(&b->r.id, id);
	snprintf(b->name, sizeof(b->name), "%s.%s", id, format->name);
	snprintf(b->tmp, sizeof(b->tmp), "%s.tmp-%d", b->name, (int)getpid());
	/* Without a name until it is complete: a killed child leaves nothing.
	 * Not every file system can do that. */
	fd = openat(b->dir_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
	b->nameless = fd >= 0;
	if (fd < 0)
		fd = openat(b->dir_fd, b->tmp,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return ct_sink_disk(err, b->tmp, errno);
	ct_sink_init(&b->sink, format, fd, dir, b->job->a);
	return CT_OK;
}

static const struct ct_report *
asked(const struct build *b, const struct ct_report_section *sec)
{
	return sec->part == CT_PART_ENTRIES ? &b->entries : &b->r;
}

/* Where only so many entries fit, those before the newest are left out. */
static enum ct_rc
cut(struct build *b, struct ct_err *err)
{
	int64_t most = b->sink.format->most;

	b->entries = b->r;
	if (most == 0)
		return CT_OK;
	if (ct_report_cut(b->job->pg, b->job->a, &b->r, b->section, b->sections,
		most, &b->sink.cut_day, &b->sink.cut_rows, err) != CT_OK)
		return err->rc;
	if (b->sink.cut_rows > 0)
		b->entries.from_day = b->sink.cut_day;
	return CT_OK;
}

static enum ct_rc
count_rows(struct build *b, struct ct_err *err)
{
	const struct ct_report_section *sec;
	const struct ct_res *res;
	struct ct_params p;

	b->row_count = 0;
	for (int i = 0; i < b->sections; i++) {
		sec = b->section[i];
		if (sec->count == NULL)
			continue;
		ct_report_params(
		    &p, b->job->a, sec->count, asked(b, sec), false);
		if (ct_pg_run(b->job->pg, sec->count, &p, b->job->a, &res,
			err) != CT_OK)
			return err->rc;
		b->row_count += ct_res_i64(res, 0, 0);
	}
	b->sink.row_count = b->row_count;
	return CT_OK;
}

static enum ct_rc
note_progress(struct build *b, struct ct_err *err)
{
	enum ct_rc rc;

	if (ct_job_stopping())
		return ct_fail(
		    err, CT_RETRY, "stopped", "stopped by the worker");
	if (!ct_job_progress(b->job, b->rows_done, b->row_count))
		return CT_OK;
	rc = ct_report_progress(
	    b->side, b->batch, &b->r.id, b->rows_done, b->row_count, err);
	/* It is news, not the work. */
	return rc == CT_RETRY ? CT_OK : rc;
}

static enum ct_rc
sink_error(const struct build *b, struct ct_err *err)
{
	*err = b->sink.err;
	return err->rc;
}

static enum ct_rc
write_section(
    struct build *b, const struct ct_report_section *sec, struct ct_err *err)
{
	void *obj = ct_arena_alloc(b->job->a, sec->columns->size);
	const struct ct_res *res;
	struct ct_cursor *cursor;
	struct ct_params p;
	enum ct_rc rc;
	int i, n;

	ct_report_params(
	    &p, b->job->a, sec->rows, asked(b, sec), b->sink.format->local);
	rc = ct_cursor_open(
	    b->job->pg, sec->rows, &p, BATCH_ROWS, b->job->a, &cursor, err);
	while (rc == CT_OK) {
		ct_arena_reset(b->batch);
		rc = ct_cursor_next(cursor, b->batch, &res, err);
		if (rc != CT_OK)
			break;
		n = ct_res_rows(res);
		if (n == 0)
			return CT_OK;
		for (i = 0; i < n; i++) {
			ct_res_get(res, i, sec->columns, obj);
			b->sink.format->row(&b->sink, obj);
		}
		b->rows_done += sec->count == NULL ? 0 : n;
		if (ct_sink_failed(&b->sink))
			return sink_error(b, err);
		rc = note_progress(b, err);
	}
	return rc;
}

static enum ct_rc
write_rows(struct build *b, struct ct_err *err)
{
	const struct ct_sink_format *f = b->sink.format;
	struct ct_report_head head;
	enum ct_rc rc;
	int i;

	if (ct_report_head(b->job->pg, b->job->a, &b->r, &head, err) != CT_OK)
		return err->rc;
	f->open(&b->sink, &b->r, &head);
	for (i = 0; i < b->sections && !ct_sink_failed(&b->sink); i++) {
		f->begin(&b->sink, b->section[i], i, b->sections);
		rc = write_section(b, b->section[i], err);
		if (rc != CT_OK)
			return rc;
		f->end(&b->sink);
	}
	if (!ct_sink_failed(&b->sink))
		f->close(&b->sink);
	ct_sink_flush(&b->sink, true);
	return ct_sink_failed(&b->sink) ? sink_error(b, err) : CT_OK;
}

static bool
give_name(const struct build *b)
{
	char self[40];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", b->sink.fd);
	return !b->nameless || linkat(AT_FDCWD, self, b->dir_fd, b->tmp,
				   AT_SYMLINK_FOLLOW) == 0;
}

/* On disk under its name, whatever happens to the machine. */
static enum ct_rc
keep_file(struct build *b, struct ct_err *err)
{
	if (fsync(b->sink.fd) != 0 || !give_name(b) ||
	    renameat(b->dir_fd, b->tmp, b->dir_fd, b->name) != 0)
		return ct_sink_disk(err, b->tmp, errno);
	b->tmp[0] = '\0';
	return fsync(b->dir_fd) == 0 ? CT_OK
				     : ct_sink_disk(err, "reports", errno);
}

static enum ct_rc
finish(struct build *b, struct ct_err *err)
{
	struct ct_job *job = b->job;
	enum ct_rc rc;

	rc = ct_report_finish(job->pg, job->a, &b->r.id, &job->id, job->attempt,
	    ct_str_of(b->name), b->rows_done, b->sink.bytes,
	    job->conf->report_ttl_h * 3600, err);
	if (rc == CT_NOTFOUND)
		unlinkat(b->dir_fd, b->name, 0);
	return rc;
}

static enum ct_rc
build(struct build *b, struct ct_err *err)
{
	struct ct_job *job = b->job;
	enum ct_rc rc;

	b->sections = ct_report_sections(b->r.kind, b->r.format, b->section);
	if (b->sections <= 0)
		return ct_fail(err, CT_INVALID, NULL, "unknown report type");
	b->batch = ct_arena_create(BATCH_ARENA);
	ct_arena_defer(job->a, close_arena, b->batch);
	b->side = ct_pg_open(job->conf->database_url, "catetube-worker",
	    ct_int((size_t)job->conf->pg_timeout_ms));
	ct_arena_defer(job->a, close_pg, b->side);
	ct_arena_defer(job->a, clean, b);
	rc = open_file(b, err);
	if (rc != CT_OK)
		return rc;
	ct_pg_timeout(job->pg, SLOW_MS);
	rc = ct_pg_begin(job->pg, job->a, true, err);
	if (rc == CT_OK)
		rc = cut(b, err);
	if (rc == CT_OK)
		rc = count_rows(b, err);
	if (rc == CT_OK)
		rc = write_rows(b, err);
	if (rc == CT_OK)
		rc = ct_pg_commit(job->pg, err);
	ct_pg_timeout(job->pg, ct_int((size_t)job->conf->pg_timeout_ms));
	if (rc == CT_OK)
		rc = keep_file(b, err);
	return rc == CT_OK ? finish(b, err) : rc;
}

static struct ct_str
result(
    struct ct_job *job, const struct ct_uuid *id, int64_t rows, int64_t bytes)
{
	struct ct_buf out;
	struct ct_jw w;

	ct_buf_init(&out, job->a, 128);
	ct_jw_init(&w, &out);
	ct_jw_obj(&w);
	ct_jw_key(&w, "report_id");
	ct_jw_uuid(&w, id);
	ct_jw_key(&w, "rows");
	ct_jw_i64(&w, rows);
	ct_jw_key(&w, "bytes");
	ct_jw_i64(&w, bytes);
	ct_jw_end(&w);
	return ct_buf_str(&out);
}

enum ct_rc
ct_report_generate(struct ct_job *job, struct ct_err *err)
{
	struct build b = {.job = job, .sink.fd = -1, .dir_fd = -1};
	struct build *kept = ct_arena_alloc(job->a, sizeof(*kept));
	struct ct_err ignored;
	struct ct_uuid id;
	enum ct_rc rc;

	if (!ct_uuid_parse(ct_json_str(ct_job_arg(job, "report_id", 0)), &id))
		return ct_fail(
		    err, CT_INVALID, NULL, "report_id must be a UUID");
	*kept = b;
	rc = ct_report_start(job->pg, job->a, &id, &kept->r, err);
	if (rc != CT_OK)
		return rc;
	if (ct_str_is(kept->r.state, "ready")) {
		job->result =
		    result(job, &id, kept->r.rows_done, kept->r.byte_count);
		return CT_OK;
	}
	if (ct_uuid_nil(&job->id))
		job->id = id;
	rc = build(kept, err);
	if (rc == CT_OK) {
		job->result =
		    result(job, &id, kept->rows_done, kept->sink.bytes);
		return CT_OK;
	}
	ct_pg_rollback(job->pg);
	ct_err_clear(&ignored);
	if (rc != CT_NOTFOUND && ct_job_is_last(job, rc) &&
	    ct_report_fail(
		job->pg, job->a, &id, ct_str_of(err->msg), &ignored) != CT_OK)
		ct_log(
		    CT_WARN, "report", "failure not recorded: %s", ignored.msg);
	return rc;
}
