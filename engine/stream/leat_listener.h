/*
 * leat_listener.h - hearing of batches, outputs and receivers of a context while it runs.
 *
 *     static void completed(const struct leat_batch_info *b, void *arg)
 *     {
 *         printf("%" PRId64 ": %" PRId64 " ms\n", b->batch_ms, b->total_ms);
 *     }
 *     leat_add_listener(ctx, &(struct leat_listener){.batch_completed = completed}, NULL);
 *
 * Thread: all functions of all listeners of a context are called on one thread of its own, one
 * after the other, in the order in which things happened; a batch may start while the one before it
 * is written. Batches do not wait for them. They may call what a function of the context may:
 * leat_stop() asks for the stop and returns, waiting is refused. leat_stop() and
 * leat_await_termination() return when listeners have heard everything; so a listener that does not
 * return keeps them waiting.
 *
 * A listener that is too slow misses something: when 256 things wait for it, further ones are left
 * out, and `missed` of the next says how many since the start.
 *
 * Cost: a few copies per batch and output, nothing per record. Included by leat_stream.h.
 */
#ifndef LEAT_LISTENER_H
#define LEAT_LISTENER_H

#include "leat_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Times are milliseconds since 1970, delays milliseconds; -1: not yet. All is borrowed for the
 * call. */
struct leat_batch_info {
    int64_t batch_ms;      /* its time: when it was due */
    int64_t submitted_ms;  /* what is in it was decided */
    int64_t started_ms;    /* it began to run: with leat at once */
    int64_t completed_ms;  /* all its outputs were committed, or it failed */
    int64_t scheduling_ms; /* started - due: it waited for the batch before it */
    int64_t processing_ms; /* completed - started */
    int64_t total_ms;      /* completed - due: both together */
    /* That its inputs gave; -1: not known yet. When it starts it is known where elements are
     * counted as they come (queues, receivers): not of lines of a file. */
    int64_t records;
    const char *failure; /* why the context ends with this batch not done; NULL: it is done */
    uint64_t missed;
};

struct leat_output_info {
    int64_t batch_ms;  /* commit.every: of the last batch of those that are written together */
    uint32_t number;   /* 0, 1, 2, ... as they were added */
    const char *place; /* where in the program: "wordcount.c:31" */
    int64_t started_ms, completed_ms, took_ms;
    const char *failure; /* why it failed for good; NULL: it did not */
    uint64_t missed;
};

struct leat_receiver_info {
    const char *stream; /* its name, as given by leat_named() */
    int64_t time_ms;
    const char *why; /* "": no reason was given */
    uint64_t missed;
};

/* Each may be NULL. */
struct leat_listener {
    void (*batch_submitted)(const struct leat_batch_info *batch, void *arg);
    void (*batch_started)(const struct leat_batch_info *batch, void *arg);
    /* Once for every batch that was submitted, also when it failed. */
    void (*batch_completed)(const struct leat_batch_info *batch, void *arg);
    /* Writing, preparing and committing what a batch gives to one output. */
    void (*output_operation_started)(const struct leat_output_info *output, void *arg);
    void (*output_operation_completed)(const struct leat_output_info *output, void *arg);
    /* Of leat_receiver_stream(), and of connectors that others send to (socket). An error ends
     * nothing by itself: a receiver goes on, or is started again. */
    void (*receiver_started)(const struct leat_receiver_info *receiver, void *arg);
    void (*receiver_error)(const struct leat_receiver_info *receiver, void *arg);
    void (*receiver_stopped)(const struct leat_receiver_info *receiver, void *arg);
};

/* Before leat_start(). The functions are copied; `arg` must last until the context has stopped. */
#define leat_add_listener(ctx, listener, arg) leat_add_listener_at(ctx, listener, arg, LEAT_HERE)
LEAT_API void leat_add_listener_at(struct leat_context *ctx, const struct leat_listener *listener,
                                   void *arg, const char *where);

/* ---- progress: for programs that ask, and do not listen */

struct leat_progress;

struct leat_progress_counts {
    uint64_t waiting;     /* batches that were submitted and have not started */
    uint64_t running;     /* have started, and are not completed */
    uint64_t unprocessed; /* both together */
    uint64_t completed;   /* since the start, also the one that the context failed with */
    uint64_t retained;    /* of these, whose leat_batch_info is kept */
    uint64_t received;    /* records of batches that have started, as far as they are known */
    uint64_t processed;   /* records of batches that are done */
};

/* Counts from the start on, and keeps the last `limit` batches that were completed (1 to
 * LEAT_PROGRESS_MAX; Spark's is 1000). Before leat_start(); it goes with the context. NULL: a
 * mistake, which the context has. It costs about 100 bytes for each of `limit` at once. */
#define LEAT_PROGRESS_MAX             1000000
#define leat_add_progress(ctx, limit) leat_add_progress_at(ctx, limit, LEAT_HERE)
LEAT_API struct leat_progress *leat_add_progress_at(struct leat_context *ctx, size_t limit,
                                                    const char *where);
/* As of the event that listeners have heard last, or hear: what a listener asks includes what it is
 * called for. Right also where a slow listener misses something. NULL: nothing has happened. */
LEAT_API void leat_progress_count(struct leat_progress *progress,
                                  struct leat_progress_counts *counts);
/* The batches that are retained, the newest first, `room` at most; how many. Of those that a slow
 * listener missed there is none. `failure` lasts as long as the context. */
LEAT_API size_t leat_progress_batches(struct leat_progress *progress, struct leat_batch_info *into,
                                      size_t room);

#ifdef __cplusplus
}
#endif

#endif
