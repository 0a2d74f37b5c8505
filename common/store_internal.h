/* What the kinds of stores share with store.c. */
#ifndef CT_COMMON_STORE_INTERNAL_H
#define CT_COMMON_STORE_INTERNAL_H

#include "common/store.h"

struct ct_store_kind {
	enum ct_rc (*list)(struct ct_store *s, struct ct_arena *a,
	    struct ct_store_list *out, struct ct_err *err);
	enum ct_rc (*remove)(
	    struct ct_store *s, const char *name, struct ct_err *err);
	enum ct_rc (*put_begin)(
	    struct ct_store *s, const char *name, struct ct_err *err);
	enum ct_rc (*put)(
	    struct ct_store *s, const void *p, size_t n, struct ct_err *err);
	enum ct_rc (*put_end)(struct ct_store *s, struct ct_err *err);
	void (*put_abort)(struct ct_store *s);
	enum ct_rc (*get_begin)(struct ct_store *s, const char *name,
	    int64_t *bytes, struct ct_err *err);
	enum ct_rc (*get)(
	    struct ct_store *s, struct ct_str *out, struct ct_err *err);
	void (*get_end)(struct ct_store *s);
};

struct ct_store {
	const struct ct_store_kind *kind;
	struct ct_arena *a;
	void *own; /* of the kind */
	bool (*go_on)(void *arg);
	void *arg;
	bool putting;
	bool getting;
};

/* Add one; CT_TOOBIG. */
enum ct_rc ct_store_add(struct ct_store_list *l, struct ct_arena *a,
    struct ct_str name, int64_t bytes, struct ct_err *err) CT_MUSTCHECK;

enum ct_rc ct_store_dir(
    struct ct_store *s, const char *path, struct ct_err *err) CT_MUSTCHECK;
/* bucket: what follows "s3://". */
enum ct_rc ct_store_s3(struct ct_store *s, const struct ct_conf *conf,
    const char *bucket, struct ct_err *err) CT_MUSTCHECK;

#endif
