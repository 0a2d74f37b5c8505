/*
 * When vomiting is worth a word: within 60 minutes of a meal, or twice within
 * 24 hours. The ramp is held then and the vet called (CARE.md 3.10; ramp rule
 * 3.2). Pure functions; times in microseconds.
 */
#ifndef CT_CARE_VOMIT_H
#define CT_CARE_VOMIT_H

#include "common/base.h"

/* since_us: from the last meal to the vomiting; CT_NULL_I64: no meal known. */
bool ct_vomit_after_meal(int64_t since_us);
/*
 * How often within 24 hours of each other: others in the 24 hours before this
 * one, and in those after it (where it is logged late). Never below 1.
 */
int64_t ct_vomit_count(int64_t before, int64_t after);
bool ct_vomit_often(int64_t count);

#endif
