/* Words that the formats for people share. */
#ifndef CT_WORKER_SINK_TEXT_H
#define CT_WORKER_SINK_TEXT_H

#include "worker/sink.h"

/* "the cat" where it has no name; on the arena. */
const char *ct_sink_cat(struct ct_arena *a, const struct ct_report_head *h);
/* Letter, else A4: what was asked for, else what is usual in the cat's zone. */
bool ct_sink_letter(const struct ct_report *r, const struct ct_report_head *h);
/* The boolean that f describes, which is not NULL. */
bool ct_sink_true(const struct ct_field *f, const void *obj);

/*
 * v for the text of an XLSX cell, with a NUL, cut between signs where room is
 * short: without what XML does not allow, and with what would be read as an
 * escape of a sign ("_x0041_") escaped itself.
 */
void ct_sink_xml_text(struct ct_str v, char *out, size_t room);

/* In place: U+FFFE and U+FFFF, which no XML may hold, become U+FFFD. */
char *ct_sink_xml_safe(char *text);

/* "2 Jun 2025"; out holds CT_DAY_WORDS bytes. */
#define CT_DAY_WORDS 16
char *ct_day_words(int32_t day, char out[CT_DAY_WORDS]);
/* The same without the year. */
char *ct_day_short(int32_t day, char out[CT_DAY_WORDS]);
/* A word of the API for people: "male_neutered" becomes "male neutered". */
const char *ct_sink_word(struct ct_arena *a, struct ct_str v);

#endif
