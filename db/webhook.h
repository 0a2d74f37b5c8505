/*
 * Webhooks: addresses that are told what happens to a cat, and deliveries,
 * which are what there is to be told. A delivery is written with its outbox
 * row in the statement of what happened (db/webhook_sql.h); its job has the
 * same id. The entry itself is read when it is sent, as its account may see it
 * then.
 */
#ifndef CT_DB_WEBHOOK_H
#define CT_DB_WEBHOOK_H

#include "common/conf.h"
#include "common/crypto.h"
#include "db/pg.h"

#define CT_WEBHOOK_TASK	    "webhook.send"
#define CT_WEBHOOK_OPEN_MAX 1000 /* deliveries that wait; as in 0014 */

/* Names of the events, NULL at the end: bit i is the i-th. */
extern const char *const ct_webhook_events[];
/* "entry.added" for 1; "test" for 0. */
const char *ct_webhook_event_name(int64_t bit);

struct ct_webhook {
	struct ct_uuid id;
	struct ct_uuid cat;
	struct ct_str url;
	int64_t events; /* bits */
	bool enabled;
	struct ct_str disabled_why; /* absent: it was not, or by its owner */
	int64_t failures;	    /* tries in a row */
	int64_t last_at;	    /* us, CT_NULL_I64: never tried */
	int64_t last_status;	    /* of HTTP, CT_NULL_I64: no answer */
	struct ct_str last_error;
	int64_t created_at;
	struct ct_uuid key; /* of the secret */
};
extern const struct ct_fields ct_webhook_fields;

struct ct_delivery {
	struct ct_uuid id;
	int64_t event; /* a bit, or 0 */
	struct ct_str noun;
	struct ct_uuid noun_id;
	int64_t version;     /* CT_NULL_I64: it has none */
	struct ct_str state; /* pending, sent, failed, dropped */
	int64_t attempts;
	int64_t status; /* of the last answer, CT_NULL_I64: none */
	struct ct_str error;
	int64_t created_at, done_at;
};
extern const struct ct_fields ct_delivery_fields;
extern const struct ct_stmt *const ct_webhook_stmts[];

/* ------------------------------------------------ for the owner */

/*
 * in: id, cat, url, events, enabled and key. CT_NOTFOUND: the account is no
 * member of the cat. CT_CONFLICT, code "too_many": it has `most`.
 */
enum ct_rc ct_webhook_add(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, int64_t most, struct ct_webhook *in,
    struct ct_err *err) CT_MUSTCHECK;
/* Newest first; at most 200. */
enum ct_rc ct_webhook_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_webhook **out, int *n,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND: none of the account's; so do the next four. */
enum ct_rc ct_webhook_get(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_webhook *out, struct ct_err *err) CT_MUSTCHECK;
/*
 * Write url, events, enabled and key of w; w becomes the new row. Another
 * address, or being switched on again, forgets what failed.
 */
enum ct_rc ct_webhook_update(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_webhook *w,
    struct ct_err *err) CT_MUSTCHECK;
/* With its deliveries and their jobs. */
enum ct_rc ct_webhook_remove(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * A delivery that only says hello. CT_LIMITED: CT_WEBHOOK_OPEN_MAX wait.
 */
enum ct_rc ct_webhook_test(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *id,
    struct ct_uuid *delivery, struct ct_err *err) CT_MUSTCHECK;
/* The newest 100. CT_NOTFOUND as above. */
enum ct_rc ct_delivery_list(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, const struct ct_uuid *webhook,
    struct ct_delivery **out, int *n, struct ct_err *err) CT_MUSTCHECK;

/* The secret of that key, from conf->secret_key; and as its owner sees it. */
void ct_webhook_secret(
    const struct ct_conf *conf, const struct ct_uuid *key, uint8_t out[CT_KEY]);
struct ct_str ct_webhook_secret_text(
    struct ct_arena *a, const uint8_t secret[CT_KEY]);

/* ------------------------------------------------ for the worker */

struct ct_send {
	struct ct_delivery d;
	struct ct_uuid webhook, account, cat, key;
	struct ct_str url;
	bool active; /* switched on, by an account that is open */
	int64_t failures;
	int64_t hold_ms; /* nothing is to be sent so long; 0: now */
	int64_t age_s;
};
/* CT_NOTFOUND: it was removed meanwhile. */
enum ct_rc ct_delivery_start(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_send *out,
    struct ct_err *err) CT_MUSTCHECK;

/* What came of one try. */
struct ct_sent {
	bool ok;
	bool again;	   /* it will be tried again */
	bool gone;	   /* the target wants no more */
	int64_t status;	   /* CT_NULL_I64: no answer */
	struct ct_str why; /* absent: ok */
	int64_t hold_s;	   /* after a failure: the next one not before */
	int64_t job_attempt;
};
/* Somebody to be told that the webhook was switched off. */
struct ct_webhook_off {
	bool off;
	struct ct_str email, name;
};
/*
 * Write it down: delivery, webhook, outbox row and job_run. In the caller's
 * transaction. out->off: this failure was one too many, and the first to be.
 */
enum ct_rc ct_delivery_tried(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const struct ct_sent *s,
    struct ct_webhook_off *out, struct ct_err *err) CT_MUSTCHECK;
/* It ends without a try; state: "dropped" or "failed". */
enum ct_rc ct_delivery_drop(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const char *state, struct ct_str why,
    struct ct_err *err) CT_MUSTCHECK;
/* Up to $1 of those that ended over 30 days ago; for db/purge.c. */
extern const struct ct_stmt ct_delivery_purge;

#endif
