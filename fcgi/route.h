/*
 * The route table's shape and its look-up. A route is one row; gates read the
 * row, handlers hold no auth, rate, size or ownership code.
 */
#ifndef CT_FCGI_ROUTE_H
#define CT_FCGI_ROUTE_H

#include "fcgi/req.h"

/*
 * Who may ask. A session may do all that the account may; an API token only
 * what its scope says, and nothing about the account itself.
 */
enum ct_who {
	CT_W_OPEN,  /* anybody */
	CT_W_READ,  /* a session, or a token of any scope */
	CT_W_LOG,   /* a session, or a token of scope log or full */
	CT_W_FULL,  /* a session, or a token of scope full */
	CT_W_LOGIN, /* a session: passwords, tokens, sessions, deletion */
	CT_W_ADMIN, /* a session of an account with the admin role */
	CT_W_LOCAL  /* addresses of CATETUBE_METRICS_ALLOW */
};
enum ct_route_flags {
	CT_R_SLOW = 1 << 0,  /* hashes a password: its own bounded thread */
	CT_R_IDEM = 1 << 1,  /* takes an idempotency key */
	CT_R_LOOP = 1 << 2,  /* needs no database: answered by the front loop */
	CT_R_CAT = 1 << 3,   /* {id} is the cat that it is about */
	CT_R_UPLOAD = 1 << 4 /* its body is a zip archive, at most
				CT_UPLOAD_MAX, which the handler reads */
};

struct ct_route {
	unsigned method;
	const char *pattern; /* without the trailing slash; {id} and {sub}: a
				UUID, {word}: lower-case letters */
	enum ct_who who;
	enum ct_class class;
	unsigned flags;
	/* Name of its cached answer, NULL: none. It is cached by the cat, for
	 * requests without parameters but ?cat_id, and shown to every member
	 * of it. */
	const char *tag;
	enum ct_rc (*handler)(struct ct_req *r, struct ct_err *err);
	const struct ct_fields *query;	  /* parameters, NULL: it takes none */
	const struct ct_fields *body;	  /* JSON body, NULL: it takes none */
	const struct ct_entry_kind *kind; /* of the handlers in h_entry.c */
	const char *summary;
	/* Its answers in openapi.yaml: "201 FeedingAdded", status and shape or
	 * media type (fcgi/shapes.c), then statuses that the row does not
	 * imply. NULL: those that every entry kind has. */
	const char *out;
};

extern const struct ct_route ct_routes[];
extern const size_t ct_routes_n;

/*
 * Set r->route, id, word and allow. CT_NOTFOUND: no such path.
 * CT_INVALID with code "method": the path has other methods (r->allow).
 */
enum ct_rc ct_route_find(struct ct_req *r, struct ct_err *err) CT_MUSTCHECK;
/* "GET, HEAD, POST": for the Allow header. */
struct ct_str ct_route_allow(struct ct_arena *a, unsigned methods);
/* One line per route for -R: METHOD PATTERN AUTH CLASS FLAGS. */
void ct_routes_print(void);
const char *ct_method_name(unsigned method);
const char *ct_who_name(enum ct_who who);
/* Requests per minute of the class; 0: no limit. */
int64_t ct_class_limit(const struct ct_conf *c, enum ct_class class);
const char *ct_class_name(enum ct_class class);

#endif
