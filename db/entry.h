/*
 * Care entries: what feeding, medication, weight and every later noun of that
 * kind share. An entry kind is one struct that begins with struct ct_entry, one
 * field table, one row of statements with the same parameters (entry_sql.h),
 * and what is its own: defaults, filters, checks, warnings. Create, list, get,
 * change, remove, restore, history and purge are written once.
 *
 * All statements but the purge are OWNED: they join cat_member on the asking
 * account, so an entry of a cat that is not the caller's does not exist for
 * them.
 */
#ifndef CT_DB_ENTRY_H
#define CT_DB_ENTRY_H

#include "db/pg.h"

enum ct_role { CT_VIEWER = 1, CT_HELPER, CT_CAREGIVER, CT_OWNER };

/* Room for a struct of any kind. */
#define CT_ENTRY_MAX 512
/* A deleted entry can be restored for that long, then it is purged. */
#define CT_ENTRY_KEPT_DAYS 30

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

/* The statements of a kind, in this order; entry_sql.h has their parameters. */
enum ct_entry_stmt {
	CT_E_ADD,
	CT_E_GET,
	CT_E_LIST,   /* the living, newest first: the plain page */
	CT_E_NEWEST, /* with filters, from a place on */
	CT_E_OLDEST,
	CT_E_UPDATE,
	CT_E_REMOVE,
	CT_E_RESTORE,
	CT_E_PURGE,
	CT_E_ALL,   /* of a cat, for an export */
	CT_E_BRING, /* one from an archive */
	CT_E_STMTS
};

struct ct_entry_kind {
	const char *name; /* its table, and its noun in the audit trail */
	const struct ct_fields *fields;
	const struct ct_fields *query;	    /* of its list: ct_entry_query */
	const struct ct_stmt *const *stmts; /* CT_E_STMTS of them */
	const void *fresh; /* what a new one is before its body */
	const char *added; /* sentence of the answer */
	/* What its fields say together; NULL: nothing. CT_INVALID. */
	enum ct_rc (*check)(const void *obj, struct ct_err *err);
	/* What is to be said about a new one, from the row of its `add`;
	 * elements of an open array. NULL: nothing. */
	void (*warn)(struct ct_arena *a, const void *obj,
	    const struct ct_res *r, struct ct_jw *w);
	/* Member that is false where nothing is to be logged in doubt, and what
	 * is said then; 0: there is none. */
	uint16_t confirm;
	const char *stop_code, *stop_text;
	bool bare; /* a list without ?page is an array of the last 100 */
};

extern const struct ct_entry_kind ct_feeding_kind;
extern const struct ct_entry_kind ct_medication_kind;
extern const struct ct_entry_kind ct_weight_kind;
extern const struct ct_entry_kind ct_observation_kind;
extern const struct ct_entry_kind ct_water_kind;
extern const struct ct_entry_kind ct_tube_check_kind;
/* All of them, NULL at the end (db/registry.c). */
extern const struct ct_entry_kind *const ct_entry_kinds[];
/* By its name; NULL: there is none. */
const struct ct_entry_kind *ct_entry_kind_find(struct ct_str name);

/* The parameters of a list as its client gave them. */
#define CT_ENTRY_FILTERS 2
struct ct_entry_query {
	struct ct_uuid cat;
	int64_t page; /* CT_NULL_I64: not given */
	int64_t per_page;
	struct ct_str from, to; /* a day or an instant */
	struct ct_str cursor;	/* of ct_entry_cursor */
	struct ct_str ordering; /* newest, oldest; absent: newest */
	struct ct_str deleted;	/* only, with; absent: none */
	struct ct_str filter[CT_ENTRY_FILTERS]; /* of the kind's own */
};

/* Which entries, in which order, how many of them. */
struct ct_entry_filter {
	struct ct_uuid cat;
	int32_t from_day, to_day; /* inclusive; CT_NULL_DAY: open */
	int64_t from_us, to_us;	  /* half-open instants, CT_NULL_I64: open */
	int64_t place_us;	  /* go on after this entry, CT_NULL_I64: */
	struct ct_uuid place_id;  /* from the first one */
	bool oldest;		  /* first */
	struct ct_str deleted;
	struct ct_str filter[CT_ENTRY_FILTERS];
	bool count; /* how many there are in all */
	int64_t limit, offset;
};

/* The place after an entry as opaque text, and back; false: it is none. */
struct ct_str ct_entry_cursor(struct ct_arena *a, const struct ct_entry *e);
bool ct_entry_place(struct ct_str text, int64_t *us, struct ct_uuid *id);

/*
 * Add obj, which becomes the row as stored: id must be set, given_at
 * CT_NULL_I64 is now. *r is the row, for the kind's warn. Kinds that warn are
 * serialised per cat, so that of two at once the second sees the first.
 * *stopped: confirm is false and there is a reason; nothing was written.
 * CT_NOTFOUND: no such cat, or the account is no member. CT_FORBIDDEN: the role
 * is too low. CT_CONFLICT, code "exists": the id is taken.
 */
enum ct_rc ct_entry_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account, void *obj,
    const struct ct_res **r, bool *stopped, struct ct_err *err) CT_MUSTCHECK;

/*
 * CT_NOTFOUND: no such entry, or not of a cat of the account. Deleted entries
 * are found only where with_deleted is set.
 */
enum ct_rc ct_entry_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_entry_kind *k, const struct ct_uuid *account,
    const struct ct_uuid *id, bool with_deleted, void *out,
    struct ct_err *err) CT_MUSTCHECK;

/* CT_INVALID with field time_given: in the future, or before the year 2000. */
enum ct_rc ct_entry_time_ok(int64_t given_at, struct ct_err *err) CT_MUSTCHECK;

/* CT_NOTFOUND with the sentence for an entry of that kind. */
enum ct_rc ct_entry_missing(const struct ct_entry_kind *k, struct ct_err *err);

/*
 * *out: array of *n structs of the kind. *total: how many there are in all,
 * CT_NULL_I64 where f does not ask.
 */
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
/* {"id": …, "name": …} */
void ct_by_write(const struct ct_uuid *id, struct ct_str name, struct ct_jw *w);

/* The parameters of the kind's `add`. */
void ct_entry_add_params(struct ct_params *p, const struct ct_entry_kind *k,
    const struct ct_uuid *account, const void *obj);

/* What a client may write of the kind's own, in table order. */
void ct_entry_own_params(
    struct ct_params *p, const struct ct_entry_kind *k, const void *obj);

/* Open a warning: {"code": …, "message": …; the caller adds and ends it. */
void ct_warn_begin(struct ct_jw *w, const char *code, const char *text);

#endif
