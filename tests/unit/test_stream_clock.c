/*
 * Tests engine/stream by a clock that the test moves: when batches are, and who knows of it.
 */
#include "hand_clock.h"
#include "leat_test.h"
#include "stream_ready.h"

#include <pthread.h>

static struct leat_error err;

/* ---- what came out: batches by their time, "1000: a=1000 b=1000" */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[1024];
    int64_t last_ms;
};

static enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct seen *s = arg;

    (void)e;
    pthread_mutex_lock(&s->lock);
    size_t at = strlen(s->text);
    at += (size_t)snprintf(s->text + at, sizeof s->text - at, "%s%d:", at ? " " : "",
                           (int)rdd->time_ms);
    for (size_t i = 0; i < rdd->count; i++)
        at += (size_t)snprintf(s->text + at, sizeof s->text - at, " %d",
                               (int)rdd->rows[i].value.as.i);
    s->last_ms = rdd->time_ms;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return LEAT_OK;
}

/* So many batches by the hand's clock, one after the other; before(k) when k are out. */
static void run_with(struct leat_context *ctx, struct leat_stream *s, int count, struct seen *seen,
                     void (*before)(struct leat_stream *s, int out))
{
    struct hand_clock clock = {.clock = {.now_ms = hand_clock_now, .monotonic_ms = hand_clock_now}};

    *seen = (struct seen){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    ctx->clock = &clock.clock;
    leat_foreach_rdd(s, see, seen);
    OK(leat_start(ctx, &err));
    wait_until_ready(ctx);
    for (int k = 1; k <= count; k++) {
        if (before)
            before(s, k - 1);
        clock.now_ms = 3600000 * (int64_t)k;
        leat_job_look_at_clock(ctx->job);
        pthread_mutex_lock(&seen->lock);
        while (seen->last_ms < clock.now_ms)
            pthread_cond_wait(&seen->changed, &seen->lock);
        pthread_mutex_unlock(&seen->lock);
    }
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
}

static void run(struct leat_context *ctx, struct leat_stream *s, int count, struct seen *seen)
{
    run_with(ctx, s, count, seen, NULL);
}

static struct leat_value time_of_batch(struct leat_call *call, struct leat_value key,
                                       struct leat_value values, struct leat_value state, void *arg)
{
    (void)key, (void)state, (void)arg;
    return values.len ? leat_int(leat_call_time_ms(call)) : state;
}

static struct leat_value time_of_element(struct leat_call *call, const struct leat_pair *in,
                                         void *arg)
{
    (void)in, (void)arg;
    return leat_int(leat_call_time_ms(call));
}

static void push(struct leat_stream *queue, const char *keys)
{
    struct leat_pair pairs[8];
    size_t n = 0;

    for (; keys[n]; n++)
        pairs[n] = (struct leat_pair){leat_string((struct leat_slice){keys + n, 1}), leat_int(1)};
    OK(leat_queue_push_pairs(queue, pairs, n, &err));
}

static void batches_an_hour_apart_come_as_soon_as_the_clock_moves(void)
{
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    push(queue, "a");
    push(queue, "");
    push(queue, "b");
    run(ctx, queue, 4, &seen);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 1 7200000: 10800000: 1 14400000:");
}

static void push_numbers(struct leat_stream *queue, int out)
{
    for (int i = 0; i < out; i++) {
        const struct leat_value v = leat_int(10 * out + i);
        OK(leat_queue_push(queue, &v, 1, &err));
    }
}

static void what_is_pushed_before_the_tick_is_in_its_batch(void)
{
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct seen seen;

    run_with(ctx, leat_queue_stream(ctx, false), 4, &seen, push_numbers);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 7200000: 10 10800000: 20 21 14400000: 30 31 32");
    ctx = leat_context_new("test", 3600000);
    run_with(ctx, leat_queue_stream(ctx, true), 4, &seen, push_numbers);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 7200000: 10 10800000: 20 14400000: 21");
}

static struct leat_value negative(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(-in->value.as.i);
}

/* How many rows, which is the first, and how often the next is of the other sign. */
static enum leat_status see_order(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct seen *s = arg;
    size_t changes = 0;

    (void)e;
    if (rdd->count == 0)
        return LEAT_OK;
    for (size_t i = 1; i < rdd->count; i++)
        changes += (rdd->rows[i].value.as.i < 0) != (rdd->rows[i - 1].value.as.i < 0);
    snprintf(s->text, sizeof s->text, "%zu rows, begins with %d, %zu changes of sign", rdd->count,
             (int)rdd->rows[0].value.as.i, changes);
    return LEAT_OK;
}

/* More than a chunk of them; what is on the left was asked for first, or last. */
static void a_union_gives_all_of_the_left_and_then_all_of_the_right(void)
{
    enum { COUNT = 3000 };
    static struct leat_value values[COUNT];

    for (int i = 0; i < COUNT; i++)
        values[i] = leat_int(i + 1);
    for (int turn = 0; turn < 2; turn++) {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_map(a, negative, NULL);
        struct seen seen = {.text = ""};
        leat_foreach_rdd(turn ? leat_union(b, a) : leat_union(a, b), see_order, &seen);
        OK(leat_queue_push(a, values, COUNT, &err));
        OK(leat_start(ctx, &err));
        OK(leat_stop(ctx, true, &err));
        CU_ASSERT_STRING_EQUAL(seen.text, turn ? "6000 rows, begins with -1, 1 changes of sign"
                                               : "6000 rows, begins with 1, 1 changes of sign");
        leat_context_free(ctx);
    }
}

/* What a window gives is a stream like any other: for windows, for joins, for state. */
static void results_of_a_window_are_of_their_batch(void)
{
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_stream *window = leat_window(queue, 2 * 3600000, 0);
    struct seen seen;

    for (int i = 1; i <= 2; i++) {
        const struct leat_value v = leat_int(i);
        OK(leat_queue_push(queue, &v, 1, &err));
    }
    run(ctx, leat_count(leat_union(leat_window(window, 2 * 3600000, 0), queue)), 4, &seen);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 2 7200000: 4 10800000: 3 14400000: 1");
}

static void a_function_of_state_knows_the_time_of_its_batch(void)
{
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    push(queue, "aa");
    push(queue, "");
    push(queue, "a");
    run(ctx, leat_update_state_by_key(queue, time_of_batch, NULL), 3, &seen);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 3600000 7200000: 3600000 10800000: 10800000");
}

static void other_functions_are_told_no_time(void)
{
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    push(queue, "a");
    run(ctx, leat_map(queue, time_of_element, NULL), 1, &seen);
    CU_ASSERT_STRING_EQUAL(seen.text, "3600000: 0");
}

LEAT_TESTS("stream_clock", T(batches_an_hour_apart_come_as_soon_as_the_clock_moves),
           T(what_is_pushed_before_the_tick_is_in_its_batch),
           T(a_union_gives_all_of_the_left_and_then_all_of_the_right),
           T(results_of_a_window_are_of_their_batch),
           T(a_function_of_state_knows_the_time_of_its_batch), T(other_functions_are_told_no_time))
