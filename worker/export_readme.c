/* The README of an archive, made of the tables; see export.h. */
#include "common/clock.h"
#include "worker/export.h"

#define NAME_WIDTH 22
#define TYPE_WIDTH 26

static const char intro[] =
    "Everything that an account has in CatETube Tracker.\r\n"
    "\r\n"
    "Each thing is there twice: as .json for programs, and as .csv for\r\n"
    "spreadsheets. A .json file is one list, with one object to a line. In "
    "a\r\n"
    ".csv file a text that a spreadsheet would take for a formula has an\r\n"
    "apostrophe before it.\r\n"
    "\r\n"
    "Times are in UTC. A care day begins at the cat's own hour (day_start "
    "in\r\n"
    "profile) in its own time zone; it is the day on which an entry counts.\r\n"
    "Empty, or null in .json, means: not said. by_name is the first name of\r\n"
    "who logged something.\r\n"
    "\r\n"
    "The archive can be imported again, into the same or another account; "
    "it\r\n"
    "then reads manifest.json and the .json files that are marked with *.\r\n"
    "Entries that are there already are left as they are. What is not of "
    "the\r\n"
    "importing account loses the name of who logged it.\r\n"
    "\r\n"
    "Not in it: cats of which the account is no owner, passwords, log-ins, "
    "and\r\n"
    "the files of reports.\r\n";

static const char *
type_text(struct ct_arena *a, const struct ct_field *f)
{
	static const char *const words[] = {
	    [CT_T_UUID] = "id",
	    [CT_T_TEXT] = "text",
	    [CT_T_BOOL] = "true or false",
	    [CT_T_INT] = "whole number",
	    [CT_T_VOLUME] = "number, mL",
	    [CT_T_MILLI] = "number",
	    [CT_T_TIME] = "time",
	    [CT_T_DAY] = "day",
	    [CT_T_ENUM] = "word",
	    [CT_T_SET] = "words",
	    [CT_T_JSON] = "object",
	};

	if (!f->unit || f->type == CT_T_VOLUME)
		return words[f->type];
	return ct_arena_printf(a, "%s, %s", words[f->type], f->unit);
}

static void
pad(struct ct_buf *b, size_t from, size_t width)
{
	while (b->n - from < width)
		ct_buf_addc(b, ' ');
}

static void
add_field(struct ct_buf *b, struct ct_arena *a, const struct ct_field *f)
{
	size_t from = b->n;

	ct_buf_adds(b, "    ");
	ct_buf_adds(b, f->name);
	pad(b, from, 4 + NAME_WIDTH);
	ct_buf_adds(b, type_text(a, f));
	pad(b, from, 4 + NAME_WIDTH + TYPE_WIDTH);
	ct_buf_adds(b, f->help ? f->help : "");
	for (size_t i = 0; f->names && f->names[i]; i++) {
		ct_buf_adds(b, i == 0 ? ": " : ", ");
		ct_buf_adds(b, f->names[i]);
	}
	ct_buf_adds(b, "\r\n");
}

static void
add_nouns(struct ct_buf *b, struct ct_arena *a, const char *dir,
    const struct ct_archive_noun *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ct_buf_addf(b, "\r\n%s/%s%s\r\n  %s\r\n", dir, list[i].name,
		    list[i].is_read ? " *" : "", list[i].help);
		for (size_t k = 0; k < list[i].fields->n; k++)
			add_field(b, a, &list[i].fields->f[k]);
	}
}

struct ct_str
ct_export_readme(struct ct_arena *a, const struct ct_archive_nouns *nouns,
    const struct ct_cat *cats, int n, int64_t made_at_us)
{
	char when[CT_TIME_MAX];
	struct ct_buf b;

	ct_buf_init(&b, a, (size_t)32 << 10);
	ct_buf_adds(&b, intro);
	ct_buf_addf(&b, "\r\nMade at %s.\r\n\r\nThe cats:\r\n",
	    ct_time_format(made_at_us, when));
	for (int i = 0; i < n; i++) {
		ct_buf_addf(&b, "    " CT_CAT_DIR "  ", i + 1);
		ct_buf_addstr(&b, cats[i].name);
		ct_buf_adds(&b, "\r\n");
	}
	if (n == 0)
		ct_buf_adds(&b, "    none\r\n");
	ct_buf_adds(&b, "\r\nThe files and their fields:\r\n");
	add_nouns(&b, a, "account", nouns->of_account, nouns->n_account);
	add_nouns(&b, a, "cat-…", nouns->of_cat, nouns->n_cat);
	return ct_buf_str(&b);
}
