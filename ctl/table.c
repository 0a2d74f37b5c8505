/* See table.h. */
#include "ctl/table.h"

#include <stdio.h>
#include <string.h>

#define FIRST_CELLS 256
#define GAP	    2

void
ctl_table_begin(
    struct ctl_table *t, struct ct_arena *a, const char *const *head)
{
	*t = (struct ctl_table){.a = a, .head = head, .cap = FIRST_CELLS};
	while (head[t->columns])
		t->columns++;
	if (t->columns > CTL_COLUMNS)
		ct_bug("a table of %zu columns", t->columns);
	t->cell = ct_arena_alloc(a, t->cap * sizeof(*t->cell));
}

struct ct_str
ctl_clean(struct ct_arena *a, struct ct_str text)
{
	char *p;

	if (!text.p)
		return CT_STR("-");
	p = ct_str_cstr(a, text);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = '?';
	/* C1 controls are two bytes in UTF-8; other bytes may be anything. */
	for (size_t i = 0; i + 1 < text.n; i++)
		if ((unsigned char)p[i] == 0xc2 &&
		    (unsigned char)p[i + 1] < 0xa0)
			p[i] = p[i + 1] = '?';
	if (!ct_utf8_ok((struct ct_str){p, text.n}))
		for (size_t i = 0; i < text.n; i++)
			if ((unsigned char)p[i] >= 0x80)
				p[i] = '?';
	return (struct ct_str){p, text.n};
}

void
ctl_table_text(struct ctl_table *t, struct ct_str text)
{
	if (t->n == t->cap) {
		t->cell = ct_arena_grow(t->a, t->cell,
		    t->cap * sizeof(*t->cell), 2 * t->cap * sizeof(*t->cell));
		t->cap *= 2;
	}
	t->cell[t->n++] = ctl_clean(t->a, text);
}

void
ctl_table_i64(struct ctl_table *t, int64_t v)
{
	ctl_table_text(
	    t, v == CT_NULL_I64 ? (struct ct_str){0} : ct_str_of_i64(t->a, v));
}

static void
print_row(
    const struct ctl_table *t, const struct ct_str *cell, const size_t *width)
{
	for (size_t c = 0; c < t->columns; c++) {
		printf("%.*s", CT_STR_FMT(cell[c]));
		if (c + 1 < t->columns)
			printf("%*s",
			    (int)(width[c] - ct_utf8_len(cell[c]) + GAP), "");
	}
	putchar('\n');
}

void
ctl_table_print(const struct ctl_table *t)
{
	struct ct_str head[CTL_COLUMNS];
	size_t width[CTL_COLUMNS];

	for (size_t c = 0; c < t->columns; c++) {
		head[c] = ct_str_of(t->head[c]);
		width[c] = head[c].n;
		for (size_t i = c; i < t->n; i += t->columns)
			if (ct_utf8_len(t->cell[i]) > width[c])
				width[c] = ct_utf8_len(t->cell[i]);
	}
	print_row(t, head, width);
	for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
		print_row(t, t->cell + i, width);
}

const char *
ctl_span(struct ct_arena *a, int64_t us)
{
	static const struct {
		int64_t from_s, unit_s;
		char letter;
	} units[] = {{172800, 86400, 'd'}, {7200, 3600, 'h'}, {120, 60, 'm'},
	    {0, 1, 's'}};
	int64_t s = us < 0 ? 0 : us / 1000000;
	size_t i = 0;

	while (s < units[i].from_s)
		i++;
	return ct_arena_printf(
	    a, "%lld%c", (long long)(s / units[i].unit_s), units[i].letter);
}
