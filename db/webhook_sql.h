/*
 * What a statement says so that webhooks are told: a column whose only use is
 * that it is computed, where the cat has a webhook at all. Where it has none,
 * that costs one look into an index.
 */
#ifndef CT_DB_WEBHOOK_SQL_H
#define CT_DB_WEBHOOK_SQL_H

/* Events as bits, in the order of ct_webhook_events. */
#define WEBHOOK_ADDED	 "1"
#define WEBHOOK_CHANGED	 "2"
#define WEBHOOK_DELETED	 "4"
#define WEBHOOK_RESTORED "8"
#define WEBHOOK_REPORT	 "16"

/*
 * CAT: the cat's id; WHEN: " and …" that must hold, too; ID, VERSION: of the
 * thing, which is a NOUN; ACCOUNT: whose webhooks, "null": all of the cat's.
 */
#define WEBHOOK_FIRE(CAT, WHEN, EVENT, NOUN, ID, VERSION, ACCOUNT)             \
	"case when exists (select from webhook h where h.cat_id = " CAT        \
	")" WHEN " then ct_webhook_fire(" CAT ", " EVENT ", '" NOUN "', " ID   \
	", " VERSION ", " ACCOUNT ") end as fired"

#endif
