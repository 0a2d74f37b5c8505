/*
 * HTTP for the tests: requests are sent exactly as they are given (no cookie
 * engine, no redirects, no normalised paths, no headers of the library's own
 * making but Host, Accept and Content-Length). The door to libcurl of the
 * tests.
 */
#ifndef CT_TESTS_SUPPORT_HTTP_H
#define CT_TESTS_SUPPORT_HTTP_H

#include "common/str.h"

struct ct_http;

struct ct_http_req {
	const char *method;
	const char *path; /* from its '/' on, query included */
	/* "Name: value" lines, NULL-terminated; the array may be NULL */
	const char *const *headers;
	struct ct_str body; /* absent: none */
};

struct ct_http_res {
	int status;	    /* 0: no answer came */
	struct ct_str head; /* the header lines, as they arrived */
	struct ct_str body; /* followed by a NUL that is not counted */
};

/* base: "http://127.0.0.1:18080". Closed with the arena. One thread each. */
struct ct_http *ct_http_open(struct ct_arena *a, const char *base);
/* False where the connection failed or broke; res->status is 0 then. */
bool ct_http_send(struct ct_http *h, struct ct_arena *a,
    const struct ct_http_req *req, struct ct_http_res *res);
/* Value of the header, trimmed; absent where there is none. */
struct ct_str ct_http_header(const struct ct_http_res *res, const char *name);
/* How many lines of that name there are. */
unsigned ct_http_header_count(const struct ct_http_res *res, const char *name);

#endif
