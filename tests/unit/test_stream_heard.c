/*
 * Tests engine/stream: what a listener hears of batches, of receivers and of a socket, as Spark's
 * own tests of listeners tell it; its order and its limits are in test_stream_listener.c. Also
 * under thread sanitizer.
 */
#include "peer_server.h"
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static struct leat_error err;

/* ---- what is heard of it */

struct heard {
    char order[200];
    size_t count;
    char errors[200], end[100], stream[100];
    bool right;
    int64_t records, last_ms;
    atomic_int calls;
};

static void note(struct heard *h, char c)
{
    if (h->count + 1 < sizeof h->order)
        h->order[h->count++] = c;
    atomic_fetch_add(&h->calls, 1);
}

static void receiver_started(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, '+');
    snprintf(h->stream, sizeof h->stream, "%s", r->stream);
}

static void receiver_error(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, '!');
    h->right = h->right && strcmp(r->stream, h->stream) == 0;
    snprintf(h->errors, sizeof h->errors, "%s", r->why);
}

static void receiver_stopped(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, '-');
    h->right = h->right && strcmp(r->stream, h->stream) == 0;
    snprintf(h->end, sizeof h->end, "%s", r->why);
}

static const struct leat_listener of_receivers = {.receiver_started = receiver_started,
                                                  .receiver_error = receiver_error,
                                                  .receiver_stopped = receiver_stopped};

static enum leat_status fail_and_stop(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)arg, (void)e;
    leat_receiver_report_error(r, "test report error: test report exception");
    leat_receiver_stop(r, "test stop error");
    return LEAT_OK;
}

static void no_stop(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static void the_start_the_error_and_the_end_of_a_receiver_are_heard_with_its_words(void)
{
    const struct leat_receiver_functions f = {.on_start = fail_and_stop, .on_stop = no_stop};
    struct leat_context *ctx = new_context();
    struct heard h = {.right = true};
    struct number_sum n;

    number_sum_init(&n);
    leat_add_listener(ctx, &of_receivers, &h);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &f, NULL), "numbers"), add_numbers, &n);
    OK(leat_start(ctx, &err));
    while (atomic_load(&h.calls) < 3)
        sched_yield();
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(strlen(h.order), 3);
    CU_ASSERT_PTR_NOT_NULL(strchr(h.order, '+'));
    CU_ASSERT_PTR_NOT_NULL(strchr(h.order, '!'));
    CU_ASSERT_EQUAL(h.order[2], '-');
    CU_ASSERT_STRING_EQUAL(h.errors, "test report error: test report exception");
    CU_ASSERT_STRING_EQUAL(h.end, "test stop error");
    leat_context_free(ctx);
}

static void submitted(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 's');
    h->right = h->right && b->scheduling_ms == -1 && b->processing_ms == -1 && b->total_ms == -1;
}

static void started(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 'b');
    h->right = h->right && b->scheduling_ms >= 0 && b->processing_ms == -1 && b->total_ms == -1 &&
               b->started_ms >= b->submitted_ms;
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 'c');
    h->right = h->right && b->scheduling_ms >= 0 && b->processing_ms >= 0 && b->total_ms >= 0 &&
               b->completed_ms >= b->started_ms && b->batch_ms > h->last_ms && !b->failure &&
               b->records <= 1;
    h->last_ms = b->batch_ms;
    h->records += b->records;
}

static const struct leat_listener of_batches = {
    .batch_submitted = submitted, .batch_started = started, .batch_completed = completed};

static size_t how_often(const char *text, char c)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == c;
    return count;
}

/* There may be empty batches behind them. */
static void batches_of_one_element_each_are_heard_with_one_record_and_their_delays(void)
{
    struct leat_context *ctx = leat_context_new("test", 100);
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct heard h = {.right = true, .last_ms = -1};
    struct number_sum n;

    number_sum_init(&n);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(queue, add_numbers, &n);
    for (int64_t i = 1; i <= 4; i++)
        PUSH(queue, i);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_TRUE(h.right);
    CU_ASSERT_EQUAL(h.records, 4);
    CU_ASSERT_TRUE(n.counts_on);
    CU_ASSERT_EQUAL(n.count, 4);
    CU_ASSERT(how_often(h.order, 's') >= 4);
    CU_ASSERT_EQUAL(how_often(h.order, 's'), how_often(h.order, 'c'));
    CU_ASSERT_EQUAL(how_often(h.order, 'b'), how_often(h.order, 'c'));
    leat_context_free(ctx);
}

static enum leat_status store_one(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)arg;
    return leat_receiver_store(r, leat_int(1), NULL, e);
}

static void nothing_is_heard_behind_the_stop(void)
{
    const struct leat_receiver_functions f = {.on_start = store_one, .on_stop = no_stop};
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct heard h = {.right = true};
    const struct leat_value one = leat_int(1);
    struct number_sum n;

    number_sum_init(&n);
    leat_add_listener(ctx, &of_receivers, &h);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(leat_union(leat_receiver_stream(ctx, &f, NULL), queue), add_numbers, &n);
    OK(leat_start(ctx, &err));
    wait_for_sum(&n, 1);
    OK(leat_stop(ctx, true, &err));
    int calls = atomic_load(&h.calls);
    CU_ASSERT(calls > 3);
    CU_ASSERT_EQUAL(leat_queue_push(queue, &one, 1, &err), LEAT_E_MISUSE);
    CU_ASSERT_NOT_EQUAL(leat_start(ctx, &err), LEAT_OK);
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
    CU_ASSERT_EQUAL(atomic_load(&h.calls), calls);
}

/* ---- a socket */

static atomic_int may_send; /* so many lines */

static void send_lines(int fd)
{
    char line[2] = {'1', '\n'};

    for (int sent = 0; sent < 5; sched_yield())
        if (sent < atomic_load(&may_send)) {
            if (write(fd, line, 2) != 2)
                return;
            line[0]++;
            sent++;
        }
    (void)!read(fd, line, 1); /* until the other side goes */
}

static struct leat_value to_int(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(leat_value_text(in->value).ptr[0] - '0');
}

static void lines_of_a_socket_that_come_batch_by_batch_are_in_order_and_counted(void)
{
    struct leat_context *ctx = new_context();
    struct peer_server server;
    struct heard h = {.right = true, .last_ms = -1};
    struct number_sum n;

    number_sum_init(&n);
    atomic_store(&may_send, 0);
    peer_server_start(&server, send_lines);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(leat_map(leat_socket_text_stream(ctx, "127.0.0.1", server.port), to_int, NULL),
                     add_numbers, &n);
    OK(leat_start(ctx, &err));
    for (int i = 1; i <= 5; i++) {
        atomic_store(&may_send, i);
        wait_for_sum(&n, i * (i + 1) / 2);
    }
    OK(leat_stop(ctx, true, &err));
    peer_server_stop(&server);
    CU_ASSERT_TRUE(n.counts_on);
    CU_ASSERT_EQUAL(n.count, 5);
    CU_ASSERT_EQUAL(h.records, 5);
    leat_context_free(ctx);
}

LEAT_TESTS("stream_heard",
           T(the_start_the_error_and_the_end_of_a_receiver_are_heard_with_its_words),
           T(batches_of_one_element_each_are_heard_with_one_record_and_their_delays),
           T(nothing_is_heard_behind_the_stop),
           T(lines_of_a_socket_that_come_batch_by_batch_are_in_order_and_counted))
