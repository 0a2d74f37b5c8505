/* What mails say; see mail_text.h. */
#include "worker/mail_text.h"

#include <string.h>

#define HELLO "Hello {name},\n\n"
#define NOT_ME                                                                 \
	"If that was not you, somebody else knows your password. Choose a new" \
	" one at once:\n\n{origin}/forgot-password"

#define NO_MORE                                                                \
	"You get this mail because of a schedule in your account. Delete it"   \
	" there, and no more will come."
#define REPORT_PATH "/api/report/download/"

const struct ct_mail_text ct_mail_texts[] = {
    {"change_email", "/confirm-email", CT_ML_FREE,
	"Confirm your new e-mail address",
	HELLO "please confirm that this is to be the address of your CatETube"
	      " account:\n\n{link}\n\nThe link works once, for 24 hours. Until"
	      " then the old address stays.\n\nIf you did not ask for this,"
	      " ignore this mail; nothing changes."},
    {"deactivated", NULL, 0, "Your CatETube account is closed",
	HELLO "your account has been closed, as you asked. Its data are kept"
	      " for at least 60 more days. Until it is deleted, your e-mail"
	      " address and password open it again:\n\n{origin}/reactivate"},
    {"email_notice", "/undo-email", 0,
	"Your CatETube account is about to get another address",
	HELLO "somebody who is logged in to your account asked to change its"
	      " e-mail address to {address}.\n\nIf that was you, there is"
	      " nothing to do here.\n\nIf it was not, this link keeps this"
	      " address, or brings it back, and logs everybody out. It works"
	      " for 7 days:\n\n{link}"},
    {"inactive_deactivated", NULL, 0, "Your CatETube account is closed",
	HELLO "nobody has used your account for 60 days, so it has been"
	      " closed. Its data are kept: your e-mail address and password"
	      " open it again:\n\n{origin}/reactivate\n\nIf you do not, the"
	      " account and its data will be deleted 60 days from now."},
    {"inactive_warning", NULL, 0, "Your CatETube account will be closed",
	HELLO "nobody has used your account for a long time. It will be closed"
	      " in 7 days, and deleted with all its data 60 days later.\n\nTo"
	      " keep it, just log in:\n\n{origin}/"},
    {"invite", "/invite", 0, "{inviter} invites you to care for {cat}",
	"Hello,\n\n{inviter} uses CatETube Tracker to log the meals and"
	" medicines of {cat}, and would like you to join.\n\n{link}\n\nThe"
	" link works once, for 7 days. If you do not know {inviter}, ignore"
	" this mail."},
    {"password_changed", NULL, 0, "Your CatETube password was changed",
	HELLO "the password of your account was changed just now, and all"
	      " other devices were logged out. Tokens that you gave to programs"
	      " still work.\n\n" NOT_ME},
    {"report", REPORT_PATH, CT_ML_REPORT,
	"{cat}: {what} report, {from} to {to}",
	HELLO "attached is the report about {cat} that you asked for each"
	      " week, from {from} to {to}.\n\nUntil it is deleted you can"
	      " download it, too, where you are logged in:\n\n{link}"
	      "\n\n" NO_MORE},
    {"report_failed", NULL, 0, "{cat}: no {what} report, {from} to {to}",
	HELLO "the report about {cat} that you asked for each week, from"
	      " {from} to {to}, could not be made. What was logged is all"
	      " there; please ask for the report again in the"
	      " app:\n\n{origin}/\n\n" NO_MORE},
    {"report_link", REPORT_PATH, CT_ML_REPORT,
	"{cat}: {what} report, {from} to {to}",
	HELLO "the report about {cat} that you asked for each week, from"
	      " {from} to {to}, is ready. Download it where you are logged"
	      " in, before it is deleted:\n\n{link}\n\n" NO_MORE},
    {"reset", "/reset-password", CT_ML_OWNER, "Choose a new password",
	"Hello,\n\nsomebody, probably you, asked for a new password for the"
	" CatETube account of this address. Choose it here:\n\n{link}\n\nThe"
	" link works once, for 30 minutes. If you did not ask for it, ignore"
	" this mail; your password stays as it is."},
    {"totp_off", NULL, 0, "One-time codes are off for your CatETube account",
	HELLO "your account no longer asks for a one-time code: whoever has"
	      " the password can log in.\n\n" NOT_ME},
    {"totp_on", NULL, 0, "One-time codes are on for your CatETube account",
	HELLO "your account now asks for a one-time code at each log-in. Keep"
	      " the recovery codes where you find them without your"
	      " phone.\n\n" NOT_ME},
    {"verify", "/verify-email", 0, "Confirm your e-mail address",
	HELLO "welcome to CatETube Tracker. Please confirm your e-mail"
	      " address, so that you can get back in if you lose your"
	      " password:\n\n{link}\n\nThe link works once, for 24 hours. If"
	      " you did not make an account, ignore this mail."},
    {"webhook_off", NULL, 0, "A webhook of yours was switched off",
	HELLO "your webhook to {target} has been switched off: it had not"
	      " worked for a day, or said that it wants no more. The last try"
	      " ended like this:\n\n{why}\n\nWhat happens meanwhile is not"
	      " sent later; your entries are all there. When the target works"
	      " again, switch the webhook on again:\n\n{origin}/"},
};
const size_t ct_mail_texts_n = ct_countof(ct_mail_texts);

#define FOOT                                                                   \
	"CatETube Tracker, {origin}\nThis mail was sent by a program; nobody"  \
	" reads answers to it."

const struct ct_mail_text *
ct_mail_text_find(struct ct_str kind)
{
	for (size_t i = 0; i < ct_mail_texts_n; i++) {
		if (ct_str_is(kind, ct_mail_texts[i].kind))
			return &ct_mail_texts[i];
	}
	return NULL;
}

static void
add_escaped(struct ct_buf *b, struct ct_str s)
{
	static const struct {
		char c;
		const char *as;
	} table[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"},
	    {'"', "&quot;"}, {'\'', "&#39;"}};

	for (size_t i = 0; i < s.n; i++) {
		size_t k = 0;

		while (k < ct_countof(table) && table[k].c != s.p[i])
			k++;
		if (k < ct_countof(table))
			ct_buf_adds(b, table[k].as);
		else
			ct_buf_addc(b, s.p[i]);
	}
}

static struct ct_str
value_of(const struct ct_mail_values *v, const char *name)
{
	if (strcmp(name, "link") == 0)
		return v->link;
	if (strcmp(name, "origin") == 0)
		return v->origin;
	return ct_json_str(ct_json_get(v->args, name));
}

/* One line of a template with its values. */
static enum ct_rc
fill(struct ct_arena *a, struct ct_buf *b, struct ct_str from,
    const struct ct_mail_values *v, bool html, struct ct_err *err)
{
	while (from.p) {
		struct ct_str lit = ct_str_split(&from, '{');
		struct ct_str value;
		char *name;

		if (html)
			add_escaped(b, lit);
		else
			ct_buf_addstr(b, lit);
		if (!from.p)
			break;
		name = ct_str_cstr(a, ct_str_split(&from, '}'));
		value = value_of(v, name);
		if (!value.p)
			return ct_fail(err, CT_INTERNAL, NULL,
			    "the mail has no value for {%s}", name);
		if (html)
			add_escaped(b, value);
		else
			ct_buf_addstr(b, value);
	}
	return CT_OK;
}

/* A paragraph that is an address on its own becomes a link. */
static enum ct_rc
add_paragraph(struct ct_arena *a, struct ct_buf *b, struct ct_str text,
    const struct ct_mail_values *v, struct ct_err *err)
{
	bool link = text.p[0] == '{' && text.n >= 6 &&
		    (ct_str_starts(text, CT_STR("{link}")) ||
			ct_str_starts(text, CT_STR("{origin}")));
	enum ct_rc rc;

	ct_buf_adds(b, "<p>");
	if (link) {
		ct_buf_adds(b, "<a href=\"");
		if (fill(a, b, text, v, true, err) != CT_OK)
			return err->rc;
		ct_buf_adds(b, "\">");
	}
	rc = fill(a, b, text, v, true, err);
	ct_buf_adds(b, link ? "</a></p>\n" : "</p>\n");
	return rc;
}

static enum ct_rc
make_html(struct ct_arena *a, struct ct_buf *b, const char *text,
    const struct ct_mail_values *v, struct ct_err *err)
{
	const char *end;

	ct_buf_adds(b,
	    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "</head>\n<body style=\"font-family: sans-serif; font-size: 16px;"
	    " line-height: 1.5\">\n");
	for (; text; text = end ? end + 2 : NULL) {
		end = strstr(text, "\n\n");
		if (add_paragraph(a, b,
			(struct ct_str){
			    text, end ? (size_t)(end - text) : strlen(text)},
			v, err) != CT_OK)
			return err->rc;
	}
	ct_buf_adds(b, "</body></html>\n");
	return CT_OK;
}

enum ct_rc
ct_mail_text_fill(struct ct_arena *a, const struct ct_mail_text *t,
    const struct ct_mail_values *v, struct ct_str *subject, struct ct_str *text,
    struct ct_str *html, struct ct_err *err)
{
	struct ct_buf b[3];
	const char *whole = ct_arena_printf(a, "%s\n\n%s", t->text, FOOT);

	for (size_t i = 0; i < ct_countof(b); i++)
		ct_buf_init(&b[i], a, 1024);
	if (fill(a, &b[0], ct_str_of(t->subject), v, false, err) != CT_OK ||
	    fill(a, &b[1], ct_str_of(whole), v, false, err) != CT_OK ||
	    make_html(a, &b[2], whole, v, err) != CT_OK)
		return err->rc;
	*subject = ct_buf_str(&b[0]);
	*text = ct_buf_str(&b[1]);
	*html = ct_buf_str(&b[2]);
	return CT_OK;
}
