/*
 * sink_thread.h - one thread per sink: it opens it, writes and commits batches, waits out failures.
 *
 * What can heal (broker away, disk full) is waited for here: the batch is aborted, said once, and
 * written again from the same sealed outputs after a pause. Only what cannot heal, and giving up
 * because the job must end, goes back to the job as a failure.
 */
#ifndef LEAT_RUN_SINK_THREAD_H
#define LEAT_RUN_SINK_THREAD_H

#include "base/queue.h"
#include "data/sink.h"
#include "run/refused.h"

#include <stdatomic.h>

/* One group for one sink, there and back. Also what OPENED and IDLE carry. */
struct leat_sink_work {
    struct leat_msg msg;
    uint32_t sink;
    uint64_t n;
    int64_t now_ms; /* IDLE */
    const struct leat_sink_batch *batches;
    uint32_t batches_count;
    const struct leat_sealed *letters; /* for the last batch, of what other sinks left out */
    struct leat_left_out left_out;
    struct leat_positions positions;
    struct leat_arena arena;   /* of the section; between PREPARE and PREPARED the sink's */
    struct leat_bytes section; /* for record n */
    struct leat_error error;   /* status LEAT_OK: none */
};

struct leat_sink_thread {
    const struct leat_plan *plan;
    uint32_t number; /* of the sink, in the plan */
    const struct leat_sink *sink;
    void *self;
    struct leat_env env;
    struct leat_refusals refusals; /* env.refusals */
    struct leat_queue in, *job;
    pthread_t thread;
    bool running;
    atomic_bool hurry; /* do not wait for what may heal: the job ends */
    atomic_bool waits; /* for the other side, since a while: for the status line */

    struct leat_sink_work opened; /* OPENED: n and section of the last record, for recover */
};

/* Starts the thread, which opens the sink and recovers; OPENED tells how that went. t->plan,
 * number, sink, self, env, job and opened.n, opened.section are set. Thread: job, as all here */
LEAT_CHECKED enum leat_status leat_sink_thread_start(struct leat_sink_thread *t,
                                                     struct leat_error *err);

/* Finish what was put, close the sink, end. hurry: give up waiting. Does nothing if not started. */
void leat_sink_thread_stop(struct leat_sink_thread *t, bool hurry);

#endif
