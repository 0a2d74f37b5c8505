/* The door to expat; see xml.h. */
#include "common/xml.h"

#include <expat.h>
#include <string.h>

#define PATH 512

struct reading {
	XML_Parser parser;
	ct_xml_fn *fn;
	void *arg;
	unsigned depth;
	size_t path_n;
	size_t begin[CT_XML_DEPTH];  /* of the part of the path, by depth */
	size_t text_n[CT_XML_DEPTH]; /* of the text, by depth */
	char path[PATH];
	char text[CT_XML_DEPTH][CT_XML_TEXT];
};

static void
stop(struct reading *r)
{
	XML_StopParser(r->parser, XML_FALSE);
}

/* "http://…/doc/2006-03-01/ Key" is "Key": what follows the last '|'. */
static void XMLCALL
begins(void *arg, const char *name, CT_UNUSED const char **attributes)
{
	struct reading *r = arg;
	const char *bar = strrchr(name, '|');
	size_t n;

	if (bar)
		name = bar + 1;
	n = strlen(name);
	if (r->depth == CT_XML_DEPTH || r->path_n + n + 2 > PATH) {
		stop(r);
		return;
	}
	r->begin[r->depth] = r->path_n;
	r->text_n[r->depth] = 0;
	r->depth++;
	if (r->path_n > 0)
		r->path[r->path_n++] = '/';
	memcpy(r->path + r->path_n, name, n + 1);
	r->path_n += n;
}

static void XMLCALL
ends(void *arg, CT_UNUSED const char *name)
{
	struct reading *r = arg;

	r->depth--;
	if (!r->fn(r->arg, r->path,
		(struct ct_str){r->text[r->depth], r->text_n[r->depth]}))
		stop(r);
	r->path_n = r->begin[r->depth];
	r->path[r->path_n] = '\0';
}

static void XMLCALL
holds(void *arg, const char *p, int len)
{
	struct reading *r = arg;
	size_t n = ct_size(len), *have;

	if (r->depth == 0)
		return;
	have = &r->text_n[r->depth - 1];
	if (*have + n > CT_XML_TEXT) {
		stop(r);
		return;
	}
	memcpy(r->text[r->depth - 1] + *have, p, n);
	*have += n;
}

static void XMLCALL
doctype(void *arg, CT_UNUSED const char *name, CT_UNUSED const char *sys,
    CT_UNUSED const char *pub, CT_UNUSED int internal)
{
	stop(arg);
}

enum ct_rc
ct_xml_each(struct ct_str doc, ct_xml_fn *fn, void *arg, struct ct_err *err)
{
	struct ct_arena *a = ct_arena_create((size_t)1 << 20);
	struct reading *r = ct_arena_alloc(a, sizeof(*r));
	enum XML_Status status;

	r->parser = XML_ParserCreateNS(NULL, '|');
	if (!r->parser)
		ct_bug("expat gave no parser");
	r->fn = fn;
	r->arg = arg;
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, begins, ends);
	XML_SetCharacterDataHandler(r->parser, holds);
	XML_SetStartDoctypeDeclHandler(r->parser, doctype);
	status = XML_Parse(
	    r->parser, doc.n > 0 ? doc.p : "", ct_int(doc.n), XML_TRUE);
	if (status != XML_STATUS_OK) {
		ct_fail(err, CT_MALFORMED, "xml", "the answer is no XML");
		ct_err_detail(err, "%s, line %lu",
		    XML_ErrorString(XML_GetErrorCode(r->parser)),
		    (unsigned long)XML_GetCurrentLineNumber(r->parser));
	}
	XML_ParserFree(r->parser);
	ct_arena_destroy(a);
	return status == XML_STATUS_OK ? CT_OK : err->rc;
}
