/*
 * Any path with any method: one row or none, the same with and without the
 * trailing slash, and what the pattern names was really there.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static struct ct_req
find(struct ct_arena *a, unsigned method, struct ct_str path, enum ct_rc *rc)
{
	struct ct_req r = {.a = a,
	    .method = method,
	    .method_text = CT_STR("A-METHOD-OF-ANY-LENGTH"),
	    .path = path,
	    .route_index = CT_ROUTES_MAX};
	struct ct_err err;

	ct_err_clear(&err);
	*rc = ct_route_find(&r, &err);
	require(*rc == CT_OK || *rc == err.rc);
	return r;
}

static void
check(const struct ct_req *r, enum ct_rc rc)
{
	if (rc == CT_OK) {
		require(r->route == &ct_routes[r->route_index]);
		require(r->route->method == r->method);
		require(r->allow & r->method);
		if (strstr(r->route->pattern, "{id}"))
			require(!ct_uuid_nil(&r->id));
		if (strstr(r->route->pattern, "{word}"))
			require(r->word.n > 0 && r->word.n <= 32);
		return;
	}
	require(!r->route && r->route_index == CT_ROUTES_MAX);
	require(rc == (r->allow ? CT_INVALID : CT_NOTFOUND));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ct_arena *a = ct_arena_create((size_t)1 << 20);
	unsigned method = n > 0 ? 1u << (data[0] & 7) >> 1 : 0;
	size_t len = n > 0 ? n - 1 : 0;
	struct ct_req r, twin;
	enum ct_rc rc, rc_twin;
	char *exact;

	if (len > 8192)
		len = 8192;
	exact = malloc(len + 2);
	require(exact != NULL);
	if (len > 0)
		memcpy(exact, data + 1, len);
	exact[len] = '/';
	r = find(a, method, (struct ct_str){exact, len}, &rc);
	check(&r, rc);
	if (len > 0 && exact[len - 1] != '/') {
		twin =
		    find(a, method, (struct ct_str){exact, len + 1}, &rc_twin);
		check(&twin, rc_twin);
		require(rc == rc_twin && r.route == twin.route);
	}
	free(exact);
	ct_arena_destroy(a);
	return 0;
}
