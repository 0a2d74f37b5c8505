/*
 * What mails say: one row per kind. A text has paragraphs with an empty line
 * between; {name} stands for a value. The HTML part is made of the same text,
 * with the values escaped, so that both say the same.
 */
#ifndef CT_WORKER_MAIL_TEXT_H
#define CT_WORKER_MAIL_TEXT_H

#include "common/conf.h"
#include "common/json.h"

enum ct_mail_flags {
	CT_ML_OWNER = 1 << 0, /* is for the account of its address, found when
				 it is sent; nobody's: it is dropped */
	CT_ML_FREE = 1 << 1,  /* dropped where an account has the address */
	CT_ML_REPORT = 1 << 2 /* brings a report; {link}: where it is, without
				 a token */
};

struct ct_mail_text {
	const char *kind;
	const char *path; /* of {link}, with the token behind '#'; NULL: no
			     link with a token */
	unsigned flags;
	const char *subject;
	const char *text;
};

/* NULL where there is none. */
const struct ct_mail_text *ct_mail_text_find(struct ct_str kind);
extern const struct ct_mail_text ct_mail_texts[];
extern const size_t ct_mail_texts_n;

struct ct_mail_values {
	const struct ct_json *args; /* object of texts */
	struct ct_str link;	    /* {link}; absent: none */
	struct ct_str origin;	    /* {origin} */
};
/* CT_INTERNAL names a value that the row wants and that is not there. */
enum ct_rc ct_mail_text_fill(struct ct_arena *a, const struct ct_mail_text *t,
    const struct ct_mail_values *v, struct ct_str *subject, struct ct_str *text,
    struct ct_str *html, struct ct_err *err) CT_MUSTCHECK;

#endif
