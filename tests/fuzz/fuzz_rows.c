/*
 * Any text as a file of an archive: in pieces it gives the rows that it gives
 * whole, and a row that is bound binds again when it is written out.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "worker/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
	struct ct_buf text;
	enum ct_rc rc;
};

static enum ct_rc
note(void *arg, struct ct_str text, int64_t line, struct ct_err *err)
{
	struct seen *s = arg;

	(void)err;
	ct_buf_addi(&s->text, line);
	ct_buf_addc(&s->text, ':');
	ct_buf_addstr(&s->text, text);
	ct_buf_addc(&s->text, '|');
	return CT_OK;
}

static void
feed(struct ct_arena *a, struct ct_str text, size_t size, struct seen *s)
{
	struct ct_rows r;
	struct ct_err err;

	ct_err_clear(&err);
	ct_buf_init(&s->text, a, 1024);
	ct_rows_init(&r, a, note, s);
	s->rc = CT_OK;
	while (s->rc == CT_OK && text.n > 0) {
		struct ct_str piece = {text.p, text.n < size ? text.n : size};

		s->rc = ct_rows_feed(&r, piece, &err);
		text.p += piece.n;
		text.n -= piece.n;
	}
	if (s->rc == CT_OK)
		s->rc = ct_rows_end(&r, &err);
}

static struct ct_str
bind(struct ct_arena *a, const struct ct_archive_noun *noun, struct ct_str text)
{
	static const struct ct_uuid cat = {{1}};
	struct ct_archive_row row;
	struct ct_err err;
	struct ct_buf b;
	struct ct_jw w;

	ct_err_clear(&err);
	if (ct_import_bind(noun, &cat, text, a, &row, &err) != CT_OK) {
		if (err.msg[0] == '\0')
			abort();
		return (struct ct_str){0};
	}
	ct_buf_init(&b, a, 1024);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_fields_write(noun->fields, &row, &w);
	ct_jw_end(&w);
	return ct_buf_str(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)256 << 20);
	const struct ct_archive_nouns *nouns = ct_archive_nouns(a);
	struct ct_str text = {(const char *)data, n};
	struct seen whole, pieces;

	ct_crypto_init();
	feed(a, text, n + 1, &whole);
	feed(a, text, 1 + n % 7, &pieces);
	if (whole.rc != pieces.rc ||
	    !ct_str_eq(ct_buf_str(&whole.text), ct_buf_str(&pieces.text)))
		abort();
	for (size_t i = 0; i < nouns->n_cat; i++) {
		struct ct_str once, again;

		if (!nouns->of_cat[i].is_read)
			continue;
		once = bind(a, &nouns->of_cat[i], text);
		if (!once.p)
			continue;
		again = bind(a, &nouns->of_cat[i], once);
		if (!ct_str_eq(once, again))
			abort();
	}
	ct_arena_destroy(a);
	return 0;
}
