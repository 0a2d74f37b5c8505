/*
 * The address of a database, for others than our own connections: PostgreSQL's
 * programs get it in their environment, since arguments can be read by
 * everybody on the host.
 */
#ifndef CT_DB_PG_URL_H
#define CT_DB_PG_URL_H

#include "common/err.h"
#include "common/str.h"

/*
 * The whole environment of a program that is to connect to url; NULL at its
 * end. Beside url's own parts: PG*, HOME and TZ of ours. CT_INVALID: url is no
 * address.
 */
enum ct_rc ct_pg_env(struct ct_arena *a, const char *url,
    const char *const **out, struct ct_err *err) CT_MUSTCHECK;
/* The option by which pg_restore connects to the database of that name. */
const char *ct_pg_dbname_option(struct ct_arena *a, const char *name);
/* url with another database name. */
enum ct_rc ct_pg_other_database(struct ct_arena *a, const char *url,
    const char *name, const char **out, struct ct_err *err) CT_MUSTCHECK;

#endif
