/*
 * The door to OpenSSL's libcrypto, for one purpose: password hashes as werkzeug
 * writes them, which imported accounts bring along. New ones are never made.
 *
 *   pbkdf2:sha256:260000$salt$64 hex digits
 *   scrypt:32768:8:1$salt$128 hex digits
 */
#ifndef CT_COMMON_WERKZEUG_H
#define CT_COMMON_WERKZEUG_H

#include "common/str.h"

/* Bounds of a stored hash: a larger one is false, whatever the password. */
#define CT_PBKDF2_MAX	   2000000
#define CT_SCRYPT_MEM_MAX  ((int64_t)64 << 20) /* bytes: 128 N r */
#define CT_SCRYPT_WORK_MAX (1 << 20) /* N r p: four times werkzeug's */

/*
 * True: hash is one of the two forms within their bounds, and is that of the
 * password. Constant time in the password. Blocks for the CPU time that the
 * hash asks for: 0.1 to 1 s for what werkzeug makes.
 */
bool ct_werkzeug_verify(struct ct_str password, const char *hash);

#endif
