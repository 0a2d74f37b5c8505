/*
 * A hand on the stores of the stack under test: what time, an operator or a
 * route that does not matter here would do to them. Every function fails the
 * running test where the store refuses. One thread each.
 */
#ifndef CT_TESTS_SUPPORT_HAND_H
#define CT_TESTS_SUPPORT_HAND_H

#include "tests/support/app.h"

struct ct_hand;

/* DATABASE_URL and REDIS_URL of the environment; closed with the arena. */
struct ct_hand *ct_hand_open(struct ct_arena *a);
/* Run statements. */
void ct_hand_sql(struct ct_hand *h, const char *fmt, ...) CT_PRINTF(2, 3);
/* The column x of the one row that a query answers, "" for none; on a. */
const char *ct_hand_get(struct ct_hand *h, struct ct_arena *a, const char *fmt,
    ...) CT_PRINTF(3, 4);
/* Whoever was counted by a limit begins anew. */
void ct_hand_lift(struct ct_hand *h);
/* The same again and again, by a thread of its own, until it is told to stop.
 */
struct ct_lifter;
struct ct_lifter *ct_hand_lift_on(struct ct_arena *a);
void ct_hand_lift_off(struct ct_lifter *l);
/* who becomes a new session of that account. */
void ct_hand_session(
    struct ct_hand *h, struct ct_who *who, const char *account);
/* Forget the copies of all sessions and tokens, as a new epoch does. */
void ct_hand_forget(struct ct_hand *h);
/* Give that role on the cat, before the account's first request about it. */
void ct_hand_member(
    struct ct_hand *h, const char *cat, const char *account, int role);

#endif
