/*
 * watch.h - calls of functions that are not ours: one that crashes, or never comes back, is named.
 *
 * Nobody can take a thread out of a function. So a call that takes longer than it may ends the
 * process with one line that names it, and the next run goes on where the last committed batch
 * ended. Who is in a call is written where the watching thread reads it; no clock is looked at.
 *
 * What the thread has to be asked for is asked once for a run of calls (struct leat_watch_run);
 * then a call costs a few stores.
 */
#ifndef LEAT_EXPR_WATCH_H
#define LEAT_EXPR_WATCH_H

#include "base/log.h"
#include "base/slice.h"

#include <stdatomic.h>

/* What is called. Lives as long as the plan. */
struct leat_watched {
    struct leat_slice where, what; /* "streams.s.ops[0].map", "module of map" */
};

struct leat_watch_mark {
    _Atomic(const struct leat_watched *) running; /* NULL: in no call */
    atomic_uint calls;                            /* goes up with each */
};

/* Of one worker. */
struct leat_watch {
    struct leat_watch_mark mark;

    /* Of the watching thread. */
    struct leat_watch *next;
    unsigned seen, seconds;
    unsigned limit_s;
    char job[64];
};

/* The first one starts the thread that watches; `job` is for the log. NULL: out of memory. Thread:
 * any. */
struct leat_watch *leat_watch_new(struct leat_slice job, unsigned limit_s);
/* The last one ends it. Before the plan goes. */
void leat_watch_free(void *watch);

/* Calls one behind the other. It stays where it is, and in its thread. */
struct leat_watch_run {
    const struct leat_watched *volatile *here; /* of the thread, for the handler of crashes */
    struct leat_watch_mark *mark, nobodys;
};

/* w may be NULL: nobody looks how long calls take. Thread: the worker. */
void leat_watch_begin(struct leat_watch_run *run, struct leat_watch *w);

static inline void leat_watch_enter(struct leat_watch_run *run, const struct leat_watched *watched)
{
    struct leat_watch_mark *mark = run->mark;

    *run->here = watched;
    atomic_store_explicit(&mark->calls,
                          atomic_load_explicit(&mark->calls, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&mark->running, watched, memory_order_release);
}

static inline void leat_watch_leave(struct leat_watch_run *run)
{
    atomic_store_explicit(&run->mark->running, NULL, memory_order_release);
    *run->here = NULL;
}

/* Is the calling thread in a call? */
bool leat_watch_is_inside(void);

/* From now on a crash within a call says so on stderr, and goes on as it would have. */
void leat_watch_crashes(void);

#endif
