/* XML of a stranger: paths and texts within their bounds, or a refusal. */
#include <stdlib.h>
#include <string.h>

#include "common/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
look(void *arg, const char *path, struct ct_str text)
{
	size_t depth = 1;

	for (const char *p = path; *p; p++)
		depth += *p == '/';
	if (!*path || depth > CT_XML_DEPTH || text.n > CT_XML_TEXT ||
	    !ct_utf8_ok(text))
		abort();
	return ++*(int *)arg < 1000;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *exact = malloc(n ? n : 1);
	struct ct_err err;
	int calls = 0;

	if (!exact)
		abort();
	if (n > 0)
		memcpy(exact, data, n);
	ct_err_clear(&err);
	if (ct_xml_each((struct ct_str){exact, n}, look, &calls, &err) ==
		CT_OK &&
	    calls == 0)
		abort();
	free(exact);
	return 0;
}
