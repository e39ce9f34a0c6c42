#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now); /* cannot fail: the ids are constants that Linux has */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_now_ms(const struct leat_clock *c)
{
    (void)c;
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(const struct leat_clock *c)
{
    (void)c;
    return read_ms(CLOCK_MONOTONIC);
}

const struct leat_clock leat_clock_system = {
    .now_ms = system_now_ms,
    .monotonic_ms = system_monotonic_ms,
};

int64_t leat_clock_now_ms(const struct leat_clock *c)
{
    c = c ? c : &leat_clock_system;
    return c->now_ms(c);
}

int64_t leat_clock_monotonic_ms(const struct leat_clock *c)
{
    c = c ? c : &leat_clock_system;
    return c->monotonic_ms(c);
}

/* The time of day first: were it read second, what passes in between would be counted twice. */
int64_t leat_clock_forward_ms(const struct leat_clock *c, int64_t *ahead_ms)
{
    int64_t day_ms = leat_clock_now_ms(c);
    int64_t steady_ms = leat_clock_monotonic_ms(c);

    if (*ahead_ms == LEAT_CLOCK_UNREAD || day_ms - steady_ms > *ahead_ms)
        *ahead_ms = day_ms - steady_ms;
    return steady_ms + *ahead_ms;
}
