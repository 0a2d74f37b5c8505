/*
 * What administrators may see and do: accounts by their metadata, never what
 * is known about a cat. Every statement asks anew whether the asking account is
 * an active administrator: the copy of a session may be minutes old. Whatever
 * changes something is written to the audit trail in the same statement.
 *
 * All functions block on PostgreSQL. CT_FORBIDDEN, code "admin": the asking
 * account is no active administrator (any more).
 */
#ifndef CT_DB_ADMIN_H
#define CT_DB_ADMIN_H

#include "db/pg.h"

struct ct_admin_account {
	struct ct_uuid id;
	struct ct_str email, role, status;
	int64_t verified_at;   /* us; CT_NULL_I64: the address is not proven */
	int64_t created_at;    /* us */
	int64_t last_login_at; /* CT_NULL_I64: never */
	int64_t seen_at;       /* of its sessions; CT_NULL_I64: it has none */
	int64_t sessions;      /* that did not end */
};
struct ct_admin_event {
	int64_t id;
	int64_t at;		/* us */
	struct ct_uuid account; /* who did it, nil: gone since */
	struct ct_str action, noun;
	struct ct_uuid noun_id; /* to which account or job, nil: to all */
	struct ct_str detail;	/* queue, node or task, where it is one */
};
extern const struct ct_fields ct_admin_account_fields, ct_admin_event_fields;
extern const struct ct_stmt *const ct_admin_stmts[];

/* Filters of both lists; nil and absent: all. */
struct ct_admin_filter {
	struct ct_str status; /* of accounts */
	struct ct_str q;      /* part of an address */
	struct ct_uuid id;    /* account, or the one an event is about or of */
	struct ct_str action; /* of events */
	int64_t limit, offset;
};

/* Newest first. *total: how many the filter finds in all. */
enum ct_rc ct_admin_accounts(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f,
    struct ct_admin_account **out, int *n, int64_t *total,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND. */
enum ct_rc ct_admin_account_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id,
    struct ct_admin_account *out, struct ct_err *err) CT_MUSTCHECK;
/* Events about accounts, newest first; those about cats are not there. */
enum ct_rc ct_admin_events(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_admin_filter *f,
    struct ct_admin_event **out, int *n, int64_t *total,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * Close an account, or open one that was closed so. Its sessions are ended
 * apart. One after another, so that of two administrators who close each other
 * one stays. CT_CONFLICT: code "self", the asking account; "status", it is not
 * in a state from which that goes. CT_NOTFOUND.
 */
enum ct_rc ct_admin_disable(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_admin_enable(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;
/* Is the account an active administrator? For what asks no statement here. */
enum ct_rc ct_admin_check(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, struct ct_err *err) CT_MUSTCHECK;
/*
 * Note what is done to a job (nil: to many, to a queue, to a node) and to which
 * (absent: nothing to say).
 */
enum ct_rc ct_admin_note_job(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *job, const char *action,
    struct ct_str detail, struct ct_err *err) CT_MUSTCHECK;
/* Note that it is done; id nil: to all accounts. CT_NOTFOUND. */
enum ct_rc ct_admin_note(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *admin, const struct ct_uuid *id, const char *action,
    struct ct_err *err) CT_MUSTCHECK;

#endif
