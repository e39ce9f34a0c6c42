/*
 * Tests engine/stream: functions that get all elements of a partition, of a batch, of several.
 */
#include "stream_rig.h"

static struct leat_error err;

/* ---- functions of a program; of nothing they make nothing */

static struct leat_value first_and_count(struct leat_call *call, const struct leat_rdd *in,
                                         void *arg)
{
    struct leat_value list = leat_list(), one = leat_list();

    (void)arg;
    if (in->count == 0)
        return list;
    leat_list_add(call, &one, in->rows[0].value);
    leat_list_add(call, &one, leat_int((int64_t)in->count));
    leat_list_add(call, &list, one);
    return list;
}

static struct leat_value keys(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (size_t i = 0; i < in->count; i++)
        leat_list_add(call, &list, in->rows[i].key);
    return list;
}

static struct leat_value backwards(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                   void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (size_t n = count; n-- > 0;)
        for (size_t i = in[n].count; i-- > 0;)
            leat_list_add(call, &list, in[n].rows[i].value);
    return list;
}

/* How many of each, when there are any. */
static struct leat_value counts(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                void *arg)
{
    struct leat_value list = leat_list(), one = leat_list();
    size_t all = 0;

    (void)arg;
    for (size_t n = 0; n < count; n++) {
        leat_list_add(call, &one, leat_int((int64_t)in[n].count));
        all += in[n].count;
    }
    if (all)
        leat_list_add(call, &list, one);
    return list;
}

/* Those of the first whose key the second has not. */
static struct leat_value not_listed(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                    void *arg)
{
    struct leat_value list = leat_list();

    (void)count, (void)arg;
    for (size_t i = 0; i < in[0].count; i++) {
        struct leat_value pair = leat_list();
        size_t j = 0;
        while (j < in[1].count && in[1].rows[j].key.as.i != in[0].rows[i].key.as.i)
            j++;
        leat_list_add(call, &pair, in[0].rows[i].key);
        leat_list_add(call, &pair, in[0].rows[i].value);
        if (j == in[1].count)
            leat_list_add(call, &list, pair);
    }
    return list;
}

static struct leat_value time_is_known(struct leat_call *call, const struct leat_rdd *in,
                                       size_t count, void *arg)
{
    struct leat_value list = leat_list();

    (void)count, (void)arg;
    if (in->count)
        leat_list_add(call, &list,
                      leat_bool(in->time_ms > 0 && in->time_ms == leat_call_time_ms(call)));
    return list;
}

static struct leat_value fails(struct leat_call *call, const struct leat_rdd *in, size_t count,
                               void *arg)
{
    (void)count, (void)arg;
    return in->count ? leat_call_fail(call, "%d at once", (int)in->count) : leat_list();
}

static struct leat_value gives_nothing(struct leat_call *call, const struct leat_rdd *in,
                                       size_t count, void *arg)
{
    (void)call, (void)in, (void)count, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value gives_a_number(struct leat_call *call, const struct leat_rdd *in,
                                        void *arg)
{
    (void)call, (void)in, (void)arg;
    return leat_int(1);
}

static struct leat_pair with_last_digit(struct leat_call *call, const struct leat_pair *in,
                                        void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_int(in->value.as.i % 10), in->value};
}

static struct leat_value is_full(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.len > 0);
}

/* ---- partitions */

static void a_function_gets_the_elements_of_a_partition_in_their_order(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 7, 8, 9);
    PUSH(queue, 5);
    COMES_OUT(ctx, leat_map_partitions(queue, first_and_count, NULL), "[7,3]|[5,1]");
}

static void each_partition_is_called_by_itself(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    PUSH(queue, 1, 1, 1, 1, 1, 1);
    CU_ASSERT_STRING_EQUAL(
        run(ctx, leat_map_partitions(leat_repartition(queue, 3), first_and_count, NULL), &seen),
        "[1,2] [1,2] [1,2]");
}

static void partitions_without_elements_are_called_too(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    PUSH(queue, 1);
    run(ctx, leat_glom(leat_repartition(queue, 3)), &seen);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.text, "[1] [] []"));
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    seen_init(&seen);
    leat_foreach_rdd(leat_glom(queue), see, &seen);
    OK(leat_queue_push(queue, NULL, 0, &err));
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 2);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(memcmp(seen.text, "[]|[]", 5), 0);
    leat_context_free(ctx);
}

static void glom_makes_a_list_of_a_partition(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 3, 1, 2);
    COMES_OUT(ctx, leat_filter(leat_glom(queue), is_full, NULL), "[3,1,2]");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    PUSH(queue, 13, 21);
    COMES_OUT(ctx,
              leat_filter(leat_glom(leat_map_to_pair(queue, with_last_digit, NULL)), is_full, NULL),
              "[[3,13],[1,21]]");
}

static void keys_are_there_and_gone_behind_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 13, 21);
    COMES_OUT(ctx, leat_map_partitions(leat_map_to_pair(queue, with_last_digit, NULL), keys, NULL),
              "1 3");
}

static void lists_of_two_become_pairs(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 7, 8);
    COMES_OUT(ctx, leat_map_partitions_to_pair(queue, first_and_count, NULL), "7=2");
}

static void a_window_is_taken_whole(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    struct seen seen;

    PUSH(queue, 1, 2);
    PUSH(queue, 3);
    PUSH(queue, 4);
    run(ctx, leat_transform(leat_window(queue, 40, 20), counts, NULL), &seen);
    CU_ASSERT_EQUAL(memcmp(seen.text, "[2]|[3]|[2]", 11), 0);
}

/* ---- batches */

static void a_function_gets_the_whole_batch_in_its_order(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2, 3);
    COMES_OUT(ctx, leat_filter(leat_glom(leat_transform(queue, backwards, NULL)), is_full, NULL),
              "[3,2,1]");
}

static void two_streams_are_given_by_place(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(ctx, true);

    PUSH(a, 11, 12, 23);
    PUSH(b, 92);
    COMES_OUT(ctx,
              leat_transform_with_to_pair(leat_map_to_pair(a, with_last_digit, NULL),
                                          leat_map_to_pair(b, with_last_digit, NULL), not_listed,
                                          NULL),
              "1=11 3=23");
}

static void a_stream_can_be_beside_itself_and_unions_are_one_stream(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_stream *all[] = {queue, leat_map(queue, twice, NULL), leat_union(queue, queue)};

    PUSH(queue, 1, 2);
    PUSH(queue, 3);
    COMES_OUT(ctx, leat_transform_all(all, 3, counts, NULL), "[2,2,4]|[1,1,2]");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    struct leat_stream *three[] = {queue, leat_map(queue, twice, NULL), queue};
    PUSH(queue, 4, 5);
    COMES_OUT(ctx,
              leat_filter(leat_glom(leat_transform_all(three, 3, backwards, NULL)), is_full, NULL),
              "[5,4,10,8,5,4]");
}

static void the_batches_time_is_known(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1);
    COMES_OUT(ctx, leat_transform(queue, time_is_known, NULL), "bool");
}

static void more_than_a_chunk_comes_out_whole(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    static struct leat_value many[5000];

    for (int i = 0; i < 5000; i++)
        many[i] = leat_int(i);
    OK(leat_queue_push(queue, many, 5000, &err));
    COMES_OUT(ctx,
              leat_reduce(leat_map_partitions(leat_transform(queue, backwards, NULL),
                                              first_and_count, NULL),
                          sum, NULL) /* of one list: itself */,
              "[4999,5000]");
}

/* ---- mistakes */

static void a_function_that_fails_ends_the_batch_whatever_on_error_says(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "on_error", "drop");
    PUSH(queue, 1, 2);
    ends_with(ctx, leat_transform(queue, fails, NULL), "", "leat_transform: 2 at once");
}

static void a_function_that_gives_no_list_ends_the_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    ends_with(ctx, leat_transform(queue, gives_nothing, NULL), "",
              "leat_transform: the function gives nothing, not a list of elements");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    ends_with(ctx, leat_map_partitions(queue, gives_a_number, NULL), "",
              "leat_map_partitions: the function gives int, not a list of elements");
}

static void what_makes_no_sense_is_refused(void)
{
    struct leat_context *ctx = new_context(), *other = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_stream *two[] = {queue, leat_queue_stream(other, true)};

    CU_ASSERT_PTR_NULL(leat_map_partitions(NULL, first_and_count, NULL));
    CU_ASSERT_PTR_NULL(leat_glom(NULL));
    CU_ASSERT_PTR_NULL(leat_transform(NULL, counts, NULL));
    CU_ASSERT_PTR_NULL(leat_transform_with(NULL, NULL, counts, NULL));
    CU_ASSERT_PTR_NULL(leat_transform_all(NULL, 3, counts, NULL));
    CU_ASSERT_PTR_NULL(leat_transform_all(two, 0, counts, NULL));
    leat_print(leat_transform_all(two, 2, counts, NULL), 1);
    is_refused(ctx, "of different contexts");
    leat_context_free(other);
    ctx = new_context();
    leat_print(leat_transform_with(leat_queue_stream(ctx, true), NULL, counts, NULL), 1);
    is_refused(ctx, "one of the streams is missing");
    ctx = new_context();
    leat_print(leat_transform_with(NULL, leat_queue_stream(ctx, true), counts, NULL), 1);
    is_refused(ctx, "one of the streams is missing");
    ctx = new_context();
    two[0] = NULL;
    two[1] = leat_queue_stream(ctx, true);
    leat_print(leat_transform_all(two, 2, counts, NULL), 1);
    is_refused(ctx, "one of the streams is missing");
    ctx = new_context();
    leat_print(leat_map_partitions(leat_queue_stream(ctx, true), NULL, NULL), 1);
    is_refused(ctx, "without a function");
    ctx = new_context();
    leat_print(leat_transform(leat_window(leat_queue_stream(ctx, true), 40, 40), counts, NULL), 1);
    is_refused(ctx, "'transform' takes batches, not windows");
}

static void lack_of_memory_is_an_error(void)
{
    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        struct leat_stream *both[] = {queue, leat_map(queue, twice, NULL)};
        const struct leat_value v = leat_int(2);
        struct seen seen;

        seen_init(&seen);
        leat_foreach_rdd(leat_map_partitions(leat_transform_all(both, 2, backwards, NULL),
                                             first_and_count, NULL),
                         see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push(queue, &v, 1, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "[4,2]");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

LEAT_TESTS("stream_whole", T(a_function_gets_the_elements_of_a_partition_in_their_order),
           T(each_partition_is_called_by_itself), T(partitions_without_elements_are_called_too),
           T(glom_makes_a_list_of_a_partition), T(keys_are_there_and_gone_behind_it),
           T(lists_of_two_become_pairs), T(a_window_is_taken_whole),
           T(a_function_gets_the_whole_batch_in_its_order), T(two_streams_are_given_by_place),
           T(a_stream_can_be_beside_itself_and_unions_are_one_stream), T(the_batches_time_is_known),
           T(more_than_a_chunk_comes_out_whole),
           T(a_function_that_fails_ends_the_batch_whatever_on_error_says),
           T(a_function_that_gives_no_list_ends_the_batch), T(what_makes_no_sense_is_refused),
           T(lack_of_memory_is_an_error))
