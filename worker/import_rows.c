/* The rows of an archive become rows of the account; see import.h. */
#include <stdio.h>
#include <string.h>

#include "care/intake.h"
#include "db/preference.h"
#include "db/target.h"
#include "worker/export.h"
#include "worker/import.h"

#define ROW_DEPTH    4
#define DAY_US	     (INT64_C(86400) * 1000000)
#define CARE_DAY_OFF 3 /* days between a care day and its entry's date */
#define GO_ON_EVERY  64

_Static_assert(CT_ARCHIVE_NOUNS_MAX <= 32, "a bit for each noun");

/* ------------------------------------------------------------ one row */

static enum ct_rc
stamp_ok(int64_t us, const char *field, struct ct_err *err)
{
	if (us == CT_NULL_I64 || us <= ct_now_us() + CT_CLOCK_SKEW_US)
		return CT_OK;
	return ct_fail_field(err, field, "must not be in the future");
}

/* What holds for every entry, besides what its own kind checks. */
static enum ct_rc
check_entry(const struct ct_archive_noun *noun, const struct ct_uuid *cat,
    const struct ct_archive_row *row, struct ct_err *err)
{
	const struct ct_entry *e = (const void *)row->obj;
	int64_t off = (int64_t)e->care_day - e->given_at / DAY_US;

	if (ct_entry_time_ok(e->given_at, err) != CT_OK ||
	    stamp_ok(e->created_at, "created_at", err) != CT_OK ||
	    stamp_ok(e->updated_at, "updated_at", err) != CT_OK ||
	    stamp_ok(e->deleted_at, "deleted_at", err) != CT_OK)
		return err->rc;
	if (e->care_day != CT_NULL_DAY &&
	    (off > CARE_DAY_OFF || off < -CARE_DAY_OFF))
		return ct_fail_field(
		    err, "care_day", "must be the day of time_given");
	if (!ct_uuid_nil(&e->cat_id) && !ct_uuid_eq(&e->cat_id, cat))
		return ct_fail_field(
		    err, "cat_id", "is of another cat than this directory");
	return noun->kind->check ? noun->kind->check(row->obj, err) : CT_OK;
}

static enum ct_rc
check_cat(const struct ct_cat *c, struct ct_err *err)
{
	enum ct_rc rc = ct_cat_check(c, err);

	if (c->birth_year != CT_NULL_I64 && c->age_years != CT_NULL_I64)
		rc = ct_fail_field(
		    err, "age_years", "cannot go with birth_year");
	return stamp_ok(c->created_at, "created_at", err) != CT_OK ? err->rc
								   : rc;
}

static enum ct_rc
check_target(const struct ct_target *t, struct ct_err *err)
{
	int64_t last =
	    ct_now_us() / DAY_US + CT_TARGET_AHEAD_DAYS + CARE_DAY_OFF;

	if (t->from_day > last)
		return ct_fail_field(err, "effective_from",
		    "must be at most %d days ahead", CT_TARGET_AHEAD_DAYS);
	return stamp_ok(t->created_at, "created_at", err);
}

/* What a row is before its members are bound. */
static void
fresh(const struct ct_archive_noun *noun, struct ct_archive_row *row)
{
	struct ct_entry *e = (void *)row->obj;
	struct ct_preference *p = (void *)row->obj;
	struct ct_cat *c = (void *)row->obj;
	struct ct_target *t = (void *)row->obj;

	memset(row, 0, sizeof(*row));
	if (noun->kind) {
		memcpy(row->obj, noun->kind->fresh, noun->kind->fields->size);
		e->care_day = CT_NULL_DAY;
		e->created_at = e->updated_at = e->deleted_at = CT_NULL_I64;
		e->version = 1;
	} else if (noun->rows->out == &ct_cat_fields) {
		ct_cat_defaults(c);
		c->name = CT_STR("");
		c->created_at = c->updated_at = CT_NULL_I64;
		c->version = 1;
	} else if (noun->rows->out == &ct_target_fields) {
		t->created_at = CT_NULL_I64;
	} else {
		*p = (struct ct_preference){CT_STR("en"), CT_STR("ml"),
		    CT_STR("system"), true, true, false};
	}
}

enum ct_rc
ct_import_bind(const struct ct_archive_noun *noun, const struct ct_uuid *cat,
    struct ct_str text, struct ct_arena *a, struct ct_archive_row *row,
    struct ct_err *err)
{
	const struct ct_json *body;
	uint64_t seen;

	fresh(noun, row);
	if (ct_json_parse(a, text, ROW_DEPTH, &body, err) != CT_OK)
		return err->rc;
	if (ct_json_type(body) != CT_JSON_OBJECT)
		return ct_fail(
		    err, CT_MALFORMED, "rows", "it must be an object, {…}");
	if (ct_fields_bind(noun->fields, CT_BIND_CREATE, body, a, row, &seen,
		err) != CT_OK)
		return err->rc;
	if (noun->kind)
		return check_entry(noun, cat, row, err);
	if (noun->rows->out == &ct_cat_fields)
		return check_cat((const void *)row->obj, err);
	if (noun->rows->out == &ct_target_fields)
		return check_target((const void *)row->obj, err);
	return CT_OK;
}

/* ------------------------------------------------------------ one file */

struct file {
	struct ct_importing *in;
	const struct ct_archive_noun *noun;
	struct ct_import_cat *cat; /* NULL: of the account */
	int64_t *counts;	   /* CT_I_COUNTS */
	char name[48];
	struct ct_rows rows;
	int64_t seen;
};

static enum ct_rc
bring(struct file *f, struct ct_archive_row *row, enum ct_brought *what,
    struct ct_err *err)
{
	struct ct_importing *in = f->in;
	struct ct_pg *pg = in->job->pg;
	const struct ct_uuid *me = &in->row.account_id;
	struct ct_entry *e = (void *)row->obj;
	struct ct_cat *c = (void *)row->obj;

	if (f->noun->kind) {
		e->id = ct_bring_id(&f->cat->to, &f->cat->from, &e->id);
		e->cat_id = f->cat->to;
		return ct_bring_entry(
		    pg, in->batch, f->noun->kind, me, row, what, err);
	}
	if (!f->cat)
		return ct_bring_preference(
		    pg, in->batch, me, (const void *)row->obj, what, err);
	if (f->noun->rows->out == &ct_target_fields)
		return ct_bring_target(pg, in->batch, me, &f->cat->to,
		    (const void *)row->obj, row->by_me, what, err);
	if (!ct_uuid_nil(&f->cat->to))
		return ct_fail(
		    err, CT_INVALID, NULL, "There is more than one cat in it.");
	f->cat->from = c->id;
	if (ct_bring_cat(pg, in->batch, me, c, what, err) != CT_OK)
		return err->rc;
	f->cat->to = c->id;
	f->cat->is_new = *what == CT_BROUGHT_NEW;
	snprintf(
	    f->cat->name, sizeof(f->cat->name), "%.*s", CT_STR_FMT(c->name));
	return CT_OK;
}

/* A refused row is told, and the others are still looked at. */
static enum ct_rc
refuse(struct file *f, int64_t line, struct ct_err *err)
{
	f->counts[CT_I_REFUSED]++;
	ct_import_tell(f->in, true, f->name, line, err);
	ct_err_clear(err);
	return CT_OK;
}

static void
tell_other(struct file *f, int64_t line)
{
	struct ct_err why;

	ct_err_clear(&why);
	ct_fail(&why, CT_CONFLICT, NULL,
	    "It is there already with other contents; they were left alone.");
	ct_import_tell(f->in, false, f->name, line, &why);
}

static enum ct_rc
take_bound(struct file *f, struct ct_archive_row *row, int64_t line,
    struct ct_err *err)
{
	static const enum ct_import_count counts[] = {
	    [CT_BROUGHT_NEW] = CT_I_NEW,
	    [CT_BROUGHT_SAME] = CT_I_SAME,
	    [CT_BROUGHT_OTHER] = CT_I_OTHER};
	enum ct_brought what = CT_BROUGHT_NEW;

	if (bring(f, row, &what, err) != CT_OK)
		return err->rc;
	f->counts[counts[what]]++;
	if (what == CT_BROUGHT_OTHER)
		tell_other(f, line);
	return CT_OK;
}

static enum ct_rc
take_row(void *arg, struct ct_str text, int64_t line, struct ct_err *err)
{
	struct file *f = arg;
	struct ct_archive_row row;
	const struct ct_uuid *cat = f->cat ? &f->cat->from : NULL;

	f->in->rows++;
	if (f->seen++ % GO_ON_EVERY == 0 &&
	    ct_import_go_on(f->in, err) != CT_OK)
		return err->rc;
	ct_arena_reset(f->in->batch);
	if (ct_import_bind(f->noun, cat, text, f->in->batch, &row, err) !=
	    CT_OK)
		return refuse(f, line, err);
	/* What the database refuses ends the transaction, so this cat. */
	if (take_bound(f, &row, line, err) == CT_OK)
		return CT_OK;
	if (ct_import_is_ours(err->rc))
		return err->rc;
	(void)!refuse(f, line, err);
	return ct_fail(err, CT_CONFLICT, "told", "the cat was refused");
}

static enum ct_rc
take_bytes(void *arg, struct ct_str bytes, struct ct_err *err)
{
	struct file *f = arg;

	return ct_rows_feed(&f->rows, bytes, err);
}

/*
 * CT_OK: as far as it could be read, which counts and problems tell. Only what
 * is no fault of the archive is an error; *stop: the rest of the cat cannot be
 * looked at.
 */
static enum ct_rc
read_file(struct file *f, bool *stop, struct ct_err *err)
{
	struct ct_mark m = ct_arena_mark(f->in->job->a);
	enum ct_rc rc;

	ct_rows_init(&f->rows, f->in->job->a, take_row, f);
	rc = ct_unzip_read(&f->in->zip, f->name, take_bytes, f, err);
	if (rc == CT_OK)
		rc = ct_rows_end(&f->rows, err);
	ct_arena_rewind(f->in->job->a, m);
	if (rc == CT_OK || ct_import_is_ours(rc))
		return rc;
	*stop = true;
	if (strcmp(err->code, "told") != 0) {
		f->counts[CT_I_REFUSED]++;
		ct_import_tell(f->in, true, f->name, 0, err);
	}
	ct_err_clear(err);
	return CT_OK;
}

/* ------------------------------------------------------------ a cat */

static enum ct_rc
read_noun(struct ct_importing *in, int index, int noun, bool *stop,
    struct ct_err *err)
{
	struct ct_import_cat *cat = &in->cats[index];
	struct file f = {.in = in,
	    .noun = &in->nouns->of_cat[noun],
	    .cat = cat,
	    .counts = cat->counts[noun]};

	if (!f.noun->is_read || !(cat->files >> noun & 1) || *stop)
		return CT_OK;
	snprintf(f.name, sizeof(f.name), CT_CAT_DIR "/%s.json", index + 1,
	    f.noun->name);
	return read_file(&f, stop, err);
}

/* The cat itself goes before all that is in it: exactly one row. */
static enum ct_rc
read_profile(struct ct_importing *in, int index, int noun, bool *stop,
    struct ct_err *err)
{
	struct ct_import_cat *cat = &in->cats[index];
	char name[48];
	struct ct_err why;

	if (read_noun(in, index, noun, stop, err) != CT_OK)
		return err->rc;
	if (!ct_uuid_nil(&cat->to) || *stop ||
	    cat->counts[noun][CT_I_REFUSED] > 0) {
		*stop |= ct_uuid_nil(&cat->to);
		return CT_OK;
	}
	*stop = true;
	cat->counts[noun][CT_I_REFUSED]++;
	snprintf(name, sizeof(name), CT_CAT_DIR "/profile.json", index + 1);
	ct_err_clear(&why);
	ct_fail(&why, CT_MALFORMED, NULL, "There is no cat in it.");
	ct_import_tell(in, true, name, 0, &why);
	return CT_OK;
}

static bool
was_refused(const struct ct_import_cat *cat)
{
	for (size_t i = 0; i < CT_ARCHIVE_NOUNS_MAX; i++) {
		if (cat->counts[i][CT_I_REFUSED] > 0)
			return true;
	}
	return false;
}

enum ct_rc
ct_import_cat(
    struct ct_importing *in, int index, bool *refused, struct ct_err *err)
{
	const struct ct_archive_nouns *all = in->nouns;
	int profile =
	    ct_import_noun(all->of_cat, all->n_cat, CT_STR("profile"));
	/* A weight locks the row of the cat: for as short as can be. */
	int weight = ct_import_noun(all->of_cat, all->n_cat, CT_STR("weight"));
	bool stop = false;

	if (read_profile(in, index, profile, &stop, err) != CT_OK)
		return err->rc;
	for (int i = 0; i < (int)all->n_cat; i++) {
		if (i != profile && i != weight &&
		    read_noun(in, index, i, &stop, err) != CT_OK)
			return err->rc;
	}
	if (weight >= 0 && read_noun(in, index, weight, &stop, err) != CT_OK)
		return err->rc;
	*refused = was_refused(&in->cats[index]);
	return CT_OK;
}

enum ct_rc
ct_import_preferences(
    struct ct_importing *in, bool *refused, struct ct_err *err)
{
	int noun = ct_import_noun(
	    in->nouns->of_account, in->nouns->n_account, CT_STR("preferences"));
	bool stop = false;
	struct file f = {.in = in, .counts = in->preferences};

	*refused = false;
	if (noun < 0 || !(in->account_files >> noun & 1))
		return CT_OK;
	f.noun = &in->nouns->of_account[noun];
	snprintf(f.name, sizeof(f.name), "account/%s.json", f.noun->name);
	if (read_file(&f, &stop, err) != CT_OK)
		return err->rc;
	*refused = in->preferences[CT_I_REFUSED] > 0;
	return CT_OK;
}
