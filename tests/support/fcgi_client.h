/*
 * A FastCGI client that may lie: builds records byte by byte, so that a test
 * can cut, bend and stall them, and reads what comes back.
 */
#ifndef CT_TESTS_SUPPORT_FCGI_CLIENT_H
#define CT_TESTS_SUPPORT_FCGI_CLIENT_H

#include "common/str.h"

/* Types of records. */
enum {
	CT_FCGI_BEGIN = 1,
	CT_FCGI_ABORT = 2,
	CT_FCGI_END = 3,
	CT_FCGI_PARAMS = 4,
	CT_FCGI_STDIN = 5,
	CT_FCGI_STDOUT = 6,
	CT_FCGI_STDERR = 7,
	CT_FCGI_DATA = 8,
	CT_FCGI_GET_VALUES = 9,
	CT_FCGI_GET_VALUES_RESULT = 10,
	CT_FCGI_UNKNOWN_TYPE = 11
};

struct ct_fcgi_req {
	const char *method; /* NULL: the parameter is left out */
	const char *path;
	const char *query;  /* NULL: none */
	const char *cookie; /* NULL: none */
	const char *length; /* CONTENT_LENGTH; NULL: that of the body */
	struct ct_str body; /* absent: none */
	const char *type;   /* of the body; NULL: application/json */
	bool close;	    /* do not ask to keep the connection */
	/* Further parameters, "NAME=value"; NULL-terminated where shorter. */
	const char *more[8];
};

struct ct_fcgi_res {
	int status; /* 0: no answer came */
	struct ct_str head;
	struct ct_str body; /* followed by a NUL that is not counted */
	bool ended;	    /* END_REQUEST was seen */
	bool closed;	    /* the server closed the connection */
	int64_t ms;	    /* from the call to the end or the time-out */
};

/* One record of at most 65,535 bytes, or a header that claims `claim`. */
void ct_fcgi_record(
    struct ct_buf *b, unsigned type, unsigned id, struct ct_str content);
void ct_fcgi_header(struct ct_buf *b, unsigned version, unsigned type,
    unsigned id, unsigned claim, unsigned padding);
/* BEGIN_REQUEST of a responder. */
void ct_fcgi_begin(struct ct_buf *b, unsigned id, bool keep);
/* One pair of the PARAMS stream, into what becomes its content. */
void ct_fcgi_pair(struct ct_buf *b, struct ct_str name, struct ct_str value);
/* Content of any length as records of one stream, and its empty last one. */
void ct_fcgi_stream(
    struct ct_buf *b, unsigned type, unsigned id, struct ct_str content);
/* A whole request, as nginx would send it, with id 1. */
struct ct_str ct_fcgi_request(
    struct ct_arena *a, const struct ct_fcgi_req *req);

/* The bytes with one to eight faults, by the seed; b is begun anew. */
void ct_fcgi_mutate(uint64_t *seed, struct ct_str whole, struct ct_buf *b);

/* A connection to the unix socket; -1 with errno. */
int ct_fcgi_dial(const char *path);
/* False where the server took not all of it within 20 s. */
bool ct_fcgi_send(int fd, struct ct_str bytes);
/* Read until END_REQUEST, end of file or the time-out. */
struct ct_fcgi_res ct_fcgi_read(int fd, struct ct_arena *a, int timeout_ms);
/* Send on an open connection and read the answer. */
struct ct_fcgi_res ct_fcgi_talk(
    int fd, struct ct_arena *a, const struct ct_fcgi_req *req);
/* The same over a connection of its own. */
struct ct_fcgi_res ct_fcgi_ask(
    const char *path, struct ct_arena *a, const struct ct_fcgi_req *req);
/* True once the server closed the connection; false when the time is up. */
bool ct_fcgi_wait_close(int fd, int timeout_ms);
/* The same without reading: what was sent to us is left where it is. */
bool ct_fcgi_wait_hangup(int fd, int timeout_ms);
/* Value of a header of the answer, trimmed; absent where there is none. */
struct ct_str ct_fcgi_head(const struct ct_fcgi_res *res, const char *name);

#endif
