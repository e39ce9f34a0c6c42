/*
 * Tests rates of records through the C library, by a clock that the test moves: how much batches
 * take, what is learnt from how long they took, that nothing is lost, and wrong settings.
 */
#include "hand_clock.h"
#include "stream_rig.h"

#include "stream.h"
#include "stream_ready.h"

#include "run/job.h"

#include <sched.h>

static struct leat_error err;

/* ---- what an output gets: it needs so many ms of the clock for each */

struct sink {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct hand_clock *clock;
    int64_t record_ms;
    _Atomic int64_t calls;
    int64_t next, batches, last_count, most;
    bool in_order;
};

static enum leat_status work(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct sink *s = arg;

    (void)e;
    atomic_fetch_add(&s->calls, 1);
    atomic_fetch_add(&s->clock->now_ms, s->record_ms * (int64_t)rdd->count);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < rdd->count; i++, s->next++)
        s->in_order = s->in_order && rdd->rows[i].value.as.i == s->next;
    if (rdd->count) {
        s->batches++;
        s->last_count = (int64_t)rdd->count;
        s->most = s->last_count > s->most ? s->last_count : s->most;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return LEAT_OK;
}

/* ---- a receiver that stores numbers, 0 and up, as fast as they are taken */

struct numbers {
    struct leat_receiver *receiver;
    pthread_t thread;
    int64_t count;
};

static void *store_numbers(void *arg)
{
    struct numbers *n = arg;
    struct leat_error e;

    for (int64_t i = 0; i < n->count; i++)
        if (leat_receiver_store(n->receiver, leat_int(i), NULL, &e) != LEAT_OK)
            break;
    return NULL;
}

static enum leat_status start(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct numbers *n = arg;

    (void)e;
    n->receiver = r;
    return pthread_create(&n->thread, NULL, store_numbers, n) ? LEAT_E_NOMEM : LEAT_OK;
}

static void stop(struct leat_receiver *r, void *arg)
{
    struct numbers *n = arg;

    (void)r;
    pthread_join(n->thread, NULL);
}

static const struct leat_receiver_functions functions = {.on_start = start, .on_stop = stop};

/* ---- a run */

struct run {
    struct leat_context *ctx;
    struct hand_clock clock;
    struct sink sink;
    struct numbers numbers;
};

static void init(struct run *r, int64_t count, int64_t record_ms)
{
    *r =
        (struct run){.ctx = leat_context_new("test", 1000),
                     .clock = {.clock = {.now_ms = hand_clock_now, .monotonic_ms = hand_clock_now}},
                     .numbers = {.count = count},
                     .sink = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER,
                              .record_ms = record_ms,
                              .in_order = true}};
    r->sink.clock = &r->clock;
    r->ctx->clock = &r->clock.clock;
}

static void begin(struct run *r, int64_t count, int64_t record_ms)
{
    init(r, count, record_ms);
    leat_foreach_rdd(leat_receiver_stream(r->ctx, &functions, &r->numbers), work, &r->sink);
}

static void go(struct run *r)
{
    OK(leat_start(r->ctx, &err));
    wait_until_ready(r->ctx);
}

/* So many come out although no time passes. */
static void at_once(struct run *r, int64_t batches)
{
    pthread_mutex_lock(&r->sink.lock);
    while (r->sink.batches < batches)
        pthread_cond_wait(&r->sink.changed, &r->sink.lock);
    pthread_mutex_unlock(&r->sink.lock);
}

/* The clock goes on to shortly before the next second, when what is open is asked for, and to the
 * second, again and again, until that comes out. */
static void until_batches(struct run *r, int64_t batches, int64_t records)
{
    struct timespec soon;

    pthread_mutex_lock(&r->sink.lock);
    while (r->sink.batches < batches || r->sink.next < records) {
        int64_t within_ms = atomic_load(&r->clock.now_ms) % 1000;
        atomic_fetch_add(&r->clock.now_ms, within_ms < 900 ? 900 - within_ms : 1000 - within_ms);
        leat_job_look_at_clock(r->ctx->job);
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 2000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&r->sink.changed, &r->sink.lock, &soon);
    }
    pthread_mutex_unlock(&r->sink.lock);
}

static int64_t rate_limit(const struct run *r)
{
    return leat_metric_get(leat_job_metrics_of(r->ctx->job), LEAT_JOB_METRIC_rate_limit);
}

/* Not before what the output got is committed: a clock that jumps while it stops is too late. */
static void end(struct run *r)
{
    const struct leat_metrics *metrics = leat_job_metrics_of(r->ctx->job);

    while (leat_metric_get(metrics, LEAT_JOB_METRIC_batches) < atomic_load(&r->sink.calls))
        sched_yield();
    OK(leat_stop(r->ctx, false, &err));
    leat_context_free(r->ctx);
}

static void no_batch_takes_more_than_the_rate_and_all_comes_out_in_order(void)
{
    struct run r;

    begin(&r, 1000, 0);
    leat_set(r.ctx, "batch.max_rate", "100/s");
    go(&r);
    until_batches(&r, 10, 1000);
    CU_ASSERT_EQUAL(rate_limit(&r), 100);
    CU_ASSERT(r.sink.in_order);
    CU_ASSERT(r.sink.most <= 100);
    CU_ASSERT_EQUAL(r.sink.next, 1000);
    end(&r);
}

static void no_batch_takes_more_bytes_than_it_is_told_to_of_what_was_received(void)
{
    struct run r;

    begin(&r, 1000, 0);
    leat_set(r.ctx, "batch.max_bytes", "480B");
    go(&r);
    until_batches(&r, 1, 1000);
    CU_ASSERT(r.sink.most <= 480 / 24); /* the least that a record takes */
    CU_ASSERT(r.sink.in_order);
    end(&r);
}

static void a_rate_bounds_what_two_receivers_send_together(void)
{
    struct numbers second = {.count = 500};
    struct run r;

    init(&r, 500, 0);
    leat_set(r.ctx, "batch.max_rate", "80/s");
    leat_foreach_rdd(leat_union(leat_receiver_stream(r.ctx, &functions, &r.numbers),
                                leat_receiver_stream(r.ctx, &functions, &second)),
                     work, &r.sink);
    go(&r);
    until_batches(&r, 13, 1000);
    CU_ASSERT_EQUAL(r.sink.next, 1000);
    CU_ASSERT(r.sink.most <= 80);
    end(&r);
}

static void behind_a_slow_output_batches_become_as_large_as_it_can_work_off(void)
{
    struct run r;

    begin(&r, 1000000, 5); /* 200 a second */
    leat_set(r.ctx, "batch.backpressure", "true");
    go(&r);
    at_once(&r, 2); /* nothing is known: as much as there is room for */
    until_batches(&r, 40, 0);
    CU_ASSERT(r.sink.most >= 4000);
    CU_ASSERT(r.sink.last_count <= 200);
    CU_ASSERT(rate_limit(&r) >= 100 && rate_limit(&r) <= 200);
    CU_ASSERT(r.sink.in_order);
    end(&r);
}

static void what_is_learnt_stays_within_what_is_set(void)
{
    struct run r;

    begin(&r, 2000, 1); /* 1000 a second */
    leat_set(r.ctx, "batch.max_rate", "200/s");
    leat_set(r.ctx, "batch.backpressure.min_rate", "50/s");
    go(&r);
    until_batches(&r, 10, 2000);
    CU_ASSERT(rate_limit(&r) >= 50 && rate_limit(&r) <= 200);
    CU_ASSERT(r.sink.most <= 200);
    CU_ASSERT(r.sink.in_order);
    end(&r);
}

static void what_is_set_last_counts(void)
{
    struct run r;

    begin(&r, 300, 1000); /* 1 a second */
    leat_set(r.ctx, "batch.max_rate", "50/s");
    leat_set(r.ctx, "batch.backpressure.min_rate", "1/s");
    leat_set(r.ctx, "batch.backpressure", "false");
    go(&r);
    until_batches(&r, 6, 300);
    CU_ASSERT_EQUAL(rate_limit(&r), 50);
    end(&r);
    begin(&r, 20000, 1000); /* more than two batches have */
    leat_set(r.ctx, "batch.backpressure", "false");
    leat_set(r.ctx, "batch.backpressure.min_rate", "40/s");
    go(&r);
    until_batches(&r, 3, 20000);
    CU_ASSERT_EQUAL(rate_limit(&r), 40);
    end(&r);
}

static void is_wrong(const char *path, const char *value, const char *words)
{
    struct leat_context *ctx = new_context();

    leat_set(ctx, path, value);
    leat_foreach_rdd(leat_queue_stream(ctx, true), see, NULL);
    is_refused(ctx, words);
}

static void wrong_rates_are_refused_with_what_to_write_instead(void)
{
    is_wrong("batch.max_rate", "-5/s", "is no rate, such as 1000/s");
    is_wrong("batch.max_rate", "100", "needs a unit: 1000/s");
    is_wrong("batch.backpressure", "yes", "takes true, false, or { proportional");
    is_wrong("batch.backpressure.min_rate", "0/s", "'min_rate' is above 0");
    is_wrong("batch.backpressure.integral", "-1", "is no number from 0 on");
    is_wrong("batch.backpressure.derivative", "0", "unknown");
}

LEAT_TESTS("stream_rate", T(no_batch_takes_more_than_the_rate_and_all_comes_out_in_order),
           T(no_batch_takes_more_bytes_than_it_is_told_to_of_what_was_received),
           T(a_rate_bounds_what_two_receivers_send_together),
           T(behind_a_slow_output_batches_become_as_large_as_it_can_work_off),
           T(what_is_learnt_stays_within_what_is_set), T(what_is_set_last_counts),
           T(wrong_rates_are_refused_with_what_to_write_instead))
