/*
 * A mail as bytes: headers (RFC 5322, words of RFC 2047) and two parts that say
 * the same, in quoted-printable; then a file in base64, where there is one.
 */
#ifndef CT_WORKER_MIME_H
#define CT_WORKER_MIME_H

#include "common/id.h"
#include "common/str.h"

/* A file that goes with it. */
struct ct_mime_file {
	const char *name; /* letters, digits, '-', '_' and '.' */
	const char *type; /* "text/csv; charset=utf-8" */
	struct ct_str body;
};

struct ct_mime {
	struct ct_uuid id;     /* Message-ID: the same for every try */
	struct ct_str host;    /* its right side */
	struct ct_str from;    /* address, checked */
	struct ct_str to;      /* address, checked */
	struct ct_str subject; /* UTF-8; control characters become blanks */
	struct ct_str text;    /* UTF-8, lines end in \n */
	struct ct_str html;
	int64_t date_us;
	const struct ct_mime_file *file; /* NULL: none */
};

/* The whole message with CRLF lines of at most 76 bytes, on the arena. */
struct ct_str ct_mime_write(struct ct_arena *a, const struct ct_mime *m);

/* For the tests. Lines end in \n; a CR or NUL in it is encoded. */
void ct_mime_quoted(struct ct_buf *b, struct ct_str s);
/* The value of a header that starts after `used` bytes of its line. */
void ct_mime_words(struct ct_buf *b, struct ct_str s, size_t used);

#endif
