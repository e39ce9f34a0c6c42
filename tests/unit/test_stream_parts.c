/*
 * Tests engine/stream/queue.c: queues whose batches have several partitions.
 */
#include "stream_rig.h"

static struct leat_error err;

static struct leat_stream *queue_of(struct leat_context *ctx, int partitions)
{
    return leat_queue_partitions(leat_queue_stream(ctx, true), partitions);
}

static struct leat_value is_full(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.len > 0);
}

static struct leat_value as_it_is(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                  void *arg)
{
    struct leat_value list = leat_list();

    (void)count, (void)arg;
    for (size_t i = 0; i < in->count; i++)
        leat_list_add(call, &list, in->rows[i].value);
    return list;
}

static void a_push_is_cut_where_spark_cuts_a_list(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = queue_of(ctx, 3);

    PUSH(queue, 1, 2, 3, 4, 5, 6, 7);
    PUSH(queue, 8);
    COMES_OUT(ctx, leat_filter(leat_glom(queue), is_full, NULL), "[1,2] [3,4] [5,6,7]|[8]");
}

static void partitions_without_elements_are_there_too(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = queue_of(ctx, 4);
    struct seen seen;

    PUSH(queue, 1, 2);
    run(ctx, leat_glom(queue), &seen);
    CU_ASSERT_EQUAL(memcmp(seen.text, "[1] [2] [] []", 13), 0);
}

static void all_that_a_batch_takes_is_cut_at_once(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_partitions(leat_queue_stream(ctx, false), 3);

    PUSH(queue, 1, 2);
    PUSH(queue, 3, 4, 5, 6);
    COMES_OUT(ctx, leat_filter(leat_glom(queue), is_full, NULL), "[1,2] [3,4] [5,6]");
}

static void the_order_of_a_push_is_that_of_its_partitions(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = queue_of(ctx, 12); /* "10" and "11" are behind "9" */

    PUSH(queue, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
    COMES_OUT(ctx, leat_filter(leat_glom(leat_transform(queue, as_it_is, NULL)), is_full, NULL),
              "[16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1]");
}

static void pairs_are_cut_too(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_partitions(leat_queue_pair_stream(ctx, true), 2);
    const struct leat_pair pairs[] = {
        {leat_int(1), leat_int(10)}, {leat_int(2), leat_int(20)}, {leat_int(1), leat_int(30)}};

    OK(leat_queue_push_pairs(queue, pairs, 3, &err));
    COMES_OUT(ctx, leat_reduce_by_key(queue, sum, NULL), "1=40 2=20");
}

/* "1=COUNT" of a batch of the same element; of others nothing like it. */
static struct leat_value whole_push(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                    void *arg)
{
    struct leat_value list = leat_list();
    bool same = true;

    (void)count, (void)arg;
    for (size_t i = 1; i < in->count; i++)
        same = same && in->rows[i].value.as.i == in->rows[0].value.as.i;
    if (in->count)
        leat_list_add(call, &list, leat_int(same && in->count == 6 ? 1 : -1000));
    return list;
}

static void *push_many(void *queue)
{
    struct leat_error why;
    struct leat_value six[6];

    for (int i = 0; i < 50; i++) {
        for (int j = 0; j < 6; j++)
            six[j] = leat_int(i);
        if (leat_queue_push(queue, six, i % 7 ? 6 : 0, &why) != LEAT_OK)
            return queue;
    }
    return NULL;
}

static enum leat_status add_up(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    int64_t *total = arg;

    (void)e;
    for (size_t i = 0; i < rdd->count; i++)
        *total += rdd->rows[i].value.as.i;
    return LEAT_OK;
}

/* Limits that a push is over do not divide it, nor do pushes that come while a batch is made. */
static void a_push_stays_in_one_batch(void)
{
    struct leat_context *ctx = leat_context_new("test", 2);
    struct leat_stream *queue = queue_of(ctx, 5);
    pthread_t threads[2];
    int64_t total = 0;
    void *failed;

    leat_set(ctx, "threads", "2");
    leat_set(ctx, "batch.max_records", "2");
    leat_foreach_rdd(leat_transform(queue, whole_push, NULL), add_up, &total);
    OK(leat_start(ctx, &err));
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, push_many, queue), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(total, 2 * (50 - 8));
    leat_context_free(ctx);
}

/* A half of it would have room. */
static void a_push_that_has_no_room_ends_the_job_whole(void)
{
    static char text[12 << 20];
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = queue_of(ctx, 2);
    const struct leat_value two[] = {leat_string((struct leat_slice){text, sizeof text}),
                                     leat_string((struct leat_slice){text, sizeof text})};

    leat_set(ctx, "memory", "32MiB");
    OK(leat_queue_push(queue, two, 2, &err));
    ends_with(ctx, leat_filter(queue, is_full, NULL), "", "give the pipeline more `memory`");
}

/* ---- behind repartition */

struct sizes {
    int64_t least, most, batches;
};

static struct leat_value size_of(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, leat_int((int64_t)in->count));
    return list;
}

static enum leat_status note_sizes(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct sizes *s = arg;
    int64_t all = 0, least = INT64_MAX, most = 0;

    (void)e;
    for (size_t i = 0; i < rdd->count; i++) {
        int64_t n = rdd->rows[i].value.as.i;
        all += n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    if (all)
        *s = (struct sizes){least, most, s->batches + 1};
    return LEAT_OK;
}

static void equal_elements_are_dealt_out_evenly(void)
{
    static struct leat_value same[1000];

    for (int i = 0; i < 1000; i++)
        same[i] = leat_int(7);
    for (int inputs = 1; inputs <= 4; inputs++)
        for (int outputs = 2; outputs <= 11; outputs += 3) {
            struct leat_context *ctx = leat_context_new("test", 2);
            struct leat_stream *queue = queue_of(ctx, inputs);
            struct sizes sizes = {0};
            size_t count = (size_t)(inputs * 211 + outputs);
            OK(leat_queue_push(queue, same, count, &err));
            leat_foreach_rdd(leat_map_partitions(leat_repartition(queue, outputs), size_of, NULL),
                             note_sizes, &sizes);
            OK(leat_start(ctx, &err));
            OK(leat_stop(ctx, true, &err));
            CU_ASSERT_EQUAL(sizes.batches, 1);
            CU_ASSERT(sizes.most - sizes.least <= inputs);
            leat_context_free(ctx);
        }
}

/* ---- mistakes */

static void what_makes_no_sense_is_refused(void)
{
    struct leat_context *ctx = new_context();

    leat_print(queue_of(ctx, 0), 1);
    is_refused(ctx, "leat_queue_partitions: 0: a queue has 1 to 1024 partitions");
    ctx = new_context();
    leat_print(queue_of(ctx, 1025), 1);
    is_refused(ctx, "leat_queue_partitions: 1025: a queue has");
    ctx = new_context();
    leat_print(leat_queue_partitions(leat_map(queue_of(ctx, 2), twice, NULL), 2), 1);
    is_refused(ctx, "leat_queue_partitions: this stream is no queue");
    CU_ASSERT_PTR_NULL(leat_queue_partitions(NULL, 2));
}

static void lack_of_memory_is_an_error(void)
{
    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = ctx ? queue_of(ctx, 3) : NULL;
        const struct leat_value two[] = {leat_int(2), leat_int(3)};
        struct seen seen;

        seen_init(&seen);
        leat_foreach_rdd(leat_map(queue, twice, NULL), see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push(queue, two, 2, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "4 6");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

LEAT_TESTS("stream_parts", T(a_push_is_cut_where_spark_cuts_a_list),
           T(partitions_without_elements_are_there_too), T(all_that_a_batch_takes_is_cut_at_once),
           T(the_order_of_a_push_is_that_of_its_partitions), T(pairs_are_cut_too),
           T(a_push_stays_in_one_batch), T(a_push_that_has_no_room_ends_the_job_whole),
           T(equal_elements_are_dealt_out_evenly), T(what_makes_no_sense_is_refused),
           T(lack_of_memory_is_an_error))
