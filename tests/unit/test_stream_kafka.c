/*
 * Tests engine/stream with a topic of Kafka as its input, on librdkafka's mock cluster: what a
 * listener hears of it.
 */
#include "kafka_mock.h"
#include "leat_test.h"
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>

#define TOPIC "orders"

static struct leat_error err;

struct heard {
    atomic_int submitted, started, completed;
    int64_t records;
    bool right;
};

static void submitted(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    atomic_fetch_add(&((struct heard *)arg)->submitted, 1);
}

static void started(const struct leat_batch_info *b, void *arg)
{
    (void)b;
    atomic_fetch_add(&((struct heard *)arg)->started, 1);
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    h->right = h->right && b->records >= 0 && !b->failure;
    h->records += b->records;
    atomic_fetch_add(&h->completed, 1);
}

static const struct leat_listener listener = {
    .batch_submitted = submitted, .batch_started = started, .batch_completed = completed};

static enum leat_status count_rows(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)e;
    atomic_fetch_add((atomic_int *)arg, (int)rdd->count);
    return LEAT_OK;
}

static void records_of_a_topic_are_heard_with_the_batches_that_have_them_each_once(void)
{
    struct leat_context *ctx = leat_context_new("test", 200);
    struct kafka_mock mock;
    struct heard h = {.right = true};
    atomic_int rows = 0;

    kafka_mock_start(&mock, TOPIC, 2);
    const struct leat_option options[] = {
        {"brokers", mock.bootstrap}, {"topic", TOPIC}, {"start", "earliest"}, {"format", "text"}};
    for (int i = 0; i < 16; i++)
        plain_write(mock.bootstrap, TOPIC, i % 2, NULL, "an order", 0, NULL);
    leat_add_listener(ctx, &listener, &h);
    leat_foreach_rdd(leat_source_stream(ctx, "kafka", options, 4), count_rows, &rows);
    OK(leat_start(ctx, &err));
    while (atomic_load(&rows) < 16)
        sched_yield();
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&rows), 16);
    CU_ASSERT_EQUAL(h.records, 16);
    CU_ASSERT_TRUE(h.right);
    CU_ASSERT(atomic_load(&h.completed) > 0);
    CU_ASSERT_EQUAL(atomic_load(&h.submitted), atomic_load(&h.completed));
    CU_ASSERT_EQUAL(atomic_load(&h.started), atomic_load(&h.completed));
    leat_context_free(ctx);
    kafka_mock_stop(&mock);
}

LEAT_TESTS("stream_kafka",
           T(records_of_a_topic_are_heard_with_the_batches_that_have_them_each_once))
