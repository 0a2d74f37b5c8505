/*
 * Care entries: what feeding, medication and every later noun of that kind
 * share. An entry kind is one struct that begins with struct ct_entry, one
 * field table, and seven statements with the same parameters; create, list,
 * get, change, remove and restore are written once, here.
 *
 * All statements are OWNED: they join cat_member on the asking account, so an
 * entry of a cat that is not the caller's does not exist for them.
 */
#ifndef CT_DB_ENTRY_H
#define CT_DB_ENTRY_H

#include "db/pg.h"

enum ct_role { CT_VIEWER = 1, CT_HELPER, CT_CAREGIVER, CT_OWNER };

struct ct_entry {
	struct ct_uuid id;
	struct ct_uuid cat_id;
	int64_t given_at;	   /* us */
	int32_t care_day;	   /* in the cat's zone when it was written */
	struct ct_str notes;	   /* <= 4,000 code points */
	struct ct_uuid by_account; /* nil: the account is gone */
	struct ct_str by_name;
	int64_t version; /* 1, 2, …: rises with every change */
	int64_t created_at;
	int64_t updated_at;
	int64_t deleted_at; /* CT_NULL_I64: alive */
	int64_t my_role;    /* the asker's role on the cat */
};

struct ct_entry_kind {
	const struct ct_fields *fields;
	const struct ct_stmt *add;   /* see ct_entry_add_params */
	const struct ct_stmt *get;   /* account, id */
	const struct ct_stmt *list;  /* ct_entry_list */
	const struct ct_stmt *count; /* the same filters */
	const struct ct_stmt *update; /* account, id, version, time, notes, … */
	const struct ct_stmt *remove;  /* account, id, version */
	const struct ct_stmt *restore; /* account, id */
	size_t size;		       /* sizeof of the struct */
};

extern const struct ct_entry_kind ct_feeding_kind;
extern const struct ct_entry_kind ct_medication_kind;

/* Filters and page of a list; days are care days, inclusive. */
struct ct_entry_filter {
	struct ct_uuid cat;
	int32_t from_day, to_day; /* CT_NULL_DAY: open */
	int64_t from_us, to_us;	  /* half-open instants, CT_NULL_I64: open */
	int64_t limit, offset;
};

/*
 * CT_NOTFOUND: no such entry, or not of a cat of the account. Deleted entries
 * are found only where with_deleted is set.
 */
enum ct_rc ct_entry_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_uuid *id, bool with_deleted, void *out,
    struct ct_err *err) CT_MUSTCHECK;

/* CT_NOTFOUND with the sentence for an entry of that kind. */
enum ct_rc ct_entry_missing(const struct ct_entry_kind *k, struct ct_err *err);

/* *out: array of *n structs of the kind, newest first. */
enum ct_rc ct_entry_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_entry_filter *f, void **out, int *n, int64_t *total,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Write obj back where its version is still the stored one; obj becomes the
 * new row. The care day is computed anew from its time. The previous values go
 * to the audit trail. CT_CONFLICT, code "stale": changed or deleted meanwhile.
 */
enum ct_rc ct_entry_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err) CT_MUSTCHECK;

/* Soft delete and its undo; obj becomes the new row. CT_CONFLICT as above. */
enum ct_rc ct_entry_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_entry_restore(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    struct ct_err *err) CT_MUSTCHECK;

/* The fields and "by": {id, name}, as one JSON object. */
void ct_entry_write(
    const struct ct_entry_kind *k, const void *obj, struct ct_jw *w);

/* Appends account, cat, role, id, time and notes, then the kind's own writable
 * fields in table order: the parameters of every `add`. */
void ct_entry_add_params(struct ct_params *p, const struct ct_entry_kind *k,
    const struct ct_uuid *account, enum ct_role need, const void *obj);

#endif
