/*
 * At most as many password hashes at a time on this host as it has cores, and
 * one less while anything else is asked for, so that a core is free for it,
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
/* Something else is being worked on now. */
void ct_turn_busy(struct ct_turn *all);
/*
 * Wait for the turn number `slot`, modulo those there are now; which one it is,
 * for ct_turn_give. Blocks.
 */
unsigned ct_turn_take(struct ct_turn *all, unsigned slot);
void ct_turn_give(struct ct_turn *all, unsigned taken);

#endif
