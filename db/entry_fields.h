/*
 * The rows that the tables of every entry kind share: of its fields and of its
 * list's parameters. Every kind's struct begins with struct ct_entry, so its
 * offsets are the kind's.
 */
#ifndef CT_DB_ENTRY_FIELDS_H
#define CT_DB_ENTRY_FIELDS_H

#include "db/entry.h"

#define ENTRY_AT(m) offsetof(struct ct_entry, m)
#define ENTRY_OUT(name, type, member, flags, help)                             \
	{                                                                      \
		(name), (type), ENTRY_AT(member), CT_F_READONLY | (flags), 0,  \
		    0, NULL, NULL, NULL, (help)                                \
	}

/* clang-format off */
#define ENTRY_FIELDS_FIRST                                                     \
	{"id", CT_T_UUID, ENTRY_AT(id), CT_F_CREATE, 0, 0, NULL, NULL, NULL,   \
	    "key; a client may choose it"},                                    \
	{"cat_id", CT_T_UUID, ENTRY_AT(cat_id), CT_F_CREATE, 0, 0, NULL, NULL, \
	    NULL, "the cat; left out: the account's default cat"},             \
	{"time_given", CT_T_TIME, ENTRY_AT(given_at), 0, 0, 0, "given_at",     \
	    NULL, NULL, "when it was given; left out: now"}

#define ENTRY_FIELDS_LAST                                                      \
	{"notes", CT_T_TEXT, ENTRY_AT(notes), 0, 0, 4000, NULL, NULL, NULL,    \
	    "free text"},                                                      \
	{"version", CT_T_INT, ENTRY_AT(version), CT_F_CHANGE, 1,               \
	    INT64_C(1) << 53, NULL, NULL, NULL,                                \
	    "rises with every change; in a PATCH: the one seen"},              \
	ENTRY_OUT("care_day", CT_T_DAY, care_day, 0,                           \
	    "care day in the cat's zone"),                                     \
	ENTRY_OUT("created_at", CT_T_TIME, created_at, 0,                      \
	    "when it was logged"),                                             \
	ENTRY_OUT("updated_at", CT_T_TIME, updated_at, 0, "last change"),      \
	ENTRY_OUT("deleted_at", CT_T_TIME, deleted_at, CT_F_NULLABLE,          \
	    "when it was deleted"),                                            \
	ENTRY_OUT("by_account", CT_T_UUID, by_account,                         \
	    CT_F_HIDDEN | CT_F_NULLABLE, "who logged it"),                     \
	ENTRY_OUT("by_name", CT_T_TEXT, by_name, CT_F_HIDDEN,                  \
	    "who logged it"),                                                  \
	ENTRY_OUT("my_role", CT_T_INT, my_role, CT_F_HIDDEN,                   \
	    "the asker's role")

#define ENTRY_ASK(m) offsetof(struct ct_entry_query, m)
/* The kind's own filters follow them, in the order of its FILTERS. */
#define ENTRY_QUERY                                                            \
	{"cat_id", CT_T_UUID, ENTRY_ASK(cat), 0, 0, 0, NULL, NULL, NULL,       \
	    "the cat; left out: the default cat"},                             \
	{"page", CT_T_INT, ENTRY_ASK(page), 0, 0, 0, NULL, NULL, NULL,         \
	    "from 1"},                                                         \
	{"per_page", CT_T_INT, ENTRY_ASK(per_page), 0, 0, 0, NULL, NULL, NULL, \
	    "1 to 100"},                                                       \
	{"from", CT_T_TEXT, ENTRY_ASK(from), 0, 0, 40, NULL, NULL, NULL,       \
	    "first care day, or an instant"},                                  \
	{"to", CT_T_TEXT, ENTRY_ASK(to), 0, 0, 40, NULL, NULL, NULL,           \
	    "last care day (included), or an instant (not included)"},         \
	{"cursor", CT_T_TEXT, ENTRY_ASK(cursor), 0, 1, 80, NULL, NULL, NULL,   \
	    "next_cursor of the page before; in place of page"},               \
	{"ordering", CT_T_ENUM, ENTRY_ASK(ordering), 0, 0, 0, NULL,            \
	    ct_entry_orderings, NULL, "which come first; left out: newest"},   \
	{"deleted", CT_T_ENUM, ENTRY_ASK(deleted), 0, 0, 0, NULL,              \
	    ct_entry_deleted, NULL,                                            \
	    "only the deleted, or with them; left out: none of them"}

#define ENTRY_FILTER(name, type, i, names, help)                               \
	{(name), (type), ENTRY_ASK(filter[i]), 0, 1, 100, NULL, (names), NULL, \
	    (help)}
/* clang-format on */

extern const char *const ct_entry_orderings[]; /* newest, oldest */
extern const char *const ct_entry_deleted[];   /* only, with */

#endif
