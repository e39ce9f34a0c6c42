/*
 * Tests engine/stream: mistakes in a graph, calls at the wrong time or with nothing, the end, and
 * no memory. Also under thread sanitizer.
 */
#include "stream_rig.h"

static struct leat_error err;

/* ---- misuse */

static void the_first_mistake_is_kept_with_its_line_and_returned_by_start(void)
{
    struct leat_context *ctx = new_context(), *other = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(other, true);
    char place[60];

    OK(leat_context_error(ctx, &err));
    struct leat_stream *s = leat_map(a, NULL, NULL);
    snprintf(place, sizeof place, "test_stream_misuse.c:%d: leat_map", __LINE__ - 1);
    CU_ASSERT_PTR_NOT_NULL(s);
    CU_ASSERT_PTR_NOT_NULL(leat_union(a, b));
    leat_print(leat_count(leat_filter(s, is_even, NULL)), 10);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, place));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    leat_context_free(ctx);
    CU_ASSERT_PTR_NOT_NULL(leat_join(b, NULL));
    CU_ASSERT_EQUAL(leat_context_error(other, &err), LEAT_E_MISUSE);
    leat_context_free(other);
}

static void a_graph_that_makes_no_sense_is_refused_with_its_line(void)
{
    struct leat_context *ctx = new_context();
    char place[60];

    leat_print(leat_reduce_by_key(leat_queue_stream(ctx, true), sum, NULL), 10);
    snprintf(place, sizeof place, "test_stream_misuse.c:%d", __LINE__ - 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, place));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs a stream with a key"));
    leat_context_free(ctx);
}

static void a_graph_without_an_output_is_refused(void)
{
    struct leat_context *ctx = new_context();

    leat_map(leat_queue_stream(ctx, true), twice, NULL);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no output"));
    leat_context_free(ctx);
}

static void nothing_at_all_is_taken_where_a_context_or_stream_is_due(void)
{
    bool ended;

    CU_ASSERT_PTR_NULL(leat_queue_stream(NULL, true));
    CU_ASSERT_PTR_NULL(leat_socket_text_stream(NULL, "localhost", 1));
    CU_ASSERT_PTR_NULL(leat_source_stream(NULL, "memory", NULL, 0));
    CU_ASSERT_PTR_NULL(leat_map(NULL, twice, NULL));
    CU_ASSERT_PTR_NULL(leat_map_to_pair(NULL, with_one, NULL));
    CU_ASSERT_PTR_NULL(leat_count(NULL));
    CU_ASSERT_PTR_NULL(leat_window(NULL, 1, 1));
    CU_ASSERT_PTR_NULL(leat_union(NULL, NULL));
    CU_ASSERT_PTR_NULL(leat_join(NULL, NULL));
    CU_ASSERT_PTR_NULL(leat_named(NULL, "x"));
    CU_ASSERT_PTR_NULL(leat_update_state_by_key(NULL, how_many, NULL));
    leat_print(NULL, 10);
    leat_foreach_rdd(NULL, see, NULL);
    leat_save_as_text_files(NULL, "x", "");
    leat_set(NULL, "threads", "1");
    leat_context_free(NULL);
    CU_ASSERT_EQUAL(leat_start(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_stop(NULL, true, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_await_termination(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_await_termination_or_timeout(NULL, 1, &ended, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_queue_push(NULL, NULL, 0, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_error(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_get_state(NULL), LEAT_STOPPED);
}

static void what_comes_in_the_wrong_order_has_a_status(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_pair none = {{0}, {0}};
    struct seen seen;
    bool ended;

    seen_init(&seen);
    leat_foreach_rdd(queue, see, &seen);
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_queue_push_pairs(queue, &none, 1, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_INITIALIZED);
    OK(leat_start(ctx, &err));
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    OK(leat_await_termination_or_timeout(ctx, 1, &ended, &err));
    CU_ASSERT_FALSE(ended);
    leat_print(leat_count(queue), 10);
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "been started"));
    OK(leat_stop(ctx, false, &err));
    OK(leat_stop(ctx, true, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_EQUAL(leat_queue_push(queue, NULL, 0, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void a_context_that_is_stopped_before_it_began_stays_stopped(void)
{
    struct leat_context *ctx = new_context();

    leat_print(leat_queue_stream(ctx, true), 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void settings_that_are_none_are_refused(void)
{
    struct leat_context *ctx = new_context();

    leat_set(ctx, "sinks.x", "1");
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("test", 0);
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("Not A Name", 1000);
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("test", 1000);
    leat_checkpoint(ctx, "/tmp/x");
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "checkpoint"));
    leat_context_free(ctx);
    ctx = leat_context_new("test", 1000);
    leat_set(ctx, "delivery", "exactly_once");
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exactly_once"));
    leat_context_free(ctx);
}

struct stopper {
    struct leat_context *ctx;
    enum leat_status stop, wait;
};

static enum leat_status stop_from_within(const struct leat_rdd *rdd, void *arg,
                                         struct leat_error *e)
{
    struct stopper *s = arg;

    (void)rdd, (void)e;
    struct leat_error why;
    s->wait = leat_await_termination(s->ctx, &why);
    s->stop = leat_stop(s->ctx, true, &why);
    leat_context_free(s->ctx);
    return LEAT_OK;
}

static void a_function_can_stop_the_context_it_is_called_by_but_not_wait(void)
{
    struct leat_context *ctx = new_context();
    struct stopper s = {.ctx = ctx};

    leat_foreach_rdd(leat_queue_stream(ctx, true), stop_from_within, &s);
    OK(leat_start(ctx, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_EQUAL(s.wait, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(s.stop, LEAT_OK);
    leat_context_free(ctx);
}

static void building_reports_lack_of_memory(void)
{
    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        const struct leat_value v = leat_string(LEAT_LIT("a b a"));
        struct seen seen;

        seen_init(&seen);
        leat_foreach_rdd(
            leat_reduce_by_key(leat_map_to_pair(leat_flat_map(queue, split, NULL), with_one, NULL),
                               sum, NULL),
            see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push(queue, &v, 1, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "a=2 b=1");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

LEAT_TESTS("stream_misuse", T(the_first_mistake_is_kept_with_its_line_and_returned_by_start),
           T(a_graph_that_makes_no_sense_is_refused_with_its_line),
           T(a_graph_without_an_output_is_refused),
           T(nothing_at_all_is_taken_where_a_context_or_stream_is_due),
           T(what_comes_in_the_wrong_order_has_a_status),
           T(a_context_that_is_stopped_before_it_began_stays_stopped),
           T(settings_that_are_none_are_refused),
           T(a_function_can_stop_the_context_it_is_called_by_but_not_wait),
           T(building_reports_lack_of_memory))
