/* Mail as bytes; see mime.h. */
#include "worker/mime.h"

#include <string.h>
#include <time.h>

#include "common/crypto.h"

#define LINE_MAX_BYTES 76
#define WORD_BYTES     39 /* =?UTF-8?B?…?= then has 64 */

static const char hex[] = "0123456789ABCDEF";

void
ct_mime_quoted(struct ct_buf *b, struct ct_str s)
{
	size_t col = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool last = i + 1 == s.n || s.p[i + 1] == '\n';
		bool plain = (c > ' ' && c <= '~' && c != '=') ||
			     ((c == ' ' || c == '\t') && !last);

		if (c == '\n') {
			ct_buf_adds(b, "\r\n");
			col = 0;
			continue;
		}
		/* One place stays free for the mark of a soft break. */
		if (col + (plain ? 1 : 3) > LINE_MAX_BYTES - 1) {
			ct_buf_adds(b, "=\r\n");
			col = 0;
		}
		if (plain) {
			ct_buf_addc(b, (char)c);
			col++;
		} else {
			ct_buf_addc(b, '=');
			ct_buf_addc(b, hex[c >> 4]);
			ct_buf_addc(b, hex[c & 15]);
			col += 3;
		}
	}
	ct_buf_adds(b, "\r\n");
}

static bool
is_plain(struct ct_str s, size_t used)
{
	if (s.n + used > LINE_MAX_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c > '~' ||
		    (c == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
			return false;
	}
	return true;
}

/* Bytes of the next word: whole characters. */
static size_t
word_of(struct ct_str s)
{
	size_t n = s.n < WORD_BYTES ? s.n : WORD_BYTES;

	while (n > 1 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void
ct_mime_words(struct ct_buf *b, struct ct_str s, size_t used)
{
	struct ct_str left = ct_str_dup(b->a, s);
	char *p = (char *)(uintptr_t)left.p;

	for (size_t i = 0; i < left.n; i++) {
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = ' ';
	}
	if (is_plain(left, used)) {
		ct_buf_addstr(b, left);
		return;
	}
	while (left.n > 0) {
		size_t n = word_of(left);

		ct_buf_adds(b, "=?UTF-8?B?");
		ct_buf_addstr(b, ct_base64(b->a, left.p, n));
		ct_buf_adds(b, "?=");
		left.p += n;
		left.n -= n;
		if (left.n > 0)
			ct_buf_adds(b, "\r\n ");
	}
}

static void
header(struct ct_buf *b, const char *name, struct ct_str value)
{
	ct_buf_addf(b, "%s: ", name);
	ct_mime_words(b, value, strlen(name) + 2);
	ct_buf_adds(b, "\r\n");
}

static void
date(struct ct_buf *b, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	char text[64];

	/* The names are those of the C locale, which no program of ours
	 * leaves. */
	if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text),
				      "%a, %d %b %Y %H:%M:%S +0000", &tm) == 0)
		ct_bug("no date for %lld", (long long)us);
	ct_buf_addf(b, "Date: %s\r\n", text);
}

static void
part(struct ct_buf *b, const char *id, const char *type, struct ct_str body)
{
	ct_buf_addf(b,
	    "\r\n--ct-%s\r\nContent-Type: text/%s; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	    id, type);
	ct_mime_quoted(b, body);
}

static void
attach(struct ct_buf *b, const char *id, const struct ct_mime_file *f)
{
	struct ct_str text = ct_base64(b->a, f->body.p, f->body.n);

	ct_buf_addf(b,
	    "\r\n--ct-file-%s\r\nContent-Type: %s\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=\"%s\"\r\n\r\n",
	    id, f->type, f->name);
	for (size_t n; text.n > 0; text.p += n, text.n -= n) {
		n = text.n < LINE_MAX_BYTES ? text.n : LINE_MAX_BYTES;
		ct_buf_add(b, text.p, n);
		ct_buf_adds(b, "\r\n");
	}
	ct_buf_addf(b, "--ct-file-%s--\r\n", id);
}

struct ct_str
ct_mime_write(struct ct_arena *a, const struct ct_mime *m)
{
	char id[CT_UUID_TEXT];
	struct ct_buf b;

	ct_uuid_format(&m->id, id);
	ct_buf_init(&b, a, 4096 + (m->file ? m->file->body.n * 3 / 2 : 0));
	/* Addresses go as they are: they were checked, and a server that
	 * takes UTF-8 in them takes it here. */
	ct_buf_addf(&b, "From: CatETube Tracker <%.*s>\r\nTo: <%.*s>\r\n",
	    CT_STR_FMT(m->from), CT_STR_FMT(m->to));
	header(&b, "Subject", m->subject);
	date(&b, m->date_us);
	ct_buf_addf(&b,
	    "Message-ID: <%s@%.*s>\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n",
	    id, CT_STR_FMT(m->host));
	if (m->file)
		ct_buf_addf(&b,
		    "Content-Type: multipart/mixed;\r\n"
		    " boundary=\"ct-file-%s\"\r\n\r\n--ct-file-%s\r\n",
		    id, id);
	ct_buf_addf(&b,
	    "Content-Type: multipart/alternative;\r\n"
	    " boundary=\"ct-%s\"\r\n",
	    id);
	part(&b, id, "plain", m->text);
	part(&b, id, "html", m->html);
	ct_buf_addf(&b, "\r\n--ct-%s--\r\n", id);
	if (m->file)
		attach(&b, id, m->file);
	return ct_buf_str(&b);
}
