/*
 * At most as many password hashes at a time on this host as it has cores,
 * whatever the number of responder processes, also while old ones drain beside
 * new ones. Each process has one turn, shared with others where there are more
 * processes than cores. One that dies with it gives it back.
 */
#ifndef CT_FCGI_TURN_H
#define CT_FCGI_TURN_H

struct ct_turn;

/* n turns in memory that children share; by the parent, before it forks.
 * Aborts where there is none. */
struct ct_turn *ct_turns_make(unsigned n);
/* Wait for the turn number `slot`, modulo n. Blocks. */
void ct_turn_take(struct ct_turn *all, unsigned slot);
void ct_turn_give(struct ct_turn *all, unsigned slot);

#endif
