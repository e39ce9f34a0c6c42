/* Tests engine/run/rate.c: the estimate of what can be worked off, and what is done with it. */
#include "leat_test.h"
#include "run/rate.h"

static struct leat_rate_estimator estimator(double integral, double derived)
{
    return (struct leat_rate_estimator){.proportional = 1,
                                        .integral = integral,
                                        .derived = derived,
                                        .min_rate = 10,
                                        .every_ms = 1000};
}

/* 0: it tells nothing. */
static double behind(struct leat_rate_estimator *e, int64_t ended_ms, int64_t records,
                     int64_t processing_ms, int64_t scheduling_ms)
{
    double rate = 0;
    const struct leat_rate_batch b = {ended_ms, records, processing_ms, scheduling_ms};

    return leat_rate_estimate(e, &b, &rate) ? rate : 0;
}

static void the_first_batch_tells_nothing_but_is_what_the_next_is_compared_with(void)
{
    struct leat_rate_estimator e = estimator(0, 0);

    CU_ASSERT_EQUAL(behind(&e, 0, 500, 1000, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 1000, 300, 1000, 0), 300);
}

static void a_batch_without_records_or_duration_or_later_end_tells_nothing(void)
{
    struct leat_rate_estimator e = estimator(0, 0);

    CU_ASSERT_EQUAL(behind(&e, 1000, 0, 10, 0), 0); /* nor is it the first */
    CU_ASSERT_EQUAL(behind(&e, 1000, 100, 1000, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 2000, 0, 10, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 2000, -1, 10, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 2000, 100, 0, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 1000, 100, 10, 0), 0);
    CU_ASSERT_EQUAL(behind(&e, 1001, 200, 1000, 0), 200);
}

static void what_has_piled_up_is_made_up_for_in_part(void)
{
    struct leat_rate_estimator e = estimator(0.5, 0);

    behind(&e, 0, 100, 1000, 0);
    CU_ASSERT_EQUAL(behind(&e, 1000, 100, 1000, 400), 80); /* 40 records waited */
    CU_ASSERT_EQUAL(behind(&e, 2000, 100, 1000, 0), 100);
}

static void a_rate_that_falls_fast_falls_further_where_that_has_weight(void)
{
    struct leat_rate_estimator e = estimator(0, 0.5);

    behind(&e, 0, 100, 1000, 0);
    CU_ASSERT_EQUAL(behind(&e, 2000, 80, 1000, 0), 75); /* 20 less in 2 s */
}

static void no_rate_is_below_the_least(void)
{
    struct leat_rate_estimator e = estimator(1, 0);

    behind(&e, 0, 100, 1000, 0);
    CU_ASSERT_EQUAL(behind(&e, 1000, 1, 1000, 60000), 10);
    CU_ASSERT_EQUAL(behind(&e, 2000, 50, 1000, 0), 50);
}

static void an_estimate_does_not_exceed_what_is_allowed(void)
{
    CU_ASSERT_EQUAL(leat_rate_limit(105, 0), 105);
    CU_ASSERT_EQUAL(leat_rate_limit(105, 110), 105);
    CU_ASSERT_EQUAL(leat_rate_limit(105, 100), 100);
    CU_ASSERT_EQUAL(leat_rate_limit(0, 100), 100);
    CU_ASSERT_EQUAL(leat_rate_limit(-1, 0), 0);
}

LEAT_TESTS("rate", T(the_first_batch_tells_nothing_but_is_what_the_next_is_compared_with),
           T(a_batch_without_records_or_duration_or_later_end_tells_nothing),
           T(what_has_piled_up_is_made_up_for_in_part),
           T(a_rate_that_falls_fast_falls_further_where_that_has_weight),
           T(no_rate_is_below_the_least), T(an_estimate_does_not_exceed_what_is_allowed))
