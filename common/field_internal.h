/*
 * What the two halves of the field tables share.
 */
#ifndef CT_COMMON_FIELD_INTERNAL_H
#define CT_COMMON_FIELD_INTERNAL_H

#include "common/field.h"

/* Set the member to the NULL of its type where nullable, else to zero. */
void ct_field_clear(const struct ct_field *f, void *obj);

#endif
