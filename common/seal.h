/*
 * A sealed file: encrypted, authenticated, and readable as a stream with
 * constant memory. Integers are little-endian.
 *
 *   head, 64 bytes     0 "CTBACKUP"  8 version (1), 7 zero bytes
 *                      16 when made, us  24 key id, 8 bytes
 *                      32 head of the secretstream, 24 bytes
 *                      56 the first 8 bytes of BLAKE2b of the 56 before
 *   chunk, repeated    0 number from 0, 4 bytes  4 plain bytes in it, 4 bytes
 *                      8 keyed digest of the head of the file and the 8 bytes
 *                      before, 8 bytes
 *                      16 plain bytes + 17 of the secretstream
 *                      (XChaCha20-Poly1305), bound to the head of the file and
 *                      its own number and size
 *
 * The last chunk says so inside. What was damaged is told apart: the digest of
 * a chunk's first 16 bytes is right only for a chunk of this very file, so a
 * wrong number behind it is a chunk in a wrong place. The first 16 and the last
 * 8 bytes of the head mean the same in every version.
 */
#ifndef CT_COMMON_SEAL_H
#define CT_COMMON_SEAL_H

#include "common/crypto.h"
#include "common/out.h"

#define CT_SEAL_HEAD	 64
#define CT_SEAL_KEY_TEXT (2 * CT_KEY + 1) /* hex digits + NUL */
#define CT_SEAL_ID_TEXT	 17

/* A key as a line of 64 hex digits; false: it is none. */
bool ct_seal_key_parse(struct ct_str text, uint8_t out[CT_KEY]);
void ct_seal_key_new(char out[CT_SEAL_KEY_TEXT]);
/* What stands in the files that it sealed, as text: tells nothing of it. */
void ct_seal_key_id(const uint8_t key[CT_KEY], char out[CT_SEAL_ID_TEXT]);

struct ct_sealer; /* on the arena, some 128 KiB */
struct ct_sealer *ct_sealer_new(struct ct_arena *a, const uint8_t key[CT_KEY],
    int64_t created_us, struct ct_out out);
/* Fails as out does. */
enum ct_rc ct_sealer_put(struct ct_sealer *s, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/* The last chunk. Without it the file counts as cut short. */
enum ct_rc ct_sealer_end(struct ct_sealer *s, struct ct_err *err) CT_MUSTCHECK;

struct ct_unsealer; /* on the arena, some 128 KiB */
/* name: of the file, for the sentences; it is not copied. */
struct ct_unsealer *ct_unsealer_new(struct ct_arena *a,
    const uint8_t key[CT_KEY], const char *name, struct ct_out out);
/*
 * Bytes of a sealed file, in pieces of any size. What reaches out is authentic,
 * but the file is known to be whole only at the end. Fails as out does, or
 * CT_MALFORMED with the code
 *   not_a_backup  it begins with something else
 *   newer_backup  of a format that this program does not know
 *   wrong_key     sealed with another key; the sentence names both ids
 *   altered       a byte is not as it was written, or one follows the end
 *   out_of_order  a chunk of this file in another's place, or one is missing
 */
enum ct_rc ct_unsealer_put(struct ct_unsealer *u, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/* CT_MALFORMED, code truncated (or not_a_backup): no last chunk has come. */
enum ct_rc ct_unsealer_end(
    struct ct_unsealer *u, struct ct_err *err) CT_MUSTCHECK;
/* When it was made; 0 before the head has come. */
int64_t ct_unsealer_created_us(const struct ct_unsealer *u);

#endif
