/* Words that the formats for people share; see sink_text.h. */
#include "worker/sink_text.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 32000 /* a cell holds 32,767 signs */

const char *
ct_sink_cat(struct ct_arena *a, const struct ct_report_head *h)
{
	return h->cat_name.n > 0 ? ct_str_cstr(a, h->cat_name) : "the cat";
}

bool
ct_sink_letter(const struct ct_report *r, const struct ct_report_head *h)
{
	static const char *const letter[] = {
	    "America/", "US/", "Canada/", "Mexico/", "Pacific/Honolulu"};

	if (r->paper.n > 0)
		return ct_str_is(r->paper, "Letter");
	for (size_t i = 0; i < ct_countof(letter); i++)
		if (ct_str_starts(h->timezone, ct_str_of(letter[i])))
			return true;
	return false;
}

bool
ct_sink_true(const struct ct_field *f, const void *obj)
{
	const void *v = ct_sink_member(obj, f);

	return f->flags & CT_F_NULLABLE ? *(const int64_t *)v != 0
					: *(const bool *)v;
}

static bool
is_escape(const char *p, size_t n)
{
	if (n < 7 || p[0] != '_' || p[1] != 'x' || p[6] != '_')
		return false;
	for (size_t i = 2; i < 6; i++)
		if (strchr("0123456789abcdefABCDEF", p[i]) == NULL ||
		    p[i] == '\0')
			return false;
	return true;
}

/* The bytes of one sign of well-formed UTF-8. */
static size_t
sign_bytes(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

char *
ct_sink_xml_safe(char *text)
{
	char *p = text;

	while ((p = strstr(p, "\xef\xbf")) != NULL) {
		if ((unsigned char)p[2] > 0xbd)
			p[2] = (char)0xbd;
		p += 2;
	}
	return text;
}

void
ct_sink_xml_text(struct ct_str v, char *out, size_t room)
{
	size_t i = 0, n = 0, len, signs = 0;

	while (i < v.n && signs < TEXT_MAX) {
		len = sign_bytes((unsigned char)v.p[i]);
		if (i + len > v.n || n + 8 + len > room)
			break;
		if (is_escape(v.p + i, v.n - i)) {
			memcpy(out + n, "_x005F", 6);
			n += 6;
			signs += 6;
		}
		memcpy(out + n, v.p + i, len);
		n += len;
		i += len;
		signs++;
	}
	out[n] = '\0';
	ct_sink_xml_safe(out);
}

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

char *
ct_day_words(int32_t day, char out[CT_DAY_WORDS])
{
	char iso[CT_DAY_MAX];

	ct_day_format(day, iso);
	snprintf(out, CT_DAY_WORDS, "%d %s %.4s",
	    (iso[8] - '0') * 10 + iso[9] - '0',
	    months[((iso[5] - '0') * 10 + iso[6] - '0' + 11) % 12], iso);
	return out;
}

char *
ct_day_short(int32_t day, char out[CT_DAY_WORDS])
{
	ct_day_words(day, out);
	*strrchr(out, ' ') = '\0';
	return out;
}

const char *
ct_sink_word(struct ct_arena *a, struct ct_str v)
{
	char *word = ct_str_cstr(a, v);

	for (char *p = word; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return word;
}
