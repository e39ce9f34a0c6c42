/*
 * Tests engine/stream: the life of a context from its making to its end, as Spark's own tests tell
 * it, and where leat's is another. Misuse is in test_stream_misuse.c. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>

static struct leat_error err;

static enum leat_status count_batches(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)rdd, (void)e;
    atomic_fetch_add((atomic_int *)arg, 1);
    return LEAT_OK;
}

static void wait_for_count(atomic_int *count, int least)
{
    while (atomic_load(count) < least)
        sched_yield();
}

static void a_context_is_initialized_until_its_start_then_active_then_stopped(void)
{
    struct leat_context *ctx = new_context();
    struct seen seen;

    seen_init(&seen);
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_INITIALIZED);
    leat_foreach_rdd(leat_queue_stream(ctx, true), see, &seen);
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_INITIALIZED);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    leat_context_free(ctx);
}

static void a_second_start_changes_nothing(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(queue, see, &seen);
    PUSH(queue, 1, 2);
    OK(leat_start(ctx, &err));
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    wait_for_batches(&seen, 1);
    OK(leat_start(ctx, &err));
    PUSH(queue, 3);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "1 2|3");
    CU_ASSERT(seen.in_order);
    leat_context_free(ctx);
}

static void a_second_stop_changes_nothing_with_grace_or_without(void)
{
    for (int first = 0; first < 2; first++) {
        struct leat_context *ctx = new_context();
        struct seen seen;
        seen_init(&seen);
        leat_foreach_rdd(leat_queue_stream(ctx, true), see, &seen);
        OK(leat_start(ctx, &err));
        OK(leat_stop(ctx, first, &err));
        CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
        int64_t last_ms = seen.last_ms;
        OK(leat_stop(ctx, !first, &err));
        OK(leat_stop(ctx, first, &err));
        CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
        CU_ASSERT_EQUAL(seen.last_ms, last_ms);
        OK(leat_await_termination(ctx, &err));
        leat_context_free(ctx);
    }
}

struct waiter {
    struct leat_context *ctx;
    atomic_bool waits;
    enum leat_status status;
};

static void *wait_for_the_end(void *arg)
{
    struct waiter *w = arg;
    struct leat_error e;

    atomic_store(&w->waits, true);
    w->status = leat_await_termination(w->ctx, &e);
    return NULL;
}

static void who_waits_is_told_that_it_runs_or_let_go_by_a_stop_elsewhere(void)
{
    struct leat_context *ctx = new_context();
    struct waiter w = {.ctx = ctx, .status = LEAT_E_BROKEN};
    pthread_t thread;
    struct seen seen;
    bool ended = true;

    seen_init(&seen);
    leat_foreach_rdd(leat_queue_stream(ctx, true), see, &seen);
    OK(leat_start(ctx, &err));
    OK(leat_await_termination_or_timeout(ctx, 100, &ended, &err));
    CU_ASSERT_FALSE(ended);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wait_for_the_end, &w), 0);
    while (!atomic_load(&w.waits))
        sched_yield();
    OK(leat_stop(ctx, false, &err));
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(w.status, LEAT_OK);
    OK(leat_await_termination_or_timeout(ctx, 60000, &ended, &err));
    CU_ASSERT_TRUE(ended);
    leat_context_free(ctx);
}

static struct leat_value fails(struct leat_call *call, const struct leat_rdd *in, size_t count,
                               void *arg)
{
    (void)in, (void)count, (void)arg;
    return leat_call_fail(call, "error in transform");
}

/* In an empty batch, too: nothing was pushed. */
static void the_words_of_a_transform_that_fails_are_what_who_waits_is_told(void)
{
    struct leat_context *ctx = new_context();
    struct seen seen;
    bool ended = false;

    seen_init(&seen);
    leat_foreach_rdd(leat_transform(leat_queue_stream(ctx, true), fails, NULL), see, &seen);
    OK(leat_start(ctx, &err));
    CU_ASSERT_NOT_EQUAL(leat_await_termination_or_timeout(ctx, 120000, &ended, &err), LEAT_OK);
    CU_ASSERT_TRUE(ended);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "error in transform"));
    CU_ASSERT_NOT_EQUAL(leat_await_termination(ctx, &err), LEAT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "error in transform"));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    CU_ASSERT_NOT_EQUAL(leat_stop(ctx, false, &err), LEAT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "error in transform"));
    CU_ASSERT_EQUAL(seen.last_ms, 0);
    leat_context_free(ctx);
}

/* Spark refuses the second; here each has its own job, and knows nothing of the other's end. */
static void two_contexts_of_a_program_run_side_by_side_and_end_by_themselves(void)
{
    struct leat_context *ctx[2] = {new_context(), new_context()};
    struct leat_stream *queue[2];
    struct seen seen[2];

    for (int i = 0; i < 2; i++) {
        seen_init(&seen[i]);
        queue[i] = leat_queue_stream(ctx[i], true);
        leat_foreach_rdd(queue[i], see, &seen[i]);
    }
    for (int i = 0; i < 2; i++)
        OK(leat_start(ctx[i], &err));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(leat_get_state(ctx[i]), LEAT_ACTIVE);
        PUSH(queue[i], 10 * i, 10 * i + 1);
        wait_for_batches(&seen[i], 1);
    }
    OK(leat_stop(ctx[0], true, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx[1]), LEAT_ACTIVE);
    PUSH(queue[1], 12);
    OK(leat_stop(ctx[1], true, &err));
    CU_ASSERT_STRING_EQUAL(seen[0].text, "0 1");
    CU_ASSERT_STRING_EQUAL(seen[1].text, "10 11|12");
    for (int i = 0; i < 2; i++)
        leat_context_free(ctx[i]);
}

static enum leat_status never_started(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)r, (void)e;
    atomic_fetch_add((atomic_int *)arg, 1);
    return LEAT_OK;
}

static void never_stopped(struct leat_receiver *r, void *arg)
{
    (void)r;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void an_input_that_no_output_needs_is_not_begun_and_harms_nothing(void)
{
    const struct leat_receiver_functions f = {.on_start = never_started, .on_stop = never_stopped};
    struct leat_context *ctx = new_context();
    struct leat_stream *used = leat_queue_stream(ctx, true), *unused = leat_queue_stream(ctx, true);
    atomic_int batches = 0, calls = 0;

    leat_socket_text_stream(ctx, "localhost", 9);
    leat_text_file_stream(ctx, "/nowhere");
    leat_receiver_stream(ctx, &f, &calls);
    leat_map(unused, twice, NULL);
    leat_foreach_rdd(used, count_batches, &batches);
    PUSH(unused, 1);
    OK(leat_start(ctx, &err));
    wait_for_count(&batches, 2);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(atomic_load(&calls), 0);
    leat_context_free(ctx);
}

LEAT_TESTS("stream_life", T(a_context_is_initialized_until_its_start_then_active_then_stopped),
           T(a_second_start_changes_nothing),
           T(a_second_stop_changes_nothing_with_grace_or_without),
           T(who_waits_is_told_that_it_runs_or_let_go_by_a_stop_elsewhere),
           T(the_words_of_a_transform_that_fails_are_what_who_waits_is_told),
           T(two_contexts_of_a_program_run_side_by_side_and_end_by_themselves),
           T(an_input_that_no_output_needs_is_not_begun_and_harms_nothing))
