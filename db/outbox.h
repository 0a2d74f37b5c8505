/*
 * The outbox: jobs that were promised in a transaction, until a relay has
 * pushed them and their effects are recorded. Used by the worker's relay.
 */
#ifndef CT_DB_OUTBOX_H
#define CT_DB_OUTBOX_H

#include "db/pg.h"

struct ct_outbox {
	struct ct_uuid id;
	struct ct_str task;
	struct ct_str queue;
	struct ct_str kwargs; /* JSON */
	int64_t priority;
	int64_t run_at;	    /* us, CT_NULL_I64: now */
	int64_t expires_at; /* us, CT_NULL_I64: never */
	int64_t sent_at;    /* us, CT_NULL_I64: pending */
};
extern const struct ct_fields ct_outbox_fields;
extern const struct ct_stmt *const ct_outbox_stmts[];

/*
 * Whether a relay has anything to do, here or in the table erasure: one trip,
 * for what is asked again and again.
 */
enum ct_rc ct_outbox_waits(struct ct_pg *pg, struct ct_arena *a, bool *any,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * Inside a transaction: lock up to limit rows that are pending, oldest first,
 * skipping those that another relay holds.
 */
enum ct_rc ct_outbox_take_pending(struct ct_pg *pg, struct ct_arena *a,
    int64_t limit, struct ct_outbox **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* The same for rows sent longer than age_s ago and not done. */
enum ct_rc ct_outbox_take_sent(struct ct_pg *pg, struct ct_arena *a,
    int64_t age_s, int64_t limit, struct ct_outbox **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* Mark as sent now. A row that is done stays done. */
enum ct_rc ct_outbox_sent(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_err *err) CT_MUSTCHECK;
/* Its job ended for good without effect (dead, revoked, expired). */
enum ct_rc ct_outbox_failed(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_err *err) CT_MUSTCHECK;
/* How many are pending, and the age of the oldest; 0 where there is none. */
enum ct_rc ct_outbox_count(struct ct_pg *pg, struct ct_arena *a, int64_t *n,
    int64_t *oldest_s, struct ct_err *err) CT_MUSTCHECK;
/*
 * A dead job is to run again: its row, and the mail that it was to send, wait
 * again where they had ended without effect. Jobs without a row are none of
 * this one's business.
 */
enum ct_rc ct_outbox_reopen(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_err *err) CT_MUSTCHECK;
/* Delete rows that were done or failed longer than age_s ago; *n how many. */
enum ct_rc ct_outbox_purge(struct ct_pg *pg, struct ct_arena *a, int64_t age_s,
    int64_t *n, struct ct_err *err) CT_MUSTCHECK;

#endif
