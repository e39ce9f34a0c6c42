/*
 * Tests engine/stream: what listeners hear, in which order, and what they may do. Also under thread
 * sanitizer.
 */
#include "stream_rig.h"

#include <stdatomic.h>

static struct leat_error err;

/* What was heard, as letters; of the last of each kind what it said. Written by the listeners'
 * thread, read when the context has stopped. */
struct heard {
    char order[4000];
    size_t count;
    struct leat_batch_info batch;
    struct leat_output_info output;
    int64_t records, submitted, completed;
    uint64_t missed;
    char failure[480], place[200], receiver[100], why[480];
    bool adds_up, in_order;
    struct leat_context *ctx;
    enum leat_status wait;
    pthread_mutex_t gate; /* held: the first call waits */
};

static void note(struct heard *h, char c)
{
    if (h->count + 1 < sizeof h->order)
        h->order[h->count++] = c;
}

static void submitted(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 's');
    h->submitted++;
    h->in_order = h->in_order && b->batch_ms > h->batch.batch_ms;
    h->adds_up = h->adds_up && b->started_ms == -1 && b->total_ms == -1 && b->records == -1;
}

static void started(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 'b');
    h->adds_up = h->adds_up && b->started_ms >= b->batch_ms &&
                 b->scheduling_ms == b->started_ms - b->batch_ms && b->completed_ms == -1;
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    note(h, 'c');
    h->adds_up = h->adds_up && b->total_ms == b->scheduling_ms + b->processing_ms &&
                 b->total_ms == b->completed_ms - b->batch_ms && b->submitted_ms <= b->started_ms;
    h->batch = *b;
    h->completed++;
    h->missed = b->missed;
    if (b->records > 0)
        h->records += b->records;
    if (b->failure)
        snprintf(h->failure, sizeof h->failure, "%s", b->failure);
}

static void output_started(const struct leat_output_info *o, void *arg)
{
    struct heard *h = arg;

    note(h, 'o');
    h->adds_up = h->adds_up && o->completed_ms == -1 && o->took_ms == -1;
    snprintf(h->place, sizeof h->place, "%s", o->place);
}

static void output_completed(const struct leat_output_info *o, void *arg)
{
    struct heard *h = arg;

    note(h, o->failure ? 'F' : 'd');
    h->adds_up = h->adds_up && o->took_ms == o->completed_ms - o->started_ms;
    h->output = *o;
}

static void receiver_started(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, 'R');
    snprintf(h->receiver, sizeof h->receiver, "%s", r->stream);
}

static void receiver_error(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, 'E');
    snprintf(h->why, sizeof h->why, "%s", r->why);
}

static void receiver_stopped(const struct leat_receiver_info *r, void *arg)
{
    struct heard *h = arg;

    note(h, 'X');
    h->in_order = h->in_order && strcmp(r->stream, h->receiver) == 0 && r->time_ms > 0;
}

static const struct leat_listener of_batches = {
    .batch_submitted = submitted,
    .batch_started = started,
    .batch_completed = completed,
    .output_operation_started = output_started,
    .output_operation_completed = output_completed,
};

static const struct leat_listener of_receivers = {.receiver_started = receiver_started,
                                                  .receiver_error = receiver_error,
                                                  .receiver_stopped = receiver_stopped};

static void heard_init(struct heard *h)
{
    memset(h, 0, sizeof *h);
    h->adds_up = h->in_order = true;
}

/* Each of these comes as often as the one before it, and behind it. A batch may begin while the one
 * before it is written. */
static bool follows(const char *order, const char *kinds)
{
    size_t counts[8] = {0}, n = strlen(kinds);

    for (; *order; order++) {
        const char *at = strchr(kinds, *order);
        if (!at)
            return false;
        counts[at - kinds]++;
        for (size_t i = 1; i < n; i++)
            if (counts[i] > counts[i - 1])
                return false;
    }
    return counts[0] > 0 && counts[0] == counts[n - 1];
}

static void batches_and_outputs_are_heard_in_order_with_delays_that_add_up(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct heard h;
    struct seen seen;
    char place[60];

    heard_init(&h);
    seen_init(&seen);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(queue, see, &seen);
    snprintf(place, sizeof place, "test_stream_listener.c:%d", __LINE__ - 1);
    PUSH(queue, 1, 2, 3);
    PUSH(queue, 4);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT(h.completed >= 2);
    CU_ASSERT(follows(h.order, "sbodc"));
    CU_ASSERT(h.in_order);
    CU_ASSERT(h.adds_up);
    CU_ASSERT_EQUAL(h.records, 4);
    CU_ASSERT_EQUAL(h.missed, 0);
    CU_ASSERT_EQUAL(h.output.number, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(h.place, place));
    leat_context_free(ctx);
}

static void an_output_that_fails_is_heard_with_why_and_so_is_its_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct heard h;
    struct seen seen;

    heard_init(&h);
    seen_init(&seen);
    seen.fail = LEAT_E_DATA;
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(queue, see, &seen);
    PUSH(queue, 1);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_DATA);
    const char *failed = strchr(h.order, 'F');
    CU_ASSERT(failed && failed[strspn(failed, "Fc")] == '\0');
    CU_ASSERT_EQUAL(h.completed, h.submitted);
    CU_ASSERT_PTR_NOT_NULL(strstr(h.failure, "no room for this"));
    CU_ASSERT_EQUAL(h.batch.records, -1);
    leat_context_free(ctx);
}

/* Of two outputs: how often each has failed, and with which words. */
struct failures {
    int count[2];
    char why[2][480];
};

static void output_over(const struct leat_output_info *o, void *arg)
{
    struct failures *f = arg;

    if (!o->failure || o->number > 1)
        return;
    f->count[o->number]++;
    snprintf(f->why[o->number], sizeof f->why[0], "%s", o->failure);
}

static enum leat_status no_room(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)rdd;
    return leat_fail(e, LEAT_E_DATA, "no room in the %s", (const char *)arg);
}

static void outputs_that_fail_in_one_batch_are_heard_one_by_one(void)
{
    static char cellar[] = "cellar", attic[] = "attic";

    for (int i = 0; i < 20; i++) {
        struct leat_context *ctx = leat_context_new("test", 5);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        struct failures f = {.count = {0}};
        struct heard h;

        heard_init(&h);
        leat_add_listener(ctx, &(struct leat_listener){.output_operation_completed = output_over},
                          &f);
        leat_add_listener(ctx, &of_batches, &h);
        leat_foreach_rdd(queue, no_room, cellar);
        leat_foreach_rdd(queue, no_room, attic);
        OK(leat_start(ctx, &err));
        CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_DATA);
        CU_ASSERT(f.count[0] == 1 && strstr(f.why[0], "no room in the cellar"));
        CU_ASSERT(f.count[1] == 1 && strstr(f.why[1], "no room in the attic"));
        CU_ASSERT_EQUAL(h.completed, h.submitted);
        CU_ASSERT(h.count > 2 && h.order[h.count - 1] == 'c'); /* behind its outputs */
        leat_context_free(ctx);
    }
}

static struct leat_value fails(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)in, (void)arg;
    return leat_call_fail(call, "not this one");
}

static void a_batch_whose_operator_fails_is_over_with_its_words(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct heard h;
    struct seen seen;

    heard_init(&h);
    seen_init(&seen);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(leat_map(queue, fails, NULL), see, &seen);
    PUSH(queue, 1);
    OK(leat_start(ctx, &err));
    CU_ASSERT_NOT_EQUAL(leat_await_termination(ctx, &err), LEAT_OK);
    CU_ASSERT(follows(h.order, "sbc"));
    CU_ASSERT_PTR_NOT_NULL(strstr(h.failure, "not this one"));
    CU_ASSERT_STRING_EQUAL(seen.text, "");
    leat_context_free(ctx);
}

/* ---- receivers */

static enum leat_status begin(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    atomic_int *starts = arg;

    if (atomic_fetch_add(starts, 1) == 0)
        return leat_fail(e, LEAT_E_UNREACHABLE, "nobody is there");
    leat_receiver_report_error(r, "one that changes nothing");
    return leat_receiver_store(r, leat_int(1), NULL, e);
}

static void end(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static void a_receiver_is_heard_by_the_name_of_its_stream(void)
{
    const struct leat_receiver_functions f = {.on_start = begin, .on_stop = end};
    struct leat_context *ctx = new_context();
    atomic_int starts = 0;
    struct heard h;
    struct seen seen;

    heard_init(&h);
    seen_init(&seen);
    leat_add_listener(ctx, &of_receivers, &h);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &f, &starts), "numbers"), see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(h.order, "EERX");
    CU_ASSERT_STRING_EQUAL(h.receiver, "numbers");
    CU_ASSERT_STRING_EQUAL(h.why, "one that changes nothing");
    CU_ASSERT(h.in_order);
    leat_context_free(ctx);
}

static void a_connector_that_others_send_to_is_a_receiver_too(void)
{
    const struct leat_option options[] = {{"text", "a"}, {"format", "text"}};
    struct leat_context *ctx = new_context();
    struct heard h;
    struct seen seen;

    heard_init(&h);
    seen_init(&seen);
    leat_add_listener(ctx, &of_receivers, &h);
    leat_foreach_rdd(leat_named(leat_source_stream(ctx, "memory", options, 2), "lines"), see,
                     &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(h.order, "RX");
    CU_ASSERT_STRING_EQUAL(h.receiver, "lines");
    leat_context_free(ctx);
}

/* ---- what they may do */

static void stop_it(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;
    struct leat_error e;

    (void)b;
    if (h->count > 0)
        return;
    note(h, 'x');
    CU_ASSERT_EQUAL(leat_get_state(h->ctx), LEAT_ACTIVE);
    h->wait = leat_await_termination(h->ctx, &e);
    CU_ASSERT_EQUAL(leat_stop(h->ctx, true, &e), LEAT_OK);
    leat_context_free(h->ctx);
}

static void a_listener_may_ask_for_the_stop_but_not_wait(void)
{
    struct leat_context *ctx = new_context();
    struct heard h;

    heard_init(&h);
    h.ctx = ctx;
    leat_add_listener(ctx, &(struct leat_listener){.batch_completed = stop_it}, &h);
    leat_print(leat_queue_stream(ctx, true), 1);
    OK(leat_start(ctx, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_EQUAL(h.wait, LEAT_E_MISUSE);
    CU_ASSERT_STRING_EQUAL(h.order, "x");
    leat_context_free(ctx);
}

static void wait_at_the_gate(const struct leat_batch_info *b, void *arg)
{
    struct heard *h = arg;

    (void)b;
    pthread_mutex_lock(&h->gate);
    pthread_mutex_unlock(&h->gate);
}

static enum leat_status count_batches(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    (void)rdd, (void)e;
    atomic_fetch_add((atomic_int *)arg, 1);
    return LEAT_OK;
}

static void batches_do_not_wait_for_a_listener_and_it_is_told_what_it_missed(void)
{
    struct leat_context *ctx = leat_context_new("test", 5);
    atomic_int batches = 0;
    struct heard h;

    heard_init(&h);
    pthread_mutex_init(&h.gate, NULL);
    pthread_mutex_lock(&h.gate);
    leat_add_listener(ctx, &(struct leat_listener){.batch_submitted = wait_at_the_gate}, &h);
    leat_add_listener(ctx, &of_batches, &h);
    leat_foreach_rdd(leat_queue_stream(ctx, true), count_batches, &batches);
    OK(leat_start(ctx, &err));
    while (atomic_load(&batches) < 80) /* five things each */
        sched_yield();
    pthread_mutex_unlock(&h.gate);
    int64_t until = atomic_load(&batches) + 2;
    while (atomic_load(&batches) < until)
        sched_yield();
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT(h.missed > 0);
    CU_ASSERT(h.adds_up);
    leat_context_free(ctx);
    pthread_mutex_destroy(&h.gate);
}

static void a_stop_returns_when_all_was_heard(void)
{
    for (int i = 0; i < 5; i++) {
        struct leat_context *ctx = leat_context_new("test", 5);
        atomic_int batches = 0;
        struct heard h;

        heard_init(&h);
        leat_add_listener(ctx, &of_batches, &h);
        leat_foreach_rdd(leat_queue_stream(ctx, true), count_batches, &batches);
        OK(leat_start(ctx, &err));
        while (atomic_load(&batches) < 3)
            sched_yield();
        OK(leat_stop(ctx, false, &err));
        CU_ASSERT(h.missed > 0 || h.completed == atomic_load(&batches));
        leat_context_free(ctx);
    }
}

static void a_listener_comes_before_the_start_and_has_functions(void)
{
    struct leat_context *ctx = new_context();
    struct heard h;

    heard_init(&h);
    leat_add_listener(NULL, &of_batches, &h);
    leat_add_listener(ctx, &(struct leat_listener){0}, NULL);
    leat_print(leat_queue_stream(ctx, true), 1);
    OK(leat_start(ctx, &err));
    OK(leat_context_error(ctx, &err));
    leat_add_listener(ctx, &of_batches, &h);
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "been started"));
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
    ctx = new_context();
    leat_add_listener(ctx, NULL, NULL);
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void listeners_without_memory_end_in_order(void)
{
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct heard h;

        heard_init(&h);
        leat_add_listener(ctx, &of_batches, &h);
        leat_print(leat_queue_stream(ctx, true), 1);
        (void)runs_with_all_memory(ctx, LEAT_OK);
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_listener", T(batches_and_outputs_are_heard_in_order_with_delays_that_add_up),
           T(an_output_that_fails_is_heard_with_why_and_so_is_its_batch),
           T(outputs_that_fail_in_one_batch_are_heard_one_by_one),
           T(a_batch_whose_operator_fails_is_over_with_its_words),
           T(a_receiver_is_heard_by_the_name_of_its_stream),
           T(a_connector_that_others_send_to_is_a_receiver_too),
           T(a_listener_may_ask_for_the_stop_but_not_wait),
           T(batches_do_not_wait_for_a_listener_and_it_is_told_what_it_missed),
           T(a_stop_returns_when_all_was_heard),
           T(a_listener_comes_before_the_start_and_has_functions),
           T(listeners_without_memory_end_in_order))
