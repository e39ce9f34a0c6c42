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

static int64_t handed_in_day;

static int64_t test_day(const struct leat_clock *c)
{
    (void)c;
    return handed_in_day;
}

static void the_time_of_day_is_told_but_never_goes_back(void)
{
    const struct leat_clock clock = {.now_ms = test_day, .monotonic_ms = test_now};
    int64_t ahead_ms = LEAT_CLOCK_UNREAD;

    handed_in = 500;
    handed_in_day = 100000;
    CU_ASSERT_EQUAL(leat_clock_forward_ms(&clock, &ahead_ms), 100000);
    handed_in = 600;
    handed_in_day = 40000; /* set back: the other one counts on */
    CU_ASSERT_EQUAL(leat_clock_forward_ms(&clock, &ahead_ms), 100100);
    handed_in = 700;
    handed_in_day = 200000; /* set forward */
    CU_ASSERT_EQUAL(leat_clock_forward_ms(&clock, &ahead_ms), 200000);
}

/* Held up for ten seconds after the first look at a clock. */
static int64_t held_up_ms;

static int64_t test_slow(const struct leat_clock *c)
{
    int64_t ms = test_now(c);

    handed_in += held_up_ms;
    held_up_ms = 0;
    return ms;
}

static void being_held_up_while_the_time_is_read_does_not_run_it_ahead(void)
{
    const struct leat_clock clock = {.now_ms = test_slow, .monotonic_ms = test_slow};
    int64_t ahead_ms = LEAT_CLOCK_UNREAD;

    handed_in = 1000;
    held_up_ms = 10000;
    CU_ASSERT(leat_clock_forward_ms(&clock, &ahead_ms) <= 11000);
    CU_ASSERT_EQUAL(leat_clock_forward_ms(&clock, &ahead_ms), 11000);
}

LEAT_TESTS("clock", T(the_systems_clock_tells_the_time), T(a_test_hands_in_the_time),
           T(the_time_of_day_is_told_but_never_goes_back),
           T(being_held_up_while_the_time_is_read_does_not_run_it_ahead))
