/*
 * The part of an S3 server's HTTP that we use: one request with its body in
 * memory, signed (SigV4) by libcurl, its answer in memory. Path-style addresses
 * (endpoint/bucket/key), which every server takes.
 */
#ifndef CT_COMMON_S3_H
#define CT_COMMON_S3_H

#include "common/conf.h"
#include "common/err.h"
#include "common/str.h"

#define CT_S3_TEXT ((size_t)1 << 20) /* longest answer that is no object */
#define CT_S3_ETAG 128

struct ct_s3;

struct ct_s3_ask {
	const char *method; /* GET, PUT, POST, DELETE */
	const char *key;    /* of an object, "" for the bucket itself */
	const char *query;  /* "" or sorted and encoded: "prefix=a%2F&x=" */
	struct ct_str body;
	/* A part of an object, into room bytes at into; NULL: no object. */
	char *into;
	size_t room;
	int64_t from;	      /* its first byte */
	const char *if_match; /* its ETag, or NULL */
};
struct ct_s3_answer {
	long status;	    /* 0: none came */
	struct ct_str body; /* until the next request */
	char etag[CT_S3_ETAG];
	int64_t total; /* bytes of the object of which a part came; -1: unknown
			*/
};

/*
 * bucket: as s3://bucket, without anything behind. The arena closes it.
 * CT_INVALID: an option of conf is wrong or missing.
 */
enum ct_rc ct_s3_open(struct ct_arena *a, const struct ct_conf *conf,
    struct ct_str bucket, struct ct_s3 **out, struct ct_err *err) CT_MUSTCHECK;
/* See ct_store_go_on. */
void ct_s3_go_on(struct ct_s3 *s, bool (*go_on)(void *arg), void *arg);
/*
 * Blocks for up to three tries, each until CATETUBE_S3_TIMEOUT_S passes without
 * a byte. CT_RETRY: no connection, silence, 5xx, 429, or go_on was false.
 * CT_FORBIDDEN: 401, 403. CT_NOTFOUND: 404; code is S3's ("NoSuchKey").
 * CT_CONFLICT: 412. CT_TOOBIG: an answer over its bound. CT_INVALID: all else.
 */
enum ct_rc ct_s3_call(struct ct_s3 *s, const struct ct_s3_ask *ask,
    struct ct_s3_answer *out, struct ct_err *err) CT_MUSTCHECK;

#endif
