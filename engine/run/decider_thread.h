/*
 * decider_thread.h - the thread of a job's decider and of the sinks that take part in it.
 *
 * It fences a predecessor and tells what the other side knows of the job, then takes groups through
 * their transaction: begin, the sinks' writes, positions and marker, commit. What can heal is
 * waited for: aborted, said once, and written again from the same sealed outputs after a pause.
 * Where nobody knows how a call ended, the decider is closed, opened, and asked.
 *
 * A call of a client library may ignore its time limit. The thread notes until when the one under
 * way may take; the job thread looks at that, and ends the process when it is over.
 */
#ifndef LEAT_RUN_DECIDER_THREAD_H
#define LEAT_RUN_DECIDER_THREAD_H

#include "data/decider.h"
#include "run/sink_thread.h"

/* A sink whose outputs are in the transaction. */
struct leat_decided_sink {
    uint32_t number; /* in the plan */
    const struct leat_sink *sink;
    void *self;
    struct leat_env env; /* env.decider is the decider's memory */
    bool is_open;
};

/* One group for the decider, there and back. */
struct leat_decider_work {
    struct leat_msg msg;
    uint64_t n;
    bool aborted; /* PREPARE: what was written of n was thrown away by the other side */
    const struct leat_sink_batch *const *batches; /* per sink of the thread: per batch */
    uint32_t batches_count;
    struct leat_left_out *left_out;  /* of the group; NULL: the marker alone */
    struct leat_positions positions; /* of the sources that are decided */
    struct leat_slice marker;
    int64_t marker_next;
    uint64_t known; /* RESOLVED: the last group that the other side has */
    int64_t now_ms; /* IDLE */
    struct leat_error error;
};

struct leat_decider_thread {
    const struct leat_plan *plan;
    const struct leat_decider *kind;
    const void *self; /* options of the sink or source that names it */
    void *memory;
    struct leat_env env;
    struct leat_refusals refusals; /* env.refusals, also of the sinks */
    struct leat_decided_sink *sinks;
    struct leat_given *given; /* room for one per sink */
    uint32_t sinks_count;
    struct leat_queue in, *job;
    pthread_t thread;
    bool running, is_open;
    atomic_bool hurry; /* do not wait for what may heal: the job ends */
    atomic_bool waits; /* for the other side, since a while */
    atomic_llong
        until_ms; /* the call under way is over by then, by the monotonic clock; or never */

    struct leat_decider_work opened; /* DECIDER_OPENED */
    struct leat_arena arena;         /* of the list: what the other side knew when it was asked */
    struct leat_arena scratch;       /* of sections, which nobody wants */
    struct leat_decided *known;
    uint32_t known_count, known_room;
};

/* plan, kind, self, memory, env, sinks, given and job are set. The thread opens the decider and
 * asks; the answer is DECIDER_OPENED. Thread: job, as all here */
LEAT_CHECKED enum leat_status leat_decider_thread_start(struct leat_decider_thread *t,
                                                        struct leat_error *err);

/* Messages: run/message.h. DECIDER_RECOVER comes first: the sinks recover n. */
void leat_decider_thread_put(struct leat_decider_thread *t, struct leat_decider_work *w, int kind);

/* Finish what was put, close everything, end. Does nothing if not started. */
void leat_decider_thread_stop(struct leat_decider_thread *t);

/* A call does not come back: the process ends with exit code 75. A transaction that was left open
 * is ended by the other side, or by the next instance. */
_Noreturn void leat_decider_thread_give_up(struct leat_decider_thread *t);

/* What the other side knows of a partition; NULL: nothing. Between DECIDER_OPENED and the next
 * message to the thread. */
const struct leat_decided *leat_decider_known(const struct leat_decider_thread *t,
                                              struct leat_slice partition);

#endif
