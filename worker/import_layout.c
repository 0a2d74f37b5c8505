/* Which files an archive has; see import.h. */
#include <stdio.h>
#include <string.h>

#include "worker/export.h"
#include "worker/import.h"

#define MANIFEST       "manifest.json"
#define MANIFEST_BYTES ((size_t)1 << 20)
#define MANIFEST_DEPTH 4

int
ct_import_noun(const struct ct_archive_noun *list, size_t n, struct ct_str name)
{
	for (size_t i = 0; i < n; i++) {
		if (ct_str_is(name, list[i].name))
			return (int)i;
	}
	return -1;
}

/* The index of "cat-07", -1: it is no cat's directory. */
static int
cat_index(struct ct_str dir)
{
	int64_t n;

	if (dir.n != 6 || !ct_str_starts(dir, CT_STR("cat-")) ||
	    !ct_str_i64((struct ct_str){dir.p + 4, 2}, 1, CT_IMPORT_CATS, &n))
		return -1;
	return (int)n - 1;
}

/* Files of other names are nobody's business: they are not read. */
static enum ct_rc
take_name(void *arg, const char *name, struct ct_err *err)
{
	struct ct_importing *in = arg;
	struct ct_str rest = ct_str_of(name);
	struct ct_str dir = ct_str_split(&rest, '/');
	struct ct_str base = rest;
	int cat = cat_index(dir);
	int noun;

	(void)err;
	if (strcmp(name, MANIFEST) == 0)
		in->has_manifest = true;
	if (base.n < 6 || memcmp(base.p + base.n - 5, ".json", 5) != 0)
		return CT_OK;
	base.n -= 5;
	if (ct_str_is(dir, "account")) {
		noun = ct_import_noun(
		    in->nouns->of_account, in->nouns->n_account, base);
		if (noun >= 0)
			in->account_files |= UINT32_C(1) << noun;
	} else if (cat >= 0) {
		noun =
		    ct_import_noun(in->nouns->of_cat, in->nouns->n_cat, base);
		in->cats[cat].is_there = true;
		if (noun >= 0)
			in->cats[cat].files |= UINT32_C(1) << noun;
	}
	return CT_OK;
}

/* ------------------------------------------------------------ the manifest */

static enum ct_rc
keep(void *arg, struct ct_str bytes, struct ct_err *err)
{
	struct ct_buf *b = arg;

	if (b->n + bytes.n > MANIFEST_BYTES)
		return ct_fail(err, CT_TOOBIG, "archive",
		    MANIFEST " is larger than %zu KiB.", MANIFEST_BYTES >> 10);
	ct_buf_addstr(b, bytes);
	return CT_OK;
}

static enum ct_rc
no_manifest(struct ct_err *err)
{
	ct_err_clear(err);
	return ct_fail(err, CT_MALFORMED, "archive",
	    MANIFEST " is not one of an archive of CatETube Tracker.");
}

static bool
is_there(const struct ct_importing *in, struct ct_str name)
{
	struct ct_str rest = name;
	struct ct_str dir = ct_str_split(&rest, '/');
	int cat = cat_index(dir);
	int noun;

	if (!rest.p || rest.n < 6 ||
	    memcmp(rest.p + rest.n - 5, ".json", 5) != 0)
		return true;
	rest.n -= 5;
	if (ct_str_is(dir, "account")) {
		noun = ct_import_noun(
		    in->nouns->of_account, in->nouns->n_account, rest);
		return noun < 0 || (in->account_files >> noun & 1);
	}
	noun = ct_import_noun(in->nouns->of_cat, in->nouns->n_cat, rest);
	return cat < 0 || noun < 0 || (in->cats[cat].files >> noun & 1);
}

/* An archive from which something was lost is not half imported. */
static enum ct_rc
check_files(
    struct ct_importing *in, const struct ct_json *files, struct ct_err *err)
{
	int64_t rows;

	for (const struct ct_json *f = ct_json_first(files); f;
	     f = ct_json_next(f)) {
		struct ct_str name = ct_json_str(ct_json_get(f, "name"));

		if (!name.p || !ct_json_i64(ct_json_get(f, "rows"), 0,
				   INT64_C(1) << 40, &rows))
			return no_manifest(err);
		if (!is_there(in, name))
			return ct_fail(err, CT_MALFORMED, "archive",
			    "%.60s is missing: the archive is not whole.",
			    ct_str_cstr(in->batch, name));
		if (name.n > 5 && memcmp(name.p + name.n - 5, ".json", 5) == 0)
			in->row_count += rows;
	}
	return CT_OK;
}

static enum ct_rc
read_manifest(struct ct_importing *in, struct ct_err *err)
{
	const struct ct_json *m;
	struct ct_buf text;
	int64_t version;

	if (!in->has_manifest)
		return ct_fail(err, CT_MALFORMED, "archive",
		    MANIFEST " is missing: this is no archive of CatETube "
			     "Tracker, or not a whole one.");
	ct_buf_init(&text, in->batch, (size_t)64 << 10);
	if (ct_unzip_read(&in->zip, MANIFEST, keep, &text, err) != CT_OK)
		return err->rc;
	if (ct_json_parse(in->batch, ct_buf_str(&text), MANIFEST_DEPTH, &m,
		err) != CT_OK ||
	    !ct_str_is(
		ct_json_str(ct_json_get(m, "format")), CT_ARCHIVE_FORMAT) ||
	    !ct_json_i64(
		ct_json_get(m, "version"), 1, INT64_C(1) << 30, &version))
		return no_manifest(err);
	if (version > CT_ARCHIVE_VERSION)
		return ct_fail(err, CT_INVALID, "archive",
		    "The archive is of a newer version (%lld) than this "
		    "service reads (%d).",
		    (long long)version, CT_ARCHIVE_VERSION);
	return check_files(in, ct_json_get(m, "files"), err);
}

enum ct_rc
ct_import_layout(struct ct_importing *in, struct ct_err *err)
{
	if (ct_unzip_list(&in->zip, in->batch, take_name, in, err) != CT_OK)
		return err->rc;
	if (read_manifest(in, err) != CT_OK)
		return err->rc;
	ct_arena_reset(in->batch);
	return CT_OK;
}
