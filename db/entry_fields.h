/*
 * The rows that the field table of every entry kind shares. Every kind's struct
 * begins with struct ct_entry, so its offsets are the kind's.
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
/* clang-format on */

#endif
