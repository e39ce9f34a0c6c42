/* Tests engine/run/driver.c, and with it batch.c, stage.c and seal.c. Also under thread sanitizer.
 */
#include "hand_plan.h"
#include "leat_test.h"
#include "run/driver.h"

#include <stdio.h>

static struct leat_error err;
static struct hand_plan plan;

#define MEMORY ((size_t)64 << 20)

static struct leat_driver *start(const struct hand_options *o, uint32_t threads, uint32_t parts)
{
    struct leat_driver *d;
    uint32_t id;

    hand_plan_init(&plan, o);
    OK(leat_driver_new(&plan.plan, threads, MEMORY, &d, &err));
    for (uint32_t s = 0; s < o->sources; s++)
        for (uint32_t i = 0; i < parts; i++) {
            char name[32];
            snprintf(name, sizeof name, "%u/%u", s, i);
            OK(leat_driver_part(d, s, leat_slice_str(name), 0, &id, &err));
            CU_ASSERT_EQUAL(id, i);
        }
    return d;
}

static void line(struct leat_driver *d, uint32_t source, uint32_t part, const char *text)
{
    struct leat_row row = {.value = leat_slice_str(text), .time_ms = LEAT_NO_TIME};

    OK(leat_driver_row(d, source, part, &row, &err));
}

static bool batch(struct leat_driver *d, int64_t time_ms, int64_t clock_ms)
{
    bool ran;

    OK(leat_driver_batch(d, time_ms, clock_ms, false, &ran, &err));
    return ran;
}

/* All values that a sink got, one per line. */
static void append_output(const struct leat_driver *d, uint32_t sink, char *into, size_t room)
{
    size_t len = strlen(into);

    for (const struct leat_sealed *s = leat_driver_output(d, sink)->first; s; s = s->next)
        for (uint32_t i = 0; i < s->chunk.selected; i++) {
            struct leat_slice v = s->chunk.values[s->chunk.selection[i]];
            CU_ASSERT_FATAL(len + v.len + 2 < room);
            memcpy(into + len, v.ptr, v.len);
            len += v.len;
            into[len++] = '\n';
            into[len] = 0;
        }
}

static const char *output(const struct leat_driver *d, uint32_t sink)
{
    static char text[1 << 16];

    text[0] = 0;
    append_output(d, sink, text, sizeof text);
    return text;
}

static void words_of_a_batch_are_counted_and_lines_pass_by(void)
{
    struct leat_driver *d = start(&(struct hand_options){.sources = 1, .partitions = 1}, 1, 2);

    line(d, 0, 1, "to be");
    line(d, 0, 0, "or not to be");
    CU_ASSERT(batch(d, 1000, 1000));
    CU_ASSERT_STRING_EQUAL(output(d, 0), "or=1\nnot=1\nto=2\nbe=2\n"); /* partition 0 first */
    CU_ASSERT_STRING_EQUAL(output(d, 1), "or not to be\nto be\n");
    CU_ASSERT_FALSE(batch(d, 2000, 2000)); /* nothing came: it is none */
    CU_ASSERT_STRING_EQUAL(output(d, 0), "");
    line(d, 0, 0, "be");
    CU_ASSERT(batch(d, 3000, 3000));
    CU_ASSERT_STRING_EQUAL(output(d, 0), "be=1\n");
    CU_ASSERT_EQUAL(leat_driver_counts(d).batches, 2);
    CU_ASSERT_EQUAL(leat_driver_counts(d).rows_in, 3);
    CU_ASSERT_EQUAL(leat_driver_counts(d).state_keys, 4);
    leat_driver_free(d);
}

/* Enough rows that the pool is used; several batches; compared byte by byte with one thread. */
static void run_many(uint32_t threads, char *into, size_t room)
{
    struct leat_driver *d =
        start(&(struct hand_options){.sources = 2, .partitions = 16}, threads, 4);
    uint64_t rng = 88172645463325252u;

    into[0] = 0;
    for (int64_t n = 1; n <= 3; n++) {
        for (int i = 0; i < 5000; i++) {
            char text[64];
            rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
            snprintf(text, sizeof text, "w%u x%u", (unsigned)(rng % 97), (unsigned)(rng >> 60));
            line(d, (uint32_t)(rng >> 20) % 2, (uint32_t)(rng >> 30) % 4, text);
        }
        CU_ASSERT(batch(d, n * 1000, n * 1000));
        append_output(d, 0, into, room);
        append_output(d, 1, into, room);
    }
    leat_driver_free(d);
}

static void results_do_not_depend_on_the_number_of_threads(void)
{
    enum { ROOM = 1 << 20 };
    char *one = malloc(ROOM), *many = malloc(ROOM);

    run_many(1, one, ROOM);
    CU_ASSERT(strlen(one) > 100000);
    for (uint32_t threads = 2; threads <= 8; threads *= 4) {
        run_many(threads, many, ROOM);
        CU_ASSERT_STRING_EQUAL(one, many);
    }
    free(one);
    free(many);
}

static void a_thousand_partitions_and_one_or_two_workers(void)
{
    for (uint32_t threads = 1; threads <= 2; threads++) {
        struct leat_driver *d =
            start(&(struct hand_options){.sources = 1, .partitions = 16}, threads, 1000);
        for (int n = 1; n <= 3; n++) {
            for (uint32_t i = 0; i < 1000; i++)
                for (int k = 0; k < 3; k++)
                    line(d, 0, i, "one two three");
            CU_ASSERT(batch(d, n * 1000, n * 1000));
            const char *text = output(d, 0);
            CU_ASSERT_PTR_NOT_NULL(strstr(text, "one=3000\n"));
            CU_ASSERT_PTR_NOT_NULL(strstr(text, "three=3000\n"));
        }
        leat_driver_free(d);
    }
}

static void windows_fire_when_the_watermark_reaches_them(void)
{
    struct leat_driver *d = start(&(struct hand_options){.sources = 1,
                                                         .partitions = 4,
                                                         .event_time = true,
                                                         .window_ms = 10000,
                                                         .lateness_ms = 1000},
                                  1, 1);
    line(d, 0, 0, "3000 a");
    line(d, 0, 0, "9000 a");
    CU_ASSERT(batch(d, 1, 1));
    CU_ASSERT_STRING_EQUAL(output(d, 0), "");
    CU_ASSERT_EQUAL(leat_driver_watermark(d, 0), 8000);
    CU_ASSERT_FALSE(batch(d, 2, 2)); /* not due */
    line(d, 0, 0, "11000 b");
    CU_ASSERT(batch(d, 3, 3));
    CU_ASSERT_STRING_EQUAL(output(d, 0), "a=2\n");
    line(d, 0, 0, "2000 c"); /* late against W(N-1) = 10000 */
    CU_ASSERT(batch(d, 4, 4));
    CU_ASSERT_EQUAL(leat_driver_counts(d).late, 1);
    leat_driver_free(d);
}

static void batch_time_fires_without_records(void)
{
    struct leat_driver *d =
        start(&(struct hand_options){.sources = 1, .partitions = 4, .window_ms = 5000}, 1, 1);

    line(d, 0, 0, "a a");
    CU_ASSERT(batch(d, 1000, 1000));
    CU_ASSERT_FALSE(batch(d, 4000, 4000));
    CU_ASSERT(batch(d, 9000, 9000)); /* missed ticks are over at once */
    CU_ASSERT_STRING_EQUAL(output(d, 0), "a=2\n");
    CU_ASSERT_FALSE(batch(d, 99000, 99000));
    leat_driver_free(d);
}

static void a_pipeline_that_speaks_on_empty_batches_has_them(void)
{
    struct leat_driver *d =
        start(&(struct hand_options){.sources = 1, .partitions = 4, .on_empty = true}, 1, 1);

    CU_ASSERT(batch(d, 1000, 1000));
    CU_ASSERT(batch(d, 2000, 2000));
    CU_ASSERT_EQUAL(leat_driver_counts(d).batches, 2);
    leat_driver_free(d);
}

static void a_failure_names_its_place_and_nothing_leaks(void)
{
    for (uint32_t threads = 1; threads <= 4; threads += 3) {
        struct leat_driver *d =
            start(&(struct hand_options){.sources = 1, .partitions = 4}, threads, 3);
        bool ran;
        for (int i = 0; i < 3000; i++)
            line(d, 0, (uint32_t)i % 3, "fine");
        line(d, 0, 1, "bad");
        CU_ASSERT_EQUAL(leat_driver_batch(d, 1000, 1000, false, &ran, &err), LEAT_E_DATA);
        CU_ASSERT_STRING_EQUAL(err.text, "0/1: a bad line");
        leat_driver_free(d); /* asserts that the budget is whole again */
    }
}

static void full_state_says_where_and_how_much(void)
{
    struct leat_driver *d;
    uint32_t id;
    bool ran = true;
    int n = 0;

    hand_plan_init(&plan,
                   &(struct hand_options){.sources = 1, .partitions = 2, .window_ms = 1 << 30});
    OK(leat_driver_new(&plan.plan, 1, (size_t)4 << 20, &d, &err));
    OK(leat_driver_part(d, 0, LEAT_LIT("p"), 0, &id, &err));
    enum leat_status status = LEAT_OK;
    while (status == LEAT_OK && n < 1000000) {
        for (int i = 0; i < 1000; i++, n++) {
            char text[32];
            snprintf(text, sizeof text, "key%d", n);
            line(d, 0, 0, text);
        }
        status = leat_driver_batch(d, n, n, false, &ran, &err);
    }
    CU_ASSERT_EQUAL(status, LEAT_E_FULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "streams.counts.ops[0]: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, " keys in state partition "));
    leat_driver_free(d);
}

static size_t allocations;

static bool count_allocation(void)
{
    allocations++;
    return true;
}

static void steady_batches_do_not_allocate(void)
{
    struct leat_driver *d = start(&(struct hand_options){.sources = 1, .partitions = 4}, 1, 1);

    for (int n = 1; n <= 20; n++) {
        allocations = 0;
        for (int i = 0; i < 3000; i++)
            line(d, 0, 0, "some words to count");
        leat_mem_gate = n > 3 ? count_allocation : NULL;
        CU_ASSERT(batch(d, n * 1000, n * 1000));
        leat_mem_gate = NULL;
        CU_ASSERT_EQUAL(allocations, 0);
    }
    leat_driver_free(d);
}

static void lack_of_memory_is_reported(void)
{
    hand_plan_init(&plan, &(struct hand_options){.sources = 1, .partitions = 2});
    LEAT_OOM_SWEEP {
        struct leat_driver *d;
        uint32_t id;
        bool ran;
        enum leat_status status = leat_driver_new(&plan.plan, 1, MEMORY, &d, &err);
        if (status == LEAT_OK)
            status = leat_driver_part(d, 0, LEAT_LIT("p"), 0, &id, &err);
        if (status == LEAT_OK)
            status = leat_driver_row(d, 0, id, &(struct leat_row){.value = LEAT_LIT("a b")}, &err);
        if (status == LEAT_OK)
            status = leat_driver_batch(d, 1, 1, false, &ran, &err);
        CU_ASSERT_EQUAL(status != LEAT_OK, leat_oom_hit());
        leat_driver_free(d);
    }
}

LEAT_TESTS("driver", T(words_of_a_batch_are_counted_and_lines_pass_by),
           T(results_do_not_depend_on_the_number_of_threads),
           T(a_thousand_partitions_and_one_or_two_workers),
           T(windows_fire_when_the_watermark_reaches_them), T(batch_time_fires_without_records),
           T(a_pipeline_that_speaks_on_empty_batches_has_them),
           T(a_failure_names_its_place_and_nothing_leaks), T(full_state_says_where_and_how_much),
           T(steady_batches_do_not_allocate), T(lack_of_memory_is_reported))
