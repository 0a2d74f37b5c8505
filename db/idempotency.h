/*
 * Idempotency keys: the first answer to (account, key) is kept with the digest
 * of its request, in the transaction of the write itself, for 48 hours.
 */
#ifndef CT_DB_IDEMPOTENCY_H
#define CT_DB_IDEMPOTENCY_H

#include "common/crypto.h"
#include "db/pg.h"

#define CT_IDEM_KEY_MAX 200

extern const struct ct_stmt *const ct_idempotency_stmts[];

/*
 * Inside the transaction of the write. *replay false: the key is taken now,
 * go on; a second request with it waits here until this one commits or rolls
 * back. *replay true: status and answer are those of the first.
 * CT_CONFLICT, code "key_reused": the first had another body.
 */
enum ct_rc ct_idem_begin(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str key,
    const uint8_t request[CT_DIGEST], bool *replay, int64_t *status,
    struct ct_str *answer, struct ct_err *err) CT_MUSTCHECK;
/* Keep the answer; then commit. */
enum ct_rc ct_idem_end(struct ct_pg *pg, struct ct_arena *a,
    const struct ct_uuid *account, struct ct_str key, int64_t status,
    struct ct_str answer, struct ct_err *err) CT_MUSTCHECK;

#endif
