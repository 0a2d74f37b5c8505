/*
 * What a new weight says beside earlier ones. Pure functions; weights in grams,
 * above 0. Sources: CARE.md 3.7. HydraCat's tiers for a week (peer, not a vet
 * source); -10 % is the published threshold for nutritional support (dvm360
 * enteral proceedings); -5 % and the 15 % of a slip of the finger are product
 * choices.
 */
#ifndef CT_CARE_WEIGHT_H
#define CT_CARE_WEIGHT_H

#include "common/base.h"

/* 100 x (now - ref) / ref in thousandths of a percent, rounded to tenths of a
 * percent, half away from zero. */
int64_t ct_weight_change_milli(int64_t now_g, int64_t ref_g);

/* Over 15 % from the last weight, up or down: perhaps a typing error. */
bool ct_weight_typo(int64_t now_g, int64_t last_g);
/* Outside 0.5 to 15 kg: hardly a cat's weight. */
bool ct_weight_unusual(int64_t now_g);

enum ct_loss {
	CT_LOSS_NONE,
	CT_LOSS_INFO,  /* worth knowing */
	CT_LOSS_VET,   /* tell your vet */
	CT_LOSS_URGENT /* call now */
};
/* Against the weight a week ago: info from -2 % on. */
enum ct_loss ct_loss_week(int64_t now_g, int64_t ref_g);
/* Against a longer reference (at tube placement, the highest in 30 days): tell
 * your vet from -5 % on, urgent from -10 % on. */
enum ct_loss ct_loss_long(int64_t now_g, int64_t ref_g);

#endif
