/*
 * The option table as data, for the reader (conf.c) and for the texts made of
 * it (conf_doc.c).
 */
#ifndef CT_COMMON_CONF_INTERNAL_H
#define CT_COMMON_CONF_INTERNAL_H

#include "common/conf.h"

enum option_type { OPT_STR, OPT_SECRET, OPT_INT, OPT_BOOL };

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* in struct ct_conf */
	const char *def;
	int64_t min, max;
	const char *unit;
	const char *help;
};

extern const struct option ct_options[];
extern const size_t ct_options_n;

#endif
