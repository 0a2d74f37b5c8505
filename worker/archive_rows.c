/* Elements of a JSON array in pieces; see archive_rows.h. */
#include "worker/archive_rows.h"

enum where {
	BEFORE,	 /* the array */
	FIRST,	 /* an element or the end may come */
	ELEMENT, /* within one */
	NEXT,	 /* an element must come */
	AFTER	 /* the array */
};

void
ct_rows_init(struct ct_rows *r, struct ct_arena *a, ct_row_fn *fn, void *arg)
{
	*r = (struct ct_rows){.fn = fn, .arg = arg, .line = 1};
	r->text = ct_arena_raw(a, CT_ROW_BYTES);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static enum ct_rc
not_here(const struct ct_rows *r, struct ct_err *err)
{
	return ct_fail(err, CT_MALFORMED, "rows",
	    "line %lld: it must be one list of objects, [{…}, {…}]",
	    (long long)r->line);
}

static enum ct_rc
keep(struct ct_rows *r, char c, struct ct_err *err)
{
	if (r->n == CT_ROW_BYTES)
		return ct_fail(err, CT_TOOBIG, "rows",
		    "line %lld: an object is longer than %u KiB",
		    (long long)r->began, CT_ROW_BYTES >> 10);
	r->text[r->n++] = c;
	return CT_OK;
}

/* A comma or the end of the array: the element before it is whole. */
static enum ct_rc
whole(struct ct_rows *r, enum where then, struct ct_err *err)
{
	struct ct_str text = {r->text, r->n};

	r->where = then;
	r->n = 0;
	return r->fn(r->arg, text, r->began, err);
}

static void
look(struct ct_rows *r, char c)
{
	if (r->in_string) {
		if (r->escaped)
			r->escaped = false;
		else if (c == '\\')
			r->escaped = true;
		else if (c == '"')
			r->in_string = false;
	} else if (c == '"') {
		r->in_string = true;
	} else if (c == '{' || c == '[') {
		r->depth++;
	} else if ((c == '}' || c == ']') && r->depth > 0) {
		r->depth--;
	}
}

static enum ct_rc
element(struct ct_rows *r, char c, struct ct_err *err)
{
	if (r->depth == 0 && !r->in_string) {
		if (c == ',')
			return whole(r, NEXT, err);
		if (c == ']')
			return whole(r, AFTER, err);
	}
	look(r, c);
	return keep(r, c, err);
}

static enum ct_rc
take(struct ct_rows *r, char c, struct ct_err *err)
{
	if (r->where == ELEMENT)
		return element(r, c, err);
	if (is_blank(c))
		return CT_OK;
	if (r->where == BEFORE && c == '[') {
		r->where = FIRST;
		return CT_OK;
	}
	if (r->where == FIRST && c == ']') {
		r->where = AFTER;
		return CT_OK;
	}
	if (r->where != FIRST && r->where != NEXT)
		return not_here(r, err);
	r->where = ELEMENT;
	r->began = r->line;
	return element(r, c, err);
}

enum ct_rc
ct_rows_feed(struct ct_rows *r, struct ct_str bytes, struct ct_err *err)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (take(r, bytes.p[i], err) != CT_OK)
			return err->rc;
		if (bytes.p[i] == '\n')
			r->line++;
	}
	return CT_OK;
}

enum ct_rc
ct_rows_end(struct ct_rows *r, struct ct_err *err)
{
	if (r->where == AFTER)
		return CT_OK;
	return ct_fail(err, CT_MALFORMED, "rows",
	    "line %lld: the list does not end here", (long long)r->line);
}
