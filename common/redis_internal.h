/* The door to hiredis, for redis.c and redis_reply.c alone. */
#ifndef CT_COMMON_REDIS_INTERNAL_H
#define CT_COMMON_REDIS_INTERNAL_H

#include <hiredis/hiredis.h>

#include "common/redis.h"

#endif
