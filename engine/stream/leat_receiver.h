/*
 * leat_receiver.h - custom receivers: inputs that a program of the C library receives by itself.
 *
 *     static enum leat_status start(struct leat_receiver *r, void *arg, struct leat_error *err);
 *     static void stop(struct leat_receiver *r, void *arg);
 *
 *     struct leat_receiver_functions receiver = {.on_start = start, .on_stop = stop};
 *     struct leat_stream *lines = leat_receiver_stream(ctx, &receiver, peer);
 *
 * on_start begins the program's own threads, which store what they receive. A receiver belongs to
 * its context, and goes with it. Included by leat_stream.h.
 *
 * What is safe. A value is safe with `store: "commit"` when the batch that has it is committed,
 * with "disk" when it is synced to files in the context's checkpoint directory, from where it is
 * read again after a crash. Until then it may be lost: when the process dies, when the job fails,
 * and in leat_stop() that is not graceful. leat_receiver_store() does not wait for that; on_safe
 * tells it. leat_receiver_store_block() waits. Whoever tells a sender "done" by one of these two
 * loses nothing; what was stored and not told may come again, and is then there twice.
 *
 * Room. What is stored and in no batch yet takes a fixed part of `memory`, and a few hundred KiB
 * beside it. When that is full, functions that store wait: the receiver's threads then read no more
 * from their peer. Nothing is dropped.
 *
 * Order. One thread's values keep their order. Several threads' are mixed, also within blocks.
 */
#ifndef LEAT_RECEIVER_H
#define LEAT_RECEIVER_H

#include "leat_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_receiver;

/* Called on one thread of leat's, one after the other; `arg` is the one of leat_receiver_stream().
 * None of them may take long: while one runs nothing is taken from the receiver. */
struct leat_receiver_functions {
    /* Begin to receive, in threads of one's own, and return. Values may be stored from here on. A
     * failure that may pass (leat_status_is_transient()) is tried again with longer and longer
     * pauses, any other ends the job; on_stop is not called then. */
    enum leat_status (*on_start)(struct leat_receiver *receiver, void *arg, struct leat_error *err);
    /* End those threads and wait for them: when it has returned nothing is stored any more. No
     * thread is within a storing function when it is called, and what is stored now is refused. It
     * is part of leat_stop(), which those threads therefore cannot call: they would wait for
     * themselves. */
    void (*on_stop)(struct leat_receiver *receiver, void *arg);
    /* All values whose number is less than `upto` are safe. NULL: nobody wants to know. */
    void (*on_safe)(struct leat_receiver *receiver, int64_t upto, void *arg);
    /* "commit" or "disk", which needs leat_checkpoint(); NULL: commit. */
    const char *store;
};

/* The functions are copied. Elements are what is stored: values, or pairs. */
#define leat_receiver_stream(ctx, functions, arg)                                                  \
    leat_receiver_stream_at(ctx, functions, arg, LEAT_HERE)
#define leat_receiver_pair_stream(ctx, functions, arg)                                             \
    leat_receiver_pair_stream_at(ctx, functions, arg, LEAT_HERE)
LEAT_API struct leat_stream *
leat_receiver_stream_at(struct leat_context *ctx, const struct leat_receiver_functions *functions,
                        void *arg, const char *where);
LEAT_API struct leat_stream *
leat_receiver_pair_stream_at(struct leat_context *ctx,
                             const struct leat_receiver_functions *functions, void *arg,
                             const char *where);

/* A copy of this value; a string has to be UTF-8. *number, unless NULL, is the value's: 0, 1, 2,
 * ... from leat_start() on, across restarts of the receiver. Waits for room; within a function that
 * leat calls it does not: LEAT_E_FULL, nothing was taken. LEAT_E_ABORTED: the receiver is not
 * started, is about to stop or has stopped; nothing was taken. LEAT_E_DATA: the value takes more
 * than 1 MiB, has a string that is not UTF-8, or is nested more than 64 deep. LEAT_E_MISUSE: the
 * receiver is one of the other kind, or the value is an error or has one in it. Thread: any,
 * several at once. */
LEAT_API LEAT_CHECKED enum leat_status leat_receiver_store(struct leat_receiver *receiver,
                                                           struct leat_value value, int64_t *number,
                                                           struct leat_error *err);
LEAT_API LEAT_CHECKED enum leat_status leat_receiver_store_pair(struct leat_receiver *receiver,
                                                                struct leat_pair pair,
                                                                int64_t *number,
                                                                struct leat_error *err);

/* The same for many, which returns when all of them are safe. A block is no unit: several batches
 * may have parts of it. A failure: LEAT_E_ABORTED: some may have been taken, and nobody knows
 * whether they are safe; LEAT_E_DATA and LEAT_E_MISUSE: nothing was taken. Within a function that
 * leat calls: LEAT_E_MISUSE. LEAT_E_NOMEM: those in front may have been taken. */
LEAT_API LEAT_CHECKED enum leat_status leat_receiver_store_block(struct leat_receiver *receiver,
                                                                 const struct leat_value *values,
                                                                 size_t count,
                                                                 struct leat_error *err);
LEAT_API LEAT_CHECKED enum leat_status
leat_receiver_store_pair_block(struct leat_receiver *receiver, const struct leat_pair *pairs,
                               size_t count, struct leat_error *err);

/* What follows only asks, and returns at once; NULL is fine. Thread: any, also a function that leat
 * calls. */

/* Say that something is wrong; the receiver goes on. It is in the log, and listeners get it. */
LEAT_API void leat_receiver_report_error(struct leat_receiver *receiver, const char *why);

/* Call on_stop, wait so long, call on_start. What is stored stays. */
#define LEAT_RESTART_DELAY_MS 2000 /* usual */
LEAT_API void leat_receiver_restart(struct leat_receiver *receiver, const char *why,
                                    int64_t delay_ms);

/* Call on_stop, and never start it again: nothing more will come. The context goes on. */
LEAT_API void leat_receiver_stop(struct leat_receiver *receiver, const char *why);

/* Is it time for the receiver's threads to end? True before on_start, and from the moment on in
 * which what is stored is refused. NULL: true. */
LEAT_API bool leat_receiver_is_stopped(struct leat_receiver *receiver);

#ifdef __cplusplus
}
#endif

#endif
