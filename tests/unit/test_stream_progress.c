/*
 * Tests engine/stream/progress.c: what a program that asks is told of its batches. Also under
 * thread sanitizer.
 */
#include "hand_clock.h"
#include "stream_ready.h"
#include "stream_rig.h"

#include <stdatomic.h>

static struct leat_error err;

/* What a listener found when it asked, "s:1/0/0/0/0" for submitted: batches that wait, run, are
 * retained; records received, processed. */
struct asked {
    struct leat_progress *progress;
    char text[200];
};

static void ask(struct asked *a, char what)
{
    struct leat_progress_counts c;
    size_t at = strlen(a->text);

    leat_progress_count(a->progress, &c);
    CU_ASSERT_EQUAL(c.unprocessed, c.waiting + c.running);
    snprintf(a->text + at, sizeof a->text - at, "%s%c:%d/%d/%d/%d/%d", at ? " " : "", what,
             (int)c.waiting, (int)c.running, (int)c.retained, (int)c.received, (int)c.processed);
}

static void submitted(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    ask(arg, 's');
}

static void started(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    ask(arg, 'b');
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    ask(arg, 'c');
}

static void a_listener_that_asks_finds_its_batch_counted(void)
{
    const struct leat_listener l = {
        .batch_submitted = submitted, .batch_started = started, .batch_completed = completed};
    struct hand_clock clock = {.clock = {.now_ms = hand_clock_now, .monotonic_ms = hand_clock_now}};
    struct leat_context *ctx = leat_context_new("test", 3600000);
    struct leat_stream *one = leat_queue_stream(ctx, true), *two = leat_queue_stream(ctx, true);
    struct asked a = {.progress = leat_add_progress(ctx, 10)};
    struct leat_progress_counts c;

    ctx->clock = &clock.clock;
    leat_add_listener(ctx, &l, &a);
    leat_print(leat_union(one, two), 1);
    PUSH(one, 1, 2, 3);
    PUSH(two, 4, 5);
    OK(leat_start(ctx, &err));
    wait_until_ready(ctx);
    clock.now_ms = 3600000;
    leat_job_look_at_clock(ctx->job);
    do {
        leat_progress_count(a.progress, &c);
        sched_yield();
    } while (c.completed == 0);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_STRING_EQUAL(a.text, "s:1/0/0/0/0 b:0/1/0/5/0 c:0/0/1/5/5");
    leat_progress_count(a.progress, &c);
    CU_ASSERT(c.unprocessed == 0 && c.completed == 1 && c.received == 5 && c.processed == 5);
    leat_context_free(ctx);
}

static enum leat_status count_batches(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)rdd, (void)e;
    atomic_fetch_add((atomic_int *)arg, 1);
    return LEAT_OK;
}

static void as_many_batches_as_asked_for_are_kept_the_newest_first(void)
{
    struct leat_context *ctx = leat_context_new("test", 5);
    struct leat_progress *few = leat_add_progress(ctx, 3), *many = leat_add_progress(ctx, 1000);
    struct leat_batch_info last[5], all[1000];
    struct leat_progress_counts c;
    atomic_int batches = 0;

    leat_foreach_rdd(leat_queue_stream(ctx, true), count_batches, &batches);
    OK(leat_start(ctx, &err));
    while (atomic_load(&batches) < 5)
        sched_yield();
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(leat_progress_batches(few, last, 5), 3);
    CU_ASSERT_EQUAL(leat_progress_batches(few, last, 2), 2);
    CU_ASSERT_EQUAL(leat_progress_batches(few, last, 5), 3);
    leat_progress_count(few, &c);
    CU_ASSERT(c.retained == 3 && c.completed >= 5);
    size_t n = leat_progress_batches(many, all, 1000);
    CU_ASSERT(n >= 5 && n <= c.completed);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(i == 0 || all[i].batch_ms < all[i - 1].batch_ms);
        CU_ASSERT(all[i].total_ms >= 0 && !all[i].failure);
        CU_ASSERT(i >= 3 || all[i].batch_ms == last[i].batch_ms);
    }
    leat_context_free(ctx);
}

static struct leat_value fails(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)in, (void)arg;
    return leat_call_fail(call, "not this one");
}

static void a_batch_that_failed_is_kept_with_its_reason(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_progress *progress = leat_add_progress(ctx, 10);
    struct leat_progress_counts c;
    struct leat_batch_info last;

    leat_print(leat_map(queue, fails, NULL), 1);
    PUSH(queue, 1);
    OK(leat_start(ctx, &err));
    CU_ASSERT_NOT_EQUAL(leat_await_termination(ctx, &err), LEAT_OK);
    CU_ASSERT_EQUAL(leat_progress_batches(progress, &last, 1), 1);
    CU_ASSERT(last.failure && strstr(last.failure, "not this one"));
    leat_progress_count(progress, &c);
    CU_ASSERT(c.unprocessed == 0 && c.received == 1 && c.processed == 0);
    leat_context_free(ctx);
}

static void wait_at_the_gate(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    pthread_mutex_lock(arg);
    pthread_mutex_unlock(arg);
}

static void counts_are_right_also_behind_a_listener_that_is_too_slow(void)
{
    struct leat_context *ctx = leat_context_new("test", 5);
    struct leat_progress *progress = leat_add_progress(ctx, 1000);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct leat_progress_counts c;
    atomic_int batches = 0;

    pthread_mutex_lock(&gate);
    leat_add_listener(ctx, &(struct leat_listener){.batch_submitted = wait_at_the_gate}, &gate);
    leat_foreach_rdd(leat_queue_stream(ctx, true), count_batches, &batches);
    OK(leat_start(ctx, &err));
    while (atomic_load(&batches) < 100) /* three things each */
        sched_yield();
    leat_progress_count(progress, &c);
    CU_ASSERT_EQUAL(c.completed, 0); /* nothing was heard of that */
    pthread_mutex_unlock(&gate);
    do {
        leat_progress_count(progress, &c);
        sched_yield();
    } while (c.completed < 110);
    CU_ASSERT(c.retained < c.completed);
    OK(leat_stop(ctx, false, &err));
    leat_progress_count(progress, &c);
    CU_ASSERT_EQUAL(c.completed, (uint64_t)atomic_load(&batches));
    CU_ASSERT_EQUAL(c.unprocessed, 0);
    leat_context_free(ctx);
}

static void progress_comes_before_the_start_and_retains_something(void)
{
    struct leat_context *ctx = new_context();
    struct leat_progress_counts c = {.completed = 1};
    struct leat_batch_info b;

    CU_ASSERT_PTR_NULL(leat_add_progress(NULL, 1));
    leat_progress_count(NULL, &c);
    CU_ASSERT_EQUAL(c.completed, 0);
    leat_progress_count(leat_add_progress(ctx, LEAT_PROGRESS_MAX), NULL);
    CU_ASSERT_EQUAL(leat_progress_batches(NULL, &b, 1), 0);
    leat_print(leat_queue_stream(ctx, true), 1);
    OK(leat_start(ctx, &err));
    CU_ASSERT_PTR_NULL(leat_add_progress(ctx, 1));
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_MISUSE);
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
    for (size_t limit = 0; limit <= LEAT_PROGRESS_MAX + 1; limit += LEAT_PROGRESS_MAX + 1) {
        ctx = new_context();
        CU_ASSERT_PTR_NULL(leat_add_progress(ctx, limit));
        leat_print(leat_queue_stream(ctx, true), 1);
        CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1 to 1000000 batches"));
        leat_context_free(ctx);
    }
}

static void progress_without_memory_ends_in_order(void)
{
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        (void)leat_add_progress(ctx, 10);
        leat_print(leat_queue_stream(ctx, true), 1);
        (void)runs_with_all_memory(ctx, LEAT_OK);
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_progress", T(a_listener_that_asks_finds_its_batch_counted),
           T(as_many_batches_as_asked_for_are_kept_the_newest_first),
           T(a_batch_that_failed_is_kept_with_its_reason),
           T(counts_are_right_also_behind_a_listener_that_is_too_slow),
           T(progress_comes_before_the_start_and_retains_something),
           T(progress_without_memory_ends_in_order))
