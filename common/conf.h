/*
 * Configuration: the option table (options.def) read from the environment and
 * from the file given by --config (KEY=VALUE lines, '#' comments, optional
 * double quotes); the environment wins. Unknown CATETUBE_ names and bad values
 * stop the start with the option's name.
 */
#ifndef CT_COMMON_CONF_H
#define CT_COMMON_CONF_H

#include <stdio.h>

#include "common/err.h"

struct ct_conf {
#define CT_CONF_STR    const char *
#define CT_CONF_SECRET const char *
#define CT_CONF_INT    int64_t
#define CT_CONF_BOOL   bool
#define CT_OPT(name, member, type, def, min, max, unit, help)                  \
	CT_CONF_##type member;
#include "common/options.def"
#undef CT_OPT
};

/*
 * file may be NULL. Strings live as long as the process. CT_INVALID with a
 * sentence that names the option, the file and line if any, and what to do.
 */
enum ct_rc ct_conf_load(
    struct ct_conf *c, const char *file, struct ct_err *err) CT_MUSTCHECK;
/* The options as a table for --help; secrets without their values. */
void ct_conf_help(FILE *out);
/* A commented sample file; systemd/catetube.env.sample is this. */
void ct_conf_sample(FILE *out);
/* The rows as a Markdown table for the README. */
void ct_conf_markdown(FILE *out);

#endif
