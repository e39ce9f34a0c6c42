/*
 * hand_clock.h - a clock that a test moves.
 */
#ifndef HAND_CLOCK_H
#define HAND_CLOCK_H

#include "base/clock.h"

#include <stdatomic.h>

struct hand_clock {
    struct leat_clock clock; /* first */
    _Atomic int64_t now_ms;
};

static inline int64_t hand_clock_now(const struct leat_clock *c)
{
    return ((const struct hand_clock *)(const void *)c)->now_ms;
}

#endif
