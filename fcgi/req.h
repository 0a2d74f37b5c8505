/*
 * One request: what nginx passed, what the gates found out, and the answer in
 * the making. All memory is on the request's arena.
 */
#ifndef CT_FCGI_REQ_H
#define CT_FCGI_REQ_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/field.h"
#include "common/queue.h"
#include "db/session.h"
#include "fcgi/app.h"
#include "fcgi/serve.h"

enum ct_method {
	CT_GET = 1 << 0,
	CT_POST = 1 << 1,
	CT_PUT = 1 << 2,
	CT_PATCH = 1 << 3,
	CT_DELETE = 1 << 4,
	CT_OPTIONS = 1 << 5
};

/* What Redis said about a request (common/lua/gate.lua). */
enum ct_verdict {
	CT_V_NONE, /* not asked, or Redis is away */
	CT_V_LIMITED,
	CT_V_NO_SESSION,
	CT_V_MISS,
	CT_V_HIT,
	CT_V_SAME /* the client holds the cached answer: 304 */
};

struct ct_route;

struct ct_req {
	struct ct_conn *conn;
	struct ct_arena *a;
	struct ct_app *app;
	int64_t start_us; /* monotonic */

	/* As nginx passed it; absent where it did not. */
	struct ct_str method_text, path, query, content_type, length_text;
	struct ct_str cookie, bearer, origin, fetch_site, host, if_none_match,
	    if_match, idem_key, agent, accept, addr, request_id, https,
	    cors_method;
	struct ct_str body;
	int64_t body_left; /* bytes of a longer body that were not read yet */
	unsigned method;   /* one enum ct_method, 0: another one */
	bool head;	   /* HEAD: as GET, the body stays here */

	/* Routing. */
	const struct ct_route *route; /* NULL: none */
	int route_index;	      /* CT_ROUTES_MAX: none */
	unsigned allow;		      /* methods that the path has */
	struct ct_uuid id, sub;	      /* {id} and {sub} of the pattern */
	struct ct_str word;	      /* {word} of the pattern */

	/* Gates. */
	bool has_token; /* the request shows a session */
	bool by_cookie;
	bool is_api_token;
	struct ct_str token;
	uint8_t token_hash[CT_DIGEST];
	char addr_digest[17];
	enum ct_verdict verdict;
	struct ct_str epoch, version; /* for storing the answer */
	int64_t remaining, reset_s, limit;
	bool signed_in;
	struct ct_uuid account;
	struct ct_uuid cat;	 /* default cat, nil: none */
	struct ct_uuid only_cat; /* of a token that sees one cat only, or nil */
	enum ct_token_scope scope;
	bool is_admin;
	struct ct_uuid asked_cat;   /* of a cached answer; nil: the default */
	const struct ct_json *json; /* body, parsed once */

	/* The lane that works on it. */
	struct ct_pg *pg;
	struct ct_redis *redis;
	struct ct_redis *cache;

	/* After the commit of the handler's write. */
	struct ct_uuid *bumps; /* forget what is cached about these cats */
	unsigned nbumps;
	struct ct_uuid *forgets; /* ... and who these accounts' sessions are */
	unsigned nforgets;
	bool forget_all;
	void (*after)(struct ct_req *r); /* NULL: nothing; cannot fail */
	/* A job whose row is in the outbox; task NULL: none. */
	struct ct_job_new push;

	/* The answer. */
	int status;
	struct ct_buf out;
	struct ct_jw jw;
	bool raw; /* not JSON: type is content_out */
	const char *content_out;
	struct ct_str etag;    /* 16 hex digits, absent: none */
	struct ct_buf headers; /* further lines, each with CRLF */
	int64_t cache_ttl_s;   /* handler: the answer may live so long */
	const char *extra_key; /* of the error body, NULL: none */
	struct ct_str extra;   /* its JSON value */
	struct ct_err err;
};

_Static_assert(sizeof(void *) == 8, "amd64 and arm64 only");

/*
 * Fill r from the connection's parameters and body. CT_GONE_CLIENT: the
 * request was cut: free the connection. CT_MALFORMED, CT_TOOBIG: answer it.
 */
enum ct_rc ct_req_read(struct ct_req *r, struct ct_conn *c, struct ct_app *app,
    struct ct_err *err) CT_MUSTCHECK;

/* Value of a cookie, absent where there is none. */
struct ct_str ct_cookie_get(struct ct_str header, const char *name);

/* What a route with CT_R_UPLOAD takes at the most. */
#define CT_UPLOAD_MAX (INT64_C(64) << 20)
/*
 * The next piece of an upload's body into p, at most room bytes; *n 0: it was
 * the whole body. Blocks on nginx, which has it all. CT_GONE_CLIENT: the body
 * was cut. CT_RETRY: it came too slowly.
 */
enum ct_rc ct_req_body_next(struct ct_req *r, char *p, size_t room, size_t *n,
    struct ct_err *err) CT_MUSTCHECK;
/* Read what nobody wanted of it, or have the connection closed. */
void ct_req_body_skip(struct ct_req *r);

/* The body as JSON, parsed at the first call. CT_MALFORMED. */
enum ct_rc ct_req_json(struct ct_req *r, const struct ct_json **out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * The body into obj by the route's table (ct_fields_bind). An empty body is {}.
 */
enum ct_rc ct_req_bind(struct ct_req *r, enum ct_bind_mode mode, void *obj,
    uint64_t *seen, struct ct_err *err) CT_MUSTCHECK;
/*
 * The query string into obj by the route's table: unknown or repeated
 * parameters and bad values are CT_INVALID, all at once.
 */
enum ct_rc ct_req_query(
    struct ct_req *r, void *obj, struct ct_err *err) CT_MUSTCHECK;
/* Refuses parameters and members where the route takes none. */
enum ct_rc ct_req_shape(struct ct_req *r, struct ct_err *err) CT_MUSTCHECK;

/*
 * Its answer may be cached (the route has a tag) until that instant, and for
 * CATETUBE_CACHE_TTL_S at the most.
 */
void ct_req_keep(struct ct_req *r, int64_t until_us);

/* At most this many of each; those past it drop everything cached. */
#define CT_BUMPS_MAX 64
/* Forget what is cached about the cat once the write is committed. */
void ct_req_bump(struct ct_req *r, const struct ct_uuid *cat);
/*
 * Forget the copies of the account's sessions and tokens once the write is
 * committed: whatever changes memberships, default cat or admin role.
 */
void ct_forget_sessions_of(struct ct_req *r, const struct ct_uuid *account);

/* Percent-decode with '+' as blank; absent where it is broken or holds NUL. */
struct ct_str ct_url_decode(struct ct_arena *a, struct ct_str s);

#endif
