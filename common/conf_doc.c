/*
 * The option table as text: --help, the sample file, the README's table.
 * Only defaults are printed, never what was loaded.
 */
#include <inttypes.h>
#include <string.h>

#include "common/conf_internal.h"

#define BOUNDS_MAX 80

/* "1 to 64 threads", "0 or 1", or "". */
static const char *
bounds(const struct option *o, char out[BOUNDS_MAX])
{
	out[0] = '\0';
	if (o->type == OPT_BOOL)
		snprintf(out, BOUNDS_MAX, "0 or 1");
	if (o->type == OPT_INT)
		snprintf(out, BOUNDS_MAX, "%" PRId64 " to %" PRId64 "%s%s",
		    o->min, o->max, *o->unit ? " " : "", o->unit);
	return out;
}

void
ct_conf_help(FILE *out)
{
	char text[BOUNDS_MAX];

	fprintf(out, "Options, from the environment or the file given by "
		     "--config; the environment wins:\n");
	for (size_t i = 0; i < ct_options_n; i++) {
		const struct option *o = &ct_options[i];
		const char *range = bounds(o, text);

		fprintf(out, "  %s%s\n      %s\n      default: %s%s%s%s\n",
		    o->name, o->type == OPT_SECRET ? " (or its _FILE)" : "",
		    o->help, *o->def ? o->def : "empty", *range ? " (" : "",
		    range, *range ? ")" : "");
	}
}

void
ct_conf_sample(FILE *out)
{
	char text[BOUNDS_MAX];

	fprintf(out, "# NAME=VALUE lines; what is commented out here is the "
		     "default. The environment\n# wins over this file. Keep "
		     "it readable for the service alone.\n");
	for (size_t i = 0; i < ct_options_n; i++) {
		const struct option *o = &ct_options[i];
		const char *range = bounds(o, text);

		fprintf(out, "\n# %s%s%s%s\n", o->help, *range ? " (" : "",
		    range, *range ? ")" : "");
		if (o->type == OPT_SECRET)
			fprintf(out, "# %s_FILE=<path> reads it from a file.\n",
			    o->name);
		fprintf(out, "#%s=%s\n", o->name, o->def);
	}
}

/* A cell of a table: a bar would end it. */
static void
cell(FILE *out, const char *s)
{
	for (; *s; s++)
		fprintf(out, *s == '|' ? "\\%c" : "%c", *s);
}

void
ct_conf_markdown(FILE *out)
{
	char text[BOUNDS_MAX];

	fprintf(out, "| name | default | bounds | meaning |\n"
		     "|---|---|---|---|\n");
	for (size_t i = 0; i < ct_options_n; i++) {
		const struct option *o = &ct_options[i];

		fprintf(out, "| `%s` | ", o->name);
		if (*o->def) {
			fputc('`', out);
			cell(out, o->def);
			fputc('`', out);
		}
		fprintf(out, " | %s | ", bounds(o, text));
		cell(out, o->help);
		if (o->type == OPT_SECRET)
			fprintf(
			    out, "; `%s_FILE` names a file with it", o->name);
		fprintf(out, " |\n");
	}
}
