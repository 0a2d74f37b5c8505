/*
 * Mails: a row that says to whom, which kind and with what, and the outbox row
 * that makes the worker send it. The texts are the worker's (mail_text.c).
 */
#ifndef CT_DB_MAIL_H
#define CT_DB_MAIL_H

#include "db/account.h"
#include "db/account_token.h"

#define CT_MAIL_TASK  "mail.send"
#define CT_MAIL_QUEUE "mail"

struct ct_mail {
	struct ct_uuid id;	/* nil: made by ct_mail_add; the job's, too */
	struct ct_uuid account; /* nil: of no account */
	struct ct_uuid cat;	/* nil: about no cat */
	struct ct_str kind;	/* "verify", "reset", "invite"... */
	struct ct_str to;	/* address, as ct_email_ok wants it */
	struct ct_uuid token;	/* account_token row, nil: no link */
	struct ct_str args;	/* JSON object of texts; absent: {} */
	int64_t per_hour;	/* most mails of this kind to this address in
				   an hour; 0: no bound */
	struct ct_uuid report;	/* that it brings, nil: none; read only */
	struct ct_str state;	/* read only */
};
extern const struct ct_stmt *const ct_mail_stmts[];

/* ------------------------------------------------ for all */

/*
 * The mail row and its outbox row, in the caller's transaction if there is
 * one; the worker's relay pushes it within a second. CT_INVALID, field email:
 * no address that can be written to. CT_LIMITED, code "mail_limit": per_hour.
 */
enum ct_rc ct_mail_add(struct ct_pg *pg, struct ct_arena *a,
    struct ct_mail *mail, struct ct_err *err) CT_MUSTCHECK;
/* One of that kind to the account, without a link. */
enum ct_rc ct_mail_tell(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_account *u, const char *kind,
    struct ct_err *err) CT_MUSTCHECK;
/* {"name": text}, for args; and the same of two. */
struct ct_str ct_mail_arg(
    struct ct_arena *a, const char *name, struct ct_str text);
struct ct_str ct_mail_args(struct ct_arena *a, const char *name,
    struct ct_str text, const char *name2, struct ct_str text2);

/* ------------------------------------------------ for the worker */

/*
 * Load the row and mark it sending, unless it has ended (out->state tells).
 * CT_NOTFOUND: it was removed meanwhile.
 */
enum ct_rc ct_mail_start(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_mail *out,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * state: sent, failed or dropped, with the reason (absent: none); outbox row
 * and job_run in the same statement. Of two ends the first one counts.
 */
enum ct_rc ct_mail_end(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, const char *state, struct ct_str reason,
    int64_t attempt, struct ct_err *err) CT_MUSTCHECK;
/* Why the last try came to nothing, and back to queued. */
enum ct_rc ct_mail_again(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *id, struct ct_str reason,
    struct ct_err *err) CT_MUSTCHECK;
/* *account: whose address it is, nil: nobody's. */
enum ct_rc ct_mail_owner(struct ct_pg *pg, struct ct_arena *a,
    struct ct_str address, struct ct_uuid *account,
    struct ct_err *err) CT_MUSTCHECK;
/* Give the mail an account and a token, both made by the caller. */
enum ct_rc ct_mail_set_token(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_mail *mail, struct ct_err *err) CT_MUSTCHECK;
/*
 * Remove mails that ended long ago (dropped ones after an hour), and tokens
 * that ended a week ago.
 */
enum ct_rc ct_mail_purge(
    struct ct_pg *pg, struct ct_arena *a, struct ct_err *err) CT_MUSTCHECK;

#endif
