/*
 * Tests engine/stream: what receivers of a program store is complete and in order, however they
 * end, as Spark's own tests of receivers tell it. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS    10
#define PER_THREAD 1000

static struct leat_error err;

/* ---- threads of a program */

struct crowd {
    struct leat_receiver *receiver;
    pthread_t threads[THREADS];
    atomic_int refused;
};

static void *store_some(void *arg)
{
    struct crowd *c = arg;
    struct leat_error e;

    for (int i = 0; i < PER_THREAD; i++)
        if (leat_receiver_store(c->receiver, leat_int(i), NULL, &e) != LEAT_OK)
            atomic_fetch_add(&c->refused, 1);
    return NULL;
}

static enum leat_status begin_crowd(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct crowd *c = arg;

    c->receiver = r;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&c->threads[i], NULL, store_some, c) != 0)
            return leat_fail(e, LEAT_E_DATA, "the test has no threads");
    return LEAT_OK;
}

static void end_crowd(struct leat_receiver *r, void *arg)
{
    struct crowd *c = arg;

    (void)r;
    for (int i = 0; i < THREADS; i++)
        pthread_join(c->threads[i], NULL);
}

static void counts_of_what_ten_threads_store_through_one_receiver_add_up(void)
{
    const struct leat_receiver_functions f = {.on_start = begin_crowd, .on_stop = end_crowd};
    struct leat_context *ctx = new_context();
    struct crowd c = {.refused = 0};
    struct number_sum counts;

    number_sum_init(&counts);
    leat_foreach_rdd(leat_count(leat_receiver_stream(ctx, &f, &c)), add_numbers, &counts);
    OK(leat_start(ctx, &err));
    wait_for_sum(&counts, (int64_t)THREADS * PER_THREAD);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(counts.sum, THREADS * PER_THREAD);
    CU_ASSERT_EQUAL(atomic_load(&c.refused), 0);
    leat_context_free(ctx);
}

/* One that counts 1, 2, 3, ... as fast as it can. */
struct counter {
    struct leat_receiver *receiver;
    pthread_t thread;
    int64_t next; /* the number that was not stored */
    enum leat_status last;
};

static void *store_on(void *arg)
{
    struct counter *c = arg;
    struct leat_error e;

    for (c->next = 1;; c->next++)
        if ((c->last = leat_receiver_store(c->receiver, leat_int(c->next), NULL, &e)) != LEAT_OK)
            return NULL;
}

static enum leat_status begin_counter(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct counter *c = arg;

    c->receiver = r;
    if (pthread_create(&c->thread, NULL, store_on, c) != 0)
        return leat_fail(e, LEAT_E_DATA, "the test has no threads");
    return LEAT_OK;
}

static void end_counter(struct leat_receiver *r, void *arg)
{
    (void)r;
    pthread_join(((struct counter *)arg)->thread, NULL);
}

static void a_graceful_stop_works_off_all_that_a_fast_receiver_stored_and_no_more(void)
{
    const struct leat_receiver_functions f = {.on_start = begin_counter, .on_stop = end_counter};
    struct leat_context *ctx = new_context();
    struct counter c = {.next = 0};
    struct number_sum n;

    number_sum_init(&n);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &c), add_numbers, &n);
    OK(leat_start(ctx, &err));
    wait_for_sum(&n, 5000);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(n.count + 1, c.next);
    CU_ASSERT_EQUAL(c.last, LEAT_E_ABORTED);
    CU_ASSERT_TRUE(n.counts_on);
    leat_context_free(ctx);
}

/* ---- what a receiver stores, and its end */

struct life {
    struct leat_receiver *receiver;
    pthread_t thread;
    char calls[32]; /* + on_start, - on_stop */
    size_t count;
    int64_t numbers[20], stopped_ns, gap_ns;
    _Atomic int64_t safe;
    enum leat_status block, late[3];
    atomic_int stops;
    bool stopped_before, stopped_within;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *store_a_block(void *arg)
{
    struct life *l = arg;
    struct leat_value values[10];
    struct leat_error e;

    for (int i = 0; i < 10; i++)
        values[i] = leat_int(21 + i);
    l->block = leat_receiver_store_block(l->receiver, values, 10, &e);
    return NULL;
}

static enum leat_status store_thirty(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct life *l = arg;

    l->receiver = r;
    l->stopped_within = leat_receiver_is_stopped(r);
    for (int i = 0; i < 20; i++)
        if (leat_receiver_store(r, leat_int(i + 1), &l->numbers[i], e) != LEAT_OK)
            return e->status;
    if (pthread_create(&l->thread, NULL, store_a_block, l) != 0)
        return leat_fail(e, LEAT_E_DATA, "the test has no threads");
    return LEAT_OK;
}

static void end_thirty(struct leat_receiver *r, void *arg)
{
    struct life *l = arg;

    CU_ASSERT_TRUE(leat_receiver_is_stopped(r));
    pthread_join(l->thread, NULL);
    atomic_fetch_add(&l->stops, 1);
}

static void is_safe(struct leat_receiver *r, int64_t upto, void *arg)
{
    (void)r;
    atomic_store(&((struct life *)arg)->safe, upto);
}

static void store_late(struct life *l)
{
    const struct leat_value one = leat_int(1);

    l->late[0] = leat_receiver_store(l->receiver, one, NULL, &err);
    l->late[1] = leat_receiver_store_block(l->receiver, &one, 1, &err);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(l->late[i], LEAT_E_ABORTED);
}

static void what_is_stored_is_numbered_comes_in_order_and_is_refused_behind_the_end(void)
{
    const struct leat_receiver_functions f = {
        .on_start = store_thirty, .on_stop = end_thirty, .on_safe = is_safe};
    struct leat_context *ctx = new_context();
    struct life l = {.block = LEAT_E_BROKEN};
    struct number_sum n;

    number_sum_init(&n);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &l), add_numbers, &n);
    OK(leat_start(ctx, &err));
    wait_for_sum(&n, 30 * 31 / 2);
    while (atomic_load(&l.safe) < 30)
        sched_yield();
    leat_receiver_stop(l.receiver, "all was received");
    while (atomic_load(&l.stops) < 1)
        sched_yield();
    CU_ASSERT_TRUE(leat_receiver_is_stopped(l.receiver));
    store_late(&l);
    leat_receiver_stop(l.receiver, "once more");
    OK(leat_stop(ctx, true, &err));
    store_late(&l);
    leat_receiver_stop(l.receiver, "once more");
    CU_ASSERT_FALSE(l.stopped_within);
    CU_ASSERT_EQUAL(l.block, LEAT_OK);
    CU_ASSERT_TRUE(n.counts_on);
    CU_ASSERT_EQUAL(n.count, 30);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(l.numbers[i], i);
    CU_ASSERT_EQUAL(atomic_load(&l.stops), 1);
    leat_context_free(ctx);
}

static enum leat_status store_thousand(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct life *l = arg;

    l->receiver = r;
    for (int i = 1; i <= 1000; i++)
        if (leat_receiver_store(r, leat_int(i), NULL, e) != LEAT_OK)
            return e->status;
    atomic_fetch_add(&l->stops, 1);
    return LEAT_OK;
}

static void store_one_more(struct leat_receiver *r, void *arg)
{
    struct life *l = arg;

    l->stopped_before = leat_receiver_is_stopped(r);
    l->late[0] = leat_receiver_store(r, leat_int(1001), NULL, &err);
    atomic_fetch_add(&l->stops, 1);
}

static void a_graceful_stop_refuses_what_comes_and_returns_behind_what_was_stored(void)
{
    const struct leat_receiver_functions f = {.on_start = store_thousand,
                                              .on_stop = store_one_more};
    struct leat_context *ctx = leat_context_new("test", 1000);
    struct life l = {.block = LEAT_OK};
    struct number_sum n;

    number_sum_init(&n);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &l), add_numbers, &n);
    OK(leat_start(ctx, &err));
    while (atomic_load(&l.stops) < 1)
        sched_yield();
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&l.stops), 2);
    CU_ASSERT_TRUE(l.stopped_before);
    CU_ASSERT_EQUAL(l.late[0], LEAT_E_ABORTED);
    CU_ASSERT_EQUAL(n.count, 1000);
    CU_ASSERT_TRUE(n.counts_on);
    leat_context_free(ctx);
}

static enum leat_status begin_again(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct life *l = arg;

    if (l->count && !l->gap_ns)
        l->gap_ns = now_ns() - l->stopped_ns;
    l->calls[l->count++] = '+';
    leat_receiver_report_error(r, "one that changes nothing");
    if (l->count == 1)
        leat_receiver_restart(r, "the peer went", 100);
    else
        return leat_receiver_store(r, leat_int(1), NULL, e);
    return LEAT_OK;
}

static void end_again(struct leat_receiver *r, void *arg)
{
    struct life *l = arg;

    (void)r;
    l->stopped_ns = now_ns();
    l->calls[l->count++] = '-';
}

static void a_restart_is_a_stop_a_pause_and_a_start(void)
{
    const struct leat_receiver_functions f = {.on_start = begin_again, .on_stop = end_again};
    struct leat_context *ctx = new_context();
    struct life l = {.block = LEAT_OK};
    struct number_sum n;

    number_sum_init(&n);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &l), add_numbers, &n);
    OK(leat_start(ctx, &err));
    wait_for_sum(&n, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(l.calls, "+-+-");
    CU_ASSERT(l.gap_ns >= 99 * (int64_t)1000000); /* clocks count whole milliseconds */
    OK(leat_await_termination(ctx, &err));
    leat_context_free(ctx);
}

/* ---- times of what is stored */

static struct leat_value tenth_of_a_second(struct leat_call *call, const struct leat_pair *in,
                                           void *arg)
{
    (void)call, (void)arg;
    return leat_int(100 * (in->key.tag == LEAT_INT ? in->key.as.i : in->value.as.i));
}

static void *store_pairs(void *arg)
{
    struct counter *c = arg;
    struct leat_error e;

    for (c->next = 0; c->next < 1000; c->next++)
        if (leat_receiver_store_pair(c->receiver,
                                     (struct leat_pair){leat_int(c->next), leat_int(-1)}, NULL,
                                     &e) != LEAT_OK)
            break;
    return NULL;
}

static enum leat_status begin_pairs(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct counter *c = arg;

    c->receiver = r;
    if (pthread_create(&c->thread, NULL, store_pairs, c) != 0)
        return leat_fail(e, LEAT_E_DATA, "the test has no threads");
    return LEAT_OK;
}

static void what_is_stored_may_have_times_of_its_own(void)
{
    for (int pairs = 0; pairs < 2; pairs++) {
        const struct leat_receiver_functions f = {.on_start = pairs ? begin_pairs : begin_counter,
                                                  .on_stop = end_counter};
        struct leat_context *ctx = new_context();
        struct counter c = {.next = 0};
        struct number_sum windows;
        struct leat_stream *s =
            pairs ? leat_receiver_pair_stream(ctx, &f, &c) : leat_receiver_stream(ctx, &f, &c);

        number_sum_init(&windows);
        s = leat_event_time(s, tenth_of_a_second, NULL, 0, 0);
        leat_foreach_rdd(leat_count_by_window(s, 1000, 1000), add_numbers, &windows);
        OK(leat_start(ctx, &err));
        wait_for_sum(&windows, 989);
        OK(leat_stop(ctx, false, &err));
        CU_ASSERT(windows.last == 10 && windows.count * 10 - windows.sum == !pairs);
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_received", T(counts_of_what_ten_threads_store_through_one_receiver_add_up),
           T(a_graceful_stop_works_off_all_that_a_fast_receiver_stored_and_no_more),
           T(what_is_stored_is_numbered_comes_in_order_and_is_refused_behind_the_end),
           T(a_graceful_stop_refuses_what_comes_and_returns_behind_what_was_stored),
           T(a_restart_is_a_stop_a_pause_and_a_start), T(what_is_stored_may_have_times_of_its_own))
