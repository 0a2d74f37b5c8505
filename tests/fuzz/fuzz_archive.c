/*
 * Any bytes as an archive that was sent in: it is listed and its files are read
 * as an import does, up to the database. What is read stays within its bounds.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crypto.h"
#include "worker/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct walk {
	struct ct_unzip zip;
	struct ct_arena *a;
	const struct ct_archive_nouns *nouns;
	struct ct_rows rows;
};

static enum ct_rc
take_row(void *arg, struct ct_str text, int64_t line, struct ct_err *err)
{
	static const struct ct_uuid cat = {{1}};
	struct walk *w = arg;
	struct ct_archive_row row;

	(void)err;
	if (line < 1 || text.n > CT_ROW_BYTES)
		abort();
	for (size_t i = 0; i < w->nouns->n_cat; i++) {
		struct ct_mark m = ct_arena_mark(w->a);
		struct ct_err why;

		ct_err_clear(&why);
		if (w->nouns->of_cat[i].is_read &&
		    ct_import_bind(&w->nouns->of_cat[i], &cat, text, w->a, &row,
			&why) != CT_OK &&
		    why.msg[0] == '\0')
			abort();
		ct_arena_rewind(w->a, m);
	}
	return CT_OK;
}

static enum ct_rc
take_bytes(void *arg, struct ct_str bytes, struct ct_err *err)
{
	struct walk *w = arg;

	return ct_rows_feed(&w->rows, bytes, err);
}

static enum ct_rc
take_name(void *arg, const char *name, struct ct_err *err)
{
	struct walk *w = arg;
	struct ct_err why;

	(void)err;
	if (ct_unzip_name_fault(ct_str_of(name)))
		abort();
	ct_err_clear(&why);
	ct_rows_init(&w->rows, w->a, take_row, w);
	(void)!ct_unzip_read(&w->zip, name, take_bytes, w, &why);
	if (w->zip.read_bytes > CT_UNZIP_BYTES + (1 << 20))
		abort();
	return CT_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)256 << 20);
	struct ct_importing *in = ct_arena_alloc(a, sizeof(*in));
	struct walk w = {.a = a};
	struct ct_err err;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	ct_crypto_init();
	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	ct_err_clear(&err);
	w.nouns = ct_archive_nouns(a);
	if (ct_unzip_open(&w.zip, fd, &err) == CT_OK)
		(void)!ct_unzip_list(&w.zip, a, take_name, &w, &err);
	ct_err_clear(&err);
	in->nouns = w.nouns;
	in->batch = ct_arena_create((size_t)16 << 20);
	if (ct_unzip_open(&in->zip, fd, &err) == CT_OK)
		(void)!ct_import_layout(in, &err);
	ct_arena_destroy(in->batch);
	close(fd);
	ct_arena_destroy(a);
	return 0;
}
