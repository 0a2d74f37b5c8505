/* What came of an import, as JSON; see import.h. */
#include <stdio.h>

#include "worker/export.h"
#include "worker/import.h"

static const char *const names[CT_I_COUNTS] = {
    "new", "same", "conflicting", "refused"};

static void
write_counts(struct ct_jw *w, const int64_t counts[CT_I_COUNTS])
{
	ct_jw_obj(w);
	for (int i = 0; i < CT_I_COUNTS; i++) {
		ct_jw_key(w, names[i]);
		ct_jw_i64(w, counts[i]);
	}
	ct_jw_end(w);
}

static void
add_up(int64_t to[CT_I_COUNTS], const int64_t counts[CT_I_COUNTS])
{
	for (int i = 0; i < CT_I_COUNTS; i++)
		to[i] += counts[i];
}

static void
write_cat(struct ct_jw *w, const struct ct_importing *in, int index)
{
	const struct ct_import_cat *c = &in->cats[index];
	char dir[16];

	snprintf(dir, sizeof(dir), CT_CAT_DIR, index + 1);
	ct_jw_obj(w);
	ct_jw_key(w, "directory");
	ct_jw_cstr(w, dir);
	ct_jw_key(w, "cat_id");
	ct_jw_uuid(w, &c->to);
	ct_jw_key(w, "name");
	ct_jw_cstr(w, c->name);
	ct_jw_key(w, "is_new");
	ct_jw_bool(w, c->is_new);
	ct_jw_key(w, "is_written");
	ct_jw_bool(w, c->is_written);
	ct_jw_key(w, "counts");
	ct_jw_obj(w);
	for (size_t i = 0; i < in->nouns->n_cat; i++) {
		if (!in->nouns->of_cat[i].is_read)
			continue;
		ct_jw_key(w, in->nouns->of_cat[i].name);
		write_counts(w, c->counts[i]);
	}
	ct_jw_end(w);
	ct_jw_end(w);
}

static void
write_problem(struct ct_jw *w, const struct ct_import_problem *p)
{
	ct_jw_obj(w);
	ct_jw_key(w, "what");
	ct_jw_cstr(w, names[p->is_refused ? CT_I_REFUSED : CT_I_OTHER]);
	ct_jw_key(w, "file");
	ct_jw_cstr(w, p->file);
	ct_jw_key(w, "line");
	ct_jw_i64(w, p->line > 0 ? p->line : CT_NULL_I64);
	ct_jw_key(w, "field");
	ct_jw_cstr(w, p->field[0] ? p->field : NULL);
	ct_jw_key(w, "reason");
	ct_jw_cstr(w, p->reason);
	ct_jw_end(w);
}

struct ct_str
ct_import_summary(struct ct_arena *a, const struct ct_importing *in)
{
	int64_t total[CT_I_COUNTS] = {0};
	struct ct_buf b;
	struct ct_jw w;

	ct_buf_init(&b, a, (size_t)16 << 10);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_jw_key(&w, "cats");
	ct_jw_arr(&w);
	for (int i = 0; i < CT_IMPORT_CATS; i++) {
		if (!in->cats[i].is_there)
			continue;
		write_cat(&w, in, i);
		for (size_t k = 0; k < CT_ARCHIVE_NOUNS_MAX; k++)
			add_up(total, in->cats[i].counts[k]);
	}
	ct_jw_end(&w);
	add_up(total, in->preferences);
	ct_jw_key(&w, "preferences");
	write_counts(&w, in->preferences);
	ct_jw_key(&w, "total");
	write_counts(&w, total);
	ct_jw_key(&w, "problems");
	ct_jw_arr(&w);
	for (int64_t i = 0; i < in->nproblems && i < CT_IMPORT_PROBLEMS; i++)
		write_problem(&w, &in->problems[i]);
	ct_jw_end(&w);
	ct_jw_key(&w, "problem_count");
	ct_jw_i64(&w, in->nproblems);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}
