/*
 * clock.h - the time, as a table of functions, so that tests can hand it in.
 *
 * Nothing that decides asks for the time: it is given. Those who do ask (the job thread, sources
 * that pace themselves, back-off) ask a clock, and only the system's asks the kernel. Thread: any.
 */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include "base/error.h"

#include <stdint.h>

struct leat_clock {
    int64_t (*now_ms)(const struct leat_clock *c);       /* milliseconds since 1970, may jump */
    int64_t (*monotonic_ms)(const struct leat_clock *c); /* since some moment; never goes back */
};

extern LEAT_API const struct leat_clock leat_clock_system;

/* c NULL: the system's. */
LEAT_API int64_t leat_clock_now_ms(const struct leat_clock *c);
LEAT_API int64_t leat_clock_monotonic_ms(const struct leat_clock *c);

/* The time of day, but it never goes back: when that clock is set back, the monotonic one counts
 * on. *ahead_ms is what it is before the monotonic clock; LEAT_CLOCK_UNREAD before the first call.
 * However long the caller is held up within, it is not later than the time of day. */
#define LEAT_CLOCK_UNREAD INT64_MIN
int64_t leat_clock_forward_ms(const struct leat_clock *c, int64_t *ahead_ms);

#endif
