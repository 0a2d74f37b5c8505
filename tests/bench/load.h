/*
 * The load generator's parts: what to send (load_tmpl.c), how to read an
 * answer (load_resp.c), the threads that do it (load.c).
 */
#ifndef CT_BENCH_LOAD_H
#define CT_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMPL_MAX   8
#define PATCH_MAX  4
#define ETAG_MAX   80
#define REQ_MAX	   4096
#define HEAD_MAX   4096
#define STATUS_MAX 600

/* A place of fixed width in a template that each request fills anew. */
struct patch {
	size_t at;
	bool uuid; /* else the 1-based number of the session, 5 digits */
};

/* One line of the request file: "weight METHOD path [body]". */
struct tmpl {
	unsigned weight;
	bool get;
	char name[64];
	char head[1024]; /* request line and fixed headers */
	size_t head_n;
	char body[1024];
	size_t body_n;
	struct patch patch[PATCH_MAX]; /* of the head, then of the body */
	unsigned patches, head_patches;
};

struct plan {
	struct tmpl tmpl[TMPL_MAX];
	unsigned n, weights;
	char **cookie; /* of each session; one empty one without a file */
	unsigned sessions;
};

/* The answer that is being read on a connection. */
struct resp {
	int status;
	bool in_body, chunked, close;
	unsigned chunk_state;
	uint64_t left; /* body bytes, or bytes of this chunk */
	char etag[ETAG_MAX];
	size_t head_n;
	char *head; /* a header that came in pieces; NULL until needed */
};

/* Both print what is wrong and exit. headers: "Name: value\r\n" lines. */
void plan_requests(
    struct plan *p, const char *file, const char *host, const char *headers);
void plan_sessions(struct plan *p, const char *file);
/* Write one request to out; etag may be NULL. Returns its length. */
size_t plan_render(const struct plan *p, unsigned tmpl, unsigned session,
    const char *etag, uint64_t rng[2], char out[REQ_MAX]);
uint64_t rng_next(uint64_t rng[2]);

/* Ready for the next answer; keeps the memory. */
void resp_reset(struct resp *r);
/* 1 the answer is complete, 0 more is needed, -1 no HTTP or too much. */
int resp_feed(struct resp *r, const char *p, size_t n);

#endif
