/* Tests engine/run/watermark.c. */
#include "leat_test.h"
#include "run/watermark.h"

static struct leat_arena arena;

/* Windows of 10 s. */
static int64_t close_time(const void *arg, uint32_t source, int64_t time_ms)
{
    (void)arg, (void)source;
    return (time_ms / 10000 + 1) * 10000;
}

static struct leat_watermark event_time(int64_t lateness_ms, int64_t idle_ms, uint32_t parts)
{
    struct leat_watermark w = {.event_time = true,
                               .lateness_ms = lateness_ms,
                               .idle_ms = idle_ms,
                               .max_ms = LEAT_NO_TIME,
                               .before_ms = LEAT_NO_TIME,
                               .now_ms = LEAT_NO_TIME};
    for (uint32_t i = 0; i < parts; i++)
        CU_ASSERT(leat_watermark_part(&w, &arena, i, 0));
    return w;
}

static int64_t at(const struct leat_watermark *w, int64_t clock_ms, bool close)
{
    return leat_watermark_at(w, 0, 0, clock_ms, close, close_time, NULL);
}

static void it_is_the_least_of_the_partitions_less_lateness(void)
{
    struct leat_watermark w = event_time(500, 0, 2);

    leat_watermark_seen(&w, 0, 20000, 1);
    CU_ASSERT_EQUAL(at(&w, 1, false), LEAT_NO_TIME); /* nothing is known of the other one */
    leat_watermark_seen(&w, 1, 15000, 1);
    CU_ASSERT_EQUAL(at(&w, 1, false), 14500);
    leat_watermark_move(&w, at(&w, 1, false));
    CU_ASSERT_EQUAL(w.before_ms, LEAT_NO_TIME);
    CU_ASSERT_EQUAL(w.now_ms, 14500);
    leat_arena_reset(&arena);
}

static void it_never_goes_back(void)
{
    struct leat_watermark w = event_time(0, 0, 1);

    leat_watermark_seen(&w, 0, 20000, 1);
    leat_watermark_move(&w, at(&w, 1, false));
    CU_ASSERT(leat_watermark_part(&w, &arena, 1, 2)); /* a partition is added */
    leat_watermark_seen(&w, 1, 100, 2);
    leat_watermark_move(&w, at(&w, 2, false));
    CU_ASSERT_EQUAL(w.now_ms, 20000);
    CU_ASSERT_EQUAL(w.before_ms, 20000);
    leat_arena_reset(&arena);
}

static void a_silent_partition_at_its_end_holds_nobody_back(void)
{
    struct leat_watermark w = event_time(0, 60000, 2);

    leat_watermark_seen(&w, 0, 20000, 1000);
    leat_watermark_seen(&w, 1, 5000, 1000);
    leat_watermark_seen(&w, 0, 30000, 61000);
    CU_ASSERT_EQUAL(at(&w, 61000, false), 5000); /* it has not been read to its end */
    leat_watermark_at_end(&w, 1, true, false);
    CU_ASSERT_EQUAL(at(&w, 60999, false), 5000);
    CU_ASSERT_EQUAL(at(&w, 61000, false), 30000);
    leat_arena_reset(&arena);
}

static void when_all_are_idle_the_last_window_closes(void)
{
    struct leat_watermark w = event_time(500, 60000, 2);

    leat_watermark_at_end(&w, 0, true, false);
    leat_watermark_at_end(&w, 1, true, false);
    CU_ASSERT_EQUAL(at(&w, 99000, false), LEAT_NO_TIME); /* there never was anything */
    leat_watermark_seen(&w, 0, 21000, 1000);
    CU_ASSERT_EQUAL(at(&w, 60999, false), 20500);
    CU_ASSERT_EQUAL(at(&w, 61000, false), 30000);
    leat_arena_reset(&arena);
}

static void a_finished_partition_holds_nobody_back(void)
{
    struct leat_watermark w = event_time(500, 0, 3);

    leat_watermark_seen(&w, 0, 21000, 1000);
    leat_watermark_seen(&w, 1, 31000, 1000);
    leat_watermark_at_end(&w, 2, true, true);
    CU_ASSERT_EQUAL(at(&w, 1000, false), 20500);
    leat_watermark_at_end(&w, 0, true, true);
    CU_ASSERT_EQUAL(at(&w, 1000, false), 30500);
    leat_watermark_at_end(&w, 1, true, true);
    leat_watermark_at_end(&w, 1, true, true);
    CU_ASSERT_EQUAL(at(&w, 1000, false), 30500); /* more partitions may come: nothing is closed */
    leat_arena_reset(&arena);
}

static void a_bounded_run_closes_at_its_end(void)
{
    struct leat_watermark w = event_time(500, 0, 2);

    leat_watermark_seen(&w, 0, 21000, 1000);
    CU_ASSERT_EQUAL(at(&w, 1000, true), 30000);
    leat_arena_reset(&arena);
}

static void without_event_time_it_is_the_time_of_the_batch(void)
{
    struct leat_watermark w = {
        .max_ms = LEAT_NO_TIME, .before_ms = LEAT_NO_TIME, .now_ms = LEAT_NO_TIME};

    leat_watermark_move(&w, leat_watermark_at(&w, 0, 7000, 99, false, close_time, NULL));
    CU_ASSERT_EQUAL(w.now_ms, 7000);
    leat_watermark_move(&w, leat_watermark_at(&w, 0, 6000, 99, false, close_time, NULL));
    CU_ASSERT_EQUAL(w.now_ms, 7000);
}

static void of_a_stage_it_is_the_least_of_its_sources(void)
{
    struct leat_watermark w[] = {{.before_ms = 5, .now_ms = 10}, {.before_ms = 1, .now_ms = 30}};

    CU_ASSERT_EQUAL(leat_watermarks_now(w, 2, 1), 10);
    CU_ASSERT_EQUAL(leat_watermarks_now(w, 2, 2), 30);
    CU_ASSERT_EQUAL(leat_watermarks_now(w, 2, 3), 10);
    CU_ASSERT_EQUAL(leat_watermarks_before(w, 2, 3), 1);
    CU_ASSERT_EQUAL(leat_watermarks_now(w, 2, 0), LEAT_NO_TIME);
}

LEAT_TESTS("watermark", T(it_is_the_least_of_the_partitions_less_lateness), T(it_never_goes_back),
           T(a_silent_partition_at_its_end_holds_nobody_back),
           T(when_all_are_idle_the_last_window_closes), T(a_finished_partition_holds_nobody_back),
           T(a_bounded_run_closes_at_its_end), T(without_event_time_it_is_the_time_of_the_batch),
           T(of_a_stage_it_is_the_least_of_its_sources))
