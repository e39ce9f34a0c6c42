/*
 * streaming_run.c - a context by a clock that stands still until a batch is out, and what comes
 * out. Batch k has the time begin + k * batch_ms, however fast the machine is.
 */
#include "streaming.h"

#include "stream_ready.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PATIENCE_S   120 /* for one batch, on a busy machine */
#define BATCHES_MOST 10000

static int64_t manual_now(const struct leat_clock *c)
{
    return ((const struct manual_clock *)(const void *)c)->now_ms;
}

/* Thread: the listeners'. */
static void completed(const struct leat_batch_info *batch, void *arg)
{
    struct run *r = arg;

    pthread_mutex_lock(&r->lock);
    if (!batch->failure)
        r->completed_ms = batch->batch_ms;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

bool run_init(struct run *r, int64_t batch_ms, int64_t begin_ms, int partitions,
              struct failure *why)
{
    pthread_condattr_t attr;
    char text[16];

    *r = (struct run){.batch_ms = batch_ms,
                      .begin_ms = begin_ms,
                      .clock = {.clock = {.now_ms = manual_now, .monotonic_ms = manual_now}}};
    r->clock.now_ms = begin_ms;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    r->batches = json_array();
    r->ctx = leat_context_new("conformance", batch_ms);
    if (!r->ctx || !r->batches)
        return differs(why, "out of memory");
    snprintf(text, sizeof text, "%d", partitions);
    leat_set(r->ctx, "partitions", text);
    leat_set(r->ctx, "threads", "2");
    leat_add_listener(r->ctx, &(struct leat_listener){.batch_completed = completed}, r);
    r->ctx->clock = &r->clock.clock;
    return true;
}

void run_free(struct run *r)
{
    leat_context_free(r->ctx);
    json_decref(r->batches);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

/* Thread: the output's. */
static enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    struct run *r = arg;
    json_t *rows = json_array(), *batch = NULL;

    for (size_t i = 0; i < rdd->count; i++)
        json_array_append_new(rows, json_of_row(&rdd->rows[i], r->pairs));
    batch = json_pack("{s: I, s: o}", "time", (json_int_t)rdd->time_ms, "rows", rows);
    if (!batch)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    pthread_mutex_lock(&r->lock);
    if (r->each)
        r->each(batch, r->arg);
    json_array_append_new(r->batches, batch);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return LEAT_OK;
}

void run_collect(struct run *r, struct leat_stream *s, bool pairs)
{
    r->pairs = pairs;
    leat_foreach_rdd(s, see, r);
}

/* Lock: held. For a moment; a failure of the context tells nobody here. */
static void wait_a_little(struct run *r)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

static int64_t last_time(const struct run *r)
{
    size_t n = json_array_size(r->batches);
    int64_t seen_ms = n ? number_at(json_array_get(r->batches, n - 1), "time", 0) : r->begin_ms;

    return seen_ms > r->completed_ms ? seen_ms : r->completed_ms;
}

/* Until the batch of this time is out, or the context ended. */
static bool wait_for(struct run *r, int64_t time_ms, struct failure *why)
{
    int64_t give_up_ms = leat_clock_monotonic_ms(NULL) + PATIENCE_S * 1000;
    bool out = true;

    pthread_mutex_lock(&r->lock);
    while (last_time(r) < time_ms && leat_get_state(r->ctx) == LEAT_ACTIVE && out) {
        wait_a_little(r);
        if (leat_clock_monotonic_ms(NULL) > give_up_ms)
            out = differs(why, "the batch at %" PRId64 " ms does not come", time_ms);
    }
    pthread_mutex_unlock(&r->lock);
    return out;
}

bool run_to(struct run *r, int64_t clock_ms, int64_t batch_ms, struct failure *why)
{
    r->clock.now_ms = clock_ms;
    leat_job_look_at_clock(r->ctx->job);
    return wait_for(r, batch_ms, why);
}

bool run_batches(struct run *r, size_t count, struct failure *why)
{
    struct leat_error err;
    bool good = true;

    if (count > BATCHES_MOST)
        return differs(why, "a case has no more than %d batches, not %zu", BATCHES_MOST, count);
    if (leat_start(r->ctx, &err) != LEAT_OK) {
        r->ended = err;
        return true;
    }
    wait_until_ready(r->ctx);
    for (size_t k = 1; k <= count && good && leat_get_state(r->ctx) == LEAT_ACTIVE; k++) {
        int64_t time_ms = r->begin_ms + (int64_t)k * r->batch_ms;
        good = (!r->before || r->before(k, r->arg, why)) && run_to(r, time_ms, time_ms, why);
    }
    if (leat_stop(r->ctx, false, &err) != LEAT_OK)
        r->ended = err;
    return good;
}
