/* What windows cost, by count and not by clock: merges per slide, and memory over many batches. */
#include "group_run.h"

#include <stdio.h>

#define KEYS  40
#define CYCLE 3000 /* slides that are measured: what is put off must not be missed */

static char names[KEYS][8];

static struct group_run *open_run(const struct leat_aggregator *agg, enum leat_over over,
                                  int64_t slides)
{
    struct group_run *run = calloc(1, sizeof *run);

    for (int k = 0; k < KEYS; k++)
        snprintf(names[k], sizeof names[k], "k%d", k);
    run->group = (struct leat_group){.agg = agg,
                                     .partial_size = TEST_PARTIAL_SIZE,
                                     .over = over,
                                     .event_time = true,
                                     .windows_out = true,
                                     .keyed = true,
                                     .grid = {10 * slides, 10, 0, NULL},
                                     .gap_ms = 30};
    run->batch.interval_ms = 10;
    group_run_open(run);
    return run;
}

/* One batch: each of KEYS keys has a row in the slide that ends at 10 * n. */
static uint64_t slide(struct group_run *run, int64_t n)
{
    struct group_row rows[KEYS];
    struct leat_error err;

    for (int k = 0; k < KEYS; k++)
        rows[k] = (struct group_row){names[k], n + k, n * 10 - 5};
    test_merges = 0;
    OK(group_run_batch(run, rows, KEYS, 1, n * 10, n * 10, &err));
    group_run_clear(run);
    return test_merges;
}

/* Merges per slide once the window is full: mean, and worst. */
static void measure(const struct leat_aggregator *agg, int64_t slides, double *mean, double *worst)
{
    struct group_run *run = open_run(agg, LEAT_OVER_PANES, slides);
    int64_t n = 1;

    *mean = *worst = 0;
    for (; n <= 2 * slides + 3; n++)
        slide(run, n);
    for (int i = 0; i < CYCLE; i++, n++) {
        double merges = (double)slide(run, n);
        *mean += merges / CYCLE;
        *worst = merges > *worst ? merges : *worst;
    }
    group_run_close(run);
    free(run);
}

static void check_law(const struct leat_aggregator *agg)
{
    double few, many, few_worst, many_worst;

    measure(agg, 10, &few, &few_worst);
    measure(agg, 1000, &many, &many_worst);
    if (many > few * 1.2 || few > many * 1.2 || many_worst > many * 4 || few_worst > few * 4)
        printf("    10 slides: %.0f merges a slide, worst %.0f; 1000: %.0f, worst %.0f\n", few,
               few_worst, many, many_worst);
    CU_ASSERT(many <= few * 1.2);
    CU_ASSERT(few <= many * 1.2);
    CU_ASSERT(many_worst <= many * 4);
    CU_ASSERT(few_worst <= few * 4);
}

static void a_slide_costs_the_same_for_windows_of_any_length(void)
{
    check_law(&test_max);
}

static void a_slide_costs_the_same_with_an_inverse(void)
{
    check_law(&test_sum_running);
}

static void memory_stays_the_same_over_ten_thousand_batches(void)
{
    struct group_run *run = open_run(&test_max, LEAT_OVER_PANES, 20);
    struct leat_error err;
    size_t before = 0, after = 0;

    for (int64_t n = 1; n <= 10000; n++) {
        struct group_row rows[8];
        char keys[8][8];
        for (int k = 0; k < 8; k++) { /* keys come and go */
            snprintf(keys[k], sizeof keys[k], "x%d", (int)(n * 3 + k) % 1000);
            rows[k] = (struct group_row){keys[k], n, n * 10 - 5};
        }
        OK(group_run_batch(run, rows, 8, 2, n * 10, n * 10, &err));
        group_run_clear(run);
        if (n == 1000)
            for (int q = 0; q < GROUP_PARTS; q++)
                before += run->state[q].bytes;
    }
    for (int q = 0; q < GROUP_PARTS; q++)
        after += run->state[q].bytes;
    CU_ASSERT_EQUAL(before, after);
    group_run_close(run);
    free(run);
}

static void sessions_do_not_grow_either(void)
{
    struct group_run *run = open_run(&test_sum, LEAT_OVER_SESSION, 1);
    struct leat_error err;
    size_t before = 0, after = 0;

    for (int64_t n = 1; n <= 10000; n++) {
        struct group_row row = {names[n * 7 % KEYS], n, n * 10 - 5};
        OK(group_run_batch(run, &row, 1, 1, n * 10, n * 10, &err));
        group_run_clear(run);
        if (n == 1000)
            for (int q = 0; q < GROUP_PARTS; q++)
                before += run->state[q].bytes;
    }
    for (int q = 0; q < GROUP_PARTS; q++)
        after += run->state[q].bytes;
    CU_ASSERT_EQUAL(before, after);
    group_run_close(run);
    free(run);
}

LEAT_TESTS("group_laws", T(a_slide_costs_the_same_for_windows_of_any_length),
           T(a_slide_costs_the_same_with_an_inverse),
           T(memory_stays_the_same_over_ten_thousand_batches), T(sessions_do_not_grow_either))
