/*
 * Tests engine/stream: mistakes in a graph, calls at the wrong time or with nothing, the end, and
 * no memory. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>

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

static struct leat_receiver *receivers[2]; /* of values, of pairs */

static void no_stop(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static enum leat_status add_count(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)e;
    atomic_fetch_add((atomic_int *)arg, (int)rdd->count);
    return LEAT_OK;
}

static enum leat_status begin_values(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)arg;
    receivers[0] = r;
    return leat_receiver_store(r, leat_int(1), NULL, e);
}

static enum leat_status begin_pairs(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)arg;
    receivers[1] = r;
    return leat_receiver_store_pair(r, (struct leat_pair){leat_int(1), leat_int(2)}, NULL, e);
}

static void data(enum leat_status status, const char *words)
{
    CU_ASSERT_EQUAL(status, LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
}

static void what_no_stream_could_have_is_refused_wherever_it_is_in_a_value(void)
{
    const struct leat_receiver_functions values = {.on_start = begin_values, .on_stop = no_stop},
                                         pairs = {.on_start = begin_pairs, .on_stop = no_stop};
    const struct leat_value bad = leat_string(LEAT_LIT("a\xff")), two[] = {leat_int(3), bad};
    const struct leat_value list = {.tag = LEAT_LIST, .len = 2, .as.items = two},
                            map = {.tag = LEAT_MAP, .len = 1, .as.items = two},
                            bytes = {.tag = LEAT_BYTES, .len = 2, .as.text = "a\xff"},
                            error = {.tag = LEAT_ERROR},
                            in_list = {.tag = LEAT_LIST, .len = 1, .as.items = &error};
    struct leat_value deep[66] = {leat_int(1)};
    struct leat_context *ctx = new_context();
    atomic_int count = 0;

    for (int i = 1; i < 66; i++)
        deep[i] = (struct leat_value){.tag = LEAT_LIST, .len = 1, .as.items = &deep[i - 1]};
    leat_foreach_rdd(leat_receiver_stream(ctx, &values, NULL), add_count, &count);
    leat_foreach_rdd(leat_receiver_pair_stream(ctx, &pairs, NULL), add_count, &count);
    OK(leat_start(ctx, &err));
    while (atomic_load(&count) < 2)
        sched_yield();
    data(leat_receiver_store(receivers[0], bad, NULL, &err), "number 0 has a string that is not");
    data(leat_receiver_store(receivers[0], list, NULL, &err), "UTF-8");
    data(leat_receiver_store(receivers[0], map, NULL, &err), "UTF-8");
    data(leat_receiver_store_block(receivers[0], two, 2, &err), "number 1 has a string");
    deep[0] = (struct leat_value){.tag = LEAT_LIST};
    data(leat_receiver_store(receivers[0], deep[64], NULL, &err), "nested more than 64 deep");
    deep[0] = leat_int(1);
    data(leat_receiver_store(receivers[0], deep[65], NULL, &err), "nested more than 64 deep");
    CU_ASSERT_EQUAL(leat_receiver_store(receivers[0], in_list, NULL, &err), LEAT_E_MISUSE);
    data(leat_receiver_store_pair(receivers[1], (struct leat_pair){bad, bytes}, NULL, &err),
         "UTF-8");
    data(leat_receiver_store_pair(receivers[1], (struct leat_pair){bytes, bad}, NULL, &err),
         "UTF-8");
    data(leat_receiver_store_pair(receivers[1], (struct leat_pair){bytes, deep[64]}, NULL, &err),
         "nested");
    OK(leat_receiver_store(receivers[0], bytes, NULL, &err));
    OK(leat_receiver_store(receivers[0], deep[64], NULL, &err));
    OK(leat_receiver_store(receivers[0], leat_string((struct leat_slice){0}), NULL, &err));
    OK(leat_receiver_store_pair(receivers[1], (struct leat_pair){bytes, deep[63]}, NULL, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&count), 6);
    leat_context_free(ctx);
}

static void a_push_with_what_no_stream_could_have_pushes_nothing(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true),
                       *pairs = leat_queue_pair_stream(ctx, true);
    const struct leat_value bad = leat_string(LEAT_LIT("a\xff")), two[] = {leat_int(3), bad};
    const struct leat_value error = {.tag = LEAT_ERROR};
    struct leat_value deep[66] = {leat_int(1)};
    struct seen seen;

    for (int i = 1; i < 66; i++)
        deep[i] = (struct leat_value){.tag = LEAT_LIST, .len = 1, .as.items = &deep[i - 1]};
    data(leat_queue_push(queue, two, 2, &err), "number 1 has a string that is not UTF-8");
    data(leat_queue_push(queue, &deep[65], 1, &err), "nested more than 64 deep");
    data(leat_queue_push_pairs(pairs, &(struct leat_pair){bad, leat_int(1)}, 1, &err), "UTF-8");
    data(leat_queue_push_pairs(pairs, &(struct leat_pair){leat_int(1), deep[64]}, 1, &err), "deep");
    CU_ASSERT_EQUAL(leat_queue_push(queue, &error, 1, &err), LEAT_E_MISUSE);
    OK(leat_queue_push(queue, two, 1, &err));
    CU_ASSERT_STRING_EQUAL(run(ctx, queue, &seen), "3");
}

static void the_deepest_value_comes_through_a_queue(void)
{
    struct leat_value deep[65] = {leat_int(1)};
    struct leat_context *ctx = new_context();
    atomic_int count = 0;

    for (int i = 1; i < 65; i++)
        deep[i] = (struct leat_value){.tag = LEAT_LIST, .len = 1, .as.items = &deep[i - 1]};
    struct leat_stream *queue = leat_queue_stream(ctx, true),
                       *pairs = leat_queue_pair_stream(ctx, true);
    leat_foreach_rdd(queue, add_count, &count);
    leat_foreach_rdd(pairs, add_count, &count);
    OK(leat_queue_push(queue, &deep[64], 1, &err));
    OK(leat_queue_push_pairs(pairs, &(struct leat_pair){deep[63], deep[63]}, 1, &err));
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&count), 2);
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
           T(what_no_stream_could_have_is_refused_wherever_it_is_in_a_value),
           T(a_push_with_what_no_stream_could_have_pushes_nothing),
           T(the_deepest_value_comes_through_a_queue), T(building_reports_lack_of_memory))
