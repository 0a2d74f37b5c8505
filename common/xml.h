/*
 * The door to expat: the elements of a small XML document, one after the
 * other. No document type, so no entities but the five of XML.
 */
#ifndef CT_COMMON_XML_H
#define CT_COMMON_XML_H

#include "common/err.h"
#include "common/str.h"

#define CT_XML_DEPTH 16	  /* elements inside each other */
#define CT_XML_TEXT  4096 /* bytes of text in one element */

/*
 * Called at the end of each element: its path ("Error/Code", without
 * namespaces and attributes) and the text right in it. Both live until it
 * returns. False ends the reading.
 */
typedef bool ct_xml_fn(void *arg, const char *path, struct ct_str text);

/* CT_MALFORMED: no well-formed XML, too deep, too long a text, a DOCTYPE, or
 * fn was false. */
enum ct_rc ct_xml_each(struct ct_str doc, ct_xml_fn *fn, void *arg,
    struct ct_err *err) CT_MUSTCHECK;

#endif
