/*
 * A place for large files that are written once: a directory, or a bucket of an
 * S3 server. A file is there whole or not at all. One thing at a time per
 * store. Names are letters, digits, '-', '.' and end in ".ctb".
 *
 * Errors: CT_RETRY: the disk is full, the server is away or busy. CT_INVALID,
 * CT_FORBIDDEN: it will not work like this (no such directory, no right to
 * write, a key that the server refuses); the sentence says what. CT_NOTFOUND:
 * no such file or bucket.
 */
#ifndef CT_COMMON_STORE_H
#define CT_COMMON_STORE_H

#include "common/conf.h"
#include "common/err.h"
#include "common/str.h"

#define CT_STORE_NAME 64
#define CT_STORE_MAX  10000 /* files that a list holds */

struct ct_store;

struct ct_store_item {
	char name[CT_STORE_NAME];
	int64_t bytes;
};
struct ct_store_list {
	struct ct_store_item *item;
	size_t n, room;
};

/*
 * where: "/directory" or "s3://bucket[/prefix]"; conf has the rest. On the
 * arena, closed with it. Does not look at the place yet. CT_INVALID says what
 * is wrong with where or conf.
 */
enum ct_rc ct_store_open(struct ct_arena *a, const struct ct_conf *conf,
    const char *where, struct ct_store **out, struct ct_err *err) CT_MUSTCHECK;
/* Asked now and then in a long wait; false ends it (CT_RETRY, "stopped"). */
void ct_store_go_on(struct ct_store *s, bool (*go_on)(void *arg), void *arg);

/* In no order. CT_TOOBIG: more than CT_STORE_MAX. */
enum ct_rc ct_store_list(struct ct_store *s, struct ct_arena *a,
    struct ct_store_list *out, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_store_remove(
    struct ct_store *s, const char *name, struct ct_err *err) CT_MUSTCHECK;

/* A new file. CT_CONFLICT at the end: the name is taken. */
enum ct_rc ct_store_put_begin(
    struct ct_store *s, const char *name, struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_store_put(struct ct_store *s, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/* Now it is there, whatever happens to the machine. */
enum ct_rc ct_store_put_end(
    struct ct_store *s, struct ct_err *err) CT_MUSTCHECK;
/* Leave nothing behind; happens by itself when the arena is reset. */
void ct_store_put_abort(struct ct_store *s);

/* *bytes: its size. */
enum ct_rc ct_store_get_begin(struct ct_store *s, const char *name,
    int64_t *bytes, struct ct_err *err) CT_MUSTCHECK;
/* A view of the next bytes, until the next call; n is 0 at the end. */
enum ct_rc ct_store_get(
    struct ct_store *s, struct ct_str *out, struct ct_err *err) CT_MUSTCHECK;
void ct_store_get_end(struct ct_store *s);

bool ct_store_name_ok(struct ct_str name);

#endif
