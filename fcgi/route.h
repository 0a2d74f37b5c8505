/*
 * The route table's shape and its look-up. A route is one row; gates read the
 * row, handlers hold no auth, rate, size or ownership code.
 */
#ifndef CT_FCGI_ROUTE_H
#define CT_FCGI_ROUTE_H

#include "fcgi/req.h"

enum ct_auth {
	CT_A_OPEN,    /* anybody */
	CT_A_SESSION, /* somebody signed in */
	CT_A_ADMIN,   /* an account with the admin role */
	CT_A_LOCAL    /* addresses of CATETUBE_METRICS_ALLOW */
};
enum ct_route_flags {
	CT_R_SLOW = 1 << 0, /* hashes a password: its own bounded thread */
	CT_R_IDEM = 1 << 1, /* takes an idempotency key */
	CT_R_LOOP = 1 << 2  /* needs no database: answered by the front loop */
};

struct ct_route {
	unsigned method;
	const char *pattern; /* without the trailing slash; {id}: a UUID,
				{word}: lower-case letters */
	enum ct_auth auth;
	enum ct_class class;
	unsigned flags;
	const char *tag; /* name of its cached answer, "": none */
	enum ct_rc (*handler)(struct ct_req *r, struct ct_err *err);
	const char *summary;
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
/* Requests per minute of the class; 0: no limit. */
int64_t ct_class_limit(const struct ct_conf *c, enum ct_class class);
const char *ct_class_name(enum ct_class class);

#endif
