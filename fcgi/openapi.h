/*
 * The API document (OpenAPI 3.1), made of the route table, the field tables
 * and the shapes of answers: nothing in it is written a second time.
 */
#ifndef CT_FCGI_OPENAPI_H
#define CT_FCGI_OPENAPI_H

#include "common/field.h"
#include "common/json.h"
#include "db/entry.h"
#include "fcgi/route.h"

/* The document as YAML; lives on a. Aborts where a shape is not to be found. */
struct ct_str ct_openapi(struct ct_arena *a);

/*
 * A shape: what a JSON object in an answer holds. Its members are the visible
 * rows of a field table, then those of a text, blanks between them:
 *
 *   name:type   name?:type (may be missing)
 *   type        string int bool decimal uuid time day map any, or a shape's
 * name type?       or null           [type]   a list of them string=word   with
 * an example
 */
struct ct_shape {
	const char *name;
	const struct ct_fields *fields; /* NULL: none */
	const char *members;		/* NULL: none */
	const char *help;
};
extern const struct ct_shape ct_shapes[];
extern const size_t ct_shapes_n;

/* ------------------------------------------ between the files of openapi */

enum ct_side {
	CT_SIDE_CREATE, /* body of a create */
	CT_SIDE_CHANGE, /* body of a change: nothing is required */
	CT_SIDE_OUT	/* in an answer */
};

#define CT_OA_DAY "2026-11-22"
/* An example that is right for a text of that name. */
const char *ct_oa_text(const char *name);
/* Members of the schema of a set, and an example of one. */
void ct_oa_set(struct ct_jw *w, const struct ct_field *f);
void ct_oa_set_example(struct ct_jw *w, const struct ct_field *f);
/* Schema object of one field, and of a table. */
void ct_oa_field(struct ct_jw *w, const struct ct_field *f, enum ct_side side);
void ct_oa_fields(
    struct ct_jw *w, const struct ct_fields *t, enum ct_side side);
/* An example of a body by the table. */
void ct_oa_body_example(
    struct ct_jw *w, const struct ct_fields *t, enum ct_side side);
/* "[Feeding]", "Page|[Feeding]": a schema, and a value that it takes. */
void ct_oa_type(struct ct_jw *w, struct ct_str type);
void ct_oa_type_example(struct ct_jw *w, struct ct_str type);
/* Whether the table has it. */
bool ct_oa_has_shape(struct ct_str name);
/* Schema objects by name: all shapes, then those of entry kinds. */
void ct_oa_components(struct ct_jw *w);
/* "Feeding" for the noun "feeding", "TubeCheck" for "tube_check". */
struct ct_str ct_oa_kind_name(const struct ct_entry_kind *k, char out[64]);
/* key and string */
void ct_oa_pair(struct ct_jw *w, const char *key, const char *value);

/* What many routes answer alike, by status. */
struct ct_oa_error {
	int status;
	const char *name; /* of the shared response */
	const char *code, *text, *help;
};
extern const struct ct_oa_error ct_oa_errors[];
extern const size_t ct_oa_errors_n;

/* Writing: a member with a flag, an open object, an open array. */
void ct_oa_flag(struct ct_jw *w, const char *key, bool v);
void ct_oa_open_obj(struct ct_jw *w, const char *key);
void ct_oa_open_arr(struct ct_jw *w, const char *key);
/* {"$ref": ref} under a name */
void ct_oa_header_ref(struct ct_jw *w, const char *name, const char *ref);
/* A parameter, open: its schema comes next, then an end. */
void ct_oa_parameter(struct ct_jw *w, const char *in, const char *name,
    bool required, const char *help);
/* That schema, and the end; more: a further key, NULL: none. */
void ct_oa_string_schema(struct ct_jw *w, const char *more, const char *value);
/* openapi, info, servers; and components, the shapes in them. */
void ct_oa_head(struct ct_jw *w);
void ct_oa_shared(struct ct_jw *w);

/* JSON text (made by us) as YAML in block style. */
struct ct_str ct_oa_yaml(struct ct_arena *a, struct ct_str json);

#endif
