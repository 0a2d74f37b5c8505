/*
 * UUIDs: version 7 (RFC 9562) for every key that we make: 48 bits of
 * milliseconds, then random bits, monotonic within a process.
 */
#ifndef CT_COMMON_ID_H
#define CT_COMMON_ID_H

#include "common/str.h"

#define CT_UUID_TEXT 37

struct ct_uuid {
	uint8_t b[16]; /* all zero = nil = "not given" */
};

/* Thread-safe. */
struct ct_uuid ct_uuid_new(void);
/* Exactly 8-4-4-4-12 hex digits, any case, any version but nil. */
bool ct_uuid_parse(struct ct_str s, struct ct_uuid *out);
char *ct_uuid_format(const struct ct_uuid *u, char out[CT_UUID_TEXT]);
bool ct_uuid_eq(const struct ct_uuid *a, const struct ct_uuid *b);
bool ct_uuid_nil(const struct ct_uuid *u);
/* 64 bits that stand for u, for advisory locks. */
int64_t ct_uuid_key64(const struct ct_uuid *u);

#endif
