/*
 * listener.c - what a job tells goes through a ring to the thread of a context's listeners.
 *
 * The ring has a lock of its own, which is held for a copy; the context's lock may be held when it
 * is taken. When the job has ended the thread calls what is left, and only then has the context
 * ended.
 */
#include "receiver.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <inttypes.h>
#include <stdio.h>

#define RING 256

struct stream_listener {
    struct stream_listener *next;
    struct leat_listener functions;
    void *arg;
};

enum event_kind {
    BATCH_SUBMITTED,
    BATCH_STARTED,
    BATCH_COMPLETED,
    OUTPUT_STARTED,
    OUTPUT_COMPLETED,
    RECEIVER_STARTED,
    RECEIVER_ERROR,
    RECEIVER_STOPPED,
};

struct event {
    enum event_kind kind;
    struct leat_batch_info batch;
    struct leat_output_info output;
    struct leat_receiver_info receiver;
    struct leat_progress_counts counts; /* with it */
    bool fails;
    char why[sizeof((struct leat_error *)0)->text];
};

struct stream_listeners {
    struct stream_listener *first;
    void (*heard)(struct leat_context *ctx); /* everything; NULL: nobody wants to know */
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct event ring[RING];
    uint32_t head, count;
    uint64_t missed;
    struct leat_progress_counts counts;
    bool over;
};

/* ---- the thread */

static void call(const struct stream_listener *l, const struct event *e)
{
    const struct leat_listener *f = &l->functions;
    void (*const batch[])(const struct leat_batch_info *,
                          void *) = {f->batch_submitted, f->batch_started, f->batch_completed};
    void (*const output[])(const struct leat_output_info *,
                           void *) = {f->output_operation_started, f->output_operation_completed};
    void (*const receiver[])(const struct leat_receiver_info *, void *) = {
        f->receiver_started, f->receiver_error, f->receiver_stopped};

    if (e->kind <= BATCH_COMPLETED && batch[e->kind])
        batch[e->kind](&e->batch, l->arg);
    else if (e->kind >= OUTPUT_STARTED && e->kind <= OUTPUT_COMPLETED &&
             output[e->kind - OUTPUT_STARTED])
        output[e->kind - OUTPUT_STARTED](&e->output, l->arg);
    else if (e->kind >= RECEIVER_STARTED && receiver[e->kind - RECEIVER_STARTED])
        receiver[e->kind - RECEIVER_STARTED](&e->receiver, l->arg);
}

/* False: there will be none. */
static bool take(struct stream_listeners *l, struct event *e)
{
    pthread_mutex_lock(&l->lock);
    while (l->count == 0 && !l->over)
        pthread_cond_wait(&l->changed, &l->lock);
    bool some = l->count > 0;
    if (some) {
        *e = l->ring[l->head];
        l->head = (l->head + 1) % RING;
        l->count--;
        e->batch.missed = e->output.missed = e->receiver.missed = l->missed;
    }
    pthread_mutex_unlock(&l->lock);
    return some;
}

static void *listen_main(void *arg)
{
    struct leat_context *ctx = arg;
    struct stream_listeners *l = ctx->listeners;
    struct event e;

    while (take(l, &e)) {
        e.batch.failure = e.output.failure = e.fails ? e.why : NULL;
        e.receiver.why = e.why;
        stream_progress_heard(ctx, &e.counts, e.kind == BATCH_COMPLETED ? &e.batch : NULL);
        stream_enter();
        for (const struct stream_listener *one = l->first; one; one = one->next)
            call(one, &e);
        stream_leave();
    }
    pthread_mutex_lock(&l->lock);
    e.counts = l->counts; /* with what was missed */
    pthread_mutex_unlock(&l->lock);
    stream_progress_heard(ctx, &e.counts, NULL);
    if (l->heard)
        l->heard(ctx);
    return NULL;
}

/* `known`: records of a completed batch that it started with; -1: it was not known. */
static void count(struct leat_progress_counts *c, const struct event *e, int64_t known)
{
    const struct leat_batch_info *b = &e->batch;

    if (e->kind == BATCH_SUBMITTED) {
        c->waiting++;
    } else if (e->kind == BATCH_STARTED) {
        c->waiting--;
        c->running++;
        c->received += b->records > 0 ? (uint64_t)b->records : 0;
    } else if (e->kind == BATCH_COMPLETED) {
        /* Those that failed before they started are behind all that have started. */
        *(c->running ? &c->running : &c->waiting) -= 1;
        c->completed++;
    }
    if (e->kind == BATCH_COMPLETED && b->records >= 0) {
        c->processed += (uint64_t)b->records;
        c->received += (uint64_t)(b->records - (known > 0 ? known : 0));
    }
    c->unprocessed = c->waiting + c->running;
}

static void put_batch(struct stream_listeners *l, const struct event *e, int64_t known)
{
    pthread_mutex_lock(&l->lock);
    count(&l->counts, e, known);
    if (l->count == RING) {
        l->missed++;
    } else {
        struct event *at = &l->ring[(l->head + l->count++) % RING];
        *at = *e;
        at->counts = l->counts;
        pthread_cond_signal(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
}

static void put(struct stream_listeners *l, const struct event *e)
{
    put_batch(l, e, -1);
}

/* ---- what the job tells. Thread: the job's */

static void copy_why(struct event *e, const struct leat_error *why)
{
    e->fails = why;
    if (why)
        snprintf(e->why, sizeof e->why, "%s", why->text);
}

/* For who waits for the context; listeners do not hear it. */
static void on_started(void *arg)
{
    struct leat_context *ctx = arg;

    pthread_mutex_lock(&ctx->lock);
    pthread_cond_broadcast(&ctx->changed);
    pthread_mutex_unlock(&ctx->lock);
}

static void on_cut(void *arg, int64_t batch_ms, int64_t now_ms)
{
    struct leat_context *ctx = arg;
    struct event e = {.kind = BATCH_SUBMITTED,
                      .batch = {.batch_ms = batch_ms,
                                .submitted_ms = now_ms,
                                .started_ms = -1,
                                .completed_ms = -1,
                                .scheduling_ms = -1,
                                .processing_ms = -1,
                                .total_ms = -1,
                                .records = -1}};

    if (!ctx->listeners)
        return;
    put(ctx->listeners, &e);
}

static void on_begun(void *arg, const struct leat_job_watch_batch *b)
{
    struct leat_context *ctx = arg;
    struct event e = {
        .kind = BATCH_STARTED,
        .batch = {.batch_ms = b->time_ms,
                  .submitted_ms = b->began_ms,
                  .started_ms = b->began_ms,
                  .completed_ms = -1,
                  .scheduling_ms = b->began_ms > b->time_ms ? b->began_ms - b->time_ms : 0,
                  .processing_ms = -1,
                  .total_ms = -1,
                  .records = b->known}};

    if (ctx->listeners)
        put(ctx->listeners, &e);
}

static void on_batch(void *arg, const struct leat_job_watch_batch *b)
{
    struct leat_context *ctx = arg;
    struct event e = {.kind = BATCH_COMPLETED,
                      .batch = {.batch_ms = b->time_ms,
                                .submitted_ms = b->began_ms,
                                .started_ms = b->began_ms,
                                .completed_ms = b->ended_ms,
                                .records = b->why ? -1 : (int64_t)b->records}};

    if (!ctx->listeners)
        return;
    e.batch.scheduling_ms = b->began_ms > b->time_ms ? b->began_ms - b->time_ms : 0;
    e.batch.processing_ms = b->ended_ms - b->began_ms;
    e.batch.total_ms = e.batch.scheduling_ms + e.batch.processing_ms;
    copy_why(&e, b->why);
    put_batch(ctx->listeners, &e, b->known);
}

static void on_output(void *arg, const struct leat_job_watch_output *o)
{
    struct leat_context *ctx = arg;
    struct stream_output *out = ctx->outputs;
    struct event e = {.kind = o->is_over ? OUTPUT_COMPLETED : OUTPUT_STARTED,
                      .output = {.batch_ms = o->batch_ms, .completed_ms = -1, .took_ms = -1}};
    char name[32];

    if (!ctx->listeners)
        return;
    for (snprintf(name, sizeof name, STREAM_OUTPUT_NAME, e.output.number);
         out->next && !leat_slice_eq(ctx->plan->sinks[o->sink].name, leat_slice_str(name));
         snprintf(name, sizeof name, STREAM_OUTPUT_NAME, ++e.output.number))
        out = out->next;
    if (out->is_kept)
        return;
    e.output.place = out->sink->path.ptr;
    if (!o->is_over)
        out->started_ms = o->now_ms;
    e.output.started_ms = out->started_ms;
    if (o->is_over) {
        e.output.completed_ms = o->now_ms;
        e.output.took_ms = o->now_ms - out->started_ms;
    }
    copy_why(&e, o->why);
    put(ctx->listeners, &e);
}

void stream_tell(struct leat_context *ctx, enum leat_job_watch_receiver what, const char *stream,
                 const char *why)
{
    struct event e = {
        .kind = RECEIVER_STARTED + what,
        .receiver = {.stream = stream, .time_ms = leat_clock_now_ms(ctx->clock)},
    };

    if (!ctx->listeners)
        return;
    snprintf(e.why, sizeof e.why, "%s", why ? why : "");
    put(ctx->listeners, &e);
}

/* A receiver of the program says itself when it starts and stops. */
static void on_receiver(void *arg, const char *source, enum leat_job_watch_receiver what,
                        const struct leat_error *why)
{
    const struct leat_receiver *r = stream_receiver_of(arg, source);

    if (!r || what == LEAT_WATCH_FAILED)
        stream_tell(arg, what, r ? r->name : source, why ? why->text : "");
}

static void on_committed(void *arg, const char *source, int64_t next)
{
    stream_receiver_committed(arg, source, next);
}

/* ---- for the context */

void leat_add_listener_at(struct leat_context *ctx, const struct leat_listener *listener, void *arg,
                          const char *where)
{
    static const char what[] = "leat_add_listener";

    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    struct stream_listener *l = stream_alloc(ctx, sizeof *l), **end = &ctx->first_listener;
    if (!listener)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without a listener", what);
    else if (stream_open(ctx, where, what) && l) {
        *l = (struct stream_listener){.functions = *listener, .arg = arg};
        while (*end)
            end = &(*end)->next;
        *end = l;
    }
    pthread_mutex_unlock(&ctx->lock);
}

static enum leat_status no_memory(struct stream_listeners *l, struct leat_error *err)
{
    leat_mem_free(l);
    return leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

enum leat_status stream_listeners_start(struct leat_context *ctx,
                                        void (*heard)(struct leat_context *ctx),
                                        struct leat_error *err)
{
    ctx->watch = (struct leat_job_watch){.started = on_started,
                                         .cut = on_cut,
                                         .begun = on_begun,
                                         .batch = on_batch,
                                         .output = on_output,
                                         .receiver = on_receiver,
                                         .committed = on_committed,
                                         .arg = ctx};
    if (!ctx->first_listener && !ctx->first_progress)
        return LEAT_OK;
    struct stream_listeners *l = leat_mem_alloc(sizeof *l);
    if (!l)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    l->first = ctx->first_listener;
    l->heard = heard;
    if (pthread_mutex_init(&l->lock, NULL) != 0)
        return no_memory(l, err);
    if (pthread_cond_init(&l->changed, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        return no_memory(l, err);
    }
    ctx->listeners = l;
    if (leat_thread_start(&l->thread, "leat-listeners", listen_main, ctx, err) != LEAT_OK)
        return err->status;
    l->has_thread = true;
    return LEAT_OK;
}

static void over(struct stream_listeners *l, bool quietly)
{
    pthread_mutex_lock(&l->lock);
    l->over = true;
    if (quietly)
        l->heard = NULL;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

bool stream_listeners_over(struct leat_context *ctx)
{
    if (!ctx->listeners)
        return false;
    over(ctx->listeners, false);
    return true;
}

void stream_listeners_join(struct leat_context *ctx, bool quietly)
{
    struct stream_listeners *l = ctx->listeners;

    if (!l || !l->has_thread)
        return;
    if (quietly)
        over(l, true);
    pthread_join(l->thread, NULL);
    l->has_thread = false;
}

void stream_listeners_free(struct leat_context *ctx)
{
    struct stream_listeners *l = ctx->listeners;

    if (!l)
        return;
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    leat_mem_free(l);
}
