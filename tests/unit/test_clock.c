/* Tests engine/base/clock.c. */
#include "base/clock.h"

#include "leat_test.h"

#include <time.h>

static int64_t handed_in;

static int64_t test_now(const struct leat_clock *c)
{
    (void)c;
    return handed_in;
}

static void the_systems_clock_tells_the_time(void)
{
    time_t before = time(NULL);
    int64_t ms = leat_clock_now_ms(NULL);

    CU_ASSERT(ms / 1000 >= before && ms / 1000 <= time(NULL));
    int64_t first = leat_clock_monotonic_ms(&leat_clock_system);
    CU_ASSERT(leat_clock_monotonic_ms(NULL) >= first);
}

static void a_test_hands_in_the_time(void)
{
    const struct leat_clock clock = {.now_ms = test_now, .monotonic_ms = test_now};

    handed_in = 1234;
    CU_ASSERT_EQUAL(leat_clock_now_ms(&clock), 1234);
    CU_ASSERT_EQUAL(leat_clock_monotonic_ms(&clock), 1234);
}

LEAT_TESTS("clock", T(the_systems_clock_tells_the_time), T(a_test_hands_in_the_time))
