/* Tests engine/op/grid.c: panes and windows, days in zones with clock changes. */
#include "op/grid.h"

#include "expr/zone.h"
#include "leat_test.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

/* By definition: windows begin at offset + k * slide. */
static void check(int64_t size, int64_t slide, int64_t offset)
{
    const struct leat_window_spec spec = {.size_ms = size, .slide_ms = slide, .offset_ms = offset};
    struct leat_grid g = leat_grid_of(&spec, true);

    for (int64_t t = -200; t < 200; t++) {
        int64_t start, end, first = INT64_MAX, last = INT64_MIN;
        for (int64_t k = -400; k < 400; k++) {
            int64_t from = offset + k * slide;
            if (t < from || t >= from + size)
                continue;
            first = from + size < first ? from + size : first;
            last = from + size > last ? from + size : last;
        }
        bool inside = leat_grid_pane(&g, t, &start, &end);
        CU_ASSERT_FATAL(start <= t && t < end);
        CU_ASSERT_EQUAL_FATAL(inside, first != INT64_MAX);
        if (!inside)
            continue;
        CU_ASSERT_EQUAL_FATAL(leat_grid_first_end(&g, start), first);
        CU_ASSERT_EQUAL_FATAL(leat_grid_last_end(&g, start), last);
        CU_ASSERT_FATAL(end <= first);
        CU_ASSERT_EQUAL_FATAL(leat_grid_start(&g, first), first - size);
        CU_ASSERT_EQUAL_FATAL(leat_grid_next_end(&g, first), first + slide);
        int64_t panes = 0;
        for (int64_t at = first - size; at < first; at = end, panes++)
            leat_grid_pane(&g, at, &start, &end);
        CU_ASSERT_EQUAL_FATAL(leat_grid_panes(&g), panes);
        int64_t before = leat_grid_end_before(&g, t);
        CU_ASSERT_FATAL(before <= t && before + slide > t);
    }
}

static void windows_are_those_of_the_definition(void)
{
    for (int64_t size = 1; size <= 24; size++)
        for (int64_t slide = 1; slide <= 13; slide++)
            check(size, slide, size % 5);
}

static void days_of_a_zone_begin_at_its_midnights(void)
{
    struct leat_arena arena = {0};
    const char *why;
    const struct leat_zone *paris = leat_zone_open(LEAT_LIT("Europe/Paris"), &arena, &why);
    int64_t start, end;

    if (!paris)
        LEAT_SKIP("no zone files");
    const struct leat_window_spec spec = {.size_ms = DAY, .slide_ms = DAY, .zone = paris};
    struct leat_grid g = leat_grid_of(&spec, true);
    /* 2026-03-29: clocks go forward at 01:00 UTC, the day has 23 hours. */
    int64_t noon = INT64_C(1774778400000);
    CU_ASSERT_TRUE(leat_grid_pane(&g, noon, &start, &end));
    CU_ASSERT_EQUAL(end - start, 23 * HOUR);
    CU_ASSERT_EQUAL(leat_grid_first_end(&g, start), end);
    CU_ASSERT_EQUAL(leat_grid_start(&g, end), start);
    CU_ASSERT_EQUAL(leat_grid_next_end(&g, end), end + DAY);
    /* 2026-10-25: back, 25 hours. */
    noon = INT64_C(1792926000000);
    CU_ASSERT_TRUE(leat_grid_pane(&g, noon, &start, &end));
    CU_ASSERT_EQUAL(end - start, 25 * HOUR);
    leat_arena_reset(&arena);
}

LEAT_TESTS("grid", T(windows_are_those_of_the_definition), T(days_of_a_zone_begin_at_its_midnights))
