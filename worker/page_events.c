/*
 * What a vet looks for, in words and counted; see page_parts.h. However many
 * events there are, this keeps the newest in places of their own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "care/tube.h"
#include "worker/page_parts.h"
#include "worker/sink_text.h"

static const struct {
	const char *kind, *word;
} words[] = {
    {"vomit", "vomiting"},
    {"drool", "drooling"},
    {"gag", "gagging"},
    {"cough", "coughing"},
    {"leak", "leaking"},
    {"refused", "meal refused"},
    {"breathing", "trouble breathing"},
};

/* Printed behind what is there, as far as there is room. */
static void CT_PRINTF(3, 4) add(char *out, size_t room, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, room - n, fmt, ap);
	va_end(ap);
}

static void
put_word(struct ct_str kind, char out[CT_WORD_ROOM])
{
	for (size_t i = 0; i < ct_countof(words); i++)
		if (ct_str_is(kind, words[i].kind)) {
			snprintf(out, CT_WORD_ROOM, "%s", words[i].word);
			return;
		}
	snprintf(out, CT_WORD_ROOM, "%.*s", CT_STR_FMT(kind));
}

static int64_t
says(struct ct_str s, const char *a, const char *b)
{
	if (s.p == NULL)
		return CT_NULL_I64;
	return ct_str_is(s, a) || (b != NULL && ct_str_is(s, b));
}

static unsigned
red_items(const struct ct_report_event *e)
{
	const struct ct_tube_look look = {
	    .cap_on = e->cap_on,
	    .dressing_soiled = says(e->dressing, "soiled", NULL),
	    .skin_sore = says(e->skin, "redness", "swelling"),
	    .discharge_coloured = says(e->discharge, "coloured", NULL),
	    .smell = e->smell,
	    .suture_holding = e->suture_holding,
	    .patent = e->patent,
	    .collar_ok = e->collar_ok,
	    .incident = e->incident.p != NULL ? 1 : CT_NULL_I64,
	    .mark_mcm = e->mark_mcm,
	    .last_mark_mcm = e->last_mark_mcm,
	};

	return ct_tube_red(&look);
}

static void
put_item(const struct ct_report_event *e, unsigned item, char out[CT_WORD_ROOM])
{
	static const char *const plain[CT_TUBE_ITEMS] = {
	    [CT_TUBE_CAP] = "cap off",
	    [CT_TUBE_DRESSING] = "dressing soiled",
	    [CT_TUBE_DISCHARGE] = "coloured discharge",
	    [CT_TUBE_SMELL] = "smell",
	    [CT_TUBE_SUTURE] = "suture loose",
	    [CT_TUBE_MARK] = "mark moved",
	    [CT_TUBE_PATENT] = "no water passes",
	    [CT_TUBE_COLLAR] = "collar does not fit",
	};

	switch (item) {
	case CT_TUBE_SKIN:
		snprintf(out, CT_WORD_ROOM, "skin: %.*s", CT_STR_FMT(e->skin));
		break;
	case CT_TUBE_INCIDENT:
		snprintf(out, CT_WORD_ROOM,
		    ct_str_is(e->incident, "leak") ? "tube: %.*s" : "tube %.*s",
		    CT_STR_FMT(e->incident));
		break;
	default:
		snprintf(out, CT_WORD_ROOM, "%s", plain[item]);
		break;
	}
}

static void
count(struct ct_front *f, const char *word)
{
	int i = 0;

	while (i < f->words && strcmp(f->seen[i].word, word) != 0)
		i++;
	if (i == CT_FRONT_WORDS)
		return;
	if (i == f->words)
		snprintf(f->seen[f->words++].word, CT_WORD_ROOM, "%s", word);
	f->seen[i].n++;
}

/* False: all well. */
static bool
put_tube(struct ct_front *f, const struct ct_report_event *e,
    char out[CT_EVENT_ROOM])
{
	unsigned red = red_items(e);
	char word[CT_WORD_ROOM], from[24], to[24];

	/* The incident first: it is what was done about. */
	for (int i = CT_TUBE_ITEMS - 1; i >= 0; i--) {
		if (!(red >> i & 1))
			continue;
		put_item(e, (unsigned)i, word);
		count(f, word);
		add(out, CT_EVENT_ROOM, "%s%s", out[0] != '\0' ? ", " : "",
		    word);
		if (i != CT_TUBE_MARK)
			continue;
		from[ct_milli_text(e->last_mark_mcm, from)] = '\0';
		to[ct_milli_text(e->mark_mcm, to)] = '\0';
		add(out, CT_EVENT_ROOM, " from %s to %s cm", from, to);
	}
	return red != 0;
}

static void
put_seen(struct ct_front *f, const struct ct_report_event *e,
    char out[CT_EVENT_ROOM])
{
	static const char *const severity[] = {"mild", "moderate", "severe"};
	char word[CT_WORD_ROOM], ml[24];

	put_word(e->kind, word);
	/* How often is among the figures, each event once. */
	if (!ct_str_is(e->kind, "vomit"))
		count(f, word);
	add(out, CT_EVENT_ROOM, "%s", word);
	if (ct_str_is(e->source, "meal")) {
		ml[ct_milli_text(e->amount_ul, ml)] = '\0';
		add(out, CT_EVENT_ROOM, ", meal of %s mL", ml);
	} else if (e->severity >= 1 && e->severity <= 3) {
		add(out, CT_EVENT_ROOM, ", %s", severity[e->severity - 1]);
	}
}

/* The beginning of it, cut between signs: two lines are shown. */
static void
put_notes(struct ct_str notes, char out[CT_EVENT_ROOM])
{
	size_t n = notes.n < CT_EVENT_ROOM ? notes.n : CT_EVENT_ROOM - 1;

	while (
	    n < notes.n && n > 0 && ((unsigned char)notes.p[n] & 0xc0) == 0x80)
		n--;
	if (n > 0)
		memcpy(out, notes.p, n);
	out[n] = '\0';
}

void
ct_front_event(struct ct_front *f, const struct ct_report_event *e)
{
	struct ct_front_event *to = &f->event[f->events % CT_FRONT_EVENTS];
	char what[CT_EVENT_ROOM] = "";

	if (!ct_str_is(e->source, "tube"))
		put_seen(f, e, what);
	else if (!put_tube(f, e, what))
		return;
	memcpy(to->what, what, sizeof(what));
	put_notes(e->notes, to->notes);
	to->local_us = e->local_us;
	f->events++;
}
